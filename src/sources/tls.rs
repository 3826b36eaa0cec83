//! The TLS of a listener. Its files are read again on a reload; what cannot be read leaves the old ones in use.

use std::sync::Arc;

use rustls::ServerConfig;

use crate::config::daemon::ServerTls;
use crate::tls::{self, Identity, Renewable, TlsError};

/// Certificate, key and authorities of a listener, exchangeable.
pub(super) type Acceptor = Renewable<ServerConfig, TlsError>;

/// Reads them from `files`.
pub(super) fn acceptor(files: &ServerTls) -> Result<Acceptor, TlsError> {
    let files = files.clone();
    Renewable::new(move || {
        let clients = files.client_ca.as_deref().map(tls::authorities).transpose()?;
        tls::server(Identity { certificate: &files.cert, key: &files.key }, clients).map(Arc::new)
    })
}

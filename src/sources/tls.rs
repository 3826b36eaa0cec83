//! The TLS of a listener. Its files are read again on a reload; what cannot be read leaves the old ones in use.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

use crate::config::daemon::ServerTls;
use crate::tls::{self, Identity, TlsError};

/// Certificate, key and authorities of a listener, exchangeable.
pub(super) struct Acceptor {
    files: ServerTls,
    current: RwLock<Arc<ServerConfig>>,
}

impl Acceptor {
    pub(super) fn new(files: &ServerTls) -> Result<Acceptor, TlsError> {
        Ok(Acceptor { files: files.clone(), current: RwLock::new(Arc::new(config(files)?)) })
    }

    pub(super) fn reload(&self) -> Result<(), TlsError> {
        let fresh = Arc::new(config(&self.files)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    pub(super) fn current(&self) -> TlsAcceptor {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

fn config(files: &ServerTls) -> Result<ServerConfig, TlsError> {
    let clients = files.client_ca.as_deref().map(tls::authorities).transpose()?;
    tls::server(Identity { certificate: &files.cert, key: &files.key }, clients)
}

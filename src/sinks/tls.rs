//! TLS to a receiver. Its files are read anew for each connection, so that a renewed certificate needs no reload; there is
//! no way back to plain text.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::daemon::ClientTls;
use crate::tls::{self, Identity, TlsError};

/// Makes connections secure.
pub(super) struct Connector {
    name: ServerName<'static>,
    tls: ClientTls,
}

impl Connector {
    /// Reads the files once, so that a wrong one stops the start.
    pub(super) fn new(address: &str, tls: &ClientTls) -> Result<Connector, TlsError> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
        let name = tls::server_name(tls.server_name.as_deref().unwrap_or(host), "server_name")?;
        let connector = Connector { name, tls: tls.clone() };
        connector.config()?;
        Ok(connector)
    }

    pub(super) async fn secure<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> Result<TlsStream<S>, String> {
        let config = self.config().map_err(|error| error.to_string())?;
        let connecting = TlsConnector::from(Arc::new(config)).connect(self.name.clone(), stream);
        connecting.await.map_err(|error: io::Error| error.to_string())
    }

    fn config(&self) -> Result<ClientConfig, TlsError> {
        let authorities = match &self.tls.ca {
            Some(path) => tls::authorities(path)?,
            None => tls::system_authorities("ca")?,
        };
        let identity = self.tls.identity.as_ref().map(|(certificate, key)| Identity { certificate, key });
        tls::client(authorities, identity)
    }
}

//! TLS to a receiver. Its files are read anew for each connection, so that a renewed certificate needs no reload; there is
//! no way back to plain text.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::daemon::ClientTls;
use crate::pem;

/// What is wrong with certificates; the operator is to blame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file that cannot be read, or holds no such thing.
    #[error("{path}: {reason}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The system trusts nobody.
    #[error("the system has no certificate authorities; name some with `ca`")]
    NoAuthorities,
    /// No name to check the certificate against.
    #[error("`{name}` is no name that a certificate can have; set `server_name`")]
    Name {
        /// The name.
        name: String,
    },
    /// Certificate and key do not work.
    #[error("{0}")]
    Rustls(#[from] rustls::Error),
}

/// Makes connections secure.
pub(super) struct Connector {
    name: ServerName<'static>,
    tls: ClientTls,
}

impl Connector {
    /// Reads the files once, so that a wrong one stops the start.
    pub(super) fn new(address: &str, tls: &ClientTls) -> Result<Connector, TlsError> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
        let name = tls.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name { name: name.to_owned() })?;
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
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let builder = builder.with_root_certificates(self.roots()?);
        Ok(match &self.tls.identity {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => builder.with_client_auth_cert(certificates(cert)?, private_key(key)?)?,
        })
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        let certificates = match &self.tls.ca {
            Some(path) => certificates(path)?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        roots.add_parsable_certificates(certificates);
        if roots.is_empty() {
            return Err(TlsError::NoAuthorities);
        }
        Ok(roots)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    pem::certificates(path).map_err(|reason| TlsError::File { path: path.to_owned(), reason })
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    pem::private_key(path).map_err(|reason| TlsError::File { path: path.to_owned(), reason })
}

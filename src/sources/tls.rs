//! The TLS of a listener. Its files are read again on a reload; what cannot be read leaves the old ones in use.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::SourceError;
use crate::config::daemon::ServerTls;
use crate::pem;

/// Certificate, key and authorities of a listener, exchangeable.
pub(super) struct Acceptor {
    files: ServerTls,
    current: RwLock<Arc<ServerConfig>>,
}

impl Acceptor {
    pub(super) fn new(files: &ServerTls) -> Result<Acceptor, SourceError> {
        Ok(Acceptor { files: files.clone(), current: RwLock::new(Arc::new(config(files)?)) })
    }

    pub(super) fn reload(&self) -> Result<(), SourceError> {
        let fresh = Arc::new(config(&self.files)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    pub(super) fn current(&self) -> TlsAcceptor {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

fn config(files: &ServerTls) -> Result<ServerConfig, SourceError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(certificates(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| refused(path, error.to_string()))?)
        }
    };
    Ok(builder.with_single_cert(certificates(&files.cert)?, private_key(&files.key)?)?)
}

fn refused(path: &Path, reason: String) -> SourceError {
    SourceError::Tls { path: path.to_owned(), reason }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, SourceError> {
    pem::certificates(path).map_err(|reason| refused(path, reason))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, SourceError> {
    pem::private_key(path).map_err(|reason| refused(path, reason))
}

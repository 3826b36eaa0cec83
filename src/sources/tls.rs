//! The TLS of a listener. Its files are read again on a reload; what cannot be read leaves the old ones in use.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::SourceError;
use crate::config::daemon::ServerTls;

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
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = certificates.map_err(|error| refused(path, said(&error)))?;
    if certificates.is_empty() {
        return Err(refused(path, "it holds no PEM certificate".to_owned()));
    }
    Ok(certificates)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, SourceError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| refused(path, said(&error)))
}

/// A parser's message may quote what it read, and that may be a key.
fn said(error: &PemError) -> String {
    match error {
        PemError::Io(error) => error.to_string(),
        PemError::NoItemsFound => "it holds no PEM private key or certificate".to_owned(),
        _ => "it is no valid PEM file".to_owned(),
    }
}

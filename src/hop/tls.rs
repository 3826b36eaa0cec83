//! TLS for servers and for the client, by rustls: versions 1.2 and 1.3, names always checked, never a fallback to plain text.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::config::daemon::{OtlpClientTls, OtlpServerTls};
use crate::pem;

/// What is spoken, best first.
pub(super) const GRPC: &[&[u8]] = &[b"h2"];
pub(super) const HTTP: &[&[u8]] = &[b"h2", b"http/1.1"];

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file with certificates or a key.
    #[error("{}: {reason}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key do not go together, or the like.
    #[error("TLS: {0}")]
    Config(#[from] rustls::Error),
    /// The system has no certificates to trust.
    #[error("the system has no root certificates; set `tls.ca_file`")]
    NoRoots,
    /// One of two options that belong together.
    #[error("`tls.cert_file` and `tls.key_file` go together")]
    Half,
}

/// What a server shows and whom it takes. `alpn` names the protocols it speaks, best first.
pub(super) fn server(options: &OtlpServerTls, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match &options.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(path)?), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| file(path, &error))?)
        }
    };
    let mut config = builder.with_single_cert(certificates(&options.cert_file)?, key(&options.key_file)?)?;
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// Whom a client trusts and what it shows.
pub(super) fn client(options: &OtlpClientTls, alpn: &[&[u8]]) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(match &options.ca_file {
        Some(path) => roots(path)?,
        None => native_roots()?,
    });
    let mut config = match (&options.cert_file, &options.key_file) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert_path), Some(key_path)) => builder.with_client_auth_cert(certificates(cert_path)?, key(key_path)?)?,
        _ => return Err(TlsError::Half),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

fn native_roots() -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() { Err(TlsError::NoRoots) } else { Ok(store) }
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store.add(certificate).map_err(|error| file(path, &error))?;
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    pem::certificates(path).map_err(|reason| file(path, &reason))
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    pem::private_key(path).map_err(|reason| file(path, &reason))
}

fn file(path: &Path, reason: &dyn std::fmt::Display) -> TlsError {
    TlsError::File { path: path.to_owned(), reason: reason.to_string() }
}

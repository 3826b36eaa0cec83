//! TLS for every server and client there is, by rustls: versions 1.2 and 1.3, names always checked, never a fallback to plain
//! text. It reads files and makes configurations of them; which option names a file, and when it is read again, is the
//! business of who asks.

mod pem;
mod renew;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

pub(crate) use renew::Renewable;

/// Why there is no TLS; the operator is to blame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file that cannot be read, or holds no such thing.
    #[error("{path}: {reason}", path = path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system trusts nobody.
    #[error("the system has no certificate authorities; name some with `{option}`")]
    NoAuthorities {
        /// Where they could be named.
        option: &'static str,
    },
    /// No name to check a certificate against.
    #[error("`{name}` is no name that a certificate can have; set `{option}`")]
    Name {
        /// The name.
        name: String,
        /// Where another one could be given.
        option: &'static str,
    },
    /// Certificate and key do not go together, or the like.
    #[error("TLS: {0}")]
    Rustls(#[from] rustls::Error),
}

/// Who we say we are: the files of a certificate chain and of its key.
#[derive(Clone, Copy)]
pub(crate) struct Identity<'a> {
    pub(crate) certificate: &'a Path,
    pub(crate) key: &'a Path,
}

/// A server that shows `identity`, to clients that `clients` vouch for; to everyone where there are none.
pub(crate) fn server(identity: Identity<'_>, clients: Option<RootCertStore>) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authorities) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider).build();
            builder.with_client_cert_verifier(verifier.expect("there is an authority, and no list of revocations"))
        }
    };
    let (chain, key) = identity.load()?;
    Ok(builder.with_single_cert(chain, key)?)
}

/// A client that believes `authorities`, and shows `identity` if it is asked and has one.
pub(crate) fn client(authorities: RootCertStore, identity: Option<Identity<'_>>) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(authorities);
    let Some(identity) = identity else { return Ok(builder.with_no_client_auth()) };
    let (chain, key) = identity.load()?;
    Ok(builder.with_client_auth_cert(chain, key)?)
}

/// The name that a server's certificate must have. `option` is where it could be set.
pub(crate) fn server_name(name: &str, option: &'static str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name { name: name.to_owned(), option })
}

/// The authorities in the file at `path`, one at least. Each must be of use: whom a file names, and nobody less, is believed.
pub(crate) fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    let certificates = certificates(path)?;
    let all = certificates.len();
    for (index, certificate) in certificates.into_iter().enumerate() {
        let wrong = |error| file(path, format!("certificate {} of {all} is of no use: {error}", index + 1));
        store.add(certificate).map_err(wrong)?;
    }
    Ok(store)
}

/// Whom the system trusts. `option` is where others could be named.
pub(crate) fn system_authorities(option: &'static str) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() { Err(TlsError::NoAuthorities { option }) } else { Ok(store) }
}

impl Identity<'_> {
    fn load(self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        let key = |chain| Ok((chain, pem::private_key(self.key).map_err(|reason| file(self.key, reason))?));
        certificates(self.certificate).and_then(key)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    pem::certificates(path).map_err(|reason| file(path, reason))
}

fn file(path: &Path, reason: String) -> TlsError {
    TlsError::File { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    #[test]
    fn a_certificate_of_no_use_is_told_by_its_file_and_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let good = CertificateParams::default().self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
        let bad = base64::engine::general_purpose::STANDARD.encode("no certificate at all");
        let bad = format!("-----BEGIN CERTIFICATE-----\n{bad}\n-----END CERTIFICATE-----\n");
        std::fs::write(&path, format!("{good}{good}")).unwrap();
        assert!(authorities(&path).is_ok());
        std::fs::write(&path, format!("{good}{bad}{good}")).unwrap();
        let said = authorities(&path).unwrap_err().to_string();
        assert!(said.starts_with(&format!("{}: certificate 2 of 3 is of no use: ", path.display())), "{said}");
        std::fs::write(&path, "").unwrap();
        assert!(authorities(&path).unwrap_err().to_string().ends_with("it holds no PEM certificate"));
    }
}

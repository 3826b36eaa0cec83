//! The TLS of the hop's servers and of its client: its options, and the protocols that are spoken within.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};

use super::HopError;
use crate::config::daemon::{OtlpClientTls, OtlpServerTls};
use crate::tls::{self, Identity, TlsError};

/// What is spoken, best first.
pub(super) const GRPC: &[&[u8]] = &[b"h2"];
pub(super) const HTTP: &[&[u8]] = &[b"h2", b"http/1.1"];

/// What a server shows and whom it takes. `alpn` names the protocols it speaks, best first.
pub(super) fn server(options: &OtlpServerTls, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>, TlsError> {
    let clients = options.client_ca_file.as_deref().map(tls::authorities).transpose()?;
    let mut config = tls::server(Identity { certificate: &options.cert_file, key: &options.key_file }, clients)?;
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// The name that the certificate of `host` must have.
pub(super) fn server_name(options: &OtlpClientTls, host: &str) -> Result<ServerName<'static>, TlsError> {
    let name = options.server_name.as_deref().unwrap_or(host).trim_matches(['[', ']']);
    tls::server_name(name, "tls.server_name")
}

/// Whom a client trusts and what it shows.
pub(super) fn client(options: &OtlpClientTls, alpn: &[&[u8]]) -> Result<Arc<ClientConfig>, HopError> {
    let authorities = match &options.ca_file {
        Some(path) => tls::authorities(path)?,
        None => tls::system_authorities("tls.ca_file")?,
    };
    let identity = match (&options.cert_file, &options.key_file) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
        _ => return Err(HopError::HalfIdentity),
    };
    let mut config = tls::client(authorities, identity)?;
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

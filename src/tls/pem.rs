//! Certificates and private keys from PEM files. What it says of a file holds no byte of it: a parser's message may quote
//! what it read, and that may be a key.

use std::path::Path;

use rustls::pki_types::pem::{Error, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The certificates in the file at `path`, one at least.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read.map_err(|error| said(&error))? {
        none if none.is_empty() => Err("it holds no PEM certificate".to_owned()),
        some => Ok(some),
    }
}

/// The private key in the file at `path`.
pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| said(&error))
}

fn said(error: &Error) -> String {
    match error {
        Error::Io(error) => error.to_string(),
        Error::NoItemsFound => "it holds no PEM private key or certificate".to_owned(),
        _ => "it is no valid PEM file".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_file_is_said_without_a_byte_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let begin = ["-----BEGIN", "PRIVATE KEY-----"].join(" ");
        for (text, expected) in [
            ("nothing".to_owned(), "it holds no PEM private key or certificate"),
            (format!("{begin}\nqu!et-little-secret\n-----END SOMETHING-----\n"), "it is no valid PEM file"),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(private_key(&path).unwrap_err(), expected);
        }
        assert!(private_key(&folder.path().join("none")).unwrap_err().contains("No such file"));
    }
}

//! Loads what must not be seen: the key of the `hash` action, and in [`known`] the values to be masked wherever they stand. It
//! prints nothing, and no error of it holds a byte of a key or a value.

pub mod known;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use zeroize::Zeroizing;

use crate::engine::{CompileError, HashKey};

/// The environment variable that may hold the key.
pub const HASH_KEY_VARIABLE: &str = "INKOUT_HASH_KEY";

/// A longer file is not a key.
const MAX_KEY_BYTES: u64 = 64 << 10;

/// Why there is no key or no value; the operator is to blame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The file cannot be read.
    #[error("hash key file {path}: {reason}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// A source of known values that cannot be used.
    #[error("{place}: {reason}")]
    Known {
        /// The source, and the line where there is one.
        place: String,
        /// Why, and what is allowed.
        reason: String,
    },
    /// The file is too long.
    #[error("hash key file {path} has more than {MAX_KEY_BYTES} bytes and is no key", path = path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// The system is to blame.
    #[error("no random numbers for a hash key: {reason}")]
    Random {
        /// Why.
        reason: io::Error,
    },
    /// The key could be guessed.
    #[error("{place}: {reason}")]
    Key {
        /// The file or variable.
        place: String,
        /// Why.
        reason: CompileError,
    },
}

/// The key in a file, and what is to be said about it.
#[derive(Debug)]
pub struct LoadedKey {
    /// The key.
    pub key: HashKey,
    /// Whether the file can be read by more than its owner.
    pub exposed: bool,
}

/// The key in the file at `path`, without one line end at its end.
///
/// # Errors
/// When it cannot be read, is too long, or has fewer than 16 bytes.
pub fn hash_key_from_file(path: &Path) -> Result<LoadedKey, SecretError> {
    let unreadable = |reason| SecretError::Unreadable { path: path.to_owned(), reason };
    let file = File::open(path).map_err(unreadable)?;
    let mode = Mode::from_raw_mode(rustix::fs::fstat(&file).map_err(|errno| unreadable(errno.into()))?.st_mode);
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_KEY_BYTES as usize + 1));
    file.take(MAX_KEY_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_KEY_BYTES {
        return Err(SecretError::TooLong { path: path.to_owned() });
    }
    let key = hash_key(&bytes).map_err(|reason| SecretError::Key { place: path.display().to_string(), reason })?;
    Ok(LoadedKey { key, exposed: mode.intersects(Mode::RGRP | Mode::ROTH) })
}

/// The key in [`HASH_KEY_VARIABLE`], if it is set and not empty.
///
/// # Errors
/// When it has fewer than 16 bytes.
pub fn hash_key_from_environment() -> Result<Option<HashKey>, SecretError> {
    let set = std::env::var_os(HASH_KEY_VARIABLE).is_some_and(|value| !value.is_empty());
    if set { hash_key_from_variable(HASH_KEY_VARIABLE).map(Some) } else { Ok(None) }
}

/// The key in the environment variable `name`.
///
/// # Errors
/// When it is not set or has fewer than 16 bytes.
pub fn hash_key_from_variable(name: &str) -> Result<HashKey, SecretError> {
    let bytes = Zeroizing::new(std::env::var_os(name).unwrap_or_default().into_encoded_bytes());
    hash_key(&bytes).map_err(|reason| SecretError::Key { place: name.to_owned(), reason })
}

/// A key that nobody else has, from the system's random numbers.
///
/// # Errors
/// When the system has none to give.
pub fn random_hash_key() -> Result<HashKey, SecretError> {
    let mut bytes = vec![0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|reason| SecretError::Random { reason: io::Error::other(reason.to_string()) })?;
    Ok(HashKey::new(bytes).expect("32 bytes are enough"))
}

/// Editors and `echo` end a file with a line end that is not part of the key.
fn hash_key(bytes: &[u8]) -> Result<HashKey, CompileError> {
    let key = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    HashKey::new(key.strip_suffix(b"\r").unwrap_or(key).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_not_part_of_a_key() {
        assert!(hash_key(b"0123456789abcdef\n").is_ok());
        assert!(hash_key(b"0123456789abcde\n").is_err());
        let (unix, dos) = (hash_key(b"0123456789abcdef\n").unwrap(), hash_key(b"0123456789abcdef\r\n").unwrap());
        assert_eq!(unix.bytes(), dos.bytes());
        assert_ne!(hash_key(b"0123456789abcdef\n\n").unwrap().bytes(), unix.bytes());
    }
}

//! Where records come from: standard input, and connections to sockets. It hands out bytes and holds the listeners'
//! limits; what is in the bytes is not its business.

mod files;
mod listener;
mod stdin;
mod tls;

pub use files::{Files, Lane as FileLane};
pub use listener::{Connection, Listener, Peer};
pub use stdin::Stdin;

use std::io;
use std::path::PathBuf;

use crate::tail::GlobError;
use crate::tls::TlsError;

/// Why a source cannot be opened; the operator is to blame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// Nobody can be listened to there.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address or socket.
        address: String,
        /// Why.
        reason: io::Error,
    },
    /// The socket's place is taken.
    #[error("{path} {reason}", path = path.display())]
    Taken {
        /// The socket.
        path: PathBuf,
        /// By what.
        reason: &'static str,
    },
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Patterns of paths.
    #[error(transparent)]
    Glob(#[from] GlobError),
    /// A thread or randomness cannot be had.
    #[error("cannot follow files: {0}")]
    Follow(io::Error),
    /// A descriptor or a thread cannot be had.
    #[error("standard input: {0}")]
    Stdin(io::Error),
}

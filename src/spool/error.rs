//! What can be wrong with a spool.

use std::io;
use std::path::PathBuf;

use super::MIN_SEGMENT_BYTES;

/// Why a spool cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// The operator's: no segment would ever fit.
    #[error("a spool of {max_bytes} bytes is smaller than one segment of {segment_bytes} bytes")]
    TooSmall {
        /// The quota.
        max_bytes: u64,
        /// A segment.
        segment_bytes: u64,
    },
    /// The operator's: records would not fit.
    #[error("a segment of {segment_bytes} bytes is too small; at least {MIN_SEGMENT_BYTES}")]
    SmallSegments {
        /// A segment.
        segment_bytes: u64,
    },
    /// The operator's: two processes would write the same segments.
    #[error("{path}: another process is using this spool", path = path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The operator's: what stands there was written by a later inkout.
    #[error("{path}: its version is {found}; this inkout knows {known}", path = path.display())]
    Version {
        /// The segment.
        path: PathBuf,
        /// What it says.
        found: u32,
        /// What is understood.
        known: u32,
    },
    /// The record can never be stored.
    #[error("a record of {len} bytes is larger than the spool of {max_bytes} bytes")]
    TooLarge {
        /// The record.
        len: u64,
        /// The quota.
        max_bytes: u64,
    },
    /// The world's: the disk.
    #[error("{path}: {reason}", path = path.display())]
    Disk {
        /// What.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
}

impl SpoolError {
    pub(super) fn disk(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> SpoolError {
        let path = path.into();
        move |reason| SpoolError::Disk { path, reason }
    }
}

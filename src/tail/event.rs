//! What the tailer tells.

use std::path::PathBuf;

use bytes::Bytes;

use super::glob::Refusal;
use super::identity::Fingerprint;

/// A file, while this process runs. A file that was cut and filled again is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub(super) u64);

impl FileId {
    /// Its number, which no other file has while this process runs.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The file of that number.
    pub fn of(number: u64) -> FileId {
        FileId(number)
    }
}

/// What happened. Of one file, in this order: `Opened`, `Data` without gaps, perhaps `Cut`, `Ended`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A file is read from now on.
    Opened {
        /// Which.
        file: FileId,
        /// The path it is followed under, which it may have lost to its successor.
        path: PathBuf,
        /// The path from the folder on that all patterns share.
        relative: PathBuf,
        /// Where it begins: 0, or what was acknowledged in an earlier run.
        offset: u64,
        /// Its name in record ids: stays over restarts.
        fingerprint: Fingerprint,
        /// The last whole lines before `offset`, as many as [`TailOptions::lines_before`](super::TailOptions) asks for and
        /// [`MAX_BEFORE_BYTES`](super::MAX_BEFORE_BYTES) have room for. They were passed on in an earlier run.
        before: Bytes,
    },
    /// Its next bytes.
    Data {
        /// Which.
        file: FileId,
        /// Where they stand in the file.
        offset: u64,
        /// They end anywhere, not at a line's end.
        bytes: Bytes,
    },
    /// The writer cut the file, or it was deleted while nobody looked.
    Cut {
        /// Which.
        file: FileId,
        /// Bytes that were seen to be there and could not be read any more. What was written and cut between two looks is
        /// known to nobody.
        lost: u64,
    },
    /// Nothing more comes of this file; a last line without a line end is final.
    Ended {
        /// Which.
        file: FileId,
    },
    /// A path that a pattern names is not read, or not now. Told once until it changes.
    Refused {
        /// Which.
        path: PathBuf,
        /// Why.
        why: Refusal,
    },
    /// What an earlier run left cannot be trusted: everything is read from its beginning.
    Distrusted {
        /// The checkpoint file, now put aside with `.broken` at its end.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Checkpoints cannot be written. Data goes on; after a restart lines come twice.
    Unsaved {
        /// Why.
        why: String,
    },
    /// They can be written again.
    Saved,
}

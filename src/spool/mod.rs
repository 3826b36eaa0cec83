//! Masked bytes on disk, between the workers and a sink that cannot take them now. It stores and hands out; when to
//! deliver, and to whom, is for others to know.
//!
//! A [`Spool`] is a folder of segments. Records are appended to the last one, and read from the first. What is written may
//! be acknowledged to its source once [`Spool::sync`] has covered it; what is read stays until [`Spool::delivered`].
//!
//! # What survives what
//!
//! | | |
//! |---|---|
//! | crash | everything that was synced; a torn end is cut off, what was delivered last comes again |
//! | damaged record | it is skipped and counted, the records around it are delivered |
//! | full disk | nothing is torn: [`Pushed::Full`], and the next push tries again |
//! | an error of `fsync` | the segment is given up at its last synced place, and what followed is written to a new one; the system may have dropped pages that it calls clean |
//!
//! The order of the steps that make up a removal is: deliver, write the ledger, remove the segment. Wherever it is
//! interrupted, records come twice rather than never. A checksum is no signature: who can write the folder (mode 0700) can
//! put in what they like.

mod error;
mod ledger;
mod record;
mod segment;
mod store;
#[cfg(test)]
mod tests;

pub use error::SpoolError;
pub use store::{Spool, SyncJob};

use std::path::PathBuf;

use crate::engine::Masked;

/// What is done with a record when the quota is used up or the disk is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// Nothing is taken until there is room.
    #[default]
    Block,
    /// The record is dropped and counted.
    DropNewest,
}

/// Where it is, and how large it may become.
#[derive(Clone, Debug)]
pub struct SpoolOptions {
    /// A folder of its own; made with mode 0700.
    pub folder: PathBuf,
    /// All segments together.
    pub max_bytes: u64,
    /// A segment is closed when it is larger; the disk is freed segment by segment.
    pub segment_bytes: u64,
    /// When there is no room.
    pub when_full: WhenFull,
}

impl SpoolOptions {
    /// With up to `max_bytes` in `folder`.
    pub fn new(folder: PathBuf, max_bytes: u64) -> SpoolOptions {
        SpoolOptions {
            folder,
            max_bytes,
            segment_bytes: DEFAULT_SEGMENT_BYTES.min(max_bytes / 4).max(MIN_SEGMENT_BYTES),
            when_full: WhenFull::Block,
        }
    }
}

const DEFAULT_SEGMENT_BYTES: u64 = 16 << 20;
/// Smaller segments would be more folder than file.
pub const MIN_SEGMENT_BYTES: u64 = 64 << 10;

/// What is stored: a piece of a stream after the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose it is, in the process that wrote it.
    pub stream: u64,
    /// Where it ends in its stream.
    pub position: u64,
    /// How many records end in it.
    pub records: u64,
    /// What it ends with; a number of the writer's.
    pub end: u8,
    /// How many lines each record has, where that is needed.
    pub lines: Vec<u32>,
    /// What the file it came from is called; empty if it came from none. At most 64 KiB.
    pub origin: Vec<u8>,
    /// The bytes.
    pub payload: Masked,
}

/// What was read, and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// To be given to [`Spool::delivered`]; grows by one with each record.
    pub number: u64,
    /// What was pushed.
    pub entry: Entry,
}

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It is written, and durable after the next sync.
    Stored {
        /// Its number.
        number: u64,
    },
    /// There is no room; the same record may be pushed again later.
    Full,
    /// There is no room, and it was dropped.
    Dropped,
}

/// What a spool went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pushes for which there was no room, and which were dropped.
    pub dropped: u64,
    /// Damaged or missing entries that were skipped.
    pub skipped: u64,
    /// Bytes of a torn end that were cut off at the start.
    pub torn_bytes: u64,
    /// Writes that the disk refused.
    pub failed_writes: u64,
    /// Segments that were given up after an error of `fsync`.
    pub given_up: u64,
}

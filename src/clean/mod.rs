//! Files, folders and archives read to their end, and rewritten where that was asked for. Threads, no async; no text for
//! people but the reasons.
//!
//! [`walk`] lists the files, [`each`] hands them to threads, and [`scan_file`] streams one of them, member by member,
//! through the engine and shows an [`Observer`] every piece. Looking and rewriting go through that same function.

mod beside;
mod budget;
mod error;
mod follow;
mod format;
mod input;
mod place;
mod rewrite;
mod scan;
mod stream;
mod tarball;
mod threads;
mod walk;
mod zipmap;
mod zipped;

pub use error::{Outcome, Reason, Skip, shown, shown_bytes};
pub use rewrite::{CleanOptions, Done, Target, clean_file};
pub use scan::{Observer, ReadOptions, Scanned, Seen, Silent, scan_file};
pub use threads::{Progress, Shared, Worker, each};
pub use walk::{FileEntry, WalkError, WalkOptions, Walked, walk};

//! Follows files through rotation, truncation and restarts, and loses no line silently. It hands out bytes with their
//! place; what they mean, and that they must be masked, is for others to know.
//!
//! [`Tailer`] is a state machine without a thread or a clock of its own: [`Tailer::poll`] is told the time and returns what
//! happened. [`Driver`] runs one on a thread and wakes it when the system tells of a change.
//!
//! # Acknowledging
//!
//! A checkpoint moves only over what was given to [`Tailer::acked`], and a restart reads on exactly there. So acknowledge
//! an offset at which somebody may begin who knows nothing of what was before: the end of a record behind which no
//! [`Carry`](crate::engine::Carry) is open. Otherwise the rest of a private key would come out unmasked after a crash. Who has
//! to know the values in the last lines is told them again: [`TailOptions::lines_before`].
//!
//! # What rotation looks like
//!
//! - **Renamed**: another file is at the path. The old one is read to its end, then the new one is begun; for
//!   `rotate_wait` both are read, because the writer may have the old one still open.
//! - **Copied and cut** (`copytruncate`): the file is shorter than it was read, or holds other bytes. The copy is looked
//!   for beside it, and what was not yet read is read there. If there is none, [`Event::Cut`] tells what was lost.
//! - **Rotated twice** between two looks: files beside it that bear rotated names, are unknown and newer than the last known
//!   one are read in the order of their times.
//! - **While nobody ran**: the same, from the checkpoint.

mod checkpoint;
mod driver;
mod event;
mod followed;
mod generations;
mod glob;
mod identity;
mod options;
mod rotation;
mod tailer;
#[cfg(test)]
mod tests;
mod watch;

pub use checkpoint::{Checkpoints, State, StateError};
pub use driver::{Driver, Handle, Offer};
pub use event::{Event, FileId};
pub use glob::{GlobError, Globs, Refusal};
pub use identity::Fingerprint;
pub use options::{MAX_BEFORE_BYTES, StartAt, TailOptions};
pub use tailer::Tailer;

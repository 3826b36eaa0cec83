//! What may be chosen about following files.

use std::time::Duration;

/// Where a file that is seen for the first time is begun, when nothing is known of an earlier run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartAt {
    /// At its first byte.
    #[default]
    Beginning,
    /// Behind its last whole line: files that are there at the first start only. What appears later is read whole.
    End,
}

/// Of the lines before the place where a file is begun, no more are told than have room in this.
pub const MAX_BEFORE_BYTES: usize = 1 << 20;

/// What is followed, and how.
#[derive(Clone, Debug)]
pub struct TailOptions {
    /// Patterns of paths.
    pub paths: Vec<String>,
    /// Patterns of paths that are left out.
    pub exclude: Vec<String>,
    /// Where a new file is begun.
    pub start_at: StartAt,
    /// How many lines before the place where a file is begun are told, for who has to know them.
    pub lines_before: usize,
    /// How long a file that was rotated or deleted is read on while nothing is added to it. Its last line is final then.
    pub rotate_wait: Duration,
    /// How often open files are looked at although nobody told of a change.
    pub check_interval: Duration,
    /// How often folders are looked at although nobody told of a change.
    pub scan_interval: Duration,
    /// How often checkpoints are written while they move.
    pub save_interval: Duration,
    /// How many files are held open. A file that was read to its end is closed first, one that was rotated or deleted never.
    pub max_open_files: usize,
    /// How much is read at once from one file.
    pub max_read_bytes: usize,
    /// How much one poll hands out.
    pub max_poll_bytes: usize,
}

impl TailOptions {
    /// Follows `paths` from their beginnings.
    pub fn new(paths: Vec<String>) -> TailOptions {
        TailOptions {
            paths,
            exclude: Vec::new(),
            start_at: StartAt::Beginning,
            lines_before: 0,
            rotate_wait: Duration::from_secs(30),
            check_interval: Duration::from_secs(1),
            scan_interval: Duration::from_secs(5),
            save_interval: Duration::from_millis(500),
            max_open_files: 512,
            max_read_bytes: 256 << 10,
            max_poll_bytes: 1 << 20,
        }
    }
}

//! The two ways to people: standard output and standard error. What is said is the caller's.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::{AsFd, OwnedFd};

/// Standard output could not be written.
#[derive(Debug, thiserror::Error)]
#[error("standard output: {0}")]
pub(super) struct OutputError(#[source] pub(super) io::Error);

/// A file that was asked for could not be written.
#[cfg(feature = "archives")]
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", crate::clean::shown(path))]
pub(super) struct FileError {
    pub(super) path: std::path::PathBuf,
    #[source]
    pub(super) reason: io::Error,
}

/// Standard output as a descriptor of our own, without the line buffering of Rust's.
pub(super) fn stdout() -> Result<OwnedFd, OutputError> {
    rustix::stdio::stdout().try_clone_to_owned().map_err(OutputError)
}

/// Writes what `text` writes to standard output, at once.
pub(super) fn page(text: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    let mut out = BufWriter::new(File::from(stdout()?));
    let written = text(&mut out).and_then(|()| out.flush());
    // What could not be written is not tried again when the writer is dropped.
    drop(out.into_parts());
    Ok(written.map_err(OutputError)?)
}

/// A reader of standard output that left early is no failure, and what it did not see does not change how we end.
#[cfg(feature = "archives")]
pub(super) fn unless_left(printed: anyhow::Result<()>) -> anyhow::Result<()> {
    let left = |OutputError(reason): &OutputError| reason.kind() == io::ErrorKind::BrokenPipe;
    match printed {
        Err(error) if error.downcast_ref().is_some_and(left) => Ok(()),
        printed => printed,
    }
}

/// Says something on standard error. Nobody is left to be told if that fails.
pub(super) fn complain(message: &dyn Display) {
    let _ = writeln!(io::stderr().lock(), "inkout: {message}");
}

/// Whether standard output is a terminal.
pub(super) fn on_terminal() -> bool {
    rustix::termios::isatty(rustix::stdio::stdout().as_fd())
}

/// Writes a report to standard error as it is.
pub(super) fn complain_plainly(report: &str) {
    let _ = io::stderr().lock().write_all(report.as_bytes());
}

//! What can go wrong between a file and the output. None of it holds a byte of the input.

use std::io;

/// An input that could not be read to its end; whoever named it or the world is to blame.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct InputError {
    /// The input as it was named.
    pub name: String,
    /// Why.
    pub reason: io::Error,
}

/// Why nothing more could be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipeError {
    /// The output does not take it.
    #[error("standard output: {0}")]
    Output(#[source] io::Error),
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
    /// A thread panicked: a bug.
    #[error("internal error in a worker thread")]
    Panicked,
}

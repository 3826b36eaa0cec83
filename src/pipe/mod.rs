//! Files and pipes through an engine, to one output, in order. Blocking calls and threads; no clock, and no text for people.
//!
//! Every thread does the same: it takes the next piece from the [feed](feed::Feed) (one at a time), redacts it, and writes
//! it when it is its turn. A piece stays on one core from reading to writing, nothing is queued, and memory is a block or
//! two per thread however slow the output is.
//!
//! A piece is redacted as if nothing were open before it. When its turn comes the carry of the piece before it is known;
//! in the rare case that something *was* open (a private key over several blocks) it is redacted again, so that any number
//! of threads writes the same bytes. Of values that were learned in earlier blocks only those count that stand in this one.

mod descriptor;
mod error;
mod feed;
mod input;
mod shared;
mod worker;

use std::sync::Arc;

pub use descriptor::{Output, Painter};
pub use error::{InputError, PipeError};
pub use input::Input;

use crate::engine::{Cost, Engine, Tally};
use feed::Feed;
use worker::Worker;

/// How many bytes are read at once. Larger blocks fall out of the second-level cache (1 MiB) before they are written.
pub(crate) const BLOCK_BYTES: usize = 256 << 10;

/// What is said of an input in UTF-16 or UTF-32.
pub(crate) const WIDE: &str =
    "it is UTF-16 or UTF-32, which is not inspected, and was not passed on; `iconv -t UTF-8` first";

/// How many threads redact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// As many as pay: one for a quiet input, one for each processor for a long one.
    Auto,
    /// So many, once the input comes faster than one line at a time.
    Exactly(usize),
}

/// What was done.
#[derive(Debug, Default)]
pub struct Summary {
    /// Counts over all inputs.
    pub tally: Tally,
    /// By rule: how often it was tried, over all threads.
    pub costs: Vec<Cost>,
    /// Inputs that could not be read to their end. The others were.
    pub failed: Vec<InputError>,
    /// Whether something is missing that was named already.
    pub incomplete: bool,
}

// Measured on two cores with 256 MiB of clean logs, best of five. Without an engine this room is as fast as copying: from a
// file to /dev/null 8 GB/s, as a loop of reads and writes; `cat file | … | cat` 145 ms on one thread and 149 ms on two, where
// `cat` in its place takes 144 ms. So a second thread costs nothing where it does not help. With an engine of 0.2 GB/s it
// brings 1.39 s down to 0.80 s in that pipe, whose other ends need a core too, and 1.30 s to 0.72 s from a file.

/// Redacts `inputs`, one after the other, to `output`.
///
/// # Errors
/// When the output cannot be written, or a thread failed. An input that cannot be read is no error: it is named in the
/// summary.
pub fn run(engine: &Arc<Engine>, inputs: Vec<Input>, output: Output, threads: Threads) -> Result<Summary, PipeError> {
    let mut feed = Feed::new(inputs, output.file(), engine.limits().max_record_bytes);
    let mut worker = Worker::new(Arc::clone(engine));
    let mut state = worker::State::new(engine.rules().len());
    while let Some(job) = feed.next() {
        let redacted = worker.redact(&job, &state.carry_before(&job));
        output.write(redacted.bytes()).map_err(PipeError::Output)?;
        state.advance(&redacted);
        if let Some(buffer) = redacted.into_buffer(job) {
            feed.recycle(buffer);
        }
        let more = feed.worthwhile_threads(threads);
        if more > 1 {
            state.add_costs(&worker.costs());
            return shared::run(engine, feed, output, state, more);
        }
    }
    state.add_costs(&worker.costs());
    Ok(state.into_summary(feed.into_failed()))
}

//! The inputs, cut into numbered pieces in order. It reads only when a piece is asked for, and never waits for more than
//! has come: whatever whole lines one read brings are a piece.

use std::num::NonZero;
use std::sync::Arc;

use rustix::fd::AsFd;

use super::descriptor::{self, FileId};
use super::error::InputError;
use super::input::{Input, OpenInput};
use super::{BLOCK_BYTES, Threads, WIDE};
use crate::engine::{Cutter, Piece, is_wide};

/// A buffer with less room than this is enlarged before it is read into.
const MIN_READ_BYTES: usize = 64 << 10;
/// A buffer that a long record made larger than this is given back to the system.
const MAX_KEPT_BYTES: usize = 2 * BLOCK_BYTES;
/// A read of at least this much from a pipe means that its writer is faster than we are.
const FULL_READ_BYTES: usize = 32 << 10;
/// After so many bytes of full reads more threads are worth their start (0.1 ms each).
const BUSY_BYTES: usize = 4 << 20;

/// A piece to be redacted.
pub(super) struct Job {
    pub(super) piece: Piece,
    /// Whether an input begins with it: nothing is open then.
    pub(super) first: bool,
    /// The input's name.
    pub(super) source: Arc<str>,
    /// Its place in the order of writing.
    pub(super) number: u64,
}

/// The inputs that are left.
pub(super) struct Feed {
    /// The rest, the next one last.
    waiting: Vec<Input>,
    open: Option<OpenInput>,
    /// Whether `open` gave everything it had.
    ended: bool,
    cutter: Cutter,
    /// Whether no piece of `open` was handed out yet.
    first: bool,
    next: u64,
    /// Bytes read since the last read that was not full.
    busy: usize,
    failed: Vec<InputError>,
    /// The file that is written to, which cannot be an input.
    output: Option<FileId>,
}

impl Feed {
    pub(super) fn new(mut inputs: Vec<Input>, output: Option<FileId>, max_record_bytes: usize) -> Feed {
        inputs.reverse();
        let cutter = Cutter::new(max_record_bytes);
        let (open, failed) = (None, Vec::new());
        Feed { waiting: inputs, open, ended: false, cutter, first: true, next: 0, busy: 0, failed, output }
    }

    /// The next piece; `None` when all inputs have ended. Blocks until one is there.
    pub(super) fn next(&mut self) -> Option<Job> {
        loop {
            if self.open.is_none() && !self.open_next() {
                return None;
            }
            let piece = if self.ended { self.cutter.finish() } else { self.cutter.next_piece() };
            match piece {
                Some(piece) => return Some(self.job(piece)),
                None if self.ended => self.open = None,
                None => self.read(),
            }
        }
    }

    /// Takes a buffer back whose bytes were written.
    pub(super) fn recycle(&mut self, buffer: Vec<u8>) {
        if (BLOCK_BYTES..=MAX_KEPT_BYTES).contains(&buffer.capacity()) {
            self.cutter.recycle(buffer);
        }
    }

    /// How many threads pay for what has come so far.
    pub(super) fn worthwhile_threads(&self, threads: Threads) -> usize {
        match threads {
            Threads::Exactly(_) if self.busy == 0 => 1,
            Threads::Exactly(count) => count,
            Threads::Auto if self.busy < BUSY_BYTES => 1,
            Threads::Auto => std::thread::available_parallelism().map_or(1, NonZero::get),
        }
    }

    /// How many pieces were handed out.
    pub(super) fn issued(&self) -> u64 {
        self.next
    }

    pub(super) fn into_failed(self) -> Vec<InputError> {
        self.failed
    }

    fn job(&mut self, piece: Piece) -> Job {
        let source = self.open.as_ref().map_or_else(|| "".into(), |open| Arc::clone(&open.name));
        let job = Job { piece, source, first: self.first, number: self.next };
        self.first = false;
        self.next += 1;
        job
    }

    /// Opens the next input that can be opened.
    fn open_next(&mut self) -> bool {
        while let Some(input) = self.waiting.pop() {
            match input.open(self.output) {
                Ok(open) => {
                    self.open = Some(open);
                    (self.ended, self.first) = (false, true);
                    return true;
                }
                Err(error) => self.failed.push(error),
            }
        }
        false
    }

    fn read(&mut self) {
        let input = self.open.as_ref().expect("an input is open");
        let buffer = self.cutter.buffer();
        if buffer.capacity() - buffer.len() < MIN_READ_BYTES {
            buffer.reserve(BLOCK_BYTES);
        }
        let room = buffer.capacity() - buffer.len();
        match descriptor::read(input.fd.as_fd(), buffer) {
            Ok(0) => self.ended = true,
            Ok(_) if self.first && is_wide(buffer) => {
                // Not a rule can read it, and passing it on would say that it was looked at.
                buffer.clear();
                self.failed.push(input.failed(std::io::Error::other(WIDE)));
                self.ended = true;
            }
            Ok(count) => {
                let full = count == room || (!input.regular && count >= FULL_READ_BYTES);
                self.busy = if full { self.busy + count } else { 0 };
            }
            Err(reason) => {
                self.failed.push(input.failed(reason));
                self.ended = true;
            }
        }
    }
}

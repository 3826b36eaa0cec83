//! One stream of text through the engine, piece by piece. What a file is made of is `scan`'s.

use std::io::{self, Read};
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::error::Reason;
use super::format::Codec;
use super::scan::{Observer, Seen};
use super::threads::Worker;
use crate::engine::{Carry, Cutter, Masked, Piece, Tally};

/// How many bytes are read at once: what stays in the second-level cache.
pub(super) const BLOCK_BYTES: usize = 256 << 10;

/// Takes what a stream became, in order.
pub(super) trait Sink {
    /// The stream is compressed; `head` are its first bytes as they lie on the disk.
    fn wrapped(&mut self, codec: Codec, head: &[u8]);

    /// `original` bytes of the stream became `masked`; `changed` says whether they differ.
    fn take(&mut self, original: usize, masked: &Masked, changed: bool) -> Result<(), Reason>;
}

/// A stream to be redacted.
pub(super) struct Stream<'s> {
    /// Its format's name, for what is wrong with it.
    pub(super) format: &'static str,
    pub(super) member: Option<&'s [u8]>,
    /// What of it was read already.
    pub(super) head: &'s mut Vec<u8>,
    pub(super) rest: &'s mut (dyn Read + Send + 's),
}

/// What was seen of a stream.
#[derive(Debug, Default)]
pub(super) struct Redacted {
    pub(super) tally: Tally,
    /// Whether any byte changed.
    pub(super) changed: bool,
    /// How many bytes it has now.
    pub(super) masked_bytes: u64,
}

/// Appends one block of `input` to `buffer`, less only at the end; 0 there.
pub(super) fn read_block(input: &mut dyn Read, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let start = buffer.len();
    let mut filled = start;
    buffer.resize(start + BLOCK_BYTES, 0);
    let read = loop {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break Ok(()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
        if filled == buffer.len() {
            break Ok(());
        }
    };
    buffer.truncate(filled);
    read.map(|()| filled - start)
}

/// Redacts `stream` on this thread.
pub(super) fn redact(
    worker: &mut Worker,
    stream: Stream<'_>,
    observer: &mut dyn Observer,
    sink: Option<&mut dyn Sink>,
) -> Result<Redacted, Reason> {
    Course { worker, observer, sink, member: stream.member, at: Place::default() }.run(stream)
}

/// Where in a stream a piece stands.
#[derive(Default)]
struct Place {
    carry: Carry,
    offset: u64,
    line: u64,
    done: Redacted,
}

struct Course<'w, 'o, 'k, 's> {
    worker: &'w mut Worker,
    observer: &'o mut dyn Observer,
    sink: Option<&'k mut dyn Sink>,
    member: Option<&'s [u8]>,
    at: Place,
}

impl Course<'_, '_, '_, '_> {
    fn run(mut self, stream: Stream<'_>) -> Result<Redacted, Reason> {
        self.at.line = 1;
        std::mem::swap(self.worker.cutter.buffer(), stream.head);
        let done = self.pieces(stream.format, stream.rest);
        if done.is_err() {
            // What is left of a stream that failed must not be taken for the beginning of the next.
            self.worker.cutter = Cutter::new(self.worker.shared.engine.limits().max_record_bytes);
        }
        done.map(|()| self.at.done)
    }

    fn pieces(&mut self, format: &'static str, input: &mut dyn Read) -> Result<(), Reason> {
        loop {
            while let Some(piece) = self.worker.cutter.next_piece() {
                self.piece(piece)?;
            }
            let read = read_block(input, self.worker.cutter.buffer());
            if read.map_err(|error| Reason::reading(format, error))? == 0 {
                break;
            }
        }
        while let Some(piece) = self.worker.cutter.finish() {
            self.piece(piece)?;
        }
        Ok(())
    }

    fn piece(&mut self, piece: Piece) -> Result<(), Reason> {
        let Worker { shared, scratch, .. } = &mut *self.worker;
        if shared.stopped() {
            return Err(Reason::Interrupted);
        }
        let (masked, carry, tally) = shared.engine.redact_piece(scratch, &self.at.carry, &piece);
        let same_memory = std::ptr::eq(masked.as_bytes(), piece.body());
        let changed = !same_memory && masked.as_bytes() != piece.body();
        let findings = tally.total();
        if findings > 0 {
            shared.progress.findings.fetch_add(findings, Ordering::Relaxed);
        }
        let found = scratch.found();
        let seen = Seen {
            member: self.member,
            offset: self.at.offset,
            line: self.at.line,
            piece: &piece,
            found,
            masked: &masked,
            tally: &tally,
        };
        self.observer.piece(&seen);
        self.at.offset += piece.len() as u64;
        if self.observer.counts_lines() {
            self.at.line += memchr::memchr_iter(b'\n', piece.body()).count() as u64;
        }
        let done = &mut self.at.done;
        done.changed |= changed;
        done.masked_bytes += masked.as_bytes().len() as u64;
        done.tally.add(&tally);
        self.at.carry = carry;
        if let Some(sink) = &mut self.sink {
            sink.take(piece.len(), &masked, changed)?;
        }
        drop(masked);
        self.recycle(piece);
        Ok(())
    }

    /// Reads into the memory of `piece` next.
    fn recycle(&mut self, piece: Piece) {
        let mut block: Bytes = piece.into_haystack();
        // An empty `Bytes` keeps its memory, and turning it into a `Vec` copies what it holds: nothing.
        block.truncate(0);
        if block.is_unique() {
            let buffer = Vec::from(block);
            if (BLOCK_BYTES..=4 * BLOCK_BYTES).contains(&buffer.capacity()) {
                self.worker.cutter.recycle(buffer);
            }
        }
    }
}

//! One stream on its way: bytes in, parcels out, in order, each record redacted by one whole engine.

use std::collections::VecDeque;
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::gate;
use super::lane::{Closed, Lane, Parcel};
use crate::engine::{Begun, Carry, Cutter, Engine, Masked, Mode, Piece, Placed, RecordId, Scratch, Shape, Tally};
use crate::findings::Place;
use crate::framing::{FrameError, Framing, Unframer};
use crate::message::{End, StreamId};
use crate::metrics::{BypassReason, DropReason, UninspectedReason};
use crate::tail::{FileId, Fingerprint};
use crate::workers::Stopped;

/// For so many bytes a stream that has something open goes on with an engine that was exchanged: an armoured key is shorter.
const MAX_PINNED_BYTES: usize = 256 << 10;
/// A NUL-ended record that is longer is passed on in parts.
const MAX_WHOLE_BYTES: usize = 1 << 20;

/// What an unterminated record at the end of a stream means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// It stays as it is: nothing comes behind it.
    Kept,
    /// Other streams' records may follow, so the sink marks its end.
    Ended,
}

/// One stream.
pub(super) struct Flow {
    lane: Arc<Lane>,
    stream: StreamId,
    tail: Tail,
    cutter: Cutter,
    carry: Carry,
    /// What the stream's last piece was redacted with.
    engine: Arc<Engine>,
    /// Bytes redacted with `engine` after it was exchanged.
    pinned_bytes: usize,
    /// The last piece ended in the middle of a record.
    in_record: bool,
    unframer: Unframer,
    /// With a framing other than lines: what has come of records that are not whole.
    unfinished: Vec<u8>,
    /// With a framing other than lines: the number of lines of each record in the cutter.
    counts: VecDeque<u32>,
    /// Bytes that were cut off the stream so far.
    position: u64,
    /// Up to here somebody may forget the stream: a record ends there, and nothing is open.
    safe: u64,
    /// Of a file: its name for a sink that mirrors it.
    origin: Option<Arc<Path>>,
    /// How its records are written.
    shape: Arc<Shape>,
    /// The record that has begun and not ended.
    begun: Option<Begun>,
}

/// What a worker made of a piece.
struct Redacted {
    masked: Masked,
    carry: Carry,
    tally: Tally,
    time: Duration,
    begun: Option<Begun>,
}

impl Flow {
    pub(super) fn new(lane: &Arc<Lane>, tail: Tail) -> Flow {
        let engine = lane.workers.engine();
        Flow {
            lane: Arc::clone(lane),
            stream: lane.new_stream(),
            tail,
            cutter: Cutter::new(engine.limits().max_record_bytes),
            carry: Carry::default(),
            engine,
            pinned_bytes: 0,
            in_record: false,
            unframer: Unframer::new(lane.framing),
            unfinished: Vec::new(),
            counts: VecDeque::new(),
            position: 0,
            safe: 0,
            origin: None,
            shape: Arc::new(shape(lane, || format!("{:016x}{:016x}", random(), random()))),
            begun: None,
        }
    }

    /// The same stream as that of a file, begun at `offset`.
    pub(super) fn of_file(self, file: FileId, offset: u64, fingerprint: Fingerprint, origin: Arc<Path>) -> Flow {
        let shape = Arc::new(shape(&self.lane, || fingerprint));
        let stream = StreamId(file.number());
        Flow { stream, position: offset, safe: offset, origin: Some(origin), shape, ..self }
    }

    /// Takes bytes of the stream.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        if self.lane.framing == Framing::Newline {
            self.cutter.buffer().extend_from_slice(bytes);
            return Ok(());
        }
        let mut counts = Vec::new();
        let pushed = self.unframer.push(bytes, &mut self.unfinished, &mut counts);
        let whole = if self.unfinished.len() > MAX_WHOLE_BYTES {
            self.unfinished.len()
        } else {
            end_of(&self.unfinished, counts.iter().map(|count| *count as usize).sum())
        };
        self.cutter.buffer().extend_from_slice(&self.unfinished[..whole]);
        self.unfinished.drain(..whole);
        self.counts.extend(counts);
        pushed
    }

    /// Bytes that wait for the end of their record.
    pub(super) fn held(&mut self) -> usize {
        self.cutter.buffer().len() + self.unfinished.len()
    }

    /// Bytes of the stream that were cut off and passed on.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Whether the stream would break off in the middle of a record if it ended here.
    pub(super) fn is_unfinished(&mut self) -> bool {
        self.held() > 0 || self.unframer.is_open() || self.in_record
    }

    /// Sends on every record that is complete.
    pub(super) async fn advance(&mut self) -> Result<(), Closed> {
        while let Some(piece) = self.cutter.next_piece() {
            self.pass(piece).await?;
        }
        Ok(())
    }

    /// The stream has ended: sends on what is left.
    pub(super) async fn finish(mut self) -> Result<(), Closed> {
        let rest = std::mem::take(&mut self.unfinished);
        self.cutter.buffer().extend_from_slice(&rest);
        while let Some(piece) = self.cutter.finish() {
            self.pass(piece).await?;
        }
        Ok(())
    }

    async fn pass(&mut self, piece: Piece) -> Result<(), Closed> {
        let ends_record = piece.body().ends_with(b"\n");
        let (bytes, open) = (piece.len(), piece.goes_on());
        self.position += bytes as u64;
        let end = match (open, ends_record, self.tail) {
            (true, ..) => End::Open,
            (false, true, _) | (false, _, Tail::Kept) => End::Record,
            (false, false, Tail::Ended) => End::BrokenOff,
        };
        let newlines = memchr::memchr_iter(b'\n', piece.body()).count() as u64;
        let records = newlines + u64::from(!ends_record && !open);
        self.lane.source.received(records, bytes as u64);
        // A file can wait; what comes from elsewhere is held up no longer than the operator wants.
        if self.origin.is_some() {
            gate::opens(&mut self.lane.gate.clone()).await;
        } else if !gate::passes(&mut self.lane.gate.clone()).await {
            self.forget();
            self.lane.source.dropped(DropReason::NoRules, records);
            return Ok(());
        }
        let engine = self.engine_for(bytes);
        let carry = std::mem::take(&mut self.carry);
        // Masking keeps the number of lines.
        let lines = self.take_counts(newlines);
        let (lane, offset, origin) = (Arc::clone(&self.lane), self.position - bytes as u64, self.origin.clone());
        let (shape, begun, counts) = (Arc::clone(&self.shape), self.begun.take(), lines.clone());
        let job = move |engine: &Engine, scratch: &mut Scratch| {
            let mut redacted = redact(engine, scratch, &carry, &piece);
            let stream = origin.as_deref().map(Path::to_string_lossy);
            let place = Place { source: &lane.source, stream: stream.as_deref(), offset };
            lane.findings.inspect(engine, scratch, piece.body(), place);
            let placed = Placed { body: piece.body(), offset, lines: &counts, goes_on: piece.goes_on(), begun };
            let (masked, begun) = shape.apply(redacted.masked, &placed);
            (redacted.masked, redacted.begun) = (masked, begun);
            redacted
        };
        let redacted = match self.lane.workers.run_with(Arc::clone(&engine), job).await {
            Ok(redacted) => redacted,
            Err(Stopped::Panicked) => {
                self.forget();
                self.lane.source.uninspected(UninspectedReason::RuleFailed, records);
                self.lane.source.dropped(DropReason::Failed, records);
                self.lane.fail(format!("{records} records were lost to an internal error"));
                return Ok(());
            }
        };
        self.in_record = open;
        self.count(&engine, &redacted, records);
        (self.carry, self.begun) = (redacted.carry, redacted.begun);
        if end != End::Open && (self.carry.is_empty() || end == End::BrokenOff) {
            self.safe = self.position;
        }
        let (stream, payload, position, origin) = (self.stream, redacted.masked, self.safe, self.origin.clone());
        self.lane.send(Parcel { stream, payload, lines, end, records, position, origin }).await
    }

    /// The engine for the next piece: the current one, unless something is open that was begun with another.
    fn engine_for(&mut self, bytes: usize) -> Arc<Engine> {
        let current = self.lane.workers.engine();
        let is_open = self.in_record || !self.carry.is_empty();
        if Arc::ptr_eq(&current, &self.engine) {
            self.pinned_bytes = 0;
        } else if is_open && (self.in_record || self.pinned_bytes < MAX_PINNED_BYTES) {
            self.pinned_bytes += bytes;
        } else {
            (self.engine, self.pinned_bytes, self.carry) = (current, 0, Carry::default());
        }
        Arc::clone(&self.engine)
    }

    /// What came before has nothing to say to what comes next.
    fn forget(&mut self) {
        self.carry = Carry::default();
        self.counts.clear();
    }

    fn count(&self, engine: &Engine, redacted: &Redacted, records: u64) {
        let source = &self.lane.source;
        source.mode(engine.mode());
        source.tally(engine, &redacted.tally);
        self.lane.metrics.process_seconds(redacted.time);
        if engine.mode() == Mode::Audit && redacted.tally.total() > 0 {
            source.bypassed(BypassReason::Audit, records);
        }
    }

    /// How many lines of the next `lines` each record has; empty where each has one.
    fn take_counts(&mut self, lines: u64) -> Vec<u32> {
        let (mut taken, mut left) = (Vec::new(), lines);
        while left > 0
            && let Some(next) = self.counts.front_mut()
        {
            let part = (*next).min(u32::try_from(left).unwrap_or(u32::MAX));
            taken.push(part);
            left -= u64::from(part);
            *next -= part;
            if *next == 0 {
                self.counts.pop_front();
            }
        }
        if taken.iter().all(|count| *count == 1) { Vec::new() } else { taken }
    }
}

fn redact(engine: &Engine, scratch: &mut Scratch, carry: &Carry, piece: &Piece) -> Redacted {
    let started = Instant::now();
    let (masked, carry, tally) = engine.redact_piece(scratch, carry, piece);
    Redacted { masked, carry, tally, time: started.elapsed(), begun: None }
}

/// How the records of a stream are written.
fn shape<F: Display>(lane: &Lane, fingerprint: impl FnOnce() -> F) -> Shape {
    let id = lane.numbers.then(|| RecordId::new(lane.name(), &fingerprint()));
    Shape { join: lane.joins, id }
}

/// Without randomness the ids of two streams may be alike; that is no reason to fail.
fn random() -> u64 {
    getrandom::u64().unwrap_or_default()
}

/// Where the first `lines` lines of `text` end.
fn end_of(text: &[u8], lines: usize) -> usize {
    if lines == 0 { 0 } else { memchr::memchr_iter(b'\n', text).nth(lines - 1).map_or(text.len(), |at| at + 1) }
}

//! One stream on its way: bytes in, parcels out, in order, each record redacted by one whole engine.

use std::collections::VecDeque;
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::gate;
use super::lane::{Closed, Lane, Parcel, Passes, Torn};
use crate::engine::{Begun, Carry, Cutter, Engine, Limits, Masked, Piece, Placed, RecordId, Scratch, Shape, Tally};
use crate::findings::Place;
use crate::framing::{FrameError, Framing, Unframer};
use crate::message::{End, StreamId};
use crate::metrics::{DropReason, UninspectedReason};
use crate::tail::{FileId, Fingerprint};
use crate::workers::Stopped;

/// For so many bytes a stream that has something open goes on with an engine that was exchanged: an armoured key is shorter.
const MAX_PINNED_BYTES: usize = 256 << 10;
/// So much of what was lost is remembered: a private key of 8192 bits has 7 KiB.
const LOST_BYTES: usize = 16 << 10;
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
    /// What the stream's last piece was redacted with, if there was one.
    engine: Option<Arc<Engine>>,
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
    /// Lines that an earlier run passed on, until they have taught their values.
    before: Bytes,
    /// What went nowhere since the last piece that passed.
    lost: Option<Lost>,
    /// Sinks that lack a part of the last record.
    torn: Torn,
    /// Of a file: its name for a sink that mirrors it.
    origin: Option<Arc<Path>>,
    /// How its records are written.
    shape: Arc<Shape>,
    /// The record that has begun and not ended.
    begun: Option<Begun>,
}

/// Records that were not redacted, and so not passed on.
#[derive(Clone)]
struct Lost {
    reason: DropReason,
    /// The end of them: a secret that was announced there may go on in what follows.
    tail: Vec<u8>,
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
            cutter: Cutter::new(Limits::default().max_record_bytes),
            carry: Carry::default(),
            engine,
            pinned_bytes: 0,
            in_record: false,
            unframer: Unframer::new(lane.framing),
            unfinished: Vec::new(),
            counts: VecDeque::new(),
            position: 0,
            safe: 0,
            before: Bytes::new(),
            lost: None,
            torn: lane.whole(),
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

    /// The same stream behind lines that were passed on in an earlier run.
    pub(super) fn behind(self, before: Bytes) -> Flow {
        Flow { before, ..self }
    }

    /// Takes bytes of the stream.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        if let Some(lines) = self.lines() {
            lines.extend_from_slice(bytes);
            return Ok(());
        }
        let mut counts = Vec::new();
        let pushed = self.unframer.push(bytes, &mut self.unfinished, &mut counts);
        let mut whole = end_of(&self.unfinished, counts.iter().map(|count| *count as usize).sum());
        if self.unfinished.len() > MAX_WHOLE_BYTES {
            let part = memchr::memchr_iter(b'\n', &self.unfinished[whole..]).count() as u32;
            counts.extend((part > 0).then_some(part));
            self.unframer.passed_on(part);
            whole = self.unfinished.len();
        }
        self.cutter.buffer().extend_from_slice(&self.unfinished[..whole]);
        self.unfinished.drain(..whole);
        self.counts.extend(counts);
        pushed
    }

    /// Where the stream's bytes may be appended as they come, if they are lines.
    pub(super) fn lines(&mut self) -> Option<&mut Vec<u8>> {
        (self.lane.framing == Framing::Newline).then(|| self.cutter.buffer())
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
        let begins = !std::mem::replace(&mut self.in_record, open);
        let end = match (open, ends_record, self.tail) {
            (true, ..) => End::Open,
            (false, true, _) | (false, _, Tail::Kept) => End::Record,
            (false, false, Tail::Ended) => End::BrokenOff,
        };
        let newlines = memchr::memchr_iter(b'\n', piece.body()).count() as u64;
        let records = newlines + u64::from(!ends_record && !open);
        // Masking keeps the number of lines.
        let lines = self.take_counts(newlines);
        self.lane.source.received(records, bytes as u64);
        if let Some(lost) = self.lost.as_ref().filter(|_| !begins) {
            let reason = lost.reason;
            self.lose(&piece, begins, reason, records);
            return Ok(());
        }
        // A file can wait; what comes from elsewhere is held up no longer than the operator wants.
        let passes = if self.origin.is_some() {
            gate::opens(&mut self.lane.gate.clone()).await.map(|()| Passes::Yes)
        } else {
            self.lane.passes().await
        };
        match passes {
            Ok(Passes::Yes) => {}
            Ok(Passes::No(reason)) => {
                self.lose(&piece, begins, reason, records);
                return Ok(());
            }
            Err(Closed) => {
                self.give_up(records);
                return Err(Closed);
            }
        }
        let Some(engine) = self.engine_for(bytes, begins) else { return Err(Closed) };
        let redacted = match self.redact(&engine, &piece, &lines).await {
            Ok(redacted) => redacted,
            Err(Stopped::NoEngine | Stopped::Panicked) => {
                self.lose(&piece, begins, DropReason::Failed, records);
                self.lane.source.uninspected(UninspectedReason::RuleFailed, records);
                self.lane.failed_on(records);
                return Ok(());
            }
        };
        self.count(&engine, &redacted, records);
        (self.carry, self.begun) = (redacted.carry, redacted.begun);
        if end != End::Open && (!self.carry.is_open() || end == End::BrokenOff) {
            self.safe = self.position;
        }
        let (stream, payload, position, origin) = (self.stream, redacted.masked, self.safe, self.origin.clone());
        let parcel = Parcel { stream, payload, lines, begins, end, records, position, origin };
        self.lane.send(parcel, &mut self.torn).await
    }

    /// Has `piece` redacted on a worker, and its findings told.
    async fn redact(&mut self, engine: &Arc<Engine>, piece: &Piece, lines: &[u32]) -> Result<Redacted, Stopped> {
        let (carry, piece, lost) = (self.carry.clone(), piece.clone(), self.lost.clone());
        let before = self.before.clone();
        let (shape, begun, lines) = (Arc::clone(&self.shape), self.begun.take(), lines.to_vec());
        let (lane, offset, origin) = (Arc::clone(&self.lane), self.position - piece.len() as u64, self.origin.clone());
        let job = move |engine: &Engine, scratch: &mut Scratch| {
            let carry = if before.is_empty() { carry } else { engine.redact(scratch, &carry, before).1.only_learned() };
            // What was lost goes nowhere, but what it opened has a say in what follows.
            let carry = lost.map_or(carry.clone(), |lost| engine.redact(scratch, &carry, lost.tail.into()).1);
            let mut redacted = redact(engine, scratch, &carry, &piece);
            let stream = origin.as_deref().map(Path::to_string_lossy);
            let place = Place { source: &lane.source, stream: stream.as_deref(), offset, keys: None };
            lane.findings.inspect(engine, scratch, piece.body(), place);
            let placed = Placed { body: piece.body(), offset, lines: &lines, goes_on: piece.goes_on(), begun };
            (redacted.masked, redacted.begun) = shape.apply(redacted.masked, &placed);
            redacted
        };
        let redacted = self.lane.workers.run_with(Arc::clone(engine), job).await?;
        (self.lost, self.before) = (None, Bytes::new());
        Ok(redacted)
    }

    /// The engine for the next piece: the current one, unless something is open that was begun with another.
    fn engine_for(&mut self, bytes: usize, begins: bool) -> Option<Arc<Engine>> {
        let current = self.lane.workers.engine()?;
        let is_open = self.engine.is_some() && (!begins || self.carry.is_open());
        if self.engine.as_ref().is_some_and(|engine| Arc::ptr_eq(&current, engine)) {
            self.pinned_bytes = 0;
        } else if is_open && (!begins || self.pinned_bytes < MAX_PINNED_BYTES) {
            self.pinned_bytes += bytes;
        } else {
            let carry = self.engine.as_ref().map(|before| current.take_over(&self.carry, before));
            (self.engine, self.pinned_bytes, self.carry) = (Some(current), 0, carry.unwrap_or_default());
        }
        self.engine.clone()
    }

    /// These records and those behind them stay here, and nothing more comes. A file is read again by a later run.
    fn give_up(&mut self, records: u64) {
        if self.origin.is_some() {
            return;
        }
        let rest = self.cutter.buffer();
        rest.append(&mut self.unfinished);
        let lines = memchr::memchr_iter(b'\n', rest).count() as u64;
        let unended = rest.last().is_some_and(|byte| *byte != b'\n');
        // A part of a record that cannot be passed on is a record that is lost.
        self.lane.give_up(records.max(1) + lines + u64::from(unended));
    }

    /// These records go nowhere, nor does what may follow of the last of them: a receiver would take it for a record.
    fn lose(&mut self, piece: &Piece, begins: bool, reason: DropReason, records: u64) {
        let body = piece.body();
        let mut tail = self.lost.take().map(|lost| lost.tail).unwrap_or_default();
        tail.extend_from_slice(&body[body.len().saturating_sub(LOST_BYTES)..]);
        tail.drain(..tail.len().saturating_sub(LOST_BYTES));
        self.lost = Some(Lost { reason, tail });
        if !begins || self.in_record {
            self.torn.all();
        }
        self.lane.source.dropped(reason, records);
    }

    fn count(&self, engine: &Engine, redacted: &Redacted, records: u64) {
        self.lane.source.redacted(engine, &redacted.tally, records);
        self.lane.metrics.process_seconds(redacted.time);
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

//! One stream of text through the engine, piece by piece. What a file is made of is `scan`'s.
//!
//! A long stream that the other threads have no work beside is taken on by all of them, as in `pipe`: a piece is redacted as
//! if nothing were open before it, and again in its turn where something was.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use bytes::Bytes;

use super::error::Reason;
use super::format::Codec;
use super::input::{BLOCK_BYTES, Input};
use super::scan::{Observer, Seen};
use super::threads::{Shared, Worker};
use crate::engine::{Carry, Cutter, Engine, Masked, Piece, Scratch, Span, Tally};

/// After so many bytes more threads are worth their start.
const LONG_BYTES: u64 = 4 << 20;
/// A buffer that a long record made larger than this is given back to the system.
const MAX_KEPT_BYTES: usize = 4 * BLOCK_BYTES;

/// Takes what a stream became, in order.
pub(super) trait Sink: Send {
    /// The stream is compressed; `head` are its first bytes as they lie on the disk.
    fn wrapped(&mut self, codec: Codec, head: &[u8]) -> Result<(), Reason>;

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
    /// Whether anything comes after that.
    pub(super) more: bool,
    pub(super) rest: &'s mut dyn Input,
    /// Whether reading it and handing it on is little work, which may go from core to core.
    pub(super) is_light: bool,
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

/// Redacts `stream`, and shows and hands on every piece of it on this thread.
pub(super) fn redact(
    worker: &mut Worker,
    stream: Stream<'_>,
    observer: &mut dyn Observer,
    sink: Option<&mut dyn Sink>,
) -> Result<Redacted, Reason> {
    let Stream { format, member, head, more, rest, is_light } = stream;
    let shared = Arc::clone(&worker.shared);
    let fresh = || Cutter::new(shared.engine.limits().max_record_bytes);
    let mut cutter = std::mem::replace(&mut worker.cutter, fresh());
    std::mem::swap(cutter.buffer(), head);
    let turn = Turn { worker, member, carry: Carry::default(), offset: 0, line: 1, done: Redacted::default() };
    let mut course = Course { turn, observer, sink };
    let mut feed = Feed { cutter, input: rest, format, is_light, ended: !more };
    let read = course.run(&mut feed);
    let done = course.turn.done;
    // After a failure the rest of this stream must not be taken for the beginning of the next.
    worker.cutter = if read.is_ok() { feed.cutter } else { fresh() };
    read.map(|()| done)
}

/// Reads a stream and cuts it.
struct Feed<'f> {
    cutter: Cutter,
    input: &'f mut dyn Input,
    format: &'static str,
    is_light: bool,
    ended: bool,
}

impl Feed<'_> {
    fn next(&mut self) -> Result<Option<Piece>, Reason> {
        loop {
            let piece = if self.ended { self.cutter.finish() } else { self.cutter.next_piece() };
            if piece.is_some() || self.ended {
                return Ok(piece);
            }
            let more = self.input.append(self.cutter.buffer());
            self.ended = !more.map_err(|error| Reason::reading(self.format, error))?;
        }
    }

    /// Reads into this memory next.
    fn recycle(&mut self, buffer: Vec<u8>) {
        if (BLOCK_BYTES..=MAX_KEPT_BYTES).contains(&buffer.capacity()) {
            self.cutter.go_on_in(buffer);
        }
    }
}

/// A piece after redaction.
struct Answer {
    piece: Piece,
    masked: Masked,
    carry: Carry,
    tally: Tally,
    found: Vec<Span>,
}

impl Answer {
    fn of(engine: &Engine, scratch: &mut Scratch, carry: &Carry, piece: Piece) -> Answer {
        let (masked, carry, tally) = engine.redact_piece(scratch, carry, &piece);
        Answer { found: scratch.found().to_vec(), piece, masked, carry, tally }
    }

    fn changed(&self) -> bool {
        let body = self.piece.body();
        !std::ptr::eq(self.masked.as_bytes(), body) && self.masked.as_bytes() != body
    }

    /// The memory it was read into, for the next one.
    fn into_buffer(self) -> Option<Vec<u8>> {
        let Answer { piece, masked, .. } = self;
        drop(masked);
        let mut block: Bytes = piece.into_haystack();
        // An empty `Bytes` keeps its memory, and turning it into a `Vec` copies what it holds: nothing.
        block.truncate(0);
        block.is_unique().then(|| Vec::from(block))
    }
}

/// Where in the stream the next piece stands.
struct Turn<'w, 's> {
    worker: &'w mut Worker,
    member: Option<&'s [u8]>,
    carry: Carry,
    offset: u64,
    line: u64,
    done: Redacted,
}

struct Course<'w, 'o, 'k, 's> {
    turn: Turn<'w, 's>,
    observer: &'o mut dyn Observer,
    sink: Option<&'k mut dyn Sink>,
}

impl Course<'_, '_, '_, '_> {
    fn run(&mut self, feed: &mut Feed<'_>) -> Result<(), Reason> {
        while let Some(piece) = feed.next()? {
            if self.turn.worker.shared.stopped() {
                return Err(Reason::Interrupted);
            }
            let Worker { shared, scratch, .. } = &mut *self.turn.worker;
            let answer = Answer::of(&shared.engine, scratch, &self.turn.carry, piece);
            self.show(&answer)?;
            if let Some(buffer) = answer.into_buffer() {
                feed.recycle(buffer);
            }
            if self.turn.offset >= LONG_BYTES && !feed.ended && feed.is_light && self.turn.worker.may_share() {
                return self.run_together(feed);
            }
        }
        Ok(())
    }

    /// Shows a piece in its turn, and hands it on.
    fn show(&mut self, answer: &Answer) -> Result<(), Reason> {
        let Answer { piece, masked, carry, tally, found } = answer;
        let (turn, changed) = (&mut self.turn, answer.changed());
        if tally.total() > 0 && turn.worker.metered {
            turn.worker.shared.progress.findings.fetch_add(tally.total(), Ordering::Relaxed);
        }
        let (member, offset, line) = (turn.member, turn.offset, turn.line);
        self.observer.piece(&Seen { member, offset, line, piece, found, masked });
        turn.offset += piece.len() as u64;
        if self.observer.counts_lines() {
            turn.line += memchr::memchr_iter(b'\n', piece.body()).count() as u64;
        }
        turn.done.changed |= changed;
        turn.done.masked_bytes += masked.as_bytes().len() as u64;
        turn.done.tally.add(tally);
        turn.carry = carry.clone();
        match &mut self.sink {
            Some(sink) => sink.take(piece.len(), masked, changed),
            None => Ok(()),
        }
    }

    /// Goes on with this stream on several threads. Each takes a piece, redacts it as if nothing were open before it, and
    /// shows it in its turn: it stays on one core, and nothing is queued.
    fn run_together(&mut self, feed: &mut Feed<'_>) -> Result<(), Reason> {
        let (shared, threads) = (Arc::clone(&self.turn.worker.shared), self.turn.worker.threads);
        let mut number = 0;
        let take = |buffer: Option<Vec<u8>>| {
            buffer.into_iter().for_each(|buffer| feed.recycle(buffer));
            let piece = feed.next().transpose()?;
            number += 1;
            Some((number - 1, piece))
        };
        let carry = std::mem::take(&mut self.turn.carry);
        let source = self.turn.worker.scratch.source().map(str::to_owned);
        let show = |answer: &Answer| self.show(answer);
        let turns = Mutex::new(Turns { number: 0, carry, show, failed: None });
        let next = std::iter::repeat_with(Condvar::new).take(threads).collect();
        let source = source.as_deref();
        let together = Together { shared: &shared, source, take: Mutex::new(take), turns, next };
        thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(|| together.work());
            }
            together.work();
        });
        let failed = together.turns.into_inner().unwrap_or_else(PoisonError::into_inner).failed;
        failed.map_or(Ok(()), Err)
    }
}

/// What threads share that are at one stream. `F` gives the next piece and its number, and takes memory back; `G` shows
/// what became of one.
struct Together<'t, F, G> {
    shared: &'t Shared,
    /// What is read.
    source: Option<&'t str>,
    take: Mutex<F>,
    turns: Mutex<Turns<G>>,
    /// The thread that waits to show piece `n` waits at `n` modulo their number, so that a turn wakes one thread.
    next: Vec<Condvar>,
}

/// Whose turn it is.
struct Turns<G> {
    /// The number of the piece that is shown next.
    number: u64,
    /// What is open before it.
    carry: Carry,
    show: G,
    /// Why nothing more is shown.
    failed: Option<Reason>,
}

impl<F, G> Together<'_, F, G>
where
    F: FnMut(Option<Vec<u8>>) -> Option<(u64, Result<Piece, Reason>)>,
    G: FnMut(&Answer) -> Result<(), Reason>,
{
    fn work(&self) {
        let _alarm = Alarm(self);
        let mut scratch = self.shared.engine.scratch();
        self.source.into_iter().for_each(|source| scratch.read_from(source));
        let mut buffer = None;
        loop {
            let taken = (self.take.lock().unwrap_or_else(PoisonError::into_inner))(buffer.take());
            let Some((number, piece)) = taken else { return };
            let answer = piece.map(|piece| self.redacted(&mut scratch, &Carry::default(), piece));
            match self.in_turn(number, answer, &mut scratch) {
                Some(answer) => buffer = answer.into_buffer(),
                None => return,
            }
        }
    }

    fn redacted(&self, scratch: &mut Scratch, carry: &Carry, piece: Piece) -> Answer {
        Answer::of(&self.shared.engine, scratch, carry, piece)
    }

    /// Shows an answer when all before it were shown; `None` when nothing more is to be shown.
    fn in_turn(&self, number: u64, answer: Result<Answer, Reason>, scratch: &mut Scratch) -> Option<Answer> {
        let mut turns = self.turns();
        while turns.number != number && turns.failed.is_none() {
            turns = self.next[self.slot(number)].wait(turns).unwrap_or_else(PoisonError::into_inner);
        }
        if turns.failed.is_some() {
            return None;
        }
        let Turns { carry, show, .. } = &mut *turns;
        let shown = answer.and_then(|mut answer| {
            if self.shared.stopped() {
                return Err(Reason::Interrupted);
            }
            match self.shared.engine.carry_behind(scratch, carry, &answer.carry, &answer.piece) {
                Some(behind) => answer.carry = behind,
                None => answer = self.redacted(scratch, carry, answer.piece),
            }
            show(&answer)?;
            *carry = answer.carry.clone();
            Ok(answer)
        });
        turns.number += 1;
        let ended = shown.map_err(|reason| turns.failed = Some(reason)).ok();
        match &ended {
            Some(_) => self.next[self.slot(turns.number)].notify_one(),
            None => self.next.iter().for_each(Condvar::notify_all),
        }
        ended
    }

    fn slot(&self, number: u64) -> usize {
        (number % self.next.len() as u64) as usize
    }
}

impl<F, G> Together<'_, F, G> {
    fn turns(&self) -> MutexGuard<'_, Turns<G>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stops the others when a thread panics: they would wait for its turn for ever. The panic goes on in the scope.
struct Alarm<'a, 't, F, G>(&'a Together<'t, F, G>);

impl<F, G> Drop for Alarm<'_, '_, F, G> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.turns().failed = Some(Reason::Interrupted);
            self.0.next.iter().for_each(Condvar::notify_all);
        }
    }
}

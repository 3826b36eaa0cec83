//! What one thread does with a piece, and what must be known from one piece to the next. Not who does it when.

use std::sync::Arc;

use bytes::Bytes;

use super::Summary;
use super::error::InputError;
use super::feed::Job;
use crate::engine::{Carry, Cost, Engine, Masked, Scratch, Tally};

/// An engine and the memory of one thread.
pub(super) struct Worker {
    engine: Arc<Engine>,
    scratch: Scratch,
}

/// A piece after redaction.
pub(super) struct Redacted {
    masked: Masked,
    carry: Carry,
    tally: Tally,
}

impl Worker {
    pub(super) fn new(engine: Arc<Engine>) -> Worker {
        let scratch = engine.scratch();
        Worker { engine, scratch }
    }

    #[cfg(not(feature = "bench-noscan"))]
    pub(super) fn redact(&mut self, job: &Job, carry: &Carry) -> Redacted {
        self.scratch.read_from(&job.source);
        let (masked, carry, tally) = self.engine.redact_piece(&mut self.scratch, carry, &job.piece);
        Redacted { masked, carry, tally }
    }

    /// Measures the pipe alone: nothing is looked at.
    #[cfg(feature = "bench-noscan")]
    pub(super) fn redact(&mut self, job: &Job, _: &Carry) -> Redacted {
        Redacted { masked: job.piece.unmasked(), carry: Carry::default(), tally: Tally::default() }
    }

    /// What becomes of `job` behind `carry`, where `guess` became of it behind nothing. This worker made the guess, and
    /// nothing since.
    pub(super) fn correct(&mut self, job: &Job, guess: Redacted, carry: &Carry) -> Redacted {
        match self.engine.carry_behind(&self.scratch, carry, &guess.carry, &job.piece) {
            Some(carry) => Redacted { carry, ..guess },
            None => self.redact(job, carry),
        }
    }

    /// How often each rule was tried by this worker.
    pub(super) fn costs(&self) -> Vec<Cost> {
        self.engine.costs(&self.scratch).to_vec()
    }
}

impl Redacted {
    pub(super) fn bytes(&self) -> &[u8] {
        self.masked.as_bytes()
    }

    /// The memory of the piece, for the next one.
    pub(super) fn into_buffer(self, job: Job) -> Option<Vec<u8>> {
        drop(self);
        let mut block: Bytes = job.piece.into_haystack();
        // An empty `Bytes` keeps its memory, and turning it into a `Vec` copies what it holds: nothing.
        block.truncate(0);
        block.is_unique().then(|| Vec::from(block))
    }
}

/// What is known between two pieces.
pub(super) struct State {
    carry: Carry,
    tally: Tally,
    costs: Vec<Cost>,
}

impl State {
    pub(super) fn new(rules: usize) -> State {
        State { carry: Carry::default(), tally: Tally::default(), costs: vec![Cost::default(); rules] }
    }

    /// What is open where `job` begins.
    pub(super) fn carry_before(&mut self, job: &Job) -> Carry {
        let carry = std::mem::take(&mut self.carry);
        if job.first { Carry::default() } else { carry }
    }

    pub(super) fn advance(&mut self, redacted: &Redacted) {
        self.carry = redacted.carry.clone();
        self.tally.add(&redacted.tally);
    }

    pub(super) fn add_costs(&mut self, costs: &[Cost]) {
        for (sum, cost) in self.costs.iter_mut().zip(costs) {
            sum.candidates += cost.candidates;
            sum.regex_calls += cost.regex_calls;
        }
    }

    pub(super) fn into_summary(self, failed: Vec<InputError>) -> Summary {
        Summary { tally: self.tally, costs: self.costs, failed, incomplete: false }
    }
}

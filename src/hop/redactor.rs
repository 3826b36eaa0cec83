//! The seam between the network and the engine: a compressed body goes in, a redacted one comes out, compressed for
//! upstream. The only redactor in the program is the one around [`Workers`]; tests have others.

use std::pin::Pin;
use std::time::Instant;

use bytes::Bytes;

use super::budget::Held;
use super::coding::{Caps, Coding, InflateError};
use super::count;
use crate::engine::{Engine, Masked, Mode, Scratch};
use crate::findings::{Findings, Place};
use crate::metrics::{Metrics, SourceMetrics};
use crate::otlp::{self, Encoding, Limits, Malformed, Signal};
use crate::workers::Workers;

/// A batch as a client sent it.
pub struct Load {
    /// What it holds.
    pub signal: Signal,
    /// How it is written.
    pub encoding: Encoding,
    pub(super) coding: Coding,
    pub(super) body: Bytes,
    pub(super) caps: Caps,
    pub(super) held: Held,
    /// How upstream wants it compressed.
    pub(super) pack: Coding,
}

/// A redacted batch, compressed: all that goes upstream. It can only be made from [`Masked`].
pub struct Parcel {
    pub(super) body: Bytes,
    pub(super) coding: Coding,
    /// Records in it, for the counters.
    pub(super) records: u64,
    /// What the batch holds of the budget, until it is answered or queued.
    _held: Option<Held>,
}

impl Parcel {
    /// Bytes as they are, of so many records.
    #[cfg(test)]
    pub(super) fn plain(body: Bytes, records: u64) -> Parcel {
        Parcel { body, coding: Coding::Identity, records, _held: None }
    }

    /// The same in memory of its own, which no budget pays for any more.
    pub(super) fn apart(self) -> Parcel {
        Parcel { body: Bytes::copy_from_slice(&self.body), _held: None, ..self }
    }
}

/// Why a batch cannot be redacted. Nothing of it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is larger, or inflates by more, than is allowed.
    #[error("the batch is larger than is allowed after decompression")]
    TooLarge,
    /// Its compression is broken.
    #[error("the batch is not compressed as its header says")]
    Compression,
    /// It is not a batch of its signal and encoding.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Too many bytes are in flight.
    #[error("too many bytes are in flight")]
    Overloaded,
    /// There are no rules to redact it with, and without them nothing passes.
    #[error("there are no rules to redact the batch with")]
    NoRules,
    /// Looking at it failed.
    #[error("the batch could not be looked at")]
    Failed,
}

/// Redacts batches, somewhere where it keeps nobody from waiting.
pub trait Redactor: Send + Sync + 'static {
    /// Redacts one batch. A future that is dropped gives up the result.
    fn redact(&self, load: Load) -> Pin<Box<dyn Future<Output = Result<Parcel, Unfit>> + Send + '_>>;
}

impl Load {
    /// Inflates the batch, gives it to `redact`, and compresses what comes back.
    ///
    /// # Errors
    /// When the batch is unfit, or `redact` says so.
    pub fn redact(
        mut self,
        redact: impl FnOnce(Signal, Encoding, &Bytes) -> Result<Masked, Unfit>,
    ) -> Result<Parcel, Unfit> {
        let inflated = self.coding.inflate(self.body, self.caps)?;
        if self.coding != Coding::Identity {
            self.held.grow(inflated.len()).map_err(|_| Unfit::Overloaded)?;
        }
        let records = count::records(self.signal, self.encoding, &inflated);
        let masked = redact(self.signal, self.encoding, &inflated)?;
        drop(inflated);
        let body = self.pack.deflate(masked.into_bytes()).map_err(|_| Unfit::Failed)?;
        Ok(Parcel { body, coding: self.pack, records, _held: Some(self.held) })
    }
}

impl From<InflateError> for Unfit {
    fn from(error: InflateError) -> Unfit {
        match error {
            InflateError::TooLarge => Unfit::TooLarge,
            InflateError::Malformed => Unfit::Compression,
        }
    }
}

/// The redactor of the program: the engine of [`Workers`], on their threads.
pub struct WorkersRedactor {
    /// Threads, and whatever engine they have when a batch comes.
    pub workers: Workers,
    /// Bounds of a batch.
    pub limits: Limits,
    /// Where times are counted.
    pub metrics: Metrics,
    /// Where findings are counted.
    pub source: SourceMetrics,
    /// Where findings are told.
    pub findings: Findings,
    /// Whether there are rules to redact with.
    pub gate: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Redactor for WorkersRedactor {
    fn redact(&self, load: Load) -> Pin<Box<dyn Future<Output = Result<Parcel, Unfit>> + Send + '_>> {
        if !(self.gate)() {
            return Box::pin(std::future::ready(Err(Unfit::NoRules)));
        }
        let (limits, metrics, source) = (self.limits.clone(), self.metrics.clone(), self.source.clone());
        let findings = self.findings.clone();
        let job = move |engine: &Engine, scratch: &mut Scratch| {
            let started = Instant::now();
            let parcel = load.redact(|signal, encoding, body| {
                let (masked, tally) = otlp::redact(engine, scratch, signal, encoding, &limits, body)?;
                // Counting costs a walk over the batch: only what is not masked is counted by its records.
                let counts = engine.mode() == Mode::Audit || !tally.allowed.is_empty();
                let records = if counts { count::records(signal, encoding, body) } else { 0 };
                source.redacted(engine, &tally, records);
                let keys = scratch.take_key_paths();
                let place = Place { source: &source, stream: None, offset: 0, keys: Some(&keys) };
                findings.inspect(engine, scratch, body, place);
                Ok(masked)
            });
            metrics.process_seconds(started.elapsed());
            parcel
        };
        Box::pin(async move { self.workers.run(job).await.unwrap_or(Err(Unfit::Failed)) })
    }
}

//! What was written and what became of it: batches that wait for the receiver's word, and those that had it a moment ago.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::queue::Queued;
use crate::message::Ack;
use crate::metrics::SinkMetrics;

/// How long what was delivered is kept, to be sent again if the connection is reset.
const KEEP_FOR: Duration = Duration::from_secs(5);
/// And how much of it.
const KEEP_BYTES: usize = 4 << 20;

/// Batches in the order they were written.
#[derive(Default)]
pub(super) struct Sent {
    /// Delivered, by the time they were.
    delivered: VecDeque<(Instant, Queued)>,
    delivered_bytes: usize,
    /// Written, with the place on the wire behind them; not yet confirmed.
    waiting: VecDeque<(u64, Queued)>,
}

impl Sent {
    /// `batch` was written; the wire stands at `end` behind it.
    pub(super) fn push(&mut self, end: u64, batch: Queued) {
        self.waiting.push_back((end, batch));
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// When the oldest of the delivered ones is to be let go.
    pub(super) fn next_release(&self) -> Option<Instant> {
        self.delivered.front().map(|(at, _)| *at + KEEP_FOR)
    }

    /// Everything up to `arrived` has arrived. Tells whether that settled anything.
    pub(super) fn confirm(&mut self, arrived: u64, now: Instant, metrics: &SinkMetrics) -> bool {
        let before = self.waiting.len();
        while self.waiting.front().is_some_and(|(end, _)| *end <= arrived) {
            let (_, mut batch) = self.waiting.pop_front().expect("there is a first one");
            batch.settle(Ack::Delivered, metrics);
            self.delivered_bytes += batch.bytes();
            self.delivered.push_back((now, batch));
        }
        self.release(now);
        self.waiting.len() < before
    }

    /// Lets go of what was delivered long ago.
    pub(super) fn release(&mut self, now: Instant) {
        let old = |at: Instant| now.duration_since(at) >= KEEP_FOR;
        while self.delivered.front().is_some_and(|(at, _)| self.delivered_bytes > KEEP_BYTES || old(*at)) {
            let (_, batch) = self.delivered.pop_front().expect("there is a first one");
            self.delivered_bytes -= batch.bytes();
        }
    }

    /// The connection is gone: what has to be written again, in order. After a reset that is also what the receiver's
    /// system had confirmed and its program may not have read.
    pub(super) fn take_back(&mut self, reset: bool) -> VecDeque<Queued> {
        let delivered = std::mem::take(&mut self.delivered).into_iter().map(|(_, batch)| batch);
        self.delivered_bytes = 0;
        let waiting = std::mem::take(&mut self.waiting).into_iter().map(|(_, batch)| batch);
        delivered.filter(|_| reset).chain(waiting).collect()
    }
}

//! What was written and what became of it: batches that wait for the receiver's word, and those that had it a moment ago.
//!
//! TCP confirms what the receiver's system has. If the connection is then reset, its program may not have read it. So what
//! was confirmed a moment ago is written again. A receiver that resets again and again would be sent the same bytes for
//! ever; so after a reset little is written at a time, and only that little is written again ([`Care`]).
//!
//! A system may also confirm what comes for a program that is about to reset, or was never there. So nothing that was written
//! to a young connection, or after a reset, is settled before it has been confirmed for a while.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::queue::Queued;
use crate::message::Ack;
use crate::metrics::SinkMetrics;

/// How long what was delivered is kept, to be sent again if the connection is reset.
const KEEP_FOR: Duration = Duration::from_secs(5);
/// And how much of it.
const KEEP_BYTES: usize = 4 << 20;
/// After a reset: a receiver that reads at all has read what its system has had for so long.
const CAREFUL_FOR: Duration = Duration::from_secs(1);
/// After a reset: bytes that may be unread. The next reset loses no more than these.
const CAREFUL_BYTES: usize = 128 << 10;
/// After another one: so many times `CAREFUL_FOR` without a reset until more is dared.
const CAREFUL_ROUNDS: u32 = 10;

/// How much is written at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Care {
    /// As much as the receiver takes.
    None,
    /// Little at a time since then.
    Little(Instant),
    /// Twice as much every time since then.
    Growing(Instant),
}

/// Batches in the order they were written.
pub(super) struct Sent {
    /// Delivered, by the time they were.
    delivered: VecDeque<(Instant, Queued)>,
    delivered_bytes: usize,
    /// Written, with the place on the wire behind them; not yet confirmed.
    waiting: VecDeque<(u64, Queued)>,
    waiting_bytes: usize,
    care: Care,
    /// When the connection was made.
    since: Instant,
}

impl Default for Sent {
    fn default() -> Sent {
        let (delivered, waiting) = (VecDeque::new(), VecDeque::new());
        Sent { delivered, delivered_bytes: 0, waiting, waiting_bytes: 0, care: Care::None, since: Instant::now() }
    }
}

impl Sent {
    /// `batch` was written; the wire stands at `end` behind it.
    pub(super) fn push(&mut self, end: u64, batch: Queued) {
        self.waiting_bytes += batch.bytes();
        self.waiting.push_back((end, batch));
    }

    /// A new connection was made.
    pub(super) fn connected(&mut self, now: Instant) {
        self.since = now;
    }

    /// Whether the receiver's system has not confirmed everything.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether something would be written again after a reset.
    pub(super) fn holds_any(&self) -> bool {
        self.delivered_bytes + self.waiting_bytes > 0
    }

    /// Whether something is not settled.
    pub(super) fn is_unsettled(&self) -> bool {
        self.is_waiting() || self.delivered.back().is_some_and(|(_, batch)| !batch.is_settled())
    }

    /// The receiver has read everything that was confirmed: it says so by closing in order after our end.
    pub(super) fn settle_all(&mut self, metrics: &SinkMetrics) {
        self.delivered.iter_mut().for_each(|(_, batch)| batch.settle(Ack::Delivered, metrics));
    }

    /// Bytes that may be written now.
    pub(super) fn room(&mut self, now: Instant) -> usize {
        let rounds = |since: Instant| now.duration_since(since).as_millis() / CAREFUL_FOR.as_millis();
        let window = match self.care {
            Care::None => return usize::MAX,
            Care::Growing(since) => match u32::try_from(rounds(since)) {
                Ok(rounds @ 0..=6) => CAREFUL_BYTES << rounds,
                _ => {
                    self.care = Care::None;
                    return usize::MAX;
                }
            },
            Care::Little(since) => {
                if rounds(since) >= u128::from(CAREFUL_ROUNDS) {
                    self.care = Care::Growing(now);
                }
                CAREFUL_BYTES
            }
        };
        window.saturating_sub(self.delivered_bytes + self.waiting_bytes)
    }

    /// When the oldest of the delivered ones is to be let go, or the next one to be settled.
    pub(super) fn next_release(&self) -> Option<Instant> {
        let release = self.delivered.front().map(|(at, _)| *at + self.keep_for());
        let settle = self.delivered.iter().find(|(_, batch)| !batch.is_settled()).map(|(at, _)| *at + CAREFUL_FOR);
        release.into_iter().chain(settle).min()
    }

    fn keep_for(&self) -> Duration {
        if self.care == Care::None { KEEP_FOR } else { CAREFUL_FOR }
    }

    /// Everything up to `arrived` has arrived. Tells whether that settled anything.
    pub(super) fn confirm(&mut self, arrived: u64, now: Instant, metrics: &SinkMetrics) -> bool {
        let before = self.waiting.len();
        while self.waiting.front().is_some_and(|(end, _)| *end <= arrived) {
            let (_, batch) = self.waiting.pop_front().expect("there is a first one");
            self.waiting_bytes -= batch.bytes();
            self.delivered_bytes += batch.bytes();
            self.delivered.push_back((now, batch));
        }
        self.release(now, metrics);
        self.waiting.len() < before
    }

    /// Settles what may be settled, and lets go of what was delivered long ago.
    pub(super) fn release(&mut self, now: Instant, metrics: &SinkMetrics) {
        let trusted = self.care == Care::None && now.duration_since(self.since) >= CAREFUL_FOR;
        let sure = |at: Instant| trusted || now.duration_since(at) >= CAREFUL_FOR;
        let unsettled = self.delivered.iter_mut().rev().take_while(|(_, batch)| !batch.is_settled());
        unsettled.filter(|(at, _)| sure(*at)).for_each(|(_, batch)| batch.settle(Ack::Delivered, metrics));
        let keep_for = self.keep_for();
        let old = |at: Instant| now.duration_since(at) >= keep_for;
        let full = |bytes: usize| bytes > KEEP_BYTES;
        while self
            .delivered
            .front()
            .is_some_and(|(at, batch)| batch.is_settled() && (full(self.delivered_bytes) || old(*at)))
        {
            let (_, batch) = self.delivered.pop_front().expect("there is a first one");
            self.delivered_bytes -= batch.bytes();
        }
    }

    /// The connection is gone: what has to be written again, in order. After a reset that is also what the receiver's
    /// system had confirmed and its program may not have read.
    pub(super) fn take_back(&mut self, reset: bool, now: Instant) -> VecDeque<Queued> {
        if reset {
            self.care = if self.care == Care::None { Care::Growing(now) } else { Care::Little(now) };
        }
        let delivered = std::mem::take(&mut self.delivered).into_iter().map(|(_, batch)| batch);
        let waiting = std::mem::take(&mut self.waiting).into_iter().map(|(_, batch)| batch);
        (self.delivered_bytes, self.waiting_bytes) = (0, 0);
        delivered.filter(|batch| reset || !batch.is_settled()).chain(waiting).collect()
    }
}

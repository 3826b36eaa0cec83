//! The queue, where one is asked for: a batch is acknowledged once it waits here, and sent until upstream has it, refuses it
//! for good, or its time is over. It is bounded by bytes and lives in memory; what is lost with it is counted, since nobody
//! is left to be told.
//!
//! What may be sent again and after which delay is the specification's table: see [`Failure::may_be_repeated`].

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

use super::answer::{Answer, Failure};
use super::redactor::Parcel;
use super::relay::Counters;
use super::upstream::Upstream;
use super::wire::{Fields, varint};
use crate::config::daemon::OtlpQueue;
use crate::metrics::DropReason;
use crate::otlp::{Encoding, Signal};

/// Field 1 of a response, and field 1 of what it holds: `partial_success`, and how many records it rejects.
const PARTIAL_SUCCESS: u64 = 1 << 3 | 2;
const REJECTED: u64 = 1 << 3;
/// What a batch costs besides its bytes and its headers.
const OVERHEAD_BYTES: usize = 512;

/// Batches that were acknowledged and are not yet upstream.
pub(super) struct Queue {
    options: OtlpQueue,
    state: Mutex<State>,
    /// Something came, or the end did.
    changed: Notify,
    lost: AtomicU64,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// Of batches that wait, and of those that are being sent.
    bytes: usize,
    /// Nothing comes any more.
    closed: bool,
}

/// A batch that waits.
struct Waiting {
    kind: (Signal, Encoding),
    parcel: Parcel,
    forwarded: HeaderMap,
    bytes: usize,
    until: Instant,
}

/// A batch that is being sent. What became of it is counted when this is dropped, also with its task.
struct Sending<'q> {
    queue: &'q Queue,
    counters: &'q Counters,
    records: u64,
    bytes: usize,
    lost: Option<(DropReason, u64)>,
}

impl Queue {
    pub(super) fn new(options: OtlpQueue) -> Queue {
        Queue { options, state: Mutex::default(), changed: Notify::new(), lost: AtomicU64::new(0) }
    }

    /// How many batches are sent at once.
    pub(super) fn senders(&self) -> usize {
        self.options.senders
    }

    /// Takes a batch, or says that there is no room: that is worth another try.
    #[expect(clippy::result_large_err, reason = "refusing is rare, and the failure is the answer")]
    pub(super) fn take(
        &self,
        kind: (Signal, Encoding),
        parcel: Parcel,
        forwarded: HeaderMap,
        counters: &Counters,
    ) -> Result<(), Failure> {
        // A part of a larger buffer would hold on to all of it.
        let parcel = parcel.apart();
        let headers: usize = forwarded.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        let bytes = parcel.body.len() + headers + OVERHEAD_BYTES;
        let records = parcel.records;
        let waiting = Waiting { kind, parcel, forwarded, bytes, until: Instant::now() + self.options.retry_for };
        let mut state = self.lock();
        if state.closed || bytes > self.options.max_bytes - state.bytes {
            return Err(Failure::throttled("the queue is full"));
        }
        counters.pipeline.in_flight_add(records);
        counters.pipeline.queue_add(bytes as u64);
        state.bytes += bytes;
        state.waiting.push_back(waiting);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Sends batches, one after another, until the queue is closed and empty.
    pub(super) async fn send(&self, upstream: &Upstream, counters: &Counters) {
        while let Some(waiting) = self.next().await {
            let (records, bytes) = (waiting.parcel.records, waiting.bytes);
            let mut sending =
                Sending { queue: self, counters, records, bytes, lost: Some((DropReason::Shutdown, records)) };
            sending.lost = self.deliver(waiting, upstream, counters).await;
        }
    }

    /// The next batch; `None` once nothing waits and nothing comes any more.
    async fn next(&self) -> Option<Waiting> {
        loop {
            let mut changed = pin!(self.changed.notified());
            match self.look(changed.as_mut()) {
                ControlFlow::Break(next) => return next,
                ControlFlow::Continue(()) => changed.await,
            }
        }
    }

    /// The next batch or the end, if either is there. If not, `changed` hears of whatever comes from now on: a sender that
    /// listened only once it waits would share the word for its batch with another one's, and one of two batches would wait.
    fn look(&self, changed: Pin<&mut Notified<'_>>) -> ControlFlow<Option<Waiting>> {
        changed.enable();
        let mut state = self.lock();
        match state.waiting.pop_front() {
            None if !state.closed => ControlFlow::Continue(()),
            next => ControlFlow::Break(next),
        }
    }

    /// Sends a batch until there is nothing more to be done for it. Returns what of it is lost.
    async fn deliver(&self, waiting: Waiting, upstream: &Upstream, counters: &Counters) -> Option<(DropReason, u64)> {
        let Waiting { kind, parcel, forwarded, until, .. } = waiting;
        let (records, bytes) = (parcel.records, parcel.body.len() as u64);
        let mut backoff = self.options.first_backoff;
        loop {
            let deadline = upstream.deadline(None);
            let (answer, error) = upstream.send(kind, &parcel, forwarded.clone(), deadline).await;
            if let Some(error) = error {
                counters.sink.error(error);
            }
            let failure = match answer {
                Answer::Delivered(message) => {
                    let rejected = rejected(&message, kind.1).min(records);
                    counters.sink.sent(records - rejected, bytes);
                    counters.pipeline.progress();
                    counters.batches.forwarded.fetch_add(1, Ordering::Relaxed);
                    return (rejected > 0).then_some((DropReason::Rejected, rejected));
                }
                Answer::Failed(failure) => failure,
            };
            let again = failure.may_be_repeated().then(|| failure.delay().unwrap_or_default().max(jittered(backoff)));
            match again {
                Some(delay) if Instant::now() + delay < until => {
                    counters.sink.retry();
                    tokio::time::sleep(delay).await;
                    backoff = (backoff * 2).min(self.options.max_backoff);
                }
                _ => {
                    counters.batches.failed.fetch_add(1, Ordering::Relaxed);
                    let reason = if again.is_some() { DropReason::Expired } else { DropReason::Rejected };
                    tracing::warn!(records, code = ?failure.code, reason = reason.name(), "a batch was not delivered");
                    return Some((reason, records));
                }
            }
        }
    }

    fn lose(&self, reason: DropReason, records: u64, counters: &Counters) {
        counters.source.dropped(reason, records);
        self.lost.fetch_add(records, Ordering::Relaxed);
    }

    /// Nothing comes any more: what waits is sent, and then the senders end.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
    }

    /// Counts what still waits as lost, after the senders were stopped. Returns all records that were acknowledged and
    /// are not upstream.
    pub(super) fn abandon(&self, counters: &Counters) -> u64 {
        let rest: Vec<Waiting> = self.lock().waiting.drain(..).collect();
        for waiting in rest {
            counters.pipeline.in_flight_sub(waiting.parcel.records);
            counters.pipeline.queue_sub(waiting.bytes as u64);
            self.lose(DropReason::Shutdown, waiting.parcel.records, counters);
        }
        self.lost.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if let Some((reason, records)) = self.lost {
            self.queue.lose(reason, records, self.counters);
        }
        self.queue.lock().bytes -= self.bytes;
        self.counters.pipeline.in_flight_sub(self.records);
        self.counters.pipeline.queue_sub(self.bytes as u64);
    }
}

/// `backoff`, half of it at least and half more at most, so that many do not come back at once.
fn jittered(backoff: Duration) -> Duration {
    let share = getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX));
    backoff.mul_f64(0.5 + share)
}

/// Records that upstream did not take of a batch that it took: `rejected_log_records` and its kin, which have one number.
fn rejected(message: &Bytes, encoding: Encoding) -> u64 {
    match encoding {
        Encoding::Protobuf => {
            let partial = Fields(message).flatten().find(|(tag, _)| *tag == PARTIAL_SUCCESS);
            partial.and_then(|(_, mut partial)| {
                let is_first = varint(&mut partial)? == REJECTED;
                is_first.then(|| varint(&mut partial)).flatten()
            })
        }
        Encoding::Json => serde_json::from_slice::<serde_json::Value>(message).ok().and_then(|message| {
            let partial = message.get("partialSuccess")?.as_object()?;
            let count = partial.iter().find(|(name, _)| name.starts_with("rejected"))?.1;
            count.as_u64().or_else(|| count.as_str()?.parse().ok())
        }),
    }
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::super::relay::Batches;
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn rejected_records_are_read_in_both_encodings() {
        for (encoding, message, expected) in [
            (Encoding::Protobuf, &b"\x0a\x0c\x08\x03\x12\x08too old!"[..], 3),
            (Encoding::Protobuf, b"\x0a\x04\x12\x02ok", 0),
            (Encoding::Protobuf, b"", 0),
            (Encoding::Protobuf, b"<html>", 0),
            (Encoding::Json, br#"{"partialSuccess":{"rejectedSpans":"7","errorMessage":"x"}}"#, 7),
            (Encoding::Json, br#"{"partialSuccess":{"rejectedLogRecords":2}}"#, 2),
            (Encoding::Json, b"{}", 0),
        ] {
            assert_eq!(rejected(&Bytes::from_static(message), encoding), expected);
        }
    }

    fn counters() -> Counters {
        let metrics = Metrics::default();
        let (source, sink, pipeline) = (metrics.source("otlp"), metrics.sink("otlp"), metrics.pipeline("otlp"));
        Counters { source, sink, pipeline, batches: Batches::default() }
    }

    fn take(queue: &Queue, counters: &Counters) {
        let parcel = Parcel::plain(Bytes::from_static(b"batch"), 1);
        let taken = queue.take((Signal::Logs, Encoding::Protobuf), parcel, HeaderMap::new(), counters);
        assert!(taken.is_ok(), "there is room");
    }

    fn polled<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Batches come between two senders' look into the empty queue and their waiting.
    #[tokio::test]
    async fn each_idle_sender_hears_of_a_batch_of_its_own() {
        let (queue, counters) = (Queue::new(OtlpQueue::default()), counters());
        let mut idle = [pin!(queue.changed.notified()), pin!(queue.changed.notified())];
        assert!(idle.iter_mut().all(|changed| queue.look(changed.as_mut()).is_continue()));
        take(&queue, &counters);
        take(&queue, &counters);
        for changed in &mut idle {
            assert!(polled(changed.as_mut()).is_ready(), "a sender sleeps beside a batch");
            assert!(matches!(queue.look(pin!(queue.changed.notified())), ControlFlow::Break(Some(_))));
        }
    }

    #[tokio::test]
    async fn every_idle_sender_hears_of_the_end() {
        let queue = Queue::new(OtlpQueue::default());
        let mut idle = [pin!(queue.next()), pin!(queue.next()), pin!(queue.next())];
        assert!(idle.iter_mut().all(|next| polled(next.as_mut()).is_pending()));
        queue.close();
        assert!(idle.iter_mut().all(|next| matches!(polled(next.as_mut()), Poll::Ready(None))));
    }

    #[test]
    fn a_delay_is_its_backoff_give_or_take_a_half() {
        for _ in 0..1000 {
            let delay = jittered(Duration::from_secs(2));
            assert!((Duration::from_secs(1)..=Duration::from_secs(3)).contains(&delay), "{delay:?}");
        }
    }
}

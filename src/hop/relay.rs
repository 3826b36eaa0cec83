//! What happens to a batch, whatever protocol it came by: it is redacted, sent on, and its sender is told what upstream said.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use tonic::Code;

use super::Renewable;
use super::answer::{Answer, Failure};
use super::body::GatherError;
use super::budget::{Budget, Held};
use super::coding::{Caps, Coding};
use super::queue::Queue;
use super::redactor::{Load, Redactor, Unfit};
use super::upstream::{self, Upstream};
use crate::config::daemon::OtlpSource;
use crate::metrics::{PipelineMetrics, RefuseReason, SinkMetrics, SourceMetrics};
use crate::otlp::{Encoding, Signal};

/// What the servers share.
pub(super) struct Relay {
    pub(super) redactor: Arc<dyn Redactor>,
    pub(super) upstream: Upstream,
    pub(super) options: OtlpSource,
    pub(super) budget: Budget,
    /// Where batches wait that are acknowledged at once, if any are.
    pub(super) queue: Option<Queue>,
    /// The hash of the token that clients must have, if they must have one: hashes can be compared at any pace.
    pub(super) token: Option<Renewable<[u8; 32]>>,
    pub(super) counters: Counters,
}

/// What is counted.
pub(super) struct Counters {
    pub(super) source: SourceMetrics,
    pub(super) sink: SinkMetrics,
    pub(super) pipeline: PipelineMetrics,
    pub(super) batches: Batches,
}

/// Batches by what became of them.
#[derive(Default)]
pub(super) struct Batches {
    pub(super) received: AtomicU64,
    pub(super) forwarded: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) failed: AtomicU64,
}

/// A batch that has come in full.
pub(super) struct Batch {
    pub(super) signal: Signal,
    pub(super) encoding: Encoding,
    pub(super) coding: Coding,
    pub(super) body: Bytes,
    pub(super) held: Held,
    pub(super) forwarded: HeaderMap,
    /// How long its sender waits.
    pub(super) patience: Option<Duration>,
}

/// Records that are between a client and upstream; a client that goes away takes them with it.
struct InFlight<'a>(&'a PipelineMetrics, u64);

impl Relay {
    /// Redacts a batch and sends it on. Dropping the future cancels what upstream was asked.
    pub(super) async fn relay(&self, batch: Batch) -> Answer {
        let deadline = self.upstream.deadline(batch.patience);
        let counters = &self.counters;
        count(&counters.batches.received);
        if !self.upstream.takes(batch.encoding) {
            return Answer::Failed(self.refuse(RefuseReason::Malformed, upstream::no_way()));
        }
        let (kind, bytes) = ((batch.signal, batch.encoding), batch.body.len() as u64);
        let load = Load {
            signal: batch.signal,
            encoding: batch.encoding,
            coding: batch.coding,
            body: batch.body,
            caps: self.caps(),
            held: batch.held,
            pack: self.upstream.compression,
        };
        let parcel = match self.redactor.redact(load).await {
            Ok(parcel) => parcel,
            Err(unfit) => return Answer::Failed(self.unfit(unfit)),
        };
        let (records, packed) = (parcel.records, parcel.body.len() as u64);
        counters.source.received(records, bytes);
        if let Some(queue) = &self.queue {
            return match queue.take(kind, parcel, batch.forwarded, counters) {
                Ok(()) => Answer::Delivered(Bytes::new()),
                Err(failure) => Answer::Failed(self.refuse(RefuseReason::Overloaded, failure)),
            };
        }
        let _in_flight = InFlight::new(&counters.pipeline, records);
        let (answer, error) = self.upstream.send(kind, &parcel, batch.forwarded, deadline).await;
        match error {
            None => {
                counters.sink.sent(records, packed);
                counters.pipeline.progress();
                count(&counters.batches.forwarded);
            }
            Some(error) => {
                counters.sink.error(error);
                count(&counters.batches.failed);
            }
        }
        answer
    }

    pub(super) fn caps(&self) -> Caps {
        Caps { max_message_bytes: self.options.max_message_bytes, max_ratio: self.options.max_ratio }
    }

    /// Counts a batch that was turned away.
    pub(super) fn refuse(&self, reason: RefuseReason, failure: Failure) -> Failure {
        self.counters.source.refused(reason);
        count(&self.counters.batches.refused);
        failure
    }

    /// A body that did not come in full.
    pub(super) fn ungathered(&self, error: GatherError) -> Failure {
        match error {
            GatherError::TooLarge => self.unfit(Unfit::TooLarge),
            GatherError::Overloaded => self.unfit(Unfit::Overloaded),
            GatherError::Gone => self
                .refuse(RefuseReason::Malformed, Failure::new(Code::InvalidArgument, "the request's body broke off")),
        }
    }

    /// A body that came too slowly.
    pub(super) fn too_slow(&self) -> Failure {
        self.refuse(RefuseReason::Timeout, Failure::again("the request's body did not come in time"))
    }

    fn unfit(&self, unfit: Unfit) -> Failure {
        let max_bytes = self.options.max_message_bytes;
        match unfit {
            Unfit::TooLarge => {
                let message = format!("{unfit}: {max_bytes} bytes, or {} times its size", self.options.max_ratio);
                self.refuse(RefuseReason::TooLarge, Failure::new(Code::ResourceExhausted, message))
            }
            Unfit::Overloaded | Unfit::NoRules => {
                self.refuse(RefuseReason::Overloaded, Failure::again(unfit.to_string()))
            }
            Unfit::Compression | Unfit::Malformed(_) => {
                self.refuse(RefuseReason::Malformed, Failure::new(Code::InvalidArgument, unfit.to_string()))
            }
            Unfit::Failed => self.refuse(RefuseReason::Malformed, Failure::new(Code::Internal, unfit.to_string())),
        }
    }

    /// Whether a client may come in.
    #[expect(clippy::result_large_err, reason = "refusing is rare, and the failure is the answer")]
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<(), Failure> {
        let Some(wanted) = self.token.as_ref().map(Renewable::current) else { return Ok(()) };
        let shown = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        if shown.is_some_and(|token| Sha256::digest(token)[..] == wanted[..]) {
            return Ok(());
        }
        // Not told why: no token, another scheme and a wrong token look alike.
        Err(self.refuse(RefuseReason::Unauthorized, Failure::new(Code::Unauthenticated, "unauthorized")))
    }

    /// Those of the client's headers that upstream gets.
    pub(super) fn forwarded(&self, headers: &HeaderMap) -> HeaderMap {
        let mut forwarded = HeaderMap::new();
        for name in &self.options.forward_headers {
            // The token that opened our door is not upstream's business.
            if self.token.is_some() && name == AUTHORIZATION {
                continue;
            }
            for value in headers.get_all(name) {
                forwarded.append(name, value.clone());
            }
        }
        forwarded
    }
}

impl InFlight<'_> {
    fn new(pipeline: &PipelineMetrics, records: u64) -> InFlight<'_> {
        pipeline.in_flight_add(records);
        InFlight(pipeline, records)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight_sub(self.1);
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

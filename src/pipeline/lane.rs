//! What the streams of one pipeline share: workers, gate, sinks, counters.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Gate, Planned, gate};
use crate::config::daemon::{CriOutput, SourceKind};
use crate::engine::Masked;
use crate::findings::Findings;
use crate::message::{Ack, Batch, End, Receipts, Settled, StreamId};
use crate::metrics::{DropReason, Metrics, PipelineMetrics, SourceMetrics};
use crate::sinks::{Inlet, Offered};
use crate::tail::{self, FileId};
use crate::workers::Workers;

/// Sinks that were stopped let go of their receipts by then.
const LAST_RECEIPTS: Duration = Duration::from_secs(1);

/// One pipeline, seen from its streams.
pub(super) struct Lane {
    name: String,
    pub(super) workers: Workers,
    pub(super) gate: watch::Receiver<Gate>,
    pub(super) findings: Findings,
    pub(super) source: SourceMetrics,
    pub(super) metrics: Metrics,
    pub(super) framing: crate::framing::Framing,
    /// Fragments of container runtimes are written as one line.
    pub(super) joins: bool,
    /// Records are written with their ids.
    pub(super) numbers: bool,
    pipeline: PipelineMetrics,
    /// `None` once the lane is closed.
    ways: Mutex<Option<Ways>>,
    /// Ends when every receipt has come back or was dropped.
    books: Mutex<Option<JoinHandle<()>>>,
    settled: Arc<Ledger>,
    /// How long standard input may wait before records are dropped.
    max_stall: Option<Duration>,
    /// Whether waiting is told by the gauge.
    tells_stalls: bool,
    /// What is not delivered is read again by a later run.
    is_file: bool,
    /// By sink, and last for the rules: since when somebody waits for it in vain.
    stalls: Box<[Mutex<Option<Instant>>]>,
    next_stream: AtomicU64,
    failures: Mutex<Vec<String>>,
    /// Records on which redacting failed.
    failed_records: AtomicU64,
}

/// To the sinks and back.
#[derive(Clone)]
struct Ways {
    inlets: Arc<[Inlet]>,
    receipts: Receipts,
}

/// What was sent and what came of it.
#[derive(Default)]
struct Ledger {
    /// Records given to the sinks.
    sent: AtomicU64,
    /// Of those, the ones all sinks are done with.
    settled: AtomicU64,
}

/// What leaves a stream.
pub(super) struct Parcel {
    pub(super) stream: StreamId,
    pub(super) payload: Masked,
    pub(super) lines: Vec<u32>,
    /// A record begins with it; otherwise the stream's last one goes on.
    pub(super) begins: bool,
    pub(super) end: End,
    pub(super) records: u64,
    pub(super) position: u64,
    pub(super) origin: Option<Arc<Path>>,
}

/// By sink: whether it lacks a part of the last record that a stream sent.
pub(super) struct Torn(Vec<bool>);

impl Torn {
    /// The rest of the record goes to none of them.
    pub(super) fn all(&mut self) {
        self.0.fill(true);
    }
}

/// Whether records may pass.
pub(super) enum Passes {
    Yes,
    /// They are to be dropped.
    No(DropReason),
}

/// No sink takes anything any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closed;

impl Lane {
    pub(super) fn start(
        planned: Planned,
        inlets: Vec<Inlet>,
        metrics: &Metrics,
        files: Option<tail::Handle>,
    ) -> Arc<Lane> {
        let Planned { config, workers, gate, findings } = planned;
        let (sinks, (receipts, back)) = (inlets.len(), Receipts::channel());
        let pipeline = metrics.pipeline(&config.name);
        let settled = Arc::new(Ledger::default());
        let stdin = config.source.kind == SourceKind::Stdin;
        let source = metrics.source(&config.name);
        let counters = (pipeline.clone(), source.clone());
        let books = tokio::spawn(keep_books(back, Arc::clone(&settled), counters, files));
        workers.engine().into_iter().for_each(|engine| source.mode(engine.mode()));
        Arc::new(Lane {
            name: config.name.clone(),
            workers,
            gate,
            findings,
            source,
            metrics: metrics.clone(),
            framing: config.source.framing,
            joins: matches!(&config.source.kind, SourceKind::Files(from) if from.cri_output == CriOutput::Join),
            numbers: config.record_id,
            pipeline,
            ways: Mutex::new(Some(Ways { inlets: inlets.into(), receipts })),
            books: Mutex::new(Some(books)),
            settled,
            max_stall: config.source.max_stall.filter(|_| stdin),
            tells_stalls: stdin,
            is_file: matches!(config.source.kind, SourceKind::Files(_)),
            stalls: (0..=sinks).map(|_| Mutex::default()).collect(),
            next_stream: AtomicU64::new(0),
            failures: Mutex::default(),
            failed_records: AtomicU64::new(0),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn new_stream(&self) -> StreamId {
        StreamId(self.next_stream.fetch_add(1, Ordering::Relaxed))
    }

    /// Offers `parcel` to every sink, waiting for room as the pipeline says.
    ///
    /// A sink that lacks a part of a record gets no more of that record, and then its end: what comes next must not be
    /// written onto it.
    pub(super) async fn send(&self, parcel: Parcel, torn: &mut Torn) -> Result<(), Closed> {
        let Some(Ways { inlets, receipts }) = self.ways() else { return Err(Closed) };
        let Parcel { stream, payload, lines, begins, end, records, position, origin } = parcel;
        let receipt = receipts.receipt(stream, position, records, inlets.len());
        let batch = Batch { stream, payload, lines, end, records, origin, receipt };
        self.settled.sent.fetch_add(records, Ordering::Relaxed);
        self.pipeline.in_flight_add(records);
        for (sink, (inlet, torn)) in inlets.iter().zip(&mut torn.0).enumerate() {
            if *torn && begins {
                let end = batch.end_of_torn(receipts.receipt(stream, 0, 0, 1));
                *torn = match inlet.offer(end, self.patience(sink)).await {
                    Offered::Taken => false,
                    Offered::Full => true,
                    Offered::Closed => return Err(Closed),
                };
            }
            let offered = if *torn {
                batch.receipt.clone().settle(Ack::Dropped);
                Offered::Full
            } else {
                inlet.offer(batch.clone(), self.patience(sink)).await
            };
            match offered {
                Offered::Taken => self.goes_on(sink),
                Offered::Full => {
                    if !inlet.waits() {
                        self.goes_on(sink);
                    }
                    *torn |= !begins || end == End::Open;
                    let reason = if self.max_stall.is_some() && inlet.waits() {
                        DropReason::Stalled
                    } else {
                        DropReason::QueueFull
                    };
                    self.source.dropped(reason, records);
                }
                Offered::Closed => return Err(Closed),
            }
        }
        Ok(())
    }

    /// For a stream that has written nothing yet.
    pub(super) fn whole(&self) -> Torn {
        Torn(vec![false; self.ways().map_or(0, |ways| ways.inlets.len())])
    }

    /// Records on which redacting failed: they are lost.
    pub(super) fn failed_on(&self, records: u64) {
        tracing::error!(pipeline = self.name, records, "records were lost to an internal error");
        self.failed_records.fetch_add(records, Ordering::Relaxed);
    }

    /// Records that were taken and will not be sent: there is nothing to redact them with, and nothing will come.
    pub(super) fn give_up(&self, records: u64) {
        self.settled.sent.fetch_add(records, Ordering::Relaxed);
    }

    fn ways(&self) -> Option<Ways> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits while there is nothing to redact with.
    pub(super) async fn passes(&self) -> Result<Passes, Closed> {
        let mut gate = self.gate.clone();
        let at = self.stalls.len() - 1;
        let opens = match self.patience(at) {
            None => gate::passes(&mut gate).await?,
            Some(patience) => match tokio::time::timeout(patience, gate::passes(&mut gate)).await {
                Ok(opens) => opens?,
                Err(_) => return Ok(Passes::No(DropReason::Stalled)),
            },
        };
        self.goes_on(at);
        Ok(if opens { Passes::Yes } else { Passes::No(DropReason::NoRules) })
    }

    /// Somebody waits now. For how long: what is left of `max_stall` since the waiting began. Nothing is left once it is over,
    /// until what was waited for has come.
    fn patience(&self, at: usize) -> Option<Duration> {
        let since = *self.stall(at).get_or_insert_with(Instant::now);
        self.max_stall.map(|limit| limit.saturating_sub(since.elapsed()))
    }

    /// Nobody waits any more.
    fn goes_on(&self, at: usize) {
        *self.stall(at) = None;
    }

    fn stall(&self, at: usize) -> MutexGuard<'_, Option<Instant>> {
        self.stalls[at].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long standard input has waited for a sink, or for rules.
    pub(super) fn stalled(&self) -> Duration {
        let since = (0..self.stalls.len()).filter_map(|at| *self.stall(at)).min();
        since.filter(|_| self.tells_stalls).map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Remembers what went wrong for the end.
    pub(super) fn fail(&self, what: String) {
        tracing::error!(pipeline = self.name, reason = what, "failed");
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    pub(super) fn failures(&self) -> Vec<String> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let records @ 1.. = self.failed_records.load(Ordering::Relaxed) {
            failures.push(format!("{records} records were lost to an internal error"));
        }
        failures
    }

    /// Whether a sink has ended while it is still needed.
    pub(super) fn is_stuck(&self) -> bool {
        self.ways().is_some_and(|ways| ways.inlets.iter().any(Inlet::is_closed))
    }

    /// Nothing more will be sent: the sinks may end.
    pub(super) fn close(&self) {
        *self.ways.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Waits for the last receipts: the sinks have ended.
    pub(super) async fn settle_rest(&self) {
        self.close();
        let books = self.books.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(books) = books {
            let _ = tokio::time::timeout(LAST_RECEIPTS, books).await;
        }
    }

    /// Counts what was not delivered when the time to stop ran out. A file is read again.
    pub(super) fn count_undelivered(&self) {
        if !self.is_file {
            self.source.dropped(DropReason::Shutdown, self.undelivered());
        }
    }

    /// Records that were taken and are not settled.
    pub(super) fn undelivered(&self) -> u64 {
        let settled = self.settled.settled.load(Ordering::Acquire);
        self.settled.sent.load(Ordering::Relaxed).saturating_sub(settled)
    }
}

/// Counts what comes back from the sinks.
async fn keep_books(
    mut back: UnboundedReceiver<Settled>,
    ledger: Arc<Ledger>,
    (pipeline, source): (PipelineMetrics, SourceMetrics),
    files: Option<tail::Handle>,
) {
    while let Some(settled) = back.recv().await {
        pipeline.in_flight_sub(settled.records);
        match settled.ack {
            Ack::Delivered => pipeline.progress(),
            Ack::Rejected => source.dropped(DropReason::Rejected, settled.records),
            Ack::Dropped => {}
        }
        if let Some(files) = &files {
            files.acked(FileId::of(settled.stream.0), settled.position);
        }
        ledger.settled.fetch_add(settled.records, Ordering::Release);
    }
}

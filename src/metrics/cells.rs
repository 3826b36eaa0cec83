//! The counters themselves: atomics that many tasks add to, and the handles through which they do. How they are told is
//! `families`' work.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::RuleSeries;
use super::labels::{BypassReason, DropReason, RefuseReason, SinkError, UninspectedReason};
use crate::engine::{Action, Category, Engine, Mode, RuleId, Span, Tally, Why};

/// What can have been done to a finding, as the label says it.
pub(super) const ACTIONS: [&str; 5] = ["replace", "mask", "hash", "remove", "shadow"];
const SHADOW: usize = 4;
/// Rules told apart by one source; more are counted as [`OTHER`]. Rule names are the operator's, but reloads may bring ever
/// new ones.
const MAX_RULES: usize = 1000;
const OTHER: &str = "other";

/// Upper bounds of the process time's buckets, in seconds: a block takes 0.1 to 1 ms, a stalled one seconds.
pub(super) const BOUNDS: [f64; 7] = [0.0001, 0.0005, 0.001, 0.005, 0.025, 0.1, 1.0];

/// Work that waits for so long, while nothing of it is delivered, does not move.
const STUCK_AFTER: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }
}

/// What a source did. Counts go up per batch, never per record.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) rules: RuleSeries,
    pub(super) records: Counter,
    pub(super) bytes: Counter,
    pub(super) dropped: [Counter; DropReason::ALL.len()],
    pub(super) truncated_bytes: Counter,
    pub(super) uninspected: [Counter; UninspectedReason::ALL.len()],
    pub(super) bypassed: [Counter; BypassReason::ALL.len()],
    pub(super) refused: [Counter; RefuseReason::ALL.len()],
    /// By category, then by action.
    pub(super) findings: [[Counter; ACTIONS.len()]; Category::ALL.len()],
    pub(super) by_rule: RwLock<BTreeMap<Box<str>, RuleCounts>>,
    pub(super) previous_generation: Counter,
    pub(super) new_fingerprints: Counter,
    pub(super) audit: AtomicBool,
}

/// Findings of one rule.
#[derive(Debug, Default)]
pub(super) struct RuleCounts {
    pub(super) by_action: [Counter; ACTIONS.len()],
    /// The action whose series is shown from 0.
    pub(super) declared: Option<usize>,
}

/// The handle of a source. Cheap to clone; one name has one set of counters.
#[derive(Clone, Debug)]
pub struct SourceMetrics(pub(super) Arc<Source>);

impl SourceMetrics {
    /// The configured name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Records and bytes that came in.
    pub fn received(&self, records: u64, bytes: u64) {
        self.0.records.add(records);
        self.0.bytes.add(bytes);
    }

    /// What `engine` made of a batch with so many records.
    pub fn redacted(&self, engine: &Engine, tally: &Tally, records: u64) {
        self.mode(engine.mode());
        self.tally(engine, tally);
        if engine.mode() == Mode::Audit && tally.total() > 0 {
            self.bypassed(BypassReason::Audit, records);
        }
        let excepted = tally.allowed.iter().map(|(_, count)| count).sum::<u64>().min(records);
        if excepted > 0 {
            self.bypassed(BypassReason::Excepted, excepted);
        }
    }

    /// What `engine` found in a batch of this source.
    pub fn tally(&self, engine: &Engine, tally: &Tally) {
        let over_limit = tally.records_over_limit.min(tally.records_masked_whole);
        for (reason, records) in [
            (UninspectedReason::OverLimit, over_limit),
            (UninspectedReason::RuleFailed, tally.records_masked_whole - over_limit),
        ] {
            if records > 0 {
                self.uninspected(reason, records);
            }
        }
        tally.findings.iter().for_each(|(rule, count)| {
            if let Some(action) = action_index(engine.action(*rule)) {
                self.found(engine, *rule, action, *count);
            }
        });
        tally.shadowed.iter().for_each(|(rule, count)| self.found(engine, *rule, SHADOW, *count));
    }

    fn found(&self, engine: &Engine, rule: RuleId, action: usize, count: u64) {
        let rule = &engine.rules()[rule.index()];
        self.0.findings[category_index(rule.category)][action].add(count);
        if self.0.rules != RuleSeries::Off {
            self.0.by_rule(&rule.id, |counts| counts.by_action[action].add(count));
        }
    }

    /// Counts which of the findings in a piece are values of before the last rotation.
    pub fn spans(&self, engine: &Engine, spans: &[Span]) {
        let old = spans.iter().filter(
            |span| matches!(span.why, Why::Known { value } if engine.known_age(value).is_some_and(|age| age > 0)),
        );
        let old = old.count() as u64;
        if old > 0 {
            self.0.previous_generation.add(old);
        }
    }

    /// Secrets seen for the first time.
    pub fn new_fingerprints(&self, count: u64) {
        self.0.new_fingerprints.add(count);
    }

    /// Records that were not passed on.
    pub fn dropped(&self, reason: DropReason, records: u64) {
        self.0.dropped[reason.index()].add(records);
    }

    /// Bytes of a file that its writer cut before they could be read.
    pub fn truncated(&self, bytes: u64) {
        self.0.truncated_bytes.add(bytes);
    }

    /// What could not be looked at and was masked whole.
    pub fn uninspected(&self, reason: UninspectedReason, records: u64) {
        self.0.uninspected[reason.index()].add(records);
    }

    /// What went on unmasked.
    pub fn bypassed(&self, reason: BypassReason, records: u64) {
        self.0.bypassed[reason.index()].add(records);
    }

    /// A peer that was turned away.
    pub fn refused(&self, reason: RefuseReason) {
        self.0.refused[reason.index()].add(1);
    }

    /// Whether this source's secrets are only counted.
    pub fn mode(&self, mode: Mode) {
        self.0.audit.store(mode == Mode::Audit, Ordering::Relaxed);
    }
}

impl Source {
    /// Lets `change` see the counts of `rule`. Only a rule's first finding takes more than a shared lock.
    pub(super) fn by_rule(&self, rule: &str, change: impl Fn(&RuleCounts)) {
        let known = self.by_rule.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counts) = known.get(rule) {
            return change(counts);
        }
        drop(known);
        let mut known = self.by_rule.write().unwrap_or_else(PoisonError::into_inner);
        let name = if known.len() < MAX_RULES { rule } else { OTHER };
        change(known.entry(name.into()).or_default());
    }

    /// Shows these rules from 0, each under what is done to its findings.
    pub(super) fn declare(&self, rules: &[(Box<str>, usize)]) {
        let mut known = self.by_rule.write().unwrap_or_else(PoisonError::into_inner);
        for (rule, action) in rules {
            known.entry(rule.clone()).or_default().declared = Some(*action);
        }
    }
}

/// What a sink did.
#[derive(Debug, Default)]
pub(super) struct Sink {
    pub(super) name: String,
    pub(super) records: Counter,
    pub(super) bytes: Counter,
    pub(super) retries: Counter,
    pub(super) errors: [Counter; SinkError::ALL.len()],
    /// Of its spool, if it has one.
    pub(super) spool: RwLock<Option<SpoolState>>,
    pub(super) spool_limit: Counter,
}

/// What a spool holds and went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoolState {
    /// On disk.
    pub bytes: u64,
    /// Batches that are not delivered.
    pub waiting: u64,
    /// Damaged batches.
    pub skipped: u64,
    /// Cut off at the start.
    pub torn_bytes: u64,
    /// Writes and syncs that the disk refused.
    pub failed_writes: u64,
}

/// The handle of a sink. Cheap to clone; one name has one set of counters.
#[derive(Clone, Debug)]
pub struct SinkMetrics(pub(super) Arc<Sink>);

impl SinkMetrics {
    /// The configured name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Records and bytes that were delivered.
    pub fn sent(&self, records: u64, bytes: u64) {
        self.0.records.add(records);
        self.0.bytes.add(bytes);
    }

    /// Something went wrong.
    pub fn error(&self, kind: SinkError) {
        self.0.errors[kind.index()].add(1);
    }

    /// How its spool is.
    pub fn spool(&self, state: &SpoolState) {
        *self.0.spool.write().unwrap_or_else(PoisonError::into_inner) = Some(*state);
    }

    /// How large its spool may become.
    pub fn spool_limit(&self, bytes: u64) {
        self.0.spool_limit.set(bytes);
    }

    /// Something is tried again.
    pub fn retry(&self) {
        self.0.retries.add(1);
    }
}

/// How much work a pipeline holds, and when it last moved.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) name: String,
    started: Instant,
    /// Records that came in and are not delivered yet.
    pub(super) in_flight: AtomicI64,
    pub(super) queue_bytes: AtomicI64,
    /// Milliseconds after `started` at which something was delivered, or work began after none was there.
    moved: AtomicU64,
}

/// The handle of a pipeline. Cheap to clone; one name has one set of gauges.
#[derive(Clone, Debug)]
pub struct PipelineMetrics(pub(super) Arc<Pipeline>);

impl Pipeline {
    pub(super) fn new(name: &str, started: Instant) -> Pipeline {
        let zero = || AtomicI64::new(0);
        Pipeline { name: name.to_owned(), started, in_flight: zero(), queue_bytes: zero(), moved: AtomicU64::new(0) }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// For how long work has waited and nothing was delivered.
    pub(super) fn waiting(&self) -> Duration {
        if self.in_flight.load(Ordering::Relaxed) <= 0 {
            return Duration::ZERO;
        }
        Duration::from_millis(self.now().saturating_sub(self.moved.load(Ordering::Relaxed)))
    }

    pub(super) fn is_stuck(&self) -> bool {
        self.waiting() >= STUCK_AFTER
    }

    #[cfg(test)]
    pub(super) fn started_earlier(name: &str, by: Duration) -> Pipeline {
        Pipeline::new(name, Instant::now().checked_sub(by).expect("the machine has run for longer"))
    }

    #[cfg(test)]
    pub(super) fn forget_progress(&self) {
        self.moved.store(0, Ordering::Relaxed);
    }
}

impl PipelineMetrics {
    /// Records that came in and will be delivered.
    pub fn in_flight_add(&self, records: u64) {
        let before = self.0.in_flight.fetch_add(signed(records), Ordering::Relaxed);
        if before <= 0 {
            self.progress();
        }
    }

    /// Records that left: delivered or dropped.
    pub fn in_flight_sub(&self, records: u64) {
        self.0.in_flight.fetch_sub(signed(records), Ordering::Relaxed);
    }

    /// Bytes that wait between source and sink.
    pub fn queue_add(&self, bytes: u64) {
        self.0.queue_bytes.fetch_add(signed(bytes), Ordering::Relaxed);
    }

    /// Bytes that wait no more.
    pub fn queue_sub(&self, bytes: u64) {
        self.0.queue_bytes.fetch_sub(signed(bytes), Ordering::Relaxed);
    }

    /// Something was delivered: what `/healthz` watches.
    pub fn progress(&self) {
        self.0.moved.store(self.0.now(), Ordering::Relaxed);
    }
}

/// How long blocks took.
#[derive(Debug, Default)]
pub(super) struct Times {
    /// By bucket, the last one above all bounds.
    buckets: [Counter; BOUNDS.len() + 1],
    nanoseconds: Counter,
}

impl Times {
    pub(super) fn add(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.buckets[bucket].add(1);
        self.nanoseconds.add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Upper bounds and how many fell between each and the one before.
    pub(super) fn buckets(&self) -> Vec<(f64, u64)> {
        BOUNDS.into_iter().chain([f64::INFINITY]).zip(self.buckets.iter().map(Counter::value)).collect()
    }

    pub(super) fn sum(&self) -> f64 {
        self.nanoseconds.value() as f64 / 1e9
    }
}

/// The label of an action; a rule that is off has no findings.
pub(super) fn action_index(action: Action) -> Option<usize> {
    ACTIONS.iter().position(|name| *name == action.name())
}

pub(super) fn category_index(category: Category) -> usize {
    Category::ALL.iter().position(|known| *known == category).expect("ALL holds every category")
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

//! One look at all counters, as families of series. Prometheus' text, the OTLP push and the status page all tell this.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::Shared;
use super::cells::{ACTIONS, Counter, Pipeline, Sink, Source, SpoolState};
use super::labels::{BypassReason, DropReason, RefuseReason, SinkError, UninspectedReason};
use crate::engine::Category;

/// What kind of number a family holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets.
    Histogram,
}

/// A number.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of a counter.
    Count(u64),
    /// Of a gauge.
    Gauge(f64),
    /// Of a histogram: the sum, and by upper bound how many lie between it and the one before.
    Histogram(f64, Vec<(f64, u64)>),
}

/// Names and values of a series' labels.
pub type Labels = Vec<(&'static str, String)>;

/// Series of one name. The name has neither the prefix `inkout_` nor `_total`.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// `received_records`
    pub name: &'static str,
    /// One line for people.
    pub help: &'static str,
    /// What its numbers are.
    pub kind: Kind,
    /// The series.
    pub series: Vec<(Labels, Value)>,
}

fn family(name: &'static str, help: &'static str, kind: Kind, series: Vec<(Labels, Value)>) -> Family {
    Family { name, help, kind, series }
}

fn gauge(name: &'static str, help: &'static str, value: f64) -> Family {
    family(name, help, Kind::Gauge, vec![(Vec::new(), Value::Gauge(value))])
}

fn counter(name: &'static str, help: &'static str, counter: &Counter) -> Family {
    family(name, help, Kind::Counter, vec![(Vec::new(), Value::Count(counter.value()))])
}

fn info(name: &'static str, help: &'static str, label: &'static str, value: &str) -> Family {
    family(name, help, Kind::Gauge, vec![(vec![(label, value.to_owned())], Value::Gauge(1.0))])
}

/// Everything, in the order in which it is shown; families without a series too.
pub(super) fn all(shared: &Shared) -> Vec<Family> {
    let mut families = process(shared);
    let sources = shared.sources.read().unwrap_or_else(PoisonError::into_inner);
    let sinks = shared.sinks.read().unwrap_or_else(PoisonError::into_inner);
    let pipelines = shared.pipelines.read().unwrap_or_else(PoisonError::into_inner);
    families.extend(pipeline_families(&pipelines));
    families.extend(source_families(&sources, shared));
    families.extend(sink_families(&sinks));
    families
}

fn process(shared: &Shared) -> Vec<Family> {
    let flag = |on: bool| f64::from(u8::from(on));
    let relaxed = Ordering::Relaxed;
    let reload = shared.reload.lock().unwrap_or_else(PoisonError::into_inner);
    let times = (Vec::new(), Value::Histogram(shared.times.sum(), shared.times.buckets()));
    vec![
        info("build_info", "The version that runs.", "version", env!("CARGO_PKG_VERSION")),
        info("rules_info", "The rule set in use, by its hash.", "hash", &reload.hash),
        gauge("rules", "Rules in use.", shared.rule_count.value() as f64),
        gauge("start_time_seconds", "When it was started, in seconds since 1970.", shared.started_at),
        gauge(
            "ready",
            "Whether everything that is needed is there: what /readyz says.",
            flag(shared.ready.load(relaxed)),
        ),
        gauge(
            "config_last_reload_successful",
            "Whether the last reload of rules and settings worked.",
            flag(reload.ok),
        ),
        gauge(
            "config_last_reload_success_timestamp_seconds",
            "When rules and settings were last loaded, in seconds since 1970.",
            reload.at,
        ),
        gauge("config_generation", "How often rules and settings were loaded.", reload.generation as f64),
        gauge("stalled_seconds", "For how long a source that must not wait has waited.", shared.stalled()),
        family("process_duration_seconds", "Time to redact a block.", Kind::Histogram, vec![times]),
        counter("log_suppressed", "Messages of its own log that were too many.", &shared.log_suppressed),
        counter("fingerprints_evicted", "Secrets no longer remembered, for want of room.", &shared.evicted),
        counter("findings_unwritten", "Lines of the findings stream that could not be written.", &shared.unwritten),
    ]
}

fn pipeline_families(pipelines: &[Arc<Pipeline>]) -> Vec<Family> {
    let relaxed = Ordering::Relaxed;
    let each = |name, help, value: &dyn Fn(&Pipeline) -> f64| {
        let series =
            |pipeline: &Arc<Pipeline>| (vec![("pipeline", pipeline.name.clone())], Value::Gauge(value(pipeline)));
        family(name, help, Kind::Gauge, pipelines.iter().map(series).collect())
    };
    // Two counters are read at different times: below 0 is 0.
    vec![
        each("in_flight_records", "Records that came in and are not delivered yet.", &|pipeline| {
            pipeline.in_flight.load(relaxed).max(0) as f64
        }),
        each("queue_bytes", "Bytes that wait between source and sink.", &|pipeline| {
            pipeline.queue_bytes.load(relaxed).max(0) as f64
        }),
        each("waiting_seconds", "For how long records have waited and none was delivered.", &|pipeline| {
            pipeline.waiting().as_secs_f64()
        }),
    ]
}

type Sources = [Arc<Source>];

fn source_label(source: &Source) -> (&'static str, String) {
    ("source", source.name.clone())
}

fn source_families(sources: &Sources, shared: &Shared) -> Vec<Family> {
    let count = |name, help, value: &dyn Fn(&Source) -> u64| {
        let series = |source: &Arc<Source>| (vec![source_label(source)], Value::Count(value(source)));
        family(name, help, Kind::Counter, sources.iter().map(series).collect())
    };
    let audit = |source: &Arc<Source>| {
        (vec![source_label(source)], Value::Gauge(f64::from(u8::from(source.audit.load(Ordering::Relaxed)))))
    };
    vec![
        count("received_records", "Records that came in.", &|source| source.records.value()),
        count("received_bytes", "Bytes that came in.", &|source| source.bytes.value()),
        findings(sources, shared),
        by_rule(sources),
        count("previous_generation_findings", "Values of before the last rotation that are still in use.", &|source| {
            source.previous_generation.value()
        }),
        count("new_fingerprints", "Secrets seen for the first time.", &|source| source.new_fingerprints.value()),
        by_reason("dropped_records", "Records that were not passed on.", sources, |source| {
            counts(DropReason::ALL, DropReason::name, &source.dropped)
        }),
        by_reason(
            "uninspected_records",
            "Records masked whole because they could not be looked at.",
            sources,
            |source| counts(UninspectedReason::ALL, UninspectedReason::name, &source.uninspected),
        ),
        by_reason("bypassed_records", "Records that went on unmasked.", sources, |source| {
            counts(BypassReason::ALL, BypassReason::name, &source.bypassed)
        }),
        by_reason("refused_requests", "Peers that were turned away.", sources, |source| {
            fired(counts(RefuseReason::ALL, RefuseReason::name, &source.refused))
        }),
        family("audit", "Whether secrets are only counted.", Kind::Gauge, sources.iter().map(audit).collect()),
    ]
}

type Counts = Vec<(&'static str, u64)>;

fn counts<L: Copy>(labels: &[L], name: impl Fn(L) -> &'static str, counters: &[Counter]) -> Counts {
    labels.iter().map(|label| name(*label)).zip(counters.iter().map(Counter::value)).collect()
}

/// Rare ones begin with their first: a series from 0 for each would be most of an idle sidecar's.
fn fired(mut counts: Counts) -> Counts {
    counts.retain(|(_, count)| *count > 0);
    counts
}

fn by_reason(name: &'static str, help: &'static str, sources: &Sources, counts: impl Fn(&Source) -> Counts) -> Family {
    let series = sources.iter().flat_map(|source| {
        let labelled = |(reason, count): (&str, u64)| {
            (vec![("reason", reason.to_owned()), source_label(source)], Value::Count(count))
        };
        counts(source).into_iter().map(labelled).collect::<Vec<_>>()
    });
    family(name, help, Kind::Counter, series.collect())
}

/// From 0 for what the rule set can find, so that the first finding is seen as an increase.
fn findings(sources: &Sources, shared: &Shared) -> Family {
    let declared = shared.declared.read().unwrap_or_else(PoisonError::into_inner);
    let mut series = Vec::new();
    for source in sources {
        for (at, category) in Category::ALL.iter().enumerate() {
            for (action, name) in ACTIONS.iter().enumerate() {
                let count = source.findings[at][action].value();
                if count > 0 || declared.classes.contains(&(at, action)) {
                    let category = ("category", category.name().to_owned());
                    let labels = vec![category, ("action", (*name).to_owned()), source_label(source)];
                    series.push((labels, Value::Count(count)));
                }
            }
        }
    }
    family("findings", "Secrets found.", Kind::Counter, series)
}

fn by_rule(sources: &Sources) -> Family {
    let mut series = Vec::new();
    for source in sources {
        let rules = source.by_rule.read().unwrap_or_else(PoisonError::into_inner);
        for (rule, counts) in rules.iter() {
            for (at, (action, count)) in ACTIONS.iter().zip(&counts.by_action).enumerate() {
                if count.value() > 0 || counts.declared == Some(at) {
                    let rule = ("rule", rule.to_string());
                    let labels = vec![rule, ("action", (*action).to_owned()), source_label(source)];
                    series.push((labels, Value::Count(count.value())));
                }
            }
        }
    }
    family("rule_findings", "Secrets found, by rule.", Kind::Counter, series)
}

fn sink_families(sinks: &[Arc<Sink>]) -> Vec<Family> {
    let count = |name, help, value: &dyn Fn(&Sink) -> u64| {
        let series = |sink: &Arc<Sink>| (vec![("sink", sink.name.clone())], Value::Count(value(sink)));
        family(name, help, Kind::Counter, sinks.iter().map(series).collect())
    };
    let errors = sinks.iter().flat_map(|sink| {
        let labelled = |(kind, count): (&str, u64)| {
            (vec![("kind", kind.to_owned()), ("sink", sink.name.clone())], Value::Count(count))
        };
        fired(counts(SinkError::ALL, SinkError::name, &sink.errors)).into_iter().map(labelled).collect::<Vec<_>>()
    });
    let mut families = vec![
        count("sent_records", "Records that were delivered.", &|sink| sink.records.value()),
        count("sent_bytes", "Bytes that were delivered.", &|sink| sink.bytes.value()),
        count("sink_retries", "Deliveries that were tried again.", &|sink| sink.retries.value()),
        family("sink_errors", "What went wrong with a sink.", Kind::Counter, errors.collect()),
    ];
    families.extend(spool_families(sinks));
    families
}

/// Of those sinks that have a spool.
fn spool_families(sinks: &[Arc<Sink>]) -> Vec<Family> {
    let each = |name, help, kind, value: &dyn Fn(&Sink, &SpoolState) -> u64| {
        let series = sinks.iter().filter_map(|sink| {
            let state = (*sink.spool.read().unwrap_or_else(PoisonError::into_inner))?;
            let value = value(sink, &state);
            let value = if kind == Kind::Gauge { Value::Gauge(value as f64) } else { Value::Count(value) };
            Some((vec![("sink", sink.name.clone())], value))
        });
        family(name, help, kind, series.collect())
    };
    vec![
        each("spool_bytes", "Bytes of the spool on disk.", Kind::Gauge, &|_, state| state.bytes),
        each("spool_max_bytes", "Bytes that the spool may have.", Kind::Gauge, &|sink, _| sink.spool_limit.value()),
        each("spool_waiting_batches", "Batches in the spool that are not delivered.", Kind::Gauge, &|_, state| {
            state.waiting
        }),
        each("spool_skipped_batches", "Damaged batches of the spool.", Kind::Counter, &|_, state| state.skipped),
        each("spool_torn_bytes", "Bytes cut off the spool's end at the start.", Kind::Counter, &|_, state| {
            state.torn_bytes
        }),
        each("spool_failed_writes", "Writes and syncs that the spool's disk refused.", Kind::Counter, &|_, state| {
            state.failed_writes
        }),
    ]
}

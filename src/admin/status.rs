//! Everything the status page tells, from one look at the counters. How it looks is `page`'s work.

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::history::{History, Totals, count, series};
use crate::metrics::{Family, Labels, Metrics, Value};

/// Counters that should stay at 0, and what they mean.
const LOSSES: [(&str, &str); 4] = [
    ("dropped_records", "dropped"),
    ("uninspected_records", "masked whole"),
    ("bypassed_records", "bypassed"),
    ("refused_requests", "refused"),
];

/// What `/status.json` says.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    pub(super) version: String,
    pub(super) rules_hash: String,
    pub(super) rules: u64,
    pub(super) generation: u64,
    pub(super) uptime_seconds: u64,
    pub(super) ready: bool,
    pub(super) reload_ok: bool,
    pub(super) stalled_seconds: f64,
    /// Sources whose secrets are only counted.
    pub(super) audited: Vec<String>,
    pub(super) stuck: Vec<Stuck>,
    /// Per second.
    pub(super) rates: Totals,
    /// Per second, of the last two minutes.
    pub(super) curve: Vec<Totals>,
    pub(super) totals: Vec<(&'static str, u64)>,
    pub(super) findings: Vec<RuleRow>,
    pub(super) pipelines: Vec<PipelineRow>,
    pub(super) sources: Vec<EndRow>,
    pub(super) sinks: Vec<EndRow>,
    pub(super) losses: Vec<Loss>,
    pub(super) old_values: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Stuck {
    pub(super) pipeline: String,
    pub(super) seconds: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct RuleRow {
    pub(super) rule: String,
    pub(super) action: String,
    pub(super) sources: Vec<String>,
    pub(super) count: u64,
    pub(super) per_minute: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct PipelineRow {
    pub(super) name: String,
    pub(super) in_flight: u64,
    pub(super) queue_bytes: u64,
    pub(super) waiting_seconds: f64,
}

/// A source or a sink.
#[derive(Debug, Serialize)]
pub(super) struct EndRow {
    pub(super) name: String,
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) bytes_per_minute: f64,
    /// Findings of a source, failures of a sink.
    pub(super) other: u64,
}

/// Something that is not as it should be.
#[derive(Debug, Serialize)]
pub(super) struct Loss {
    pub(super) what: &'static str,
    pub(super) reason: String,
    pub(super) source: String,
    pub(super) count: u64,
}

impl Status {
    pub(super) fn look(metrics: &Metrics, history: &History) -> Status {
        let (families, now) = (metrics.families(), Instant::now());
        let families = &families[..];
        let level = |name| series(families, name).map(|(_, value)| gauge(value)).sum::<f64>();
        let total = |name| series(families, name).map(|(_, value)| count(value)).sum::<u64>();
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let info =
            |name, label| series(families, name).next().map(|(labels, _)| named(labels, label)).unwrap_or_default();
        let stuck = metrics.stuck().into_iter();
        Status {
            version: info("build_info", "version"),
            rules_hash: info("rules_info", "hash"),
            rules: level("rules") as u64,
            generation: level("config_generation") as u64,
            uptime_seconds: (since_1970 - level("start_time_seconds")).max(0.0) as u64,
            ready: metrics.is_ready(),
            reload_ok: level("config_last_reload_successful") > 0.0,
            stalled_seconds: level("stalled_seconds"),
            audited: series(families, "audit")
                .filter(|(_, value)| gauge(value) > 0.0)
                .map(|(labels, _)| named(labels, "source"))
                .collect(),
            stuck: stuck.map(|(pipeline, time)| Stuck { pipeline, seconds: time.as_secs() }).collect(),
            rates: history.rates(),
            curve: history.curve(),
            totals: [
                "received_records",
                "received_bytes",
                "sent_records",
                "sent_bytes",
                "findings",
                "new_fingerprints",
            ]
            .map(|name| (name, total(name)))
            .to_vec(),
            findings: rules(families, history, now),
            pipelines: pipelines(families),
            sources: ends(families, history, now, &SOURCE),
            sinks: ends(families, history, now, &SINK),
            losses: losses(families),
            old_values: total("previous_generation_findings"),
        }
    }

    pub(super) fn total(&self, name: &str) -> u64 {
        self.totals.iter().find(|(known, _)| *known == name).map_or(0, |(_, count)| *count)
    }
}

fn named(labels: &Labels, name: &str) -> String {
    labels.iter().find(|(label, _)| *label == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

fn gauge(value: &Value) -> f64 {
    if let Value::Gauge(level) = value { *level } else { 0.0 }
}

/// By rule and by what was done, the most frequent first.
fn rules(families: &[Family], history: &History, now: Instant) -> Vec<RuleRow> {
    let mut rows: BTreeMap<(String, String), RuleRow> = BTreeMap::new();
    for (labels, value) in series(families, "rule_findings").filter(|(_, value)| count(value) > 0) {
        let (rule, action) = (named(labels, "rule"), named(labels, "action"));
        let empty =
            || RuleRow { rule: rule.clone(), action: action.clone(), sources: Vec::new(), count: 0, per_minute: 0.0 };
        let row = rows.entry((rule.clone(), action.clone())).or_insert_with(empty);
        row.sources.push(named(labels, "source"));
        row.count += count(value);
        row.per_minute += history.per_minute(now, "rule_findings", labels, count(value));
    }
    let mut rows: Vec<RuleRow> = rows.into_values().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.count));
    rows
}

fn pipelines(families: &[Family]) -> Vec<PipelineRow> {
    let of = |name, pipeline: &str| {
        let mut series = series(families, name).filter(|(labels, _)| named(labels, "pipeline") == pipeline);
        series.next().map_or(0.0, |(_, value)| gauge(value))
    };
    let names = series(families, "in_flight_records").map(|(labels, _)| named(labels, "pipeline"));
    names
        .map(|name| PipelineRow {
            in_flight: of("in_flight_records", &name) as u64,
            queue_bytes: of("queue_bytes", &name) as u64,
            waiting_seconds: of("waiting_seconds", &name),
            name,
        })
        .collect()
}

/// Where the numbers of sources, or of sinks, stand.
struct End {
    label: &'static str,
    records: &'static str,
    bytes: &'static str,
    other: &'static str,
}

const SOURCE: End = End { label: "source", records: "received_records", bytes: "received_bytes", other: "findings" };
const SINK: End = End { label: "sink", records: "sent_records", bytes: "sent_bytes", other: "sink_errors" };

fn ends(families: &[Family], history: &History, now: Instant, end: &End) -> Vec<EndRow> {
    let of = |family, name: &str| {
        let of_name = series(families, family).filter(|(labels, _)| named(labels, end.label) == name);
        of_name.map(|(_, value)| count(value)).sum()
    };
    let each = series(families, end.bytes);
    each.map(|(labels, value)| {
        let name = named(labels, end.label);
        EndRow {
            records: of(end.records, &name),
            bytes: count(value),
            bytes_per_minute: history.per_minute(now, end.bytes, labels, count(value)),
            other: of(end.other, &name),
            name,
        }
    })
    .collect()
}

fn losses(families: &[Family]) -> Vec<Loss> {
    let each = LOSSES.iter().flat_map(|(name, what)| series(families, name).map(move |series| (*what, series)));
    let lost = each.filter(|(_, (_, value))| count(value) > 0);
    lost.map(|(what, (labels, value))| Loss {
        what,
        reason: named(labels, "reason").replace('_', " "),
        source: named(labels, "source"),
        count: count(value),
    })
    .collect()
}

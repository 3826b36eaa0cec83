//! What the counters were a while ago, so that rates can be told to a browser that asks for the first time.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::metrics::{Family, Labels, Value};

/// Looks that are kept for the curves, one per second.
const FINE: usize = 120;
/// Looks that are kept for the rates of single series.
const COARSE: usize = 5;
const COARSE_EVERY: Duration = Duration::from_secs(15);
/// Counters whose single series have rates.
const RATED: [&str; 3] = ["rule_findings", "received_bytes", "sent_bytes"];

/// Sums over all series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Totals {
    pub(super) records_in: f64,
    pub(super) bytes_in: f64,
    pub(super) records_out: f64,
    pub(super) bytes_out: f64,
    pub(super) findings: f64,
}

impl Totals {
    fn of(families: &[Family]) -> Totals {
        let sum = |name| series(families, name).map(|(_, value)| count(value) as f64).sum();
        Totals {
            records_in: sum("received_records"),
            bytes_in: sum("received_bytes"),
            records_out: sum("sent_records"),
            bytes_out: sum("sent_bytes"),
            findings: sum("findings"),
        }
    }

    fn per_second(self, before: Totals, seconds: f64) -> Totals {
        let rate = |now: f64, before: f64| (now - before) / seconds;
        Totals {
            records_in: rate(self.records_in, before.records_in),
            bytes_in: rate(self.bytes_in, before.bytes_in),
            records_out: rate(self.records_out, before.records_out),
            bytes_out: rate(self.bytes_out, before.bytes_out),
            findings: rate(self.findings, before.findings),
        }
    }
}

/// The series of the family of that name.
pub(super) fn series<'f>(families: &'f [Family], name: &'f str) -> impl Iterator<Item = &'f (Labels, Value)> {
    families.iter().filter(move |family| family.name == name).flat_map(|family| &family.series)
}

pub(super) fn count(value: &Value) -> u64 {
    if let Value::Count(count) = value { *count } else { 0 }
}

/// Looks of the past two minutes.
#[derive(Default)]
pub(super) struct History {
    fine: VecDeque<(Instant, Totals)>,
    coarse: VecDeque<(Instant, HashMap<String, u64>)>,
}

impl History {
    /// Keeps a look. To be called once a second.
    pub(super) fn add(&mut self, now: Instant, families: &[Family]) {
        if self.fine.len() > FINE {
            self.fine.pop_front();
        }
        self.fine.push_back((now, Totals::of(families)));
        if self.coarse.back().is_some_and(|(last, _)| now.duration_since(*last) < COARSE_EVERY) {
            return;
        }
        if self.coarse.len() == COARSE {
            self.coarse.pop_front();
        }
        // Series at 0 have no rate, and there may be hundreds.
        let rated = RATED.iter().flat_map(|name| series(families, name).map(move |series| (*name, series)));
        let counts =
            rated.map(|(name, (labels, value))| (key(name, labels), count(value))).filter(|(_, count)| *count > 0);
        self.coarse.push_back((now, counts.collect()));
    }

    /// Per second, over the last ten seconds.
    pub(super) fn rates(&self) -> Totals {
        let Some((now, totals)) = self.fine.back() else { return Totals::default() };
        let (then, before) = &self.fine[self.fine.len().saturating_sub(11)];
        let seconds = now.duration_since(*then).as_secs_f64();
        if seconds > 0.0 { totals.per_second(*before, seconds) } else { Totals::default() }
    }

    /// Per second, second by second, the oldest first.
    pub(super) fn curve(&self) -> Vec<Totals> {
        let pairs = self.fine.iter().zip(self.fine.iter().skip(1));
        pairs
            .map(|((then, before), (now, totals))| {
                totals.per_second(*before, now.duration_since(*then).as_secs_f64().max(0.001))
            })
            .collect()
    }

    /// Per minute, of one series that stands at `count` now.
    pub(super) fn per_minute(&self, now: Instant, name: &str, labels: &Labels, count: u64) -> f64 {
        let Some((then, counts)) = self.coarse.front() else { return 0.0 };
        let seconds = now.duration_since(*then).as_secs_f64();
        let before = counts.get(&key(name, labels)).copied().unwrap_or_default();
        if seconds < 1.0 { 0.0 } else { (count.saturating_sub(before)) as f64 / seconds * 60.0 }
    }
}

fn key(name: &str, labels: &Labels) -> String {
    labels.iter().fold(name.to_owned(), |key, (label, value)| key + "\0" + label + "=" + value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn rates_are_those_of_the_last_seconds() {
        let (metrics, mut history, start) = (Metrics::default(), History::default(), Instant::now());
        let source = metrics.source("app");
        for second in 0..200 {
            history.add(start + Duration::from_secs(second), &metrics.families());
            source.received(if second < 150 { 1 } else { 5 }, 10);
        }
        assert_eq!((history.rates().records_in, history.rates().bytes_in), (5.0, 10.0));
        let curve = history.curve();
        assert_eq!((curve.len(), curve[0].records_in, curve[119].records_in), (120, 1.0, 5.0));
        let labels = vec![("source", "app".to_owned())];
        let now = start + Duration::from_secs(200);
        let rate = history.per_minute(now, "received_bytes", &labels, 2000);
        assert!((rate - 600.0).abs() < 1.0, "{rate}");
        assert_eq!(history.coarse.len(), COARSE);
    }
}

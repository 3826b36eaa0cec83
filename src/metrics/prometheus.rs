//! Prometheus' text. Escaping and number formats are `prometheus-client`'s; what is told is `families`' business.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::{Family, Kind, Metrics, Value};

/// The library writes OpenMetrics, where a counter's comments lack the `_total` of its series. In the format 0.0.4, which
/// every scraper takes, they are the same name.
pub(super) fn text(metrics: &Metrics) -> String {
    let mut registry = Registry::with_prefix("inkout");
    registry.register_collector(Box::new(Look(metrics.clone())));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("a String takes all that is written");
    classic(&text)
}

/// Metrics, looked at once per scrape.
#[derive(Debug)]
struct Look(Metrics);

impl Collector for Look {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        self.0.families().iter().try_for_each(|family| encode(family, &mut encoder))
    }
}

fn encode(family: &Family, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let kind = match family.kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
        Kind::Histogram => MetricType::Histogram,
    };
    let mut metric = encoder.encode_descriptor(family.name, family.help, None, kind)?;
    for (labels, value) in &family.series {
        if labels.is_empty() {
            number(value, &mut metric)?;
        } else {
            number(value, &mut metric.encode_family(labels)?)?;
        }
    }
    Ok(())
}

fn number(value: &Value, series: &mut MetricEncoder<'_>) -> Result<(), fmt::Error> {
    match value {
        Value::Count(count) => series.encode_counter::<NoLabelSet, u64, f64>(count, None),
        // `1` reads better than `1.0`, and most are whole.
        Value::Gauge(value) if value.fract() == 0.0 => series.encode_gauge(&(*value as i64)),
        Value::Gauge(value) => series.encode_gauge(value),
        Value::Histogram(sum, buckets) => {
            let count = buckets.iter().map(|(_, count)| count).sum();
            series.encode_histogram::<NoLabelSet>(*sum, count, buckets, None)
        }
    }
}

fn classic(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut lines = open_metrics.lines().peekable();
    while let Some(line) = lines.next() {
        let counts = |line: &str| line.starts_with("# TYPE ") && line.ends_with(" counter");
        if counts(line) || (line.starts_with("# HELP ") && lines.peek().is_some_and(|next| counts(next))) {
            let mut words = line.splitn(4, ' ');
            let mut word = || words.next().unwrap_or_default();
            text += &format!("{} {} {}_total {}\n", word(), word(), word(), word());
        } else if line != "# EOF" {
            text += line;
            text.push('\n');
        }
    }
    text
}

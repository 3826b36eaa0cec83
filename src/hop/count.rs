//! How many records a batch holds: log records, spans, data points. For counters alone: it skips over what it does not
//! need, and a batch that is malformed is somebody else's to refuse.

use memchr::memmem;

use super::wire::Fields;
use crate::otlp::{Encoding, Signal};

/// Records in `body`.
pub(super) fn records(signal: Signal, encoding: Encoding, body: &[u8]) -> u64 {
    match encoding {
        Encoding::Protobuf => below(body, path(signal)),
        Encoding::Json => in_json(signal, body),
    }
}

/// The field numbers that lead to the records: resources, scopes, records; points for metrics.
fn path(signal: Signal) -> &'static [&'static [u64]] {
    match signal {
        Signal::Logs | Signal::Traces => &[&[1], &[2], &[2]],
        // gauge, sum, histogram, exponential histogram, summary
        Signal::Metrics => &[&[1], &[2], &[2], &[5, 7, 9, 10, 11], &[1]],
    }
}

fn below(message: &[u8], path: &[&[u64]]) -> u64 {
    let Some((numbers, deeper)) = path.split_first() else { return 1 };
    // Wire type 2: bytes with a length.
    let inner = Fields(message).flatten().filter(|(tag, _)| tag & 7 == 2 && numbers.contains(&(tag >> 3)));
    inner.map(|(_, value)| below(value, deeper)).sum()
}

/// In JSON, records are counted by the key that every one of its kind is written with: about right, and exact for the
/// writers of the SDKs and the Collector.
fn in_json(signal: Signal, body: &[u8]) -> u64 {
    let count = |key: &str| memmem::find_iter(body, key).count() as u64;
    match signal {
        Signal::Logs => count("\"body\"").max(count("\"timeUnixNano\"")).max(count("\"observedTimeUnixNano\"")),
        Signal::Traces => count("\"startTimeUnixNano\""),
        Signal::Metrics => count("\"timeUnixNano\""),
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    use opentelemetry_proto::tonic::metrics::v1::{
        Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
    };
    use prost::Message;

    use super::*;

    #[test]
    fn log_records_are_counted_in_both_encodings() {
        let record = LogRecord { time_unix_nano: 7, ..LogRecord::default() };
        let scope = ScopeLogs { log_records: vec![record; 3], ..ScopeLogs::default() };
        let resource = ResourceLogs { scope_logs: vec![scope; 2], ..ResourceLogs::default() };
        let batch = ExportLogsServiceRequest { resource_logs: vec![resource; 2] };
        assert_eq!(records(Signal::Logs, Encoding::Protobuf, &batch.encode_to_vec()), 12);
        assert_eq!(records(Signal::Logs, Encoding::Json, &serde_json::to_vec(&batch).unwrap()), 12);
    }

    #[test]
    fn data_points_are_counted_and_not_metrics() {
        let gauge = Gauge { data_points: vec![NumberDataPoint { time_unix_nano: 7, ..Default::default() }; 5] };
        let metric = Metric { data: Some(Data::Gauge(gauge)), name: "cpu".into(), ..Metric::default() };
        let scope = ScopeMetrics { metrics: vec![metric; 2], ..ScopeMetrics::default() };
        let resource = ResourceMetrics { scope_metrics: vec![scope], ..ResourceMetrics::default() };
        let batch = ExportMetricsServiceRequest { resource_metrics: vec![resource] };
        assert_eq!(records(Signal::Metrics, Encoding::Protobuf, &batch.encode_to_vec()), 10);
        assert_eq!(records(Signal::Metrics, Encoding::Json, &serde_json::to_vec(&batch).unwrap()), 10);
    }

    #[test]
    fn malformed_bytes_are_counted_as_far_as_they_go() {
        assert_eq!(records(Signal::Logs, Encoding::Protobuf, b"\x0a\xff\xff\xff\xff\x0fnot a batch"), 0);
    }
}

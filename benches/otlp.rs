//! OTLP messages in memory on one core: rewriting against what decoding and encoding with prost alone costs, for clean batches
//! and for one with a secret in a record of ten. A wrong answer fails the benchmark.
//!
//! `cargo bench --bench otlp`; the ratio to prost of the same run is what counts.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use inkout::engine::{Engine, Limits, Policy};
use inkout::otlp::{self, Encoding, Signal};
use inkout::rules::{Catalog, generator};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Histogram, HistogramDataPoint, Metric, ResourceMetrics, ScopeMetrics, metric::Data,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

/// Records of a batch: what an exporter sends at a time by default.
const RECORDS: u64 = 512;

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn number(key: &str, value: i64) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::IntValue(value)) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn resource() -> Option<Resource> {
    let attributes = vec![
        text("service.name", "checkout"),
        text("service.version", "4.18.2"),
        text("k8s.pod.name", "checkout-7d4b9c6f5-x2x8z"),
        text("k8s.namespace.name", "shop"),
        text("cloud.region", "eu-west-1"),
        text("telemetry.sdk.language", "go"),
    ];
    Some(Resource { attributes, ..Resource::default() })
}

fn scope() -> Option<InstrumentationScope> {
    let name = "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp".to_owned();
    Some(InstrumentationScope { name, version: "0.63.0".to_owned(), ..InstrumentationScope::default() })
}

/// What an HTTP server says of a request.
fn request(n: u64) -> Vec<KeyValue> {
    vec![
        text("http.request.method", ["GET", "POST", "PUT"][n as usize % 3]),
        text("url.path", &format!("/api/v1/orders/{}", 10_000 + n * 7)),
        text("url.full", &format!("https://shop.example.com/api/v1/orders/{}?page={}&lang=en", 10_000 + n * 7, n % 9)),
        number("http.response.status_code", 200 + (n as i64 % 3)),
        text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        text("client.address", &format!("10.0.{}.{}", n % 250, n * 3 % 250)),
        number("http.response.body.size", 1000 + (n as i64 * 37) % 9000),
        text("network.protocol.version", "1.1"),
    ]
}

fn id(n: u64, len: usize) -> Vec<u8> {
    let mixed = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed.to_le_bytes().iter().chain(&mixed.rotate_left(17).to_be_bytes()).take(len).copied().collect()
}

fn logs(secret_every: u64) -> Bytes {
    let record = |n: u64| {
        let body = match n {
            n if secret_every > 0 && n.is_multiple_of(secret_every) => {
                let token = generator::expand("{alnum:24}", n).expect("a template");
                format!("signed in ada{n} with password={token} from 10.0.0.{}", n % 250)
            }
            n => format!(
                "order {n} packed in {}ms by worker-{} after 2 of 3 checks, 12 items left in zone B",
                n * 13 % 400,
                n % 16
            ),
        };
        LogRecord {
            time_unix_nano: 1_790_000_000_000_000_000 + n * 1_000_003,
            observed_time_unix_nano: 1_790_000_000_000_500_000 + n * 1_000_003,
            severity_number: 9,
            severity_text: "INFO".to_owned(),
            body: Some(AnyValue { value: Some(Value::StringValue(body)) }),
            attributes: request(n),
            trace_id: id(n, 16),
            span_id: id(n * 3, 8),
            ..LogRecord::default()
        }
    };
    let log_records = (0..RECORDS).map(record).collect();
    let scope_logs = vec![ScopeLogs { scope: scope(), log_records, schema_url: String::new() }];
    let resource_logs = vec![ResourceLogs { resource: resource(), scope_logs, schema_url: String::new() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec().into()
}

fn traces() -> Bytes {
    let span = |n: u64| Span {
        trace_id: id(n / 5, 16),
        span_id: id(n, 8),
        parent_span_id: id(n / 5, 8),
        name: "GET /api/v1/orders/{id}".to_owned(),
        kind: 2,
        start_time_unix_nano: 1_790_000_000_000_000_000 + n * 1_000_003,
        end_time_unix_nano: 1_790_000_000_004_000_000 + n * 1_000_003,
        attributes: request(n),
        status: Some(Status::default()),
        ..Span::default()
    };
    let scope_spans =
        vec![ScopeSpans { scope: scope(), spans: (0..RECORDS).map(span).collect(), schema_url: String::new() }];
    let resource_spans = vec![ResourceSpans { resource: resource(), scope_spans, schema_url: String::new() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}

fn metrics() -> Bytes {
    let point = |n: u64| HistogramDataPoint {
        attributes: request(n).into_iter().take(4).collect(),
        start_time_unix_nano: 1_790_000_000_000_000_000,
        time_unix_nano: 1_790_000_060_000_000_000,
        count: n * 17,
        sum: Some(n as f64 * 3.7),
        bucket_counts: (0..16).map(|bucket| n * bucket % 100).collect(),
        explicit_bounds: (1..16).map(|bucket| f64::from(bucket) * 0.05).collect(),
        ..HistogramDataPoint::default()
    };
    let data =
        Data::Histogram(Histogram { data_points: (0..RECORDS).map(point).collect(), aggregation_temporality: 2 });
    let metric = Metric {
        name: "http.server.request.duration".to_owned(),
        description: "Duration of HTTP server requests.".to_owned(),
        unit: "s".to_owned(),
        data: Some(data),
        ..Metric::default()
    };
    let scope_metrics = vec![ScopeMetrics { scope: scope(), metrics: vec![metric], schema_url: String::new() }];
    let resource_metrics = vec![ResourceMetrics { resource: resource(), scope_metrics, schema_url: String::new() }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec().into()
}

fn prost(signal: Signal, body: &Bytes) -> Vec<u8> {
    match signal {
        Signal::Logs => ExportLogsServiceRequest::decode(body.clone()).expect("a message").encode_to_vec(),
        Signal::Traces => ExportTraceServiceRequest::decode(body.clone()).expect("a message").encode_to_vec(),
        Signal::Metrics => ExportMetricsServiceRequest::decode(body.clone()).expect("a message").encode_to_vec(),
    }
}

fn json(body: &Bytes) -> Bytes {
    serde_json::to_vec(&ExportLogsServiceRequest::decode(body.clone()).expect("a message")).expect("JSON").into()
}

fn bench(criterion: &mut Criterion) {
    let engine =
        Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default()).expect("built-in rules compile");
    let mut scratch = engine.scratch();
    let limits = otlp::Limits::default();
    let dirty = logs(10);
    let cases = [
        ("clean logs", Signal::Logs, Encoding::Protobuf, logs(0), 0),
        ("clean traces", Signal::Traces, Encoding::Protobuf, traces(), 0),
        ("clean metrics", Signal::Metrics, Encoding::Protobuf, metrics(), 0),
        ("logs, 1 secret in 10", Signal::Logs, Encoding::Protobuf, dirty.clone(), RECORDS.div_ceil(10)),
        ("clean logs, JSON", Signal::Logs, Encoding::Json, json(&logs(0)), 0),
        ("logs, 1 secret in 10, JSON", Signal::Logs, Encoding::Json, json(&dirty), RECORDS.div_ceil(10)),
    ];
    for (name, signal, encoding, body, secrets) in cases {
        let (masked, tally) = otlp::redact(&engine, &mut scratch, signal, encoding, &limits, &body).expect("a message");
        assert_eq!(tally.total(), secrets, "{name}");
        assert_eq!(masked.as_bytes() == &body[..], secrets == 0, "{name}");
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(body.len() as u64)).sample_size(30);
        group.bench_function("rewrite", |bencher| {
            bencher.iter(|| {
                black_box(otlp::redact(&engine, &mut scratch, signal, encoding, &limits, &body)).expect("a message")
            });
        });
        if encoding == Encoding::Protobuf {
            group.bench_function("prost", |bencher| bencher.iter(|| black_box(prost(signal, &body))));
        }
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);

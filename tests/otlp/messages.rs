//! Messages thrown together from what telemetry is made of, and what must hold for each of them: both encodings say what the
//! model says, nothing but findings changes, and the survey never hides one.

use inkout::engine::Policy;
use inkout::otlp::Encoding;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics,
    metric::Data,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::Event, span::Link};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use crate::model;
use crate::support::{Decoded, Worker, decoded, decoded_json, made};

const KEYS: [&str; 34] = [
    "password",
    "pin",
    "db.pwd",
    "pass",
    "http.request.header.authorization",
    "http.response.header.set-cookie",
    "apiKey",
    "credentials",
    "credentials.user",
    "user",
    "region",
    "token",
    "gen_ai.usage.input_tokens",
    "url.full",
    "url.query",
    "name",
    "key",
    "value",
    "values",
    "content",
    "db.query.text",
    "process.command_args",
    "session.id",
    "a",
    "",
    "é",
    "pass%77ord",
    "password policy",
    "otp",
    "x-api-key",
    "token_type",
    "PWD",
    "metadata",
    "traceId",
];
const WORDS: [&str; 24] = [
    "ok",
    "true",
    "null",
    "4096",
    "12",
    "--password",
    "--token",
    "-pin",
    "authorization",
    "Bearer abc123def",
    "pin",
    "/home/x",
    "https://h/a?sig=a1b2&x=1",
    "X-Amz-Signature=0f&b=1",
    "postgres://u:p4ss@h/db",
    "{\"password\":\"x1\"}",
    "${TOKEN}",
    "sid=a1b2; Path=/",
    "pwd=a1b2c3 x",
    "café ☕",
    "line\nnext \"quoted\" \\ back",
    "%70assword=a1b2c3",
    "[REDACTED:token]",
    "\u{1f600}\u{7f}\u{1}",
];

fn text() -> BoxedStrategy<String> {
    prop_oneof![
        4 => select(&WORDS[..]).prop_map(str::to_owned),
        2 => (select(&WORDS[..]), select(&KEYS[..]), select(&WORDS[..])).prop_map(|(a, b, c)| format!("{a} {b}={c}")),
        1 => any::<u64>().prop_map(|seed| made("ghp_{alnum:36}", seed)),
        1 => any::<u64>().prop_map(|seed| format!("token: \"{}\"", made("{alnum:30}", seed))),
        1 => "[ -~]{0,24}",
        1 => "\\PC{0,12}",
    ]
    .boxed()
}

fn key() -> BoxedStrategy<String> {
    prop_oneof![6 => select(&KEYS[..]).prop_map(str::to_owned), 1 => text()].boxed()
}

fn any_value() -> BoxedStrategy<AnyValue> {
    let bytes = prop_oneof![text().prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 0..20)];
    let leaf = prop_oneof![
        6 => text().prop_map(Value::StringValue),
        1 => any::<bool>().prop_map(Value::BoolValue),
        2 => any::<i64>().prop_map(Value::IntValue),
        1 => (-1000..1000i32).prop_map(|number| Value::DoubleValue(f64::from(number) / 8.0)),
        1 => bytes.prop_map(Value::BytesValue),
    ];
    let leaf = prop_oneof![20 => leaf.prop_map(Some), 1 => Just(None)].prop_map(|value| AnyValue { value });
    leaf.prop_recursive(4, 24, 5, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..5);
        let pair = (key(), prop::option::weighted(0.95, inner));
        let pairs =
            prop::collection::vec(pair.prop_map(|(key, value)| KeyValue { key, value, ..KeyValue::default() }), 0..5);
        prop_oneof![
            list.prop_map(|values| AnyValue { value: Some(Value::ArrayValue(ArrayValue { values })) }),
            pairs.prop_map(|values| AnyValue { value: Some(Value::KvlistValue(KeyValueList { values })) }),
        ]
    })
    .boxed()
}

fn attributes() -> BoxedStrategy<Vec<KeyValue>> {
    let pair = (key(), any_value());
    let pair = pair.prop_map(|(key, value)| KeyValue { key, value: Some(value), ..KeyValue::default() });
    prop::collection::vec(pair, 0..5).boxed()
}

fn resource() -> BoxedStrategy<Option<Resource>> {
    prop::option::of(attributes().prop_map(|attributes| Resource { attributes, ..Resource::default() })).boxed()
}

fn scope() -> BoxedStrategy<Option<InstrumentationScope>> {
    let scope = (text(), text(), attributes());
    let scope = scope.prop_map(|(name, version, attributes)| InstrumentationScope {
        name,
        version,
        attributes,
        ..InstrumentationScope::default()
    });
    prop::option::of(scope).boxed()
}

fn id(len: usize) -> BoxedStrategy<Vec<u8>> {
    prop_oneof![9 => prop::collection::vec(any::<u8>(), len), 1 => Just(Vec::new())].boxed()
}

fn logs() -> BoxedStrategy<Decoded> {
    let record = (prop::option::of(any_value()), attributes(), text(), text(), id(16), id(8), any::<u64>());
    let record =
        record.prop_map(|(body, attributes, severity_text, event_name, trace_id, span_id, time_unix_nano)| LogRecord {
            body,
            attributes,
            severity_text,
            event_name,
            trace_id,
            span_id,
            time_unix_nano,
            ..LogRecord::default()
        });
    (resource(), scope(), text(), prop::collection::vec(record, 0..4))
        .prop_map(|(resource, scope, schema_url, log_records)| {
            let scope_logs = vec![ScopeLogs { scope, log_records, schema_url: schema_url.clone() }];
            Decoded::Logs(ExportLogsServiceRequest {
                resource_logs: vec![ResourceLogs { resource, scope_logs, schema_url }],
            })
        })
        .boxed()
}

fn traces() -> BoxedStrategy<Decoded> {
    let event = (text(), attributes()).prop_map(|(name, attributes)| Event { name, attributes, ..Event::default() });
    let link = (text(), attributes(), id(16), id(8)).prop_map(|(trace_state, attributes, trace_id, span_id)| Link {
        trace_state,
        attributes,
        trace_id,
        span_id,
        ..Link::default()
    });
    let lists = (prop::collection::vec(event, 0..3), prop::collection::vec(link, 0..3));
    let span = (text(), text(), attributes(), lists, text(), id(16), id(8));
    let span = span.prop_map(|(name, trace_state, attributes, (events, links), message, trace_id, span_id)| Span {
        name,
        trace_state,
        attributes,
        events,
        links,
        status: Some(Status { message, code: 2 }),
        parent_span_id: span_id.clone(),
        trace_id,
        span_id,
        ..Span::default()
    });
    (resource(), scope(), text(), prop::collection::vec(span, 0..3))
        .prop_map(|(resource, scope, schema_url, spans)| {
            let scope_spans = vec![ScopeSpans { scope, spans, schema_url: schema_url.clone() }];
            Decoded::Traces(ExportTraceServiceRequest {
                resource_spans: vec![ResourceSpans { resource, scope_spans, schema_url }],
            })
        })
        .boxed()
}

fn metrics() -> BoxedStrategy<Decoded> {
    let exemplar = (attributes(), id(8), id(16)).prop_map(|(filtered_attributes, span_id, trace_id)| Exemplar {
        filtered_attributes,
        span_id,
        trace_id,
        ..Exemplar::default()
    });
    let point = (attributes(), prop::collection::vec(exemplar, 0..2), any::<u64>());
    let gauge = prop::collection::vec(point.clone(), 0..3).prop_map(|points| {
        let point = |(attributes, exemplars, time_unix_nano)| NumberDataPoint {
            attributes,
            exemplars,
            time_unix_nano,
            ..NumberDataPoint::default()
        };
        Data::Gauge(Gauge { data_points: points.into_iter().map(point).collect() })
    });
    let histogram = prop::collection::vec(point, 0..3).prop_map(|points| {
        let point = |(attributes, exemplars, count)| HistogramDataPoint {
            attributes,
            exemplars,
            count,
            bucket_counts: vec![count, 4_242_424_242_424_242],
            explicit_bounds: vec![0.5, 1e9],
            ..HistogramDataPoint::default()
        };
        Data::Histogram(Histogram { data_points: points.into_iter().map(point).collect(), aggregation_temporality: 1 })
    });
    let metric = (text(), text(), text(), attributes(), prop_oneof![gauge, histogram]);
    let metric = metric.prop_map(|(name, description, unit, metadata, data)| Metric {
        name,
        description,
        unit,
        metadata,
        data: Some(data),
    });
    (resource(), scope(), prop::collection::vec(metric, 0..3))
        .prop_map(|(resource, scope, metrics)| {
            let scope_metrics = vec![ScopeMetrics { scope, metrics, schema_url: String::new() }];
            let resource_metrics = vec![ResourceMetrics { resource, scope_metrics, schema_url: String::new() }];
            Decoded::Metrics(ExportMetricsServiceRequest { resource_metrics })
        })
        .boxed()
}

/// A request of any signal.
pub(crate) fn request() -> BoxedStrategy<Decoded> {
    prop_oneof![logs(), traces(), metrics()].boxed()
}

/// Runs `check` over random requests: more of them when `INKOUT_CASES` says how many.
fn for_all(check: impl Fn(Decoded) -> Result<(), TestCaseError>) {
    let cases = std::env::var("INKOUT_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(1500);
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::with_cases(cases), rng);
    runner.run(&request(), check).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn protobuf_is_redacted_as_the_model_says() {
    let worker = Worker::new(Policy::default());
    for_all(|request| {
        let (out, _) = worker.redact(request.signal(), Encoding::Protobuf, &request.protobuf()).expect("a message");
        let expected = model::redacted(&worker, &request);
        prop_assert_eq!(&decoded(request.signal(), &out).expect("a message"), &expected);
        // Prost writes a message as we do: the bytes are the same too.
        prop_assert_eq!(out, expected.protobuf());
        Ok(())
    });
}

#[test]
fn json_is_redacted_as_the_model_says() {
    let worker = Worker::new(Policy::default());
    for_all(|request| {
        let body = request.json();
        prop_assume!(decoded_json(request.signal(), &body).is_ok_and(|same| same == request));
        let (out, _) = worker.redact(request.signal(), Encoding::Json, &body).expect("a message");
        let expected = model::redacted(&worker, &request);
        prop_assert_eq!(
            decoded_json(request.signal(), &out).expect("a message"),
            expected,
            "{}",
            String::from_utf8_lossy(&out)
        );
        Ok(())
    });
}

#[test]
fn redacting_twice_is_redacting_once() {
    let worker = Worker::new(Policy::default());
    for_all(|request| {
        for (encoding, body) in [(Encoding::Protobuf, request.protobuf()), (Encoding::Json, request.json())] {
            let (once, _) = worker.redact(request.signal(), encoding, &body).expect("a message");
            let (twice, _) = worker.redact(request.signal(), encoding, &once).expect("a message");
            prop_assert_eq!(String::from_utf8_lossy(&twice), String::from_utf8_lossy(&once));
        }
        Ok(())
    });
}

#[test]
fn a_survey_hides_nothing() {
    let (worker, tireless) = (Worker::new(Policy::default()), Worker::tireless());
    for_all(|request| {
        for (encoding, body) in [(Encoding::Protobuf, request.protobuf()), (Encoding::Json, request.json())] {
            let (out, tally) = worker.redact(request.signal(), encoding, &body).expect("a message");
            let (all, counted) = tireless.redact(request.signal(), encoding, &body).expect("a message");
            prop_assert_eq!(&out, &all);
            prop_assert_eq!(tally.findings, counted.findings);
            prop_assert!(out != body || out.as_ptr() == body.as_ptr(), "a clean message is the same memory");
        }
        Ok(())
    });
}

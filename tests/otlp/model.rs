//! What the rewriter does, said on decoded messages: the specification it is compared with. No wire, no offsets, no survey.

use inkout::engine::{Number, Scope, SecretKey, Tally};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, NumberDataPoint, metric::Data};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::support::{Decoded, Worker};

const URLS: [&str; 4] = ["url.full", "url.query", "http.url", "url.original"];

#[derive(Clone, Copy, Default)]
struct Around {
    scope: Scope,
    inherited: Option<SecretKey>,
}

/// What is to come out of `request`.
pub(crate) fn redacted(worker: &Worker, request: &Decoded) -> Decoded {
    let mut request = request.clone();
    match &mut request {
        Decoded::Logs(logs) => {
            for logs in &mut logs.resource_logs {
                resource(worker, &mut logs.resource);
                text(worker, &mut logs.schema_url);
                for logs in &mut logs.scope_logs {
                    scope(worker, &mut logs.scope);
                    text(worker, &mut logs.schema_url);
                    for record in &mut logs.log_records {
                        text(worker, &mut record.severity_text);
                        text(worker, &mut record.event_name);
                        attributes(worker, &mut record.attributes);
                        record.body.iter_mut().for_each(|body| any(worker, body, Around::default()));
                    }
                }
            }
        }
        Decoded::Traces(traces) => {
            for spans in &mut traces.resource_spans {
                resource(worker, &mut spans.resource);
                text(worker, &mut spans.schema_url);
                for spans in &mut spans.scope_spans {
                    scope(worker, &mut spans.scope);
                    text(worker, &mut spans.schema_url);
                    for span in &mut spans.spans {
                        text(worker, &mut span.name);
                        text(worker, &mut span.trace_state);
                        attributes(worker, &mut span.attributes);
                        span.status.iter_mut().for_each(|status| text(worker, &mut status.message));
                        for event in &mut span.events {
                            text(worker, &mut event.name);
                            attributes(worker, &mut event.attributes);
                        }
                        for link in &mut span.links {
                            text(worker, &mut link.trace_state);
                            attributes(worker, &mut link.attributes);
                        }
                    }
                }
            }
        }
        Decoded::Metrics(metrics) => {
            for metrics in &mut metrics.resource_metrics {
                resource(worker, &mut metrics.resource);
                text(worker, &mut metrics.schema_url);
                for metrics in &mut metrics.scope_metrics {
                    scope(worker, &mut metrics.scope);
                    text(worker, &mut metrics.schema_url);
                    for metric in &mut metrics.metrics {
                        text(worker, &mut metric.name);
                        text(worker, &mut metric.description);
                        text(worker, &mut metric.unit);
                        attributes(worker, &mut metric.metadata);
                        metric.data.iter_mut().for_each(|data| points(worker, data));
                    }
                }
            }
        }
    }
    request
}

fn points(worker: &Worker, data: &mut Data) {
    let numbers = |points: &mut [NumberDataPoint]| {
        for point in points {
            attributes(worker, &mut point.attributes);
            exemplars(worker, &mut point.exemplars);
        }
    };
    match data {
        Data::Gauge(gauge) => numbers(&mut gauge.data_points),
        Data::Sum(sum) => numbers(&mut sum.data_points),
        Data::Histogram(histogram) => histogram.data_points.iter_mut().for_each(|point| {
            attributes(worker, &mut point.attributes);
            exemplars(worker, &mut point.exemplars);
        }),
        Data::ExponentialHistogram(histogram) => histogram.data_points.iter_mut().for_each(|point| {
            attributes(worker, &mut point.attributes);
            exemplars(worker, &mut point.exemplars);
        }),
        Data::Summary(summary) => {
            summary.data_points.iter_mut().for_each(|point| attributes(worker, &mut point.attributes));
        }
    }
}

fn exemplars(worker: &Worker, exemplars: &mut [Exemplar]) {
    exemplars.iter_mut().for_each(|exemplar| attributes(worker, &mut exemplar.filtered_attributes));
}

fn resource(worker: &Worker, resource: &mut Option<Resource>) {
    if let Some(resource) = resource {
        attributes(worker, &mut resource.attributes);
        for entity in &mut resource.entity_refs {
            text(worker, &mut entity.schema_url);
            text(worker, &mut entity.r#type);
            entity.id_keys.iter_mut().chain(&mut entity.description_keys).for_each(|key| text(worker, key));
        }
    }
}

fn scope(worker: &Worker, scope: &mut Option<InstrumentationScope>) {
    if let Some(scope) = scope {
        text(worker, &mut scope.name);
        text(worker, &mut scope.version);
        attributes(worker, &mut scope.attributes);
    }
}

fn text(worker: &Worker, text: &mut String) {
    scoped(worker, text, Scope::default());
}

fn scoped(worker: &Worker, text: &mut String, scope: Scope) {
    if let Some(masked) = bytes(worker, text.as_bytes(), scope) {
        *text = String::from_utf8(masked).expect("UTF-8 stays UTF-8");
    }
}

fn bytes(worker: &Worker, value: &[u8], scope: Scope) -> Option<Vec<u8>> {
    worker.engine.redact_field(&mut worker.scratch.borrow_mut(), scope, value, &mut Tally::default())
}

fn secret(worker: &Worker, name: &str) -> Option<SecretKey> {
    worker.engine.secret_key(&mut worker.scratch.borrow_mut(), name.as_bytes())
}

/// The key that a text names by itself.
fn named(worker: &Worker, value: Option<&AnyValue>) -> Option<SecretKey> {
    let Some(AnyValue { value: Some(Value::StringValue(text)) }) = value else { return None };
    let plain = text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if plain { secret(worker, text) } else { None }
}

fn attributes(worker: &Worker, attributes: &mut [KeyValue]) {
    attributes.iter_mut().for_each(|pair| attribute(worker, pair, None, Around::default()));
}

fn attribute(worker: &Worker, pair: &mut KeyValue, paired: Option<SecretKey>, outer: Around) {
    let own = secret(worker, &pair.key).or(paired);
    let neutral = own.is_none() && worker.engine.is_neutral_leaf(pair.key.as_bytes());
    let key = if neutral { None } else { own.or(outer.inherited) };
    let url = outer.scope.url || URLS.contains(&pair.key.as_str());
    let around = Around { scope: Scope { key, listed: false, url }, inherited: own.or(outer.inherited) };
    text(worker, &mut pair.key);
    pair.value.iter_mut().for_each(|value| any(worker, value, around));
}

fn any(worker: &Worker, value: &mut AnyValue, around: Around) {
    let Some(inner) = &mut value.value else { return };
    match inner {
        Value::StringValue(text) => scoped(worker, text, around.scope),
        Value::BytesValue(value) => {
            if let Some(masked) = bytes(worker, value, around.scope) {
                *value = masked;
            }
        }
        Value::IntValue(_) | Value::DoubleValue(_) => {
            let scratch = &mut worker.scratch.borrow_mut();
            match worker.engine.redact_number(scratch, around.scope, b"7", &mut Tally::default()) {
                Number::Keep => {}
                Number::Text(text) => {
                    *inner = Value::StringValue(String::from_utf8(text).expect("ASCII"));
                }
                other => panic!("the default policy writes a text, not {other:?}"),
            }
        }
        Value::BoolValue(_) | Value::StringValueStrindex(_) => {}
        Value::ArrayValue(list) => elements(worker, &mut list.values, around),
        Value::KvlistValue(object) => fields(worker, &mut object.values, around),
    }
}

fn elements(worker: &Worker, values: &mut [AnyValue], around: Around) {
    let said = |value: &AnyValue| match &value.value {
        Some(Value::StringValue(text)) => text.clone(),
        _ => String::new(),
    };
    let mut before: Option<(SecretKey, bool)> = None;
    for value in values {
        let text = said(value);
        let flag = text.starts_with("--") && text[2..].starts_with(|c: char| c.is_ascii_alphabetic());
        let mut own = around;
        if let Some((key, of_flag)) =
            before.take().filter(|(_, of_flag)| around.scope.key.is_none() && !(*of_flag && flag))
        {
            own.scope = Scope { key: Some(key), listed: !of_flag, ..around.scope };
        }
        before = named(worker, Some(value)).map(|key| (key, text.starts_with('-')));
        any(worker, value, own);
    }
}

fn fields(worker: &Worker, pairs: &mut [KeyValue], around: Around) {
    let is_value = |key: &str| {
        let key = key.to_ascii_lowercase();
        key.len() <= 32 && ["value", "values", "val", "content", "default", "data"].iter().any(|end| key.ends_with(end))
    };
    let is_name = |key: &str| {
        ["name", "key", "header", "field", "param", "parameter", "variable", "attribute"]
            .contains(&key.to_ascii_lowercase().as_str())
    };
    let (mut before, mut title) = (None, None);
    for at in 0..pairs.len() {
        let names_next = pairs.get(at + 1).is_some_and(|next| is_value(&next.key));
        let outer = if names_next { Around { inherited: None, ..around } } else { around };
        let pair = &mut pairs[at];
        let paired = before.or(title).filter(|_| is_value(&pair.key));
        before = named(worker, pair.value.as_ref());
        if is_name(&pair.key) {
            title = before.or(title);
        }
        attribute(worker, pair, paired, outer);
    }
}

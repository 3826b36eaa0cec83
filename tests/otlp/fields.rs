//! A secret in every field. `fields.txt` was made by walking the protobuf descriptors (`fields.py`), not from our own table: for
//! each string and bytes field of the three signals a message with a secret there and nowhere else, in both encodings.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use inkout::engine::Policy;
use inkout::otlp::{Encoding, Signal};
use serde_json::{Value, json};

use crate::support::{Worker, decoded, field, made, varint};

/// One field, by the steps that lead to it.
struct Field {
    signal: Signal,
    path: String,
    steps: Vec<Step>,
    kind: String,
}

struct Step {
    number: u32,
    json: String,
    repeated: bool,
}

fn fields() -> Vec<Field> {
    include_str!("fields.txt").lines().map(read).collect()
}

fn read(line: &str) -> Field {
    let [signal, path, kind] = line.split(' ').collect::<Vec<_>>().try_into().expect("three words");
    let signal = match signal {
        "logs" => Signal::Logs,
        "traces" => Signal::Traces,
        "metrics" => Signal::Metrics,
        other => panic!("no signal {other}"),
    };
    let step = |step: &str| {
        let [_, number, json] = step.split(':').collect::<Vec<_>>().try_into().expect("three parts");
        let repeated = json.ends_with('*');
        Step { number: number.parse().expect("a number"), json: json.trim_end_matches('*').to_owned(), repeated }
    };
    Field { signal, path: path.to_owned(), steps: path.split('/').map(step).collect(), kind: kind.to_owned() }
}

impl Field {
    fn is_text(&self) -> bool {
        matches!(self.kind.as_str(), "string" | "bytes")
    }

    fn id_len(&self) -> Option<usize> {
        let name = &self.steps.last()?.json;
        match name.as_str() {
            "traceId" => Some(16),
            "spanId" | "parentSpanId" => Some(8),
            _ => None,
        }
    }

    /// A message in which this field holds `value` and nothing else is set.
    fn protobuf(&self, value: &[u8]) -> Bytes {
        let (last, outer) = self.steps.split_last().expect("a step");
        let inner = field(last.number, value);
        outer.iter().rev().fold(inner, |inner, step| field(step.number, &inner)).into()
    }

    fn json(&self, value: Value) -> Bytes {
        let wrap = |inner: Value, step: &Step| {
            let value = if step.repeated { json!([inner]) } else { inner };
            let mut object = serde_json::Map::new();
            object.insert(step.json.clone(), value);
            Value::Object(object)
        };
        self.steps.iter().rev().fold(value, wrap).to_string().into()
    }

    /// `value` as this field's JSON.
    fn value(&self, value: &[u8]) -> Value {
        match (self.kind.as_str(), self.id_len()) {
            ("bytes", Some(_)) => Value::String(value.iter().map(|byte| format!("{byte:02x}")).collect()),
            ("bytes", None) => STANDARD.encode(value).into(),
            _ => String::from_utf8_lossy(value).into_owned().into(),
        }
    }
}

#[test]
fn a_secret_in_any_string_or_bytes_field_is_masked_and_nothing_else_is_changed() {
    let worker = Worker::new(Policy::default());
    let (mut tried, mut masked) = (0, 0);
    for (seed, field) in fields().iter().filter(|field| field.is_text()).enumerate() {
        let secret = made("{alnum:24}", seed as u64);
        let text = format!("signed in, \"password\": \"{secret}\" é");
        let expected = worker.text(text.as_bytes());
        assert!(memchr::memmem::find(&expected, secret.as_bytes()).is_none());
        tried += 2;
        let body = field.protobuf(text.as_bytes());
        let (out, tally) = worker.redact(field.signal, Encoding::Protobuf, &body).expect("a message");
        assert_eq!(tally.total(), 1, "{}", field.path);
        assert_eq!(out, field.protobuf(&expected), "{}", field.path);
        assert!(decoded(field.signal, &out).is_ok(), "{}", field.path);
        masked += 1;
        // An id in JSON is hex; a text that stands there is no id.
        let is_id = field.id_len().is_some();
        let in_json = |text: &[u8]| if is_id { String::from_utf8_lossy(text).into() } else { field.value(text) };
        let body = field.json(in_json(text.as_bytes()));
        let (out, tally) = worker.redact(field.signal, Encoding::Json, &body).expect("a message");
        assert_eq!(tally.total(), 1, "{}", field.path);
        let same = |out: &[u8]| serde_json::from_slice::<Value>(out).expect("JSON");
        assert_eq!(same(&out), same(&field.json(in_json(&expected))), "{}", field.path);
        masked += 1;
    }
    println!("{masked} of {tried} fields masked");
    assert!(tried > 400 && masked == tried);
}

#[test]
fn a_secret_key_masks_its_value_in_every_attribute() {
    let worker = Worker::new(Policy::default());
    let mut tried = 0;
    for field in fields() {
        let Some(path) = field.path.strip_suffix("/key:1:key") else { continue };
        let (outer, steps) = (path.to_owned(), &field.steps[..field.steps.len() - 1]);
        let pair = |key: &str, value: &str| crate::support::attribute(key, value);
        let wrap = |inner: Vec<u8>| -> Bytes {
            steps.iter().rev().fold(inner, |inner, step| crate::support::field(step.number, &inner)).into()
        };
        let (out, tally) =
            worker.redact(field.signal, Encoding::Protobuf, &wrap(pair("app.pin", "1234"))).expect(&outer);
        assert_eq!((tally.total(), out), (1, wrap(pair("app.pin", "[REDACTED:pin]"))), "{outer}");
        let pair = |value: &str| json!({"key": "app.pin", "value": {"stringValue": value}});
        let attributes = Field { steps: read(&format!("logs {path} string")).steps, ..read("logs a:1:a string") };
        let (out, _) = worker.redact(field.signal, Encoding::Json, &attributes.json(pair("1234"))).expect(&outer);
        assert_eq!(out, attributes.json(pair("[REDACTED:pin]")), "{outer}");
        tried += 1;
    }
    assert!(tried > 50, "{tried}");
}

#[test]
fn ids_and_numbers_stay() {
    let worker = Worker::new(Policy::default());
    let digits = b"4242424242424242";
    for field in fields() {
        let number = match field.kind.as_str() {
            "varint" => 0,
            "fixed64" => 1,
            "fixed32" => 5,
            _ => 2,
        };
        let body = match field.id_len() {
            Some(len) => field.protobuf(&digits[..len]),
            None if number == 2 => continue,
            None => {
                let (last, outer) = field.steps.split_last().expect("a step");
                let mut inner = Vec::new();
                varint(u64::from(last.number) << 3 | number, &mut inner);
                inner.extend_from_slice(match number {
                    0 => &[0x96, 0x01][..],
                    1 => &digits[..8],
                    _ => &digits[..4],
                });
                outer.iter().rev().fold(inner, |inner, step| crate::support::field(step.number, &inner)).into()
            }
        };
        let (out, _) = worker.redact(field.signal, Encoding::Protobuf, &body).expect("a message");
        assert_eq!(out.as_ptr(), body.as_ptr(), "{}: not the same memory", field.path);
        let value = match field.id_len() {
            Some(len) => field.value(&digits[..len]),
            None => json!("4242424242424242"),
        };
        let body = field.json(value);
        let (out, _) = worker.redact(field.signal, Encoding::Json, &body).expect("a message");
        assert_eq!(out.as_ptr(), body.as_ptr(), "{}: not the same memory", field.path);
    }
}

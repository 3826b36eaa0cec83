//! What the OTLP tests share: engines, messages of one field, decoding. No expectation is written here.

use std::cell::RefCell;

use bytes::Bytes;
use inkout::engine::{Carry, Engine, Limits, Matcher, Policy, Rule, Scratch, Tally};
use inkout::otlp::{self, Encoding, Malformed, Signal};
use inkout::rules::{Catalog, generator};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

pub(crate) const SIGNALS: [Signal; 3] = [Signal::Logs, Signal::Traces, Signal::Metrics];

/// An engine and its scratch.
pub(crate) struct Worker {
    pub(crate) engine: Engine,
    pub(crate) scratch: RefCell<Scratch>,
    pub(crate) limits: otlp::Limits,
}

impl Worker {
    pub(crate) fn new(policy: Policy) -> Worker {
        Worker::of(Engine::compile(Catalog::builtin().set, policy, &Limits::default()).expect("built-in rules compile"))
    }

    pub(crate) fn of(engine: Engine) -> Worker {
        let scratch = RefCell::new(engine.scratch());
        Worker { engine, scratch, limits: otlp::Limits::default() }
    }

    /// One that looks at every field: a rule that is always scanned leaves a survey nothing to say.
    pub(crate) fn tireless() -> Worker {
        Worker::pair_under(&Policy::default(), &[]).1
    }

    /// One under `policy` with these rules in shadow, and one that looks at every field besides.
    pub(crate) fn pair_under(policy: &Policy, shadow: &[&str]) -> (Worker, Worker) {
        let mut set = Catalog::builtin().set;
        for id in shadow {
            set.rules.iter_mut().find(|rule| rule.id == *id).expect("a rule").shadow = true;
        }
        let pattern = set.rules.iter().find(|rule| matches!(rule.matcher, Matcher::Pattern(_))).expect("a pattern");
        let matcher = Matcher::Pattern("(?<secret>\\x01never\\x02{9}\\x03)".to_owned());
        let id = "tireless".to_owned();
        let rule = Rule { id, matcher, always_scan: true, validator: None, allow: Vec::new(), ..pattern.clone() };
        let mut all = set.clone();
        all.rules.push(rule);
        let of = |set| Engine::compile(set, policy.clone(), &Limits::default()).expect("rules compile");
        (Worker::of(of(set)), Worker::of(of(all)))
    }

    pub(crate) fn redact(&self, signal: Signal, encoding: Encoding, body: &Bytes) -> Result<(Bytes, Tally), Malformed> {
        let scratch = &mut self.scratch.borrow_mut();
        let (masked, tally) = otlp::redact(&self.engine, scratch, signal, encoding, &self.limits, body)?;
        Ok((masked.into_bytes(), tally))
    }

    /// A text as a record of its own.
    pub(crate) fn text(&self, text: &[u8]) -> Vec<u8> {
        let block = Bytes::copy_from_slice(text);
        let (masked, ..) = self.engine.redact(&mut self.scratch.borrow_mut(), &Carry::default(), block);
        masked.as_bytes().to_vec()
    }
}

/// `{alnum:36}` and its kin, expanded.
pub(crate) fn made(template: &str, seed: u64) -> String {
    generator::expand(template, seed).expect("a template")
}

/// A request, decoded by somebody else.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Decoded {
    Logs(ExportLogsServiceRequest),
    Traces(ExportTraceServiceRequest),
    Metrics(ExportMetricsServiceRequest),
}

pub(crate) fn decoded(signal: Signal, body: &[u8]) -> Result<Decoded, prost::DecodeError> {
    Ok(match signal {
        Signal::Logs => Decoded::Logs(Message::decode(body)?),
        Signal::Traces => Decoded::Traces(Message::decode(body)?),
        Signal::Metrics => Decoded::Metrics(Message::decode(body)?),
    })
}

pub(crate) fn decoded_json(signal: Signal, body: &[u8]) -> serde_json::Result<Decoded> {
    Ok(match signal {
        Signal::Logs => Decoded::Logs(serde_json::from_slice(body)?),
        Signal::Traces => Decoded::Traces(serde_json::from_slice(body)?),
        Signal::Metrics => Decoded::Metrics(serde_json::from_slice(body)?),
    })
}

impl Decoded {
    pub(crate) fn signal(&self) -> Signal {
        match self {
            Decoded::Logs(_) => Signal::Logs,
            Decoded::Traces(_) => Signal::Traces,
            Decoded::Metrics(_) => Signal::Metrics,
        }
    }

    pub(crate) fn protobuf(&self) -> Bytes {
        match self {
            Decoded::Logs(request) => request.encode_to_vec(),
            Decoded::Traces(request) => request.encode_to_vec(),
            Decoded::Metrics(request) => request.encode_to_vec(),
        }
        .into()
    }

    pub(crate) fn json(&self) -> Bytes {
        match self {
            Decoded::Logs(request) => serde_json::to_vec(request),
            Decoded::Traces(request) => serde_json::to_vec(request),
            Decoded::Metrics(request) => serde_json::to_vec(request),
        }
        .expect("a request is JSON")
        .into()
    }
}

/// A field behind its tag, with a length.
pub(crate) fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint(u64::from(number) << 3 | 2, &mut out);
    varint(content.len() as u64, &mut out);
    out.extend_from_slice(content);
    out
}

pub(crate) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// `content` within fields of these numbers, the outermost first.
pub(crate) fn nested(path: &[u32], content: &[u8]) -> Vec<u8> {
    path.iter().rev().fold(content.to_vec(), |inner, number| field(*number, &inner))
}

/// An attribute with a text.
pub(crate) fn attribute(key: &str, value: &str) -> Vec<u8> {
    [field(1, key.as_bytes()), field(2, &field(1, value.as_bytes()))].concat()
}

/// A request of one log record.
pub(crate) fn log_record(record: &[u8]) -> Bytes {
    nested(&[1, 2, 2], record).into()
}

/// The same in JSON.
pub(crate) fn log_record_json(record: &str) -> Bytes {
    format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{record}]}}]}}]}}"#).into()
}

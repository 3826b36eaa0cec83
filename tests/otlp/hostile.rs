//! Messages that nobody sends by accident: too deep, too many, cut, mutated. Time is never asserted; what is asserted is that
//! they end, that nothing panics, and that what cannot be looked at is masked.

use bytes::Bytes;
use inkout::engine::Policy;
use inkout::otlp::{Encoding, Signal};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use crate::messages::request;
use crate::support::{SIGNALS, Worker, attribute, decoded, field, log_record, log_record_json, varint};

const ENCODINGS: [Encoding; 2] = [Encoding::Protobuf, Encoding::Json];

/// A value within `depth` lists, written from the inside out in one buffer.
fn deep(depth: usize, inner: &[u8]) -> Vec<u8> {
    // Lengths first: each level is a tag, a length and what is within, twice.
    let mut lens = vec![inner.len()];
    let size = |len: usize| {
        let mut out = Vec::new();
        varint(len as u64, &mut out);
        1 + out.len() + len
    };
    for _ in 0..2 * depth {
        lens.push(size(lens[lens.len() - 1]));
    }
    let mut out = Vec::new();
    for level in (0..2 * depth).rev() {
        out.push(if level % 2 == 1 { 0x2a } else { 0x0a });
        varint(lens[level] as u64, &mut out);
    }
    out.extend_from_slice(inner);
    out
}

#[test]
fn a_value_nested_a_hundred_thousand_times_is_masked_from_where_it_is_too_deep() {
    let worker = Worker::new(Policy::default());
    let text = field(1, b"nothing secret");
    let body = log_record(&field(5, &deep(100_000, &text)));
    let (out, tally) = worker.redact(Signal::Logs, Encoding::Protobuf, &body).expect("a message");
    assert_eq!(tally.records_masked_whole, 1);
    assert_eq!(out, log_record(&field(5, &deep(64, &field(1, b"[REDACTED:uninspected]")))));
    let (again, tally) = worker.redact(Signal::Logs, Encoding::Protobuf, &out).expect("a message");
    assert_eq!((again, tally.records_masked_whole), (out, 1));
    let near = log_record(&field(5, &deep(63, &field(1, b"password=ab1"))));
    let (out, _) = worker.redact(Signal::Logs, Encoding::Protobuf, &near).expect("a message");
    assert_eq!(out, log_record(&field(5, &deep(63, &field(1, b"password=REDACTED.password")))));
}

#[test]
fn the_same_in_json() {
    let worker = Worker::new(Policy::default());
    let deep = |depth: usize, inner: &str| {
        let (open, close) = (r#"{"arrayValue":{"values":["#, "]}}");
        let body = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
        log_record_json(&format!(r#"{{"body":{body}}}"#))
    };
    let text = |text: &str| format!(r#"{{"stringValue":"{text}"}}"#);
    let (out, tally) = worker.redact(Signal::Logs, Encoding::Json, &deep(100_000, &text("x"))).expect("a message");
    assert_eq!((tally.records_masked_whole, out), (1, deep(64, &text("[REDACTED:uninspected]"))));
    let near = deep(63, &text("password=ab1"));
    let (out, _) = worker.redact(Signal::Logs, Encoding::Json, &near).expect("a message");
    assert_eq!(out, deep(63, &text("password=REDACTED.password")));
    for open in ["[", r#"{"a":"#, r#"{"value":"#, r#"{"value":[{"x":1,"value":"#] {
        let close: String = open
            .chars()
            .rev()
            .filter_map(|c| match c {
                '[' => Some(']'),
                '{' => Some('}'),
                _ => None,
            })
            .collect();
        let body =
            log_record_json(&format!(r#"{{"new":{}"password=ab1"{}}}"#, open.repeat(50_000), close.repeat(50_000)));
        match worker.redact(Signal::Logs, Encoding::Json, &body) {
            Ok((out, tally)) => {
                assert_eq!(tally.records_masked_whole, 1, "{open}");
                assert!(memchr::memmem::find(&out, b"=ab1").is_none());
            }
            Err(malformed) => assert_eq!(malformed.expected, "the key of each attribute before its value"),
        }
    }
}

#[test]
fn groups_within_groups_are_refused_where_they_are_too_deep() {
    let worker = Worker::new(Policy::default());
    let groups = |depth: usize| log_record(&[[0xa3u8, 0x06].repeat(depth), [0xa4u8, 0x06].repeat(depth)].concat());
    assert!(worker.redact(Signal::Logs, Encoding::Protobuf, &groups(64)).is_ok());
    let refused = worker.redact(Signal::Logs, Encoding::Protobuf, &groups(100_000)).expect_err("too deep");
    assert_eq!(refused.expected, "at most 64 groups within each other");
}

#[test]
fn ten_million_empty_attributes_are_stepped_over() {
    let worker = Worker::new(Policy::default());
    let body = log_record(&[0x32, 0x00].repeat(10_000_000));
    let (out, _) = worker.redact(Signal::Logs, Encoding::Protobuf, &body).expect("a message");
    assert_eq!(out.as_ptr(), body.as_ptr());
    let body = log_record_json(&format!(r#"{{"attributes":[{}{{}}]}}"#, "{},".repeat(10_000_000)));
    let (out, _) = worker.redact(Signal::Logs, Encoding::Json, &body).expect("a message");
    assert_eq!(out.as_ptr(), body.as_ptr());
}

#[test]
fn as_many_findings_as_fit_are_masked() {
    let worker = Worker::new(Policy::default());
    let pairs: Vec<u8> = field(6, &attribute("pin", "1")).repeat(200_000);
    let (out, tally) = worker.redact(Signal::Logs, Encoding::Protobuf, &log_record(&pairs)).expect("a message");
    assert_eq!(tally.total(), 200_000);
    assert_eq!(out, log_record(&field(6, &attribute("pin", "[REDACTED:pin]")).repeat(200_000)));
}

#[test]
fn what_is_no_message_is_refused_with_its_place_and_without_its_bytes() {
    let worker = Worker::new(Policy::default());
    let check = |encoding, body: &[u8], message: &str| {
        let refused = worker.redact(Signal::Logs, encoding, &Bytes::copy_from_slice(body)).expect_err(message);
        assert_eq!(refused.to_string(), message);
    };
    let proto = Encoding::Protobuf;
    check(proto, b"{\"resourceLogs\":[]}", "no OTLP protobuf: byte 2: expected a length within its message");
    check(proto, b"\x0a\x05abc", "no OTLP protobuf: byte 1: expected a length within its message");
    check(Encoding::Json, b"", "no OTLP JSON: byte 0: expected an object");
    check(Encoding::Json, b"\x0a\x05abc", "no OTLP JSON: byte 1: expected an object");
    check(Encoding::Json, b"{\"resourceLogs\":[}", "no OTLP JSON: byte 17: expected a value");
    check(Encoding::Json, b"{\"a\" 1}", "no OTLP JSON: byte 5: expected a colon");
    check(Encoding::Json, b"{} {}", "no OTLP JSON: byte 3: expected the end of the message");
    check(Encoding::Json, br#"{"key":"a","key":"b"}"#, "no OTLP JSON: byte 17: expected one key for each attribute");
}

/// Tries `seconds` of mutated messages when `INKOUT_FUZZ_SECONDS` asks for it, and a thousand otherwise.
#[expect(clippy::print_stdout, reason = "what a long run did, and how to repeat it")]
fn mutate(check: impl Fn(Signal, Encoding, &Bytes)) {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let seconds = std::env::var("INKOUT_FUZZ_SECONDS").ok().and_then(|text| text.parse::<u64>().ok());
    let end = seconds.map(|seconds| std::time::Instant::now() + std::time::Duration::from_secs(seconds));
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..6u8), 0..6);
    let strategy = (request(), 0..2usize, edits, any::<prop::sample::Index>());
    let rng = if seconds.is_some() { TestRng::from_seed(RngAlgorithm::ChaCha, &seed()) } else { rng };
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) };
    let mut seeds = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let mut tried = 0u64;
    loop {
        // A runner that has tried its cases is done for good.
        let mut runner = TestRunner::new_with_rng(config.clone(), seeds.new_rng());
        let done = runner.run(&strategy, |(request, encoding, edits, cut)| {
            let encoding = ENCODINGS[encoding];
            let body = if encoding == Encoding::Json { request.json() } else { request.protobuf() };
            let mut bytes = body.to_vec();
            for (at, byte, kind) in edits {
                if bytes.is_empty() {
                    break;
                }
                let at = at.index(bytes.len());
                match kind {
                    0 => bytes[at] = byte,
                    1 => bytes[at] ^= 1 << (byte % 8),
                    2 => bytes.insert(at, byte),
                    3 => drop(bytes.remove(at)),
                    4 => bytes.truncate(at),
                    _ => {
                        let from = cut.index(bytes.len());
                        let part = bytes[from.min(at)..from.max(at)].to_vec();
                        bytes.splice(at..at, part);
                    }
                }
            }
            SIGNALS.iter().for_each(|signal| check(*signal, encoding, &bytes.clone().into()));
            Ok(())
        });
        done.unwrap_or_else(|error| panic!("{error}"));
        tried += 1000;
        if end.is_none_or(|end| std::time::Instant::now() > end) {
            println!("{tried} mutated messages");
            return;
        }
    }
}

/// A seed that differs from run to run, printed so that a run can be repeated.
#[expect(clippy::print_stdout, reason = "what a long run did, and how to repeat it")]
fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    let text = std::env::var("INKOUT_FUZZ_SEED").unwrap_or_else(|_| std::process::id().to_string());
    println!("INKOUT_FUZZ_SEED={text}");
    text.bytes().zip(&mut seed).for_each(|(byte, slot)| *slot = byte);
    seed
}

#[test]
fn mutated_messages_are_refused_or_stay_messages() {
    let (worker, tireless) = (Worker::new(Policy::default()), Worker::tireless());
    mutate(|signal, encoding, body| {
        let done = worker.redact(signal, encoding, body);
        assert_eq!(tireless.redact(signal, encoding, body).map(|(out, _)| out), done.clone().map(|(out, _)| out));
        let Ok((out, _)) = done else { return };
        let (again, _) = worker.redact(signal, encoding, &out).expect("what we wrote is a message");
        match encoding {
            Encoding::Protobuf => {
                assert!(decoded(signal, body).is_err() || decoded(signal, &out).is_ok(), "no message: {body:?}");
            }
            Encoding::Json => {
                let parses = |body: &[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
                assert!(!parses(body) || parses(&out), "no JSON: {}", String::from_utf8_lossy(body));
            }
        }
        drop(again);
    });
}

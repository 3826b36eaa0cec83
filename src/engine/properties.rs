//! What holds for every haystack: redacting twice is redacting once, nothing but secrets changes, audit changes nothing, and
//! what parsed still parses. What is found is not this file's question; see `naive`.

use std::cell::RefCell;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value};

use super::haystacks::{all, engine, haystack, plain_haystack};
use super::{Action, Carry, Engine, Mode, Policy, Scratch, Tally};

/// Haystacks tried per property.
const CASES: u32 = 2000;

/// An engine and its scratch, for closures that may be called again and again.
struct Worker {
    engine: Engine,
    scratch: RefCell<Scratch>,
}

impl Worker {
    fn new(policy: Policy) -> Worker {
        let engine = engine(policy);
        let scratch = RefCell::new(engine.scratch());
        Worker { engine, scratch }
    }

    fn redact(&self, haystack: &[u8]) -> (Vec<u8>, Tally) {
        let block = Bytes::copy_from_slice(haystack);
        let (masked, _, tally) = self.engine.redact(&mut self.scratch.borrow_mut(), &Carry::default(), block);
        (masked.as_bytes().to_vec(), tally)
    }
}

fn for_all<S: Strategy>(strategy: S, check: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    // The same cases on each run: a failure is this change's.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::with_cases(CASES), rng);
    runner.run(&strategy, check).unwrap_or_else(|error| panic!("{error}"));
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn redacting_twice_is_redacting_once(policy: Policy) {
    let worker = Worker::new(policy);
    // Text that looks like another policy's placeholder may be cut by this one's, and a struck-over placeholder is another.
    let foreign = worker.engine.policy.placeholder.is_some() || worker.engine.policy.action != Action::Replace;
    let haystacks = if foreign { plain_haystack().boxed() } else { haystack().boxed() };
    for_all(haystacks, |haystack| {
        let odd = haystack.contains(&0x08) || memchr::memmem::find(&haystack, b"REDACTED").is_some();
        prop_assume!(!(foreign && odd));
        let (once, _) = worker.redact(&haystack);
        let (twice, _) = worker.redact(&once);
        prop_assert_eq!(text(&once), text(&twice), "from {:?}", text(&haystack));
        Ok(())
    });
}

#[test]
fn what_was_replaced_is_left() {
    redacting_twice_is_redacting_once(Policy::default());
    redacting_twice_is_redacting_once(all(Action::Replace));
}

#[test]
fn what_was_replaced_by_a_template_is_left() {
    for template in ["[gone]", "XXXX:{rule}:XXXX", "***"] {
        redacting_twice_is_redacting_once(Policy { placeholder: Some(template.to_owned()), ..Policy::default() });
    }
}

#[test]
fn what_was_masked_is_left() {
    redacting_twice_is_redacting_once(all(Action::Mask { keep_last: 0 }));
}

/// What a mask keeps of one value may be what the pattern of a bare neighbour begins with; in quotes it stands apart.
#[test]
fn what_was_masked_but_for_its_end_is_left() {
    let worker = Worker::new(all(Action::Mask { keep_last: 4 }));
    for_all(document(), |document| {
        let (once, _) = worker.redact(document.to_string().as_bytes());
        let (twice, _) = worker.redact(&once);
        prop_assert_eq!(text(&once), text(&twice), "from {}", document);
        Ok(())
    });
}

#[test]
fn what_was_hashed_is_left() {
    redacting_twice_is_redacting_once(all(Action::Hash));
}

/// Only where quotes mark where the value stood: behind a bare `=` what follows takes its place.
#[test]
fn what_was_removed_from_json_leaves_nothing_to_remove() {
    let worker = Worker::new(all(Action::Remove));
    for_all(document(), |document| {
        // A first word that was taken for a scheme is taken for the credential when nothing is left behind it.
        prop_assume!(!document.to_string().contains("tab\\t"));
        let (once, _) = worker.redact(document.to_string().as_bytes());
        let (twice, _) = worker.redact(&once);
        prop_assert_eq!(text(&once), text(&twice), "from {}", document);
        Ok(())
    });
}

#[test]
fn bytes_outside_the_findings_and_line_ends_are_kept() {
    let worker = Worker::new(Policy::default());
    for_all(haystack(), |haystack| {
        let spans = worker.engine.find(&mut worker.scratch.borrow_mut(), &haystack);
        let (out, tally) = worker.redact(&haystack);
        let mut rest = &out[..];
        let mut from = 0;
        for span in &spans {
            let kept = &haystack[from..span.start];
            prop_assert!(rest.starts_with(kept), "{} in {:?}", text(kept), text(&haystack));
            let mut written = Vec::new();
            worker.engine.write_span(span, &haystack[span.start..span.end], &mut written);
            rest = &rest[kept.len()..];
            prop_assert!(rest.starts_with(&written));
            rest = &rest[written.len()..];
            from = span.end;
        }
        prop_assert_eq!(rest, &haystack[from..]);
        prop_assert_eq!(tally.total(), spans.len() as u64);
        let ends = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
        prop_assert_eq!(ends(&out), ends(&haystack));
        Ok(())
    });
}

#[test]
fn audit_changes_nothing_and_counts_as_enforced() {
    let (enforced, audited) =
        (Worker::new(Policy::default()), Worker::new(Policy { mode: Mode::Audit, ..Policy::default() }));
    for_all(haystack(), |haystack| {
        let ((_, expected), (out, counted)) = (enforced.redact(&haystack), audited.redact(&haystack));
        prop_assert_eq!(&out, &haystack);
        prop_assert_eq!(&counted.findings, &expected.findings);
        Ok(())
    });
}

fn key() -> impl Strategy<Value = String> {
    select(vec![
        "password",
        "token",
        "apiKey",
        "authorization",
        "cookie",
        "secret",
        "pin",
        "credentials",
        "connection_string",
        "id",
        "msg",
        "user",
        "headers",
        "name",
        "value",
        "a b",
        "é",
        "private_key",
        "key",
        "url",
        "max_tokens",
    ])
    .prop_map(str::to_owned)
}

fn leaf() -> impl Strategy<Value = Value> {
    let texts = select(vec![
        "hunter2x",
        "x",
        "",
        "it's a \"quoted\" value",
        "back\\slash",
        "tab\tand\nline",
        "Bearer abc123def456ghi",
        "sid=abc123; Path=/",
        "a,b;c",
        "postgres://u:pw123456@h/db",
        "https://h/?token=abc123def&x=1",
        "password=hunter2x next=1",
        "token: abc123def456",
        "<token>abc</token>",
        "{not json",
        "[1, 2",
        "é\u{201c}x\u{201d}",
        "null",
        "****",
        "api_key='a1b2c3d4'",
        "Authorization: Basic dXNlcjpwYXNz",
        "\u{1b}[31mpassword\u{1b}[0m=x1y2z3",
        "-u a:b",
        "password",
        "\\",
        "\\\\\"",
        "\u{2028}",
    ]);
    prop_oneof![
        8 => texts.prop_map(Value::from),
        2 => any::<i32>().prop_map(Value::from),
        1 => (-1e9..1e9f64).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        2 => (key(), "[a-zA-Z0-9]{6,20}").prop_map(|(key, value)| Value::from(format!("{key}={value}"))),
    ]
}

fn document() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 32, 5, |inner| {
        let object = proptest::collection::vec((key(), inner.clone()), 0..5)
            .prop_map(|fields| Value::from(fields.into_iter().collect::<Map<String, Value>>()))
            .boxed();
        prop_oneof![
            6 => object.clone(),
            2 => proptest::collection::vec(inner, 0..4).prop_map(Value::from),
            // A document within a string of another.
            3 => object.prop_map(|inner| Value::from(inner.to_string())),
        ]
    })
}

/// Whether `out` has the shape of `input`: the same keys in the same order, the same lengths, and JSON where JSON stood.
fn same_shape(input: &Value, out: &Value) -> bool {
    match (input, out) {
        (Value::Object(input), Value::Object(out)) => {
            input.keys().eq(out.keys()) && input.values().zip(out.values()).all(|(input, out)| same_shape(input, out))
        }
        (Value::Array(input), Value::Array(out)) => {
            input.len() == out.len() && input.iter().zip(out).all(|(input, out)| same_shape(input, out))
        }
        (Value::String(input), Value::String(out)) => {
            let parse = |text: &str| {
                serde_json::from_str::<Value>(text).ok().filter(|value| value.is_object() || value.is_array())
            };
            // A document masked whole, as the value of a secret key, is a placeholder.
            let masked = out.starts_with("[REDACTED:") || out.starts_with("REDACTED.");
            parse(input).is_none_or(|input| masked || parse(out).is_some_and(|out| same_shape(&input, &out)))
        }
        // A number becomes a string; everything else stays what it was.
        (Value::Number(_), Value::String(text)) => text.starts_with("[REDACTED:"),
        (input, out) => input == out,
    }
}

#[test]
fn json_that_parsed_parses_to_the_same_fields() {
    let worker = Worker::new(Policy::default());
    let documents = (document(), any::<bool>(), "[a-z ]{0,9}");
    for_all(documents, |(document, spaced, head)| {
        let spelt = if spaced { document.to_string().replace("\":", "\": ") } else { document.to_string() };
        // A replacement within a string is another document; it parses all the same.
        let Ok(document) = serde_json::from_str::<Value>(&spelt) else { return Ok(()) };
        let line = format!("{head}\n{spelt}\n");
        let (out, _) = worker.redact(line.as_bytes());
        let out = text(&out);
        let json = out.split('\n').nth(1).unwrap_or_default();
        let parsed = serde_json::from_str::<Value>(json);
        prop_assert!(parsed.is_ok(), "{json} from {spelt}");
        prop_assert!(same_shape(&document, &parsed.expect("just checked")), "{json} from {spelt}");
        Ok(())
    });
}

//! What an operator's exemptions leave of a message: the same in both encodings.

use inkout::engine::{AllowEntry, Policy};
use inkout::otlp::{Encoding, Signal};
use serde_json::{Value, json};

use crate::keys::{any, any_json};
use crate::support::{Worker, attribute, field, log_record, log_record_json, made};

fn worker(allow: Vec<AllowEntry>) -> Worker {
    let worker = Worker::new(Policy { allow, ..Policy::default() });
    worker.scratch.borrow_mut().read_from("otlp");
    worker
}

fn path(path: &str) -> AllowEntry {
    AllowEntry { path: Some(path.to_owned()), ..AllowEntry::default() }
}

/// The one attribute, in protobuf.
fn protobuf(key: &str, value: &Value) -> bytes::Bytes {
    let pair = [field(1, key.as_bytes()), field(2, &any(value))].concat();
    log_record(&[field(6, &attribute("a", "b")), field(6, &pair)].concat())
}

/// The same in JSON.
fn json(key: &str, value: &Value) -> bytes::Bytes {
    let pair = json!({"key": key, "value": any_json(value)});
    log_record_json(&json!({"attributes": [{"key": "a"}, pair]}).to_string())
}

/// Checks what is left of the attribute `key`, of which `left` findings stay in the clear.
#[track_caller]
fn check(entry: AllowEntry, key: &str, before: &Value, after: &Value, left: u64) {
    let worker = worker(vec![entry]);
    for (encoding, body, expected) in [
        (Encoding::Protobuf, protobuf(key, before), protobuf(key, after)),
        (Encoding::Json, json(key, before), json(key, after)),
    ] {
        let (out, tally) = worker.redact(Signal::Logs, encoding, &body).expect("a message");
        assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&expected), "{key}");
        assert_eq!(tally.allowed.iter().map(|(_, count)| count).sum::<u64>(), left, "{key}, {}", encoding.name());
    }
}

#[test]
fn the_key_of_an_attribute_is_the_key_path_of_its_value() {
    let (secret, masked) = (json!("hunter2a"), json!("[REDACTED:password]"));
    for (entry, key, left) in [
        ("db.password", "db.password", true),
        ("db.*", "db.password", true),
        ("password", "db.password", false),
        ("db", "db.password", false),
        ("a", "db.password", false),
        ("", "db.password", false),
    ] {
        check(path(entry), key, &secret, if left { &secret } else { &masked }, left.into());
    }
    let list = json!(["hunter2a", "hunter2b"]);
    check(path("password"), "password", &list, &list, 2);
    let other = AllowEntry { rule: Some("token".to_owned()), ..path("password") };
    check(other, "password", &secret, &masked, 0);
    for (source, left) in [("otlp", true), ("stdin", false)] {
        let entry = AllowEntry { source: Some(source.to_owned()), ..path("password") };
        check(entry, "password", &secret, if left { &secret } else { &masked }, left.into());
    }
}

#[test]
fn the_keys_of_nested_values_are_joined_by_dots() {
    let nested = |value: &str| json!({"debug": {"token": value}, "other": [{"token": "hunter2b"}]});
    let masked = |a: &str, b: &str| json!({"debug": {"token": a}, "other": [{"token": b}]});
    let mark = "[REDACTED:token]";
    let (a, b) = ("hunter2a", "hunter2b");
    let before = nested(a);
    check(path("app.debug.token"), "app", &before, &masked(a, mark), 1);
    check(path("app.other.token"), "app", &before, &masked(mark, b), 1);
    check(path("app.*"), "app", &before, &masked(a, b), 2);
    // The key right beside the value names it too, as it does in a text.
    check(path("token"), "app", &before, &masked(a, b), 2);
    for none in ["debug.token", "app", "app.debug", "app.token", "app.debug.token.x", "debug"] {
        check(path(none), "app", &before, &masked(mark, mark), 0);
    }
}

#[test]
fn what_a_text_says_of_itself_counts_within_its_attribute() {
    let shaped = made("see ghp_{alnum:36}", 4);
    check(path("note"), "note", &json!(shaped), &json!(shaped), 1);
    check(path("other"), "note", &json!(shaped), &json!("see [REDACTED:github-token]"), 0);
    // What merely stands somewhere in a value is not beside its key.
    check(path("note"), "log", &json!({ "note": shaped }), &json!({"note": "see [REDACTED:github-token]"}), 0);
    let text = json!("password=hunter2a user=x");
    for (entry, left) in [("note", true), ("password", true), ("x", false)] {
        let after = if left { text.clone() } else { json!("password=REDACTED.password user=x") };
        check(path(entry), "note", &text, &after, left.into());
    }
    let inner = json!(r#"{"a":{"token":"hunter2a"}}"#);
    for (entry, left) in [("payload", true), ("a.token", true), ("token", true), ("a", false)] {
        let after = if left { inner.clone() } else { json!(r#"{"a":{"token":"[REDACTED:token]"}}"#) };
        check(path(entry), "payload", &inner, &after, left.into());
    }
}

#[test]
fn a_path_that_readers_may_take_differently_exempts_nothing() {
    let worker = worker(vec![path("note"), path("password"), path("deep*")]);
    let two_keys = [field(1, b"password"), field(1, b"note"), field(2, &field(1, b"hunter2a"))].concat();
    let (out, tally) =
        worker.redact(Signal::Logs, Encoding::Protobuf, &log_record(&field(6, &two_keys))).expect("a message");
    assert!(!String::from_utf8_lossy(&out).contains("hunter2a") && tally.allowed.is_empty());
    // Keys of what stands between an attribute's key and its value are none of the value's.
    let between = |value: &str| {
        let extra = json!({"key": "note", "value": {"stringValue": "x"}}).to_string();
        log_record_json(&format!(
            r#"{{"attributes":[{{"key":"pin.code.token","extra":{extra},"value":{{"stringValue":"{value}"}}}}]}}"#
        ))
    };
    let (out, _) = worker.redact(Signal::Logs, Encoding::Json, &between("hunter2a")).expect("a message");
    assert_eq!(out, between("[REDACTED:token]"));
    let long = format!("deep{}.password", "x".repeat(1024));
    for (encoding, body) in
        [(Encoding::Protobuf, protobuf(&long, &json!("hunter2a"))), (Encoding::Json, json(&long, &json!("hunter2a")))]
    {
        let (out, _) = worker.redact(Signal::Logs, encoding, &body).expect("a message");
        assert!(!String::from_utf8_lossy(&out).contains("hunter2a"), "{}", encoding.name());
    }
}

#[test]
fn the_keys_of_one_message_are_forgotten_in_the_next_text() {
    let worker = worker(vec![path("note")]);
    let shaped = made("see ghp_{alnum:36}", 4);
    let body = protobuf("note", &json!(shaped));
    assert_eq!(worker.redact(Signal::Logs, Encoding::Protobuf, &body).expect("a message").0, body);
    // A message that breaks off in the middle of an attribute, too.
    let broken = log_record(&field(
        6,
        &[field(1, b"note"), field(2, &[&field(1, shaped.as_bytes())[..], b"\x0f"].concat())].concat(),
    ));
    worker.redact(Signal::Logs, Encoding::Protobuf, &broken).expect_err("no message");
    assert_eq!(worker.text(shaped.as_bytes()), b"see [REDACTED:github-token]");
    let record = field(5, &field(1, shaped.as_bytes()));
    let (out, _) = worker.redact(Signal::Logs, Encoding::Protobuf, &log_record(&record)).expect("a message");
    assert!(String::from_utf8_lossy(&out).ends_with("see [REDACTED:github-token]"));
}

#[test]
fn a_value_that_is_looked_at_in_windows_stands_under_its_key() {
    let limits = inkout::engine::Limits { max_record_bytes: 4096, ..inkout::engine::Limits::default() };
    let shaped = made("ghp_{alnum:36}", 4);
    let long = format!("{shaped} {}{shaped}", "lorem ipsum ".repeat(2000));
    let body = protobuf("app", &json!({ "note": long }));
    for (entry, left) in [("app.note", 2), ("note", 0), ("other", 0)] {
        let policy = Policy { allow: vec![path(entry)], ..Policy::default() };
        let catalog = inkout::rules::Catalog::builtin().set;
        let worker = Worker::of(inkout::engine::Engine::compile(catalog, policy, &limits).expect("rules"));
        let (out, tally) = worker.redact(Signal::Logs, Encoding::Protobuf, &body).expect("a message");
        assert_eq!(String::from_utf8_lossy(&out).matches(&shaped).count(), left, "{entry}");
        assert_eq!(tally.allowed.iter().map(|(_, count)| count).sum::<u64>(), left as u64, "{entry}");
    }
}

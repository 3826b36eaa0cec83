//! What an operator's exemptions leave of a message: the same in both encodings.

use std::ops::Range;

use inkout::engine::{AllowEntry, AllowValue, HashKey, Policy, Purpose, Why};
use inkout::otlp::{Encoding, Signal};
use serde_json::{Value, json};

use crate::keys::{any, any_json};
use crate::support::{Worker, attribute, field, log_record, log_record_json, made};

fn worker(allow: Vec<AllowEntry>) -> Worker {
    let worker = Worker::new(Policy { allow, hash_key: HashKey::new(vec![7; 32]).ok(), ..Policy::default() });
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
fn a_key_that_does_not_name_the_value_is_not_beside_it() {
    let shaped = made("ghp_{alnum:36}", 4);
    let (listed, masked) = (json!({ "note": [shaped] }), json!({"note": ["[REDACTED:github-token]"]}));
    check(path("app.note"), "app", &listed, &listed, 1);
    check(path("note"), "app", &listed, &masked, 0);
    let mark = "[REDACTED:password]";
    let inherited = json!({"a": "hunter2a", "b": "hunter2b"});
    let masked = json!({"a": mark, "b": mark});
    check(path("password.a"), "password", &inherited, &json!({"a": "hunter2a", "b": mark}), 1);
    check(path("a"), "password", &inherited, &masked, 0);
    check(path("password"), "password", &inherited, &masked, 0);
    let flags = |value: &str| json!({"args": ["run", "--password", value]});
    check(path("app.args"), "app", &flags("hunter2a"), &flags("hunter2a"), 1);
    check(path("args"), "app", &flags("hunter2a"), &flags("[REDACTED:password]"), 0);
    let pair = |value: &str| json!({"name": "password", "value": value});
    check(path("app.value"), "app", &pair("hunter2a"), &pair("hunter2a"), 1);
    check(path("value"), "app", &pair("hunter2a"), &pair("[REDACTED:password]"), 0);
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
            r#"{{"attributes":[{{"key":"some.token","extra":{extra},"value":{{"stringValue":"{value}"}}}}]}}"#
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

#[test]
fn a_number_under_a_secret_key_is_exempt_as_a_text_is() {
    let rule = |id: &str| AllowEntry { rule: Some(id.to_owned()), ..AllowEntry::default() };
    let value = |value| AllowEntry { value: Some(value), ..AllowEntry::default() };
    let source = |name: &str| AllowEntry { source: Some(name.to_owned()), ..AllowEntry::default() };
    let digits = |digits: &str| value(AllowValue::Literal(digits.as_bytes().to_vec()));
    let regex = |text: &str| value(AllowValue::Regex(text.to_owned()));
    let engine = worker(Vec::new()).engine;
    let fingerprint = engine.fingerprint(Purpose::Allow, b"77").expect("a key");
    for (entry, left) in [
        (rule("password"), true),
        (rule("token"), false),
        (path("app.password"), true),
        (path("password"), true),
        (path("app"), false),
        (source("otl?"), true),
        (source("stdin"), false),
        (digits("77"), true),
        (digits("7"), false),
        (regex("[0-9]{2}"), true),
        (regex("[0-9]"), false),
        (value(AllowValue::Fingerprint(fingerprint)), true),
        (AllowEntry { path: Some("app.token".to_owned()), ..digits("77") }, false),
    ] {
        let after = if left { json!(77) } else { json!("[REDACTED:password]") };
        check(entry, "app", &json!({ "password": 77 }), &json!({ "password": after }), left.into());
    }
}

#[test]
fn a_number_is_the_same_however_it_is_written() {
    let any_double = |bits: f64| [&[0x21][..], &bits.to_le_bytes()].concat();
    let any_int = |value: i64| {
        let mut out = vec![0x18];
        crate::support::varint(value as u64, &mut out);
        out
    };
    let long_tag = [&[0x98, 0x80, 0][..], &any_int(-5)[1..]].concat();
    let doubles = ["\"doubleValue\":1500", "\"doubleValue\":1.5E+3", "\"doubleValue\":\"1500.0\""];
    let cases = [
        ("-5", vec![any_int(-5), long_tag, any_double(-5.0)], &["\"intValue\":\"-5\"", "\"intValue\":-5"][..]),
        ("1500", vec![any_double(1500.0)], &doubles),
        ("2.25", vec![any_double(2.25)], &["\"doubleValue\":2.25", "\"doubleValue\":225e-2"]),
    ];
    for (digits, values, members) in cases {
        let literal = AllowEntry { value: Some(AllowValue::Literal(digits.into())), ..AllowEntry::default() };
        let worker = worker(vec![literal]);
        let body = |value: &Vec<u8>| log_record(&field(6, &[field(1, b"password"), field(2, value)].concat()));
        let protobuf = values.iter().map(|value| (Encoding::Protobuf, body(value)));
        let pair = |member: &&str| format!(r#"{{"attributes":[{{"key":"password","value":{{{member}}}}}]}}"#);
        let json = members.iter().map(|member| (Encoding::Json, log_record_json(&pair(member))));
        for (encoding, body) in protobuf.chain(json) {
            let (out, tally) = worker.redact(Signal::Logs, encoding, &body).expect("a message");
            assert_eq!((&out, tally.allowed.len()), (&body, 1), "{digits}, {}", encoding.name());
        }
        let (out, _) = worker.redact(Signal::Logs, Encoding::Protobuf, &body(&any_int(6))).expect("a message");
        assert!(String::from_utf8_lossy(&out).ends_with("[REDACTED:password]"));
    }
}

#[test]
fn a_number_that_a_double_rounds_is_not_the_one_it_is_rounded_to() {
    for (digits, number, left) in [
        ("9007199254740992", "9007199254740992.0", true),
        ("9007199254740992", "9007199254740993.0", false),
        ("9007199254740993.0", "9007199254740993.0", true),
        ("0", "0.0", true),
        ("0", "1e-400", false),
        ("inf", "1e400", false),
    ] {
        let literal = AllowEntry { value: Some(AllowValue::Literal(digits.into())), ..AllowEntry::default() };
        for member in [format!(r#""doubleValue":{number}"#), format!(r#""doubleValue":"{number}""#)] {
            let body = log_record_json(&format!(r#"{{"attributes":[{{"key":"password","value":{{{member}}}}}]}}"#));
            let (out, tally) =
                worker(vec![literal.clone()]).redact(Signal::Logs, Encoding::Json, &body).expect("a message");
            assert_eq!((out == body, tally.allowed.len()), (left, left.into()), "{digits}, {member}");
        }
    }
}

#[test]
fn what_is_found_is_told_with_the_keys_it_stands_under() {
    let key = made("ghp_{alnum:36}", 4);
    let value = json!({
        "debug": {"token": "hunter2a"},
        "note": "x \"quoted\" password=hunter2b",
        "list": [{ "api_key": "hunter2c" }],
        (key.as_str()): {"token": "hunter2d"},
        "a key that is longer than any name would be, so that it is rather text": {"token": "hunter2e"},
    });
    // Keys in which something was found are not told, nor what stands below them.
    let expected = [
        (None, "hunter2e"),
        (Some("app.debug.token"), "hunter2a"),
        (None, key.as_str()),
        (None, "hunter2d"),
        (Some("app.list.api_key"), "hunter2c"),
        (Some("app.note"), "hunter2b"),
    ];
    let worker = worker(Vec::new());
    for (encoding, body) in [(Encoding::Protobuf, protobuf("app", &value)), (Encoding::Json, json("app", &value))] {
        worker.redact(Signal::Logs, encoding, &body).expect("a message");
        let scratch = &mut worker.scratch.borrow_mut();
        let keys = scratch.take_key_paths();
        let text = |range: Range<usize>| std::str::from_utf8(&body[range]).expect("UTF-8");
        let found = scratch.found().iter().enumerate();
        let path = |index| keys.of(index).map(|path| std::str::from_utf8(path).expect("UTF-8"));
        let told: Vec<_> = found.map(|(index, span)| (path(index), text(span.start..span.end))).collect();
        assert_eq!(told, expected, "{}", encoding.name());
        // A key in the text is told by where it stands in the message, also where the text is spelt with escapes.
        let Why::Key { start, end } = scratch.found()[5].why else { panic!("found by its key") };
        assert_eq!(text(start..end), "password", "{}", encoding.name());
        assert_eq!(scratch.take_key_paths().of(1), None, "they are taken once");
    }
}

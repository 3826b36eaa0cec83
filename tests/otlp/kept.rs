//! What is no finding is kept byte for byte, however it was written.

use inkout::engine::{Action, Category, HashKey, Mode, NumberAs, Policy};
use inkout::otlp::{Encoding, Signal};

use crate::support::{Worker, attribute, decoded, field, log_record, log_record_json, made, nested, varint};

/// Redacts a log record and returns what became of it.
#[track_caller]
fn record(worker: &Worker, record: &[u8]) -> Vec<u8> {
    let (out, _) = worker.redact(Signal::Logs, Encoding::Protobuf, &log_record(record)).expect("a message");
    let (again, _) = worker.redact(Signal::Logs, Encoding::Protobuf, &out).expect("a message");
    assert_eq!(again, out, "redacting twice changes nothing");
    out.to_vec()
}

#[track_caller]
fn check(before: &[u8], after: &[u8]) {
    assert_eq!(record(&Worker::new(Policy::default()), before), log_record(after));
}

#[track_caller]
fn check_json(before: &str, after: &str) {
    let worker = Worker::new(Policy::default());
    let (out, _) = worker.redact(Signal::Logs, Encoding::Json, &log_record_json(before)).expect("a message");
    assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&log_record_json(after)));
    let (again, _) = worker.redact(Signal::Logs, Encoding::Json, &out).expect("a message");
    assert_eq!(again, out, "redacting twice changes nothing");
}

/// A number behind its tag.
fn number(field: u32, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(u64::from(field) << 3, &mut out);
    varint(value, &mut out);
    out
}

#[test]
fn unknown_fields_order_and_duplicates_are_kept() {
    let secret = made("{alnum:20}", 1);
    let around = |value: &str| {
        [
            number(77, 300),
            field(6, &attribute("password", value)),
            field(99, b"\x00\xff unknown"),
            vec![0x49 | 0x80, 0x06, 1, 2, 3, 4, 5, 6, 7, 8],
            field(6, &attribute("b", "2")),
            field(6, &attribute("password", value)),
            field(6, &attribute("b", "1")),
            field(5, &field(1, b"first body")),
            field(5, &field(1, b"second body")),
            number(2, 9),
        ]
        .concat()
    };
    check(&around(&secret), &around("[REDACTED:password]"));
}

#[test]
fn a_varint_that_is_longer_than_it_must_be_stays_where_nothing_changes() {
    let clean = [&[0x32, 0x8b, 0x80, 0x00][..], &attribute("abc", "de")].concat();
    let dirty = |value: &str| field(6, &attribute("pin", value));
    check(&[&clean[..], &dirty("1234"), &clean].concat(), &[&clean[..], &dirty("[REDACTED:pin]"), &clean].concat());
}

#[test]
fn lengths_of_more_than_one_byte_are_written_anew_at_every_level() {
    let secret = made("{alnum:40}", 2);
    for pad in [0, 60, 90, 100, 120, 127, 128, 250, 16_300, 16_384, 40_000] {
        let pad = "x ".repeat(pad / 2) + &"y".repeat(pad % 2);
        let text = |value: &str| field(6, &attribute("note", &format!("{pad} token={value} {pad}")));
        check(&text(&secret), &text("REDACTED.token"));
    }
}

#[test]
fn an_unknown_field_is_looked_at_as_text_and_its_lengths_stay_true() {
    let secret = made("{alnum:20}", 3);
    let text = |value: &str| format!("x password={value} y");
    let flat = |value: &str| field(200, text(value).as_bytes());
    check(&flat(&secret), &flat("REDACTED.password"));
    let deep = |value: &str| {
        let inner = [field(1, b"name"), number(3, 7), field(2, text(value).as_bytes()), field(4, b"z")].concat();
        nested(&[200, 7, 3], &[field(9, b"before"), field(2, &inner), number(1, 1)].concat())
    };
    check(&deep(&secret), &deep("REDACTED.password"));
    let two = |one: &str, two: &str| {
        field(200, &[field(1, text(one).as_bytes()), number(2, 5), field(1, text(two).as_bytes())].concat())
    };
    check(&two(&secret, &secret), &two("REDACTED.password", "REDACTED.password"));
}

#[test]
fn groups_are_kept_and_looked_into() {
    let secret = made("{alnum:20}", 4);
    let group =
        |value: &str| [&[0xa3, 0x06][..], &field(1, format!("pwd={value} ").as_bytes()), &[0xa4, 0x06]].concat();
    check(&group(&secret), &group("REDACTED.password"));
}

#[test]
fn a_field_of_another_type_than_ours_is_unknown() {
    let secret = made("{alnum:20}", 5);
    // `severity_number` with a length, `body` as a number.
    let odd = |value: &str| [number(5, 1), field(8, format!("token={value};").as_bytes())].concat();
    check(&odd(&secret), &odd("REDACTED.token"));
}

#[test]
fn values_of_every_type_under_a_secret_key() {
    let secret = made("{alnum:20}", 6);
    let any = |key: &str, value: &[u8]| field(6, &[field(1, key.as_bytes()), field(2, value)].concat());
    let masked = field(1, b"[REDACTED:password]");
    check(&any("password", &field(1, secret.as_bytes())), &any("password", &masked));
    check(&any("password", &field(7, secret.as_bytes())), &any("password", &field(7, b"[REDACTED:password]")));
    check(&any("password", &number(3, 123_456)), &any("password", &masked));
    check(&any("password", &number(2, 1)), &any("password", &number(2, 1)));
    check(&any("token", &number(3, 5)), &any("token", &number(3, 5)));
    let list =
        |values: &[Vec<u8>]| any("password", &field(5, &values.iter().flat_map(|v| field(1, v)).collect::<Vec<_>>()));
    let texts = [field(1, b"one1two2"), number(2, 0), number(3, 77), field(1, b"")];
    check(&list(&texts), &list(&[masked.clone(), number(2, 0), masked, field(1, b"")]));
    let object = |values: &[(&str, &str)]| {
        any("credentials", &field(6, &values.iter().flat_map(|(k, v)| field(1, &attribute(k, v))).collect::<Vec<_>>()))
    };
    check(
        &object(&[("user", "ada"), ("region", "eu"), ("x", "a1b2c3d4"), ("password", "b")]),
        &object(&[
            ("user", "ada"),
            ("region", "eu"),
            ("x", "[REDACTED:credential]"),
            ("password", "[REDACTED:password]"),
        ]),
    );
}

#[test]
fn the_order_of_key_and_value_decides_nothing() {
    let secret = made("{alnum:20}", 7);
    let value = |value: &str| field(2, &field(1, value.as_bytes()));
    for key in ["password", "pin"] {
        let label = format!("[REDACTED:{key}]");
        let reversed = |text: &str| field(6, &[value(text), field(1, key.as_bytes())].concat());
        check(&reversed(&secret), &reversed(&label));
        let twice = |text: &str| field(6, &[field(1, b"a"), value(text), field(1, key.as_bytes())].concat());
        check(&twice(&secret), &twice(&label));
        let early = |text: &str| field(6, &[field(1, key.as_bytes()), value(text), field(1, b"a")].concat());
        check(&early(&secret), &early(&label));
        // The next field's tag is no byte that stands behind a key in text.
        let metadata = |text: &str| {
            let pair = [value(text), field(1, key.as_bytes())].concat();
            nested(&[1, 2, 2], &[field(12, &pair), field(12, &pair)].concat())
        };
        let worker = Worker::new(Policy::default());
        let (out, _) =
            worker.redact(Signal::Metrics, Encoding::Protobuf, &metadata(&secret).into()).expect("a message");
        assert_eq!(out, metadata(&label));
    }
    check_json(
        r#"{"attributes":[{"value":{"stringValue":"aB3$kkk"},"x":[{}],"key":"password"}]}"#,
        r#"{"attributes":[{"value":{"stringValue":"[REDACTED:password]"},"x":[{}],"key":"password"}]}"#,
    );
}

#[test]
fn json_keeps_its_blanks_its_order_and_its_numbers() {
    check_json(
        r#" { "new" : [ 1.50, -0, 1E5, true , null ] , "attributes" : [ { "key" : "pin" , "value" : { "stringValue" : "1234" } } ],
            "attributes":[], "body":{"stringValue":"\u00e9 \/ password=\"a\u0062c1\" \ud83d\ude00"}, "timeUnixNano":"0012"} "#,
        r#" { "new" : [ 1.50, -0, 1E5, true , null ] , "attributes" : [ { "key" : "pin" , "value" : { "stringValue" : "[REDACTED:pin]" } } ],
            "attributes":[], "body":{"stringValue":"\u00e9 \/ password=\"[REDACTED:password]\" \ud83d\ude00"}, "timeUnixNano":"0012"} "#,
    );
}

#[test]
fn unknown_json_is_looked_at_as_the_rest() {
    check_json(
        r#"{"later":{"password":"x1","list":["--token","abc"],"text":"pwd=zz9;","n":{"pin":1234,"pinned":3}}}"#,
        r#"{"later":{"password":"[REDACTED:password]","list":["--token","[REDACTED:token]"],"text":"pwd=REDACTED.password;","n":{"pin":"[REDACTED:pin]","pinned":3}}}"#,
    );
    check_json(
        r#"{"later":{"credentials":{"key":"a1","user":"ada"},"h":[{"name":"authorization","value":"Bearer a1b2"}]}}"#,
        r#"{"later":{"credentials":{"key":"[REDACTED:credential]","user":"ada"},"h":[{"name":"authorization","value":"Bearer [REDACTED:authorization]"}]}}"#,
    );
}

#[test]
fn names_that_are_spelt_with_escapes_are_the_same_names() {
    check_json(
        r#"{"attributes":[{"k\u0065y":"p\u0069n","v\u0061lue":{"stringV\u0061lue":"1234"}}]}"#,
        r#"{"attributes":[{"k\u0065y":"p\u0069n","v\u0061lue":{"stringV\u0061lue":"[REDACTED:pin]"}}]}"#,
    );
}

#[test]
fn names_in_the_spelling_of_protobuf_are_the_same_names() {
    check_json(
        r#"{"attributes":[{"key":"pin","value":{"int_value":"1234"}},{"key":"n","value":{"bytes_value":"cGFzc3dvcmQ9YWIx"}}]}"#,
        r#"{"attributes":[{"key":"pin","value":{"stringValue":"[REDACTED:pin]"}},{"key":"n","value":{"bytes_value":"cGFzc3dvcmQ9UkVEQUNURUQucGFzc3dvcmQ="}}]}"#,
    );
}

#[test]
fn a_number_under_a_secret_key_becomes_what_the_policy_says() {
    let body = number(3, 123_456);
    let pair = |value: &[u8]| field(6, &[field(1, b"pin"), field(2, value)].concat());
    let check = |policy: Policy, expected: &[u8], json: &str| {
        let worker = Worker::new(policy);
        assert_eq!(record(&worker, &pair(&body)), log_record(&pair(expected)));
        let text = r#"{"attributes":[{"key":"pin","value":{"intValue":"123456"}}]}"#;
        let (out, _) = worker.redact(Signal::Logs, Encoding::Json, &log_record_json(text)).expect("a message");
        let expected = format!(r#"{{"attributes":[{{"key":"pin","value":{json}}}]}}"#);
        assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&log_record_json(&expected)));
    };
    let number = |number| Policy { number, ..Policy::default() };
    check(number(NumberAs::String), &field(1, b"[REDACTED:pin]"), r#"{"stringValue":"[REDACTED:pin]"}"#);
    check(number(NumberAs::Null), b"", "{}");
    check(number(NumberAs::Zero), &[0x18, 0], r#"{"intValue":"0"}"#);
    check(Policy { action: Action::Keep, ..Policy::default() }, &body, r#"{"intValue":"123456"}"#);
    check(Policy { mode: Mode::Audit, ..Policy::default() }, &body, r#"{"intValue":"123456"}"#);
    let double = field(2, &[&[0x21][..], &1234.5f64.to_le_bytes()].concat());
    let zero = field(2, &[0x21, 0, 0, 0, 0, 0, 0, 0, 0]);
    let pair = |value: &[u8]| field(6, &[&field(1, b"pin")[..], value].concat());
    assert_eq!(record(&Worker::new(number(NumberAs::Zero)), &pair(&double)), log_record(&pair(&zero)));
    let worker = Worker::new(number(NumberAs::Null));
    for (before, after) in [
        (r#"{"a":true,"intValue":5,"b":null}"#, r#"{"a":true,"b":null}"#),
        (r#"{"intValue":5,"doubleValue":5.5,"b":true}"#, r#"{"b":true}"#),
        (r#"{"a":true, "intValue":5}"#, r#"{"a":true}"#),
    ] {
        let text = |value: &str| log_record_json(&format!(r#"{{"attributes":[{{"key":"pin","value":{value}}}]}}"#));
        let (out, _) = worker.redact(Signal::Logs, Encoding::Json, &text(before)).expect("a message");
        assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&text(after)), "{before}");
    }
}

#[test]
fn other_actions_write_what_they_write_elsewhere() {
    let secret = made("{alnum:24}", 8);
    let key = HashKey::new(vec![7; 16]).expect("a key");
    for action in [Action::Mask { keep_last: 4 }, Action::Hash, Action::Remove] {
        let by_category = Category::ALL.iter().map(|category| (*category, action)).collect();
        let worker = Worker::new(Policy { action, by_category, hash_key: Some(key.clone()), ..Policy::default() });
        let text = format!("\"password\":\"{secret}\"");
        let expected = worker.text(text.as_bytes());
        let out = record(&worker, &field(5, &field(1, text.as_bytes())));
        assert_eq!(out, log_record(&field(5, &field(1, &expected))));
    }
}

#[test]
fn an_audit_changes_nothing_and_counts_everything() {
    let secret = made("{alnum:24}", 9);
    let worker = Worker::new(Policy { mode: Mode::Audit, ..Policy::default() });
    let body = log_record(&field(6, &attribute("password", &secret)));
    let (out, tally) = worker.redact(Signal::Logs, Encoding::Protobuf, &body).expect("a message");
    assert_eq!((out.as_ptr(), tally.total()), (body.as_ptr(), 1));
    let found = worker.scratch.borrow().found().to_vec();
    assert_eq!(found.iter().map(|span| &body[span.start..span.end]).collect::<Vec<_>>(), [secret.as_bytes()]);
}

#[test]
fn a_value_longer_than_a_record_is_looked_at_in_windows() {
    let secret = made("{alnum:24}", 10);
    let worker = Worker::new(Policy::default());
    let pad = "lorem ipsum ".repeat(200_000);
    let text = |value: &str| format!("{pad}\"password\":\"{value}\" {pad}");
    let body = |value: &str| log_record(&field(5, &field(1, text(value).as_bytes())));
    let (out, tally) = worker.redact(Signal::Logs, Encoding::Protobuf, &body(&secret)).expect("a message");
    assert_eq!((tally.total(), out), (1, body("[REDACTED:password]")));
    assert!(decoded(Signal::Logs, &body(&secret)).is_ok());
}

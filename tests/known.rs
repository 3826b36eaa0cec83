//! Known values through the whole engine: what is written, that lines and JSON stay whole, that no message shows a value.

use std::sync::Arc;

use inkout::engine::{Carry, Engine, Known, KnownValue, Limits, Policy, Stream, Why};
use inkout::rules::Catalog;

/// Letters and digits that no rule knows.
fn letters(seed: u64, len: usize) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b"ghjkmnpqrstvwxyzGHJKMNPQRSTVWXYZ"[(state >> 33) as usize % 32])
    };
    (0..len).map(|_| next()).collect()
}

fn values(values: &[(&str, &str)]) -> Arc<Known> {
    let value =
        |(name, value): &(&str, &str)| KnownValue { name: (*name).to_owned(), value: value.as_bytes().to_vec() };
    let (known, skipped) = Known::new(values.iter().map(value).collect());
    assert!(skipped.is_empty(), "{skipped:?}");
    Arc::new(known)
}

fn compiled() -> Engine {
    Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default()).expect("built-in rules compile")
}

fn engine(known: &[(&str, &str)]) -> Engine {
    compiled().with_known(values(known), None).expect("the built-in rules have one for known values")
}

fn redact(engine: &Engine, haystack: &str) -> String {
    let block = haystack.as_bytes().to_vec().into();
    let (masked, ..) = engine.redact(&mut engine.scratch(), &Carry::default(), block);
    let once = String::from_utf8(masked.as_bytes().to_vec()).expect("placeholders are ASCII");
    let (again, ..) = engine.redact(&mut engine.scratch(), &Carry::default(), once.clone().into_bytes().into());
    assert_eq!(again.as_bytes(), once.as_bytes(), "redacting twice changes nothing");
    once
}

#[test]
fn a_known_value_is_written_as_its_place_allows() {
    let text = letters(1, 24);
    let engine = engine(&[("DB", &text)]);
    let check = |haystack: &str, expected: &str| assert_eq!(redact(&engine, &haystack.replace("{}", &text)), expected);
    check("using {} now\n", "using [REDACTED:known-value] now\n");
    check("GET /x?v={}&a=1\n", "GET /x?v=REDACTED.known-value&a=1\n");
    check(r#"{"a":"{}","b":1}"#, r#"{"a":"[REDACTED:known-value]","b":1}"#);
    check(r#"{"password":"{}"}"#, r#"{"password":"[REDACTED:known-value]"}"#);
    check("no value\r\n{}\r\n", "no value\r\n[REDACTED:known-value]\r\n");
}

#[test]
fn json_stays_json_and_lines_stay_lines() {
    let text = format!("{}\"\\\n{}\t/{}", letters(2, 20), letters(3, 20), letters(4, 20));
    let engine = engine(&[("KEY", &text)]);
    let inner = serde_json::json!({ "a": text, "n": 1 }).to_string();
    let outer = serde_json::json!({ "msg": inner, "b": [text, true] }).to_string();
    let masked = redact(&engine, &outer);
    let parsed: serde_json::Value = serde_json::from_str(&masked).expect("what parsed still parses");
    assert_eq!(parsed["b"][0], "[REDACTED:known-value]");
    let inner: serde_json::Value = serde_json::from_str(parsed["msg"].as_str().expect("a string")).expect("inner JSON");
    assert_eq!(inner, serde_json::json!({ "a": "[REDACTED:known-value]", "n": 1 }));

    let raw = format!("before\n{text}\nafter\n");
    let masked = redact(&engine, &raw);
    assert_eq!(masked, "before\n[REDACTED:known-value]\n[REDACTED:known-value]\nafter\n");
}

#[test]
fn a_value_hidden_by_colours_or_escapes_is_found() {
    let text = letters(5, 24);
    let engine = engine(&[("V", &text)]);
    let (head, tail) = text.split_at(11);
    let escaped: String = text.bytes().map(|byte| format!("\\u00{byte:02x}")).collect();
    let percent: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for hidden in [format!("{head}\x1b[1m{tail}"), format!("{head}\u{200b}{tail}"), escaped, percent] {
        let masked = redact(&engine, &format!("a {hidden} b\n"));
        assert_eq!(masked, "a [REDACTED:known-value] b\n", "{hidden:?}");
    }
}

#[test]
fn values_of_the_last_set_are_found_for_a_while_and_told_by_name() {
    let (new, old) = (letters(6, 20), letters(7, 20));
    let engine = compiled();
    let engine = engine.with_known(values(&[("NEW", &new)]), Some(values(&[("OLD", &old)]))).expect("a rule");
    let haystack = format!("{old} {new}");
    let spans = engine.find(&mut engine.scratch(), haystack.as_bytes());
    let name = |why| match why {
        Why::Known { value } => engine.known_name(value).expect("the index of a value").to_owned(),
        _ => panic!("a known value"),
    };
    assert_eq!(spans.iter().map(|span| name(span.why)).collect::<Vec<_>>(), ["OLD", "NEW"]);
    assert_eq!(engine.known_name(2), None);
    let engine = engine.with_known(values(&[("NEW", &new)]), None).expect("a rule");
    assert_eq!(redact(&engine, &haystack), format!("{old} [REDACTED:known-value]"));
}

#[test]
fn a_set_without_the_rule_is_refused() {
    let mut set = Catalog::builtin().set;
    set.rules.retain(|rule| rule.id != "known-value");
    let engine = Engine::compile(set, Policy::default(), &Limits::default()).expect("the other rules compile");
    let error = engine.with_known(values(&[("V", &letters(8, 20))]), None).expect_err("nothing to count under");
    assert_eq!(
        error.to_string(),
        "known values need a rule with grammar `known-value`; the built-in one is `known-value`"
    );
}

#[test]
fn a_stream_is_masked_however_it_is_cut() {
    let text = letters(9, 30);
    let engine = Arc::new(engine(&[("V", &text)]));
    let haystack = format!("first {text}\nsecond x={text}\n{}", &text[..20]);
    let expected = "first [REDACTED:known-value]\nsecond x=REDACTED.known-value\n[REDACTED:known-value]";
    for size in 1..haystack.len() {
        let (mut stream, mut out) = (Stream::new(engine.clone()), Vec::new());
        for chunk in haystack.as_bytes().chunks(size) {
            stream.push(chunk, |masked| out.extend_from_slice(masked.as_bytes()));
        }
        stream.finish(|masked| out.extend_from_slice(masked.as_bytes()));
        assert_eq!(String::from_utf8_lossy(&out), expected, "in pieces of {size}");
    }
}

#[test]
fn a_record_of_megabytes_is_masked_where_it_was_cut() {
    let text = letters(10, 40);
    let engine = Arc::new(engine(&[("V", &text)]));
    let filler = "lorem ipsum ".repeat(7);
    let record = std::iter::repeat_n(format!("{filler}{text} "), 20_000).collect::<String>();
    let (mut stream, mut out) = (Stream::new(engine), Vec::new());
    stream.push(record.as_bytes(), |masked| out.extend_from_slice(masked.as_bytes()));
    stream.finish(|masked| out.extend_from_slice(masked.as_bytes()));
    let expected = std::iter::repeat_n(format!("{filler}[REDACTED:known-value] "), 20_000).collect::<String>();
    assert!(out == expected.as_bytes());
}

#[test]
fn nothing_shows_a_value() {
    let text = letters(11, 24);
    let engine = engine(&[("V", &text)]);
    let spans = engine.find_all(&mut engine.scratch(), text.as_bytes());
    let shown = format!("{engine:?} {spans:?} {:?}", values(&[("V", &text)]));
    assert!(!shown.contains(&text[..6]) && shown.contains("rule"), "{shown}");
}

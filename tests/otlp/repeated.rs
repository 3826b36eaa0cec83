//! Batches as exporters send them: the same keys in the same order in record after record, and values that come again. What is
//! known of one record is never taken for another's: the bytes are those of a walk that looks at every field.

use std::cell::Cell;
use std::collections::BTreeMap;

use bytes::Bytes;
use inkout::engine::{AllowEntry, AllowValue, Mode, Policy};
use inkout::otlp::{Encoding, Signal};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use crate::support::{SIGNALS, Worker, attribute, field, made, nested, varint};

const KEYS: [&str; 14] = [
    "http.request.method",
    "url.full",
    "url.path",
    "client.address",
    "note",
    "a",
    "",
    "app.password",
    "session.token",
    "name",
    "value",
    "pass%77ord",
    "user.api_key.description.of.what.is.longer.than.thirty-two.bytes",
    "user.api_kez.description.of.what.is.longer.than.thirty-two.bytes",
];

const TEXTS: [&str; 12] = [
    "GET",
    "",
    "ok",
    "4096",
    "10.0.0.1",
    "https://shop.example/api/orders/1?page=2",
    "https://shop.example/api/orders/2?sig=a1b2c3",
    "https://ada:p4ssw0rd@shop.example/",
    "signed in with password=hunter2a1",
    "a text of more than thirty-two bytes that differs at its end: 1",
    "a text of more than thirty-two bytes that differs at its end: 2",
    "--password",
];

/// A value as an `AnyValue`, some of them as nobody writes it.
fn value() -> BoxedStrategy<Vec<u8>> {
    let number = |value: u64| {
        let mut out = vec![0x18];
        varint(value, &mut out);
        out
    };
    let text = prop_oneof![
        6 => select(&TEXTS[..]).prop_map(str::to_owned),
        1 => (0..3u64).prop_map(|seed| made("{alnum:24}", seed)),
        1 => (0..3u64).prop_map(|seed| made("key ghp_{alnum:36}", seed)),
        1 => (0..2u64).prop_map(|seed| format!("{} password=x{seed}y9 ", "long ".repeat(120))),
    ];
    let said = text.clone().prop_map(|text| field(1, text.as_bytes()));
    prop_oneof![
        8 => said.clone(),
        3 => prop_oneof![0..4u64, Just(300), Just(1 << 20), any::<u64>()].prop_map(number),
        1 => Just(vec![0x10, 1]),
        1 => Just(Vec::new()),
        1 => text.prop_map(|text| field(7, text.as_bytes())),
        1 => said.clone().prop_map(|said| field(5, &field(1, &said))),
        1 => said.clone().prop_map(|said| field(6, &field(1, &[field(1, b"password"), field(2, &said)].concat()))),
        // Two values, of which a reader takes the last; a tag and a length that are longer than they must be.
        1 => said.clone().prop_map(move |said| [number(5), said].concat()),
        1 => said.clone().prop_map(|said| [&[0x8a, 0x00], &said[1..]].concat()),
        1 => said.prop_map(|said| [said, field(99, b"token=a1b2c3d4e5")].concat()),
    ]
    .boxed()
}

/// A `KeyValue`, some of them as nobody writes it.
fn pair(key: &'static str) -> BoxedStrategy<Vec<u8>> {
    let usual = value().prop_map(move |value| [field(1, key.as_bytes()), field(2, &value)].concat());
    prop_oneof![
        12 => usual,
        1 => value().prop_map(move |value| [field(2, &value), field(1, key.as_bytes())].concat()),
        1 => value().prop_map(|value| [field(1, b"note"), field(1, b"password"), field(2, &value)].concat()),
        1 => Just(field(1, key.as_bytes())),
        1 => Just(Vec::new()),
        1 => value().prop_map(move |value| [&[0x8a, 0x00], &field(1, key.as_bytes())[1..], &field(2, &value)].concat()),
    ]
    .boxed()
}

/// What may stand in a place of a record: few attributes, so that they come again.
fn column() -> BoxedStrategy<Vec<Vec<u8>>> {
    let same = select(&KEYS[..]).prop_flat_map(|key| prop::collection::vec(pair(key), 1..5));
    let other = prop::collection::vec(select(&KEYS[..]).prop_flat_map(pair), 1..3);
    prop_oneof![4 => same, 1 => other].boxed()
}

/// A batch: which of its column each attribute is, what the body says, and what is left out; in how many resources.
fn batch() -> BoxedStrategy<(Signal, Bytes)> {
    let columns = prop::collection::vec(column(), 1..7);
    let picked = (prop::collection::vec(any::<Index>(), 7), value(), 0..14usize);
    let records = prop::collection::vec(picked, 1..24);
    // Some records have more attributes than columns are told apart.
    let width = prop_oneof![7 => Just(1), 1 => Just(12usize)];
    (columns, records, select(&SIGNALS[..]), width, 1..30usize)
        .prop_map(|(columns, records, signal, width, together)| {
            let pairs = |number: u32, picks: &[Index], left_out: usize| -> Vec<u8> {
                let places = columns.iter().zip(picks).enumerate().cycle().take(columns.len() * width);
                let places = places.filter(|(place, _)| *place != left_out);
                places.flat_map(|(_, (column, pick))| field(number, pick.get::<Vec<u8>>(column))).collect()
            };
            let resources = records.chunks(together).map(|records| {
                let (picks, ..) = &records[0];
                let resource = field(1, &pairs(1, &picks[..2], 14));
                let scope = field(1, &[field(1, b"meter"), pairs(3, &picks[..3], 14)].concat());
                let records = records.iter().map(|(picks, value, left_out)| {
                    let pairs = |number| pairs(number, picks, *left_out);
                    field(2, &record(signal, pairs, value))
                });
                let records = records.collect::<Vec<_>>().concat();
                field(1, &[resource, field(2, &[scope, records].concat())].concat())
            });
            (signal, resources.collect::<Vec<_>>().concat().into())
        })
        .boxed()
}

/// A log record, a span or a metric that has attributes wherever it may.
fn record(signal: Signal, pairs: impl Fn(u32) -> Vec<u8>, value: &[u8]) -> Vec<u8> {
    let time = [0x09, 1, 2, 3, 4, 5, 6, 7, 8];
    match signal {
        Signal::Logs => [&time[..], &pairs(6), &field(5, value)].concat(),
        Signal::Traces => {
            let event = [field(2, b"event"), field(3, &attribute("note", "token=a1b2c3d4"))].concat();
            [pairs(9), field(5, b"GET /"), field(11, &event), field(13, &pairs(4))].concat()
        }
        Signal::Metrics => {
            let exemplar = field(5, &[&time[..], &pairs(7)].concat());
            let point = field(1, &[&pairs(7)[..], &exemplar].concat());
            [field(1, b"http.duration"), field(5, &point.repeat(2)), field(9, &field(1, &pairs(9))), pairs(12)].concat()
        }
    }
}

/// Policies that leave some of what is found, each with the rules that are in shadow.
fn policies() -> Vec<(Policy, &'static [&'static str])> {
    let path = |path: &str| AllowEntry { path: Some(path.to_owned()), ..AllowEntry::default() };
    let value = AllowEntry { value: Some(AllowValue::Literal(b"hunter2a1".to_vec())), ..AllowEntry::default() };
    vec![
        (Policy::default(), &[]),
        (Policy { allow: vec![path("note"), path("app.*"), value], ..Policy::default() }, &[]),
        (Policy::default(), &["password", "github-token", "request-signature"]),
        (Policy { mode: Mode::Audit, allow: vec![path("note")], ..Policy::default() }, &["token"]),
    ]
}

#[test]
fn what_comes_again_is_redacted_as_if_it_stood_alone() {
    let workers: Vec<_> = policies().into_iter().map(|(policy, shadow)| Worker::pair_under(&policy, shadow)).collect();
    let cases = std::env::var("INKOUT_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(4000);
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::with_cases(cases), rng);
    let edits = prop::collection::vec((any::<Index>(), any::<u8>()), 0..3);
    let (found, shadowed, allowed) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let check = |((signal, body), which, edits): ((Signal, Bytes), Index, Vec<(Index, u8)>)| {
        let (worker, tireless) = which.get(&workers);
        let mut bytes = body.to_vec();
        edits.iter().for_each(|(at, byte)| *at.get_mut(&mut bytes) = *byte);
        let body = Bytes::from(bytes);
        match (worker.redact(signal, Encoding::Protobuf, &body), tireless.redact(signal, Encoding::Protobuf, &body)) {
            (Ok((out, tally)), Ok((all, counted))) => {
                prop_assert_eq!(&out, &all);
                prop_assert_eq!(&tally.findings, &counted.findings);
                prop_assert_eq!(&tally.shadowed, &counted.shadowed);
                prop_assert_eq!(&tally.allowed, &counted.allowed);
                prop_assert!(out != body || out.as_ptr() == body.as_ptr(), "a clean message is the same memory");
                found.set(found.get() + tally.total());
                shadowed.set(shadowed.get() + tally.shadowed.len());
                allowed.set(allowed.get() + tally.allowed.len());
            }
            (one, other) => prop_assert_eq!(one.map(drop), other.map(drop)),
        }
        Ok(())
    };
    runner.run(&(batch(), any::<Index>(), edits), check).unwrap_or_else(|error| panic!("{error}"));
    assert!(found.get() > 0 && shadowed.get() > 0 && allowed.get() > 0, "nothing of a kind was seen");
}

/// Checks that a batch of records that say these texts becomes one of what each text becomes alone, wherever they say it;
/// this many of them change.
#[track_caller]
fn each_becomes_what_it_is_alone(texts: &[&str], changed: usize) {
    let worker = Worker::new(Policy::default());
    let masked: BTreeMap<&str, Vec<u8>> = texts.iter().map(|text| (*text, worker.text(text.as_bytes()))).collect();
    assert_eq!(texts.iter().filter(|text| masked[*text] != text.as_bytes()).count(), changed);
    let severity: fn(&[u8]) -> Vec<u8> = |text| field(3, text);
    let body: fn(&[u8]) -> Vec<u8> = |text| field(5, &field(1, text));
    let pair: fn(&[u8]) -> Vec<u8> = |text| field(6, &[field(1, b"note"), field(2, &field(1, text))].concat());
    for (place, said) in [("severity", severity), ("body", body), ("attribute", pair)] {
        let batch = |said: &mut dyn FnMut(&str) -> Vec<u8>| -> Bytes {
            let records: Vec<_> = texts.iter().map(|text| field(2, &said(text))).collect();
            nested(&[1, 2], &records.concat()).into()
        };
        let before = batch(&mut |text| said(text.as_bytes()));
        let (out, tally) = worker.redact(Signal::Logs, Encoding::Protobuf, &before).expect("a message");
        assert!(out == batch(&mut |text| said(&masked[text])), "{place}: another batch than that of the masked texts");
        assert_eq!(tally.total(), changed as u64, "{place}");
    }
}

#[test]
fn texts_that_differ_in_their_middle_alone_are_not_taken_for_each_other() {
    let token = made("{alnum:36}", 3);
    for (harmless, secret) in [
        ("user in passwerd=hunter2a1 okay", "user in password=hunter2a1 okay"),
        (&format!("see the ghx_{token} of today"), &format!("see the ghp_{token} of today")),
        (&format!("{0}ghx_{token}{0}", " of day ".repeat(9)), &format!("{0}ghp_{token}{0}", " of day ".repeat(9))),
    ] {
        assert_eq!(harmless.len(), secret.len());
        each_becomes_what_it_is_alone(&[harmless, secret], 1);
        each_becomes_what_it_is_alone(&[secret, harmless], 1);
        each_becomes_what_it_is_alone(&[harmless, harmless, secret, secret, harmless, secret], 3);
    }
}

#[test]
fn what_comes_again_oftener_than_can_be_remembered_is_searched_again() {
    let secret = made("key ghp_{alnum:36}", 5);
    // One more than `MAX_AGAIN` of the engine, and the first, which is none.
    let mut texts = vec!["a quiet text"; (1 << 16) + 2];
    texts.extend([&secret; 3].map(String::as_str));
    each_becomes_what_it_is_alone(&texts, 3);
    texts.reverse();
    texts.extend([&secret; 2].map(String::as_str));
    each_becomes_what_it_is_alone(&texts, 5);
}

#[test]
fn a_key_that_holds_a_secret_is_masked_each_time() {
    let worker = Worker::new(Policy::default());
    let secret = made("note ghp_{alnum:36}", 6);
    for values in [["same"; 3], ["one", "two", "one"], ["one", "two", "three"]] {
        for (before, behind) in [(0, 0), (1, 1)] {
            let batch = |key: &str| -> Bytes {
                let plain = |count| field(6, &attribute("plain", "text")).repeat(count);
                let record =
                    |value: &str| field(2, &[plain(before), field(6, &attribute(key, value)), plain(behind)].concat());
                nested(&[1, 2], &values.map(record).concat()).into()
            };
            let (out, tally) = worker.redact(Signal::Logs, Encoding::Protobuf, &batch(&secret)).expect("a message");
            assert_eq!(tally.total(), 3, "{values:?}");
            assert_eq!(out, batch("note [REDACTED:github-token]"), "{values:?}");
        }
    }
}

#[test]
fn a_secret_that_comes_again_is_masked_each_time_and_only_there() {
    let worker = Worker::new(Policy::default());
    let secret = made("{alnum:24}", 7);
    let record = |note: &str, url: &str| {
        field(2, &[field(6, &attribute("note", note)), field(6, &attribute("url.full", url))].concat())
    };
    let batch = |secret: &str, signature: &str| -> Bytes {
        let (note, url) = (format!("token={secret}"), format!("https://h/a?sig={signature}"));
        let records = [
            record("quiet", "https://h/a"),
            record(&note, "https://h/a"),
            record(&note, &url),
            record("quiet", &url),
            record(&note, &url),
            record("quiet", "https://h/a"),
        ];
        nested(&[1, 2], &records.concat()).into()
    };
    let (out, tally) = worker.redact(Signal::Logs, Encoding::Protobuf, &batch(&secret, "a1b2")).expect("a message");
    assert_eq!(tally.total(), 6);
    assert_eq!(out, batch("REDACTED.token", "REDACTED.request-signature"));
}

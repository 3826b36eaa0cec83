//! Batches as exporters send them: the same keys in the same order in record after record, and values that come again. What is
//! known of one record is never taken for another's: the bytes are those of a walk that looks at every field.

use bytes::Bytes;
use inkout::engine::Policy;
use inkout::otlp::{Encoding, Signal};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use crate::support::{Worker, attribute, field, made, nested, varint};

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

/// A batch: which of its column each attribute is, what the body says, and what is left out.
fn batch() -> BoxedStrategy<(Signal, Bytes)> {
    let columns = prop::collection::vec(column(), 1..7);
    let record = (prop::collection::vec(any::<Index>(), 7), value(), 0..14usize);
    let records = prop::collection::vec(record, 1..24);
    (columns, records, any::<bool>())
        .prop_map(|(columns, records, are_logs)| {
            // Attributes of a log record and of a span, the body and the name.
            let (signal, attributes, said) = if are_logs { (Signal::Logs, 6, 5) } else { (Signal::Traces, 9, 5) };
            let records = records.iter().map(|(picks, value, left_out)| {
                let mut record = vec![0x09, 1, 2, 3, 4, 5, 6, 7, 8];
                let columns = columns.iter().zip(picks).enumerate().filter(|(place, _)| place != left_out);
                columns.for_each(|(_, (column, pick))| record.extend(field(attributes, pick.get::<Vec<u8>>(column))));
                record.extend(field(said, if are_logs { value } else { &b"GET /"[..] }));
                if !are_logs {
                    record.extend(field(
                        11,
                        &[field(2, b"event"), field(3, &attribute("note", "token=a1b2c3d4"))].concat(),
                    ));
                }
                field(2, &record)
            });
            (signal, nested(&[1, 2], &records.collect::<Vec<_>>().concat()).into())
        })
        .boxed()
}

#[test]
fn what_comes_again_is_redacted_as_if_it_stood_alone() {
    let (worker, tireless) = (Worker::new(Policy::default()), Worker::tireless());
    let cases = std::env::var("INKOUT_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(3000);
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::with_cases(cases), rng);
    let edits = prop::collection::vec((any::<Index>(), any::<u8>()), 0..3);
    let check = |((signal, body), edits): ((Signal, Bytes), Vec<(Index, u8)>)| {
        let mut bytes = body.to_vec();
        edits.iter().for_each(|(at, byte)| *at.get_mut(&mut bytes) = *byte);
        let body = Bytes::from(bytes);
        match (worker.redact(signal, Encoding::Protobuf, &body), tireless.redact(signal, Encoding::Protobuf, &body)) {
            (Ok((out, tally)), Ok((all, counted))) => {
                prop_assert_eq!(&out, &all);
                prop_assert_eq!(tally.findings, counted.findings);
                prop_assert!(out != body || out.as_ptr() == body.as_ptr(), "a clean message is the same memory");
            }
            (one, other) => prop_assert_eq!(one.map(drop), other.map(drop)),
        }
        Ok(())
    };
    runner.run(&(batch(), edits), check).unwrap_or_else(|error| panic!("{error}"));
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

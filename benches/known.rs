//! What known values cost: the matcher alone and within the engine, over clean logs, and how long its tables take.
//!
//! Values are made up, as long as tokens are. A planted value must be found, or the benchmark fails.
//! `cargo bench --bench known`.

#![expect(clippy::print_stdout, reason = "memory per form is part of the answer")]

#[path = "corpus/mod.rs"]
mod corpus;

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use inkout::engine::{Carry, Engine, Known, KnownScratch, KnownValue, Limits, Policy};
use inkout::rules::Catalog;

const BLOCK: usize = 256 << 10;

/// `count` values of 20 to 59 letters and digits, one in ten with punctuation.
fn values(count: usize) -> Vec<KnownValue> {
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/$+&\"";
    let mut state = 7u64;
    let mut next = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    let mut value = |index: usize| {
        let alphabet = if index.is_multiple_of(10) { ALPHABET.len() } else { 62 };
        let bytes = (0..20 + next(40)).map(|_| ALPHABET[next(alphabet)]).collect();
        KnownValue { name: format!("V{index}"), value: bytes }
    };
    (0..count).map(&mut value).collect()
}

/// Adds `count` short passwords, which go through tables of their own.
fn with_short(mut values: Vec<KnownValue>, count: usize) -> Vec<KnownValue> {
    let short =
        values.iter().take(count).map(|long| KnownValue { name: "short".to_owned(), value: long.value[..12].to_vec() });
    let short: Vec<KnownValue> = short.collect();
    values.extend(short);
    values
}

fn find_all(known: &Known, haystack: &[u8]) -> usize {
    let (mut scratch, mut found) = (KnownScratch::default(), Vec::new());
    let mut count = 0;
    for block in haystack.chunks(BLOCK) {
        known.find(&mut scratch, black_box(block), &mut found);
        count += found.len();
    }
    count
}

fn matcher(criterion: &mut Criterion, haystack: &[u8]) {
    let mut group = criterion.benchmark_group("known/find");
    group.throughput(Throughput::BytesDecimal(haystack.len() as u64)).sample_size(20);
    let sets =
        [("10", values(10)), ("10000", values(10_000)), ("10000 and 1000 short", with_short(values(10_000), 1000))];
    for (named, values) in sets {
        let planted = [b"x ", &values[3].value[..], b" y"].concat();
        let (known, skipped) = Known::new(values);
        assert!(skipped.is_empty(), "{skipped:?}");
        assert_eq!(find_all(&known, &planted), 1 + usize::from(named.contains("short")), "a planted value is found");
        assert_eq!(find_all(&known, haystack), 0, "the corpus is clean");
        let per_form = known.overhead_bytes() / known.forms();
        println!("{named} values: {} forms, {per_form} bytes each beside their own", known.forms());
        group.bench_function(BenchmarkId::from_parameter(named), |bencher| bencher.iter(|| find_all(&known, haystack)));
    }
    group.finish();
}

fn engine(criterion: &mut Criterion, haystack: &Bytes) {
    let mut group = criterion.benchmark_group("known/redact");
    group.throughput(Throughput::BytesDecimal(haystack.len() as u64)).sample_size(20);
    for count in [0, 10, 10_000] {
        let engine = Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default());
        let engine = engine.expect("the built-in rules compile");
        let known = (count > 0).then(|| Arc::new(Known::new(values(count)).0));
        let engine = match known {
            Some(known) => engine.with_known(known, None).expect("the built-in rules have one for known values"),
            None => engine,
        };
        let mut scratch = engine.scratch();
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| {
                for start in (0..haystack.len()).step_by(BLOCK) {
                    let block = haystack.slice(start..haystack.len().min(start + BLOCK));
                    black_box(engine.redact(&mut scratch, &Carry::default(), block));
                }
            });
        });
    }
    group.finish();
}

fn build(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("known/new");
    group.sample_size(10);
    for count in [10, 10_000] {
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter_batched(|| values(count), Known::new, criterion::BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn known(criterion: &mut Criterion) {
    let haystack = Bytes::from(corpus::generate(&corpus::Spec { bytes: 16 << 20, seed: 1, secret_every: 0 }).bytes);
    matcher(criterion, &haystack);
    engine(criterion, &haystack);
    build(criterion);
}

criterion_group!(benches, known);
criterion_main!(benches);

//! The engine alone, in memory: bytes per second on a clean log, and with a secret in 1 line of 100 and in 1 of 5. A wrong
//! answer fails the benchmark: what was planted must be gone before anything is timed.

mod corpus;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use inkout::engine::{Carry, Engine, Limits, Policy, prefilter::Backend};
use inkout::rules::Catalog;

const BLOCK: usize = 256 << 10;

/// Blocks of whole lines.
fn blocks(log: &[u8]) -> Vec<Bytes> {
    let mut blocks = Vec::new();
    let mut from = 0;
    while from < log.len() {
        let end = (from + BLOCK).min(log.len());
        let cut = log[from..end].iter().rposition(|byte| *byte == b'\n').map_or(end, |newline| from + newline + 1);
        blocks.push(Bytes::copy_from_slice(&log[from..cut]));
        from = cut;
    }
    blocks
}

fn redact_all(engine: &Engine, blocks: &[Bytes]) -> Vec<u8> {
    let mut scratch = engine.scratch();
    let mut carry = Carry::default();
    let mut out = Vec::new();
    for block in blocks {
        let (masked, next, _) = engine.redact(&mut scratch, &carry, block.clone());
        out.extend_from_slice(masked.as_bytes());
        carry = next;
    }
    out
}

fn bench(criterion: &mut Criterion) {
    for (name, secret_every) in [("clean", 0), ("1 in 100", 100), ("1 in 5", 5)] {
        let corpus = corpus::generate(&corpus::Spec { bytes: 16 << 20, seed: 1, secret_every });
        let blocks = blocks(&corpus.bytes);
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(corpus.bytes.len() as u64)).sample_size(20);
        for backend in Backend::available() {
            let limits = Limits { backend, ..Limits::default() };
            let engine = Engine::compile(Catalog::builtin().set, Policy::default(), &limits).expect("built-in rules");
            let out = redact_all(&engine, &blocks);
            for secret in &corpus.truth {
                let bytes = &corpus.bytes[secret.offset..secret.offset + secret.len];
                assert!(memchr::memmem::find(&out, bytes).is_none(), "a {} is left", secret.kind);
            }
            assert!(secret_every > 0 || out == corpus.bytes, "a clean log was changed");
            let mut scratch = engine.scratch();
            group.bench_function(backend.to_string(), |bencher| {
                bencher.iter(|| {
                    for block in &blocks {
                        std::hint::black_box(engine.redact(&mut scratch, &Carry::default(), block.clone()));
                    }
                });
            });
        }
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);

//! The committed bucket tables are those of the built-in rules, and the work per megabyte of clean log stays in its budget.
//! Counts, not times: they are the same on every machine.

#[path = "../benches/corpus/mod.rs"]
mod corpus;

use inkout::engine::prefilter::{Backend, Tables, tables};
use inkout::engine::{Carry, Engine, Limits, Policy};
use inkout::rules::Catalog;

const TABLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/engine/prefilter/generated.rs");

fn clean(bytes: usize, seed: u64) -> Vec<u8> {
    corpus::generate(&corpus::Spec { bytes, seed, secret_every: 0 }).bytes
}

/// `INKOUT_BLESS=1 cargo test --test prefilter` writes the file anew after a change of the rules.
#[test]
fn the_committed_tables_are_those_of_the_built_in_rules() {
    let literals = Engine::literals(&Catalog::builtin().set).expect("the built-in rules compile");
    if std::env::var_os("INKOUT_BLESS").is_some() {
        let source = tables::build(&literals, &clean(8 << 20, 7)).to_source();
        std::fs::write(TABLES, source).expect("the tables can be written");
        return;
    }
    assert!(Tables::built_in().are_for(&literals), "stale tables: INKOUT_BLESS=1 cargo test --test prefilter");
}

#[test]
fn clean_log_costs_no_more_than_its_budget() {
    let log = clean(8 << 20, 1);
    for backend in Backend::available() {
        let limits = Limits { backend, ..Limits::default() };
        let engine =
            Engine::compile(Catalog::builtin().set, Policy::default(), &limits).expect("built-in rules compile");
        let (masked, _, tally) = engine.redact(&mut engine.scratch(), &Carry::default(), log.clone().into());
        let per_megabyte = |count: u64| count as f64 * 1e6 / log.len() as f64;
        let work = [tally.candidates, tally.literals, tally.survivors, tally.regex_calls].map(per_megabyte);
        println!("{backend}: candidates, literals, survivors, regex calls per MB: {work:.0?}");
        assert_eq!(tally.total(), 0, "{backend}: nothing is found in a clean log");
        assert!(masked.as_bytes() == log, "{backend}: a clean log is left alone");
        for (count, budget) in work.into_iter().zip([8_000.0, 2_500.0, 300.0, 20.0]) {
            assert!(count <= budget, "{backend}: {work:.0?} per MB");
        }
    }
}

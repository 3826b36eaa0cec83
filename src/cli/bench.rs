//! `inkout bench FILE`: how fast the engine is on a log of one's own, in memory and on one thread, and which rules cost most.

use std::cmp::Reverse;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::args::BenchArgs;
use super::setup::{Lines, Setup};
use super::{Exit, print, read};
use crate::engine::{Carry, Cost, Engine, Piece, Scratch, Tally};

/// Passes at least, and then until the time is up.
const MIN_PASSES: usize = 5;
const MAX_PASSES: usize = 51;
const ENOUGH: Duration = Duration::from_secs(3);
/// Rules shown.
const MAX_COSTS: usize = 10;

pub(super) fn run(args: &BenchArgs) -> anyhow::Result<Exit> {
    let engine = Setup::read(&args.engine)?.compile(&args.engine, Lines::Ignore)?;
    engine.warm()?;
    let mut pieces = Vec::new();
    let read = read::pieces(&args.file, engine.limits().max_record_bytes, |piece| {
        pieces.push(piece);
        Ok(())
    })?;
    if let Err(error) = read {
        print::complain(&format!("{}: {error}", args.file.display()));
        return Ok(Exit::Incomplete);
    }
    let mut scratch = engine.scratch();
    let tally = pass(&engine, &mut scratch, &pieces);
    let costs = engine.costs(&scratch).to_vec();
    let passes = measure(&engine, &mut scratch, &pieces);
    let lines: usize = pieces.iter().map(|piece| memchr::memchr_iter(b'\n', piece.body()).count()).sum();
    print::page(|out| {
        speed(out, &tally, lines, &passes)?;
        costliest(out, &engine, &costs, tally.bytes_in)
    })?;
    Ok(Exit::Done)
}

fn speed(out: &mut dyn Write, tally: &Tally, lines: usize, passes: &[Duration]) -> io::Result<()> {
    let seconds = passes[passes.len() / 2].as_secs_f64().max(1e-9);
    let (megabytes, lines_per_second) = (tally.bytes_in as f64 / 1e6 / seconds, lines as f64 / seconds);
    writeln!(out, "{} bytes, {lines} lines, {} findings", tally.bytes_in, tally.total())?;
    write!(out, "{megabytes:.1} MB/s, {lines_per_second:.0} lines/s ")?;
    writeln!(out, "(one thread, in memory, median of {} passes)", passes.len())
}

fn costliest(out: &mut dyn Write, engine: &Engine, costs: &[Cost], bytes: u64) -> io::Result<()> {
    let mut costs: Vec<_> = costs.iter().zip(engine.rules()).filter(|(cost, _)| **cost != Cost::default()).collect();
    costs.sort_by_key(|(cost, _)| Reverse((cost.regex_calls, cost.candidates)));
    writeln!(out, "\n{:<40} {:>14} {:>14}", "costliest rules, per MB", "candidates", "regex calls")?;
    costs.iter().take(MAX_COSTS).try_for_each(|(cost, rule)| {
        let per_mb = |count: u64| count as f64 * 1e6 / (bytes as f64).max(1.0);
        writeln!(out, "  {:<38} {:>14.2} {:>14.2}", rule.id, per_mb(cost.candidates), per_mb(cost.regex_calls))
    })
}

/// The times of several passes, ascending.
fn measure(engine: &Engine, scratch: &mut Scratch, pieces: &[Piece]) -> Vec<Duration> {
    let (began, mut times) = (Instant::now(), Vec::new());
    while times.len() < MIN_PASSES || (times.len() < MAX_PASSES && began.elapsed() < ENOUGH) {
        let start = Instant::now();
        pass(engine, scratch, pieces);
        times.push(start.elapsed());
    }
    times.sort();
    times
}

fn pass(engine: &Engine, scratch: &mut Scratch, pieces: &[Piece]) -> Tally {
    let (mut carry, mut sum) = (Carry::default(), Tally::default());
    for piece in pieces {
        let (_, next, tally) = engine.redact_piece(scratch, &carry, piece);
        carry = next;
        sum.add(&tally);
    }
    sum
}

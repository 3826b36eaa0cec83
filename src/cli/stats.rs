//! `--stats`: what was done, as a table on standard error.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::args::StatsWhat;
use super::print::complain_plainly;
use crate::engine::{Engine, RuleId, Tally};
use crate::pipe::Summary;

/// Rules shown in the table of costs.
const MAX_COSTS: usize = 25;

pub(super) fn print(what: StatsWhat, engine: &Engine, summary: &Summary, elapsed: Duration) {
    complain_plainly(&table(what, engine, summary, elapsed));
}

fn table(what: StatsWhat, engine: &Engine, summary: &Summary, elapsed: Duration) -> String {
    let mut text = String::new();
    totals(&mut text, &summary.tally, elapsed);
    findings(&mut text, engine, "findings", &summary.tally.findings);
    findings(&mut text, engine, "in shadow, not masked", &summary.tally.shadowed);
    allowed(&mut text, engine, &summary.tally);
    if what == StatsWhat::Rules {
        prefilter(&mut text, &summary.tally);
        costs(&mut text, engine, summary);
    }
    text
}

fn row(text: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "{name:<40} {value:>14}");
}

fn totals(text: &mut String, tally: &Tally, elapsed: Duration) {
    let seconds = elapsed.as_secs_f64();
    row(text, "bytes in", tally.bytes_in);
    row(text, "bytes out", tally.bytes_out);
    row(text, "lines", tally.lines);
    row(text, "records masked whole", tally.records_masked_whole);
    row(text, "findings", tally.total());
    row(text, "elapsed", format!("{seconds:.3} s"));
    row(text, "speed", format!("{:.1} MB/s", tally.bytes_in as f64 / 1e6 / seconds.max(1e-9)));
}

/// One line for each rule, the most frequent first, below one for each category.
fn findings(text: &mut String, engine: &Engine, title: &str, counts: &[(RuleId, u64)]) {
    if counts.is_empty() {
        return;
    }
    let rules = engine.rules();
    let mut categories: BTreeMap<&str, u64> = BTreeMap::new();
    for (rule, count) in counts {
        *categories.entry(rules[rule.index()].category.name()).or_default() += count;
    }
    let _ = writeln!(text, "\n{title} by category");
    categories.iter().for_each(|(name, count)| row(text, &format!("  {name}"), count));
    let _ = writeln!(text, "\n{title} by rule");
    let mut counts = counts.to_vec();
    counts.sort_by_key(|(rule, count)| (std::cmp::Reverse(*count), *rule));
    counts.iter().for_each(|(rule, count)| row(text, &format!("  {}", rules[rule.index()].id), count));
}

/// What each exemption left in the clear; one that left nothing may be taken away.
fn allowed(text: &mut String, engine: &Engine, tally: &Tally) {
    for (at, entry) in engine.allows().iter().enumerate() {
        if at == 0 {
            text.push_str("\nleft by allow entries\n");
        }
        let count = tally.allowed.iter().find(|(index, _)| *index == at).map_or(0, |(_, count)| *count);
        let said = if count == 0 { "unused".to_owned() } else { count.to_string() };
        row(text, &format!("  {}", entry.place), said);
    }
}

fn prefilter(text: &mut String, tally: &Tally) {
    let megabytes = (tally.bytes_in as f64 / 1e6).max(1e-9);
    let _ = writeln!(text, "\nprefilter, per MB");
    let steps = [
        ("  candidates", tally.candidates),
        ("  literals", tally.literals),
        ("  survivors", tally.survivors),
        ("  regex calls", tally.regex_calls),
    ];
    steps.into_iter().for_each(|(name, count)| row(text, name, format!("{:.1}", count as f64 / megabytes)));
}

fn costs(text: &mut String, engine: &Engine, summary: &Summary) {
    let mut costs: Vec<_> =
        summary.costs.iter().zip(engine.rules()).filter(|(cost, _)| cost.candidates + cost.regex_calls > 0).collect();
    costs.sort_by_key(|(cost, _)| std::cmp::Reverse((cost.regex_calls, cost.candidates)));
    let _ = writeln!(text, "\n{:<40} {:>14} {:>14}", "costs by rule", "candidates", "regex calls");
    for (cost, rule) in costs.iter().take(MAX_COSTS) {
        let _ = writeln!(text, "  {:<38} {:>14} {:>14}", rule.id, cost.candidates, cost.regex_calls);
    }
    if costs.len() > MAX_COSTS {
        let _ = writeln!(text, "  and {} more", costs.len() - MAX_COSTS);
    }
}

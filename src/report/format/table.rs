//! For people at a terminal: where, which rule, why, and the masked line; then the counts.

use std::io::{self, Write};

use crate::report::summary::{MissedKind, Report, plural};
use crate::report::{Excerpt, Style};

/// Rules named in the summary.
const MAX_RULES: usize = 30;

/// Writes it, coloured or not.
pub(in crate::report) fn write(report: &Report<'_>, style: Style, out: &mut dyn Write) -> io::Result<()> {
    for occurrence in &report.found.occurrences {
        let rule = report.rule(occurrence.rule);
        let place = format!("{}:{}:{}", occurrence.place.text(), occurrence.line, occurrence.column);
        writeln!(out, "{}  {}  {}", style.strong(&place), style.rule(&rule.id), occurrence.why)?;
        writeln!(out, "    {}", line(&occurrence.excerpt, style))?;
    }
    if report.unlisted() > 0 {
        writeln!(out, "and {} that are not listed", plural(report.unlisted(), "finding", "findings"))?;
    }
    if !report.found.occurrences.is_empty() {
        writeln!(out)?;
    }
    counts(report, out)?;
    missed(report, out)
}

fn line(excerpt: &Excerpt, style: Style) -> String {
    let mut text = if excerpt.cut_before { "\u{2026}".to_owned() } else { String::new() };
    for (part, mark) in excerpt.parts() {
        text.push_str(&if mark { style.placeholder(part) } else { part.to_owned() });
    }
    text + if excerpt.cut_behind { "\u{2026}" } else { "" }
}

fn counts(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let found = report.found;
    let by_rule = report.by_rule();
    let width = by_rule.iter().take(MAX_RULES).map(|(rule, _)| report.rule(*rule).id.len()).max().unwrap_or(0);
    for (rule, count) in by_rule.iter().take(MAX_RULES) {
        let rule = report.rule(*rule);
        writeln!(out, "{count:>8}  {:<width$}  {}", rule.id, rule.summary)?;
    }
    if by_rule.len() > MAX_RULES {
        writeln!(out, "          and {} more rules", by_rule.len() - MAX_RULES)?;
    }
    let mut text = plural(found.total(), "finding", "findings");
    text += &match found.places {
        0 => String::new(),
        places => format!(" in {}", plural(places, "file", "files")),
    };
    text += &format!("; {} looked at", plural(report.about.files, "file", "files"));
    if found.known > 0 {
        text += &format!("; {} known from the baseline", found.known);
    }
    if found.templates > 0 {
        text += &format!("; {} left alone", plural(found.templates, "template", "templates"));
    }
    writeln!(out, "{text}")
}

fn missed(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let of = |kind| report.missed.iter().filter(|missed| missed.kind == kind).count() as u64;
    let (failed, skipped) = (of(MissedKind::Failed), of(MissedKind::Skipped));
    if failed > 0 {
        writeln!(out, "{} could not be inspected", plural(failed, "file", "files"))?;
    }
    if skipped > 0 {
        writeln!(out, "{} skipped (`--format json` and `html` name them)", plural(skipped, "file", "files"))?;
    }
    Ok(())
}

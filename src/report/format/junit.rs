//! JUnit's XML, which CI systems show as failed tests: one case for each file with findings, one failure for each finding.

use std::io::{self, Write};

use crate::markup::Escaped;
use crate::report::summary::{MissedKind, Report};

/// Writes one suite.
pub(in crate::report) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let found = &report.found.occurrences;
    let failed: Vec<_> = report.missed.iter().filter(|missed| missed.kind == MissedKind::Failed).collect();
    let seconds = report.about.ended.unix_seconds().saturating_sub(report.about.started.unix_seconds());
    let clean = usize::from(found.is_empty() && failed.is_empty());
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{seconds}\"",
        found.len() + failed.len() + clean,
        found.len(),
        failed.len()
    );
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>")?;
    writeln!(
        out,
        "  <testsuite name=\"inkout {}\" timestamp=\"{}\" {counts}>",
        report.about.command, report.about.started
    )?;
    for occurrence in found {
        let (rule, place) = (report.rule(occurrence.rule), occurrence.place.text());
        let name = format!("{place}:{}:{} {}", occurrence.line, occurrence.column, rule.id);
        writeln!(out, "    <testcase name=\"{}\" classname=\"{}\">", Escaped(&name), Escaped(&place))?;
        writeln!(
            out,
            "      <failure type=\"{}\" message=\"{}, found by {}\">{}</failure>\n    </testcase>",
            Escaped(&rule.id),
            Escaped(&rule.summary),
            Escaped(&occurrence.why),
            Escaped(&occurrence.excerpt.to_string())
        )?;
    }
    for missed in failed {
        let place = missed.place.text();
        writeln!(out, "    <testcase name=\"{0}\" classname=\"{0}\">", Escaped(&place))?;
        writeln!(out, "      <error message=\"{}\"/>\n    </testcase>", Escaped(&missed.reason))?;
    }
    if clean == 1 {
        writeln!(out, "    <testcase name=\"no findings\" classname=\"inkout\"/>")?;
    }
    writeln!(out, "  </testsuite>\n</testsuites>")
}

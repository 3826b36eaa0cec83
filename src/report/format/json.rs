//! JSON: one object, or one object for each line (`jsonl`), of which the last is the summary.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::report::summary::{Missed, MissedKind, Report};
use crate::report::{Excerpt, Occurrence, Place};

/// Writes one object.
pub(in crate::report) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{{\n  \"summary\": {},\n  \"findings\": [", summary(report))?;
    for (index, occurrence) in report.found.occurrences.iter().enumerate() {
        write!(out, "{}\n    {}", if index == 0 { "" } else { "," }, Value::Object(finding(report, occurrence)))?;
    }
    writeln!(out, "{}]\n}}", if report.found.occurrences.is_empty() { "" } else { "\n  " })
}

/// Writes one line for each finding, and one for the summary.
pub(in crate::report) fn write_lines(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let typed = |kind: &str, mut fields: Map<String, Value>| {
        fields.insert("type".to_owned(), json!(kind));
        Value::Object(fields)
    };
    for occurrence in &report.found.occurrences {
        writeln!(out, "{}", typed("finding", finding(report, occurrence)))?;
    }
    let Value::Object(summary) = summary(report) else { unreachable!("a summary is an object") };
    writeln!(out, "{}", typed("summary", summary))
}

fn finding(report: &Report<'_>, occurrence: &Occurrence) -> Map<String, Value> {
    let rule = report.rule(occurrence.rule);
    let mut fields = place(&occurrence.place);
    fields.extend([
        ("line".to_owned(), json!(occurrence.line)),
        ("column".to_owned(), json!(occurrence.column)),
        ("end_line".to_owned(), json!(occurrence.end_line)),
        ("end_column".to_owned(), json!(occurrence.end_column)),
        ("offset".to_owned(), json!(occurrence.offset)),
        ("rule".to_owned(), json!(rule.id)),
        ("summary".to_owned(), json!(rule.summary)),
        ("category".to_owned(), json!(rule.category.name())),
        ("found_by".to_owned(), json!(occurrence.why)),
        ("excerpt".to_owned(), json!(text(&occurrence.excerpt))),
        ("line_hash".to_owned(), json!(occurrence.line_hash.hex())),
    ]);
    fields
}

fn summary(report: &Report<'_>) -> Value {
    let (about, found) = (report.about, report.found);
    let by_rule: Map<String, Value> =
        found.by_rule.iter().map(|(rule, count)| (report.rule(*rule).id.clone(), json!(count))).collect();
    let by_category: Map<String, Value> =
        report.by_category().into_iter().map(|(category, count)| (category.name().to_owned(), json!(count))).collect();
    json!({
        "findings": found.total(),
        "listed": found.occurrences.len(),
        "files": about.files,
        "files_with_findings": found.places,
        "bytes": about.bytes,
        "templates_left_alone": found.templates,
        "known_from_baseline": found.known,
        "by_rule": by_rule,
        "by_category": by_category,
        "not_inspected": report.missed.iter().map(missed).collect::<Vec<_>>(),
        "complete": report.failed() == 0,
        "options": about.options.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<Map<_, _>>(),
        "inkout": about.version,
        "rules": about.rules_version,
        "rules_hash": about.rules_hash,
        "started": about.started.to_string(),
        "ended": about.ended.to_string(),
    })
}

fn missed(missed: &Missed) -> Value {
    let mut fields = place(&missed.place);
    fields.insert("reason".to_owned(), json!(missed.reason));
    fields.insert("failed".to_owned(), json!(missed.kind == MissedKind::Failed));
    Value::Object(fields)
}

/// A name that is UTF-8 stands as it is; otherwise its bytes are escaped, and that is said.
fn place(place: &Place) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut name = |field: &str, bytes: &[u8], text: &str| match std::str::from_utf8(bytes) {
        Ok(exact) => drop(fields.insert(field.to_owned(), json!(exact))),
        Err(_) => {
            fields.insert(field.to_owned(), json!(text));
            fields.insert(format!("{field}_escaped"), json!(true));
        }
    };
    name("path", place.path(), place.path_text());
    if let (Some(member), Some(text)) = (place.member(), place.member_text()) {
        name("member", member, text);
    }
    fields
}

fn text(excerpt: &Excerpt) -> String {
    excerpt.to_string()
}

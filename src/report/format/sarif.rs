//! SARIF 2.1.0 (OASIS), which code hosts show beside the changed lines. What is shown of a line is masked, and the log says
//! so: `redactionTokens`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Component, Path};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::engine::{Category, RuleId};
use crate::report::summary::{Missed, MissedKind, Report};
use crate::report::{Identity, Occurrence, Place};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Writes a log of one run.
pub(in crate::report) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let log = Log::new(report);
    write!(out, "{{\n\"$schema\": {},\n\"version\": \"2.1.0\",\n\"runs\": [{{\n", json!(SCHEMA))?;
    write!(out, "\"tool\": {},\n\"invocations\": [{}],\n", log.tool(), log.invocation())?;
    write!(out, "\"columnKind\": \"unicodeCodePoints\",\n\"redactionTokens\": {},\n", log.tokens())?;
    if !log.artifacts.is_empty() {
        writeln!(out, "\"artifacts\": {},", log.artifacts())?;
    }
    write!(out, "\"results\": [")?;
    for (index, occurrence) in report.found.occurrences.iter().enumerate() {
        write!(out, "{}\n{}", if index == 0 { "" } else { "," }, log.result(occurrence))?;
    }
    writeln!(out, "\n]\n}}]\n}}")
}

struct Log<'r> {
    report: &'r Report<'r>,
    /// Rules with findings, by their index in the log.
    rules: BTreeMap<RuleId, usize>,
    /// Members of archives and the archives, by their index in the log.
    artifacts: Vec<(Arc<Place>, Option<usize>)>,
    indexes: BTreeMap<Arc<Place>, usize>,
}

impl<'r> Log<'r> {
    fn new(report: &'r Report<'r>) -> Log<'r> {
        let ids: BTreeSet<RuleId> = report.found.occurrences.iter().map(|occurrence| occurrence.rule).collect();
        let rules = ids.into_iter().enumerate().map(|(index, rule)| (rule, index)).collect();
        let mut log = Log { report, rules, artifacts: Vec::new(), indexes: BTreeMap::new() };
        for occurrence in &report.found.occurrences {
            let place = &occurrence.place;
            if place.member().is_some() && !log.indexes.contains_key(place) {
                let archive = log.archive(place);
                log.indexes.insert(Arc::clone(place), log.artifacts.len());
                log.artifacts.push((Arc::clone(place), Some(archive)));
            }
        }
        log
    }

    /// The index of the archive that `place` is in. Members of one archive stand together.
    fn archive(&mut self, place: &Arc<Place>) -> usize {
        let last = self.artifacts.last().filter(|(last, _)| last.path() == place.path());
        match last.and_then(|(_, parent)| *parent) {
            Some(parent) => parent,
            None => {
                self.artifacts.push((Arc::clone(place), None));
                self.artifacts.len() - 1
            }
        }
    }

    fn tool(&self) -> Value {
        let about = self.report.about;
        let rule = |rule: &RuleId| {
            let rule = self.report.rule(*rule);
            json!({
                "id": rule.id,
                "shortDescription": { "text": rule.summary },
                "defaultConfiguration": { "level": level(rule.category) },
                "properties": { "tags": ["security", "secret", rule.category.name()], "security-severity": severity(rule.category) },
            })
        };
        let rules: Vec<Value> = self.rules.keys().map(rule).collect();
        json!({ "driver": {
            "name": "inkout",
            "version": about.version,
            "semanticVersion": about.version,
            "properties": { "rules": about.rules_version, "rulesHash": about.rules_hash },
            "rules": rules,
        }})
    }

    fn invocation(&self) -> Value {
        let (about, report) = (self.report.about, self.report);
        let mut notifications: Vec<Value> = report.missed.iter().map(notification).collect();
        if report.unlisted() > 0 {
            let text = format!("{} more findings are counted but not listed", report.unlisted());
            notifications.push(json!({ "level": "warning", "message": { "text": text } }));
        }
        json!({
            "executionSuccessful": report.failed() == 0,
            "startTimeUtc": about.started.to_string(),
            "endTimeUtc": about.ended.to_string(),
            "toolExecutionNotifications": notifications,
        })
    }

    /// The texts that stand for secrets in this log.
    fn tokens(&self) -> Value {
        let own = self.report.found.occurrences.iter().map(|occurrence| {
            let excerpt = &occurrence.excerpt;
            &excerpt.text[excerpt.own.clone()]
        });
        json!(own.filter(|token| !token.is_empty()).collect::<BTreeSet<&str>>())
    }

    fn artifacts(&self) -> Value {
        let artifact = |(place, parent): &(Arc<Place>, Option<usize>)| match parent {
            Some(parent) => {
                json!({ "location": { "uri": member_uri(place) }, "parentIndex": parent })
            }
            None => json!({ "location": { "uri": uri(place.path()) } }),
        };
        json!(self.artifacts.iter().map(artifact).collect::<Vec<_>>())
    }

    fn result(&self, occurrence: &Occurrence) -> Value {
        let rule = self.report.rule(occurrence.rule);
        let place = &occurrence.place;
        let artifact = match self.indexes.get(place) {
            Some(index) => json!({ "uri": member_uri(place), "index": index }),
            None => json!({ "uri": uri(place.path()) }),
        };
        let identity = Identity::new(place.path_text(), place.member_text(), &rule.id, occurrence.line_hash);
        let mut result = json!({
            "ruleId": rule.id,
            "ruleIndex": self.rules[&occurrence.rule],
            "level": level(rule.category),
            "message": { "text": format!("{} (found by {})", rule.summary, occurrence.why) },
            "locations": [{ "physicalLocation": {
                "artifactLocation": artifact,
                "region": {
                    "startLine": occurrence.line,
                    "startColumn": occurrence.column,
                    "endLine": occurrence.end_line,
                    "endColumn": occurrence.end_column,
                },
                "contextRegion": {
                    "startLine": occurrence.line,
                    "endLine": occurrence.end_line,
                    "snippet": { "text": occurrence.excerpt.to_string() },
                },
            }}],
            "partialFingerprints": { "inkoutFinding/v1": format!("{}:{}", identity.hex(), occurrence.repetition + 1) },
        });
        if self.report.about.baseline {
            result["baselineState"] = json!("new");
        }
        result
    }
}

fn notification(missed: &Missed) -> Value {
    let level = if missed.kind == MissedKind::Failed { "error" } else { "note" };
    json!({
        "level": level,
        "message": { "text": format!("{}: not inspected: {}", missed.place.text(), missed.reason) },
        "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri(missed.place.path()) } } }],
    })
}

fn level(category: Category) -> &'static str {
    if category == Category::Credential { "error" } else { "warning" }
}

/// What code hosts sort by: 0 to 10, as in CVSS.
fn severity(category: Category) -> &'static str {
    match category {
        Category::Credential => "8.0",
        Category::Financial | Category::Personal | Category::Health => "6.0",
        Category::CredentialId | Category::Network => "3.0",
    }
}

/// A path as a URI reference (RFC 3986): relative to where the program ran, or absolute.
fn uri(path: &[u8]) -> String {
    if path == b"-" {
        return "stdin".to_owned();
    }
    let absolute = path.starts_with(b"/");
    // A colon in the first segment of a relative reference would make it a scheme.
    let head = if absolute {
        "file://"
    } else if encoded(path).split('/').next().is_some_and(|first| first.contains(':')) {
        "./"
    } else {
        ""
    };
    format!("{head}{}", encoded(path))
}

/// A member's name as an absolute path within its archive (SARIF 2.1.0, section 3.24.2), without steps upwards.
fn member_uri(place: &Place) -> String {
    let name = place.member().unwrap_or_default();
    let lossy = String::from_utf8_lossy(name);
    let climbs = Path::new(&*lossy).components().any(|part| matches!(part, Component::ParentDir));
    let name = if climbs { encoded(name).replace("..", "%2E%2E") } else { encoded(name) };
    format!("/{}", name.trim_start_matches('/'))
}

fn encoded(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len()), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=:@".contains(byte) {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_uri_reference() {
        for (path, expected) in [
            (&b"src/a b.rs"[..], "src/a%20b.rs"),
            (b"-", "stdin"),
            (b"/var/log/x", "file:///var/log/x"),
            (b"a:b/c", "./a:b/c"),
            (b"a\n\xff<", "a%0A%FF%3C"),
        ] {
            assert_eq!(uri(path), expected);
        }
    }
}

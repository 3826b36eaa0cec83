//! `[[allow]]` tables, of a configuration and of the drop-in files that `inkout allow` writes. Whether the rules they name
//! exist is the engine's question.

use std::fmt::Write as _;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::file::{Fault, Source};
use super::{ConfigError, Moment};
use crate::engine::{AllowEntry, AllowValue};

/// An exemption, why it is there, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// What is left.
    pub entry: AllowEntry,
    /// Why.
    pub reason: String,
    /// From then on it does nothing.
    pub expires: Option<Moment>,
}

impl Allowed {
    /// The exemptions that `text`, the content of the drop-in file named `file_name`, spells.
    ///
    /// # Errors
    /// When the text is no TOML, holds anything but `[[allow]]` tables, or one of them is not complete.
    pub fn parse(file_name: &str, text: &str) -> Result<Vec<Allowed>, ConfigError> {
        let source = Source { name: file_name, text };
        let root = DeTable::parse(text).map_err(|error| source.fault(Fault::explained(&error)))?;
        let mut allowed = Vec::new();
        for (key, value) in root.into_inner() {
            if key.get_ref() != "allow" {
                let reason = format!("unknown table `{}`; known: allow", key.get_ref());
                return Err(source.fault(Fault::new(key.span(), reason)));
            }
            allowed = parse(value, &source).map_err(|fault| source.fault(fault))?;
        }
        Ok(allowed)
    }

    /// Whether it does nothing at `now`.
    pub fn has_expired(&self, now: Moment) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// What it leaves, in a few words; never a value.
    pub fn describe(&self) -> String {
        let AllowEntry { rule, value, path, source, force, .. } = &self.entry;
        let mut text = rule.as_ref().map_or_else(|| "every rule".to_owned(), |rule| format!("rule {rule}"));
        for (name, part) in [("path", path), ("source", source)] {
            if let Some(part) = part {
                let _ = write!(text, ", {name} {part}");
            }
        }
        text.push_str(match value {
            None => "",
            Some(AllowValue::Literal(_)) => ", one value",
            Some(AllowValue::Regex(_)) => ", values of a shape",
            Some(AllowValue::Fingerprint(_)) => ", one value by its fingerprint",
        });
        text.push_str(if *force { ", forced" } else { "" });
        text
    }
}

/// An `[[allow]]` table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowTable {
    rule: Option<String>,
    value: Option<Spanned<String>>,
    regex: Option<Spanned<String>>,
    fingerprint: Option<Spanned<String>>,
    path: Option<String>,
    source: Option<String>,
    expires: Option<Spanned<String>>,
    reason: String,
    #[serde(default)]
    force: bool,
}

/// The exemptions that `value` spells.
pub(super) fn parse(value: Spanned<DeValue<'_>>, source: &Source<'_>) -> Result<Vec<Allowed>, Fault> {
    let tables = Vec::<Spanned<AllowTable>>::deserialize(ValueDeserializer::from(value));
    let tables = tables.map_err(|error| Fault::explained(&error))?;
    tables.into_iter().map(|table| allowed(table, source)).collect()
}

fn allowed(table: Spanned<AllowTable>, source: &Source<'_>) -> Result<Allowed, Fault> {
    let at = table.span();
    let place = source.place(at.start);
    let table = table.into_inner();
    let expires = table.expires.map(|text| {
        Moment::parse(text.get_ref()).ok_or_else(|| {
            let reason =
                format!("`{}` is no day and no time; write \"2026-11-23\" or \"2026-11-23T09:00:00Z\"", text.get_ref());
            Fault::new(text.span(), reason)
        })
    });
    let value = match (table.value, table.regex, table.fingerprint) {
        (None, None, None) => None,
        (Some(literal), None, None) => Some(AllowValue::Literal(literal.into_inner().into_bytes())),
        (None, Some(regex), None) => Some(AllowValue::Regex(regex.into_inner())),
        (None, None, Some(fingerprint)) => Some(self::fingerprint(&fingerprint)?),
        _ => return Err(Fault::new(at, "an allow entry has one of value, regex, fingerprint")),
    };
    if table.reason.trim().is_empty() {
        return Err(Fault::new(at, "field `reason` is empty; whoever reads this later must know why"));
    }
    let AllowTable { rule, path, source, reason, force, .. } =
        AllowTable { value: None, regex: None, fingerprint: None, expires: None, ..table };
    if rule.is_none() && value.is_none() && path.is_none() && source.is_none() {
        return Err(Fault::new(at, "an allow entry names a rule, a value, a path or a source"));
    }
    Ok(Allowed { entry: AllowEntry { rule, value, path, source, force, place }, reason, expires: expires.transpose()? })
}

fn fingerprint(text: &Spanned<String>) -> Result<AllowValue, Fault> {
    let digits = text.get_ref().as_bytes();
    let hex = digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let parsed = digits.try_into().ok().filter(|_| hex).map(AllowValue::Fingerprint);
    parsed.ok_or_else(|| Fault::new(text.span(), "a fingerprint has 16 digits of 0-9 and a-f"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_whole() {
        let text = "[[allow]]\nrule = 'token'\nregex = '[0-9]+'\npath = 'a.*'\nsource = '*.log'\nexpires = '2026-11-23'\n\
                    reason = 'r'\nforce = true\n[[allow]]\nfingerprint = '0123456789abcdef'\nreason = 's'\n";
        let [first, second] = &Allowed::parse("a.toml", text).unwrap()[..] else { panic!() };
        assert_eq!(first.describe(), "rule token, path a.*, source *.log, values of a shape, forced");
        assert_eq!(first.entry.place, "a.toml:1");
        let end = Moment::parse("2026-11-24T00:00:00Z").unwrap();
        assert!(first.has_expired(end) && !first.has_expired(Moment::of_unix_seconds(end.unix_seconds() - 1)));
        assert_eq!(second.describe(), "every rule, one value by its fingerprint");
        assert_eq!(Allowed::parse("a.toml", "").unwrap(), []);
    }

    #[test]
    fn what_is_wrong_is_said_at_its_line() {
        let cases = [
            ("[[allow]]\nrule = 'x'", "a.toml:1: missing field `reason`"),
            ("[[allow]]\nrule = 'x'\nreason = ' '", "a.toml:1: field `reason` is empty"),
            ("[[allow]]\nreason = 'r'", "a.toml:1: an allow entry names"),
            ("[[allow]]\nrul = 'x'\nreason = 'r'", "a.toml:2: unknown field `rul`; known: rule, value, regex"),
            ("[[allow]]\nvalue = 'x'\nregex = 'y'\nreason = 'r'", "a.toml:1: an allow entry has one of"),
            ("[[allow]]\nfingerprint = 'XY'\nreason = 'r'", "a.toml:2: a fingerprint has 16 digits"),
            ("[[allow]]\nrule = 'x'\nexpires = 'soon'\nreason = 'r'", "a.toml:3: `soon` is no day and no time"),
            ("rules = ['x']", "a.toml:1: unknown table `rules`; known: allow"),
        ];
        for (text, message) in cases {
            let error = Allowed::parse("a.toml", text).expect_err(text).to_string();
            assert!(error.starts_with(message), "{text}\n{error}");
        }
    }
}

//! What every format tells beside the findings: what was looked at, with what, when, and what was not inspected.

use std::sync::Arc;

use super::collect::Found;
use super::place::Place;
use crate::config::Moment;
use crate::engine::{Action, Category, Rule, RuleId};

/// Something that was not inspected, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missed {
    /// Where.
    pub place: Arc<Place>,
    /// Why, in words without a byte of its content.
    pub reason: String,
    /// Whether it should have been inspected.
    pub kind: MissedKind,
}

/// What it means that something was not inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MissedKind {
    /// It could not be read, or records of it were masked whole: the result is incomplete.
    Failed,
    /// It was left out on purpose.
    Skipped,
}

/// What ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// `check` or `clean`.
    pub command: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// The built-in rule set's version.
    pub rules_version: String,
    /// And its hash.
    pub rules_hash: String,
    /// Options that were not the default, by name.
    pub options: Vec<(String, String)>,
    /// When it began.
    pub started: Moment,
    /// When it ended.
    pub ended: Moment,
    /// Files looked at.
    pub files: u64,
    /// Bytes looked at, unpacked.
    pub bytes: u64,
    /// Whether known findings were left out.
    pub baseline: bool,
}

/// A report, to be written in one of the formats.
#[derive(Clone, Copy)]
pub struct Report<'r> {
    /// What ran.
    pub about: &'r About,
    /// What was found.
    pub found: &'r Found,
    /// What was not inspected, in order.
    pub missed: &'r [Missed],
    /// The rules that ran.
    pub rules: &'r [Rule],
    /// What is done to the findings of each, by rule.
    pub actions: &'r [Action],
}

impl<'r> Report<'r> {
    /// The rule of this id.
    pub(super) fn rule(&self, rule: RuleId) -> &'r Rule {
        &self.rules[rule.index()]
    }

    /// Counts by category, in the order in which categories are listed to people.
    pub(super) fn by_category(&self) -> Vec<(Category, u64)> {
        let count = |category: &Category| {
            let of = self.found.by_rule.iter().filter(|(rule, _)| self.rule(**rule).category == *category);
            of.map(|(_, count)| count).sum::<u64>()
        };
        Category::ALL.iter().map(|category| (*category, count(category))).filter(|(_, count)| *count > 0).collect()
    }

    /// Counts by rule, the most frequent first.
    pub(super) fn by_rule(&self) -> Vec<(RuleId, u64)> {
        let mut counts: Vec<(RuleId, u64)> = self.found.by_rule.iter().map(|(rule, count)| (*rule, *count)).collect();
        counts.sort_by_key(|(rule, count)| (std::cmp::Reverse(*count), *rule));
        counts
    }

    /// How many could not be inspected that should have been.
    pub fn failed(&self) -> usize {
        self.missed.iter().filter(|missed| missed.kind == MissedKind::Failed).count()
    }

    /// Findings that are counted but not listed.
    pub(super) fn unlisted(&self) -> u64 {
        self.found.total() - self.found.occurrences.len() as u64
    }
}

/// `1 file`, `2 files`.
pub(super) fn plural(count: u64, one: &str, many: &str) -> String {
    let word = if count == 1 { one } else { many };
    format!("{} {word}", grouped(count))
}

/// `1,234,567`.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let first = digits.len() % 3;
    let mut text = digits[..first].to_owned();
    for (index, digit) in digits[first..].chars().enumerate() {
        if index % 3 == 0 && !text.is_empty() {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_read_them() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(plural(1, "file", "files") + &plural(2000, " file", " files"), "1 file2,000  files");
    }
}

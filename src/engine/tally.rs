//! What the engine did, in numbers. Small enough to be made per block and added up.

use super::rule::RuleId;

/// Counts of one block or of many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Bytes looked at.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Line ends seen; counted only where [`Limits::count_lines`](super::Limits::count_lines) asks for it.
    pub lines: u64,
    /// Findings by rule, ascending by rule.
    pub findings: Vec<(RuleId, u64)>,
    /// Findings of rules in shadow, which were left in the text.
    pub shadowed: Vec<(RuleId, u64)>,
    /// Findings that were left because the policy exempts them, by index of the exemption.
    pub allowed: Vec<(usize, u64)>,
    /// Records masked whole because looking at them failed.
    pub records_masked_whole: u64,
    /// Positions at which the prefilter looked twice.
    pub candidates: u64,
    /// Required literals found.
    pub literals: u64,
    /// Of those, the ones whose surroundings could be a secret's.
    pub survivors: u64,
    /// Regex searches.
    pub regex_calls: u64,
}

impl Tally {
    /// All findings, those in shadow left out.
    pub fn total(&self) -> u64 {
        self.findings.iter().map(|(_, count)| count).sum()
    }

    /// Whether nothing was found, not even what is left in the text.
    pub(super) fn tells_nothing(&self) -> bool {
        let Tally { findings, shadowed, allowed, records_masked_whole, .. } = self;
        findings.is_empty() && shadowed.is_empty() && allowed.is_empty() && *records_masked_whole == 0
    }

    /// Adds one finding.
    pub(super) fn count(&mut self, rule: RuleId) {
        add(&mut self.findings, rule, 1);
    }

    /// Adds one finding of a rule in shadow.
    pub(super) fn count_shadow(&mut self, rule: RuleId) {
        add(&mut self.shadowed, rule, 1);
    }

    /// Adds one exempt finding.
    pub(super) fn count_allowed(&mut self, entry: usize) {
        add(&mut self.allowed, entry, 1);
    }

    /// Adds another tally to this one.
    pub fn add(&mut self, other: &Tally) {
        other.findings.iter().for_each(|(rule, count)| add(&mut self.findings, *rule, *count));
        other.allowed.iter().for_each(|(entry, count)| add(&mut self.allowed, *entry, *count));
        other.shadowed.iter().for_each(|(rule, count)| add(&mut self.shadowed, *rule, *count));
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.lines += other.lines;
        self.records_masked_whole += other.records_masked_whole;
        self.candidates += other.candidates;
        self.literals += other.literals;
        self.survivors += other.survivors;
        self.regex_calls += other.regex_calls;
    }
}

fn add<K: Copy + Ord>(counts: &mut Vec<(K, u64)>, key: K, count: u64) {
    match counts.binary_search_by_key(&key, |(known, _)| *known) {
        Ok(at) => counts[at].1 += count,
        Err(at) => counts.insert(at, (key, count)),
    }
}

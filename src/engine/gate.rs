//! What a match must pass to become a finding, beside its rule's validator: a keyword in its record, an entropy floor, and no
//! exemption. It finds nothing itself, and of a rule that has none of these there is no gate.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use memchr::{memchr, memrchr};
use regex_automata::meta::{self, Regex};
use regex_syntax::hir::Hir;

use super::pattern;
use super::rule::{Allow, AllowTarget, Rule};

/// Bounds of a keyword: a literal of the prefilter has no more bytes, and one byte stands in every record.
pub(crate) const KEYWORD_BYTES: std::ops::RangeInclusive<usize> = 2..=48;
/// Above this the program of an exemption is refused.
const MAX_PROGRAM_BYTES: usize = 4 << 20;

/// The gate of one rule.
pub(crate) struct Gate {
    keywords: Option<Words>,
    min_entropy: f32,
    exemptions: Vec<Exemption>,
}

/// One [`Allow`], checked.
struct Exemption {
    target: AllowTarget,
    both: bool,
    regexes: Vec<Arc<Exempt>>,
    stopwords: Option<Words>,
}

/// A regex of an exemption: parsed when the engine is compiled, built when it is first needed.
pub(crate) struct Exempt {
    hir: Hir,
    regex: OnceLock<Regex>,
}

/// The regexes of exemptions by their text: a file's rules often share theirs.
pub(crate) type Known = HashMap<String, Arc<Exempt>>;

impl Gate {
    /// The gate of `rule`, if it needs one.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what is allowed.
    pub(crate) fn new(rule: &Rule, known: &mut Known) -> Result<Option<Gate>, String> {
        if rule.keywords.is_empty() && rule.min_entropy.is_none() && rule.allow.is_empty() {
            return Ok(None);
        }
        if let Some(word) = rule.keywords.iter().find(|word| !KEYWORD_BYTES.contains(&word.len())) {
            let (min, max) = KEYWORD_BYTES.into_inner();
            return Err(format!("keyword `{word}` has {} bytes; {min} to {max} are allowed", word.len()));
        }
        let exemptions = rule.allow.iter().map(|allow| Exemption::new(allow, known)).collect::<Result<_, _>>()?;
        let min_entropy = rule.min_entropy.unwrap_or_default();
        Ok(Some(Gate { keywords: Words::new(&rule.keywords), min_entropy, exemptions }))
    }

    /// Builds every regex now; a program that is too large is refused.
    pub(crate) fn warm(&self) -> Result<(), String> {
        for exempt in self.exemptions.iter().flat_map(|exemption| &exemption.regexes) {
            if exempt.regex.get().is_none() {
                let _ = exempt.regex.set(build(&exempt.hir)?);
            }
        }
        Ok(())
    }

    /// Whether the match `whole` with its `secret` is a finding.
    pub(crate) fn opens(&self, haystack: &[u8], whole: Range<usize>, secret: Range<usize>) -> bool {
        let line = || record(haystack, &whole);
        self.keywords.as_ref().is_none_or(|words| words.stand_in(line()))
            && (self.min_entropy <= 0.0 || entropy(&haystack[secret.clone()]) >= self.min_entropy)
            && !self.exemptions.iter().any(|exemption| {
                let target = match exemption.target {
                    AllowTarget::Secret => &haystack[secret.clone()],
                    AllowTarget::Match => &haystack[whole.clone()],
                    AllowTarget::Line => line(),
                };
                exemption.covers(target, &haystack[secret.clone()])
            })
    }
}

/// Checks an exemption, the size of its programs included; for importers.
///
/// # Errors
/// A sentence that says what is wrong and what is allowed.
pub(crate) fn check_allow(allow: &Allow) -> Result<(), String> {
    let exemption = Exemption::new(allow, &mut Known::new())?;
    exemption.regexes.iter().try_for_each(|exempt| build(&exempt.hir).map(|_| ()))
}

impl Exemption {
    fn new(allow: &Allow, known: &mut Known) -> Result<Exemption, String> {
        if allow.regexes.is_empty() && allow.stopwords.is_empty() {
            return Err("an `allow` names nothing; it has regexes, stopwords or both".to_owned());
        }
        let parsed = allow.regexes.iter().map(|text| {
            if let Some(exempt) = known.get(text) {
                return Ok(Arc::clone(exempt));
            }
            let hir = pattern::parse(text).map_err(|reason| format!("allow `{text}`: {reason}"))?;
            if hir.properties().minimum_len() == Some(0) && hir.properties().look_set().is_empty() {
                return Err(format!("allow `{text}`: it matches everything, so that the rule would find nothing"));
            }
            let exempt = Arc::new(Exempt { hir, regex: OnceLock::new() });
            known.insert(text.clone(), Arc::clone(&exempt));
            Ok(exempt)
        });
        let regexes = parsed.collect::<Result<_, _>>()?;
        Ok(Exemption { target: allow.target, both: allow.both, regexes, stopwords: Words::new(&allow.stopwords) })
    }

    fn covers(&self, target: &[u8], secret: &[u8]) -> bool {
        let matches = || {
            self.regexes.iter().any(|exempt| {
                let regex =
                    exempt.regex.get_or_init(|| build(&exempt.hir).expect("user regexes were built at the start"));
                regex.is_match(target)
            })
        };
        let stops = || self.stopwords.as_ref().is_some_and(|words| words.stand_in(secret));
        match self.both {
            true => (self.regexes.is_empty() || matches()) && (self.stopwords.is_none() || stops()),
            false => matches() || stops(),
        }
    }
}

/// The matcher of an exemption.
pub(super) fn build(hir: &Hir) -> Result<Regex, String> {
    let config = meta::Config::new().hybrid(false).dfa(false).nfa_size_limit(Some(MAX_PROGRAM_BYTES)).utf8_empty(false);
    let built = meta::Builder::new().configure(config).build_from_hir(hir);
    built.map_err(|_| format!("an `allow` regex compiles to more than {MAX_PROGRAM_BYTES} bytes; use smaller repeats"))
}

/// Words that are sought whatever their case; there may be a thousand.
struct Words {
    list: Vec<String>,
    automaton: OnceLock<AhoCorasick>,
}

impl Words {
    fn new(words: &[String]) -> Option<Words> {
        (!words.is_empty()).then(|| Words { list: words.to_vec(), automaton: OnceLock::new() })
    }

    fn stand_in(&self, haystack: &[u8]) -> bool {
        let automaton = self.automaton.get_or_init(|| {
            let mut builder = AhoCorasick::builder();
            let builder =
                builder.ascii_case_insensitive(true).kind(Some(AhoCorasickKind::ContiguousNFA)).prefilter(false);
            builder.build(&self.list).expect("a rule file's words are far from the automaton's limits")
        });
        automaton.is_match(haystack)
    }
}

/// The record around a match.
fn record<'h>(haystack: &'h [u8], whole: &Range<usize>) -> &'h [u8] {
    let start = memrchr(b'\n', &haystack[..whole.start]).map_or(0, |newline| newline + 1);
    let end = memchr(b'\n', &haystack[whole.end..]).map_or(haystack.len(), |len| whole.end + len);
    haystack[start..end]
        .strip_suffix(b"\r")
        .filter(|line| start + line.len() >= whole.end)
        .unwrap_or(&haystack[start..end])
}

/// Shannon's entropy of `secret`, in bits per byte: 0 for one repeated byte, 8 at most.
pub(crate) fn entropy(secret: &[u8]) -> f32 {
    let mut counts = [0_u32; 256];
    secret.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
    let share = |count: u32| f64::from(count) / secret.len() as f64;
    let bits = counts.into_iter().filter(|count| *count > 0).map(|count| -share(count) * share(count).log2());
    bits.sum::<f64>() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_counts_bits_per_byte() {
        for (secret, expected) in [("", 0.0), ("aaaa", 0.0), ("abab", 1.0), ("abcd", 2.0), ("0123456789abcdef", 4.0)] {
            assert!((entropy(secret.as_bytes()) - expected).abs() < 1e-6, "{secret}");
        }
    }

    #[test]
    fn a_record_ends_at_its_line_end() {
        assert_eq!(record(b"a\nbcd\ne", &(3..4)), b"bcd");
        assert_eq!(record(b"bcd", &(1..3)), b"bcd");
    }

    fn covers(allow: &Allow, target: &str, secret: &str) -> bool {
        Exemption::new(allow, &mut Known::new())
            .expect("a valid exemption")
            .covers(target.as_bytes(), secret.as_bytes())
    }

    #[test]
    fn an_exemption_needs_one_of_its_parts_or_both() {
        let text = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let mut allow = Allow { regexes: text(&["^x"]), stopwords: text(&["Demo"]), ..Allow::default() };
        assert!(covers(&allow, "xyz", "xyz") && covers(&allow, "ydEMO", "ydEMO") && !covers(&allow, "yx", "yx"));
        allow.both = true;
        assert!(covers(&allow, "xdemo", "xdemo") && !covers(&allow, "xyz", "xyz") && !covers(&allow, "ydemo", "ydemo"));
        allow.regexes.clear();
        assert!(covers(&allow, "ydemo", "ydemo"));
    }

    #[test]
    fn an_exemption_from_everything_is_refused() {
        for (regex, expected) in [("", "matches everything"), ("x*", "matches everything"), ("(x", "no valid regex")] {
            let allow = Allow { regexes: vec![regex.to_owned()], ..Allow::default() };
            assert!(
                Exemption::new(&allow, &mut Known::new()).err().is_some_and(|reason| reason.contains(expected)),
                "{regex}"
            );
        }
        assert!(
            Exemption::new(&Allow::default(), &mut Known::new())
                .err()
                .is_some_and(|reason| reason.contains("names nothing"))
        );
    }
}

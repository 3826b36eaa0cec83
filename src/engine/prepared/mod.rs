//! What the built-in patterns require, derived ahead of time, so that a start parses none of them. Not needed for
//! correctness: a pattern whose text is not in the table is parsed and its anchors are derived.
//!
//! `generated.rs` is written by the test below.

mod generated;

use super::byteset::ByteSet;
use super::literal::Anchor;

/// What is known ahead of a pattern that begins with no lazy run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Prepared {
    /// Whether it begins with `\b`.
    pub(crate) word_start: bool,
    /// As [`super::literal::anchors`] derives them.
    pub(crate) anchors: Option<Vec<Anchor>>,
}

/// A pattern of the table, which is sorted by hash.
struct Entry {
    /// Of the pattern's text.
    hash: u64,
    word_start: bool,
    /// None where the pattern requires nothing rare.
    anchors: &'static [Packed],
}

/// An anchor: `near`, `far`, and its sets as pairs of a number in [`generated::SETS`] and how often the set stands there.
type Packed = (u32, u32, &'static [(u8, u8)]);

/// What the table says of `pattern`, if it is a built-in one.
pub(crate) fn find(pattern: &str) -> Option<Prepared> {
    let hash = hash(pattern);
    let at = generated::PATTERNS.binary_search_by_key(&hash, |entry| entry.hash).ok()?;
    let Entry { word_start, anchors, .. } = generated::PATTERNS[at];
    Some(Prepared { word_start, anchors: (!anchors.is_empty()).then(|| anchors.iter().map(unpacked).collect()) })
}

fn unpacked(&(near, far, runs): &Packed) -> Anchor {
    let mut sets = Vec::with_capacity(runs.iter().map(|&(_, times)| usize::from(times)).sum());
    for &(set, times) in runs {
        sets.resize(sets.len() + usize::from(times), ByteSet::from_words(generated::SETS[usize::from(set)]));
    }
    Anchor { sets, near, far }
}

/// FNV-1a. That a text which is not built in has the hash of one that is takes an author who wants it, and is seen in
/// none but his own rule.
fn hash(pattern: &str) -> u64 {
    pattern
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Write as _;

    use super::*;
    use crate::engine::Matcher;
    use crate::engine::pattern::derive;
    use crate::rules::Catalog;

    const HEAD: &str = "\
//! What the built-in patterns require. Not written by hand: a test of this room makes it anew and compares.

use super::Entry;

/// The byte sets of all anchors, as 256 bits each.
#[rustfmt::skip]
pub(super) const SETS: &[[u64; 4]] = &[
";
    const PATTERNS: &str = "\
];

/// By hash.
#[rustfmt::skip]
pub(super) const PATTERNS: &[Entry] = &[
";

    /// What is derived from each built-in pattern, by hash.
    fn derived() -> BTreeMap<u64, (String, Prepared)> {
        let matchers = Catalog::builtin().set.rules.into_iter().map(|rule| rule.matcher);
        let texts = matchers.filter_map(|matcher| match matcher {
            Matcher::Pattern(text) => Some(text),
            _ => None,
        });
        let prepared = texts.filter_map(|text| {
            let derived = derive(&text).expect("the built-in patterns are valid");
            let prepared = Prepared { word_start: derived.word_start, anchors: derived.anchors };
            derived.lead.is_none().then_some((hash(&text), (text, prepared)))
        });
        prepared.collect()
    }

    fn source(patterns: &BTreeMap<u64, (String, Prepared)>) -> String {
        let mut sets: Vec<ByteSet> = Vec::new();
        let mut lines = String::new();
        for (hash, (_, Prepared { word_start, anchors })) in patterns {
            let digits = format!("{hash:016x}");
            let groups = [&digits[..4], &digits[4..8], &digits[8..12], &digits[12..]].join("_");
            let _ = writeln!(lines, "    Entry {{ hash: 0x{groups}, word_start: {word_start}, anchors: &[");
            for Anchor { sets: run, near, far } in anchors.iter().flatten() {
                let pairs: Vec<String> = run
                    .chunk_by(|one, other| one == other)
                    .map(|same| {
                        let number = sets.iter().position(|set| *set == same[0]).unwrap_or_else(|| {
                            sets.push(same[0]);
                            sets.len() - 1
                        });
                        format!("({number}, {})", same.len())
                    })
                    .collect();
                let _ = writeln!(lines, "        ({near}, {far}, &[{}]),", pairs.join(", "));
            }
            lines.push_str("    ] },\n");
        }
        let sets = sets.iter().map(|set| {
            let [a, b, c, d] = set.words();
            format!("    [0x{a:x}, 0x{b:x}, 0x{c:x}, 0x{d:x}],\n")
        });
        [HEAD, &sets.collect::<String>(), PATTERNS, &lines, "];\n"].concat()
    }

    /// `INKOUT_BLESS=1 cargo test --lib engine::prepared` writes the file anew after a change of the rules.
    #[test]
    fn the_committed_table_is_that_of_the_built_in_patterns() {
        const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/engine/prepared/generated.rs");
        let derived = derived();
        if std::env::var_os("INKOUT_BLESS").is_some() {
            std::fs::write(TABLE, source(&derived)).expect("the table can be written");
            return;
        }
        for (text, prepared) in derived.values() {
            assert_eq!(
                find(text).as_ref(),
                Some(prepared),
                "stale: INKOUT_BLESS=1 cargo test --lib engine::prepared; {text}"
            );
        }
        assert_eq!(generated::PATTERNS.len(), derived.len(), "stale: INKOUT_BLESS=1 cargo test --lib engine::prepared");
    }

    #[test]
    fn a_pattern_that_is_not_built_in_is_not_there() {
        assert_eq!(find("acme_(?<secret>[a-z]{9})"), None);
    }
}

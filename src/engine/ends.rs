//! Where a match ends, for patterns whose secret then needs no search of its own: all of the match, but for a fixed number of
//! bytes at either side. Most patterns are like that, and a dense automaton without groups reads them at a byte a nanosecond,
//! where the regex that follows the group needs twenty where it is not one-pass.

use regex_automata::dfa::dense::{self, DFA};
use regex_automata::dfa::{Automaton, StartKind};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{Hir, HirKind};

use super::pattern::Match;

/// A larger automaton would push the scan's tables out of the cache.
const MAX_BYTES: usize = 64 << 10;
/// Building stops here: a pattern that needs more is one of those that explode.
const MAX_BUILD_BYTES: usize = 512 << 10;

/// An automaton for one pattern.
pub(crate) struct Ends {
    automaton: DFA<Vec<u32>>,
    /// Bytes of a match before its secret.
    head: usize,
    /// Bytes of a match behind its secret.
    tail: usize,
}

impl Ends {
    /// The automaton of `hir`; `None` where its secret's place is not fixed, or the automaton would be too large.
    pub(crate) fn new(hir: &Hir) -> Option<Ends> {
        let (head, tail) = around_secret(hir)?;
        let config = thompson::Config::new().utf8(false).which_captures(WhichCaptures::None);
        let nfa = NFA::compiler().configure(config).build_from_hir(hir).ok()?;
        let config = dense::Config::new()
            .start_kind(StartKind::Anchored)
            .accelerate(false)
            .dfa_size_limit(Some(MAX_BYTES))
            .determinize_size_limit(Some(MAX_BUILD_BYTES));
        let automaton = dense::Builder::new().configure(config).build_from_nfa(&nfa).ok()?;
        Some(Ends { automaton, head, tail })
    }

    /// The match that begins at `start`, looking no further than `end`: where the whole of it and its secret stand.
    ///
    /// # Errors
    /// When the automaton gave up; the regex must be asked.
    pub(crate) fn match_at(&self, haystack: &[u8], start: usize, end: usize) -> Result<Option<Match>, GaveUp> {
        let input = Input::new(haystack).span(start..end).anchored(Anchored::Yes);
        let found = self.automaton.try_search_fwd(&input).map_err(|_| GaveUp)?;
        Ok(found.map(|half| (start..half.offset(), start + self.head..half.offset() - self.tail)))
    }
}

/// The automaton cannot tell.
pub(crate) struct GaveUp;

/// How many bytes stand before and behind the group `secret`, where every match has the same.
fn around_secret(hir: &Hir) -> Option<(usize, usize)> {
    match hir.kind() {
        HirKind::Capture(capture) if capture.name.as_deref() == Some("secret") => Some((0, 0)),
        HirKind::Capture(capture) => around_secret(&capture.sub),
        HirKind::Concat(parts) => {
            let at = parts.iter().position(|part| around_secret(part).is_some())?;
            let (head, tail) = around_secret(&parts[at])?;
            Some((head + fixed_len(&parts[..at])?, tail + fixed_len(&parts[at + 1..])?))
        }
        _ => None,
    }
}

/// The length of what `parts` match, if it is always the same.
fn fixed_len(parts: &[Hir]) -> Option<usize> {
    let each = parts.iter().map(|part| {
        let (shortest, longest) = (part.properties().minimum_len()?, part.properties().maximum_len()?);
        (shortest == longest).then_some(longest)
    });
    each.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::pattern::{dissect, parse};
    use crate::engine::rule::Matcher;
    use crate::rules::{Catalog, generator};
    use regex_automata::meta::Regex;

    #[test]
    fn the_bytes_around_a_secret_are_counted_where_they_are_fixed() {
        let cases = [
            ("(?<secret>a+)", Some((0, 0))),
            (r"ab[cd](?<secret>a+)\b", Some((3, 0))),
            ("(?:x(?<secret>a+)y{2})z", Some((1, 3))),
            ("ab?(?<secret>a+)", None),
            ("(?<secret>a+)b*", None),
            ("(?:x(?<secret>a+)|y)", None),
        ];
        for (pattern, expected) in cases {
            assert_eq!(around_secret(&parse(pattern).unwrap()), expected, "{pattern}");
        }
    }

    /// Each built-in pattern, at every place of its own examples and of those cut short, against the regex.
    #[test]
    fn an_automaton_finds_what_the_regex_finds() {
        let catalog = Catalog::builtin();
        let (mut automata, mut matches) = (0, 0);
        for (rule, notes) in catalog.set.rules.iter().zip(&catalog.notes) {
            let Matcher::Pattern(text) = &rule.matcher else { continue };
            let hir = dissect(text).unwrap().hir;
            let Some(ends) = Ends::new(&hir) else { continue };
            automata += 1;
            let regex = Regex::builder().build_from_hir(&hir).unwrap();
            let mut captures = regex.create_captures();
            for example in notes.examples.iter().chain(&notes.counter_examples) {
                let example = generator::marked(example, 7).unwrap().0.into_bytes();
                for (start, end) in (0..example.len())
                    .flat_map(|start| [(start, example.len()), (start, start + (example.len() - start) * 2 / 3)])
                {
                    let input = Input::new(&example).span(start..end).anchored(Anchored::Yes);
                    regex.captures(input, &mut captures);
                    let expected = captures
                        .get_match()
                        .map(|whole| (whole.range(), captures.get_group_by_name("secret").unwrap().range()));
                    let found = ends.match_at(&example, start, end).unwrap_or_else(|_| panic!("{} gave up", rule.id));
                    matches += usize::from(found.is_some());
                    assert_eq!(found, expected, "{} in {:?} from {start}", rule.id, String::from_utf8_lossy(&example));
                }
            }
        }
        assert!(automata > 250 && matches > 1000, "{automata} automata, {matches} matches");
    }
}

//! One pass of the prefilter over a whole message tells which of its fields need no look. It decides nothing else: a field in
//! which no literal begins holds no finding, whatever stands around it.

use std::ops::Range;

use super::Engine;
use super::prefilter::Hit;
use super::scan::Scratch;

/// Bytes that share a bit: small enough that a neighbour's literal seldom costs a field a look of its own.
const GRAIN: usize = 8;
/// Bytes that are looked at at a time, so that no buffer grows with the message.
const CHUNK: usize = 256 << 10;
/// No literal is longer: what a chunk must see behind its end.
const LITERAL: usize = 48;
/// Literals that are kept, 8 MiB of them; a message with more is of nothing but literals, and each field is searched anew.
const MAX_HITS: usize = 1 << 20;

/// Where in a message a literal of some rule begins.
pub(crate) struct Survey {
    reach: Reach,
    /// A bit for each [`GRAIN`] bytes in which a literal begins or a flag stands.
    bits: Vec<u64>,
    /// In the order of the message.
    hits: Vec<Hit>,
    /// Where there is something to look at though no literal begins, in the order of the message.
    flags: Vec<u32>,
}

/// What a survey saw.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Nothing: everything must be looked at.
    Blind,
    /// Every literal, and no flag.
    Literals,
    /// The literals of texts, and whatever else there is to look at.
    Texts,
}

/// How much is known of a field before it is looked at.
#[derive(Clone, Copy)]
pub(crate) enum Look<'s> {
    /// Nothing.
    Blind,
    /// It stands in the surveyed message, from here on.
    At(&'s Survey, usize),
    /// The literals that begin in it.
    Hits(&'s [Hit]),
}

impl Survey {
    fn new(reach: Reach, len: usize) -> Survey {
        let words = if reach == Reach::Blind { 0 } else { len / (64 * GRAIN) + 1 };
        Survey { reach, bits: vec![0; words], hits: Vec::new(), flags: Vec::new() }
    }

    /// Nothing is known: every field is looked at.
    pub(crate) fn blind() -> Survey {
        Survey::new(Reach::Blind, 0)
    }

    /// A survey of the texts of a message of `len` bytes.
    pub(super) fn of_texts(len: usize) -> Survey {
        Survey::new(Reach::Texts, len)
    }

    /// Replaces `out` with the literals that stand in `range` of the message whole, counted from its start. `false` where
    /// they are not known.
    pub(super) fn hits_in(&self, range: &Range<usize>, lens: &[u8], out: &mut Vec<Hit>) -> bool {
        out.clear();
        if self.reach == Reach::Blind {
            return false;
        }
        let first = self.hits.partition_point(|hit| (hit.start as usize) < range.start);
        let within = self.hits[first..].iter().take_while(|hit| (hit.start as usize) < range.end);
        let whole = within.filter(|hit| hit.start as usize + usize::from(lens[usize::from(hit.literal)]) <= range.end);
        out.extend(whole.map(|hit| Hit { start: hit.start - range.start as u32, ..*hit }));
        true
    }

    /// Whether something that a rule looks for may begin in the text at `range`.
    #[inline]
    pub(crate) fn may_hold(&self, range: &Range<usize>) -> bool {
        self.reach == Reach::Blind || self.is_near(range) && self.begins_in(range)
    }

    /// Whether the fields in `range` can be stepped over: nothing in them is other than it would be alone.
    #[inline]
    pub(crate) fn clears(&self, range: &Range<usize>) -> bool {
        self.reach == Reach::Texts && !(self.is_near(range) && (self.begins_in(range) || self.is_flagged(range)))
    }

    /// Whether a bit of `range` is set.
    #[inline]
    fn is_near(&self, range: &Range<usize>) -> bool {
        if range.is_empty() {
            return false;
        }
        let (first, last) = (range.start / GRAIN, (range.end - 1) / GRAIN);
        let (head, tail) = (first / 64, last / 64);
        let from = !0u64 << (first % 64);
        let to = !0u64 >> (63 - last % 64);
        if head == tail {
            return self.bits[head] & from & to != 0;
        }
        self.bits[head] & from != 0
            || self.bits[tail] & to != 0
            || self.bits[head + 1..tail].iter().any(|bits| *bits != 0)
    }

    /// Whether a literal begins in `range`, to the byte.
    fn begins_in(&self, range: &Range<usize>) -> bool {
        let first = self.hits.partition_point(|hit| (hit.start as usize) < range.start);
        self.hits.get(first).is_some_and(|hit| (hit.start as usize) < range.end)
    }

    fn is_flagged(&self, range: &Range<usize>) -> bool {
        let first = self.flags.partition_point(|flag| (*flag as usize) < range.start);
        self.flags.get(first).is_some_and(|flag| (*flag as usize) < range.end)
    }

    /// Adds a literal. What was added before begins no later; see [`Survey::repeat`].
    pub(super) fn add(&mut self, hit: Hit) {
        if self.makes_room(self.hits.len()) {
            self.hits.push(hit);
            self.touch(hit.start);
        }
    }

    /// Adds that there is something to look at.
    pub(super) fn flag(&mut self, at: u32) {
        if self.makes_room(self.flags.len()) {
            self.flags.push(at);
            self.touch(at);
        }
    }

    /// What begins in the text at `first` begins in that at `at` too, which has the same bytes. Literals are in order again
    /// when [`Survey::sort`] was called.
    pub(super) fn repeat(&mut self, first: Range<u32>, at: u32, known: usize) {
        let known = known.min(self.hits.len());
        let from = self.hits[..known].partition_point(|hit| hit.start < first.start);
        let to = from + self.hits[from..known].partition_point(|hit| hit.start < first.end);
        for index in from..to.min(self.hits.len()) {
            let Some(hit) = self.hits.get(index) else { return };
            self.add(Hit { start: hit.start - first.start + at, ..*hit });
        }
    }

    /// Literals found so far.
    pub(super) fn found(&self) -> usize {
        self.hits.len()
    }

    /// Brings literals and flags in order.
    pub(super) fn sort(&mut self) {
        self.hits.sort_unstable();
        self.flags.sort_unstable();
    }

    /// Whether one more can be kept; blind where not.
    fn makes_room(&mut self, taken: usize) -> bool {
        if taken == MAX_HITS {
            *self = Survey::blind();
        }
        self.reach != Reach::Blind
    }

    fn touch(&mut self, at: u32) {
        let bit = at as usize / GRAIN;
        self.bits[bit / 64] |= 1 << (bit % 64);
    }
}

impl Engine {
    /// Whether a survey of `body` tells anything: not where rules or values are looked for that have no literal in the prefilter.
    pub(super) fn surveys(&self, body: &[u8]) -> bool {
        self.known.is_empty() && !self.always_scans && u32::try_from(body.len()).is_ok()
    }

    /// Surveys `body`, whatever it is.
    pub(crate) fn survey(&self, scratch: &mut Scratch, body: &[u8]) -> Survey {
        if !self.surveys(body) {
            return Survey::blind();
        }
        let mut survey = Survey::new(Reach::Literals, body.len());
        let mut hits = std::mem::take(&mut scratch.hits);
        for start in (0..body.len()).step_by(CHUNK) {
            let end = body.len().min(start + CHUNK + LITERAL);
            self.prefilter.find(&mut scratch.prefilter, &body[start..end], &mut hits);
            let own = hits.partition_point(|hit| (hit.start as usize) < CHUNK);
            for hit in &hits[..own] {
                survey.add(Hit { start: hit.start + start as u32, ..*hit });
            }
            if survey.reach == Reach::Blind {
                break;
            }
        }
        scratch.hits = hits;
        survey
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_what_begins_in_its_grains() {
        let mut survey = Survey::new(Reach::Literals, 2048);
        survey.add(Hit { start: 700, literal: 0 });
        for (range, expected) in [
            (0..10, false),
            (0..2000, true),
            (696..704, true),
            (701..704, false),
            (704..2000, false),
            (700..701, true),
            (600..696, false),
            (700..700, false),
        ] {
            assert_eq!(survey.may_hold(&range), expected, "{range:?}");
        }
        let mut hits = Vec::new();
        assert!(survey.hits_in(&(690..704), &[4], &mut hits));
        assert_eq!(hits, [Hit { start: 10, literal: 0 }]);
        assert!(survey.hits_in(&(690..703), &[4], &mut hits) && hits.is_empty());
        assert!(!survey.clears(&(0..10)), "what was not surveyed text by text is not stepped over");
        assert!(Survey::blind().may_hold(&(0..1)) && !Survey::blind().hits_in(&(0..1), &[], &mut hits));
    }

    #[test]
    fn fields_without_literals_and_flags_are_cleared() {
        let mut survey = Survey::of_texts(2048);
        survey.add(Hit { start: 700, literal: 0 });
        survey.flag(900);
        survey.repeat(698..704, 1200, survey.found());
        for (range, expected) in [
            (0..700, true),
            (600..701, false),
            (701..900, true),
            (701..901, false),
            (901..1202, true),
            (901..1203, false),
        ] {
            assert_eq!(survey.clears(&range), expected, "{range:?}");
        }
        assert!(!survey.may_hold(&(880..920)), "a flag is no literal");
    }

    #[test]
    fn with_too_many_literals_everything_is_looked_at() {
        let mut survey = Survey::of_texts(64);
        (0..=MAX_HITS).for_each(|_| survey.add(Hit { start: 3, literal: 0 }));
        assert!(survey.may_hold(&(40..41)) && !survey.clears(&(40..41)) && survey.hits.is_empty());
    }
}

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
    /// A bit for each [`GRAIN`] bytes; empty where everything must be looked at.
    bits: Vec<u64>,
    /// In the order of the message.
    hits: Vec<Hit>,
}

/// How much is known of a field before it is looked at.
#[derive(Clone, Copy)]
pub(crate) enum Look<'s> {
    /// Nothing.
    Blind,
    /// It stands in the surveyed message, from here on.
    At(&'s Survey, usize),
}

impl Survey {
    /// Nothing is known: every field is looked at.
    pub(crate) fn blind() -> Survey {
        Survey { bits: Vec::new(), hits: Vec::new() }
    }

    /// Replaces `out` with the literals that stand in `range` of the message whole, counted from its start. `false` where
    /// they are not known.
    pub(super) fn hits_in(&self, range: &Range<usize>, lens: &[u8], out: &mut Vec<Hit>) -> bool {
        out.clear();
        if self.bits.is_empty() {
            return false;
        }
        let first = self.hits.partition_point(|hit| (hit.start as usize) < range.start);
        let within = self.hits[first..].iter().take_while(|hit| (hit.start as usize) < range.end);
        let whole = within.filter(|hit| hit.start as usize + usize::from(lens[usize::from(hit.literal)]) <= range.end);
        out.extend(whole.map(|hit| Hit { start: hit.start - range.start as u32, ..*hit }));
        true
    }

    /// Whether something that a rule looks for may begin in `range`.
    #[inline]
    pub(crate) fn may_hold(&self, range: &Range<usize>) -> bool {
        if self.bits.is_empty() {
            return true;
        }
        if range.is_empty() {
            return false;
        }
        let (first, last) = (range.start / GRAIN, (range.end - 1) / GRAIN);
        let (head, tail) = (first / 64, last / 64);
        let from = !0u64 << (first % 64);
        let to = !0u64 >> (63 - last % 64);
        let near = if head == tail {
            self.bits[head] & from & to != 0
        } else {
            self.bits[head] & from != 0
                || self.bits[tail] & to != 0
                || self.bits[head + 1..tail].iter().any(|bits| *bits != 0)
        };
        near && self.begins_in(range)
    }

    /// Whether a literal begins in `range`, to the byte.
    fn begins_in(&self, range: &Range<usize>) -> bool {
        let first = self.hits.partition_point(|hit| (hit.start as usize) < range.start);
        self.hits.get(first).is_some_and(|hit| (hit.start as usize) < range.end)
    }

    fn add(&mut self, hit: Hit) {
        self.hits.push(hit);
        let bit = hit.start as usize / GRAIN;
        self.bits[bit / 64] |= 1 << (bit % 64);
    }
}

impl Engine {
    /// Surveys `body`. Blind where rules or values are looked for that have no literal in the prefilter.
    pub(crate) fn survey(&self, scratch: &mut Scratch, body: &[u8]) -> Survey {
        if !self.known.is_empty() || self.always_scans {
            return Survey::blind();
        }
        if u32::try_from(body.len()).is_err() {
            return Survey::blind();
        }
        let mut survey = Survey { bits: vec![0; body.len() / (64 * GRAIN) + 1], hits: Vec::new() };
        let mut hits = std::mem::take(&mut scratch.hits);
        for start in (0..body.len()).step_by(CHUNK) {
            let end = body.len().min(start + CHUNK + LITERAL);
            self.prefilter.find(&mut scratch.prefilter, &body[start..end], &mut hits);
            let own = hits.partition_point(|hit| (hit.start as usize) < CHUNK);
            for hit in &hits[..own] {
                survey.add(Hit { start: hit.start + start as u32, ..*hit });
            }
            if survey.hits.len() > MAX_HITS {
                survey = Survey::blind();
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
        let mut survey = Survey { bits: vec![0; 4], hits: Vec::new() };
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
        assert!(Survey::blind().may_hold(&(0..1)) && !Survey::blind().hits_in(&(0..1), &[], &mut hits));
    }
}

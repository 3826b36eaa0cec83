//! One pass of the prefilter over a whole message tells which of its fields need no look. It decides nothing else: a field in
//! which no literal begins holds no finding, whatever stands around it.

use std::ops::Range;

use super::Engine;
use super::scan::Scratch;

/// Bytes that share a bit: small enough that a neighbour's literal seldom costs a field a look of its own.
const GRAIN: usize = 8;
/// Bytes that are looked at at a time, so that the memory for hits stays bounded.
const CHUNK: usize = 256 << 10;
/// No literal is longer: what a chunk must see behind its end.
const LITERAL: usize = 48;

/// Where in a message a literal of some rule begins.
pub(crate) struct Survey {
    /// A bit for each [`GRAIN`] bytes; empty where everything must be looked at.
    bits: Vec<u64>,
}

impl Survey {
    /// Nothing is known: every field is looked at.
    pub(crate) fn blind() -> Survey {
        Survey { bits: Vec::new() }
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
        if head == tail {
            return self.bits[head] & from & to != 0;
        }
        self.bits[head] & from != 0
            || self.bits[tail] & to != 0
            || self.bits[head + 1..tail].iter().any(|bits| *bits != 0)
    }

    fn add(&mut self, at: usize) {
        let bit = at / GRAIN;
        self.bits[bit / 64] |= 1 << (bit % 64);
    }
}

impl Engine {
    /// Surveys `body`. Blind where rules or values are looked for that have no literal in the prefilter.
    pub(crate) fn survey(&self, scratch: &mut Scratch, body: &[u8]) -> Survey {
        if !self.known.is_empty() || self.set.rules.iter().any(|rule| rule.always_scan) {
            return Survey::blind();
        }
        let mut survey = Survey { bits: vec![0; body.len() / (64 * GRAIN) + 1] };
        let mut hits = std::mem::take(&mut scratch.hits);
        for start in (0..body.len()).step_by(CHUNK) {
            let end = body.len().min(start + CHUNK + LITERAL);
            self.prefilter.find(&mut scratch.prefilter, &body[start..end], &mut hits);
            hits.iter().for_each(|hit| survey.add(start + hit.start as usize));
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
        let mut survey = Survey { bits: vec![0; 4] };
        survey.add(700);
        for (range, expected) in [
            (0..10, false),
            (0..2000, true),
            (696..704, true),
            (704..2000, false),
            (700..701, true),
            (600..696, false),
            (700..700, false),
        ] {
            assert_eq!(survey.may_hold(&range), expected, "{range:?}");
        }
        assert!(Survey::blind().may_hold(&(0..1)));
    }
}

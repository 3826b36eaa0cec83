//! The exact compare of a literal with the haystack. It does not search: a position is given.
//!
//! Up to sixteen positions are compared as one number under a mask; letters whose both cases are allowed are folded first.
//! What that cannot say (classes, positions past the sixteenth) is checked byte by byte after it.

use super::Literal;
use crate::engine::byteset::ByteSet;

/// All literals, ready to be compared.
pub(super) struct Checks {
    checks: Vec<Check>,
    /// Positions not said by a `Check`'s word, literal after literal.
    rest: Vec<Run>,
    /// What may stand at those positions: few sets, used often.
    classes: Vec<ByteSet>,
}

/// Positions in a row of which each has the same class.
struct Run {
    start: u8,
    end: u8,
    /// Index into `Checks::classes`.
    class: u32,
}

/// One literal: it stands where `(word | fold) & mask == value` and each of its `rest` holds.
struct Check {
    fold: u128,
    mask: u128,
    value: u128,
    /// How many positions the literal has.
    len: u8,
    /// Where in the literal its window begins.
    offset: u8,
    /// Its part of `Checks::rest`.
    rest: (u32, u32),
}

impl Checks {
    /// `offsets` are where each literal's window begins in it.
    pub(super) fn new(literals: &[Literal], offsets: impl Iterator<Item = u8>) -> Checks {
        let mut checks = Checks { checks: Vec::with_capacity(literals.len()), rest: Vec::new(), classes: Vec::new() };
        for (literal, offset) in literals.iter().zip(offsets) {
            let check = checks.check(literal, offset);
            checks.checks.push(check);
        }
        checks
    }

    fn check(&mut self, literal: &Literal, offset: u8) -> Check {
        let (mut fold, mut mask, mut value) = ([0u8; 16], [0u8; 16], [0u8; 16]);
        let rest = self.rest.len() as u32;
        // Literals end in long runs of one class: looked at once.
        for (position, set) in (0u8..).zip(&literal.sets) {
            if position > 0
                && *set == literal.sets[usize::from(position) - 1]
                && let Some(run) = self.rest[rest as usize..].last_mut().filter(|run| run.end == position)
            {
                run.end += 1;
                continue;
            }
            let at = usize::from(position);
            match exactly(set) {
                Some((folding, byte)) if at < 16 => (fold[at], mask[at], value[at]) = (folding, 0xFF, byte),
                _ => {
                    let class = self.class(set);
                    self.rest.push(Run { start: position, end: position + 1, class });
                }
            }
        }
        let [fold, mask, value] = [fold, mask, value].map(u128::from_le_bytes);
        Check { fold, mask, value, len: literal.sets.len() as u8, offset, rest: (rest, self.rest.len() as u32) }
    }

    /// The number of a class: one of the last few, or a new one.
    fn class(&mut self, set: &ByteSet) -> u32 {
        let recent = self.classes.len().saturating_sub(32);
        let known = self.classes[recent..].iter().rposition(|class| class == set);
        let number = known.map_or(self.classes.len(), |at| recent + at);
        if known.is_none() {
            self.classes.push(*set);
        }
        number as u32
    }

    /// Where `literal` begins if its window begins at `position` and it is there as a whole.
    #[inline(always)]
    pub(super) fn start(&self, literal: u16, haystack: &[u8], position: u32) -> Option<u32> {
        let check = &self.checks[usize::from(literal)];
        let start = position.checked_sub(u32::from(check.offset))?;
        self.stands(check, haystack, start as usize).then_some(start)
    }

    /// Whether `literal` stands at `start`.
    pub(super) fn stands_at(&self, literal: u16, haystack: &[u8], start: usize) -> bool {
        self.stands(&self.checks[usize::from(literal)], haystack, start)
    }

    #[inline(always)]
    fn stands(&self, check: &Check, haystack: &[u8], start: usize) -> bool {
        if (word_at(haystack, start) | check.fold) & check.mask != check.value {
            return false;
        }
        let Some(bytes) = haystack.get(start..start + usize::from(check.len)) else { return false };
        let rest = &self.rest[check.rest.0 as usize..check.rest.1 as usize];
        rest.iter().all(|run| {
            let class = &self.classes[run.class as usize];
            bytes[usize::from(run.start)..usize::from(run.end)].iter().all(|&byte| class.contains(byte))
        })
    }
}

/// A set that is one byte, or both cases of one letter: what to or a byte with, and what it must be then.
fn exactly(set: &ByteSet) -> Option<(u8, u8)> {
    // One or two bits of one word: the cases of a letter are 32 bits apart.
    let mut taken = set.words().into_iter().zip([0u8, 64, 128, 192]).filter(|(word, _)| *word != 0);
    let (Some((word, base)), None) = (taken.next(), taken.next()) else { return None };
    let (low, rest) = (word.trailing_zeros() as u8, word & (word - 1));
    if rest == 0 {
        return Some((0, base + low));
    }
    let lower = (base + low) | 0x20;
    (low < 32 && rest == 1 << (low + 32) && lower.is_ascii_lowercase()).then_some((0x20, lower))
}

/// The sixteen bytes at `start`, little-endian; zeros stand for those past the end.
#[inline(always)]
fn word_at(haystack: &[u8], start: usize) -> u128 {
    match haystack.get(start..).and_then(|rest| rest.first_chunk()) {
        Some(bytes) => u128::from_le_bytes(*bytes),
        None => word_at_end(haystack, start),
    }
}

#[cold]
fn word_at_end(haystack: &[u8], start: usize) -> u128 {
    let rest = haystack.get(start..).unwrap_or_default();
    let mut bytes = [0; 16];
    bytes[..rest.len()].copy_from_slice(rest);
    u128::from_le_bytes(bytes)
}

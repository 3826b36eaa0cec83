//! The part of a literal that is searched first: a few positions in a row. Not the whole literal, which `confirm` compares.

use super::Literal;
use super::frequency::Frequencies;
use crate::engine::byteset::ByteSet;

/// How many positions a window has; a pass looks at all of them.
pub(super) const WIDTH: usize = 5;

/// By how many of them, the first, a window is looked up after the pass.
pub(super) const QUAD: usize = 4;

/// A window with more combinations of folded bytes than this is looked up by its first two bytes instead of all four.
/// 1,024 fill 1.6 % of the four-byte bitmap, and each costs some 20 ns at the start.
const MAX_QUADS: usize = 1024;

/// Above this a literal is not looked up at all but compared at every position.
const MAX_PAIRS: usize = 4096;

/// Five positions of a literal in a row. A shorter literal is filled up with "any byte".
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Window {
    /// Where in its literal the window begins.
    pub(super) offset: u8,
    /// What may stand at each position.
    pub(super) sets: [ByteSet; WIDTH],
    /// By what it is looked up.
    pub(super) key: Key,
}

/// By what a window can be looked up; the cheaper first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Key {
    /// All four bytes, case folded.
    Quad,
    /// The first two bytes as they are.
    Pair,
    /// Nothing: too many combinations.
    Wide,
}

impl Window {
    /// The window of `literal` at `offset`.
    pub(super) fn at(literal: &Literal, offset: usize) -> Window {
        let set = |position| literal.sets.get(position).copied().unwrap_or(ByteSet::ALL);
        let sets = std::array::from_fn(|position| set(offset + position));
        Window::of(u8::try_from(offset).expect("a literal has at most 48 positions"), sets)
    }

    /// The window of these sets.
    pub(super) fn of(offset: u8, sets: [ByteSet; WIDTH]) -> Window {
        Window { offset, sets, key: key(&sets) }
    }

    /// The windows a literal offers: one if it has no more than four positions.
    pub(super) fn all(literal: &Literal) -> impl Iterator<Item = Window> + '_ {
        (0..=literal.sets.len().saturating_sub(WIDTH)).map(|offset| Window::at(literal, offset))
    }

    /// The window of `literal` least likely in logs where bytes occur as in `frequencies`.
    pub(super) fn rarest(literal: &Literal, frequencies: &Frequencies) -> Window {
        let shares: Vec<f32> = literal.sets.iter().map(|set| frequencies.set(set)).collect();
        let cost = |window: &Window| -> (Key, f32) {
            let from = usize::from(window.offset);
            (window.key, shares[from..shares.len().min(from + WIDTH)].iter().product())
        };
        let mut best = (Window::at(literal, 0), (Key::Wide, f32::INFINITY));
        for window in Window::all(literal) {
            let cost = cost(&window);
            if cost < best.1 {
                best = (window, cost);
            }
        }
        best.0
    }

    /// How many quads there are.
    pub(super) fn combinations(&self) -> usize {
        combinations(&folded_four(&self.sets))
    }

    /// Replaces `quads` with every four bytes the window may begin with, folded, as little-endian numbers.
    pub(super) fn quads(&self, quads: &mut Vec<u32>) {
        combine(&folded_four(&self.sets), quads);
    }

    /// Replaces `pairs` with every two bytes the window may begin with, as they are.
    pub(super) fn pairs(&self, pairs: &mut Vec<u32>) {
        combine(&first_two(&self.sets), pairs);
    }

    /// The lower five bits of what may stand at `position`, a bit each.
    pub(super) fn lows(&self, position: usize) -> u32 {
        let any = self.sets[position].words().into_iter().fold(0, |any, word| any | word);
        (any | any >> 32) as u32
    }
}

/// By what a window of these sets is looked up.
fn key(sets: &[ByteSet; WIDTH]) -> Key {
    if combinations(&folded_four(sets)) <= MAX_QUADS {
        Key::Quad
    } else if combinations(&first_two(sets)) <= MAX_PAIRS {
        Key::Pair
    } else {
        Key::Wide
    }
}

fn folded_four(sets: &[ByteSet; WIDTH]) -> [Words; QUAD] {
    std::array::from_fn(|position| folded(&sets[position]))
}

fn first_two(sets: &[ByteSet; WIDTH]) -> [Words; 2] {
    std::array::from_fn(|position| sets[position].words())
}

/// A byte set as [`ByteSet::words`]. Sets are counted, folded and walked a word at a time: asking for each of 256 bytes
/// was most of the time to start.
type Words = [u64; 4];

/// The set with bit 5 set in every member: the two cases of a letter become one.
fn folded(set: &ByteSet) -> Words {
    // A word is 64 bytes in a row, the lower half of which has bit 5 clear.
    set.words().map(|word| (word | word << 32) >> 32 << 32)
}

/// How many ways there are to choose one member of each set.
fn combinations(sets: &[Words]) -> usize {
    sets.iter().map(|words| words.iter().map(count).sum::<usize>()).product()
}

/// How many bits are set: most often none, or one. Counting bits takes a dozen instructions where there is none for it.
fn count(word: &u64) -> usize {
    if word & word.wrapping_sub(1) == 0 { usize::from(*word != 0) } else { word.count_ones() as usize }
}

/// Replaces `chosen` with every way to choose one member of each set; the first set's is the lowest byte.
fn combine(sets: &[Words], chosen: &mut Vec<u32>) {
    chosen.clear();
    chosen.push(0);
    for (set, shift) in sets.iter().zip([0, 8, 16, 24]) {
        let before = chosen.len();
        let mut first = None;
        each(set, |byte| {
            let byte = u32::from(byte) << shift;
            match first {
                None => first = Some(byte),
                Some(_) => (0..before).for_each(|i| chosen.push(chosen[i] | byte)),
            }
        });
        match first {
            Some(byte) => chosen[..before].iter_mut().for_each(|low| *low |= byte),
            None => chosen.clear(),
        }
    }
}

/// Calls `with` for each member of a set, ascending.
#[inline(always)]
fn each(words: &Words, mut with: impl FnMut(u8)) {
    for (word, base) in words.iter().zip([0u8, 64, 128, 192]) {
        let mut rest = *word;
        while rest != 0 {
            with(base + rest.trailing_zeros() as u8);
            rest &= rest - 1;
        }
    }
}

/// The members of a set, ascending.
pub(super) fn members(set: &ByteSet) -> impl Iterator<Item = u8> {
    bits(set.words())
}

fn bits(words: Words) -> impl Iterator<Item = u8> {
    words.into_iter().zip([0u8, 64, 128, 192]).flat_map(|(mut rest, base)| {
        std::iter::from_fn(move || {
            let bit = (rest != 0).then(|| rest.trailing_zeros() as u8)?;
            rest &= rest - 1;
            Some(base + bit)
        })
    })
}

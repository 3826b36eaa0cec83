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
        Window { offset: u8::try_from(offset).expect("a literal has at most 48 positions"), sets }
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
            (window.key(), shares[from..shares.len().min(from + WIDTH)].iter().product())
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

    /// By what this window is looked up.
    pub(super) fn key(&self) -> Key {
        if self.combinations() <= MAX_QUADS {
            Key::Quad
        } else if combinations(&self.first_two()) <= MAX_PAIRS {
            Key::Pair
        } else {
            Key::Wide
        }
    }

    /// How many quads there are.
    pub(super) fn combinations(&self) -> usize {
        combinations(&self.first_four())
    }

    /// Every four bytes the window may begin with, folded, as little-endian numbers.
    pub(super) fn quads(&self) -> Vec<u32> {
        combine(&self.first_four())
    }

    /// Every two bytes the window may begin with, as they are.
    pub(super) fn pairs(&self) -> Vec<u32> {
        combine(&self.first_two())
    }

    fn first_four(&self) -> [Words; QUAD] {
        [0, 1, 2, 3].map(|position| folded(&self.sets[position]))
    }

    fn first_two(&self) -> [Words; 2] {
        [self.sets[0].words(), self.sets[1].words()]
    }
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
    sets.iter().map(|words| words.iter().map(|word| word.count_ones() as usize).sum::<usize>()).product()
}

/// Every way to choose one member of each set; the first set's is the lowest byte.
fn combine(sets: &[Words]) -> Vec<u32> {
    let mut chosen = Vec::with_capacity(combinations(sets));
    let mut longer = Vec::with_capacity(combinations(sets));
    chosen.push(0);
    for (set, shift) in sets.iter().zip([0, 8, 16, 24]) {
        for byte in bits(*set) {
            longer.extend(chosen.iter().map(|low| low | u32::from(byte) << shift));
        }
        std::mem::swap(&mut chosen, &mut longer);
        longer.clear();
    }
    chosen
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

/// The smallest member; 0 for the empty set.
pub(super) fn first(set: &ByteSet) -> u8 {
    members(set).next().unwrap_or(0)
}

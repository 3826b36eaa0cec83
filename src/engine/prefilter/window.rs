//! The part of a literal that is searched first: four positions in a row. Not the whole literal, which `confirm` compares.

use super::Literal;
use super::frequency::Frequencies;
use crate::engine::byteset::ByteSet;

/// How many positions a window has.
pub(super) const WIDTH: usize = 4;

/// A window with more combinations of folded bytes than this is looked up by its first two bytes instead of all four.
/// 1,024 fill 1.6 % of the four-byte bitmap, and each costs some 20 ns at the start.
const MAX_QUADS: usize = 1024;

/// Above this a literal is not looked up at all but compared at every position.
const MAX_PAIRS: usize = 4096;

/// Four positions of a literal in a row. A literal of two or three positions is filled up with "any byte".
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
        let sets = [offset, offset + 1, offset + 2, offset + 3].map(set);
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
        let quads: usize = self.sets.iter().map(|set| folded(set).len()).product();
        let pairs = self.sets[0].len() * self.sets[1].len();
        if quads <= MAX_QUADS {
            Key::Quad
        } else if pairs <= MAX_PAIRS {
            Key::Pair
        } else {
            Key::Wide
        }
    }

    /// Every four bytes the window may begin with, folded, as little-endian numbers.
    pub(super) fn quads(&self) -> Vec<u32> {
        self.combinations(&self.sets.map(|set| folded(&set)))
    }

    /// Every two bytes the window may begin with, as they are.
    pub(super) fn pairs(&self) -> Vec<u32> {
        self.combinations(&self.sets[..2])
    }

    fn combinations(&self, sets: &[ByteSet]) -> Vec<u32> {
        let mut found = vec![0u32];
        for (set, shift) in sets.iter().zip([0, 8, 16, 24]) {
            let bytes: Vec<u32> = members(set).map(|byte| u32::from(byte) << shift).collect();
            found = found.iter().flat_map(|&low| bytes.iter().map(move |&high| low | high)).collect();
        }
        found
    }
}

/// The set with bit 5 set in every member: the two cases of a letter become one.
pub(super) fn folded(set: &ByteSet) -> ByteSet {
    if set.len() == 1 {
        return ByteSet::of(first(set) | 0x20);
    }
    members(set).fold(ByteSet::EMPTY, |folded, byte| folded.with(byte | 0x20))
}

/// The members of a set, ascending. Faster than asking for each of 256 bytes, which showed in the time to start.
pub(super) fn members(set: &ByteSet) -> impl Iterator<Item = u8> {
    let words = set.words();
    (0..4usize).flat_map(move |word| {
        let mut rest = words[word];
        std::iter::from_fn(move || {
            let bit = (rest != 0).then(|| rest.trailing_zeros())?;
            rest &= rest - 1;
            Some((word * 64) as u8 + bit as u8)
        })
    })
}

/// The smallest member; 0 for the empty set.
pub(super) fn first(set: &ByteSet) -> u8 {
    members(set).next().unwrap_or(0)
}

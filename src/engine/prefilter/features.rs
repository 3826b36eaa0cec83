//! What a pass looks up: for each position a few small numbers made of the bytes there, the *symbols*. A bucket accepts a
//! set of symbols of each feature, and a position if it accepts all of its symbols.
//!
//! A thousand literals in two dozen buckets are forty in each. Of single bytes, forty words accept half of all text at
//! every position; a hash of two neighbouring bytes into 128 symbols is accepted one time in four. On 1,042 literals in 24
//! buckets, six lookups of such symbols let 8,800 positions per MB through where four bytes let 50,000 and four pairs of
//! nibbles 74,000 (November 2026).
//! Not every processor can look 128 entries up at once, therefore there are two sets of features.

use super::window::{WIDTH, Window};
use crate::engine::byteset::ByteSet;

/// A number made of one byte or of two neighbours; it is given the position of the first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Feature {
    /// The lower seven bits of a byte.
    Byte(usize),
    /// Seven bits of two bytes: those of the first with bit 5 set, the lower half of the second added to bits 3 to 6
    /// without carry. The cases of a letter are one.
    Pair(usize),
    /// The lower half of a byte.
    Low(usize),
    /// Four bits of two bytes: bits 4 and 6 of each, which tell the halves of the alphabet, digits and punctuation apart.
    Highs(usize),
}

/// The features one kind of pass looks up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Features {
    /// For tables of 128 entries.
    Hashes,
    /// For tables of 16 entries.
    Nibbles,
}

/// For each feature of a list the symbols accepted, a bit each; what is past the end of the list says nothing.
pub(super) type Symbols = [u128; MOST];

/// The length of the longer list.
pub(super) const MOST: usize = 6;

/// Of [`Features::Hashes`]. The two bytes as they are keep `%4` from `%a`: a hash of a byte and a class is no longer exact.
pub(super) const HASHES: [Feature; 6] =
    [Feature::Byte(0), Feature::Byte(1), Feature::Pair(0), Feature::Pair(1), Feature::Pair(2), Feature::Pair(3)];

/// Of [`Features::Nibbles`].
pub(super) const NIBBLES: [Feature; 6] =
    [Feature::Low(0), Feature::Low(1), Feature::Low(2), Feature::Low(3), Feature::Highs(0), Feature::Highs(2)];

impl Features {
    /// Which they are.
    pub(super) fn list(self) -> &'static [Feature] {
        match self {
            Features::Hashes => &HASHES,
            Features::Nibbles => &NIBBLES,
        }
    }

    /// What `window` may have at each feature.
    pub(super) fn of(self, window: &Window) -> Symbols {
        let mut symbols = [0; MOST];
        for (symbols, feature) in symbols.iter_mut().zip(self.list()) {
            *symbols = feature.symbols(window);
        }
        symbols
    }
}

impl Feature {
    /// The symbol where these bytes stand.
    #[inline(always)]
    pub(super) fn symbol(self, bytes: &[u8; WIDTH]) -> usize {
        let at = |position: usize| usize::from(bytes[position]);
        match self {
            Feature::Byte(position) => at(position) & 127,
            Feature::Pair(position) => (at(position) | 0x20) & 127 ^ (at(position + 1) & 15) << 3,
            Feature::Low(position) => at(position) & 15,
            Feature::Highs(position) => at(position) >> 4 & 5 | at(position + 1) >> 3 & 10,
        }
    }

    /// The symbols where `window` stands, a bit each.
    fn symbols(self, window: &Window) -> u128 {
        let sets = &window.sets;
        match self {
            Feature::Byte(position) => septets(&sets[position]),
            Feature::Pair(position) => pairs(&sets[position], &sets[position + 1]),
            Feature::Low(position) => u128::from(lows(&sets[position])),
            Feature::Highs(position) => highs(&sets[position], &sets[position + 1]),
        }
    }
}

/// The lower seven bits of the members.
fn septets(set: &ByteSet) -> u128 {
    let [a, b, c, d] = set.words();
    u128::from(a | c) | u128::from(b | d) << 64
}

/// The lower halves of the members.
fn lows(set: &ByteSet) -> u16 {
    let any = set.words().into_iter().fold(0, |any, word| any | word);
    (any | any >> 16 | any >> 32 | any >> 48) as u16
}

fn pairs(first: &ByteSet, second: &ByteSet) -> u128 {
    let septets = septets(first);
    // Bit 5 set: the lower 32 symbols of each 64 become the upper.
    let folded = (septets | septets << 32) & (0xFFFF_FFFF << 32 | 0xFFFF_FFFF << 96);
    // To add a number to bits 3 to 6 is to reorder the bytes of the bit set.
    let octets = folded.to_le_bytes();
    let mut pairs = [0; 16];
    let mut lows = lows(second);
    while lows != 0 {
        let low = lows.trailing_zeros() as usize;
        for (i, octet) in octets.iter().enumerate() {
            pairs[i ^ low] |= octet;
        }
        lows &= lows - 1;
    }
    u128::from_le_bytes(pairs)
}

fn highs(first: &ByteSet, second: &ByteSet) -> u128 {
    // Of upper halves, a bit each, those that are `value` after `& 5`: bits 1 and 3 of the half are not looked at.
    let has = |set: u16, value: usize| set >> value & 0b0000_0101_0000_0101 != 0;
    let (first, second) = (upper_halves(first), upper_halves(second));
    let mut highs = 0;
    for symbol in 0..16 {
        let both = has(first, symbol & 5) && has(second, symbol >> 1 & 5);
        highs |= u128::from(both) << symbol;
    }
    highs
}

/// The upper halves of the members.
fn upper_halves(set: &ByteSet) -> u16 {
    let mut halves = 0;
    for (i, word) in set.words().into_iter().enumerate() {
        for quarter in 0..4 {
            halves |= u16::from((word >> (16 * quarter)) as u16 != 0) << (4 * i + quarter);
        }
    }
    halves
}

/// The set bits, ascending.
pub(super) fn bits(mut set: u128) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (set != 0).then(|| set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::prefilter::window::QUAD;

    #[test]
    fn the_symbols_of_a_window_are_those_of_its_bytes() {
        let sets = [
            ByteSet::of(b'%'),
            ByteSet::fold(b'k'),
            ByteSet::from_bytes(b" ._-"),
            ByteSet::EMPTY.with_range(b'0', b'9').with_range(b'A', b'Z'),
            ByteSet::ALL,
            ByteSet::EMPTY.with_range(0x80, 0xFF),
        ];
        for rotation in 0..sets.len() {
            let window = Window::of(0, std::array::from_fn(|i| sets[(i + rotation) % sets.len()]));
            for feature in HASHES.into_iter().chain(NIBBLES) {
                let mut expected = 0u128;
                let (Feature::Byte(at) | Feature::Pair(at) | Feature::Low(at) | Feature::Highs(at)) = feature;
                let mut bytes = [0; WIDTH];
                for first in window.sets[at].iter() {
                    for second in window.sets[(at + 1).min(QUAD)].iter() {
                        (bytes[at], bytes[(at + 1).min(QUAD)]) = (first, second);
                        expected |= 1 << feature.symbol(&bytes);
                    }
                }
                assert_eq!(feature.symbols(&window), expected, "{feature:?} of {window:?}");
            }
        }
    }
}

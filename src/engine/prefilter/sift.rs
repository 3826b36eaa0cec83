//! From candidates to literals worth comparing: two hash bitmaps over the bytes at a candidate. Not exact: what passes is
//! compared by `confirm`, and what does not pass cannot be a literal.
//!
//! A pass confuses the literals of one bucket with each other; about half of its candidates are such confusions and end
//! here for a nanosecond each.

use super::window::{Key, Window};

/// The hash of four bytes: bit 5 of each is ignored, so that the cases of a letter are one.
#[inline(always)]
fn slot_of_quad(bytes: u32) -> usize {
    ((bytes | 0x2020_2020).wrapping_mul(0x9E37_79B1) >> 16) as usize
}

/// Two bytes are their own hash.
#[inline(always)]
fn slot_of_pair(bytes: u32) -> usize {
    (bytes & 0xFFFF) as usize
}

/// Which literals may stand at a position, told by the four bytes there.
pub(super) struct Sift {
    /// Literals looked up by four folded bytes.
    quads: Index,
    /// Literals looked up by two bytes: `ESC [`, `%4`.
    pairs: Index,
    /// Literals in neither index: they have to be compared everywhere.
    pub(super) wide: Vec<u16>,
}

impl Sift {
    /// The sift for literals with these windows.
    pub(super) fn new(windows: &[Window]) -> Sift {
        let (mut quads, mut pairs, mut wide) = (Vec::new(), Vec::new(), Vec::new());
        for (literal, window) in (0u16..).zip(windows) {
            match window.key() {
                Key::Quad => quads.extend(window.quads().into_iter().map(|quad| entry(slot_of_quad(quad), literal))),
                Key::Pair => pairs.extend(window.pairs().into_iter().map(|pair| entry(slot_of_pair(pair), literal))),
                Key::Wide => wide.push(literal),
            }
        }
        Sift { quads: Index::new(quads), pairs: Index::new(pairs), wide }
    }

    /// Whether some literal's window may begin with these four bytes.
    #[inline(always)]
    pub(super) fn passes(&self, bytes: u32) -> bool {
        self.quads.has(slot_of_quad(bytes)) | self.pairs.has(slot_of_pair(bytes))
    }

    /// Keeps those of `positions` whose four bytes pass, in order, at the front; returns how many.
    ///
    /// Without a branch per candidate: whether one passes is a coin toss to the branch predictor.
    #[inline(always)]
    pub(super) fn keep(&self, haystack: &[u8], positions: &mut [u32]) -> usize {
        let mut kept = 0;
        for i in 0..positions.len() {
            let position = positions[i];
            let passes = self.passes(quad_at(haystack, position as usize));
            positions[kept] = position;
            kept += usize::from(passes);
        }
        kept
    }

    /// The literals that may have their window where these four bytes stand.
    #[inline(always)]
    pub(super) fn literals(&self, bytes: u32) -> [&[u16]; 2] {
        [self.quads.literals(slot_of_quad(bytes)), self.pairs.literals(slot_of_pair(bytes))]
    }
}

/// The four bytes at `position`, little-endian; zeros stand for those past the end.
#[inline(always)]
pub(super) fn quad_at(haystack: &[u8], position: usize) -> u32 {
    match haystack.get(position..).and_then(|rest| rest.first_chunk()) {
        Some(bytes) => u32::from_le_bytes(*bytes),
        None => quad_at_end(haystack, position),
    }
}

#[cold]
fn quad_at_end(haystack: &[u8], position: usize) -> u32 {
    let rest = haystack.get(position..).unwrap_or_default();
    let mut bytes = [0; 4];
    bytes[..rest.len()].copy_from_slice(rest);
    u32::from_le_bytes(bytes)
}

/// A multimap from 16-bit slots to literals: a bitmap says which slots are taken, its running popcount where each one's
/// literals are. 10 KiB are hot whatever the number of literals; a plain table of slots would be 128 KiB.
struct Index {
    /// Bit `slot % 64` of word `slot / 64`: the slot is taken.
    taken: Box<[u64; WORDS]>,
    /// How many slots are taken in all words before.
    before: Box<[u16; WORDS]>,
    /// The literals of the n-th taken slot are `members[starts[n]..starts[n + 1]]`.
    starts: Vec<u32>,
    /// Ascending within one slot.
    members: Vec<u16>,
}

const WORDS: usize = 1 << 10;

impl Index {
    fn new(mut entries: Vec<u32>) -> Index {
        entries.sort_unstable();
        entries.dedup();
        let mut taken = Box::new([0u64; WORDS]);
        let mut starts = Vec::with_capacity(entries.len() + 1);
        for (i, entry) in (0u32..).zip(&entries) {
            let (word, bit) = (&mut taken[(entry >> 22) as usize], 1 << (entry >> 16 & 63));
            if *word & bit == 0 {
                *word |= bit;
                starts.push(i);
            }
        }
        starts.push(entries.len() as u32);
        let members = entries.into_iter().map(|entry| entry as u16).collect();
        Index { before: running_count(&taken), taken, starts, members }
    }

    #[inline(always)]
    fn has(&self, slot: usize) -> bool {
        self.taken[(slot >> 6) % WORDS] >> (slot & 63) & 1 == 1
    }

    #[inline(always)]
    fn literals(&self, slot: usize) -> &[u16] {
        if !self.has(slot) {
            return &[];
        }
        let word = (slot >> 6) % WORDS;
        let below = self.taken[word] & ((1 << (slot & 63)) - 1);
        let rank = usize::from(self.before[word]) + below.count_ones() as usize;
        &self.members[self.starts[rank] as usize..self.starts[rank + 1] as usize]
    }
}

/// A slot and one of its literals, as they are sorted: by slot, then literal.
fn entry(slot: usize, literal: u16) -> u32 {
    (slot as u32) << 16 | u32::from(literal)
}

fn running_count(taken: &[u64; WORDS]) -> Box<[u16; WORDS]> {
    let mut before = Box::new([0u16; WORDS]);
    let mut count = 0u32;
    for (word, before) in taken.iter().zip(before.iter_mut()) {
        *before = count as u16; // at most 65,472: the last word is not counted
        count += word.count_ones();
    }
    before
}

//! From what the pass let through to literals worth comparing: two hash bitmaps over the bytes at a position, then the byte
//! behind. Not exact: what passes is compared by `confirm`, and what does not pass cannot be a literal.
//!
//! A pass confuses the literals of one bucket with each other; most of what it lets through are such confusions and end
//! here for a nanosecond each.

use super::window::{Key, WIDTH, Window};

/// The hash of four bytes: bit 5 of each is ignored, so that the cases of a letter are one.
#[inline(always)]
fn slot_of_quad(bytes: u64) -> usize {
    ((bytes as u32 | 0x2020_2020).wrapping_mul(0x9E37_79B1) >> (32 - QUAD_BITS)) as usize
}

/// Six thousand of the 524,288 slots are taken. AVX2 lets one position in eight through: with half of the slots 1,200 more of
/// them per megabyte would be compared, with a quarter of them 3,600 more.
const QUAD_BITS: u32 = 19;

/// Two bytes are their own hash.
#[inline(always)]
fn slot_of_pair(bytes: u64) -> usize {
    (bytes & 0xFFFF) as usize
}

/// Which literals may stand at a position, told by the five bytes there.
pub(super) struct Sift {
    /// Literals looked up by four folded bytes, and the fifth.
    quads: Index<{ 1 << (QUAD_BITS - 6) }>,
    /// Literals looked up by two bytes, and the third: `ESC [`, `%4`.
    pairs: Index<{ 1 << 10 }>,
    /// Literals in neither index: they have to be compared everywhere.
    pub(super) wide: Vec<u16>,
}

impl Sift {
    /// The sift for literals with these windows.
    pub(super) fn new(windows: &[Window]) -> Sift {
        let (mut quads, mut pairs, mut wide) = (Vec::with_capacity(5 * windows.len()), Vec::new(), Vec::new());
        let mut slots = Vec::new();
        for (literal, window) in (0u16..).zip(windows) {
            match window.key {
                Key::Quad => {
                    window.quads(&mut slots);
                    slots.iter_mut().for_each(|quad| *quad = slot_of_quad(u64::from(*quad)) as u32);
                    enter(&mut quads, &mut slots, literal, window.lows(WIDTH - 1));
                }
                Key::Pair => {
                    window.pairs(&mut slots);
                    enter(&mut pairs, &mut slots, literal, window.lows(2));
                }
                Key::Wide => wide.push(literal),
            }
        }
        Sift { quads: Index::new(quads), pairs: Index::new(pairs), wide }
    }

    /// Whether some literal's window may begin with the first four of these bytes.
    #[inline(always)]
    fn passes(&self, bytes: u64) -> bool {
        self.quads.has(slot_of_quad(bytes)) | self.pairs.has(slot_of_pair(bytes))
    }

    /// Keeps those of `positions` whose four bytes pass, in order, at the front; returns how many.
    ///
    /// Without a branch per position: whether one passes is a coin toss to the branch predictor.
    #[inline(always)]
    pub(super) fn keep(&self, haystack: &[u8], positions: &mut [u32]) -> usize {
        let mut kept = 0;
        for i in 0..positions.len() {
            let position = positions[i];
            let passes = self.passes(bytes_at(haystack, position as usize));
            positions[kept] = position;
            kept += usize::from(passes);
        }
        kept
    }

    /// The literals that may have their window where these bytes stand: of few of the kept positions there are none.
    #[inline(always)]
    pub(super) fn literals(&self, bytes: u64) -> [&[u16]; 2] {
        let quads = self.quads.literals(slot_of_quad(bytes), bytes >> 32);
        [quads, self.pairs.literals(slot_of_pair(bytes), bytes >> 16)]
    }
}

/// The eight bytes at `position`, little-endian; zeros stand for those past the end.
#[inline(always)]
pub(super) fn bytes_at(haystack: &[u8], position: usize) -> u64 {
    match haystack.get(position..).and_then(|rest| rest.first_chunk()) {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => bytes_at_end(haystack, position),
    }
}

#[cold]
fn bytes_at_end(haystack: &[u8], position: usize) -> u64 {
    let rest = haystack.get(position..).unwrap_or_default();
    let mut bytes = [0; 8];
    bytes[..rest.len()].copy_from_slice(rest);
    u64::from_le_bytes(bytes)
}

/// A literal in one of its slots.
struct Entry {
    slot: u32,
    literal: u16,
    /// The lower five bits that the byte behind those looked up may have, a bit each.
    next: u32,
}

/// Enters `literal` into each of `slots` once.
fn enter(entries: &mut Vec<Entry>, slots: &mut Vec<u32>, literal: u16, next: u32) {
    if slots.len() > 1 {
        slots.sort_unstable();
        slots.dedup();
    }
    entries.extend(slots.iter().map(|&slot| Entry { slot, literal, next }));
}

/// A multimap from slots, 64 for each word, to literals: a bitmap says which slots are taken, its running popcount where
/// each one's literals are.
struct Index<const WORDS: usize> {
    /// Bit `slot % 64` of word `slot / 64`: the slot is taken.
    taken: Box<[u64; WORDS]>,
    /// How many slots are taken in all words before.
    before: Box<[u32; WORDS]>,
    /// Of the n-th taken slot, where its members begin and what may stand behind it; one more says where the last ends.
    slots: Vec<(u32, u32)>,
    /// The literals, slot after slot, ascending within one.
    members: Vec<u16>,
}

impl<const WORDS: usize> Index<WORDS> {
    /// An index of `entries`, in which literals ascend.
    fn new(mut entries: Vec<Entry>) -> Self {
        let mut taken = zeros::<u64, WORDS>();
        for entry in &entries {
            taken[entry.slot as usize >> 6] |= 1 << (entry.slot & 63);
        }
        let (mut before, mut count) = (zeros::<u32, WORDS>(), 0);
        for (word, before) in taken.iter().zip(before.iter_mut()) {
            *before = count;
            count += if *word == 0 { 0 } else { word.count_ones() };
        }
        let mut index =
            Index { taken, before, slots: vec![(0, 0); count as usize + 1], members: vec![0; entries.len()] };
        for entry in &mut entries {
            // From here on its rank is all that matters of a slot.
            entry.slot = index.rank(entry.slot as usize) as u32;
            let (members, next) = &mut index.slots[entry.slot as usize];
            (*members, *next) = (*members + 1, *next | entry.next);
        }
        let mut end = 0;
        for (members, _) in &mut index.slots {
            end += *members;
            *members = end;
        }
        // From the last to the first, so that what is the end of each slot becomes its start.
        for entry in entries.iter().rev() {
            let (start, _) = &mut index.slots[entry.slot as usize];
            *start -= 1;
            index.members[*start as usize] = entry.literal;
        }
        index
    }

    #[inline(always)]
    fn has(&self, slot: usize) -> bool {
        self.taken[(slot >> 6) % WORDS] >> (slot & 63) & 1 == 1
    }

    /// How many taken slots are before `slot`.
    #[inline(always)]
    fn rank(&self, slot: usize) -> usize {
        let word = (slot >> 6) % WORDS;
        let below = self.taken[word] & ((1 << (slot & 63)) - 1);
        self.before[word] as usize + below.count_ones() as usize
    }

    /// The literals in `slot`, if `next` may stand behind one of them.
    #[inline(always)]
    fn literals(&self, slot: usize, next: u64) -> &[u16] {
        if !self.has(slot) {
            return &[];
        }
        let rank = self.rank(slot);
        let (start, behind) = self.slots[rank];
        if behind >> (next & 31) & 1 == 0 {
            return &[];
        }
        &self.members[start as usize..self.slots[rank + 1].0 as usize]
    }
}

/// An array that never is on the stack.
fn zeros<T: Copy + Default, const N: usize>() -> Box<[T; N]> {
    let zeros = vec![T::default(); N].into_boxed_slice();
    zeros.try_into().unwrap_or_else(|_| unreachable!("the slice is as long as the array"))
}

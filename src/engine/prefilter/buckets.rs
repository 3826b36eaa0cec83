//! Windows poured into buckets, and the tables the passes read. Which windows share a bucket is a matter of
//! speed, never of correctness: a candidate of any bucket is sifted against all literals.
//!
//! A bucket accepts, at each of the four positions, a set of bytes. Every window it holds is accepted, and so is every
//! mixture of them; the art (`tables::build`) is to put together windows whose mixtures are rare. The passes differ in how
//! exactly they can say "a set of bytes": as low and high nibbles (a mixture again), by the lower seven bits, or as it is.

use super::frequency::Frequencies;
use super::odds::Odds;
use super::window::{Key, WIDTH, Window, members};
use crate::engine::byteset::ByteSet;

/// Buckets in one group: a bit each in the bytes of one table.
pub(super) const PER_GROUP: usize = 8;

/// Groups at most. Three are used for a large built-in set; the fourth is for literals added by the user.
pub(super) const MAX_GROUPS: usize = 4;

/// What a bucket accepts at one position.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Nibbles {
    /// Bit `n`: a byte with low nibble `n`, given a high nibble that is accepted too.
    pub(super) low: u16,
    /// Bit `n`: a byte with high nibble `n`, likewise.
    pub(super) high: u16,
}

impl Nibbles {
    /// The nibbles of the bytes of `set`.
    pub(super) fn of(set: &ByteSet) -> Nibbles {
        let mut nibbles = Nibbles::default();
        for (i, word) in set.words().into_iter().enumerate() {
            for quarter in 0..4 {
                let low = (word >> (16 * quarter)) as u16;
                nibbles.low |= low;
                nibbles.high |= u16::from(low != 0) << (4 * i + quarter);
            }
        }
        nibbles
    }

    /// What either accepts, and the mixtures.
    pub(super) fn union(self, other: Nibbles) -> Nibbles {
        Nibbles { low: self.low | other.low, high: self.high | other.high }
    }
}

/// What a bucket accepts.
pub(super) type Bucket = [Nibbles; WIDTH];

/// The bucket of one window.
pub(super) fn bucket(window: &Window) -> Bucket {
    window.sets.map(|set| Nibbles::of(&set))
}

/// Two buckets poured together.
pub(super) fn union(one: &Bucket, other: &Bucket) -> Bucket {
    [0, 1, 2, 3].map(|position| one[position].union(other[position]))
}

/// The tables of one group of eight buckets: by position, then by a part of the byte, a bit per bucket. A byte is accepted
/// where its low and its high nibble are; or, more exactly, where its lower seven bits are.
#[derive(Clone, Copy)]
pub(super) struct Group {
    pub(super) low: [[u8; 16]; WIDTH],
    pub(super) high: [[u8; 16]; WIDTH],
    pub(super) septet: [[u8; 128]; WIDTH],
}

impl Group {
    const EMPTY: Group = Group { low: [[0; 16]; WIDTH], high: [[0; 16]; WIDTH], septet: [[0; 128]; WIDTH] };

    fn add(&mut self, window: &Window, bit: u8) {
        for (position, set) in window.sets.iter().enumerate() {
            for byte in members(set) {
                self.low[position][usize::from(byte & 15)] |= bit;
                self.high[position][usize::from(byte >> 4)] |= bit;
                self.septet[position][usize::from(byte & 127)] |= bit;
            }
        }
    }
}

/// By position and byte, a bit for each of up to 32 buckets.
pub(super) type Bytes = [[u32; 256]; WIDTH];

/// All tables. Some 6 KiB, of which a pass reads 1 to 4.
pub(super) struct Buckets {
    /// One to four, for the SIMD passes.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only x86-64 has SIMD passes so far"))]
    pub(super) groups: Vec<Group>,
    /// For the portable pass.
    pub(super) bytes: Box<Bytes>,
}

impl Buckets {
    /// Buckets holding `windows`; `assignment` says for each which one it is in. Those that nothing looks up are left out:
    /// they would make a candidate of nearly every position.
    pub(super) fn new(windows: &[Window], assignment: &[u8]) -> Buckets {
        let used = assignment.iter().max().map_or(1, |&last| usize::from(last) + 1);
        let mut groups = vec![Group::EMPTY; used.div_ceil(PER_GROUP)];
        let mut bytes = Box::new([[0; 256]; WIDTH]);
        for (window, &number) in windows.iter().zip(assignment).filter(|(window, _)| window.key() != Key::Wide) {
            groups[usize::from(number) / PER_GROUP].add(window, 1 << (usize::from(number) % PER_GROUP));
            for (set, table) in window.sets.iter().zip(bytes.iter_mut()) {
                members(set).for_each(|byte| table[usize::from(byte)] |= 1 << number);
            }
        }
        Buckets { groups, bytes }
    }
}

/// How many buckets `windows` windows are worth: more buckets are fewer candidates but more work per byte. Above 24 the
/// shuffles cost more than the candidates they save.
pub(super) fn worthwhile(windows: usize) -> usize {
    windows.div_ceil(PER_GROUP).clamp(1, 3) * PER_GROUP
}

/// A quick assignment of windows to `count` buckets from number `from` on: one after the other, each goes where it adds
/// least to the probability that its bucket accepts. Half a millisecond for 600 windows.
///
/// Windows that accept much come first: they share a bucket with each other, and the rare ones find it too dear.
pub(super) fn deal(windows: &[Window], from: usize, count: usize, frequencies: &Frequencies) -> Vec<u8> {
    if windows.is_empty() {
        return Vec::new();
    }
    let odds = Odds::new(frequencies);
    let alone: Vec<Bucket> = windows.iter().map(bucket).collect();
    let mut order: Vec<(f32, usize)> = alone.iter().map(|bucket| odds.of(bucket)).zip(0..).collect();
    order.sort_unstable_by(|one, other| other.0.total_cmp(&one.0));
    let mut buckets = vec![(0.0, Bucket::default()); count];
    let mut assignment = vec![0; windows.len()];
    for (_, window) in order {
        let mut best = (f32::INFINITY, 0, buckets[0]);
        for (number, (cost, bucket)) in buckets.iter().enumerate() {
            let union = union(bucket, &alone[window]);
            let odds = odds.of(&union);
            if odds - cost < best.0 {
                best = (odds - cost, number, (odds, union));
            }
        }
        buckets[best.1] = best.2;
        assignment[window] = (from + best.1) as u8;
    }
    assignment
}

//! Windows poured into buckets, and the nibble tables a SIMD pass reads. Which windows share a bucket is a matter of
//! speed, never of correctness: a candidate of any bucket is sifted against all literals.
//!
//! A bucket accepts, at each of the four positions, a set of low and a set of high nibbles. Every window it holds is
//! accepted, and so is every mixture of them; the art (`tables::build`) is to put together windows whose mixtures are rare.

use super::frequency::Frequencies;
use super::window::{WIDTH, Window, first};
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

/// The tables of one group: by position, then by nibble, a bit per bucket.
#[derive(Clone, Copy, Default)]
pub(super) struct Group {
    pub(super) low: [[u8; 16]; WIDTH],
    pub(super) high: [[u8; 16]; WIDTH],
}

impl Group {
    fn add(&mut self, bucket: &Bucket, bit: u8) {
        for (position, nibbles) in bucket.iter().enumerate() {
            for nibble in 0..16 {
                self.low[position][nibble] |= bit * (nibbles.low >> nibble & 1) as u8;
                self.high[position][nibble] |= bit * (nibbles.high >> nibble & 1) as u8;
            }
        }
    }
}

/// The tables of all groups in use: `assignment` says for each window which bucket it is in.
pub(super) fn groups(windows: &[Window], assignment: &[u8]) -> Vec<Group> {
    let mut buckets = [Bucket::default(); MAX_GROUPS * PER_GROUP];
    let mut used = 1;
    for (window, &number) in windows.iter().zip(assignment) {
        let number = usize::from(number);
        buckets[number] = union(&buckets[number], &bucket(window));
        used = used.max(number + 1);
    }
    let mut groups = vec![Group::default(); used.div_ceil(PER_GROUP)];
    for (number, bucket) in buckets[..used].iter().enumerate() {
        groups[number / PER_GROUP].add(bucket, 1 << (number % PER_GROUP));
    }
    groups
}

/// How many buckets `windows` windows are worth: more buckets are fewer candidates but more work per byte. Above 24 the
/// shuffles cost more than the candidates they save.
pub(super) fn worthwhile(windows: usize) -> usize {
    windows.div_ceil(PER_GROUP).clamp(1, 3) * PER_GROUP
}

/// A quick assignment of windows to `count` buckets from number `from` on: sorted by what they begin with, then cut into
/// runs of equal number. Windows of one bucket have at least their first byte in common, mostly.
pub(super) fn deal(windows: &[Window], from: usize, count: usize, frequencies: &Frequencies) -> Vec<u8> {
    let mut order: Vec<(bool, [u8; WIDTH], usize)> =
        windows.iter().enumerate().map(|(i, window)| (is_common(window, frequencies), folded(window), i)).collect();
    order.sort_unstable();
    let mut assignment = vec![0; windows.len()];
    for (rank, &(_, _, window)) in order.iter().enumerate() {
        assignment[window] = (from + rank * count / windows.len()) as u8;
    }
    assignment
}

/// Windows with classes accept so much that they are kept apart from the others.
fn is_common(window: &Window, frequencies: &Frequencies) -> bool {
    window.sets.iter().any(|set| frequencies.set(set) > 0.1)
}

fn folded(window: &Window) -> [u8; WIDTH] {
    window.sets.map(|set| first(&set) | 0x20)
}

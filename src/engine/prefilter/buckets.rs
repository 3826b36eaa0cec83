//! Windows poured into buckets, and the tables the passes read. Which windows share a bucket is a matter of
//! speed, never of correctness: a candidate of any bucket is sifted against all literals.
//!
//! A bucket accepts, at each feature, a set of symbols. Every window it holds is accepted, and so is every mixture of
//! them; the art (`tables::build`) is to put together windows whose mixtures are rare.

use super::features::{Features, MOST, Symbols, bits};
use super::frequency::Frequencies;
use super::odds::Odds;
use super::window::{Key, Window};

/// Buckets in one group: a bit each in the bytes of one table.
pub(super) const PER_GROUP: usize = 8;

/// Groups at most.
pub(super) const MAX_GROUPS: usize = 4;

/// Two buckets poured together.
pub(super) fn union(one: &Symbols, other: &Symbols) -> Symbols {
    std::array::from_fn(|feature| one[feature] | other[feature])
}

/// The tables of one group of eight buckets: by feature, then by symbol, a bit per bucket.
pub(super) type Group = [[u8; 128]; MOST];

/// The same for up to 32 buckets.
pub(super) type Bits = [[u32; 128]; MOST];

/// All tables. Some 6 KiB, of which a pass reads 1 to 3.
pub(super) struct Buckets {
    /// One to four, for the SIMD passes.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only x86-64 has SIMD passes so far"))]
    pub(super) groups: Vec<Group>,
    /// For the portable pass.
    pub(super) bits: Box<Bits>,
}

impl Buckets {
    /// Buckets holding `windows`; `assignment` says for each which one it is in. Those that nothing looks up are left out:
    /// they would make a candidate of nearly every position.
    pub(super) fn new(features: Features, windows: &[Window], assignment: &[u8]) -> Buckets {
        let used = assignment.iter().max().map_or(1, |&last| usize::from(last) + 1);
        let mut groups = vec![[[0; 128]; MOST]; used.div_ceil(PER_GROUP)];
        let mut tables = Box::new([[0; 128]; MOST]);
        for (number, accepted) in pour(features, windows, assignment).iter().enumerate() {
            for (feature, symbols) in accepted.iter().enumerate() {
                for symbol in bits(*symbols) {
                    groups[number / PER_GROUP][feature][symbol] |= 1 << (number % PER_GROUP);
                    tables[feature][symbol] |= 1 << number;
                }
            }
        }
        Buckets { groups, bits: tables }
    }
}

/// What each bucket accepts.
fn pour(features: Features, windows: &[Window], assignment: &[u8]) -> Vec<Symbols> {
    let used = assignment.iter().max().map_or(0, |&last| usize::from(last) + 1);
    let mut buckets = vec![Symbols::default(); used];
    for (window, &number) in windows.iter().zip(assignment).filter(|(window, _)| window.key != Key::Wide) {
        let bucket = &mut buckets[usize::from(number)];
        *bucket = union(bucket, &features.of(window));
    }
    buckets
}

/// How many buckets `windows` windows are worth: more buckets are fewer candidates but more work per byte. Lookups in
/// tables of 16 entries blur more, and there are four groups of them where the others have three.
pub(super) fn worthwhile(features: Features, windows: usize) -> usize {
    let most = match features {
        Features::Hashes => 3,
        Features::Nibbles => MAX_GROUPS,
    };
    windows.div_ceil(PER_GROUP).clamp(1, most) * PER_GROUP
}

/// A quick assignment of the windows behind those that have one: one after the other, each goes where it adds least to the
/// probability that its bucket accepts. Those in `ready` were put there with care; if there is a group left, the others
/// stay out of theirs.
///
/// Windows that accept much come first: they share a bucket with each other, and the rare ones find it too dear.
pub(super) fn deal(features: Features, windows: &[Window], ready: &[u8], frequencies: &Frequencies) -> Vec<u8> {
    let (front, added) = windows.split_at(ready.len());
    if added.is_empty() {
        return Vec::new();
    }
    let mut buckets = pour(features, front, ready);
    let used = buckets.len().next_multiple_of(PER_GROUP);
    let free = MAX_GROUPS * PER_GROUP - used;
    let from = if free == 0 { 0 } else { used };
    buckets.resize(used + free.min(worthwhile(features, added.len())), Symbols::default());
    let odds = Odds::new(features, frequencies);
    let mut buckets: Vec<(f32, Symbols)> = buckets[from..].iter().map(|bucket| (odds.of(bucket), *bucket)).collect();
    let alone: Vec<Symbols> = added.iter().map(|window| features.of(window)).collect();
    let mut order: Vec<(f32, usize)> = alone.iter().map(|bucket| odds.of(bucket)).zip(0..).collect();
    order.sort_unstable_by(|one, other| other.0.total_cmp(&one.0));
    let mut assignment = vec![0; added.len()];
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

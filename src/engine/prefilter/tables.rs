//! The bucket assignment made ahead of time. Not needed for correctness: without it, or with one for other literals, the
//! prefilter deals literals into buckets itself, quickly and less well.
//!
//! `build` takes seconds and a sample of logs; its result goes into `generated.rs` by way of [`Tables::to_source`].

use std::borrow::Cow;
use std::fmt::Write as _;

use super::buckets::{self, Bucket, Nibbles, bucket, union};
use super::frequency::Frequencies;
use super::window::{WIDTH, Window};
use super::{Literal, generated};

/// For each literal of one list, where its window begins and which bucket it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    hash: u64,
    assignment: Cow<'static, [(u8, u8)]>,
}

impl Tables {
    /// The tables committed for the built-in literals.
    pub fn built_in() -> Tables {
        Tables { hash: generated::HASH, assignment: Cow::Borrowed(generated::ASSIGNMENT) }
    }

    /// Whether these tables are for exactly `literals`.
    pub fn are_for(&self, literals: &[Literal]) -> bool {
        self.assignment.len() == literals.len() && self.hash == hash(literals)
    }

    /// Offsets and buckets of the literals at the front of `literals` if these tables are for them: literals added
    /// behind a known list leave it as it was.
    pub(super) fn of_front(&self, literals: &[Literal]) -> Option<&[(u8, u8)]> {
        let front = literals.get(..self.assignment.len())?;
        (self.hash == hash(front) && self.is_sound(front)).then_some(&self.assignment)
    }

    /// Whether no number is out of bounds: a hash can collide, and a generated file can be edited.
    fn is_sound(&self, literals: &[Literal]) -> bool {
        let most = buckets::MAX_GROUPS * buckets::PER_GROUP;
        let fits = |(literal, &(offset, bucket)): (&Literal, &(u8, u8))| {
            usize::from(offset) <= literal.sets.len().saturating_sub(WIDTH) && usize::from(bucket) < most
        };
        literals.iter().zip(self.assignment.iter()).all(fits)
    }

    /// The text of `generated.rs` for these tables.
    pub fn to_source(&self) -> String {
        let mut source = String::from(HEAD);
        let hash = self.hash;
        let digits = format!("{hash:016x}");
        let groups = [&digits[..4], &digits[4..8], &digits[8..12], &digits[12..]].join("_");
        let _ =
            writeln!(source, "/// Of the literals these buckets are for.\npub(crate) const HASH: u64 = 0x{groups};\n");
        source.push_str("/// For each literal, where its window begins and which bucket it is in.\n#[rustfmt::skip]\n");
        source.push_str("pub(crate) const ASSIGNMENT: &[(u8, u8)] = &[\n");
        for line in self.assignment.chunks(12) {
            let pairs: Vec<String> = line.iter().map(|(offset, bucket)| format!("({offset}, {bucket})")).collect();
            let _ = writeln!(source, "    {},", pairs.join(", "));
        }
        source.push_str("];\n");
        source
    }
}

const HEAD: &str = "\
//! The buckets of the built-in literals, made by `tables::build`. Not written by hand: a test makes it anew and compares.

";

/// The assignment with the fewest candidates in logs like `sample` that a greedy search finds. An empty sample stands for
/// typical logs, of which only the frequency of single bytes is known. Deterministic. Seconds for hundreds of literals.
pub fn build(literals: &[Literal], sample: &[u8]) -> Tables {
    let frequencies = Frequencies::of(sample);
    let grams = Grams::of(sample);
    let windows: Vec<Window> = literals.iter().map(|literal| rarest(literal, &grams, &frequencies)).collect();
    let numbers = merge(&windows, buckets::worthwhile(windows.len()), &frequencies);
    let assignment = windows.iter().zip(numbers).map(|(window, number)| (window.offset, number)).collect();
    Tables { hash: hash(literals), assignment: Cow::Owned(assignment) }
}

/// FNV-1a over the positions of all literals, eight bytes at a time. It tells a changed list from an unchanged one;
/// it does not withstand an attacker, who would have to edit our source.
fn hash(literals: &[Literal]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325u64;
    let mut add = |word: u64| hash = (hash ^ word).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(23);
    for literal in literals {
        add(literal.sets.len() as u64);
        literal.sets.iter().flat_map(|set| set.words()).for_each(&mut add);
    }
    hash
}

/// The window of `literal` that occurs least in the sample; among equals the one least likely by its bytes.
fn rarest(literal: &Literal, grams: &Grams, frequencies: &Frequencies) -> Window {
    let cost = |window: &Window| {
        let share: f32 = window.sets.iter().map(|set| frequencies.set(set)).product();
        (window.key(), grams.count(window), share)
    };
    let mut windows: Vec<_> = Window::all(literal).map(|window| (cost(&window), window)).collect();
    windows.sort_by(|one, other| one.0.partial_cmp(&other.0).expect("a share is a number"));
    windows.swap_remove(0).1
}

/// How often each four bytes occur in the sample, case folded; ascending by the bytes.
struct Grams(Vec<(u32, u32)>);

impl Grams {
    fn of(sample: &[u8]) -> Grams {
        let fold = |window: &[u8]| u32::from_le_bytes([window[0], window[1], window[2], window[3]]) | 0x2020_2020;
        let mut grams: Vec<u32> = sample.windows(WIDTH).map(fold).collect();
        grams.sort_unstable();
        Grams(grams.chunk_by(|one, other| one == other).map(|equal| (equal[0], equal.len() as u32)).collect())
    }

    /// How often one of the window's combinations occurs; 0 for a window with too many to list.
    fn count(&self, window: &Window) -> u32 {
        if window.key() != super::window::Key::Quad {
            return 0;
        }
        let of = |gram: u32| self.0.binary_search_by_key(&gram, |entry| entry.0).map_or(0, |found| self.0[found].1);
        window.quads().into_iter().map(of).sum()
    }
}

/// Starts with a bucket for each different window and pours two together, always the pair that adds least to the
/// probability that some bucket accepts a position, until `count` are left.
fn merge(windows: &[Window], count: usize, frequencies: &Frequencies) -> Vec<u8> {
    let odds = Odds::new(frequencies);
    let mut pools: Vec<Pool> = Vec::new();
    for (i, window) in windows.iter().enumerate() {
        let bucket = bucket(window);
        match pools.iter_mut().find(|pool| pool.bucket == bucket) {
            Some(pool) => pool.windows.push(i),
            None => pools.push(Pool { cost: odds.of(&bucket), bucket, windows: vec![i], nearest: None }),
        }
    }
    while pools.len() > count {
        merge_cheapest(&mut pools, &odds);
    }
    let mut numbers = vec![0; windows.len()];
    for (number, pool) in (0u8..).zip(&pools) {
        pool.windows.iter().for_each(|&window| numbers[window] = number);
    }
    numbers
}

/// A bucket in the making.
struct Pool {
    bucket: Bucket,
    cost: f32,
    windows: Vec<usize>,
    /// The cheapest partner among the pools after this one and what the merge would add, once asked for.
    nearest: Option<(f32, usize)>,
}

fn merge_cheapest(pools: &mut Vec<Pool>, odds: &Odds) {
    for i in 0..pools.len() - 1 {
        if pools[i].nearest.is_none() {
            pools[i].nearest = nearest(pools, i, odds);
        }
    }
    let cheapest = |one: &usize, other: &usize| nearest_of(pools, *one).0.total_cmp(&nearest_of(pools, *other).0);
    let one = (0..pools.len() - 1).min_by(cheapest).expect("there are at least two pools");
    let other = nearest_of(pools, one).1;
    pour(pools, one, other, odds);
}

fn nearest_of(pools: &[Pool], pool: usize) -> (f32, usize) {
    pools[pool].nearest.expect("asked for above")
}

fn nearest(pools: &[Pool], pool: usize, odds: &Odds) -> Option<(f32, usize)> {
    let added = |other: usize| added(&pools[pool], &pools[other], odds);
    (pool + 1..pools.len()).map(|other| (added(other), other)).min_by(|a, b| a.0.total_cmp(&b.0))
}

fn added(one: &Pool, other: &Pool, odds: &Odds) -> f32 {
    odds.of(&union(&one.bucket, &other.bucket)) - one.cost - other.cost
}

/// Pours `other` into `one` and forgets what the move made stale; the last pool takes the place of `other`.
fn pour(pools: &mut Vec<Pool>, one: usize, other: usize, odds: &Odds) {
    let last = pools.len() - 1;
    let poured = pools.swap_remove(other);
    pools[one].bucket = union(&pools[one].bucket, &poured.bucket);
    pools[one].windows.extend(poured.windows);
    pools[one].cost = odds.of(&pools[one].bucket);
    for i in 0..pools.len() {
        let stale = |(_, partner): (f32, usize)| [one, other, last].contains(&partner);
        if [one, other].contains(&i) || pools[i].nearest.is_some_and(stale) {
            pools[i].nearest = None;
            continue;
        }
        let moved = [one, other].into_iter().filter(|&partner| partner > i && partner < pools.len());
        let better = moved.map(|partner| (added(&pools[i], &pools[partner], odds), partner));
        pools[i].nearest = better.chain(pools[i].nearest).min_by(|a, b| a.0.total_cmp(&b.0));
    }
}

/// The probability that a bucket accepts four bytes drawn at random: for each high nibble the share of every low byte
/// half, summed ahead of time.
struct Odds(Vec<[[f32; 256]; 2]>);

impl Odds {
    fn new(frequencies: &Frequencies) -> Odds {
        let half = |high: u8, half: u8| {
            let share = |low: u8| frequencies.byte(high << 4 | half << 3 | low);
            std::array::from_fn(|mask| (0..8).filter(|low| mask >> low & 1 == 1).map(share).sum())
        };
        Odds((0..16).map(|high| [half(high, 0), half(high, 1)]).collect())
    }

    fn of(&self, bucket: &Bucket) -> f32 {
        bucket.iter().map(|nibbles| self.position(*nibbles)).product()
    }

    fn position(&self, nibbles: Nibbles) -> f32 {
        let [low, high] = nibbles.low.to_le_bytes().map(usize::from);
        let rows = self.0.iter().enumerate().filter(|(nibble, _)| nibbles.high >> nibble & 1 == 1);
        rows.map(|(_, row)| row[0][low] + row[1][high]).sum()
    }
}

//! The bucket assignment made ahead of time. Not needed for correctness: without it, or with one for other literals, the
//! prefilter deals literals into buckets itself, quickly and less well.
//!
//! `build` takes seconds and a sample of logs; its result goes into `generated.rs` by way of [`Tables::to_source`].

use std::borrow::Cow;
use std::fmt::Write as _;

use super::buckets::{self, Bucket, Bytes, bucket, union};
use super::frequency::Frequencies;
use super::odds::Odds;
use super::window::{Key, WIDTH, Window, members};
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

/// The assignment with the fewest candidates in logs like `sample` that a local search finds. An empty sample stands for
/// typical logs, of which only the frequency of single bytes is known. Deterministic. Seconds for hundreds of literals.
pub fn build(literals: &[Literal], sample: &[u8]) -> Tables {
    let frequencies = Frequencies::of(sample);
    let grams = Grams::of(sample);
    let choices: Vec<Vec<Window>> = literals.iter().map(|literal| rare(literal, &grams, &frequencies)).collect();
    let windows: Vec<Window> = choices.iter().map(|windows| windows[0].clone()).collect();
    let count = buckets::worthwhile(windows.len());
    let numbers = merge(&windows, count, &frequencies);
    let (windows, numbers) = Refine::new(&grams, windows, numbers, count).run(&choices);
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

/// The windows of `literal` that occur least in the sample, the rarest first; among equals those least likely by their
/// bytes come first. A window that occurs notably more often than the first is not worth a better bucket: each time it
/// occurs, the literal is compared.
fn rare(literal: &Literal, grams: &Grams, frequencies: &Frequencies) -> Vec<Window> {
    let cost = |window: &Window| {
        let share: f32 = window.sets.iter().map(|set| frequencies.set(set)).product();
        (window.key(), grams.count(window), share)
    };
    let mut windows: Vec<_> = Window::all(literal).map(|window| (cost(&window), window)).collect();
    windows.sort_by(|one, other| one.0.partial_cmp(&other.0).expect("a share is a number"));
    let (key, least, _) = windows[0].0;
    windows.retain(|(cost, _)| cost.0 == key && cost.1 <= least + least / 8);
    windows.into_iter().map(|(_, window)| window).take(MAX_CHOICES).collect()
}

/// Windows tried for one literal.
const MAX_CHOICES: usize = 6;

/// All four bytes in a row of the sample, ascending.
struct Grams(Vec<[u8; WIDTH]>);

impl Grams {
    fn of(sample: &[u8]) -> Grams {
        let mut grams: Vec<[u8; WIDTH]> = sample.array_windows().copied().collect();
        grams.sort_unstable();
        Grams(grams)
    }

    /// How often the window occurs as it is; 0 for one that is not looked up by four bytes.
    fn count(&self, window: &Window) -> usize {
        if window.key() != Key::Quad {
            return 0;
        }
        let occurs = |gram: &[u8; WIDTH]| window.sets.iter().zip(gram).all(|(set, &byte)| set.contains(byte));
        let from = |first: u8| self.0.partition_point(|gram| gram[0] < first);
        let firsts = members(&window.sets[0]);
        let ranges = firsts.map(|first| from(first)..first.checked_add(1).map_or(self.0.len(), from));
        ranges.map(|range| self.0[range].iter().filter(|gram| occurs(gram)).count()).sum()
    }

    /// About `MAX_DRAWN` of them evenly drawn, each different one once with how often it was drawn.
    fn drawn(&self) -> Vec<([u8; WIDTH], u32)> {
        let every = self.0.len().div_ceil(MAX_DRAWN).max(1);
        let drawn: Vec<[u8; WIDTH]> = self.0.iter().step_by(every).copied().collect();
        drawn.chunk_by(|one, other| one == other).map(|equal| (equal[0], equal.len() as u32)).collect()
    }
}

/// Enough that one in 8,000 candidates per megabyte is seen a thousand times.
const MAX_DRAWN: usize = 1 << 18;

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

/// Improves an assignment: each literal in turn is taken out and put where, with one of its windows, it adds least to the
/// positions of the sample that any bucket accepts; until nothing moves.
///
/// `merge` takes bytes as independent, which logs are not: on 229 literals this step brings 21,900 candidates per MB
/// down to a third.
struct Refine {
    grams: Vec<([u8; WIDTH], u32)>,
    windows: Vec<Window>,
    numbers: Vec<u8>,
    buckets: usize,
}

/// Rounds at most. The search stands still after four to eight.
const MAX_ROUNDS: usize = 12;

impl Refine {
    fn new(grams: &Grams, windows: Vec<Window>, numbers: Vec<u8>, buckets: usize) -> Refine {
        Refine { grams: grams.drawn(), windows, numbers, buckets }
    }

    fn run(mut self, choices: &[Vec<Window>]) -> (Vec<Window>, Vec<u8>) {
        for _ in 0..MAX_ROUNDS {
            let moved = (0..self.windows.len()).filter(|&literal| self.place(literal, &choices[literal])).count();
            if moved == 0 {
                break;
            }
        }
        (self.windows, self.numbers)
    }

    /// Puts `literal` where it adds least; whether that is another place than before.
    fn place(&mut self, literal: usize, choices: &[Window]) -> bool {
        let before = (self.windows[literal].offset, self.numbers[literal]);
        let others = self.buckets_without(literal);
        let without = accepting(&others);
        let here = self.added(&others, &without, &self.windows[literal])[usize::from(before.1)];
        let mut best = (here, before.1, self.windows[literal].clone());
        for window in choices {
            for (number, added) in (0u8..).zip(self.added(&others, &without, window)).take(self.buckets) {
                if added < best.0 {
                    best = (added, number, window.clone());
                }
            }
        }
        (self.numbers[literal], self.windows[literal]) = (best.1, best.2);
        before != (self.windows[literal].offset, self.numbers[literal])
    }

    fn buckets_without(&self, literal: usize) -> Vec<Bucket> {
        let mut buckets = vec![Bucket::default(); self.buckets];
        for (i, (window, &number)) in self.windows.iter().zip(&self.numbers).enumerate() {
            if i != literal {
                let number = usize::from(number);
                buckets[number] = union(&buckets[number], &bucket(window));
            }
        }
        buckets
    }

    /// How many drawn positions that no bucket accepts, which is what `without` says of `buckets`, would be accepted with
    /// `window` in each of them.
    fn added(&self, buckets: &[Bucket], without: &Bytes, window: &Window) -> [u32; 32] {
        let window = bucket(window);
        let with: Vec<Bucket> = buckets.iter().map(|bucket| union(bucket, &window)).collect();
        let with = accepting(&with);
        let mut added = [0; 32];
        for (gram, weight) in &self.grams {
            let mut new = all_four(&with, gram);
            if new == 0 || all_four(without, gram) != 0 {
                continue;
            }
            while new != 0 {
                added[new.trailing_zeros() as usize] += weight;
                new &= new - 1;
            }
        }
        added
    }
}

fn accepting(buckets: &[Bucket]) -> Box<Bytes> {
    let mut accepting = Box::new([[0; 256]; WIDTH]);
    for (number, bucket) in buckets.iter().enumerate() {
        for (position, nibbles) in bucket.iter().enumerate() {
            for (byte, buckets) in accepting[position].iter_mut().enumerate() {
                let accepts = nibbles.low >> (byte & 15) & nibbles.high >> (byte >> 4) & 1;
                *buckets |= u32::from(accepts) << number;
            }
        }
    }
    accepting
}

#[inline]
fn all_four(accepting: &Bytes, gram: &[u8; WIDTH]) -> u32 {
    let [a, b, c, d] = gram.map(usize::from);
    accepting[0][a] & accepting[1][b] & accepting[2][c] & accepting[3][d]
}

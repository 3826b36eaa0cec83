//! Assigns windows to buckets by a sample: each literal in turn is taken out and put where, with one of its windows, it
//! costs least; until nothing moves. It finds a good assignment, not the best.
//!
//! What a bucket accepts is kept as bit sets over positions drawn from the sample, so that a place is tried with a few
//! thousand word operations: 2,700 literals take 100 s (November 2026). It runs when the rules that come with inkout change,
//! never at a start.

use std::collections::HashMap;

use super::features::{Features, MOST, Symbols, bits};
use super::frequency::Frequencies;
use super::odds::Odds;
use super::window::{WIDTH, Window};

/// A window for each literal, one of its `choices`, and a bucket for each, one of `count`: offsets and numbers.
pub(super) fn assignment(
    features: Features,
    choices: &[Vec<Window>],
    count: usize,
    sample: &[u8],
    frequencies: &Frequencies,
) -> Vec<(u8, u8)> {
    let mut drawn = Drawn::new(features, sample);
    let places: Vec<Vec<Rows>> =
        choices.iter().map(|windows| windows.iter().map(|window| drawn.rows(window)).collect()).collect();
    let empty = Bucket::empty(&drawn);
    let mut search =
        Search { drawn, places, buckets: vec![empty; count], placed: vec![None; choices.len()], weights: [0; 3] };
    let odds = Odds::new(features, frequencies);
    let mut order: Vec<(f32, usize)> =
        choices.iter().map(|windows| odds.of(&features.of(&windows[0]))).zip(0..).collect();
    order.sort_unstable_by(|one, other| other.0.total_cmp(&one.0));
    // At first with an eye on the room that is left, and in the end by what is accepted alone.
    for weights in [[64, 16, 4], [16, 4, 1], [4, 1, 0]] {
        search.weigh(weights);
        for _ in 0..MAX_ROUNDS {
            let moved = order.iter().filter(|(_, literal)| search.place(*literal)).count();
            if moved * 200 < choices.len() {
                break;
            }
        }
    }
    (0..SHAKES).for_each(|shake| search.shake(shake, &order));
    let place = |(windows, placed): (&Vec<Window>, &Option<Place>)| {
        let place = placed.as_ref().expect("the first round places every literal");
        (windows[place.choice].offset, place.bucket as u8)
    };
    choices.iter().zip(&search.placed).map(place).collect()
}

/// How often some literals are taken out together: one by one they stay where others keep them.
const SHAKES: usize = 150;
/// One in so many of them.
const SHAKEN: usize = 25;

/// Rounds at most.
const MAX_ROUNDS: usize = 4;

/// Positions looked at, at most. Enough that one in 8,000 candidates per megabyte is seen two thousand times.
const MAX_DRAWN: usize = 1 << 18;

/// Words of a bit set that are looked at together, in registers.
const STEP: usize = 8;

/// A set of drawn positions: one bit each.
type Positions = Vec<u64>;

/// For each feature, which of the sets of `Drawn::sets` are the positions where it accepts.
type Rows = [u32; MOST];

/// Positions of the sample, evenly drawn.
struct Drawn {
    features: Features,
    words: usize,
    /// By feature and symbol, the positions that have it.
    having: Vec<Vec<Positions>>,
    /// The positions that have one of some symbols of some feature.
    sets: Vec<Positions>,
    /// By feature and symbols, where in `sets`.
    known: HashMap<(usize, u128), u32>,
}

impl Drawn {
    fn new(features: Features, sample: &[u8]) -> Drawn {
        let every = (sample.len() / MAX_DRAWN).max(1);
        let drawn: Vec<&[u8; WIDTH]> = sample.array_windows().step_by(every).take(MAX_DRAWN).collect();
        let words = drawn.len().div_ceil(64).next_multiple_of(STEP);
        let list = features.list();
        let mut having = vec![vec![vec![0; words]; 128]; list.len()];
        for (position, bytes) in drawn.into_iter().enumerate() {
            for (feature, having) in list.iter().zip(&mut having) {
                having[feature.symbol(bytes)][position / 64] |= 1 << (position % 64);
            }
        }
        Drawn { features, words, having, sets: Vec::new(), known: HashMap::new() }
    }

    fn rows(&mut self, window: &Window) -> Rows {
        let symbols: Symbols = self.features.of(window);
        let mut rows = Rows::default();
        for (feature, row) in rows.iter_mut().enumerate().take(self.features.list().len()) {
            *row = self.row(feature, symbols[feature]);
        }
        rows
    }

    fn row(&mut self, feature: usize, symbols: u128) -> u32 {
        *self.known.entry((feature, symbols)).or_insert_with(|| {
            let mut set = vec![0; self.words];
            bits(symbols).for_each(|symbol| add(&mut set, &self.having[feature][symbol]));
            self.sets.push(set);
            self.sets.len() as u32 - 1
        })
    }
}

fn add(to: &mut [u64], more: &[u64]) {
    to.iter_mut().zip(more).for_each(|(to, more)| *to |= more);
}

/// A bucket as it is in the middle of the search.
#[derive(Clone)]
struct Bucket {
    literals: Vec<usize>,
    /// By feature, the positions it accepts.
    rows: Vec<Positions>,
    /// The positions that all of them accept.
    accepted: Positions,
    /// What it costs by itself, whatever the others accept.
    cost: i64,
}

impl Bucket {
    fn empty(drawn: &Drawn) -> Bucket {
        let rows = vec![vec![0; drawn.words]; drawn.features.list().len()];
        Bucket { literals: Vec::new(), rows, accepted: vec![0; drawn.words], cost: 0 }
    }

    /// Brings `accepted` and `cost` up to date.
    fn update(&mut self, weights: Weights) {
        self.cost = 0;
        for (i, accepted) in self.accepted.chunks_exact_mut(STEP).enumerate() {
            let near = Near::new(self.rows.iter().map(|row| step(row, i)));
            accepted.copy_from_slice(&near.all);
            self.cost += near.cost(weights);
        }
    }
}

fn step(words: &[u64], i: usize) -> [u64; STEP] {
    *words[i * STEP..].first_chunk().expect("sets are whole steps")
}

/// What a position costs that all features of a bucket accept, all but one, all but two.
type Weights = [i64; 3];

/// Positions accepted by all features, by all but one, by all but two.
struct Near {
    all: [u64; STEP],
    but_one: [u64; STEP],
    but_two: [u64; STEP],
}

impl Near {
    #[inline(always)]
    fn new(rows: impl Iterator<Item = [u64; STEP]>) -> Near {
        let mut near = Near { all: [!0; STEP], but_one: [0; STEP], but_two: [0; STEP] };
        for row in rows {
            for (k, accepts) in row.into_iter().enumerate() {
                near.but_two[k] = near.but_two[k] & accepts | near.but_one[k] & !accepts;
                near.but_one[k] = near.but_one[k] & accepts | near.all[k] & !accepts;
                near.all[k] &= accepts;
            }
        }
        near
    }

    /// What it costs to accept these, and to come near it: a bucket that nearly accepts much has no room for more.
    #[inline(always)]
    fn cost(&self, [all, but_one, but_two]: Weights) -> i64 {
        all * count(&self.all) + but_one * count(&self.but_one) + but_two * count(&self.but_two)
    }
}

/// What it costs if no other bucket accepts the position.
const NEW: i64 = 256;

#[inline(always)]
fn count(words: &[u64; STEP]) -> i64 {
    words.iter().map(|word| i64::from(word.count_ones())).sum()
}

/// Where a literal is.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    bucket: usize,
    choice: usize,
}

struct Search {
    drawn: Drawn,
    /// For each literal and each of its choices, what its window accepts.
    places: Vec<Vec<Rows>>,
    buckets: Vec<Bucket>,
    /// For each literal, where it is; nowhere at first.
    placed: Vec<Option<Place>>,
    weights: Weights,
}

impl Search {
    fn weigh(&mut self, weights: Weights) {
        self.weights = weights;
        self.buckets.iter_mut().for_each(|bucket| bucket.update(weights));
    }

    /// Puts `literal` where it costs least; whether that is another place than before.
    fn place(&mut self, literal: usize) -> bool {
        let before = self.placed[literal];
        if let Some(place) = before {
            self.remove(literal, place);
        }
        let free = self.free();
        let anywhere = (0..self.places[literal].len())
            .flat_map(|choice| (0..self.buckets.len()).map(move |bucket| Place { bucket, choice }));
        let mut best = (i64::MAX, Place { bucket: 0, choice: 0 });
        for place in before.into_iter().chain(anywhere) {
            if let Some(cost) = self.cost(literal, place, &free, best.0) {
                best = (cost, place);
            }
        }
        self.put(literal, best.1);
        before != Some(best.1)
    }

    /// Takes some literals out at once and puts each back where it costs least; undone where that costs more.
    fn shake(&mut self, shake: usize, order: &[(f32, usize)]) {
        let before = (self.total(), self.buckets.clone(), self.placed.clone());
        // Others each time: multiplied by a large odd number, literal and shake are as good as drawn.
        let drawn = |literal: usize| (literal * 0x9E37 + shake * 0x79B9).wrapping_mul(0x85EB_CA6B) >> 16;
        let out: Vec<usize> = order.iter().map(|(_, literal)| *literal).filter(|at| drawn(*at) % SHAKEN == 0).collect();
        for &literal in &out {
            let place = self.placed[literal].take().expect("the first round places every literal");
            self.remove(literal, place);
        }
        out.iter().for_each(|&literal| {
            self.place(literal);
        });
        if self.total() > before.0 {
            (self.buckets, self.placed) = (before.1, before.2);
        }
    }

    /// What all buckets cost together.
    fn total(&self) -> i64 {
        let free: u32 = self.free().iter().map(|word| word.count_ones()).sum();
        self.buckets.iter().map(|bucket| bucket.cost).sum::<i64>() - NEW * i64::from(free)
    }

    /// The positions that no bucket accepts.
    fn free(&self) -> Positions {
        let mut taken = vec![0; self.drawn.words];
        self.buckets.iter().for_each(|bucket| add(&mut taken, &bucket.accepted));
        taken.iter_mut().for_each(|word| *word = !*word);
        taken
    }

    /// What it costs to put `literal` at `place`, if less than `best`.
    fn cost(&self, literal: usize, place: Place, free: &[u64], best: i64) -> Option<i64> {
        let bucket = &self.buckets[place.bucket];
        let rows = &self.places[literal][place.choice];
        let mut cost = -bucket.cost;
        for i in 0..free.len() / STEP {
            let near = Near::new(bucket.rows.iter().zip(rows).map(|(row, &more)| {
                let (row, more) = (step(row, i), step(&self.drawn.sets[more as usize], i));
                std::array::from_fn(|k| row[k] | more[k])
            }));
            let free = step(free, i);
            cost += near.cost(self.weights) + NEW * count(&std::array::from_fn(|k| near.all[k] & free[k]));
            if cost >= best {
                return None;
            }
        }
        (cost < best).then_some(cost)
    }

    fn put(&mut self, literal: usize, place: Place) {
        self.placed[literal] = Some(place);
        let bucket = &mut self.buckets[place.bucket];
        bucket.literals.push(literal);
        for (row, &more) in bucket.rows.iter_mut().zip(&self.places[literal][place.choice]) {
            add(row, &self.drawn.sets[more as usize]);
        }
        bucket.update(self.weights);
    }

    fn remove(&mut self, literal: usize, place: Place) {
        let bucket = &mut self.buckets[place.bucket];
        bucket.literals.retain(|&other| other != literal);
        for (feature, row) in bucket.rows.iter_mut().enumerate() {
            let choice = |&other: &usize| self.placed[other].map_or(0, |place| place.choice);
            let mut sets: Vec<u32> =
                bucket.literals.iter().map(|other| self.places[*other][choice(other)][feature]).collect();
            sets.sort_unstable();
            sets.dedup();
            row.fill(0);
            sets.iter().for_each(|&set| add(row, &self.drawn.sets[set as usize]));
        }
        bucket.update(self.weights);
    }
}

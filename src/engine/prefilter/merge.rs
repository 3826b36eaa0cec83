//! A first assignment of windows to buckets, greedy, from the frequency of single bytes. Too slow for a start, and not the
//! last word: `refine` goes on from here.

use super::buckets::{Bucket, bucket, union};
use super::frequency::Frequencies;
use super::odds::Odds;
use super::window::Window;

/// Starts with a bucket for each different window and pours two together, always the pair that adds least to the
/// probability that some bucket accepts a position, until `count` are left.
pub(super) fn merge(windows: &[Window], count: usize, frequencies: &Frequencies) -> Vec<u8> {
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

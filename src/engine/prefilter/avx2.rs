//! The pass over 32 positions at a time, with AVX2. It finds candidates and knows nothing of literals.
//!
//! As `avx512`, but with half the width and half the registers: the tables do not stay in registers, so two vectors share
//! each load of a table.

#![expect(unsafe_code, reason = "vector loads, and functions compiled for instructions the processor may lack")]

use std::arch::x86_64::{
    __m256i, _mm_loadu_si128, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256,
    _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8,
    _mm256_srli_epi16,
};

use super::backend::{Found, by_groups};
use super::buckets::Group;
use super::features::{Feature, NIBBLES};
use super::{AHEAD, BLOCK, blocks};

/// Proof that the processor has AVX2 (and BMI1 and POPCNT): only `detect` makes one.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    /// Asks the processor.
    pub(super) fn detect() -> Option<Avx2> {
        let has =
            is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("popcnt");
        has.then_some(Avx2(()))
    }
}

by_groups!(Avx2);

#[target_feature(enable = "avx2,bmi1,popcnt")]
fn candidates<const G: usize>(groups: [&Group; G], bytes: &[u8], found: &mut Found<'_>) {
    for block in blocks(bytes) {
        found.add(one_block(groups, block));
    }
}

/// Two neighbouring vectors.
type Two = [__m256i; 2];

#[inline]
#[target_feature(enable = "avx2")]
fn one_block<const G: usize>(groups: [&Group; G], block: &[u8; BLOCK + AHEAD]) -> u64 {
    let accepting = [[_mm256_set1_epi8(-1); 2]; G];
    let accepting = narrow::<0, G>(accepting, groups, block);
    let accepting = narrow::<1, G>(accepting, groups, block);
    let accepting = narrow::<2, G>(accepting, groups, block);
    let accepting = narrow::<3, G>(accepting, groups, block);
    let accepting = narrow::<4, G>(accepting, groups, block);
    let accepting = narrow::<5, G>(accepting, groups, block);
    let [first, second] = [0, 1].map(|half| some_bucket(accepting.map(|group| group[half])));
    u64::from(first) | u64::from(second) << 32
}

/// What of `accepting` is left after feature number `F`: a constant, so that nothing is left to decide when it runs.
#[inline]
#[target_feature(enable = "avx2")]
fn narrow<const F: usize, const G: usize>(
    mut accepting: [Two; G],
    groups: [&Group; G],
    block: &[u8; BLOCK + AHEAD],
) -> [Two; G] {
    let symbols = symbols::<F>(block);
    for (accepting, group) in accepting.iter_mut().zip(groups) {
        let table = table(&group[F]);
        for half in 0..2 {
            accepting[half] = _mm256_and_si256(accepting[half], _mm256_shuffle_epi8(table, symbols[half]));
        }
    }
    accepting
}

/// One symbol in each byte.
#[inline]
#[target_feature(enable = "avx2")]
fn symbols<const F: usize>(block: &[u8; BLOCK + AHEAD]) -> Two {
    match NIBBLES[F] {
        Feature::Low(position) => load(block, position).map(|half| _mm256_and_si256(half, _mm256_set1_epi8(15))),
        Feature::Highs(position) => {
            let (first, second) = (load(block, position), load(block, position + 1));
            [0, 1].map(|half| {
                let first = _mm256_and_si256(_mm256_srli_epi16::<4>(first[half]), _mm256_set1_epi8(5));
                let second = _mm256_and_si256(_mm256_srli_epi16::<3>(second[half]), _mm256_set1_epi8(10));
                _mm256_or_si256(first, second)
            })
        }
        Feature::Byte(_) | Feature::Pair(_) => unreachable!("not among the nibbles"),
    }
}

/// The 64 bytes from `position` on.
#[inline]
#[target_feature(enable = "avx2")]
fn load(block: &[u8; BLOCK + AHEAD], position: usize) -> Two {
    let vectors = block[position..position + BLOCK].as_ptr();
    // SAFETY: twice 32 bytes from the start of a slice of 64.
    unsafe { [_mm256_loadu_si256(vectors.cast()), _mm256_loadu_si256(vectors.add(32).cast())] }
}

/// The first sixteen entries, twice.
#[inline]
#[target_feature(enable = "avx2")]
fn table(entries: &[u8; 128]) -> __m256i {
    // SAFETY: sixteen bytes are read from the start of an array of 128; the load needs no alignment.
    _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(entries.as_ptr().cast()) })
}

/// A bit for each position that a bucket of some group accepts.
#[inline]
#[target_feature(enable = "avx2")]
fn some_bucket<const G: usize>(accepting: [__m256i; G]) -> u32 {
    let any = accepting.into_iter().fold(_mm256_setzero_si256(), |any, group| _mm256_or_si256(any, group));
    !_mm256_movemask_epi8(_mm256_cmpeq_epi8(any, _mm256_setzero_si256())) as u32
}

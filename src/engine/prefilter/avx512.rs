//! The pass over 64 positions at a time, with AVX-512F and AVX-512BW. It finds candidates and knows nothing of literals.
//!
//! A symbol of four bits picks one entry of a table, which has a bit for each bucket that accepts it; the AND over all
//! symbols of a position has a bit for each bucket that accepts the position. Where there is AVX-512VBMI, `vbmi` is better.

#![expect(unsafe_code, reason = "vector loads, and functions compiled for instructions the processor may lack")]

use std::arch::x86_64::{
    __m512i, _mm_loadu_si128, _mm512_and_si512, _mm512_broadcast_i32x4, _mm512_loadu_si512, _mm512_or_si512,
    _mm512_set1_epi8, _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_srli_epi16, _mm512_test_epi8_mask,
};

use super::backend::{Found, by_groups};
use super::buckets::Group;
use super::features::{Feature, NIBBLES};
use super::{AHEAD, BLOCK, blocks};

/// Proof that the processor has AVX-512F and AVX-512BW (and BMI1 and POPCNT): only `detect` makes one.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

impl Avx512 {
    /// Asks the processor.
    pub(super) fn detect() -> Option<Avx512> {
        let vectors = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
        let bits = is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("popcnt");
        (vectors && bits).then_some(Avx512(()))
    }
}

by_groups!(Avx512);

#[target_feature(enable = "avx512f,avx512bw,bmi1,popcnt")]
fn candidates<const G: usize>(groups: [&Group; G], bytes: &[u8], found: &mut Found<'_>) {
    let mut tables = [[_mm512_setzero_si512(); G]; NIBBLES.len()];
    for (feature, row) in tables.iter_mut().enumerate() {
        *row = groups.map(|group| table(&group[feature]));
    }
    for block in blocks(bytes) {
        found.add(one_block(&tables, block));
    }
}

/// The first sixteen entries, repeated in each 16-byte lane.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn table(entries: &[u8; 128]) -> __m512i {
    // SAFETY: sixteen bytes are read from the start of an array of 128; the load needs no alignment.
    _mm512_broadcast_i32x4(unsafe { _mm_loadu_si128(entries.as_ptr().cast()) })
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn one_block<const G: usize>(tables: &[[__m512i; G]; NIBBLES.len()], block: &[u8; BLOCK + AHEAD]) -> u64 {
    let accepting = [_mm512_set1_epi8(-1); G];
    let accepting = narrow::<0, G>(accepting, tables, block);
    let accepting = narrow::<1, G>(accepting, tables, block);
    let accepting = narrow::<2, G>(accepting, tables, block);
    let accepting = narrow::<3, G>(accepting, tables, block);
    let accepting = narrow::<4, G>(accepting, tables, block);
    let accepting = narrow::<5, G>(accepting, tables, block);
    let any = accepting.into_iter().fold(_mm512_setzero_si512(), |any, group| _mm512_or_si512(any, group));
    _mm512_test_epi8_mask(any, any)
}

/// What of `accepting` is left after feature number `F`: a constant, so that nothing is left to decide when it runs.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn narrow<const F: usize, const G: usize>(
    mut accepting: [__m512i; G],
    tables: &[[__m512i; G]; NIBBLES.len()],
    block: &[u8; BLOCK + AHEAD],
) -> [__m512i; G] {
    let symbols = symbols::<F>(block);
    for (accepting, table) in accepting.iter_mut().zip(tables[F]) {
        *accepting = _mm512_and_si512(*accepting, _mm512_shuffle_epi8(table, symbols));
    }
    accepting
}

/// One symbol in each byte.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn symbols<const F: usize>(block: &[u8; BLOCK + AHEAD]) -> __m512i {
    match NIBBLES[F] {
        Feature::Low(position) => _mm512_and_si512(load(block, position), _mm512_set1_epi8(15)),
        Feature::Highs(position) => {
            let first = _mm512_srli_epi16::<4>(load(block, position));
            let second = _mm512_srli_epi16::<3>(load(block, position + 1));
            let first = _mm512_and_si512(first, _mm512_set1_epi8(5));
            _mm512_or_si512(first, _mm512_and_si512(second, _mm512_set1_epi8(10)))
        }
        Feature::Byte(_) | Feature::Pair(_) => unreachable!("not among the nibbles"),
    }
}

/// The 64 bytes from `position` on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load(block: &[u8; BLOCK + AHEAD], position: usize) -> __m512i {
    let bytes = block[position..position + BLOCK].as_ptr();
    // SAFETY: 64 bytes from the start of a slice of 64.
    unsafe { _mm512_loadu_si512(bytes.cast()) }
}

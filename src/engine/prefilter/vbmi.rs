//! The pass over 64 positions at a time where AVX-512VBMI is there as well. It finds candidates and knows nothing of
//! literals.
//!
//! One instruction looks 64 symbols up in a table of 128 entries, and a symbol is made of one or two bytes with two to four
//! more: see `features`.

#![expect(unsafe_code, reason = "vector loads, and functions compiled for instructions the processor may lack")]

use std::arch::x86_64::{
    __m512i, _mm512_and_si512, _mm512_loadu_si512, _mm512_or_si512, _mm512_permutex2var_epi8, _mm512_set1_epi8,
    _mm512_setzero_si512, _mm512_slli_epi16, _mm512_ternarylogic_epi64, _mm512_test_epi8_mask,
};

use super::avx512::Avx512;
use super::backend::{Found, by_groups};
use super::buckets::Group;
use super::features::{Feature, HASHES};
use super::{AHEAD, BLOCK, blocks};

/// Proof that the processor has AVX-512VBMI and what [`Avx512`] proves: only `detect` makes one.
#[derive(Clone, Copy)]
pub(super) struct Vbmi(());

impl Vbmi {
    /// Asks the processor.
    pub(super) fn detect() -> Option<Vbmi> {
        Avx512::detect().filter(|_| is_x86_feature_detected!("avx512vbmi")).map(|_| Vbmi(()))
    }
}

by_groups!(Vbmi);

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,bmi1,popcnt")]
fn candidates<const G: usize>(groups: [&Group; G], bytes: &[u8], found: &mut Found<'_>) {
    let mut tables = [[(_mm512_setzero_si512(), _mm512_setzero_si512()); G]; HASHES.len()];
    for (feature, row) in tables.iter_mut().enumerate() {
        *row = groups.map(|group| table(&group[feature]));
    }
    for block in blocks(bytes) {
        found.add(one_block(&tables, block));
    }
}

/// One group's table of one feature: entries 0 to 63, and 64 to 127.
type Table = (__m512i, __m512i);

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn table(entries: &[u8; 128]) -> Table {
    // SAFETY: twice 64 bytes from the start of an array of 128; the loads need no alignment.
    unsafe { (_mm512_loadu_si512(entries.as_ptr().cast()), _mm512_loadu_si512(entries.as_ptr().add(64).cast())) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn one_block<const G: usize>(tables: &[[Table; G]; HASHES.len()], block: &[u8; BLOCK + AHEAD]) -> u64 {
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
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn narrow<const F: usize, const G: usize>(
    mut accepting: [__m512i; G],
    tables: &[[Table; G]; HASHES.len()],
    block: &[u8; BLOCK + AHEAD],
) -> [__m512i; G] {
    let symbols = symbols::<F>(block);
    for (accepting, table) in accepting.iter_mut().zip(&tables[F]) {
        *accepting = _mm512_and_si512(*accepting, _mm512_permutex2var_epi8(table.0, symbols, table.1));
    }
    accepting
}

/// One symbol in the lower seven bits of each byte; the lookup ignores the eighth.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn symbols<const F: usize>(block: &[u8; BLOCK + AHEAD]) -> __m512i {
    match HASHES[F] {
        Feature::Byte(position) => load(block, position),
        Feature::Pair(position) => {
            let folded = _mm512_or_si512(load(block, position), _mm512_set1_epi8(0x20));
            // The upper bits of the byte below come along and are masked.
            let second = _mm512_slli_epi16::<3>(load(block, position + 1));
            _mm512_ternarylogic_epi64::<XOR_AND>(folded, second, _mm512_set1_epi8(0x78))
        }
        Feature::Low(_) | Feature::Highs(_) => unreachable!("not among the hashes"),
    }
}

/// The truth table of `a ^ b & c`.
const XOR_AND: i32 = 0x78;

/// The 64 bytes from `position` on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn load(block: &[u8; BLOCK + AHEAD], position: usize) -> __m512i {
    let bytes = block[position..position + BLOCK].as_ptr();
    // SAFETY: 64 bytes from the start of a slice of 64.
    unsafe { _mm512_loadu_si512(bytes.cast()) }
}

//! The pass over 64 positions at a time, with AVX-512F and AVX-512BW. It finds candidates and knows nothing of literals.
//!
//! The lower half of a byte picks one entry of a table, the upper half one of another; their AND has a bit for each bucket
//! that accepts the byte. The AND over four neighbouring positions has a bit for each bucket that accepts all four.

#![expect(unsafe_code, reason = "vector loads, and functions compiled for instructions the processor may lack")]

use std::arch::x86_64::{
    __m512i, _mm_loadu_si128, _mm512_and_si512, _mm512_broadcast_i32x4, _mm512_loadu_si512, _mm512_or_si512,
    _mm512_set1_epi8, _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_srli_epi16, _mm512_ternarylogic_epi64,
    _mm512_test_epi8_mask,
};

use super::backend::Found;
use super::buckets::Group;
use super::window::WIDTH;
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

    /// As [`Pass::candidates`](super::backend::Pass::candidates).
    #[inline]
    pub(super) fn candidates(self, groups: &[Group], bytes: &[u8], found: &mut Found<'_>) {
        match groups {
            [a] => self.run([a], bytes, found),
            [a, b] => self.run([a, b], bytes, found),
            [a, b, c] => self.run([a, b, c], bytes, found),
            [a, b, c, d] => self.run([a, b, c, d], bytes, found),
            _ => unreachable!("there are one to four groups"),
        }
    }

    #[inline(always)]
    fn run<const G: usize>(self, groups: [&Group; G], bytes: &[u8], found: &mut Found<'_>) {
        // SAFETY: that `self` exists proves that the processor has what the function is compiled for.
        unsafe { candidates(groups, bytes, found) }
    }
}

#[target_feature(enable = "avx512f,avx512bw,bmi1,popcnt")]
fn candidates<const G: usize>(groups: [&Group; G], bytes: &[u8], found: &mut Found<'_>) {
    let tables = tables(groups);
    for block in blocks(bytes) {
        found.add(one_block(&tables, block));
    }
}

/// One group's tables at one position, low and high, repeated in each 16-byte lane.
type Table = (__m512i, __m512i);

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn tables<const G: usize>(groups: [&Group; G]) -> [[Table; G]; WIDTH] {
    let zero = _mm512_setzero_si512();
    let mut tables = [[(zero, zero); G]; WIDTH];
    for (position, row) in tables.iter_mut().enumerate() {
        for (table, group) in row.iter_mut().zip(groups) {
            *table = (lanes(&group.low[position]), lanes(&group.high[position]));
        }
    }
    tables
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn lanes(table: &[u8; 16]) -> __m512i {
    // SAFETY: sixteen bytes are read from an array of sixteen; the load needs no alignment.
    _mm512_broadcast_i32x4(unsafe { _mm_loadu_si128(table.as_ptr().cast()) })
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn one_block<const G: usize>(tables: &[[Table; G]; WIDTH], block: &[u8; BLOCK + AHEAD]) -> u64 {
    let nibble = _mm512_set1_epi8(0x0F);
    let mut accepting = [_mm512_set1_epi8(-1); G];
    for (position, row) in tables.iter().enumerate() {
        // SAFETY: 64 bytes from `position`, at most 3, are within the 67 of the block.
        let bytes = unsafe { _mm512_loadu_si512(block.as_ptr().add(position).cast()) };
        let low = _mm512_and_si512(bytes, nibble);
        let high = _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), nibble);
        for (accepting, table) in accepting.iter_mut().zip(row) {
            let (low, high) = (_mm512_shuffle_epi8(table.0, low), _mm512_shuffle_epi8(table.1, high));
            *accepting = _mm512_ternarylogic_epi64::<AND3>(*accepting, low, high);
        }
    }
    let any = accepting.into_iter().fold(_mm512_setzero_si512(), |any, group| _mm512_or_si512(any, group));
    _mm512_test_epi8_mask(any, any)
}

/// The truth table of `a & b & c`.
const AND3: i32 = 0x80;

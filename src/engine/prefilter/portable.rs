//! The pass for processors without AVX2: the hash bitmaps of `sift`, asked at every position. No SIMD, no `unsafe`.
//!
//! A forced aho-corasick DFA is what this replaced: for numbers see `benches/prefilter.rs`, which runs both.

use super::sift::Sift;
use super::{AHEAD, BLOCK};

/// Sets bit `j` of `masks[i]` where a literal's window may begin at byte `64 * i + j` of `bytes`, which holds the blocks
/// and then the `AHEAD` bytes after them.
pub(super) fn candidates(sift: &Sift, bytes: &[u8], masks: &mut [u64]) {
    if sift.has_pairs() { blocks::<true>(sift, bytes, masks) } else { blocks::<false>(sift, bytes, masks) }
}

fn blocks<const PAIRS: bool>(sift: &Sift, bytes: &[u8], masks: &mut [u64]) {
    for (i, mask) in masks.iter_mut().enumerate() {
        let block = bytes[BLOCK * i..].first_chunk().expect("bytes hold every block and the bytes after it");
        *mask = one_block::<PAIRS>(sift, block);
    }
}

#[inline(always)]
fn one_block<const PAIRS: bool>(sift: &Sift, block: &[u8; BLOCK + AHEAD]) -> u64 {
    let mut mask = 0;
    for i in 0..BLOCK {
        let quad = u32::from_le_bytes([block[i], block[i + 1], block[i + 2], block[i + 3]]);
        mask |= u64::from(sift.passes_if::<PAIRS>(quad)) << i;
    }
    mask
}

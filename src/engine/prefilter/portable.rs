//! The pass for processors without AVX2: the hash bitmaps of `sift`, asked at every position. No SIMD, no `unsafe`.
//!
//! A forced aho-corasick DFA is what this replaced: for numbers see `benches/prefilter.rs`, which runs both.

use super::backend::Found;
use super::sift::Sift;
use super::{AHEAD, BLOCK, blocks};

/// As [`Pass::candidates`](super::backend::Pass::candidates).
pub(super) fn candidates(sift: &Sift, bytes: &[u8], found: &mut Found<'_>) {
    if sift.has_pairs() { run::<true>(sift, bytes, found) } else { run::<false>(sift, bytes, found) }
}

fn run<const PAIRS: bool>(sift: &Sift, bytes: &[u8], found: &mut Found<'_>) {
    for block in blocks(bytes) {
        found.add(one_block::<PAIRS>(sift, block));
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

//! The pass for processors without AVX2: a table of buckets per position, one lookup per byte and table. No SIMD, no
//! `unsafe`.
//!
//! A forced aho-corasick DFA over the bare prefixes and words runs at half the speed (0.48 against 0.96 GB/s on logs,
//! November 2026, `benches/prefilter.rs` has both), cannot say "one of a class", and its hits would still have to be
//! compared. In the tests it is a second oracle.

use super::backend::Found;
use super::buckets::Bytes;
use super::{AHEAD, BLOCK, blocks};

/// As [`Pass::candidates`](super::backend::Pass::candidates).
pub(super) fn candidates(buckets: &Bytes, bytes: &[u8], found: &mut Found<'_>) {
    for block in blocks(bytes) {
        found.add(one_block(buckets, block));
    }
}

/// From the last position to the first, so that the mask is shifted by one each time: an add with carry.
#[inline(always)]
fn one_block([first, second, third, fourth]: &Bytes, block: &[u8; BLOCK + AHEAD]) -> u64 {
    let at = |i: usize| usize::from(block[i]);
    let mut mask = 0;
    for i in (0..BLOCK).rev() {
        let accepting = first[at(i)] & second[at(i + 1)] & third[at(i + 2)] & fourth[at(i + 3)];
        mask = mask << 1 | u64::from(accepting != 0);
    }
    mask
}

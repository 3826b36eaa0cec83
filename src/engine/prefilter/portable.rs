//! The pass for processors without AVX2: a table of buckets per position, one lookup per byte and table. No SIMD, no
//! `unsafe`.
//!
//! A forced aho-corasick DFA over the bare prefixes and words runs at half the speed (0.48 against 0.96 GB/s on logs,
//! November 2026, `benches/prefilter.rs` has both), cannot say "one of a class", and its hits would still have to be
//! compared. In the tests it is a second oracle.

use super::backend::Found;
use super::buckets::Bits;
use super::features::HASHES;
use super::window::WIDTH;
use super::{AHEAD, BLOCK, blocks};

/// As [`Pass::candidates`](super::backend::Pass::candidates).
pub(super) fn candidates(tables: &Bits, bytes: &[u8], found: &mut Found<'_>) {
    for block in blocks(bytes) {
        found.add(one_block(tables, block));
    }
}

/// From the last position to the first, so that the mask is shifted by one each time: an add with carry.
#[inline(always)]
fn one_block([a, b, c, d, e, f]: &Bits, block: &[u8; BLOCK + AHEAD]) -> u64 {
    let mut mask = 0;
    for i in (0..BLOCK).rev() {
        let bytes: &[u8; WIDTH] = block[i..].first_chunk().expect("a block has the bytes ahead of it");
        let symbol = |feature: usize| HASHES[feature].symbol(bytes);
        let accepting = a[symbol(0)] & b[symbol(1)] & c[symbol(2)] & d[symbol(3)] & e[symbol(4)] & f[symbol(5)];
        mask = mask << 1 | u64::from(accepting != 0);
    }
    mask
}

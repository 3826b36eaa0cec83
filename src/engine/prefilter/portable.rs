//! The pass for processors without AVX2: a table of buckets per position, one lookup per byte and table. No SIMD, no
//! `unsafe`.
//!
//! A forced aho-corasick DFA over the bare prefixes and words runs at half the speed (0.48 against 0.96 GB/s on logs,
//! November 2026, `benches/prefilter.rs` has both), cannot say "one of a class", and its hits would still have to be
//! compared. In the tests it is a second oracle.

use super::backend::Found;
use super::buckets::Bits;
use super::features::{Feature, HASHES};
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
    let pairs = pairs(block);
    let mut mask = 0;
    for i in (0..BLOCK).rev() {
        let symbol = |feature: Feature| match feature {
            Feature::Byte(position) => usize::from(block[i + position] & 127),
            Feature::Pair(position) => usize::from(pairs[i + position] & 127),
            Feature::Low(_) | Feature::Highs(_) => unreachable!("not among the hashes"),
        };
        let [a, b, c] = [a[symbol(HASHES[0])], b[symbol(HASHES[1])], c[symbol(HASHES[2])]];
        let [d, e, f] = [d[symbol(HASHES[3])], e[symbol(HASHES[4])], f[symbol(HASHES[5])]];
        mask = mask << 1 | u64::from(a & b & c & d & e & f != 0);
    }
    mask
}

/// The symbols of pairs, each of which is looked up in four tables. Compilers make vector code of this.
#[inline(always)]
fn pairs(block: &[u8; BLOCK + AHEAD]) -> [u8; BLOCK + AHEAD - 1] {
    std::array::from_fn(|i| (block[i] | 0x20) & 127 ^ (block[i + 1] & 15) << 3)
}

//! How often each byte occurs in logs. Not a language model: single bytes, taken as independent of their neighbours.
//!
//! [`Frequencies::typical`] is used where no sample is at hand, that is at every start; [`Frequencies::of`] where tables
//! are made ahead of time.

use crate::engine::byteset::ByteSet;

/// The share of each byte among all bytes; the shares add up to about 1 and none is 0.
pub(super) struct Frequencies([f32; 256]);

impl Frequencies {
    /// Shares in a mix of JSON lines, access logs, logfmt, syslog and stack traces.
    pub(super) fn typical() -> Frequencies {
        Frequencies(TYPICAL.map(|count| f32::from(count) / 65536.0))
    }

    /// Shares in `sample`; those of typical logs if it is empty.
    pub(super) fn of(sample: &[u8]) -> Frequencies {
        if sample.is_empty() {
            return Frequencies::typical();
        }
        let mut counts = [0u32; 256];
        for &byte in sample {
            counts[usize::from(byte)] += 1;
        }
        Frequencies(counts.map(|count| (count as f32 / sample.len() as f32).max(1.0 / 65536.0)))
    }

    /// The share of one byte.
    pub(super) fn byte(&self, byte: u8) -> f32 {
        self.0[usize::from(byte)]
    }

    /// The probability that a byte is in `set`.
    pub(super) fn set(&self, set: &ByteSet) -> f32 {
        if *set == ByteSet::ALL {
            return 1.0;
        }
        let mut sum = 0.0;
        for (word, base) in set.words().into_iter().zip([0, 64, 128, 192]) {
            let mut rest = word;
            while rest != 0 {
                sum += self.0[base + rest.trailing_zeros() as usize];
                rest &= rest - 1;
            }
        }
        sum
    }
}

/// Counts per 65,536 bytes, at least 1 each.
#[rustfmt::skip]
const TYPICAL: [u16; 256] = [
    1, 1, 1, 1, 1, 1, 1, 1, 1, 21, 241, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 25, 1, 1, 1, 1,
    2459, 1, 4629, 1, 5, 28, 128, 1, 72, 72, 1, 53, 995, 1325, 1330, 841,
    2124, 2137, 1958, 1109, 1174, 1513, 1134, 1168, 959, 868, 1929, 39, 11, 796, 11, 66,
    64, 67, 37, 55, 61, 115, 108, 118, 105, 112, 64, 86, 42, 99, 68, 118,
    146, 15, 47, 114, 380, 47, 33, 56, 33, 15, 159, 86, 128, 71, 1, 235,
    1, 2706, 787, 1722, 1693, 4740, 752, 813, 806, 1786, 110, 395, 1413, 980, 1446, 1932,
    1256, 176, 2132, 2252, 2580, 1010, 472, 189, 285, 287, 73, 316, 1, 316, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
];

//! The probability that a bucket accepts four bytes drawn at random. Bytes are taken as independent of each other, which
//! logs are not: it ranks buckets and does not predict candidates.

use super::buckets::{Bucket, Nibbles};
use super::frequency::Frequencies;

/// By high nibble and half of the low nibbles, the share of each set of eight bytes, summed ahead of time.
pub(super) struct Odds(Box<[[[f32; 256]; 2]; 16]>);

impl Odds {
    /// For logs whose bytes occur as in `frequencies`.
    pub(super) fn new(frequencies: &Frequencies) -> Odds {
        let mut odds = Box::new([[[0.0; 256]; 2]; 16]);
        for (high, halves) in (0u8..).zip(odds.iter_mut()) {
            for (half, sums) in (0u8..).zip(halves) {
                for set in 1..256usize {
                    let lowest = frequencies.byte(high << 4 | half << 3 | set.trailing_zeros() as u8);
                    sums[set] = sums[set & (set - 1)] + lowest;
                }
            }
        }
        Odds(odds)
    }

    /// The probability that `bucket` accepts.
    pub(super) fn of(&self, bucket: &Bucket) -> f32 {
        bucket.iter().map(|nibbles| self.position(*nibbles)).product()
    }

    fn position(&self, nibbles: Nibbles) -> f32 {
        let [low, high] = nibbles.low.to_le_bytes().map(usize::from);
        let (mut rest, mut sum) = (nibbles.high, 0.0);
        while rest != 0 {
            let row = &self.0[rest.trailing_zeros() as usize % 16];
            sum += row[0][low] + row[1][high];
            rest &= rest - 1;
        }
        sum
    }
}

//! The probability that a bucket accepts a position drawn at random. Bytes are taken as independent of each other, and
//! features as well, which they are not: it ranks buckets and does not predict candidates.

use super::features::{Feature, Features, MOST, Symbols};
use super::frequency::Frequencies;

/// For each feature, by eighth and set of the eight symbols in it, their share.
pub(super) struct Odds {
    shares: Vec<Shares>,
}

type Shares = Box<[[f32; 256]; 16]>;

impl Odds {
    /// For logs whose bytes occur as in `frequencies`.
    pub(super) fn new(features: Features, frequencies: &Frequencies) -> Odds {
        let mut odds = Odds { shares: Vec::with_capacity(MOST) };
        for feature in features.list() {
            odds.shares.push(shares(*feature, frequencies));
        }
        odds
    }

    /// The probability that `bucket` accepts.
    pub(super) fn of(&self, bucket: &Symbols) -> f32 {
        self.shares.iter().zip(bucket).map(|(shares, symbols)| share(shares, *symbols)).product()
    }
}

fn share(shares: &Shares, symbols: u128) -> f32 {
    shares.iter().zip(symbols.to_le_bytes()).map(|(shares, eight)| shares[usize::from(eight)]).sum()
}

fn shares(feature: Feature, frequencies: &Frequencies) -> Shares {
    let single = symbols(feature, frequencies);
    let mut shares = Box::new([[0.0; 256]; 16]);
    for (eight, sums) in single.as_chunks::<8>().0.iter().zip(shares.iter_mut()) {
        for set in 1..256usize {
            sums[set] = sums[set & (set - 1)] + eight[set.trailing_zeros() as usize];
        }
    }
    shares
}

/// What of a byte goes into a symbol.
type Part = fn(usize) -> usize;

/// The share of each symbol.
fn symbols(feature: Feature, frequencies: &Frequencies) -> [f32; 128] {
    let (first, second, both): (Part, Part, bool) = match feature {
        Feature::Byte(_) => (|byte| byte & 127, |_| 0, false),
        Feature::Low(_) => (|byte| byte & 15, |_| 0, false),
        Feature::Pair(_) => (|byte| (byte | 0x20) & 127, |byte| (byte & 15) << 3, true),
        Feature::Highs(_) => (|byte| byte >> 4 & 5, |byte| byte >> 3 & 10, true),
    };
    let count = |part: Part| {
        let mut counts = [0.0; 128];
        (0..=255u8).for_each(|byte| counts[part(usize::from(byte))] += frequencies.byte(byte));
        counts
    };
    let firsts = count(first);
    if !both {
        return firsts;
    }
    let mut shares = [0.0; 128];
    for (two, share) in count(second).into_iter().enumerate().filter(|(_, share)| *share > 0.0) {
        firsts.iter().enumerate().for_each(|(one, first)| shares[one ^ two] += first * share);
    }
    shares
}

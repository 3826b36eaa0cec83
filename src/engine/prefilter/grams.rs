//! What stands where in a sample of logs: every four bytes in a row. Only tables made ahead of time are worth the sorting.

use super::window::{Key, WIDTH, Window, members};

/// All four bytes in a row of the sample, ascending.
pub(super) struct Grams(Vec<[u8; WIDTH]>);

impl Grams {
    /// Those of `sample`.
    pub(super) fn of(sample: &[u8]) -> Grams {
        let mut grams: Vec<[u8; WIDTH]> = sample.array_windows().copied().collect();
        grams.sort_unstable();
        Grams(grams)
    }

    /// How often the window occurs as it is; 0 for one that is not looked up by four bytes.
    pub(super) fn count(&self, window: &Window) -> usize {
        if window.key() != Key::Quad {
            return 0;
        }
        let occurs = |gram: &[u8; WIDTH]| window.sets.iter().zip(gram).all(|(set, &byte)| set.contains(byte));
        let from = |first: u8| self.0.partition_point(|gram| gram[0] < first);
        let firsts = members(&window.sets[0]);
        let ranges = firsts.map(|first| from(first)..first.checked_add(1).map_or(self.0.len(), from));
        ranges.map(|range| self.0[range].iter().filter(|gram| occurs(gram)).count()).sum()
    }

    /// About `MAX_DRAWN` of them evenly drawn, each different one once with how often it was drawn. That every n-th is
    /// taken of a sorted list makes the draw fair to frequent and rare ones alike.
    pub(super) fn drawn(&self) -> Vec<([u8; WIDTH], u32)> {
        let every = self.0.len().div_ceil(MAX_DRAWN).max(1);
        let drawn: Vec<[u8; WIDTH]> = self.0.iter().step_by(every).copied().collect();
        drawn.chunk_by(|one, other| one == other).map(|equal| (equal[0], equal.len() as u32)).collect()
    }
}

/// Enough that one in 8,000 candidates per megabyte is seen a thousand times.
const MAX_DRAWN: usize = 1 << 18;

//! What stands where in a sample of logs: every four bytes in a row. Only tables made ahead of time are worth the sorting.

use super::window::{Key, QUAD, Window, members};

/// All four bytes in a row of the sample, ascending.
pub(super) struct Grams(Vec<[u8; QUAD]>);

impl Grams {
    /// Those of `sample`.
    pub(super) fn of(sample: &[u8]) -> Grams {
        let mut grams: Vec<[u8; QUAD]> = sample.array_windows().copied().collect();
        grams.sort_unstable();
        Grams(grams)
    }

    /// How often the window occurs as it is; 0 for one that is not looked up by four bytes.
    pub(super) fn count(&self, window: &Window) -> usize {
        if window.key != Key::Quad {
            return 0;
        }
        let occurs = |gram: &[u8; QUAD]| window.sets.iter().zip(gram).all(|(set, &byte)| set.contains(byte));
        let from = |first: u8| self.0.partition_point(|gram| gram[0] < first);
        let firsts = members(&window.sets[0]);
        let ranges = firsts.map(|first| from(first)..first.checked_add(1).map_or(self.0.len(), from));
        ranges.map(|range| self.0[range].iter().filter(|gram| occurs(gram)).count()).sum()
    }
}

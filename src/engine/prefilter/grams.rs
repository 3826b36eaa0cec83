//! What stands where in a sample of logs: every four bytes in a row. Only tables made ahead of time are worth the sorting.

use super::window::{Key, QUAD, Window, members};

/// All different four bytes in a row of the sample, ascending, and how often each occurs: the sample repeats
/// itself, and every window of every literal is compared with those that begin like it.
pub(super) struct Grams(Vec<([u8; QUAD], usize)>);

impl Grams {
    /// Those of `sample`.
    pub(super) fn of(sample: &[u8]) -> Grams {
        let mut grams: Vec<[u8; QUAD]> = sample.array_windows().copied().collect();
        grams.sort_unstable();
        Grams(grams.chunk_by(|one, other| one == other).map(|same| (same[0], same.len())).collect())
    }

    /// How often the window occurs as it is; 0 for one that is not looked up by four bytes.
    pub(super) fn count(&self, window: &Window) -> usize {
        if window.key != Key::Quad {
            return 0;
        }
        let occurs = |gram: &[u8; QUAD]| window.sets.iter().zip(gram).all(|(set, &byte)| set.contains(byte));
        let from = |first: u8| self.0.partition_point(|(gram, _)| gram[0] < first);
        let firsts = members(&window.sets[0]);
        let ranges = firsts.map(|first| from(first)..first.checked_add(1).map_or(self.0.len(), from));
        ranges.flat_map(|range| &self.0[range]).filter(|(gram, _)| occurs(gram)).map(|(_, count)| count).sum()
    }
}

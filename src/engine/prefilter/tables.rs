//! The bucket assignment made ahead of time. Not needed for correctness: without it, or with one for other literals, the
//! prefilter deals literals into buckets itself, quickly and less well.
//!
//! `build` takes seconds and a sample of logs; its result goes into `generated.rs` by way of [`Tables::to_source`].

use std::borrow::Cow;
use std::fmt::Write as _;

use super::buckets;
use super::frequency::Frequencies;
use super::grams::Grams;
use super::merge::merge;
use super::refine::Refine;
use super::window::{WIDTH, Window};
use super::{Literal, generated};

/// For each literal of one list, where its window begins and which bucket it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    hash: u64,
    assignment: Cow<'static, [(u8, u8)]>,
}

impl Tables {
    /// The tables committed for the built-in literals.
    pub fn built_in() -> Tables {
        Tables { hash: generated::HASH, assignment: Cow::Borrowed(generated::ASSIGNMENT) }
    }

    /// Whether these tables are for exactly `literals`.
    pub fn are_for(&self, literals: &[Literal]) -> bool {
        self.assignment.len() == literals.len() && self.hash == hash(literals)
    }

    /// Offsets and buckets of the literals at the front of `literals` if these tables are for them: literals added
    /// behind a known list leave it as it was.
    pub(super) fn of_front(&self, literals: &[Literal]) -> Option<&[(u8, u8)]> {
        let front = literals.get(..self.assignment.len())?;
        (self.hash == hash(front) && self.is_sound(front)).then_some(&self.assignment)
    }

    /// Whether no number is out of bounds: a hash can collide, and a generated file can be edited.
    fn is_sound(&self, literals: &[Literal]) -> bool {
        let most = buckets::MAX_GROUPS * buckets::PER_GROUP;
        let fits = |(literal, &(offset, bucket)): (&Literal, &(u8, u8))| {
            usize::from(offset) <= literal.sets.len().saturating_sub(WIDTH) && usize::from(bucket) < most
        };
        literals.iter().zip(self.assignment.iter()).all(fits)
    }

    /// The text of `generated.rs` for these tables.
    pub fn to_source(&self) -> String {
        let mut source = String::from(HEAD);
        let hash = self.hash;
        let digits = format!("{hash:016x}");
        let groups = [&digits[..4], &digits[4..8], &digits[8..12], &digits[12..]].join("_");
        let _ =
            writeln!(source, "/// Of the literals these buckets are for.\npub(crate) const HASH: u64 = 0x{groups};\n");
        source.push_str("/// For each literal, where its window begins and which bucket it is in.\n#[rustfmt::skip]\n");
        source.push_str("pub(crate) const ASSIGNMENT: &[(u8, u8)] = &[\n");
        for line in self.assignment.chunks(12) {
            let pairs: Vec<String> = line.iter().map(|(offset, bucket)| format!("({offset}, {bucket})")).collect();
            let _ = writeln!(source, "    {},", pairs.join(", "));
        }
        source.push_str("];\n");
        source
    }
}

const HEAD: &str = "\
//! The buckets of the built-in literals, made by `tables::build`. Not written by hand: a test makes it anew and compares.

";

/// The assignment with the fewest candidates in logs like `sample` that a local search finds. An empty sample stands for
/// typical logs, of which only the frequency of single bytes is known. Deterministic. Seconds for hundreds of literals.
pub fn build(literals: &[Literal], sample: &[u8]) -> Tables {
    let frequencies = Frequencies::of(sample);
    let grams = Grams::of(sample);
    let choices: Vec<Vec<Window>> = literals.iter().map(|literal| rare(literal, &grams, &frequencies)).collect();
    let windows: Vec<Window> = choices.iter().map(|windows| windows[0].clone()).collect();
    let count = buckets::worthwhile(windows.len());
    let numbers = merge(&windows, count, &frequencies);
    let (windows, numbers) = Refine::new(&grams, windows, numbers, count).run(&choices);
    let assignment = windows.iter().zip(numbers).map(|(window, number)| (window.offset, number)).collect();
    Tables { hash: hash(literals), assignment: Cow::Owned(assignment) }
}

/// In the manner of FNV-1a over the positions of all literals, eight bytes at a time. It tells a changed list from an unchanged one;
/// it does not withstand an attacker, who would have to edit our source.
fn hash(literals: &[Literal]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325u64;
    let mut add = |word: u64| hash = (hash ^ word).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(23);
    for literal in literals {
        add(literal.sets.len() as u64);
        literal.sets.iter().flat_map(|set| set.words()).for_each(&mut add);
    }
    hash
}

/// The windows of `literal` that occur least in the sample, the rarest first; among equals those least likely by their
/// bytes come first. A window that occurs notably more often than the first is not worth a better bucket: each time it
/// occurs, the literal is compared.
fn rare(literal: &Literal, grams: &Grams, frequencies: &Frequencies) -> Vec<Window> {
    let cost = |window: &Window| {
        let share: f32 = window.sets.iter().map(|set| frequencies.set(set)).product();
        (window.key(), grams.count(window), share)
    };
    let mut windows: Vec<_> = Window::all(literal).map(|window| (cost(&window), window)).collect();
    windows.sort_by(|one, other| one.0.partial_cmp(&other.0).expect("a share is a number"));
    let (key, least, _) = windows[0].0;
    windows.retain(|(cost, _)| cost.0 == key && cost.1 <= least + least / 8);
    windows.into_iter().map(|(_, window)| window).take(MAX_CHOICES).collect()
}

/// Windows tried for one literal.
const MAX_CHOICES: usize = 6;

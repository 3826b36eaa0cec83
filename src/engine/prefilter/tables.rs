//! The bucket assignment made ahead of time. Not needed for correctness: without it, or with one for other literals, the
//! prefilter deals literals into buckets itself, quickly and less well.
//!
//! `build` takes seconds and a sample of logs; its result goes into `generated.rs` by way of [`Tables::to_source`].

use std::borrow::Cow;
use std::fmt::Write as _;

use super::buckets;
use super::features::Features;
use super::frequency::Frequencies;
use super::grams::Grams;
use super::window::{QUAD, Window};
use super::{Literal, generated, refine};

/// For each literal of one list, where its window begins and which bucket it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    hash: u64,
    /// For passes that look hashes up.
    hashes: Assignment,
    /// For passes that look nibbles up.
    nibbles: Assignment,
}

type Assignment = Cow<'static, [(u8, u8)]>;

impl Tables {
    /// The tables committed for the built-in literals.
    pub fn built_in() -> Tables {
        let [hashes, nibbles] = [generated::HASHES, generated::NIBBLES].map(Cow::Borrowed);
        Tables { hash: generated::HASH, hashes, nibbles }
    }

    /// Whether these tables are for exactly `literals`.
    pub fn are_for(&self, literals: &[Literal]) -> bool {
        self.hashes.len() == literals.len() && self.hash == hash(literals)
    }

    /// Offsets and buckets of the literals at the front of `literals` if these tables are for them: literals added
    /// behind a known list leave it as it was.
    pub(super) fn of_front(&self, literals: &[Literal], features: Features) -> Option<&[(u8, u8)]> {
        let assignment = match features {
            Features::Hashes => &self.hashes,
            Features::Nibbles => &self.nibbles,
        };
        let front = literals.get(..assignment.len())?;
        (self.hash == hash(front) && is_sound(assignment, front)).then_some(assignment)
    }

    /// The text of `generated.rs` for these tables.
    pub fn to_source(&self) -> String {
        let mut source = String::from(HEAD);
        let hash = self.hash;
        let digits = format!("{hash:016x}");
        let groups = [&digits[..4], &digits[4..8], &digits[8..12], &digits[12..]].join("_");
        let _ =
            writeln!(source, "/// Of the literals these buckets are for.\npub(crate) const HASH: u64 = 0x{groups};");
        for (name, assignment) in [("HASHES", &self.hashes), ("NIBBLES", &self.nibbles)] {
            source.push_str(
                "\n/// For each literal, where its window begins and which bucket it is in.\n#[rustfmt::skip]\n",
            );
            let _ = writeln!(source, "pub(crate) const {name}: &[(u8, u8)] = &[");
            for line in assignment.chunks(12) {
                let pairs: Vec<String> = line.iter().map(|(offset, bucket)| format!("({offset}, {bucket})")).collect();
                let _ = writeln!(source, "    {},", pairs.join(", "));
            }
            source.push_str("];\n");
        }
        source
    }
}

const HEAD: &str = "\
//! The buckets of the built-in literals, made by `tables::build`. Not written by hand: a test makes it anew and compares.

";

/// Whether no number is out of bounds: a hash can collide, and a generated file can be edited.
fn is_sound(assignment: &[(u8, u8)], literals: &[Literal]) -> bool {
    let most = buckets::MAX_GROUPS * buckets::PER_GROUP;
    let fits = |(literal, &(offset, bucket)): (&Literal, &(u8, u8))| {
        usize::from(offset) <= literal.sets.len().saturating_sub(QUAD) && usize::from(bucket) < most
    };
    literals.iter().zip(assignment).all(fits)
}

/// The assignments with the fewest candidates in logs like `sample` that a local search finds; without a sample there is
/// nothing to search with. Deterministic. Seconds for hundreds of literals.
pub fn build(literals: &[Literal], sample: &[u8]) -> Tables {
    let frequencies = Frequencies::of(sample);
    let grams = Grams::of(sample);
    let choices: Vec<Vec<Window>> = literals.iter().map(|literal| rare(literal, &grams, &frequencies)).collect();
    let [hashes, nibbles] = [Features::Hashes, Features::Nibbles].map(|features| {
        let count = buckets::worthwhile(features, literals.len());
        Cow::Owned(refine::assignment(features, &choices, count, sample, &frequencies))
    });
    Tables { hash: hash(literals), hashes, nibbles }
}

/// In the manner of FNV-1a over the positions of all literals, one after the other. It tells a changed list from an
/// unchanged one; it does not withstand an attacker, who would have to edit our source.
fn hash(literals: &[Literal]) -> u64 {
    // Odd numbers without a pattern: the words of a set are multiplied independently, which takes a quarter of the time.
    const ODD: [u64; 4] = [0x9E37_79B9_7F4A_7C15, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0xD6E8_FEB8_6659_FD93];
    let mut hash = 0xCBF2_9CE4_8422_2325u64;
    let mut add = |word: u64| hash = (hash ^ word).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(23);
    for literal in literals {
        add(literal.sets.len() as u64);
        for run in literal.sets.chunk_by(|one, other| one == other) {
            let words = run[0].words().into_iter().zip(ODD);
            add(words.fold(run.len() as u64, |sum, (word, odd)| sum ^ word.wrapping_mul(odd).rotate_left(29)));
        }
    }
    hash
}

/// The windows of `literal` that occur least in the sample, the rarest first; among equals those least likely by their
/// bytes come first. A window that occurs notably more often than the first is not worth a better bucket: each time it
/// occurs, the literal is compared.
fn rare(literal: &Literal, grams: &Grams, frequencies: &Frequencies) -> Vec<Window> {
    let cost = |window: &Window| {
        let share: f32 = window.sets.iter().map(|set| frequencies.set(set)).product();
        (window.key, grams.count(window), share)
    };
    let mut windows: Vec<_> = Window::all(literal).map(|window| (cost(&window), window)).collect();
    windows.sort_by(|one, other| one.0.partial_cmp(&other.0).expect("a share is a number"));
    let (key, least, _) = windows[0].0;
    windows.retain(|(cost, _)| cost.0 == key && cost.1 <= least + least / 8 + 2);
    // Each combination is a bit in the sift, and the fuller it is the more it keeps.
    let fewest = windows.iter().map(|(_, window)| window.combinations()).min().unwrap_or(1);
    windows.retain(|(_, window)| window.combinations() <= 8 * fewest);
    windows.into_iter().map(|(_, window)| window).take(MAX_CHOICES).collect()
}

/// Windows tried for one literal.
const MAX_CHOICES: usize = 6;

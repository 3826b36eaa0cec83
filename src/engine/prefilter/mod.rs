//! Finds where a required literal of some rule begins: every occurrence of every literal, nothing else. It does not know
//! what a rule is, and looks at no byte outside the haystack it is given.
//!
//! A [`Prefilter`] is made once from the [`Literal`]s and shared; each worker brings a [`Scratch`]. A haystack goes through
//! in chunks that stay in the first-level cache:
//!
//! 1. **pass**: 64 positions at a time, where may a literal's window (its five rarest positions) begin? ([`Backend`])
//! 2. **sift**: two hash bitmaps, and the byte behind what they look at, drop what the pass's buckets confused.
//! 3. **confirm**: what is left is compared with the literals in question, exactly.
//!
//! Candidates are what the sift keeps. `naive` is the specification. What decides the speed is how many positions step 1
//! lets through and how many candidates step 2; see `features` and `tables`.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod backend;
mod buckets;
mod confirm;
mod features;
mod frequency;
mod generated;
mod grams;
#[cfg(test)]
mod naive;
mod odds;
mod portable;
mod refine;
mod sift;
pub mod tables;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod vbmi;
mod window;

pub use backend::Backend;
pub use tables::Tables;

use crate::engine::byteset::ByteSet;
use backend::{Pass, Positions, SLACK};
use buckets::Buckets;
use confirm::Checks;
use features::Features;
use frequency::Frequencies;
use sift::{Sift, bytes_at};
use window::{WIDTH, Window};

/// One thing the prefilter looks for: a byte set for each position. `ghp_` is four sets of one byte; where case does not
/// matter a set is both cases of a letter; a short literal is made rarer by the classes that must follow it (`eyJ` and
/// five of base64url). 2 to 48 positions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Literal {
    /// What may stand at each position.
    pub sets: Box<[ByteSet]>,
}

/// An occurrence: the literal with number `literal` begins at `start`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// Offset in the haystack, in bytes.
    pub start: u32,
    /// Index into the literals the prefilter was made of.
    pub literal: u16,
}

/// What one call found. Free of noise, unlike time: `candidates` per megabyte is what tables are judged by.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Positions the pass let through. Depends on the backend and the tables; each costs about a nanosecond.
    pub passed: u64,
    /// Those of them that the sift kept, which are compared with literals: what is expensive. Depends on the tables.
    pub candidates: u64,
    /// Occurrences of literals. Depends on nothing but literals and haystack.
    pub literal_hits: u64,
}

/// Mutable memory for [`Prefilter::find`], 32 KiB. It keeps nothing from one call to the next.
pub struct Scratch {
    /// What the pass let through of one chunk, ascending, as offsets in the haystack.
    positions: Box<Positions>,
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch { positions: Box::new([0; CHUNK + SLACK]) }
    }
}

/// Positions a pass decides at a time; one mask.
const BLOCK: usize = 64;

/// How many bytes after a block a pass reads: a window that begins at the block's last byte ends there.
const AHEAD: usize = WIDTH - 1;

/// Positions between two sifts. The bytes of a chunk and its candidates stay in 32 KiB of cache.
const CHUNK: usize = 128 * BLOCK;

/// Looks for a fixed list of literals. Immutable, to be shared between threads.
pub struct Prefilter {
    pass: Pass,
    buckets: Buckets,
    sift: Sift,
    checks: Checks,
}

impl Prefilter {
    /// A prefilter for `literals`, with buckets from `tables` if they are for the front of this list. A backend that this
    /// processor lacks is replaced by the portable one.
    ///
    /// # Panics
    ///
    /// If a literal has fewer than 2 or more than 48 positions, or there are more than 65,536 literals.
    pub fn new(literals: &[Literal], tables: Option<&Tables>, backend: Backend) -> Prefilter {
        Prefilter::with(literals, tables, Pass::of(backend))
    }

    fn with(literals: &[Literal], tables: Option<&Tables>, pass: Pass) -> Prefilter {
        assert!(literals.len() <= 1 << 16, "a hit has 16 bits for its literal");
        assert!(
            literals.iter().all(|literal| (2..=48).contains(&literal.sets.len())),
            "a literal has 2 to 48 positions"
        );
        let (windows, numbers) = assign(literals, tables, pass.features());
        Prefilter {
            pass,
            buckets: Buckets::new(pass.features(), &windows, &numbers),
            sift: Sift::new(&windows),
            checks: Checks::new(literals, windows.iter().map(|window| window.offset)),
        }
    }

    /// The backend in use.
    pub fn backend(&self) -> Backend {
        self.pass.backend()
    }

    /// Replaces `hits` with every occurrence of every literal in `haystack`, sorted by start, then literal.
    ///
    /// # Panics
    ///
    /// If the haystack is longer than 4 GiB.
    pub fn find(&self, scratch: &mut Scratch, haystack: &[u8], hits: &mut Vec<Hit>) -> Counts {
        assert!(u32::try_from(haystack.len()).is_ok(), "a hit has 32 bits for its start");
        hits.clear();
        // Blocks that have their bytes ahead are read where they lie, the rest as a copy with zeros behind it.
        let whole = haystack.len().saturating_sub(AHEAD) / BLOCK * BLOCK;
        let mut search = Search { prefilter: self, scratch, haystack, hits, passed: 0, candidates: 0 };
        for start in (0..whole).step_by(CHUNK) {
            let end = whole.min(start + CHUNK);
            search.chunk(start, &haystack[start..end + AHEAD]);
        }
        let rest = &haystack[whole..];
        let mut padded = [0; 2 * BLOCK + AHEAD];
        padded[..rest.len()].copy_from_slice(rest);
        search.chunk(whole, &padded[..rest.len().next_multiple_of(BLOCK) + AHEAD]);
        search.wide();
        Counts { passed: search.passed, candidates: search.candidates, literal_hits: search.hits.len() as u64 }
    }
}

/// One call of `find`.
struct Search<'a> {
    prefilter: &'a Prefilter,
    scratch: &'a mut Scratch,
    haystack: &'a [u8],
    hits: &'a mut Vec<Hit>,
    passed: u64,
    candidates: u64,
}

impl Search<'_> {
    /// Searches the blocks in `bytes`, which is the haystack from `start` on, perhaps with zeros behind its end.
    fn chunk(&mut self, start: usize, bytes: &[u8]) {
        let Prefilter { pass, buckets, sift, .. } = self.prefilter;
        let positions = &mut *self.scratch.positions;
        let found = pass.candidates(buckets, bytes, start as u32, positions);
        let found = positions[..found].partition_point(|&position| (position as usize) < self.haystack.len());
        let kept = sift.keep(self.haystack, &mut positions[..found]);
        self.passed += found as u64;
        for i in 0..kept {
            self.confirm(self.scratch.positions[i]);
        }
    }

    /// Compares the literals whose window may begin at `position`.
    #[inline(always)]
    fn confirm(&mut self, position: u32) {
        let Prefilter { sift, checks, .. } = self.prefilter;
        let literals = sift.literals(bytes_at(self.haystack, position as usize));
        self.candidates += u64::from(literals.iter().any(|literals| !literals.is_empty()));
        for literals in literals {
            for &literal in literals {
                if let Some(start) = checks.start(literal, self.haystack, position) {
                    insert(self.hits, Hit { start, literal });
                }
            }
        }
    }

    /// Compares literals that cannot be looked up at every position.
    fn wide(&mut self) {
        let Prefilter { sift, checks, .. } = self.prefilter;
        for &literal in &sift.wide {
            let starts = (0..self.haystack.len()).filter(|&start| checks.stands_at(literal, self.haystack, start));
            self.hits.extend(starts.map(|start| Hit { start: start as u32, literal }));
        }
        if !sift.wide.is_empty() {
            self.hits.sort_unstable();
        }
    }
}

/// The blocks of `bytes`, each with the bytes after it.
#[inline(always)]
fn blocks(bytes: &[u8]) -> impl Iterator<Item = &[u8; BLOCK + AHEAD]> {
    (0..bytes.len() / BLOCK).map_while(|i| bytes[BLOCK * i..].first_chunk())
}

/// Puts a hit where it belongs. Windows come in order and a literal begins at most 44 bytes before its window, so this is
/// nearly always at the end.
#[inline(always)]
fn insert(hits: &mut Vec<Hit>, hit: Hit) {
    let mut at = hits.len();
    hits.push(hit);
    while at > 0 && hits[at - 1] > hit {
        hits[at] = hits[at - 1];
        at -= 1;
    }
    hits[at] = hit;
}

/// A window and a bucket for each literal.
fn assign(literals: &[Literal], tables: Option<&Tables>, features: Features) -> (Vec<Window>, Vec<u8>) {
    let ready = tables.and_then(|tables| tables.of_front(literals, features)).unwrap_or_default();
    let (front, added) = literals.split_at(ready.len());
    let frequencies = Frequencies::typical();
    let mut windows: Vec<Window> =
        front.iter().zip(ready).map(|(literal, &(offset, _))| Window::at(literal, usize::from(offset))).collect();
    windows.extend(added.iter().map(|literal| Window::rarest(literal, &frequencies)));
    let mut numbers: Vec<u8> = ready.iter().map(|&(_, bucket)| bucket).collect();
    let dealt = buckets::deal(features, &windows, &numbers, &frequencies);
    numbers.extend(dealt);
    (windows, numbers)
}

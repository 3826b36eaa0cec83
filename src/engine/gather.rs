//! A survey of the texts of a message alone. Who walks the message says where they are; what is told twice is searched once,
//! and what is no text (tags, lengths, numbers, ids) is not searched at all. It decides nothing else: see [`Survey`].

use std::ops::Range;

use super::Engine;
use super::names::Name;
use super::prefilter::Hit;
use super::scan::Scratch;
use super::survey::{Look, Survey};
use super::tally::Tally;

/// Bytes of texts that are searched at a time: they and their candidates stay in the first-level cache.
const FULL: usize = 8 << 10;
/// A text of this length or more is searched where it stands.
const LONG: usize = 512;
/// Bytes that are copied at a time.
const STEP: usize = 32;
/// What is put behind each text: a byte that ends any word, so that a key of a secret is found where it ends.
const BEHIND: u8 = b'\n';
/// Texts that are known again, a power of two.
const SEEN: usize = 256;
/// Texts that were seen before and are remembered at most; those behind them are searched again.
const MAX_AGAIN: usize = 1 << 16;

/// The mutable memory of a [`Gatherer`]. It keeps nothing from one message to the next.
pub(crate) struct Memory {
    /// Texts side by side, [`BEHIND`] each of them.
    side: Box<[u8; FULL + STEP]>,
    pieces: Vec<Piece>,
    /// The literals of one of them.
    hits: Vec<Hit>,
    seen: Box<[Seen; SEEN]>,
    again: Vec<Again>,
}

/// A text that was put aside.
#[derive(Clone, Copy)]
struct Piece {
    /// Where it begins there, and in the message.
    side: u32,
    start: u32,
    len: u32,
    /// Whether it may name what stands behind it.
    names: bool,
}

/// A text that was seen: its first and its last eight bytes, where it stands, how long it is.
#[derive(Clone, Copy, Default)]
struct Seen {
    head: u64,
    tail: u64,
    start: u32,
    len: u32,
}

/// A text that stands at `start` as it stood at `first`.
struct Again {
    start: u32,
    first: u32,
    len: u32,
}

impl Default for Memory {
    fn default() -> Memory {
        Memory {
            side: Box::new([0; FULL + STEP]),
            pieces: Vec::new(),
            hits: Vec::new(),
            seen: Box::new([Seen::default(); SEEN]),
            again: Vec::new(),
        }
    }
}

/// Makes the survey of one message.
pub(crate) struct Gatherer<'g> {
    engine: &'g Engine,
    scratch: &'g mut Scratch,
    memory: Memory,
    body: &'g [u8],
    /// How much of `memory.side` is filled.
    filled: usize,
    survey: Survey,
    /// The work that was done.
    tally: Tally,
}

impl Engine {
    /// Begins a survey of the texts in `body`; `None` where everything must be looked at.
    pub(crate) fn gather<'g>(&'g self, scratch: &'g mut Scratch, body: &'g [u8]) -> Option<Gatherer<'g>> {
        if !self.surveys(body) {
            return None;
        }
        let mut memory = std::mem::take(&mut scratch.gather).unwrap_or_default();
        memory.pieces.clear();
        memory.seen.fill(Seen::default());
        memory.again.clear();
        Some(Gatherer {
            engine: self,
            scratch,
            memory,
            body,
            filled: 0,
            survey: Survey::of_texts(body.len()),
            tally: Tally::default(),
        })
    }
}

impl<'g> Gatherer<'g> {
    /// The message.
    #[inline]
    pub(crate) fn body(&self) -> &'g [u8] {
        self.body
    }

    /// What a field of the name at `range` is.
    #[inline]
    pub(crate) fn name(&mut self, range: &Range<usize>) -> Name {
        self.engine.name(self.scratch, &self.body[range.clone()])
    }

    /// Whether a text that is an element or a field of a value may name a secret though no literal of the prefilter begins in it.
    #[inline]
    pub(crate) fn may_name(&self, range: &Range<usize>) -> bool {
        self.engine.may_be_key(&self.body[range.clone()], Some(BEHIND))
    }

    /// The text at `range` is to be searched; `names` where what is found in it counts even if it is no secret. Texts come in
    /// the order of the message and do not overlap. Returns whether it is searched where it stands, not known from another place.
    #[inline]
    pub(crate) fn text(&mut self, range: Range<usize>, names: bool) -> bool {
        let len = range.end - range.start;
        if len == 0 {
            return true;
        }
        if len >= LONG {
            self.long(range);
            return true;
        }
        if !names && self.seen_before(&range) {
            return false;
        }
        if self.filled + len + 1 > FULL {
            self.search();
        }
        let (from, side) = (self.filled, &mut self.memory.side[..]);
        self.memory.pieces.push(Piece { side: from as u32, start: range.start as u32, len: len as u32, names });
        for at in (0..len).step_by(STEP) {
            let to: &mut [u8; STEP] = side[from + at..].first_chunk_mut().expect("there is room for a step behind it");
            match self.body[range.start + at..].first_chunk() {
                Some(bytes) => *to = *bytes,
                None => to[..len - at].copy_from_slice(&self.body[range.start + at..range.end]),
            }
        }
        side[from + len] = BEHIND;
        self.filled = from + len + 1;
        true
    }

    /// The `len` bytes at `start` are those at `first`, of which every text was told and is searched there. `false` where no
    /// more can be remembered: then they must be told.
    #[inline]
    pub(crate) fn again(&mut self, start: usize, first: u32, len: u32) -> bool {
        let room = self.memory.again.len() < MAX_AGAIN;
        if room {
            self.memory.again.push(Again { start: start as u32, first, len });
        }
        room
    }

    /// What stands at `at` must be looked at whatever its bytes are.
    pub(crate) fn flag(&mut self, at: usize) {
        self.survey.flag(at as u32);
    }

    /// Whether the text at `range` was seen in this message: then it holds what it held there.
    #[inline]
    fn seen_before(&mut self, range: &Range<usize>) -> bool {
        let text = &self.body[range.clone()];
        let (head, tail) = ends(text);
        let mixed = (head ^ tail.rotate_left(29) ^ text.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let place = (mixed >> 56) as usize % SEEN;
        let slot = &self.memory.seen[place];
        let same = slot.head == head && slot.tail == tail && slot.len as usize == text.len();
        let first = slot.start as usize;
        let known = same && (text.len() <= 16 || self.body[first..first + text.len()] == *text);
        let (first, len) = (slot.start, slot.len);
        if known && self.again(range.start, first, len) {
            return true;
        }
        let start = range.start as u32;
        self.memory.seen[place] = Seen { head, tail, start, len: text.len() as u32 };
        false
    }

    /// Searches a long text where it stands.
    #[inline(never)]
    fn long(&mut self, range: Range<usize>) {
        self.search();
        let mut hits = std::mem::take(&mut self.scratch.hits);
        self.engine.prefilter.find(&mut self.scratch.prefilter, &self.body[range.clone()], &mut hits);
        for hit in &hits {
            self.survey.add(Hit { start: hit.start + range.start as u32, ..*hit });
        }
        self.scratch.hits = hits;
    }

    /// Searches the texts that were put aside.
    #[inline(never)]
    fn search(&mut self) {
        let mut hits = std::mem::take(&mut self.scratch.hits);
        let side = &self.memory.side[..self.filled];
        self.engine.prefilter.find(&mut self.scratch.prefilter, side, &mut hits);
        let (mut rest, mut pieces) = (&hits[..], &self.memory.pieces[..]);
        let mut own = std::mem::take(&mut self.memory.hits);
        while let (Some(first), [piece, behind @ ..]) = (rest.first(), pieces) {
            let end = behind.first().map_or(u32::MAX, |next| next.side);
            if first.start >= end {
                pieces = behind;
                continue;
            }
            let count = rest.iter().take_while(|hit| hit.start < end).count();
            own.clear();
            own.extend(rest[..count].iter().map(|hit| Hit { start: hit.start - piece.side, ..*hit }));
            (rest, pieces) = (&rest[count..], behind);
            let text = &self.body[piece.start as usize..(piece.start + piece.len) as usize];
            if piece.names
                || !(self.engine.are_harmless(text, &own)
                    || self.engine.is_nothing(self.scratch, text, Look::Hits(&own), &mut self.tally))
            {
                own.iter().for_each(|hit| self.survey.add(Hit { start: hit.start + piece.start, ..*hit }));
            }
        }
        self.memory.hits = own;
        self.memory.pieces.clear();
        self.filled = 0;
        self.scratch.hits = hits;
    }

    /// The survey of the texts that were told, and the work it was.
    pub(crate) fn finish(mut self) -> (Survey, Tally) {
        self.search();
        let found = self.survey.found();
        for again in self.memory.again.iter().take_while(|_| found > 0) {
            self.survey.repeat(again.first..again.first + again.len, again.start, found);
        }
        self.survey.sort();
        self.scratch.gather = Some(self.memory);
        (self.survey, self.tally)
    }
}

/// Whether two texts are the same: as `==`, but without a call where they are short.
#[inline]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let both = |a: &[u8], b: &[u8]| match (a.first_chunk::<16>(), b.first_chunk(), a.last_chunk::<16>(), b.last_chunk())
    {
        (Some(a), Some(b), Some(c), Some(d)) => (word(a) ^ word(b)) | (word(c) ^ word(d)) == 0,
        _ => ends(a) == ends(b),
    };
    both(a, b) && (a.len() <= 32 || a[16..] == b[16..])
}

#[inline]
fn word(bytes: &[u8; 16]) -> u128 {
    u128::from_le_bytes(*bytes)
}

/// The first and the last eight bytes of `text`, zeros behind it where it is shorter.
#[inline]
pub(super) fn ends(text: &[u8]) -> (u64, u64) {
    match (text.first_chunk(), text.last_chunk()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => (short(text), 0),
    }
}

/// The bytes of a text of less than eight: their number is not told.
#[inline]
fn short(text: &[u8]) -> u64 {
    match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(head), Some(tail)) => u64::from(u32::from_le_bytes(*head)) | u64::from(u32::from_le_bytes(*tail)) << 32,
        _ => text.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

//! Derives from a pattern what must stand in a haystack for it to match. It knows nothing of rules or of searching.
//!
//! A walk over the pattern's HIR keeps the byte sets of the positions that every match has, one list per alternative.
//! Where the pattern's length begins to vary the list is closed and a new one begun; the rarest list is the anchor.

use std::collections::BTreeSet;

use regex_syntax::hir::{Class, Hir, HirKind};

use super::byteset::ByteSet;

/// A sequence of byte sets that stands in every match of one alternative, `near..=far` bytes behind the match's start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Anchor {
    /// The sets, the first one selective.
    pub(crate) sets: Vec<ByteSet>,
    /// The least distance from the start of the match.
    pub(crate) near: u32,
    /// The greatest.
    pub(crate) far: u32,
}

/// Alternatives kept at most: `(?:a|b|c)(?:d|e)` multiplies.
const MAX_ALTERNATIVES: usize = 16;
/// Positions kept at most of one alternative; what follows is the regex's work.
const MAX_SETS: usize = 40;
/// How far behind the match's start an anchor may begin: each such start is tried.
const MAX_DISTANCE: u32 = 128;
/// Bytes that a position may hold, and texts there may be, where it is asked which words stand in all of them.
const MAX_LETTERS: usize = 4;
const MAX_TEXTS: usize = 64;
/// Bits of surprise below which an anchor is worthless: `key` alone has about 14, `ghp_` 22.
const MIN_BITS: f32 = 12.0;

/// The anchors of a pattern, one of which stands in every match; `None` when the pattern requires nothing rare enough.
pub(crate) fn anchors(hir: &Hir) -> Option<Vec<Anchor>> {
    let mut walk = Walk::new(0, 0);
    walk.visit(hir);
    walk.close();
    walk.best.map(|best| best.anchors)
}

/// Whether every match holds one of `words`, whatever the case. A `false` may also mean that it was not seen.
pub(crate) fn implies(hir: &Hir, words: &[String]) -> bool {
    let mut walk = Walk { words, ..Walk::new(0, 0) };
    walk.visit(hir);
    walk.close();
    walk.implied
}

/// How surprising `word` is in log text whatever its case, in bits; under [`MIN_BITS`] it stands in many records.
pub(crate) fn is_rare(word: &str) -> bool {
    word.bytes().take(8).map(|byte| bits_of(&ByteSet::fold(byte))).sum::<f32>() >= MIN_BITS
}

/// Whether one of `words` stands in every text of the shape `sets`. Wide sets end a text: no word is sought across one.
fn holds(sets: &[ByteSet], words: &[String]) -> bool {
    if words.is_empty() {
        return false;
    }
    let letters: Vec<Vec<u8>> = sets.iter().map(lower_case).collect();
    letters.split(|letters| letters.len() > MAX_LETTERS).any(|run| {
        let mut texts = vec![Vec::new()];
        for letters in run {
            if texts.len() * letters.len() > MAX_TEXTS {
                texts.iter_mut().for_each(|text| text.push(0));
                continue;
            }
            texts = texts
                .iter()
                .flat_map(|text| letters.iter().map(move |letter| [&text[..], &[*letter]].concat()))
                .collect();
        }
        texts.iter().all(|text| {
            words.iter().any(|word| memchr::memmem::find(text, word.to_ascii_lowercase().as_bytes()).is_some())
        })
    })
}

/// The bytes of `set`, each letter once.
fn lower_case(set: &ByteSet) -> Vec<u8> {
    set.iter().map(|byte| byte.to_ascii_lowercase()).collect::<BTreeSet<u8>>().into_iter().collect()
}

/// The best list so far, and how rare it is.
struct Best {
    anchors: Vec<Anchor>,
    bits: f32,
}

struct Walk<'w> {
    /// The open run: one list of sets per alternative. Never empty.
    open: Vec<Vec<ByteSet>>,
    /// Where the open run begins, from the match's start.
    near: u32,
    /// The same, at most. Saturates.
    far: u32,
    best: Option<Best>,
    /// Of which of these every match may hold one.
    words: &'w [String],
    /// Whether it does.
    implied: bool,
}

impl Walk<'_> {
    fn new(near: u32, far: u32) -> Walk<'static> {
        Walk { open: vec![Vec::new()], near, far, best: None, words: &[], implied: false }
    }

    fn visit(&mut self, hir: &Hir) {
        if let Some(shapes) = fixed_shapes(hir) {
            return self.append(&shapes);
        }
        match hir.kind() {
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.visit(part)),
            HirKind::Capture(capture) => self.visit(&capture.sub),
            HirKind::Repetition(repetition) => self.repeat(&repetition.sub, repetition.min, repetition.max),
            HirKind::Alternation(branches) => self.branch(branches),
            _ => {}
        }
    }

    /// Every alternative goes on with each of `shapes`.
    fn append(&mut self, shapes: &[Vec<ByteSet>]) {
        if self.open.len() * shapes.len() > MAX_ALTERNATIVES {
            self.close();
            if shapes.len() > MAX_ALTERNATIVES {
                return self.skip(shapes.iter().map(Vec::len).min(), shapes.iter().map(Vec::len).max());
            }
        }
        self.open = product(std::mem::take(&mut self.open), shapes);
    }

    /// The copies that every repetition has, then a gap for those it may have.
    fn repeat(&mut self, sub: &Hir, min: u32, max: Option<u32>) {
        let single = fixed_shapes(sub).filter(|shapes| shapes.len() == 1);
        let copies = if single.is_some() { min.min(MAX_SETS as u32) } else { min.min(1) };
        match single {
            Some(shapes) => (0..copies).for_each(|_| self.append(&shapes)),
            None => (0..copies).for_each(|_| self.visit(sub)),
        }
        self.close();
        let least = sub.properties().minimum_len().unwrap_or(0) * (min - copies) as usize;
        let most = max.zip(sub.properties().maximum_len()).map(|(max, len)| len * (max - copies) as usize);
        self.skip(Some(least), most);
    }

    /// Branches of different shapes: the run is closed, and each branch must have an anchor of its own.
    fn branch(&mut self, branches: &[Hir]) {
        self.close();
        let walks: Vec<Walk<'_>> = branches
            .iter()
            .map(|branch| {
                let mut walk = Walk { words: self.words, ..Walk::new(self.near, self.far) };
                walk.visit(branch);
                walk.close();
                walk
            })
            .collect();
        self.implied |= walks.iter().all(|walk| walk.implied);
        if let Some(found) = walks.into_iter().map(|walk| walk.best).collect::<Option<Vec<Best>>>() {
            let bits = found.iter().map(|best| best.bits).fold(f32::MAX, f32::min);
            self.offer(Best { anchors: found.into_iter().flat_map(|best| best.anchors).collect(), bits });
        }
        let least = branches.iter().map(|b| b.properties().minimum_len().unwrap_or(0)).min();
        let most = branches.iter().map(|b| b.properties().maximum_len()).collect::<Option<Vec<_>>>();
        self.skip(least, most.and_then(|most| most.into_iter().max()));
    }

    /// Moves the start of the next run over text of `least..=most` bytes.
    fn skip(&mut self, least: Option<usize>, most: Option<usize>) {
        self.near = self.near.saturating_add(least.unwrap_or(0) as u32);
        self.far = self.far.saturating_add(most.map_or(u32::MAX, |most| most as u32));
    }

    /// Ends the open run, offers it, and begins the next behind it.
    fn close(&mut self) {
        let open = std::mem::replace(&mut self.open, vec![Vec::new()]);
        let least = open.iter().map(Vec::len).min();
        let most = open.iter().map(Vec::len).max();
        self.implied |= open.iter().all(|sets| holds(sets, self.words));
        let anchors: Option<Vec<(Anchor, f32)>> =
            open.iter().map(|sets| anchor_of(sets, self.near, self.far)).collect();
        if let Some(anchors) = anchors {
            let bits = anchors.iter().map(|(_, bits)| *bits).fold(f32::MAX, f32::min);
            self.offer(Best { anchors: anchors.into_iter().map(|(anchor, _)| anchor).collect(), bits });
        }
        self.skip(least, most);
    }

    fn offer(&mut self, found: Best) {
        let near_enough = found.anchors.iter().all(|anchor| anchor.far <= MAX_DISTANCE);
        let rarer = self.best.as_ref().is_none_or(|best| found.bits > best.bits + 4.0);
        if near_enough && found.bits >= MIN_BITS && rarer {
            self.best = Some(found);
        }
    }
}

/// The byte sets of everything `hir` can be, when all of it is of fixed length and there are few of them.
fn fixed_shapes(hir: &Hir) -> Option<Vec<Vec<ByteSet>>> {
    size(hir).and_then(|_| shapes(hir))
}

/// How many shapes there are, and how long the only one is.
#[derive(Clone, Copy)]
struct Size {
    count: usize,
    /// Means nothing where there are several.
    len: usize,
}

/// The size of what [`shapes`] returns, or `None` where it does. Most patterns vary in length somewhere, and at each level
/// of nesting it is asked anew: the answer must not cost a list of sets.
fn size(hir: &Hir) -> Option<Size> {
    let size = match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Size { count: 1, len: 0 },
        HirKind::Literal(literal) => Size { count: 1, len: literal.0.len() },
        HirKind::Class(_) => Size { count: 1, len: 1 },
        HirKind::Capture(capture) => size(&capture.sub)?,
        HirKind::Repetition(repetition) => repeated_size(size(&repetition.sub)?, repetition.min, repetition.max?)?,
        HirKind::Concat(parts) => parts.iter().try_fold(Size { count: 1, len: 0 }, |head, part| {
            let tail = size(part)?;
            let count = head.count * tail.count;
            (count <= MAX_ALTERNATIVES).then_some(Size { count, len: head.len + tail.len })
        })?,
        HirKind::Alternation(branches) => branches.iter().try_fold(Size { count: 0, len: 0 }, |sum, branch| {
            let Size { count, len } = size(branch)?;
            Some(Size { count: sum.count + count, len })
        })?,
    };
    (size.count <= MAX_ALTERNATIVES).then_some(size)
}

/// `x{n}` is one shape; `x?` is two. Anything wider is a gap.
fn repeated_size(Size { count, len }: Size, min: u32, max: u32) -> Option<Size> {
    match (min, max) {
        (0, 1) if count <= 8 => Some(Size { count: count + 1, len }),
        (1, 2) if count == 1 && len == 1 => Some(Size { count: 2, len }),
        (min, max) if min == max && count == 1 && len * max as usize <= 4 * MAX_SETS => {
            Some(Size { count, len: len * max as usize })
        }
        _ => None,
    }
}

/// The byte sets of everything that `hir`, which has a [`size`], can be; `None` where a class is none of bytes.
fn shapes(hir: &Hir) -> Option<Vec<Vec<ByteSet>>> {
    Some(match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => vec![Vec::new()],
        HirKind::Literal(literal) => vec![literal.0.iter().map(|&byte| ByteSet::of(byte)).collect()],
        HirKind::Class(class) => vec![vec![set_of(class)?]],
        HirKind::Capture(capture) => shapes(&capture.sub)?,
        HirKind::Repetition(repetition) => repeated_shapes(shapes(&repetition.sub)?, repetition.min, repetition.max?),
        HirKind::Concat(parts) => {
            parts.iter().try_fold(vec![Vec::new()], |heads, part| Some(product(heads, &shapes(part)?)))?
        }
        HirKind::Alternation(branches) => {
            branches.iter().map(shapes).collect::<Option<Vec<_>>>()?.into_iter().flatten().collect()
        }
    })
}

fn repeated_shapes(shapes: Vec<Vec<ByteSet>>, min: u32, max: u32) -> Vec<Vec<ByteSet>> {
    match min {
        0 if max == 1 => [vec![Vec::new()], shapes].concat(),
        _ => [min, max][..if min == max { 1 } else { 2 }].iter().map(|&n| shapes[0].repeat(n as usize)).collect(),
    }
}

/// Every head with every tail behind it.
fn product(mut heads: Vec<Vec<ByteSet>>, tails: &[Vec<ByteSet>]) -> Vec<Vec<ByteSet>> {
    if let [tail] = tails {
        heads.iter_mut().for_each(|head| head.extend_from_slice(tail));
        return heads;
    }
    heads.iter().flat_map(|head| tails.iter().map(move |tail| [&head[..], &tail[..]].concat())).collect()
}

/// The bytes of a pattern that matches one byte.
pub(crate) fn one_of(hir: &Hir) -> Option<ByteSet> {
    match hir.kind() {
        HirKind::Class(class) => set_of(class),
        _ => None,
    }
}

fn set_of(class: &Class) -> Option<ByteSet> {
    // An alternation of single letters becomes a class of characters, in a pattern of bytes too.
    let bytes = match class {
        Class::Bytes(class) => class.clone(),
        Class::Unicode(class) => class.to_byte_class()?,
    };
    Some(bytes.iter().fold(ByteSet::EMPTY, |set, range| set.with_range(range.start(), range.end())))
}

/// Cuts a run down to an anchor: it begins at the first selective position of the rarest four, and keeps what follows.
fn anchor_of(sets: &[ByteSet], near: u32, far: u32) -> Option<(Anchor, f32)> {
    let bits = bits_of_each(sets);
    let window = |at: usize| bits[at..sets.len().min(at + 6)].iter().sum::<f32>();
    let selective = (0..sets.len()).filter(|&at| bits[at] >= 3.0);
    let rarest = selective.max_by(|&a, &b| window(a).total_cmp(&window(b)))?;
    // An anchor at the very start costs one regex call per candidate and spares the search for the start.
    let start = if window(0) >= MIN_BITS.max(0.6 * window(rarest)) && bits[0] >= 3.0 { 0 } else { rarest };
    let kept = sets[start..sets.len().min(start + MAX_SETS)].to_vec();
    let surprise = bits[start..sets.len().min(start + 8)].iter().filter(|bits| **bits >= 2.0).sum();
    let anchor = Anchor { sets: kept, near: near + start as u32, far: far.saturating_add(start as u32) };
    Some((anchor, surprise))
}

/// How surprising each of `sets` is. A repeated class is the same set over and over: it is reckoned once.
fn bits_of_each(sets: &[ByteSet]) -> Vec<f32> {
    let mut bits: Vec<f32> = Vec::with_capacity(sets.len());
    for (at, set) in sets.iter().enumerate() {
        let same = at > 0 && sets[at - 1] == *set;
        bits.push(if same { bits[at - 1] } else { bits_of(set) });
    }
    bits
}

/// How surprising it is that a byte of log text is in `set`, in bits.
fn bits_of(set: &ByteSet) -> f32 {
    static SHARES: [f32; 256] = share_of_each();
    let share: f32 = set.iter().map(|byte| SHARES[usize::from(byte)]).sum();
    -share.clamp(1e-4, 1.0).log2()
}

/// [`share_of`] every byte.
const fn share_of_each() -> [f32; 256] {
    let mut shares = [0.0; 256];
    let mut byte = 0;
    while byte < shares.len() {
        shares[byte] = share_of(byte as u8);
        byte += 1;
    }
    shares
}

/// How often a byte stands in log text, coarsely: letters by their use in English and in identifiers.
const fn share_of(byte: u8) -> f32 {
    match byte {
        b'e' | b' ' | b't' | b'"' => 0.055,
        b'a' | b'o' | b'i' | b'n' | b'r' | b's' | b'0' | b'1' | b'2' => 0.035,
        b'a'..=b'z' => 0.016,
        b'0'..=b'9' | b':' | b'.' | b'-' | b'/' | b',' => 0.02,
        b'A'..=b'Z' => 0.004,
        b'=' | b'_' | b'{' | b'}' | b'[' | b']' | b'(' | b')' | b'\\' | b'\n' | b'%' => 0.004,
        _ => 0.0003,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derive(pattern: &str) -> Option<Vec<Anchor>> {
        anchors(&crate::engine::pattern::parse(pattern).expect("a valid pattern"))
    }

    fn text(anchor: &Anchor) -> String {
        let ascii = |set: &ByteSet| {
            let lower: Vec<u8> = set.iter().map(|b| b.to_ascii_lowercase()).collect();
            if lower.iter().all(|b| *b == lower[0]) { lower[0] as char } else { '?' }
        };
        anchor.sets.iter().map(ascii).collect::<String>().trim_end_matches('?').to_owned()
    }

    fn check(pattern: &str, expected: &[&str]) {
        let mut found: Vec<String> = derive(pattern).unwrap_or_default().iter().map(text).collect();
        found.sort();
        let mut expected: Vec<String> = expected.iter().map(|text| (*text).to_owned()).collect();
        expected.sort();
        assert_eq!(found, expected, "{pattern}");
    }

    #[test]
    fn anchors_are_what_every_match_holds() {
        check(r"\b(?<secret>AKIA[A-Z2-7]{16})\b", &["akia"]);
        check(r"\bsk_(?:live|test)_[a-z]{9,}", &["sk_live_", "sk_test_"]);
        check(r"(?i)x-api-?key", &["x-api-key", "x-apikey"]);
        check(r"[a-z]{3,9}\.atlasv1\.[a-z]{60}", &[".atlasv1."]);
        check(r"[0-9]{8,10}:AA[\w-]{33}", &[":aa"]);
        check(r"foobar[a-z]+|[a-z]{2}quux", &["foobar", "quux"]);
        check(r"[a-z]+", &[]);
    }

    #[test]
    fn a_keyword_is_implied_by_what_every_match_holds() {
        let cases: &[(&str, &[&str], bool)] = &[
            ("acme_[a-z]{9}", &["ACME_"], true),
            ("(?i)acme_[a-z]{9}", &["acme"], true),
            ("[a-z]{0,50}?(?:acme|emca)[a-z]{9}", &["acme", "emca"], true),
            ("[a-z]{0,50}?(?:acme|emca)[a-z]{9}", &["acme"], false),
            ("(?:acme)?[a-z]{9}", &["acme"], false),
            ("acme[_-]?key", &["acme_key", "acme-key", "acmekey"], true),
            ("acme[_-]?key", &["acme_key", "acme-key"], false),
            ("[0-9a-f]{32}", &["acme"], false),
            ("acme", &[], false),
        ];
        for (pattern, words, expected) in cases {
            let hir = crate::engine::pattern::parse(pattern).expect("a valid pattern");
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(implies(&hir, &words), *expected, "{pattern} {words:?}");
        }
    }

    #[test]
    fn an_anchor_behind_a_gap_says_how_far_behind() {
        let found = derive(r"[a-z]{3,9}\.atlasv1\.[a-z]{60}").expect("an anchor");
        assert_eq!((found[0].near, found[0].far), (3, 9));
    }
}

//! Whether a key is a secret's key: by word segments, never by substring. What stands beside the key is `carrier`'s work.

mod memo;

use std::collections::{HashMap, HashSet};

use super::byteset::ByteSet;
use super::rule::{KeyValue, KeyWords, Matcher, RuleId, RuleSet};
pub(crate) use memo::Memo;
use memo::Question;

/// How far a key may reach to each side of the word that gave it away.
const MAX_KEY_SIDE: usize = 64;
/// The name of a harmless field is no longer.
const MAX_LEAF: usize = 32;
/// Bytes of a key looked at: more than a word and both its sides have. Each may be a segment.
const MAX_KEY: usize = u8::MAX as usize;
/// Words shorter than this are found only as whole segments: `compass` holds no `pass`.
const MIN_GLUED: usize = 5;

/// A listed key: its words, and what follows from it.
struct Sequence {
    words: Vec<Box<[u8]>>,
    /// The first letters of the words, a bit each.
    initials: u32,
    /// The length of all words together.
    len: usize,
    rule: RuleId,
    value: KeyValue,
    numbers: bool,
    /// Whether another word must stand before it.
    behind: bool,
    /// Index into the table's neutral words of single rules.
    neutral: usize,
}

impl Sequence {
    /// Whether its words name harmless things as often: then they are sought only right before what joins key and value.
    fn is_weak(&self) -> bool {
        self.value == KeyValue::Random
    }
}

/// Words that make a key harmless, sorted.
#[derive(Default)]
struct Neutral {
    after: Words,
    before: Words,
}

/// The compiled key table.
pub(crate) struct Keys {
    /// Longest first, so that the most precise label wins.
    sequences: Vec<Sequence>,
    /// For each literal of [`Keys::literals`], which sequences can hold it.
    groups: Vec<Vec<u16>>,
    /// For every key.
    neutral: Neutral,
    /// For the keys of single rules.
    neutral_of: Vec<Neutral>,
    neutral_leaf: Words,
    /// Spellings of keys that are found only before what is in [`BEHIND_SHORT`].
    short: Vec<Box<[ByteSet]>>,
    /// What the last byte of those may be.
    short_ends: ByteSet,
    /// Neutral words that are a part of no listed key.
    harmless_ends: Words,
}

/// A key of a secret, found in a haystack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// Where the key's token begins.
    pub(crate) start: usize,
    /// One past its end.
    pub(crate) end: usize,
    pub(crate) rule: RuleId,
    pub(crate) value: KeyValue,
    /// Whether a bare number is secret here too.
    pub(crate) numbers: bool,
}

/// A literal that gives a key away, and the bytes that must follow it where it is too short to stand alone.
pub(crate) struct KeyLiteral {
    pub(crate) sets: Vec<ByteSet>,
    /// Index into the table's groups.
    pub(crate) group: u16,
    /// Length of the word itself.
    pub(crate) len: usize,
}

/// Bytes of a key token.
pub(crate) const KEY_BYTES: ByteSet =
    ByteSet::from_bytes(b"_.-").with_range(b'a', b'z').with_range(b'A', b'Z').with_range(b'0', b'9');
/// What may stand right behind a short key word: an operator, a closing mark, or more key.
const BEHIND_SHORT: ByteSet =
    ByteSet::from_bytes(b"=:\"'`\\])}>_-%&\n\t").with_range(b'A', b'Z').with_range(b'0', b'9');
/// What may stand right behind any other: not more of a longer word (`tokenize`, `secretary`) but for a plural, and no path.
const BEHIND_WORD: ByteSet = ByteSet::EMPTY.with_range(0, b'.').with_range(b'0', b'`').with(b's').with_range(b'{', 255);
/// The same for a word that must end its key.
const BEHIND_LAST: ByteSet = ByteSet::from_bytes(b"=:\"'\\])>_-%&");
/// What may stand behind a short key word and a blank.
const BEHIND_BLANK: ByteSet = ByteSet::from_bytes(b"=:\"' |");

impl Keys {
    /// The table of the rules of `set`, and the literals to look for.
    pub(crate) fn new(set: &RuleSet) -> (Keys, Vec<KeyLiteral>) {
        let mut sequences: Vec<Sequence> = Vec::new();
        let mut neutral_of = Vec::new();
        for (index, rule) in set.rules.iter().enumerate() {
            let Matcher::Keys(keys) = &rule.matcher else { continue };
            sequences.extend(keys.keys.iter().map(|key| {
                let words = words_of(key);
                Sequence {
                    initials: words.iter().fold(0, |bits, word| bits | 1 << initial(word[0])),
                    len: words.iter().map(|word| word.len()).sum(),
                    words,
                    rule: RuleId(index as u16),
                    value: keys.value,
                    numbers: keys.numbers,
                    behind: key.starts_with('_'),
                    neutral: neutral_of.len(),
                }
            }));
            neutral_of
                .push(Neutral { after: Words::new(&keys.neutral_after), before: Words::new(&keys.neutral_before) });
        }
        sequences
            .sort_by_key(|sequence| std::cmp::Reverse(sequence.words.iter().map(|word| word.len()).sum::<usize>()));
        let (groups, literals) = literals(&sequences);
        let KeyWords { neutral_after, neutral_before, neutral_leaf } = &set.key_words;
        let in_a_key = |word: &str| {
            let spelt = [word.as_bytes(), singular(word.as_bytes())];
            sequences.iter().any(|sequence| sequence.words.iter().any(|own| spelt.contains(&&**own)))
        };
        let harmless: Vec<String> = neutral_after.iter().filter(|word| !in_a_key(word)).cloned().collect();
        let harmless_ends = Words::new(&harmless);
        let short_ones = literals.iter().filter(|literal| literal.len < MIN_GLUED);
        let short: Vec<Box<[ByteSet]>> = short_ones.map(|literal| literal.sets[..literal.len].into()).collect();
        let keys = Keys {
            sequences,
            groups,
            neutral: Neutral { after: Words::new(neutral_after), before: Words::new(neutral_before) },
            neutral_of,
            neutral_leaf: Words::new(neutral_leaf),
            short_ends: short.iter().filter_map(|sets| sets.last()).fold(ByteSet::EMPTY, |all, set| all.union(*set)),
            short,
            harmless_ends,
        };
        (keys, literals)
    }

    /// The key whose word stands at `word` in the record `line` of `haystack`, if it is a secret's key.
    pub(crate) fn examine(
        &self,
        memo: &mut Memo,
        group: u16,
        haystack: &[u8],
        word: std::ops::Range<usize>,
        line: std::ops::Range<usize>,
    ) -> Option<Key> {
        let token = token_around(haystack, word.clone(), line);
        // `level=info key=…`: what stands before the blank is another field's value.
        let apart =
            haystack[word.start] == b' ' && haystack[..token.start].last().is_some_and(|byte| b"=:/".contains(byte));
        if apart {
            return None;
        }
        let word = word.start - token.start..word.end - token.start;
        let ask = || self.held(group, &haystack[token.clone()], &word);
        let held = match Question::new(haystack, &token, &word, group) {
            Some(question) => memo.answer(question, ask),
            None => ask(),
        };
        let Sequence { rule, value, numbers, .. } = self.sequences[usize::from(held?)];
        Some(Key { start: token.start, end: token.end, rule, value, numbers })
    }

    /// The sequence that makes `key`, in which a word of `group` stands at `word`, a secret's.
    fn held(&self, group: u16, key: &[u8], word: &std::ops::Range<usize>) -> Option<u16> {
        let segments = Segments::of(key);
        // Most keys of a clean log end in such a word (`tokens_used`): whatever stands before it, they are harmless.
        let last = segments.get(segments.len().checked_sub(1)?);
        if listed(&self.harmless_ends, last) {
            return None;
        }
        let touched = segments.touched(word);
        for &index in &self.groups[group as usize] {
            let sequence = &self.sequences[index as usize];
            if !segments.may_hold(sequence) {
                continue;
            }
            let neutral = [&self.neutral, &self.neutral_of[sequence.neutral]];
            if let Some(held) = segments.holds(&sequence.words, &touched, neutral) {
                if sequence.behind && held.start == 0 {
                    continue;
                }
                return (!segments.are_neutral(held, neutral)).then_some(index);
            }
        }
        None
    }

    /// Whether `name` ends in a word too short to be found by itself: not before bytes that stand behind no key in text.
    #[inline]
    pub(crate) fn ends_in_short_word(&self, name: &[u8]) -> bool {
        let stands = |word: &[ByteSet], end: &[u8]| word.iter().zip(end).all(|(set, byte)| set.contains(*byte));
        let ends = |word: &[ByteSet]| name.len() >= word.len() && stands(word, &name[name.len() - word.len()..]);
        name.last().is_some_and(|last| self.short_ends.contains(*last)) && self.short.iter().any(|word| ends(word))
    }

    /// Whether a longer key word is found before `byte`.
    #[inline]
    pub(crate) fn may_follow(byte: u8) -> bool {
        BEHIND_WORD.contains(byte)
    }

    /// Whether a field of this name inside a secret object is left: names, ids, types.
    pub(crate) fn is_neutral_leaf(&self, name: &[u8]) -> bool {
        // A text with quotes in it is no name, and neither is a long one: what is masked in it would change what it ends in.
        if name.len() > MAX_LEAF || !name.iter().all(|byte| KEY_BYTES.contains(*byte) || *byte == b' ') {
            return false;
        }
        let segments = Segments::of(name);
        let Some(last) = segments.len().checked_sub(1) else { return false };
        let last = segments.get(last);
        listed(&self.neutral.after, last) || listed(&self.neutral_leaf, last)
    }
}

/// Whether a key's last word is `id`: `accessKeyId`, `AWS_ACCESS_KEY_ID`.
pub(crate) fn names_an_id(key: &[u8]) -> bool {
    let segments = Segments::of(key);
    segments.len().checked_sub(1).is_some_and(|last| segments.get(last).eq_ignore_ascii_case(b"id"))
}

/// Words in lower case, by their first letter: a handful is compared for each segment of a key.
#[derive(Default)]
struct Words([Vec<Box<[u8]>>; 32]);

impl Words {
    fn new(words: &[String]) -> Words {
        let mut by_initial = Words::default();
        for word in words.iter().filter(|word| !word.is_empty()) {
            by_initial.0[initial(word.as_bytes()[0])].push(word.as_bytes().into());
        }
        by_initial
    }

    fn has(&self, word: &[u8]) -> bool {
        let Some(first) = word.first() else { return false };
        self.0[initial(*first)].iter().any(|listed| **listed == *word)
    }
}

/// A slot for the first byte of a word: one for each letter, the rest for everything else.
fn initial(byte: u8) -> usize {
    usize::from(byte & 31)
}

/// Whether `segment`, in any case and as a plural too, is one of `words`.
fn listed(words: &Words, segment: &[u8]) -> bool {
    let mut folded = [0u8; 24];
    let Some(folded) = folded.get_mut(..segment.len()) else { return false };
    folded.copy_from_slice(segment);
    folded.make_ascii_lowercase();
    words.has(folded) || words.has(singular(folded))
}

/// Splits a key as it is listed into its words, lower-cased.
fn words_of(key: &str) -> Vec<Box<[u8]>> {
    let segments = Segments::of(key.as_bytes());
    (0..segments.len()).map(|at| singular(&segments.get(at).to_ascii_lowercase()).into()).collect()
}

/// The literals that give the sequences away. A sequence that holds a shorter one needs none of its own, unless that one is
/// sought before fewer bytes than can stand behind it here: `pass` is not found in `passphrase`, nor `secret` in `secretkey`.
fn literals(sequences: &[Sequence]) -> (Vec<Vec<u16>>, Vec<KeyLiteral>) {
    let mut holders: HashMap<&[u8], Vec<u16>> = HashMap::new();
    for (at, sequence) in sequences.iter().enumerate() {
        for word in &sequence.words {
            let holders = holders.entry(word).or_default();
            if holders.last() != Some(&(at as u16)) {
                holders.push(at as u16);
            }
        }
    }
    let words_at = |at: u16| &sequences[usize::from(at)].words;
    let covered = |words: &[Box<[u8]>]| {
        let others =
            words.iter().flat_map(|word| &holders[&**word]).filter(|&&at| !sequences[usize::from(at)].is_weak());
        let mut others = others.map(|&at| &sequences[usize::from(at)]).filter(|other| other.words.len() < words.len());
        others.any(|other| contains(words, &other.words) && (other.len >= MIN_GLUED || words.ends_with(&other.words)))
    };
    // Written as one word it is found only by what it ends in.
    let covered_glued = |words: &[Box<[u8]>]| {
        let mut tails = (1..words.len()).map(|at| &words[at..]);
        words.len() < 2 || tails.any(|tail| sequences.iter().any(|other| !other.is_weak() && *other.words == *tail))
    };
    let mut known = HashSet::new();
    let (mut groups, mut literals) = (Vec::new(), Vec::new());
    for sequence in sequences.iter().rev() {
        let words = &sequence.words;
        let covered = covered(words);
        if covered && (sequence.behind || covered_glued(words)) || !known.insert(words) {
            continue;
        }
        let group = groups.len() as u16;
        groups.push(holders[&*words[0]].iter().copied().filter(|&at| contains(words_at(at), words)).collect());
        literals.extend(literals_of(sequence, group, covered));
    }
    (groups, literals)
}

fn contains(words: &[Box<[u8]>], part: &[Box<[u8]>]) -> bool {
    words.windows(part.len()).any(|window| window == part)
}

/// `api key` is written `api_key`, `api-key`, `api.key`, `api key` and `apiKey`: with a joint or without.
fn literals_of(sequence: &Sequence, group: u16, glued_only: bool) -> Vec<KeyLiteral> {
    const JOINT: ByteSet = ByteSet::from_bytes(b"_-. ");
    let parts = fold_all(&sequence.words);
    let joined = parts.join(&[JOINT][..]);
    let glued = parts.concat();
    let spellings = match parts.len() {
        _ if sequence.behind => behind_a_word(&sequence.words),
        1 => vec![glued],
        _ if glued_only => vec![glued],
        _ => vec![joined, glued],
    };
    let mut literals = Vec::new();
    let mut spell = |word: &[ByteSet], tails: &[Vec<ByteSet>]| {
        let spelt = tails.iter().map(|tail| KeyLiteral { sets: [word, tail].concat(), group, len: word.len() });
        literals.extend(spelt);
    };
    let tails = tails_of(sequence);
    spellings.iter().for_each(|word| spell(word, &tails));
    if sequence.behind {
        // In a sentence (`site key: …`) and first in a query, only right before what assigns.
        let apart = fold_all(&sequence.words).join(&[JOINT][..]);
        for (before, after) in [(&b" "[..], &b"=:"[..]), (b"?", b"=")] {
            spell(&[&[ByteSet::from_bytes(before)], &apart[..]].concat(), &[vec![ByteSet::from_bytes(after)]]);
        }
    }
    literals
}

/// The bytes of each word, in both cases.
fn fold_all(words: &[Box<[u8]>]) -> Vec<Vec<ByteSet>> {
    words.iter().map(|word| word.iter().map(|&byte| ByteSet::fold(byte)).collect()).collect()
}

/// What must follow the words of a key, so that they are no part of a longer one.
fn tails_of(sequence: &Sequence) -> Vec<Vec<ByteSet>> {
    match sequence {
        _ if sequence.behind => vec![vec![BEHIND_LAST], vec![ByteSet::of(b' '), BEHIND_BLANK]],
        // `auth` names a service in every other line: only right before what assigns.
        _ if sequence.is_weak() && sequence.len < MIN_GLUED => {
            let (assigns, closes) = (ByteSet::from_bytes(b"=:"), ByteSet::from_bytes(b"\"'\\"));
            vec![vec![assigns.with(b'>')], vec![closes, assigns.union(closes)], vec![ByteSet::of(b' '), assigns]]
        }
        // `new Vendor('…')`.
        _ if sequence.is_weak() => vec![vec![BEHIND_SHORT.with(b' ').with(b'(')]],
        _ if sequence.len < MIN_GLUED => {
            let mut tails = vec![vec![BEHIND_SHORT], vec![ByteSet::of(b' '), BEHIND_BLANK]];
            // `creds`; more than that of a word behind it is another word, and three letters with an `s` stand everywhere.
            if sequence.len == MIN_GLUED - 1 && sequence.words.last().is_some_and(|word| !word.ends_with(b"s")) {
                tails.push(vec![ByteSet::fold(b's'), BEHIND_LAST]);
            }
            tails
        }
        _ => vec![vec![BEHIND_WORD]],
    }
}

/// `_key`, `-key`, `.key`, and `siteKey`: with the byte before it, which is a part of the key.
fn behind_a_word(words: &[Box<[u8]>]) -> Vec<Vec<ByteSet>> {
    const SEPARATOR: ByteSet = ByteSet::from_bytes(b"_-.");
    // `cacheKey`, `messageKey`, `storageKey`, `nodeKey`: what ends in `e` names rows and objects (November 2026: 230 per MB).
    const HUMP: ByteSet = ByteSet::EMPTY.with_range(b'a', b'd').with_range(b'f', b'z').with_range(b'0', b'9');
    let capital = |(at, byte): (usize, &u8)| ByteSet::of(if at == 0 { byte.to_ascii_uppercase() } else { *byte });
    let humps = words.iter().flat_map(|word| word.iter().enumerate().map(capital));
    let apart = fold_all(words).join(&[SEPARATOR][..]);
    vec![[vec![SEPARATOR], apart].concat(), std::iter::once(HUMP).chain(humps).collect()]
}

/// The whole token around a word: key bytes to both sides, without the marks it merely ends with.
fn token_around(haystack: &[u8], word: std::ops::Range<usize>, line: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let floor = line.start.max(word.start.saturating_sub(MAX_KEY_SIDE));
    let head = haystack[floor..word.start].iter().rev().take_while(|&&byte| KEY_BYTES.contains(byte)).count();
    let ceiling = line.end.min(word.end + MAX_KEY_SIDE);
    let tail = KEY_BYTES.run(&haystack[word.end..ceiling]);
    let mut end = word.end + tail;
    while end > word.end && matches!(haystack[end - 1], b'.' | b'-') {
        end -= 1;
    }
    let start = word.start - head;
    start + escape_tail(haystack, start, word.start)..end
}

/// The rest of an escape whose backslash or percent sign stopped the key: `\u003ctoken`, `\ntoken`, `%26token`.
fn escape_tail(haystack: &[u8], start: usize, word: usize) -> usize {
    let Some(mark) = start.checked_sub(1) else { return 0 };
    let head = &haystack[start..word];
    let hex =
        |range: std::ops::Range<usize>| head.get(range).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    match (haystack[mark], head.first()) {
        (b'%', Some(b'2')) if head.starts_with(b"25") && hex(2..4) => 4,
        (b'%', _) if hex(0..2) => 2,
        (b'\\', Some(b'u')) if hex(1..5) => 5,
        (b'\\', Some(b'x')) if hex(1..3) => 3,
        (b'\\', Some(b'n' | b't' | b'r' | b'b' | b'f' | b'v')) => 1,
        _ => 0,
    }
}

/// A key cut into words at separators, case changes and letter/digit borders.
struct Segments<'k> {
    key: &'k [u8],
    bounds: [(u8, u8); MAX_KEY],
    count: usize,
    /// The first letters of the segments, a bit each.
    initials: u32,
    /// The length of the longest segment.
    longest: usize,
}

impl<'k> Segments<'k> {
    fn of(key: &'k [u8]) -> Segments<'k> {
        let key = &key[..key.len().min(MAX_KEY)];
        let mut segments = Segments { key, bounds: [(0, 0); MAX_KEY], count: 0, initials: 0, longest: 0 };
        let mut start = 0;
        for at in 0..=key.len() {
            if at == key.len() || !key[at].is_ascii_alphanumeric() {
                segments.push(start, at);
                start = at + 1;
            } else if at > start && is_border(key, at) {
                segments.push(start, at);
                start = at;
            }
        }
        segments
    }

    fn push(&mut self, start: usize, end: usize) {
        if start < end {
            self.bounds[self.count] = (start as u8, end as u8);
            self.count += 1;
            self.initials |= 1 << initial(self.key[start]);
            self.longest = self.longest.max(end - start);
        }
    }

    fn len(&self) -> usize {
        self.count
    }

    fn get(&self, at: usize) -> &'k [u8] {
        let (start, end) = self.bounds[at];
        &self.key[start as usize..end as usize]
    }

    /// Whether the words of `sequence` can be there at all: a segment for each first letter, or one as long as all of them.
    fn may_hold(&self, sequence: &Sequence) -> bool {
        sequence.initials & !self.initials == 0 || self.longest >= sequence.len
    }

    /// The segments that `word` is a part of.
    fn touched(&self, word: &std::ops::Range<usize>) -> std::ops::Range<usize> {
        let bounds = &self.bounds[..self.count];
        let first = bounds.iter().take_while(|(_, end)| usize::from(*end) <= word.start).count();
        let behind = bounds.iter().take_while(|(start, _)| usize::from(*start) < word.end).count();
        first..behind
    }

    /// Where `words` stand contiguously, one of them in a segment of `touched`: each in a segment of its own, or all glued
    /// into one.
    fn holds(
        &self,
        words: &[Box<[u8]>],
        touched: &std::ops::Range<usize>,
        neutral: [&Neutral; 2],
    ) -> Option<std::ops::Range<usize>> {
        ((touched.start + 1).saturating_sub(words.len())..touched.end).find_map(|at| {
            let apart = (at + words.len() <= self.count)
                && words.iter().enumerate().all(|(i, word)| same_word(self.get(at + i), word));
            let width = if apart {
                words.len()
            } else if self.glued(at, words, neutral) {
                1
            } else {
                return None;
            };
            (at < touched.end && touched.start < at + width).then_some(at..at + width)
        })
    }

    /// Whether a word right before or anywhere behind the listed ones makes the key harmless.
    fn are_neutral(&self, held: std::ops::Range<usize>, neutral: [&Neutral; 2]) -> bool {
        let before = held.start.checked_sub(1).map(|at| self.get(at));
        let mut after = (held.end..self.count).map(|at| self.get(at));
        let has_before = |words: &&Neutral| before.is_some_and(|word| listed(&words.before, word));
        neutral.iter().any(has_before) || after.any(|word| neutral.iter().any(|words| listed(&words.after, word)))
    }

    /// Whether the segment at `at` is the words written together, perhaps behind another word: `dbpassword`.
    fn glued(&self, at: usize, words: &[Box<[u8]>], neutral: [&Neutral; 2]) -> bool {
        let mut segment = self.get(at);
        let total: usize = words.iter().map(|word| word.len()).sum();
        if total < MIN_GLUED || segment.len() < total {
            return false;
        }
        if segment.len() > total
            && segment.ends_with(b"s") | segment.ends_with(b"S")
            && !words.last().is_some_and(|w| w.ends_with(b"s"))
        {
            segment = &segment[..segment.len() - 1];
        }
        let Some(head) = segment.len().checked_sub(total) else { return false };
        let mut rest = &segment[head..];
        let same = words.iter().all(|word| {
            let (part, behind) = rest.split_at(word.len());
            rest = behind;
            part.eq_ignore_ascii_case(word)
        });
        same && (head == 0 || !neutral.iter().any(|words| listed(&words.before, &segment[..head])))
    }
}

fn same_word(segment: &[u8], word: &[u8]) -> bool {
    segment.eq_ignore_ascii_case(word) || singular_of(segment).eq_ignore_ascii_case(word)
}

fn singular_of(segment: &[u8]) -> &[u8] {
    match segment {
        [head @ .., b's' | b'S'] if segment.len() > 3 && !head.ends_with(b"s") && !head.ends_with(b"S") => head,
        _ => segment,
    }
}

fn singular(word: &[u8]) -> &[u8] {
    singular_of(word)
}

/// Whether a word ends between `at - 1` and `at`: `aB`, `a1`, `1a`, and before the last capital of `APIKey`.
fn is_border(key: &[u8], at: usize) -> bool {
    let (before, here) = (key[at - 1], key[at]);
    if before.is_ascii_digit() != here.is_ascii_digit() {
        return true;
    }
    if before.is_ascii_lowercase() && here.is_ascii_uppercase() {
        return true;
    }
    let next_lower = key.get(at + 1).is_some_and(u8::is_ascii_lowercase);
    // `APIKeys` ends in one word, and so does a plural `TOKENs`.
    let plural = key.get(at + 1) == Some(&b's') && key.get(at + 2).is_none_or(|next| !next.is_ascii_lowercase());
    before.is_ascii_uppercase() && here.is_ascii_uppercase() && next_lower && !plural
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_listed_behind_a_word_is_sought_with_what_stands_before_it() {
        let spelt = |text: &str| {
            let words = words_of("_key");
            let stands = |word: &Vec<ByteSet>| {
                word.len() == text.len() && word.iter().zip(text.bytes()).all(|(set, byte)| set.contains(byte))
            };
            behind_a_word(&words).iter().any(stands)
        };
        for text in ["_key", "-KEY", ".Key", "lKey", "2Key"] {
            assert!(spelt(text), "{text}");
        }
        for text in ["\"key", " key", "nkey", "eKey", "NKEY"] {
            assert!(!spelt(text), "{text}");
        }
    }

    #[test]
    fn a_key_is_cut_at_separators_case_changes_and_digits() {
        let cases: &[(&str, &[&str])] = &[
            ("api_key", &["api", "key"]),
            ("dbApiKey", &["db", "Api", "Key"]),
            ("APIKey2", &["API", "Key", "2"]),
            ("X-Api-Key", &["X", "Api", "Key"]),
            ("PROD_API_KEY_V2", &["PROD", "API", "KEY", "V", "2"]),
            ("TOKENs", &["TOKENs"]),
            ("http.request.header.authorization", &["http", "request", "header", "authorization"]),
        ];
        for (key, expected) in cases {
            let segments = Segments::of(key.as_bytes());
            let got: Vec<_> =
                (0..segments.len()).map(|i| String::from_utf8_lossy(segments.get(i)).into_owned()).collect();
            assert_eq!(got, *expected, "{key}");
        }
    }

    #[test]
    fn no_segment_of_a_key_is_dropped_however_many_there_are() {
        let key = "a1".repeat(60) + "_pwd";
        let segments = Segments::of(key.as_bytes());
        assert_eq!(segments.len(), 121);
        assert_eq!(segments.get(120), b"pwd");
    }
}

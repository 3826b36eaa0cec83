//! Values that were masked because of their key, for the records behind them: where such a value stands again it is masked
//! without its key. Off unless the policy asks for it. Other places of the same record are `learned`'s.
//!
//! What is known behind a record depends on nothing but what its last [`Policy::learn_records`](super::Policy::learn_records) records taught: the newest
//! [`MAX_LESSONS`] different values. So whoever redacted a block without knowing what was taught before can tell what is
//! known behind it ([`Engine::carry_behind`]), and whoever goes on behind a restart reads those records again.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use memchr::{memchr_iter, memmem};
use zeroize::Zeroizing;

use super::Engine;
use super::carrier::needs_bare;
use super::cut::Piece;
use super::learned::{behind_no_escape, is_telling, stands_alone};
use super::rule::RuleId;
use super::scan::{Carry, Scratch, map_back};
use super::span::{self, Form, Span, Why};
use super::view::View;

/// Different values that are known at a time; the oldest go first.
const MAX_LESSONS: usize = 64;
/// Longer values are not kept: what is carried has a bound.
const MAX_VALUE: usize = 2 << 10;

/// Values that hold for some more records, the oldest first.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Lessons(Option<Arc<[Lesson]>>);

#[derive(Clone, PartialEq, Eq)]
struct Lesson {
    value: Value,
    /// What it was masked as.
    rule: RuleId,
    /// In how many records it is looked for from here on, what is left of one that has begun included; 1 at least.
    left: usize,
}

/// Wiped with its last copy.
type Value = Arc<Zeroizing<Vec<u8>>>;

impl Lessons {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// What of them holds behind `bytes`.
    pub(super) fn behind(&self, bytes: &[u8]) -> Lessons {
        if self.is_empty() { Lessons::default() } else { self.followed_by(count(bytes), &Lessons::default()) }
    }

    /// These, `records` later, and what was taught meanwhile.
    fn followed_by(&self, records: usize, newer: &Lessons) -> Lessons {
        let again = |lesson: &Lesson| newer.iter().any(|newer| newer.value == lesson.value);
        let older = self.iter().filter(|lesson| lesson.left > records && !again(lesson));
        let aged = older.map(|lesson| Lesson { left: lesson.left - records, ..lesson.clone() });
        let all: Vec<Lesson> = aged.chain(newer.iter().cloned()).collect();
        all[all.len().saturating_sub(MAX_LESSONS)..].iter().cloned().collect()
    }

    fn iter(&self) -> impl Iterator<Item = &Lesson> {
        self.0.iter().flat_map(|lessons| lessons.iter())
    }
}

impl FromIterator<Lesson> for Lessons {
    fn from_iter<I: IntoIterator<Item = Lesson>>(lessons: I) -> Lessons {
        let lessons: Arc<[Lesson]> = lessons.into_iter().collect();
        Lessons((!lessons.is_empty()).then_some(lessons))
    }
}

impl std::fmt::Debug for Lessons {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lessons({})", self.iter().count())
    }
}

impl Carry {
    /// What of this carry somebody needs who knows only records that were passed on before: values, and nothing that is open.
    pub fn only_learned(self) -> Carry {
        Carry { lessons: self.lessons, ..Carry::default() }
    }
}

impl Engine {
    /// What of `carry`, which `from` left, holds for this engine: the values whose rules it has and masks by. Nothing that is
    /// open.
    pub fn take_over(&self, carry: &Carry, from: &Engine) -> Carry {
        let by_id: BTreeMap<&str, usize> =
            self.rules().iter().enumerate().map(|(index, rule)| (rule.id.as_str(), index)).collect();
        let lessons = carry.lessons.iter().filter_map(|lesson| {
            let rule = RuleId(*by_id.get(from.rules()[lesson.rule.index()].id.as_str())? as u16);
            let left = lesson.left.min(self.policy.learn_records);
            (left > 0 && self.is_on(rule)).then(|| Lesson { value: Arc::clone(&lesson.value), rule, left })
        });
        Carry { lessons: lessons.collect(), ..Carry::default() }
    }

    /// What is carried behind `piece`, which was redacted last in `scratch` as if nothing were carried before it and left
    /// `guess`, though `carry` was. `None` where that changes what becomes of the piece: it is to be redacted again.
    pub fn carry_behind(&self, scratch: &Scratch, carry: &Carry, guess: &Carry, piece: &Piece) -> Option<Carry> {
        if carry.is_empty() {
            return Some(guess.clone());
        }
        if carry.is_open() || !scratch.fragment_lines.is_empty() {
            return None;
        }
        // Windows tell their findings by other places than their haystack has.
        let found = if piece.is_window() { &[] } else { scratch.found() };
        let haystack = &piece.haystack[..];
        let ends: Vec<usize> = memchr_iter(b'\n', haystack).collect();
        let lines = Lines { haystack, ends };
        let changes = |lesson: &Lesson| {
            let text = lines.range(&(0..lesson.left));
            self.places(haystack, text, &lesson.value).any(|place| !is_covered(found, &place))
        };
        if carry.lessons.iter().any(changes) {
            return None;
        }
        let lessons = carry.lessons.followed_by(lines.before(piece.body.end), &guess.lessons);
        Some(Carry { lessons, ..guess.clone() })
    }

    /// Adds a span for each place where a value stands again that was taught by an earlier record: one before `haystack`, or
    /// one that ends in `body`, the part of it that was not seen before. Returns what is known behind the body.
    pub(super) fn recall(
        &self,
        scratch: &mut Scratch,
        before: &Lessons,
        haystack: &[u8],
        body: &Range<usize>,
    ) -> Lessons {
        if self.policy.learn_records == 0 {
            return Lessons::default();
        }
        let taught = self.taught(&scratch.spans, haystack, body);
        if taught.is_empty() && before.is_empty() {
            return Lessons::default();
        }
        let lines = Lines { haystack, ends: memchr_iter(b'\n', haystack).collect() };
        let mut course = Course::new(before, self.policy.learn_records);
        for taught in &taught {
            course.teach(&taught.value, taught.rule, lines.before(taught.at));
        }
        let (terms, lessons) = course.finish(lines.before(body.end), lines.ends.len());
        self.repeat_terms(scratch, &lines, &terms);
        lessons
    }

    /// What the findings of the body teach, in order.
    fn taught<'h>(&self, spans: &[Span], haystack: &'h [u8], body: &Range<usize>) -> Vec<Taught<'h>> {
        let mut taught = Vec::new();
        for (at, span) in spans.iter().enumerate() {
            let is_key = matches!(span.why, Why::Key { .. }) && span.form != Form::Silent;
            if !is_key || !body.contains(&span.start) || !self.masks(haystack, span) {
                continue;
            }
            // A container runtime may have cut it: what only goes on of it is told behind it.
            let goes_on = |next: &&Span| next.form == Form::Silent && next.rule == span.rule && next.why == span.why;
            let rest: Vec<&Span> = spans[at + 1..].iter().take_while(goes_on).collect();
            let first = &haystack[span.start..span.end];
            let value = match rest.last() {
                None => Cow::Borrowed(first),
                Some(_) => {
                    let parts = rest.iter().flat_map(|part| &haystack[part.start..part.end]);
                    Cow::Owned(first.iter().chain(parts).copied().collect())
                }
            };
            if self.is_lesson(&value) {
                taught.push(Taught { at: rest.last().map_or(span.start, |last| last.start), value, rule: span.rule });
            }
        }
        taught.sort_by(|one, other| (one.at, one.rule, &one.value).cmp(&(other.at, other.rule, &other.value)));
        taught
    }

    /// Whether a value is looked for in other records: one that is hardly there by chance, that no number can be (a number
    /// must stay one), and that is none of what we write.
    fn is_lesson(&self, value: &[u8]) -> bool {
        let number = value.iter().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte));
        let ours = || self.forms.stand_in(value) || self.forms.end_at(value, 0, value.len()).is_some();
        let odd = value.ends_with(b"\\") || value.contains(&b'\n');
        value.len() <= MAX_VALUE && is_telling(value) && !number && !odd && !ours()
    }

    /// Whether findings of `rule` are masked.
    fn is_on(&self, rule: RuleId) -> bool {
        let span = Span { start: 0, end: 0, rule, form: Form::Bracket, why: Why::Learned };
        self.masks(b"", &span)
    }

    /// Where `value` stands by itself in `range`, and not in what we wrote.
    fn places<'h>(
        &'h self,
        haystack: &'h [u8],
        range: Range<usize>,
        value: &'h [u8],
    ) -> impl Iterator<Item = Range<usize>> + 'h {
        let found = memmem::find_iter(&haystack[range.clone()], value).map(move |at| range.start + at);
        let places = found.map(|start| start..start + value.len());
        places.filter(|place| {
            stands_alone(haystack, place.start, place.len()) && self.forms.end_around(haystack, place.clone()).is_none()
        })
    }

    fn repeat_terms(&self, scratch: &mut Scratch, lines: &Lines<'_>, terms: &[Term]) {
        let haystack = lines.haystack;
        let mut found = Vec::new();
        for term in terms {
            let text = lines.range(&term.lines);
            found.extend(self.places(haystack, text, &term.value).map(|place| (place, term.rule)));
        }
        let crossing = self.find_crossing(scratch, lines, terms);
        if found.is_empty() && crossing.is_empty() {
            return;
        }
        // What is masked anyway is masked as it is.
        let mut masked: Vec<Span> = scratch.spans.iter().filter(|span| self.masks(haystack, span)).copied().collect();
        span::unite(&mut masked);
        for (place, rule) in found.into_iter().filter(|(place, _)| !is_covered(&masked, place)) {
            let start = behind_no_escape(haystack, place.start, haystack[place.start]);
            let form = if needs_bare(haystack, start) { Form::Bare } else { Form::Bracket };
            scratch.spans.push(Span { start, end: place.end, rule, form, why: Why::Learned });
        }
        for parts in crossing {
            if !parts.iter().all(|part| is_covered(&masked, &(part.start..part.end))) {
                scratch.spans.extend(parts);
            }
        }
    }

    /// Values that a container runtime cut in two.
    fn find_crossing(&self, scratch: &mut Scratch, lines: &Lines<'_>, terms: &[Term]) -> Vec<Vec<Span>> {
        let mut crossing = Vec::new();
        if scratch.fragment_lines.is_empty() {
            return crossing;
        }
        self.for_each_joined(scratch, lines.haystack, |_, view: &View| {
            for term in terms {
                for place in self.places(&view.bytes, 0..view.bytes.len(), &term.value) {
                    let form = if needs_bare(&view.bytes, place.start) { Form::Bare } else { Form::Bracket };
                    let whole = Span { start: place.start, end: place.end, rule: term.rule, form, why: Why::Learned };
                    let mut parts = Vec::new();
                    map_back(view, &whole, &mut parts);
                    if parts.len() > 1 && term.lines.contains(&lines.before(parts[0].start)) {
                        crossing.push(parts);
                    }
                }
            }
        });
        crossing
    }
}

/// What one finding teaches.
struct Taught<'h> {
    /// In the record that teaches it.
    at: usize,
    value: Cow<'h, [u8]>,
    rule: RuleId,
}

/// A value, and the lines of a haystack in which it is looked for.
struct Term {
    value: Value,
    rule: RuleId,
    lines: Range<usize>,
}

/// What is known from line to line of a haystack.
struct Course {
    /// The oldest first; `lines` ends where it is forgotten.
    known: Vec<Term>,
    /// What is known no more.
    over: Vec<Term>,
    /// For how many records a value is known.
    records: usize,
}

impl Course {
    fn new(before: &Lessons, records: usize) -> Course {
        let term = |lesson: &Lesson| {
            let lines = 0..lesson.left;
            Term { value: Arc::clone(&lesson.value), rule: lesson.rule, lines }
        };
        Course { known: before.iter().map(term).collect(), over: Vec::new(), records }
    }

    /// The line of this number teaches `value`. Lines come in order.
    fn teach(&mut self, value: &[u8], rule: RuleId, line: usize) {
        let lines = line + 1..line + 1 + self.records;
        let same = self.known.iter().rposition(|term| term.value.as_slice() == value);
        let again = same.map(|at| self.known.remove(at));
        let next = match again {
            Some(term) if term.rule == rule && line < term.lines.end => {
                Term { lines: term.lines.start..lines.end, ..term }
            }
            Some(term) => {
                let value = Arc::clone(&term.value);
                self.forget(term, line);
                Term { value, rule, lines }
            }
            None => Term { value: Arc::new(Zeroizing::new(value.to_vec())), rule, lines },
        };
        self.known.push(next);
        if self.known.len() > MAX_LESSONS {
            let oldest = self.known.remove(0);
            self.forget(oldest, line);
        }
    }

    /// It is known up to this line.
    fn forget(&mut self, term: Term, line: usize) {
        let lines = term.lines.start..term.lines.end.min(line + 1);
        if !lines.is_empty() {
            self.over.push(Term { lines, ..term });
        }
    }

    /// Where to look for what, and what is known behind the first `records` of the haystack's lines; the number of its last
    /// one is `last`.
    fn finish(mut self, records: usize, last: usize) -> (Vec<Term>, Lessons) {
        let later = |term: &Term| {
            let left = term.lines.end.saturating_sub(records);
            (left > 0).then(|| Lesson { value: Arc::clone(&term.value), rule: term.rule, left })
        };
        let lessons = self.known.iter().filter_map(later).collect();
        for term in std::mem::take(&mut self.known) {
            self.forget(term, last);
        }
        (self.over, lessons)
    }
}

/// The lines of a haystack, by number.
struct Lines<'h> {
    haystack: &'h [u8],
    /// Where their line feeds stand.
    ends: Vec<usize>,
}

impl Lines<'_> {
    /// How many lines end before `at`: the number of the one that it stands in.
    fn before(&self, at: usize) -> usize {
        self.ends.partition_point(|end| *end < at)
    }

    fn range(&self, lines: &Range<usize>) -> Range<usize> {
        let start = |line: usize| match line.checked_sub(1) {
            None => 0,
            Some(before) => self.ends.get(before).map_or(self.haystack.len(), |end| end + 1),
        };
        start(lines.start)..start(lines.end)
    }
}

fn count(bytes: &[u8]) -> usize {
    memchr_iter(b'\n', bytes).count()
}

/// Whether one of `spans`, which are in order and apart, holds all of `place`.
fn is_covered(spans: &[Span], place: &Range<usize>) -> bool {
    let behind = spans.partition_point(|span| span.start <= place.start);
    behind.checked_sub(1).is_some_and(|at| spans[at].end >= place.end)
}

#[cfg(test)]
mod tests;

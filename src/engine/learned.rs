//! Values learned from their key are found again in the same record without it: the formatted message and its parameters,
//! the user name that equals the password. Exact bytes at word boundaries, on the original.

use std::ops::Range;

use memchr::{memchr, memchr_iter, memmem, memrchr};

use super::Engine;
use super::carrier::needs_bare;
use super::pattern::is_word;
use super::scan::Scratch;
use super::span::{Form, Span, Why};

/// Shorter values stand in a record by chance.
const MIN_LEARNED: usize = 8;
/// Different values learned in one record at most.
const MAX_VALUES: usize = 64;
/// Up to this length a record is searched by a value's first byte: that costs less than to prepare a search.
const SHORT_RECORD: usize = 1024;
/// Bytes searched for learned values in one record at most: what a few values in a long record or many in a short one need.
const MAX_SEARCHED: usize = 4 << 20;

impl Engine {
    /// Adds a span for each other occurrence of what stood beside a key in the same record.
    pub(super) fn learn(&self, scratch: &mut Scratch, haystack: &[u8]) {
        let taught = scratch.spans.len();
        let mut record = 0..0;
        let mut budget = MAX_SEARCHED;
        let mut known: Vec<Range<usize>> = Vec::new();
        for at in 0..taught {
            let span = scratch.spans[at];
            if !is_lesson(&span, haystack) {
                continue;
            }
            if !(record.start <= span.start && span.end <= record.end && !record.is_empty()) {
                record = record_around(haystack, span.start);
                budget = MAX_SEARCHED;
                known.clear();
            }
            let same = |value: &Range<usize>| haystack[value.clone()] == haystack[span.start..span.end];
            if known.len() == MAX_VALUES || known.iter().any(same) {
                continue;
            }
            known.push(span.start..span.end);
            let Some(left) = budget.checked_sub(record.len()) else { continue };
            budget = left;
            self.repeat(scratch, haystack, &span, record.clone());
        }
    }

    fn repeat(&self, scratch: &mut Scratch, haystack: &[u8], span: &Span, record: Range<usize>) {
        let value = &haystack[span.start..span.end];
        let mut found = |at: usize| {
            let start = record.start + at;
            if start != span.start && stands_alone(haystack, start, value.len()) {
                let start = behind_no_escape(haystack, start, value[0]);
                let form = if needs_bare(haystack, start) { Form::Bare } else { Form::Bracket };
                scratch.spans.push(Span { start, end: record.start + at + value.len(), form, ..*span });
            }
        };
        let text = &haystack[record.clone()];
        if text.len() > SHORT_RECORD {
            memmem::find_iter(text, value).for_each(found);
            return;
        }
        let mut from = 0;
        for at in memchr_iter(value[0], text) {
            if at >= from && text[at..].starts_with(value) {
                from = at + value.len();
                found(at);
            }
        }
    }
}

/// Whether a span teaches a value: beside a key, long enough, and of two kinds of characters.
fn is_lesson(span: &Span, haystack: &[u8]) -> bool {
    matches!(span.why, Why::Key { .. }) && span.form != Form::Silent && is_telling(&haystack[span.start..span.end])
}

/// Whether a value that stands somewhere again is hardly there by chance.
pub(super) fn is_telling(value: &[u8]) -> bool {
    let kinds: [fn(&u8) -> bool; 4] =
        [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit, |byte| !byte.is_ascii_alphanumeric()];
    let mixed = || kinds.iter().filter(|kind| value.iter().any(*kind)).count() >= 2;
    value.len() >= MIN_LEARNED && mixed()
}

/// Where to begin with a value at `start` so that no half of an escape stays before it: in JSON the first letter of `n0tes-1`
/// may be that of a `\\n`.
pub(super) fn behind_no_escape(haystack: &[u8], start: usize, first: u8) -> usize {
    let escapes = b"bfnrtu/\"\\".contains(&first);
    let slashes = haystack[..start].iter().rev().take_while(|byte| **byte == b'\\').count();
    if escapes { start - slashes } else { start }
}

/// Whether neither end of the `len` bytes at `start` is in the middle of a word.
pub(super) fn stands_alone(haystack: &[u8], start: usize, len: usize) -> bool {
    let before = start.checked_sub(1).map(|at| haystack[at]);
    let behind = haystack.get(start + len).copied();
    let joined = |edge: Option<u8>, inner: u8| edge.is_some_and(|byte| is_word(byte) && is_word(inner));
    // The letter of an escape, `\n`, is none of the word behind it.
    let escaped = start >= 2 && haystack[start - 2] == b'\\' && b"bfnrt".contains(&haystack[start - 1]);
    (escaped || !joined(before, haystack[start])) && !joined(behind, haystack[start + len - 1])
}

fn record_around(haystack: &[u8], at: usize) -> Range<usize> {
    let start = memrchr(b'\n', &haystack[..at]).map_or(0, |newline| newline + 1);
    let end = memchr(b'\n', &haystack[at..]).map_or(haystack.len(), |len| at + len);
    start..end
}

//! Walks the lines of a piece that hold findings: original and masked side by side. Only masked bytes leave it.

use std::ops::Range;

use super::excerpt::Excerpt;
use super::occurrence::LineHash;
use crate::engine::{Engine, Span};

/// A piece and what was found in it.
#[derive(Clone, Copy)]
pub struct Look<'l> {
    /// The member of an archive it is in.
    pub member: Option<&'l [u8]>,
    /// Where it begins in the file or member, after unpacking.
    pub offset: u64,
    /// The number of its first line, from 1.
    pub line: u64,
    /// Its bytes.
    pub body: &'l [u8],
    /// Whether it is only a part of a line.
    pub is_window: bool,
    /// What is masked in it, in order.
    pub found: &'l [Span],
    /// What it became.
    pub masked: &'l [u8],
}

/// A line that holds findings.
pub(super) struct Line<'l> {
    /// Lines of the piece before it.
    pub(super) number: u64,
    /// In the body, its end included.
    pub(super) range: Range<usize>,
    /// What begins in it.
    pub(super) spans: &'l [Span],
    /// What it became.
    pub(super) masked: &'l [u8],
    /// Where the placeholders of `spans` stand in `masked`; `None` where that cannot be told.
    marks: Option<Vec<Range<usize>>>,
}

/// The lines of `look` that hold findings, in order.
pub(super) struct Lines<'l> {
    engine: &'l Engine,
    look: Look<'l>,
    left: &'l [Span],
    /// Up to here lines were counted.
    counted: (usize, u64),
    /// Up to here the masked bytes are known to stand for the body's.
    matched: (usize, usize),
    /// Whether body and masked bytes went together so far.
    in_step: bool,
}

impl<'l> Lines<'l> {
    pub(super) fn new(engine: &'l Engine, look: Look<'l>) -> Lines<'l> {
        Lines { engine, look, left: look.found, counted: (0, 0), matched: (0, 0), in_step: true }
    }

    /// The masked line at `range`, rebuilt from its spans, and where the placeholders are. `None` if that is not what was
    /// written: a record was masked whole, or what stands here began in the window before.
    fn rebuild(&mut self, range: &Range<usize>, spans: &[Span]) -> Option<(Range<usize>, Vec<Range<usize>>)> {
        let Look { body, masked, .. } = self.look;
        let start = self.matched.1 + (range.start - self.matched.0);
        let (mut from, mut at) = (range.start, start);
        let mut marks = Vec::with_capacity(spans.len());
        let same = |masked: &[u8], at: usize, bytes: &[u8]| masked.get(at..at + bytes.len()) == Some(bytes);
        for span in spans {
            let end = span.end.min(body.len());
            let kept = &body[from..span.start];
            let placeholder = self.engine.placeholder(span, &body[span.start..end]);
            let placeholder = placeholder.as_bytes();
            if !same(masked, at, kept) || !same(masked, at + kept.len(), placeholder) {
                return None;
            }
            at += kept.len();
            marks.push(at..at + placeholder.len());
            at += placeholder.len();
            from = end;
        }
        // A span that reaches into the next line takes that line with it.
        let rest = &body[from.min(range.end)..range.end];
        if !same(masked, at, rest) {
            return None;
        }
        at += rest.len();
        self.matched = (range.end.max(from), at);
        let marks = marks.into_iter().map(|mark| mark.start - start..mark.end - start).collect();
        Some((start..at, marks))
    }

    /// The masked line of this number: masking keeps the number of lines.
    fn masked_line(&self, number: u64) -> &'l [u8] {
        self.look.masked.split_inclusive(|byte| *byte == b'\n').nth(number as usize).unwrap_or_default()
    }
}

impl<'l> Iterator for Lines<'l> {
    type Item = Line<'l>;

    fn next(&mut self) -> Option<Line<'l>> {
        let first = self.left.first()?;
        let body = self.look.body;
        let (from, number) = self.counted;
        let before = &body[from..first.start];
        let number = number + memchr::memchr_iter(b'\n', before).count() as u64;
        let start = memchr::memrchr(b'\n', before).map_or(from, |at| from + at + 1);
        let end = memchr::memchr(b'\n', &body[first.start..]).map_or(body.len(), |len| first.start + len + 1);
        let (spans, left) = self.left.split_at(self.left.partition_point(|span| span.start < end));
        self.left = left;
        let end = spans.last().map_or(end, |last| end.max(last.end.min(body.len())));
        self.counted = (end, number + memchr::memchr_iter(b'\n', &body[start..end]).count() as u64);
        let range = start..end;
        let rebuilt = if self.in_step { self.rebuild(&range, spans) } else { None };
        self.in_step = rebuilt.is_some();
        let (masked, marks) = match rebuilt {
            Some((masked, marks)) => (&self.look.masked[masked], Some(marks)),
            None => (self.masked_line(number), None),
        };
        Some(Line { number, range, spans, masked, marks })
    }
}

impl Line<'_> {
    /// Where the placeholders stand in the masked line, if that can be told.
    pub(super) fn marks(&self) -> Option<&[Range<usize>]> {
        self.marks.as_deref()
    }

    /// What stands around the placeholder of the span at `index`.
    pub(super) fn excerpt(&self, index: usize) -> Excerpt {
        match &self.marks {
            Some(marks) => Excerpt::new(self.masked, marks, marks[index].clone()),
            None => Excerpt::new(self.masked, &[], 0..0),
        }
    }

    /// The line without its spans.
    pub(super) fn hash(&self, body: &[u8]) -> LineHash {
        let line = &body[self.range.clone()];
        let mut from = 0;
        let mut parts: Vec<&[u8]> = Vec::new();
        // Those without a placeholder, too: they are the rest of a secret.
        for span in self.spans {
            parts.push(&line[from..span.start - self.range.start]);
            from = span.end.min(self.range.end) - self.range.start;
        }
        parts.push(&line[from..]);
        if let Some(first) = parts.first_mut() {
            *first = first.trim_ascii_start();
        }
        if let Some(last) = parts.last_mut() {
            *last = last.trim_ascii_end();
        }
        LineHash::of(parts.into_iter())
    }
}

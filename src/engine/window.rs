//! Redacts a window of a record that is too long to be held: what begins in the window's body is its own, what began before
//! it is only finished. The definition of "final" for long records is here and in `cut`.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;

use super::carrier::{LongStructure, Opening, opening};
use super::compile::is_audit;
use super::cut::{Kind, LOOK, Piece};
use super::pattern::TOKEN_BYTES;
use super::scan::{Carry, Scratch};
use super::span::{Form, Span, Why};
use super::tally::Tally;
use super::{Engine, Masked};

/// A span that began in an earlier window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// It covers this many bytes of the next body.
    Bytes(usize),
    /// It reached the end of what its window could see: it goes on until its value ends.
    Open(Opening),
    /// What it belongs to cannot be told from the next body: it goes on to the end of the record.
    Rest,
}

/// What of a key's structure the next window must see to find the key by itself.
const SEEN_AGAIN: usize = 4 << 10;

impl Engine {
    /// Redacts one piece of a stream, in the order of the stream.
    pub fn redact_piece(&self, scratch: &mut Scratch, carry: &Carry, piece: &Piece) -> (Masked, Carry, Tally) {
        match piece.kind {
            Kind::Records => self.redact(scratch, carry, piece.haystack.clone()),
            Kind::Window { last } => self.redact_window(scratch, carry, piece, last),
        }
    }

    fn redact_window(&self, scratch: &mut Scratch, carry: &Carry, piece: &Piece, last: bool) -> (Masked, Carry, Tally) {
        let body = piece.haystack.slice(piece.body.clone());
        let scanned = catch_unwind(AssertUnwindSafe(|| {
            let opened = self.scan(scratch, &Carry::default(), &piece.haystack);
            (opened, self.recall(scratch, &carry.lessons, &piece.haystack, &piece.body))
        }));
        let Ok((opened, lessons)) = scanned else {
            self.renew(scratch);
            let (masked, tally) = self.withheld(&body);
            // What was open, or opened in here, is not known.
            let (over, lessons) = ((!last).then_some(Over::Rest), carry.lessons.behind(&body));
            return (masked, Carry { over, lessons, ..carry.clone() }, tally);
        };
        let mut carry = carry.clone();
        let taken =
            if piece.body.start == 0 { self.take_line(scratch, &mut carry, &piece.haystack, last) } else { None };
        let taken = taken.or_else(|| structure_over(&scratch.structures, piece));
        let mut tally = self.tally(scratch, &body);
        let mut found = Tally::default();
        self.settle(scratch, &piece.haystack, &mut found);
        let (spans, over) = own_spans(&scratch.spans, carry.over, piece, last);
        let over = further(over, taken).filter(|_| !last);
        tally.records_masked_whole += u64::from(over == Some(Over::Rest) && carry.over != over);
        for span in spans.iter().filter(|span| span.form != Form::Silent) {
            tally.count(span.rule);
        }
        (tally.shadowed, tally.allowed) = (found.shadowed, found.allowed);
        let masked =
            if is_audit(&self.policy) { Masked(body) } else { self.write_body(&piece.haystack, &piece.body, &spans) };
        tally.bytes_out = masked.0.len() as u64;
        scratch.spans = in_body(spans, &piece.body);
        let next = if last { carry.joined(opened) } else { carry };
        let next = Carry { over, lessons, ..next };
        (masked, next, tally)
    }

    /// Feeds a record's first window to the secrets that go on line by line. One that takes all that is seen of it takes the
    /// record.
    fn take_line(&self, scratch: &mut Scratch, carry: &mut Carry, haystack: &[u8], last: bool) -> Option<Over> {
        let line = 0..haystack.len() - usize::from(haystack.ends_with(b"\n"));
        let before = scratch.spans.len();
        carry.states.retain_mut(|state| state.step(haystack, line.clone(), &self.forms, &mut scratch.spans));
        let to_end = |span: &Span| haystack[span.end..].iter().all(|byte| b".\r".contains(byte));
        let taken = scratch.spans[before..].iter().any(to_end);
        (taken && !last).then_some(Over::Rest)
    }

    fn write_body(&self, haystack: &Bytes, body: &Range<usize>, spans: &[Span]) -> Masked {
        if spans.is_empty() {
            return Masked(haystack.slice(body.clone()));
        }
        let mut out = Vec::with_capacity(body.len());
        let mut from = body.start;
        for span in spans {
            out.extend_from_slice(&haystack[from..span.start]);
            self.write_span(span, &haystack[span.start..span.end], &mut out);
            from = span.end.min(body.end);
        }
        out.extend_from_slice(&haystack[from..body.end]);
        Masked(out.into())
    }
}

/// The findings of the body, where it begins counted as 0; what only goes on in it was found before.
fn in_body(spans: Vec<Span>, body: &Range<usize>) -> Vec<Span> {
    let own = spans.into_iter().filter(|span| span.form != Form::Silent);
    own.map(|span| span.cut(body.start, body.end)).collect()
}

/// The spans of the body, in order, and what of the last one belongs to the next.
fn own_spans(found: &[Span], over: Option<Over>, piece: &Piece, last: bool) -> (Vec<Span>, Option<Over>) {
    let body = piece.body.clone();
    let seen = piece.haystack.len();
    let mut own: Vec<Span> = Vec::new();
    let mut next = None;
    let mut from = body.start;
    if let Some(over) = over {
        let end = match over {
            Over::Bytes(count) => body.start + count,
            Over::Open(opening) => opening.end(&piece.haystack, (body.start + LOOK).min(seen), seen),
            Over::Rest if last => (seen - line_end(&piece.haystack)).max(body.start),
            Over::Rest => seen,
        };
        let rule = found.first().map_or(super::RuleId(0), |span| span.rule);
        own.push(Span { start: body.start, end: end.min(body.end), rule, form: Form::Silent, why: Why::Grammar });
        next = if over == Over::Rest { Some(over) } else { remainder(end, over_opening(over), &body, seen, last) };
        from = end;
    }
    for span in found.iter().filter(|span| body.contains(&span.start)) {
        if span.end <= from {
            continue;
        }
        let goes_on = span.start < from;
        let (start, form) = if goes_on { (from.min(body.end), Form::Silent) } else { (span.start, span.form) };
        if start >= body.end {
            continue;
        }
        let opening = match span.why {
            // Its length is known: it goes on for no longer than it was found.
            Why::Known { .. } | Why::Learned => None,
            Why::Pattern { .. } => Some(Opening::Token),
            _ => Some(opening(&piece.haystack, span.start)),
        };
        own.push(Span { start, form, ..*span });
        next = remainder(span.end, opening, &body, seen, last);
        from = span.end;
    }
    (own, next)
}

fn over_opening(over: Over) -> Option<Opening> {
    match over {
        Over::Bytes(_) | Over::Rest => None,
        Over::Open(opening) => Some(opening),
    }
}

/// What goes on longer.
fn further(one: Option<Over>, other: Option<Over>) -> Option<Over> {
    let reach = |over: &Option<Over>| match over {
        None => (0, 0),
        Some(Over::Bytes(count)) => (1, *count),
        Some(Over::Open(_)) => (2, 0),
        Some(Over::Rest) => (3, 0),
    };
    if reach(&other) > reach(&one) { other } else { one }
}

/// What of a secret key's structure lies in the next body, where its key is out of sight.
fn structure_over(structures: &[LongStructure], piece: &Piece) -> Option<Over> {
    let body = &piece.body;
    let far = |range: &Range<usize>| range.start + LOOK < body.end + SEEN_AGAIN && range.end > body.end;
    let over = |structure: &LongStructure| {
        let closed = structure.closed || piece.haystack.ends_with(b"\n");
        if closed { Over::Bytes(structure.range.end - body.end) } else { Over::Rest }
    };
    let open = structures.iter().filter(|structure| far(&structure.range));
    open.map(|structure| Some(over(structure))).fold(None, further)
}

fn line_end(record: &[u8]) -> usize {
    match record {
        [.., b'\r', b'\n'] => 2,
        [.., b'\n'] => 1,
        _ => 0,
    }
}

/// What of a span that ends at `end` is left for the next body.
fn remainder(end: usize, opening: Option<Opening>, body: &Range<usize>, seen: usize, last: bool) -> Option<Over> {
    match opening {
        _ if last || end <= body.end => None,
        Some(opening) if end >= seen => Some(Over::Open(opening)),
        _ => Some(Over::Bytes(end - body.end)),
    }
}

impl Opening {
    /// Where a value that was open at `from` ends.
    fn end(self, haystack: &[u8], from: usize, end: usize) -> usize {
        match self {
            Opening::Quote(quote) => quote.close(haystack, from, end).unwrap_or(end),
            Opening::Token => from + TOKEN_BYTES.run(&haystack[from..end]),
            Opening::Bare => {
                haystack[from..end].iter().position(|b| b" \t\r\n\"'<>&,;".contains(b)).map_or(end, |len| from + len)
            }
        }
    }
}

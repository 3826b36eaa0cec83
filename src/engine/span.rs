//! Spans of findings on the original bytes, and their union. How a span is written is `action`'s work.

use std::cmp::Ordering;

use super::rule::RuleId;

/// How a placeholder must be written to be legal where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// `[REDACTED:rule]`: free text and the inside of quotes.
    Bracket,
    /// `REDACTED.rule`: URLs, forms, cookies, DSNs, bare scalars, Go maps.
    Bare,
    /// A JSON number stood here; a string takes its place, with quotes of this escape level.
    Number {
        /// How many times the quotes are escaped.
        level: u8,
    },
    /// Nothing is written: the placeholder of this finding stands in an earlier fragment.
    Silent,
}

/// Why a span was found; what `explain` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The rule's pattern matched.
    Pattern {
        /// What its validator said, where it has one.
        valid: Option<bool>,
    },
    /// The value of a key that stands at these bytes.
    Key {
        /// Where the key begins.
        start: usize,
        /// Where it ends.
        end: usize,
    },
    /// A grammar of the engine's own.
    Grammar,
    /// A value that stood beside a key in an earlier record.
    Learned,
    /// A value the operator told us of.
    Known {
        /// Its index; [`Engine::known_name`](super::Engine::known_name) tells its name.
        value: usize,
    },
}

impl Why {
    /// Which label wins in a union: a known value is certain, and a format names the secret better than a key does.
    fn rank(self) -> u8 {
        match self {
            Why::Known { .. } => 4,
            Why::Pattern { .. } => 3,
            Why::Grammar => 2,
            Why::Key { .. } => 1,
            Why::Learned => 0,
        }
    }
}

/// One finding: a half-open byte range and the rule that found it. Its `Debug` holds no byte of the haystack.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The rule, in a union the one that names it best.
    pub rule: RuleId,
    /// How a placeholder may be written here.
    pub form: Form,
    /// Why it was found.
    pub why: Why,
}

impl std::fmt::Debug for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rule {}@{}..{} ({:?})", self.rule.index(), self.start, self.end, self.form)
    }
}

impl Span {
    /// This span in a haystack that begins `by` bytes earlier.
    pub(crate) fn moved(&self, by: usize) -> Span {
        let why = match self.why {
            Why::Key { start, end } => Why::Key { start: start + by, end: end + by },
            why => why,
        };
        Span { start: self.start + by, end: self.end + by, why, ..*self }
    }

    /// This span in a message that spells its bytes otherwise: `spelt` tells where. A key in the same place is forgotten.
    pub(crate) fn placed(&self, spelt: impl Fn(std::ops::Range<usize>) -> std::ops::Range<usize>) -> Span {
        let place = spelt(self.start..self.end);
        let why = match self.why {
            Why::Key { start, end } => {
                let key = if start < end { spelt(start..end) } else { 0..0 };
                let apart = key.end <= place.start || place.end <= key.start;
                if apart { Why::Key { start: key.start, end: key.end } } else { Why::Key { start: 0, end: 0 } }
            }
            why => why,
        };
        Span { start: place.start, end: place.end, why, ..*self }
    }

    /// This span in a haystack that begins `by` bytes later and ends at `end`; a key before it is forgotten.
    pub(crate) fn cut(&self, by: usize, end: usize) -> Span {
        let why = match self.why {
            Why::Key { start, end } if start >= by => Why::Key { start: start - by, end: end - by },
            Why::Key { .. } => Why::Key { start: 0, end: 0 },
            why => why,
        };
        Span { start: self.start - by, end: self.end.min(end) - by, why, ..*self }
    }

    /// Whether `other` names the united span better: rank, then length, then the lower id.
    fn yields_to(&self, other: &Span) -> bool {
        let key = |span: &Span| (span.why.rank(), span.end - span.start, std::cmp::Reverse(span.rule));
        key(other) > key(self)
    }
}

/// Sorts `spans` and unites those that overlap, in place. Spans that only touch stay
/// apart, unless one is written bare.
pub(crate) fn unite(spans: &mut Vec<Span>) {
    if spans.len() < 2 {
        return;
    }
    spans.sort_unstable_by_key(|span| (span.start, span.end, span.rule));
    let mut kept = 0;
    for next in 1..spans.len() {
        let (span, last) = (spans[next], spans[kept]);
        // Two bare placeholders without anything between them would read as one.
        let glued = span.start == last.end && (span.form == Form::Bare || last.form == Form::Bare);
        if span.start < last.end || glued {
            spans[kept] = join(last, span);
        } else {
            kept += 1;
            spans[kept] = span;
        }
    }
    spans.truncate(kept + 1);
}

fn join(first: Span, second: Span) -> Span {
    let named = if first.yields_to(&second) { second } else { first };
    Span {
        start: first.start.min(second.start),
        end: first.end.max(second.end),
        form: joint_form(&first, &second),
        ..named
    }
}

/// How a placeholder may be written for both: as the one that encloses the other says. A number's quotes may stand only
/// around a number.
fn joint_form(first: &Span, second: &Span) -> Form {
    match (first.end.cmp(&second.end), first.start == second.start) {
        (Ordering::Equal, true) => first.form.max(second.form),
        (Ordering::Equal | Ordering::Greater, _) => first.form,
        (Ordering::Less, true) => second.form,
        (Ordering::Less, false) if matches!(first.form, Form::Number { .. }) => Form::Bare,
        (Ordering::Less, false) => first.form,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: usize, end: usize, rule: u16, why: Why) -> Span {
        Span { start, end, rule: RuleId(rule), form: Form::Bracket, why }
    }

    #[test]
    fn a_union_is_written_as_the_enclosing_span_says() {
        let with = |start, end, form| Span { form, ..span(start, end, 0, Why::Grammar) };
        let number = Form::Number { level: 0 };
        let cases = [
            ((0, 9, Form::Bracket), (2, 5, Form::Bare), Form::Bracket),
            ((0, 9, Form::Bare), (2, 5, Form::Bracket), Form::Bare),
            ((0, 5, number), (0, 5, Form::Bracket), number),
            ((0, 5, number), (3, 9, Form::Bracket), Form::Bare),
            ((0, 5, number), (0, 9, Form::Bracket), Form::Bracket),
        ];
        for ((a, b, first), (c, d, second), expected) in cases {
            let mut spans = vec![with(a, b, first), with(c, d, second)];
            unite(&mut spans);
            assert_eq!(spans.iter().map(|span| span.form).collect::<Vec<_>>(), [expected]);
        }
    }

    #[test]
    fn overlapping_spans_are_united_and_named_by_the_format() {
        let key = Why::Key { start: 0, end: 0 };
        let mut spans = vec![
            span(5, 9, 1, key),
            span(0, 6, 2, key),
            span(1, 3, 3, Why::Pattern { valid: None }),
            span(9, 12, 4, key),
        ];
        unite(&mut spans);
        let got: Vec<_> = spans.iter().map(|s| (s.start, s.end, s.rule.index())).collect();
        assert_eq!(got, [(0, 9, 3), (9, 12, 4)]);
    }
}

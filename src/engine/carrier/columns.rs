//! A key that is a column's name: `INSERT INTO users (name, password) VALUES ('ada', '…'), ('bob', '…')`. Its values stand at
//! the same place of each list behind `VALUES`. Not a parser of SQL: of calls it knows those without quotes inside.

use std::ops::Range;

use super::quote;
use crate::engine::byteset::ByteSet;

/// Columns of one table that are looked at one by one. Each walks the rows; of a table with more, the rows are masked whole.
const MAX_WALKS: usize = 16;
/// A longer call is none: each column would walk it again.
const MAX_CALL: usize = 256;
/// What a list of columns is written in.
const NAMES: ByteSet =
    ByteSet::from_bytes(b"_.\"`[], \t\\").with_range(b'a', b'z').with_range(b'A', b'Z').with_range(b'0', b'9');

/// The values of a column.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Column {
    Values(Vec<Range<usize>>),
    /// All rows: too many of their columns are secret.
    Whole(Range<usize>),
}

/// The list of columns and the rows that were walked last.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// Between the brackets around the names.
    names: Range<usize>,
    /// A place among the names, and how many commas stand before it.
    counted: (usize, usize),
    pub(super) rows: Range<usize>,
    /// Whether the rows end before the record does.
    pub(super) closed: bool,
    walks: usize,
    /// Where a quote was opened that the record does not close: all behind it is masked.
    unclosed: Option<usize>,
}

/// The values of the column whose name stands at `key`, in a record that ends at `end`; `None` where it is no column's name.
pub(super) fn column(haystack: &[u8], key: Range<usize>, end: usize, known: &mut Rows) -> Option<Column> {
    let (place, first) = known.place_in_list(haystack, key, end)?;
    if known.unclosed.is_some_and(|open| first >= open) {
        return Some(Column::Values(Vec::new()));
    }
    known.walks = if known.rows.start == first { known.walks + 1 } else { 1 };
    if known.walks > MAX_WALKS {
        return Some(Column::Whole(known.rows.clone()));
    }
    let (mut values, mut at) = (Vec::new(), first);
    known.closed = false;
    loop {
        match row(haystack, at, end, place) {
            Row::None => break,
            Row::Unclosed(open) => {
                values.push(open..end);
                (known.unclosed, at) = (Some(open), end);
                break;
            }
            Row::Value(value, behind) => {
                values.push(value);
                at = behind;
                let comma = skip(haystack, behind, end);
                if haystack[..end].get(comma) != Some(&b',') {
                    known.closed = comma < end;
                    break;
                }
                at = skip(haystack, comma + 1, end);
            }
        }
    }
    known.rows = first..if known.closed { at } else { end };
    (!values.is_empty()).then_some(Column::Values(values))
}

impl Rows {
    /// How many columns stand before the key, and where the first list of values begins.
    fn place_in_list(&mut self, haystack: &[u8], key: Range<usize>, end: usize) -> Option<(usize, usize)> {
        if !(self.names.start <= key.start && key.end <= self.names.end) {
            let before = haystack[..key.start].iter().rev().take_while(|byte| NAMES.contains(**byte)).count();
            let behind = NAMES.run(&haystack[key.end..end]);
            self.names = key.start - before..key.end + behind;
            self.counted = (self.names.start, 0);
        }
        let Range { start: open, end: close } = self.names;
        if open == 0 || haystack[open - 1] != b'(' || haystack[..end].get(close) != Some(&b')') {
            return None;
        }
        let word = skip(haystack, close + 1, end);
        if !haystack[word..end].get(..6).is_some_and(|word| word.eq_ignore_ascii_case(b"values")) {
            return None;
        }
        let (from, columns) = if self.counted.0 <= key.start { self.counted } else { (open, 0) };
        self.counted = (key.start, columns + memchr::memchr_iter(b',', &haystack[from..key.start]).count());
        Some((self.counted.1, skip(haystack, word + 6, end)))
    }
}

fn skip(haystack: &[u8], at: usize, end: usize) -> usize {
    at + haystack[at.min(end)..end].iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// A list of values.
enum Row {
    /// The value in question, and the end of the list.
    Value(Range<usize>, usize),
    /// The record ends within the quotes that open here.
    Unclosed(usize),
    /// No list, or one of fewer columns.
    None,
}

/// The value at `place` of the list that opens at `at`, without its quotes.
fn row(haystack: &[u8], at: usize, end: usize, place: usize) -> Row {
    if haystack[..end].get(at) != Some(&b'(') {
        return Row::None;
    }
    let (mut at, mut found) = (skip(haystack, at + 1, end), None);
    for index in 0.. {
        // `N'…'`, `E'…'`, `x'…'`.
        let prefix = usize::from(
            haystack[..end].get(at).is_some_and(u8::is_ascii_alphabetic) && haystack[..end].get(at + 1) == Some(&b'\''),
        );
        let (value, behind) = match quote::at(haystack, at + prefix, end) {
            Some(open) => {
                let Some(close) = quote::close(haystack, &open, end) else { return Row::Unclosed(open.end) };
                (open.end..close, quote::at(haystack, close, end).map_or(close, |quote| quote.end))
            }
            None => {
                let Some(len) = expression(&haystack[at..end]) else { return Row::None };
                let text = haystack[at..at + len].trim_ascii_end().len();
                (at..at + text, at + len)
            }
        };
        if index == place {
            found = Some(value);
        }
        at = skip(haystack, behind, end);
        match haystack[..end].get(at) {
            Some(b',') => at = skip(haystack, at + 1, end),
            Some(b')') => return found.map_or(Row::None, |value| Row::Value(value, at + 1)),
            _ => return Row::None,
        }
    }
    Row::None
}

/// How long an expression is: up to the next comma or bracket, brackets of calls without quotes in them included.
fn expression(text: &[u8]) -> Option<usize> {
    let mut depth = 0;
    for (at, byte) in text.iter().enumerate() {
        if depth > 0 && at > MAX_CALL {
            return None;
        }
        match byte {
            b'(' => depth += 1,
            b')' if depth > 0 => depth -= 1,
            b')' => return Some(at),
            b',' if depth == 0 => return Some(at),
            b'\'' | b'"' | b'\n' if depth > 0 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<&str> {
        let key = text.find("KEY").expect("a key");
        match column(text.as_bytes(), key..key + 3, text.len(), &mut Rows::default()) {
            Some(Column::Values(values)) => values.into_iter().map(|range| &text[range]).collect(),
            found => {
                assert_eq!(found, None);
                Vec::new()
            }
        }
    }

    #[test]
    fn the_values_of_a_column_stand_at_its_place_in_every_row() {
        let cases: [(&str, &[&str]); 10] = [
            ("INSERT INTO t (a, KEY) VALUES ('x', 'y')", &["y"]),
            ("insert into t(KEY,b) values (N'it''s', 2), ('z', 3);", &["it''s", "z"]),
            ("(a, `KEY`, \"c\") VALUES (1, y1, null)", &["y1"]),
            ("(a, KEY) VALUES ('a,b)', 'c')", &["c"]),
            ("(a, KEY, b) VALUES (now(), 'c', f(1, g(2))), (null, 'd', 3)", &["c", "d"]),
            ("(a, KEY) VALUES (f('(', 'c')", &[]),
            ("f(a, KEY)", &[]),
            ("(a, KEY) VALUES ('a'", &[]),
            ("(a, KEY) VALUES ('a', 'b c", &["b c"]),
            ("a, KEY) VALUES ('a', 'b')", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(of(text), expected, "{text}");
        }
    }
}

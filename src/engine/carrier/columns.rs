//! A key that is a column's name: `INSERT INTO users (name, password) VALUES ('ada', '…'), ('bob', '…')`. Its values stand at
//! the same place of each list behind `VALUES`. Not a parser of SQL: lists without brackets inside are all it knows.

use std::ops::Range;

use super::quote;

/// Bytes of a list of columns at most, to each side of the key.
const MAX_COLUMNS: usize = 2048;
/// Lists of values looked at.
const MAX_ROWS: usize = 1024;

/// The values of the column whose name stands at `key`, in a record that ends at `end`; none where it is no column's name.
pub(super) fn values(haystack: &[u8], key: Range<usize>, end: usize) -> Vec<Range<usize>> {
    let mut values = Vec::new();
    let Some((place, mut at)) = place_in_list(haystack, key, end) else { return values };
    for _ in 0..MAX_ROWS {
        let Some((value, behind)) = row(haystack, at, end, place) else { break };
        values.push(value);
        let comma = skip(haystack, behind, end);
        if haystack[..end].get(comma) != Some(&b',') {
            break;
        }
        at = skip(haystack, comma + 1, end);
    }
    values
}

/// How many columns stand before the key, and where the first list of values begins.
fn place_in_list(haystack: &[u8], key: Range<usize>, end: usize) -> Option<(usize, usize)> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.\"`[], \t\\".contains(byte);
    let before =
        haystack[key.start.saturating_sub(MAX_COLUMNS)..key.start].iter().rev().position(|byte| !is_name(byte))?;
    let open = key.start - before - 1;
    let behind = haystack[key.end..end.min(key.end + MAX_COLUMNS)].iter().position(|byte| !is_name(byte))?;
    let close = key.end + behind;
    if haystack[open] != b'(' || haystack[close] != b')' {
        return None;
    }
    let word = skip(haystack, close + 1, end);
    if !haystack[word..end].get(..6).is_some_and(|word| word.eq_ignore_ascii_case(b"values")) {
        return None;
    }
    let columns = memchr::memchr_iter(b',', &haystack[open..key.start]).count();
    Some((columns, skip(haystack, word + 6, end)))
}

fn skip(haystack: &[u8], at: usize, end: usize) -> usize {
    at + haystack[at.min(end)..end].iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// The value at `place` of the list that opens at `at`, without its quotes, and the end of the list.
fn row(haystack: &[u8], at: usize, end: usize, place: usize) -> Option<(Range<usize>, usize)> {
    if haystack[..end].get(at) != Some(&b'(') {
        return None;
    }
    let (mut at, mut found) = (skip(haystack, at + 1, end), None);
    for index in 0.. {
        // `N'…'`, `E'…'`, `x'…'`.
        let prefix = usize::from(
            haystack[..end].get(at).is_some_and(u8::is_ascii_alphabetic) && haystack[..end].get(at + 1) == Some(&b'\''),
        );
        let (value, behind) = match quote::at(haystack, at + prefix, end) {
            Some(open) => {
                let close = quote::close(haystack, &open, end)?;
                (open.end..close, quote::at(haystack, close, end).map_or(close, |quote| quote.end))
            }
            None => {
                let len = haystack[at..end].iter().position(|byte| b",()".contains(byte))?;
                let text = haystack[at..at + len].trim_ascii_end().len();
                (at..at + text, at + len)
            }
        };
        if index == place {
            found = Some(value);
        }
        at = skip(haystack, behind, end);
        match haystack[..end].get(at)? {
            b',' => at = skip(haystack, at + 1, end),
            b')' => return found.map(|value| (value, at + 1)),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<&str> {
        let key = text.find("KEY").expect("a key");
        values(text.as_bytes(), key..key + 3, text.len()).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn the_values_of_a_column_stand_at_its_place_in_every_row() {
        let cases: [(&str, &[&str]); 8] = [
            ("INSERT INTO t (a, KEY) VALUES ('x', 'y')", &["y"]),
            ("insert into t(KEY,b) values (N'it''s', 2), ('z', 3);", &["it''s", "z"]),
            ("(a, `KEY`, \"c\") VALUES (1, y1, null)", &["y1"]),
            ("(a, KEY) VALUES ('a,b)', 'c')", &["c"]),
            ("(a, KEY) VALUES (now(), 'c')", &[]),
            ("f(a, KEY)", &[]),
            ("(a, KEY) VALUES ('a'", &[]),
            ("a, KEY) VALUES ('a', 'b')", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(of(text), expected, "{text}");
        }
    }
}

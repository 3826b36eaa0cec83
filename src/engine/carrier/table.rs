//! Tables whose first line names the columns: CSV and its kin, and what `psql`, `mysql` and Markdown print. The key is a
//! column's name; its values stand at the same place of the lines that follow, as long as these have as many cells.

use std::ops::Range;

use super::value::{self, Kind};
use crate::engine::byteset::ByteSet;

/// A longer line names no columns.
const MAX_HEADER: usize = 2048;
/// What the names of columns are written in.
const NAMES: ByteSet =
    ByteSet::from_bytes(b"_.-\"'` ").with_range(b'a', b'z').with_range(b'A', b'Z').with_range(b'0', b'9');
/// What a line between the names and the values is made of.
const RULE: ByteSet = ByteSet::from_bytes(b"-+:|= ");
/// What stands between cells; a line has those of the first of them that it holds.
const DELIMITERS: [u8; 4] = *b"\t|;,";

/// A column, in lines of so many cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    delimiter: u8,
    /// Delimiters before it.
    place: u16,
    /// Delimiters in a line.
    delimiters: u16,
    /// Whether what comes next must be a line of dashes: of a table with bars every row may look like names.
    unruled: bool,
}

/// The column that `key` names, if the line is nothing but names.
pub(crate) fn column(haystack: &[u8], line: Range<usize>, key: Range<usize>) -> Option<Column> {
    let behind = haystack[key.end..line.end].iter().find(|byte| !b"\"'` \r".contains(byte));
    if line.len() > MAX_HEADER || behind.is_some_and(|byte| !DELIMITERS.contains(byte)) {
        return None;
    }
    let text = haystack[line.clone()].trim_ascii_end();
    let delimiter = DELIMITERS.into_iter().find(|delimiter| text.contains(delimiter))?;
    if !text.iter().all(|byte| *byte == delimiter || NAMES.contains(*byte)) {
        return None;
    }
    // A sentence has a blank behind its comma.
    let dense = matches!(delimiter, b',' | b';');
    if dense && text.windows(2).any(|pair| pair == [delimiter, b' ']) {
        return None;
    }
    let mut cells = text.split(|byte| *byte == delimiter).map(name);
    let last = text.iter().filter(|byte| **byte == delimiter).count();
    let is_name = |(at, cell): (usize, &[u8])| match cell.first() {
        Some(first) => first.is_ascii_alphabetic() || *first == b'_',
        None => delimiter == b'|' && (at == 0 || at == last),
    };
    if !cells.clone().enumerate().all(is_name) || cells.clone().filter(|cell| !cell.is_empty()).count() < 2 {
        return None;
    }
    let place = haystack[line.start..key.start].iter().filter(|byte| **byte == delimiter).count();
    (cells.nth(place)? == &haystack[key]).then_some(Column {
        delimiter,
        place: u16::try_from(place).ok()?,
        delimiters: u16::try_from(last).ok()?,
        unruled: delimiter == b'|',
    })
}

/// A cell without blanks and quotes around it.
fn name(cell: &[u8]) -> &[u8] {
    let cell = cell.trim_ascii();
    let quotes = cell.iter().take_while(|byte| b"\"'`".contains(byte)).count();
    let end = cell.len() - cell[quotes..].iter().rev().take_while(|byte| b"\"'`".contains(byte)).count();
    &cell[quotes..end]
}

impl Column {
    /// Whether both are the same column of tables alike.
    pub(super) fn is_same(self, other: Column) -> bool {
        Column { unruled: other.unruled, ..self } == other
    }

    /// The value in `line`: an empty range where there is none, `None` where the table has ended.
    pub(super) fn value(&mut self, haystack: &[u8], line: Range<usize>) -> Option<Range<usize>> {
        let text = &haystack[line.clone()];
        if !text.is_empty() && text.iter().all(|byte| RULE.contains(*byte)) {
            self.unruled = false;
            return Some(line.start..line.start);
        }
        if self.unruled {
            return None;
        }
        let (mut place, mut cell, mut quoted) = (0, 0..0, false);
        for (at, byte) in text.iter().chain([&self.delimiter]).enumerate() {
            let is_end = at == text.len();
            quoted ^= *byte == b'"' && matches!(self.delimiter, b',' | b';');
            if *byte != self.delimiter || quoted && !is_end {
                continue;
            }
            cell.end = if place == self.place { at } else { cell.end };
            place += u16::from(!is_end);
            cell.start = if place == self.place && !is_end { at + 1 } else { cell.start };
            if place > self.delimiters {
                return None;
            }
        }
        if place != self.delimiters {
            return None;
        }
        let value = &text[cell.clone()];
        let start = cell.start + value.len() - value.trim_ascii_start().len();
        let value = value.trim_ascii();
        let inner = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
        let (start, value) = inner.map_or((start, value), |inner| (start + 1, inner));
        let len = if value::kind_of(value) == Kind::Blank { 0 } else { value.len() };
        Some(line.start + start..line.start + start + len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands under the column `pass` in each line behind the first, until the table ends.
    fn values(text: &str) -> Option<Vec<&str>> {
        let key = text.find("pass").expect("a key");
        let first = text.find('\n').expect("a line");
        let mut column = column(text.as_bytes(), 0..first, key..key + 4)?;
        let mut at = first + 1;
        let mut values = Vec::new();
        for line in text[at..].split('\n') {
            let Some(value) = column.value(text.as_bytes(), at..at + line.len()) else { break };
            values.push(&text[value]);
            at += line.len() + 1;
        }
        Some(values)
    }

    #[test]
    fn a_value_stands_under_its_name() {
        assert_eq!(values("id,pass,n\n1,a b,7\n2,,8\nno row\n3,c,9"), Some(vec!["a b", ""]));
        assert_eq!(values("\"id\",\"pass\"\n\"1, 2\",\"a,\"\"b\"\n3,c"), Some(vec!["a,\"\"b", "c"]));
        assert_eq!(values("pass\tn\na\tb\n"), Some(vec!["a"]));
        assert_eq!(values(" id | pass\n----+-----\n  1 | a  \n(1 row)"), Some(vec!["", "a"]));
        assert_eq!(values("| id | pass |\n|----|:----:|\n| 1 | a |\n\n"), Some(vec!["", "a"]));
        assert_eq!(values("| id | pass |\n| of | b |\n"), Some(vec![]));
    }

    #[test]
    fn a_sentence_names_no_columns() {
        for text in ["user, pass\n", "a=1,pass\n", "1,pass\n", "pass\n", "pass,\n", "my pass,user\n", "pass: a,b\n"] {
            assert_eq!(values(&format!("{text}x,y\n")), None, "{text}");
        }
    }
}

//! A masked line, cut to what fits a screen. It is taken from masked bytes alone.

use std::fmt;
use std::ops::Range;

/// Bytes of the masked line that are shown to both sides of a placeholder.
const AROUND_BYTES: usize = 90;
/// A longer placeholder is cut.
const MAX_PLACEHOLDER_BYTES: usize = 120;

/// A part of a masked line. Every character of it can be printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// The text.
    pub text: String,
    /// Where placeholders stand in it, in order.
    pub marks: Vec<Range<usize>>,
    /// The one of this finding.
    pub own: Range<usize>,
    /// Whether the line goes on to the left.
    pub cut_before: bool,
    /// Whether it goes on to the right.
    pub cut_behind: bool,
}

impl Excerpt {
    /// What stands around the placeholder `own` of the masked `line`, whose placeholders are `marks`.
    pub(super) fn new(line: &[u8], marks: &[Range<usize>], own: Range<usize>) -> Excerpt {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let own = own.start.min(line.len())..own.end.min(own.start + MAX_PLACEHOLDER_BYTES).min(line.len());
        let start = boundary(line, own.start.saturating_sub(AROUND_BYTES));
        let end = boundary(line, line.len().min(own.end + AROUND_BYTES));
        let mut excerpt = Excerpt { cut_before: start > 0, cut_behind: end < line.len(), ..Excerpt::default() };
        let first = marks.partition_point(|mark| mark.end <= start);
        let mut at = start;
        for mark in marks[first..].iter().take_while(|mark| mark.start < end) {
            let within = mark.start.max(at)..mark.end.min(end);
            excerpt.push(&line[at..within.start]);
            let from = excerpt.text.len();
            excerpt.push(&line[within.clone()]);
            let shown = from..excerpt.text.len();
            if mark.start == own.start {
                excerpt.own = shown.clone();
            }
            excerpt.marks.push(shown);
            at = within.end;
        }
        excerpt.push(&line[at..end]);
        excerpt
    }

    /// All of the masked `line`.
    pub(super) fn whole(line: &[u8], marks: &[Range<usize>]) -> Excerpt {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut excerpt = Excerpt::default();
        let mut at = 0;
        for mark in marks {
            excerpt.push(&line[at..mark.start]);
            let from = excerpt.text.len();
            excerpt.push(&line[mark.clone()]);
            excerpt.marks.push(from..excerpt.text.len());
            at = mark.end;
        }
        excerpt.push(&line[at..]);
        excerpt
    }

    fn push(&mut self, bytes: &[u8]) {
        self.text += &printable_text(bytes);
    }

    /// The text between the marks and the marks, in order; marks are `true`.
    pub fn parts(&self) -> impl Iterator<Item = (&str, bool)> {
        let mut at = 0;
        let end = self.text.len();
        let cuts = self.marks.iter().cloned().chain(std::iter::once(end..end)).flat_map(move |mark| {
            let plain = at..mark.start;
            at = mark.end;
            [(plain, false), (mark, true)]
        });
        cuts.filter(|(range, _)| !range.is_empty()).map(|(range, mark)| (&self.text[range], mark))
    }
}

impl fmt::Display for Excerpt {
    /// The text; an ellipsis stands where the line goes on.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ellipsis = |cut: bool| if cut { "\u{2026}" } else { "" };
        write!(f, "{}{}{}", ellipsis(self.cut_before), self.text, ellipsis(self.cut_behind))
    }
}

/// Text that moves no cursor and has no line end.
pub(super) fn printable_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().map(printable).collect()
}

/// The character's picture where it would move a cursor or turn the text.
fn printable(letter: char) -> char {
    match letter {
        '\t' => ' ',
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(letter)).unwrap_or('\u{fffd}'),
        '\x7f'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' => '\u{fffd}',
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        letter => letter,
    }
}

/// The start of the character that stands at `at`, or `at` where none does.
fn boundary(line: &[u8], at: usize) -> usize {
    let continues = |at: &usize| line.get(*at).is_some_and(|byte| (0x80..0xc0).contains(byte));
    (at.saturating_sub(3)..=at).rev().find(|at| !continues(at)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &[u8], marks: &[(usize, usize)], own: usize, expected: &str) {
        let marks: Vec<Range<usize>> = marks.iter().map(|(start, end)| *start..*end).collect();
        let excerpt = Excerpt::new(line, &marks, marks[own].clone());
        let mut text = if excerpt.cut_before { "<".to_owned() } else { String::new() };
        for (part, mark) in excerpt.parts() {
            text.push_str(&if mark { format!("«{part}»") } else { part.to_owned() });
        }
        text.push_str(if excerpt.cut_behind { ">" } else { "" });
        assert_eq!(text, expected);
        assert!(excerpt.marks.contains(&excerpt.own));
    }

    #[test]
    fn an_excerpt_is_cut_at_characters_and_can_be_printed() {
        check(b"a=[X] b=[Y]\r\n", &[(2, 5), (8, 11)], 0, "a=«[X]» b=«[Y]»");
        check(b"\x1b[31ma=[X]\xff\0", &[(7, 10)], 0, "\u{241b}[31ma=«[X]»\u{fffd}\u{2400}");
        check("\u{202e}a=[X]".as_bytes(), &[(5, 8)], 0, "\u{fffd}a=«[X]»");
        let long = [vec![b'.'; 88], "\u{e9}".as_bytes().to_vec(), b"=[X]".to_vec(), vec![b'-'; 200]].concat();
        check(&long, &[(91, 94)], 0, &format!("<{}\u{e9}=«[X]»{}>", ".".repeat(87), "-".repeat(90)));
        let between = [b"[X]".to_vec(), vec![b'.'; 88], b"=[Y]".to_vec()].concat();
        check(&between, &[(0, 3), (92, 95)], 1, &format!("<«]»{}=«[Y]»", ".".repeat(88)));
    }
}

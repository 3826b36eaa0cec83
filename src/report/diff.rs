//! A unified diff of what masking changes. Both sides are masked: in the removed line a black bar stands where the secret is.
//!
//! Masking keeps the number of lines, so no lines need to be compared: those with findings are the ones that change.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;

use super::excerpt::{Excerpt, printable_text};
use super::lines::{Line, Lines, Look};
use super::place::Place;
use super::style::Style;
use crate::engine::Engine;

/// Unchanged lines shown before and behind a change.
const CONTEXT: usize = 3;
/// Longer lines are cut around what changes.
const MAX_LINE_BYTES: usize = 2000;
/// Stands for a secret, whatever its length.
const BAR: &str = "\u{2588}\u{2588}\u{2588}\u{2588}\u{2588}";

/// The diff of one file and its members, written piece by piece.
pub struct Diff<W> {
    engine: Arc<Engine>,
    style: Style,
    out: W,
    path: std::path::PathBuf,
    place: Option<Place>,
    /// Whether the head of the place was written.
    headed: bool,
    /// The last unchanged lines, which stand before the next change, by number.
    before: VecDeque<(u64, String)>,
    /// The lines of the hunk that is not written yet, and the number of its first.
    hunk: Vec<(Kind, String)>,
    first: u64,
    /// Unchanged lines at the end of the hunk.
    behind: usize,
    failed: Option<io::Error>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Same,
    Removed,
    Added,
}

impl<W: Write> Diff<W> {
    /// A diff of the file at `path`.
    pub fn new(engine: Arc<Engine>, path: &std::path::Path, style: Style, out: W) -> Diff<W> {
        let (place, before, hunk) = (None, VecDeque::new(), Vec::new());
        let path = path.to_owned();
        Diff { engine, style, out, path, place, headed: false, before, hunk, first: 0, behind: 0, failed: None }
    }

    /// Begins the file, or its next member.
    pub fn begin(&mut self, member: Option<&[u8]>) {
        self.close();
        self.place = Some(Place::new(&self.engine, &self.path, member));
        self.headed = false;
        self.before.clear();
    }

    /// Takes the next piece, in order.
    pub fn take(&mut self, look: Look<'_>) {
        if self.place.is_none() {
            self.begin(look.member);
        }
        if look.is_window {
            self.window(look);
        } else if look.found.is_empty() {
            self.unchanged(look);
        } else {
            self.changed(look);
        }
    }

    /// Writes what is left and gives the writer back.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.close();
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.out),
        }
    }

    /// A block without findings: only its first and last lines can be seen.
    fn unchanged(&mut self, look: Look<'_>) {
        let mut rest = look.masked;
        let mut number = look.line;
        while !self.hunk.is_empty() && !rest.is_empty() {
            let len = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            self.same(number, &rest[..len]);
            rest = &rest[len..];
            number += 1;
        }
        let mut start = rest.len();
        let mut lines = 0;
        while lines < CONTEXT && start > 0 {
            start = memchr::memrchr(b'\n', &rest[..start - 1]).map_or(0, |at| at + 1);
            lines += 1;
        }
        number += memchr::memchr_iter(b'\n', &rest[..start]).count() as u64;
        for (index, line) in rest[start..].split_inclusive(|byte| *byte == b'\n').enumerate() {
            self.same(number + index as u64, line);
        }
    }

    fn changed(&mut self, look: Look<'_>) {
        let engine = Arc::clone(&self.engine);
        let mut found = Lines::new(&engine, look).peekable();
        // A finding may take several lines; they are told by their first.
        let mut skip = 0;
        for (index, masked) in look.masked.split_inclusive(|byte| *byte == b'\n').enumerate() {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            match found.next_if(|line| line.number == index as u64) {
                Some(line) => {
                    self.change(look.line + line.number, &line);
                    skip = memchr::memchr_iter(b'\n', line.masked).count().saturating_sub(1);
                }
                None => self.same(look.line + index as u64, masked),
            }
        }
    }

    /// A part of a line that is too long to be shown.
    fn window(&mut self, look: Look<'_>) {
        let engine = Arc::clone(&self.engine);
        for line in Lines::new(&engine, look) {
            self.close();
            self.before.clear();
            self.change(look.line + line.number, &line);
            self.close();
        }
    }

    fn same(&mut self, number: u64, line: &[u8]) {
        if self.hunk.is_empty() {
            if self.before.len() == CONTEXT {
                self.before.pop_front();
            }
            self.before.push_back((number, cut(line)));
            return;
        }
        self.hunk.push((Kind::Same, cut(line)));
        self.behind += 1;
        // Two changes with fewer unchanged lines between them stand in one hunk.
        if self.behind > 2 * CONTEXT {
            let rest = self.hunk.split_off(self.hunk.len() - CONTEXT - 1);
            self.behind -= rest.len();
            let first = number - CONTEXT as u64;
            self.close();
            let kept = rest.into_iter().skip(1).enumerate();
            self.before = kept.map(|(index, (_, text))| (first + 1 + index as u64, text)).collect();
        }
    }

    fn change(&mut self, number: u64, line: &Line<'_>) {
        if self.hunk.is_empty() {
            self.first = self.before.front().map_or(number, |(number, _)| *number);
            self.hunk.extend(self.before.drain(..).map(|(_, text)| (Kind::Same, text)));
        }
        self.behind = 0;
        let (removed, added): (Vec<_>, Vec<_>) = self.sides(line).into_iter().unzip();
        self.hunk.extend(removed.into_iter().map(|text| (Kind::Removed, text)));
        self.hunk.extend(added.into_iter().map(|text| (Kind::Added, text)));
    }

    /// The line as it was, with bars, and as it will be.
    fn sides(&self, line: &Line<'_>) -> Vec<(String, String)> {
        let Some(marks) = line.marks() else {
            return vec![(BAR.to_owned(), cut(line.masked))];
        };
        let parts: Vec<Excerpt> = if line.masked.len() <= MAX_LINE_BYTES {
            vec![Excerpt::whole(line.masked, marks)]
        } else {
            (0..line.spans.len()).map(|index| line.excerpt(index)).collect()
        };
        let side = |excerpt: &Excerpt, removed: bool| {
            let mut text = String::new();
            for (part, mark) in excerpt.parts() {
                text.push_str(&match (mark, removed) {
                    (true, true) => BAR.to_owned(),
                    (true, false) => self.style.placeholder(part),
                    (false, _) => part.to_owned(),
                });
            }
            let ellipsis = |cut: bool| if cut { "\u{2026}" } else { "" };
            format!("{}{text}{}", ellipsis(excerpt.cut_before), ellipsis(excerpt.cut_behind))
        };
        parts.iter().map(|excerpt| (side(excerpt, true), side(excerpt, false))).collect()
    }

    /// Writes the hunk, without more unchanged lines at its end than are shown.
    fn close(&mut self) {
        if self.hunk.is_empty() {
            return;
        }
        let extra = self.behind.saturating_sub(CONTEXT);
        self.hunk.truncate(self.hunk.len() - extra);
        self.behind = 0;
        let hunk = std::mem::take(&mut self.hunk);
        if self.failed.is_none() {
            self.failed = self.write(&hunk).err();
        }
    }

    fn write(&mut self, hunk: &[(Kind, String)]) -> io::Result<()> {
        let style = self.style;
        if !self.headed {
            let name = self.place.as_ref().map(Place::text).unwrap_or_default();
            writeln!(
                self.out,
                "{}\n{}",
                style.strong(&format!("--- {name}")),
                style.strong(&format!("+++ {name} (masked)"))
            )?;
            self.headed = true;
        }
        let count = |kind| hunk.iter().filter(|(other, _)| *other == Kind::Same || *other == kind).count();
        let (first, removed, added) = (self.first, count(Kind::Removed), count(Kind::Added));
        writeln!(self.out, "{}", style.hunk(&format!("@@ -{first},{removed} +{first},{added} @@")))?;
        for (kind, text) in hunk {
            match kind {
                Kind::Same => writeln!(self.out, " {text}")?,
                Kind::Removed => writeln!(self.out, "{}", style.removed(&format!("-{text}")))?,
                Kind::Added => writeln!(self.out, "{}{text}", style.added("+"))?,
            }
        }
        Ok(())
    }
}

/// A line that can be printed, and not too long.
fn cut(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match line.len() > MAX_LINE_BYTES {
        true => printable_text(&line[..MAX_LINE_BYTES]) + "\u{2026}",
        false => printable_text(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Carry, Cutter, Limits, Policy};
    use crate::rules::Catalog;

    /// The diff of `text`, read in blocks of so many bytes.
    fn diff(text: &str, block: usize) -> String {
        let engine = Arc::new(Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default()).unwrap());
        let mut diff = Diff::new(Arc::clone(&engine), std::path::Path::new("a.log"), Style::Plain, Vec::new());
        let (mut cutter, mut scratch, mut carry) = (Cutter::new(1 << 20), engine.scratch(), Carry::default());
        let (mut line, mut offset) = (1, 0);
        let mut blocks = text.as_bytes().chunks(block);
        loop {
            let piece = match cutter.next_piece() {
                Some(piece) => piece,
                None => match blocks.next() {
                    Some(block) => {
                        cutter.buffer().extend_from_slice(block);
                        continue;
                    }
                    None => match cutter.finish() {
                        Some(piece) => piece,
                        None => break,
                    },
                },
            };
            let (masked, next, _) = engine.redact_piece(&mut scratch, &carry, &piece);
            let (found, masked) = (scratch.found(), masked.as_bytes());
            let is_window = piece.is_window();
            diff.take(Look { member: None, offset, line, body: piece.body(), is_window, found, masked });
            line += memchr::memchr_iter(b'\n', piece.body()).count() as u64;
            offset += piece.len() as u64;
            carry = next;
        }
        String::from_utf8(diff.finish().unwrap()).unwrap()
    }

    #[test]
    fn changes_stand_in_their_context_and_both_sides_are_masked() {
        let lines: Vec<String> = (1..=20).map(|n| format!("line {n}")).collect();
        let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        (lines[4], lines[7], lines[19]) = ("a password=hunter2 b", "password=hunter3", "pwd=hunter4");
        let text = lines.join("\n");
        let expected = "--- a.log\n+++ a.log (masked)\n@@ -2,10 +2,10 @@\n line 2\n line 3\n line 4\n-a password=█████ b\n\
                        +a password=REDACTED.password b\n line 6\n line 7\n-password=█████\n+password=REDACTED.password\n \
                        line 9\n line 10\n line 11\n@@ -17,4 +17,4 @@\n line 17\n line 18\n line 19\n-pwd=█████\n\
                        +pwd=REDACTED.password\n";
        for block in [1, 7, 20, 64, 1000] {
            assert_eq!(diff(&text, block), expected, "{block}");
        }
        assert_eq!(diff("nothing\nhere\n", 4), "");
    }

    #[test]
    fn a_long_line_is_cut_around_what_changes() {
        let text = format!("{} password=hunter2 {}\n", "x".repeat(5000), "y".repeat(5000));
        let diff = diff(&text, 1 << 16);
        assert!(diff.len() < 1000 && diff.contains("x password=█████ y") && !diff.contains("hunter2"), "{diff}");
    }
}

//! Log lines that a container runtime cut: CRI (`… stdout P text`) and Docker's json-file, both at 16 KiB. It says which
//! lines belong together; they are looked at joined, and each is written as it came.

use std::ops::Range;

use memchr::{memchr, memrchr};

use super::byteset::ByteSet;

/// Fragments joined at most, in bytes: longer lines are cut by the application, not by the runtime.
pub(crate) const MAX_JOINED: usize = 1 << 20;
/// Lines looked at behind a fragment for the next one.
const MAX_LINES: usize = 1024;
/// Lines looked back for an open fragment when a stream is cut.
const MAX_LOOK_BACK: usize = 64;
/// A time stamp in the longest form in use.
const MAX_STAMP: usize = 40;

/// One line as its runtime wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// The application's text.
    pub(crate) content: Range<usize>,
    /// Whether the next line of the stream goes on with it.
    pub(crate) partial: bool,
    /// Whether it is the standard error stream's.
    pub(crate) stderr: bool,
}

/// Literals that stand in every line that goes on in a later one.
pub(crate) fn triggers() -> Vec<Vec<ByteSet>> {
    let exact = |text: &[u8]| text.iter().map(|&byte| ByteSet::of(byte)).collect::<Vec<_>>();
    let other_than_n = ByteSet::EMPTY.with_range(0, b'n' - 1).with_range(b'n' + 1, 255);
    vec![exact(b" stdout P "), exact(b" stderr P "), [vec![other_than_n], exact(b"\",\"stream\":\"std")].concat()]
}

/// Reads the line `line` (its line end not included).
pub(crate) fn parse(haystack: &[u8], line: Range<usize>) -> Option<Fragment> {
    let text = &haystack[line.clone()];
    if text.starts_with(b"{\"log\":\"") { docker(text, line.start) } else { cri(text, line.start) }
}

/// Reads a line of CRI.
pub(crate) fn cri(text: &[u8], start: usize) -> Option<Fragment> {
    let stamp = memchr(b' ', &text[..text.len().min(MAX_STAMP)])?;
    let dated = text[..stamp].get(..4)?.iter().all(u8::is_ascii_digit) && text[stamp - 1..stamp] != *b":";
    let rest = &text[stamp..];
    let stderr = rest.starts_with(b" stderr ");
    if !dated || !(stderr || rest.starts_with(b" stdout ")) {
        return None;
    }
    let partial = match rest.get(8..10)? {
        b"P " => true,
        b"F " => false,
        _ => return None,
    };
    Some(Fragment { content: start + stamp + 10..start + text.len(), partial, stderr })
}

fn docker(text: &[u8], start: usize) -> Option<Fragment> {
    let head = 8;
    let mark = memchr::memmem::rfind(text, b"\",\"stream\":\"std")?;
    let stderr = text[mark..].starts_with(b"\",\"stream\":\"stderr");
    let content = head..mark.max(head);
    let partial = !text[content.clone()].ends_with(b"\\n");
    Some(Fragment { content: start + content.start..start + content.end, partial, stderr })
}

/// The contents of the fragments that begin with the partial line `line`, in order; empty when it begins none.
pub(crate) fn group(haystack: &[u8], line: Range<usize>, contents: &mut Vec<Range<usize>>) {
    contents.clear();
    let Some(first) = parse(haystack, line.clone()).filter(|first| first.partial) else { return };
    let mut total = first.content.len();
    contents.push(first.content);
    let mut start = line.end + 1;
    for _ in 0..MAX_LINES {
        if start >= haystack.len() || total > MAX_JOINED {
            return;
        }
        let end = memchr(b'\n', &haystack[start..]).map_or(haystack.len(), |len| start + len);
        let Some(next) = parse(haystack, start..end) else { return };
        start = end + 1;
        if next.stderr != first.stderr {
            continue;
        }
        total += next.content.len();
        contents.push(next.content);
        if !next.partial {
            return;
        }
    }
}

/// Where a block that ends with the line end before `end` may be cut so that no open fragment is parted from the rest.
pub(crate) fn safe_cut(haystack: &[u8], end: usize) -> usize {
    let mut cut = end;
    let mut streams = [Seen::Nothing; 2];
    let mut line_end = end;
    for _ in 0..MAX_LOOK_BACK {
        let Some(body_end) = line_end.checked_sub(1) else { break };
        let start = memrchr(b'\n', &haystack[..body_end]).map_or(0, |newline| newline + 1);
        let Some(fragment) = parse(haystack, start..body_end) else { break };
        let seen = &mut streams[usize::from(fragment.stderr)];
        match (*seen, fragment.partial) {
            (Seen::Nothing, true) | (Seen::Open, true) => {
                *seen = Seen::Open;
                cut = start;
            }
            _ => *seen = Seen::Whole,
        }
        let open = streams.contains(&Seen::Open);
        if !open && (streams == [Seen::Whole; 2] || line_end != end && cut == end && streams.contains(&Seen::Whole)) {
            break;
        }
        line_end = start;
    }
    cut
}

/// What the lines looked back at say about a stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    /// Its last lines are partial.
    Open,
    /// A whole line came before.
    Whole,
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: &str = "2026-03-04T05:06:07.000000001Z";

    #[test]
    fn fragments_of_one_line_are_found_together() {
        let text = format!("{STAMP} stdout P ab\n{STAMP} stderr F x\n{STAMP} stdout F cd\n{STAMP} stdout F no\n");
        let mut contents = Vec::new();
        group(text.as_bytes(), 0..text.find('\n').expect("a line"), &mut contents);
        assert_eq!(contents.iter().map(|range| &text[range.clone()]).collect::<Vec<_>>(), ["ab", "cd"]);
        let docker = r#"{"log":"ab","stream":"stdout","time":"t"}"#;
        let text = format!("{docker}\n{}\n", docker.replace("ab", "cd\\n"));
        group(text.as_bytes(), 0..docker.len(), &mut contents);
        assert_eq!(contents.iter().map(|range| &text[range.clone()]).collect::<Vec<_>>(), ["ab", "cd\\n"]);
    }

    #[test]
    fn a_block_is_cut_before_an_open_fragment() {
        let whole = format!("{STAMP} stdout F a\n");
        let cases = [
            (whole.clone(), whole.len()),
            (format!("{whole}{STAMP} stdout P b\n"), whole.len()),
            (format!("{whole}{STAMP} stdout P b\n{STAMP} stderr F c\n"), whole.len()),
            (format!("{whole}{STAMP} stdout P b\n{STAMP} stdout F c\n"), 3 * whole.len()),
            ("plain\nlines\n".to_owned(), 12),
        ];
        for (text, expected) in cases {
            assert_eq!(safe_cut(text.as_bytes(), text.len()), expected, "{text}");
        }
    }
}

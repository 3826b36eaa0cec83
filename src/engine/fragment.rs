//! Log lines that a container runtime cut: CRI (`… stdout P text`) and Docker's json-file, both at 16 KiB. It says which
//! lines belong together; they are looked at joined, and each is written as it came.

use std::ops::Range;

use memchr::{memchr, memmem, memrchr};

use super::byteset::ByteSet;

/// Fragments joined at most, in bytes: longer lines are cut by the application, not by the runtime.
pub(crate) const MAX_JOINED: usize = 1 << 20;
/// Lines read one by one before a stream is searched for lines that go on.
const MAX_LOOK_BACK: usize = 16;
/// A time stamp in the longest form in use.
const MAX_STAMP: usize = 40;

/// One line as its runtime wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// The application's text.
    pub(crate) content: Range<usize>,
    /// Whether the next line of the stream goes on with it.
    pub(crate) partial: bool,
    /// Whose it is.
    pub(crate) writer: Writer,
}

/// What fragments of one line have in common. Lines of another runtime part them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Writer {
    docker: bool,
    /// Whether it is the standard error stream.
    pub(crate) stderr: bool,
}

/// Literals that stand in every line that goes on in a later one.
pub(crate) fn triggers() -> Vec<Vec<ByteSet>> {
    let exact = |text: &[u8]| text.iter().map(|&byte| ByteSet::of(byte)).collect::<Vec<_>>();
    let but = |byte: u8| ByteSet::EMPTY.with_range(0, byte - 1).with_range(byte + 1, 255);
    // Docker's whole lines end in an escaped line end: neither in another letter, nor in an `n` behind no backslash or two.
    let heads = [vec![but(b'n')], vec![but(b'\\'), ByteSet::of(b'n')], exact(b"\\\\n")];
    let docker = heads.map(|head| [head, exact(DOCKER)].concat());
    [exact(b" stdout P "), exact(b" stderr P ")].into_iter().chain(docker).collect()
}

/// What stands behind the text in a line of Docker's.
const DOCKER: &[u8] = b"\",\"stream\":\"std";

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
    let writer = Writer { docker: false, stderr };
    Some(Fragment { content: start + stamp + 10..start + text.len(), partial, writer })
}

fn docker(text: &[u8], start: usize) -> Option<Fragment> {
    let head = 8;
    let mark = memmem::rfind(text, DOCKER)?;
    let writer = Writer { docker: true, stderr: text[mark + DOCKER.len()..].starts_with(b"err") };
    let content = head..mark.max(head);
    // An `n` behind an escaped backslash is a letter.
    let slashes = text[content.clone()]
        .strip_suffix(b"n")
        .map_or(0, |text| text.iter().rev().take_while(|byte| **byte == b'\\').count());
    let partial = slashes.is_multiple_of(2);
    Some(Fragment { content: start + content.start..start + content.end, partial, writer })
}

/// The contents of the fragments that begin with the partial line `line`, in order, and whose they are; no more than one
/// when it begins none.
pub(crate) fn group(haystack: &[u8], line: Range<usize>, contents: &mut Vec<Range<usize>>) -> Option<Writer> {
    contents.clear();
    let first = parse(haystack, line.clone()).filter(|first| first.partial)?;
    contents.push(first.content);
    let mut start = line.end + 1;
    while start < haystack.len() {
        let end = memchr(b'\n', &haystack[start..]).map_or(haystack.len(), |len| start + len);
        let Some(next) = parse(haystack, start..end).filter(|next| next.writer.docker == first.writer.docker) else {
            break;
        };
        if end > line.start + MAX_JOINED {
            break;
        }
        start = end + 1;
        if next.writer == first.writer {
            contents.push(next.content);
            if !next.partial {
                break;
            }
        }
    }
    Some(first.writer)
}

/// Where the fragments began that no line has ended yet, in bytes that come bit by bit. What it says depends on the lines
/// alone: so a block may end wherever it says that none is parted.
#[derive(Debug, Default)]
pub(crate) struct Open {
    /// Lines before here were read.
    read: usize,
    docker: bool,
    /// Of either stream of the runtime whose lines came last, the standard one first: where its open fragment begins.
    starts: [Option<usize>; 2],
}

impl Open {
    /// Where a block that ends with the line end before `end` may be cut so that no open fragment is parted from the rest.
    /// Lines longer than `longest` are none of a runtime's.
    pub(crate) fn cut(&mut self, haystack: &[u8], end: usize, longest: usize) -> usize {
        if self.starts == [None; 2] && !may_go_on(&haystack[self.read..end]) {
            self.read = end;
        }
        while self.read < end {
            let line = self.read..memchr(b'\n', &haystack[self.read..end]).map_or(end, |len| self.read + len);
            self.read = line.end + 1;
            self.take(haystack, line, longest);
        }
        // What has come of the next line may say already that it ends what is open.
        self.let_go(haystack.len());
        if haystack.len() - end > longest {
            self.starts = [None; 2];
        }
        self.starts.iter().flatten().fold(end, |cut, start| cut.min(*start))
    }

    /// The first `by` bytes are gone.
    pub(crate) fn drain(&mut self, by: usize) {
        self.read = self.read.saturating_sub(by);
        self.starts = self.starts.map(|start| start.and_then(|start| start.checked_sub(by)));
    }

    fn take(&mut self, haystack: &[u8], line: Range<usize>, longest: usize) {
        let Some(fragment) = parse(haystack, line.clone()).filter(|_| line.len() < longest) else {
            self.starts = [None; 2];
            return;
        };
        if fragment.writer.docker != self.docker {
            (self.docker, self.starts) = (fragment.writer.docker, [None; 2]);
        }
        self.let_go(line.end);
        let start = &mut self.starts[usize::from(fragment.writer.stderr)];
        *start = fragment.partial.then(|| start.unwrap_or(line.start));
    }

    /// Forgets what is not joined with a line that ends at `end` or behind.
    fn let_go(&mut self, end: usize) {
        self.starts = self.starts.map(|start| start.filter(|start| end <= start + MAX_JOINED));
    }
}

/// Whether some of `lines` may go on behind them. Told from the last few, or by one search: almost always none does.
fn may_go_on(lines: &[u8]) -> bool {
    let mut whole = [false; 2];
    let mut end = lines.len();
    let mut docker = false;
    for _ in 0..MAX_LOOK_BACK {
        let Some(line_end) = end.checked_sub(1) else { return false };
        let start = memrchr(b'\n', &lines[..line_end]).map_or(0, |newline| newline + 1);
        let Some(fragment) = parse(lines, start..line_end) else { return false };
        let seen = &mut whole[usize::from(fragment.writer.stderr)];
        if fragment.partial && !*seen {
            return true;
        }
        *seen = true;
        docker = fragment.writer.docker;
        if whole == [true; 2] {
            return false;
        }
        end = start;
    }
    let (stdout, stderr): (&[u8], &[u8]) =
        if docker { (b"\"stream\":\"stdout", b"\"stream\":\"stderr") } else { (b" stdout P ", b" stderr P ") };
    [stdout, stderr].iter().zip(whole).any(|(mark, whole)| !whole && memmem::find(lines, mark).is_some())
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
        let line = |text: &str| whole.replace("stdout F a", text);
        let chatter = line("stderr F c").repeat(100);
        let cases = [
            (whole.clone(), whole.len()),
            (format!("{whole}{}", line("stdout P b")), whole.len()),
            (format!("{whole}{}{chatter}", line("stdout P b")), whole.len()),
            (format!("{whole}{}{chatter}{}", line("stdout P b"), line("stdout F d")), 103 * whole.len()),
            (format!("{whole}{}{}", line("stdout P b"), line("stdout F c")), 3 * whole.len()),
            (format!("{whole}{}plain\n", line("stdout P b")), 2 * whole.len() + 6),
            (format!("{}{}", line("stdout P b"), chatter.repeat(300)), 30_001 * whole.len()),
            ("plain\nlines\n".to_owned(), 12),
        ];
        for (text, expected) in cases {
            let bytes = text.as_bytes();
            assert_eq!(
                Open::default().cut(bytes, text.len(), MAX_JOINED),
                expected,
                "{}",
                &text[..text.len().min(200)]
            );
            // Line by line.
            let (mut open, mut cut) = (Open::default(), 0);
            for end in memchr::memchr_iter(b'\n', bytes) {
                cut = open.cut(&bytes[..end + 1], end + 1, MAX_JOINED);
            }
            assert_eq!(cut, expected, "{}", &text[..text.len().min(200)]);
        }
    }

    #[test]
    fn a_line_of_dockers_goes_on_unless_it_ends_in_an_escaped_line_end() {
        for (end, partial) in [("a", true), ("n", true), (r"\\n", true), (r"\n", false), (r"\\\n", false), ("", true)] {
            let line = format!("{{\"log\":\"x{end}\",\"stream\":\"stdout\"}}");
            let fragment = parse(line.as_bytes(), 0..line.len()).expect("a line of Docker's");
            assert_eq!(fragment.partial, partial, "{line}");
            let tail = |trigger: &Vec<ByteSet>| {
                line.as_bytes()
                    .windows(trigger.len())
                    .any(|text| trigger.iter().zip(text).all(|(set, b)| set.contains(*b)))
            };
            assert!(!partial || triggers().iter().any(tail), "{line}");
        }
    }
}

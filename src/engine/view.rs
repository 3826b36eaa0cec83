//! A derived haystack: one record with its colours, invisible characters and escaped letters undone, and a monotone map
//! back to the original offsets. Built only around a trigger; what is found in it is masked in the original.

use std::ops::Range;

use super::byteset::ByteSet;

/// The longest record a view is made of; a longer one is looked at in windows anyway.
pub(crate) const MAX_VIEW: usize = 2 << 20;

/// A decoded record.
#[derive(Default)]
pub(crate) struct View {
    pub(crate) bytes: Vec<u8>,
    /// Where the original of each byte begins.
    starts: Vec<u32>,
    /// Where it ends.
    ends: Vec<u32>,
    /// Where a new part begins, for a view that was joined.
    joints: Vec<usize>,
}

/// Letters, digits and the joints of words: what keys and tokens are made of. Quotes and operators stay escaped, because
/// the carriers read them better that way.
const DECODED: ByteSet =
    ByteSet::from_bytes(b"_-.").with_range(b'a', b'z').with_range(b'A', b'Z').with_range(b'0', b'9');
/// What a value may hold beside those; decoded where text was escaped character by character.
const DECODED_VALUE: ByteSet = ByteSet::from_bytes(b"!#$%*+/=@^~?:,;()");
/// What is struck over.
const STRUCK: ByteSet = DECODED.union(DECODED_VALUE);
/// Zero-width spaces and joiners, marks of direction, the soft hyphen, the byte order mark.
const INVISIBLE: [&[u8]; 8] = [
    b"\xe2\x80\x8b",
    b"\xe2\x80\x8c",
    b"\xe2\x80\x8d",
    b"\xe2\x80\x8e",
    b"\xe2\x80\x8f",
    b"\xe2\x81\xa0",
    b"\xef\xbb\xbf",
    b"\xc2\xad",
];
/// The escape byte itself, and as programs write it out.
const ESCAPES: [&[u8]; 9] =
    [b"\x1b[", b"^[[", b"#033[", b"\\x1b[", b"\\x1B[", b"\\u001b[", b"\\u001B[", b"\\033[", b"\\e["];

/// The byte sets that call for a view: prefilter literals.
pub(crate) fn triggers() -> Vec<Vec<ByteSet>> {
    let exact = |text: &[u8]| text.iter().map(|&byte| ByteSet::of(byte)).collect::<Vec<_>>();
    let with = |text: &[u8], tail: &[ByteSet]| [exact(text), tail.to_vec()].concat();
    let set = ByteSet::from_bytes;
    let letters = set(b"123456789abcdefABCDEF");
    let digits = set(b"0123456789");
    let high = set(b"0123456789aAfF");
    let mut found: Vec<Vec<ByteSet>> = ESCAPES.iter().chain(&INVISIBLE).map(|text| exact(text)).collect();
    for mark in [&b"\\u00"[..], b"\\x", b"%", b"%25", b"&#x", b"&#X"] {
        found.push(with(mark, &[set(b"46"), letters]));
        found.push(with(mark, &[set(b"57"), high]));
        found.push(with(mark, &[set(b"3"), digits]));
    }
    found.push(with(b"&#", &[set(b"456789"), digits, set(b";")]));
    found.push(with(b"&#1", &[set(b"012"), digits, set(b";")]));
    found.push(with(b"\\", &[set(b"01"), set(b"4567"), set(b"01234567"), set(b"\\")]));
    found.push(with(b"\x08", &[ByteSet::ALL]));
    found.push(with(b"\xef\xbc", &[ByteSet::EMPTY.with_range(0x90, 0x99).with_range(0xa1, 0xba).with(0xbf)]));
    found.push(with(b"\xef\xbd", &[ByteSet::EMPTY.with_range(0x81, 0x9a)]));
    found
}

impl View {
    /// Makes this the view of `haystack[line]`.
    pub(crate) fn build(&mut self, haystack: &[u8], line: Range<usize>) {
        self.bytes.clear();
        self.starts.clear();
        self.ends.clear();
        self.joints.clear();
        self.append(haystack, line);
    }

    /// Makes this the view of `parts`, one behind the other.
    pub(crate) fn join(&mut self, haystack: &[u8], parts: &[Range<usize>]) {
        self.build(haystack, 0..0);
        for part in parts {
            self.joints.push(self.bytes.len());
            self.append(haystack, part.clone());
        }
    }

    fn append(&mut self, haystack: &[u8], line: Range<usize>) {
        let mut at = line.start;
        // Where what the next character is written over began.
        let mut under = None;
        while at < line.end {
            let rest = &haystack[at..line.end];
            let (byte, len) = unit(rest);
            match byte {
                // A placeholder's bracket before the mark stays one.
                Some(0x08) if self.bytes.last().is_some_and(|last| STRUCK.contains(*last)) => under = self.pop(),
                Some(byte) => self.push(byte, under.take().unwrap_or(at), at + len),
                None => {}
            }
            at += len;
        }
    }

    fn push(&mut self, byte: u8, start: usize, end: usize) {
        self.bytes.push(byte);
        self.starts.push(start as u32);
        self.ends.push(end as u32);
    }

    /// Overstrike: what the next character is written over goes, and its place becomes the next one's.
    fn pop(&mut self) -> Option<usize> {
        self.bytes.pop();
        self.ends.pop();
        self.starts.pop().map(|start| start as usize)
    }

    /// The original ranges of `span`, a non-empty range of the view: one for each part it touches.
    pub(crate) fn originals(&self, span: Range<usize>) -> impl Iterator<Item = Range<usize>> + '_ {
        let cuts = self.joints.iter().copied().filter(move |joint| span.start < *joint && *joint < span.end);
        let mut from = span.start;
        cuts.chain([span.end]).map(move |to| {
            let part = from..to;
            from = to;
            self.original(part)
        })
    }

    /// The original range of `span`, a non-empty range of the view.
    pub(crate) fn original(&self, span: Range<usize>) -> Range<usize> {
        self.starts[span.start] as usize..self.ends[span.end - 1] as usize
    }
}

/// What stands first in `rest` (nothing for a colour), and how many bytes spell it.
fn unit(rest: &[u8]) -> (Option<u8>, usize) {
    match rest[0] {
        0x1b | b'^' | b'#' if colour_len(rest) > 0 => (None, colour_len(rest)),
        b'\\' => backslash(rest),
        b'%' => percent(rest).map_or((Some(b'%'), 1), |(byte, len)| (Some(byte), len)),
        b'&' => entity(rest).map_or((Some(b'&'), 1), |(byte, len)| (Some(byte), len)),
        0xc2 | 0xe2 | 0xef => wide(rest),
        byte => (Some(byte), 1),
    }
}

/// The length of a control sequence (ECMA-48, 5.4) at the start of `rest`.
fn colour_len(rest: &[u8]) -> usize {
    let Some(mark) = ESCAPES.iter().find(|mark| rest.starts_with(mark)) else { return 0 };
    let codes = rest[mark.len()..].iter().take(24).take_while(|b| (0x20..0x40).contains(*b)).count();
    let last = rest.get(mark.len() + codes).is_some_and(|b| (0x40..0x7f).contains(b));
    if last { mark.len() + codes + 1 } else { 0 }
}

fn backslash(rest: &[u8]) -> (Option<u8>, usize) {
    let colour = colour_len(rest);
    if colour > 0 {
        return (None, colour);
    }
    let slashes = rest.iter().take_while(|&&byte| byte == b'\\').count();
    let decoded = match rest.get(slashes) {
        Some(b'u') if rest[slashes..].starts_with(b"u00") => {
            radix(rest.get(slashes + 3..slashes + 5), 16).map(|byte| (byte, slashes + 5))
        }
        Some(b'x') => radix(rest.get(slashes + 1..slashes + 3), 16).map(|byte| (byte, slashes + 3)),
        Some(b'0' | b'1') => radix(rest.get(slashes..slashes + 3), 8).map(|byte| (byte, slashes + 3)),
        Some(b'/') if slashes == 1 => Some((b'/', 2)),
        _ => None,
    };
    match decoded.filter(|(byte, _)| DECODED.union(DECODED_VALUE).contains(*byte)) {
        Some((byte, len)) => (Some(byte), len),
        None => (Some(b'\\'), 1),
    }
}

fn percent(rest: &[u8]) -> Option<(u8, usize)> {
    let mark = if rest.starts_with(b"%25") { 3 } else { 1 };
    let byte = radix(rest.get(mark..mark + 2), 16)?;
    DECODED.contains(byte).then_some((byte, mark + 2))
}

fn entity(rest: &[u8]) -> Option<(u8, usize)> {
    let (mark, base) = if rest.starts_with(b"&#x") || rest.starts_with(b"&#X") { (3, 16) } else { (2, 10) };
    let end =
        rest.iter().take(8).position(|&byte| byte == b';').filter(|end| *end > mark && rest.starts_with(b"&#"))?;
    let byte = radix(Some(&rest[mark..end]), base)?;
    DECODED.union(DECODED_VALUE).contains(byte).then_some((byte, end + 1))
}

fn radix(digits: Option<&[u8]>, base: u32) -> Option<u8> {
    let digits = std::str::from_utf8(digits?).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u8::from_str_radix(digits, base).ok()
}

/// Invisible characters go; full-width letters (U+FF01 to U+FF5E) become the ASCII ones they stand for.
fn wide(rest: &[u8]) -> (Option<u8>, usize) {
    if let Some(mark) = INVISIBLE.iter().find(|mark| rest.starts_with(mark)) {
        return (None, mark.len());
    }
    let ascii = match rest {
        [0xef, 0xbc, low @ 0x81..=0xbf, ..] => Some(low - 0x81 + 0x21),
        [0xef, 0xbd, low @ 0x80..=0x9e, ..] => Some(low - 0x80 + 0x60),
        _ => None,
    };
    match ascii.filter(|byte| DECODED.contains(*byte)) {
        Some(byte) => (Some(byte), 3),
        None => (Some(rest[0]), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_undoes_what_hides_a_word_and_maps_back() {
        let cases = [
            ("a\x1b[1;31mb\x1b[0mc", "abc"),
            ("^[[31mab#033[0m", "ab"),
            (r"\u0061\u0062\u0022", r"ab\u0022"),
            (r"\\u0061\x62\143", "abc"),
            ("%61%2562%3D", "ab%3D"),
            ("&#97;&#x62;&#34;", "ab&#34;"),
            ("a\u{200b}b\u{ad}c", "abc"),
            ("x\x08ay\x08b", "ab"),
            ("\u{ff41}\u{ff22}\u{ff1d}", "aB\u{ff1d}"),
        ];
        for (text, expected) in cases {
            let mut view = View::default();
            view.build(text.as_bytes(), 0..text.len());
            assert_eq!(String::from_utf8_lossy(&view.bytes), expected, "{text:?}");
            assert_eq!(view.original(0..view.bytes.len()).start, view.starts[0] as usize);
        }
    }
}

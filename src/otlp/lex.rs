//! JSON's parts and where they stand (RFC 8259). It builds nothing, and is as lenient as the decoders behind us: what it takes
//! for a string or a number is copied as it is.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;

use super::{Encoding, Malformed};

/// A string: what stands between its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) content: Range<usize>,
    /// Whether a backslash is in it.
    pub(super) escaped: bool,
}

/// Reads parts from `at` on.
#[derive(Clone)]
pub(super) struct Lexer<'b> {
    body: &'b [u8],
    pub(super) at: usize,
}

/// What begins a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Object,
    Array,
    String,
    Number,
    /// `true`, `false`, `null`.
    Word,
}

impl<'b> Lexer<'b> {
    pub(super) fn new(body: &'b [u8], at: usize) -> Lexer<'b> {
        Lexer { body, at }
    }

    /// The next byte that is no blank, not yet taken.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.body.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// Takes `byte` if it is next.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// What the next value is.
    pub(super) fn start(&mut self) -> Result<Start, Malformed> {
        match self.peek() {
            Some(b'{') => Ok(Start::Object),
            Some(b'[') => Ok(Start::Array),
            Some(b'"') => Ok(Start::String),
            Some(b'-' | b'0'..=b'9') => Ok(Start::Number),
            Some(b't' | b'f' | b'n') => Ok(Start::Word),
            _ => Err(self.malformed("a value")),
        }
    }

    /// A string.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Text, Malformed> {
        if !self.take(b'"') {
            return Err(self.malformed("a string"));
        }
        let start = self.at;
        let mut escaped = false;
        let mut at = start;
        loop {
            let Some(mark) = memchr2(b'"', b'\\', &self.body[at..]).map(|len| at + len) else {
                return Err(malformed(self.body.len(), "the end of a string"));
            };
            if self.body[mark] == b'"' {
                self.at = mark + 1;
                return Ok(Text { content: start..mark, escaped });
            }
            escaped = true;
            at = (mark + 2).min(self.body.len());
        }
    }

    /// A number or a word.
    pub(super) fn scalar(&mut self) -> Result<Range<usize>, Malformed> {
        self.peek();
        let start = self.at;
        let rest = &self.body[start..];
        let len = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)).count();
        let text = &rest[..len];
        let number = |text: &[u8]| {
            let digits = text.strip_prefix(b"-").unwrap_or(text);
            digits.first().is_some_and(u8::is_ascii_digit)
                && digits.iter().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte))
        };
        if !matches!(text, b"true" | b"false" | b"null") && !number(text) {
            return Err(self.malformed("a number, true, false or null"));
        }
        self.at += len;
        Ok(start..self.at)
    }

    /// The name of the next member of an object that was opened, or `None` at its end. `first` is true for the first one.
    /// What follows is the member's value.
    pub(super) fn member(&mut self, first: bool) -> Result<Option<Text>, Malformed> {
        if self.take(b'}') {
            return Ok(None);
        }
        if !first && !self.take(b',') {
            return Err(self.malformed("a comma or the end of an object"));
        }
        if self.peek() != Some(b'"') {
            return Err(self.malformed("the name of a member"));
        }
        let name = self.string()?;
        if !self.take(b':') {
            return Err(self.malformed("a colon"));
        }
        self.peek();
        Ok(Some(name))
    }

    /// Whether another element of an array that was opened follows.
    pub(super) fn element(&mut self, first: bool) -> Result<bool, Malformed> {
        if self.take(b']') {
            return Ok(false);
        }
        if !first && !self.take(b',') {
            return Err(self.malformed("a comma or the end of an array"));
        }
        self.peek();
        Ok(true)
    }

    /// Whether `text` is spelt exactly like this.
    pub(super) fn spells(&self, text: &Text, word: &[u8]) -> bool {
        self.body[text.content.clone()] == *word
    }

    /// Steps over a value, whatever is in it.
    pub(super) fn skip(&mut self) -> Result<(), Malformed> {
        let mut depth = 0usize;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.string()?;
                }
                Some(b'{' | b'[') => {
                    depth += 1;
                    self.at += 1;
                }
                Some(b'}' | b']') if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                Some(b',' | b':') if depth > 0 => self.at += 1,
                _ => {
                    self.scalar()?;
                }
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    pub(super) fn malformed(&self, expected: &'static str) -> Malformed {
        malformed(self.at, expected)
    }
}

fn malformed(offset: usize, expected: &'static str) -> Malformed {
    Malformed { encoding: Encoding::Json, offset, expected }
}

/// The text that a string spells.
pub(super) fn decoded<'b>(body: &'b [u8], text: &Text) -> Cow<'b, [u8]> {
    let raw = &body[text.content.clone()];
    if !text.escaped {
        return Cow::Borrowed(raw);
    }
    let mut plain = Plain::default();
    plain.build(raw);
    Cow::Owned(plain.bytes)
}

/// A string without its escapes, and where each of them was spelt.
#[derive(Default)]
pub(super) struct Plain {
    pub(super) bytes: Vec<u8>,
    escapes: Vec<Escape>,
}

/// An escape: what it spells stands at `plain` in the bytes, and it itself at `spelt` in the string.
struct Escape {
    plain: Range<usize>,
    spelt: Range<usize>,
}

impl Plain {
    /// Makes this what `raw`, the inside of a string, spells.
    pub(super) fn build(&mut self, raw: &[u8]) {
        self.bytes.clear();
        self.escapes.clear();
        let mut at = 0;
        while let Some(mark) = memchr::memchr(b'\\', &raw[at..]).map(|len| at + len) {
            self.bytes.extend_from_slice(&raw[at..mark]);
            let start = self.bytes.len();
            at = mark + self.escape(&raw[mark..]);
            self.escapes.push(Escape { plain: start..self.bytes.len(), spelt: mark..at });
        }
        self.bytes.extend_from_slice(&raw[at..]);
    }

    /// Writes what the escape at the start of `rest` spells, and returns its length.
    fn escape(&mut self, rest: &[u8]) -> usize {
        let plain = match rest.get(1) {
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'u') => return self.unicode(rest),
            Some(&byte) => byte,
            None => b'\\',
        };
        self.bytes.push(plain);
        rest.len().min(2)
    }

    fn unicode(&mut self, rest: &[u8]) -> usize {
        let Some(high) = unit(rest) else {
            self.bytes.extend_from_slice(b"\\u");
            return 2;
        };
        let low = unit(&rest[6..]).filter(|low| (0xdc00..0xe000).contains(low) && (0xd800..0xdc00).contains(&high));
        let (code, len) = match low {
            Some(low) => (0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), 12),
            None => (high, 6),
        };
        let spelt = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        self.bytes.extend_from_slice(spelt.encode_utf8(&mut [0; 4]).as_bytes());
        len
    }

    /// Where in the string the bytes `span` are spelt: an escape of which any part is in it goes whole.
    pub(super) fn spelt(&self, span: Range<usize>) -> Range<usize> {
        let at = |at: usize| {
            let behind = self.escapes.partition_point(|escape| escape.plain.end <= at);
            let shift = behind.checked_sub(1).map_or(0, |last| {
                let Escape { plain, spelt } = &self.escapes[last];
                spelt.end - plain.end
            });
            let cut = self.escapes.get(behind).filter(|escape| escape.plain.start < at);
            cut.map_or(at + shift..at + shift, |escape| escape.spelt.clone())
        };
        at(span.start).start..at(span.end).end
    }
}

/// The code unit of `\uXXXX`.
fn unit(rest: &[u8]) -> Option<u32> {
    let digits = rest.strip_prefix(b"\\u")?.get(..4)?;
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u32::from_str_radix(text, 16).ok()
}

/// Writes `text` as the inside of a string.
pub(super) fn put_escaped(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_found_again() {
        let check = |raw: &str, expected: &str, word: &str, spelt: &str| {
            let mut plain = Plain::default();
            plain.build(raw.as_bytes());
            assert_eq!(String::from_utf8_lossy(&plain.bytes), expected, "{raw}");
            let start = expected.find(word).expect("a word");
            assert_eq!(&raw[plain.spelt(start..start + word.len())], spelt, "{raw}");
        };
        check(r#"a\nb\"c"#, "a\nb\"c", "b", "b");
        check(r#"a\nb\"c"#, "a\nb\"c", "\"c", r#"\"c"#);
        check(r"a\nb", "a\nb", "a", "a");
        check(r"\u0061bc", "abc", "ab", r"\u0061b");
        check(r"x\u00e9\ud83d\ude00y", "x\u{e9}\u{1f600}y", "y", "y");
        check(r"x\ud83d\ude00", "x\u{1f600}", "\u{1f600}", r"\ud83d\ude00");
        check(r"\ud83dx\uzz\/", "\u{fffd}x\\uzz/", "x", "x");
        check(r"\u00e9", "\u{e9}", "\u{e9}", r"\u00e9");
        let mut plain = Plain::default();
        plain.build(r"a\u00e9b".as_bytes());
        assert_eq!((plain.spelt(2..3), plain.spelt(1..2), plain.spelt(3..4)), (1..7, 1..7, 7..8));
    }

    #[test]
    fn what_is_no_json_is_told_by_its_place() {
        let skip = |text: &str| Lexer::new(text.as_bytes(), 0).skip().map_err(|error| (error.offset, error.expected));
        for text in ["{}", "[1, {\"a\": [true]}, \"]\\\"\"]", "-1.5e3", "null", "\"\""] {
            assert_eq!(skip(text), Ok(()), "{text}");
        }
        assert_eq!(skip("{\"a\": tru}"), Err((6, "a number, true, false or null")));
        assert_eq!(skip("[\"a"), Err((3, "the end of a string")));
        assert_eq!(skip("[\"a\\\""), Err((5, "the end of a string")));
        assert_eq!(skip("[1, "), Err((4, "a number, true, false or null")));
    }
}

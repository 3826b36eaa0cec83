//! Quotes in every spelling a log has: plain, escaped any number of times, as `\u0022`, percent-encoded, as an entity,
//! typographic. It finds where a quoted value ends; whether the value is a secret is not its question.
//!
//! A quote preceded by L backslashes has the level `L.trailing_ones()`: 0 in plain JSON, 1 in JSON inside a JSON string, and
//! so on. A value opened at level d ends at the first quote of level ≤ d, because a lower one closes the string around it.

use std::ops::Range;

use memchr::{memchr, memchr2};

/// Deeper than this a value is taken to reach to the end of its record.
pub(crate) const MAX_LEVEL: u8 = 6;

/// How a quote is spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// `"`, with the backslashes of its level, or `\u0022`.
    Double,
    /// `'`, likewise.
    Single,
    /// `` ` ``.
    Backtick,
    /// `“ ”`, `‘ ’`, `« »`.
    Typographic,
    /// `&quot;`, `&#34;`, `&#39;`, `&apos;`, `%22`, `%27`: closed by the same text.
    Encoded,
}

/// A quote in a haystack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quote {
    /// Where it begins, its backslashes included.
    pub(crate) start: usize,
    /// One past its end.
    pub(crate) end: usize,
    pub(crate) spelling: Spelling,
    /// How many times it is escaped.
    pub(crate) level: u8,
}

/// Spellings that close with the same text they opened with.
const ENCODED: [&[u8]; 9] =
    [b"&quot;", b"&#34;", b"&#39;", b"&apos;", b"&#x22;", b"%22", b"%27", b"%2522", b"&amp;quot;"];
const TYPOGRAPHIC: [&[u8]; 7] = [
    "\u{201c}".as_bytes(),
    "\u{201d}".as_bytes(),
    "\u{2018}".as_bytes(),
    "\u{2019}".as_bytes(),
    "\u{ab}".as_bytes(),
    "\u{bb}".as_bytes(),
    "\u{201e}".as_bytes(),
];

/// The quote that begins at `at`, if one does.
#[inline]
pub(crate) fn at(haystack: &[u8], at: usize, end: usize) -> Option<Quote> {
    match haystack[..end].get(at)? {
        b'"' => Some(Quote { start: at, end: at + 1, spelling: Spelling::Double, level: 0 }),
        b'\'' => Some(Quote { start: at, end: at + 1, spelling: Spelling::Single, level: 0 }),
        b'`' => Some(Quote { start: at, end: at + 1, spelling: Spelling::Backtick, level: 0 }),
        b'\\' => escaped(&haystack[..end], at),
        b'&' | b'%' => spelt(haystack, at, end, &ENCODED, Spelling::Encoded),
        0xc2 | 0xe2 => spelt(haystack, at, end, &TYPOGRAPHIC, Spelling::Typographic),
        _ => None,
    }
}

fn spelt(haystack: &[u8], at: usize, end: usize, spellings: &[&[u8]], spelling: Spelling) -> Option<Quote> {
    let text = spellings.iter().find(|text| haystack[at..end].starts_with(text))?;
    Some(Quote { start: at, end: at + text.len(), spelling, level: 0 })
}

/// The escaped quote whose first backslash stands at `at`.
fn escaped(haystack: &[u8], at: usize) -> Option<Quote> {
    let slashes = haystack[at..].iter().take_while(|&&byte| byte == b'\\').count();
    let behind = at + slashes;
    let quote = |end: usize, spelling: Spelling, level: u32| {
        Some(Quote { start: at, end, spelling, level: level.min(u8::MAX.into()) as u8 })
    };
    match haystack.get(behind)? {
        b'"' => quote(behind + 1, Spelling::Double, slashes.trailing_ones()),
        b'\'' => quote(behind + 1, Spelling::Single, slashes.trailing_ones()),
        b'u' => {
            let spelling = unicode_quote(&haystack[behind..])?;
            quote(behind + 5, spelling, unicode_level(slashes))
        }
        // nginx escapes so.
        b'x' if slashes == 1 && haystack[behind..].starts_with(b"x22") => quote(behind + 3, Spelling::Encoded, 0),
        _ => None,
    }
}

/// `u0022` or `u0027` at the start of `tail`.
fn unicode_quote(tail: &[u8]) -> Option<Spelling> {
    match tail.get(..5)? {
        b"u0022" => Some(Spelling::Double),
        b"u0027" => Some(Spelling::Single),
        _ => None,
    }
}

/// The level of `\u0022` behind `slashes` backslashes, the last of which is its own. An odd number is unescaped to a quote
/// behind half of the rest; an even one to the same text behind half of all.
fn unicode_level(slashes: usize) -> u32 {
    let mut slashes = slashes;
    let mut level = 1;
    while slashes > 0 && slashes.is_multiple_of(2) {
        slashes /= 2;
        level += 1;
    }
    level + (slashes / 2).trailing_ones()
}

/// What a value that goes on beyond its haystack was opened by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// A quote of this spelling and level.
    Quote(Quote),
    /// Nothing: it is a token of a known format.
    Token,
    /// Nothing: it stands bare beside its key.
    Bare,
}

/// What opened the value that begins at `start`.
pub(crate) fn opening(haystack: &[u8], start: usize) -> Opening {
    let Some(mark) = start.checked_sub(1).filter(|mark| matches!(haystack[*mark], b'"' | b'\'' | b'`')) else {
        return Opening::Bare;
    };
    let slashes = haystack[..mark].iter().rev().take_while(|&&byte| byte == b'\\').count();
    at(haystack, mark - slashes, start).map_or(Opening::Bare, Opening::Quote)
}

impl Quote {
    /// Where a value opened by this quote in an earlier haystack ends.
    pub(crate) fn close(mut self, haystack: &[u8], from: usize, end: usize) -> Option<usize> {
        (self.start, self.end) = (from, from);
        close(haystack, &self, end)
    }
}

/// Whether a quote behind `key=` does not open a value but closes the string that the key stands in, as in
/// `{"msg":"no token=","n":1}`: brackets or a comma and then more of a structure follow.
pub(crate) fn closes_string(haystack: &[u8], quote: &Quote, end: usize) -> bool {
    let rest = &haystack[quote.end..end];
    let brackets = rest.iter().take_while(|b| matches!(b, b']' | b'}')).count();
    match rest.get(brackets) {
        None => true,
        Some(b'"' | b'\\' | b'\r') => brackets > 0,
        Some(b',') => {
            let next = rest[brackets + 1..].trim_ascii_start();
            brackets > 0 || next.first().is_some_and(|b| b"\"'\\{[".contains(b)) || is_json_word(next)
        }
        Some(_) => false,
    }
}

/// Whether `text` begins with a number or word of JSON that is an item of something.
fn is_json_word(text: &[u8]) -> bool {
    let len = text.iter().take(24).take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)).count();
    len > 0 && text.get(len).is_some_and(|b| b",]}".contains(b))
}

/// Where the value opened by `open` ends: the first byte of its closing quote, or `end` when there is none.
pub(crate) fn close(haystack: &[u8], open: &Quote, end: usize) -> Option<usize> {
    match open.spelling {
        Spelling::Double => close_double(haystack, open, end),
        Spelling::Single => close_single(haystack, open, end),
        Spelling::Backtick => memchr(b'`', &haystack[open.end..end]).map(|at| open.end + at),
        Spelling::Encoded => {
            memchr::memmem::find(&haystack[open.end..end], &haystack[open.start..open.end]).map(|at| open.end + at)
        }
        Spelling::Typographic => close_typographic(haystack, open.end, end),
    }
}

/// The text between the three quotes that `open` begins and the next three, or the record's end: `"""…"""`.
pub(crate) fn tripled(haystack: &[u8], open: &Quote, end: usize) -> Option<Range<usize>> {
    let mark = &haystack[open.start..end.min(open.start + 3)];
    if !matches!(mark, b"\"\"\"" | b"'''") {
        return None;
    }
    let start = open.start + 3;
    let len = memchr::memmem::find(&haystack[start..end], mark).unwrap_or(end - start);
    (len > 0).then_some(start..start + len)
}

fn close_double(haystack: &[u8], open: &Quote, end: usize) -> Option<usize> {
    if open.level > MAX_LEVEL {
        return None;
    }
    let mut at = open.end;
    while let Some(next) = memchr2(b'"', b'\\', &haystack[at..end]).map(|next| at + next) {
        if haystack[next] == b'"' {
            match goes_on(haystack, open, next, end) {
                Some(behind) => {
                    at = behind;
                    continue;
                }
                None => return Some(next),
            }
        }
        let slashes = haystack[next..end].iter().take_while(|&&byte| byte == b'\\').count();
        let behind = next + slashes;
        let level = match haystack[..end].get(behind) {
            Some(b'"') => Some(slashes.trailing_ones()),
            Some(b'u') if open.level > 0 && haystack[behind..end].starts_with(b"u0022") => Some(unicode_level(slashes)),
            _ => None,
        };
        if let Some(level) = level.filter(|&level| level <= u32::from(open.level)) {
            // Of the backslashes only those of the closing quote's own level are not the value's.
            let own = (1usize << level) - 1;
            return Some(if haystack[behind] == b'u' { next } else { behind - own });
        }
        at = (behind + 1).min(end);
    }
    None
}

/// Where the text goes on behind a `"` that is its own: doubled, as in CSV and SQL, or behind the backtick of PowerShell, and
/// glued to more.
fn goes_on(haystack: &[u8], open: &Quote, at: usize, end: usize) -> Option<usize> {
    if open.level > 0 || at == open.end {
        return None;
    }
    let len = match haystack[at - 1] {
        b'`' => 1,
        _ if haystack[..end].get(at + 1) == Some(&b'"') => 2,
        _ => return None,
    };
    haystack[..end].get(at + len).filter(|byte| byte.is_ascii_alphanumeric()).map(|_| at + len)
}

/// `'` closes only before a delimiter, so that `it's` and the shell's `'"'"'` do not.
fn close_single(haystack: &[u8], open: &Quote, end: usize) -> Option<usize> {
    let mut at = open.end;
    let first = haystack[..end].get(at) == Some(&b'\'');
    if first && haystack[..end].get(at + 1) != Some(&b'\'') {
        return Some(at);
    }
    while let Some(next) = memchr(b'\'', &haystack[at..end]).map(|next| at + next) {
        let slashes = haystack[open.end..next].iter().rev().take_while(|&&byte| byte == b'\\').count();
        let rest = &haystack[next + 1..end];
        let joined = rest.starts_with(b"\"'\"'") || rest.starts_with(b"\\''") || rest.starts_with(b"'");
        if joined {
            at = next
                + if rest.starts_with(b"\"") {
                    5
                } else if rest.starts_with(b"\\") {
                    4
                } else {
                    2
                };
            continue;
        }
        if slashes.trailing_ones() <= u32::from(open.level) && delimits(rest) {
            let own = (1usize << slashes.trailing_ones()) - 1;
            return Some(next - own);
        }
        at = next + 1;
    }
    None
}

/// Whether text that may follow a closed value comes next.
fn delimits(rest: &[u8]) -> bool {
    match rest.first() {
        None => true,
        Some(byte) => !byte.is_ascii_alphanumeric() && *byte < 0x80 && !b"_$%@#*+=~^!?".contains(byte),
    }
}

fn close_typographic(haystack: &[u8], from: usize, end: usize) -> Option<usize> {
    let mut at = from;
    while let Some(next) = memchr2(0xc2, 0xe2, &haystack[at..end]).map(|next| at + next) {
        if spelt(haystack, next, end, &TYPOGRAPHIC, Spelling::Typographic).is_some() {
            return Some(next);
        }
        at = next + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value quoted by the first quote of `text`.
    fn value(text: &str) -> &str {
        let bytes = text.as_bytes();
        let open = (0..bytes.len()).find_map(|i| at(bytes, i, bytes.len())).expect("a quote");
        &text[open.end..close(bytes, &open, bytes.len()).unwrap_or(bytes.len())]
    }

    #[test]
    fn a_quote_before_more_of_a_structure_opens_nothing() {
        let cases = [
            (r#"","n":1}"#, true),
            (r#""}"#, true),
            (r#"\"}","n":1}"#, true),
            (r#""]"#, true),
            (r#""}abc""#, false),
            (r#"",0]"#, true),
            (r#"",ab""#, false),
            (r#""ab","n":1"#, false),
        ];
        for (text, expected) in cases {
            let open = at(text.as_bytes(), 0, text.len()).expect("a quote");
            assert_eq!(closes_string(text.as_bytes(), &open, text.len()), expected, "{text}");
        }
    }

    #[test]
    fn a_value_ends_at_the_first_quote_of_its_level_or_a_lower_one() {
        let cases: &[(&str, &str)] = &[
            (r#""ab" "c""#, "ab"),
            (r#""a\"b" c"#, r#"a\"b"#),
            (r#""a\\" c"#, r"a\\"),
            (r#"\"a\\\"b\" c"#, r#"a\\\"b"#),
            (r#"\"ab" c"#, "ab"),
            (r#"\\\"ab\\\",\"c"#, "ab"),
            (r"\u0022ab\u0022,c", "ab"),
            (r"\\u0022ab\\u0022,c", "ab"),
            (r"'it\'s' c", r"it\'s"),
            (r"'it's' c", "it's"),
            (r#"'it'"'"'s' c"#, r#"it'"'"'s"#),
            ("''", ""),
            ("“ab” c", "ab"),
            ("%22ab%22%2C", "ab"),
            ("&quot;ab&quot;,", "ab"),
            (r#""never closed"#, "never closed"),
        ];
        for (text, expected) in cases {
            assert_eq!(value(text), *expected, "{text}");
        }
    }
}

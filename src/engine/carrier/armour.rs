//! Armoured private keys (RFC 7468, RFC 4716): where one begins, and its body when it stands on the same line. A body that
//! follows line by line is `lines`' work.

use std::ops::Range;

use crate::engine::byteset::ByteSet;

/// Bytes between `BEGIN` and `PRIVATE KEY`: algorithm names.
const LABEL: ByteSet = ByteSet::from_bytes(b" +%").with_range(b'A', b'Z').with_range(b'0', b'9');
/// The longest label in use is `SSH2 ENCRYPTED`, with room for encodings.
const MAX_LABEL: usize = 48;
/// How far END is looked for: a key of 16,384 bits has about 12,600 characters. A longer body ends at what is none.
const MAX_INLINE: usize = 32 << 10;
/// A body line holds at least this many characters.
pub(super) const MIN_BODY: usize = 16;
pub(super) const BASE64: ByteSet =
    ByteSet::from_bytes(b"+/=").with_range(b'a', b'z').with_range(b'A', b'Z').with_range(b'0', b'9');

/// The BEGIN line of a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begin {
    /// Where its dashes begin.
    pub(crate) start: usize,
    /// One past its closing dashes.
    pub(crate) end: usize,
}

/// The BEGIN line around the words `PRIVATE KEY` at `words`.
pub(crate) fn begin(haystack: &[u8], words: Range<usize>, line: Range<usize>) -> Option<Begin> {
    let floor = line.start.max(words.start.saturating_sub(MAX_LABEL));
    let label = haystack[floor..words.start].iter().rev().take_while(|b| LABEL.contains(**b)).count();
    let head = &haystack[words.start - label..words.start];
    let mark = memchr::memmem::rfind(head, b"BEGIN")?;
    let before = &haystack[line.start..words.start - label + mark];
    let dashes = before.iter().rev().take_while(|b| matches!(b, b'-' | b' ')).count();
    let tail = &haystack[words.end..line.end];
    let block = if tail.starts_with(b" BLOCK") { 6 } else { 0 };
    let closing = tail[block..].iter().take_while(|b| matches!(b, b'-' | b' ')).count();
    let blanks = tail[block..block + closing].iter().rev().take_while(|b| **b == b' ').count();
    let start = words.start - label + mark - dashes;
    let lead = haystack[start..].iter().take_while(|b| **b == b' ').count();
    (dashes > lead).then_some(Begin { start: start + lead, end: words.end + block + closing - blanks })
}

/// The body on the BEGIN line itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Inline {
    /// Nothing but the line's end, or what ends a record around it: the body follows on the next lines.
    Nothing,
    /// The parts of the body; several where quotes stand between them.
    Parts(Vec<Range<usize>>),
}

/// What stands behind a BEGIN line on the same line.
pub(crate) fn inline(haystack: &[u8], at: usize, end: usize) -> Inline {
    let reach = end.min(at + MAX_INLINE);
    let body = skip_separators(haystack, at, reach);
    let close = memchr::memmem::find(&haystack[body..reach], b"-----END").map(|len| body + len);
    if let Some(close) = close {
        let parts = split_at_quotes(haystack, body, trim_separators(haystack, body, close));
        return if parts.is_empty() { Inline::Nothing } else { Inline::Parts(parts) };
    }
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut at = body;
    while at < end {
        let len = base64_len(haystack, at, end);
        let first = parts.is_empty();
        if len == 0
            || (len < MIN_BODY && !(first && at + len < end && haystack[at + len] == b'\\'))
                && !is_tail(haystack, at, len, &parts)
        {
            break;
        }
        let joined = parts.last().is_some_and(|last| !has_quote(&haystack[last.end..at]));
        match parts.last_mut() {
            Some(last) if joined => last.end = at + len,
            _ => parts.push(at..at + len),
        }
        at = skip_separators(haystack, at + len, end);
    }
    if parts.is_empty() { Inline::Nothing } else { Inline::Parts(parts) }
}

/// A short last line of a body.
fn is_tail(haystack: &[u8], at: usize, len: usize, parts: &[Range<usize>]) -> bool {
    !parts.is_empty() && looks_like_tail(&haystack[at..at + len])
}

/// Whether a short run of base64 is the end of a key rather than a word such as `done`.
pub(super) fn looks_like_tail(run: &[u8]) -> bool {
    let digit = run.iter().any(u8::is_ascii_digit);
    let mixed = run.iter().any(u8::is_ascii_uppercase)
        && run[1..].iter().any(u8::is_ascii_uppercase)
        && run.iter().any(u8::is_ascii_lowercase);
    run.len() > 1
        && (run.ends_with(b"=") || run.contains(&b'+') || run.contains(&b'/') || digit && run.len() > 3 || mixed)
}

/// The run of base64 at `at`, with `/` and `+` also as `\/`, `\u002b`, `%2F`, `%2B`, `%3D`.
fn base64_len(haystack: &[u8], at: usize, end: usize) -> usize {
    let mut len = 0;
    loop {
        let rest = &haystack[(at + len).min(end)..end];
        len += match rest.first() {
            Some(byte) if BASE64.contains(*byte) => 1,
            Some(b'\\') if rest.starts_with(b"\\/") => 2,
            Some(b'\\') if rest.starts_with(b"\\u002b") || rest.starts_with(b"\\u003d") => 6,
            Some(b'%')
                if [&b"%2B"[..], b"%2F", b"%3D", b"%2b", b"%2f", b"%3d"].iter().any(|code| rest.starts_with(code)) =>
            {
                3
            }
            _ => return len,
        };
    }
}

fn separator_len(rest: &[u8]) -> usize {
    match rest.first() {
        Some(b' ' | b'\t' | b'\r' | b'"' | b'\'' | b',') => 1,
        Some(b'\\') => {
            let slashes = rest.iter().take_while(|b| **b == b'\\').count();
            match rest.get(slashes) {
                Some(b'n' | b'r' | b't') => slashes + 1,
                Some(b'"' | b'\'') | None => slashes,
                _ => 0,
            }
        }
        Some(b'%') if [&b"%0A"[..], b"%0D", b"%0a", b"%0d", b"%20"].iter().any(|code| rest.starts_with(code)) => 3,
        Some(b'&') if rest.starts_with(b"&#10;") || rest.starts_with(b"&#13;") => 5,
        _ => 0,
    }
}

fn skip_separators(haystack: &[u8], at: usize, end: usize) -> usize {
    let mut at = at;
    loop {
        match separator_len(&haystack[at.min(end)..end]) {
            0 => return at.min(end),
            len => at += len,
        }
    }
}

/// The end of the body without the separators before `close`.
fn trim_separators(haystack: &[u8], start: usize, close: usize) -> usize {
    const PLAIN: ByteSet = ByteSet::from_bytes(b" \t\r\"',\\%&").complement();
    let mut last = start;
    let mut at = start;
    while at < close {
        let plain = PLAIN.run(&haystack[at..close]);
        if plain > 0 {
            at += plain;
            last = at;
            continue;
        }
        match separator_len(&haystack[at..close]) {
            0 => {
                at += 1;
                last = at;
            }
            len => at += len,
        }
    }
    last
}

fn has_quote(separator: &[u8]) -> bool {
    separator.iter().any(|b| matches!(b, b'"' | b'\''))
}

/// Cuts a body where quotes stand in it: the lines of a list of strings are masked one by one.
fn split_at_quotes(haystack: &[u8], start: usize, end: usize) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut at = start;
    while at < end {
        let quote = memchr::memchr2(b'"', b'\'', &haystack[at..end]).map_or(end, |len| at + len);
        let part_end = trim_separators(haystack, at, quote);
        if part_end > at {
            parts.push(at..part_end);
        }
        at = skip_separators(haystack, quote, end).max(quote + usize::from(quote < end));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        // The armour is put together here: a whole one would be found in our own repository.
        let text =
            text.replace("BEGIN", "-----BEGIN RSA PRIVATE KEY-----").replace("END", "-----END RSA PRIVATE KEY-----");
        let words = text.find("PRIVATE KEY").expect("armour");
        let begin = begin(text.as_bytes(), words..words + 11, 0..text.len()).expect("a BEGIN line");
        let got = match inline(text.as_bytes(), begin.end, text.len()) {
            Inline::Nothing => Vec::new(),
            Inline::Parts(parts) => parts.into_iter().map(|part| &text[part]).collect(),
        };
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn a_body_on_the_line_of_its_armour_is_found_whole() {
        let a = "MIIEowIBAAKCAQEA0abcdefg";
        check(&format!(r"BEGIN\n{a}\n{a}\nab==\nEND"), &[&format!(r"{a}\n{a}\nab==")]);
        check(&format!(r#"k="BEGIN\n{a}\n{a}\n" x"#), &[&format!(r"{a}\n{a}")]);
        check(&format!("BEGIN {a} {a} done with it"), &[&format!("{a} {a}")]);
        check(&format!(r#"["BEGIN","{a}","{a}","END"]"#), &[a, a]);
        check(r#"{"log":"BEGIN\n","stream":"stdout"}"#, &[]);
        check("BEGIN", &[]);
    }
}

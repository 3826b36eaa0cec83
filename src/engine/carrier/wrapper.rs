//! What a program's text has around a value: `Some("…")`, `b'…'`, `[]string{"…"}`, a call that only looks it up. Where the value
//! ends is not its question.

use super::Site;
use super::bridge::{self, Bridge, Joint};
use super::quote::{self, Quote};

impl Site<'_> {
    /// Steps over what may stand before an opening quote: `b'…'`, `$'…'`, `Some("…")`, `SecretStr('…')`, `[]byte("…")`.
    pub(super) fn skip_wrapper(&self, at: usize) -> usize {
        if let Some(open) = self.slice(at).or_else(|| self.constructor(at)) {
            return open;
        }
        let slice = if self.haystack[at..self.end].starts_with(b"[]byte(") { 2 } else { 0 };
        let rest = &self.haystack[at + slice..self.end];
        let ident = rest.iter().take(40).take_while(|b| b.is_ascii_alphanumeric() || b"_.$@&: ".contains(b)).count();
        let quote_at = |offset: usize| quote::at(self.haystack, at + offset, self.end).is_some();
        if ident > 0 && rest.get(ident) == Some(&b'(') && quote_at(slice + ident + 1) {
            return at + slice + ident + 1;
        }
        let short = rest.iter().take(2).take_while(|b| b"bBrRuUfF$@LNE&".contains(b)).count();
        // Rust's `r#"…"#`.
        let hashes = rest[short..].iter().take(3).take_while(|&&byte| short > 0 && byte == b'#').count();
        // `&"…"` is a pointer of Go's, `&'a str` a type of Rust's.
        let is_type = rest.starts_with(b"&'");
        if short > 0 && !is_type && quote_at(short + hashes) { at + short + hashes } else { at }
    }

    /// Whether a call looks the value up by the name in its brackets: `os.getenv("NAME")`, `getpass("Password: ")`.
    pub(super) fn is_lookup(&self, at: usize) -> bool {
        const CALLS: [&[u8]; 9] = [
            b"env",
            b"Env",
            b"environ.get",
            b"headers.get",
            b"getpass",
            b"Variable",
            b"prompt",
            b"ENV.fetch",
            b"input",
        ];
        let open = at.checked_sub(1).filter(|open| self.haystack[*open] == b'(');
        let name = open.map(|open| &self.haystack[self.key.end.min(open)..open]).unwrap_or_default();
        CALLS.iter().any(|call| name.ends_with(call))
    }

    /// Whether a quote at `at` closes a text that ends with the label: `log("password: ", value)`.
    pub(super) fn closes_label(&self, bridge: &Bridge, at: usize) -> bool {
        let open = self.key.start.checked_sub(1).and_then(|mark| quote::at(self.haystack, mark, self.key.start));
        let close = quote::at(self.haystack, at, self.end);
        let same = open.zip(close).is_some_and(|(open, close)| open.spelling == close.spelling && close.level == 0);
        let goes_on =
            |close: Quote| self.haystack[close.end..self.end].first().is_some_and(|byte| b",)+;".contains(byte));
        same && bridge.joint == Joint::Colon && bridge.key_quote.is_none() && close.is_some_and(goes_on)
    }

    /// Where the braces of Go's `[]string{"…"}` open.
    fn slice(&self, at: usize) -> Option<usize> {
        let rest = self.haystack[at..self.end].strip_prefix(b"[]")?;
        let name = rest.iter().take(24).take_while(|b| b.is_ascii_alphanumeric() || b"_.*".contains(b)).count();
        let open = at + 2 + name;
        let quoted = quote::at(self.haystack, open + 1, self.end).is_some();
        (name > 0 && rest.get(name) == Some(&b'{') && quoted).then_some(open)
    }

    /// Where a quote is behind what only makes something of it, or an address: `Just "…"`, `0x7ffe10 "…"`, `<<"…">>`.
    fn constructor(&self, at: usize) -> Option<usize> {
        if self.haystack[at..self.end].starts_with(b"<<") {
            return quote::at(self.haystack, at + 2, self.end).map(|open| open.start);
        }
        const REJECTED: &[u8] = b"rejected value [";
        if self.haystack[at..self.end].starts_with(REJECTED) {
            return Some(at + REJECTED.len());
        }
        const WORDS: [&[u8]; 6] = [b"Just", b"Some", b"Right", b"Ok", b"ConvertTo-SecureString", b"Buffer"];
        let rest = &self.haystack[at..self.end];
        let len = rest.iter().take(24).take_while(|byte| !byte.is_ascii_whitespace()).count();
        let address = rest[..len].strip_prefix(b"0x").is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        if !address && !WORDS.contains(&&rest[..len]) {
            return None;
        }
        let option = if rest[len..].starts_with(b" -String ") { 8 } else { 0 };
        let open = bridge::skip_blanks(self.haystack, at + len + option, self.end);
        (open > at + len && quote::at(self.haystack, open, self.end).is_some()).then_some(open)
    }
}

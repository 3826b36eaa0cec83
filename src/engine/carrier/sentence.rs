//! What people write between a key and its value: `the password for bob is …`, `API key provided: …`. Whether what follows is
//! a value is not its question.

use super::{bridge, quote};
use crate::engine::byteset::ByteSet;

/// Words that say what a key is, longest first.
pub(super) const COPULAS: [&[u8]; 7] = [b"is set to ", b"is: ", b"is ", b"was ", b"are ", b"equals ", b"set to "];

/// The length of what a label says of its key before the colon: `API key provided: …`, `Unseal Key 1: …`.
pub(super) fn label(rest: &[u8]) -> Option<usize> {
    const WORDS: [&[u8]; 12] = [
        b"provided",
        b"supplied",
        b"given",
        b"received",
        b"entered",
        b"used",
        b"sent",
        b"returned",
        b"generated",
        b"created",
        b"issued",
        b"presented",
    ];
    let digits = rest.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
    let letters = rest.iter().take(10).take_while(|byte| byte.is_ascii_lowercase()).count();
    let says = digits > 0 || WORDS.contains(&&rest[..letters]);
    let len = digits.max(letters);
    (says && rest[len..].starts_with(b": ")).then_some(len + 2)
}

/// The length of what a sentence says between a key and its value: `password for bob is …`, `token value: …`,
/// `password changed from …`.
pub(super) fn told(rest: &[u8]) -> Option<usize> {
    const SAID: [&[u8]; 13] = [
        b"value is ",
        b"value: ",
        b"value = ",
        b"has value ",
        b"has been set to ",
        b"has been changed to ",
        b"has been reset to ",
        b"was changed to ",
        b"was reset to ",
        b"changed from ",
        b"changed to ",
        b"updated to ",
        b"is now ",
    ];
    if let Some(said) = SAID.iter().find(|said| rest.starts_with(said)) {
        return Some(said.len());
    }
    let mut at = [&b"for "[..], b"of "].into_iter().find(|word| rest.starts_with(word))?.len();
    // Whose it is: a few words.
    for _ in 0..3 {
        let len = rest[at..].iter().take(40).take_while(|byte| OWNER.contains(**byte)).count();
        at += len;
        let rest = &rest[at.min(rest.len())..];
        if len == 0 {
            return None;
        }
        if let Some(word) = [&b": "[..], b" is: ", b" is ", b" was ", b" = "].into_iter().find(|w| rest.starts_with(w))
        {
            return Some(at + word.len());
        }
        at += usize::from(rest.starts_with(b" "));
    }
    None
}

/// What names of users, hosts and services are made of.
const OWNER: ByteSet =
    ByteSet::from_bytes(b"_-.@/'\"#").with_range(b'a', b'z').with_range(b'A', b'Z').with_range(b'0', b'9');

/// The length of `to ` behind a key that `head` says is set: `Setting the password to …`.
pub(super) fn set_to(head: &[u8], rest: &[u8]) -> Option<usize> {
    const VERBS: [&[u8]; 9] =
        [b"set", b"setting", b"change", b"changed", b"changing", b"reset", b"resetting", b"update", b"updating"];
    if !rest.starts_with(b"to ") {
        return None;
    }
    let mut words = head[head.len().saturating_sub(48)..].trim_ascii_end().rsplit(u8::is_ascii_whitespace).take(3);
    words.any(|word| VERBS.iter().any(|verb| verb.eq_ignore_ascii_case(word))).then_some(3)
}

/// `"key" is "value"`, `"key" to "value"`.
pub(super) fn said_of_quoted(haystack: &[u8], at: usize, end: usize) -> Option<usize> {
    let word = [&b"to "[..], b"is ", b"was "].into_iter().find(|word| haystack[at..end].starts_with(word))?;
    let value = bridge::skip_blanks(haystack, at + word.len(), end);
    quote::at(haystack, value, end).map(|_| value)
}

//! The value of a Cookie or Set-Cookie header (RFC 6265): names and attributes stay, every other value goes.

use super::value::{self, Kind};
use super::walked::Ahead;
use super::{Form, Site};

const ATTRIBUTES: [&[u8]; 10] = [
    b"path",
    b"domain",
    b"expires",
    b"max-age",
    b"samesite",
    b"priority",
    b"version",
    b"comment",
    b"secure",
    b"httponly",
];

/// Masks the values of `name=value; name=value` in `start..end`; `false` when the text is no list of cookies.
pub(super) fn mask(site: &mut Site<'_>, start: usize, end: usize) -> bool {
    if !is_pair(&site.haystack[start..end]) {
        return false;
    }
    let haystack = site.haystack;
    let semicolon = |from| memchr::memchr(b';', &haystack[from..end]).map_or(end, |len| from + len);
    // Of cookies within cookies only the first stands differently: the others end and begin where they did.
    let known = site.walked.cookies.contains(&start) && site.walked.cookies.end == end;
    if !known {
        site.walked.cookies = start..end;
        site.walked.cookie = Ahead::default();
        site.walked.own(start..end, end < site.end);
    }
    let first_end = site.walked.cookie.of(start, || semicolon(start));
    mask_piece(site, start, first_end);
    let mut from = if known { end } else { first_end + 1 };
    while from < end {
        let piece_end = semicolon(from);
        mask_piece(site, from, piece_end);
        from = piece_end + 1;
    }
    true
}

/// Whether the text begins with `name=`.
fn is_pair(text: &[u8]) -> bool {
    let name = text.iter().position(|b| !b.is_ascii_alphanumeric() && !b"_-.$!#%&'*+^`|~".contains(b));
    name.is_some_and(|name| name > 0 && text[name] == b'=')
}

fn mask_piece(site: &mut Site<'_>, start: usize, end: usize) {
    let piece = &site.haystack[start..end];
    let Some(equals) = memchr::memchr(b'=', piece) else { return };
    let name = piece[..equals].trim_ascii();
    let attribute = ATTRIBUTES.iter().any(|listed| listed.eq_ignore_ascii_case(name));
    if attribute || name.iter().any(u8::is_ascii_whitespace) {
        return;
    }
    let mut from = start + equals + 1;
    let mut to = (from..end).find(|&at| b" \t\r,".contains(&site.haystack[at])).unwrap_or(end);
    if to > from + 1 && site.haystack[from] == b'"' && site.haystack[to - 1] == b'"' {
        (from, to) = (from + 1, to - 1);
    }
    // A closing bracket belongs to what stands around the header.
    while to > from && matches!(site.haystack[to - 1], b']' | b'}' | b')' | b'\\') {
        to -= 1;
    }
    if value::kind_of(&site.haystack[from..to]) != Kind::Blank {
        site.add(from, to, Form::Bare);
    }
}

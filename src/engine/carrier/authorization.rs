//! The value of an Authorization header: a scheme, which stays, and a credential or parameters (RFC 9110, section 11.4).

use std::ops::Range;

use super::bridge::{self, Joint};
use super::quote;
use super::value::{self, Kind};
use super::{Form, Site};
use crate::engine::byteset::ByteSet;

/// Schemes whose name before a value is never the value itself.
const SCHEMES: [&[u8]; 22] = [
    b"bearer",
    b"basic",
    b"token",
    b"apikey",
    b"api-key",
    b"negotiate",
    b"ntlm",
    b"dpop",
    b"jwt",
    b"digest",
    b"oauth",
    b"hawk",
    b"signature",
    b"aws4-hmac-sha256",
    b"aws4-ecdsa-p256-sha256",
    b"googlelogin",
    b"ssws",
    b"key",
    b"mac",
    b"kerberos",
    b"privatetoken",
    b"sharedaccesssignature",
];
/// Of those, the ones that carry parameters instead of one credential.
const WITH_PARAMETERS: [&[u8]; 9] = [
    b"digest",
    b"oauth",
    b"hawk",
    b"signature",
    b"aws4-hmac-sha256",
    b"aws4-ecdsa-p256-sha256",
    b"mac",
    b"googlelogin",
    b"sharedaccesssignature",
];
/// Parameters that prove possession; the others (realm, user name, signed headers, key id) are left for the reader.
const SECRET_PARAMETERS: [&[u8]; 14] = [
    b"response",
    b"nonce",
    b"cnonce",
    b"signature",
    b"mac",
    b"token",
    b"auth",
    b"oauth_token",
    b"oauth_signature",
    b"oauth_nonce",
    b"password",
    b"sig",
    b"opaque",
    b"access_token",
];
/// Shorter ones prove nothing.
const MIN_PARAMETER: usize = 4;
const SCHEME_BYTES: ByteSet =
    ByteSet::from_bytes(b"-_").with_range(b'a', b'z').with_range(b'A', b'Z').with_range(b'0', b'9');

/// Masks the header value `start..end`; bare values may be followed by the rest of a sentence.
pub(super) fn mask(site: &mut Site<'_>, start: usize, end: usize, joint: Joint, quoted: Option<Form>) {
    let len = SCHEME_BYTES.run(&site.haystack[start..end.min(start + 40)]);
    let scheme = &site.haystack[start..start + len];
    let behind = gap(site.haystack, start + len, end);
    let known = is_listed(&SCHEMES, scheme);
    let Some(behind) = behind.filter(|_| known || is_word(scheme)) else {
        return single(site, start, end, joint, quoted);
    };
    let rest = &site.haystack[behind..end];
    if (is_listed(&WITH_PARAMETERS, scheme) || begins_quoted_parameter(rest)) && has_parameters(rest) {
        return parameters(site, behind, end);
    }
    if known || quoted.is_some() {
        mask_credential(site, behind, end, joint, quoted);
    } else {
        loose(site, behind, end, joint);
    }
}

/// Where the credential begins when a known scheme stands at `start`.
pub(super) fn known_scheme(haystack: &[u8], start: usize, end: usize) -> Option<usize> {
    let len = SCHEME_BYTES.run(&haystack[start..end.min(start + 24)]);
    let behind = gap(haystack, start + len, end)?;
    is_listed(&SCHEMES, &haystack[start..start + len]).then_some(behind)
}

/// Whether `value` is a scheme and blanks, from which the credential was taken.
pub(super) fn is_scheme_alone(value: &[u8]) -> bool {
    let name = value.trim_ascii_end();
    name.len() < value.len() && is_listed(&SCHEMES, name)
}

/// The credential that a program puts behind the scheme, which alone is the string `start..close`: `"Bearer " + "…"`,
/// `'Bearer %s' % '…'`. Nothing, right behind the string, where it is a variable's: `"Bearer " + token`.
pub(super) fn put_behind(haystack: &[u8], start: usize, close: usize, end: usize) -> Option<Range<usize>> {
    const HOLES: [&[u8]; 3] = [b"%s", b"%v", b"{}"];
    const MARKS: [&[u8]; 7] = [b".format(", b"..", b"+", b".", b"%", b"&", b"||"];
    let text = &haystack[start..close];
    let scheme = HOLES.iter().find_map(|hole| text.strip_suffix(*hole)).unwrap_or(text);
    if !is_scheme_alone(scheme) {
        return None;
    }
    let at = bridge::skip_blanks(haystack, quote::at(haystack, close, end)?.end, end);
    let mark = MARKS.iter().find(|mark| haystack[at..end].starts_with(mark))?.len();
    let at = bridge::skip_blanks(haystack, at + mark, end);
    let credential = match quote::at(haystack, at, end) {
        Some(open) => Some(open.end..quote::close(haystack, &open, end).unwrap_or(end)),
        None => {
            let bare = at..value::bare_end(haystack, at, end, Joint::Assign, false);
            value::looks_random(&haystack[bare.clone()]).then_some(bare)
        }
    };
    let said = |text: &Range<usize>| value::kind_of(&haystack[text.clone()]) != Kind::Blank;
    Some(credential.filter(said).unwrap_or(close..close))
}

/// Masks a credential behind its scheme. A bare one ends at the first blank, and must not be a mere word.
pub(super) fn mask_credential(site: &mut Site<'_>, start: usize, end: usize, joint: Joint, quoted: Option<Form>) {
    if site.is_ours(start, end) {
        return;
    }
    let Some(form) = quoted else { return loose(site, start, end, joint) };
    if value::kind_of(&site.haystack[start..end]) != Kind::Blank {
        site.add(start, end, form);
    }
}

/// A bare credential: one word that looks like one.
fn loose(site: &mut Site<'_>, start: usize, end: usize, joint: Joint) {
    let end = site.reach_word(value::bare_end(site.haystack, start, end, joint, site.is_query()));
    let credential = &site.haystack[start..end.max(start)];
    if value::kind_of(credential) == Kind::Opaque || is_base64ish(credential) {
        let form = site.bare_form(start);
        site.add(start, end, form);
    }
}

/// `dXNlcjpwYXNz` has neither digit nor symbol, and is no word either.
fn is_base64ish(credential: &[u8]) -> bool {
    let mixed = credential.windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
    credential.len() >= 8 && (mixed || credential.len() >= 24 && !credential.contains(&b'.'))
}

/// A value without a scheme.
fn single(site: &mut Site<'_>, start: usize, end: usize, joint: Joint, quoted: Option<Form>) {
    let end = if quoted.is_some() { end } else { value::bare_end(site.haystack, start, end, joint, site.is_query()) };
    match value::kind_of(&site.haystack[start..end.max(start)]) {
        Kind::Opaque => {}
        Kind::Word if joint.is_sure(quoted.is_some()) => {}
        _ => return,
    }
    let form = quoted.unwrap_or_else(|| site.bare_form(start));
    site.add(start, end, form);
}

/// The blanks between a scheme and its credential, in the spellings of URLs too. `bearer, x` is how a WebSocket says it.
fn gap(haystack: &[u8], at: usize, end: usize) -> Option<usize> {
    let rest = &haystack[at..end];
    let comma = usize::from(rest.starts_with(b", "));
    let behind = bridge::skip_blanks(haystack, at + comma, end);
    if behind > at && behind < end {
        return Some(behind);
    }
    const ENCODED: [&[u8]; 5] = [b"%20", b"+", b"%2B", b"\\t", b"\\u0020"];
    let encoded = ENCODED.iter().find(|text| rest.starts_with(text))?;
    (at + encoded.len() < end).then_some(at + encoded.len())
}

/// A word of letters: an unknown scheme, not a credential.
fn is_word(scheme: &[u8]) -> bool {
    (2..=24).contains(&scheme.len())
        && scheme.iter().filter(|b| b.is_ascii_digit()).count() <= 3
        && scheme[0].is_ascii_alphabetic()
}

fn is_listed(list: &[&[u8]], name: &[u8]) -> bool {
    list.iter().any(|listed| listed.eq_ignore_ascii_case(name))
}

/// Whether a parameter stands there; the padding of base64 assigns nothing.
fn has_parameters(text: &[u8]) -> bool {
    let assigns = |name: Range<usize>| text.get(name.end + 1).is_some_and(|byte| *byte != b'=' && *byte != b' ');
    next_parameter(text, 0).is_some_and(assigns)
}

/// Whether text begins with `name="`, as the parameters of any scheme may: `Token token="…"`.
fn begins_quoted_parameter(text: &[u8]) -> bool {
    let name = SCHEME_BYTES.run(&text[..text.len().min(40)]);
    let behind = text[name..].strip_prefix(b"=").unwrap_or_default();
    name > 0 && quote::at(behind, 0, behind.len()).is_some()
}

/// The next `name=` at or behind `from`: the name's range.
fn next_parameter(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut from = from;
    while let Some(equals) = memchr::memchr(b'=', &text[from..]).map(|len| from + len) {
        let name = text[..equals].iter().rev().take_while(|b| SCHEME_BYTES.contains(**b)).count();
        if name > 0 {
            return Some(equals - name..equals);
        }
        from = equals + 1;
    }
    None
}

/// Masks the secret ones of `name="value", name=value`.
fn parameters(site: &mut Site<'_>, start: usize, end: usize) {
    let mut from = 0;
    while let Some(name) = next_parameter(&site.haystack[start..end], from) {
        let at = start + name.end + 1;
        let open = quote::at(site.haystack, at, end);
        let value = match &open {
            Some(open) => open.end..quote::close(site.haystack, open, end).unwrap_or(end),
            None => at..value::bare_end(site.haystack, at, end, Joint::Assign, false),
        };
        let name = &site.haystack[start + name.start..start + name.end];
        if name.eq_ignore_ascii_case(b"credential") {
            // AWS writes the key's id, its date and region there, whatever has become of the signature.
            site.reached = site.reached.max(value.end);
        }
        let secret = is_listed(&SECRET_PARAMETERS, name);
        if secret && value.len() >= MIN_PARAMETER && value::kind_of(&site.haystack[value.clone()]) != Kind::Blank {
            let form = if open.is_some() { Form::Bracket } else { Form::Bare };
            site.add(value.start, value.end, form);
        }
        from = value.end.max(at) - start;
    }
}

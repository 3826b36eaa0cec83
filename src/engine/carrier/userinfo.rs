//! The password of a URL: `scheme://user:password@host` (RFC 3986, section 3.2.1), also where somebody forgot to encode it,
//! and a token in the user's place: `https://token@host`.

use std::ops::Range;

use super::value::{MAX_RANDOM, MIN_RANDOM, looks_random};
use super::walked::{Url, Walked};
use crate::engine::byteset::ByteSet;

/// Bytes that end a URL in a log.
const ENDS: ByteSet = ByteSet::from_bytes(b" \"<>`{}|\x7f").with_range(0, 0x1f);
/// What a token in a user's place is made of.
const USER: ByteSet =
    ByteSet::from_bytes(b"_-.~+=%!").with_range(b'a', b'z').with_range(b'A', b'Z').with_range(b'0', b'9');
/// Bytes of a host that are looked at.
const MAX_HOST: usize = 128;
const SCHEME: ByteSet =
    ByteSet::from_bytes(b"+.-").with_range(b'a', b'z').with_range(b'A', b'Z').with_range(b'0', b'9');

/// Whether what follows a `://` may hold a password: a user, a colon, and more than a port; or a user as long as a token.
/// Almost no URL does.
#[inline]
pub(crate) fn may_hold_password(rest: &[u8]) -> bool {
    // Where a user name ends for certain; `'` and a backslash may go on.
    const USER_ENDS: ByteSet = ENDS.union(ByteSet::from_bytes(b"/?#@[]"));
    // A path mostly comes first.
    let Some(colon) = memchr::memchr3(b':', b'/', b'@', rest) else { return false };
    if rest[..colon].iter().any(|byte| USER_ENDS.contains(*byte)) {
        return false;
    }
    if rest[colon] != b':' {
        return rest[colon] == b'@' && colon >= MIN_RANDOM;
    }
    let behind = &rest[colon + 1..];
    let port = behind.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(behind.len());
    // Up to a path, only digits: a port, and an `@` behind it is the path's.
    behind.get(port).is_some_and(|byte| !ENDS.contains(*byte) && !b"/?#".contains(byte))
}

/// The password in the userinfo behind the `://` of `len` bytes at `mark`, if there is one.
pub(crate) fn password(
    haystack: &[u8],
    mark: usize,
    len: usize,
    end: usize,
    walked: &mut Walked,
) -> Option<Range<usize>> {
    let start = mark + len;
    let Some(password) = place(haystack, mark, start, end, &mut walked.url) else {
        let user = start..start + USER.run(&haystack[start..end.min(start + MAX_RANDOM + 1)]);
        let alone = mark > 0 && SCHEME.contains(haystack[mark - 1]) && haystack.get(user.end) == Some(&b'@');
        return if alone { token(haystack, user.clone(), user.end) } else { None };
    };
    let user = start..password.start - 1;
    if !is_filler(&haystack[password.clone()]) || user.is_empty() {
        return Some(password).filter(|password| !password.is_empty());
    }
    token(haystack, user, password.end)
}

/// What services ask to be written where a password would stand, when the user's name is the token.
fn is_filler(password: &[u8]) -> bool {
    matches!(password, b"" | b"x" | b"X" | b"x-oauth-basic")
}

/// A user's name that is a token: nothing but random. What Sentry puts there is public, and is in every page it watches.
fn token(haystack: &[u8], user: Range<usize>, at_sign: usize) -> Option<Range<usize>> {
    let host = &haystack[at_sign..haystack.len().min(at_sign + MAX_HOST)];
    let host = &host[..host.iter().position(|byte| ENDS.contains(*byte) || *byte == b'/').unwrap_or(host.len())];
    let public = memchr::memmem::find(host, b"sentry").is_some();
    (looks_random(&haystack[user.clone()]) && !public).then_some(user)
}

/// Where a password would stand, perhaps nothing.
fn place(haystack: &[u8], mark: usize, start: usize, end: usize, url: &mut Url) -> Option<Range<usize>> {
    if mark == 0 || !SCHEME.contains(haystack[mark - 1]) {
        return None;
    }
    let authority = url.end.of(start, || authority_end(haystack, start, end));
    let colon = start + memchr::memchr(b':', &haystack[start..authority])?;
    let user = &haystack[start..colon];
    if user.iter().any(|b| b"/?#@[]".contains(b)) {
        return None;
    }
    Some(colon + 1..password_end(&haystack[..end], colon + 1, authority, url)?)
}

/// Up to the `@` that ends the userinfo: the last one before the path, or, where the password holds a raw `/`, the last
/// one before the URL ends, unless the part before the `/` is a port.
fn password_end(haystack: &[u8], start: usize, authority: usize, url: &mut Url) -> Option<usize> {
    let rest = &haystack[start..authority];
    let path = rest.iter().position(|b| b"/?#".contains(b)).unwrap_or(rest.len());
    if let Some(at) = memchr::memrchr(b'@', &rest[..path]) {
        return Some(start + at);
    }
    let port = rest[..path].iter().all(u8::is_ascii_digit);
    let ahead = |place: Option<usize>| place.map_or(haystack.len(), |len| start + len);
    // `@` after a comma or a second URL is somebody else's.
    let reach = url.delimiter.of(start, || ahead(haystack[start..].iter().position(|b| b",;&".contains(b))));
    let at = url.at_sign.of(start, || ahead(memchr::memchr(b'@', &haystack[start..])));
    (!port && at < reach.min(authority)).then_some(at)
}

fn authority_end(haystack: &[u8], start: usize, end: usize) -> usize {
    let window = &haystack[start..end];
    let mut len = 0;
    while len < window.len() && !ENDS.contains(window[len]) {
        let quote = window[len] == b'\'' && window.get(len + 1).is_none_or(|b| !b.is_ascii_alphanumeric());
        let escape = window[len] == b'\\' && window.get(len + 1).is_some_and(|b| b"\\/\"'nrtu".contains(b));
        if quote || escape {
            break;
        }
        len += 1;
    }
    start + len
}

/// Whether a value is a URL with a password in it, or one whose password was taken out: then only the password is masked.
pub(super) fn is_credential_url(value: &[u8]) -> bool {
    memchr::memmem::find(&value[..value.len().min(64)], b"://").is_some_and(|mark| {
        SCHEME.run(value) == mark && place(value, mark, mark + 3, value.len(), &mut Url::default()).is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let mark = text.find("://").expect("a URL");
        let walked = &mut Walked::default();
        assert_eq!(
            password(text.as_bytes(), mark, 3, text.len(), walked).map(|range| &text[range]),
            expected,
            "{text}"
        );
    }

    #[test]
    fn the_password_of_a_url_stands_between_user_and_host() {
        check("https://bob:pw%2F1@git.example.test/a", Some("pw%2F1"));
        check("redis://:pw@cache:6379/0", Some("pw"));
        check(r#"parse "postgres://bob:pa:pw@h:5432/db": bad"#, Some("pa:pw"));
        check("postgres://u:p/w#1@h/db", Some("p/w#1"));
        check("amqp://u:p@ss@h/v", Some("p@ss"));
        check("https://host:8080/x@2x.png", None);
        check("https://host/path:a@b", None);
        check("https://user@host/", None);
        check("https://host:8080,https://u@h", None);
        check("http://[::1]:80/", None);
        let token = "a8f2".repeat(8);
        for tail in ["@host/x.git", ":@host/x", ":x-oauth-basic@host", ":X@host"] {
            check(&format!("https://{token}{tail}"), Some(&token));
        }
        check(&format!("https://{token}@o1.ingest.sentry.io/1"), None);
        check(&format!("https://{token}:8080/x"), None);
        check(&format!("https://{token}.example.test/@x"), None);
        check("https://john.francis.doe@host/", None);
        check("https://:x@host/", Some("x"));
        // Where a token was masked before.
        check("https://****:x-oauth-basic@host/", None);
    }
}

//! The parameters of a URL that sign it or open what it names. Which values are URLs is not known here.

use std::ops::Range;

use super::byteset::ByteSet;

/// The rule they are counted under.
pub(super) const RULE: &str = "request-signature";

/// What OpenTelemetry's semantic conventions want redacted in `url.full` and `url.query`, the case as it is written:
/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/url/>.
const NAMES: [&[u8]; 7] = [
    b"X-Amz-Signature",
    b"X-Amz-Credential",
    b"X-Amz-Security-Token",
    b"AWSAccessKeyId",
    b"Signature",
    b"sig",
    b"X-Goog-Signature",
];
/// What ends a parameter.
const ENDS: ByteSet = ByteSet::from_bytes(b"&#;\"'<>` ").with_range(0, 0x1f);
/// What stands before one.
const STARTS: ByteSet = ByteSet::from_bytes(b"?&;");

/// Attributes whose value is a URL or a part of one (OpenTelemetry's semantic conventions, old names too).
const URLS: [&[u8]; 8] = [
    b"url.full",
    b"url.query",
    b"url.original",
    b"url.path",
    b"http.url",
    b"http.target",
    b"browser.document.url.full",
    b"http.request.header.referer",
];

/// Whether an attribute of this name is a URL.
pub(super) fn names_a_url(name: &[u8]) -> bool {
    URLS.contains(&name)
}

/// Whether one of them stands in `url`.
pub(crate) fn is_signed(url: &[u8]) -> bool {
    signatures(url).next().is_some()
}

/// The values of those parameters in `url`, a URL or its query.
pub(super) fn signatures(url: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let equals = memchr::memchr_iter(b'=', url);
    equals.filter_map(|equals| {
        let head = &url[..equals];
        let begins = |start: usize| start == 0 || STARTS.contains(url[start - 1]);
        if !NAMES.iter().any(|name| head.ends_with(name) && begins(equals - name.len())) {
            return None;
        }
        let len = url[equals + 1..].iter().position(|byte| ENDS.contains(*byte));
        let end = len.map_or(url.len(), |len| equals + 1 + len);
        (end > equals + 1).then_some(equals + 1..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seven_parameters_are_found_by_their_exact_names() {
        let check = |url: &str, expected: &[&str]| {
            let got: Vec<&str> = signatures(url.as_bytes()).map(|range| &url[range]).collect();
            assert_eq!(got, expected, "{url}");
        };
        check("https://x/a?sig=ab%2B&se=1#f", &["ab%2B"]);
        check("sig=ab", &["ab"]);
        check("?Sig=ab&signature=cd&design=e", &[]);
        check("?a=1&Signature=cd&AWSAccessKeyId=k", &["cd", "k"]);
        check("?X-Amz-Credential=k/1&X-Amz-Security-Token=t&X-Amz-Signature=s", &["k/1", "t", "s"]);
        check("?X-Goog-Signature=s&sig=", &["s"]);
    }
}

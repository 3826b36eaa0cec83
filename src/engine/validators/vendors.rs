//! Checks of one vendor's structure each, where no checksum is known or it needs more than a CRC. Not a shape's first test:
//! the rule's pattern has matched before.

use sha2::{Digest, Sha256};

use super::encoding;

/// `github_pat_` 22 `_` 43, then the base32 of the SHA-256 of all that, eight characters of it, then eight more.
pub(super) fn github_fine_grained(secret: &[u8]) -> bool {
    const BODY_LEN: usize = "github_pat_".len() + 22 + 1 + 43;
    let Some((body, tail)) = secret.split_at_checked(BODY_LEN) else { return false };
    let expected = encoding::base32_prefix::<8>(&Sha256::digest(body));
    tail.first_chunk::<8>().is_some_and(|checksum| checksum.eq_ignore_ascii_case(&expected))
}

/// An access key id whose base32 holds an account number of at most twelve digits; nine in ten random ones do.
pub(super) fn aws_key_id(secret: &[u8]) -> bool {
    let Some(head) = secret.get(4..13).filter(|_| secret.len() == 20) else { return false };
    let Some(number) = encoding::base32_number(head) else { return false };
    // Nine characters are 45 bits: one flag, 40 of the account, four of what follows.
    (number >> 4 & 0xff_ffff_ffff) < 1_000_000_000_000
}

/// `pypi-` and a macaroon of version 2 whose location is a host name.
pub(super) fn pypi_macaroon(secret: &[u8]) -> bool {
    let Some(body) = secret.strip_prefix(b"pypi-") else { return false };
    let Some(decoded) = encoding::base64_url(&body[..body.len().min(64)]) else { return false };
    let [2, 1, len, rest @ ..] = decoded.as_slice() else { return false };
    rest.get(..usize::from(*len)).is_some_and(is_host)
}

/// Holds the base64 of `OpenAI`.
pub(super) fn openai_marker(secret: &[u8]) -> bool {
    secret.windows(8).any(|window| window == b"T3BlbkFJ")
}

/// Ends in the zero bits that pad an Anthropic key.
pub(super) fn anthropic_tail(secret: &[u8]) -> bool {
    secret.ends_with(b"AA")
}

/// `xoxb-` and kin, `xapp-`: a prefix, ids, and an opaque last part.
///
/// <https://docs.slack.dev/authentication/tokens>
pub(super) fn slack(secret: &[u8]) -> bool {
    let parts: Vec<&[u8]> = secret.split(|&byte| byte == b'-').collect();
    let [prefix, ids @ .., last] = parts.as_slice() else { return false };
    let known = prefix.starts_with(b"xox") || *prefix == b"xapp";
    let are_ids = !ids.is_empty() && ids.iter().all(|id| id.iter().all(u8::is_ascii_alphanumeric) && has_digit(id));
    known && are_ids && last.len() >= 10 && last.iter().all(u8::is_ascii_alphanumeric)
}

/// `sk_live_` and kin: 24 or 34 characters, or the long form that begins with `51`; `whsec_`: 32 and more.
///
/// <https://docs.stripe.com/keys>
pub(super) fn stripe(secret: &[u8]) -> bool {
    let Some(at) = secret.iter().rposition(|&byte| byte == b'_') else { return false };
    let (prefix, body) = (&secret[..at], &secret[at + 1..]);
    let length = if prefix == b"whsec" { body.len() >= 32 } else { known_stripe_length(body) };
    length && body.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte))
}

fn known_stripe_length(body: &[u8]) -> bool {
    matches!(body.len(), 24 | 34) || (body.len() >= 90 && body.starts_with(b"51"))
}

/// Azure's identifiable keys: a provider's signature stands at a place that follows from the length.
///
/// <https://github.com/microsoft/security-utilities>
pub(super) fn azure_cask(secret: &[u8]) -> bool {
    const SIGNATURES: [&[u8]; 14] = [
        b"+ASt", b"+ABa", b"+ASb", b"+AEh", b"+ARm", b"+ACR", b"+AMC", b"ACDb", b"AIoT", b"AzCa", b"AZEG", b"AzSe",
        b"AzFu", b"APIM",
    ];
    let signed_at = |at: usize| secret.get(at..at + 4).is_some_and(|found| SIGNATURES.contains(&found));
    match secret.len() {
        44 => signed_at(33),
        52 => signed_at(42),
        56 => signed_at(44),
        84 => secret[52..].starts_with(b"JQQJ9"),
        88 if signed_at(76) => true,
        64.. => [44, 88].iter().any(|&at| secret.get(at..at + 4) == Some(b"QJJQ")),
        _ => false,
    }
}

/// Three parts, the first of which is the base64 of a user's number.
///
/// <https://discord.com/developers/docs/reference#snowflakes>
pub(super) fn discord_id(secret: &[u8]) -> bool {
    let mut parts = secret.split(|&byte| byte == b'.');
    let (Some(id), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    encoding::base64_url(id).is_some_and(|id| (17..=20).contains(&id.len()) && id.iter().all(u8::is_ascii_digit))
}

/// A header that decodes to an object with an `alg` (RFC 7515, section 4.1.1).
pub(super) fn jwt(secret: &[u8]) -> bool {
    let Some(header) = secret.split(|&byte| byte == b'.').next().filter(|header| header.len() < secret.len()) else {
        return false;
    };
    let Some(decoded) = encoding::base64_url(header) else { return false };
    let json = decoded.trim_ascii();
    json.starts_with(b"{") && json.ends_with(b"}") && has_key(json, b"\"alg\"")
}

/// Whether `key`, with its quotes, is followed by a colon somewhere in `json`.
fn has_key(json: &[u8], key: &[u8]) -> bool {
    json.windows(key.len())
        .enumerate()
        .any(|(at, window)| window == key && json[at + key.len()..].trim_ascii_start().starts_with(b":"))
}

fn is_host(text: &[u8]) -> bool {
    text.contains(&b'.') && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(byte))
}

fn has_digit(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    use super::*;

    fn check(validator: fn(&[u8]) -> bool, cases: &[(Vec<u8>, bool)]) {
        for (at, (secret, expected)) in cases.iter().enumerate() {
            assert_eq!(validator(secret), *expected, "case {at}");
        }
    }

    fn encoded(bytes: &[u8]) -> Vec<u8> {
        BASE64_URL_SAFE_NO_PAD.encode(bytes).into_bytes()
    }

    fn joined(parts: &[&[u8]], separator: &[u8]) -> Vec<u8> {
        parts.join(separator)
    }

    #[test]
    fn a_fine_grained_token_carries_a_hash_of_its_head() {
        let body = [b"github_pat_".as_slice(), &[b'1'; 22], b"_", &[b'b'; 43]].concat();
        let sum = encoding::base32_prefix::<8>(&Sha256::digest(&body));
        let good = [body.as_slice(), &sum, b"tailtail"].concat();
        let bad = [body.as_slice(), b"AAAAAAAA", b"tailtail"].concat();
        check(github_fine_grained, &[(good.clone(), true), (bad, false), (good[..40].to_vec(), false)]);
    }

    #[test]
    fn a_key_id_holds_an_account_of_twelve_digits() {
        let id = |head: &[u8]| [b"AKIA".as_slice(), head, &[b'A'; 12]].concat();
        check(aws_key_id, &[(id(b"ABCD"), true), (id(b"P777"), false), (id(b"A0AA"), false), (id(b"AAA"), false)]);
    }

    #[test]
    fn a_macaroon_names_its_host() {
        let token = |location: &[u8], version: u8| {
            let body = [&[version, 1, location.len() as u8], location, &[2; 60]].concat();
            [b"pypi-".as_slice(), &encoded(&body)].concat()
        };
        check(
            pypi_macaroon,
            &[
                (token(b"pypi.org", 2), true),
                (token(b"test.pypi.org", 2), true),
                (token(b"pypi.org", 1), false),
                (token(b"no host", 2), false),
                (b"pypi-".to_vec(), false),
            ],
        );
    }

    #[test]
    fn markers_are_sought_where_they_stand() {
        let marker = encoded(b"OpenAI");
        check(
            openai_marker,
            &[([&[b'a'; 20], marker.as_slice(), &[b'b'; 20]].concat(), true), (vec![b'a'; 48], false)],
        );
        check(anthropic_tail, &[([&[b'x'; 20], b"AA".as_slice()].concat(), true), (vec![b'x'; 22], false)]);
    }

    #[test]
    fn a_slack_token_has_a_prefix_ids_and_an_opaque_end() {
        let digits = [b'1'; 12];
        let body = [b'z'; 24];
        let cases = [
            (joined(&[b"xoxb", &digits, &digits, &body], b"-"), true),
            (joined(&[b"xapp", b"1", b"A01", &digits, &body], b"-"), true),
            (joined(&[b"xoxb", &digits, b"end"], b"-"), false),
            (joined(&[b"xoxb", &body], b"-"), false),
            (joined(&[b"xoxb", b"words", b"not", &body], b"-"), false),
        ];
        check(slack, &cases);
    }

    #[test]
    fn a_stripe_key_has_a_known_length() {
        let key = |prefix: &[u8], body: &[u8]| joined(&[prefix, body], b"_");
        let long = [b"51".as_slice(), &[b'L'; 97]].concat();
        let cases = [
            (key(b"sk_live", &[b'a'; 24]), true),
            (key(b"rk_test", &[b'a'; 34]), true),
            (key(b"sk_live", &long), true),
            (key(b"sk_live", &[b'L'; 99]), false),
            (key(b"sk_live", &[b'a'; 25]), false),
            (key(b"whsec", &[b'a'; 32]), true),
            (b"nothing".to_vec(), false),
        ];
        check(stripe, &cases);
    }

    #[test]
    fn an_azure_key_is_signed_at_a_place_its_length_decides() {
        let signed = |at: usize, signature: &[u8], len: usize| {
            let mut key = vec![b'k'; len];
            key[at..at + signature.len()].copy_from_slice(signature);
            key
        };
        let cases = [
            (signed(33, b"AzCa", 44), true),
            (signed(42, b"AzSe", 52), true),
            (signed(44, b"AzFu", 56), true),
            (signed(52, b"JQQJ99", 84), true),
            (signed(76, b"+ASt", 88), true),
            (signed(44, b"QJJQ", 68), true),
            (signed(43, b"AzFu", 56), false),
            (signed(0, b"+ASt", 88), false),
            (vec![b'k'; 44], false),
            (Vec::new(), false),
        ];
        check(azure_cask, &cases);
    }

    #[test]
    fn a_bot_token_begins_with_a_number() {
        let token = |id: &[u8]| joined(&[&encoded(id), b"abcdef", &[b'z'; 27]], b".");
        check(discord_id, &[(token(&[b'7'; 18]), true), (token(&[b'x'; 18]), false), (token(b"42"), false)]);
        check(discord_id, &[(encoded(&[b'7'; 18]), false)]);
    }

    #[test]
    fn a_jwt_header_names_its_algorithm() {
        let token = |header: &[u8]| joined(&[&encoded(header), &encoded(b"{}"), b"sig"], b".");
        let cases = [
            (token(br#"{"alg":"none"}"#), true),
            (token(br#" {"typ":"JWT", "alg" : "HS256"}"#), true),
            (token(br#"{"typ":"alg"}"#), false),
            (token(br#"["alg"]"#), false),
            (encoded(br#"{"alg":"none"}"#), false),
            (b"...".to_vec(), false),
        ];
        check(jwt, &cases);
    }
}

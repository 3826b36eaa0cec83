//! Values known only by the word before them: whether they can be anything but words. No format is checked here.

use super::encoding::{base64_url, in_url_alphabet};

/// Whether a run of token characters is opaque: letters with digits or symbols among them, and no hyphenated phrase,
/// address, version or date.
pub(super) fn token(run: &[u8]) -> bool {
    let digits = run.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = run.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    // `release-2026.11.22`: a word and numbers.
    let mixed = run.split(|byte| !byte.is_ascii_alphanumeric()).any(|part| {
        part.iter().any(u8::is_ascii_digit) && part.iter().filter(|byte| byte.is_ascii_alphabetic()).count() >= 2
    });
    let longest = run.split(|byte| !byte.is_ascii_alphanumeric()).map(<[u8]>::len).max().unwrap_or(0);
    let humps = run.windows(2).filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase()).count();
    letters >= 3 && mixed && (digits >= 2 || digits == 1 && longest >= 8 || humps >= 3) && longest >= 6
}

/// Whether a run of base64 is what HTTP's Basic scheme sends: `user:password` in printable characters (RFC 7617).
pub(super) fn basic_credentials(run: &[u8]) -> bool {
    let alphabet = in_url_alphabet(run);
    let decoded = base64_url(&alphabet).unwrap_or_default();
    decoded.contains(&b':') && decoded.iter().all(|byte| *byte >= b' ' && *byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_an_address_and_a_version_are_no_tokens() {
        for phrase in ["token-based-authentication", "192.168.100.100", "release-2026.11.22", "required_for_this_realm"]
        {
            assert!(!token(phrase.as_bytes()), "{phrase}");
        }
        assert!(token("aB3".repeat(8).as_bytes()));
        assert!(token(["k7Lm2", "nQ8pR4", "tVwXy"].concat().as_bytes()));
    }

    #[test]
    fn basic_credentials_are_a_user_a_colon_and_a_password() {
        use base64::Engine as _;
        let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text).into_bytes();
        assert!(basic_credentials(&encode("deploy:hunter22")));
        assert!(!basic_credentials(&encode("no colon here at all")));
        assert!(!basic_credentials(b"authentication"));
    }
}

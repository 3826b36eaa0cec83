//! Codecs the validators share: base64 of the URL-safe alphabet, base32. Not for the engine's views, which map offsets back.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// More than any header or id that a validator looks into; what is longer is cut, so that a check stays cheap.
const MAX_ENCODED_BYTES: usize = 4096;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The bytes that `text` encodes in the alphabet of RFC 4648, section 5, with or without padding; at most the first 4,096
/// characters are read.
pub(super) fn base64_url(text: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE.decode(bounded(text)).ok()
}

/// A run of base64 in the alphabet of RFC 4648, section 5, whichever it was written in, without padding.
pub(super) fn in_url_alphabet(run: &[u8]) -> Vec<u8> {
    let letter = |byte: &u8| match byte {
        b'+' => b'-',
        b'/' => b'_',
        other => *other,
    };
    run.iter().take_while(|byte| **byte != b'=').map(letter).collect()
}

/// The first `N` characters of the base32 (RFC 4648, section 6) of `bytes`.
pub(super) fn base32_prefix<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let bit = |index: usize| bytes.get(index / 8).map_or(0, |byte| byte >> (7 - index % 8) & 1);
    std::array::from_fn(|at| {
        let digit = (0..5).fold(0, |digit, offset| digit << 1 | bit(at * 5 + offset));
        BASE32[usize::from(digit)]
    })
}

/// The number that up to twelve base32 characters spell, most significant first.
pub(super) fn base32_number(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = BASE32.iter().position(|letter| letter == byte)?;
        Some(number << 5 | digit as u64)
    })
}

/// The first bytes of `text`, a whole number of quartets if it had to be cut.
fn bounded(text: &[u8]) -> &[u8] {
    &text[..text.len().min(MAX_ENCODED_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded_with_and_without_padding() {
        assert_eq!(base64_url(b"Zm9vYg==").unwrap(), b"foob");
        assert_eq!(base64_url(b"Zm9vYg").unwrap(), b"foob");
        assert_eq!(base64_url(b"-_-_").unwrap(), [0xfb, 0xff, 0xbf]);
        assert_eq!(base64_url(b"not base64"), None);
    }

    #[test]
    fn base32_agrees_with_the_vectors_of_rfc_4648() {
        assert_eq!(&base32_prefix::<8>(b"fooba"), b"MZXW6YTB");
        assert_eq!(base32_number(b"AAAB"), Some(1));
        assert_eq!(base32_number(b"7777"), Some(0xf_ffff));
        assert_eq!(base32_number(b"01"), None);
    }

    #[test]
    fn a_long_text_is_cut_and_still_decodes() {
        assert_eq!(base64_url(&[b'A'; 10_001]).unwrap().len(), 3072);
    }
}

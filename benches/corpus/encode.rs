//! The encodings that secrets and URLs come in: base64, percent, CRC-32 in base 62. Nothing here decodes.

/// The digits of a base64 alphabet and whether it pads.
pub(super) struct Base64 {
    digits: &'static [u8; 64],
    padded: bool,
}

/// RFC 4648, section 4.
pub(super) const STANDARD: Base64 =
    Base64 { digits: b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", padded: true };

/// RFC 4648, section 5, without padding, as in JSON web tokens.
pub(super) const URL_SAFE: Base64 =
    Base64 { digits: b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", padded: false };

/// Appends `raw` in base64.
pub(super) fn base64(out: &mut Vec<u8>, raw: &[u8], alphabet: &Base64) {
    for group in raw.chunks(3) {
        let bits = (0..3).fold(0u32, |bits, i| (bits << 8) | u32::from(group.get(i).copied().unwrap_or(0)));
        for i in 0..=group.len() {
            out.push(alphabet.digits[(bits >> (18 - 6 * i)) as usize & 63]);
        }
        if alphabet.padded {
            out.resize(out.len() + 3 - group.len(), b'=');
        }
    }
}

/// Appends `raw` with everything but the unreserved characters of RFC 3986 percent-encoded.
pub(super) fn percent(out: &mut Vec<u8>, raw: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in raw {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else {
            out.extend([b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
}

/// Appends the CRC-32 of `raw` as six base-62 digits, the tail of GitHub's and npm's tokens.
pub(super) fn crc_base62(out: &mut Vec<u8>, raw: &[u8]) {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let crc = crc32(raw);
    for place in (0..6).rev() {
        out.push(DIGITS[(crc / 62u32.pow(place) % 62) as usize]);
    }
}

/// CRC-32 (IEEE), bit by bit: it runs on 30 bytes of one line in hundreds.
fn crc32(raw: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !raw.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn crc32_agrees_with_the_published_check_value() {
        assert_eq!(super::crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn base64_agrees_with_rfc_4648() {
        for (raw, expected) in [("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            let mut out = Vec::new();
            super::base64(&mut out, raw.as_bytes(), &super::STANDARD);
            assert_eq!(out, expected.as_bytes());
        }
    }
}

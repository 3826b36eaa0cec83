//! The checksum of bech32 (BIP-173), which age writes its identities in. Not bech32m.

const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];

/// A human-readable part, `1`, and data that ends in six checksum characters; all upper or all lower case.
pub(super) fn bech32(secret: &[u8]) -> bool {
    let lower = secret.to_ascii_lowercase();
    let one_case = secret == lower || secret == secret.to_ascii_uppercase();
    let Some(at) = lower.iter().rposition(|&byte| byte == b'1') else { return false };
    let (prefix, data) = (&lower[..at], &lower[at + 1..]);
    one_case && !prefix.is_empty() && data.len() >= 6 && remainder(prefix, data) == Some(1)
}

/// What the code's polynomial leaves of the whole word; `None` when a character is not in the alphabet.
fn remainder(prefix: &[u8], data: &[u8]) -> Option<u32> {
    let high = prefix.iter().map(|byte| u32::from(byte >> 5));
    let low = prefix.iter().map(|byte| u32::from(byte & 31));
    let head = high.chain([0]).chain(low).fold(1, step);
    data.iter().try_fold(head, |sum, byte| {
        let value = ALPHABET.iter().position(|letter| letter == byte)?;
        Some(step(sum, value as u32))
    })
}

fn step(sum: u32, value: u32) -> u32 {
    let shifted = (sum & 0x1ff_ffff) << 5 ^ value;
    let terms = GENERATOR.iter().enumerate().filter(|(bit, _)| sum >> 25 >> bit & 1 == 1);
    terms.fold(shifted, |sum, (_, term)| sum ^ term)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `prefix`, `1`, `data` and the checksum BIP-173 asks for.
    fn encoded(prefix: &[u8], data: &[u8]) -> Vec<u8> {
        let rest = remainder(prefix, &[data, b"qqqqqq"].concat()).unwrap() ^ 1;
        let checksum: Vec<u8> = (0..6).map(|at| ALPHABET[(rest >> (25 - 5 * at) & 31) as usize]).collect();
        [prefix, b"1", data, &checksum].concat()
    }

    #[test]
    fn the_vectors_of_bip_173_pass() {
        assert!(bech32(b"A12UEL5L"));
        assert!(bech32(b"a12uel5l"));
        assert!(bech32(b"?1ezyfcl"));
        for bad in [b"A12uEL5L".as_slice(), b"a12uel5m", b"10a06t8", b"pzry9x0s0muk", b"1qzzfhee", b""] {
            assert!(!bech32(bad));
        }
    }

    #[test]
    fn an_identity_passes_in_upper_case_and_fails_with_one_letter_changed() {
        let mut identity = encoded(b"age-secret-key-", &[b'x'; 52]).to_ascii_uppercase();
        assert!(bech32(&identity));
        identity[30] = b'Q';
        assert!(!bech32(&identity));
    }
}

//! Tokens that end in a CRC-32 (IEEE) of their own text, in whatever base their vendor writes it. Not keyed signatures.

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE36: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The six base62 digits, zero-padded, that GitHub, npm and Vercel append to a token's `body`.
///
/// <https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/>
pub(crate) fn base62_checksum(body: &[u8]) -> [u8; 6] {
    digits(crc32fast::hash(body), BASE62)
}

/// `prefix_` body checksum: GitHub's `ghp_` and kin, `npm_`, `vcp_` and kin.
pub(super) fn crc32_base62(secret: &[u8]) -> bool {
    let body = secret.rsplit(|&byte| byte == b'_').next().unwrap_or(secret);
    ends_in(body, base62_checksum)
}

/// `glpat-` payload `.` version `.` length and seven base36 digits over all that stands before them.
///
/// <https://docs.gitlab.com/security/tokens/>
pub(super) fn gitlab_routable(secret: &[u8]) -> bool {
    secret.contains(&b'.') && ends_in(secret, |before| digits::<7>(crc32fast::hash(before), BASE36))
}

/// `glsa_` 32 characters `_` and the checksum of all before that `_`, little endian, in lower-case hex.
pub(super) fn grafana(secret: &[u8]) -> bool {
    secret.strip_prefix(b"glsa_").is_some_and(|rest| rest.len() == 41 && rest[32] == b'_')
        && ends_in(secret, |before| hex(crc32fast::hash(&before[..before.len() - 1]).to_le_bytes()))
}

/// Atlassian's `ATATT3…`, `ATCTT3…` and `ATBB…`: eight upper-case hex digits over all that stands before them.
pub(super) fn atlassian(secret: &[u8]) -> bool {
    ends_in(secret, |before| hex(crc32fast::hash(before).to_be_bytes()).map(|digit| digit.to_ascii_uppercase()))
}

/// `cflt` 54 characters and the base64 of their checksum, little endian.
///
/// <https://docs.confluent.io/cloud/current/security/authenticate/workload-identities/service-accounts/api-keys/overview.html>
pub(super) fn confluent(secret: &[u8]) -> bool {
    let Some(body) = secret.strip_prefix(b"cflt") else { return false };
    body.len() == 60 && ends_in(body, |body| base64_tail(crc32fast::hash(body)))
}

/// `prefix_` body `_` and the checksum of the body in lower-case hex: Zuplo's `zpka_`.
pub(super) fn hex_crc(secret: &[u8]) -> bool {
    let mut parts = secret.rsplit(|&byte| byte == b'_');
    let (Some(checksum), Some(body), Some(_prefix)) = (parts.next(), parts.next(), parts.next()) else { return false };
    checksum == hex(crc32fast::hash(body).to_be_bytes())
}

/// Whether `text` is some text followed by the checksum of it.
fn ends_in<const N: usize>(text: &[u8], checksum: impl Fn(&[u8]) -> [u8; N]) -> bool {
    text.split_last_chunk::<N>().is_some_and(|(body, tail)| !body.is_empty() && *tail == checksum(body))
}

/// The last `N` digits of `number`, zero-padded, in the base that `alphabet` spells.
fn digits<const N: usize>(mut number: u32, alphabet: &[u8]) -> [u8; N] {
    let base = alphabet.len() as u32;
    let mut text = [alphabet[0]; N];
    for digit in text.iter_mut().rev() {
        *digit = alphabet[(number % base) as usize];
        number /= base;
    }
    text
}

fn hex(bytes: [u8; 4]) -> [u8; 8] {
    std::array::from_fn(|at| BASE36[usize::from(bytes[at / 2] >> (4 - at % 2 * 4) & 15)])
}

/// The six characters that carry the 32 bits, least significant byte first.
fn base64_tail(checksum: u32) -> [u8; 6] {
    let bits = u64::from(checksum.swap_bytes()) << 4;
    std::array::from_fn(|at| BASE64[(bits >> (30 - 6 * at) & 63) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    type Check = fn(&[u8]) -> bool;

    const BODY: &[u8] = b"30xxBodyxxOfxxAxxTokenxxxxxx30";

    fn token(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    fn flipped(token: &[u8]) -> Vec<u8> {
        let mut token = token.to_vec();
        let at = token.len() / 2;
        token[at] ^= 1;
        token
    }

    #[test]
    fn crc32_is_the_one_of_ieee() {
        assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn each_base_writes_known_numbers() {
        assert_eq!(&digits::<6>(62 * 62 + 61, BASE62), b"00010z");
        assert_eq!(&digits::<7>(u32::MAX, BASE36), b"1z141z3");
        assert_eq!(&hex(0x00c0_ffee_u32.to_be_bytes()), b"00c0ffee");
        assert_eq!(&base64_tail(u32::from_le_bytes(*b"foob")), b"Zm9vYg");
    }

    #[test]
    fn a_token_with_its_own_checksum_passes_and_a_changed_one_does_not() {
        let long = [b"54".as_slice(), &[b'k'; 52]].concat();
        let glsa = token(&[b"glsa_", &[b'g'; 32]]);
        let routable = token(&[b"glpat-", BODY, b".01.", b"0u"]);
        let upper = |text: &[u8]| hex(crc32fast::hash(text).to_be_bytes()).map(|digit| digit.to_ascii_uppercase());
        let atlassian_head = token(&[b"ATATT3", BODY, b"="]);
        let cases: [(Check, Vec<u8>); 7] = [
            (crc32_base62, token(&[b"ghp_", BODY, &base62_checksum(BODY)])),
            (crc32_base62, token(&[BODY, &base62_checksum(BODY)])),
            (gitlab_routable, token(&[&routable, &digits::<7>(crc32fast::hash(&routable), BASE36)])),
            (grafana, token(&[&glsa, b"_", &hex(crc32fast::hash(&glsa).to_le_bytes())])),
            (atlassian, token(&[&atlassian_head, &upper(&atlassian_head)])),
            (confluent, token(&[b"cflt", &long, &base64_tail(crc32fast::hash(&long))])),
            (hex_crc, token(&[b"zpka_", BODY, b"_", &hex(crc32fast::hash(BODY).to_be_bytes())])),
        ];
        for (at, (check, token)) in cases.iter().enumerate() {
            assert!(check(token), "case {at}");
            assert!(!check(&flipped(token)), "case {at}, changed");
            assert!(!check(&token[..token.len() - 1]), "case {at}, cut");
        }
    }
}

//! Tokens inside base64. It decodes a run whose alignment is unknown and looks for what well-known tokens begin with; what
//! the tokens themselves must look like is their own rules' work.

use super::encoding::{base64_url, in_url_alphabet};

/// What the tokens begin with that are worth finding inside base64.
const PREFIXES: [&[u8]; 20] = [
    b"ghp_",
    b"gho_",
    b"ghs_",
    b"ghu_",
    b"ghr_",
    b"github_pat_",
    b"glpat-",
    b"xoxb-",
    b"xoxp-",
    b"sk-ant-",
    b"sk-proj-",
    b"sk_live_",
    b"rk_live_",
    b"AKIA",
    b"AIzaSy",
    b"hvs.",
    b"dop_v1_",
    b"npm_",
    b"pypi-",
    b"-----BEGIN",
];
/// Characters of a token behind its prefix.
const MIN_TAIL: usize = 12;

/// Whether the run, read at one of the four alignments, holds a token.
pub(super) fn holds_token(run: &[u8]) -> bool {
    let alphabet = in_url_alphabet(run);
    (0..4).any(|shift| {
        let padded: Vec<u8> = std::iter::repeat_n(b'A', shift).chain(alphabet.iter().copied()).collect();
        let whole = padded.len() - usize::from(padded.len() % 4 == 1);
        base64_url(&padded[..whole]).is_some_and(|decoded| decoded_token(&decoded))
    })
}

fn decoded_token(decoded: &[u8]) -> bool {
    // Cut out of a longer run, the first character lacks the bits it shares with what stood before.
    PREFIXES.iter().map(|prefix| &prefix[1..]).any(|prefix| {
        memchr::memmem::find_iter(decoded, prefix).any(|at| {
            let tail = decoded[at + prefix.len()..].iter();
            tail.take_while(|byte| byte.is_ascii_alphanumeric() || b"_-. ".contains(byte)).count() >= MIN_TAIL
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// base64 of `text`, the first `skip` characters cut off.
    fn encoded(text: &str, skip: usize) -> Vec<u8> {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(text).into_bytes()[skip..].to_vec()
    }

    #[test]
    fn a_token_is_found_at_every_alignment() {
        let tail = "aB3".repeat(12);
        for (before, skip) in [("", 0), ("a", 2), ("ab", 3), ("abc", 4)] {
            assert!(holds_token(&encoded(&format!("{before}gh{}{tail}", "p_"), skip)), "{before}");
        }
        assert!(!holds_token(&encoded(&tail, 0)));
    }
}

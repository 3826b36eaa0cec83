//! The corpus generator is held to what the benchmarks claim of it: the same bytes everywhere, a truth that points at
//! the secrets, and clean lines that look suspicious as often as real ones do.

#[path = "../benches/corpus/mod.rs"]
mod corpus;

use corpus::{Corpus, Spec, generate};
use std::collections::BTreeSet;

const MIB: usize = 1 << 20;

fn make(bytes: usize, seed: u64, secret_every: u32) -> Corpus {
    generate(&Spec { bytes, seed, secret_every })
}

/// Occurrences per megabyte, whatever the case.
fn per_mb(haystack: &[u8], word: &str) -> usize {
    let lower = haystack.to_ascii_lowercase();
    let found = lower.windows(word.len()).filter(|window| *window == word.as_bytes()).count();
    found * 1_000_000 / haystack.len()
}

#[test]
fn equal_seeds_make_equal_bytes() {
    let (one, same, other) = (make(MIB, 7, 10), make(MIB, 7, 10), make(MIB, 8, 10));
    assert_eq!((&one.bytes, &one.truth), (&same.bytes, &same.truth));
    assert_ne!(one.bytes, other.bytes);
}

/// Numbers measured on two different corpora cannot be compared: whoever changes the templates changes this line too.
#[test]
fn the_corpus_is_the_one_the_published_numbers_were_measured_on() {
    assert_eq!(corpus::checksum(&make(MIB, 1, 100).bytes), 0x743a_9a00_deb5_8ee4);
}

#[test]
fn a_corpus_is_whole_lines_of_the_size_asked_for() {
    for bytes in [0, 1, 4096, MIB] {
        let made = make(bytes, 3, 0).bytes;
        assert!(made.len() >= bytes && made.len() < bytes + 16_384, "{} for {bytes}", made.len());
        assert!(made.is_empty() || made.ends_with(b"\n"));
    }
}

#[test]
fn a_clean_corpus_has_no_truth() {
    assert!(make(MIB, 1, 0).truth.is_empty());
}

#[test]
fn the_truth_points_at_the_secrets() {
    let corpus = make(4 * MIB, 2, 5);
    let starts: Vec<usize> = std::iter::once(0).chain(newlines(&corpus.bytes).map(|at| at + 1)).collect();
    for secret in &corpus.truth {
        let found = &corpus.bytes[secret.offset..secret.offset + secret.len];
        assert!(starts[secret.line] < secret.offset && secret.offset + secret.len < starts[secret.line + 1]);
        let text = std::str::from_utf8(found).expect("secrets are ASCII");
        assert!(has_shape(secret.kind, text), "{} at {}: {text}", secret.kind, secret.offset);
    }
}

fn newlines(bytes: &[u8]) -> impl Iterator<Item = usize> {
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at)
}

/// Prefix and length of the formats that have both; a length alone of the others.
fn has_shape(kind: &str, text: &str) -> bool {
    let (prefix, lengths) = match kind {
        "aws_access_key" => ("AKIA", 20..=20),
        "github_token" => ("ghp_", 40..=40),
        "github_pat" => ("github_pat_", 93..=93),
        "gitlab_pat" => ("glpat-", 26..=26),
        "slack_bot" => ("xoxb-", 55..=55),
        "stripe_live" => ("sk_live_", 32..=32),
        "openai_project" => ("sk-proj-", 164..=164),
        "anthropic_key" => ("sk-ant-api03-", 108..=108),
        "google_api_key" => ("AIza", 39..=39),
        "jwt" => ("eyJ", 150..=300),
        "npm_token" => ("npm_", 40..=40),
        "pypi_token" => ("pypi-AgEI", 80..=80),
        "sendgrid_key" => ("SG.", 69..=69),
        "huggingface_token" => ("hf_", 37..=37),
        "digitalocean_token" => ("dop_v1_", 71..=71),
        "slack_webhook" => ("https://hooks.slack.com/services/T", 77..=77),
        "pem" => ("", 438..=840),
        _ => ("", 10..=56),
    };
    text.starts_with(prefix) && lengths.contains(&text.len()) && !text.contains([' ', '"', '`'])
}

#[test]
fn every_format_is_planted() {
    let kinds: BTreeSet<&str> = make(4 * MIB, 2, 5).truth.iter().map(|secret| secret.kind).collect();
    assert_eq!(kinds.len(), 27, "{kinds:?}");
}

#[test]
fn secrets_are_as_frequent_as_asked_for() {
    for every in [1, 5, 100] {
        let corpus = make(8 * MIB, 4, every);
        let lines = newlines(&corpus.bytes).count();
        let planted = corpus.truth.len() * every as usize;
        assert!(planted.abs_diff(lines) < lines / 5, "1 in {every}: {} in {lines} lines", corpus.truth.len());
    }
}

#[test]
fn masking_the_truth_leaves_no_secret() {
    let corpus = make(MIB, 5, 20);
    let masked = corpus.masked(b"[REDACTED]");
    for secret in &corpus.truth {
        let secret = &corpus.bytes[secret.offset..secret.offset + secret.len];
        assert!(!masked.windows(secret.len()).any(|window| window == secret));
    }
    assert_eq!(newlines(&masked).count(), newlines(&corpus.bytes).count());
}

#[test]
fn every_json_line_parses() {
    let corpus = make(2 * MIB, 6, 4);
    let lines = corpus.bytes.split(|&byte| byte == b'\n').filter(|line| line.starts_with(b"{"));
    for line in lines {
        let parsed = serde_json::from_slice::<serde_json::Value>(line);
        let parsed = parsed.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(line)));
        if let Some(payload) = parsed["payload"].as_str() {
            assert!(serde_json::from_str::<serde_json::Value>(payload).is_ok(), "{payload}");
        }
    }
}

/// The rates of service logs, within a quarter.
#[test]
fn clean_lines_look_suspicious_as_often_as_real_ones() {
    let clean = make(4 * MIB, 1, 0).bytes;
    let expected = [
        ("key", 1070),
        ("token", 970),
        ("api", 1040),
        ("://", 750),
        ("auth", 600),
        ("sk", 480),
        ("password", 330),
        ("secret", 82),
        ("access", 70),
        ("bearer", 40),
        ("basic", 40),
    ];
    for (word, rate) in expected {
        let found = per_mb(&clean, word);
        assert!(found.abs_diff(rate) * 4 <= rate, "`{word}`: {found} per MB, expected about {rate}");
    }
}

#[test]
fn lines_are_as_long_as_real_ones() {
    let clean = make(4 * MIB, 1, 0).bytes;
    let mean = clean.len() / newlines(&clean).count();
    assert!((250..=270).contains(&mean), "{mean} bytes");
}

//! One finding as it is reported. Nothing in it is secret, and nothing in it was made of the secret.

use std::fmt::Write as _;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::excerpt::Excerpt;
use super::place::Place;
use crate::engine::RuleId;

/// What a line is without what was found in it: the first half of a SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineHash(pub(super) [u8; 16]);

/// A finding across runs: of the same rule, in the same place, on a line that reads the same without it. A line that moved
/// keeps it, and the secret is no part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Identity([u8; 16]);

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The file.
    pub place: Arc<Place>,
    /// The line, from 1.
    pub line: u64,
    /// The character of the line it begins at, from 1.
    pub column: u64,
    /// The line it ends on.
    pub end_line: u64,
    /// The character behind its last one.
    pub end_column: u64,
    /// The byte of the file or member it begins at, after unpacking.
    pub offset: u64,
    /// The rule.
    pub rule: RuleId,
    /// The key it stands under, or what else found it.
    pub why: String,
    /// The line, masked.
    pub excerpt: Excerpt,
    /// The line without what was found in it.
    pub line_hash: LineHash,
    /// How many with the same identity stand before it in its file.
    pub repetition: u32,
}

impl Occurrence {
    /// What orders findings in reports.
    pub(super) fn key(&self) -> (&Place, u64, u64, RuleId) {
        (&self.place, self.line, self.column, self.rule)
    }
}

impl LineHash {
    /// Of a line that is cut into `parts` where something was found.
    pub(super) fn of<'p>(parts: impl Iterator<Item = &'p [u8]>) -> LineHash {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
            // A line may hold a NUL of its own; then two lines may be one. It is no harm.
            hasher.update(b"\0");
        }
        LineHash(half(hasher))
    }

    /// From what [`LineHash::hex`] wrote.
    pub(super) fn from_hex(text: &str) -> Option<LineHash> {
        let digits = text.as_bytes();
        let mut bytes = [0; 16];
        if digits.len() != 32 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(LineHash(bytes))
    }

    /// 32 hex digits.
    pub fn hex(&self) -> String {
        hex(&self.0)
    }
}

impl Identity {
    /// Of `rule` in the place of these names.
    pub(super) fn new(path: &str, member: Option<&str>, rule: &str, line: LineHash) -> Identity {
        let mut hasher = Sha256::new();
        let names = [path, member.unwrap_or_default(), rule].map(str::as_bytes);
        for part in [b"inkout finding 1"].map(|mark| &mark[..]).into_iter().chain(names).chain([&line.0[..]]) {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Identity(half(hasher))
    }

    /// 32 hex digits.
    pub(super) fn hex(&self) -> String {
        hex(&self.0)
    }
}

fn half(hasher: Sha256) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hasher.finalize()[..16]);
    half
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

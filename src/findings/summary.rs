//! From lines of the stream to what a responder needs: each secret once, and for how long it was exposed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead};

use jiff::Timestamp;
use serde::Serialize;

use super::line::{FingerprintKey, KnownLine, Line};

/// A longer line is none of ours.
const MAX_LINE_BYTES: usize = 64 << 10;

/// So many lines are named that cannot be read.
const MAX_NAMED: usize = 20;

/// Why a file cannot be summarized.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SummaryError {
    /// It cannot be read.
    #[error("{name}: {reason}")]
    Unreadable {
        /// The file.
        name: String,
        /// Why.
        reason: io::Error,
    },
}

/// One secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exposure {
    /// Names it.
    pub fingerprint: String,
    /// Whether the fingerprint is the same after a restart.
    pub fingerprint_key: FingerprintKey,
    /// The rules that found it.
    pub rules: BTreeSet<String>,
    /// Where.
    pub sources: BTreeSet<String>,
    /// The keys it was the value of.
    pub key_paths: BTreeSet<String>,
    /// The window's beginning.
    pub first_seen: Timestamp,
    /// The window's end so far.
    pub last_seen: Timestamp,
    /// How long that is.
    pub exposed_seconds: i64,
    /// How often.
    pub count: u64,
    /// Whether each finding was masked.
    pub masked: bool,
    /// Where the operator told of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<KnownLine>,
}

/// All secrets of some files.
#[derive(Debug, Default)]
pub struct Summary {
    exposures: BTreeMap<String, Exposure>,
    /// The highest count of each secret, by source and by when it was first seen: a line counts all before it.
    counts: BTreeMap<(String, String, Timestamp), u64>,
    /// Files whose last line was cut: `NAME:LINE`.
    torn: Vec<String>,
    /// Whole lines that are none of the stream, in words and without their text.
    unreadable: Vec<String>,
    /// How many those are; not all of them are remembered.
    unreadable_lines: u64,
}

impl Summary {
    /// Adds the lines of the file of that name.
    ///
    /// # Errors
    /// When it cannot be read. A line that is none of the stream is left out: see [`Summary::unreadable`].
    pub fn read(&mut self, name: &str, mut input: impl BufRead) -> Result<(), SummaryError> {
        let unreadable = |reason| SummaryError::Unreadable { name: name.to_owned(), reason };
        let mut text = Vec::new();
        for number in 1.. {
            text.clear();
            let limit = MAX_LINE_BYTES as u64 + 1;
            io::Read::take(&mut input, limit).read_until(b'\n', &mut text).map_err(unreadable)?;
            let whole = text.ends_with(b"\n");
            if text.trim_ascii().is_empty() {
                if whole { continue } else { break }
            }
            match serde_json::from_slice::<Line>(&text) {
                Ok(line) => self.add(line),
                // The writer was killed in the middle of it.
                Err(_) if !whole && text.len() <= MAX_LINE_BYTES => self.torn.push(format!("{name}:{number}")),
                Err(error) => {
                    if !whole {
                        skip_line(&mut input).map_err(unreadable)?;
                    }
                    self.unreadable_lines += 1;
                    if self.unreadable.len() < MAX_NAMED {
                        let reason =
                            format!("{:?} error at column {}", error.classify(), error.column()).to_lowercase();
                        self.unreadable.push(format!("{name}:{number}: no line of a findings stream: {reason}"));
                    }
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, line: Line) {
        let counted = (line.fingerprint.clone(), line.source.clone(), line.first_seen);
        let count = self.counts.entry(counted).or_default();
        *count = line.count.max(*count);
        let exposure = self.exposures.entry(line.fingerprint.clone()).or_insert_with(|| Exposure {
            fingerprint: line.fingerprint,
            fingerprint_key: line.fingerprint_key,
            rules: BTreeSet::new(),
            sources: BTreeSet::new(),
            key_paths: BTreeSet::new(),
            first_seen: line.first_seen,
            last_seen: line.last_seen,
            exposed_seconds: 0,
            count: 0,
            masked: true,
            known: None,
        });
        exposure.rules.insert(line.rule);
        exposure.sources.insert(line.source);
        exposure.key_paths.extend(line.key_path);
        exposure.first_seen = exposure.first_seen.min(line.first_seen);
        exposure.last_seen = exposure.last_seen.max(line.last_seen);
        exposure.exposed_seconds = exposure.last_seen.as_second() - exposure.first_seen.as_second();
        exposure.masked &= line.masked;
        exposure.known = line.known.or(exposure.known.take());
    }

    /// Files whose last line was cut off, as `NAME:LINE`.
    pub fn torn(&self) -> &[String] {
        &self.torn
    }

    /// Lines that are none of the stream, the first of them in words, and how many there are: what they told is not told here.
    pub fn unreadable(&self) -> (&[String], u64) {
        (&self.unreadable, self.unreadable_lines)
    }

    /// Each secret once, the one seen last first.
    pub fn exposures(mut self) -> Vec<Exposure> {
        for ((fingerprint, ..), count) in &self.counts {
            if let Some(exposure) = self.exposures.get_mut(fingerprint) {
                exposure.count += count;
            }
        }
        let mut exposures: Vec<Exposure> = self.exposures.into_values().collect();
        exposures.sort_by_key(|exposure| std::cmp::Reverse(exposure.last_seen));
        exposures
    }
}

/// Reads to the end of a line of which only the beginning was read.
fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let (len, ended) = match memchr::memchr(b'\n', buffer) {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        input.consume(len);
        if ended {
            return Ok(());
        }
    }
}

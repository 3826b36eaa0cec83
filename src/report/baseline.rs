//! What was found before: a file beside the code that lets a check tell only what is new. It needs no key and holds nothing
//! of a secret: path, rule, and a hash of the line with what was found taken out.

use std::collections::HashMap;
use std::io;

use serde::{Deserialize, Serialize};

use super::occurrence::{Identity, LineHash};
use super::place::Place;

/// The version of the file.
const VERSION: u32 = 1;

/// A line of the baseline.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The file.
    pub path: String,
    /// The member of an archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The rule's id.
    pub rule: String,
    /// Of the line without its findings.
    pub line_hash: String,
    /// How many such findings there are.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u32,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_one(count: &u32) -> bool {
    *count == 1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    inkout_baseline: u32,
    findings: Vec<Entry>,
}

/// Why a baseline cannot be used; whoever wrote the file is to blame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// The text is none.
    #[error("{name}: not a baseline that `inkout check --write-baseline` wrote: {reason}")]
    Malformed {
        /// The file.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// It is of another version.
    #[error("{name}: version {version} of the format is not known; known: {VERSION}")]
    Version {
        /// The file.
        name: String,
        /// Its version.
        version: u32,
    },
}

/// Findings that are known.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    counts: HashMap<Identity, u32>,
}

impl Entry {
    pub(super) fn new(place: &Place, rule: &str, line: LineHash) -> Entry {
        Entry {
            path: place.path_text().to_owned(),
            member: place.member_text().map(str::to_owned),
            rule: rule.to_owned(),
            line_hash: line.hex(),
            count: 1,
        }
    }

    fn identity_of(&self, line: LineHash) -> Identity {
        Identity::new(&self.path, self.member.as_deref(), &self.rule, line)
    }
}

impl Baseline {
    /// The baseline that `text`, the content of the file called `name`, spells.
    ///
    /// # Errors
    /// When it is no baseline, or of a version that is not known.
    pub fn parse(name: &str, text: &str) -> Result<Baseline, BaselineError> {
        let malformed = |reason: String| BaselineError::Malformed { name: name.to_owned(), reason };
        let file: File = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        if file.inkout_baseline != VERSION {
            return Err(BaselineError::Version { name: name.to_owned(), version: file.inkout_baseline });
        }
        let mut counts = HashMap::with_capacity(file.findings.len());
        for (index, entry) in file.findings.iter().enumerate() {
            let line = LineHash::from_hex(&entry.line_hash)
                .ok_or_else(|| malformed(format!("finding {}: `line_hash` is not 32 hex digits", index + 1)))?;
            *counts.entry(entry.identity_of(line)).or_default() += entry.count;
        }
        Ok(Baseline { counts })
    }

    /// Writes `entries`, one on each line, so that a change of the file is easy to review.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(entries: &[Entry], out: &mut dyn io::Write) -> io::Result<()> {
        write!(out, "{{\n  \"inkout_baseline\": {VERSION},\n  \"findings\": [")?;
        for (index, entry) in entries.iter().enumerate() {
            write!(out, "{}\n    ", if index == 0 { "" } else { "," })?;
            serde_json::to_writer(&mut *out, entry)?;
        }
        writeln!(out, "{}]\n}}", if entries.is_empty() { "" } else { "\n  " })
    }

    /// How many findings of this identity are known.
    pub(super) fn count(&self, identity: Identity) -> u32 {
        self.counts.get(&identity).copied().unwrap_or(0)
    }
}

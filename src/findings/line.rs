//! One line of the stream, as it is written and as `inkout findings summarize` reads it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is told about a secret. Nothing of the secret itself is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When it was written.
    pub time: Timestamp,
    /// First, or again.
    pub event: Event,
    /// The same for the same secret, wherever it stands and whatever found it.
    pub fingerprint: String,
    /// Whether fingerprints can be compared with those of another process.
    pub fingerprint_key: FingerprintKey,
    /// The rule that names it best.
    pub rule: String,
    /// The rule's category.
    pub category: String,
    /// What is done to it.
    pub action: String,
    /// False in an audit: it went on as it was.
    pub masked: bool,
    /// The hash of the rule set.
    pub rules_hash: String,
    /// The configured name of the source.
    pub source: String,
    /// The file or peer of the latest finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Where in it, in bytes.
    pub offset: u64,
    /// The key it was the value of; in a message the keys of the attributes it stands in, from the outside in, joined by dots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_path: Option<String>,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// How often since it was first seen.
    pub count: u64,
    /// Where it is a value that the operator told of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<KnownLine>,
}

/// Why a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// The secret was not known before.
    First,
    /// It was seen again since the last line.
    Update,
}

/// What key fingerprints are made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FingerprintKey {
    /// The operator's.
    Configured,
    /// One of this process alone.
    Random,
}

/// What the operator told of a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownLine {
    /// Its name.
    pub name: String,
    /// Whether it is in use.
    pub generation: Generation,
    /// Of which of the sets of its process it is, from 1: one more with every reload that changed a value.
    #[serde(default)]
    pub number: u64,
    /// Who must be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Where it is revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoke: Option<String>,
}

/// Which rotation a value is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Generation {
    /// In use.
    Current,
    /// Replaced, and still logged by somebody.
    Previous,
}

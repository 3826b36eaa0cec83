//! What is done to a finding: actions by rule and category. What is *found* is the rules' business, not this file's.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::allow::AllowEntry;
use super::rule::{Category, Rule};

/// What is done to a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The placeholder stands in its place.
    Replace,
    /// Four `*` and the last `keep_last` bytes, of which at most a quarter of the secret and never so many that fewer
    /// than eight bytes are hidden.
    Mask {
        /// How many trailing bytes may be kept.
        keep_last: u8,
    },
    /// A keyed fingerprint, the same for the same secret in every carrier.
    Hash,
    /// The first `keep_first` characters, at most a third of the secret, and four `*`: for keys whose beginning their
    /// provider shows too, so that one can be told from another.
    Prefix {
        /// How many leading characters may be kept.
        keep_first: u8,
    },
    /// Nothing stands in its place.
    Remove,
    /// The rule is off.
    Keep,
}

impl Action {
    /// The names a configuration may use.
    pub const NAMES: &'static str = "replace, mask, hash, remove, prefix12, keep";

    /// The action of that name.
    pub fn named(name: &str) -> Option<Action> {
        Some(match name {
            "replace" => Action::Replace,
            "mask" => Action::Mask { keep_last: 4 },
            "hash" => Action::Hash,
            "remove" => Action::Remove,
            "prefix12" => Action::Prefix { keep_first: 12 },
            "keep" => Action::Keep,
            _ => return None,
        })
    }

    /// The name used in configurations and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Action::Replace => "replace",
            Action::Mask { .. } => "mask",
            Action::Hash => "hash",
            Action::Remove => "remove",
            Action::Prefix { .. } => "prefix12",
            Action::Keep => "keep",
        }
    }
}

/// Whether findings are written or only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Secrets are masked.
    #[default]
    Enforce,
    /// The bytes go on unchanged; everything is counted as if enforced.
    Audit,
}

/// What becomes of a number under a secret key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NumberAs {
    /// A JSON string that holds the placeholder.
    #[default]
    String,
    /// `null`, for stores that refuse a string in a numeric field.
    Null,
    /// `0`.
    Zero,
}

/// The key of the `hash` action. It has no `Debug` and is wiped when dropped.
#[derive(Clone)]
pub struct HashKey(Zeroizing<Vec<u8>>);

impl HashKey {
    /// A key of these bytes; 16 at least.
    ///
    /// # Errors
    /// When the key is too short to keep a fingerprint from being guessed.
    pub fn new(bytes: Vec<u8>) -> Result<HashKey, super::CompileError> {
        let key = HashKey(Zeroizing::new(bytes));
        if key.0.len() < 16 { Err(super::CompileError::ShortHashKey { len: key.0.len() }) } else { Ok(key) }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashKey(..)")
    }
}

/// What to do with what is found.
#[derive(Clone, Debug)]
pub struct Policy {
    /// For a credential that nothing below names.
    pub action: Action,
    /// By category.
    pub by_category: BTreeMap<Category, Action>,
    /// By rule id.
    pub by_rule: BTreeMap<String, Action>,
    /// The placeholder's template; `{rule}` is the rule's id.
    pub placeholder: Option<String>,
    /// What becomes of a number under a secret key.
    pub number: NumberAs,
    /// Enforce or audit.
    pub mode: Mode,
    /// Findings that are left.
    pub allow: Vec<AllowEntry>,
    /// Needed by the `hash` action.
    pub hash_key: Option<HashKey>,
    /// In so many records behind it, of the same stream, a value that was masked because of its key is masked without it: 0
    /// (never) to [`Policy::MAX_LEARN_RECORDS`]. What stood before the key is gone by then.
    pub learn_records: usize,
}

impl Default for Policy {
    /// Credentials are replaced, credential ids keep their last four bytes, everything else is left alone.
    fn default() -> Policy {
        let by_category = BTreeMap::from([
            (Category::CredentialId, Action::Mask { keep_last: 4 }),
            (Category::Personal, Action::Keep),
            (Category::Financial, Action::Keep),
            (Category::Health, Action::Keep),
            (Category::Network, Action::Keep),
        ]);
        Policy {
            action: Action::Replace,
            by_category,
            by_rule: BTreeMap::new(),
            placeholder: None,
            number: NumberAs::String,
            mode: Mode::Enforce,
            allow: Vec::new(),
            hash_key: None,
            learn_records: 0,
        }
    }
}

impl Policy {
    /// [`Policy::learn_records`] at most.
    pub const MAX_LEARN_RECORDS: usize = 1000;

    /// What is done to the findings of `rule`.
    pub fn action_of(&self, rule: &Rule) -> Action {
        let by_rule = self.by_rule.get(&rule.id);
        *by_rule.or_else(|| self.by_category.get(&rule.category)).unwrap_or(&self.action)
    }
}

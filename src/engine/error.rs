//! Why a set of rules does not become an engine. Every variant names the thing and what was allowed.

use super::rule::Origin;

/// The only error of the engine: after compilation nothing can fail.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// The pattern is no regex of ours.
    #[error("{origin}: rule `{rule}`: {reason}")]
    Pattern {
        /// Where the rule was written.
        origin: Origin,
        /// The rule's id.
        rule: String,
        /// What is wrong and what is allowed.
        reason: String,
    },
    /// Two rules of one id.
    #[error("{origin}: rule `{rule}` is already defined at {first}")]
    Duplicate {
        /// Where the second stands.
        origin: Origin,
        /// The id.
        rule: String,
        /// Where the first stands.
        first: Origin,
    },
    /// More rules than a rule id can count.
    #[error("{count} rules are too many; at most {max} are allowed")]
    TooManyRules {
        /// How many there were.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// A policy names a rule that is not there.
    #[error("policy names unknown rule `{rule}`; `inkout rules list` shows the known ones")]
    UnknownRule {
        /// The id.
        rule: String,
    },
    /// An exemption of the policy.
    #[error("{place}: {reason}")]
    Allow {
        /// Where it was written.
        place: String,
        /// What is wrong and what is allowed.
        reason: String,
    },
    /// Known values without a rule they are counted under.
    #[error("known values need a rule with grammar `known-value`; the built-in one is `known-value`")]
    NoKnownRule,
    /// The hash action without a key.
    #[error("action `hash` needs a key of at least 16 bytes: --hash-key-file or INKOUT_HASH_KEY")]
    NoHashKey,
    /// A key that could be guessed.
    #[error("the hash key has {len} bytes; at least 16 are needed")]
    ShortHashKey {
        /// Its length.
        len: usize,
    },
    /// More records than a value is remembered for.
    #[error("learn_records is {asked}; a number from 0 (off) to {max} is allowed")]
    LearnRecords {
        /// How many were asked for.
        asked: usize,
        /// How many there may be.
        max: usize,
    },
    /// A placeholder that would break a carrier or be found again.
    #[error("placeholder template `{template}`: {reason}")]
    Placeholder {
        /// The template.
        template: String,
        /// What is wrong and what is allowed.
        reason: String,
    },
}

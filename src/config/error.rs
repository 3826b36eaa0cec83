//! What is wrong with a configuration; the operator is to blame.

/// A message with its place, the thing, and what was allowed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Something in the file.
    #[error("{place}: {reason}")]
    File {
        /// File and line.
        place: String,
        /// What is wrong and what is allowed.
        reason: String,
    },
    /// A name that is neither a rule's nor a category's.
    #[error("{place}: unknown rule or category `{name}`; did you mean `{nearest}`? `inkout rules list` shows them all")]
    Unknown {
        /// Where it was written.
        place: String,
        /// The name.
        name: String,
        /// The known name that looks most like it.
        nearest: String,
    },
    /// A day that has passed.
    #[error("{place}: the audit ended on {until}; remove `mode` to enforce, or choose another day")]
    AuditIsOver {
        /// Where it was written.
        place: String,
        /// The last day.
        until: super::Date,
    },
}

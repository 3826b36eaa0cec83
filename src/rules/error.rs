//! Why a rule file is refused. Every message names the place, the thing and what was allowed; the errors of a pattern
//! itself are the engine's to tell.

use crate::engine::Origin;

/// What is wrong in a rule file; its author is to blame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// The file, or a table of it that is no rule with an id.
    #[error("{origin}: {reason}")]
    File {
        /// Where it stands.
        origin: Origin,
        /// What is wrong and what is allowed.
        reason: String,
    },
    /// One rule.
    #[error("{origin}: rule `{rule}`: {reason}")]
    Rule {
        /// Where it stands: the line of the field, or of the rule's table when a field is missing.
        origin: Origin,
        /// The rule's id, as it was written.
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
}

/// What is wrong in an example of a rule.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExampleError {
    /// No generator has that name.
    #[error("unknown generator `{name}`; known: {}", super::generator::KNOWN)]
    Unknown {
        /// The name as it was written.
        name: String,
    },
    /// The generator writes text of a length, and this is none.
    #[error("generator `{name}`: length `{argument}` is no number from 1 to 65536")]
    Length {
        /// The generator.
        name: String,
        /// What stood for the length.
        argument: String,
    },
    /// Marks that enclose nothing, or not in pairs.
    #[error("marks `«` and `»` must stand in pairs around something: {text}")]
    Marks {
        /// The example as it was written, before expansion.
        text: String,
    },
}

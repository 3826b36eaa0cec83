//! The pure engine: rules in, findings and masked bytes out. No I/O, no clocks, no threads.

pub mod byteset;
mod error;
mod policy;
pub mod prefilter;
mod rule;
pub mod validators;

pub use error::CompileError;
pub use policy::{Action, HashKey, Mode, NumberAs, Policy};
pub use rule::{Category, Grammar, KeyRule, KeyValue, KeyWords, Matcher, Origin, Rule, RuleId, RuleSet, ValidatorRole};
pub use validators::Validator;
mod literal;
mod pattern;

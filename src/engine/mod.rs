//! The pure engine: rules in, findings and masked bytes out. No I/O, no clocks, no threads.

mod action;
pub mod byteset;
mod carrier;
mod compile;
mod cut;
mod error;
mod fragment;
mod gate;
#[cfg(test)]
mod haystacks;
mod keys;
mod learned;
mod literal;
mod masked;
mod pattern;
mod policy;
pub mod prefilter;
mod prepared;
#[cfg(test)]
mod properties;
mod redact;
mod rule;
mod scan;
mod span;
mod stream;
mod tally;
pub mod validators;
mod view;
mod window;

pub use action::{PLACEHOLDER_REGEX, Purpose};
pub use compile::Limits;
pub use cut::{Cutter, Piece};
pub use error::CompileError;
pub(crate) use gate::{KEYWORD_BYTES, check_allow};
pub(crate) use literal::is_rare;
pub use masked::Masked;
pub(crate) use pattern::study;
pub use policy::{Action, HashKey, Mode, NumberAs, Policy};
pub use rule::{
    Allow, AllowTarget, Category, Grammar, KeyRule, KeyValue, KeyWords, Matcher, Origin, Rule, RuleId, RuleSet,
    ValidatorRole,
};
pub use scan::{Carry, Cost, Scratch};
pub use span::{Form, Span, Why};
pub use stream::{MaskingWriter, Stream};
pub use tally::Tally;
pub use validators::Validator;

/// Rules and policy, compiled. Immutable and shared; what a worker changes is in its [`Scratch`].
pub struct Engine {
    set: RuleSet,
    policy: Policy,
    limits: Limits,
    forms: action::Forms,
    keys: keys::Keys,
    /// By rule.
    patterns: Vec<Option<pattern::Pattern>>,
    /// By rule, what its matches must pass beside its validator.
    gates: Vec<Option<gate::Gate>>,
    /// By literal of the prefilter.
    targets: Vec<Vec<compile::Target>>,
    prefilter: prefilter::Prefilter,
    /// By rule.
    actions: Vec<Action>,
}

impl Engine {
    /// The rules this engine was compiled from.
    pub fn rules(&self) -> &[Rule] {
        &self.set.rules
    }

    /// What is done to the findings of each rule, by rule.
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// The bounds this engine was compiled with.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What is done to the findings of `rule`.
    pub fn action(&self, rule: RuleId) -> Action {
        self.actions[rule.index()]
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({} rules)", self.set.rules.len())
    }
}

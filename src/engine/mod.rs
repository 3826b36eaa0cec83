//! The pure engine: rules in, findings and masked bytes out. No I/O, no clocks, no threads.

mod action;
mod allow;
pub mod byteset;
mod carrier;
mod compile;
mod cut;
mod ends;
mod error;
mod field;
mod fragment;
mod gate;
mod gather;
mod glob;
#[cfg(test)]
mod haystacks;
mod keys;
mod known;
mod learned;
mod lessons;
mod literal;
mod masked;
mod names;
mod pattern;
mod policy;
pub mod prefilter;
mod prepared;
#[cfg(test)]
mod properties;
pub(crate) mod query;
mod reason;
mod redact;
mod rule;
mod scan;
mod shape;
mod span;
mod splice;
mod stream;
mod survey;
mod tally;
#[cfg(test)]
mod tests;
pub mod validators;
mod view;
mod window;

pub use action::{Fingerprint, PLACEHOLDER_REGEX, Purpose};
pub use allow::{AllowEntry, AllowValue};
pub use compile::Limits;
pub use cut::{Cutter, Piece, is_wide};
pub use error::CompileError;
pub(crate) use field::{Field, Found, KeyPath, UNINSPECTED};
pub use field::{KeyPaths, Number, Scope, SecretKey};
pub(crate) use gate::{KEYWORD_BYTES, check_allow};
pub(crate) use gather::{Gatherer, same};
pub use glob::glob;
pub use known::{Known, KnownScratch, KnownValue, SkipReason, Skipped};
pub(crate) use literal::is_rare;
pub use masked::Masked;
pub(crate) use names::Name;
pub(crate) use pattern::study;
pub use policy::{Action, HashKey, Mode, NumberAs, Policy};
pub use rule::{
    Allow, AllowTarget, Category, Grammar, KeyRule, KeyValue, KeyWords, Matcher, Origin, Rule, RuleId, RuleSet,
    ValidatorRole,
};
pub use scan::{Carry, Cost, Scratch};
pub use shape::{Begun, Placed, RecordId, Shape};
pub use span::{Form, Span, Why};
pub(crate) use splice::{Mark, Splice};
pub use stream::{MaskingWriter, Stream};
pub(crate) use survey::{Look, Survey};
pub use tally::Tally;
pub use validators::Validator;

use std::sync::Arc;

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
    /// What of the findings is exempt.
    allows: allow::Allows,
    /// By literal of the prefilter.
    targets: Vec<Vec<compile::Target>>,
    /// Whether a rule is run over everything.
    always_scans: bool,
    /// By literal of the prefilter; 48 at most.
    literal_lens: Vec<u8>,
    prefilter: prefilter::Prefilter,
    /// By rule.
    actions: Vec<Action>,
    /// Values the operator told us of, and those that were replaced not long ago.
    known: Vec<Arc<Known>>,
    /// The rule they are counted under, where the set has one.
    known_rule: Option<RuleId>,
}

impl Engine {
    /// The rules this engine was compiled from.
    pub fn rules(&self) -> &[Rule] {
        &self.set.rules
    }

    /// Looks for `known` values too, and for those of `grace`: the sets before, the newest first, whose values may still be
    /// logged.
    /// The rules stay compiled, so that a set can be exchanged in no time.
    ///
    /// # Errors
    /// When no rule has the grammar `known-value`: findings would have no label and no action.
    pub fn with_known(
        mut self,
        known: Arc<Known>,
        grace: impl IntoIterator<Item = Arc<Known>>,
    ) -> Result<Engine, CompileError> {
        if self.known_rule.is_none() {
            return Err(CompileError::NoKnownRule);
        }
        self.known = std::iter::once(known).chain(grace).collect();
        Ok(self)
    }

    /// Looks for the known values of `other` too, and for no others.
    ///
    /// # Errors
    /// When `other` has some, and no rule has the grammar `known-value`.
    pub fn knowing_as(mut self, other: &Engine) -> Result<Engine, CompileError> {
        if self.known_rule.is_none() && !other.known.is_empty() {
            return Err(CompileError::NoKnownRule);
        }
        self.known.clone_from(&other.known);
        Ok(self)
    }

    /// The name of the known value that [`Why::Known`] tells the index of.
    pub fn known_name(&self, value: usize) -> Option<&str> {
        self.known_at(value).and_then(|(known, value)| known.name(value))
    }

    /// The [`Known::generation`] of the set that the value belongs to that [`Why::Known`] tells the index of.
    pub fn known_generation(&self, value: usize) -> Option<u64> {
        self.known_at(value).map(|(known, _)| known.generation())
    }

    /// The set that holds the value of this index, and its index there.
    fn known_at(&self, mut value: usize) -> Option<(&Known, usize)> {
        for known in &self.known {
            if value < known.len() {
                return Some((known, value));
            }
            value -= known.len();
        }
        None
    }

    /// How many rotations ago the known value of that index was replaced: 0 for one that is in use. `None` if there is none.
    pub fn known_age(&self, value: usize) -> Option<usize> {
        let mut value = value;
        for (age, known) in self.known.iter().enumerate() {
            if value < known.len() {
                return Some(age);
            }
            value -= known.len();
        }
        None
    }

    /// What is done to the findings of each rule, by rule.
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// Whether findings are masked or only counted.
    pub fn mode(&self) -> Mode {
        self.policy.mode
    }

    /// In how many records behind it a value is masked that stood beside a key; 0 for none.
    pub fn learn_records(&self) -> usize {
        self.policy.learn_records
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

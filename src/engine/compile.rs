//! Rules and policy become an engine here. Everything that may be wrong with them is said here, and nothing later.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::action::Forms;
use super::allow::Allows;
use super::byteset::ByteSet;
use super::error::CompileError;
use super::gate::Gate;
use super::keys::{self, Keys};
use super::literal::Anchor;
use super::pattern::{Lookup, Pattern};
use super::policy::{Action, Mode, Policy};
use super::prefilter::{Backend, Literal, Prefilter};
use super::rule::{Grammar, Matcher, Rule, RuleId, RuleSet};
use super::{Engine, fragment, view};

/// Rules at most; a literal's index has 16 bits and a rule has a handful of them.
const MAX_RULES: usize = 4096;
/// The words of an armoured private key, as text and in URLs.
const ARMOUR_WORDS: [&[u8]; 3] = [b"PRIVATE KEY", b"PRIVATE+KEY", b"PRIVATE%20KEY"];

/// Bounds and switches of an engine that are not policy.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Which instructions the prefilter uses; the best the processor has unless a test says otherwise.
    pub backend: Backend,
    /// Whether line ends are counted; they cost a pass of their own.
    pub count_lines: bool,
    /// A record longer than this is looked at in windows of this size.
    pub max_record_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { backend: Backend::detect(), count_lines: false, max_record_bytes: 1 << 20 }
    }
}

/// What stands behind a URL's scheme, as text and with its slashes escaped.
const URL_MARKS: [&[u8]; 2] = [b"://", b":\\/\\/"];

/// What is done where a literal of the prefilter stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// Try the rule's regex from `far` to `near` bytes before the literal.
    Pattern { rule: RuleId, near: u32, far: u32 },
    /// A keyword of a rule whose pattern has no literal of its own: search the record, once.
    Gate { rule: RuleId },
    /// A key word of this length.
    Key { group: u16, len: u8 },
    /// `://`.
    Userinfo { rule: RuleId, len: u8 },
    /// `PRIVATE KEY`, of this length.
    Armour { rule: RuleId, len: u8 },
    /// Something that hides letters: look at the record's view too.
    View,
    /// The line goes on in a later one: look at both joined.
    Fragment,
}

/// Literals with what to do at each; equal ones are one.
#[derive(Default)]
struct Targets {
    /// Where in `targets` each literal's are.
    by_sets: HashMap<Vec<ByteSet>, usize, BuildHasherDefault<SetHasher>>,
    /// By literal, in the order they came.
    targets: Vec<Vec<Target>>,
}

impl Targets {
    fn add(&mut self, sets: Vec<ByteSet>, target: Target) {
        let next = self.targets.len();
        let at = *self.by_sets.entry(sets).or_insert(next);
        if at == next {
            self.targets.push(Vec::new());
        }
        self.targets[at].push(target);
    }

    /// The literals, and the targets of each.
    fn into_parts(self) -> (Vec<Literal>, Vec<Vec<Target>>) {
        let mut literals = vec![Literal { sets: Box::default() }; self.targets.len()];
        self.by_sets.into_iter().for_each(|(sets, at)| literals[at].sets = sets.into());
        (literals, self.targets)
    }
}

/// Hashes byte sets, of which the literals of all rules have ten thousand: a multiplication for each eight bytes. Rules are
/// the operator's own, so nobody who would choose colliding ones is kept out.
#[derive(Default)]
struct SetHasher(u64);

impl Hasher for SetHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.chunks(8).for_each(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        });
    }

    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x243f_6a88_85a3_08d3) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Engine {
    /// Compiles rules and policy.
    ///
    /// # Errors
    /// The first thing that is wrong with a rule, a policy or a template, with file and line where there is one.
    pub fn compile(set: RuleSet, policy: Policy, limits: &Limits) -> Result<Engine, CompileError> {
        check_ids(&set, &policy)?;
        if policy.learn_records > Policy::MAX_LEARN_RECORDS {
            let (asked, max) = (policy.learn_records, Policy::MAX_LEARN_RECORDS);
            return Err(CompileError::LearnRecords { asked, max });
        }
        let forms = Forms::new(&set, &policy)?;
        let allows = Allows::new(&set, &policy.allow, policy.hash_key.is_some())?;
        let (keys, key_literals) = Keys::new(&set);
        let mut targets = Targets::default();
        let patterns = patterns(&set, &mut targets)?;
        let gates = gates(&set)?;
        for literal in key_literals {
            targets.add(literal.sets, Target::Key { group: literal.group, len: literal.len as u8 });
        }
        grammars(&set, &mut targets);
        view::triggers().into_iter().for_each(|sets| targets.add(sets, Target::View));
        fragment::triggers().into_iter().for_each(|sets| targets.add(sets, Target::Fragment));
        let (literals, targets) = targets.into_parts();
        let literal_lens = literals.iter().map(|literal| literal.sets.len() as u8).collect();
        let prefilter = Prefilter::new(&literals, Some(&super::prefilter::Tables::built_in()), limits.backend);
        let actions: Vec<Action> = set.rules.iter().map(|rule| policy.action_of(rule)).collect();
        let is_known = |rule: &Rule| rule.matcher == Matcher::Grammar(Grammar::Known);
        let known_rule = set.rules.iter().position(is_known).map(|index| RuleId(index as u16));
        let always_scans = set.rules.iter().any(|rule| rule.always_scan);
        let mut engine = Engine {
            always_scans,
            set,
            policy,
            limits: limits.clone(),
            forms,
            keys,
            patterns,
            gates,
            allows,
            targets,
            literal_lens,
            prefilter,
            actions,
            known: Vec::new(),
            known_rule,
        };
        engine.check_placeholder()?;
        Ok(engine)
    }

    /// The literals the prefilter looks for, for those who tune it.
    pub fn literals(set: &RuleSet) -> Result<Vec<Literal>, CompileError> {
        let mut targets = Targets::default();
        patterns(set, &mut targets)?;
        let (_, key_literals) = Keys::new(set);
        key_literals.into_iter().for_each(|literal| targets.add(literal.sets, Target::View));
        grammars(set, &mut targets);
        view::triggers().into_iter().for_each(|sets| targets.add(sets, Target::View));
        fragment::triggers().into_iter().for_each(|sets| targets.add(sets, Target::View));
        Ok(targets.into_parts().0)
    }

    /// A custom placeholder must not be found by the rules it stands in for.
    fn check_placeholder(&mut self) -> Result<(), CompileError> {
        let Some(template) = self.policy.placeholder.clone() else { return Ok(()) };
        let text = template.replace("{rule}", "api-key");
        let mut scratch = self.scratch();
        let refuse =
            |reason: &str| Err(CompileError::Placeholder { template: template.clone(), reason: reason.into() });
        for carrier in [text.clone(), format!("x {text} y"), format!("\"{text}\"")] {
            if !self.find(&mut scratch, carrier.as_bytes()).is_empty() {
                return refuse("a rule finds it, so that redacting twice would change it");
            }
        }
        // Where it stands in a key, the key is taken for what we wrote: then it must not read as one.
        let forms = std::mem::take(&mut self.forms);
        let head = forms.bare_head();
        let in_a_key = keys::KEY_BYTES.run(head) == head.len();
        let key = if in_a_key { self.secret_key(&mut scratch, head) } else { None };
        self.forms = forms;
        match key {
            Some(_) => refuse("it reads as the key of a secret, and would hide such keys; put another word into it"),
            None => Ok(()),
        }
    }

    /// Builds every regex now instead of at its first candidate.
    ///
    /// # Errors
    /// The first pattern whose program is too large.
    pub fn warm(&self) -> Result<(), CompileError> {
        self.warm_from(0)
    }

    /// Builds the regexes of the rules from number `first` on. Those of the built-in rules are known to build, and many of
    /// them are never needed: all together hold 13 MiB.
    ///
    /// # Errors
    /// The first pattern whose program is too large.
    pub fn warm_from(&self, first: usize) -> Result<(), CompileError> {
        let of_rules = self.set.rules.iter().zip(&self.patterns).zip(&self.gates).skip(first);
        for ((rule, pattern), gate) in of_rules {
            let built = pattern.as_ref().map_or(Ok(()), Pattern::warm);
            let built = built.and_then(|()| gate.as_ref().map_or(Ok(()), Gate::warm));
            built.map_err(|reason| bad_pattern(rule, reason))?;
        }
        Ok(())
    }
}

fn bad_pattern(rule: &Rule, reason: String) -> CompileError {
    CompileError::Pattern { origin: rule.origin.clone(), rule: rule.id.clone(), reason }
}

/// Ids are unique, not too many, and every id of the policy is one of them.
fn check_ids(set: &RuleSet, policy: &Policy) -> Result<(), CompileError> {
    if set.rules.len() > MAX_RULES {
        return Err(CompileError::TooManyRules { count: set.rules.len(), max: MAX_RULES });
    }
    let mut seen: HashMap<&str, &Rule> = HashMap::new();
    for rule in &set.rules {
        if let Some(first) = seen.insert(&rule.id, rule) {
            let (origin, first) = (rule.origin.clone(), first.origin.clone());
            return Err(CompileError::Duplicate { origin, rule: rule.id.clone(), first });
        }
    }
    match policy.by_rule.keys().find(|id| !seen.contains_key(id.as_str())) {
        Some(unknown) => Err(CompileError::UnknownRule { rule: unknown.clone() }),
        None => Ok(()),
    }
}

/// The patterns of the rules that have one, by rule; their anchors become targets.
fn patterns(set: &RuleSet, targets: &mut Targets) -> Result<Vec<Option<Pattern>>, CompileError> {
    set.rules
        .iter()
        .enumerate()
        .map(|(index, rule)| {
            let Matcher::Pattern(text) = &rule.matcher else { return Ok(None) };
            let (pattern, anchors) =
                Pattern::new(text, Lookup::of(rule)).map_err(|reason| bad_pattern(rule, reason))?;
            let id = RuleId(index as u16);
            match anchors {
                _ if rule.always_scan => {}
                Some(anchors) => {
                    // All alternatives look back as far as the farthest, so that the leftmost match is the first one tried.
                    let far = anchors.iter().map(|anchor| anchor.far).max().unwrap_or(0);
                    anchors.into_iter().for_each(|Anchor { sets, near, .. }| {
                        targets.add(sets, Target::Pattern { rule: id, near, far });
                    });
                }
                None => rule.keywords.iter().for_each(|word| {
                    targets.add(word.bytes().map(ByteSet::fold).collect(), Target::Gate { rule: id });
                }),
            }
            Ok(Some(pattern))
        })
        .collect()
}

/// What the matches of each rule must pass, by rule.
fn gates(set: &RuleSet) -> Result<Vec<Option<Gate>>, CompileError> {
    let mut known = HashMap::new();
    set.rules.iter().map(|rule| Gate::new(rule, &mut known).map_err(|reason| bad_pattern(rule, reason))).collect()
}

fn grammars(set: &RuleSet, targets: &mut Targets) {
    let exact = |text: &[u8]| text.iter().map(|&byte| ByteSet::of(byte)).collect::<Vec<_>>();
    for (index, rule) in set.rules.iter().enumerate() {
        let id = RuleId(index as u16);
        match rule.matcher {
            Matcher::Grammar(Grammar::Userinfo) => URL_MARKS.iter().for_each(|mark| {
                targets.add(exact(mark), Target::Userinfo { rule: id, len: mark.len() as u8 });
            }),
            Matcher::Grammar(Grammar::PrivateKey) => ARMOUR_WORDS.iter().for_each(|words| {
                targets.add(exact(words), Target::Armour { rule: id, len: words.len() as u8 });
            }),
            _ => {}
        }
    }
}

/// Whether the policy only counts.
pub(super) fn is_audit(policy: &Policy) -> bool {
    policy.mode == Mode::Audit
}

//! A configuration and a set of rules become a policy. Compiling them is the engine's work.

use std::collections::BTreeMap;

use super::error::ConfigError;
use super::names::nearest;
use super::{Config, Date, Name};
use crate::engine::{Action, Category, HashKey, Mode, Policy, Rule, RuleSet};
use crate::rules::Catalog;

impl Config {
    /// What is done to the findings of `set`, on the day `today`. Exemptions that have expired are to be taken out before:
    /// [`Config::take_expired`].
    ///
    /// Whatever names a rule goes before what names its category; `disable` goes before `only`, and both before actions.
    ///
    /// # Errors
    /// When a name is neither a rule's nor a category's, or the audit is over.
    pub fn policy(&self, set: &RuleSet, hash_key: Option<HashKey>, today: Date) -> Result<Policy, ConfigError> {
        self.check_audit(today)?;
        let mut policy = Policy { hash_key, mode: self.mode, number: self.number, ..Policy::default() };
        policy.learn_records = self.learn_records;
        policy.allow = self.allow.iter().map(|allowed| allowed.entry.clone()).collect();
        policy.placeholder.clone_from(&self.placeholder);
        for (name, action) in &self.actions {
            match Category::named(&name.text) {
                Some(Category::Credential) => policy.action = *action,
                Some(category) => drop(policy.by_category.insert(category, *action)),
                None => {
                    let id = known(set, name)?;
                    // To keep what nobody looks for is what happens anyway.
                    if set.rules.iter().any(|rule| rule.id == id) {
                        policy.by_rule.insert(id.to_owned(), *action);
                    }
                }
            }
        }
        policy.action = self.action.unwrap_or(policy.action);
        self.select(set, &mut policy)?;
        Ok(policy)
    }

    fn check_audit(&self, today: Date) -> Result<(), ConfigError> {
        match &self.audit_until {
            Some((until, place)) if self.mode == Mode::Audit && *until < today => {
                Err(ConfigError::AuditIsOver { place: place.clone(), until: *until })
            }
            _ => Ok(()),
        }
    }

    /// Switches rules on and off.
    fn select(&self, set: &RuleSet, policy: &mut Policy) -> Result<(), ConfigError> {
        let (only, disabled) = (resolve(set, &self.only)?, resolve(set, &self.disable)?);
        for rule in &set.rules {
            let asked_for = names(&only, rule);
            if names(&disabled, rule) || (!only.is_empty() && !asked_for) {
                policy.by_rule.insert(rule.id.clone(), Action::Keep);
            } else if asked_for && policy.action_of(rule) == Action::Keep && !policy.by_rule.contains_key(&rule.id) {
                policy.by_rule.insert(rule.id.clone(), policy.action);
            }
        }
        Ok(())
    }
}

/// Names by what they name.
type Chosen<'c> = BTreeMap<&'c str, Option<Category>>;

fn resolve<'c>(set: &RuleSet, names: &'c [Name]) -> Result<Chosen<'c>, ConfigError> {
    let resolved = names.iter().map(|name| match Category::named(&name.text) {
        Some(category) => Ok((name.text.as_str(), Some(category))),
        None => known(set, name).map(|id| (id, None)),
    });
    resolved.collect()
}

fn names(chosen: &Chosen<'_>, rule: &Rule) -> bool {
    chosen.contains_key(rule.id.as_str()) || chosen.values().any(|category| *category == Some(rule.category))
}

/// The name, if a rule has it: one of `set`, or one that is off unless somebody asks for it.
fn known<'c>(set: &RuleSet, name: &'c Name) -> Result<&'c str, ConfigError> {
    let has = |set: &RuleSet| set.rules.iter().any(|rule| rule.id == name.text);
    if has(set) || Catalog::optional().any(|family| has(&family.set)) {
        return Ok(&name.text);
    }
    let known = set.rules.iter().map(|rule| rule.id.as_str()).chain(Category::ALL.map(Category::name));
    let nearest = nearest(&name.text, known).unwrap_or_default().to_owned();
    Err(ConfigError::Unknown { place: name.place.clone(), name: name.text.clone(), nearest })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "[[rule]]\nid='a'\nsummary='A'\ncategory='credential'\nkeys=['a']\n[[rule]]\nid='b'\nsummary='B'\n\
                         category='credential'\nkeys=['b']\n[[rule]]\nid='mail'\nsummary='M'\ncategory='personal'\nkeys=['mail']\n";

    /// The actions of a, b and mail.
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let set = Catalog::parse("r", RULES).unwrap().set;
        let policy = Config::parse("c", text).unwrap().policy(&set, None, Date::of_unix_seconds(0)).unwrap();
        let actions: Vec<&str> = set.rules.iter().map(|rule| policy.action_of(rule).name()).collect();
        assert_eq!(actions.join(" "), expected, "{text}");
    }

    #[test]
    fn rules_are_switched_on_and_off() {
        check("", "replace replace keep");
        check("disable = ['a']", "keep replace keep");
        check("only = ['a']", "replace keep keep");
        check("only = ['personal']", "keep keep replace");
        check("only = ['credential']\ndisable = ['b']", "replace keep keep");
        check("[policy]\ncredential = 'mask'\nb = 'remove'\npersonal = 'replace'", "mask remove replace");
        check("disable = ['email-address']\n[policy]\nphone-number = 'keep'", "replace replace keep");
        check("only = ['mail']\n[policy]\ncredential = 'mask'\nmail = 'keep'", "keep keep keep");
    }

    #[test]
    fn a_name_nobody_knows_is_refused_with_the_nearest() {
        let set = Catalog::parse("r", RULES).unwrap().set;
        let refused = |text: &str| {
            let policy = Config::parse("c", text).unwrap().policy(&set, None, Date::of_unix_seconds(1_900_000_000));
            policy.unwrap_err().to_string()
        };
        let hint = "`inkout rules list` shows them all";
        assert_eq!(
            refused("\nonly = ['mial']"),
            format!("c:2: unknown rule or category `mial`; did you mean `mail`? {hint}")
        );
        assert_eq!(
            refused("[policy]\ncredentials = 'mask'"),
            format!("c:2: unknown rule or category `credentials`; did you mean `credential`? {hint}")
        );
        assert_eq!(
            refused("mode = 'audit'\naudit_until = '2026-01-01'"),
            "c:2: the audit ended on 2026-01-01; remove `mode` to enforce, or choose another day"
        );
    }
}

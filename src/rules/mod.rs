//! The rules as data: the built-in set and the rule files of users, parsed into what the engine compiles. It reads no
//! file (the caller brings name and text) and runs no rule.
//!
//! A file holds `[[rule]]` tables and at most one `[key_words]` table; unknown fields are refused with file and line.
//! [`generator`] expands the examples that stand beside each rule.

mod builtin;
mod error;
mod file;
pub mod generator;
pub mod import;

use std::collections::HashMap;

pub use error::{ExampleError, RuleError};
pub use import::{export, toml_string};

use crate::engine::{Rule, RuleSet};

/// What stands beside a rule for people and tests; the engine never sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Texts the rule finds; `«` and `»` enclose the exact span of each secret. Written with generators.
    pub examples: Vec<String>,
    /// Texts the rule finds nothing in.
    pub counter_examples: Vec<String>,
    /// Texts the rule should find and does not; marked like examples.
    pub known_misses: Vec<String>,
    /// Where the format is described.
    pub references: Vec<String>,
}

/// Rules and their notes.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// What the engine is compiled from.
    pub set: RuleSet,
    /// The notes of each rule, at the same index.
    pub notes: Vec<Notes>,
}

impl Catalog {
    /// The rules that come with the program.
    ///
    /// # Panics
    /// Never: the built-in files are parsed by a test.
    pub fn builtin() -> Catalog {
        let mut catalog = Catalog::default();
        for (name, text) in builtin::FILES {
            let parsed = Catalog::parse(name, text).and_then(|file| catalog.extend(file));
            parsed.unwrap_or_else(|error| panic!("a built-in rule file is wrong: {error}"));
        }
        catalog
    }

    /// The built-in rules and all that are off unless somebody asks for them.
    ///
    /// # Panics
    /// Never: the files are parsed by a test.
    pub fn complete() -> Catalog {
        let mut catalog = Catalog::builtin();
        for family in Catalog::optional() {
            catalog.extend(family).unwrap_or_else(|error| panic!("a built-in rule file is wrong: {error}"));
        }
        catalog
    }

    /// The families of rules that are off unless somebody asks for one of their rules or categories, one catalog each.
    ///
    /// # Panics
    /// Never: the files are parsed by a test.
    pub fn optional() -> impl Iterator<Item = Catalog> {
        builtin::OPTIONAL.iter().map(|(name, text)| {
            Catalog::parse(name, text).unwrap_or_else(|error| panic!("a built-in rule file is wrong: {error}"))
        })
    }

    /// Names and contents of the policies that come with the program: `rules/profiles/NAME.toml`.
    pub fn profiles() -> impl Iterator<Item = (&'static str, &'static str)> {
        builtin::PROFILES.iter().copied()
    }

    /// The rules that `text`, the content of the file named `file_name`, spells.
    ///
    /// # Errors
    /// When the text is no TOML, holds an unknown field, or a rule is not complete.
    pub fn parse(file_name: &str, text: &str) -> Result<Catalog, RuleError> {
        file::parse(file_name, text)
    }

    /// Adds the rules, notes and key words of `other`.
    ///
    /// # Errors
    /// When a rule of the same id is there already; nothing is added then.
    pub fn extend(&mut self, other: Catalog) -> Result<(), RuleError> {
        self.check_new(&other)?;
        self.set.rules.extend(other.set.rules);
        self.notes.extend(other.notes);
        let (words, more) = (&mut self.set.key_words, other.set.key_words);
        merge(&mut words.neutral_after, more.neutral_after);
        merge(&mut words.neutral_before, more.neutral_before);
        merge(&mut words.neutral_leaf, more.neutral_leaf);
        Ok(())
    }

    /// The built-in set's version: year, month and revision.
    pub fn version() -> &'static str {
        builtin::version()
    }

    /// The first twelve hex digits of the SHA-256 over names and contents of the built-in files: what `--version` shows.
    pub fn hash() -> String {
        builtin::hash()
    }

    /// Names and contents of the built-in rule files, by name.
    pub fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
        builtin::FILES.iter().copied()
    }

    /// As [`Catalog::files`], of the rules that are off unless somebody asks for them.
    pub fn optional_files() -> impl Iterator<Item = (&'static str, &'static str)> {
        builtin::OPTIONAL.iter().copied()
    }

    fn check_new(&self, other: &Catalog) -> Result<(), RuleError> {
        let known: HashMap<&str, &Rule> = self.set.rules.iter().map(|rule| (rule.id.as_str(), rule)).collect();
        match other.set.rules.iter().find_map(|rule| known.get(rule.id.as_str()).map(|first| (rule, first))) {
            Some((second, first)) => Err(duplicate(second, first)),
            None => Ok(()),
        }
    }

    fn push(&mut self, rule: Rule, notes: Notes) -> Result<(), RuleError> {
        if let Some(first) = self.set.rules.iter().find(|known| known.id == rule.id) {
            return Err(duplicate(&rule, first));
        }
        self.set.rules.push(rule);
        self.notes.push(notes);
        Ok(())
    }
}

fn duplicate(second: &Rule, first: &Rule) -> RuleError {
    RuleError::Duplicate { origin: second.origin.clone(), rule: second.id.clone(), first: first.origin.clone() }
}

fn merge(words: &mut Vec<String>, more: Vec<String>) {
    for word in more {
        if !words.contains(&word) {
            words.push(word);
        }
    }
}

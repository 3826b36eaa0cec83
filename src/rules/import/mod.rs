//! Rules of other scanners as rules of ours. It reads no file and no rule of another tool comes with the program: the text is
//! the caller's. What cannot be kept is said rule by rule in [`ImportNote`]s; nothing is weakened silently.
//!
//! So far: the TOML of gitleaks and of its kin (Betterleaks). Of a rule there are kept its id, description, regex,
//! `secretGroup`, keywords, entropy floor and the `regexes` and `stopwords` of allowlists, its own and the file's. Not kept are
//! paths and commits, which a log does not have: without them a rule finds more, never less.

mod gitleaks;
mod regex;
mod write;

use std::collections::HashSet;
use std::fmt;

pub use gitleaks::{gitleaks, looks_like_gitleaks};
pub use write::{export, to_toml, toml_string};

use super::Catalog;

/// Imported rules, and what became of what they said.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// The rules.
    pub catalog: Catalog,
    /// What could not be kept or means something else here, in the order of the file.
    pub notes: Vec<ImportNote>,
    /// Ids of rules the file switches off in the set it extends; those that are built in under the same id may be switched off here.
    pub disabled: Vec<String>,
}

/// What could not be kept of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportNote {
    /// The rule's id as it is imported; empty for what belongs to the whole file.
    pub rule: String,
    /// One-based line it is about.
    pub line: usize,
    /// One sentence for people.
    pub what: String,
}

impl fmt::Display for ImportNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rule.as_str() {
            "" => write!(f, "line {}: {}", self.line, self.what),
            rule => write!(f, "line {}: rule `{rule}`: {}", self.line, self.what),
        }
    }
}

impl Imported {
    /// Renames rules whose id stands in `known` to `gitleaks-…`, with a note, so that both can be used together.
    pub fn stand_beside(&mut self, known: &Catalog) {
        let mut taken: HashSet<String> = known.set.rules.iter().map(|rule| rule.id.clone()).collect();
        let own: HashSet<String> = self.catalog.set.rules.iter().map(|rule| rule.id.clone()).collect();
        for rule in
            self.catalog.set.rules.iter_mut().filter(|rule| known.set.rules.iter().any(|first| first.id == rule.id))
        {
            let tries = (1..).map(|count| if count == 1 { "gitleaks".to_owned() } else { format!("gitleaks-{count}") });
            let names = tries.map(|prefix| shortened(&format!("{prefix}-{}", rule.id)));
            let free = names.into_iter().find(|id| !taken.contains(id) && !own.contains(id)).expect("a number is free");
            let what = format!("named `{free}`, because `{}` is another rule", rule.id);
            self.notes.iter_mut().filter(|note| note.rule == rule.id).for_each(|note| note.rule.clone_from(&free));
            self.notes.push(ImportNote { rule: free.clone(), line: rule.origin.line, what });
            taken.insert(free.clone());
            rule.id = free;
        }
    }
}

/// `id` cut to the longest one allowed.
fn shortened(id: &str) -> String {
    id.chars().take(super::file::MAX_ID_LEN).collect::<String>().trim_end_matches('-').to_owned()
}

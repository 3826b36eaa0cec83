//! What the operator asks for: the configuration file, and with the rules at hand a policy. It reads no file (the caller
//! brings name and text), no environment and no clock.
//!
//! Everything unknown is refused with file and line: a misspelt setting that is ignored would be a leak.

mod allow;
#[cfg(feature = "daemon")]
pub mod daemon;
mod date;
mod error;
mod file;
mod known;
mod moment;
mod names;
mod profile;
mod select;

use std::path::PathBuf;

pub use allow::Allowed;
pub use date::Date;
pub use error::ConfigError;
pub use known::{CommandOutput, Contact, KnownCommand, KnownSources};
pub use moment::{Moment, duration};
pub use names::nearest;
pub use profile::Profile;

use crate::engine::{Action, Mode, NumberAs};

/// Threads at most.
pub const MAX_THREADS: usize = 256;

/// A rule id or category, and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub text: String,
    /// `inkout.toml:4` or `--only`.
    pub place: String,
}

/// Everything that may be asked for, from a file, from flags, or from both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Rule files and folders of them.
    pub rules: Vec<PathBuf>,
    /// Whether the rules that come with the program are left out.
    pub no_builtin: bool,
    /// The version or hash that those rules must have.
    pub rules_pin: Option<Name>,
    /// Policies that come with the program, by name; each is followed by those behind it and by `actions`.
    pub profile: Vec<Name>,
    /// If not empty: the only rules that are on.
    pub only: Vec<Name>,
    /// Rules that are off.
    pub disable: Vec<Name>,
    /// For credentials that `actions` does not name.
    pub action: Option<Action>,
    /// By rule or category.
    pub actions: Vec<(Name, Action)>,
    /// The placeholder's template.
    pub placeholder: Option<String>,
    /// What becomes of a number under a secret key.
    pub number: NumberAs,
    /// In how many records behind it a value is masked that stood beside a key; 0 for none.
    pub learn_records: usize,
    /// Enforce or audit.
    pub mode: Mode,
    /// The last day of an audit and where it was written.
    pub audit_until: Option<(Date, String)>,
    /// How many threads redact; 0 for as many as there are processors.
    pub threads: Option<usize>,
    /// Where known values come from.
    pub known: KnownSources,
    /// What is left in the clear, and why.
    pub allow: Vec<Allowed>,
    /// A folder of files with more of those, which `inkout allow` writes.
    pub allow_dir: Option<PathBuf>,
}

impl Config {
    /// A configuration file in which every setting is explained; all of them are the default.
    pub const TEMPLATE: &str = include_str!("template.toml");

    /// The configuration that `text`, the content of the file named `file_name`, spells.
    ///
    /// # Errors
    /// When the text is no TOML, holds an unknown key, or a value is not one of those allowed.
    pub fn parse(file_name: &str, text: &str) -> Result<Config, ConfigError> {
        file::parse(file_name, text)
    }

    /// Takes out the exemptions that do nothing any more at `now`: a policy knows no time.
    pub fn take_expired(&mut self, now: Moment) -> Vec<Allowed> {
        let (expired, rest) = std::mem::take(&mut self.allow).into_iter().partition(|entry| entry.has_expired(now));
        self.allow = rest;
        expired
    }

    /// When the first of the exemptions expires: from then on the policy is to be made anew.
    pub fn next_expiry(&self) -> Option<Moment> {
        self.allow.iter().filter_map(|entry| entry.expires).min()
    }
}

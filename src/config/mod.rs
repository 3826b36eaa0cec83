//! What the operator asks for: the configuration file, and with the rules at hand a policy. It reads no file (the caller
//! brings name and text), no environment and no clock.
//!
//! Everything unknown is refused with file and line: a misspelt setting that is ignored would be a leak.

#[cfg(feature = "daemon")]
pub mod daemon;
mod date;
mod error;
mod file;
mod names;
mod select;

use std::path::PathBuf;

pub use date::Date;
pub use error::ConfigError;
pub use names::nearest;

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
    /// Enforce or audit.
    pub mode: Mode,
    /// The last day of an audit and where it was written.
    pub audit_until: Option<(Date, String)>,
    /// How many threads redact; 0 for as many as there are processors.
    pub threads: Option<usize>,
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
}

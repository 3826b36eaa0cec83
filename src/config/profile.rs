//! A profile: a policy that comes with the program, for people to read and to choose by name. What it names is switched on as
//! if the configuration's own `[policy]` named it; what the configuration says goes before it.

use toml::de::{DeTable, DeValue};

use super::file::{Fault, Source};
use super::{ConfigError, Name};
use crate::engine::Action;

/// A policy by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// One line for people.
    pub summary: String,
    /// By rule or category.
    pub actions: Vec<(Name, Action)>,
}

impl Profile {
    /// The profile that `text`, the content of the file named `file_name`, spells.
    ///
    /// # Errors
    /// When the text is no TOML, or holds anything but `[profile]` with a `summary` and `[policy]`.
    pub fn parse(file_name: &str, text: &str) -> Result<Profile, ConfigError> {
        let source = Source { name: file_name, text };
        let root = DeTable::parse(text).map_err(|error| source.fault(Fault::explained(&error)))?;
        let mut profile = Profile { summary: String::new(), actions: Vec::new() };
        for (key, value) in root.get_ref() {
            match key.get_ref().as_ref() {
                "policy" => profile.actions = source.policy(value)?,
                "profile" => {
                    let summary = value.get_ref().get("summary").map(|summary| summary.get_ref());
                    let text = summary.and_then(DeValue::as_str).unwrap_or_default();
                    text.clone_into(&mut profile.summary);
                }
                other => {
                    let reason = format!("unknown table `{other}`; known: profile, policy");
                    return Err(source.fault(Fault::new(key.span(), reason)));
                }
            }
        }
        if profile.summary.is_empty() {
            return Err(source.fault(Fault::new(0..0, "`[profile]` has a `summary` of one line")));
        }
        Ok(profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_a_summary_and_a_policy() {
        let text = "[profile]\nsummary = 'S'\n[policy]\npersonal = 'hash'\n";
        let profile = Profile::parse("p.toml", text).unwrap();
        assert_eq!((profile.summary.as_str(), profile.actions[0].1), ("S", Action::Hash));
        for (text, said) in [
            ("[policy]\npersonal = 'hash'", "p.toml:1: `[profile]` has a `summary`"),
            ("[profile]\nsummary = 'S'\n[policy]\npersonal = 'x'", "p.toml:4: unknown action `x`"),
            ("x = 1", "p.toml:1: unknown table `x`"),
        ] {
            let error = Profile::parse("p.toml", text).unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
        }
    }
}

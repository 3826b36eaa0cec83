//! Reads the text of a configuration file. Whether the rules it names exist is `select`'s question.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::names::nearest;
use super::{Config, Date, Name};
use crate::engine::{Action, Mode, NumberAs, Policy};

/// Every key of the file.
pub(super) const KEYS: [&str; 16] = [
    "rules",
    "no_builtin",
    "rules_pin",
    "profile",
    "only",
    "disable",
    "placeholder",
    "number",
    "learn_records",
    "mode",
    "audit_until",
    "threads",
    "policy",
    "known",
    "allow",
    "allow_dir",
];
const NUMBERS: [(&str, NumberAs); 3] =
    [("string", NumberAs::String), ("null", NumberAs::Null), ("zero", NumberAs::Zero)];
const MODES: [(&str, Mode); 2] = [("enforce", Mode::Enforce), ("audit", Mode::Audit)];

type Value<'t> = Spanned<DeValue<'t>>;

pub(super) fn parse(name: &str, text: &str) -> Result<Config, ConfigError> {
    let source = Source::new(name, text);
    let root = DeTable::parse(text).map_err(|error| {
        let message = error.message().trim().replace('\n', ", ");
        source.error(error.span().unwrap_or_default(), message)
    })?;
    let mut config = Config::default();
    let mut audit = None;
    for (key, value) in root.get_ref() {
        source.set(&mut config, key, value)?;
        if key.get_ref() == "mode" {
            audit = Some(value.span());
        }
    }
    source.check_audit(&config, audit)?;
    Ok(config)
}

/// What is wrong, and the bytes of the file that say it.
pub(super) struct Fault {
    pub(super) at: Range<usize>,
    pub(super) reason: String,
}

impl Fault {
    pub(super) fn new(at: Range<usize>, reason: impl Into<String>) -> Fault {
        Fault { at, reason: reason.into() }
    }

    /// A parser's message in the words of ours.
    pub(super) fn explained(error: &toml::de::Error) -> Fault {
        let message = error.message().trim().replace('\n', ", ");
        let reason = match message.split_once(", expected ") {
            Some((unknown, known)) if unknown.starts_with("unknown field") => {
                format!("{unknown}; known: {}", known.trim_start_matches("one of ").replace('`', ""))
            }
            _ => message,
        };
        Fault { at: error.span().unwrap_or_default(), reason }
    }
}

/// A file's name and text.
pub(super) struct Source<'t> {
    pub(super) name: &'t str,
    pub(super) text: &'t str,
}

impl<'t> Source<'t> {
    pub(super) fn new(name: &'t str, text: &'t str) -> Source<'t> {
        Source { name, text }
    }
}

impl Source<'_> {
    /// Paths are relative to the folder the file is in.
    #[cfg(feature = "daemon")]
    pub(super) fn beside(&self, path: &Path) -> PathBuf {
        Path::new(self.name).parent().unwrap_or(Path::new("")).join(path)
    }

    /// Refuses an audit without an end. `mode_at` is where the mode was written, if it was.
    pub(super) fn check_audit(&self, config: &Config, mode_at: Option<Range<usize>>) -> Result<(), ConfigError> {
        match mode_at {
            Some(at) if config.mode == Mode::Audit && config.audit_until.is_none() => Err(self.error(
                at,
                "mode `audit` needs `audit_until = \"YYYY-MM-DD\"`, the last day nothing is masked".to_owned(),
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn place(&self, at: usize) -> String {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        format!("{}:{}", self.name, memchr::memchr_iter(b'\n', before).count() + 1)
    }

    pub(super) fn fault(&self, fault: Fault) -> ConfigError {
        self.error(fault.at, fault.reason)
    }

    pub(super) fn error(&self, at: Range<usize>, reason: String) -> ConfigError {
        ConfigError::File { place: self.place(at.start), reason }
    }

    pub(super) fn set(
        &self,
        config: &mut Config,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Value<'_>,
    ) -> Result<(), ConfigError> {
        let name = key.get_ref().as_ref();
        match name {
            "rules" => config.rules = self.paths(name, value)?,
            "no_builtin" => {
                let refuse = || self.error(value.span(), "`no_builtin` is true or false".to_owned());
                config.no_builtin = value.get_ref().as_bool().ok_or_else(refuse)?;
            }
            "rules_pin" => {
                let text = self.string(name, value)?.to_owned();
                config.rules_pin = Some(Name { text, place: self.place(value.span().start) });
            }
            "profile" => config.profile = self.names(name, value)?,
            "only" => config.only = self.names(name, value)?,
            "disable" => config.disable = self.names(name, value)?,
            "placeholder" => config.placeholder = Some(self.string(name, value)?.to_owned()),
            "number" => config.number = self.choice(name, value, &NUMBERS)?,
            "learn_records" => config.learn_records = self.count(name, value, "0 (off)", Policy::MAX_LEARN_RECORDS)?,
            "mode" => config.mode = self.choice(name, value, &MODES)?,
            "audit_until" => config.audit_until = Some((self.date(name, value)?, self.place(value.span().start))),
            "threads" => config.threads = Some(self.count(name, value, "0 (all processors)", super::MAX_THREADS)?),
            "policy" => config.actions = self.policy(value)?,
            "known" => {
                let parsed = super::known::parse(value.clone(), &self.path(""));
                config.known = parsed.map_err(|fault| self.fault(fault))?;
            }
            "allow" => config.allow = super::allow::parse(value.clone(), self).map_err(|fault| self.fault(fault))?,
            "allow_dir" => config.allow_dir = Some(self.path(self.string(name, value)?)),
            unknown => return Err(self.error(key.span(), unknown_key(unknown))),
        }
        Ok(())
    }

    fn string<'v>(&self, name: &str, value: &'v Value<'_>) -> Result<&'v str, ConfigError> {
        let refuse = || self.error(value.span(), format!("`{name}` is a string in quotes"));
        value.get_ref().as_str().ok_or_else(refuse)
    }

    fn strings<'v>(&self, name: &str, value: &'v Value<'_>) -> Result<Vec<(&'v str, Range<usize>)>, ConfigError> {
        let refuse = || self.error(value.span(), format!("`{name}` is a list of strings: {name} = [\"…\"]"));
        let items = value.get_ref().as_array().ok_or_else(refuse)?;
        items.iter().map(|item| item.get_ref().as_str().map(|text| (text, item.span())).ok_or_else(refuse)).collect()
    }

    /// Paths are relative to the folder the file is in.
    fn paths(&self, name: &str, value: &Value<'_>) -> Result<Vec<PathBuf>, ConfigError> {
        Ok(self.strings(name, value)?.into_iter().map(|(path, _)| self.path(path)).collect())
    }

    fn path(&self, path: &str) -> PathBuf {
        Path::new(self.name).parent().unwrap_or(Path::new("")).join(path)
    }

    fn names(&self, name: &str, value: &Value<'_>) -> Result<Vec<Name>, ConfigError> {
        let named = |(text, at): (&str, Range<usize>)| Name { text: text.to_owned(), place: self.place(at.start) };
        Ok(self.strings(name, value)?.into_iter().map(named).collect())
    }

    fn choice<T: Copy>(&self, name: &str, value: &Value<'_>, known: &[(&str, T)]) -> Result<T, ConfigError> {
        let text = self.string(name, value)?;
        let found = known.iter().find(|(known, _)| *known == text).map(|(_, choice)| *choice);
        found.ok_or_else(|| {
            let known: Vec<&str> = known.iter().map(|(known, _)| *known).collect();
            self.error(value.span(), format!("unknown {name} `{text}`; known: {}", known.join(", ")))
        })
    }

    fn date(&self, name: &str, value: &Value<'_>) -> Result<Date, ConfigError> {
        let text = self.string(name, value)?;
        Date::parse(text).ok_or_else(|| self.error(value.span(), format!("`{text}` is no day; write \"YYYY-MM-DD\"")))
    }

    /// A whole number up to `max`; what none of it means is said by `none`.
    fn count(&self, name: &str, value: &Value<'_>, none: &str, max: usize) -> Result<usize, ConfigError> {
        let parsed = value.get_ref().as_integer().and_then(|number| number.as_str().parse::<usize>().ok());
        let refuse = || self.error(value.span(), format!("`{name}` is a number from {none} to {max}"));
        parsed.filter(|count| *count <= max).ok_or_else(refuse)
    }

    pub(super) fn policy(&self, value: &Value<'_>) -> Result<Vec<(Name, Action)>, ConfigError> {
        let refuse = || self.error(value.span(), "`policy` is a table: [policy]".to_owned());
        let table = value.get_ref().as_table().ok_or_else(refuse)?;
        let action = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Value<'_>)| {
            let text = self.string(key.get_ref(), value)?;
            let unknown = || self.error(value.span(), format!("unknown action `{text}`; known: {}", Action::NAMES));
            let name = Name { text: key.get_ref().to_string(), place: self.place(key.span().start) };
            Ok((name, Action::named(text).ok_or_else(unknown)?))
        };
        table.iter().map(action).collect()
    }
}

fn unknown_key(name: &str) -> String {
    let meant = nearest(name, KEYS).unwrap_or_default();
    format!("unknown key `{name}`; did you mean `{meant}`? known: {}", KEYS.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_file_is_read() {
        let text = "rules = ['mine.toml', '/etc/rules']\ndisable = ['personal']\nonly = ['x']\nplaceholder = '[{rule}]'\n\
                    number = 'null'\nmode = 'audit'\naudit_until = '2030-01-02'\nthreads = 3\nlearn_records = 9\n\n[policy]\ncredential = 'mask'\n";
        let config = Config::parse("etc/inkout.toml", text).unwrap();
        assert_eq!(config.rules, [Path::new("etc/mine.toml"), Path::new("/etc/rules")]);
        assert_eq!(config.disable, [Name { text: "personal".to_owned(), place: "etc/inkout.toml:2".to_owned() }]);
        assert_eq!(config.only[0].place, "etc/inkout.toml:3");
        assert_eq!((config.placeholder.as_deref(), config.number), (Some("[{rule}]"), NumberAs::Null));
        assert_eq!((config.mode, config.threads, config.learn_records), (Mode::Audit, Some(3), 9));
        let (name, action) = &config.actions[0];
        assert_eq!(
            (name.text.as_str(), name.place.as_str(), action.name()),
            ("credential", "etc/inkout.toml:12", "mask")
        );
        assert_eq!(Config::parse("x", "").unwrap(), Config::default());
    }

    #[test]
    fn what_is_not_known_is_refused_at_its_line() {
        let cases = [
            ("a = ", "c.toml:1: "),
            (
                "\nplacholder = 'x'",
                "c.toml:2: unknown key `placholder`; did you mean `placeholder`? known: rules, no_builtin, rules_pin, profile, only, disable, placeholder, \
                 number, learn_records, mode, audit_until, threads, policy, known, allow, allow_dir",
            ),
            ("number = 'nil'", "c.toml:1: unknown number `nil`; known: string, null, zero"),
            ("mode = 'dry'", "c.toml:1: unknown mode `dry`; known: enforce, audit"),
            ("learn_records = 1001", "c.toml:1: `learn_records` is a number from 0 (off) to 1000"),
            ("learn_records = -1", "c.toml:1: `learn_records` is a number from 0 (off) to 1000"),
            ("learn_records = '5'", "c.toml:1: `learn_records` is a number from 0 (off) to 1000"),
            ("mode = 3", "c.toml:1: `mode` is a string in quotes"),
            ("rules = 'x'", "c.toml:1: `rules` is a list of strings: rules = [\"…\"]"),
            ("only = [1]", "c.toml:1: `only` is a list of strings: only = [\"…\"]"),
            ("threads = -1", "c.toml:1: `threads` is a number from 0 (all processors) to 256"),
            ("threads = 'x'", "c.toml:1: `threads` is a number from 0 (all processors) to 256"),
            ("policy = 1", "c.toml:1: `policy` is a table: [policy]"),
            (
                "[policy]\ncredential = 'redact'",
                "c.toml:2: unknown action `redact`; known: replace, mask, hash, remove, prefix12, keep",
            ),
            ("audit_until = '2026-02-30'", "c.toml:1: `2026-02-30` is no day; write \"YYYY-MM-DD\""),
            (
                "threads = 1\nmode = 'audit'",
                "c.toml:2: mode `audit` needs `audit_until = \"YYYY-MM-DD\"`, the last day nothing is masked",
            ),
        ];
        for (text, message) in cases {
            let error = Config::parse("c.toml", text).expect_err(text).to_string();
            assert!(error.starts_with(message), "{text}\n{error}");
        }
    }

    #[test]
    fn the_template_is_the_default_and_names_every_setting() {
        assert_eq!(Config::parse("t", Config::TEMPLATE).unwrap(), Config::default());
        for key in KEYS.iter().filter(|key| **key != "policy") {
            assert!(Config::TEMPLATE.contains(&format!("\n#{key} = ")), "{key}");
        }
        let lines = Config::TEMPLATE.lines();
        let active: Vec<&str> =
            lines.map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line)).collect();
        let config = Config::parse("t", &active.join("\n")).unwrap();
        assert_eq!((config.mode, config.actions.len()), (Mode::Enforce, 6));
        let set = crate::rules::Catalog::builtin().set;
        let only = Config { only: Vec::new(), disable: Vec::new(), ..config };
        let (policy, default) = (only.policy(&set, None, Date::of_unix_seconds(0)).unwrap(), Policy::default());
        assert_eq!(
            (policy.action, policy.by_category, policy.by_rule),
            (default.action, default.by_category, default.by_rule)
        );
    }
}

//! Arguments, configuration and rule files become an engine. Everything that can be wrong with them is said here, before
//! any input is opened.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

use super::args::{ActionName, EngineArgs};
use super::print::complain;
use crate::config::{Config, Date, Name};
use crate::engine::{Action, Engine, HashKey, Known, Limits, Mode};
use crate::rules::{Catalog, import};
use crate::secrets;

/// Whether line ends are counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    Count,
    Ignore,
}

/// What was asked for, read and checked.
pub(super) struct Setup {
    pub(super) config: Config,
    pub(super) catalog: Catalog,
}

impl Setup {
    /// Reads the configuration and the rules.
    pub(super) fn read(args: &EngineArgs) -> anyhow::Result<Setup> {
        let config = config(args)?;
        let mut catalog = Catalog::builtin();
        for path in &config.rules {
            for (name, text) in rule_files(path)? {
                let file = parse_rules(&catalog, &name, &text)?;
                catalog.extend(file)?;
            }
        }
        Ok(Setup { config, catalog })
    }

    /// Compiles them.
    pub(super) fn compile(self, args: &EngineArgs, lines: Lines) -> anyhow::Result<Arc<Engine>> {
        let policy = self.config.policy(&self.catalog.set, hash_key(args)?, today())?;
        let limits = Limits { count_lines: lines == Lines::Count, ..Limits::default() };
        let engine = Engine::compile(self.catalog.set, policy, &limits)?;
        if !self.config.rules.is_empty() {
            // A regex of the user's that is too large must stop the start, not the stream.
            engine.warm()?;
        }
        let engine = match &args.known_values {
            Some(path) => engine.with_known(known(path)?, None)?,
            None => engine,
        };
        Ok(Arc::new(engine))
    }

    /// Compiles them to mask, whatever the mode.
    pub(super) fn compile_enforcing(mut self, args: &EngineArgs) -> anyhow::Result<Arc<Engine>> {
        self.config.mode = Mode::Enforce;
        self.compile(args, Lines::Ignore)
    }
}

/// The rules of a file of ours or of gitleaks'; what cannot be kept of the latter is said, rule by rule.
pub(super) fn parse_rules(known: &Catalog, name: &str, text: &str) -> anyhow::Result<Catalog> {
    if !import::looks_like_gitleaks(text) {
        return Ok(Catalog::parse(name, text)?);
    }
    let mut imported = import::gitleaks(name, text)?;
    imported.stand_beside(known);
    imported.notes.iter().for_each(|note| complain(&format!("{name}: {note}")));
    Ok(imported.catalog)
}

/// The values of the file at `path`; which of them cannot be looked for is said by their line, never shown.
pub(super) fn known(path: &Path) -> anyhow::Result<Arc<Known>> {
    let loaded = secrets::known_values_from_file(path)?;
    if loaded.exposed {
        complain(&format!("warning: known values file {} can be read by others; chmod 600 it", path.display()));
    }
    let (known, skipped) = Known::new(loaded.values);
    skipped.iter().for_each(|skipped| complain(&format!("warning: {}: {skipped}", path.display())));
    anyhow::ensure!(!known.is_empty(), "known values file {} holds no value of 6 or more bytes", path.display());
    Ok(Arc::new(known))
}

pub(super) fn config(args: &EngineArgs) -> anyhow::Result<Config> {
    let mut config = match &args.config {
        Some(path) => {
            let text =
                fs::read_to_string(path).with_context(|| format!("cannot read configuration {}", path.display()))?;
            Config::parse(&path.display().to_string(), &text)?
        }
        None => Config::default(),
    };
    apply(args, &mut config);
    Ok(config)
}

/// What flags say goes before what the file says.
pub(super) fn apply(args: &EngineArgs, config: &mut Config) {
    config.rules.extend(args.rules.iter().cloned());
    if !args.only.is_empty() {
        config.only = names("--only", &args.only);
    }
    config.disable.extend(names("--disable", &args.disable));
    if args.placeholder.is_some() {
        config.placeholder.clone_from(&args.placeholder);
    }
    config.action = args.action.map(action);
}

fn names(flag: &str, list: &[String]) -> Vec<Name> {
    list.iter().map(|text| Name { text: text.trim().to_owned(), place: flag.to_owned() }).collect()
}

fn action(name: ActionName) -> Action {
    match name {
        ActionName::Replace => Action::Replace,
        ActionName::Mask => Action::Mask { keep_last: 4 },
        ActionName::Hash => Action::Hash,
        ActionName::Remove => Action::Remove,
    }
}

/// Names and texts of the rule files at `path`, by name.
pub(super) fn rule_files(path: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let unreadable = |path: &Path| format!("cannot read rules {}", path.display());
    let mut paths = vec![path.to_owned()];
    if path.is_dir() {
        let entries = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        paths = entries
            .with_context(|| unreadable(path))?
            .iter()
            .map(fs::DirEntry::path)
            .filter(|path| is_rule_file(path))
            .collect();
        paths.sort();
        anyhow::ensure!(!paths.is_empty(), "{}: no *.toml file in this folder", path.display());
    }
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).with_context(|| unreadable(path))?;
        Ok((path.display().to_string(), text))
    };
    paths.iter().map(read).collect()
}

fn is_rule_file(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml")
}

pub(super) fn hash_key(args: &EngineArgs) -> anyhow::Result<Option<HashKey>> {
    let loaded = match &args.hash_key_file {
        Some(path) => Some(secrets::hash_key_from_file(path)?),
        None => secrets::hash_key_from_environment()?,
    };
    if let (Some(path), true) = (&args.hash_key_file, loaded.as_ref().is_some_and(|loaded| loaded.exposed)) {
        complain(&format!("warning: hash key file {} can be read by others; chmod 600 it", path.display()));
    }
    Ok(loaded.map(|loaded| loaded.key))
}

pub(super) fn today() -> Date {
    Date::of_unix_seconds(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

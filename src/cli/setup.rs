//! Arguments, configuration and rule files become an engine. Everything that can be wrong with them is said here, before
//! any input is opened.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use super::args::{ActionName, EngineArgs};
use super::print::complain;
use super::rules_check;
use crate::config::{Allowed, Config, Date, KnownSources, Moment, Name, Profile};
use crate::engine::{Action, Engine, HashKey, Known, Limits, Mode};
use crate::rules::{Catalog, import};
use crate::secrets::{self, known::Values};

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
    /// How many of the rules are the operator's own.
    pub(super) own_rules: usize,
    /// Of the files they are in.
    pub(super) own_digest: [u8; 32],
    /// Whether a profile alone asks for hashes: without a key there is one for this run.
    pub(super) pseudonyms: bool,
}

impl Setup {
    /// Reads the configuration and the rules.
    pub(super) fn read(args: &EngineArgs) -> anyhow::Result<Setup> {
        Setup::of(config(args)?)
    }

    /// Reads the rules that `config` asks for.
    pub(super) fn of(mut config: Config) -> anyhow::Result<Setup> {
        let hashes = |actions: &[(Name, Action)]| actions.iter().any(|(_, action)| *action == Action::Hash);
        let own_hash = hashes(&config.actions) || config.action == Some(Action::Hash);
        apply_profiles(&mut config)?;
        let pseudonyms = !own_hash && hashes(&config.actions);
        check_pin(&config)?;
        let mut catalog = if config.no_builtin { Catalog::default() } else { Catalog::builtin() };
        for family in Catalog::optional().filter(|family| is_asked_for(&config, family)) {
            catalog.extend(family)?;
        }
        let built_in = catalog.set.rules.len();
        let mut digest = Sha256::new();
        for path in &config.rules {
            for (name, text) in rule_files(path)? {
                digest.update((text.len() as u64).to_le_bytes());
                digest.update(&text);
                let file = parse_rules(&catalog, &name, &text)?;
                catalog.extend(file)?;
            }
        }
        rules_check::refuse_wrong(&catalog, built_in)?;
        let own_rules = catalog.set.rules.len() - built_in;
        let own_digest = digest.finalize().into();
        Ok(Setup { config, catalog, own_rules, own_digest, pseudonyms })
    }

    /// Compiles them.
    pub(super) fn compile(self, args: &EngineArgs, lines: Lines) -> anyhow::Result<Arc<Engine>> {
        self.compile_with(args, lines, |_, _| ())
    }

    /// Adds the exemptions of the folder of drop-in files, and takes out what has expired.
    pub(super) fn settle_allowed(&mut self) -> anyhow::Result<()> {
        if let Some(folder) = self.config.allow_dir.take() {
            self.config.allow.extend(allow_files(&folder)?);
        }
        for allowed in self.config.take_expired(now()) {
            let place = &allowed.entry.place;
            complain(&format!(
                "warning: {place}: this allow entry ({}) has expired and does nothing",
                allowed.describe()
            ));
        }
        Ok(())
    }

    /// Compiles them, with the known values that `more` adds once the rules stand.
    pub(super) fn compile_with(
        self,
        args: &EngineArgs,
        lines: Lines,
        more: impl FnOnce(&Engine, &mut Values),
    ) -> anyhow::Result<Arc<Engine>> {
        let policy = self.config.policy(&self.catalog.set, None, today())?;
        let hashed = self.catalog.set.rules.iter().any(|rule| policy.action_of(rule) == Action::Hash);
        let key = hash_key(args, hashed && self.pseudonyms)?;
        self.compile_under(key, lines, more)
    }

    /// Compiles under a key that is at hand; what `more` has to add goes to the known values.
    pub(super) fn compile_under(
        self,
        key: Option<HashKey>,
        lines: Lines,
        more: impl FnOnce(&Engine, &mut Values),
    ) -> anyhow::Result<Arc<Engine>> {
        let (engine, sources) = self.compile_rules(key, lines)?;
        let mut values = Values::read(&sources)?;
        more(&engine, &mut values);
        let engine = match known(values)? {
            Some(known) => engine.with_known(known, None)?,
            None => engine,
        };
        Ok(Arc::new(engine))
    }

    /// Compiles the rules under this key, and tells where the known values come from.
    pub(super) fn compile_rules(
        mut self,
        key: Option<HashKey>,
        lines: Lines,
    ) -> anyhow::Result<(Engine, KnownSources)> {
        self.settle_allowed()?;
        let policy = self.config.policy(&self.catalog.set, key, today())?;
        let limits = Limits { count_lines: lines == Lines::Count, ..Limits::default() };
        let built_in = self.catalog.set.rules.len() - self.own_rules;
        let engine = Engine::compile(self.catalog.set, policy, &limits)?;
        // A regex of the user's that is too large must stop the start, not the stream.
        engine.warm_from(built_in)?;
        Ok((engine, self.config.known))
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

/// What is to be looked for, if anything; what is not is said by its name, never shown.
fn known(values: Values) -> anyhow::Result<Option<Arc<Known>>> {
    let loaded = values.finish(0)?;
    loaded.notes.iter().for_each(|note| complain(&format!("warning: {note}")));
    Ok((!loaded.known.is_empty()).then_some(loaded.known))
}

/// Refuses other built-in rules than those that were pinned.
fn check_pin(config: &Config) -> anyhow::Result<()> {
    let (version, hash) = (Catalog::version(), Catalog::hash());
    match &config.rules_pin {
        Some(pin) if pin.text != version && pin.text != hash => anyhow::bail!(
            "{}: the rules are pinned to `{}`, and this inkout has {version} ({hash})",
            pin.place,
            pin.text
        ),
        _ => Ok(()),
    }
}

/// Puts the actions of the chosen profiles before the configuration's own.
fn apply_profiles(config: &mut Config) -> anyhow::Result<()> {
    let mut actions = Vec::new();
    for name in &config.profile {
        let path = format!("rules/profiles/{}.toml", name.text);
        let Some((path, text)) = Catalog::profiles().find(|(file, _)| *file == path) else {
            anyhow::bail!("{}: unknown profile `{}`; known: {}", name.place, name.text, profile_names().join(", "));
        };
        actions.extend(Profile::parse(path, text)?.actions);
    }
    actions.append(&mut config.actions);
    config.actions = actions;
    Ok(())
}

/// The names of the profiles.
pub(super) fn profile_names() -> Vec<&'static str> {
    let names = Catalog::profiles().filter_map(|(path, _)| Path::new(path).file_stem()?.to_str());
    names.collect()
}

/// Whether somebody wants a rule of `family`, or the category of one, to do something.
fn is_asked_for(config: &Config, family: &Catalog) -> bool {
    let named =
        |name: &Name| family.set.rules.iter().any(|rule| rule.id == name.text || rule.category.name() == name.text);
    config.only.iter().any(named) || config.actions.iter().any(|(name, action)| *action != Action::Keep && named(name))
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
    config.no_builtin |= args.no_builtin;
    if let Some(pin) = names("--rules-pin", args.rules_pin.as_slice()).pop() {
        config.rules_pin = Some(pin);
    }
    config.profile.extend(names("--profile", &args.profile));
    if args.placeholder.is_some() {
        config.placeholder.clone_from(&args.placeholder);
    }
    config.learn_records = args.learn_records.unwrap_or(config.learn_records);
    config.action = args.action.map(action);
    if args.allow_dir.is_some() {
        config.allow_dir.clone_from(&args.allow_dir);
    }
    config.known.files.extend(args.known_values.iter().cloned());
    config.known.env.extend(args.known_env.iter().cloned());
    config.known.dotenv.extend(args.known_dotenv.iter().cloned());
    config.known.dirs.extend(args.known_dir.iter().cloned());
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
        ActionName::Prefix12 => Action::Prefix { keep_first: 12 },
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

/// The exemptions of the drop-in files in `folder`, by name. A folder that is not there has none.
pub(super) fn allow_files(folder: &Path) -> anyhow::Result<Vec<Allowed>> {
    let unreadable = || format!("cannot read the folder of allow entries {}", folder.display());
    let entries = match fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(unreadable)?,
    };
    let mut paths: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).filter(|path| is_rule_file(path)).collect();
    paths.sort();
    let mut allowed = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        allowed.extend(Allowed::parse(&path.display().to_string(), &text)?);
    }
    Ok(allowed)
}

/// The key of the `hash` action. Where only a profile asks for one and there is none, a key for this run alone.
pub(super) fn hash_key(args: &EngineArgs, pseudonyms: bool) -> anyhow::Result<Option<HashKey>> {
    let given = given_hash_key(args.hash_key_file.as_deref())?;
    if given.is_none() && pseudonyms {
        complain(&"no --hash-key-file and no INKOUT_HASH_KEY: pseudonyms are the same within this run only");
        return Ok(Some(secrets::random_hash_key()?));
    }
    Ok(given)
}

/// The key in `file` if there is one, and else the environment's.
pub(super) fn given_hash_key(file: Option<&Path>) -> anyhow::Result<Option<HashKey>> {
    match file {
        Some(path) => hash_key_in(path).map(Some),
        None => Ok(secrets::hash_key_from_environment()?),
    }
}

/// The key in the file at `path`. Whoever leaves it open to others is told so.
pub(super) fn hash_key_in(path: &Path) -> anyhow::Result<HashKey> {
    let loaded = secrets::hash_key_from_file(path)?;
    if loaded.exposed {
        complain(&format!("warning: hash key file {} can be read by others; chmod 600 it", path.display()));
    }
    Ok(loaded.key)
}

pub(super) fn now() -> Moment {
    Moment::of_unix_seconds(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

pub(super) fn today() -> Date {
    Date::of_unix_seconds(now().unix_seconds())
}

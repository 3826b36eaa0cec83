//! Files, flags and rules become one engine for each pipeline: at the start, and again on every reload.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use super::super::args::RunArgs;
use super::super::print::complain;
use super::super::setup::{self, Lines, Setup};
use crate::config::daemon::{AdminOptions, Daemon, HashKeyFrom, OnFatal, Pipeline, SinkKind, SourceKind};
use crate::config::{Config, ConfigError, Moment};
use crate::engine::{Engine, HashKey, Limits, Mode, Policy, RuleSet};
use crate::log::Guard;
use crate::pipeline::{Loaded, Loader, Seen};
use crate::rules::Catalog;
use crate::secrets::known::{Rotation, Values};
use crate::secrets::{self, SecretError};

/// What was asked for, by flags or by a file.
pub(in crate::cli) fn read(args: &RunArgs) -> anyhow::Result<Daemon> {
    let mut daemon = read_pipelines(args)?;
    if let Some(listen) = &args.admin {
        daemon.observe.admin = Some(AdminOptions { listen: listen.clone() });
    }
    Ok(daemon)
}

fn read_pipelines(args: &RunArgs) -> anyhow::Result<Daemon> {
    if let Some(from) = &args.from {
        let redact = setup::config(&args.engine)?;
        let daemon = Daemon::from_words(from, &args.to, args.insecure, redact)?;
        return Ok(Daemon { state_dir: args.state_dir.clone(), ..daemon });
    }
    let path = args.engine.config.as_ref();
    let path = path.context("say what to do: --config FILE, or --from SOURCE --to SINK")?;
    let text = fs::read_to_string(path).with_context(|| format!("cannot read configuration {}", path.display()))?;
    let variable = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let mut daemon = Daemon::parse(&path.display().to_string(), &text, &variable)?;
    daemon.state_dir = args.state_dir.clone().or(daemon.state_dir);
    daemon.pipelines.iter_mut().for_each(|pipeline| setup::apply(&args.engine, &mut pipeline.redact));
    Ok(daemon)
}

/// Makes the engines of a process.
pub(super) struct Load {
    args: RunArgs,
    /// As it was at the start; only what pipelines redact with may change.
    started: Daemon,
    /// What the set in use was made of.
    files: Vec<PathBuf>,
    /// Rules of the operator's own in the set in use, by pipeline.
    own_rules: Vec<OwnRules>,
    /// The known values, by pipeline.
    rotations: Vec<Rotation>,
    /// When exemptions expire, or did: from then on the engines are to be made anew.
    expiries: BTreeSet<Moment>,
}

/// The rules of a pipeline beside the built-in ones.
#[derive(Clone)]
struct OwnRules {
    count: usize,
    /// Of their files.
    digest: [u8; 32],
}

/// The engines at the start.
pub(super) struct FirstLoad {
    /// By pipeline; `None` while there is no whole set, so that nothing can pass by it.
    pub(super) engines: Vec<Option<Arc<Engine>>>,
    /// For what we say ourselves.
    pub(super) guard: Guard,
    /// Of the rules; `None` if they could not be loaded.
    pub(super) hash: Option<String>,
    /// What is missing may come: sources wait for it.
    pub(super) waits: bool,
    /// What the files looked like before they were read.
    pub(super) seen: Seen,
}

impl Load {
    /// The first set. Without one the process goes on only where that was asked for, or known values are awaited.
    pub(super) fn first(args: RunArgs, daemon: &Daemon) -> anyhow::Result<(Load, FirstLoad)> {
        let rotations = vec![Rotation::default(); daemon.pipelines.len()];
        let (files, own_rules, expiries) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut load = Load { args, started: daemon.clone(), files, own_rules, rotations, expiries };
        let seen = Seen::of(&watched(&load.args, daemon), load.time());
        let error = match load.engines(daemon, true) {
            Ok(Loaded { engines, guard, hash }) => {
                let (engines, guard) = (engines.into_iter().map(Some).collect(), Guard::new(guard));
                return Ok((load, FirstLoad { engines, guard, hash: Some(hash), waits: false, seen }));
            }
            Err(error) => error,
        };
        let waits = matches!(error.downcast_ref::<SecretError>(), Some(SecretError::Known { .. }));
        if !waits && daemon.on_fatal == OnFatal::Exit {
            return Err(error);
        }
        complain(&format!("{error:#}"));
        complain(if waits {
            &"nothing is read until they are there"
        } else {
            &"everything is withheld until there are rules"
        });
        load.files = watched(&load.args, daemon);
        let engines = daemon.pipelines.iter().map(|_| None).collect();
        let guard = Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default())?;
        Ok((load, FirstLoad { engines, guard: Arc::new(guard).into(), hash: None, waits, seen }))
    }

    fn engines(&mut self, daemon: &Daemon, at_start: bool) -> anyhow::Result<Loaded> {
        self.files = watched(&self.args, daemon);
        let (mut engines, mut guards) = (Vec::new(), Vec::new());
        let mut guarded: Vec<&Pipeline> = Vec::new();
        let mut own_rules = Vec::new();
        // Values are replaced when the whole set is.
        let mut rotations = self.rotations.clone();
        for (pipeline, rotation) in daemon.pipelines.iter().zip(&mut rotations) {
            let mut setup = Setup::of(pipeline.redact.clone())?;
            setup.settle_allowed()?;
            self.expiries.extend(setup.config.next_expiry());
            let own = OwnRules { count: setup.own_rules, digest: setup.own_digest };
            let before = self.own_rules.get(own_rules.len()).map_or(0, |before| before.count);
            anyhow::ensure!(
                own.count > 0 || before == 0,
                "pipeline `{}`: the rule files hold no rule any more; an empty set does not replace one of {before} rules",
                pipeline.name
            );
            own_rules.push(own);
            let rules = setup.catalog.set.clone();
            let engine = self.engine(pipeline, rotation, setup, at_start)?;
            // Pipelines that redact alike share a guard.
            let alike = |other: &&Pipeline| (&other.redact, &other.hash_key) == (&pipeline.redact, &pipeline.hash_key);
            if !guarded.iter().any(alike) {
                guarded.push(pipeline);
                guards.push(guard(&engine, rules)?);
            }
            engines.push(engine);
        }
        let hash = hash(&own_rules);
        (self.own_rules, self.rotations) = (own_rules, rotations);
        Ok(Loaded { engines, guard: guards, hash })
    }

    fn engine(
        &self,
        pipeline: &Pipeline,
        rotation: &mut Rotation,
        mut setup: Setup,
        at_start: bool,
    ) -> anyhow::Result<Arc<Engine>> {
        let key = match &pipeline.hash_key {
            Some(from) => Some(hash_key(from)?),
            None => setup::hash_key(&self.args.engine, setup.pseudonyms)?,
        };
        if !at_start {
            end_audit(pipeline, &mut setup, key.as_ref());
        }
        let engine = compiled(setup, key, rotation);
        // What is wrong with a file says so by its line.
        let named = |error: anyhow::Error| match error.is::<ConfigError>() {
            true => error,
            false => error.context(format!("pipeline `{}`", pipeline.name)),
        };
        engine.map_err(named)
    }

    fn again(&mut self) -> anyhow::Result<Loaded> {
        let daemon = read(&self.args)?;
        let same = daemon.pipelines.len() == self.started.pipelines.len()
            && daemon.pipelines.iter().zip(&self.started.pipelines).all(|(new, old)| same_way(new, old));
        anyhow::ensure!(
            same,
            "pipelines, sources and sinks change when the process is started anew, not while it runs"
        );
        let loaded = self.engines(&daemon, false)?;
        let ignored = ignored(&daemon, &self.started);
        if !ignored.is_empty() {
            let settings = ignored.join(", ");
            tracing::warn!(settings, "these change when the process is started anew, not while it runs");
        }
        Ok(loaded)
    }
}

impl Loader for Load {
    fn load(&mut self) -> Result<Loaded, String> {
        self.again().map_err(|error| format!("{error:#}"))
    }

    fn files(&self) -> Vec<PathBuf> {
        self.files.clone()
    }

    fn time(&self) -> u64 {
        let day = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400);
        let now = Instant::now();
        let expired = self.expiries.range(..=setup::now()).count() as u64;
        day + expired + self.rotations.iter().map(|rotation| rotation.over(now)).sum::<u64>()
    }
}

/// The engine of `setup`, with the known values of now and those that were replaced not long ago.
fn compiled(setup: Setup, key: Option<HashKey>, rotation: &mut Rotation) -> anyhow::Result<Arc<Engine>> {
    let (engine, sources) = setup.compile_rules(key, Lines::Ignore)?;
    let in_force = rotation.turn(Values::read(&sources)?, sources.grace, Instant::now())?;
    in_force.notes.iter().for_each(|note| complain(&format!("warning: {note}")));
    let engine = match in_force.is_empty() {
        true => engine,
        false => engine.with_known(in_force.current, in_force.grace)?,
    };
    Ok(Arc::new(engine))
}

/// Whether records go the same way; what is done to them may differ.
fn same_way(new: &Pipeline, old: &Pipeline) -> bool {
    (&new.name, &new.source, &new.sinks) == (&old.name, &old.source, &old.sinks)
}

/// An audit that is over stops a start; a process that runs begins to mask.
fn end_audit(pipeline: &Pipeline, setup: &mut Setup, key: Option<&HashKey>) {
    let policy = setup.config.policy(&setup.catalog.set, key.cloned(), setup::today());
    if let Err(over @ ConfigError::AuditIsOver { .. }) = policy {
        tracing::warn!(pipeline = pipeline.name, "{over}; masking begins");
        setup.config.mode = Mode::Enforce;
    }
}

/// What masks, in our own words, everything that `engine` finds: even where it only counts.
fn guard(engine: &Arc<Engine>, rules: RuleSet) -> anyhow::Result<Arc<Engine>> {
    if engine.mode() == Mode::Enforce {
        return Ok(Arc::clone(engine));
    }
    let masking = Engine::compile(rules, Policy::default(), &Limits::default())?;
    Ok(Arc::new(masking.knowing_as(engine)?))
}

/// Settings that are not as they were at the start, and stay in force as they were.
fn ignored(new: &Daemon, old: &Daemon) -> Vec<&'static str> {
    let changed = [
        ("[admin]", new.observe.admin != old.observe.admin),
        ("[log]", new.observe.log != old.observe.log),
        ("[findings]", new.observe.findings != old.observe.findings),
        ("[metrics]", new.observe.metrics != old.observe.metrics),
        ("drain_deadline", new.drain_deadline != old.drain_deadline),
        ("on_fatal", new.on_fatal != old.on_fatal),
        ("partial_records", new.partial_records_bytes != old.partial_records_bytes),
        ("state_dir", new.state_dir != old.state_dir),
        ("threads", new.redact.threads != old.redact.threads),
    ];
    changed.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect()
}

/// The built-in set's hash, and where there are rules beside it theirs: they change what is found.
fn hash(own_rules: &[OwnRules]) -> String {
    if own_rules.iter().all(|own| own.count == 0) {
        return Catalog::hash();
    }
    let mut digest = Sha256::new();
    own_rules.iter().for_each(|own| digest.update(own.digest));
    digest.finalize().iter().take(6).fold(Catalog::hash() + "+", |hash, byte| format!("{hash}{byte:02x}"))
}

fn hash_key(from: &HashKeyFrom) -> anyhow::Result<HashKey> {
    Ok(match from {
        HashKeyFrom::File(path) => setup::hash_key_in(path)?,
        HashKeyFrom::Environment(name) => secrets::hash_key_from_variable(name)?,
    })
}

/// Every file that has a say in the engines.
fn watched(args: &RunArgs, daemon: &Daemon) -> Vec<PathBuf> {
    let flags = [&args.engine.config, &args.engine.hash_key_file];
    let mut files: Vec<PathBuf> = flags.into_iter().flatten().cloned().collect();
    for pipeline in &daemon.pipelines {
        let Config { rules, known, allow_dir, .. } = &pipeline.redact;
        let named = [rules, &known.files, &known.dotenv, &known.dirs].into_iter().flatten().chain(allow_dir);
        files.extend(named.cloned());
        if let Some(HashKeyFrom::File(path)) = &pipeline.hash_key {
            files.push(path.clone());
        }
        match &pipeline.source.kind {
            SourceKind::Tls { tls, .. } => {
                files.extend([tls.cert.clone(), tls.key.clone()].into_iter().chain(tls.client_ca.clone()));
            }
            SourceKind::Otlp(source) => files.extend(source.files()),
            _ => {}
        }
        for sink in &pipeline.sinks {
            if let SinkKind::Otlp(sink) = &sink.kind {
                files.extend(sink.files());
            }
        }
    }
    files.sort();
    files.dedup();
    files
}

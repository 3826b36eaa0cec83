//! `inkout config`: writes a configuration with everything explained, and says whether one is right.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::args::EngineArgs;
use super::setup::{Lines, Setup};
use super::{Exit, print};
use crate::config::Config;
use crate::engine::Action;

/// `inkout config`
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Write a configuration file in which every setting is explained
    Init(InitArgs),
    /// Say whether a configuration file is right, its rules included
    Check(ConfigCheckArgs),
    /// Print the JSON Schema of a file of `inkout run`, for editors
    #[cfg(feature = "daemon")]
    Schema,
}

/// `inkout config init`
#[derive(Args, Debug)]
pub(super) struct InitArgs {
    /// Where to write it; `-` is standard output
    #[arg(value_name = "FILE", default_value = "inkout.toml")]
    file: PathBuf,
    /// Write one for `inkout run`
    #[cfg(feature = "daemon")]
    #[arg(long)]
    run: bool,
}

/// `inkout config check`
#[derive(Args, Debug)]
pub(super) struct ConfigCheckArgs {
    /// The configuration file; one with a `pipeline` is read as `inkout run` reads it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The key, where the configuration hashes
    #[arg(long, value_name = "FILE")]
    hash_key_file: Option<PathBuf>,
}

pub(super) fn run(command: &ConfigCommand) -> anyhow::Result<Exit> {
    match command {
        ConfigCommand::Init(args) => init(&args.file, template(args)),
        #[cfg(feature = "daemon")]
        ConfigCommand::Check(args) if is_for_run(&args.file) => check_run(&args.file),
        ConfigCommand::Check(args) => check(args),
        #[cfg(feature = "daemon")]
        ConfigCommand::Schema => {
            let schema = serde_json::to_string_pretty(&crate::config::daemon::schema()).context("schema")?;
            print::page(|out| writeln!(out, "{schema}"))?;
            Ok(Exit::Done)
        }
    }
}

#[cfg(feature = "daemon")]
fn template(args: &InitArgs) -> &'static str {
    if args.run { crate::config::daemon::TEMPLATE } else { Config::TEMPLATE }
}

#[cfg(not(feature = "daemon"))]
fn template(_: &InitArgs) -> &'static str {
    Config::TEMPLATE
}

/// Whether a file speaks of pipelines, in YAML or TOML. One that is neither is read as the plain command's.
#[cfg(feature = "daemon")]
fn is_for_run(path: &Path) -> bool {
    let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    yaml || text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("pipeline"))
}

/// What `inkout run` would read and compile, without opening a source or a sink.
#[cfg(feature = "daemon")]
fn check_run(path: &Path) -> anyhow::Result<Exit> {
    let daemon = super::run::check(path)?;
    print::page(|out| {
        for pipeline in &daemon.pipelines {
            let sinks: Vec<&str> = pipeline.sinks.iter().map(|sink| sink.name.as_str()).collect();
            writeln!(out, "{}: right; pipeline `{}` to {}", path.display(), pipeline.name, sinks.join(", "))?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

fn init(path: &Path, template: &str) -> anyhow::Result<Exit> {
    if path == Path::new("-") {
        print::page(|out| out.write_all(template.as_bytes()))?;
        return Ok(Exit::Done);
    }
    let written = File::create_new(path).and_then(|mut file| file.write_all(template.as_bytes()));
    written.with_context(|| format!("cannot write configuration {}", path.display()))?;
    print::page(|out| writeln!(out, "{} written; every setting in it is the default", path.display()))?;
    Ok(Exit::Done)
}

fn check(args: &ConfigCheckArgs) -> anyhow::Result<Exit> {
    let engine = EngineArgs {
        config: Some(args.file.clone()),
        hash_key_file: args.hash_key_file.clone(),
        ..EngineArgs::default()
    };
    let engine = Setup::read(&engine)?.compile(&engine, Lines::Ignore)?;
    let on = engine.actions().iter().filter(|action| **action != Action::Keep).count();
    print::page(|out| writeln!(out, "{}: right; {on} of {} rules are on", args.file.display(), engine.rules().len()))?;
    Ok(Exit::Done)
}

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
    /// Say whether a configuration file is right, its rules included; one of `inkout run` too
    Check(ConfigCheckArgs),
    /// Print the JSON Schema of the files of `inkout run`, for editors
    #[cfg(feature = "daemon")]
    Schema,
}

/// `inkout config init`
#[derive(Args, Debug)]
pub(super) struct InitArgs {
    /// Where to write it; `-` is standard output
    #[arg(value_name = "FILE", default_value = "inkout.toml")]
    file: PathBuf,
    /// Write one for `inkout run`, with a pipeline
    #[cfg(feature = "daemon")]
    #[arg(long)]
    daemon: bool,
}

impl InitArgs {
    #[cfg(feature = "daemon")]
    fn text(&self) -> &'static str {
        if self.daemon { super::run::BEGINNING } else { Config::TEMPLATE }
    }

    #[cfg(not(feature = "daemon"))]
    fn text(&self) -> &'static str {
        Config::TEMPLATE
    }
}

/// `inkout config check`
#[derive(Args, Debug)]
pub(super) struct ConfigCheckArgs {
    /// The configuration file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The key, where the configuration hashes
    #[arg(long, value_name = "FILE")]
    hash_key_file: Option<PathBuf>,
}

pub(super) fn run(command: &ConfigCommand) -> anyhow::Result<Exit> {
    match command {
        ConfigCommand::Init(args) => init(&args.file, args.text()),
        #[cfg(feature = "daemon")]
        ConfigCommand::Check(args) if super::run::is_daemons(&args.file) => super::run::check(&args.file),
        ConfigCommand::Check(args) => check(args),
        #[cfg(feature = "daemon")]
        ConfigCommand::Schema => {
            let schema = serde_json::to_string_pretty(&crate::config::daemon::schema()).context("schema")?;
            print::page(|out| writeln!(out, "{schema}"))?;
            Ok(Exit::Done)
        }
    }
}

fn init(path: &Path, text: &str) -> anyhow::Result<Exit> {
    if path == Path::new("-") {
        print::page(|out| out.write_all(text.as_bytes()))?;
        return Ok(Exit::Done);
    }
    let written = File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write configuration {}", path.display()))?;
    print::page(|out| writeln!(out, "{} written; what is not said in it is the default", path.display()))?;
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

//! `inkout config`: files of `inkout run`, checked, described and begun.

use std::path::Path;

use anyhow::Context as _;

use super::args::ConfigCommand;
use super::run as running;
use super::{Exit, print};

/// A file to begin with. It is valid as it stands.
const BEGINNING: &str = include_str!("config.toml");

pub(super) fn run(command: &ConfigCommand) -> anyhow::Result<Exit> {
    match command {
        ConfigCommand::Check { file } => return check(file),
        ConfigCommand::Schema => {
            let schema = serde_json::to_string_pretty(&crate::config::daemon::schema()).context("schema")?;
            print::page(|out| writeln!(out, "{schema}"))?;
        }
        ConfigCommand::Init => print::page(|out| out.write_all(BEGINNING.as_bytes()))?,
    }
    Ok(Exit::Done)
}

/// What `inkout run` would read and compile, without opening a source or a sink.
fn check(file: &Path) -> anyhow::Result<Exit> {
    let daemon = running::check(file)?;
    print::page(|out| {
        for pipeline in &daemon.pipelines {
            let sinks: Vec<&str> = pipeline.sinks.iter().map(|sink| sink.name.as_str()).collect();
            writeln!(out, "{}: pipeline `{}` to {}: fine", file.display(), pipeline.name, sinks.join(", "))?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

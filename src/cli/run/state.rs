//! Where a process keeps what a later one has to know.

use std::path::PathBuf;

use anyhow::Context as _;

use crate::config::daemon::{Daemon, Pipeline, SourceKind};
use crate::tail::State;

/// The folder of state, made and locked, if one is needed.
pub(super) fn open(daemon: &Daemon) -> anyhow::Result<Option<State>> {
    let spools = |pipeline: &Pipeline| {
        pipeline.sinks.iter().filter_map(|sink| sink.spool.as_ref()).any(|spool| spool.folder.is_none())
    };
    let needs = |pipeline: &Pipeline| matches!(pipeline.source.kind, SourceKind::Files(_)) || spools(pipeline);
    if !daemon.pipelines.iter().any(needs) {
        return Ok(None);
    }
    let folder = daemon.state_dir.clone().or_else(default);
    let folder = folder.context("name a folder for checkpoints and spools: `state_dir`, or --state-dir")?;
    Ok(Some(State::open(&folder)?))
}

/// What `systemd` made for the service, or the user's folder for state.
fn default() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || variable("HOME").map(|home| home.join(".local/state"));
    variable("STATE_DIRECTORY").or_else(|| variable("XDG_STATE_HOME").or_else(home).map(|base| base.join("inkout")))
}

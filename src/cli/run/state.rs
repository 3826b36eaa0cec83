//! Where a process keeps what a later one has to know.

use std::path::PathBuf;

use anyhow::Context as _;

use crate::config::daemon::{Daemon, SourceKind};
use crate::tail::State;

/// The folder of state, made and locked, if one is needed.
pub(super) fn open(daemon: &Daemon) -> anyhow::Result<Option<State>> {
    if !daemon.pipelines.iter().any(|pipeline| matches!(pipeline.source.kind, SourceKind::Files(_))) {
        return Ok(None);
    }
    let folder = daemon.state_dir.clone().or_else(default);
    let folder = folder.context("name a folder for checkpoints: `state_dir`, or --state-dir")?;
    Ok(Some(State::open(&folder)?))
}

/// What `systemd` made for the service, or the user's folder for state.
fn default() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || variable("HOME").map(|home| home.join(".local/state"));
    variable("STATE_DIRECTORY").or_else(|| variable("XDG_STATE_HOME").or_else(home).map(|base| base.join("inkout")))
}

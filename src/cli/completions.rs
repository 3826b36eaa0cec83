//! `inkout completions SHELL`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::args::Cli;
use super::{Exit, print};

pub(super) fn run(shell: Shell) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "inkout", &mut script);
    print::page(|out| out.write_all(&script))?;
    Ok(Exit::Done)
}

//! `inkout man`: the manual page, with the subcommands below the command.

use std::io::{self, Write};

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use super::args::Cli;
use super::{Exit, print};

pub(super) fn run() -> anyhow::Result<Exit> {
    let mut command = Cli::command().version(env!("CARGO_PKG_VERSION")).disable_version_flag(true);
    command.build();
    print::page(|out| page(&command, out))?;
    Ok(Exit::Done)
}

fn page(command: &Command, out: &mut dyn Write) -> io::Result<()> {
    let mut out = out;
    Man::new(command.clone()).render(&mut out)?;
    command.get_subcommands().filter(|sub| sub.get_name() != "help").try_for_each(|sub| section(sub, &mut out))
}

/// The options of one subcommand, and below them those of its own.
fn section(command: &Command, out: &mut &mut dyn Write) -> io::Result<()> {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_uppercase();
    writeln!(out, ".SH \"{name}\"")?;
    writeln!(out, "{}", command.get_about().map(ToString::to_string).unwrap_or_default())?;
    Man::new(command.clone()).render_options_section(out)?;
    command.get_subcommands().filter(|sub| sub.get_name() != "help").try_for_each(|sub| section(sub, out))
}

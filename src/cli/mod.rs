//! The command: one file per subcommand, and the only room that prints to people.
//!
//! Everything is compiled before an input is opened, so that a wrong rule file costs no byte of input. What is printed is
//! masked text, names, places and counts: never a byte of what was found.

mod args;
mod bench;
mod check;
mod color;
mod completions;
#[cfg(feature = "daemon")]
mod config;
mod explain;
mod filter;
#[cfg(feature = "daemon")]
mod follow;
mod man;
mod panics;
mod preview;
mod print;
mod read;
mod reason;
mod rules;
#[cfg(feature = "daemon")]
mod run;
mod sample;
mod setup;
mod stats;
mod version;

use std::io;
use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command, RulesCommand};
use print::OutputError;

/// Standard descriptors that were closed when the program started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Closed {
    /// Nothing can be read.
    pub stdin: bool,
    /// Nothing can be written.
    pub stdout: bool,
}

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything was done.
    Done,
    /// Wrong arguments, configuration or rules; nothing was read.
    Usage,
    /// An input or a part of the output is missing, or a record had to be masked whole.
    Incomplete,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Usage => 2,
            Exit::Incomplete => 3,
        })
    }
}

/// Runs the command that the process was started with.
pub fn run(closed: Closed) -> Exit {
    panics::install();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error, closed),
    };
    if closed.stdout {
        return failed(&OutputError(io::Error::other("it is closed")).into());
    }
    dispatch(cli, closed).unwrap_or_else(|error| failed(&error))
}

fn dispatch(cli: Cli, closed: Closed) -> anyhow::Result<Exit> {
    if cli.version {
        return version::run();
    }
    match cli.command {
        None => filter::run(&cli.filter, closed),
        Some(Command::Preview(args)) => preview::run(&args),
        Some(Command::Explain(args)) => explain::run(&args),
        Some(Command::Rules { command: RulesCommand::List(args) }) => rules::list(&args),
        Some(Command::Rules { command: RulesCommand::Show(args) }) => rules::show(&args),
        Some(Command::Rules { command: RulesCommand::Check(args) }) => check::run(&args),
        #[cfg(feature = "daemon")]
        Some(Command::Run(args)) => run::run(&args, closed),
        #[cfg(feature = "daemon")]
        Some(Command::Config { command }) => config::run(&command),
        Some(Command::Sample) => sample::run(),
        Some(Command::Bench(args)) => bench::run(&args),
        Some(Command::Completions { shell }) => completions::run(shell),
        Some(Command::Man) => man::run(),
    }
}

/// Help is no error; a reader that left is none either.
fn usage(error: &clap::Error, closed: Closed) -> Exit {
    let help = !error.use_stderr();
    let printed = error.print();
    match (help, printed) {
        (false, _) => Exit::Usage,
        (true, Ok(())) if !closed.stdout => Exit::Done,
        (true, Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        (true, _) => Exit::Incomplete,
    }
}

/// Says what went wrong, by whom it can be mended.
fn failed(error: &anyhow::Error) -> Exit {
    match error.downcast_ref::<OutputError>() {
        Some(OutputError(reason)) if reason.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        Some(output) => {
            print::complain(output);
            Exit::Incomplete
        }
        None => {
            print::complain(&format!("{error:#}"));
            Exit::Usage
        }
    }
}

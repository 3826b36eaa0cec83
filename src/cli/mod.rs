//! The command: one file per subcommand, and the only room that prints to people.
//!
//! Everything is compiled before an input is opened, so that a wrong rule file costs no byte of input. What is printed is
//! masked text, names, places and counts: never a byte of what was found.

mod allow;
mod args;
mod bench;
#[cfg(feature = "archives")]
mod check;
#[cfg(feature = "archives")]
mod clean;
mod color;
mod completions;
mod config;
mod diff;
#[cfg(feature = "exec")]
mod exec;
mod explain;
mod filter;
#[cfg(feature = "daemon")]
mod findings;
#[cfg(feature = "archives")]
mod fingerprint;
#[cfg(feature = "daemon")]
mod follow;
mod man;
#[cfg(feature = "archives")]
mod names;
mod panics;
#[cfg(feature = "archives")]
mod paths;
mod preview;
mod print;
#[cfg(feature = "archives")]
mod progress;
mod protect;
mod read;
mod rules;
mod rules_check;
#[cfg(feature = "daemon")]
mod run;
mod sample;
mod setup;
#[cfg(feature = "archives")]
mod share;
mod stats;
#[cfg(feature = "archives")]
mod tell;
mod version;
#[cfg(feature = "archives")]
mod watch;

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
    /// `check` found something; the code to end with.
    Findings(u8),
    /// An input or a part of the output is missing, or a record had to be masked whole.
    Incomplete,
    /// As the program that was run ended.
    Code(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Findings(code) => code,
            Exit::Usage => 2,
            Exit::Incomplete => 3,
            Exit::Code(code) => code,
        })
    }
}

/// Runs the command that the process was started with.
pub fn run(closed: Closed) -> Exit {
    protect::memory();
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
        #[cfg(feature = "archives")]
        Some(Command::Check(args)) => check::run(&args, closed),
        Some(Command::Preview(args)) => preview::run(&args),
        #[cfg(feature = "archives")]
        Some(Command::Clean(args)) => clean::run(&args),
        Some(Command::Explain(args)) => explain::run(&args),
        Some(Command::Rules { command: RulesCommand::List(args) }) => rules::list(&args),
        Some(Command::Rules { command: RulesCommand::Show(args) }) => rules::show(&args),
        Some(Command::Rules { command: RulesCommand::Export(args) }) => rules::export(&args),
        Some(Command::Rules { command: RulesCommand::Import(args) }) => rules::import(&args),
        Some(Command::Rules { command: RulesCommand::Diff(args) }) => diff::run(&args),
        Some(Command::Rules { command: RulesCommand::Check(args) }) => rules_check::run(&args),
        Some(Command::Config { command }) => config::run(&command),
        #[cfg(feature = "archives")]
        Some(Command::Fingerprint(args)) => fingerprint::run(&args, closed),
        #[cfg(feature = "exec")]
        Some(Command::Exec(args)) => exec::run(&args),
        Some(Command::Allow(args)) => allow::run(&args),
        #[cfg(feature = "daemon")]
        Some(Command::Findings { command: args::FindingsCommand::Summarize(args) }) => findings::summarize(&args),
        #[cfg(feature = "daemon")]
        Some(Command::Run(args)) => run::run(&args, closed),
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
    #[cfg(feature = "archives")]
    if let Some(file) = error.downcast_ref::<print::FileError>() {
        print::complain(file);
        return Exit::Incomplete;
    }
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

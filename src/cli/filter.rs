//! `inkout [FILE]…`: masks files and pipes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::args::FilterArgs;
use super::print::{OutputError, complain, stdout};
use super::setup::{Lines, Setup};
use super::{Closed, Exit, color, stats};
use crate::engine::Mode;
use crate::pipe::{self, Input, Output, PipeError, Threads};

pub(super) fn run(args: &FilterArgs, closed: Closed) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let mut setup = Setup::read(&args.engine)?;
    if args.audit {
        setup.config.mode = Mode::Audit;
        setup.config.audit_until = None;
    }
    warn(setup.config.mode);
    let threads = threads(args.threads.or(setup.config.threads));
    let painter = color::painter(args.color, setup.config.placeholder.as_deref());
    let lines = if args.stats.is_some() { Lines::Count } else { Lines::Ignore };
    let engine = setup.compile(&args.engine, lines)?;
    let inputs: Vec<Input> =
        if args.files.is_empty() { vec![Input::Stdin] } else { args.files.iter().map(input).collect() };
    if closed.stdin && inputs.contains(&Input::Stdin) {
        complain(&"standard input: it is closed");
        return Ok(Exit::Incomplete);
    }
    let output = match painter {
        Some(painter) => Output::painted(stdout()?, painter),
        None => Output::new(stdout()?),
    };
    let summary = match pipe::run(engine.clone(), inputs, output, threads) {
        Ok(summary) => summary,
        Err(PipeError::Output(reason)) => return Err(OutputError(reason).into()),
        Err(error) => {
            complain(&error);
            return Ok(Exit::Incomplete);
        }
    };
    if let Some(what) = args.stats {
        stats::print(what, &engine, &summary, started.elapsed());
    }
    Ok(exit(&summary))
}

fn warn(mode: Mode) {
    if mode == Mode::Audit {
        complain(&"AUDIT: nothing is masked; findings are only counted");
    }
    if cfg!(feature = "bench-noscan") {
        complain(&"WARNING: built with `bench-noscan`: NOTHING IS MASKED; for measuring the pipe only");
    }
}

pub(super) fn input(path: &PathBuf) -> Input {
    if path == Path::new("-") { Input::Stdin } else { Input::File(path.clone()) }
}

fn threads(asked: Option<usize>) -> Threads {
    match asked {
        None => Threads::Auto,
        Some(0) => Threads::Exactly(std::thread::available_parallelism().map_or(1, std::num::NonZero::get)),
        Some(count) => Threads::Exactly(count),
    }
}

/// Names what is missing.
fn exit(summary: &pipe::Summary) -> Exit {
    summary.failed.iter().for_each(|error| complain(error));
    let withheld = summary.tally.records_masked_whole;
    if withheld > 0 {
        complain(&format!("{withheld} records could not be inspected and were masked whole"));
    }
    if summary.failed.is_empty() && withheld == 0 { Exit::Done } else { Exit::Incomplete }
}

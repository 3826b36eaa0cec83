//! `inkout [FILE]…`: masks files and pipes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::args::FilterArgs;
use super::print::{OutputError, complain, stdout};
use super::setup::{Lines, Setup};
use super::{Closed, Exit, color, stats};
use crate::engine::{Engine, Mode};
use crate::pipe::{self, Input, Output, PipeError, Threads};

pub(super) fn run(args: &FilterArgs, closed: Closed) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let setup = setup(args)?;
    let (mode, threads) = (setup.config.mode, threads(args.threads.or(setup.config.threads)));
    let painter = color::painter(args.color, setup.config.placeholder.as_deref());
    let lines = if args.stats.is_some() { Lines::Count } else { Lines::Ignore };
    let engine = setup.compile(&args.engine, lines)?;
    warn(mode);
    let inputs = inputs(&args.files);
    if closed.stdin && inputs.contains(&Input::Stdin) {
        complain(&"standard input: it is closed");
        return Ok(Exit::Incomplete);
    }
    let output = match painter {
        Some(painter) => Output::painted(stdout()?, painter),
        None => Output::new(stdout()?),
    };
    let summary = match read(args, &engine, inputs, output, threads)? {
        Ok(summary) => summary,
        Err(error) => return lost(error),
    };
    if let Some(what) = args.stats {
        stats::print(what, &engine, &summary, started.elapsed());
    }
    Ok(exit(&summary))
}

fn read(
    args: &FilterArgs,
    engine: &std::sync::Arc<Engine>,
    inputs: Vec<Input>,
    output: Output,
    threads: Threads,
) -> anyhow::Result<Result<pipe::Summary, PipeError>> {
    #[cfg(feature = "daemon")]
    if args.follow {
        return super::follow::run(engine, &args.files, args.checkpoint.as_deref(), output).map(Ok);
    }
    let _ = args;
    Ok(pipe::run(engine, inputs, output, threads))
}

fn setup(args: &FilterArgs) -> anyhow::Result<Setup> {
    let mut setup = Setup::read(&args.engine)?;
    if args.audit {
        // Asked for on the command line it ends with the command, so it needs no last day.
        setup.config.mode = Mode::Audit;
        setup.config.audit_until = None;
    }
    Ok(setup)
}

/// The output ends here.
fn lost(error: PipeError) -> anyhow::Result<Exit> {
    if let PipeError::Output(reason) = error {
        return Err(OutputError(reason).into());
    }
    complain(&error);
    Ok(Exit::Incomplete)
}

pub(super) fn warn(mode: Mode) {
    if mode == Mode::Audit {
        complain(&"AUDIT: nothing is masked; findings are only counted");
    }
    if cfg!(feature = "bench-noscan") {
        complain(&"WARNING: built with `bench-noscan`: NOTHING IS MASKED; for measuring the pipe only");
    }
}

fn inputs(files: &[PathBuf]) -> Vec<Input> {
    let input = |path: &PathBuf| if path == Path::new("-") { Input::Stdin } else { Input::File(path.clone()) };
    if files.is_empty() { vec![Input::Stdin] } else { files.iter().map(input).collect() }
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
    if summary.failed.is_empty() && withheld == 0 && !summary.incomplete { Exit::Done } else { Exit::Incomplete }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Tally;

    #[test]
    fn a_record_that_was_masked_whole_is_no_success() {
        let tally = Tally { records_masked_whole: 1, ..Tally::default() };
        assert_eq!(exit(&pipe::Summary { tally, ..Default::default() }), Exit::Incomplete);
        assert_eq!(exit(&pipe::Summary::default()), Exit::Done);
    }
}

//! A program run with its standard output and standard error masked, each as a stream of its own. Threads, signals and a child
//! process; no text for people, and no rules: the engine is the caller's.
//!
//! The program keeps our standard input, environment, process group and working folder, so that it behaves as if it had been
//! started directly. Signals are handed on to it, its exit code is ours, and where we are process 1 of a container, orphans
//! are reaped. What it has written when it ends is written; a process that it left behind with its output open is given
//! [`LEFT_OPEN`], and then what it has written by then is the end.

mod signals;
mod stream;

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, WaitOptions, WaitStatus, getrlimit, setrlimit};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::engine::{Engine, Tally};
use crate::pipe::Output;
use signals::{Signals, Urge};
use stream::{Masker, Wake};

/// How long somebody else may hold the output open after the program has ended.
const LEFT_OPEN: Duration = Duration::from_secs(2);

/// What to run.
#[derive(Debug)]
pub struct Program {
    /// The program and its arguments; not empty.
    pub argv: Vec<OsString>,
    /// Variables of our environment that it does not get.
    pub without: Vec<OsString>,
    /// Variables that it gets beside those of our environment.
    pub with: Vec<(OsString, OsString)>,
    /// How large its core dump may become; `None` is without a limit. Ours may be none.
    pub core: Option<u64>,
}

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code, or 128 and the number of the signal that ended it.
    pub code: u8,
    /// What was done to both streams.
    pub tally: Tally,
    /// Standard output or standard error that could not be written to its end.
    pub failed: Vec<io::Error>,
    /// Another process held the output open, and what it writes from now on goes nowhere.
    pub left_open: bool,
    /// A signal ended the wait for a slow reader: not everything was written.
    pub cut_short: bool,
}

/// Why it did not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// There is no such program, or it is not to be executed.
    #[error("cannot run `{program}`: {reason}")]
    Spawn {
        /// The program as it was named.
        program: String,
        /// Why.
        reason: io::Error,
    },
    /// The system does not give what is needed.
    #[error("cannot relay a program: {0}")]
    System(#[from] io::Error),
}

/// Runs `program` and writes what it prints to `stdout` and `stderr`, masked by `engine`.
///
/// # Errors
/// When it cannot be started. Whatever happens later is in [`Ended`].
pub fn run(engine: &Arc<Engine>, program: Program, stdout: Output, stderr: Output) -> Result<Ended, ExecError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    runtime.block_on(relay(engine, program, stdout, stderr))
}

async fn relay(engine: &Arc<Engine>, program: Program, stdout: Output, stderr: Output) -> Result<Ended, ExecError> {
    // Before the program starts, so that no signal is lost between.
    let mut signals = Signals::new()?;
    let (child, out, err) = spawn(program)?;
    let (done, mut ends) = unbounded_channel();
    let (wake_out, wake_err) = (Wake::new()?, Wake::new()?);
    Masker::start("stdout", engine, out, stdout, wake_out.sleeper()?, done.clone())?;
    Masker::start("stderr", engine, err, stderr, wake_err.sleeper()?, done)?;
    let status = loop {
        if let Some(status) = reap(child)? {
            break status;
        }
        signals.next(child).await;
    };
    let mut ended =
        Ended { code: code(status), tally: Tally::default(), failed: Vec::new(), left_open: false, cut_short: false };
    let mut open = 2;
    let deadline = tokio::time::sleep(LEFT_OPEN);
    tokio::pin!(deadline);
    while open > 0 {
        tokio::select! {
            more = take(&mut ends, &mut ended) => open = if more { open - 1 } else { 0 },
            () = &mut deadline, if !ended.left_open => {
                ended.left_open = true;
                wake_out.ring();
                wake_err.ring();
            }
            urge = signals.next(child) => {
                if urge == Urge::End {
                    ended.cut_short = true;
                    break;
                }
            }
        }
    }
    Ok(ended)
}

/// Takes the end of one stream; `false` when there is none to come.
async fn take(ends: &mut UnboundedReceiver<stream::End>, ended: &mut Ended) -> bool {
    let Some(end) = ends.recv().await else {
        // It went down without a word, and what it had not written is lost.
        ended.failed.push(io::Error::other("a thread that masks it has failed"));
        return false;
    };
    ended.tally.add(&end.tally);
    // A reader that left is no failure of ours, and the program was told by its signal.
    ended.failed.extend(end.failed.filter(|reason| reason.kind() != io::ErrorKind::BrokenPipe));
    true
}

/// The program's process and the reading ends of its output.
fn spawn(program: Program) -> Result<(Pid, io::PipeReader, io::PipeReader), ExecError> {
    let (out, out_writer) = io::pipe()?;
    let (err, err_writer) = io::pipe()?;
    let name = program.argv.first().expect("the caller names a program").clone();
    let mut command = Command::new(&name);
    command.arg0(&name).args(&program.argv[1..]).envs(program.with);
    program.without.iter().for_each(|variable| {
        command.env_remove(variable);
    });
    command.stdin(Stdio::inherit()).stdout(out_writer).stderr(err_writer);
    // It inherits ours. Other threads of ours are forbidden to dump by more than the limit.
    let ours = getrlimit(Resource::Core);
    let _ = setrlimit(Resource::Core, Rlimit { current: program.core, ..ours });
    let spawned = command.spawn();
    let _ = setrlimit(Resource::Core, ours);
    let child = spawned.map_err(|reason| ExecError::Spawn { program: name.to_string_lossy().into_owned(), reason })?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id is a positive number");
    Ok((pid, out, err))
}

/// Reaps every process that has ended, orphans that process 1 inherits included, and tells the end of `child`.
fn reap(child: Pid) -> io::Result<Option<WaitStatus>> {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == child && (status.exited() || status.signaled()) => {
                return Ok(Some(status));
            }
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

fn code(status: WaitStatus) -> u8 {
    let signal = || status.terminating_signal().map(|signal| 128 + signal);
    status.exit_status().or_else(signal).and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masker_that_dies_without_a_word_is_a_failure() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut ended =
            Ended { code: 0, tally: Tally::default(), failed: Vec::new(), left_open: false, cut_short: false };
        let (done, mut ends) = unbounded_channel();
        done.send(stream::End { tally: Tally::default(), failed: None }).unwrap();
        drop(done);
        assert!(runtime.block_on(take(&mut ends, &mut ended)) && ended.failed.is_empty());
        assert!(!runtime.block_on(take(&mut ends, &mut ended)));
        assert_eq!(ended.failed.len(), 1);
    }
}

//! A program that prints known values, run without a shell. Its output is kept in memory that is wiped; what it says on
//! standard error is not shown, since nobody knows what is in it.

use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process_group};
use zeroize::Zeroizing;

use super::KnownCommand;
use crate::secrets::SecretError;

/// A longer output is no list of values.
const MAX_OUTPUT_BYTES: usize = 4 << 20;

/// What `command` prints on standard output.
///
/// # Errors
/// When it cannot be started, does not end in time, ends with another code than 0, or prints nothing or too much. Whatever is
/// left of it is killed.
pub(super) fn output(command: &KnownCommand, place: &str) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let refuse = |reason: String| SecretError::Known { place: place.to_owned(), reason };
    let (program, arguments) = command.argv.split_first().expect("the configuration refuses an empty `argv`");
    let deadline = Instant::now() + command.timeout;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // A group of its own, so that what it starts can be ended with it.
        .process_group(0)
        .spawn()
        .map_err(|error| refuse(format!("cannot run `{program}`: {error}")))?;
    let mut stdout = child.stdout.take().expect("its output is a pipe");
    let (sender, receiver) = mpsc::channel();
    let reader = thread::Builder::new().name("known-command".to_owned());
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let stop = || group.map(|group| kill_process_group(group, Signal::KILL));
    let started = reader.spawn(move || drop(sender.send(read(&mut stdout))));
    let left = || deadline.saturating_duration_since(Instant::now());
    let text = match started.map(|_| receiver.recv_timeout(left())) {
        Ok(Ok(text)) => text.map_err(|error| error.to_string()),
        Ok(Err(RecvTimeoutError::Timeout)) => Err(late(command)),
        Ok(Err(RecvTimeoutError::Disconnected)) => Err("its output could not be read".to_owned()),
        Err(error) => Err(format!("cannot start a thread: {error}")),
    };
    // It may have closed its output and go on.
    let status = text.and_then(|text| wait(&mut child, command, deadline).map(|status| (text, status)));
    if status.is_err() {
        stop();
        let _ = child.wait();
    }
    let (text, status) = status.map_err(refuse)?;
    if !status.success() {
        return Err(refuse(format!("`{program}` failed ({status}); run it by hand to see why")));
    }
    if text.trim_ascii().is_empty() {
        return Err(refuse(format!("`{program}` printed nothing")));
    }
    Ok(text)
}

fn late(command: &KnownCommand) -> String {
    format!("`{}` did not end within {} s and was killed", command.argv[0], command.timeout.as_secs())
}

fn wait(child: &mut std::process::Child, command: &KnownCommand, deadline: Instant) -> Result<ExitStatus, String> {
    const STEP: std::time::Duration = std::time::Duration::from_millis(5);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(STEP),
            Ok(None) => return Err(late(command)),
            Err(error) => return Err(error.to_string()),
        }
    }
}

fn read(stdout: &mut impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // Room for all of it from the start: a vector that grows leaves copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_OUTPUT_BYTES + 1));
    stdout.take(MAX_OUTPUT_BYTES as u64 + 1).read_to_end(&mut text)?;
    if text.len() > MAX_OUTPUT_BYTES {
        return Err(io::Error::other(format!("it printed more than {MAX_OUTPUT_BYTES} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::CommandOutput;

    fn run(argv: &[&str], millis: u64) -> Result<String, String> {
        let command = KnownCommand {
            name: "x".to_owned(),
            argv: argv.iter().map(ToString::to_string).collect(),
            output: CommandOutput::Dotenv,
            timeout: Duration::from_millis(millis),
        };
        let text = output(&command, "c").map_err(|error| error.to_string())?;
        Ok(String::from_utf8(text.to_vec()).unwrap())
    }

    #[test]
    fn what_it_prints_is_taken_and_every_trouble_is_an_error() {
        assert_eq!(run(&["printf", "A=%s", "$HOME;x"], 60_000).unwrap(), "A=$HOME;x");
        let cases: [(&[&str], u64, &str); 6] = [
            (&["/nowhere/vault"], 60_000, "c: cannot run `/nowhere/vault`: No such file"),
            (&["false"], 60_000, "c: `false` failed (exit status: 1)"),
            (&["true"], 60_000, "c: `true` printed nothing"),
            (&["sh", "-c", "kill -9 $$"], 60_000, "c: `sh` failed (signal: 9"),
            (&["sh", "-c", "sleep 100 & sleep 100"], 100, "c: `sh` did not end within 0 s and was killed"),
            (&["sh", "-c", "echo A=hunter2; exec >&-; sleep 100"], 100, "c: `sh` did not end within 0 s"),
        ];
        for (argv, millis, said) in cases {
            let error = run(argv, millis).unwrap_err();
            assert!(error.starts_with(said) && !error.contains("hunter2"), "{argv:?}: {error}");
        }
        assert!(run(&["head", "-c", "5000000", "/dev/zero"], 60_000).unwrap_err().contains("more than 4194304 bytes"));
    }
}

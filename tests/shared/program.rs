//! The program as a command, and what it said.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::process::{Command, Output};

/// Where it is.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_inkout");

/// The program, alone.
pub(crate) fn inkout() -> Command {
    alone(Command::new(PROGRAM))
}

/// `command` with nothing of the tester's environment that would change what the program does.
pub(crate) fn alone(mut command: Command) -> Command {
    ["INKOUT_CONFIG", "INKOUT_HASH_KEY", "NO_COLOR", "RUST_LOG"].iter().for_each(|name| {
        command.env_remove(name);
    });
    command
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

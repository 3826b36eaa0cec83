//! Runs the program.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use inkout::rules::generator;

#[path = "../shared/folder.rs"]
mod folder;
#[path = "../shared/program.rs"]
mod program;

pub(crate) use folder::Folder;
pub(crate) use program::{code, inkout, stderr, stdout};

/// Runs it to its end on `input`.
pub(crate) fn run_on<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>, input: &[u8]) -> Output {
    let mut command = inkout();
    command.args(arguments);
    feed(&mut command, input)
}

/// Runs `command` to its end on `input`.
pub(crate) fn feed(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    std::thread::scope(|scope| {
        // It may end before it has read everything; that is for the test to judge.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().expect("the program ends")
    })
}

/// What it wrote, after a run that must have succeeded without a word.
#[track_caller]
pub(crate) fn quietly(output: &Output) -> String {
    assert_eq!((code(output), stderr(output).as_str()), (0, ""));
    stdout(output)
}

/// Made-up text of a secret's shape.
pub(crate) fn made_up(template: &str) -> String {
    generator::expand(template, 11).expect("the template is right")
}

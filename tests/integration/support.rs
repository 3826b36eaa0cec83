//! Runs the program.

use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use inkout::rules::generator;

/// The program, with nothing of the tester's environment that would change it.
pub(crate) fn inkout() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inkout"));
    command.env_remove("INKOUT_CONFIG").env_remove("INKOUT_HASH_KEY").env_remove("NO_COLOR");
    command
}

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

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// What it wrote, after a run that must have succeeded without a word.
#[track_caller]
pub(crate) fn quietly(output: &Output) -> String {
    assert_eq!((code(output), stderr(output).as_str()), (0, ""));
    stdout(output)
}

/// A folder that is removed at the end, with files in it.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file and returns its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a file is written");
        path
    }
}

/// Made-up text of a secret's shape.
pub(crate) fn made_up(template: &str) -> String {
    generator::expand(template, 11).expect("the template is right")
}

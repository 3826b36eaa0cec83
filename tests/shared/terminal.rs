//! The program on a terminal of its own, which Python's `pty` makes.

use std::ffi::OsStr;
use std::io;
use std::process::{Command, Output};

/// Before the acts of a test, which have `pid`, `terminal` and `until`.
const BEFORE: &str = r#"
import os, pty, signal, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
shown = b""
def until(text, count):
    global shown
    while shown.count(text) < count:
        shown += os.read(terminal, 1000)
"#;

/// And behind them.
const BEHIND: &str = r#"
try:
    while True:
        more = os.read(terminal, 1000)
        if not more:
            break
        shown += more
except OSError:
    pass
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

/// Runs it with `arguments` through `acts`, lines of Python. Its output is what the terminal showed; it is an error that there
/// is no Python.
pub(crate) fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>, acts: &str) -> io::Result<Output> {
    let script = [BEFORE, acts, BEHIND].concat();
    Command::new("python3").args(["-c", &script, env!("CARGO_BIN_EXE_inkout")]).args(arguments).output()
}

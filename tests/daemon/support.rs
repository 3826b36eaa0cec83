//! Runs `inkout run` and looks at it from outside.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

#[path = "../shared/folder.rs"]
mod folder;
#[path = "../shared/program.rs"]
mod program;

pub(crate) use folder::Folder;

/// Longer than anything takes that works.
const PATIENCE: Duration = Duration::from_secs(180);

/// How many times as long the runs are to be.
pub(crate) fn scale() -> u64 {
    std::env::var("INKOUT_FAULTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// Waits for something that happens sooner or later.
#[track_caller]
pub(crate) fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < PATIENCE * scale() as u32, "it never came: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A process of `inkout`.
pub(crate) struct Daemon {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
    /// Ends when the process has closed its standard error.
    listening: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Starts `inkout run` with these arguments. It has no admin port unless its file speaks of one: the default one is one
    /// for the whole machine.
    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Daemon {
        let mut command = inkout();
        command.arg("run").args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
        let file = command.get_args().skip_while(|argument| *argument != "--config").nth(1).map(PathBuf::from);
        let text = file.and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
        if !text.contains("admin") {
            command.args(["--admin", "off"]);
        }
        Daemon::spawn(&mut command)
    }

    /// Starts `command`, whose standard error is read.
    pub(crate) fn spawn(command: &mut Command) -> Daemon {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the program starts");
        let said = Arc::new(Mutex::new(Vec::new()));
        let (stderr, lines) = (child.stderr.take().expect("a pipe"), Arc::clone(&said));
        let listening = thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        Daemon { child, said, listening: Some(listening) }
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// What it said so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }

    /// Waits until it has said that.
    #[track_caller]
    pub(crate) fn until_said(&self, text: &str) {
        let started = Instant::now();
        while !self.said().contains(text) {
            assert!(started.elapsed() < PATIENCE, "it never said {text:?}, but\n{}", self.said());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The address it listens on, once it does.
    #[track_caller]
    pub(crate) fn address(&self) -> SocketAddr {
        self.until_said("listening");
        let said = self.said();
        let line = said.lines().find(|line| line.contains("listening")).expect("it said so");
        let word = line.split("address=").nth(1).and_then(|rest| rest.split_whitespace().next());
        let address = word.and_then(|word| word.trim_matches('"').parse().ok());
        address.unwrap_or_else(|| panic!("no address in {line:?}"))
    }

    /// A connection to the address it listens on.
    #[track_caller]
    pub(crate) fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address()).expect("it listens")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("a process");
        kill_process(pid, signal).expect("it lives");
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                self.listening.take().into_iter().for_each(|thread| thread.join().expect("it listens to the end"));
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "it does not end; it said\n{}", self.said());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Asks it to stop; its exit code and how long it took.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> (i32, Duration) {
        let started = Instant::now();
        self.signal(Signal::TERM);
        let status = self.ended();
        (status.code().expect("an exit code"), started.elapsed())
    }

    /// Resident memory in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.status("VmRSS:") << 10
    }

    pub(crate) fn peak_memory(&self) -> usize {
        self.status("VmHWM:") << 10
    }

    fn status(&self, name: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it lives");
        let line = status.lines().find(|line| line.starts_with(name)).expect("a known line");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, which writes without colours.
pub(crate) fn inkout() -> Command {
    let mut command = program::inkout();
    command.env("NO_COLOR", "1");
    command
}

/// Sends records `from..to` of `stream`, a few at a time.
pub(crate) fn send(peer: &mut TcpStream, stream: u64, numbers: std::ops::Range<u64>) {
    let mut text = String::new();
    for number in numbers {
        text.push_str(&crate::oracle::record(stream, number));
        text.push('\n');
        if text.len() > 8 << 10 {
            peer.write_all(text.as_bytes()).expect("it is read");
            text.clear();
        }
    }
    peer.write_all(text.as_bytes()).expect("it is read");
}

/// The value of the first metric that begins so, as the admin socket at that path tells it; 0 while there is none.
pub(crate) fn admin_metric(socket: &std::path::Path, name: &str) -> f64 {
    let ask = || -> std::io::Result<String> {
        let mut peer = std::os::unix::net::UnixStream::connect(socket)?;
        peer.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
        let mut said = String::new();
        std::io::Read::read_to_string(&mut peer, &mut said)?;
        Ok(said)
    };
    let said = ask().unwrap_or_default();
    let line = said.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0.0)
}

/// A file may grow to so many KiB; what is beyond fails as on a full disk.
pub(crate) fn limited(kib: u64) -> Command {
    let mut command = Command::new("sh");
    let script = format!("trap '' XFSZ; ulimit -S -f {}; exec \"$@\"", kib * 2);
    command.args(["-c", &script, "sh", program::PROGRAM]).env("NO_COLOR", "1");
    program::alone(command)
}

/// From now on there is room.
pub(crate) fn unlimited(daemon: &Daemon) {
    let pid = daemon.child.id().to_string();
    let raised = Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited"]).status();
    assert!(raised.expect("prlimit is there").success());
}

//! `inkout run` as an operator meets it: its port, its log, its findings, and what it keeps to itself.

#![cfg(all(feature = "daemon", target_os = "linux"))]

#[path = "shared/program.rs"]
mod program;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use program::inkout;

/// A process that reads standard input and writes standard output.
struct Run {
    child: Child,
    folder: tempfile::TempDir,
}

const PIPELINE: &str = "[[pipeline]]\nsource = \"stdin\"\nsinks = [\"stdout\"]\n";

impl Run {
    fn start(tables: &str, stderr: Stdio) -> Run {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("inkout.toml");
        let tables = tables.replace("FOLDER", &folder.path().display().to_string());
        fs::write(&file, format!("{tables}\n{PIPELINE}")).expect("written");
        let mut command = inkout();
        command.args(["run", "--config"]).arg(&file).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
        Run { child: command.spawn().expect("runs"), folder }
    }

    fn say(&mut self, text: &str) {
        self.child.stdin.as_mut().expect("piped").write_all(text.as_bytes()).expect("read");
    }

    /// The address in the log line about the port.
    fn admin(&mut self) -> String {
        let mut lines = BufReader::new(self.child.stderr.take().expect("piped")).lines();
        let line = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("address=http://")));
        // Somebody must go on reading.
        std::thread::spawn(move || lines.for_each(drop));
        let line = line.expect("the port is told").expect("UTF-8");
        let address = line.split("address=http://").nth(1).expect("an address");
        address.trim_end_matches('/').to_owned()
    }

    fn out(&mut self, bytes: usize) -> String {
        let mut text = vec![0; bytes];
        self.child.stdout.as_mut().expect("piped").read_exact(&mut text).expect("as much as that comes");
        String::from_utf8(text).expect("UTF-8")
    }

    /// Ends the input and waits.
    fn end(mut self) -> (Option<i32>, String, tempfile::TempDir) {
        drop(self.child.stdin.take());
        let mut text = String::new();
        self.child.stdout.take().expect("piped").read_to_string(&mut text).expect("UTF-8");
        let code = self.child.wait().expect("ends").code();
        (code, text, self.folder)
    }

    fn proc(&self, name: &str) -> String {
        fs::read_to_string(Path::new("/proc").join(self.child.id().to_string()).join(name)).expect("readable")
    }
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").expect("taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("UTF-8");
    answer
}

/// Asks until the answer holds `text`: counters follow the data.
#[track_caller]
fn eventually(address: &str, path: &str, text: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = get(address, path);
        if answer.contains(text) {
            return;
        }
        assert!(Instant::now() < deadline, "{text} is not in {answer}");
    }
}

#[test]
fn the_port_tells_what_flows_and_listens_on_loopback() {
    let mut run = Run::start("[admin]\nlisten = \"127.0.0.1:0\"\n", Stdio::piped());
    let address = run.admin();
    eventually(&address, "/readyz", "200 OK");
    run.say("password=hunter2 a\nclean\n");
    assert_eq!(run.out(33), "password=REDACTED.password a\nclea");
    eventually(&address, "/metrics", "inkout_received_records_total{source=\"main\"} 2\n");
    eventually(
        &address,
        "/metrics",
        "inkout_rule_findings_total{rule=\"password\",action=\"replace\",source=\"main\"} 1\n",
    );
    eventually(&address, "/metrics", "inkout_sent_records_total{sink=\"stdout\"} 2\n");
    eventually(&address, "/status.json", "\"rule\":\"password\"");
    eventually(&address, "/", "working");
    assert!(get(&address, "/healthz").ends_with("moving\n"));
    let port = u16::from_str_radix(
        &address.rsplit(':').next().map(|port| format!("{:x}", port.parse::<u16>().expect("a port"))).expect("a port"),
        16,
    )
    .expect("hex");
    let listeners = run.proc("net/tcp");
    let listening =
        |line: &&str| line.split_whitespace().nth(1).is_some_and(|local| local.ends_with(&format!(":{port:04X}")));
    let local = listeners.lines().find(listening).expect("it listens");
    assert!(local.contains("0100007F:"), "not on loopback: {local}");
    assert_eq!(run.end().0, Some(0));
}

#[test]
fn findings_are_written_and_summarized() {
    let mut run =
        Run::start("[admin]\nlisten = \"off\"\n[findings]\npath = \"FOLDER/findings.jsonl\"\n", Stdio::null());
    run.say("first line\npassword=hunter2\npassword=hunter2 again\n");
    let (code, text, folder) = run.end();
    assert_eq!((code, text.contains("hunter2")), (Some(0), false));
    let path = folder.path().join("findings.jsonl");
    let stream = fs::read_to_string(&path).expect("written");
    assert!(!stream.contains("hunter2"), "{stream}");
    assert!(stream.contains("\"source\":\"main\",\"offset\":20,"), "{stream}");
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    let summary = inkout().args(["findings", "summarize"]).arg(&path).output().expect("runs");
    let summary = String::from_utf8_lossy(&summary.stdout).into_owned();
    assert!(summary.contains("seen      2 times in main\n  key       password\n"), "{summary}");
}

#[test]
fn an_audit_is_told_in_every_place() {
    let tables = "mode = \"audit\"\naudit_until = \"2999-01-01\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[findings]\npath = \"FOLDER/f\"\n";
    let mut run = Run::start(tables, Stdio::piped());
    let address = run.admin();
    run.say("password=hunter2\n");
    assert_eq!(run.out(17), "password=hunter2\n");
    eventually(&address, "/metrics", "inkout_audit{source=\"main\"} 1\n");
    eventually(&address, "/", "its secrets are counted, not masked");
    let (_, _, folder) = run.end();
    let stream = fs::read_to_string(folder.path().join("f")).expect("written");
    // The line is masked even where the data is not.
    assert!(stream.contains("\"masked\":false") && !stream.contains("hunter2"), "{stream}");
}

#[test]
fn a_log_that_nobody_reads_or_can_read_does_not_stop_the_data() {
    let full = |say: &mut dyn FnMut(&mut Run)| {
        let mut run = Run::start("[admin]\nlisten = \"off\"\n[log]\nlevel = \"trace\"\n", Stdio::piped());
        say(&mut run);
        let lines = "password=hunter2 x\n".repeat(20_000);
        let writer = run.child.stdin.take().expect("piped");
        let text = lines.clone();
        let writing = std::thread::spawn(move || {
            let mut writer = writer;
            writer.write_all(text.as_bytes()).expect("read");
        });
        let mut out = String::new();
        run.child.stdout.take().expect("piped").read_to_string(&mut out).expect("UTF-8");
        writing.join().expect("written");
        assert_eq!(out, lines.replace("hunter2", "REDACTED.password"));
        run.child.wait().expect("ends").code()
    };
    // Nobody reads: the pipe stays as it is.
    assert_eq!(full(&mut |_| {}), Some(0));
    // Closed by its reader.
    assert_eq!(full(&mut |run| drop(run.child.stderr.take())), Some(0));
}

#[test]
fn memory_is_in_no_core_dump_and_files_are_its_owners() {
    let mut run = Run::start("[admin]\nlisten = \"127.0.0.1:0\"\n", Stdio::piped());
    run.admin();
    let limits = run.proc("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    // The soft one: a program that `inkout exec` starts gets back what we had.
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    let status = run.proc("status");
    assert!(status.contains("Umask:\t0077\n"), "{status}");
    // The kernel shows no page of one that is not dumpable to others of the same user; root sees the owner change.
    let owner = |name: &str| {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(Path::new("/proc").join(run.child.id().to_string()).join(name)).expect("there").uid()
    };
    assert_eq!(owner("mem"), 0);
    run.end();
}

#[test]
fn what_cannot_be_opened_stops_the_start() {
    let cases = [
        ("[admin]\nlisten = \"192.0.2.1:9\"\n", "admin: cannot listen on 192.0.2.1:9: "),
        ("[findings]\npath = \"/proc/none\"\n", "findings: cannot write /proc/none: "),
        ("[findings]\npath = \"-\"\n", "findings: standard output is a sink of a pipeline already"),
        (
            "[metrics.otlp]\nendpoint = \"https://c:4317\"\n",
            "metrics.otlp: endpoint `https://c:4317`: must begin with http://",
        ),
        ("[admin]\nlisten = \"localhost\"\n", "inkout.toml:2: `localhost` is no address to listen on: 127.0.0.1:9611"),
        ("[admin]\nlisen = \"off\"\n", "inkout.toml:2: unknown key `lisen`; did you mean `listen`?"),
        ("[log]\nlevel = \"loud\"\n", "inkout.toml:2: unknown value `loud`; did you mean `off`?"),
        ("[metrics]\nrules = \"some\"\n", "inkout.toml:2: unknown value `some`"),
        ("[findings]\npath = \"f\"\nmax_size = \"1\"\n", "inkout.toml:3: "),
    ];
    for (tables, message) in cases {
        let run = Run::start(tables, Stdio::piped());
        let out = run.child.wait_with_output().expect("ends");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{tables}{said}");
        assert!(said.contains(message), "{tables}{said}");
    }
}

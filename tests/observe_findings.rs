//! The findings stream as a security team reads it: the library writes it, `inkout findings summarize` reads it.

#![cfg(feature = "daemon")]

#[path = "shared/program.rs"]
mod program;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use bytes::Bytes;
use inkout::config::KnownSources;
use inkout::engine::{Carry, Engine, HashKey, Known, KnownValue, Limits, Mode, Piece, Policy};
use inkout::findings::{Event, Findings, FindingsOptions, FindingsWriter, Generation, Line, Place};
use inkout::metrics::{Metrics, SourceMetrics};
use inkout::rules::{Catalog, generator::expand};
use program::inkout;
use serde_json::Value;

fn compiled(policy: Policy) -> Engine {
    Engine::compile(Catalog::builtin().set, policy, &Limits::default()).expect("rules compile")
}

fn keyed() -> Policy {
    Policy { hash_key: HashKey::new(vec![7; 32]).ok(), ..Policy::default() }
}

/// A stream into a file of a folder of its own.
struct Fixture {
    folder: tempfile::TempDir,
    metrics: Metrics,
    source: SourceMetrics,
    findings: Findings,
    writer: Option<FindingsWriter>,
}

impl Fixture {
    fn new(change: impl FnOnce(&mut FindingsOptions)) -> Fixture {
        let folder = tempfile::tempdir().expect("a folder");
        let mut options = FindingsOptions::to(folder.path().join("findings.jsonl"));
        change(&mut options);
        let metrics = Metrics::default();
        let source = metrics.source("app");
        let guard = Arc::new(compiled(Policy::default()));
        let (findings, writer) = Findings::start(options, guard, &metrics).expect("a new file");
        metrics.reload(Ok("0123456789ab"));
        Fixture { folder, metrics, source, findings, writer: Some(writer) }
    }

    fn inspect(&self, engine: &Engine, offset: u64, text: &str) {
        let mut scratch = engine.scratch();
        let piece = Piece::records(Bytes::copy_from_slice(text.as_bytes()));
        engine.redact_piece(&mut scratch, &Carry::default(), &piece);
        let place = Place { source: &self.source, stream: Some("/var/log/app.log"), offset, keys: None };
        self.findings.inspect(engine, &scratch, piece.body(), place);
    }

    /// Stops the stream and returns what was written.
    fn text(&mut self) -> String {
        self.writer.take().expect("stopped once").stop();
        fs::read_to_string(self.path()).expect("UTF-8")
    }

    fn lines(&mut self) -> Vec<Line> {
        self.text().lines().map(|line| serde_json::from_str(line).expect("a line of the stream")).collect()
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("findings.jsonl")
    }

    fn metric(&self, name: &str) -> u64 {
        let text = self.metrics.prometheus();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {text}"));
        line.rsplit(' ').next().and_then(|value| value.parse().ok()).expect("a number")
    }
}

#[test]
fn a_secret_is_told_once_with_its_place_and_counted_to_the_end() {
    let mut fixture = Fixture::new(|_| {});
    let engine = compiled(keyed());
    let token = expand("ghp_{alnum:36}", 1).expect("a generator");
    fixture.inspect(&engine, 1000, &format!("user=ada\nlogin with {token}\n"));
    fixture.inspect(&engine, 2000, &format!("{{\"api_token\":\"{token}\"}}\npassword=hunter2\n"));
    let lines = fixture.lines();
    let told: Vec<_> = lines.iter().map(|line| (line.event, line.rule.as_str(), line.count)).collect();
    assert_eq!(
        told,
        [(Event::First, "github-token", 1), (Event::First, "password", 1), (Event::Update, "github-token", 2)]
    );
    let (first, update) = (&lines[0], &lines[2]);
    assert_eq!((first.offset, first.source.as_str(), first.stream.as_deref()), (1020, "app", Some("/var/log/app.log")));
    assert_eq!((first.action.as_str(), first.masked, first.rules_hash.as_str()), ("replace", true, "0123456789ab"));
    assert_eq!(first.fingerprint, update.fingerprint);
    assert_eq!(first.first_seen, update.first_seen);
    assert_eq!(lines[1].key_path.as_deref(), Some("password"));
    assert_eq!(fixture.metric("inkout_new_fingerprints_total"), 2);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(fixture.path()).expect("written").permissions());
    assert_eq!(mode & 0o777, 0o600);
}

fn sample() -> String {
    let sample = inkout().arg("sample").output().expect("runs");
    String::from_utf8(sample.stdout).expect("UTF-8")
}

#[test]
fn no_byte_of_a_secret_is_in_the_stream_and_our_own_rules_leave_it_as_it_is() {
    let mut fixture = Fixture::new(|_| {});
    let (engine, log) = (compiled(keyed()), sample());
    let spans = engine.find(&mut engine.scratch(), log.as_bytes());
    let secrets: Vec<&str> = spans.iter().map(|span| &log[span.start..span.end]).collect();
    assert!(secrets.len() > 20, "the sample holds secrets");
    fixture.inspect(&engine, 0, &log);
    let text = fixture.text();
    secrets.iter().filter(|secret| secret.len() >= 6).for_each(|secret| assert!(!text.contains(secret)));
    let guard = compiled(Policy::default());
    assert_eq!(guard.find(&mut guard.scratch(), text.as_bytes()), [], "a masked line would say nothing");
}

#[test]
fn no_rules_name_makes_its_line_look_like_a_secret() {
    let (guard, mut fixture) = (compiled(Policy::default()), Fixture::new(|_| {}));
    let engine = compiled(keyed());
    fixture.inspect(&engine, 0, "password=hunter2 api_key=a1b2c3d4e5\n");
    let line = fixture.lines().remove(0);
    for rule in &Catalog::builtin().set.rules {
        for key_path in ["password", "api_key", "authorization"] {
            let (rule, key_path) = (rule.id.clone(), Some(key_path.to_owned()));
            let json = serde_json::to_string(&Line { rule, key_path, ..line.clone() }).expect("JSON");
            assert_eq!(guard.find(&mut guard.scratch(), json.as_bytes()), [], "{json}");
        }
    }
}

#[test]
fn a_private_key_is_one_secret_however_it_is_wrapped() {
    let mut fixture = Fixture::new(|_| {});
    let engine = compiled(keyed());
    let pem = |seed| {
        let armoured = "-----BEGIN PRIVATE KEY-----\n{base64:64}\n{base64:64}\n{base64:24}\n-----END PRIVATE KEY-----";
        expand(armoured, seed).expect("generators")
    };
    let (key, other) = (pem(1), pem(2));
    let escaped = key.replace('\n', "\\n");
    fixture.inspect(&engine, 0, &format!("{key}\n{other}\n"));
    fixture.inspect(&engine, 9, &format!("{{\"cert\":\"{escaped}\"}}\n"));
    let lines = fixture.lines();
    let firsts: Vec<_> = lines.iter().filter(|line| line.event == Event::First).collect();
    assert_eq!(firsts.len(), 2, "{lines:?}");
    assert_eq!((lines[2].fingerprint.as_str(), lines[2].count), (firsts[0].fingerprint.as_str(), 2));
}

#[test]
fn a_known_value_is_told_with_its_name_its_generation_and_whom_to_call() {
    let mut fixture = Fixture::new(|options| {
        let contact = |names: &str, owner: &str| inkout::config::Contact {
            names: names.to_owned(),
            owner: Some(owner.to_owned()),
            revoke: Some("https://example.com/keys".to_owned()),
        };
        // The first that fits, in the order of the file.
        let contacts = vec![contact("str*", "payments"), contact("*", "everyone")];
        options.add_contacts(&KnownSources { contacts, ..KnownSources::default() });
    });
    let known = |name: &str, value: &str, number: u64| {
        let value = KnownValue { name: name.to_owned(), value: value.as_bytes().to_vec() };
        Arc::new(Known::new(vec![value]).0.of_generation(number))
    };
    let (new, old) = (expand("{alnum:20}", 1).expect("a generator"), expand("{alnum:20}", 2).expect("a generator"));
    let engine =
        compiled(keyed()).with_known(known("stripe", &new, 2), [known("stripe", &old, 1)]).expect("a known rule");
    fixture.inspect(&engine, 0, &format!("{new}\n"));
    assert_eq!(fixture.metric("inkout_previous_generation_findings_total"), 0);
    fixture.inspect(&engine, 0, &format!("{old} {old}\n"));
    assert_eq!(fixture.metric("inkout_previous_generation_findings_total"), 2);
    let lines = fixture.lines();
    let known = lines.iter().map(|line| line.known.as_ref().expect("known"));
    let told: Vec<_> = known.map(|known| (known.generation, known.number)).collect();
    assert_eq!(told, [(Generation::Current, 2), (Generation::Previous, 1), (Generation::Previous, 1)]);
    let first = lines[0].known.as_ref().expect("known");
    assert_eq!((first.name.as_str(), first.owner.as_deref()), ("stripe", Some("payments")));
    assert_eq!(first.revoke.as_deref(), Some("https://example.com/keys"));
}

#[test]
fn without_a_key_fingerprints_are_those_of_one_process() {
    let of = || {
        let mut fixture = Fixture::new(|_| {});
        fixture.inspect(&compiled(Policy::default()), 0, "password=hunter2\n");
        fixture.lines().remove(0).fingerprint
    };
    assert_ne!(of(), of());
}

#[test]
fn an_audit_says_that_nothing_was_masked() {
    let mut fixture = Fixture::new(|_| {});
    fixture.inspect(&compiled(Policy { mode: Mode::Audit, ..keyed() }), 0, "password=hunter2\n");
    assert!(!fixture.lines()[0].masked);
}

#[test]
fn what_does_not_fit_in_memory_is_forgotten_and_counted() {
    let mut fixture = Fixture::new(|options| options.remember = 10);
    let engine = compiled(keyed());
    (0..30).for_each(|number| fixture.inspect(&engine, 0, &format!("password=hunter{number} x\n")));
    assert_eq!(fixture.metric("inkout_fingerprints_evicted_total"), 20);
    assert_eq!(fixture.lines().len(), 30);
}

#[test]
fn a_file_that_is_moved_away_is_opened_anew_and_one_that_is_full_is_kept_once() {
    let mut fixture = Fixture::new(|options| options.max_size = 4096);
    let engine = compiled(keyed());
    fixture.inspect(&engine, 0, "password=hunter2\n");
    let moved = fixture.folder.path().join("moved");
    wait_for(|| fs::metadata(fixture.path()).is_ok_and(|file| file.len() > 0));
    fs::rename(fixture.path(), &moved).expect("renamed");
    (0..30).for_each(|number| fixture.inspect(&engine, 0, &format!("password=another{number} x\n")));
    let (new, old) =
        (fixture.text(), fs::read_to_string(fixture.folder.path().join("findings.jsonl.1")).expect("kept"));
    assert_eq!(fs::read_to_string(moved).expect("kept").lines().count(), 1);
    assert!(new.len() <= 4096 && old.len() <= 4096 && old.len() > 3000);
}

fn wait_for(mut done: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !done() {
        assert!(std::time::Instant::now() < deadline, "waited in vain");
        std::thread::yield_now();
    }
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let options = FindingsOptions::to("/proc/no/such/findings.jsonl");
    let guard = Arc::new(compiled(Policy::default()));
    let Err(error) = Findings::start(options, guard, &Metrics::default()) else { panic!("it was opened") };
    assert!(error.to_string().starts_with("findings: cannot write /proc/no/such/findings.jsonl: "), "{error}");
}

fn summarize(arguments: &[&str], folder: &Path) -> Output {
    let mut command = inkout();
    command.args(["findings", "summarize"]).args(arguments).current_dir(folder).output().expect("runs")
}

#[test]
fn the_summary_tells_each_secret_once_over_restarts() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut fixture = Fixture::new(|_| {});
    fixture.inspect(&compiled(keyed()), 0, "password=hunter2\npassword=hunter2\nsecret=hunter3\n");
    let mut lines = fixture.lines();
    lines.iter_mut().for_each(|line| line.first_seen = "2026-01-01T10:00:00Z".parse().expect("a time"));
    lines.iter_mut().for_each(|line| line.last_seen = "2026-01-01T10:30:00Z".parse().expect("a time"));
    let again = Line {
        first_seen: "2026-01-03T12:00:00Z".parse().expect("a time"),
        last_seen: "2026-01-03T12:00:00Z".parse().expect("a time"),
        source: "other".to_owned(),
        count: 5,
        ..lines[0].clone()
    };
    lines.push(again);
    let text: String = lines.iter().map(|line| serde_json::to_string(line).expect("JSON") + "\n").collect();
    fs::write(folder.path().join("a.jsonl"), format!("{text}{{\"time\":\"20")).expect("written");

    let out = summarize(&["--json", "a.jsonl"], folder.path());
    let (stdout, stderr) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert_eq!(stderr, "inkout: a.jsonl:5: the last line is cut off and was left out\n");
    let secrets: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(secrets.len(), 2);
    assert_eq!((&secrets[0]["count"], &secrets[1]["count"]), (&7.into(), &1.into()));
    assert_eq!(secrets[0]["exposed_seconds"], 180_000);
    assert_eq!(secrets[0]["sources"], serde_json::json!(["app", "other"]));

    let out = summarize(&["a.jsonl"], folder.path());
    let stdout = String::from_utf8_lossy(&out.stdout);
    assert!(stdout.contains("exposed   2026-01-01T10:00:00Z to 2026-01-03T12:00:00Z (2 d 2 h)\n"), "{stdout}");
    assert!(stdout.contains("seen      7 times in app, other\n  key       password\n"), "{stdout}");
}

#[test]
fn what_is_no_stream_is_named_by_its_line_and_never_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("app.log"), "password=hunter2\n").expect("written");
    let out = summarize(&["app.log", "missing.jsonl"], folder.path());
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(3));
    assert!(stderr.contains("app.log:1: no line of a findings stream: syntax error at column 1\n"), "{stderr}");
    assert!(stderr.contains("missing.jsonl: No such file"), "{stderr}");
    assert!(!stderr.contains("hunter2"));
}

/// A writer was killed in the middle of a line, and another one went on.
#[test]
fn a_torn_line_costs_itself_and_no_other() {
    let mut fixture = Fixture::new(|options| fs::write(&options.path, "{\"time\":\"20").expect("written"));
    fixture.inspect(&compiled(keyed()), 0, "password=hunter2\n");
    let text = fixture.text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() == 2 && serde_json::from_str::<Line>(lines[1]).is_ok(), "{text}");
    let out = summarize(&["findings.jsonl"], fixture.folder.path());
    let (stdout, stderr) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(stdout.contains("seen      1 time in app"), "{stdout}");
    assert!(stderr.contains("findings.jsonl:1: no line of a findings stream"), "{stderr}");
    assert_eq!(out.status.code(), Some(3));
    fs::write(fixture.path(), format!("{}\n{{\"time", "x".repeat(200_000))).expect("written");
    let out = summarize(&["findings.jsonl"], fixture.folder.path());
    let (stdout, stderr) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(!stdout.contains("no secret was found"), "{stdout}");
    assert!(stderr.contains("findings.jsonl:2: the last line is cut off"), "{stderr}");
}

/// Nobody reads the pipe that the stream goes to.
#[test]
fn a_stream_that_nobody_reads_ends_all_the_same() {
    let mut held = None;
    let mut fixture = Fixture::new(|options| {
        let made = Command::new("mkfifo").arg(&options.path).status().expect("runs");
        assert!(made.success());
        held = Some(fs::OpenOptions::new().read(true).write(true).open(&options.path).expect("a pipe"));
    });
    let text: String = (0..3000).map(|number| format!("password=hunter{number}x\n")).collect();
    fixture.inspect(&compiled(keyed()), 0, &text);
    let (writer, (ended, end)) = (fixture.writer.take().expect("stopped once"), std::sync::mpsc::channel());
    std::thread::spawn(move || ended.send(writer.stop()));
    let left = end.recv_timeout(std::time::Duration::from_secs(60)).expect("it ends");
    assert!(left > 0);
    assert_eq!(fixture.metric("inkout_findings_unwritten_total"), left);
    drop(held);
}

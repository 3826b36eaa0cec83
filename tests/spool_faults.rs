//! A spool whose disk fails, and whose process is killed between any two system calls: `strace` injects both into a child
//! that is this test once more. Without `strace` the tests say so and pass.

#![allow(clippy::print_stdout, reason = "a test says what it skipped")]
#![cfg(feature = "daemon")]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

use inkout::engine::{Carry, Engine, Limits, Masked, Policy};
use inkout::rules::Catalog;
use inkout::spool::{Entry, MIN_SEGMENT_BYTES, Pushed, Spool, SpoolOptions};

/// Tells the child what it is.
const CHILD: &str = "INKOUT_TEST_SPOOL";
const RECORDS: u64 = 120;
const RECORD_BYTES: usize = 3_000;

fn masked(text: &str) -> Masked {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    let engine = ENGINE.get_or_init(|| {
        let rules = "[[rule]]\nid='a'\nsummary='A'\ncategory='credential'\nkeys=['never_there']\n";
        let set = Catalog::parse("r", rules).expect("a rule").set;
        Engine::compile(set, Policy::default(), &Limits::default()).expect("it compiles")
    });
    engine.redact(&mut engine.scratch(), &Carry::default(), text.to_owned().into()).0
}

fn open(folder: &Path) -> Spool {
    let options = SpoolOptions::new(folder.join("spool"), 4 * MIN_SEGMENT_BYTES);
    Spool::open(options).expect("the spool opens")
}

/// Pushes, syncs, reads and delivers, and says what it did: `acked N` once a record is promised, `got N` for what was read.
#[test]
fn child() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let mut out = std::io::stdout();
    let mut spool = open(Path::new(&folder));
    let mut word = 0;
    while word < RECORDS {
        let payload = masked(&format!("<{word}> {}\n", "x".repeat(RECORD_BYTES)));
        let (lines, origin) = (Vec::new(), Vec::new());
        let entry = Entry { stream: 1, position: word, records: 1, end: 0, lines, origin, payload };
        match spool.push(entry).expect("it can be stored") {
            Pushed::Stored { .. } => word += 1,
            Pushed::Full => drain(&mut spool, &mut out),
            Pushed::Dropped => panic!("nothing is dropped"),
        }
        if word % 5 == 0 {
            spool.sync().expect("what was written can be written again");
            writeln!(out, "acked {word}").expect("the parent listens");
        }
    }
    spool.sync().expect("what was written can be written again");
    writeln!(out, "acked {word}").expect("the parent listens");
    writeln!(out, "given up {}, failed writes {}", spool.counts().given_up, spool.counts().failed_writes)
        .expect("it listens");
}

fn drain(spool: &mut Spool, out: &mut impl Write) {
    while let Some(stored) = spool.read().expect("it can be read") {
        let word = String::from_utf8_lossy(stored.entry.payload.as_bytes()).into_owned();
        writeln!(out, "got {}", word.split(' ').next().unwrap_or_default()).expect("the parent listens");
        spool.delivered(stored.number).expect("it can be removed");
    }
}

fn run_child(folder: &Path, inject: Option<&str>) -> Output {
    let child = std::env::current_exe().expect("this test");
    let mut command = match inject {
        Some(inject) => {
            let mut command = Command::new("strace");
            let log = folder.join("strace");
            command
                .args(["-f", "-qq", "-o"])
                .arg(log)
                .args(["-e", "trace=pwrite64,fsync,fdatasync,rename,unlink,ftruncate"]);
            command.args(["-e", inject]).arg(child);
            command
        }
        None => Command::new(child),
    };
    command.args(["child", "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, folder);
    command.output().expect("it starts")
}

fn has_strace() -> bool {
    let there =
        Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status().is_ok_and(|status| status.success());
    if !there {
        println!("no strace here: faults of the disk were not tried");
    }
    there
}

/// What a child promised, and what it delivered.
fn words(output: &Output, acked: &mut u64, got: &mut BTreeSet<u64>) {
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Some(number) = line.strip_prefix("acked ") {
            *acked = number.parse().expect("a number");
        } else if let Some(word) = line.strip_prefix("got <") {
            got.insert(word.trim_end_matches('>').parse().expect("a number"));
        }
    }
}

/// Everything that was promised is there after a restart.
fn check(folder: &Path, outputs: &[Output], what: &str) {
    let (mut acked, mut got) = (0, BTreeSet::new());
    outputs.iter().for_each(|output| words(output, &mut acked, &mut got));
    let mut rest = Vec::new();
    let mut spool = open(folder);
    drain(&mut spool, &mut rest);
    for line in String::from_utf8_lossy(&rest).lines() {
        let word = line.trim_start_matches("got <").trim_end_matches('>');
        got.insert(word.parse().expect("a number"));
    }
    let lost: Vec<u64> = (0..acked).filter(|word| !got.contains(word)).collect();
    assert!(lost.is_empty(), "{what}: promised {acked}, lost {lost:?}");
    assert_eq!((spool.counts().skipped, spool.waiting()), (0, 0), "{what}");
}

#[test]
fn a_kill_between_any_two_steps_loses_nothing_that_was_promised() {
    if !has_strace() {
        return;
    }
    let mut kills = 0;
    for call in ["pwrite64", "fsync", "fdatasync", "rename", "unlink"] {
        for nth in [1, 2, 3, 5, 8, 13, 21, 34, 55, 89] {
            let folder = tempfile::tempdir().expect("a folder");
            let output = run_child(folder.path(), Some(&format!("inject={call}:signal=KILL:when={nth}")));
            kills += u32::from(!output.status.success());
            check(folder.path(), &[output], &format!("{call} {nth}"));
        }
    }
    println!("{kills} kills");
    assert!(kills >= 20, "only {kills} were killed");
}

#[test]
fn a_full_disk_and_interruptions_lose_nothing() {
    if !has_strace() {
        return;
    }
    for inject in [
        "inject=pwrite64:error=ENOSPC:when=20..25",
        "inject=pwrite64:error=EINTR:when=3+7",
        "inject=pwrite64:error=EDQUOT:when=1",
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let output = run_child(folder.path(), Some(inject));
        assert!(output.status.success(), "{inject}: {}", String::from_utf8_lossy(&output.stderr));
        check(folder.path(), &[output], inject);
    }
}

#[test]
fn a_failed_sync_gives_the_segment_up_and_writes_its_records_again() {
    if !has_strace() {
        return;
    }
    for inject in ["inject=fdatasync:error=EIO:when=2", "inject=fdatasync:error=EIO:when=3+4"] {
        let folder = tempfile::tempdir().expect("a folder");
        let output = run_child(folder.path(), Some(inject));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{inject}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("given up ") && !said.contains("given up 0"), "{said}");
        check(folder.path(), &[output], inject);
    }
    // Where the new segment fails, too, nothing is promised.
    let folder = tempfile::tempdir().expect("a folder");
    let output = run_child(folder.path(), Some("inject=fdatasync,fsync:error=EIO:when=6+"));
    assert!(!output.status.success());
    check(folder.path(), &[output], "no sync works");
}

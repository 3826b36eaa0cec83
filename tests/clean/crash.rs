//! W-01: killed at any system call, a rewrite leaves the old file or the new one, and the next run ends it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{
    CLEAN, Folder, MASKED, PROGRAM, SECRET, clean, fails, finish, has_strace, inkout, mode, read, well,
};

/// The system calls of a run by name, and how often each is made.
fn calls(folder: &Folder, path: &Path, target: &str) -> BTreeMap<String, usize> {
    let log = folder.path("trace");
    let status = Command::new("strace")
        .args(["-f", "-qq", "-o"])
        .arg(&log)
        .args([PROGRAM, "clean", "-q", "-j1", target])
        .arg(path)
        .status();
    assert!(status.unwrap().success());
    let mut calls = BTreeMap::new();
    for line in fs::read_to_string(&log).unwrap().lines() {
        let name = line.split_once(' ').and_then(|(_, call)| call.trim_start().split_once('('));
        if let Some((name, _)) = name {
            *calls.entry(name.to_owned()).or_insert(0) += 1;
        }
    }
    fs::remove_file(log).unwrap();
    calls
}

#[test]
fn w01_a_kill_at_any_system_call_leaves_the_old_file_or_the_new_one() {
    if !has_strace("w01") {
        return;
    }
    let (mut points, mut new) = (0, 0);
    for (before, after, target) in [(0, 0, "-i"), (9_000, 20, "-i"), (20, 40_000, "-i"), (0, 0, "--in-place=.orig")] {
        let old = [&CLEAN.repeat(before), SECRET, &CLEAN.repeat(after)].concat();
        let cleaned = [&CLEAN.repeat(before), MASKED, &CLEAN.repeat(after)].concat();
        let (folder, work) = (Folder::new(), Folder::new());
        let path = work.file("app.log", &old);
        let calls = calls(&folder, &path, target);
        let kept = work.path("app.log.orig");
        assert!(calls.contains_key("renameat") || calls.contains_key("renameat2"), "{calls:?}");
        for (call, count) in calls {
            for number in 1..=count {
                fs::write(&path, &old).unwrap();
                let _ = fs::remove_file(&kept);
                let inject = format!("inject={call}:signal=KILL:when={number}");
                let mut strace = Command::new("strace");
                strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
                strace.args([PROGRAM, "clean", "-q", "-j1", target]).arg(&path).status().unwrap();
                let is = read(&path);
                assert!(is == old.as_bytes() || is == cleaned.as_bytes(), "{call} {number}: a mix");
                points += 1;
                new += usize::from(is == cleaned.as_bytes());
                let left: Vec<_> = work.names().into_iter().filter(|name| !name.starts_with("app.log")).collect();
                assert!(left.len() <= 1, "{call} {number}: {left:?}");
                for name in &left {
                    let temporary = work.path(name);
                    // It gets a name when it is whole; before that, nobody but the owner may read it.
                    assert!(mode(&temporary) == 0o600 || read(&temporary) == cleaned.as_bytes(), "{call} {number}");
                    // The copy that is to be kept is one of the original.
                    let is_copy = target != "-i" && mode(&temporary) == 0o600;
                    assert!(is_copy || !String::from_utf8_lossy(&read(&temporary)).contains("hunter2"));
                }
                well(&clean([Path::new("-q"), Path::new("-i"), &path]));
                if kept.exists() {
                    assert!(read(&kept) == old.as_bytes() && mode(&kept) == 0o600, "{call} {number}");
                    fs::remove_file(&kept).unwrap();
                }
                assert!(read(&path) == cleaned.as_bytes() && work.names() == ["app.log"], "{call} {number}: {left:?}");
            }
        }
    }
    println!("killed at {points} system calls; {new} times the new file was there already");
    assert!(points > 150 && new > 0);
}

#[test]
fn what_a_killed_run_left_is_removed_and_what_a_running_one_holds_is_not() {
    let folder = Folder::new();
    let path = folder.file("app.log", CLEAN);
    folder.file(".inkout-1-0-0123456789abcdef.tmp", "left");
    let held = folder.file(".inkout-2-0-0123456789abcdef.tmp", "held");
    let running = fs::File::open(&held).unwrap();
    running.lock().unwrap();
    let own = [".inkout-2-0-0123456789abcdeg.tmp", ".inkout-2-0.tmp", ".inkout-notes.tmp"];
    own.iter().for_each(|name| drop(folder.file(name, "somebody's own")));
    let checked = finish(inkout().arg("check").arg(folder.root()));
    fails(&checked, 3, &[".inkout-1-0-0123456789abcdef.tmp: temporary file of a run of inkout"]);
    well(&clean([Path::new("-i"), &path]));
    let left = |first: &[&'static str]| [first, &own[..], &["app.log"][..]].concat();
    assert_eq!(folder.names(), left(&[".inkout-2-0-0123456789abcdef.tmp"]));
    drop(running);
    well(&clean([Path::new("-i"), folder.root()]));
    assert_eq!(folder.names(), left(&[]));
}

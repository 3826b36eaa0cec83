//! The life of a baseline: what was known stays known when its line moves, and what is new is told.

use std::path::Path;

use crate::planted::Planted;
use crate::support::{Folder, code, inkout, stderr, stdout};

/// Findings that are told of `log` against `baseline`.
#[track_caller]
fn told(log: &Path, baseline: &Path, text: &str) -> (i32, Vec<u64>) {
    std::fs::write(log, text).unwrap();
    let output =
        inkout().arg("check").arg(log).arg("--baseline").arg(baseline).args(["--format", "json"]).output().unwrap();
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let lines =
        report["findings"].as_array().unwrap().iter().map(|finding| finding["line"].as_u64().unwrap()).collect();
    (code(&output), lines)
}

#[test]
fn a_baseline_knows_lines_that_moved_and_none_that_are_new() {
    let folder = Folder::new();
    let (log, baseline) =
        (folder.file("a.env", "x=1\nDB_PASSWORD=hunter2\nuser=a token=abc123def4 ok\n"), folder.path("known.json"));
    let output = inkout().arg("check").arg(&log).arg("--write-baseline").arg(&baseline).output().unwrap();
    assert_eq!(
        (code(&output), stderr(&output)),
        (0, format!("inkout: baseline {} written: 2 findings\n", baseline.display()))
    );
    let check = |text: &str| told(&log, &baseline, text);
    assert_eq!(check("x=1\nDB_PASSWORD=hunter2\nuser=a token=abc123def4 ok\n"), (0, vec![]));
    // Moved, indented, another line end, another secret in its place.
    assert_eq!(check("new\n\nuser=a token=abc123def4 ok\n\n  DB_PASSWORD=hunter2\r\n"), (0, vec![]));
    assert_eq!(check("DB_PASSWORD=another9\n"), (0, vec![]));
    // Another key, another line, the same line a second time.
    assert_eq!(check("DB_PASSWORD=hunter2\nAPP_PASSWORD=hunter2\n"), (1, vec![2]));
    assert_eq!(check("DB_PASSWORD=hunter2\nx=2\nDB_PASSWORD=hunter3\n"), (1, vec![3]));
    assert_eq!(check("user=b token=abc123def4 ok\n"), (1, vec![1]));
    // Another file.
    let other = folder.path("b.env");
    assert_eq!(told(&other, &baseline, "DB_PASSWORD=hunter2\n"), (1, vec![1]));
}

#[test]
fn a_baseline_holds_no_secret_and_is_the_same_every_time() {
    let planted = Planted::new();
    let write = |name: &str, threads: &str| {
        let path = planted.folder.path(name);
        let output = inkout()
            .arg("check")
            .arg(planted.tree())
            .args(["-q", "-j", threads])
            .arg("--write-baseline")
            .arg(&path)
            .output()
            .unwrap();
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        std::fs::read(path).unwrap()
    };
    let (one, four) = (write("one.json", "1"), write("four.json", "4"));
    planted.is_in_none_of("the baseline", &one);
    assert!(one == four && one.len() > 500);
    let output = inkout()
        .arg("check")
        .arg(planted.tree())
        .arg("--baseline")
        .arg(planted.folder.path("one.json"))
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    assert!(stdout(&output).contains("8 known from the baseline"), "{}", stdout(&output));
}

#[test]
fn what_is_no_baseline_is_refused_before_anything_is_read() {
    let folder = Folder::new();
    let log = folder.file("a.log", "password=hunter2\n");
    for (text, said) in [
        ("", "not a baseline that `inkout check --write-baseline` wrote"),
        ("{\"findings\": []}", "missing field `inkout_baseline`"),
        ("{\"inkout_baseline\": 9, \"findings\": []}", "version 9 of the format is not known; known: 1"),
        (
            "{\"inkout_baseline\": 1, \"findings\": [{\"path\": \"a\", \"rule\": \"b\", \"line_hash\": \"xyz\"}]}",
            "finding 1: `line_hash` is not 32 hex digits",
        ),
        ("{\"inkout_baseline\": 1, \"findings\": [], \"extra\": 1}", "unknown field `extra`"),
    ] {
        let baseline = folder.file("b.json", text);
        let output = inkout().arg("check").arg(&log).arg("--baseline").arg(&baseline).output().unwrap();
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{text}");
        assert!(stderr(&output).contains(said), "{text}: {}", stderr(&output));
    }
}

//! `clean --diff`: what would change, masked on both sides, and nothing written.

use std::fs;

use crate::planted::Planted;
use crate::support::{Folder, code, inkout, stderr, stdout};

#[test]
fn a_diff_alone_writes_nothing_and_shows_no_secret() {
    let planted = Planted::new();
    let before = fs::read(planted.tree().join("app.env")).unwrap();
    let output = inkout().arg("clean").arg("--diff").arg(planted.tree()).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    planted.is_in_none_of("the diff", &output.stdout);
    let text = stdout(&output);
    assert!(text.contains("\n-DB_PASSWORD=\u{2588}\u{2588}\u{2588}\u{2588}\u{2588}\n"), "{text}");
    assert!(
        text.contains("\n+DB_PASSWORD=REDACTED.password\n") && text.contains("bundle.tar!inner/<script>.log"),
        "{text}"
    );
    assert_eq!(text.matches("--- ").count(), 7);
    assert!(stderr(&output).contains("would be masked"), "{}", stderr(&output));
    assert_eq!(fs::read(planted.tree().join("app.env")).unwrap(), before);
}

#[test]
fn a_diff_may_go_with_the_work_and_in_colour() {
    let folder = Folder::new();
    let log = folder.file("a.log", "one\npassword=hunter2\n");
    let output = inkout().args(["clean", "-i", "--diff", "--color", "always"]).arg(&log).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("\u{1b}[31m-password="), "{}", stdout(&output));
    assert_eq!(fs::read_to_string(&log).unwrap(), "one\npassword=REDACTED.password\n");
    let again = inkout().args(["clean", "--diff"]).arg(&log).output().unwrap();
    assert_eq!((code(&again), stdout(&again).as_str()), (0, ""));
}

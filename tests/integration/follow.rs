//! `inkout -F`: as a user has it in a terminal, beside a writer and a rotation.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::support::{Folder, code, feed, inkout, made_up, stderr};

struct Followed {
    child: Child,
    lines: BufReader<ChildStdout>,
}

/// A failed assertion leaves nobody behind.
impl Drop for Followed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Followed {
    fn start(command: &mut Command) -> Followed {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        Followed { child, lines }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        line
    }

    /// Ends it as Ctrl-C does. Its exit code, the rest of its output, and what it said.
    fn interrupt(mut self) -> (i32, String, String) {
        let killed = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().expect("kill");
        assert!(killed.success(), "it runs");
        let (mut rest, mut said) = (String::new(), String::new());
        self.lines.read_to_string(&mut rest).expect("UTF-8");
        self.child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("UTF-8");
        let status = self.child.wait().expect("it ends");
        (status.code().expect("an exit code"), rest, said)
    }
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("the log");
    file.write_all(text.as_bytes()).expect("written");
}

#[test]
fn a_followed_file_is_masked_through_rotation() {
    let folder = Folder::new();
    let path = folder.path("app.log");
    let secret = made_up("ghp_{alnum:36}");
    append(&path, &format!("one {secret}\n"));
    let mut followed = Followed::start(inkout().arg("-F").arg(&path));
    assert_eq!(followed.line(), "one [REDACTED:github-token]\n");
    append(&path, &format!("two {}", &secret[..20]));
    append(&path, &format!("{}\n", &secret[20..]));
    assert_eq!(followed.line(), "two [REDACTED:github-token]\n");
    fs::rename(&path, folder.path("app.log.1")).expect("renamed");
    append(&folder.path("app.log.1"), "late\n");
    append(&path, "three\n");
    assert_eq!((followed.line(), followed.line()), ("late\n".to_owned(), "three\n".to_owned()));
    fs::copy(&path, folder.path("app.log.2")).expect("copied");
    OpenOptions::new().write(true).open(&path).expect("the log").set_len(0).expect("cut");
    append(&path, "four\n");
    assert_eq!(followed.line(), "four\n");
    append(&path, "no end yet");
    // The line before it is the sign that it was read.
    let other = followed.interrupt();
    assert_eq!((other.0, other.2.as_str()), (0, ""));
    assert!(other.1.is_empty() || other.1 == "no end yet");
}

#[test]
fn a_checkpoint_goes_on_where_it_left() {
    let folder = Folder::new();
    let (path, state) = (folder.path("app.log"), folder.path("state"));
    let start = || Followed::start(inkout().arg("-F").arg(&path).arg("--checkpoint").arg(&state));
    append(&path, "one\ntwo\npart");
    let mut followed = start();
    assert_eq!((followed.line(), followed.line()), ("one\n".to_owned(), "two\n".to_owned()));
    let second = inkout().arg("-F").arg(&path).arg("--checkpoint").arg(&state).output().expect("it ends");
    assert_eq!(code(&second), 2);
    assert!(stderr(&second).contains("another process is using it"), "{}", stderr(&second));
    assert_eq!(followed.interrupt(), (0, String::new(), String::new()));
    append(&path, "ial\n");
    fs::rename(&path, folder.path("app.log.1")).expect("renamed");
    append(&path, "three\n");
    let mut followed = start();
    assert_eq!((followed.line(), followed.line()), ("partial\n".to_owned(), "three\n".to_owned()));
    assert_eq!(followed.interrupt().0, 0);
    let checkpoint = fs::read_to_string(&state).expect("a checkpoint");
    assert!(!checkpoint.contains("partial") && !checkpoint.contains("three"), "no byte of a line is in it");
}

#[test]
fn a_private_key_over_a_crash_is_masked_whole() {
    let folder = Folder::new();
    let (path, state) = (folder.path("app.log"), folder.path("state"));
    let body = made_up("{alnum:64}");
    let start = || Followed::start(inkout().arg("-F").arg(&path).arg("--checkpoint").arg(&state));
    append(&path, &format!("before\n{}\n{body}\n", ["-----BEGIN", "PRIVATE KEY-----"].join(" ")));
    let mut followed = start();
    assert_eq!(followed.line(), "before\n");
    followed.line();
    assert_eq!(followed.interrupt().0, 0);
    append(&path, &format!("{body}\n{}\nafter\n", ["-----END", "PRIVATE KEY-----"].join(" ")));
    let mut followed = start();
    let mut text = String::new();
    while !text.ends_with("after\n") {
        let line = followed.line();
        assert!(!line.contains(&body) && !line.is_empty(), "{line}");
        text += &line;
    }
    assert_eq!(followed.interrupt().0, 0);
}

/// No byte of a value is in a checkpoint, so the lines before it are read again.
#[test]
fn a_value_is_known_behind_a_restart_as_long_as_it_would_have_been_without() {
    let folder = Folder::new();
    let (path, state) = (folder.path("app.log"), folder.path("state"));
    let start = || {
        let mut command = inkout();
        Followed::start(command.args(["--learn-records", "3", "-F"]).arg(&path).arg("--checkpoint").arg(&state))
    };
    append(&path, "token=abc123def\npassword=hunter2xyz\none\ntwo\n");
    let mut followed = start();
    let lines: String = (0..4).map(|_| followed.line()).collect();
    assert_eq!(lines, "token=REDACTED.token\npassword=REDACTED.password\none\ntwo\n");
    assert_eq!(followed.interrupt(), (0, String::new(), String::new()));
    append(&path, "hunter2xyz abc123def\nhunter2xyz\n");
    let mut followed = start();
    let lines: String = (0..2).map(|_| followed.line()).collect();
    assert_eq!(lines, "[REDACTED:password] abc123def\nhunter2xyz\n");
    assert_eq!(followed.interrupt().0, 0);
}

#[test]
fn a_followed_file_that_no_rule_can_read_is_refused_and_the_others_go_on() {
    let folder = Folder::new();
    let (wide, other) = (folder.path("wide.log"), folder.path("other.log"));
    let text: Vec<u8> = "\u{feff}password=hunter2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(&wide, text).expect("written");
    append(&other, "one\n");
    let mut followed = Followed::start(inkout().arg("-F").arg(&wide).arg(&other));
    assert_eq!(followed.line(), "one\n");
    let mut more = OpenOptions::new().append(true).open(&wide).expect("the log");
    more.write_all(b"p\0w\0\n\0").expect("written");
    append(&other, "two\n");
    assert_eq!(followed.line(), "two\n");
    let (code, rest, said) = followed.interrupt();
    assert_eq!((code, rest.as_str()), (3, ""));
    assert!(said.contains("wide.log: it is UTF-16 or UTF-32"), "{said}");
}

#[test]
fn what_cannot_be_followed_is_said() {
    let folder = Folder::new();
    let path = folder.path("later.log");
    fs::create_dir(folder.path("sub")).expect("a folder");
    let mut followed = Followed::start(inkout().arg("-F").arg(&path).arg(folder.path("sub")));
    std::thread::sleep(std::time::Duration::from_millis(50));
    append(&path, "it is there\n");
    assert_eq!(followed.line(), "it is there\n");
    let (code, _, said) = followed.interrupt();
    assert!(said.contains("later.log: it is not there yet; waiting for it"), "{said}");
    assert!(said.contains("sub: it is a folder; only regular files are followed"), "{said}");
    assert_eq!(code, 3);
    let output = feed(inkout().args(["-F", "-"]), b"");
    assert_eq!(
        (crate::support::code(&output), stderr(&output).as_str()),
        (2, "inkout: --follow needs files; standard input is followed by itself\n")
    );
}

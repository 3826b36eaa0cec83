//! Pseudonyms: the same secret is the same token in all files of a bundle, the key stays behind, and a value can be looked up.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::support::{Folder, code, feed, inkout, stderr, stdout};

#[path = "../shared/terminal.rs"]
mod terminal;

/// The tokens of `text`.
fn tokens(text: &str) -> Vec<String> {
    let digits = |part: &str| part.chars().take_while(char::is_ascii_hexdigit).collect::<String>();
    text.split(['.', ':']).map(digits).filter(|token| token.len() == 16).collect()
}

fn key_of(folder: &Folder) -> PathBuf {
    let mut keys = fs::read_dir(folder.path("")).unwrap().map(|entry| entry.unwrap().path());
    keys.find(|path| path.extension().is_some_and(|end| end == "key")).expect("a key")
}

#[test]
fn a_bundle_has_one_token_for_one_secret_and_the_key_stays_behind() {
    let folder = Folder::new();
    fs::create_dir(folder.path("logs")).unwrap();
    folder.file("logs/a.log", "password=hunter2x9 \"password\":\"hunter2x9\"\n");
    folder.file("logs/b.log", "url=https://u:hunter2x9@host/ token=other-value-77\n");
    let mut clean = inkout();
    let output = clean
        .current_dir(folder.path(""))
        .args(["clean", "logs", "--out-dir", "out", "--share-key", "new"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("keep it and do not send it"), "{}", stderr(&output));
    let key = key_of(&folder);
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&key).unwrap();
    assert!(text.len() == 65 && text.trim_end().bytes().all(|byte| byte.is_ascii_hexdigit()));
    let cleaned = ["out/logs/a.log", "out/logs/b.log"].map(|name| fs::read_to_string(folder.path(name)).unwrap());
    let (a, b) = (tokens(&cleaned[0]), tokens(&cleaned[1]));
    assert_eq!((a.len(), b.len()), (2, 2), "{cleaned:?}");
    assert!(a[0] == a[1] && a[0] == b[0] && a[0] != b[1], "{cleaned:?}");

    let fingerprint = |value: &str, more: &[&str]| {
        let mut command = inkout();
        command.current_dir(folder.path("")).args(["fingerprint", "--share-key"]).arg(&key).args(more);
        feed(&mut command, value.as_bytes())
    };
    let told = fingerprint("hunter2x9\n", &[]);
    assert!(stdout(&told).starts_with(&format!("token    {}  ", a[0])), "{}", stdout(&told));
    let tokens = tokens_of_lines(&stdout(&told));
    assert!(tokens.len() == 3 && tokens[0] != tokens[1] && tokens[1] != tokens[2]);
    assert!(!stdout(&told).contains("hunter2"));
    let found = fingerprint("hunter2x9", &["--in", "out"]);
    assert_eq!((code(&found), stdout(&found).as_str()), (0, "out/logs/a.log:1\nout/logs/b.log:1\n"));
    let nowhere = fingerprint("not in there", &["--in", "out"]);
    assert_eq!((code(&nowhere), stdout(&nowhere).as_str()), (1, ""));

    // The same key again, and the key itself in the way: it is no part of a bundle.
    let mut again = inkout();
    again
        .current_dir(folder.path(""))
        .args(["clean", ".", "--exclude", "out", "--out-dir", "again", "--share-key"])
        .arg(&key);
    let output = again.output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("a key, left out"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(folder.path("again/logs/a.log")).unwrap(), cleaned[0]);
    assert!(fs::read_dir(folder.path("again")).unwrap().all(|entry| entry.unwrap().path().extension().is_none()));
}

fn tokens_of_lines(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().nth(1).unwrap().to_owned()).collect()
}

#[test]
fn what_cannot_be_is_refused_and_leaves_no_key() {
    let folder = Folder::new();
    let log = folder.file("a.log", "password=hunter2\n");
    for (arguments, said) in [
        (&["--share-key", "nowhere.key"][..], "there is no share key nowhere.key; `--share-key new` makes one"),
        (&["--share-key", "new", "--action", "mask"], "leave --action out"),
        (&["--share-key", "new", "--hash-key-file", "a.log"], "give one of them"),
        (&["--share-key", "new", "--only", "passwrd"], "did you mean `password`"),
    ] {
        let mut command = inkout();
        let output =
            command.current_dir(folder.path("")).args(["clean", "-i"]).arg(&log).args(arguments).output().unwrap();
        assert_eq!(code(&output), 2, "{arguments:?} {}", stderr(&output));
        assert!(stderr(&output).contains(said), "{arguments:?} {}", stderr(&output));
        assert_eq!(fs::read_dir(folder.path("")).unwrap().count(), 1, "{arguments:?}");
    }
    fs::create_dir(folder.path("other")).unwrap();
    folder.file("other/a.log", "password=hunter2\n");
    for (arguments, expected) in [
        (&["-o", "out", "a.log", "other/a.log"][..], 2),
        (&["-n", "a.log"], 0),
        (&["--diff", "a.log"], 0),
        (&["-o", "a.log/out", "a.log"], 2),
    ] {
        let mut command = inkout();
        let output = command
            .current_dir(folder.path(""))
            .args(["clean", "--share-key", "new"])
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(code(&output), expected, "{arguments:?} {}", stderr(&output));
        assert_eq!(fs::read_dir(folder.path("")).unwrap().count(), 2, "{arguments:?}");
    }
    for (value, said) in [("", "no value was given"), ("a\nb\n", "one value at a time")] {
        let key = folder.file("k", "0123456789abcdef0123456789abcdef");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let output = feed(inkout().args(["fingerprint", "--hash-key-file"]).arg(&key), value.as_bytes());
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
    let output = feed(inkout().arg("fingerprint"), b"x");
    assert_eq!((code(&output), stderr(&output).contains("--share-key or --hash-key-file")), (2, true));
}

#[test]
fn a_value_that_is_typed_is_not_shown() {
    let folder = Folder::new();
    let key = folder.file("k", "0123456789abcdef0123456789abcdef");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let typed = |keys: &str| {
        let acts = format!("until(b'not shown', 1)\nos.write(terminal, b'{keys}')");
        terminal::run(["fingerprint".as_ref(), "--hash-key-file".as_ref(), key.as_os_str()], &acts)
    };
    let Ok(output) = typed("wrong\\x15hunter2xx\\x7f\\r") else {
        println!("skipped: no python3 to make a terminal");
        return;
    };
    let piped = feed(inkout().args(["fingerprint", "--hash-key-file"]).arg(&key), b"hunter2x\n");
    let token = tokens_of_lines(&stdout(&piped)).remove(0);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains(&token) && !shown.contains("hunter") && !shown.contains("wrong"), "{shown}");
    let stopped = typed("hunter2\\x03").unwrap();
    let shown = String::from_utf8_lossy(&stopped.stdout).into_owned();
    assert!(stopped.status.code() == Some(3) && shown.contains("interrupted") && !shown.contains("hunter"), "{shown}");
}

#[test]
fn what_was_not_searched_is_named_and_a_token_across_a_cut_is_found() {
    let folder = Folder::new();
    let key = folder.file("k", "0123456789abcdef0123456789abcdef");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let look = |value: &str, path: &PathBuf| {
        let mut command = inkout();
        command.args(["fingerprint", "--hash-key-file"]).arg(&key).args(["--in".as_ref(), path.as_os_str()]);
        feed(&mut command, value.as_bytes())
    };
    let piped = feed(inkout().args(["fingerprint", "--hash-key-file"]).arg(&key), b"hunter2x\n");
    let token = tokens_of_lines(&stdout(&piped)).remove(0);
    let packed = folder.file("x.xz", b"\xfd7zXZ\0\0");
    let output = look("hunter2x", &packed);
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("x.xz: not inspected: xz cannot be unpacked"), "{}", stderr(&output));
    // Windows of a long line end at 64 KiB: every place around such an end.
    for before in (1 << 20) - 20..(1 << 20) + 4 {
        let text = format!("first\n{}{token}{}\nlast\n", "x".repeat(before), "y".repeat(1 << 20));
        let path = folder.file("long.log", text);
        let output = look("hunter2x", &path);
        assert_eq!((code(&output), stdout(&output)), (0, format!("{}:2\n", path.display())), "{before}");
    }
}

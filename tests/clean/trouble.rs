//! What the world does to a run: full disks, lost rights, files that go away, results that are not clean, Ctrl-C.

use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{
    CLEAN, Folder, MASKED, PROGRAM, SECRET, clean, code, fails, finish, has_strace, holds, identity, inkout, is_root,
    long, read, set_mode, stderr, stdout, well,
};

#[test]
fn w02_an_error_while_writing_leaves_the_old_file_and_no_other() {
    if !has_strace("w02_an_error_while_writing") {
        return;
    }
    let folder = Folder::new();
    let content = format!("{SECRET}{}", CLEAN.repeat(30_000));
    for (call, error) in [
        ("write", "ENOSPC"),
        ("write", "EDQUOT"),
        ("write", "EIO"),
        ("fsync", "EIO"),
        ("linkat", "ENOSPC"),
        ("fchmod", "EPERM"),
        ("renameat", "EIO"),
        ("copy_file_range", "ENOSPC"),
    ] {
        let path = folder.file("app.log", format!("{}{content}", CLEAN.repeat(30_000)));
        let before = identity(&path);
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o", "/dev/null", "-P"]).arg(folder.root());
        // Only calls on files of this folder are led astray, by path or by descriptor.
        strace.args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:error={error}:when=1+")]);
        if matches!(call, "write" | "fchmod" | "copy_file_range" | "fsync") {
            strace = Command::new("strace");
            strace.args(["-f", "-qq", "-o", "/dev/null"]);
            strace.args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:error={error}:when=1")]);
        }
        let output = finish(strace.args([PROGRAM, "clean", "-q", "-i"]).arg(&path));
        fails(&output, 3, &["app.log: "]);
        assert_eq!(identity(&path), before, "{call} {error}");
        assert_eq!(folder.names(), ["app.log"], "{call} {error}");
    }
}

#[test]
fn w02_a_full_disk_leaves_the_old_file_and_no_other() {
    let folder = Folder::new();
    // A file system of 2 MiB in a namespace of its own, which ends with the shell.
    let script = format!(
        "mount -t tmpfs -o size=2m none \"$1\" && cd \"$1\" && head -c 1500000 \"$2\" >big.log && echo '{}' >small.log \
         && sha256sum big.log >\"$3\" && {{ {PROGRAM} clean -i . ; echo \"code $?\"; ls -A; cat small.log; \
         sha256sum --quiet -c \"$3\" && echo same; }}",
        SECRET.trim()
    );
    let source = folder.file("source", format!("{SECRET}{}", CLEAN.repeat(60_000)));
    fs::create_dir(folder.path("disk")).unwrap();
    let output =
        finish(Command::new("unshare").args(["--mount", "--map-root-user", "sh", "-c", &script, "sh"]).args([
            &folder.path("disk"),
            &source,
            &folder.path("sum"),
        ]));
    if !stdout(&output).contains("code ") {
        println!(
            "w02_a_full_disk: no file system can be mounted here ({}); nothing was tested",
            stderr(&output).trim()
        );
        return;
    }
    assert!(stderr(&output).contains("big.log: cannot write: No space left on device"), "{}", stderr(&output));
    let expected = format!("code 3\nbig.log\nsmall.log\n{MASKED}same\n");
    assert!(stdout(&output).ends_with(&expected), "{}", stdout(&output));
}

#[test]
fn w02_a_limit_on_the_size_of_files_is_no_success_either() {
    let folder = Folder::new();
    let path = folder.file("app.log", format!("{SECRET}{}", CLEAN.repeat(60_000)));
    let before = identity(&path);
    let script = "trap '' XFSZ; ulimit -f 100; exec \"$@\"";
    let output = finish(Command::new("sh").args(["-c", script, "sh", PROGRAM, "clean", "-i"]).arg(&path));
    fails(&output, 3, &["app.log: cannot write: File too large"]);
    assert_eq!(identity(&path), before);
    assert_eq!(folder.names(), ["app.log"]);
}

#[test]
fn what_cannot_be_read_is_named_and_the_others_are_done() {
    let folder = Folder::new();
    set_mode(folder.root(), 0o777);
    let (locked, path) = (folder.file("locked.log", SECRET), folder.file("app.log", SECRET));
    fs::create_dir(folder.path("closed")).unwrap();
    set_mode(&locked, 0);
    set_mode(&folder.path("closed"), 0);
    set_mode(&path, 0o666);
    let mut command = inkout();
    command.args(["clean", "-n"]).arg(folder.root()).arg(folder.path("gone.log"));
    if is_root() {
        command.uid(65_534);
    }
    let output = finish(&mut command);
    let said = ["locked.log: Permission denied", "closed: Permission denied", "gone.log: No such file or directory"];
    fails(&output, 3, &said);
    assert!(stdout(&output).contains("app.log: 1 finding would be masked"), "{}", stdout(&output));
    set_mode(&folder.path("closed"), 0o700);
}

#[test]
fn a_file_that_goes_away_is_named_and_the_others_are_done() {
    let folder = Folder::new();
    for number in 0..500 {
        folder.file(format!("{number:03}.log"), SECRET);
    }
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..500).rev().step_by(2).for_each(|number| {
                let _ = fs::remove_file(folder.path(format!("{number:03}.log")));
            });
        });
        clean([Path::new("-i"), folder.root()])
    });
    for line in stderr(&output).lines() {
        assert!(line.contains("No such file or directory") || line.contains("changed while"), "{line}");
    }
    assert_eq!(code(&output), if stderr(&output).is_empty() { 0 } else { 3 });
    for name in folder.names() {
        assert!(name.ends_with(".log"), "{name} is left behind");
    }
    for number in (0..500).step_by(2) {
        holds(&folder.path(format!("{number:03}.log")), MASKED);
    }
}

fn joining_rules(folder: &Folder) -> PathBuf {
    let rule = |id: &str, word: &str| {
        format!(
            "[[rule]]\nid = \"{id}\"\nsummary = \"made up\"\ncategory = \"credential\"\npattern = '(?<secret>{word})'\n\
             examples = ['a «{word}» b']\ncounter_examples = ['nothing']\nreferences = [\"https://example.com/\"]\n"
        )
    };
    folder.file("rules.toml", [rule("inner", "ZZTOPZZ9"), rule("outer", "needle4242")].concat())
}

/// That of a long file is scanned while the rest of it is written.
#[test]
fn a_long_result_that_still_holds_something_is_not_kept() {
    let folder = Folder::new();
    let rules = joining_rules(&folder);
    let work = Folder::new();
    let old = [&long(), "a neeZZTOPZZ9dle4242 b\n", &long()].concat();
    let packed = zstd::encode_all(old.as_bytes(), 1).unwrap();
    assert!(old.len() > 8 << 20 && packed.len() > 1 << 20, "{}", packed.len());
    for (name, content) in [("app.log", old.into_bytes()), ("app.log.zst", packed)] {
        let path = work.file(name, &content);
        let before = identity(&path);
        for threads in ["-j1", "-j2"] {
            let asked = ["-qi", threads, "--action=remove", "--rules"].map(Path::new);
            let output = clean(asked.into_iter().chain([rules.as_path(), path.as_path()]));
            fails(&output, 3, &["the result still holds something to mask (1); it was not kept"]);
            assert_eq!(identity(&path), before);
            holds(&path, &content);
        }
        fs::remove_file(&path).unwrap();
        assert!(work.names().is_empty(), "{:?}", work.names());
    }
}

/// Removing what one rule finds joins the halves of what another one looks for.
#[test]
fn a_result_that_still_holds_something_is_not_kept() {
    let folder = Folder::new();
    let rules = joining_rules(&folder);
    let work = Folder::new();
    let path = work.file("app.log", "a neeZZTOPZZ9dle4242 b\n");
    let run =
        |more: &str| clean(["-i", "--action=remove", "--rules", rules.to_str().unwrap(), path.to_str().unwrap(), more]);
    let output = run("--verify");
    fails(&output, 3, &["app.log: the result still holds something to mask (1); it was not kept"]);
    holds(&path, "a neeZZTOPZZ9dle4242 b\n");
    assert_eq!(work.names(), ["app.log"]);
    well(&run("--no-verify"));
    holds(&path, "a needle4242 b\n");
}

#[test]
fn actions_leave_a_result_that_holds_nothing() {
    let folder = Folder::new();
    let key = folder.file("key", "0123456789abcdef0123456789abcdef");
    set_mode(&key, 0o600);
    let sample = finish(inkout().arg("sample")).stdout;
    for action in ["replace", "mask", "hash"] {
        let path = folder.file("app.log", &sample);
        let output =
            clean(["-i", "--action", action, "--hash-key-file", key.to_str().unwrap(), path.to_str().unwrap()]);
        well(&output);
    }
}

#[test]
fn an_interrupt_leaves_the_old_file_and_no_other() {
    let folder = Folder::new();
    let content = format!("{SECRET}{}", CLEAN.repeat(3_000_000));
    let path = folder.file("app.log", &content);
    let before = identity(&path);
    for signal in ["INT", "TERM", "HUP"] {
        let mut child = inkout()
            .args(["clean", "-i"])
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let open = format!("/proc/{}/fd", child.id());
        // It is writing as soon as it has a file that has no name yet.
        let is_writing = || {
            let links = fs::read_dir(&open).into_iter().flatten().flatten();
            links
                .filter_map(|link| fs::read_link(link.path()).ok())
                .any(|path| path.to_string_lossy().contains("(deleted)"))
        };
        while !is_writing() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        assert!(Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        fails(&output, 3, &["interrupted; not done: 1 file"]);
        assert_eq!(identity(&path), before);
        assert_eq!(folder.names(), ["app.log"]);
    }
}

#[test]
fn many_threads_write_what_one_does() {
    let folder = Folder::new();
    let mut text = Vec::new();
    let sample = finish(inkout().arg("sample")).stdout;
    for part in 0..40 {
        text.extend(CLEAN.repeat(20_000).into_bytes());
        text.extend(if part % 3 == 0 { &sample[..] } else { SECRET.as_bytes() });
    }
    let path = folder.file("app.log", &text);
    let one = folder.path("one");
    well(&clean([&path, Path::new("-j1"), Path::new("-o"), &one]));
    let expected = fs::read(one.join("app.log")).unwrap();
    assert!(expected != text);
    let filtered = {
        let mut child = inkout().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || input.write_all(&text).unwrap());
            child.wait_with_output().unwrap().stdout
        })
    };
    assert!(filtered == expected, "the filter writes something else");
    for threads in ["-j2", "-j3", "-j8"] {
        let out = folder.path(threads);
        well(&clean([&path, Path::new(threads), Path::new("-o"), &out]));
        assert!(fs::read(out.join("app.log")).unwrap() == expected, "{threads}");
    }
}

#[test]
fn a_file_that_tells_no_length_is_copied_as_it_was_read() {
    let folder = Folder::new();
    let path = Path::new("/proc/version");
    well(&clean([Path::new("-o"), &folder.path("out"), path]));
    holds(&folder.path("out/version"), read(path));
}

//! Which files are taken, and where the results go.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::{
    CLEAN, Folder, MASKED, SECRET, clean, code, fails, finish, holds, inkout, mode, names, set_mode, stderr, stdout,
    well,
};

#[test]
fn a_folder_is_mirrored_and_the_original_is_not_touched() {
    let folder = Folder::new();
    let path = folder.file("logs/a/app.log", SECRET);
    set_mode(&path, 0o4640);
    folder.file("logs/clean.log", CLEAN);
    folder.file("logs/.hidden", SECRET);
    folder.file("logs/old.gz", crate::support::gzip(CLEAN.as_bytes()));
    let out = folder.path("out");
    let output = clean([&folder.path("logs"), Path::new("-o"), &out]);
    well(&output);
    assert!(stdout(&output).ends_with("4 files: 2 cleaned (2 findings), 2 unchanged, 0 skipped, 0 failed\n"));
    holds(&out.join("logs/a/app.log"), MASKED);
    holds(&out.join("logs/clean.log"), CLEAN);
    holds(&out.join("logs/.hidden"), MASKED);
    holds(&out.join("logs/old.gz"), crate::support::gzip(CLEAN.as_bytes()));
    holds(&path, SECRET);
    assert_eq!(mode(&out.join("logs/a/app.log")), 0o640);
    assert_eq!(names(&out.join("logs")), [".hidden", "a", "clean.log", "old.gz"]);
}

#[test]
fn the_folder_that_is_written_to_is_no_input() {
    let folder = Folder::new();
    folder.file("app.log", SECRET);
    for _ in 0..2 {
        let output = finish(inkout().args(["clean", ".", "-o", "cleaned"]).current_dir(folder.root()));
        well(&output);
        assert!(stdout(&output).contains("\n1 file: 1 cleaned"), "{}", stdout(&output));
        assert_eq!(names(&folder.path("cleaned")), ["app.log"]);
    }
}

#[test]
fn nothing_is_written_outside_of_the_folder_or_over_the_original() {
    let (folder, elsewhere) = (Folder::new(), Folder::new());
    let path = folder.file("logs/app.log", SECRET);
    fs::create_dir(folder.path("out")).unwrap();
    symlink(elsewhere.root(), folder.path("out/logs")).unwrap();
    let output = clean([&folder.path("logs"), Path::new("-o"), &folder.path("out")]);
    fails(&output, 3, &["app.log: cannot write: a name in the way is a link or a file, not a folder"]);
    assert_eq!(elsewhere.names(), [""; 0]);
    let output = clean([&path, Path::new("-o"), &folder.path("logs")]);
    fails(&output, 3, &["app.log: would be written over itself"]);
    holds(&path, SECRET);
    // A link where the result is to stand is replaced, not written through.
    let (out, outside) = (folder.path("out2"), elsewhere.file("outside", "theirs"));
    fs::create_dir(&out).unwrap();
    symlink(&outside, out.join("app.log")).unwrap();
    well(&clean([&path, Path::new("-o"), &out]));
    holds(&outside, "theirs");
    holds(&out.join("app.log"), MASKED);
}

#[test]
fn two_files_are_not_written_to_one_place() {
    let folder = Folder::new();
    let (one, two) = (folder.file("a/app.log", SECRET), folder.file("b/app.log", SECRET));
    let output = clean([&one, &two, Path::new("-o"), &folder.path("out")]);
    fails(&output, 2, &["would both be written to app.log in the folder"]);
    assert!(!folder.path("out").exists(), "nothing is done before that is said");
}

#[test]
fn it_must_be_said_where_the_result_goes() {
    let folder = Folder::new();
    let path = folder.file("app.log", SECRET);
    fails(&clean([&path]), 2, &["--out-dir", "--in-place", "--dry-run"]);
    fails(&clean([Path::new("-i"), Path::new("-n"), &path]), 2, &["cannot be used with"]);
    fails(&clean([Path::new("-i")]), 2, &["<PATH>"]);
    holds(&path, SECRET);
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_not() {
    let folder = Folder::new();
    let path = folder.file("app.log", SECRET);
    let before = crate::support::identity(&path);
    let output = clean([Path::new("--dry-run"), &path]);
    well(&output);
    let expected = format!(
        "{}: 1 finding would be masked\n1 file: 1 to clean (1 finding), 0 unchanged, 0 skipped, 0 failed\n",
        path.display()
    );
    assert_eq!(stdout(&output), expected);
    assert_eq!(crate::support::identity(&path), before);
}

#[test]
fn quiet_prints_nothing_but_what_went_wrong() {
    let folder = Folder::new();
    folder.file("app.log", SECRET);
    folder.file("binary", b"a\0b");
    let output = clean([Path::new("-i"), Path::new("-q"), folder.root()]);
    well(&output);
    assert_eq!(stdout(&output), "");
}

#[test]
fn a_path_that_is_named_twice_is_done_once() {
    let folder = Folder::new();
    let path = folder.file("logs/app.log", SECRET);
    let around = folder.path("logs/../logs");
    let output = clean([Path::new("-i"), &path, &path, &folder.path("logs"), &around]);
    well(&output);
    assert!(stdout(&output).contains("\n1 file: 1 cleaned (1 finding)"), "{}", stdout(&output));
}

#[test]
fn globs_types_and_ignore_files_choose() {
    let folder = Folder::new();
    for name in ["a.log", "b.json", "sub/c.log", "node_modules/d.log", ".git/config", "kept.bak"] {
        folder.file(name, SECRET);
    }
    let run = |arguments: &[&str]| {
        let mut command = inkout();
        let output = finish(command.args(["clean", "-n", "."]).args(arguments).current_dir(folder.root()));
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let text = stdout(&output);
        let lines = text.lines().filter_map(|line| line.strip_prefix("./")?.split(':').next().map(str::to_owned));
        lines.collect::<Vec<_>>()
    };
    assert_eq!(run(&[]), ["a.log", "b.json", "kept.bak", "node_modules/d.log", "sub/c.log"]);
    assert_eq!(run(&["--include", "*.log"]), ["a.log", "node_modules/d.log", "sub/c.log"]);
    assert_eq!(run(&["--exclude", "node_modules", "--exclude=*.bak"]), ["a.log", "b.json", "sub/c.log"]);
    assert_eq!(run(&["--type", "json"]), ["b.json"]);
    folder.file(".gitignore", "*.log\n");
    assert_eq!(run(&[]).len(), 5, "what git ignores may be sent all the same");
    assert_eq!(run(&["--gitignore"]), ["b.json", "kept.bak"]);
    folder.file(".inkoutignore", "sub/\n");
    assert_eq!(run(&[]), ["a.log", "b.json", "kept.bak", "node_modules/d.log"]);
    fails(&clean(["-n", "--type", "nonsense", "."]), 2, &["unknown file type `nonsense`"]);
    fails(&clean(["-n", "--include", "a{b", "."]), 2, &["a{b"]);
}

#[test]
fn links_in_folders_are_named_and_followed_on_request() {
    let (folder, elsewhere) = (Folder::new(), Folder::new());
    let outside = elsewhere.file("outside.log", SECRET);
    folder.file("app.log", CLEAN);
    symlink(&outside, folder.path("link.log")).unwrap();
    symlink(folder.root(), folder.path("loop")).unwrap();
    let output = clean([Path::new("-i"), folder.root()]);
    assert_eq!(code(&output), 0);
    assert!(stderr(&output).contains("link.log: skipped: symbolic link"), "{}", stderr(&output));
    holds(&outside, SECRET);
    let output = clean([Path::new("-i"), Path::new("--follow"), folder.root()]);
    fails(&output, 3, &["loop: a symbolic link that leads back"]);
    holds(&outside, MASKED);
    assert!(fs::symlink_metadata(folder.path("link.log")).unwrap().is_symlink());
}

#[test]
fn binary_files_are_named_or_taken_as_bytes() {
    let folder = Folder::new();
    let path = folder.file("core", [&b"\0\x01"[..], SECRET.as_bytes()].concat());
    let output = clean([Path::new("-i"), folder.root()]);
    assert_eq!(
        (code(&output), stdout(&output).as_str()),
        (0, "1 file: 0 cleaned (0 findings), 0 unchanged, 1 skipped, 0 failed\n")
    );
    assert!(stderr(&output).contains("core: skipped: binary (--binary looks at it as bytes)"));
    well(&clean([Path::new("-i"), Path::new("--binary"), &path]));
    holds(&path, [&b"\0\x01"[..], MASKED.as_bytes()].concat());
}

#[test]
fn what_is_secret_in_a_name_is_printed_nowhere() {
    let folder = Folder::new();
    let cleaned = folder.file("password=hunter2/export token=Zq81aZq23.log", SECRET);
    folder.file("password=hunter2/bytes token=Zq81aZq23.bin", b"a\0b");
    folder.file("password=hunter2/torn token=Zq81aZq23.gz", b"\x1f\x8b\x08\0torn");
    let inner = {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(3);
        header.set_cksum();
        tar.append_data(&mut header, "password=hunter2.bin", &b"a\0b"[..]).unwrap();
        tar.into_inner().unwrap()
    };
    folder.file("password=hunter2/pack token=Zq81aZq23.tar", inner);
    for way in ["-n", "-i", "--diff"] {
        fs::write(&cleaned, SECRET).unwrap();
        let output = clean([Path::new(way), folder.root()]);
        let (out, said) = (stdout(&output), stderr(&output));
        fails(
            &output,
            3,
            &["bytes token=REDACTED.", "torn token=REDACTED.", "pack token=REDACTED.", "password=REDACTED."],
        );
        assert!(out.contains("export token=REDACTED.") && out.len() > 50, "{way}: {out}");
        for text in [out, said] {
            assert!(!text.contains("hunter2") && !text.contains("Zq81aZq23"), "{way}: {text}");
        }
    }
    let twice = folder.file("other/password=hunter2/a.log", SECRET);
    let (one, out) = (folder.file("password=hunter2/a.log", SECRET), folder.path("out token=Zq81aZq23"));
    let both = clean([Path::new("-o"), &out, twice.parent().unwrap(), one.parent().unwrap()]);
    fails(&both, 2, &["would both be written to"]);
    assert!(!stderr(&both).contains("hunter2"), "{}", stderr(&both));
}

#[test]
fn any_name_is_taken_and_shown_on_one_line() {
    let folder = Folder::new();
    let names: [&[u8]; 4] = [b"new\nline.log", b"not\xffutf8.log", b"-i", b"\x1b[31mred.log"];
    let paths = names.map(|name| folder.file(OsStr::from_bytes(name), SECRET));
    let output = clean([Path::new("-i"), folder.root()]);
    well(&output);
    paths.iter().for_each(|path| holds(path, MASKED));
    let shown = ["new\\nline.log: ", "not\\xffutf8.log: ", "/-i: ", "\\u{1b}[31mred.log: "];
    shown.iter().for_each(|name| assert!(stdout(&output).contains(name), "{}", stdout(&output)));
    assert_eq!(stdout(&output).lines().count(), 5);
    let out = folder.path("out");
    well(&clean([Path::new("-o"), &out, &paths[1]]));
    assert!(out.join(OsStr::from_bytes(names[1])).exists());
}

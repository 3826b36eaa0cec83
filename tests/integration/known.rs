//! Known values from every source, and that the start is refused where one of them is not as it should be.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::{Folder, code, feed, inkout, made_up, stderr, stdout};

fn private(path: &Path) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).expect("a file of ours");
}

#[test]
fn values_of_several_sources_are_masked_together() {
    let folder = Folder::new();
    let secrets: Vec<String> = (0..6).map(|at| made_up(&format!("{{alnum:{}}}", 14 + at))).collect();
    let file = folder.file("values", &secrets[0]);
    let dotenv = folder.file(".env", format!("# x\nexport A='{}'\nB=\"{}\\nsecond\"\n", secrets[1], secrets[2]));
    private(&file);
    private(&dotenv);
    let dir = folder.path("run");
    std::fs::create_dir(&dir).unwrap();
    private(&folder.file("run/db", format!("{}\n", secrets[3])));
    let json = folder.file("out.json", serde_json::json!({ "K": secrets[4], "N": 12 }).to_string());
    let text = format!(
        "[known]\ndirs = ['run']\n[[known.command]]\nname = 'vault'\nargv = ['cat', '{}']\noutput = 'json'\n",
        json.display()
    );
    let config = folder.file("inkout.toml", text);
    let mut command = inkout();
    command.arg("--config").arg(config).arg("--known-values").arg(file).arg("--known-dotenv").arg(dotenv);
    command.args(["--known-env", "CI_?OB,UNUSED*"]).env("CI_JOB", &secrets[5]).env("UNUSED_", "xkvqzjw");
    let lines: String = secrets.iter().map(|secret| format!("a {secret} b\n")).collect();
    let output = feed(&mut command, lines.as_bytes());
    assert_eq!(stdout(&output), "a [REDACTED:known-value] b\n".repeat(6));
    let said = stderr(&output);
    assert_eq!(
        said,
        "inkout: warning: known values command `vault`: known value `N` is not looked for: shorter than 6 bytes\n"
    );
    assert_eq!(code(&output), 0);
}

/// Runs `command` on a line, which must not be read: the message.
#[track_caller]
fn refused(command: &mut Command, said: &str) {
    let output: Output = feed(command, b"a line\n");
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{said}");
    assert!(stderr(&output).contains(said), "{said}\n{}", stderr(&output));
}

#[test]
fn a_source_that_is_empty_or_cannot_be_read_stops_the_start() {
    let folder = Folder::new();
    let empty = "it holds no value of 6 or more bytes to look for";
    let cases = [
        ("--known-dotenv", folder.file("a", "# nothing\n"), empty),
        ("--known-dotenv", folder.file("b", "A=1\nB\n"), "/b, line 2: a line is `NAME=value`"),
        ("--known-dotenv", folder.path("none"), "No such file"),
        ("--known-dir", folder.path("none"), "No such file"),
        ("--known-dir", folder.file("c", "x"), "Not a directory"),
        ("--known-env", "NO_SUCH_VARIABLE".into(), "no such variable is set"),
    ];
    for (flag, path, said) in cases {
        refused(inkout().arg(flag).arg(path), said);
    }
    let dir = folder.path("dir");
    std::fs::create_dir(&dir).unwrap();
    refused(inkout().arg("--known-dir").arg(&dir), empty);
    refused(inkout().args(["--known-env", "SHORT"]).env("SHORT", "abc"), empty);
}

#[test]
fn a_command_that_fails_or_hangs_stops_the_start() {
    let folder = Folder::new();
    let cases = [
        ("['/nowhere/x']", "", "cannot run `/nowhere/x`"),
        ("['sh', '-c', 'echo A=kfjqmxz; echo oops >&2; exit 3']", "", "`sh` failed (exit status: 3)"),
        ("['sleep', '1000']", "timeout_seconds = 1", "`sleep` did not end within 1 s and was killed"),
        ("['echo', '{\"data\": {\"A\": \"b\"}}']", "output = 'json'", "the value of `data` is no text"),
        ("['echo', 'no dotenv']", "", "known values command `x`, line 1: a line is `NAME=value`"),
    ];
    for (argv, more, said) in cases {
        let text = format!("[[known.command]]\nname = 'x'\nargv = {argv}\n{more}\n");
        let config = folder.file("inkout.toml", text);
        refused(inkout().arg("--config").arg(&config), said);
        assert!(!stderr(&feed(inkout().arg("--config").arg(config), b"")).contains("kfjq"));
    }
}

#[test]
fn a_file_that_others_can_read_is_warned_of() {
    let folder = Folder::new();
    let file = folder.file("env", "A=kfjqmxz\n");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    let output = feed(inkout().arg("--known-dotenv").arg(&file), b"kfjqmxz\n");
    assert_eq!((code(&output), stdout(&output).as_str()), (0, "[REDACTED:known-value]\n"));
    assert!(stderr(&output).contains("env can be read by others; chmod 600 it"), "{}", stderr(&output));
}

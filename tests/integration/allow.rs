//! What is left in the clear on purpose: entries of the configuration, drop-in files, and the command that writes them.

use std::path::Path;
use std::process::Output;

use crate::support::{Folder, code, feed, inkout, quietly, stderr, stdout};

const LINE: &[u8] = b"password=hunter2 token=abcdef123456\n";

fn allow(folder: &Path, arguments: &[&str]) -> Output {
    feed(inkout().arg("allow").args(arguments).arg("--allow-dir").arg(folder), b"")
}

fn mask(folder: &Path, arguments: &[&str]) -> Output {
    feed(inkout().args(arguments).arg("--allow-dir").arg(folder), LINE)
}

#[test]
fn an_entry_is_written_read_listed_and_counted() {
    let folder = Folder::new();
    let dir = folder.path("allow.d");
    assert_eq!(quietly(&mask(&dir, &[])), "password=REDACTED.password token=REDACTED.token\n");
    let written = quietly(&allow(&dir, &["--rule", "token", "--for", "24h", "--reason", "it's a page's token"]));
    assert!(written.contains("-token.toml: rule token is left in the clear until 20"), "{written}");
    quietly(&allow(&dir, &["--rule", "api-key", "--path", "x", "--for", "90m", "--reason", "never seen"]));
    let left = mask(&dir, &["--stats"]);
    assert_eq!(stdout(&left), "password=REDACTED.password token=abcdef123456\n");
    let said = stderr(&left);
    let rows: Vec<&str> = said.lines().skip_while(|line| *line != "left by allow entries").collect();
    assert_eq!(rows.len(), 3, "{said}");
    assert!(rows.iter().any(|row| row.contains("-api-key.toml:2") && row.ends_with("unused")), "{said}");
    assert!(rows.iter().any(|row| row.contains("-token.toml:2") && row.ends_with(" 1")), "{said}");
    let listed = quietly(&allow(&dir, &["list"]));
    assert!(listed.lines().count() == 2 && listed.contains("rule token (until 20"), "{listed}");
    assert!(listed.contains("): it's a page's token\n"), "{listed}");
    let explained = stdout(&mask(&dir, &["explain"]));
    assert!(explained.contains("token by key `token`; left: ") && explained.contains("allows it"), "{explained}");
}

#[test]
fn an_entry_that_cannot_be_right_is_not_written() {
    let folder = Folder::new();
    let dir = folder.path("allow.d");
    let good = ["--for", "1h", "--reason", "r"];
    let cases: [(&[&str], &str); 7] = [
        (&["--rule", "tokn"], "unknown rule `tokn`"),
        (&["--regex", "("], "`(`: "),
        (&["--fingerprint", "xyz"], "16 digits"),
        (&["--fingerprint", "0123456789abcdef"], "--hash-key-file or INKOUT_HASH_KEY"),
        (&[], "required arguments"),
        (&["--value", "hunter2"], "unexpected argument '--value'"),
        (&["--rule", "token", "list"], "cannot be used"),
    ];
    for (arguments, said) in cases {
        let output = allow(&dir, &[arguments, &good].concat());
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(stderr(&output).contains(said), "{arguments:?}: {}", stderr(&output));
    }
    for (arguments, said) in
        [(["--for", "1y", "--reason", "r"], "--for `1y`"), (["--for", "1h", "--reason", " "], "`reason` is empty")]
    {
        let output = allow(&dir, &[&["--rule", "token"][..], &arguments].concat());
        assert!(code(&output) == 2 && stderr(&output).contains(said), "{}", stderr(&output));
    }
    let nowhere = feed(inkout().args(["allow", "--rule", "token", "--for", "1h", "--reason", "r"]), b"");
    assert!(code(&nowhere) == 2 && stderr(&nowhere).contains("--allow-dir DIR"), "{}", stderr(&nowhere));
    assert!(!dir.exists());
}

#[test]
fn entries_of_a_configuration_hold_for_the_sources_and_the_time_they_name() {
    let folder = Folder::new();
    let entry = |more: &str| format!("[[allow]]\nrule = 'password'\nreason = 'r'\n{more}\n");
    let run = |more: &str| {
        let config = folder.file("inkout.toml", entry(more));
        feed(inkout().arg("--config").arg(config).arg(folder.file("pay.log", LINE)), b"")
    };
    let left = "password=hunter2 token=REDACTED.token\n";
    let masked = "password=REDACTED.password token=REDACTED.token\n";
    assert_eq!(quietly(&run("")), left);
    assert_eq!(quietly(&run("expires = '2999-01-01'")), left);
    assert_eq!(quietly(&run("source = '*/pay.log'")), left);
    assert_eq!(quietly(&run("source = '*/other.log'")), masked);
    let (here, there) =
        (folder.file("here.toml", entry("source = '*/pay.log'")), folder.file("there.toml", entry("source = '*/x'")));
    for command in ["check", "preview"] {
        let look = |config: &Path, only: &str| {
            let mut command_line = inkout();
            command_line.arg(command).args(["--only", only, "--config"]).arg(config).arg(folder.path("pay.log"));
            stdout(&feed(&mut command_line, b"")).contains("pay.log:1")
        };
        assert_eq!((look(&here, "password"), look(&there, "password")), (false, true), "{command}");
        assert!(look(&here, "token"), "{command}");
    }
    let out = folder.path("out");
    for (config, expected) in [(&here, left), (&there, masked)] {
        let output =
            feed(inkout().args(["clean", "--config"]).arg(config).arg("-o").arg(&out).arg(folder.path("pay.log")), b"");
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert_eq!(std::fs::read_to_string(out.join("pay.log")).unwrap(), expected);
    }
    let expired = run("expires = '2020-01-01'");
    assert_eq!((code(&expired), stdout(&expired).as_str()), (0, masked));
    assert!(
        stderr(&expired).contains("inkout.toml:1: this allow entry (rule password) has expired"),
        "{}",
        stderr(&expired)
    );
    let wrong = run("rul = 'x'");
    assert!(code(&wrong) == 2 && stderr(&wrong).contains("inkout.toml:4: unknown field `rul`"), "{}", stderr(&wrong));
}

#[test]
fn a_drop_in_file_that_is_wrong_stops_the_start() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("allow.d")).expect("a folder");
    folder.file("allow.d/a.toml", "[[allow]]\nrule = 'token'\n");
    let output = mask(&folder.path("allow.d"), &[]);
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
    assert!(stderr(&output).contains("allow.d/a.toml:1: missing field `reason`"), "{}", stderr(&output));
}

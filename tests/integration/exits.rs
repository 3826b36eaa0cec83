//! Exit codes and messages: who is to blame, and that nothing is lost silently.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use crate::support::{Folder, code, feed, inkout, made_up, quietly, run_on, stderr, stdout};

#[test]
fn a_clean_end_is_0_with_findings_or_without() {
    assert_eq!(quietly(&run_on([""; 0], b"clean\r\n\0\xc3\xa9")), "clean\r\n\0\u{e9}");
    assert_eq!(quietly(&run_on(["-"], b"password=hunter2")), "password=REDACTED.password");
    assert_eq!(quietly(&run_on([""; 0], b"")), "");
}

#[test]
fn an_input_that_is_missing_is_named_and_the_others_are_done() {
    let folder = Folder::new();
    let (one, two) = (folder.file("one", "a=1\n"), folder.file("two", "b=2\n"));
    let output = feed(inkout().arg(one).arg(folder.path("none")).arg(folder.path("")).arg(two), b"");
    assert_eq!((code(&output), stdout(&output).as_str()), (3, "a=1\nb=2\n"));
    let said = stderr(&output);
    let [none, directory] = said.lines().collect::<Vec<_>>()[..] else { panic!("{said}") };
    assert!(none.contains("none: No such file"), "{none}");
    assert!(directory.to_lowercase().contains("is a directory"), "{directory}");
}

#[test]
fn an_input_that_no_rule_can_read_is_not_passed_on_as_if_it_were_inspected() {
    let wide: Vec<u8> = "\u{feff}password=hunter2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let output = run_on([""; 0], &wide);
    assert_eq!((code(&output), output.stdout.as_slice()), (3, &b""[..]));
    assert!(stderr(&output).contains("standard input: it is UTF-16"), "{}", stderr(&output));
    let folder = Folder::new();
    let log = folder.file("wide.log", &wide);
    let out = folder.path("out");
    for command in
        [&["check"][..], &["check", "--binary"], &["clean", "-n"], &["clean", "-n", "--binary"], &["preview"]]
    {
        let output = feed(inkout().args(command).arg(&log), b"");
        assert_eq!(code(&output), 3, "{command:?} {}", stdout(&output));
        assert!(stderr(&output).contains("wide.log: ") && stderr(&output).contains("UTF-16"), "{}", stderr(&output));
    }
    let output = feed(inkout().args(["clean", "--binary", "-o"]).arg(&out).arg(&log), b"");
    assert_eq!((code(&output), out.join("wide.log").exists()), (3, false));
    let output = run_on(["check"], &wide);
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("-: it is UTF-16"), "{}", stderr(&output));
}

#[test]
fn a_reader_that_leaves_hides_neither_findings_nor_failures() {
    let folder = Folder::new();
    let many = folder.file("many.log", "password=hunter2x\n".repeat(20_000));
    let missing = folder.path("missing.log");
    for (arguments, expected) in [
        (["check", "--exit-code=9"].map(AsRef::as_ref).to_vec(), 9),
        (vec!["check".as_ref(), missing.as_os_str()], 3),
        (vec!["clean".as_ref(), "-n".as_ref(), missing.as_os_str()], 3),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = inkout();
        command.args(&arguments).arg(&many).stdin(Stdio::null()).stdout(writer).stderr(Stdio::null());
        assert_eq!(command.status().unwrap().code(), Some(expected), "{arguments:?}");
    }
}

#[test]
fn an_output_that_is_an_input_too_is_refused() {
    let folder = Folder::new();
    let log = folder.file("log", "password=hunter2\n");
    let appending = File::options().append(true).open(&log).unwrap();
    let mut command = inkout();
    let output = command.arg(&log).stdin(Stdio::null()).stdout(appending).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).ends_with("log: it is the output, too\n"), "{}", stderr(&output));
    assert_eq!(std::fs::read(log).unwrap(), b"password=hunter2\n");
}

#[test]
fn a_file_that_ends_within_a_line_does_not_reach_into_the_next() {
    let folder = Folder::new();
    let key = made_up("-----BEGIN PRIVATE KEY-----\n{pem}\n");
    let (one, two) = (folder.file("one", key), folder.file("two", made_up("{pem}\n")));
    let output = quietly(&feed(inkout().arg(one).arg(two), b""));
    assert_eq!(output, format!("-----BEGIN PRIVATE KEY-----\n[REDACTED:private-key]\n{}\n", made_up("{pem}")));
}

/// The rules, and what is said of them behind file and line.
const WRONG_RULES: &[(&str, usize, &str)] = &[
    ("patern = 'x'", 5, "unknown field `patern`; known: id, summary"),
    ("pattern = 'x[a-z]{9}'", 1, "`secret`"),
    ("pattern = 'xyz(?<secret>)'", 1, "empty"),
    ("pattern = 'xyz(?<secret>[a-z]{9})(?=x)'", 1, "look-around"),
    ("pattern = 'xyz(?<secret>[a-z]{9})'\nvalidator = 'crc'", 6, "unknown validator `crc`; known: "),
    (
        "pattern = 'xyz(?<secret>[a-z]{9})'\n[[rule]]\nid = 'acme'\nsummary = 'A'\ncategory = 'credential'\nkeys = ['k']",
        6,
        "already defined at",
    ),
    ("pattern = 'xyz(?<secret>[a-z]{9})'\nexamples = ['xyz«{lower:8}»']", 6, "found is nothing"),
    ("pattern = 'xyz(?<secret>[a-z]{9})'\ncounter_examples = ['xyz{lower:9}']", 6, "marked is nothing"),
    (
        "keys = ['k']\nvalue = 'header'",
        6,
        "unknown value `header`; known: secret, authorization, cookie, connection, random",
    ),
];

#[test]
fn a_wrong_rule_is_2_with_its_place_and_no_byte_of_input_is_read() {
    for (fields, line, said) in WRONG_RULES {
        let folder = Folder::new();
        let text = format!("[[rule]]\nid = 'acme'\nsummary = 'A'\ncategory = 'credential'\n{fields}\n");
        let rules = folder.file("mine.toml", text);
        let (mut ours, mut theirs) = std::io::pipe().unwrap();
        theirs.write_all(b"not read\n").unwrap();
        drop(theirs);
        let mut command = inkout();
        command.arg("--rules").arg(&rules).stdin(ours.try_clone().unwrap());
        let output = command.output().unwrap();
        let message = stderr(&output);
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{fields}: {message}");
        assert!(message.starts_with(&format!("inkout: {}:{line}: ", rules.display())), "{fields}: {message}");
        assert!(message.contains(said), "{fields}: {message}");
        drop(command);
        let mut left = String::new();
        ours.read_to_string(&mut left).unwrap();
        assert_eq!(left, "not read\n");
    }
}

#[test]
fn wrong_arguments_are_2() {
    for arguments in
        [&["--colour"][..], &["-j", "x"], &["-j", "9999"], &["--stats=all"], &["--action", "redact"], &["rules"]]
    {
        let output = run_on(arguments, b"x\n");
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{arguments:?}");
    }
}

#[test]
fn a_reader_that_leaves_is_a_quiet_end() {
    let line = b"level=info password=hunter2 n=1\n";
    for threads in ["1", "2"] {
        let mut child = inkout()
            .args(["-j", threads])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut stdin, mut reader) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        stdin.write_all(line).unwrap();
        reader.read_exact(&mut [0; 16]).unwrap();
        drop(reader);
        while stdin.write_all(&line.repeat(4096)).is_ok() {}
        let output = child.wait_with_output().unwrap();
        assert_eq!((code(&output), stderr(&output).as_str()), (0, ""), "-j {threads}");
    }
}

#[test]
fn a_full_disk_is_3() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = inkout();
    command.stdin(Stdio::piped()).stdout(full).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"x\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).starts_with("inkout: standard output: No space left"), "{}", stderr(&output));
}

/// Runs the program from a shell, which can close descriptors.
fn in_shell(script: &str, input: &[u8]) -> std::process::Output {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).arg("sh").arg(env!("CARGO_BIN_EXE_inkout"));
    feed(&mut shell, input)
}

#[test]
fn a_closed_output_is_3_and_nothing_is_written_elsewhere() {
    let folder = Folder::new();
    let other = folder.file("other", "");
    let script = format!("exec \"$1\" >&- 3<>'{}'", other.display());
    let output = in_shell(&script, b"x\n");
    assert_eq!((code(&output), stderr(&output).as_str()), (3, "inkout: standard output: it is closed\n"));
    assert_eq!(std::fs::read(other).unwrap(), b"");
}

#[test]
fn a_closed_input_is_3_and_dev_null_on_purpose_is_0() {
    let output = in_shell("exec \"$1\" <&-", b"");
    assert_eq!((code(&output), stderr(&output).as_str()), (3, "inkout: standard input: it is closed\n"));
    for redirect in [">/dev/null", "1<>/dev/null", "0<>/dev/null >/dev/null"] {
        assert_eq!(code(&in_shell(&format!("exec \"$1\" {redirect}"), b"x\n")), 0, "{redirect}");
    }
}

//! `inkout exec`: a program behaves as if it were run directly, but for what it prints.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{code, feed, inkout, made_up, stderr, stdout};

#[path = "../shared/terminal.rs"]
mod terminal;

/// `inkout exec` of a shell script. Its own process group: no terminal sends it signals.
fn script(text: &str) -> Command {
    let mut command = inkout();
    command.process_group(0).args(["exec", "--", "sh", "-c", text]);
    command
}

#[test]
fn both_streams_are_masked_each_by_itself_and_the_exit_code_is_the_programs() {
    let output = feed(&mut script("echo password=hunter2; echo token=abcdef123456 >&2; cat; exit 7"), b"pwd=hunter3 x");
    assert_eq!(code(&output), 7);
    assert_eq!(stdout(&output), "password=REDACTED.password\npwd=REDACTED.password x");
    assert_eq!(stderr(&output), "token=REDACTED.token\n");
}

#[test]
fn the_values_of_secret_variables_are_known_in_every_form() {
    let (secret, other) = (made_up("{alnum:20}"), made_up("{alnum:16}x"));
    let show = r#"echo "a $MY_API_KEY b"; printf %s "$MY_API_KEY" | base64; echo "$DATABASE_URL" | cut -c 16-; echo "$DEPLOY x""#;
    let mut command = inkout();
    command.args(["exec", "--known-env", "DEP*", "--", "sh", "-c", show]);
    command
        .env("MY_API_KEY", &secret)
        .env("DATABASE_URL", format!("postgres://svc:{other}@db/app"))
        .env("DEPLOY", "kfjqmx");
    let output = feed(&mut command, b"");
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    let shown = stdout(&output);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[0], "a [REDACTED:known-value] b");
    assert!(lines[1].starts_with("[REDACTED:known-value]"), "{shown}");
    assert_eq!(lines[2..], ["[REDACTED:known-value]@db/app", "[REDACTED:known-value] x"]);
}

#[test]
fn signals_are_handed_on_and_a_death_by_one_is_told() {
    let signals = [
        (Signal::TERM, "TERM"),
        (Signal::INT, "INT"),
        (Signal::HUP, "HUP"),
        (Signal::QUIT, "QUIT"),
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
        (Signal::WINCH, "WINCH"),
    ];
    for (signal, name) in signals {
        // `wait` is what a trap interrupts; nothing is polled.
        let text = format!(
            "trap 'echo password=hunter2 {name}; kill $!; exit 5' {name}; sleep 1000 >/dev/null 2>&1 & echo ready; wait"
        );
        let mut child = script(&text).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), format!("password=REDACTED.password {name}"));
        assert_eq!(child.wait().unwrap().code(), Some(5), "{name}");
    }
    assert_eq!(code(&feed(&mut script("kill -KILL $$"), b"")), 128 + 9);
}

#[test]
fn a_program_that_cannot_be_run_is_told_as_shells_do() {
    let run = |arguments: &[&str]| {
        let output = feed(inkout().arg("exec").args(arguments), b"");
        (code(&output), stdout(&output), stderr(&output))
    };
    let (exit, out, said) = run(&["--", "/nowhere/program"]);
    assert_eq!((exit, out.as_str()), (127, ""));
    assert!(said.starts_with("inkout: cannot run `/nowhere/program`: No such file"), "{said}");
    assert_eq!(run(&["--", "/etc/passwd"]).0, 126);
    assert_eq!(run(&["--"]).0, 2);
    assert_eq!(run(&["echo"]).0, 2, "a program stands behind `--`");
    let (exit, out, said) = run(&["--known-env", "NO_SUCH_*", "--", "echo", "ran"]);
    assert_eq!((exit, out.as_str()), (2, ""), "{said}");
    assert!(said.contains("known environment variable `NO_SUCH_*`: no such variable is set"), "{said}");
}

#[test]
fn a_process_left_behind_does_not_hold_the_end_back() {
    let output = feed(&mut script("sleep 1000 & echo $!; printf 'password=hunter2'"), b"");
    let shown = stdout(&output);
    let (pid, rest) = shown.split_once('\n').unwrap();
    kill_process(Pid::from_raw(pid.parse().unwrap()).unwrap(), Signal::KILL).unwrap();
    assert_eq!((code(&output), rest), (0, "password=REDACTED.password"));
    assert!(stderr(&output).contains("left behind holds its output open"), "{}", stderr(&output));
}

#[test]
fn a_reader_that_leaves_ends_the_program_by_its_signal() {
    let mut child =
        script("while :; do echo line; done").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 5];
    let mut pipe = child.stdout.take().unwrap();
    pipe.read_exact(&mut first).unwrap();
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(128 + 13), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
}

#[test]
fn the_key_for_hashing_is_not_the_programs_business() {
    let key = made_up("{alnum:20}");
    let mut command = script("echo \"[$INKOUT_HASH_KEY]\"; cat");
    let output = feed(command.env("INKOUT_HASH_KEY", &key), format!("x {key}\n").as_bytes());
    assert_eq!(stdout(&output), "[]\nx [REDACTED:known-value]\n");
}

#[test]
fn counts_are_printed_when_asked_for() {
    let mut command = inkout();
    let output = feed(command.args(["exec", "--stats", "--", "echo", "password=hunter2"]), b"");
    assert!(stderr(&output).contains("password") && stderr(&output).contains("findings"), "{}", stderr(&output));
}

#[test]
fn the_program_has_the_limit_of_core_dumps_that_we_had() {
    let limits = |shell: &str| {
        let script = format!("{shell} exec \"$0\" exec -- sh -c 'ulimit -Sc; ulimit -Hc'");
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_inkout")]);
        stdout(&feed(&mut command, b""))
    };
    for shell in ["", "ulimit -Sc 0;", "ulimit -Hc 0;"] {
        let usual = feed(Command::new("sh").args(["-c", &format!("{shell} ulimit -Sc; ulimit -Hc")]), b"");
        assert_eq!(limits(shell), stdout(&usual), "{shell}");
    }
}

/// Signals in both ways: to inkout alone, and by a key.
const SIGNALS: &str = r#"
until(b"ready", 1)
os.kill(pid, signal.SIGINT)
until(b"INTERRUPTED", 1)
os.write(terminal, b"\x03")
until(b"INTERRUPTED", 2)
os.kill(pid, signal.SIGQUIT)
"#;

#[test]
fn a_signal_is_handed_on_from_a_process_and_not_twice_from_a_terminal() {
    let program =
        "trap 'echo INTERRUPTED' INT; trap 'echo QUIT; exit 5' QUIT; echo ready; while :; do sleep 0.05; done";
    let Ok(output) = terminal::run(["exec", "--", "sh", "-c", program], SIGNALS) else {
        println!("skipped: no python3 to make a terminal");
        return;
    };
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(5), "{shown}");
    assert!(shown.matches("INTERRUPTED").count() == 2 && shown.contains("QUIT"), "{shown}");
}

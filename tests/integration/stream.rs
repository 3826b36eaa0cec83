//! Bytes through pipes and files: order, threads, quiet pipes, long lines.

#[path = "../../benches/corpus/mod.rs"]
pub(crate) mod corpus;

use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::Arc;

use inkout::engine::{Engine, Limits, Policy, Stream};
use inkout::rules::{Catalog, generator};

use crate::support::{Folder, feed, inkout, quietly, run_on};

const BLOCK: usize = 256 << 10;
/// The lines of a private key, more than one read ends within.
const KEY_LINES: usize = 60;

/// Logs with a private key around the end of every block, and a line of 3 MiB with a secret every 100 KiB.
fn hard_log() -> (Vec<u8>, Vec<String>) {
    let (mut log, mut bodies) = (Vec::new(), Vec::new());
    for block in 1..=8 {
        let spec =
            corpus::Spec { bytes: block * BLOCK - KEY_LINES * 32 - log.len(), seed: block as u64, secret_every: 50 };
        log.extend(corpus::generate(&spec).bytes);
        log.extend(b"-----BEGIN RSA PRIVATE KEY-----\n");
        for line in 0..KEY_LINES {
            let body = generator::expand("{pem}", (block * 1000 + line) as u64).expect("a generator");
            log.extend(format!("{body}\n").into_bytes());
            bodies.push(body);
        }
        log.extend(b"-----END RSA PRIVATE KEY-----\n");
    }
    for part in 0..30 {
        let secret = generator::expand("{alnum:24}", part).expect("a generator");
        log.extend(vec![b'.'; 100 << 10]);
        log.extend(format!(" password={secret} ").into_bytes());
        bodies.push(secret);
    }
    log.extend(b"\nlast line without an end");
    (log, bodies)
}

/// What the library makes of it.
fn expected(log: &[u8]) -> Vec<u8> {
    let engine =
        Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default()).expect("built-in rules");
    let (mut stream, mut out) = (Stream::new(Arc::new(engine)), Vec::new());
    stream.push(log, |masked| out.extend_from_slice(masked.as_bytes()));
    stream.finish(|masked| out.extend_from_slice(masked.as_bytes()));
    out
}

#[test]
fn any_number_of_threads_writes_the_same_bytes_from_a_file_and_a_pipe() {
    let (log, secrets) = hard_log();
    let expected = expected(&log);
    let text = String::from_utf8_lossy(&expected);
    assert!(secrets.iter().all(|secret| !text.contains(secret)));
    let folder = Folder::new();
    let file = folder.file("log", &log);
    for threads in ["1", "2", "8"] {
        let from_file = feed(inkout().args(["-j", threads]).arg(&file), b"");
        assert!(from_file.stdout == expected, "-j {threads}, file");
        let from_pipe = run_on(["-j", threads], &log);
        assert!(from_pipe.stdout == expected, "-j {threads}, pipe");
    }
}

#[test]
fn several_files_on_several_threads_keep_their_order() {
    let folder = Folder::new();
    let mut command = inkout();
    command.arg("-j8");
    let mut all = Vec::new();
    for seed in 1..=6 {
        let log = corpus::generate(&corpus::Spec { bytes: 100_000 * seed, seed: seed as u64, secret_every: 0 }).bytes;
        command.arg(folder.file(seed.to_string(), &log));
        all.extend(log);
    }
    let expected = expected(&all);
    assert!(feed(&mut command, b"").stdout == expected);
}

#[test]
fn a_quiet_pipe_gives_each_line_before_the_next_one_comes() {
    for threads in ["0", "1", "2"] {
        let mut child = inkout().args(["-j", threads]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut stdin, mut reader) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        for number in 0..20 {
            stdin.write_all(format!("n={number} password=hunter2\n").as_bytes()).unwrap();
            let expected = format!("n={number} password=REDACTED.password\n");
            let mut line = vec![0; expected.len()];
            reader.read_exact(&mut line).unwrap();
            assert_eq!(String::from_utf8(line).unwrap(), expected);
        }
        stdin.write_all(b"half a line, passw").unwrap();
        drop(stdin);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "half a line, passw");
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn descriptors_that_do_not_block_are_waited_for() {
    let (input, mut to_program) = std::io::pipe().unwrap();
    let (mut from_program, output) = std::io::pipe().unwrap();
    for end in [rustix::fd::AsFd::as_fd(&input), rustix::fd::AsFd::as_fd(&output)] {
        rustix::fs::fcntl_setfl(end, rustix::fs::OFlags::NONBLOCK).unwrap();
    }
    let mut command = inkout();
    let mut child = command.arg("-j1").stdin(input).stdout(output).spawn().unwrap();
    drop(command);
    let lines = b"level=info msg=\"nothing to see\" n=1\n".repeat(60_000);
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        from_program.read_to_end(&mut all).map(|_| all).unwrap()
    });
    for chunk in lines.chunks(100_000) {
        to_program.write_all(chunk).unwrap();
    }
    drop(to_program);
    assert!(reader.join().unwrap() == lines);
    assert!(child.wait().unwrap().success());
}

#[test]
fn audit_changes_no_byte_and_counts_as_if_it_did() {
    let spec = corpus::Spec { bytes: 1 << 20, seed: 5, secret_every: 20 };
    let log = corpus::generate(&spec).bytes;
    let counts = |arguments: &[&str]| {
        let output = run_on(arguments, &log);
        let said = String::from_utf8(output.stderr.clone()).unwrap();
        let table: Vec<String> = said
            .lines()
            .filter(|line| !["bytes out", "elapsed", "speed", "inkout: "].iter().any(|start| line.starts_with(start)))
            .map(str::to_owned)
            .collect();
        (output.stdout, table, said)
    };
    let (masked, enforced, _) = counts(&["--stats"]);
    let (same, audited, said) = counts(&["--stats", "--audit"]);
    assert!(same == log && masked != log);
    assert_eq!(enforced, audited);
    assert!(said.starts_with("inkout: AUDIT: nothing is masked"), "{said}");
}

#[test]
fn stats_count_bytes_lines_and_findings_by_rule() {
    let input = b"password=hunter2\nclean\npassword=hunter3 token=abcdef123456\n";
    let output = run_on(["--stats=rules"], input);
    let said = crate::support::stderr(&output);
    let number = |name: &str| {
        let row =
            said.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_else(|| panic!("{name}: {said}"));
        row.split_whitespace().last().unwrap().to_owned()
    };
    assert_eq!(number("bytes in"), input.len().to_string());
    assert_eq!(number("bytes out"), output.stdout.len().to_string());
    assert_eq!((number("lines"), number("password"), number("token")), ("3".into(), "2".into(), "1".into()));
    assert_eq!((number("credential"), number("findings")), ("3".into(), "3".into()));
    assert!(said.contains("MB/s") && said.contains("regex calls"), "{said}");
}

#[test]
fn colours_are_only_written_when_asked_for() {
    let line = b"password=hunter2 x\n";
    assert_eq!(quietly(&run_on(["--color", "auto"], line)), "password=REDACTED.password x\n");
    let coloured = quietly(&run_on(["--color", "always"], line));
    assert_eq!(coloured, "password=\x1b[1;30;43mREDACTED.password\x1b[0m x\n");
}

//! `--learn-records`: a value that was masked because of its key is masked without it in the lines behind it, however the
//! lines come and whoever masks them.

use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;

use inkout::engine::{Engine, Limits, Policy, Stream};
use inkout::rules::{Catalog, generator};

use crate::stream::corpus;
use crate::support::{Folder, code, quietly, run_on, stderr, stdout};

/// Values that stand somewhere behind their key, in a log of several blocks.
fn log() -> String {
    let spec = corpus::Spec { bytes: 6 << 20, seed: 7, secret_every: 200 };
    let lines = String::from_utf8(corpus::generate(&spec).bytes).expect("UTF-8");
    let mut text = String::new();
    for (number, line) in lines.lines().enumerate() {
        text.push_str(line);
        text.push('\n');
        // Two in three at a distance that is learned over, of which some lie in the next block.
        let value = |number: usize| generator::expand("{alnum:6}-{alnum:6}", number as u64).expect("a generator");
        match number % 97 {
            0 => writeln!(text, "opened with password={} by ada", value(number)).expect("a string"),
            at @ (20 | 60 | 90) => writeln!(text, "tried {} again", value(number - at)).expect("a string"),
            _ => {}
        }
    }
    text
}

fn expected(log: &str, learn_records: usize) -> String {
    let policy = Policy { learn_records, ..Policy::default() };
    let engine = Engine::compile(Catalog::builtin().set, policy, &Limits::default()).expect("built-in rules");
    let (mut stream, mut out) = (Stream::new(Arc::new(engine)), Vec::new());
    for chunk in log.as_bytes().chunks(100_003) {
        stream.push(chunk, |masked| out.extend_from_slice(masked.as_bytes()));
    }
    stream.finish(|masked| out.extend_from_slice(masked.as_bytes()));
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn a_learned_value_is_masked_in_the_next_lines() {
    let text = b"hunter2xyz\nlogin password=hunter2xyz\nuse hunter2xyz\n\nuse hunter2xyz\nuse hunter2xyz\n";
    let masked = "hunter2xyz\nlogin password=REDACTED.password\nuse [REDACTED:password]\n\nuse [REDACTED:password]\n\
                  use hunter2xyz\n";
    assert_eq!(quietly(&run_on(["--learn-records", "3"], text)), masked);
    let off = "hunter2xyz\nlogin password=REDACTED.password\nuse hunter2xyz\n\nuse hunter2xyz\nuse hunter2xyz\n";
    assert_eq!(quietly(&run_on::<&str>([], text)), off);
    let folder = Folder::new();
    let config = folder.file("inkout.toml", "learn_records = 3\n");
    let config = config.to_str().expect("UTF-8");
    assert_eq!(quietly(&run_on(["--config", config], text)), masked);
    assert_eq!(quietly(&run_on(["--config", config, "--learn-records", "0"], text)), off);
    let audit = run_on(["--learn-records", "3", "--audit", "--stats"], text);
    assert_eq!(stdout(&audit).as_bytes(), text);
    let counted =
        stderr(&audit).lines().find_map(|line| line.strip_prefix("findings ").map(str::trim).map(str::to_owned));
    assert_eq!(counted.as_deref(), Some("3"), "{}", stderr(&audit));
    let explained = quietly(&run_on(["explain", "--learn-records", "3"], text));
    assert!(explained.contains("password by value of a key in an earlier record; action replace"), "{explained}");
}

#[test]
fn more_than_is_allowed_is_refused_before_anything_is_read() {
    for wrong in ["1001", "-1", "ten", ""] {
        let output = run_on([&format!("--learn-records={wrong}")], b"text\n");
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{wrong}");
        assert!(stderr(&output).contains("a number from 0 (off) to 1000"), "{}", stderr(&output));
    }
    let folder = Folder::new();
    let config = folder.file("inkout.toml", "\nlearn_records = 5000\n");
    let output = run_on(["--config".as_ref(), config.as_os_str()], b"text\n");
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
    assert!(
        stderr(&output).contains("inkout.toml:2: `learn_records` is a number from 0 (off) to 1000"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn any_number_of_threads_learns_the_same() {
    let log = log();
    let folder = Folder::new();
    let path = folder.file("app.log", &log);
    let path = path.to_str().expect("UTF-8");
    for records in [1, 70, 1000] {
        let expected = expected(&log, records);
        let tried = expected.lines().filter(|line| line.starts_with("tried ")).count();
        let masked = expected.matches("tried [REDACTED:password] again\n").count();
        assert_eq!(masked < tried, records < 1000, "{records}: {masked} of {tried}");
        assert_eq!(masked > 0, records > 1);
        let records = records.to_string();
        for threads in ["1", "2", "3"] {
            let from_file = run_on(["--learn-records", &records, "-j", threads, path], b"");
            assert!(quietly(&from_file) == expected, "{records} records, {threads} threads, from a file");
            let from_pipe = run_on(["--learn-records", &records, "-j", threads], log.as_bytes());
            assert!(quietly(&from_pipe) == expected, "{records} records, {threads} threads, from a pipe");
        }
        #[cfg(feature = "archives")]
        {
            let out = folder.path("clean");
            let output = run_on(["clean", "--learn-records", &records, "--out-dir", out.to_str().unwrap(), path], b"");
            assert_eq!(code(&output), 0, "{}", stderr(&output));
            let cleaned = fs::read_dir(&out).expect("a folder").next().expect("a file").expect("a file").path();
            assert!(fs::read_to_string(cleaned).expect("text") == expected, "{records} records, cleaned");
            fs::remove_dir_all(&out).expect("it was written");
        }
    }
}

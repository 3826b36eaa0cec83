//! The subcommands.

use crate::support::{Folder, code, feed, inkout, made_up, quietly, run_on, stderr, stdout};

#[test]
fn a_preview_shows_what_would_change_and_never_a_secret() {
    let folder = Folder::new();
    let (token, password) = (made_up("ghp_{alnum:36}"), made_up("{alnum:14}"));
    let key = made_up("{pem}");
    let log = folder.file(
        "log",
        format!(
            "clean\nuse {token} now\nclean\n{{\"db_password\":\"{password}\"}}\n-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n"
        ),
    );
    let shown = quietly(&feed(inkout().arg("preview").arg(&log), b""));
    for secret in [token, password, key] {
        assert!(!shown.contains(&secret), "{shown}");
    }
    let name = log.display();
    assert!(
        shown.starts_with(&format!("{name}:2: github-token (pattern)\n    use [REDACTED:github-token] now\n")),
        "{shown}"
    );
    assert!(shown.contains(&format!("{name}:4: password (key `db_password`)\n")), "{shown}");
    assert!(shown.contains(&format!("{name}:6: ")) && !shown.contains("clean"), "{shown}");
}

#[test]
fn a_preview_of_nothing_is_an_error() {
    let output = feed(inkout().args(["preview", "/nowhere/log"]), b"");
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("/nowhere/log: No such file"));
}

#[test]
fn explain_tells_what_was_found_where_and_what_stopped_the_rest() {
    let token = made_up("ghp_{alnum:36}");
    let shown =
        quietly(&run_on(["explain"], format!("use {token} and password=hunter2\ntoken_type=bearerx1\n").as_bytes()));
    assert!(!shown.contains(&token) && !shown.contains("hunter2"), "{shown}");
    for part in [
        "use [REDACTED:github-token] and password=REDACTED.password\n",
        "  bytes 4..44 (40 long)  github-token by pattern; validator crc32-base62 failed",
        "  bytes 58..65 (7 long)  password by key `password`; action replace\n",
        "  bytes 11..19 (8 long)  not token by key `token_type`: a neutral word",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(quietly(&run_on(["explain"], b"plain text\n")).contains("nothing found"));
}

#[test]
fn rules_are_listed_and_shown() {
    let list = quietly(&run_on(["rules", "list"], b""));
    assert!(list.lines().count() > 300 && list.contains("github-token"));
    for line in quietly(&run_on(["rules", "list", "--json"], b"")).lines() {
        let rule: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(rule["id"].is_string() && rule["action"].is_string());
    }
    let rule = quietly(&run_on(["rules", "show", "github-token"], b""));
    assert!(rule.contains("pattern") && rule.contains("https://"), "{rule}");
    let keys = quietly(&run_on(["rules", "show", "keys"], b""));
    assert!(keys.contains("neutral words behind a key"), "{keys}");
    let unknown = run_on(["rules", "show", "github-tken"], b"");
    assert_eq!(code(&unknown), 2);
    assert!(stderr(&unknown).contains("did you mean `github-token`?"));
}

#[test]
fn the_built_in_rules_pass_their_own_check() {
    assert!(quietly(&run_on(["rules", "check"], b"")).ends_with(", 0 wrong\n"));
}

#[test]
fn a_wrong_example_is_named_with_its_line() {
    let folder = Folder::new();
    let rule = "[[rule]]\nid = 'acme'\nsummary = 'A'\ncategory = 'credential'\npattern = '\\b(?<secret>acme_[a-z]{9})\\b'\n\
                examples = ['x «acme_{lower:9}» y']\ncounter_examples = ['acme_x']\n";
    let check = |text: &str| {
        let output = feed(inkout().args(["rules", "check"]).arg(folder.file("mine.toml", text)), b"");
        let mine: Vec<String> =
            stderr(&output).lines().filter(|line| line.contains("mine.toml")).map(str::to_owned).collect();
        (code(&output), mine)
    };
    assert!(check(rule).1.is_empty());
    let (exit, said) = check(&rule.replace("'acme_x'", "\n 'acme_abcdefghi']\n#"));
    assert_eq!((exit, said.len()), (2, 1));
    assert!(said[0].contains("mine.toml:8: rule `acme`: marked is nothing, found is 0..14"), "{}", said[0]);
    let (exit, said) = check(&rule.replace("{lower:9}»", "{lower:9} »"));
    assert_eq!((exit, said.len()), (2, 1));
}

#[test]
fn the_sample_is_the_same_every_time_and_has_no_secret_left_after_masking() {
    let sample = quietly(&run_on(["sample"], b""));
    assert_eq!(sample, quietly(&run_on(["sample"], b"")));
    let masked = quietly(&run_on([""; 0], sample.as_bytes()));
    assert_eq!(masked.lines().count(), sample.lines().count());
    assert!(masked.matches("REDACTED").count() >= 30, "{masked}");
    assert_eq!(quietly(&run_on([""; 0], masked.as_bytes())), masked, "masking twice changes nothing");
}

#[test]
fn bench_measures_a_log() {
    let folder = Folder::new();
    let log = folder.file("log", "password=hunter2\n".repeat(1000));
    let shown = quietly(&feed(inkout().arg("bench").arg(log), b""));
    assert!(shown.starts_with("17000 bytes, 1000 lines, 1000 findings\n") && shown.contains("MB/s"), "{shown}");
}

#[test]
fn the_version_names_the_rules_and_the_instructions() {
    let version = quietly(&run_on(["--version"], b""));
    assert!(version.starts_with(concat!("inkout ", env!("CARGO_PKG_VERSION"), " (rules 20")), "{version}");
    assert!(["AVX-512", "AVX2", "portable"].iter().any(|name| version.contains(name)), "{version}");
}

#[test]
fn help_completions_and_the_manual_are_there() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(quietly(&run_on(["completions", shell], b"")).contains("hash-key-file"), "{shell}");
    }
    let manual = quietly(&run_on(["man"], b""));
    assert!(
        manual.contains(".TH") && manual.contains("--placeholder") || manual.contains("\\-\\-placeholder"),
        "{manual}"
    );
    assert!(manual.contains("INKOUT PREVIEW"), "{manual}");
    let help = run_on(["--help"], b"");
    assert_eq!(code(&help), 0);
    for heading in ["Rules:", "What is written:", "Report:", "Running:", "Exit codes:"] {
        assert!(stdout(&help).contains(heading), "{heading}");
    }
}

//! Flags, configuration files and keys.

use std::os::unix::fs::PermissionsExt;

use crate::support::{Folder, code, feed, inkout, quietly, run_on, stderr, stdout};

const LINE: &[u8] = b"password=hunter2 token=abcdef123456\n";

#[test]
fn rules_are_chosen_by_id_and_category() {
    let check =
        |arguments: &[&str], expected: &str| assert_eq!(quietly(&run_on(arguments, LINE)), expected, "{arguments:?}");
    check(&["--only", "token"], "password=hunter2 token=REDACTED.token\n");
    check(&["--disable", "token,personal"], "password=REDACTED.password token=abcdef123456\n");
    check(&["--disable", "credential"], "password=hunter2 token=abcdef123456\n");
    check(&["--only", "credential", "--disable", "password"], "password=hunter2 token=REDACTED.token\n");
}

#[test]
fn what_is_written_is_chosen() {
    let check =
        |arguments: &[&str], expected: &str| assert_eq!(quietly(&run_on(arguments, LINE)), expected, "{arguments:?}");
    check(&["--placeholder", "[hidden:{rule}]"], "password=hidden.password token=hidden.token\n");
    check(&["--action", "remove"], "password= token=\n");
    check(&["--action", "mask"], "password=**** token=****456\n");
    let output = run_on(["--placeholder", "a b"], LINE);
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
    assert!(stderr(&output).starts_with("inkout: placeholder template `a b`: "), "{}", stderr(&output));
}

#[test]
fn a_name_nobody_knows_is_refused_with_the_nearest() {
    for flag in ["--only", "--disable"] {
        let output = run_on([flag, "githb-token"], LINE);
        let expected = format!(
            "inkout: {flag}: unknown rule or category `githb-token`; did you mean `github-token`? `inkout rules list` shows \
             them all\n"
        );
        assert_eq!((code(&output), stderr(&output)), (2, expected));
    }
}

#[test]
fn the_hash_action_needs_a_key_of_its_own() {
    let folder = Folder::new();
    let run = |key: Option<&str>, mode: u32| {
        let mut command = inkout();
        command.args(["--action", "hash", "--only", "password"]);
        if let Some(key) = key {
            let path = folder.file("key", key);
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            command.arg("--hash-key-file").arg(path);
        }
        feed(&mut command, LINE)
    };
    let none = run(None, 0);
    assert_eq!(code(&none), 2);
    assert!(stderr(&none).contains("--hash-key-file or INKOUT_HASH_KEY"), "{}", stderr(&none));
    let short = run(Some("0123456789abcde\n"), 0o600);
    assert_eq!(code(&short), 2);
    assert!(stderr(&short).contains("15 bytes; at least 16"), "{}", stderr(&short));
    let good = quietly(&run(Some("0123456789abcdef\n"), 0o600));
    assert!(good.starts_with("password=password.") && !good.contains("hunter2"), "{good}");
    let exposed = run(Some("0123456789abcdef"), 0o644);
    assert_eq!((code(&exposed), stdout(&exposed)), (0, good.clone()), "a line end is not part of the key");
    assert!(stderr(&exposed).contains("can be read by others"), "{}", stderr(&exposed));
    let variable = feed(
        inkout().env("INKOUT_HASH_KEY", "0123456789abcdef").args(["--action", "hash", "--only", "password"]),
        LINE,
    );
    assert_eq!(quietly(&variable), good);
    for output in [short, exposed] {
        assert!(!stderr(&output).contains("0123456789"));
    }
}

#[test]
fn a_key_file_that_is_missing_is_named() {
    let output = run_on(["--hash-key-file", "/nowhere/key"], LINE);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).starts_with("inkout: hash key file /nowhere/key: No such file"), "{}", stderr(&output));
}

#[test]
fn a_configuration_says_what_flags_say_and_flags_win() {
    let folder = Folder::new();
    folder.file(
        "mine.toml",
        "[[rule]]\nid = 'acme'\nsummary = 'A'\ncategory = 'credential'\npattern = '\\b(?<secret>acme_[a-z]{9})\\b'\n",
    );
    let text = "rules = ['mine.toml']\nonly = ['acme', 'password']\nthreads = 1\n[policy]\nacme = 'remove'\n";
    let config = folder.file("inkout.toml", text);
    let line = b"a acme_abcdefghi password=hunter2 token=abcdef123456\n";
    let expected = "a  password=REDACTED.password token=abcdef123456\n";
    assert_eq!(quietly(&feed(inkout().arg("--config").arg(&config), line)), expected);
    assert_eq!(quietly(&feed(inkout().env("INKOUT_CONFIG", &config), line)), expected);
    let flags =
        quietly(&feed(inkout().arg("--config").arg(&config).args(["--only", "password", "--action", "remove"]), line));
    assert_eq!(flags, "a acme_abcdefghi password= token=abcdef123456\n");
}

#[test]
fn a_wrong_configuration_is_2_with_its_place() {
    let cases = [
        ("\nplacholder = 'x'\n", 2, "unknown key `placholder`; did you mean `placeholder`?"),
        ("[policy]\npasword = 'mask'\n", 2, "unknown rule or category `pasword`; did you mean `password`?"),
        (
            "[policy]\ncredential = 'redact'\n",
            2,
            "unknown action `redact`; known: replace, mask, hash, remove, prefix12, keep",
        ),
        ("number = 'nil'", 1, "unknown number `nil`; known: string, null, zero"),
        ("mode = 'audit'", 1, "mode `audit` needs `audit_until = \"YYYY-MM-DD\"`"),
        ("mode = 'audit'\naudit_until = '2020-01-01'", 2, "the audit ended on 2020-01-01"),
        ("threads = 'many'", 1, "`threads` is a number"),
    ];
    let folder = Folder::new();
    for (text, line, said) in cases {
        let config = folder.file("c.toml", text);
        let output = feed(inkout().arg("--config").arg(&config), LINE);
        let message = stderr(&output);
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{text}");
        assert!(message.starts_with(&format!("inkout: {}:{line}: {said}", config.display())), "{text}: {message}");
    }
}

#[test]
fn an_audit_until_a_day_to_come_is_an_audit() {
    let folder = Folder::new();
    let config = folder.file("c.toml", "mode = 'audit'\naudit_until = '2999-12-31'\n");
    let output = feed(inkout().arg("--config").arg(config), LINE);
    assert_eq!((code(&output), output.stdout.as_slice()), (0, LINE));
    assert!(stderr(&output).contains("AUDIT"));
}

#[test]
fn a_folder_of_rules_is_read_by_name() {
    let folder = Folder::new();
    let rule = |id: &str| {
        format!(
            "[[rule]]\nid = '{id}'\nsummary = 'A'\ncategory = 'credential'\npattern = '\\b(?<secret>{id}_[a-z]{{9}})\\b'\n"
        )
    };
    folder.file("b.toml", rule("acme"));
    folder.file("a.toml", rule("umbrella"));
    folder.file("README", "not a rule file");
    let output = feed(inkout().arg("--rules").arg(folder.path("")), b"acme_abcdefghi umbrella_abcdefghi\n");
    assert_eq!(quietly(&output), "[REDACTED:acme] [REDACTED:umbrella]\n");
    let empty = Folder::new();
    let output = feed(inkout().arg("--rules").arg(empty.path("")), b"x\n");
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("no *.toml file"), "{}", stderr(&output));
}

#[test]
fn known_values_are_masked_in_every_encoding_and_what_is_skipped_is_named() {
    let folder = Folder::new();
    let value = inkout::rules::generator::expand("{alnum:18}", 3).unwrap();
    let file = folder.file("known", format!("{value}\nabc\n\n"));
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let output = run_on(["--known-values".as_ref(), file.as_os_str()], format!("a {value} b {hex} c\n").as_bytes());
    assert_eq!(code(&output), 0);
    assert_eq!(stdout(&output), "a [REDACTED:known-value] b [REDACTED:known-value] c\n");
    let said = stderr(&output);
    assert!(said.contains("known value `line 2` is not looked for: shorter than 6 bytes"), "{said}");
    assert!(!said.contains("abc") && !said.contains(&value), "{said}");
}

#[test]
fn known_values_that_are_not_there_stop_the_start() {
    let folder = Folder::new();
    let empty = folder.file("empty", "\n");
    for (path, said) in [(empty, "holds no value of 6 or more bytes"), (folder.path("none"), "known values file")] {
        let output = run_on(["--known-values".as_ref(), path.as_os_str()], b"x\n");
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
}

#[test]
fn rules_of_gitleaks_are_taken_and_what_cannot_be_kept_is_said() {
    let folder = Folder::new();
    let rules = "title = 'x'\n[[rules]]\nid = 'acme-key'\ndescription = 'Acme'\nregex = '''acme_([a-z0-9]{20})'''\npath = 'x'\n";
    let file = folder.file("gitleaks.toml", rules);
    let text = inkout::rules::generator::expand("got acme_{lowernum:20} here\n", 1).unwrap();
    let output = run_on(["--rules".as_ref(), file.as_os_str()], text.as_bytes());
    assert_eq!((code(&output), stdout(&output).as_str()), (0, "got acme_REDACTED.acme-key here\n"));
    assert!(stderr(&output).contains("acme-key"), "{}", stderr(&output));
}

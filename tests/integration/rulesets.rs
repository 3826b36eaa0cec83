//! Sets of rules as things: exported, imported, pinned, left out, compared.

use crate::support::{Folder, code, feed, inkout, made_up, quietly, run_on, stderr, stdout};

#[test]
fn an_exported_set_does_what_the_built_in_one_does() {
    let folder = Folder::new();
    let export = quietly(&run_on(["rules", "export", "--profile", "pci"], b""));
    let file = folder.file("all.toml", export);
    let sample = quietly(&run_on(["sample"], b""));
    let alone = feed(inkout().arg("--no-builtin").arg("--rules").arg(&file), sample.as_bytes());
    assert_eq!(quietly(&alone), quietly(&run_on([""; 0], sample.as_bytes())));
}

#[test]
fn without_the_built_in_rules_only_the_users_are_there() {
    let folder = Folder::new();
    let rules = folder.file(
        "mine.toml",
        "[[rule]]\nid = 'acme'\nsummary = 'A'\ncategory = 'credential'\npattern = '\\b(?<secret>acme_[a-z]{9})\\b'\n",
    );
    let mut command = inkout();
    let output = feed(command.args(["--no-builtin", "--rules"]).arg(rules), b"acme_abcdefghi password=hunter2\n");
    assert_eq!(quietly(&output), "[REDACTED:acme] password=hunter2\n");
}

#[test]
fn rules_that_are_off_can_be_named_to_keep_them_off() {
    let input = b"ada@example.com password=hunter2x\n";
    let kept = "ada@example.com password=REDACTED.password\n";
    assert_eq!(quietly(&run_on(["--disable", "email-address,password"], input)), "ada@example.com password=hunter2x\n");
    let folder = Folder::new();
    let config = folder.file("inkout.toml", "[policy]\nemail-address = 'keep'\n");
    assert_eq!(quietly(&feed(inkout().arg("--config").arg(config), input)), kept);
    let both = run_on(["--profile", "gdpr", "--action", "mask", "--disable", "email-address"], b"ada@example.com\n");
    assert!(stdout(&both).contains("ada@example.com"), "{}", stdout(&both));
    let shown = run_on(["rules", "show", "email-address"], b"");
    assert_eq!(code(&shown), 0, "{}", stderr(&shown));
    assert!(
        stdout(&shown).starts_with("email-address\n") && stdout(&shown).contains("action     "),
        "{}",
        stdout(&shown)
    );
    let wrong = run_on(["--disable", "email-addres"], input);
    assert!(code(&wrong) == 2 && stderr(&wrong).contains("unknown rule or category"), "{}", stderr(&wrong));
}

#[test]
fn rules_are_pinned_by_version_or_hash() {
    let (version, hash) = (inkout::rules::Catalog::version(), inkout::rules::Catalog::hash());
    for pin in [version, &hash] {
        assert_eq!(quietly(&run_on(["--rules-pin", pin], b"x")), "x");
    }
    let refused = run_on(["--rules-pin", "2020.1.0"], b"x");
    assert_eq!((code(&refused), stdout(&refused).as_str()), (2, ""));
    let said =
        format!("inkout: --rules-pin: the rules are pinned to `2020.1.0`, and this inkout has {version} ({hash})\n");
    assert_eq!(stderr(&refused), said);
    let folder = Folder::new();
    let config = folder.file("inkout.toml", "\nrules_pin = '1'\n");
    let refused = feed(inkout().arg("--config").arg(config), b"x");
    assert!(code(&refused) == 2 && stderr(&refused).contains("inkout.toml:2: the rules are pinned to `1`"));
}

#[test]
fn a_difference_is_told_line_by_line_and_no_secret_is_shown() {
    let folder = Folder::new();
    let rule = |id: &str, head: &str| {
        format!(
            "[[rule]]\nid = '{id}'\nsummary = 'A'\ncategory = 'credential'\npattern = '\\b(?<secret>{head}_[a-z]{{9}})\\b'\n"
        )
    };
    let old = folder.file("old.toml", rule("both", "both") + &rule("gone", "gone"));
    let new = folder.file("new.toml", rule("both", "both") + &rule("fresh", "fresh"));
    let text = made_up("both_{lower:9}\nx\ngone_{lower:9} both_{lower:9} y\nfresh_{lower:9} gone_{lower:9}");
    let log = folder.file("log", &text);
    let output = feed(inkout().args(["rules", "diff"]).args([&old, &new]).arg("--on").arg(&log), b"");
    let name = log.display();
    let expected = format!(
        "- {name}:3: gone, both\n    [...] [...] y\n+ {name}:4: fresh\n    [...] [...]\n- {name}:4: gone\n    [...] [...]\n\
         1 lines newly masked, 2 lines newly not masked\n"
    );
    assert_eq!(quietly(&output), expected);
    let same = feed(inkout().args(["rules", "diff", "builtin", "builtin"]).arg("--on").arg(&log), b"");
    assert_eq!(quietly(&same), "0 lines newly masked, 0 lines newly not masked\n");
    assert_eq!(code(&feed(inkout().args(["rules", "diff", "builtin"]).arg(old), b"")), 2);
}

#[test]
fn a_file_of_gitleaks_is_printed_as_one_of_ours() {
    let folder = Folder::new();
    let theirs = "title = 'x'\n[[rules]]\nid = 'acme-key'\ndescription = 'Acme'\nregex = '''acme_([a-z0-9]{20})'''\npath = 'x'\n";
    let file = folder.file("gitleaks.toml", theirs);
    let output = feed(inkout().args(["rules", "import"]).arg(&file), b"");
    assert_eq!(code(&output), 0);
    assert!(stderr(&output).contains("rule `acme-key`: "), "{}", stderr(&output));
    let ours = folder.file("ours.toml", stdout(&output));
    let text = made_up("got acme_{lowernum:20} here\n");
    assert_eq!(quietly(&feed(inkout().arg("--rules").arg(ours), text.as_bytes())), "got acme_REDACTED.acme-key here\n");
    let wrong = feed(inkout().args(["rules", "import"]).arg(folder.file("x.toml", "a = 1")), b"");
    assert!(code(&wrong) == 2 && stderr(&wrong).contains("no `[[rules]]`"), "{}", stderr(&wrong));
}

#[test]
fn what_tells_a_credential_apart_may_be_kept() {
    let id = made_up("AKIA{base32:16}");
    let check = |arguments: &[&str], text: &str, expected: &str| {
        assert_eq!(quietly(&run_on(arguments, text.as_bytes())), expected, "{text}");
    };
    for text in [format!("accessKeyId={id} x"), format!("{{\"AWS_ACCESS_KEY_ID\":\"{id}\"}}")] {
        check(&[], &text, &text);
    }
    check(&[], &format!("use {id} now"), &format!("use ****{} now", &id[16..]));
    check(&["--disable", "credential-id"], &id, &id);
    let key = made_up("sk-ant-api03-{alnum:93}AA");
    check(&["--action", "prefix12"], &format!("api_key={key} x"), &format!("api_key={}**** x", &key[..12]));
    for text in ["api_key=sk-abc...", "api_key: sk-ant-api0... is wrong", "api_key=sk-ant-api03****"] {
        check(&["--action", "prefix12"], text, text);
    }
    check(&["--action", "prefix12"], "password=hunter2", "password=hu****");
}

#[test]
fn bodies_are_masked_when_asked_for() {
    let text = "{\"request_body\":\"a=b&c=d\",\"status\":200}";
    assert_eq!(quietly(&run_on([""; 0], text.as_bytes())), text);
    let folder = Folder::new();
    let config = folder.file("inkout.toml", "[policy]\nbody = 'replace'\n");
    let masked = feed(inkout().arg("--config").arg(config), text.as_bytes());
    assert_eq!(quietly(&masked), "{\"request_body\":\"[REDACTED:body]\",\"status\":200}");
}

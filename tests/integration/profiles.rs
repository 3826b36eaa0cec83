//! Policies that come with the program: what each of them masks, and what none of them touches.

use crate::support::{Folder, code, feed, inkout, quietly, run_on, stderr, stdout};

/// What a profile leaves of a line; the line's numbers are documentation's, so that no one is theirs.
#[track_caller]
fn check(profile: &str, line: &str, expected: &str) {
    let out = feed(inkout().args(["--profile", profile]).env("INKOUT_HASH_KEY", "0123456789abcdef"), line.as_bytes());
    assert_eq!(quietly(&out), expected, "{profile}: {line}");
}

const LINES: [&str; 4] = [
    "mail ada@example.com from 192.0.2.17 call +49 30 1234567 x",
    "card 4111 1111 1111 1111 and DE89370400440532013000 x",
    r#"{"ssn":"078-05-1120","mrn":123456,"dob":"1815-12-10"}"#,
    "password=hunter2",
];

#[test]
fn a_profile_masks_its_own_and_nothing_else() {
    for line in &LINES[..3] {
        assert_eq!(quietly(&run_on([""; 0], line.as_bytes())), *line, "off without a profile");
        check("credentials", line, line);
    }
    for profile in ["credentials", "pci", "gdpr", "hipaa"] {
        check(profile, LINES[3], "password=REDACTED.password");
    }
    check("pci", LINES[0], LINES[0]);
    check("pci", LINES[1], "card [REDACTED:payment-card] and [REDACTED:iban] x");
    check("gdpr", LINES[1], LINES[1]);
    check(
        "hipaa",
        LINES[2],
        r#"{"ssn":"[REDACTED:us-social-security-number]","mrn":"[REDACTED:medical-record-number]","dob":"[REDACTED:date-of-birth]"}"#,
    );
    check("hipaa", LINES[0], "mail [REDACTED:email-address] from [REDACTED:ip-address] call [REDACTED:phone-number] x");
}

#[test]
fn pseudonyms_are_the_same_for_the_same_person() {
    let line = "ada@example.com bob@example.com ada@example.com 192.0.2.17\n";
    let run = |key: Option<&str>| {
        let mut command = inkout();
        key.into_iter().for_each(|key| {
            command.env("INKOUT_HASH_KEY", key);
        });
        feed(command.args(["--profile", "gdpr"]), line.as_bytes())
    };
    let keyed = quietly(&run(Some("0123456789abcdef")));
    let words: Vec<&str> = keyed.split_whitespace().collect();
    assert!(
        words.len() == 4 && words[0].starts_with("[email-address:") && words[3].starts_with("[ip-address:"),
        "{keyed}"
    );
    assert!(words[0] == words[2] && words[0] != words[1], "{keyed}");
    assert_eq!(quietly(&run(Some("0123456789abcdef"))), keyed);
    let unkeyed = run(None);
    assert!(stderr(&unkeyed).contains("within this run only"), "{}", stderr(&unkeyed));
    assert!(code(&unkeyed) == 0 && stdout(&unkeyed) != keyed && !stdout(&unkeyed).contains("ada@"));
}

#[test]
fn identifiers_that_look_like_numbers_of_people_stay() {
    let lines = [
        "trace_id=4111111111111111 span: 5555555555554444 at 1700000000000000",
        r#"{"span_id":"4111111111111111","ids": [4111111111111111, 5555555555554444]}"#,
        "2026-11-22T09:00:00.123+02:00 GET /orders/4111111111111111 200 7ms",
        "[22/Nov/2026:09:00:01 +0000] mac 00:1b:44:11:3a:b7 v1.2.3 user@1000.service logo@2x.png",
        "commit 4111111111111111aaaaaaaaaaaaaaaaaaaaaaaa clone git@github.com:acme/app.git",
    ];
    for line in lines {
        check("pci,hipaa", line, line);
    }
}

#[test]
fn categories_are_switched_on_by_a_policy_and_go_before_a_profile() {
    let folder = Folder::new();
    let run = |text: &str| {
        let config = folder.file("inkout.toml", text);
        feed(inkout().arg("--config").arg(config), LINES[0].as_bytes())
    };
    let kept = "mail [REDACTED:email-address] from 192.0.2.REDACTED.ip-host call [REDACTED:phone-number] x";
    assert_eq!(quietly(&run("[policy]\npersonal = 'replace'\n")), kept);
    let one = "mail [REDACTED:email-address] from 192.0.2.17 call +49 30 1234567 x";
    assert_eq!(quietly(&run("[policy]\nemail-address = 'replace'\n")), one);
    let removed = "mail  from 192.0.2.17 call  x";
    assert_eq!(quietly(&run("profile = ['gdpr']\n[policy]\npersonal = 'remove'\nnetwork = 'keep'\n")), removed);
    assert_eq!(quietly(&run("only = ['personal']\n")), kept);
    let unknown = run_on(["--profile", "pcidss"], b"x");
    assert_eq!(code(&unknown), 2);
    assert!(stderr(&unknown).contains("--profile: unknown profile `pcidss`; known: credentials, gdpr, hipaa, pci"));
}

#[test]
fn a_profile_is_there_to_be_read() {
    let shown = quietly(&run_on(["rules", "show", "gdpr"], b""));
    assert!(shown.contains("not a compliance product") && shown.contains("personal = \"hash\""), "{shown}");
    let listed = quietly(&run_on(["rules", "list", "--profile", "pci"], b""));
    assert!(listed.contains("payment-card") && !listed.contains("ip-host"), "{listed}");
}

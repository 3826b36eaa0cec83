//! Every format: that it is one, that it tells what was found, and that it holds no secret.

use std::process::Output;

use serde_json::Value;

use crate::planted::Planted;
use crate::support::{Folder, code, inkout, run_on, stderr, stdout};

const FORMATS: [&str; 7] = ["table", "json", "jsonl", "sarif", "html", "junit", "csv"];

fn check(planted: &Planted, arguments: &[&str]) -> Output {
    inkout().arg("check").arg(planted.tree()).args(arguments).output().unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn no_format_holds_a_secret() {
    let planted = Planted::new();
    for format in FORMATS {
        for more in [&[][..], &["--templates"], &["--color", "always"], &["-j", "1"]] {
            let output = check(&planted, &[&["--format", format], more].concat());
            assert_eq!((code(&output), stderr(&output).as_str()), (1, ""), "{format} {more:?}");
            planted.is_in_none_of(format, &output.stdout);
            assert!(output.stdout.len() > 500, "{format}");
            assert!(!output.stdout.contains(&0x1b) || more.contains(&"always"), "{format}");
        }
    }
}

#[test]
fn json_tells_places_counts_and_what_was_left() {
    let planted = Planted::new();
    let report = json(&stdout(&check(&planted, &["--format", "json"])));
    let summary = &report["summary"];
    assert_eq!((&summary["findings"], &summary["listed"]), (&Value::from(8), &Value::from(8)), "{summary:#}");
    assert_eq!(summary["templates_left_alone"], 1);
    assert_eq!(summary["files_with_findings"], 7);
    assert_eq!(summary["complete"], true);
    assert_eq!(summary["not_inspected"].as_array().unwrap().len(), 1);
    assert_eq!(summary["by_rule"]["github-token"], 1);
    let findings = report["findings"].as_array().unwrap();
    let ending = |end: &str| {
        let of = |finding: &&Value| finding["path"].as_str().unwrap().ends_with(end);
        findings.iter().find(of).unwrap_or_else(|| panic!("{end} in {findings:#?}"))
    };
    let env = ending("app.env");
    assert_eq!((env["line"].as_u64(), env["column"].as_u64(), env["offset"].as_u64()), (Some(2), Some(13), Some(23)));
    assert_eq!(
        (env["found_by"].as_str(), env["excerpt"].as_str()),
        (Some("key `DB_PASSWORD`"), Some("DB_PASSWORD=REDACTED.password"))
    );
    let odd = ending("onerror=alert(1)>.log");
    assert_eq!((odd["path_escaped"].as_bool(), odd["column"].as_u64()), (Some(true), Some(12)));
    assert!(odd["path"].as_str().unwrap().contains("odd\\nname \\xff"), "{odd}");
    assert_eq!(ending("bundle.tar")["member"], "inner/<script>.log");
    assert_eq!(ending("old.log.gz")["line"], 2);
    // A name may hold a secret, too.
    assert_eq!(findings.iter().filter(|finding| finding["path"].as_str().unwrap().contains("REDACTED")).count(), 1);
}

#[test]
fn each_line_of_jsonl_is_an_object_and_the_last_a_summary() {
    let planted = Planted::new();
    let text = stdout(&check(&planted, &["--format", "jsonl"]));
    let types: Vec<String> = text.lines().map(|line| json(line)["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!((types.len(), types.last().map(String::as_str)), (9, Some("summary")));
    assert!(types[..8].iter().all(|kind| kind == "finding"));
}

/// What the schema of SARIF 2.1.0 requires of the objects we write, and the values it allows.
#[test]
fn sarif_is_what_its_schema_asks_for() {
    let planted = Planted::new();
    planted.broken();
    let output = check(&planted, &["--format", "sarif"]);
    assert_eq!(code(&output), 3);
    let log = json(&stdout(&output));
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().unwrap().ends_with("sarif-schema-2.1.0.json"));
    let runs = log["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1);
    let run = &runs[0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "inkout");
    let rules = driver["rules"].as_array().unwrap();
    for rule in rules {
        assert!(rule["id"].is_string() && rule["shortDescription"]["text"].is_string(), "{rule}");
        assert!(
            ["error", "warning", "note", "none"].contains(&rule["defaultConfiguration"]["level"].as_str().unwrap())
        );
        rule["properties"]["security-severity"].as_str().unwrap().parse::<f64>().unwrap();
    }
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let tokens: Vec<&str> =
        run["redactionTokens"].as_array().unwrap().iter().map(|token| token.as_str().unwrap()).collect();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 8);
    let mut prints = Vec::new();
    for result in results {
        let rule = &rules[result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(result["ruleId"], rule["id"]);
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        assert!(uri.is_ascii() && !uri.contains([' ', '<', '>', '"', '\n', '\\']), "{uri}");
        let region = |name: &str| place["region"][name].as_u64().filter(|count| *count > 0).unwrap();
        assert!(region("startLine") <= region("endLine"));
        assert!(region("startLine") < region("endLine") || region("startColumn") < region("endColumn"));
        let snippet = place["contextRegion"]["snippet"]["text"].as_str().unwrap();
        assert!(tokens.iter().any(|token| snippet.contains(token)), "{snippet}");
        prints.push(result["partialFingerprints"]["inkoutFinding/v1"].as_str().unwrap().to_owned());
    }
    prints.sort();
    prints.dedup();
    assert_eq!(prints.len(), 8);
    // A member of an archive is an artifact in an artifact.
    let nested = results
        .iter()
        .find_map(|result| result["locations"][0]["physicalLocation"]["artifactLocation"]["index"].as_u64());
    let artifacts = run["artifacts"].as_array().unwrap();
    let member = &artifacts[nested.unwrap() as usize];
    assert_eq!(member["location"]["uri"], "/inner/%3Cscript%3E.log");
    let archive = &artifacts[member["parentIndex"].as_u64().unwrap() as usize];
    assert!(archive["location"]["uri"].as_str().unwrap().ends_with("bundle.tar"));
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let notes = invocation["toolExecutionNotifications"].as_array().unwrap();
    let levels: Vec<&str> = notes.iter().map(|note| note["level"].as_str().unwrap()).collect();
    assert_eq!((notes.len(), levels.contains(&"error"), levels.contains(&"note")), (2, true, true));
}

#[test]
fn csv_and_junit_keep_odd_names_in_their_place() {
    let planted = Planted::new();
    let csv = stdout(&check(&planted, &["--format", "csv"]));
    let lines: Vec<&str> = csv.split("\r\n").filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 9, "{csv}");
    assert!(lines.iter().any(|line| line.contains("=formula,\"\"x\"\".log\",")), "{csv}");
    let junit = stdout(&check(&planted, &["--format", "junit"]));
    assert_eq!((junit.matches("<testcase ").count(), junit.matches("</testcase>").count()), (8, 8), "{junit}");
    assert!(
        junit.contains("failures=\"8\" errors=\"0\"") && !junit.contains("<script") && junit.contains("&lt;img src=x"),
        "{junit}"
    );
}

#[test]
fn exit_codes_tell_who_is_to_blame() {
    let planted = Planted::new();
    let clean = planted.folder.file("clean.log", "nothing here\npassword=${PASSWORD}\n");
    let run = |arguments: &[&str]| inkout().arg("check").arg(&clean).args(arguments).output().unwrap();
    assert_eq!(code(&run(&[])), 0);
    assert_eq!(code(&run(&["--templates"])), 0);
    assert_eq!(code(&check(&planted, &["-q"])), 1);
    assert_eq!((code(&check(&planted, &["--exit-code", "7"])), code(&check(&planted, &["--exit-code", "0"]))), (7, 0));
    for wrong in [
        &["--format", "xml"][..],
        &["--baseline", "/nowhere/b.json"],
        &["--only", "passwrd"],
        &["--include", "{a"],
        &["--type", "nix-wie"],
    ] {
        let output = run(wrong);
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{wrong:?} {}", stderr(&output));
    }
    let broken = planted.broken();
    let output = check(&planted, &["--format", "json"]);
    assert_eq!(code(&output), 3);
    assert_eq!(stderr(&output), format!("inkout: {}: broken gzip: it ends in the middle\n", broken.display()));
    assert_eq!(json(&stdout(&output))["summary"]["findings"], 8);
    let output = run(&["--output", "/nowhere/report"]);
    assert_eq!((code(&output), stderr(&output).starts_with("inkout: /nowhere/report: No such file")), (3, true));
}

#[test]
fn standard_input_is_read_where_no_path_is_named() {
    for arguments in [&["check"][..], &["check", "-"]] {
        let output = run_on(arguments, b"a=1\nx password=hunter2 y\n");
        let said = stdout(&output);
        assert_eq!(code(&output), 1, "{said}");
        assert!(said.starts_with("-:2:12  password  key `password`\n    x password=REDACTED.password y\n"), "{said}");
    }
    assert_eq!(code(&run_on(["check"], b"clean\n")), 0);
}

#[test]
fn positions_hold_in_lines_that_are_too_long_to_be_seen_whole() {
    let line = format!("first\n{} é password=hunter2 {}\nlast pwd=hunter3\n", "x".repeat(3 << 20), "y".repeat(3 << 20));
    let output = run_on(["check", "--format", "json"], line.as_bytes());
    let report = json(&stdout(&output));
    let findings = report["findings"].as_array().unwrap();
    let place = |index: usize| {
        let finding: &Value = &findings[index];
        ["line", "column", "offset"].map(|name| finding[name].as_u64().unwrap())
    };
    assert_eq!(place(0), [2, (3 << 20) + 13, 6 + (3 << 20) + 13]);
    assert_eq!((place(1)[0], place(1)[1]), (3, 10));
    assert!(findings[0]["excerpt"].as_str().unwrap().contains("é password=REDACTED.password yyy"));
}

#[test]
fn what_is_not_listed_is_counted() {
    let text: String = (0..500).map(|n| format!("password=hunter{n} n={n}\n")).collect();
    for format in ["json", "table", "sarif"] {
        let output = run_on(["check", "--max-listed", "10", "--format", format], text.as_bytes());
        let said = stdout(&output);
        let wanted = match format {
            "json" => "\"findings\":500",
            "table" => "and 490 findings that are not listed",
            _ => "490 more findings are counted but not listed",
        };
        assert!(said.contains(wanted) && said.contains("n=9") && !said.contains("n=10"), "{said}");
    }
}

#[test]
fn the_hash_of_a_line_tells_nothing_of_a_secret_that_goes_on_in_it() {
    let hash = |rest: &str| {
        let (first, second) = (r#"{"msg":"login","token":"abcdEFGH1234"#, r#"","db_password":"hunter2x"}"#);
        let head = "2026-11-22T10:00:00.000000000Z stdout";
        let text = format!("{head} P {first}\n{head} F {rest}{second}\n");
        let output = run_on(["check", "--format", "json"], text.as_bytes());
        let report = json(&stdout(&output));
        let findings = report["findings"].as_array().unwrap();
        assert_eq!((findings.len(), findings[1]["line"].as_u64()), (2, Some(2)), "{}", stdout(&output));
        assert!(!findings[1]["excerpt"].as_str().unwrap().contains(rest));
        findings[1]["line_hash"].as_str().unwrap().to_owned()
    };
    assert_eq!(hash("et99x"), hash("qw72z"));
}

#[test]
fn a_page_that_cannot_be_written_stops_clean_before_anything_is_changed_and_hides_nothing_of_check() {
    let folder = Folder::new();
    let log = folder.file("a.log", "password=hunter2x\n");
    let run = |arguments: &[&str]| inkout().args(arguments).arg(&log).output().unwrap();
    let output = run(&["clean", "-i", "--report", "/nowhere/page.html"]);
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    assert!(stderr(&output).contains("cannot write /nowhere/page.html: No such file"), "{}", stderr(&output));
    assert_eq!(std::fs::read(&log).unwrap(), b"password=hunter2x\n");
    if let Ok(true) = std::fs::exists("/dev/full") {
        let output = run(&["clean", "-i", "--report", "/dev/full", "missing.log"]);
        assert_eq!(code(&output), 3);
        assert!(
            stderr(&output).contains("missing.log: No such file") && stderr(&output).contains("/dev/full: No space")
        );
        assert!(
            stdout(&output).contains("2 files: 1 cleaned (1 finding), 0 unchanged, 0 skipped, 1 failed")
                || stdout(&output).contains("1 file: 1 cleaned"),
            "{}",
            stdout(&output)
        );
    }
    let output = run(&["clean", "-n", "--report", folder.path("page.html").to_str().unwrap()]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(std::fs::read_to_string(folder.path("page.html")).unwrap().ends_with("</html>\n"));
    std::fs::write(&log, "password=hunter2x\n").unwrap();
    let output = run(&["check", "--report", "/nowhere/page.html"]);
    assert_eq!((code(&output), stdout(&output).contains("a.log:1:10  password")), (3, true), "{}", stdout(&output));
}

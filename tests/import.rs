//! Rules of gitleaks as rules of ours: what they find and leave here, what is said about the rest, and that what cannot work is
//! refused at its line. The rules are written for these tests; they are nobody's.

use std::sync::Arc;

use inkout::engine::{Engine, Limits, Policy, Rule, RuleSet, Stream};
use inkout::rules::import::{Imported, gitleaks, looks_like_gitleaks, to_toml};
use inkout::rules::{Catalog, generator};

/// `body` below `[[rules]]` and the id `acme-key`: lines 1 and 2.
fn rule(body: &str) -> String {
    format!("[[rules]]\nid = \"acme-key\"\n{body}")
}

#[track_caller]
fn imported(text: &str) -> Imported {
    gitleaks("gl.toml", text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Each of `texts` holds exactly the findings that are marked in it, also after the rules were written out and read again.
#[track_caller]
fn check(text: &str, texts: &[&str], notes: &[&str]) {
    let imported = imported(text);
    let written = to_toml(&imported);
    let again = Catalog::parse("own.toml", &written).unwrap_or_else(|error| panic!("{error}\n{written}"));
    for set in [imported.catalog.set.clone(), again.set] {
        finds(set, texts);
    }
    let said: Vec<&str> = imported.notes.iter().map(|note| note.what.as_str()).collect();
    assert_eq!(said.len(), notes.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(notes) {
        assert!(said.contains(expected), "{said} / {expected}");
    }
}

#[track_caller]
fn engine(set: RuleSet) -> Engine {
    let engine = Engine::compile(set, Policy::default(), &Limits::default()).unwrap_or_else(|error| panic!("{error}"));
    engine.warm().expect("no program is too large");
    engine
}

#[track_caller]
fn finds(set: RuleSet, texts: &[&str]) {
    let engine = engine(set);
    let mut scratch = engine.scratch();
    for text in texts {
        for seed in 0..5 {
            let (text, marks) = generator::marked(text, seed).expect("a valid example");
            let found: Vec<_> =
                engine.find(&mut scratch, text.as_bytes()).iter().map(|span| span.start..span.end).collect();
            assert_eq!(found, marks, "{text}");
        }
    }
}

#[test]
fn the_secret_is_the_first_group_or_the_one_that_is_named() {
    let first = rule("regex = '''acme_key:([a-z]{9}):([a-z]{9})'''");
    check(&first, &["acme_key:«{lower:9}»:{lower:9}", "acme_key:{lower:8}:{lower:9}"], &[]);
    let second = rule("regex = '''acme_key:([a-z]{9}):([a-z]{9})'''\nsecretGroup = 2");
    check(&second, &["acme_key:{lower:9}:«{lower:9}»"], &[]);
    let whole = rule("regex = '''acme_key:([a-z]{9})'''\nsecretGroup = 0");
    check(&whole, &["x «acme_key:{lower:9}» y"], &[]);
    let none = rule("regex = '''\\bacme_key:[a-z]{9}\\b'''");
    check(&none, &["x «acme_key:{lower:9}» y", "xacme_key:{lower:9}", r"a\n«acme_key:{lower:9}»"], &[]);
    let named = rule("regex = '''acme_(?P<kind>key|pin):(?P<value>[0-9]{9})'''\nsecretGroup = 2");
    check(&named, &["acme_key:«{digit:9}» acme_pin:«{digit:9}»"], &[]);
}

#[test]
fn a_group_that_is_not_in_every_match_widens_the_secret() {
    let either = rule("regex = '''acme_a:([a-z]{9})|acme_b:([0-9]{9})'''");
    check(&either, &["«acme_a:{lower:9}» «acme_b:{digit:9}»"], &["the whole match is masked"]);
    let maybe = rule("regex = '''acme_key:(x-)?[a-z]{9}'''");
    check(&maybe, &["«acme_key:x-{lower:9}» «acme_key:{lower:9}»"], &["the whole match is masked"]);
}

#[test]
fn the_syntax_of_go_is_understood() {
    let braces = rule(r#"regex = '''acme\${([a-z]{9})}'''"#);
    check(&braces, &["acme${«{lower:9}»}"], &[]);
    let quoted = rule(r#"regex = '''\Qacme.key+\E([a-z]{9})'''"#);
    check(&quoted, &["acme.key+«{lower:9}»", "acmexkey+{lower:9}"], &[]);
    let class = rule(r#"regex = '''acme_key[[({]([[:alnum:]]{9})'''"#);
    check(&class, &["acme_key[«{alnum:9}»", "acme_key({alnum:8}"], &[]);
    let angles = rule(r#"regex = '''acme\<([a-z]{9})\>'''"#);
    check(&angles, &["acme<«{lower:9}»>", "acme {lower:9} "], &[]);
    let escapes = rule(r#"regex = '''(?i)acme_key[\x60'"\s=]{1,3}([a-z0-9]{16})(?:[\x60'"\s;]|\\[nr]|$)'''"#);
    let texts = ["ACME_KEY='«{lowernum:16}»'", "acme_key = «{lowernum:16}»\nnext", r"acme_key=«{lowernum:16}»\n"];
    check(&escapes, &texts, &["in 1 of the rules: `^`, `$`"]);
}

#[test]
fn the_ends_of_a_file_are_those_of_a_record() {
    let ends = rule("regex = '''^acme_key=([a-z]{9})$'''");
    let texts =
        ["acme_key=«{lower:9}»", "a\nacme_key=«{lower:9}»\nb", "a\r\nacme_key=«{lower:9}»\r\n", "x acme_key={lower:9}"];
    check(&ends, &texts, &["ends of a record"]);
    let text = rule(r"regex = '''\Aacme_key=([a-z]{9})\z'''");
    check(&text, &["a\nacme_key=«{lower:9}»\nb", "acme_key={lower:9} "], &["ends of a record"]);
    let across = rule(r"regex = '''acme_begin\n([a-z]{9})'''");
    check(&across, &["acme_begin\n{lower:9}"], &["every match holds a line end"]);
}

#[test]
fn a_prefix_that_may_be_anything_is_no_hindrance() {
    let any = rule(
        "regex = '''(?i)[\\w.-]{0,50}?(?:acme|emca)(?:[ \\t\\w.-]{0,20})[=:]\\s?([a-f0-9]{32})\\b'''\nkeywords = [\"acme\", \"emca\"]",
    );
    let texts = ["my.acme-api_key: «{hex:32}»", "EMCA=«{hex:32}»", "{hex:32}", "acne={hex:32}"];
    check(&any, &texts, &["keywords are not kept, because"]);
}

#[test]
fn keywords_are_a_gate_where_the_pattern_has_no_literal() {
    let hex = rule("regex = '''\\b[a-f0-9]{32}\\b'''\nkeywords = [\"Acme\"]");
    let note = "keywords must stand in the record";
    check(
        &hex,
        &["id {hex:32}\nACME said «{hex:32}» and «{hex:32}»\n{hex:32}", "«{hex:32}» acme", "x{hex:32} acme"],
        &[note],
    );
    let both = rule("regex = '''\\b(?:id|no)-[0-9]{9}\\b'''\nkeywords = [\"acme_key\", \"acme-key\"]");
    check(&both, &["«id-{digit:9}» acme_key", "no-{digit:9} acme key"], &[note]);
    let anchored = rule("regex = '''\\bSKX[a-f0-9]{32}\\b'''\nkeywords = [\"acme\"]");
    check(&anchored, &["Acme: «SKX{hex:32}»", "emca: SKX{hex:32}"], &[note]);
}

#[test]
fn a_rule_that_reads_every_record_says_what_it_costs() {
    let text = rule("regex = '''\\b[a-f0-9]{32}\\b'''");
    check(&text, &["«{hex:32}»\nx «{hex:32}»", "{hex:31}"], &["always_scan: no literal and no keyword"]);
    assert!(imported(&text).catalog.set.rules[0].always_scan);
    let note = &imported(&text).notes[0];
    assert!(note.what.contains("MB/s") && note.rule == "acme-key" && note.line == 1, "{note}");
    let short = rule("regex = '''\\b[a-f0-9]{32}\\b'''\nkeywords = [\"\"]");
    check(&short, &["«{hex:32}»"], &["keywords are not kept: ``", "always_scan"]);
    let common = rule("regex = '''\\b[a-f0-9]{32}\\b'''\nkeywords = [\"s.\"]");
    check(
        &common,
        &["s.{hex:3} «{hex:32}»", "{hex:32}"],
        &["must stand in the record", "keyword `s.` stands in many records"],
    );
    let long = rule(&format!("regex = '''\\b[a-f0-9]{{32}}\\b'''\nkeywords = [\"{}\"]", "acme".repeat(20)));
    check(&long, &["{hex:32}"], &["only the first 48 bytes", "must stand in the record"]);
}

/// A rule with no literal, for records with `acme` in them.
const GATED: &str = "regex = '''\\b[A-F0-9]{32}\\b'''\nkeywords = [\"acme\"]";

#[test]
fn a_record_is_searched_in_strides_and_nothing_falls_between_them() {
    let engine = engine(imported(&rule(GATED)).catalog.set);
    let mut scratch = engine.scratch();
    let secret = generator::expand("{HEX:32}", 1).unwrap();
    for gap in (0..300).chain(4000..4200).chain(8100..8300) {
        let text = format!("{} {secret} {} {secret} acme", "-".repeat(gap), "- ".repeat(3000));
        let found: Vec<usize> = engine.find(&mut scratch, text.as_bytes()).iter().map(|span| span.start).collect();
        assert_eq!(found, [gap + 1, gap + 6035], "{gap}");
    }
}

#[test]
fn a_record_of_near_misses_costs_no_more_than_its_length() {
    let engine = engine(imported(&rule("regex = '''\\b[b-z][a-z ]{30,}=[0-9]'''\nkeywords = [\"acme\"]")).catalog.set);
    let mut scratch = engine.scratch();
    let text = format!("acme {}", "ab ".repeat(200_000));
    assert!(engine.find(&mut scratch, text.as_bytes()).is_empty());
    let calls = engine.costs(&scratch)[0].regex_calls;
    assert!(calls < 1_000, "{calls} regex calls for {} bytes", text.len());
}

#[test]
fn a_record_with_many_keywords_is_searched_once() {
    let engine = engine(imported(&rule(GATED)).catalog.set);
    let mut scratch = engine.scratch();
    let line = format!("{}\n", "acme ".repeat(50));
    engine.find(&mut scratch, line.repeat(10).as_bytes());
    assert_eq!(engine.costs(&scratch)[0].regex_calls, 10);
}

#[test]
fn the_gate_does_not_depend_on_how_the_input_was_cut() {
    let engine = Arc::new(engine(imported(&rule(GATED)).catalog.set));
    let text = generator::expand("a {HEX:32}\nb acme {HEX:32} {HEX:32}\r\n{HEX:32}\nacme {HEX:32}", 3).unwrap();
    let redacted = |cut: usize| {
        let (mut stream, mut out) = (Stream::new(Arc::clone(&engine)), Vec::new());
        text.as_bytes()
            .chunks(cut)
            .for_each(|chunk| stream.push(chunk, |masked| out.extend_from_slice(masked.as_bytes())));
        stream.finish(|masked| out.extend_from_slice(masked.as_bytes()));
        String::from_utf8(out).unwrap()
    };
    let whole = redacted(text.len());
    assert_eq!(whole.matches("REDACTED").count(), 3, "{whole}");
    for cut in 1..60 {
        assert_eq!(redacted(cut), whole, "{cut}");
    }
}

#[test]
fn a_secret_of_little_entropy_is_left() {
    let floor = rule("regex = '''acme_key=(\\w{16})'''\nentropy = 3");
    check(&floor, &["acme_key=«{alnum:16}»", "acme_key=aaaaaaaabbbbbbbb"], &[]);
    let none = rule("regex = '''acme_key=(\\w{16})'''\nentropy = 0.0");
    check(&none, &["acme_key=«aaaaaaaabbbbbbbb»"], &[]);
}

#[test]
fn an_allowlist_looks_at_the_secret_the_match_or_the_record() {
    let body = "regex = '''acme_key=(\\w{9})'''\n";
    let secret = rule(&format!("{body}[[rules.allowlists]]\nregexes = ['''^demo''']"));
    check(&secret, &["acme_key=demo{lower:5}", "acme_key=«x{lower:4}demo»", "demo acme_key=«xx{lower:7}»"], &[]);
    let matched = rule(&format!("{body}[[rules.allowlists]]\nregexTarget = \"match\"\nregexes = ['''=demo''']"));
    check(&matched, &["acme_key=demo{lower:5}", "x=demo acme_key=«xx{lower:7}»"], &[]);
    let line =
        rule(&format!("{body}[[rules.allowlists]]\nregexTarget = \"line\"\nregexes = ['''^DEMO ''', '''test$''']"));
    check(&line, &["DEMO acme_key={lower:9}\nacme_key=«{lower:9}»", "a\nacme_key={lower:9} test\r\nb test x"], &[]);
}

#[test]
fn stopwords_are_sought_in_the_secret_whatever_their_case() {
    let body = "regex = '''acme_key=(\\w{12})'''\n[rules.allowlist]\nstopwords = [\"Example\", \"dummy\"]";
    check(
        &rule(body),
        &["acme_key=EXAMPLE{lower:5}", "acme_key=a_duMMy_{lower:4}", "example acme_key=«{digit:12}»"],
        &[],
    );
}

#[test]
fn an_allowlist_may_need_all_it_names() {
    let body = "regex = '''acme_key=(\\w{12})'''\n[[rules.allowlists]]\ncondition = \"AND\"\n";
    let both = rule(&format!("{body}stopwords = [\"demo\"]\nregexes = ['''^x''']"));
    check(&both, &["acme_key=xdemo{lower:7}", "acme_key=«ydemo{digit:7}»", "acme_key=«x{digit:11}»"], &[]);
    let path = rule(&format!("{body}stopwords = [\"demo\"]\npaths = ['''\\.md$''']"));
    check(&path, &["acme_key=«demo{digit:8}»"], &["an allowlist is not kept: it needs paths"]);
    let either = "regex = '''acme_key=(\\w{12})'''\n[[rules.allowlists]]\nstopwords = [\"demo\"]\npaths = ['''x''']\ncommits = [\"1\"]";
    check(&rule(either), &["acme_key=demo{digit:8}"], &["paths and commits are not kept"]);
    let only = "regex = '''acme_key=(\\w{12})'''\n[[rules.allowlists]]\ndescription = \"d\"\npaths = ['''x''']";
    check(&rule(only), &["acme_key=«{digit:12}»"], &["paths are not kept"]);
}

#[test]
fn the_files_allowlists_hold_for_its_rules_and_no_other() {
    let two = "[[rules]]\nid = \"acme-a\"\nregex = '''acme_a=(\\w{9})'''\n[[rules]]\nid = \"acme_b\"\nregex = '''acme_b=(\\w{9})'''\n";
    let all = format!("[allowlist]\nregexes = ['''^demo''']\n{two}");
    check(&all, &["acme_a=demo{lower:5} acme_b=demo{lower:5} acme_a=«x{lower:8}»"], &["its id was `acme_b`"]);
    let one = format!("[[allowlists]]\ntargetRules = [\"acme_b\"]\nstopwords = [\"demo\"]\n{two}");
    check(&one, &["acme_a=«demo{lower:5}» acme_b=demo{lower:5}"], &["its id was `acme_b`"]);
    let mut set = Catalog::builtin();
    let before = format!("{:?}", set.set.rules.iter().map(|rule| &rule.allow).collect::<Vec<_>>());
    let rules = set.set.rules.len();
    set.extend(imported(&all).catalog).unwrap();
    assert_eq!(format!("{:?}", set.set.rules[..rules].iter().map(|rule| &rule.allow).collect::<Vec<_>>()), before);
}

#[test]
fn what_a_log_does_not_have_is_said() {
    let path = rule("regex = '''acme_key=(\\w{9})'''\npath = '''\\.env$'''\ntags = [\"a\"]");
    check(&path, &["acme_key=«{lower:9}»"], &["`path` is not kept", "`tags` are not kept"]);
    let file = rule("path = '''\\.p12$'''");
    check(&file, &["x.p12"], &["not imported: it finds files by their path"]);
    let required = rule("regex = '''acme_key=(\\w{9})'''\n[[rules.required]]\nid = \"acme-id\"\nwithinLines = 3");
    check(&required, &["acme_key=«{lower:9}»"], &["`required` is not kept"]);
    let auxiliary = rule("regex = '''acme_key=(\\w{9})'''\nskipReport = true");
    check(&auxiliary, &["acme_key={lower:9}"], &["`shadow = true`"]);
    let unknown = format!("{}\n[extra]\nx = 1", rule("regex = '''acme_key=(\\w{9})'''\nvalidate = \"x\""));
    check(&unknown, &["acme_key=«{lower:9}»"], &["`validate` is unknown", "`extra` is unknown"]);
}

#[test]
fn a_file_that_extends_another_says_what_stands_in_for_it() {
    let head = "[extend]\nuseDefault = true\npath = \"base.toml\"\ndisabledRules = [\"jwt\", \"acme-old\"]\n";
    let text =
        format!("{head}[[rules]]\nid = \"jwt\"\nkeywords = [\"x\"]\n{}", rule("regex = '''acme_key=(\\w{9})'''"));
    let notes = [
        "the rules built in here stand in",
        "`base.toml` is not read",
        "`jwt` is switched off only if",
        "`acme-old` is switched off only if",
        "it changes a rule of the set it extends",
    ];
    check(&text, &["acme_key=«{lower:9}»"], &notes);
    assert_eq!(imported(&text).disabled, ["jwt", "acme-old"]);
}

#[test]
fn names_are_made_ours_and_kept_apart_from_those_built_in() {
    let file = |id: &str| format!("[[rules]]\nid = \"{id}\"\nregex = '''acme_key=(\\w{{9}})'''");
    for (id, ours) in [("Acme_Key", "acme-key"), ("9acme", "rule-9acme"), ("acme..key v2", "acme-key-v2")] {
        let imported = imported(&file(id));
        assert_eq!(imported.catalog.set.rules[0].id, ours);
        assert_eq!(imported.notes[0].what, format!("its id was `{id}`"));
    }
    let mut imported = imported(&file("jwt"));
    let mut all = Catalog::builtin();
    imported.stand_beside(&all);
    assert_eq!(imported.catalog.set.rules[0].id, "gitleaks-jwt");
    assert!(imported.notes[0].what.contains("because `jwt` is another rule"));
    let mut noted = gitleaks("gl.toml", &format!("{}\ntags = ['t']", file("jwt"))).unwrap();
    noted.stand_beside(&all);
    assert!(noted.notes.len() == 2 && noted.notes.iter().all(|note| note.rule == "gitleaks-jwt"), "{:?}", noted.notes);
    all.extend(imported.catalog).unwrap();
}

#[test]
fn fields_are_read_whatever_their_case_and_missing_ones_have_a_meaning() {
    let text = rule(
        "description = \"two\\n lines\"\nREGEX = '''acme_key:(a)([a-z]{9})'''\nsecretgroup = 2\nKeywords = [\"ACME\"]",
    );
    let imported = imported(&text);
    assert_eq!(imported.catalog.set.rules[0].summary, "two lines");
    finds(imported.catalog.set, &["acme_key:a«{lower:9}»"]);
    let bare = gitleaks("gl.toml", &rule("regex = '''acme_key'''")).unwrap();
    assert_eq!(bare.catalog.set.rules[0].summary, "acme key");
    assert_eq!(bare.catalog.set.rules[0].origin.to_string(), "gl.toml:1");
}

#[test]
fn a_written_file_holds_every_note_and_the_same_rules() {
    let text = format!(
        "[allowlist]\nregexes = ['''^x''']\n{}\n[[rules.allowlists]]\nstopwords = [\"it's\"]\n[[rules]]\nid = \"b\"\npath = \"x\"\n",
        rule("regex = '''['\"]acme_key=([^'\"]{9})'''\nkeywords = [\"other\"]\nentropy = 2.5\ntags = [\"t\"]"),
    );
    let imported = imported(&text);
    let written = to_toml(&imported);
    for note in &imported.notes {
        assert!(written.contains(&note.what), "{note}\n{written}");
    }
    assert_eq!(written.matches("regexes = ['^x']").count(), 1, "{written}");
    let plain = |rule: &Rule| format!("{:?}", Rule { origin: Default::default(), ..rule.clone() });
    let again = Catalog::parse("own.toml", &written).unwrap();
    let rules = |catalog: &Catalog| catalog.set.rules.iter().map(plain).collect::<Vec<_>>();
    assert_eq!(rules(&imported.catalog), rules(&again));
}

#[test]
fn a_file_of_gitleaks_is_known_by_its_tables() {
    for text in
        ["[[rules]]\nid='x'", "title='x'\n[allowlist]\npaths=[]", "[extend]\nuseDefault=true", "[[rules]]\nid = \nx"]
    {
        assert!(looks_like_gitleaks(text), "{text}");
    }
    for text in ["", "[[rule]]\nid='x'", "[key_words]", "no toml", "[[rule]]\nid = \n", "title = 'x'"] {
        assert!(!looks_like_gitleaks(text), "{text}");
    }
}

#[track_caller]
fn refused(text: &str, message: &str) {
    let error = gitleaks("gl.toml", text).expect_err("the file is wrong");
    assert_eq!(error.to_string(), message, "\n{text}");
}

#[test]
fn a_regex_that_cannot_work_is_refused_at_its_line() {
    let check = |regex: &str, message: &str| {
        refused(&rule(&format!("regex = '''{regex}'''")), &format!("gl.toml:3: rule `acme-key`: {message}"));
    };
    let around = "look-around (`(?=`, `(?!`, `(?<=`, `(?<!`) is not supported; allowed: `\\b` and classes";
    check("acme(?=x)", around);
    check("(?<!x)acme", around);
    check(r"(acme)\1", "back-references are not supported; allowed: groups without references");
    check("acme(", "regex is not valid: unclosed group");
    check("acme_*|", "group `secret` can match the empty string; it must match at least one byte");
    check(r"acme\pL", "pattern is no valid regex: Unicode not allowed here");
    check("acme(?:[a-z]{1000}){1000}", "pattern compiles to more than 4194304 bytes; use smaller repeats");
}

#[test]
fn a_group_that_cannot_be_the_secret_is_refused() {
    let check = |regex: &str, group: &str, line: usize, message: &str| {
        let text = rule(&format!("regex = '''{regex}'''\nsecretGroup = {group}"));
        refused(&text, &format!("gl.toml:{line}: rule `acme-key`: {message}"));
    };
    check("acme(x)", "2", 4, "secretGroup 2 is not there; the regex has 1 groups");
    let empty = "group 1 may take no part in a match, or nothing of it; the secret is in every match";
    check("acme(x*)", "1", 3, empty);
    check("acme(x)?", "1", 3, empty);
    check("acme(x)", "-1", 4, "field `secretGroup` is the number of a group, or 0 for the whole match");
    check("acme(x)", "'1'", 4, "field `secretgroup` is a whole number");
}

#[test]
fn a_rule_that_is_not_complete_is_refused() {
    refused("[[rules]]\nregex = 'x'\n", "gl.toml:1: a rule has no id");
    refused(&rule(""), "gl.toml:1: rule `acme-key`: field `regex` is missing; a rule has a regex, a path or both");
    refused("rules = 1\n", "gl.toml:1: `rules` is a list of tables: [[rules]]");
    refused("[[rules]]\nid = \n", "gl.toml:2: string values must be quoted, expected literal string");
    let good = rule("regex = '''acme'''\n");
    refused(&format!("{good}{good}"), "gl.toml:4: rule `acme-key` is already defined at gl.toml:1");
    let other = good.replace("acme-key", "Acme_Key");
    refused(&format!("{good}{other}"), "gl.toml:4: rule `acme-key` is already defined at gl.toml:1");
    let kebab = "an id is kebab-case, begins with a letter and has at most 64 characters";
    refused("[[rules]]\nid = \"café\"\nregex = 'acme'\n", &format!("gl.toml:2: rule `café`: {kebab}"));
}

#[test]
fn a_wrong_field_is_refused_at_its_line() {
    let check = |added: &str, line: usize, message: &str| {
        refused(&rule(&format!("regex = '''acme'''\n{added}")), &format!("gl.toml:{line}: rule `acme-key`: {message}"));
    };
    check("entropy = \"3\"", 4, "field `entropy` is a number");
    check("entropy = 9", 4, "field `entropy` is a number of bits per byte, from 0 to 8");
    check("keywords = \"x\"", 4, "field `keywords` is a list of strings");
    check("keywords = [1]", 4, "field `keywords` is a string, or a list of strings");
    check("[rules.allowlist]\ncondition = \"XOR\"", 5, "unknown condition `XOR`; known: AND, OR");
    check("[rules.allowlist]\nregexTarget = \"file\"", 5, "unknown regexTarget `file`; known: match, line, secret");
    check("[rules.allowlist]\nregexes = [\n'''(x''']", 6, "allowlist: regex is not valid: unclosed group");
    let everything = "allowlist: allow `x*`: it matches everything, so that the rule would find nothing";
    check("[rules.allowlist]\nregexes = ['''x*''']", 4, everything);
    check("[rules.allowlist]\nstopwords = ['']", 4, "allowlist: a stopword is empty and would exempt everything");
}

//! The README is true: every pair of lines in it is redacted here, every flag of the program is named, and its commands are
//! those that a change must pass. Not a check of its prose.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use inkout::engine::{Engine, Limits, PLACEHOLDER_REGEX, Policy, Stream};
use inkout::rules::{Catalog, generator};

/// With fewer pairs the section is not what it says.
const MIN_PAIRS: usize = 40;
/// Generators write other text for every seed; what stands in the README holds for all of it.
const SEEDS: std::ops::Range<u64> = 0..5;
/// Stands for the escape character that colours begin with.
const ESCAPE: char = '␛';

/// Lines in and the lines that must come out.
#[derive(Debug, Default, PartialEq, Eq)]
struct Pair {
    line: usize,
    before: Vec<String>,
    after: Vec<String>,
}

fn text_of(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn readme() -> String {
    text_of("README.md")
}

/// The pairs of the fenced blocks marked `inkout`: `< ` in, `> ` out, `= ` in and out; lines of a kind belong together.
fn pairs(readme: &str) -> Vec<Pair> {
    let mut pairs = Vec::new();
    let mut open: Option<Pair> = None;
    let mut fenced = false;
    for (at, line) in readme.lines().enumerate() {
        if line.starts_with("```") {
            fenced = line == "```inkout";
            pairs.extend(open.take());
        } else if fenced {
            let (mark, text) = line.split_at_checked(2).unwrap_or((line, ""));
            let whole = open.as_ref().is_some_and(|pair| !pair.after.is_empty());
            if mark == "= " || mark == "< " && whole || line.is_empty() {
                pairs.extend(open.take());
            }
            let new = Pair { line: at + 1, ..Pair::default() };
            let text = text.to_owned();
            match mark {
                "< " => open.get_or_insert(new).before.push(text),
                "> " => open.as_mut().expect("lines out follow lines in").after.push(text),
                "= " => pairs.push(Pair { before: vec![text.clone()], after: vec![text], ..new }),
                "" => {}
                _ => panic!("README.md:{}: a line begins with `< `, `> ` or `= `", at + 1),
            }
        }
    }
    pairs
}

/// The line as a log has it, the same text for the same line and seed.
fn expanded(lines: &[String], seed: u64) -> String {
    let line =
        |line: &String| generator::expand(line, seed).expect("a known generator").replace(ESCAPE, "\u{1b}") + "\n";
    lines.iter().map(line).collect()
}

fn redacted(engine: &Arc<Engine>, text: &str) -> String {
    let mut stream = Stream::new(Arc::clone(engine));
    let mut out = Vec::new();
    stream.push(text.as_bytes(), |masked| out.extend_from_slice(masked.as_bytes()));
    stream.finish(|masked| out.extend_from_slice(masked.as_bytes()));
    String::from_utf8(out).expect("text, as it was")
}

fn engine() -> Arc<Engine> {
    Arc::new(
        Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default()).expect("built-in rules compile"),
    )
}

#[test]
fn every_pair_of_lines_is_what_the_engine_writes() {
    let (engine, pairs) = (engine(), pairs(&readme()));
    assert!(pairs.len() >= MIN_PAIRS, "{} pairs; the README promises {MIN_PAIRS}", pairs.len());
    let mut wrong = String::new();
    for pair in &pairs {
        let differs = |seed| {
            let (text, expected) = (expanded(&pair.before, seed), expanded(&pair.after, seed));
            let out = redacted(&engine, &text);
            (out != expected).then(|| format!("README.md:{}:\n{text}gives\n{out}and not\n{expected}\n", pair.line))
        };
        wrong.extend(SEEDS.into_iter().find_map(differs));
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn what_was_written_is_left_and_found_by_the_published_regex() {
    let readme = readme();
    assert!(readme.contains(PLACEHOLDER_REGEX), "the README does not have the regex `{PLACEHOLDER_REGEX}`");
    let (engine, regex) = (engine(), regex_automata::meta::Regex::new(PLACEHOLDER_REGEX).unwrap());
    for pair in pairs(&readme) {
        let after = expanded(&pair.after, 1);
        assert_eq!(redacted(&engine, &after), after, "README.md:{}", pair.line);
        let found = regex.is_match(after.as_bytes()) || after.contains("****");
        assert!(pair.before == pair.after || found, "README.md:{}: no placeholder in what comes out", pair.line);
    }
}

#[test]
fn lines_are_paired_as_they_stand() {
    let text = "```\n< no\n```\n```inkout\n< a\n< b\n> c\n> d\n= e\n< f\n\n< g\n> h\n```\n";
    let found = pairs(text);
    let shown: Vec<String> =
        found.iter().map(|pair| format!("{}:{}>{}", pair.line, pair.before.concat(), pair.after.concat())).collect();
    assert_eq!(shown, ["5:ab>cd", "9:e>e", "10:f>", "12:g>h"]);
}

#[cfg(feature = "cli")]
fn help(arguments: &[&str]) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_inkout"))
        .args(arguments)
        .arg("--help")
        .output()
        .expect("the program");
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The words of a help text's options and commands, but for those that clap adds itself.
#[cfg(feature = "cli")]
fn flags(help: &str) -> impl Iterator<Item = &str> {
    let options = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let words = options.flat_map(|line| line.split("  ").next().unwrap_or_default().split([' ', ',', '[', '=']));
    words.filter(|word| word.starts_with('-') && !matches!(*word, "-h" | "--help"))
}

#[cfg(feature = "cli")]
fn commands(help: &str) -> Vec<&str> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| line.starts_with("  "));
    let names = listed.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").collect()
}

#[cfg(feature = "cli")]
#[test]
fn every_flag_and_every_command_is_named() {
    let readme = readme();
    let words: std::collections::BTreeSet<&str> =
        readme.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').collect();
    let main = help(&[]);
    let mut pages = vec![("inkout".to_owned(), main.clone())];
    for command in commands(&main) {
        let page = help(&[command]);
        for inner in commands(&page) {
            pages.push((format!("inkout {command} {inner}"), help(&[command, inner])));
        }
        pages.push((format!("inkout {command}"), page));
    }
    assert!(pages.len() > 8 && flags(&main).any(|flag| flag == "--stats"), "the help could not be read: {main}");
    for (command, page) in &pages {
        assert!(readme.contains(command.as_str()), "the README does not name `{command}`");
        for flag in flags(page) {
            assert!(words.contains(flag), "the README does not name `{flag}` of `{command}`");
        }
    }
}

#[cfg(feature = "cli")]
#[test]
fn the_configuration_of_the_readme_is_read() {
    let readme = readme();
    let blocks: Vec<&str> = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let named =
        |mark: &str| *blocks.iter().find(|block| block.starts_with(mark)).unwrap_or_else(|| panic!("no {mark}"));
    let config = inkout::config::Config::parse("inkout.toml", named("# inkout.toml")).unwrap();
    assert_eq!((config.rules.len(), config.threads), (1, Some(2)));
    let refused = inkout::config::Config::parse("inkout.toml", "x = 1").unwrap_err().to_string();
    let (_, keys) = refused.split_once("known: ").expect("a list of the keys");
    for key in keys.split(", ") {
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{key}` |")));
        let row = row.unwrap_or_else(|| panic!("the README's table has no key `{key}`"));
        let example = row.split(" | ").nth(3).expect("a column of examples").trim_matches('`');
        let text = match key {
            "policy" => format!("[policy]\n{example}"),
            "mode" => format!("mode = {example}\naudit_until = \"2030-01-31\""),
            _ => format!("{key} = {example}"),
        };
        inkout::config::Config::parse("inkout.toml", &text).unwrap_or_else(|error| panic!("{row}\n{error}"));
    }
    let mut catalog = Catalog::builtin();
    let mine = Catalog::parse("mine.toml", named("# mine.toml")).unwrap();
    let rules = mine.set.rules.len();
    catalog.extend(mine).unwrap();
    Engine::compile(catalog.set, Policy::default(), &Limits::default()).unwrap();
    assert!(rules > 1);
}

#[test]
fn its_commands_are_those_that_a_change_must_pass() {
    let (readme, checks) = (readme(), text_of(".ci/run"));
    let test = "cargo test --locked";
    assert!(readme.lines().any(|line| line == test), "README.md: no line `{test}`");
    assert!(checks.lines().any(|line| line == format!("step {test}")), ".ci/run: no step `{test}`");
    let build = "cargo build --release --locked && ./target/release/inkout sample | ./target/release/inkout";
    assert!(readme.lines().any(|line| line == build), "README.md: no line `{build}`");
}

#[test]
fn its_examples_for_the_library_are_doc_tests() {
    let run: Vec<String> = text_of("src/engine/stream.rs").lines().map(|line| line.replacen("/// ", "", 1)).collect();
    let readme = readme();
    let shown = readme.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).flat_map(str::lines);
    let missing: Vec<&str> = shown.filter(|line| !run.iter().any(|other| other == line)).collect();
    assert!(readme.contains("```rust\n") && missing.is_empty(), "not in src/engine/stream.rs: {missing:#?}");
}

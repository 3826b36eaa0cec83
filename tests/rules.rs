//! The rule files: that every one is built in, complete and well-formed, that their examples expand, and that a wrong file
//! is refused with its place and what was allowed. Not the parser's own unit tests, which stand beside it.

#[path = "rules/examples.rs"]
mod examples;
#[path = "../benches/corpus/rng.rs"]
mod rng;
#[path = "rules/sampler.rs"]
mod sampler;

use std::collections::BTreeSet;
use std::path::Path;

use inkout::engine::{Allow, AllowTarget, Grammar, KeyValue, Matcher, Rule, ValidatorRole};
use inkout::rules::{Catalog, Notes, generator};

const SEEDS: std::ops::Range<u64> = 0..5;

fn rules(catalog: &Catalog) -> impl Iterator<Item = (&Rule, &Notes)> {
    assert_eq!(catalog.set.rules.len(), catalog.notes.len());
    catalog.set.rules.iter().zip(&catalog.notes)
}

#[test]
fn no_rule_file_is_forgotten() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let present: BTreeSet<String> = names
        .filter(|name| name.ends_with(".toml") && name != "set.toml")
        .map(|name| format!("rules/{name}"))
        .collect();
    let embedded: Vec<&str> = Catalog::files().map(|(name, _)| name).collect();
    assert!(embedded.is_sorted(), "the list in src/rules/builtin.rs is sorted by name");
    assert_eq!(embedded, present.iter().collect::<Vec<_>>(), "embedded files and files in rules/ differ");
}

#[test]
fn no_optional_file_and_no_profile_is_forgotten() {
    for (folder, embedded) in [
        ("rules/optional", Catalog::optional_files().map(|(name, _)| name).collect::<Vec<_>>()),
        ("rules/profiles", Catalog::profiles().map(|(name, _)| name).collect()),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let names = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let present: BTreeSet<String> = names.map(|name| format!("{folder}/{name}")).collect();
        assert_eq!(embedded, present.iter().collect::<Vec<_>>());
    }
}

#[test]
fn every_built_in_file_parses_and_is_a_rule_file_by_itself() {
    for (name, text) in Catalog::files().chain(Catalog::optional_files()) {
        let catalog = Catalog::parse(name, text).unwrap_or_else(|error| panic!("{error}"));
        assert!(!catalog.set.rules.is_empty(), "{name} has no rule");
    }
    let all = Catalog::builtin();
    assert!(!all.set.key_words.neutral_after.is_empty());
}

#[test]
fn every_rule_says_where_it_stands() {
    let catalog = Catalog::complete();
    for (name, text) in Catalog::files().chain(Catalog::optional_files()) {
        let lines: Vec<&str> = text.lines().collect();
        for rule in catalog.set.rules.iter().filter(|rule| rule.origin.file == name) {
            assert_eq!(lines[rule.origin.line - 1], "[[rule]]", "{}", rule.id);
            assert_eq!(lines[rule.origin.line], format!("id = \"{}\"", rule.id));
        }
    }
}

#[test]
fn no_two_rules_list_the_same_key() {
    let catalog = Catalog::complete();
    let mut seen = BTreeSet::new();
    for rule in &catalog.set.rules {
        let Matcher::Keys(keys) = &rule.matcher else { continue };
        for key in &keys.keys {
            assert!(seen.insert(key.replace('_', "")), "{}: key `{key}` is listed twice", rule.origin);
        }
    }
}

#[test]
fn every_rule_has_marked_examples_and_a_counter_example() {
    // What the grammar of known values finds is decided by the operator's values: no example can be written down.
    let has_examples = |rule: &Rule| rule.matcher != Matcher::Grammar(Grammar::Known);
    for (rule, notes) in rules(&Catalog::complete()).filter(|(rule, _)| has_examples(rule)) {
        assert!(notes.examples.len() >= 2, "{}: `{}` needs two examples", rule.origin, rule.id);
        assert!(!notes.counter_examples.is_empty(), "{}: `{}` needs a counter-example", rule.origin, rule.id);
        for seed in SEEDS {
            check_marks(rule, notes, seed);
        }
    }
}

fn check_marks(rule: &Rule, notes: &Notes, seed: u64) {
    let marks = |text: &String| {
        let marked = generator::marked(text, seed);
        marked.unwrap_or_else(|error| panic!("{}: `{}`: {error}", rule.origin, rule.id)).1.len()
    };
    for text in notes.examples.iter().chain(&notes.known_misses) {
        assert!(marks(text) > 0, "{}: `{}`: nothing is marked in {text}", rule.origin, rule.id);
    }
    for text in &notes.counter_examples {
        assert_eq!(marks(text), 0, "{}: `{}`: a counter-example is marked: {text}", rule.origin, rule.id);
    }
}

#[test]
fn the_set_has_a_version_and_a_hash() {
    let parts: Vec<u32> = Catalog::version().split('.').map(|part| part.parse().unwrap()).collect();
    assert!(matches!(parts.as_slice(), [2026..=9999, 1..=12, _]));
    let newest = format!("\n## {}\n", Catalog::version());
    let changes = include_str!("../rules/CHANGES.md");
    assert_eq!(changes.find("\n## "), changes.find(&newest), "rules/CHANGES.md tells of every version");
    let hash = Catalog::hash();
    assert!(hash.len() == 12 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
}

/// Everything but where it was written.
fn shown(catalog: &Catalog) -> String {
    let mut set = catalog.set.clone();
    set.rules.iter_mut().for_each(|rule| rule.origin = Default::default());
    format!("{set:#?}{:#?}", catalog.notes)
}

#[test]
fn an_exported_set_parses_back_to_itself() {
    let whole = Catalog::complete();
    let text = inkout::rules::export(&whole);
    let again = Catalog::parse("export.toml", &text).unwrap_or_else(|error| panic!("{error}"));
    assert!(shown(&again) == shown(&whole), "the exported rules differ from the built-in ones");
    assert_eq!(inkout::rules::export(&again), text);
}

#[test]
fn a_full_rule_is_read_field_by_field() {
    let text = r#"
[[rule]]
id = "acme-token"
summary = "A token of Acme"
category = "credential-id"
pattern = '\bacme_(?<secret>[a-z]{9})\b'
validator = "luhn"
validator_role = "required"
always_scan = true
shadow = true
examples = ["acme_«{lower:9}»"]
counter_examples = ["acme_"]
known_misses = ["acme «{lower:9}»"]
references = ["https://example.com"]

[[rule]]
id = "acme-key"
summary = "A field of Acme"
category = "credential"
keys = ["acme_key"]
value = "cookie"
numbers = true
neutral_after = ["code"]
neutral_before = ["old"]
"#;
    let catalog = Catalog::parse("acme.toml", text).unwrap();
    let [pattern, keys] = catalog.set.rules.as_slice() else { panic!("two rules") };
    assert_eq!(pattern.origin.to_string(), "acme.toml:2");
    assert_eq!(pattern.category.name(), "credential-id");
    assert_eq!(pattern.validator.unwrap().name(), "luhn");
    assert_eq!(pattern.validator_role, ValidatorRole::Required);
    assert!(pattern.always_scan && pattern.shadow);
    assert_eq!(catalog.notes[0].known_misses, ["acme «{lower:9}»"]);
    assert_eq!(catalog.notes[1], Notes::default());
    let Matcher::Keys(rule) = &keys.matcher else { panic!("a key rule") };
    assert!(rule.keys == ["acme_key"] && rule.value == KeyValue::Cookie && rule.numbers);
    assert!(rule.neutral_after == ["code"] && rule.neutral_before == ["old"]);
}

#[test]
fn a_gate_is_read_field_by_field() {
    let text = r#"
[[allow]]
stopwords = ["sample"]

[[rule]]
id = "acme-token"
summary = "A token of Acme"
category = "credential"
pattern = '(?<secret>[a-z]{9})'
keywords = ["acme"]
min_entropy = 2.5
[[rule.allow]]
target = "match"
condition = "all"
regexes = ['^demo']
stopwords = ["x"]
"#;
    let catalog = Catalog::parse("acme.toml", text).unwrap();
    let rule = &catalog.set.rules[0];
    assert_eq!(rule.keywords, ["acme"]);
    assert_eq!(rule.min_entropy, Some(2.5));
    let own = Allow {
        target: AllowTarget::Match,
        regexes: vec!["^demo".to_owned()],
        stopwords: vec!["x".to_owned()],
        both: true,
    };
    let shared = Allow { stopwords: vec!["sample".to_owned()], ..Allow::default() };
    assert_eq!(rule.allow, [own, shared]);
}

#[test]
fn a_wrong_gate_is_refused_with_what_was_allowed() {
    let check = |added: &str, message: &str| {
        let text = rule_with(&[("keys", "")], &format!("pattern = 'x'\n{added}"));
        refused(&text, &format!("my.toml:6: rule `x-key`: {message}"));
    };
    check("keywords = []\n", "field `keywords` is empty");
    check("keywords = ['x']\n", "a keyword has 2 to 48 bytes and no line end");
    check(
        "keywords = ['acme']\nalways_scan = true\n",
        "field `keywords` names some records and `always_scan` means all; a rule has one of them",
    );
    check("min_entropy = 9\n", "field `min_entropy` is a number of bits per byte, from 0 to 8");
    check("min_entropy = 'high'\n", "field `min_entropy`: invalid type: string \"high\", expected f32");
    check("allow = [{}]\n", "field `allow`: an entry has regexes, stopwords or both, and none of them is empty");
    check("allow = [{ regexes = ['x'], target = 'file' }]\n", "unknown target `file`; known: secret, match, line");
    check("allow = [{ regexes = ['x'], condition = 'or' }]\n", "unknown condition `or`; known: any, all");
    let lonely =
        |field: &str, message: &str| refused(&rule_with(&[], field), &format!("my.toml:6: rule `x-key`: {message}"));
    lonely("keywords = ['acme']\n", "field `keywords` goes only with `pattern`");
    lonely("min_entropy = 3\n", "field `min_entropy` goes only with `pattern`");
    lonely("allow = [{ stopwords = ['x'] }]\n", "field `allow` goes only with `pattern`");
    refused(
        "[[allow]]\n",
        "my.toml:1: field `allow`: an entry has regexes, stopwords or both, and none of them is empty",
    );
}

#[test]
fn a_grammar_is_known_by_its_name() {
    let catalog = Catalog::builtin();
    let grammar = |id: &str| catalog.set.rules.iter().find(|rule| rule.id == id).map(|rule| rule.matcher.clone());
    assert_eq!(grammar("url-password"), Some(Matcher::Grammar(Grammar::Userinfo)));
    assert_eq!(grammar("private-key"), Some(Matcher::Grammar(Grammar::PrivateKey)));
    assert_eq!(grammar("known-value"), Some(Matcher::Grammar(Grammar::Known)));
}

#[test]
fn a_second_file_adds_rules_and_merges_key_words() {
    let head = "[key_words]\nneutral_after = [\"id\", \"shape\"]\n";
    let rule = "[[rule]]\nid = \"b\"\nsummary = \"B\"\ncategory = \"network\"\nkeys = [\"b\"]\n";
    let mut all = Catalog::builtin();
    let (rules, words) = (all.set.rules.len(), all.set.key_words.neutral_after.len());
    all.extend(Catalog::parse("b.toml", &format!("{head}{rule}")).unwrap()).unwrap();
    assert_eq!(all.set.rules.len(), rules + 1);
    assert_eq!(all.notes.len(), rules + 1);
    assert_eq!(all.set.key_words.neutral_after.len(), words + 1, "`id` was there before");
    let again = all.extend(Catalog::parse("c.toml", rule).unwrap()).unwrap_err();
    assert_eq!(again.to_string(), "c.toml:1: rule `b` is already defined at b.toml:3");
    assert_eq!(all.set.rules.len(), rules + 1);
}

/// A rule with `fields` below its id, which stands on line 2; summary, category and keys on lines 3 to 5 unless replaced.
fn rule_with(replaced: &[(&str, &str)], added: &str) -> String {
    let fields = [("id", "\"x-key\""), ("summary", "\"X\""), ("category", "\"credential\""), ("keys", "[\"x\"]")];
    let mut text = "[[rule]]\n".to_owned();
    for (name, value) in fields {
        match replaced.iter().find(|(field, _)| *field == name) {
            Some((_, "")) => {}
            Some((_, value)) => text += &format!("{name} = {value}\n"),
            None => text += &format!("{name} = {value}\n"),
        }
    }
    text + added
}

#[track_caller]
fn refused(text: &str, message: &str) {
    let error = Catalog::parse("my.toml", text).expect_err("the file is wrong");
    assert_eq!(error.to_string(), message, "\n{text}");
}

#[test]
fn a_file_that_is_no_rule_file_is_refused_at_its_line() {
    refused("[[rule]]\nid = \n", "my.toml:2: string values must be quoted, expected literal string");
    refused("\n\n[[rules]]\nid = 'x'\n", "my.toml:3: unknown table `rules`; known: rule, key_words, allow");
    refused("version = 1\n", "my.toml:1: unknown table `version`; known: rule, key_words, allow");
    refused("[rule]\nid = 'x'\n", "my.toml:1: a rule is a table: [[rule]]");
    refused("[[rule]]\nsummary = 'x'\n", "my.toml:1: missing field `id`");
    refused("[[rule]]\nid = 7\n", "my.toml:2: field `id`: invalid type: integer `7`, expected a string");
    refused(
        "[key_words]\nneutral_after = ['two words']\n",
        "my.toml:2: key_words: `two words` is no single lower-case word",
    );
    refused(
        "[key_words]\nneutral = ['x']\n",
        "my.toml:2: key_words: unknown field `neutral`; known: neutral_after, neutral_before, neutral_leaf",
    );
}

#[test]
fn a_rule_that_is_not_complete_is_refused_at_its_table() {
    refused(&rule_with(&[("summary", "")], ""), "my.toml:1: rule `x-key`: missing field `summary`");
    refused(&rule_with(&[("category", "")], ""), "my.toml:1: rule `x-key`: missing field `category`");
    refused(
        &rule_with(&[("keys", "")], ""),
        "my.toml:1: rule `x-key`: no matcher; a rule has exactly one of pattern, keys, grammar",
    );
    refused(
        &rule_with(&[], "pattern = 'x'\n"),
        "my.toml:6: rule `x-key`: two matchers; a rule has exactly one of pattern, keys, grammar",
    );
    refused(
        &rule_with(&[], "grammar = 'userinfo'\n"),
        "my.toml:6: rule `x-key`: two matchers; a rule has exactly one of pattern, keys, grammar",
    );
    let good = rule_with(&[], "");
    refused(&format!("{good}\n{good}"), "my.toml:7: rule `x-key` is already defined at my.toml:1");
}

#[test]
fn a_wrong_field_is_refused_at_its_line() {
    let field =
        |added: &str, message: &str| refused(&rule_with(&[], added), &format!("my.toml:6: rule `x-key`: {message}"));
    field(
        "patern = 'x'\n",
        "unknown field `patern`; known: id, summary, category, pattern, keys, grammar, value, numbers, neutral_after, \
         neutral_before, validator, validator_role, always_scan, keywords, min_entropy, allow, whole_value, shadow, examples, counter_examples, known_misses, references",
    );
    field("numbers = 'yes'\n", "field `numbers`: invalid type: string \"yes\", expected a boolean");
    field("examples = 'one'\n", "field `examples`: invalid type: string \"one\", expected a sequence");
    field("value = 'header'\n", "unknown value `header`; known: secret, authorization, cookie, connection, random");
    field("validator = 'luhn'\n", "field `validator` goes only with `pattern`");
    field("always_scan = true\n", "field `always_scan` goes only with `pattern`");
    field("validator_role = 'label'\n", "field `validator_role` goes only with `validator`");
    field("neutral_before = ['Old']\n", "`Old` is no single lower-case word");
}

#[test]
fn a_wrong_value_is_refused_with_what_was_allowed() {
    let check = |field: &str, value: &str, line: usize, message: &str| {
        let text = rule_with(&[(field, value)], "");
        let rule = if field == "id" { value.trim_matches('"') } else { "x-key" };
        refused(&text, &format!("my.toml:{line}: rule `{rule}`: {message}"));
    };
    let kebab = "an id is kebab-case, begins with a letter and has at most 64 characters";
    for id in ["\"X-Key\"", "\"x_key\"", "\"x--key\"", "\"9x\"", "\"\"", "\"x-\""] {
        check("id", id, 2, kebab);
    }
    check("summary", "\"\"", 3, "field `summary` is one line of text");
    check("summary", "\"two\\nlines\"", 3, "field `summary` is one line of text");
    check(
        "category",
        "\"secret\"",
        4,
        "unknown category `secret`; known: credential, credential-id, personal, financial, health, network",
    );
    check("keys", "[]", 5, "field `keys` is empty");
    check("keys", "[\"x\",\n  \"_\"]", 6, "key `_`: a key is ASCII and has a letter");
    check("keys", "[\"x\",\n  3]", 6, "field `keys`: invalid type: integer `3`, expected a string");
}

#[test]
fn a_wrong_pattern_rule_is_refused_with_what_was_allowed() {
    let known: Vec<&str> = inkout::engine::Validator::names().collect();
    let check = |added: &str, message: &str| refused(&rule_with(&[("keys", "")], added), message);
    check(
        "pattern = 'x'\nvalidator = 'crc'\n",
        &format!("my.toml:6: rule `x-key`: unknown validator `crc`; known: {}", known.join(", ")),
    );
    check(
        "pattern = 'x'\nvalidator = 'luhn'\nvalidator_role = 'must'\n",
        "my.toml:7: rule `x-key`: unknown validator_role `must`; known: label, required",
    );
    check("pattern = ''\n", "my.toml:5: rule `x-key`: field `pattern` is empty");
    check("pattern = 'x'\nvalue = 'cookie'\n", "my.toml:6: rule `x-key`: field `value` goes only with `keys`");
    check("pattern = 'x'\nnumbers = true\n", "my.toml:6: rule `x-key`: field `numbers` goes only with `keys`");
    check(
        "grammar = 'yaml'\n",
        "my.toml:5: rule `x-key`: unknown grammar `yaml`; known: userinfo, private-key, known-value",
    );
}

//! Writes rules as a rule file of ours: imported ones with what could not be kept as comments, and whole catalogs. What it writes is parsed to the same rules.

use std::fmt::Write as _;

use super::Imported;
use crate::engine::{Allow, KeyRule, KeyWords, Matcher, Rule};
use crate::rules::Catalog;
use crate::rules::file::{CONDITIONS, GRAMMARS, KEY_VALUES, ROLES, TARGETS};

/// The rules of `imported` as a file of ours.
pub fn to_toml(imported: &Imported) -> String {
    let rules = &imported.catalog.set.rules;
    let shared = shared(rules);
    let mut out = String::from("# Imported; what could not be kept stands beside each rule.\n");
    comments(imported, "", &mut out);
    for allow in &shared {
        out.push_str("\n# For every rule of this file.\n[[allow]]\n");
        write_allow(allow, &mut out);
    }
    for rule in rules {
        out.push('\n');
        comments(imported, &rule.id, &mut out);
        write_rule(rule, &shared, &mut out);
    }
    let is_gone = |id: &str| !id.is_empty() && rules.iter().all(|rule| rule.id != id);
    for note in imported.notes.iter().filter(|note| is_gone(&note.rule)) {
        comment(&note.to_string(), &mut out);
    }
    out
}

/// The exemptions that every rule ends with.
fn shared(rules: &[Rule]) -> Vec<Allow> {
    let Some((first, rest)) = rules.split_first() else { return Vec::new() };
    let mut common = first.allow.as_slice();
    for rule in rest {
        let same = common.iter().rev().zip(rule.allow.iter().rev()).take_while(|(one, other)| one == other).count();
        common = &common[common.len() - same..];
    }
    common.to_vec()
}

fn comments(imported: &Imported, rule: &str, out: &mut String) {
    imported.notes.iter().filter(|note| note.rule == rule).for_each(|note| comment(&note.what, out));
}

fn comment(text: &str, out: &mut String) {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let _ = writeln!(out, "# {plain}");
}

fn write_rule(rule: &Rule, shared: &[Allow], out: &mut String) {
    write_fields(rule, out);
    for allow in &rule.allow[..rule.allow.len() - shared.len()] {
        out.push_str("[[rule.allow]]\n");
        write_allow(allow, out);
    }
}

/// Everything of a rule but its exemptions.
fn write_fields(rule: &Rule, out: &mut String) {
    out.push_str("[[rule]]\n");
    field("id", &toml_string(&rule.id), out);
    field("summary", &toml_string(&rule.summary), out);
    field("category", &toml_string(rule.category.name()), out);
    write_matcher(&rule.matcher, out);
    if let Some(validator) = rule.validator {
        field("validator", &toml_string(validator.name()), out);
        named("validator_role", &rule.validator_role, ROLES, out);
    }
    for (name, set) in [("always_scan", rule.always_scan), ("whole_value", rule.whole_value), ("shadow", rule.shadow)] {
        if set {
            field(name, "true", out);
        }
    }
    texts("keywords", &rule.keywords, out);
    if let Some(floor) = rule.min_entropy {
        field("min_entropy", &format!("{floor:?}"), out);
    }
}

fn write_matcher(matcher: &Matcher, out: &mut String) {
    match matcher {
        Matcher::Pattern(pattern) => field("pattern", &toml_string(pattern), out),
        Matcher::Grammar(grammar) => named("grammar", grammar, GRAMMARS, out),
        Matcher::Keys(KeyRule { keys, value, numbers, neutral_after, neutral_before }) => {
            texts("keys", keys, out);
            named("value", value, KEY_VALUES, out);
            if *numbers {
                field("numbers", "true", out);
            }
            texts("neutral_after", neutral_after, out);
            texts("neutral_before", neutral_before, out);
        }
    }
}

/// The rules of `catalog`, their notes and key words, as one file of ours.
pub fn export(catalog: &Catalog) -> String {
    let mut out = format!("# The rules of inkout {}, {}.\n", Catalog::version(), Catalog::hash());
    let KeyWords { neutral_after, neutral_before, neutral_leaf } = &catalog.set.key_words;
    if catalog.set.key_words != KeyWords::default() {
        out.push_str("\n[key_words]\n");
        texts("neutral_after", neutral_after, &mut out);
        texts("neutral_before", neutral_before, &mut out);
        texts("neutral_leaf", neutral_leaf, &mut out);
    }
    for (rule, notes) in catalog.set.rules.iter().zip(&catalog.notes) {
        out.push('\n');
        write_fields(rule, &mut out);
        texts("examples", &notes.examples, &mut out);
        texts("counter_examples", &notes.counter_examples, &mut out);
        texts("known_misses", &notes.known_misses, &mut out);
        texts("references", &notes.references, &mut out);
        for allow in &rule.allow {
            out.push_str("[[rule.allow]]\n");
            write_allow(allow, &mut out);
        }
    }
    out
}

fn texts(name: &str, texts: &[String], out: &mut String) {
    if !texts.is_empty() {
        field(name, &list(texts), out);
    }
}

/// The name that a file has for `value`.
fn named<T: Copy + PartialEq>(name: &str, value: &T, known: &[(&str, T)], out: &mut String) {
    let spelt = known.iter().find(|(_, known)| known == value);
    field(name, &toml_string(spelt.map_or("", |(name, _)| name)), out);
}

fn write_allow(allow: &Allow, out: &mut String) {
    let target = TARGETS.iter().find(|(_, target)| *target == allow.target);
    let condition = CONDITIONS.iter().find(|(_, both)| *both == allow.both);
    field("target", &toml_string(target.map_or("secret", |(name, _)| name)), out);
    field("condition", &toml_string(condition.map_or("any", |(name, _)| name)), out);
    if !allow.regexes.is_empty() {
        field("regexes", &list(&allow.regexes), out);
    }
    if !allow.stopwords.is_empty() {
        field("stopwords", &list(&allow.stopwords), out);
    }
}

fn field(name: &str, value: &str, out: &mut String) {
    let _ = writeln!(out, "{name} = {value}");
}

fn list(texts: &[String]) -> String {
    let items: Vec<String> = texts.iter().map(|text| toml_string(text)).collect();
    let one_line = format!("[{}]", items.join(", "));
    if one_line.len() <= 100 { one_line } else { format!("[\n    {},\n]", items.join(",\n    ")) }
}

/// A TOML string: literal where it can be, so that a regex stays readable.
pub fn toml_string(text: &str) -> String {
    let printable = !text.chars().any(char::is_control);
    if printable && !text.contains('\'') {
        return format!("'{text}'");
    }
    if printable && !text.contains("'''") && !text.ends_with('\'') {
        return format!("'''{text}'''");
    }
    let escaped: String = text.chars().map(escaped).collect();
    format!("\"{escaped}\"")
}

fn escaped(c: char) -> String {
    match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        c => c.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_comes_back_as_it_was() {
        for text in ["", "a", r"\b['\x60]+", "it's", "ends with '", "'''", "two\nlines\t\"quoted\" \\ '", "é\u{7f}"] {
            let table: toml::Table = format!("x = {}", toml_string(text)).parse().expect("valid TOML");
            assert_eq!(table["x"].as_str(), Some(text));
        }
    }
}

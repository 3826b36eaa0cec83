//! `inkout rules list` and `inkout rules show`: the rules as people and programs read them.

use std::fmt::Write as _;

use anyhow::Context as _;

use super::args::{ExportArgs, ImportArgs, ListArgs, ShowArgs};
use super::setup::{Lines, Setup, profile_names};
use super::{Exit, print};
use crate::config::nearest;
use crate::engine::{Action, Grammar, KeyRule, KeyWords, Matcher, Rule};
use crate::rules::{self, Catalog, Notes};

pub(super) fn list(args: &ListArgs) -> anyhow::Result<Exit> {
    let engine = Setup::read(&args.engine)?.compile(&args.engine, Lines::Ignore)?;
    let mut text = String::new();
    for (rule, action) in engine.rules().iter().zip(engine.actions()) {
        if args.json { json_line(&mut text, rule, *action) } else { list_line(&mut text, rule, *action) }
    }
    print::page(|out| out.write_all(text.as_bytes()))?;
    Ok(Exit::Done)
}

fn list_line(text: &mut String, rule: &Rule, action: Action) {
    let _ = writeln!(text, "{:<40} {:<14} {:<8} {}", rule.id, rule.category.name(), shown(rule, action), rule.summary);
}

/// What happens to the findings of a rule, in one word.
fn shown(rule: &Rule, action: Action) -> &'static str {
    match action {
        Action::Keep => "off",
        _ if rule.shadow => "shadow",
        other => other.name(),
    }
}

fn json_line(text: &mut String, rule: &Rule, action: Action) {
    let place = rule.origin.to_string();
    let fields = [
        ("id", rule.id.as_str()),
        ("category", rule.category.name()),
        ("action", shown(rule, action)),
        ("matcher", matcher(rule)),
        ("summary", &rule.summary),
        ("place", &place),
    ];
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{}:{}", json(name), json(value))).collect();
    let _ = writeln!(text, "{{{}}}", fields.join(","));
}

/// A JSON string (RFC 8259, section 7).
fn json(text: &str) -> String {
    let mut out = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            control if control < ' ' => drop(write!(out, "\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

fn matcher(rule: &Rule) -> &'static str {
    match rule.matcher {
        Matcher::Pattern(_) => "pattern",
        Matcher::Keys(_) => "keys",
        Matcher::Grammar(_) => "grammar",
    }
}

pub(super) fn show(args: &ShowArgs) -> anyhow::Result<Exit> {
    let setup = Setup::read(&args.engine)?;
    let catalog = setup.catalog.clone();
    let engine = setup.compile(&args.engine, Lines::Ignore)?;
    let path = format!("rules/profiles/{}.toml", args.id);
    let text = if args.id == "keys" {
        key_table(&catalog)
    } else if let Some((_, profile)) = Catalog::profiles().find(|(file, _)| *file == path) {
        profile.to_owned()
    } else {
        // One that is off unless somebody asks for it is shown as well.
        let engine = if catalog.set.rules.iter().any(|rule| rule.id == args.id) { Some(engine) } else { None };
        let catalog = if engine.is_some() { catalog } else { Catalog::complete() };
        let rules = &catalog.set.rules;
        let Some(at) = rules.iter().position(|rule| rule.id == args.id) else {
            let ids = rules.iter().map(|rule| rule.id.as_str()).chain(["keys"]).chain(profile_names());
            let meant = nearest(&args.id, ids).unwrap_or_default();
            anyhow::bail!("no rule `{}`; did you mean `{meant}`? `inkout rules list` shows them all", args.id);
        };
        let action = engine.map_or(Action::Keep, |engine| engine.actions()[at]);
        rule_page(&rules[at], &catalog.notes[at], action)
    };
    print::page(|out| out.write_all(text.as_bytes()))?;
    Ok(Exit::Done)
}

pub(super) fn export(args: &ExportArgs) -> anyhow::Result<Exit> {
    let setup = Setup::read(&args.engine)?;
    let text = rules::export(&setup.catalog);
    print::page(|out| out.write_all(text.as_bytes()))?;
    Ok(Exit::Done)
}

pub(super) fn import(args: &ImportArgs) -> anyhow::Result<Exit> {
    let name = args.file.display().to_string();
    let text = std::fs::read_to_string(&args.file).with_context(|| format!("cannot read {name}"))?;
    anyhow::ensure!(
        rules::import::looks_like_gitleaks(&text),
        "{name}: no `[[rules]]` of gitleaks or betterleaks in it"
    );
    let mut imported = rules::import::gitleaks(&name, &text)?;
    imported.stand_beside(&Catalog::builtin());
    imported.notes.iter().for_each(|note| print::complain(&format!("{name}: {note}")));
    let text = rules::import::to_toml(&imported);
    print::page(|out| out.write_all(text.as_bytes()))?;
    Ok(Exit::Done)
}

fn rule_page(rule: &Rule, notes: &Notes, action: Action) -> String {
    let mut text = format!("{}\n  {}\n\n", rule.id, rule.summary);
    let _ =
        writeln!(text, "category   {}\naction     {}\nplace      {}", rule.category, shown(rule, action), rule.origin);
    match &rule.matcher {
        Matcher::Pattern(pattern) => drop(writeln!(text, "pattern    {pattern}")),
        Matcher::Keys(keys) => drop(writeln!(text, "keys       {}", keys.keys.join(", "))),
        Matcher::Grammar(Grammar::Userinfo) => text.push_str("grammar    the password in a URL\n"),
        Matcher::Grammar(Grammar::PrivateKey) => text.push_str("grammar    an armoured private key\n"),
        Matcher::Grammar(Grammar::Known) => text.push_str("grammar    a value the operator told of\n"),
    }
    if let Some(validator) = rule.validator {
        let _ = writeln!(text, "validator  {} ({:?})", validator.name(), rule.validator_role);
    }
    section(&mut text, "found; «» encloses what is masked", &notes.examples);
    section(&mut text, "not found", &notes.counter_examples);
    section(&mut text, "known misses", &notes.known_misses);
    section(&mut text, "references", &notes.references);
    text
}

fn section(text: &mut String, title: &str, lines: &[String]) {
    if !lines.is_empty() {
        let _ = writeln!(text, "\n{title}");
        lines.iter().for_each(|line| {
            let _ = writeln!(text, "  {}", line.replace('\n', "\n  "));
        });
    }
}

/// Every key whose value is secret, by rule, and the words that make one harmless.
fn key_table(catalog: &Catalog) -> String {
    let mut text = String::from("The value of a key is masked when the key holds one of these, and no neutral word.\n");
    for rule in &catalog.set.rules {
        if let Matcher::Keys(keys) = &rule.matcher {
            key_rule(&mut text, rule, keys);
        }
    }
    let KeyWords { neutral_after, neutral_before, neutral_leaf } = &catalog.set.key_words;
    for (title, words) in [
        ("neutral words behind a key", neutral_after),
        ("neutral words before a key", neutral_before),
        ("neutral fields of a secret object", neutral_leaf),
    ] {
        let _ = writeln!(text, "\n{title}\n  {}", words.join(" "));
    }
    text
}

fn key_rule(text: &mut String, rule: &Rule, keys: &KeyRule) {
    let _ = writeln!(text, "\n{}\n  {}", rule.id, keys.keys.join(", "));
    for (title, words) in [("not before", &keys.neutral_after), ("not behind", &keys.neutral_before)] {
        if !words.is_empty() {
            let _ = writeln!(text, "  {title}: {}", words.join(" "));
        }
    }
}

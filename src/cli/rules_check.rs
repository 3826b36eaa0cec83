//! `inkout rules check`: runs the examples and counter-examples that stand beside the rules.

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;

use anyhow::ensure;

use super::args::RulesCheckArgs;
use super::setup::{parse_rules, rule_files};
use super::{Exit, print};
use crate::engine::{Engine, Limits, Policy, Rule, Scratch};
use crate::rules::{Catalog, Notes, generator};

/// The generators write other text for every seed; a rule must find all of it.
const SEEDS: Range<u64> = 0..3;

pub(super) fn run(args: &RulesCheckArgs) -> anyhow::Result<Exit> {
    let catalog = catalog(&args.files)?;
    let checker = Checker::new(&catalog)?;
    checker.engine.warm()?;
    let (mut faults, mut texts) = (Vec::new(), 0);
    let mut scratch = checker.engine.scratch();
    for (at, notes) in catalog.notes.iter().enumerate() {
        texts += notes.examples.len() + notes.counter_examples.len();
        checker.check(&mut scratch, at, notes, &mut faults);
    }
    faults.iter().for_each(|fault| print::complain_plainly(&format!("{fault}\n")));
    let (rules, wrong) = (catalog.set.rules.len(), faults.len());
    print::page(|out| writeln!(out, "{rules} rules, {texts} examples and counter-examples, {wrong} wrong"))?;
    Ok(if faults.is_empty() { Exit::Done } else { Exit::Usage })
}

/// Refuses rules from number `first` on that do not do what their examples say: they would not do it to a log either.
pub(super) fn refuse_wrong(catalog: &Catalog, first: usize) -> anyhow::Result<()> {
    let own = || catalog.notes.iter().enumerate().skip(first);
    if own().all(|(_, notes)| notes.examples.is_empty() && notes.counter_examples.is_empty()) {
        return Ok(());
    }
    let checker = Checker::new(catalog)?;
    let (mut scratch, mut faults) = (checker.engine.scratch(), Vec::new());
    own().for_each(|(at, notes)| checker.check(&mut scratch, at, notes, &mut faults));
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

fn catalog(paths: &[PathBuf]) -> anyhow::Result<Catalog> {
    let mut catalog = Catalog::complete();
    for path in paths {
        for (name, text) in rule_files(path)? {
            let file = parse_rules(&catalog, &name, &text)?;
            catalog.extend(file)?;
        }
    }
    Ok(catalog)
}

/// An engine of all rules, since rules may get in each other's way.
struct Checker {
    engine: Engine,
    /// Texts of the rule files by name, to tell the line of an example.
    files: HashMap<String, String>,
}

impl Checker {
    fn new(catalog: &Catalog) -> anyhow::Result<Checker> {
        let engine = Engine::compile(catalog.set.clone(), Policy::default(), &Limits::default())?;
        let mut files: HashMap<String, String> = Catalog::files()
            .chain(Catalog::optional_files())
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect();
        for rule in &catalog.set.rules {
            if !files.contains_key(&rule.origin.file) {
                let text = std::fs::read_to_string(&rule.origin.file).unwrap_or_default();
                files.insert(rule.origin.file.clone(), text);
            }
        }
        Ok(Checker { engine, files })
    }

    fn check(&self, scratch: &mut Scratch, at: usize, notes: &Notes, faults: &mut Vec<String>) {
        let rule = &self.engine.rules()[at];
        for text in notes.examples.iter().chain(&notes.counter_examples) {
            let wrong = SEEDS.into_iter().find_map(|seed| self.wrong(scratch, at, text, seed));
            if let Some(reason) = wrong {
                faults.push(format!("{}: rule `{}`: {reason}: {text}", self.place(rule, text), rule.id));
            }
        }
        if let Some(text) = notes.examples.iter().find(|text| !text.contains('«')) {
            faults.push(format!(
                "{}: rule `{}`: nothing is marked in this example: {text}",
                self.place(rule, text),
                rule.id
            ));
        }
    }

    /// What is wrong with an example or counter-example, if anything.
    fn wrong(&self, scratch: &mut Scratch, at: usize, text: &str, seed: u64) -> Option<String> {
        let (plain, marked) = match generator::marked(text, seed) {
            Ok(expanded) => expanded,
            Err(error) => return Some(error.to_string()),
        };
        let spans = self.engine.find_all(scratch, plain.as_bytes());
        let mut found: Vec<Range<usize>> =
            spans.iter().filter(|span| span.rule.index() == at).map(|span| span.start..span.end).collect();
        found.sort_by_key(|range| (range.start, range.end));
        found.dedup();
        (found != marked).then(|| format!("marked is {}, found is {}", shown(&marked), shown(&found)))
    }

    /// The line of `text` in the rule's file, or the rule's own.
    fn place(&self, rule: &Rule, text: &str) -> String {
        let lines = self.files.get(&rule.origin.file).into_iter().flat_map(|file| file.lines().enumerate());
        let at = lines
            .skip(rule.origin.line)
            .find(|(_, line)| line.contains(text))
            .map_or(rule.origin.line, |(at, _)| at + 1);
        format!("{}:{at}", rule.origin.file)
    }
}

fn shown(ranges: &[Range<usize>]) -> String {
    let ranges: Vec<String> = ranges.iter().map(|range| format!("{}..{}", range.start, range.end)).collect();
    if ranges.is_empty() { "nothing".to_owned() } else { ranges.join(" ") }
}

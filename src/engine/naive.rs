//! What the engine must find, written so that it is plainly right: line by line, position by position, every rule by itself
//! and no prefilter. Carriers and views are the engine's own; when they are asked is what this file says. Not fast.

use std::cell::RefCell;
use std::ops::Range;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use super::{Depth, LineState, Place, Scratch, States, is_harmless};
use crate::engine::carrier::Walked;
use crate::engine::compile::Target;
use crate::engine::haystacks::haystack;
use crate::engine::pattern::{Cache, MAX_WINDOW, starts_word};
use crate::engine::prefilter::{Backend, Literal};
use crate::engine::rule::RuleId;
use crate::engine::span::Span;
use crate::engine::view::View;
use crate::engine::{Engine, Limits, Policy};
use crate::rules::Catalog;

/// An engine that is asked without its prefilter.
pub(super) struct Naive<'e> {
    engine: &'e Engine,
    /// In the order of the engine's targets.
    literals: Vec<Literal>,
    /// By rule.
    caches: Vec<Cache>,
    scratch: Scratch,
}

impl<'e> Naive<'e> {
    pub(super) fn new(engine: &'e Engine) -> Naive<'e> {
        let literals = Engine::literals(&engine.set).expect("the engine was compiled from this set");
        assert_eq!(literals.len(), engine.targets.len());
        let caches = engine.patterns.iter().map(|_| Cache::default()).collect();
        Naive { engine, literals, caches, scratch: engine.scratch() }
    }

    /// Every span of `haystack` before union, sorted.
    pub(super) fn find(&mut self, haystack: &[u8]) -> Vec<Span> {
        let mut open = Vec::new();
        let mut found = Vec::new();
        for line in lines(haystack) {
            self.scratch = self.engine.scratch();
            open.retain_mut(|state: &mut LineState| {
                state.step(haystack, line.clone(), &self.engine.forms, &mut self.scratch.spans)
            });
            self.patterns(haystack, line.clone());
            self.always_scanned(haystack, line.clone());
            open = self.beside_literals(haystack, line.clone(), open, Depth::Original);
            found.append(&mut self.scratch.spans);
            if !self.scratch.view_lines.is_empty() {
                found.extend(self.find_in_view(haystack, line));
            }
        }
        self.scratch.spans = found;
        self.engine.learn(&mut self.scratch, haystack);
        let mut found = std::mem::take(&mut self.scratch.spans);
        sort(&mut found);
        found
    }

    fn find_in_view(&mut self, haystack: &[u8], line: Range<usize>) -> Vec<Span> {
        let mut view = View::default();
        view.build(haystack, line);
        let whole = 0..view.bytes.len();
        self.patterns(&view.bytes, whole.clone());
        self.always_scanned(&view.bytes, whole.clone());
        self.beside_literals(&view.bytes, whole, Vec::new(), Depth::View);
        let spans = std::mem::take(&mut self.scratch.spans);
        let mut moved = Vec::new();
        spans.iter().for_each(|span| super::map_back(&view, span, &mut moved));
        moved
    }

    /// Each pattern at each position of the line; its next match begins at or behind the end of its last.
    fn patterns(&mut self, haystack: &[u8], line: Range<usize>) {
        for (index, pattern) in self.engine.patterns.iter().enumerate() {
            let Some(pattern) = pattern.as_ref().filter(|_| !self.engine.set.rules[index].always_scan) else {
                continue;
            };
            let rule = RuleId(index as u16);
            let cache = &mut self.caches[index];
            let mut start = line.start;
            while start < line.end {
                let window = line.end.min(start + MAX_WINDOW);
                let may_start = !pattern.word_start || starts_word(haystack, start);
                let found = may_start.then(|| pattern.match_by_regex(cache, haystack, start, window)).flatten();
                let Some((whole, secret)) = found else {
                    start += 1;
                    continue;
                };
                let secret = self.engine.to_its_end(haystack, rule, secret, window, line.end);
                let end = whole.end.max(secret.end);
                self.engine.accept(&mut self.scratch, haystack, rule, start..whole.end, secret, line.end);
                start = end.max(start + 1);
            }
        }
    }

    /// The same for rules without a literal, whose regex sees the whole line.
    fn always_scanned(&mut self, haystack: &[u8], line: Range<usize>) {
        for (index, pattern) in self.engine.patterns.iter().enumerate() {
            let Some(pattern) = pattern.as_ref().filter(|_| self.engine.set.rules[index].always_scan) else { continue };
            let cache = &mut self.caches[index];
            let mut start = line.start;
            while start < line.end {
                let may_start = !pattern.word_start || starts_word(haystack, start);
                let found = may_start.then(|| pattern.match_by_regex(cache, haystack, start, line.end)).flatten();
                if let Some((whole, secret)) = found.clone() {
                    let rule = RuleId(index as u16);
                    self.engine.accept(&mut self.scratch, haystack, rule, start..whole.end, secret, line.end);
                }
                start = found.map_or(start + 1, |(whole, _)| whole.end.max(start + 1));
            }
        }
    }

    /// Each literal that gives away a key, a grammar or a hidden letter at each position.
    fn beside_literals(
        &mut self,
        haystack: &[u8],
        line: Range<usize>,
        open: Vec<LineState>,
        depth: Depth,
    ) -> Vec<LineState> {
        let mut states = States { open, at: line.end + 1 };
        let mut place = Place { line: line.clone(), done_to: 0, walked: Walked::default() };
        for at in line {
            for (literal, targets) in self.literals.iter().zip(&self.engine.targets) {
                if !stands(literal, &haystack[at..]) {
                    continue;
                }
                let beside =
                    targets.iter().filter(|target| !matches!(target, Target::Pattern { .. } | Target::Gate { .. }));
                for target in beside.filter(|target| !is_harmless(haystack, at, **target)) {
                    self.engine.take(&mut self.scratch, haystack, at, *target, &mut place, &mut states, depth);
                }
            }
        }
        states.open
    }
}

/// The lines of `haystack`, without their ends.
fn lines(haystack: &[u8]) -> impl Iterator<Item = Range<usize>> {
    haystack.split_inclusive(|&byte| byte == b'\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some(start..*at - usize::from(line.ends_with(b"\n")))
    })
}

fn stands(literal: &Literal, haystack: &[u8]) -> bool {
    literal.sets.len() <= haystack.len() && literal.sets.iter().zip(haystack).all(|(set, &byte)| set.contains(byte))
}

fn sort(spans: &mut [Span]) {
    spans.sort_by_key(|span| (span.start, span.end, span.rule, span.form));
}

/// Rules that no built-in one is like: without a literal, with alternatives whose literals stand at different places.
const ODD_RULES: &str = r#"
[[rule]]
id = "odd-always"
summary = "No literal"
category = "credential"
pattern = '\b(?<secret>[0-9]{3}-[0-9]{2})'
always_scan = true

[[rule]]
id = "odd-branches"
summary = "Literals near and far"
category = "credential"
pattern = '(?<secret>pass[0-9a-z]{1,9}|[a-z =]{2,9}token)'

[[rule]]
id = "odd-ends"
summary = "Ends of records"
category = "credential"
pattern = '^(?<secret>api[_-]?key).?$'
"#;

fn engines() -> Vec<Engine> {
    let mut catalog = Catalog::builtin();
    catalog.extend(Catalog::parse("odd.toml", ODD_RULES).expect("rules")).expect("new ids");
    let compile = |backend| {
        let limits = Limits { backend, ..Limits::default() };
        Engine::compile(catalog.set.clone(), Policy::default(), &limits).unwrap_or_else(|error| panic!("{error}"))
    };
    Backend::available().into_iter().map(compile).collect()
}

#[test]
fn the_engine_finds_what_every_rule_by_itself_finds() {
    let engines = engines();
    let naive = RefCell::new(Naive::new(&engines[0]));
    let scratches: Vec<RefCell<Scratch>> = engines.iter().map(|engine| RefCell::new(engine.scratch())).collect();
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::with_cases(CASES), rng);
    let result = runner.run(&haystack(), |haystack| {
        let expected = naive.borrow_mut().find(&haystack);
        for (engine, scratch) in engines.iter().zip(&scratches) {
            let mut found = engine.find_all(&mut scratch.borrow_mut(), &haystack);
            sort(&mut found);
            let shown = |spans: &[Span]| describe(engine, &haystack, spans);
            prop_assert_eq!(shown(&found), shown(&expected), "in {:?}", String::from_utf8_lossy(&haystack));
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

/// Haystacks compared: a thousand take five seconds.
const CASES: u32 = 1000;

fn describe(engine: &Engine, haystack: &[u8], spans: &[Span]) -> Vec<String> {
    let one = |span: &Span| {
        let text = String::from_utf8_lossy(&haystack[span.start..span.end]);
        format!("{}@{}..{} {:?} {text:?}", engine.rules()[span.rule.index()].id, span.start, span.end, span.form)
    };
    spans.iter().map(one).collect()
}

//! Runs every built-in rule through the engine: its examples, its counter-examples, its known misses, and strings drawn from
//! its pattern. Whether the rule files are well-formed is not its question.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::LazyLock;

use inkout::engine::{Engine, Limits, Matcher, Policy, Rule, Scratch, ValidatorRole};
use inkout::rules::{Catalog, Notes, generator};
use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{Hir, HirKind, Look};

use crate::rng::Rng;
use crate::sampler;

const SEEDS: Range<u64> = 0..8;
/// Strings drawn from each pattern.
const DRAWS: usize = 256;
/// Bytes of one of them at most: the engine's regexes look no further than 2,048 bytes.
const MAX_DRAW: usize = 1900;

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::complete);
static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let engine = Engine::compile(CATALOG.set.clone(), Policy::default(), &Limits::default());
    engine.unwrap_or_else(|error| panic!("{error}"))
});

fn rules() -> impl Iterator<Item = (usize, &'static Rule, &'static Notes)> {
    CATALOG.set.rules.iter().zip(&CATALOG.notes).enumerate().map(|(index, (rule, notes))| (index, rule, notes))
}

/// The spans of one rule, before union; one found twice (in the text and in a view of it) counts once.
fn spans_of(scratch: &mut Scratch, rule: usize, haystack: &str) -> Vec<Range<usize>> {
    let found = ENGINE.find_all(scratch, haystack.as_bytes());
    let own = found.iter().filter(|span| span.rule.index() == rule).map(|span| (span.start, span.end));
    let own: BTreeSet<(usize, usize)> = own.collect();
    own.into_iter().map(|(start, end)| start..end).collect()
}

/// What is wrong with the rules, one line each, so that one run shows all of it.
#[derive(Default)]
struct Faults {
    seen: BTreeSet<(String, String)>,
    text: String,
}

impl Faults {
    /// Notes a fault once for each example, whatever the seed.
    fn add(&mut self, rule: &Rule, example: &str, detail: &str) {
        if self.seen.insert((rule.id.clone(), example.to_owned())) {
            let _ = writeln!(self.text, "{} `{}`: {detail}\n    {example}", rule.origin, rule.id);
        }
    }

    fn check(self) {
        assert!(self.seen.is_empty(), "{} faults\n{}", self.seen.len(), self.text);
    }
}

/// A text and the ranges that are to be found in it.
struct Case {
    place: &'static str,
    text: String,
    marks: Vec<Range<usize>>,
}

/// An example in every place where it must be found.
fn places(example: &str, seed: u64) -> Vec<Case> {
    let (text, marks) = generator::marked(example, seed).unwrap_or_else(|error| panic!("{error}"));
    let within = |place, head: &str, tail: &str| Case {
        place,
        text: format!("{head}{text}{tail}"),
        marks: marks.iter().map(|mark| mark.start + head.len()..mark.end + head.len()).collect(),
    };
    let mut cases =
        vec![within("alone", "", ""), within("between lines", "2026-11-01 started pid 7\n", "\n2026-11-01 stopped\n")];
    if !text.contains(['"', '\n']) {
        cases.push(in_json(&text, &marks));
    }
    cases
}

/// `text` as the message of a JSON record.
fn in_json(text: &str, marks: &[Range<usize>]) -> Case {
    const HEAD: &str = r#"{"level":"info","msg":""#;
    let escaped = |part: &str| part.replace('\\', r"\\").replace('\t', r"\t");
    let moved = |at: usize| HEAD.len() + escaped(&text[..at]).len();
    let marks = marks.iter().map(|mark| moved(mark.start)..moved(mark.end)).collect();
    Case { place: "in JSON", text: format!("{HEAD}{}\",\"pid\":7}}", escaped(text)), marks }
}

fn quoted(text: &str, spans: &[Range<usize>]) -> String {
    let shown: Vec<&str> = spans.iter().map(|span| text.get(span.clone()).unwrap_or("?")).collect();
    format!("{shown:?}")
}

#[test]
fn every_example_is_found_exactly_as_marked() {
    let (mut scratch, mut faults) = (ENGINE.scratch(), Faults::default());
    for (index, rule, notes) in rules() {
        for example in &notes.examples {
            for case in SEEDS.flat_map(|seed| places(example, seed)) {
                let found = spans_of(&mut scratch, index, &case.text);
                if found != case.marks {
                    let detail = format!("{}: found {} in {}", case.place, quoted(&case.text, &found), case.text);
                    faults.add(rule, example, &detail);
                }
            }
        }
    }
    faults.check();
}

#[test]
fn no_counter_example_is_found() {
    let (mut scratch, mut faults) = (ENGINE.scratch(), Faults::default());
    for (index, rule, notes) in rules() {
        for example in &notes.counter_examples {
            for case in SEEDS.flat_map(|seed| places(example, seed)) {
                let found = spans_of(&mut scratch, index, &case.text);
                if !found.is_empty() {
                    let detail = format!("{}: found {} in {}", case.place, quoted(&case.text, &found), case.text);
                    faults.add(rule, example, &detail);
                }
            }
        }
    }
    faults.check();
}

#[test]
fn a_known_miss_is_missed_still() {
    let (mut scratch, mut faults) = (ENGINE.scratch(), Faults::default());
    for (index, rule, notes) in rules() {
        for example in &notes.known_misses {
            let cases: Vec<_> = SEEDS.map(|seed| generator::marked(example, seed).unwrap()).collect();
            if cases.iter().any(|(text, marks)| spans_of(&mut scratch, index, text) == *marks) {
                faults.add(rule, example, "is found now; move it from known_misses to examples");
            }
        }
    }
    faults.check();
}

/// A rule's pattern without its leading `\b`, as an oracle beside the engine.
struct Oracle {
    word_start: bool,
    regex: Regex,
}

impl Oracle {
    fn new(hir: &Hir) -> Oracle {
        let (word_start, hir) = match hir.kind() {
            HirKind::Concat(parts) if matches!(parts[0].kind(), HirKind::Look(Look::WordAscii)) => {
                (true, Hir::concat(parts[1..].to_vec()))
            }
            _ => (false, hir.clone()),
        };
        let config = Regex::config().utf8_empty(false);
        let regex = Regex::builder().configure(config).build_from_hir(&hir).expect("the engine took this pattern");
        Oracle { word_start, regex }
    }

    /// The secret of the match that begins exactly at `start`.
    fn secret_at(&self, line: &[u8], start: usize) -> Option<Range<usize>> {
        let before = start.checked_sub(1).map(|at| line[at]);
        let glued = before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let mut captures = self.regex.create_captures();
        let input = Input::new(line).range(start..).anchored(Anchored::Yes);
        self.regex.captures(input, &mut captures);
        captures.get_group_by_name("secret").filter(|_| !(self.word_start && glued)).map(|span| span.range())
    }
}

/// Whether a byte may stand in a carrier as it is.
type MayHold = fn(u8) -> bool;

/// Lines that carry a drawn string: what stands before and behind it, and whether it may stand there.
const CARRIERS: [(&str, &str, MayHold); 4] = [
    ("2026-11-01 worker 7: got ", " (attempt 3)", |_| true),
    (r#"{"ts":"2026-11-01","msg":"got "#, r#" here","n":3}"#, |byte| byte != b'"' && byte != b'\\'),
    ("ts=2026-11-01 lvl=info v=", " n=3", |byte| byte != b'"' && byte != b' '),
    ("GET https://example.com/v1/x?q=", "&n=3 HTTP/1.1", |byte| {
        byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
    }),
];

#[test]
fn whatever_a_pattern_matches_is_found_in_every_carrier() {
    let (mut scratch, mut faults) = (ENGINE.scratch(), Faults::default());
    let mut drawn = 0;
    for (index, rule, _) in rules() {
        let Matcher::Pattern(pattern) = &rule.matcher else { continue };
        let hir = sampler::parse(pattern);
        let oracle = Oracle::new(&hir);
        let mut random = Rng::new(index as u64);
        let samples: Vec<Vec<u8>> = (0..DRAWS).map(|_| sampler::draw(&hir, &mut random)).collect();
        for (head, tail, may_hold) in CARRIERS {
            let fits = |sample: &&Vec<u8>| {
                sample.len() <= MAX_DRAW && !sample.contains(&b'\n') && sample.iter().all(|byte| may_hold(*byte))
            };
            let fitting = samples.iter().filter(fits);
            let block = Block::new(&oracle, rule, fitting, head, tail);
            drawn += block.expected.len();
            block.check(&mut scratch, index, rule, &mut faults);
        }
    }
    assert!(drawn > 100 * DRAWS, "only {drawn} strings were drawn that match at all");
    faults.check();
}

/// Lines of one carrier, and where the secret of each stands.
struct Block {
    text: Vec<u8>,
    expected: Vec<Range<usize>>,
}

impl Block {
    fn new<'s>(
        oracle: &Oracle,
        rule: &Rule,
        samples: impl Iterator<Item = &'s Vec<u8>>,
        head: &str,
        tail: &str,
    ) -> Block {
        let mut block = Block { text: Vec::new(), expected: Vec::new() };
        for sample in samples {
            let line = [head.as_bytes(), sample, tail.as_bytes()].concat();
            // A look-around inside the pattern, or what follows, may refuse the string.
            let Some(secret) =
                oracle.secret_at(&line, head.len()).filter(|secret| is_finding(rule, &line[secret.clone()]))
            else {
                continue;
            };
            block.expected.push(block.text.len() + secret.start..block.text.len() + secret.end);
            block.text.extend_from_slice(&line);
            block.text.push(b'\n');
        }
        block
    }

    fn check(&self, scratch: &mut Scratch, index: usize, rule: &Rule, faults: &mut Faults) {
        let spans = ENGINE.find_all(scratch, &self.text);
        let found: BTreeSet<(usize, usize)> =
            spans.iter().filter(|span| span.rule.index() == index).map(|span| (span.start, span.end)).collect();
        // A rule that masks whole values may go on beyond what its pattern drew, where the carrier says so.
        let goes_on = |secret: &Range<usize>| {
            rule.whole_value && found.iter().any(|(start, end)| *start <= secret.start && *end >= secret.end)
        };
        let is_found = |secret: &Range<usize>| found.contains(&(secret.start, secret.end)) || goes_on(secret);
        for secret in self.expected.iter().filter(|secret| !is_found(secret)) {
            let line_end = self.text[secret.start..]
                .iter()
                .position(|&b| b == b'\n')
                .map_or(self.text.len(), |n| secret.start + n);
            let start = self.text[..secret.start].iter().rposition(|&b| b == b'\n').map_or(0, |n| n + 1);
            let line = String::from_utf8_lossy(&self.text[start..line_end]).into_owned();
            faults.add(
                rule,
                &line[..12.min(line.len())],
                &format!("{}..{} not found: {line}", secret.start - start, secret.end - start),
            );
        }
    }
}

/// Whether the rule's validator, where it has one that decides, lets the secret be a finding.
fn is_finding(rule: &Rule, secret: &[u8]) -> bool {
    rule.validator_role != ValidatorRole::Required || rule.validator.is_none_or(|validator| validator.passes(secret))
}

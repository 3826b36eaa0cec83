//! `inkout explain`: which rule found what in the lines on standard input, and what stopped those that nearly did. Lines are
//! printed masked; a finding is a byte range.

use std::fmt::Write as _;
use std::io::Read;
use std::sync::Arc;

use super::Exit;
use super::args::ExplainArgs;
use super::print;
use super::setup::Setup;
use crate::engine::{
    Action, Carry, Cost, Engine, KeyWords, Limits, Matcher, Piece, Policy, RuleSet, Span, ValidatorRole, Why,
};

/// More than this is a log: `preview` is for those.
const MAX_INPUT_BYTES: u64 = 64 << 10;

pub(super) fn run(args: &ExplainArgs) -> anyhow::Result<Exit> {
    let setup = Setup::read(&args.engine)?;
    let lenient = Engine::compile(lenient(setup.catalog.set.clone()), Policy::default(), &Limits::default())?;
    let explainer = Explainer { engine: setup.compile_enforcing(&args.engine)?, lenient };
    let mut input = Vec::new();
    if let Err(error) = std::io::stdin().take(MAX_INPUT_BYTES + 1).read_to_end(&mut input) {
        print::complain(&format!("standard input: {error}"));
        return Ok(Exit::Incomplete);
    }
    if input.len() as u64 > MAX_INPUT_BYTES {
        print::complain(&format!("only the first {MAX_INPUT_BYTES} bytes are explained; `inkout preview` takes files"));
        input.truncate(MAX_INPUT_BYTES as usize);
    }
    let text = explainer.explain(input);
    print::page(|out| out.write_all(&text))?;
    Ok(Exit::Done)
}

/// The rules without what makes them careful: every validator only labels, no word is neutral. What these find and the real
/// ones do not was nearly found.
fn lenient(mut set: RuleSet) -> RuleSet {
    set.key_words = KeyWords::default();
    for rule in &mut set.rules {
        rule.validator_role = ValidatorRole::Label;
        if let Matcher::Keys(keys) = &mut rule.matcher {
            keys.neutral_after.clear();
            keys.neutral_before.clear();
        }
    }
    set
}

struct Explainer {
    engine: Arc<Engine>,
    lenient: Engine,
}

impl Explainer {
    fn explain(&self, input: Vec<u8>) -> Vec<u8> {
        let piece = Piece::records(input.into());
        let (masked, ..) = self.engine.redact_piece(&mut self.engine.scratch(), &Carry::default(), &piece);
        let haystack = piece.body();
        let mut scratch = self.engine.scratch();
        let spans = self.engine.find_all(&mut scratch, haystack);
        let exempted = scratch.exempted();
        let near = self.lenient.find_all(&mut self.lenient.scratch(), haystack);
        let mut out = Vec::new();
        let mut start = 0;
        let mut shown = masked.as_bytes().split_inclusive(|byte| *byte == b'\n');
        for line in haystack.split_inclusive(|byte| *byte == b'\n') {
            let end = start + line.len();
            let masked = shown.next().unwrap_or_default();
            out.extend_from_slice(masked.strip_suffix(b"\n").unwrap_or(masked));
            out.push(b'\n');
            let within = |span: &&Span| span.start < end && start < span.end;
            let (spans, near): (Vec<_>, Vec<_>) =
                (spans.iter().filter(within).collect(), near.iter().filter(within).collect());
            let left: Vec<_> = exempted.iter().filter(|(span, _)| within(&span)).collect();
            let near: Vec<&Span> =
                near.into_iter().filter(|near| !left.iter().any(|(span, _)| span.start == near.start)).collect();
            for (span, entry) in left {
                let place = place(span, start);
                let by = &self.engine.allows()[*entry].place;
                out.extend_from_slice(
                    format!("  {place}  {}; left: {by} allows it\n", self.by(haystack, span)).as_bytes(),
                );
            }
            out.extend_from_slice(self.line(haystack, start, line, &spans, &near).as_bytes());
            start = end;
        }
        out
    }

    fn line(&self, haystack: &[u8], start: usize, line: &[u8], spans: &[&Span], near: &[&Span]) -> String {
        let mut text = String::new();
        for span in spans {
            let _ = writeln!(text, "  {}  {}", place(span, start), self.found(haystack, span));
        }
        let stopped: Vec<_> = near
            .iter()
            .filter(|near| !spans.iter().any(|span| span.start < near.end && near.start < span.end))
            .collect();
        for span in &stopped {
            let _ = writeln!(text, "  {}  {}", place(span, start), self.stopped(haystack, span));
        }
        let known: Vec<usize> = spans.iter().chain(near).map(|span| span.rule.index()).collect();
        self.tried(line, &known, &mut text);
        if text.is_empty() {
            text.push_str("  nothing found: no literal or key of a rule stands here\n");
        }
        text
    }

    fn by(&self, haystack: &[u8], span: &Span) -> String {
        format!("{} by {}", self.engine.rules()[span.rule.index()].id, span.reason(haystack))
    }

    fn found(&self, haystack: &[u8], span: &Span) -> String {
        let rule = &self.engine.rules()[span.rule.index()];
        let mut text = self.by(haystack, span);
        if let (Why::Pattern { valid: Some(valid) }, Some(validator)) = (span.why, rule.validator) {
            let said = if valid { "passed" } else { "failed, which only changes confidence" };
            let _ = write!(text, "; validator {} {said}", validator.name());
        }
        match self.engine.action(span.rule) {
            Action::Keep => text.push_str("; left: the rule is off"),
            _ if rule.shadow => text.push_str("; left: the rule is in shadow"),
            action => drop(write!(text, "; action {}", action.name())),
        }
        text
    }

    fn stopped(&self, haystack: &[u8], span: &Span) -> String {
        let rule = &self.engine.rules()[span.rule.index()];
        let why = match (span.why, rule.validator) {
            (Why::Pattern { .. }, Some(validator)) => format!("its validator {} failed", validator.name()),
            _ => "a neutral word in the key makes it harmless, see `inkout rules show keys`".to_owned(),
        };
        format!("not {} by {}: {why}", rule.id, span.reason(haystack))
    }

    /// Patterns that were tried on this line and did not match.
    fn tried(&self, line: &[u8], known: &[usize], text: &mut String) {
        let mut scratch = self.engine.scratch();
        self.engine.find_all(&mut scratch, line);
        for (at, (cost, rule)) in self.engine.costs(&scratch).iter().zip(self.engine.rules()).enumerate() {
            if known.contains(&at) || *cost == Cost::default() {
                continue;
            }
            let why = if cost.regex_calls == 0 {
                "not at the start of a word"
            } else {
                "the rest of its pattern does not match"
            };
            let _ = writeln!(text, "  not {}: its literal is here, {why}", rule.id);
        }
    }
}

/// A byte range, relative to the line.
fn place(span: &Span, line: usize) -> String {
    let (start, end) = (span.start.saturating_sub(line), span.end - line);
    format!("bytes {start}..{end} ({} long)", span.end - span.start)
}

//! `inkout rules diff OLD NEW --on FILE`: which lines of a log a change of rules masks newly, and which no longer. Lines are
//! printed masked by both.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::Path;

use super::args::DiffArgs;
use super::print::{self, OutputError};
use super::setup::{parse_rules, rule_files};
use super::{Exit, read};
use crate::engine::{Carry, Engine, Limits, Piece, Policy, Scratch, Span};
use crate::rules::Catalog;

/// Stands for the rules that come with the program.
const BUILT_IN: &str = "builtin";

pub(super) fn run(args: &DiffArgs) -> anyhow::Result<Exit> {
    let (old, new) = (engine(&args.old)?, engine(&args.new)?);
    let mut out = BufWriter::new(File::from(print::stdout()?));
    let (mut more, mut less, mut exit) = (0, 0, Exit::Done);
    for path in &args.on {
        let mut diff = Diff { name: path.display().to_string(), old: Side::new(&old), new: Side::new(&new), line: 1 };
        let done = read::pieces(path, old.limits().max_record_bytes, |piece| {
            let (newly, no_longer) = diff.piece(&piece, &mut out).map_err(OutputError)?;
            (more, less) = (more + newly, less + no_longer);
            Ok(())
        })?;
        if let Err(reason) = done {
            print::complain(&format!("{}: {reason}", path.display()));
            exit = Exit::Incomplete;
        }
    }
    writeln!(out, "{more} lines newly masked, {less} lines newly not masked")
        .and_then(|()| out.flush())
        .map_err(OutputError)?;
    Ok(exit)
}

fn engine(path: &Path) -> anyhow::Result<Engine> {
    let mut catalog = Catalog::default();
    if path == Path::new(BUILT_IN) {
        catalog = Catalog::builtin();
    } else {
        for (name, text) in rule_files(path)? {
            let file = parse_rules(&catalog, &name, &text)?;
            catalog.extend(file)?;
        }
    }
    let engine = Engine::compile(catalog.set, Policy::default(), &Limits::default())?;
    engine.warm()?;
    Ok(engine)
}

/// One of the two sets on its way through a log.
struct Side<'e> {
    engine: &'e Engine,
    scratch: Scratch,
    carry: Carry,
}

impl<'e> Side<'e> {
    fn new(engine: &'e Engine) -> Side<'e> {
        Side { engine, scratch: engine.scratch(), carry: Carry::default() }
    }

    /// What it finds in the body of `piece`, in order.
    fn find(&mut self, piece: &Piece) -> Vec<Span> {
        let (_, carry, _) = self.engine.redact_piece(&mut self.scratch, &self.carry, piece);
        self.carry = carry;
        self.scratch.found().to_vec()
    }

    /// The rules of `spans` that begin in `line`, each once.
    fn rules(&self, spans: &[Span], line: &Range<usize>) -> String {
        let rules = self.engine.rules();
        let mut ids: Vec<&str> = spans
            .iter()
            .filter(|span| line.contains(&span.start))
            .map(|span| rules[span.rule.index()].id.as_str())
            .collect();
        ids.dedup();
        if ids.is_empty() { "goes on from the lines before".to_owned() } else { ids.join(", ") }
    }
}

struct Diff<'e> {
    name: String,
    old: Side<'e>,
    new: Side<'e>,
    /// The number of the first line of the next piece.
    line: usize,
}

impl Diff<'_> {
    /// Prints what differs in `piece`: how many lines are newly masked, and how many no longer.
    fn piece(&mut self, piece: &Piece, out: &mut impl Write) -> std::io::Result<(usize, usize)> {
        let (old, new) = (self.old.find(piece), self.new.find(piece));
        let body = piece.body();
        let (mut more, mut less, mut start) = (0, 0, 0);
        for text in body.split_inclusive(|byte| *byte == b'\n') {
            let line = start..start + text.len();
            let (newly, no_longer) = (is_beyond(&new, &old, &line), is_beyond(&old, &new, &line));
            for (differs, sign, side, spans) in [(newly, '+', &self.new, &new), (no_longer, '-', &self.old, &old)] {
                if differs {
                    write!(out, "{sign} {}:{}: {}\n    ", self.name, self.line, side.rules(spans, &line))?;
                    show(out, body, &line, &old, &new)?;
                }
            }
            (more, less) = (more + usize::from(newly), less + usize::from(no_longer));
            self.line += usize::from(text.ends_with(b"\n"));
            start = line.end;
        }
        Ok((more, less))
    }
}

/// Whether some byte of `line` is in `these` and in none of `those`. Both are in order and do not overlap.
fn is_beyond(these: &[Span], those: &[Span], line: &Range<usize>) -> bool {
    let within = |span: &&Span| span.start < line.end && line.start < span.end;
    these.iter().filter(within).any(|span| {
        let mut at = span.start.max(line.start);
        for other in those.iter().filter(within) {
            if other.start > at {
                break;
            }
            at = at.max(other.end);
        }
        at < span.end.min(line.end)
    })
}

/// Prints the line with everything that either set found taken out.
fn show(out: &mut impl Write, body: &[u8], line: &Range<usize>, old: &[Span], new: &[Span]) -> std::io::Result<()> {
    let within = |span: &&Span| span.start < line.end && line.start < span.end;
    let mut hidden: Vec<Range<usize>> =
        old.iter().chain(new).filter(within).map(|span| span.start.max(line.start)..span.end.min(line.end)).collect();
    hidden.sort_by_key(|range| range.start);
    let mut at = line.start;
    for range in hidden {
        if range.start >= at {
            out.write_all(&body[at..range.start])?;
            out.write_all(b"[...]")?;
        }
        at = at.max(range.end);
    }
    let rest = &body[at.min(line.end)..line.end];
    out.write_all(rest.strip_suffix(b"\n").unwrap_or(rest))?;
    out.write_all(b"\n")
}

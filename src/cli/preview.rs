//! `inkout preview FILE…`: the lines that would change, already masked, and why. Never a line as it was.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use super::args::PreviewArgs;
use super::print::{self, OutputError};
use super::setup::Setup;
use super::{Exit, read};
use crate::engine::{Carry, Engine, Piece, Scratch, Span};

/// A longer line is cut, so that one line does not fill the screen.
const MAX_SHOWN_BYTES: usize = 1000;

pub(super) fn run(args: &PreviewArgs) -> anyhow::Result<Exit> {
    let engine = Setup::read(&args.engine)?.compile_enforcing(&args.engine)?;
    let mut out = BufWriter::new(File::from(print::stdout()?));
    let mut exit = Exit::Done;
    for path in &args.files {
        let mut preview = Preview::new(&engine, path);
        let max = engine.limits().max_record_bytes;
        let done = read::pieces(path, max, |piece| Ok(preview.piece(&piece, &mut out).map_err(OutputError)?))?;
        if let Err(reason) = done {
            print::complain(&format!("{}: {reason}", path.display()));
            exit = Exit::Incomplete;
        }
    }
    out.flush().map_err(OutputError)?;
    Ok(exit)
}

/// One input on its way.
struct Preview<'p> {
    engine: &'p Engine,
    name: String,
    scratch: Scratch,
    carry: Carry,
    /// The number of the first line of the next piece.
    line: usize,
}

impl<'p> Preview<'p> {
    fn new(engine: &'p Arc<Engine>, path: &Path) -> Preview<'p> {
        let name = path.display().to_string();
        let mut scratch = engine.scratch();
        scratch.read_from(&read::name(path));
        Preview { engine, name, scratch, carry: Carry::default(), line: 1 }
    }

    fn piece(&mut self, piece: &Piece, out: &mut impl Write) -> io::Result<()> {
        let (masked, carry, tally) = self.engine.redact_piece(&mut self.scratch, &self.carry, piece);
        let open = !self.carry.is_empty();
        self.carry = carry;
        let first = self.line;
        self.line += memchr::memchr_iter(b'\n', piece.body()).count();
        if tally.total() == 0 && tally.records_masked_whole == 0 && !open {
            return Ok(());
        }
        if piece.is_window() {
            return writeln!(out, "{}:{first}: {} findings in a part of a long line", self.name, tally.total());
        }
        self.changed(first, piece.body(), masked.as_bytes(), out)
    }

    /// Masking keeps the number of lines, so the lines of both can be compared one by one.
    fn changed(&mut self, first: usize, block: &[u8], masked: &[u8], out: &mut impl Write) -> io::Result<()> {
        let spans = self.engine.find(&mut self.scratch, block);
        let lines = block.split_inclusive(is_newline).zip(masked.split_inclusive(is_newline));
        let mut at = 0;
        for (number, (before, after)) in lines.enumerate() {
            let end = at + before.len();
            if before != after {
                let here: Vec<&Span> = spans.iter().filter(|span| span.start < end && at < span.end).collect();
                self.line(out, first + number, block, &here, after)?;
            }
            at = end;
        }
        Ok(())
    }

    fn line(
        &self,
        out: &mut impl Write,
        number: usize,
        block: &[u8],
        spans: &[&Span],
        masked: &[u8],
    ) -> io::Result<()> {
        let rules = self.engine.rules();
        let mut reasons: Vec<String> =
            spans.iter().map(|span| format!("{} ({})", rules[span.rule.index()].id, span.reason(block))).collect();
        reasons.dedup();
        if reasons.is_empty() {
            reasons.push("goes on from the lines before".to_owned());
        }
        writeln!(out, "{}:{number}: {}", self.name, reasons.join(", "))?;
        let text = masked.strip_suffix(b"\n").unwrap_or(masked);
        let shown = &text[..text.len().min(MAX_SHOWN_BYTES)];
        out.write_all(b"    ")?;
        out.write_all(shown)?;
        out.write_all(if shown.len() < text.len() { b" ...\n" } else { b"\n" })
    }
}

fn is_newline(byte: &u8) -> bool {
    *byte == b'\n'
}

//! `inkout check [PATH]…`: looks and changes nothing. For CI: an exit code, formats for machines, a baseline.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;

use super::args::{CheckArgs, CheckFormat};
use super::print::{self, FileError, complain};
use super::setup::Setup;
use super::watch::{self, Gaps, Watch};
use super::{Closed, Exit, color, read};
use crate::clean::{self, ReadOptions, Shared, WalkOptions};
use crate::engine::{Carry, Engine};
use crate::report::{About, Baseline, Blocks, Collector, Format, Found, Keep, Look, Missed, Report, Style, Templates};

/// The exit code of findings, unless another was asked for.
const FINDINGS: u8 = 1;

pub(super) fn run(args: &CheckArgs, closed: Closed) -> anyhow::Result<Exit> {
    let engine = Setup::read(&args.engine)?.compile_enforcing(&args.engine)?;
    let baseline = args.baseline.as_deref().map(baseline).transpose()?;
    let walked = walked(args)?;
    let keep = Keep {
        total: args.max_listed,
        per_rule: usize::MAX,
        templates: if args.templates { Templates::Report } else { Templates::Leave },
        blocks: Blocks::Join,
        baseline,
        entries: args.write_baseline.is_some(),
    };
    let check = Check { args, engine, closed };
    let mut about = watch::about("check", &check.engine, check.options());
    let collector = Collector::new(Arc::clone(&check.engine), keep);
    let missed = check.look(&walked, &collector, &mut about);
    about.ended = watch::now();
    let found = collector.finish();
    check.tell(&found, &missed, &about)
}

/// What is known of old.
fn baseline(path: &Path) -> anyhow::Result<Arc<Baseline>> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read baseline {name}"))?;
    Ok(Arc::new(Baseline::parse(&name, &text)?))
}

fn walked(args: &CheckArgs) -> anyhow::Result<clean::Walked> {
    let options = WalkOptions {
        follow: args.follow,
        include: args.glob.clone(),
        exclude: args.exclude.clone(),
        types: args.file_type.clone(),
        gitignore: args.gitignore,
        apart_from: None,
        threads: threads(args),
    };
    let paths: Vec<PathBuf> = args.paths.iter().filter(|path| *path != Path::new("-")).cloned().collect();
    Ok(clean::walk(&paths, &options)?)
}

fn threads(args: &CheckArgs) -> usize {
    let all = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    args.threads.filter(|count| *count > 0).unwrap_or(all)
}

struct Check<'a> {
    args: &'a CheckArgs,
    engine: Arc<Engine>,
    closed: Closed,
}

impl Check<'_> {
    fn options(&self) -> Vec<(String, String)> {
        let args = self.args;
        let paths: Vec<String> = args.paths.iter().map(|path| clean::shown(path)).collect();
        let mut options = vec![("Paths".to_owned(), paths.join(" "))];
        options.extend(watch::engine_options(&args.engine, &self.engine));
        let flags = [
            ("--glob", args.glob.join(" ")),
            ("--exclude", args.exclude.join(" ")),
            ("--type", args.file_type.join(" ")),
            ("--baseline", args.baseline.as_deref().map(clean::shown).unwrap_or_default()),
        ];
        let switches = [
            ("--follow", args.follow),
            ("--binary", args.binary),
            ("--gitignore", args.gitignore),
            ("--templates", args.templates),
        ];
        options.extend(flags.into_iter().map(|(name, value)| (name.to_owned(), value)));
        options.extend(switches.into_iter().filter(|(_, on)| *on).map(|(name, _)| (name.to_owned(), "on".to_owned())));
        options.retain(|(_, value)| !value.is_empty());
        options
    }

    /// Reads everything; what was not inspected comes back.
    fn look(&self, walked: &clean::Walked, collector: &Collector, about: &mut About) -> Vec<Missed> {
        let mut gaps = Gaps::new(&self.engine);
        gaps.walked(walked);
        let read = ReadOptions { binary: self.args.binary, ..ReadOptions::default() };
        let shared = Shared::new(Arc::clone(&self.engine), read, Arc::new(AtomicBool::new(false)));
        let scanned = clean::each(&shared, &walked.files, threads(self.args), |worker, file| {
            let mut watch = Watch(collector.file(&file.path));
            let scanned = clean::scan_file(worker, file, &mut watch);
            watch.0.finish();
            scanned
        });
        for (file, scanned) in walked.files.iter().zip(&scanned) {
            match scanned {
                Ok(scanned) => {
                    about.files += u64::from(scanned.skip.is_none());
                    about.bytes += scanned.tally.bytes_in;
                    gaps.scanned(&file.path, scanned);
                }
                Err(reason) => gaps.failed(&file.path, reason),
            }
        }
        if self.args.paths.is_empty() || self.args.paths.iter().any(|path| path == Path::new("-")) {
            self.stdin(collector, about, &mut gaps);
        }
        gaps.finish()
    }

    fn stdin(&self, collector: &Collector, about: &mut About, gaps: &mut Gaps<'_>) {
        let path = Path::new("-");
        if self.closed.stdin {
            gaps.failed(path, &clean::Reason::Read(io::Error::other("standard input is closed")));
            return;
        }
        about.files += 1;
        let mut file = collector.file(path);
        let (mut scratch, mut carry) = (self.engine.scratch(), Carry::default());
        let (mut offset, mut line, mut withheld) = (0, 1, 0);
        let done = read::pieces(path, self.engine.limits().max_record_bytes, |piece| {
            let (masked, next, tally) = self.engine.redact_piece(&mut scratch, &carry, &piece);
            let (found, body) = (scratch.found(), piece.body());
            let (is_window, masked) = (piece.is_window(), masked.as_bytes());
            file.take(Look { member: None, offset, line, body, is_window, found, masked });
            line += memchr::memchr_iter(b'\n', body).count() as u64;
            offset += piece.len() as u64;
            withheld += tally.records_masked_whole;
            carry = next;
            Ok(())
        });
        file.finish();
        about.bytes += offset;
        gaps.withheld(path, withheld);
        if let Ok(Err(error)) = done {
            gaps.failed(path, &clean::Reason::Read(error));
        }
    }

    fn tell(&self, found: &Found, missed: &[Missed], about: &About) -> anyhow::Result<Exit> {
        let about = About { baseline: self.args.baseline.is_some(), ..about.clone() };
        let (rules, actions) = (self.engine.rules(), self.engine.actions());
        let report = Report { about: &about, found, missed, rules, actions };
        missed.iter().filter(|missed| missed.kind == crate::report::MissedKind::Failed).for_each(|missed| {
            complain(&format!("{}: {}", missed.place.text(), missed.reason));
        });
        if let Some(path) = &self.args.write_baseline {
            to_file(path, |out| Baseline::write(&found.entries, out))?;
            let count: u64 = found.entries.iter().map(|entry| u64::from(entry.count)).sum();
            complain(&format!("baseline {} written: {count} findings", clean::shown(path)));
        }
        if let Some(path) = &self.args.report {
            to_file(path, |out| report.write(Format::Html, out))?;
        }
        match &self.args.output {
            Some(path) => to_file(path, |out| report.write(self.format(Style::Plain), out))?,
            None if self.args.quiet => {}
            None => print::page(|out| report.write(self.format(self.style()), out))?,
        }
        Ok(self.exit(&report))
    }

    fn exit(&self, report: &Report<'_>) -> Exit {
        let told = self.args.write_baseline.is_none() && report.found.total() > 0;
        match (report.failed(), told) {
            (0, false) => Exit::Done,
            (0, true) => Exit::Findings(self.args.exit_code.unwrap_or(FINDINGS)),
            _ => Exit::Incomplete,
        }
    }

    fn style(&self) -> Style {
        if color::wanted(self.args.color) { Style::Color } else { Style::Plain }
    }

    fn format(&self, style: Style) -> Format {
        match self.args.format {
            CheckFormat::Table => Format::Table(style),
            CheckFormat::Json => Format::Json,
            CheckFormat::Jsonl => Format::Jsonl,
            CheckFormat::Sarif => Format::Sarif,
            CheckFormat::Html => Format::Html,
            CheckFormat::Junit => Format::Junit,
            CheckFormat::Csv => Format::Csv,
        }
    }
}

/// Writes a file of ours. It holds no secret, so it is one as any other.
pub(super) fn to_file(path: &Path, text: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    let written = File::create(path).and_then(|file| {
        let mut out = BufWriter::new(file);
        let written = text(&mut out).and_then(|()| out.flush());
        drop(out.into_parts());
        written
    });
    Ok(written.map_err(|reason| FileError { path: path.to_owned(), reason })?)
}

//! `inkout check [PATH]…`: looks and changes nothing. For CI: an exit code, formats for machines, a baseline.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::args::{ColorWhen, EngineArgs};
use super::paths::{PathArgs, stop_flag};
use super::print::{self, FileError, complain};
use super::setup::{self, Setup};
use super::watch::{self, Gaps, Watch};
use super::{Closed, Exit, color, progress, read};
use crate::clean::{self, Shared, Skip};
use crate::engine::{Carry, Engine};
use crate::report::{
    About, Baseline, Blocks, Collector, FileCollector, Format, Found, Keep, Look, Missed, Report, Style, Templates,
};

/// The exit code of findings, unless another was asked for.
const FINDINGS: u8 = 1;
const REPORT: &str = "Report";

/// `inkout check`
#[derive(Args, Debug)]
#[command(
    mut_arg("paths", |paths| paths.required(false).help("Files, folders and archives; `-`, or none at all, is standard input")),
    after_help = "Exit codes: 0 nothing found, 1 findings, 2 wrong arguments, rules or baseline (nothing was read), 3 something \
                  could not be inspected.\n\nPlaces where a secret will stand (`your-api-key-here`, `${TOKEN}`, \
                  `os.environ[\"TOKEN\"]`) are left alone and counted; --templates reports them."
)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    paths: PathArgs,
    /// How findings are written
    #[arg(long, value_name = "FORMAT", default_value = "table", help_heading = REPORT)]
    format: CheckFormat,
    /// Write the findings to this file instead of standard output
    #[arg(short = 'o', long, value_name = "FILE", help_heading = REPORT)]
    output: Option<PathBuf>,
    /// Write a page for people to this file, beside the findings
    #[arg(long, value_name = "FILE.html", help_heading = REPORT)]
    report: Option<PathBuf>,
    /// Tell only what this file does not know
    #[arg(long, value_name = "FILE", help_heading = REPORT)]
    baseline: Option<PathBuf>,
    /// Write what is found to this file, for --baseline; then findings are no failure
    #[arg(long, value_name = "FILE", help_heading = REPORT)]
    write_baseline: Option<PathBuf>,
    /// Report places where a secret will stand as well
    #[arg(long, help_heading = REPORT)]
    templates: bool,
    /// List so many findings at most; all are counted
    #[arg(long, value_name = "N", default_value_t = 100_000, help_heading = REPORT)]
    max_listed: usize,
    /// End with this code when something is found
    #[arg(long, value_name = "N", help_heading = REPORT)]
    exit_code: Option<u8>,
    /// Print nothing on standard output
    #[arg(short, long, help_heading = REPORT)]
    quiet: bool,
    /// Let placeholders stand out
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = REPORT)]
    color: ColorWhen,
    #[command(flatten)]
    engine: EngineArgs,
}

/// How findings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CheckFormat {
    /// Text for people
    Table,
    /// One JSON object
    Json,
    /// One JSON object for each line, the last one a summary
    Jsonl,
    /// SARIF 2.1.0, for code hosts
    Sarif,
    /// A page for people that needs nothing but itself
    Html,
    /// JUnit's XML, for CI systems
    Junit,
    /// Comma-separated values
    Csv,
}

pub(super) fn run(args: &CheckArgs, closed: Closed) -> anyhow::Result<Exit> {
    let engine = Setup::read(&args.engine)?.compile_enforcing(&args.engine)?;
    let baseline = args.baseline.as_deref().map(baseline).transpose()?;
    let walked = args.paths.walk_files()?;
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
    let missed = check.look(&walked, &collector, &mut about)?;
    about.ended = setup::now();
    let found = collector.finish();
    check.tell(&found, &missed, &about)
}

/// What is known of old.
fn baseline(path: &Path) -> anyhow::Result<Arc<Baseline>> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read baseline {name}"))?;
    Ok(Arc::new(Baseline::parse(&name, &text)?))
}

struct Check<'a> {
    args: &'a CheckArgs,
    engine: Arc<Engine>,
    closed: Closed,
}

impl Check<'_> {
    fn options(&self) -> Vec<(String, String)> {
        let args = self.args;
        let mut options = args.paths.given();
        options.extend(watch::engine_options(&args.engine, &self.engine));
        let baseline = args.baseline.as_deref().map(clean::shown);
        options.extend(baseline.map(|path| ("--baseline".to_owned(), path)));
        options.extend(args.templates.then(|| ("--templates".to_owned(), "on".to_owned())));
        options
    }

    /// Reads everything; what was not inspected comes back.
    fn look(&self, walked: &clean::Walked, collector: &Collector, about: &mut About) -> anyhow::Result<Vec<Missed>> {
        let mut gaps = Gaps::new(&self.engine);
        gaps.walked(walked);
        walked.leftovers.iter().for_each(|path| gaps.skip(path, None, Skip::Leftover));
        let paths = &self.args.paths;
        let shared = Shared::new(Arc::clone(&self.engine), paths.read_options(), paths.threads(), stop_flag()?);
        let bytes = walked.files.iter().map(|file| file.size).sum();
        let scanned = progress::beside(&shared, walked.files.len(), bytes, self.args.quiet, || {
            clean::each(&shared, &walked.files, |worker, file| {
                let mut watch = Watch::<io::Sink> { findings: Some(collector.file(&file.path)), diff: None };
                let scanned = clean::scan_file(worker, file, &mut watch);
                watch.findings.into_iter().for_each(FileCollector::finish);
                scanned
            })
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
        if paths.with_stdin() && shared.stopped() {
            gaps.failed(Path::new("-"), &clean::Reason::Interrupted);
        } else if paths.with_stdin() {
            // It may wait for what never comes: from now on the first signal ends the program.
            shared.stop.store(true, Ordering::Relaxed);
            self.stdin(collector, about, &mut gaps);
        }
        Ok(gaps.finish())
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
        scratch.read_from(&read::name(path));
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
        // Where one of them fails, the others are written all the same.
        let baseline = self.write_baseline(found);
        let page = self.args.report.as_ref().map(|path| to_file(path, |out| report.write(Format::Html, out)));
        let printed = match &self.args.output {
            Some(path) => to_file(path, |out| report.write(self.format(Style::Plain), out)).map_err(Into::into),
            None if self.args.quiet => Ok(()),
            None => print::page(|out| report.write(self.format(self.style()), out)),
        };
        baseline?;
        page.transpose()?;
        print::unless_left(printed)?;
        Ok(self.exit(&report))
    }

    fn write_baseline(&self, found: &Found) -> Result<(), FileError> {
        let Some(path) = &self.args.write_baseline else { return Ok(()) };
        to_file(path, |out| Baseline::write(&found.entries, out))?;
        let count: u64 = found.entries.iter().map(|entry| u64::from(entry.count)).sum();
        complain(&format!("baseline {} written: {count} findings", clean::shown(path)));
        Ok(())
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
pub(super) fn to_file(path: &Path, text: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), FileError> {
    write_to(path, File::create(path), text)
}

/// As [`to_file`], into one that was opened before.
pub(super) fn write_to(
    path: &Path,
    file: io::Result<File>,
    text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), FileError> {
    let written = file.and_then(|file| {
        let mut out = BufWriter::new(file);
        let written = text(&mut out).and_then(|()| out.flush());
        drop(out.into_parts());
        written
    });
    written.map_err(|reason| FileError { path: path.to_owned(), reason })
}

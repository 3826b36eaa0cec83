//! What `clean` shows beside its last line: a diff while it works, a page when it is done.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;

use super::args::EngineArgs;
use super::clean::CleanArgs;
use super::print::{self, FileError, OutputError};
use super::setup;
use super::watch::{self, Gaps, Watch};
use super::{check, color};
use crate::clean::{Done, Observer, Outcome, Silent, Walked, shown};
use crate::engine::Engine;
use crate::report::{About, Blocks, Collector, Diff, FileCollector, Format, Keep, Report, Style, Templates};

/// Findings of one rule in one file, and of all, that the page may choose its samples from.
const PER_RULE: usize = 25;
const TOTAL: usize = 50_000;

/// The page, open from the start: what cannot be written is said before anything is done.
struct Page {
    path: PathBuf,
    file: File,
    collector: Collector,
}

impl Page {
    fn open(path: &Path, collector: Collector) -> anyhow::Result<Page> {
        let file = File::options().write(true).create(true).truncate(false).open(path);
        let file = file.with_context(|| format!("cannot write {}", shown(path)))?;
        Ok(Page { path: path.to_owned(), file, collector })
    }
}

/// Shows what is cleaned.
pub(super) struct Tell {
    engine: Arc<Engine>,
    about: About,
    style: Style,
    /// The page and what collects for it.
    page: Option<Page>,
    /// Where a diff is written, and why that failed.
    diff: Option<Mutex<(BufWriter<File>, Option<io::Error>)>>,
}

impl Tell {
    /// `given` is what the engine was made from.
    pub(super) fn new(args: &CleanArgs, given: &EngineArgs, engine: &Arc<Engine>) -> anyhow::Result<Tell> {
        let mut options = args.paths.given();
        options.extend(args.given());
        options.extend(watch::engine_options(given, engine));
        let keep = Keep {
            total: TOTAL,
            per_rule: PER_RULE,
            templates: Templates::Report,
            blocks: Blocks::ByLine,
            baseline: None,
            entries: false,
        };
        let collector = Collector::new(Arc::clone(engine), keep);
        let page = args.report.as_ref().map(|path| Page::open(path, collector)).transpose()?;
        let stdout = if args.diff { Some(File::from(print::stdout()?)) } else { None };
        let diff = stdout.map(|file| Mutex::new((BufWriter::new(file), None)));
        let style = if color::wanted(args.color) { Style::Color } else { Style::Plain };
        let about = watch::about("clean", engine, options);
        Ok(Tell { engine: Arc::clone(engine), about, style, page, diff })
    }

    /// A diff is written file by file.
    pub(super) fn threads(&self, asked: usize) -> usize {
        if self.diff.is_some() { 1 } else { asked }
    }

    /// Whether a bar would stand in the diff.
    pub(super) fn on_terminal(&self) -> bool {
        self.diff.is_some() && print::on_terminal()
    }

    /// Shows what `clean` does with the file at `path`.
    pub(super) fn file(&self, path: &Path, clean: impl FnOnce(&mut dyn Observer) -> Done) -> Done {
        if self.page.is_none() && self.diff.is_none() {
            return clean(&mut Silent);
        }
        let mut out = self.diff.as_ref().map(|out| out.lock().unwrap_or_else(PoisonError::into_inner));
        let (mut out, failed) = match out.as_deref_mut() {
            Some((out, failed)) => (Some(out), Some(failed)),
            None => (None, None),
        };
        let writes = failed.as_ref().is_some_and(|failed| failed.is_none());
        let diff = out.take().filter(|_| writes).map(|out| Diff::new(Arc::clone(&self.engine), path, self.style, out));
        let findings = self.page.as_ref().map(|page| page.collector.file(path));
        let mut watch = Watch { findings, diff };
        let done = clean(&mut watch);
        // What was found in a file that was left as it is was not masked.
        if !matches!(done.outcome, Outcome::Failed(_)) {
            watch.findings.into_iter().for_each(FileCollector::finish);
        }
        if let (Some(diff), Some(failed)) = (watch.diff, failed) {
            *failed = diff.finish().and_then(|out| out.flush()).err();
        }
        done
    }

    /// Writes the page.
    pub(super) fn finish(mut self, walked: &Walked, done: &[Done]) -> anyhow::Result<()> {
        self.about.ended = setup::now();
        if let Some(page) = self.page.take() {
            self.page(page, walked, done)?;
        }
        match self.diff.and_then(|out| out.into_inner().unwrap_or_else(PoisonError::into_inner).1) {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(OutputError(error).into()),
            _ => Ok(()),
        }
    }

    fn page(&mut self, page: Page, walked: &Walked, done: &[Done]) -> Result<(), FileError> {
        let engine = Arc::clone(&self.engine);
        let mut gaps = Gaps::new(&engine);
        gaps.walked(walked);
        for (file, done) in walked.files.iter().zip(done) {
            match &done.outcome {
                Outcome::Failed(reason) => gaps.failed(&file.path, reason),
                Outcome::Skipped(skip) => gaps.skip(&file.path, None, *skip),
                Outcome::Cleaned { .. } | Outcome::Unchanged => {
                    self.about.files += 1;
                    self.about.bytes += done.tally.bytes_in;
                }
            }
            done.skipped.iter().for_each(|(member, skip)| gaps.skip(&file.path, Some(member), *skip));
            gaps.withheld(&file.path, done.tally.records_masked_whole);
        }
        let (found, missed) = (page.collector.finish(), gaps.finish());
        let (rules, actions) = (engine.rules(), engine.actions());
        let report = Report { about: &self.about, found: &found, missed: &missed, rules, actions };
        // A device has no length.
        let _ = page.file.set_len(0);
        check::write_to(&page.path, Ok(page.file), |out| report.write(Format::Html, out))
    }
}

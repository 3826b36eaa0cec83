//! `inkout clean PATH…`: files, folders and archives made safe to share, in their place or in another folder.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{ArgGroup, Args};

use super::args::{ColorWhen, EngineArgs};
use super::names::Names;
use super::paths::{PathArgs, stop_flag};
use super::print::{complain, complain_plainly, page, unless_left};
use super::setup::Setup;
use super::share::Share;
use super::tell::Tell;
use super::{Exit, progress};
use crate::clean::{CleanOptions, Done, FileEntry, Outcome, Reason, Shared, Target, Walked, clean_file, each, shown};

const TARGET: &str = "Where the result goes";
const TELLING: &str = "What is told";

/// `inkout clean`
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("target").required(true).multiple(true).args(["out_dir", "in_place", "dry_run", "diff"]))]
pub(super) struct CleanArgs {
    #[command(flatten)]
    pub(super) paths: PathArgs,
    /// Write into this folder, which mirrors what was named
    #[arg(short, long, value_name = "DIR", help_heading = TARGET, conflicts_with_all = ["in_place", "dry_run"])]
    pub(super) out_dir: Option<PathBuf>,
    /// Replace the files. With a suffix, keep the originals under their name and the suffix: they hold the secrets
    #[arg(short, long, value_name = "SUFFIX", num_args = 0..=1, require_equals = true, default_missing_value = "", help_heading = TARGET)]
    pub(super) in_place: Option<OsString>,
    /// Write nothing; say what would be done
    #[arg(short = 'n', long, help_heading = TARGET, conflicts_with = "in_place")]
    pub(super) dry_run: bool,
    /// Do not scan the result again before it is kept
    #[arg(long, help_heading = TARGET)]
    pub(super) no_verify: bool,
    /// Scan the result again before it is kept, and fail if anything is found; this is the default
    #[arg(long, overrides_with = "no_verify", hide = true)]
    pub(super) verify: bool,
    /// Replace files that have other names too; the others keep the secrets
    #[arg(long, requires = "in_place", help_heading = TARGET)]
    pub(super) break_hardlinks: bool,
    /// Keep the time of the last change
    #[arg(long, help_heading = TARGET)]
    pub(super) preserve_mtime: bool,
    /// Show the lines that change, masked on both sides; alone it writes nothing, like --dry-run
    #[arg(long, help_heading = TELLING)]
    pub(super) diff: bool,
    /// Write a page for people to this file: what was masked and where, and what was not inspected
    #[arg(long, value_name = "FILE.html", help_heading = TELLING)]
    pub(super) report: Option<PathBuf>,
    /// Let the diff be coloured
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = TELLING)]
    pub(super) color: ColorWhen,
    /// Write tokens that are the same for the same secret in all files, under the key in this file; `new` makes one, which
    /// stays with you
    #[arg(long, value_name = "new|FILE", help_heading = TARGET)]
    pub(super) share_key: Option<PathBuf>,
    /// Print nothing but what went wrong
    #[arg(short, long, help_heading = TELLING)]
    pub(super) quiet: bool,
    #[command(flatten)]
    pub(super) engine: EngineArgs,
}

impl CleanArgs {
    /// Whether nothing is written.
    fn is_dry(&self) -> bool {
        self.out_dir.is_none() && self.in_place.is_none()
    }

    /// What was asked for beside the files, by name.
    pub(super) fn given(&self) -> Vec<(String, String)> {
        let target = match (&self.out_dir, &self.in_place) {
            (Some(folder), _) => ("--out-dir", shown(folder)),
            (None, Some(suffix)) => ("--in-place", shown(Path::new(suffix))),
            (None, None) => ("--dry-run", "on: nothing was written".to_owned()),
        };
        let verify = (
            "Verified",
            if self.is_dry() || self.no_verify { "no" } else { "yes: what was written was scanned again" },
        );
        [target, (verify.0, verify.1.to_owned())].map(|(name, value)| (name.to_owned(), value)).into()
    }
}

pub(super) fn run(args: &CleanArgs) -> anyhow::Result<Exit> {
    let target = target(args)?;
    let (share, given) = Share::plan(args.share_key.as_deref(), &args.engine)?;
    let setup = Setup::read(&given)?;
    let mut walked = args.paths.walk(args.out_dir.as_deref())?;
    let engine = share.compile(setup, &given)?;
    let named = Arc::clone(&engine);
    let names = Names::new(&named);
    share.leave_out(&mut walked, &names);
    if args.out_dir.is_some() {
        apart(&walked.files, &names)?;
    }
    let tell = Tell::new(args, &given, &engine)?;
    if let Target::Folder(folder) = &target {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", names.path(folder)))?;
    }
    if !args.is_dry() {
        share.keep()?;
    }
    let options = CleanOptions {
        target,
        verify: !args.no_verify,
        break_hardlinks: args.break_hardlinks,
        preserve_mtime: args.preserve_mtime,
    };
    let shared = Shared::new(engine, args.paths.read_options(), tell.threads(args.paths.threads()), stop_flag()?);
    let bytes = walked.files.iter().map(|file| file.size).sum();
    let done = progress::beside(&shared, walked.files.len(), bytes, args.quiet || tell.on_terminal(), || {
        each(&shared, &walked.files, |worker, file| {
            tell.file(&file.path, |observer| clean_file(worker, file, &options, observer))
        })
    });
    // The page may fail to be written; what was done and what was not is said all the same.
    let exit = report(args, &names, &walked, &done);
    tell.finish(&walked, &done)?;
    exit
}

fn target(args: &CleanArgs) -> anyhow::Result<Target> {
    if let Some(folder) = &args.out_dir {
        return Ok(Target::Folder(folder.clone()));
    }
    let Some(suffix) = &args.in_place else { return Ok(Target::Nowhere) };
    let is_part_of_name = !suffix.as_encoded_bytes().contains(&b'/');
    anyhow::ensure!(is_part_of_name, "--in-place={}: a suffix holds no `/`", shown(Path::new(suffix)));
    Ok(Target::InPlace { suffix: Some(suffix.clone()).filter(|suffix| !suffix.is_empty()) })
}

/// Two files must not be written to one place.
fn apart(files: &[FileEntry], names: &Names<'_>) -> anyhow::Result<()> {
    let mut places: HashMap<&Path, &Path> = HashMap::new();
    for file in files {
        if let Some(other) = places.insert(&file.relative, &file.path) {
            let (one, two, place) = (names.path(other), names.path(&file.path), names.path(&file.relative));
            anyhow::bail!("{one} and {two} would both be written to {place} in the folder; clean them one by one");
        }
    }
    Ok(())
}

/// What is counted for the last line.
#[derive(Default)]
struct Counts {
    cleaned: u64,
    findings: u64,
    unchanged: u64,
    skipped: u64,
    failed: u64,
    interrupted: u64,
    /// Whether text may have been missed.
    gaps: bool,
}

fn report(args: &CleanArgs, names: &Names<'_>, walked: &Walked, done: &[Done]) -> anyhow::Result<Exit> {
    let mut counts = Counts::default();
    for (path, reason) in &walked.failed {
        counts.failed(&names.path(path), names, reason);
    }
    for (path, skip) in &walked.skipped {
        counts.skipped += 1;
        if !args.quiet {
            complain(&format!("{}: skipped: {skip}", names.path(path)));
        }
    }
    let mut text = String::new();
    for (file, done) in walked.files.iter().zip(done) {
        counts.file(args, names, file, done, &mut text);
    }
    if counts.interrupted > 0 {
        complain(&format!("interrupted; not done: {}", number(counts.interrupted, "file")));
    }
    if !args.quiet {
        counts.total(args.is_dry(), &mut text);
        match args.diff {
            true => complain_plainly(&text),
            false => unless_left(page(|out| out.write_all(text.as_bytes())))?,
        }
    }
    let whole = counts.failed + counts.interrupted == 0 && !counts.gaps;
    Ok(if whole { Exit::Done } else { Exit::Incomplete })
}

impl Counts {
    fn failed(&mut self, name: &str, names: &Names<'_>, reason: &Reason) {
        if matches!(reason, Reason::Interrupted) {
            self.interrupted += 1;
        } else {
            self.failed += 1;
            complain(&format!("{name}: {}", names.reason(reason)));
        }
    }

    fn file(&mut self, args: &CleanArgs, names: &Names<'_>, file: &FileEntry, done: &Done, text: &mut String) {
        let withheld = done.tally.records_masked_whole;
        let is_silent = matches!(done.outcome, Outcome::Unchanged) && done.skipped.is_empty() && withheld == 0;
        let name = if is_silent { String::new() } else { names.path(&file.path) };
        match &done.outcome {
            Outcome::Cleaned { findings } => {
                self.cleaned += 1;
                self.findings += findings;
                let would = if args.is_dry() { "would be " } else { "" };
                let _ = writeln!(text, "{name}: {} {would}masked", number(*findings, "finding"));
            }
            Outcome::Unchanged => self.unchanged += 1,
            Outcome::Skipped(skip) => {
                self.skipped += 1;
                self.gaps |= skip.is_gap();
                if !args.quiet || skip.is_gap() {
                    complain(&format!("{name}: skipped: {skip}"));
                }
            }
            Outcome::Failed(reason) => self.failed(&name, names, reason),
        }
        for (member, skip) in &done.skipped {
            // In another folder it goes where the rest goes, and nobody has looked at it.
            let told = skip.is_gap() || args.out_dir.is_some();
            self.gaps |= told;
            if !args.quiet || told {
                complain(&format!("{name}: {}: not inspected: {skip}", names.bytes(member)));
            }
        }
        if withheld > 0 {
            self.gaps = true;
            let records = number(withheld, "record");
            complain(&format!("{name}: {records} could not be inspected and masked whole"));
        }
    }

    fn total(&self, dry_run: bool, text: &mut String) {
        let files = self.cleaned + self.unchanged + self.skipped + self.failed + self.interrupted;
        let cleaned = if dry_run { "to clean" } else { "cleaned" };
        let _ = write!(
            text,
            "{}: {} {cleaned} ({})",
            number(files, "file"),
            self.cleaned,
            number(self.findings, "finding")
        );
        let _ = writeln!(
            text,
            ", {} unchanged, {} skipped, {} failed",
            self.unchanged,
            self.skipped,
            self.failed + self.interrupted
        );
    }
}

fn number(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

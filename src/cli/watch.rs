//! What `check` and `clean` tell of a run: shows the report what is read, and puts together what was not inspected, when,
//! and with which options.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::args::EngineArgs;
use super::setup;
use crate::clean::{Observer, Reason, Scanned, Seen, Skip, Walked};
use crate::engine::{Action, Carry, Engine};
use crate::report::{About, Diff, FileCollector, Look, Missed, MissedKind, Place};
use crate::rules::Catalog;

/// Shows a report, a diff, or both what is read of one file.
pub(super) struct Watch<'c, W> {
    pub(super) findings: Option<FileCollector<'c>>,
    pub(super) diff: Option<Diff<W>>,
}

impl<W: Write + Send> Observer for Watch<'_, W> {
    fn begin(&mut self, member: Option<&[u8]>) {
        if let Some(findings) = &mut self.findings {
            findings.begin(member);
        }
        if let Some(diff) = &mut self.diff {
            diff.begin(member);
        }
    }

    fn piece(&mut self, seen: &Seen<'_>) {
        if let Some(findings) = &mut self.findings {
            findings.take(look(seen));
        }
        if let Some(diff) = &mut self.diff {
            diff.take(look(seen));
        }
    }

    fn counts_lines(&self) -> bool {
        self.findings.is_some() || self.diff.is_some()
    }
}

/// A piece as the report sees it.
pub(super) fn look<'s>(seen: &Seen<'s>) -> Look<'s> {
    Look {
        member: seen.member,
        offset: seen.offset,
        line: seen.line,
        body: seen.piece.body(),
        is_window: seen.piece.is_window(),
        found: seen.found,
        masked: seen.masked.as_bytes(),
    }
}

/// What was not inspected.
pub(super) struct Gaps<'e> {
    engine: &'e Engine,
    missed: Vec<Missed>,
}

impl<'e> Gaps<'e> {
    pub(super) fn new(engine: &'e Engine) -> Gaps<'e> {
        Gaps { engine, missed: Vec::new() }
    }

    /// What was not even opened.
    pub(super) fn walked(&mut self, walked: &Walked) {
        walked.skipped.iter().for_each(|(path, skip)| self.skip(path, None, *skip));
        walked.failed.iter().for_each(|(path, reason)| self.failed(path, reason));
    }

    /// What was left out of a file that was read.
    pub(super) fn scanned(&mut self, path: &Path, scanned: &Scanned) {
        if let Some(skip) = scanned.skip {
            self.skip(path, None, skip);
        }
        scanned.skipped.iter().for_each(|(member, skip)| self.skip(path, Some(member), *skip));
        self.withheld(path, scanned.tally.records_masked_whole);
    }

    /// What could not be read to its end.
    pub(super) fn failed(&mut self, path: &Path, reason: &Reason) {
        self.add(path, None, &reason.to_string(), MissedKind::Failed);
    }

    /// Records that could not be looked at.
    pub(super) fn withheld(&mut self, path: &Path, records: u64) {
        if records > 0 {
            self.add(
                path,
                None,
                &format!("{records} records could not be looked at and are masked whole"),
                MissedKind::Failed,
            );
        }
    }

    /// What was left out.
    pub(super) fn skip(&mut self, path: &Path, member: Option<&[u8]>, skip: Skip) {
        let kind = if skip.is_gap() { MissedKind::Failed } else { MissedKind::Skipped };
        self.add(path, member, &skip.to_string(), kind);
    }

    fn add(&mut self, path: &Path, member: Option<&[u8]>, reason: &str, kind: MissedKind) {
        let place = Arc::new(Place::new(self.engine, path, member));
        self.missed.push(Missed { place, reason: masked(self.engine, reason), kind });
    }

    /// All of it, by place.
    pub(super) fn finish(mut self) -> Vec<Missed> {
        self.missed.sort();
        self.missed.dedup();
        self.missed
    }
}

/// A text that is not from a file we read but is printed: an option, a reason.
pub(super) fn masked(engine: &Engine, text: &str) -> String {
    let block = bytes::Bytes::copy_from_slice(text.as_bytes());
    let masked = engine.redact(&mut engine.scratch(), &Carry::default(), block).0;
    String::from_utf8_lossy(masked.as_bytes()).into_owned()
}

/// What ran, for the fine print; the counts are the caller's.
pub(super) fn about(command: &'static str, engine: &Engine, options: Vec<(String, String)>) -> About {
    let options = options.into_iter().map(|(name, value)| (name, masked(engine, &value))).collect();
    let (version, rules_version, rules_hash) =
        (env!("CARGO_PKG_VERSION"), Catalog::version().to_owned(), Catalog::hash());
    let (started, ended) = (setup::now(), setup::now());
    About { command, version, rules_version, rules_hash, options, started, ended, files: 0, bytes: 0, baseline: false }
}

/// The options of an engine that were given, by name.
pub(super) fn engine_options(args: &EngineArgs, engine: &Engine) -> Vec<(String, String)> {
    let paths =
        |paths: &[std::path::PathBuf]| paths.iter().map(|path| crate::clean::shown(path)).collect::<Vec<_>>().join(" ");
    let path = |path: &Option<std::path::PathBuf>| paths(path.as_slice());
    let on = engine.actions().iter().filter(|action| **action != Action::Keep).count();
    let mut options = vec![("Rules switched on".to_owned(), format!("{on} of {}", engine.rules().len()))];
    let given = [
        ("--rules", paths(&args.rules)),
        ("--only", args.only.join(",")),
        ("--disable", args.disable.join(",")),
        ("--config", path(&args.config)),
        ("--action", args.action.map(|action| format!("{action:?}").to_lowercase()).unwrap_or_default()),
        ("--known-values", paths(&args.known_values)),
        ("--known-env", args.known_env.join(" ")),
        ("--known-dotenv", paths(&args.known_dotenv)),
        ("--known-dir", paths(&args.known_dir)),
        ("--placeholder", args.placeholder.clone().unwrap_or_default()),
        ("--hash-key-file", path(&args.hash_key_file)),
    ];
    options
        .extend(given.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_owned(), value)));
    options
}

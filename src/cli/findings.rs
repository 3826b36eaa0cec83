//! `inkout findings summarize`: the exposure window of each leaked secret, from the stream a daemon wrote.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::Path;

use super::Exit;
use super::args::SummarizeArgs;
use super::print::{complain, page};
use crate::admin::duration;
use crate::findings::{Exposure, FingerprintKey, Generation, Summary, SummaryError};

/// Prints one entry for each secret, the one seen last first.
pub(super) fn summarize(args: &SummarizeArgs) -> anyhow::Result<Exit> {
    let mut summary = Summary::default();
    let mut exit = Exit::Done;
    for path in &args.files {
        if let Err(error) = read(&mut summary, path) {
            complain(&error);
            exit = Exit::Incomplete;
        }
    }
    summary.torn().iter().for_each(|place| complain(&format!("{place}: the last line is cut off and was left out")));
    let (named, unreadable) = summary.unreadable();
    named.iter().for_each(|line| complain(line));
    if unreadable > named.len() as u64 {
        complain(&format!("and {} lines more", unreadable - named.len() as u64));
    }
    if unreadable > 0 {
        exit = Exit::Incomplete;
    }
    let whole = exit == Exit::Done && summary.torn().is_empty();
    let exposures = summary.exposures();
    if exposures.iter().any(|exposure| exposure.fingerprint_key == FingerprintKey::Random) {
        complain(&"some fingerprints were made with a random key: after a restart the same secret has another one");
    }
    page(|out| if args.json { json(&exposures, out) } else { text(&exposures, whole, out) })?;
    Ok(exit)
}

fn read(summary: &mut Summary, path: &Path) -> Result<(), SummaryError> {
    if path.as_os_str() == "-" {
        return summary.read("standard input", io::stdin().lock());
    }
    let name = path.display().to_string();
    match File::open(path) {
        Ok(file) => summary.read(&name, BufReader::new(file)),
        Err(reason) => Err(SummaryError::Unreadable { name, reason }),
    }
}

fn json(exposures: &[Exposure], out: &mut dyn Write) -> io::Result<()> {
    exposures.iter().try_for_each(|exposure| {
        let line = serde_json::to_string(exposure).map_err(io::Error::other)?;
        writeln!(out, "{line}")
    })
}

/// `whole`: everything could be read.
fn text(exposures: &[Exposure], whole: bool, out: &mut dyn Write) -> io::Result<()> {
    match (exposures.is_empty(), whole) {
        (true, true) => return writeln!(out, "no secret was found"),
        (true, false) => return writeln!(out, "what could be read tells of no secret; not everything could be read"),
        (false, _) => {}
    }
    exposures.iter().enumerate().try_for_each(|(at, exposure)| {
        if at > 0 {
            writeln!(out)?;
        }
        entry(exposure, out)
    })
}

fn entry(exposure: &Exposure, out: &mut dyn Write) -> io::Result<()> {
    let left = if exposure.masked { "" } else { "  NOT MASKED (audit)" };
    writeln!(out, "{}  {}{left}", plain(&exposure.fingerprint), list(&exposure.rules))?;
    let (first, last) = (exposure.first_seen, exposure.last_seen);
    let window = duration(u64::try_from(exposure.exposed_seconds).unwrap_or(0));
    writeln!(out, "  exposed   {first:.0} to {last:.0} ({window})")?;
    let times = if exposure.count == 1 { "time" } else { "times" };
    writeln!(out, "  seen      {} {times} in {}", exposure.count, list(&exposure.sources))?;
    if !exposure.key_paths.is_empty() {
        writeln!(out, "  key       {}", list(&exposure.key_paths))?;
    }
    let Some(known) = &exposure.known else { return Ok(()) };
    let generation = match known.generation {
        Generation::Current => "in use: rotate it",
        Generation::Previous => "already replaced: somebody still uses it",
    };
    writeln!(out, "  known as  {} ({generation})", plain(&known.name))?;
    if let Some(owner) = &known.owner {
        writeln!(out, "  owner     {}", plain(owner))?;
    }
    if let Some(revoke) = &known.revoke {
        writeln!(out, "  revoke    {}", plain(revoke))?;
    }
    Ok(())
}

fn list<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(|name| plain(name)).collect::<Vec<_>>().join(", ")
}

/// What a file says must not move a terminal's cursor.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_not_printed() {
        assert_eq!(plain("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
    }
}

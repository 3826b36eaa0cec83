//! What every command that takes files and folders asks of them: which ones, how they are read, on how many threads.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use clap::Args;

use crate::clean::{ReadOptions, WalkOptions, Walked, shown, walk};

const CHOICE: &str = "Which files";
const READING: &str = "How they are read";
const RUNNING: &str = "Running";

/// Files and folders, and how they are read.
#[derive(Args, Debug)]
pub(super) struct PathArgs {
    /// Files, folders and archives
    #[arg(value_name = "PATH", required = true)]
    pub(super) paths: Vec<PathBuf>,
    /// In folders, take only files that match (repeatable)
    #[arg(long, value_name = "GLOB", help_heading = CHOICE)]
    pub(super) include: Vec<String>,
    /// In folders, leave out what matches, as in a .gitignore (repeatable)
    #[arg(long, value_name = "GLOB", help_heading = CHOICE)]
    pub(super) exclude: Vec<String>,
    /// In folders, take only files of this type, by ripgrep's names (repeatable)
    #[arg(long = "type", value_name = "TYPE", help_heading = CHOICE)]
    pub(super) types: Vec<String>,
    /// In folders, heed .gitignore files too; .inkoutignore files are always heeded
    #[arg(long, help_heading = CHOICE)]
    pub(super) gitignore: bool,
    /// Go where symbolic links lead
    #[arg(long, help_heading = CHOICE)]
    pub(super) follow: bool,
    /// Look at binary files too, as bytes
    #[arg(long, help_heading = READING)]
    pub(super) binary: bool,
    /// How much may come out of one compressed file or archive, as 500M or 64G
    #[arg(long, value_name = "SIZE", default_value = "64G", value_parser = size, help_heading = READING)]
    pub(super) max_inflated: u64,
    /// How many times its own size may come out of it, beyond the first 32 MiB
    #[arg(long, value_name = "N", default_value_t = 250, value_parser = clap::value_parser!(u64).range(1..), help_heading = READING)]
    pub(super) max_ratio: u64,
    /// Threads; 0, as without it, is one for each processor
    #[arg(short = 'j', long, value_name = "N", default_value_t = 0, value_parser = super::args::threads, help_heading = RUNNING)]
    pub(super) threads: usize,
}

impl PathArgs {
    pub(super) fn read_options(&self) -> ReadOptions {
        ReadOptions { binary: self.binary, max_inflated: self.max_inflated, max_ratio: self.max_ratio }
    }

    pub(super) fn threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, NonZero::get),
            count => count,
        }
    }

    /// Whether standard input is to be read: where nothing or `-` is named.
    pub(super) fn with_stdin(&self) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|path| path == Path::new("-"))
    }

    /// Lists the files; `-` is none of them.
    pub(super) fn walk_files(&self) -> anyhow::Result<Walked> {
        let paths: Vec<PathBuf> = self.paths.iter().filter(|path| *path != Path::new("-")).cloned().collect();
        Ok(walk(&paths, &self.walk_options(None))?)
    }

    /// What was asked for, by name.
    pub(super) fn given(&self) -> Vec<(String, String)> {
        let paths: Vec<String> = self.paths.iter().map(|path| shown(path)).collect();
        let on = |switch: bool| if switch { "on".to_owned() } else { String::new() };
        let all = [
            ("Paths", paths.join(" ")),
            ("--include", self.include.join(" ")),
            ("--exclude", self.exclude.join(" ")),
            ("--type", self.types.join(" ")),
            ("--gitignore", on(self.gitignore)),
            ("--follow", on(self.follow)),
            ("--binary", on(self.binary)),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Lists the files, those below `apart_from` left out.
    pub(super) fn walk(&self, apart_from: Option<&Path>) -> anyhow::Result<Walked> {
        Ok(walk(&self.paths, &self.walk_options(apart_from))?)
    }

    fn walk_options(&self, apart_from: Option<&Path>) -> WalkOptions {
        WalkOptions {
            follow: self.follow,
            include: self.include.clone(),
            exclude: self.exclude.clone(),
            types: self.types.clone(),
            gitignore: self.gitignore,
            apart_from: apart_from.map(Path::to_owned),
            threads: self.threads(),
        }
    }
}

/// A flag that is set when somebody asks the program to end. Asked a second time, it ends at once.
pub(super) fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .context("cannot listen for signals")?;
    }
    Ok(stop)
}

/// A number of bytes, with K, M, G or T for powers of 1024.
fn size(text: &str) -> Result<u64, String> {
    let wrong = || "a number of bytes, as 1000000, 500M or 64G".to_owned();
    let text = text.trim_end_matches("iB").trim_end_matches('B');
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (&text[..text.len() - 1], 10),
        Some(b'M' | b'm') => (&text[..text.len() - 1], 20),
        Some(b'G' | b'g') => (&text[..text.len() - 1], 30),
        Some(b'T' | b't') => (&text[..text.len() - 1], 40),
        _ => (text, 0),
    };
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    count.checked_mul(1 << shift).filter(|size| *size > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(size("1000"), Ok(1000));
        assert_eq!(size("2K"), Ok(2048));
        assert_eq!(size("64GiB"), Ok(64 << 30));
        for wrong in ["", "0", "M", "-1", "1.5G", "99999999999T"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}

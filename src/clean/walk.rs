//! Which files there are: a recursive walk on several threads with globs, types and ignore files. Nothing is opened.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, FileType};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ignore::overrides::{Override, OverrideBuilder};
use ignore::types::{Types, TypesBuilder};
use ignore::{DirEntry, WalkBuilder, WalkState};

use super::error::{Reason, Skip};

/// A file that says what is left out of the folder it is in, in the syntax of `.gitignore`.
const IGNORE_FILE: &str = ".inkoutignore";
const LEFTOVER_START: &[u8] = b".inkout-";
const LEFTOVER_END: &[u8] = b".tmp";

/// What is walked and what is left out.
#[derive(Clone, Debug, Default)]
pub struct WalkOptions {
    /// Whether symbolic links are followed.
    pub follow: bool,
    /// Only files that match one of these globs.
    pub include: Vec<String>,
    /// No files and folders that match one of these, in the syntax of `.gitignore`.
    pub exclude: Vec<String>,
    /// Only files of these types, by ripgrep's names.
    pub types: Vec<String>,
    /// Whether `.gitignore` and its kin are heeded.
    pub gitignore: bool,
    /// A folder that is left out: the one that is written to.
    pub apart_from: Option<PathBuf>,
    /// Threads.
    pub threads: usize,
}

/// A file to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// As it was named, or found below what was named.
    pub path: PathBuf,
    /// What is opened: the same, or what a followed link leads to.
    pub real: PathBuf,
    /// Its place below what was named: for the file itself, its name.
    pub relative: PathBuf,
    /// Its size when it was found.
    pub size: u64,
}

/// What there is.
#[derive(Debug, Default)]
pub struct Walked {
    /// Files, in the order of their paths. None is named twice.
    pub files: Vec<FileEntry>,
    /// What lies in a folder and is no file to be read.
    pub skipped: Vec<(PathBuf, Skip)>,
    /// Temporary files of runs that were killed or go on.
    pub leftovers: Vec<PathBuf>,
    /// What was named or found and cannot be read.
    pub failed: Vec<(PathBuf, Reason)>,
}

/// A glob or a type that is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalkError {
    /// A glob that cannot be read.
    #[error("{0}")]
    Glob(#[source] ignore::Error),
    /// A type that is not known.
    #[error("unknown file type `{0}`; known are ripgrep's: log, json, yaml, txt, config, sh, …")]
    Type(String),
    /// The working folder is gone.
    #[error("cannot tell the working folder: {0}")]
    Folder(#[source] io::Error),
}

/// Whether a file of this name is a temporary one of this program: `.inkout-PROCESS-COUNT-RANDOM.tmp`, nothing else.
pub(super) fn is_leftover(name: &OsStr) -> bool {
    let inner = name.as_bytes().strip_prefix(LEFTOVER_START).and_then(|name| name.strip_suffix(LEFTOVER_END));
    let mut parts = inner.unwrap_or_default().split(|byte| *byte == b'-');
    let mut is = |digit: fn(&u8) -> bool| parts.next().filter(|part| !part.is_empty() && part.iter().all(digit));
    let (process, count, random) = (is(u8::is_ascii_digit), is(u8::is_ascii_digit), is(u8::is_ascii_hexdigit));
    process.is_some() && count.is_some() && random.is_some_and(|part| part.len() == 16) && parts.next().is_none()
}

/// Lists the files at and below `paths`.
///
/// # Errors
/// When a glob or a type is none. What cannot be read is no error: it stands in [`Walked::failed`].
pub fn walk(paths: &[PathBuf], options: &WalkOptions) -> Result<Walked, WalkError> {
    let globs = globs(options)?;
    let types = types(&options.types)?;
    let apart = options.apart_from.as_deref().and_then(|path| fs::canonicalize(path).ok());
    let walk = Walk { options, globs, types, apart, found: Arc::default() };
    paths.iter().for_each(|path| walk.named(path));
    let mut walked = std::mem::take(&mut *walk.found());
    settle(&mut walked);
    Ok(walked)
}

/// Sorts, and drops what was found twice.
fn settle(walked: &mut Walked) {
    walked.files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut roots = Folders::default();
    let mut seen = HashSet::new();
    walked.files.retain(|file| seen.insert(roots.identity(&file.real)));
    walked.skipped.sort_by(|a, b| a.0.cmp(&b.0));
    walked.skipped.dedup();
    walked.failed.sort_by(|a, b| a.0.cmp(&b.0));
    walked.failed.dedup_by(|a, b| a.0 == b.0);
}

/// Resolves folders, the last one at hand: files come folder by folder.
#[derive(Default)]
struct Folders {
    last: Option<(PathBuf, PathBuf)>,
}

impl Folders {
    /// The one path of a file that all its names lead to.
    fn identity(&mut self, path: &Path) -> PathBuf {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let known = self.last.as_ref().is_some_and(|(named, _)| named == folder);
        if !known {
            let resolved = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
            self.last = Some((folder.to_owned(), resolved));
        }
        let resolved = self.last.as_ref().map_or(folder, |(_, resolved)| resolved);
        path.file_name().map_or_else(|| resolved.to_owned(), |name| resolved.join(name))
    }
}

fn globs(options: &WalkOptions) -> Result<Override, WalkError> {
    let mut builder = OverrideBuilder::new(std::env::current_dir().map_err(WalkError::Folder)?);
    for glob in &options.include {
        builder.add(glob).map_err(WalkError::Glob)?;
    }
    for glob in &options.exclude {
        builder.add(&format!("!{glob}")).map_err(WalkError::Glob)?;
    }
    builder.build().map_err(WalkError::Glob)
}

fn types(names: &[String]) -> Result<Types, WalkError> {
    let mut builder = TypesBuilder::new();
    builder.add_defaults();
    for name in names {
        builder.select(name);
    }
    builder.build().map_err(|error| match error {
        ignore::Error::UnrecognizedFileType(name) => WalkError::Type(name),
        error => WalkError::Glob(error),
    })
}

struct Walk<'w> {
    options: &'w WalkOptions,
    globs: Override,
    types: Types,
    /// The folder that is left out, resolved.
    apart: Option<PathBuf>,
    found: Arc<Mutex<Walked>>,
}

impl Walk<'_> {
    fn found(&self) -> MutexGuard<'_, Walked> {
        lock(&self.found)
    }

    /// Takes what the user named: nothing that is asked for is passed over in silence.
    fn named(&self, path: &Path) {
        let kind = match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_symlink() && self.options.follow => fs::metadata(path),
            kind => kind,
        };
        match kind {
            Err(error) => self.found().failed.push((path.to_owned(), Reason::Read(error))),
            Ok(kind) if kind.is_dir() => self.folder(path),
            Ok(kind) if kind.is_file() => {
                let relative = path.file_name().map_or_else(|| path.to_owned(), PathBuf::from);
                self.file(path.to_owned(), relative, kind.size());
            }
            Ok(kind) if kind.is_symlink() => self.found().failed.push((path.to_owned(), Reason::Symlink)),
            Ok(kind) => {
                let reason = Reason::NotRegular(special(kind.file_type()).unwrap_or("something else"));
                self.found().failed.push((path.to_owned(), reason));
            }
        }
    }

    fn file(&self, path: PathBuf, relative: PathBuf, size: u64) {
        let real = if self.options.follow { fs::canonicalize(&path) } else { Ok(path.clone()) };
        let mut found = self.found();
        match real {
            Ok(real) => found.files.push(FileEntry { path, real, relative, size }),
            Err(error) => found.failed.push((path, Reason::Read(error))),
        }
    }

    fn folder(&self, root: &Path) {
        let base = mirrored_name(root);
        let (apart, found) = (self.apart.clone(), Arc::clone(&self.found));
        let walker = WalkBuilder::new(root)
            .standard_filters(false)
            .git_ignore(self.options.gitignore)
            .git_global(self.options.gitignore)
            .git_exclude(self.options.gitignore)
            .parents(self.options.gitignore)
            .add_custom_ignore_filename(IGNORE_FILE)
            .follow_links(self.options.follow)
            .overrides(self.globs.clone())
            .types(self.types.clone())
            .threads(self.options.threads)
            .filter_entry(move |entry| enters(entry, apart.as_deref(), &found))
            .build_parallel();
        walker.run(|| {
            Box::new(|entry| {
                match entry {
                    Ok(entry) => self.entry(root, &base, &entry),
                    Err(error) => self.error(root, error),
                }
                WalkState::Continue
            })
        });
    }

    fn entry(&self, root: &Path, base: &Path, entry: &DirEntry) {
        if let Some(error) = entry.error() {
            // A glob in an ignore file that cannot be read: what it was to leave out is taken.
            self.found().failed.push((entry.path().to_owned(), Reason::Refused(error.to_string())));
        }
        let Some(kind) = entry.file_type().filter(|kind| !kind.is_dir()) else { return };
        let path = entry.path().to_owned();
        if is_leftover(entry.file_name()) {
            // Another run is writing it, or was killed; it is of nobody's making.
            self.found().leftovers.push(path);
        } else if kind.is_symlink() {
            self.found().skipped.push((path, Skip::Symlink));
        } else if let Some(name) = special(kind) {
            self.found().skipped.push((path, Skip::Special(name)));
        } else {
            let relative = base.join(path.strip_prefix(root).unwrap_or(&path));
            match entry.metadata() {
                Ok(metadata) => self.file(path, relative, metadata.size()),
                Err(error) => self.error(&path, error),
            }
        }
    }

    fn error(&self, path: &Path, error: ignore::Error) {
        let path = place(&error).unwrap_or(path).to_owned();
        let reason = match error.into_io_error() {
            Some(error) => Reason::Read(error),
            None => Reason::Refused("a symbolic link that leads back to a folder above it".to_owned()),
        };
        self.found().failed.push((path, reason));
    }
}

fn lock(found: &Mutex<Walked>) -> MutexGuard<'_, Walked> {
    found.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a walk looks at an entry at all.
fn enters(entry: &DirEntry, apart: Option<&Path>, found: &Mutex<Walked>) -> bool {
    let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
    if !is_folder || entry.depth() == 0 {
        return true;
    }
    if matches!(entry.file_name().as_bytes(), b".git" | b".hg" | b".svn" | b".jj") {
        lock(found).skipped.push((entry.path().to_owned(), Skip::VersionControl));
        return false;
    }
    let named_alike = apart.is_some_and(|apart| apart.file_name() == Some(entry.file_name()));
    !(named_alike && fs::canonicalize(entry.path()).is_ok_and(|path| Some(path.as_path()) == apart))
}

/// The name under which a folder's files are mirrored, as `cp -r` does it: that of the folder, or none for `.` and `/`.
fn mirrored_name(root: &Path) -> PathBuf {
    root.file_name().map(PathBuf::from).unwrap_or_default()
}

fn special(kind: FileType) -> Option<&'static str> {
    if kind.is_fifo() {
        Some("a FIFO")
    } else if kind.is_socket() {
        Some("a socket")
    } else if kind.is_char_device() || kind.is_block_device() {
        Some("a device")
    } else {
        None
    }
}

/// The path an error tells of.
fn place(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => place(err),
        ignore::Error::Loop { child, .. } => Some(child),
        _ => None,
    }
}

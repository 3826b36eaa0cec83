//! Patterns of paths, and walking the folders that they name. It lists and stats; it opens nothing and remembers nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use super::identity::{FileKey, Stamp};
use super::rotation;

/// A `**` does not look deeper.
const MAX_DEPTH: usize = 32;

/// Why the patterns cannot be used; the operator is to blame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GlobError {
    /// There is none.
    #[error("no path to follow")]
    Empty,
    /// A pattern is none.
    #[error("`{pattern}`: {reason}")]
    Pattern {
        /// As it was written.
        pattern: String,
        /// Why.
        reason: String,
    },
}

/// Why a path that a pattern names is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A folder, a pipe, a socket or a device.
    Kind(&'static str),
    /// Its bytes are no lines: the name ends as a compressor's does.
    Compressed,
    /// It cannot be opened or listed.
    Unreadable(io::ErrorKind),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Kind(kind) => write!(f, "it is {kind}; only regular files are followed"),
            Refusal::Compressed => write!(f, "it is compressed"),
            Refusal::Unreadable(reason) => write!(f, "{reason}"),
        }
    }
}

/// One part of a pattern, between two slashes.
enum Part {
    /// `**`: any number of folders.
    Folders,
    Name {
        matcher: GlobMatcher,
        /// A leading dot is written out, as in a shell.
        hidden: bool,
    },
}

impl Part {
    fn fits(&self, name: &OsStr) -> bool {
        let dotted = name.as_bytes().starts_with(b".");
        match self {
            Part::Folders => !dotted,
            Part::Name { matcher, hidden } => (*hidden || !dotted) && matcher.is_match(Path::new(name)),
        }
    }
}

struct Pattern {
    /// The folder that is written out.
    base: PathBuf,
    parts: Vec<Part>,
}

/// Which files are followed.
pub struct Globs {
    patterns: Vec<Pattern>,
    exclude: Vec<Pattern>,
    base: PathBuf,
}

impl Globs {
    /// Of patterns as a shell has them (`*`, `?`, `[a-z]`, `{a,b}`, and `**` for any folders). A relative one is meant from
    /// the current folder.
    ///
    /// # Errors
    /// When there is none, or one cannot be understood.
    pub fn new(paths: &[String], exclude: &[String]) -> Result<Globs, GlobError> {
        let patterns = paths.iter().map(|text| Pattern::new(text)).collect::<Result<Vec<_>, _>>()?;
        let exclude = exclude.iter().map(|text| Pattern::new(text)).collect::<Result<Vec<_>, _>>()?;
        let base = patterns.iter().map(|pattern| pattern.base.clone()).reduce(|all, one| common(&all, &one));
        Ok(Globs { base: base.ok_or(GlobError::Empty)?, patterns, exclude })
    }

    /// The pattern that means the file at `path` and no other.
    pub fn literal(path: &Path) -> String {
        globset::escape(&path.to_string_lossy())
    }

    /// `path` from the deepest folder on that all patterns are in: the name of its mirrored file.
    pub fn relative<'p>(&self, path: &'p Path) -> &'p Path {
        path.strip_prefix(&self.base).unwrap_or(Path::new(path.file_name().unwrap_or_default()))
    }

    /// Whether a file at `path` would be followed. A sink that writes there would be read again for ever.
    pub fn covers(&self, path: &Path) -> bool {
        let fits = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.fits(path));
        fits(&self.patterns) && !fits(&self.exclude)
    }

    /// Looks at the folders.
    pub(super) fn scan(&self) -> Scan {
        let mut scan = Scan::default();
        for pattern in &self.patterns {
            self.walk(&pattern.base, &pattern.parts, &mut Vec::new(), &mut scan);
        }
        scan
    }

    /// `above` are the folders on the way here: a link back to one of them is not followed.
    fn walk(&self, folder: &Path, parts: &[Part], above: &mut Vec<FileKey>, scan: &mut Scan) {
        let Some((part, rest)) = parts.split_first() else { return };
        if matches!(part, Part::Folders) && !rest.is_empty() {
            self.walk(folder, rest, above, scan);
        }
        let Ok(metadata) = fs::metadata(folder) else {
            scan.list(folder);
            return;
        };
        let here = Stamp::of(&metadata).key;
        if above.contains(&here) || above.len() > MAX_DEPTH {
            return;
        }
        above.push(here);
        for name in scan.list(folder) {
            let path = folder.join(&name);
            if !rest.is_empty() || matches!(part, Part::Folders) {
                if part.fits(&name) && path.is_dir() {
                    let parts = if matches!(part, Part::Folders) { parts } else { rest };
                    self.walk(&path, parts, above, scan);
                }
                if !rest.is_empty() {
                    continue;
                }
            }
            if part.fits(&name) && !self.exclude.iter().any(|exclude| exclude.fits(&path)) {
                scan.look(&path);
            }
            for base in rotation::bases(&name).into_iter().filter(|base| part.fits(base)) {
                scan.look_beside(&path, folder.join(base));
            }
        }
        above.pop();
    }
}

impl Pattern {
    fn new(text: &str) -> Result<Pattern, GlobError> {
        let error = |reason: String| GlobError::Pattern { pattern: text.to_owned(), reason };
        let path = std::path::absolute(text).map_err(|reason| error(reason.to_string()))?;
        let mut base = PathBuf::new();
        let mut parts = Vec::new();
        let mut components = path.components().peekable();
        while let Some(component) = components.next() {
            let name = match component {
                Component::Normal(name) => name.to_str().ok_or_else(|| error("it is not UTF-8".to_owned()))?,
                Component::ParentDir => return Err(error("`..` is not understood in a pattern".to_owned())),
                other => {
                    base.push(other);
                    continue;
                }
            };
            // Escaped characters (`\[`) are left to the matcher: listing the folder costs little.
            let plain = !name.contains(['*', '?', '[', '{', '\\', ']', '}']);
            if plain && parts.is_empty() && components.peek().is_some() {
                base.push(name);
            } else if name == "**" {
                parts.push(Part::Folders);
            } else {
                let glob = GlobBuilder::new(name).literal_separator(true).backslash_escape(true).build();
                let matcher = glob.map_err(|reason| error(reason.kind().to_string()))?.compile_matcher();
                parts.push(Part::Name { matcher, hidden: name.starts_with('.') });
            }
        }
        if parts.is_empty() || text.ends_with('/') {
            return Err(error("it names a folder; add /* for the files in it".to_owned()));
        }
        Ok(Pattern { base, parts })
    }

    fn fits(&self, path: &Path) -> bool {
        let Ok(relative) = path.strip_prefix(&self.base) else { return false };
        let names: Vec<&OsStr> = relative.iter().collect();
        fits(&self.parts, &names)
    }
}

fn fits(parts: &[Part], names: &[&OsStr]) -> bool {
    match (parts.split_first(), names.split_first()) {
        (None, None) => true,
        (Some((Part::Folders, [])), Some((name, []))) => Part::Folders.fits(name),
        (Some((Part::Folders, rest)), Some((name, names))) => {
            fits(rest, &[&[*name], names].concat()) || (Part::Folders.fits(name) && fits(parts, names))
        }
        (Some((part, rest)), Some((name, names))) => part.fits(name) && fits(rest, names),
        _ => false,
    }
}

fn common(one: &Path, other: &Path) -> PathBuf {
    one.components().zip(other.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    File(Stamp),
    Refused(Refusal),
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// By path, what the patterns name.
    pub(super) matches: BTreeMap<PathBuf, Seen>,
    /// By the path they may have been rotated from: regular files that are not compressed.
    pub(super) siblings: HashMap<PathBuf, Vec<(PathBuf, Stamp)>>,
    /// Folders that were listed.
    pub(super) folders: BTreeSet<PathBuf>,
    /// Folders that could not be listed: what is missing may still be there.
    pub(super) unlisted: BTreeSet<PathBuf>,
}

impl Scan {
    /// The names in `folder`, in order.
    fn list(&mut self, folder: &Path) -> Vec<std::ffi::OsString> {
        let listed = fs::read_dir(folder).and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()
        });
        match listed {
            Ok(mut names) => {
                self.folders.insert(folder.to_owned());
                names.sort_unstable();
                names
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Vec::new(),
            Err(error) => {
                self.unlisted.insert(folder.to_owned());
                self.matches.insert(folder.to_owned(), Seen::Refused(Refusal::Unreadable(error.kind())));
                Vec::new()
            }
        }
    }

    fn look(&mut self, path: &Path) {
        match see(path) {
            Ok(_) if path.file_name().is_some_and(rotation::is_compressed) => {
                self.matches.insert(path.to_owned(), Seen::Refused(Refusal::Compressed));
            }
            Ok(seen) => {
                self.matches.insert(path.to_owned(), seen);
            }
            // Gone between listing and looking, or a link to nothing: there is no file.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                self.matches.insert(path.to_owned(), Seen::Refused(Refusal::Unreadable(error.kind())));
            }
        }
    }

    fn look_beside(&mut self, path: &Path, base: PathBuf) {
        if path.file_name().is_some_and(rotation::is_compressed) {
            return;
        }
        if let Ok(Seen::File(stamp)) = see(path) {
            self.siblings.entry(base).or_default().push((path.to_owned(), stamp));
        }
    }
}

/// What stands at `path`, behind links.
pub(super) fn see(path: &Path) -> io::Result<Seen> {
    let metadata = fs::metadata(path)?;
    let kind = metadata.file_type();
    Ok(match kind {
        _ if kind.is_file() => Seen::File(Stamp::of(&metadata)),
        _ if kind.is_dir() => Seen::Refused(Refusal::Kind("a folder")),
        _ if kind.is_fifo() => Seen::Refused(Refusal::Kind("a named pipe")),
        _ if kind.is_socket() => Seen::Refused(Refusal::Kind("a socket")),
        _ => Seen::Refused(Refusal::Kind("a device")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(paths: &[&str]) -> Globs {
        Globs::new(&paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>(), &[]).unwrap()
    }

    #[test]
    fn patterns_cover_what_a_shell_would() {
        for (pattern, path, expected) in [
            ("/var/log/*.log", "/var/log/a.log", true),
            ("/var/log/*.log", "/var/log/a/b.log", false),
            ("/var/log/*.log", "/var/log/.a.log", false),
            ("/var/log/.*.log", "/var/log/.a.log", true),
            ("/var/log/**/*.log", "/var/log/a.log", true),
            ("/var/log/**/*.log", "/var/log/x/y/a.log", true),
            ("/var/log/**/*.log", "/var/log/.x/a.log", false),
            ("/var/log/**", "/var/log/x/y/a", true),
            ("/var/log/*/app-[0-9].log", "/var/log/x/app-1.log", true),
            ("/var/log/*/app-[0-9].log", "/var/log/x/app-a.log", false),
            ("/var/log/{a,b}.log", "/var/log/b.log", true),
            ("/var/log/a.log", "/var/log/a.log", true),
            (r"/var/log/\[a\].log", "/var/log/[a].log", true),
            ("/var/log/a.log", "/var/lib/a.log", false),
        ] {
            assert_eq!(globs(&[pattern]).covers(Path::new(path)), expected, "{pattern} {path}");
        }
        let literal = Globs::literal(Path::new("/var/log/a*[1]{x}.log"));
        assert!(globs(&[&literal]).covers(Path::new("/var/log/a*[1]{x}.log")));
        assert!(!globs(&[&literal]).covers(Path::new("/var/log/ab1x.log")));
    }

    #[test]
    fn the_base_is_what_all_patterns_share() {
        let both = globs(&["/var/log/a/*.log", "/var/log/b/c/*.log"]);
        assert_eq!(both.base, Path::new("/var/log"));
        assert_eq!(both.relative(Path::new("/var/log/b/c/x.log")), Path::new("b/c/x.log"));
        assert_eq!(globs(&["/var/log/a/*.log"]).relative(Path::new("/var/log/a/x.log")), Path::new("x.log"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for (pattern, expected) in [
            ("/var/log/[", "`/var/log/[`: unclosed character class; missing ']'"),
            ("/var/log/", "`/var/log/`: it names a folder; add /* for the files in it"),
            ("/var/../log/*", "`/var/../log/*`: `..` is not understood in a pattern"),
        ] {
            let error = Globs::new(&[pattern.to_owned()], &[]).err().unwrap();
            assert_eq!(error.to_string(), expected);
        }
        assert!(matches!(Globs::new(&[], &[]), Err(GlobError::Empty)));
    }

    #[test]
    fn a_walk_finds_files_their_rotations_and_what_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("x/y.log")).unwrap();
        for name in ["a.log", "a.log.1", "a.log.2.gz", "b.txt", "x/c.log", ".hidden.log", "skip.log", "z.log.gz"] {
            fs::write(at(name), "x\n").unwrap();
        }
        std::os::unix::fs::symlink(folder.path(), at("x/loop")).unwrap();
        std::os::unix::fs::symlink("nothing", at("dangling.log")).unwrap();
        let root = folder.path().to_str().unwrap();
        let globs = Globs::new(&[format!("{root}/*.log")], &[format!("{root}/skip.*")]).unwrap();
        let scan = globs.scan();
        assert_eq!(scan.matches.keys().collect::<Vec<_>>(), [&at("a.log")]);
        let siblings: Vec<_> = scan.siblings[&at("a.log")].iter().map(|(path, _)| path.clone()).collect();
        assert_eq!(siblings, [at("a.log.1")]);

        let globs = Globs::new(&[format!("{root}/**/*.log")], &[]).unwrap();
        let scan = globs.scan();
        let found: Vec<_> = scan.matches.keys().collect();
        assert_eq!(found, [&at("a.log"), &at("skip.log"), &at("x/c.log"), &at("x/y.log")]);
        assert_eq!(scan.matches[&at("x/y.log")], Seen::Refused(Refusal::Kind("a folder")));
        assert!(scan.folders.contains(&at("x")));
    }
}

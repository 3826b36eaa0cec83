//! What may be chosen about files that are written, and the template of their paths.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// What stands for the path of the file that a record came from.
const RELATIVE: &str = "{relative}";

/// Where records are written: one file, or one for each file they came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilePath {
    /// One file.
    Single(PathBuf),
    /// In this folder, a file of the same name for each source file.
    Mirrored(PathBuf),
}

/// Why a path is none; the operator is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilePathError {
    /// Relative paths depend on where the daemon was started.
    #[error("`{0}`: the path of a file sink begins with /")]
    Relative(String),
    /// It would lead elsewhere than it says.
    #[error("`{0}`: `..` is not allowed in the path of a file sink")]
    Parent(String),
    /// It names no file.
    #[error("`{0}`: it names a folder; end it with a file's name, or with {{relative}}")]
    Folder(String),
    /// Anything else in braces.
    #[error("`{0}`: only {{relative}} is filled in, and only as the last part")]
    Unknown(String),
}

impl std::fmt::Display for FilePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FilePath::Single(path) => write!(f, "{}", path.display()),
            FilePath::Mirrored(folder) => write!(f, "{}", folder.join(RELATIVE).display()),
        }
    }
}

impl FilePath {
    /// The path that `text` spells: `/var/log/all.log`, or `/var/log/inkout/{relative}`.
    ///
    /// # Errors
    /// When it is relative, leaves its folder, or has another part in braces.
    pub fn parse(text: &str) -> Result<FilePath, FilePathError> {
        let path = Path::new(text);
        if !path.is_absolute() {
            return Err(FilePathError::Relative(text.to_owned()));
        }
        if path.components().any(|part| part == Component::ParentDir) {
            return Err(FilePathError::Parent(text.to_owned()));
        }
        let folder = text.strip_suffix(RELATIVE).filter(|folder| folder.ends_with('/'));
        match folder {
            _ if folder.unwrap_or(text).contains(['{', '}']) => Err(FilePathError::Unknown(text.to_owned())),
            Some(folder) => Ok(FilePath::Mirrored(PathBuf::from(folder))),
            None if text.ends_with('/') => Err(FilePathError::Folder(text.to_owned())),
            None => Ok(FilePath::Single(path.to_owned())),
        }
    }

    /// Folder and path in it for records that came from the file called `origin`; `None` when there is no such place.
    pub fn place<'p>(&'p self, origin: Option<&'p Path>) -> Option<(&'p Path, &'p Path)> {
        match self {
            FilePath::Single(path) => Some((path.parent()?, Path::new(path.file_name()?))),
            FilePath::Mirrored(folder) => {
                let origin = origin.filter(|origin| origin.file_name().is_some())?;
                let inside = origin.components().all(|part| matches!(part, Component::Normal(_)));
                inside.then_some((folder, origin))
            }
        }
    }
}

/// How files are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileOptions {
    /// Where.
    pub path: FilePath,
    /// A file that is larger is rotated. `None`: somebody else rotates.
    pub max_bytes: Option<u64>,
    /// A file that is older is rotated.
    pub max_age: Option<Duration>,
    /// How many rotated files are kept: `.1` is the newest.
    pub keep: u32,
    /// Permission bits of new files.
    pub mode: u32,
    /// Whether a record is delivered only when the disk has it, not when the system has it: a checkpoint on the disk must not
    /// say more than the file beside it.
    pub sync: bool,
}

impl FileOptions {
    /// Appends to `path`, readable for its owner alone, and rotates nothing.
    pub fn new(path: FilePath) -> FileOptions {
        FileOptions { path, max_bytes: None, max_age: None, keep: 5, mode: 0o600, sync: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read() {
        let check = |text: &str, expected: Result<FilePath, &str>| {
            assert_eq!(FilePath::parse(text).map_err(|error| error.to_string()), expected.map_err(str::to_owned));
        };
        check("/var/log/all.log", Ok(FilePath::Single("/var/log/all.log".into())));
        check("/out/{relative}", Ok(FilePath::Mirrored("/out/".into())));
        check("out.log", Err("`out.log`: the path of a file sink begins with /"));
        check("/out/../x.log", Err("`/out/../x.log`: `..` is not allowed in the path of a file sink"));
        check("/out/", Err("`/out/`: it names a folder; end it with a file's name, or with {relative}"));
        for text in ["/out/{pod}", "/out/x{relative}", "/out/{relative}.log", "/{relative}/{relative}"] {
            check(text, Err(&format!("`{text}`: only {{relative}} is filled in, and only as the last part")));
        }
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let path = FilePath::parse("/out/{relative}").unwrap();
        for (origin, expected) in [
            ("a.log", Some("a.log")),
            ("ns/pod/0.log", Some("ns/pod/0.log")),
            ("../a.log", None),
            ("a/../../b.log", None),
            ("/etc/passwd", None),
            ("..", None),
            ("", None),
        ] {
            assert_eq!(
                path.place(Some(Path::new(origin))).map(|(_, inner)| inner),
                expected.map(Path::new),
                "{origin}"
            );
        }
        assert_eq!(path.place(None), None);
    }
}

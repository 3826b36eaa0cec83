//! One input: a file by name, or standard input. Opening it, not reading it.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::FileType;

use super::descriptor::{FileId, regular_file, widen};
use super::error::InputError;

/// Something to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Input {
    /// How it is named to people.
    pub fn name(&self) -> String {
        match self {
            Input::Stdin => "standard input".to_owned(),
            Input::File(path) => path.display().to_string(),
        }
    }

    /// Opens it, unless it is `output`: reading what was just written would never end.
    pub(super) fn open(&self, output: Option<FileId>) -> Result<OpenInput, InputError> {
        self.opened(output).map_err(|reason| InputError { name: self.name(), reason })
    }

    fn opened(&self, output: Option<FileId>) -> io::Result<OpenInput> {
        let fd = match self {
            Input::Stdin => rustix::stdio::stdin().try_clone_to_owned()?,
            Input::File(path) => OwnedFd::from(File::open(path)?),
        };
        let stat = rustix::fs::fstat(&fd)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let file = regular_file(&stat);
        // The shell has emptied it where that was asked for; then there is nothing to lose and nothing to read.
        if file.is_some() && file == output && stat.st_size > 0 {
            return Err(io::Error::other("it is the output, too"));
        }
        widen(fd.as_fd());
        Ok(OpenInput { name: self.name().into(), fd, regular: file.is_some() })
    }
}

/// An input that is being read.
pub(super) struct OpenInput {
    pub(super) name: Arc<str>,
    pub(super) fd: OwnedFd,
    /// A regular file: reading it never waits for a writer.
    pub(super) regular: bool,
}

impl OpenInput {
    pub(super) fn failed(&self, reason: io::Error) -> InputError {
        InputError { name: self.name.to_string(), reason }
    }
}

//! One input: a file by name, or standard input. Opening it, not reading it.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::FileType;

use super::descriptor::widen;
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

    pub(super) fn open(&self) -> Result<OpenInput, InputError> {
        let opened = match self {
            Input::Stdin => rustix::stdio::stdin().try_clone_to_owned(),
            Input::File(path) => File::open(path).map(OwnedFd::from),
        };
        let checked = opened.and_then(|fd| Ok((file_type(fd.as_fd())?, fd)));
        let (kind, fd) = checked.map_err(|reason| InputError { name: self.name(), reason })?;
        widen(fd.as_fd());
        Ok(OpenInput { name: self.name(), fd, regular: kind == FileType::RegularFile })
    }
}

fn file_type(fd: BorrowedFd<'_>) -> io::Result<FileType> {
    let kind = FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode);
    if kind == FileType::Directory { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(kind) }
}

/// An input that is being read.
pub(super) struct OpenInput {
    name: String,
    pub(super) fd: OwnedFd,
    /// A regular file: reading it never waits for a writer.
    pub(super) regular: bool,
}

impl OpenInput {
    pub(super) fn failed(&self, reason: io::Error) -> InputError {
        InputError { name: self.name.clone(), reason }
    }
}

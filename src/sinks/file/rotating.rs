//! One file that is appended to: whole batches or nothing of them, rotated between records, found again when somebody else
//! rotated it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Component, Path};
use std::time::SystemTime;

use bytes::Bytes;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, openat, renameat, statat};
use rustix::io::Errno;

use super::options::FileOptions;

/// Permission bits of folders that are made for mirrored files.
const FOLDER_MODE: u32 = 0o750;

/// A file that is open for appending.
pub(super) struct Rotating {
    folder: OwnedFd,
    name: OsString,
    file: File,
    /// Bytes in it, up to the end of the last whole batch.
    len: u64,
    begun: SystemTime,
    /// Whether the last batch ended with a record.
    between_records: bool,
    /// Whether something was written since the last sync.
    dirty: bool,
}

impl Rotating {
    /// Opens or makes `inner` in `folder`, through no link below it.
    pub(super) fn open(folder: &Path, inner: &Path, options: &FileOptions) -> io::Result<Rotating> {
        fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
        let mut at = OwnedFd::from(File::open(folder)?);
        let mut names = inner.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name),
            _ => None,
        });
        let name = names.next_back().ok_or(io::ErrorKind::InvalidInput)?;
        for name in names {
            at = open_folder(&at, name)?;
        }
        let file = open_file(&at, name, options.mode)?;
        Rotating::of(at, name.to_owned(), file)
    }

    fn of(folder: OwnedFd, name: OsString, mut file: File) -> io::Result<Rotating> {
        let metadata = file.metadata()?;
        let mut len = metadata.len();
        if len > 0 && !ends_with_newline(&file, len)? {
            // Somebody was interrupted; what comes now is a record of its own.
            file.write_all(b"\n")?;
            len += 1;
        }
        let begun = metadata.created().or_else(|_| metadata.modified())?;
        Ok(Rotating { folder, name, file, len, begun, between_records: true, dirty: false })
    }

    /// Appends all of `chunks`, or nothing.
    pub(super) fn append(&mut self, chunks: &[Bytes], ends_record: bool) -> io::Result<()> {
        let written = chunks.iter().try_for_each(|chunk| self.file.write_all(chunk));
        let len: u64 = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        if let Err(error) = written {
            let torn = self.file.metadata().is_ok_and(|metadata| (self.len..=self.len + len).contains(&metadata.len()));
            // Others may have cut or written the file; then its end is not ours to cut.
            if torn {
                self.file.set_len(self.len)?;
            }
            return Err(error);
        }
        self.len += len;
        (self.between_records, self.dirty) = (ends_record, true);
        Ok(())
    }

    /// Rotates the file if it is time to.
    pub(super) fn rotate_if_due(&mut self, options: &FileOptions, now: SystemTime) -> io::Result<()> {
        let large = options.max_bytes.is_some_and(|max| self.len >= max);
        let age = now.duration_since(self.begun).unwrap_or_default();
        let old = options.max_age.is_some_and(|max| age >= max);
        if !self.between_records || self.len == 0 || !(large || old) {
            return Ok(());
        }
        // What was rotated away is not reached by a later sync.
        self.sync()?;
        let numbered = |number: u32| {
            let mut name = self.name.clone();
            name.push(format!(".{number}"));
            name
        };
        for number in (1..options.keep).rev() {
            match renameat(&self.folder, numbered(number), &self.folder, numbered(number + 1)) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        renameat(&self.folder, &self.name, &self.folder, numbered(1))?;
        self.reopen(options)?;
        self.begun = now;
        Ok(())
    }

    /// Opens the file anew if somebody renamed or removed it.
    pub(super) fn follow(&mut self, options: &FileOptions) -> io::Result<()> {
        let ours = self.file.metadata()?;
        let moved = match statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) => there.st_ino != ours.ino() || there.st_dev != ours.dev(),
            Err(Errno::NOENT) => true,
            Err(error) => return Err(error.into()),
        };
        if moved && self.between_records {
            self.sync()?;
            self.reopen(options)?;
        } else if ours.len() < self.len {
            // It was cut where it is.
            self.len = ours.len();
        }
        Ok(())
    }

    /// Waits until the disk has what was appended.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.dirty) {
            self.file.sync_data()?;
        }
        Ok(())
    }

    fn reopen(&mut self, options: &FileOptions) -> io::Result<()> {
        let file = open_file(&self.folder, &self.name, options.mode)?;
        *self = Rotating::of(self.folder.try_clone()?, self.name.clone(), file)?;
        Ok(())
    }
}

fn open_folder(at: &OwnedFd, name: &std::ffi::OsStr) -> io::Result<OwnedFd> {
    match mkdirat(at, name, Mode::from_raw_mode(FOLDER_MODE)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(openat(at, name, flags, Mode::empty())?)
}

/// A regular file and nothing else: a pipe in its place would wait for a reader.
fn open_file(at: &OwnedFd, name: &std::ffi::OsStr, mode: u32) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(openat(at, name, flags, Mode::from_raw_mode(mode))?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no regular file")) }
}

fn ends_with_newline(file: &File, len: u64) -> io::Result<bool> {
    let mut last = [0];
    let read = std::os::unix::fs::FileExt::read_at(file, &mut last, len - 1)?;
    Ok(read == 1 && last[0] == b'\n')
}

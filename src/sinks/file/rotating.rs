//! One file that is appended to: whole batches or nothing of them, rotated between records, found again when somebody else
//! rotated it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Component, Path};
use std::time::SystemTime;

use bytes::Bytes;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Mode, OFlags, fchmod, mkdirat, openat, renameat, statat};
use rustix::io::Errno;

use crate::config::daemon::FileOptions;
use crate::framing::Framing;

/// A file that is open for appending.
pub(super) struct Rotating {
    folder: OwnedFd,
    name: OsString,
    file: File,
    framing: Framing,
    /// Bytes in it, up to the end of the last whole batch.
    len: u64,
    begun: SystemTime,
    /// Whether the last batch ended with a record.
    between_records: bool,
    /// Whether something was written since the last sync.
    dirty: bool,
    /// A sync failed: what was written before it may be gone.
    broken: bool,
}

impl Rotating {
    /// Opens or makes `inner` in `folder`, through no link below it.
    pub(super) fn open(folder: &Path, inner: &Path, options: &FileOptions, framing: Framing) -> io::Result<Rotating> {
        make_folder(folder, options.mode)?;
        let mut at = OwnedFd::from(File::open(folder)?);
        let mut names = inner.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name),
            _ => None,
        });
        let name = names.next_back().ok_or(io::ErrorKind::InvalidInput)?;
        for name in names {
            at = open_folder(&at, name, options.mode)?;
        }
        let file = open_file(&at, name, options.mode)?;
        Rotating::of(at, name.to_owned(), file, framing)
    }

    fn of(folder: OwnedFd, name: OsString, mut file: File, framing: Framing) -> io::Result<Rotating> {
        let metadata = file.metadata()?;
        let mut len = metadata.len();
        // Somebody was interrupted; what comes now is a record of its own. A counted record has no such end.
        let end = match framing {
            Framing::Newline => Some(b'\n'),
            Framing::Nul => Some(0),
            Framing::OctetCounted => None,
        };
        if let Some(end) = end.filter(|_| len > 0)
            && last_byte(&file, len)? != Some(end)
        {
            file.write_all(&[end])?;
            len += 1;
        }
        let begun = metadata.created().or_else(|_| metadata.modified())?;
        Ok(Rotating { folder, name, file, framing, len, begun, between_records: true, dirty: false, broken: false })
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
        if self.dirty {
            self.file.sync_data().inspect_err(|_| self.broken = true)?;
            self.dirty = false;
        }
        Ok(())
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    fn reopen(&mut self, options: &FileOptions) -> io::Result<()> {
        let file = open_file(&self.folder, &self.name, options.mode)?;
        *self = Rotating::of(self.folder.try_clone()?, self.name.clone(), file, self.framing)?;
        Ok(())
    }
}

/// Makes a folder, if there is none, that those may list who may read its files.
pub(super) fn make_folder(folder: &Path, mode: u32) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mode = folder_mode(mode);
    fs::DirBuilder::new().recursive(true).mode(mode).create(folder)?;
    // The process's mask is stricter than what was asked for.
    fs::set_permissions(folder, fs::Permissions::from_mode(mode))
}

/// Permission bits of a folder of files that have `mode`.
fn folder_mode(mode: u32) -> u32 {
    let readers = mode & 0o044;
    0o700 | readers | readers >> 2
}

fn open_folder(at: &OwnedFd, name: &std::ffi::OsStr, mode: u32) -> io::Result<OwnedFd> {
    let mode = Mode::from_raw_mode(folder_mode(mode));
    let made = match mkdirat(at, name, mode) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(error) => return Err(error.into()),
    };
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    let folder = openat(at, name, flags, Mode::empty())?;
    if made {
        fchmod(&folder, mode)?;
    }
    Ok(folder)
}

/// A regular file and nothing else: a pipe in its place would wait for a reader.
fn open_file(at: &OwnedFd, name: &std::ffi::OsStr, mode: u32) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(mode);
    let file = match openat(at, name, flags | OFlags::EXCL, mode) {
        Ok(fresh) => {
            // The process's mask is stricter than what was asked for.
            fchmod(&fresh, mode)?;
            File::from(fresh)
        }
        Err(Errno::EXIST) => File::from(openat(at, name, flags, mode)?),
        Err(error) => return Err(error.into()),
    };
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no regular file")) }
}

fn last_byte(file: &File, len: u64) -> io::Result<Option<u8>> {
    let mut last = [0];
    let read = std::os::unix::fs::FileExt::read_at(file, &mut last, len - 1)?;
    Ok((read == 1).then_some(last[0]))
}

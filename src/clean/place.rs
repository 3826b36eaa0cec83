//! Folders that are held open, temporary files in them, and the one moment in which one takes the place of another.
//!
//! Everything goes through the folder's descriptor, so that nobody who swaps a name for a link meanwhile can lead a write
//! elsewhere. A temporary file has no name before it is complete, where the file system can do that.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags, Stat, Timespec, Timestamps, UTIME_OMIT,
};
use rustix::io::Errno;

use super::error::Reason;
use super::scan::{opening, regular};
use super::walk::is_leftover;

const OPEN_FILE: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::NOFOLLOW);
const OPEN_FOLDER: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::DIRECTORY);

/// A folder that is held open.
#[derive(Debug)]
pub(super) struct Folder(OwnedFd);

impl Folder {
    pub(super) fn open(path: &Path) -> io::Result<Folder> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        Ok(Folder(rustix::fs::openat(CWD, path, OPEN_FOLDER, Mode::empty())?))
    }

    /// The folder at `relative` below this one, made where it is missing. No link is followed and no `..` taken.
    pub(super) fn below(&self, relative: &Path) -> io::Result<Folder> {
        let mut folder = Folder(self.0.try_clone()?);
        for part in relative.components() {
            let Component::Normal(name) = part else {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "leads out of the folder"));
            };
            match rustix::fs::mkdirat(&folder.0, name, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            let opened = rustix::fs::openat(&folder.0, name, OPEN_FOLDER | OFlags::NOFOLLOW, Mode::empty());
            folder = Folder(opened.map_err(|error| match error {
                Errno::LOOP | Errno::NOTDIR => io::Error::other("a name in the way is a link or a file, not a folder"),
                error => error.into(),
            })?);
        }
        Ok(folder)
    }

    /// Opens the regular file `name` in it.
    pub(super) fn file(&self, name: &OsStr) -> Result<(File, Stat), Reason> {
        let fd = rustix::fs::openat(&self.0, name, OPEN_FILE, Mode::empty()).map_err(opening)?;
        let stat = rustix::fs::fstat(&fd).map_err(|error| Reason::Read(error.into()))?;
        regular(FileType::from_raw_mode(stat.st_mode))?;
        Ok((File::from(fd), stat))
    }

    /// What stands at `name` now, if anything does.
    pub(super) fn look(&self, name: &OsStr) -> io::Result<Option<Stat>> {
        match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether this user may write to `name`, which no root is asked for.
    pub(super) fn is_writable(&self, name: &OsStr) -> bool {
        rustix::fs::accessat(&self.0, name, rustix::fs::Access::WRITE_OK, AtFlags::empty()).is_ok()
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }

    /// Removes the temporary files of runs that are no more: a run that goes on holds a lock on its own.
    pub(super) fn sweep(&self) -> io::Result<()> {
        for entry in Dir::read_from(&self.0)? {
            let name = OsString::from_vec(entry?.file_name().to_bytes().to_vec());
            if is_leftover(&name) {
                self.sweep_one(&name);
            }
        }
        Ok(())
    }

    /// What cannot be removed is not in the way: temporary files have names of their own.
    fn sweep_one(&self, name: &OsStr) {
        let Ok((file, _)) = self.file(name) else { return };
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = rustix::fs::unlinkat(&self.0, name, AtFlags::empty());
        }
    }

    /// A file without a name, or one that loses it at once.
    pub(super) fn anonymous(&self) -> io::Result<File> {
        let temp = Temp::new(self)?;
        temp.file.try_clone()
    }
}

/// A file that is being written, readable by nobody else. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub(super) struct Temp<'f> {
    folder: &'f Folder,
    pub(super) file: File,
    /// `None` while it has no name.
    name: Option<OsString>,
}

impl<'f> Temp<'f> {
    pub(super) fn new(folder: &'f Folder) -> io::Result<Temp<'f>> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::openat(&folder.0, ".", flags, Mode::from_raw_mode(0o600)) {
            Ok(fd) if Path::new("/proc/self/fd").is_dir() => {
                rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive)?;
                Ok(Temp { folder, file: File::from(fd), name: None })
            }
            Ok(_) | Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => Temp::named(folder),
            Err(error) => Err(error.into()),
        }
    }

    /// For file systems on which every file has a name.
    fn named(folder: &'f Folder) -> io::Result<Temp<'f>> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        loop {
            let name = new_name()?;
            let fd = match rustix::fs::openat(&folder.0, &*name, flags, Mode::from_raw_mode(0o600)) {
                Err(Errno::EXIST) => continue,
                opened => opened?,
            };
            let temp = Temp { folder, file: File::from(fd), name: Some(name) };
            // Between the two calls another run may have taken it for a leftover.
            let locked = rustix::fs::flock(&temp.file, FlockOperation::NonBlockingLockExclusive).is_ok();
            if locked && rustix::fs::fstat(&temp.file)?.st_nlink > 0 {
                return Ok(temp);
            }
        }
    }

    /// Gives it the name `name`, in place of what stands there.
    pub(super) fn replace(mut self, name: &OsStr) -> io::Result<()> {
        let temporary = self.linked()?;
        rustix::fs::renameat(&self.folder.0, &temporary, &self.folder.0, name)?;
        self.name = None;
        Ok(())
    }

    /// Gives it the name `name`, where nothing may stand.
    pub(super) fn add(mut self, name: &OsStr) -> io::Result<()> {
        let temporary = self.linked()?;
        rustix::fs::renameat_with(&self.folder.0, &temporary, &self.folder.0, name, RenameFlags::NOREPLACE)?;
        self.name = None;
        Ok(())
    }

    /// Its temporary name, given now if it has none.
    fn linked(&mut self) -> io::Result<OsString> {
        if let Some(name) = &self.name {
            return Ok(name.clone());
        }
        let open = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let name = new_name()?;
        rustix::fs::linkat(CWD, &open, &self.folder.0, &*name, AtFlags::SYMLINK_FOLLOW)?;
        self.name = Some(name.clone());
        Ok(name)
    }

    /// Makes it durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.file)?)
    }
}

impl Drop for Temp<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = rustix::fs::unlinkat(&self.folder.0, name, AtFlags::empty());
        }
    }
}

/// A name nobody can foresee, so that nobody can be in its way.
fn new_name() -> io::Result<OsString> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let random = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    Ok(OsString::from(format!(".inkout-{}-{count}-{random:016x}.tmp", std::process::id())))
}

/// Whether `now` is the file that `then` was of, and nobody touched it since.
pub(super) fn is_same(then: &Stat, now: &Stat) -> bool {
    let of = |stat: &Stat| {
        (stat.st_dev, stat.st_ino, stat.st_nlink, stat.st_size, stat.st_mtime, stat.st_mtime_nsec, stat.st_ctime)
    };
    of(then) == of(now) && then.st_ctime_nsec == now.st_ctime_nsec
}

/// Whether the open file was written to since `then`.
pub(super) fn was_written(file: &File, then: &Stat) -> bool {
    let of = |stat: &Stat| (stat.st_size, stat.st_mtime, stat.st_mtime_nsec);
    rustix::fs::fstat(file).is_ok_and(|now| of(&now) != of(then))
}

/// The permissions of a copy: those of the original, but never another's rights.
fn kept_mode(stat: &Stat) -> Mode {
    Mode::from_raw_mode(stat.st_mode & 0o1777)
}

/// Gives `copy` the owner, the attributes (access lists and labels among them) and the permissions of `original`.
pub(super) fn keep_owner_and_rights(original: &File, stat: &Stat, copy: &File) -> Result<(), Reason> {
    let now = rustix::fs::fstat(copy).map_err(|error| Reason::Write(error.into()))?;
    if (now.st_uid, now.st_gid) != (stat.st_uid, stat.st_gid) {
        let (owner, group) = (rustix::fs::Uid::from_raw(stat.st_uid), rustix::fs::Gid::from_raw(stat.st_gid));
        rustix::fs::fchown(copy, Some(owner), Some(group))
            .map_err(|error| Reason::Refused(format!("its owner cannot be kept: {}", io::Error::from(error))))?;
    }
    keep_attributes(original, copy)?;
    keep_rights(stat, copy)
}

/// Gives `copy` the permissions of the original.
pub(super) fn keep_rights(stat: &Stat, copy: &File) -> Result<(), Reason> {
    rustix::fs::fchmod(copy, kept_mode(stat)).map_err(|error| Reason::Write(error.into()))
}

/// Gives `copy` the time of the original's last change.
pub(super) fn keep_time(stat: &Stat, copy: &File) -> Result<(), Reason> {
    let changed = Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec as _ };
    let times = Timestamps { last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }, last_modification: changed };
    rustix::fs::futimens(copy, &times).map_err(|error| Reason::Write(error.into()))
}

/// Rights and signatures are of the program that was there, not of what is written now.
const NOT_KEPT: &[&[u8]] = &[b"security.capability", b"security.ima", b"security.evm"];

fn keep_attributes(original: &File, copy: &File) -> Result<(), Reason> {
    let names = match list_attributes(original) {
        Ok(names) => names,
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(()),
        Err(error) => return Err(Reason::Read(error.into())),
    };
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty() && !NOT_KEPT.contains(name)) {
        let name = OsStr::from_bytes(name);
        let value = attribute(original.as_fd(), name).map_err(|error| Reason::Read(error.into()))?;
        let set = rustix::fs::fsetxattr(copy, name, &value, rustix::fs::XattrFlags::empty());
        let already = || attribute(copy.as_fd(), name).is_ok_and(|now| now == value);
        if let Err(error) = set
            && !already()
        {
            let reason = format!("its attribute {} cannot be kept: {}", name.display(), io::Error::from(error));
            return Err(Reason::Refused(reason));
        }
    }
    Ok(())
}

fn list_attributes(file: &File) -> Result<Vec<u8>, Errno> {
    loop {
        let mut names = vec![0; rustix::fs::flistxattr_query(file)?];
        match rustix::fs::flistxattr(file, &mut names[..]) {
            Err(Errno::RANGE) => {}
            done => {
                names.truncate(done?);
                return Ok(names);
            }
        }
    }
}

fn attribute(file: rustix::fd::BorrowedFd<'_>, name: &OsStr) -> Result<Vec<u8>, Errno> {
    loop {
        let mut value = vec![0; rustix::fs::fgetxattr_query(file, name)?];
        match rustix::fs::fgetxattr(file, name, &mut value[..]) {
            Err(Errno::RANGE) => {}
            done => {
                value.truncate(done?);
                return Ok(value);
            }
        }
    }
}

//! Reading and writing file descriptors to the end: interrupted calls, short writes, descriptors that somebody made
//! non-blocking. No buffers of its own.

use std::io;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;

/// What a pipe between two programs may hold; the default of 64 KiB makes both sides wait for each other.
#[cfg(target_os = "linux")]
const PIPE_BYTES: usize = 1 << 20;

/// Changes what is written without changing what it says: colours.
pub type Painter = dyn Fn(&[u8], &mut Vec<u8>) + Send + Sync;

/// Where the redacted bytes go.
pub struct Output {
    fd: OwnedFd,
    painter: Option<Box<Painter>>,
}

impl Output {
    /// Writes to `fd`.
    pub fn new(fd: OwnedFd) -> Output {
        widen(fd.as_fd());
        Output { fd, painter: None }
    }

    /// As [`Output::new`], with every block handed to `painter` first.
    pub fn painted(fd: OwnedFd, painter: Box<Painter>) -> Output {
        Output { painter: Some(painter), ..Output::new(fd) }
    }

    /// Which file this is, if it is a regular one.
    pub(super) fn file(&self) -> Option<FileId> {
        rustix::fs::fstat(&self.fd).ok().and_then(|stat| regular_file(&stat))
    }

    /// Writes all of `bytes`, however long that takes.
    ///
    /// # Errors
    /// When nobody reads them, or they cannot be kept.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let Some(painter) = &self.painter else { return write_all(self.fd.as_fd(), bytes) };
        let mut painted = Vec::with_capacity(bytes.len() + 256);
        painter(bytes, &mut painted);
        write_all(self.fd.as_fd(), &painted)
    }
}

/// Device and inode.
pub(super) type FileId = (u64, u64);

/// Which file `stat` is of, if it is a regular one.
#[expect(clippy::unnecessary_cast, reason = "the fields are narrower on other systems")]
pub(super) fn regular_file(stat: &Stat) -> Option<FileId> {
    let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    regular.then_some((stat.st_dev as u64, stat.st_ino as u64))
}

/// Asks for a larger pipe where `fd` is one. A refusal changes the speed only.
pub(super) fn widen(fd: BorrowedFd<'_>) {
    let is_pipe = rustix::fs::fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo);
    if is_pipe {
        #[cfg(target_os = "linux")]
        let _ = rustix::pipe::fcntl_setpipe_size(fd, PIPE_BYTES);
    }
}

/// Appends what one read gives to `buffer`, which has room; 0 at the end of the input.
pub(super) fn read(fd: BorrowedFd<'_>, buffer: &mut Vec<u8>) -> io::Result<usize> {
    debug_assert!(buffer.capacity() > buffer.len(), "a read without room looks like an end");
    loop {
        match rustix::io::read(fd, spare_capacity(buffer)) {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait(fd, PollFlags::IN)?,
            done => return Ok(done?),
        }
    }
}

/// Writes all of `bytes`.
fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait(fd, PollFlags::OUT)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Waits until a non-blocking descriptor is ready, or has an error for the next call to tell.
fn wait(fd: BorrowedFd<'_>, ready: PollFlags) -> io::Result<()> {
    match poll(&mut [PollFd::from_borrowed_fd(fd, ready)], None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

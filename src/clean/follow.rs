//! A result that is read again, and brought to the disk, while the rest of it is still being written. Who writes it and what
//! is done with what was found is `rewrite`'s.
//!
//! What is scanned is the file: the bytes that stand in it, read through another descriptor and unpacked if they are packed,
//! with an engine that knows nothing of the first pass. It runs behind the writer, so that both cores have work.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rustix::buffer::spare_capacity;

use super::error::Reason;
use super::input::{BLOCK_BYTES, Input, fill};
use super::scan::{Scanned, Silent, Source, scan};
use super::threads::{Shared, Worker};

/// After so many bytes the disk is given work: it takes as long for them as the processors do for the next ones.
const SYNCED_BYTES: u64 = 64 << 20;

/// How far a file is written.
#[derive(Default)]
struct Growing {
    extent: Mutex<Extent>,
    grown: Condvar,
}

#[derive(Clone, Copy, Default)]
struct Extent {
    bytes: u64,
    /// Whether nothing more comes.
    ended: bool,
    /// Whether nobody wants the file any more.
    abandoned: bool,
}

impl Growing {
    fn change(&self, change: impl FnOnce(&mut Extent)) {
        change(&mut self.lock());
        self.grown.notify_all();
    }

    /// Waits until so many bytes are written, or all.
    fn wait(&self, bytes: u64) -> io::Result<Extent> {
        let waits = |now: &mut Extent| now.bytes < bytes && !now.ended && !now.abandoned;
        let now = *self.grown.wait_while(self.lock(), waits).unwrap_or_else(PoisonError::into_inner);
        if now.abandoned { Err(io::Error::other("what was written is not wanted")) } else { Ok(now) }
    }

    fn lock(&self) -> MutexGuard<'_, Extent> {
        self.extent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes to a file that is followed.
pub(super) struct Writer {
    file: File,
    growing: Arc<Growing>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.growing.change(|extent| extent.bytes += count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Reads a file that is being written; its end is when it is told of.
struct Reader {
    file: File,
    growing: Arc<Growing>,
    offset: u64,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.growing.wait(self.offset + 1)?;
        let count = self.file.read_at(buffer, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

impl Input for Reader {
    fn append(&mut self, buffer: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            let written = self.growing.wait(self.offset + BLOCK_BYTES as u64)?;
            let start = buffer.len();
            fill(buffer, |buffer| {
                let at = self.offset + (buffer.len() - start) as u64;
                rustix::io::pread(&self.file, spare_capacity(buffer), at)
            })?;
            self.offset += (buffer.len() - start) as u64;
            let is_whole = written.ended && self.offset >= written.bytes;
            if is_whole || buffer.len() > start {
                return Ok(!is_whole);
            }
            if written.ended {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// What goes on behind a file that is being written. Dropped, it ends.
#[derive(Default)]
pub(super) struct Following {
    growing: Arc<Growing>,
    scan: Option<JoinHandle<Result<Scanned, Reason>>>,
    sync: Option<JoinHandle<io::Result<()>>>,
}

impl Following {
    /// Has what is written to `file` scanned, as a file of this name.
    pub(super) fn scan(&mut self, file: &File, shared: &Arc<Shared>, name: &[u8]) -> io::Result<()> {
        let (file, name, growing) = (file.try_clone()?, name.to_vec(), Arc::clone(&self.growing));
        let mut worker = Worker::beside(shared);
        self.scan = Some(thread::spawn(move || {
            let mut reader = Reader { file: file.try_clone().map_err(Reason::Read)?, growing, offset: 0 };
            // What is too much was told of by the first pass.
            let source = Source { input: &mut reader, file: &file, size: u64::MAX, name: &name, metered: false };
            scan(&mut worker, source, &mut Silent, None)
        }));
        Ok(())
    }

    /// Has the disk write `file`.
    pub(super) fn sync(&mut self, file: &File) -> io::Result<()> {
        let (file, growing) = (file.try_clone()?, Arc::clone(&self.growing));
        self.sync = Some(thread::spawn(move || {
            let mut synced = 0;
            loop {
                let written = growing.wait(synced + SYNCED_BYTES)?;
                file.sync_data()?;
                if written.ended {
                    return Ok(());
                }
                synced = written.bytes;
            }
        }));
        Ok(())
    }

    /// What writes to `file`, of which so many bytes are written.
    pub(super) fn writer(&self, file: File, written: u64) -> Writer {
        self.growing.change(|extent| extent.bytes = written);
        Writer { file, growing: Arc::clone(&self.growing) }
    }

    /// Says that the file is whole.
    pub(super) fn end(&self) {
        self.growing.change(|extent| extent.ended = true);
    }

    /// What the scan saw, when it has come to the end, if there is one.
    pub(super) fn scanned(&mut self) -> Option<Result<Scanned, Reason>> {
        Some(self.scan.take()?.join().unwrap_or_else(|panic| resume_unwind(panic)))
    }

    /// Whether the disk took it, if it was asked. The system tells of an error once: who syncs later would not hear of it.
    pub(super) fn synced(&mut self) -> io::Result<()> {
        self.sync.take().map_or(Ok(()), |sync| sync.join().unwrap_or_else(|panic| resume_unwind(panic)))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.growing.change(|extent| extent.abandoned = true);
        // What they say is of no use any more; but the file must be nobody's when this returns.
        let _ = self.scan.take().map(JoinHandle::join);
        let _ = self.sync.take().map(JoinHandle::join);
    }
}

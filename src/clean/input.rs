//! What streams are read from, block by block: open files, decoders, and decoders that work ahead on a thread of their own.
//! What becomes of the bytes is `stream`'s.

use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use rustix::buffer::spare_capacity;
use rustix::io::Errno;

use super::threads::Progress;

/// How many bytes are read at once: what stays in the second-level cache.
pub(super) const BLOCK_BYTES: usize = 256 << 10;
/// So many blocks are unpacked ahead.
const AHEAD: usize = 4;

/// Something that is read block by block.
pub(super) trait Input: Read + Send {
    /// Appends the next block to `buffer`; `false` says that nothing comes after it.
    fn append(&mut self, buffer: &mut Vec<u8>) -> io::Result<bool>;
}

/// Fills what `buffer` has room for with `read`, without clearing it first; `false` at the end.
///
/// Clearing was a seventh of the time of an in-place rewrite: the memory comes from another core's cache.
pub(super) fn fill(
    buffer: &mut Vec<u8>,
    mut read: impl FnMut(&mut Vec<u8>) -> Result<usize, Errno>,
) -> io::Result<bool> {
    if buffer.capacity() - buffer.len() < BLOCK_BYTES / 2 {
        buffer.reserve(BLOCK_BYTES);
    }
    while buffer.len() < buffer.capacity() {
        match read(buffer) {
            Ok(0) => return Ok(false),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

/// An open file, read from where it stands; tells how far it is.
pub(super) struct Metered<'f> {
    pub(super) file: &'f File,
    pub(super) progress: Option<&'f Progress>,
}

impl Metered<'_> {
    fn passed(&self, bytes: usize) {
        if let Some(progress) = self.progress {
            progress.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.passed(count);
        Ok(count)
    }
}

impl Input for Metered<'_> {
    fn append(&mut self, buffer: &mut Vec<u8>) -> io::Result<bool> {
        let start = buffer.len();
        let more = fill(buffer, |buffer| rustix::io::read(self.file, spare_capacity(buffer)));
        self.passed(buffer.len() - start);
        more
    }
}

/// Any other reader.
pub(super) struct Plain<R>(pub(super) R);

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read + Send> Input for Plain<R> {
    fn append(&mut self, buffer: &mut Vec<u8>) -> io::Result<bool> {
        let mut filled = buffer.len();
        buffer.resize(filled + BLOCK_BYTES, 0);
        let more = loop {
            match self.0.read(&mut buffer[filled..]) {
                Ok(0) => break Ok(false),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
            if filled == buffer.len() {
                break Ok(true);
            }
        };
        buffer.truncate(filled);
        more
    }
}

/// What another thread reads ahead. A decoder stays on its core: its window is half of what that core's cache holds, and on
/// two cores in turns it was half as fast as on one.
pub(super) struct Ahead {
    full: Receiver<io::Result<Block>>,
    empty: Sender<Vec<u8>>,
    /// What was taken last, and how much of it was read.
    block: Block,
    offset: usize,
}

/// A block that was read.
struct Block {
    bytes: Vec<u8>,
    /// Whether another follows.
    more: bool,
}

/// Does `work` with what a thread beside it reads from `input`.
pub(super) fn beside<T>(input: &mut dyn Input, work: impl FnOnce(&mut Ahead) -> T) -> T {
    let (into_full, full) = sync_channel(AHEAD);
    let (empty, from_empty) = channel();
    let mut ahead = Ahead { full, empty, block: Block { bytes: Vec::new(), more: true }, offset: 0 };
    thread::scope(|scope| {
        scope.spawn(move || read_ahead(input, &into_full, &from_empty));
        let done = work(&mut ahead);
        // The other thread ends when nobody takes what it has.
        drop(ahead);
        done
    })
}

fn read_ahead(input: &mut dyn Input, full: &SyncSender<io::Result<Block>>, empty: &Receiver<Vec<u8>>) {
    loop {
        let mut bytes = empty.try_recv().unwrap_or_default();
        bytes.clear();
        let read = input.append(&mut bytes).map(|more| Block { bytes, more });
        let goes_on = matches!(&read, Ok(block) if block.more);
        if full.send(read).is_err() || !goes_on {
            return;
        }
    }
}

impl Ahead {
    /// What was not read of the last block, or the next one; empty at the end.
    fn rest(&mut self) -> io::Result<&[u8]> {
        while self.offset == self.block.bytes.len() && self.block.more {
            let gone = || Err(io::Error::other("the thread that unpacks has ended"));
            let next = self.full.recv().unwrap_or_else(|_| gone())?;
            let read = std::mem::replace(&mut self.block, next);
            self.offset = 0;
            // It is of no use to a thread that has ended.
            let _ = self.empty.send(read.bytes);
        }
        Ok(&self.block.bytes[self.offset..])
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.rest()?.read(buffer)?;
        self.offset += count;
        Ok(count)
    }
}

impl Input for Ahead {
    fn append(&mut self, buffer: &mut Vec<u8>) -> io::Result<bool> {
        let rest = self.rest()?;
        buffer.extend_from_slice(rest);
        self.offset += rest.len();
        Ok(self.block.more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives little at a time, and then fails where it was told to.
    struct Slow<'b> {
        bytes: &'b [u8],
        fails: bool,
    }

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = buffer.len().min(70_001);
            match self.bytes.read(&mut buffer[..most])? {
                0 if self.fails => Err(io::Error::other("torn")),
                count => Ok(count),
            }
        }
    }

    fn whole(input: &mut dyn Input) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while input.append(&mut bytes)? {}
        Ok(bytes)
    }

    #[test]
    fn every_input_gives_all_bytes_and_says_when_it_ends() {
        for size in [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 7 * BLOCK_BYTES + 12_345] {
            let bytes: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
            let slow = || Slow { bytes: &bytes, fails: false };
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("file"), &bytes).unwrap();
            let file = File::open(folder.path().join("file")).unwrap();
            assert!(whole(&mut Metered { file: &file, progress: None }).unwrap() == bytes, "{size}");
            assert!(whole(&mut Plain(slow())).unwrap() == bytes, "{size}");
            assert!(beside(&mut Plain(slow()), |ahead| whole(ahead)).unwrap() == bytes, "{size}");
            let mut read = Vec::new();
            beside(&mut Plain(slow()), |ahead| ahead.read_to_end(&mut read)).unwrap();
            assert!(read == bytes, "{size}");
        }
    }

    #[test]
    fn an_error_comes_after_what_was_read_before_it_and_leaving_early_ends_the_other_thread() {
        let bytes = vec![b'x'; 9 * BLOCK_BYTES];
        let read = beside(&mut Plain(Slow { bytes: &bytes, fails: true }), |ahead| {
            let mut seen = Vec::new();
            let error = loop {
                match ahead.append(&mut seen) {
                    Ok(more) => assert!(more),
                    Err(error) => break error,
                }
            };
            assert_eq!(error.to_string(), "torn");
            seen.len()
        });
        assert!(read >= 8 * BLOCK_BYTES);
        let first = beside(&mut Plain(Slow { bytes: &bytes, fails: false }), |ahead| ahead.append(&mut Vec::new()));
        assert!(first.unwrap());
    }
}

//! Standard input, read by a thread of its own: it may be a pipe, a file or a terminal, and reading it may wait for ever.

use std::io;
use std::thread;

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::SourceError;

/// Bytes read at once.
const READ_BYTES: usize = 256 << 10;

/// What is read, piece by piece. It ends with the input, or once it was told to stop and nothing is left in the pipe.
pub struct Stdin {
    chunks: Receiver<io::Result<Bytes>>,
    /// Closed to tell the thread to stop.
    running: Option<OwnedFd>,
}

impl Stdin {
    /// Begins to read. At most one piece waits to be taken.
    ///
    /// # Errors
    /// When the system has no more descriptors or threads.
    pub fn start() -> Result<Stdin, SourceError> {
        let stdin = rustix::stdio::stdin().try_clone_to_owned().map_err(SourceError::Stdin)?;
        let (stopped, running) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| SourceError::Stdin(error.into()))?;
        let (sender, chunks) = channel(1);
        let work = move || read(&stdin, &stopped, &sender);
        thread::Builder::new().name("stdin".to_owned()).spawn(work).map_err(SourceError::Stdin)?;
        Ok(Stdin { chunks, running: Some(running) })
    }

    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Option<io::Result<Bytes>> {
        self.chunks.recv().await
    }

    /// Reads only what is there already.
    pub fn stop(&mut self) {
        self.running = None;
    }
}

fn read(stdin: &OwnedFd, stopped: &OwnedFd, chunks: &Sender<io::Result<Bytes>>) {
    let mut buffer = Vec::with_capacity(READ_BYTES);
    loop {
        match read_some(stdin, stopped, &mut buffer) {
            Ok(0) => return,
            Ok(_) => {
                let chunk = Ok(Bytes::copy_from_slice(&buffer));
                if chunks.blocking_send(chunk).is_err() {
                    return;
                }
            }
            Err(error) => return drop(chunks.blocking_send(Err(error))),
        }
    }
}

/// Waits for bytes or for the word to stop, and reads. 0: the end.
fn read_some(stdin: &OwnedFd, stopped: &OwnedFd, buffer: &mut Vec<u8>) -> io::Result<usize> {
    loop {
        let mut fds = [PollFd::new(stdin, PollFlags::IN), PollFd::new(stopped, PollFlags::IN)];
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => continue,
            polled => polled?,
        };
        if fds[0].revents().is_empty() {
            return Ok(0);
        }
        buffer.clear();
        match rustix::io::read(stdin, rustix::buffer::spare_capacity(buffer)) {
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            outcome => return Ok(outcome?),
        }
    }
}

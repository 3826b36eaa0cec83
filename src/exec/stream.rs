//! One stream of the program: reads what it writes, masks whole lines, writes them at once. An incomplete line waits for its
//! end, because half a secret is no secret yet.

use std::io::{self, PipeReader, PipeWriter, Write};
use std::sync::Arc;
use std::thread;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tokio::sync::mpsc::UnboundedSender;

use crate::engine::{Engine, Masked, Stream, Tally};
use crate::pipe::Output;

/// What a pipe holds by default, so that one read empties it.
const READ_BYTES: usize = 64 << 10;

/// How a stream ended.
pub(super) struct End {
    pub(super) tally: Tally,
    pub(super) failed: Option<io::Error>,
}

/// Wakes a reader that waits for more.
pub(super) struct Wake {
    writer: PipeWriter,
    reader: PipeReader,
}

impl Wake {
    pub(super) fn new() -> io::Result<Wake> {
        io::pipe().map(|(reader, writer)| Wake { writer, reader })
    }

    /// What becomes readable when it rings.
    pub(super) fn sleeper(&self) -> io::Result<PipeReader> {
        self.reader.try_clone()
    }

    /// From now on nothing is waited for.
    pub(super) fn ring(&self) {
        let _ = (&self.writer).write_all(b"!");
    }
}

/// The thread of one stream.
pub(super) struct Masker {
    input: PipeReader,
    output: Output,
    wake: PipeReader,
    stream: Stream,
}

impl Masker {
    /// Starts it; its end is sent to `done`.
    pub(super) fn start(
        name: &str,
        engine: &Arc<Engine>,
        input: PipeReader,
        output: Output,
        wake: PipeReader,
        done: UnboundedSender<End>,
    ) -> io::Result<()> {
        let stream = Stream::new(Arc::clone(engine)).from_source(name);
        let masker = Masker { input, output, wake, stream };
        // Detached: one that writes to a reader who does not read must not hold the end of the program back for ever.
        thread::Builder::new().name(name.to_owned()).spawn(move || drop(done.send(masker.run()))).map(drop)
    }

    fn run(mut self) -> End {
        let failed = self.copy().err();
        End { tally: self.stream.tally().clone(), failed }
    }

    /// Until the input ends, or nothing is in it and nothing is waited for.
    fn copy(&mut self) -> io::Result<()> {
        let mut buffer = Vec::with_capacity(READ_BYTES);
        while self.wait()? {
            buffer.clear();
            match rustix::io::read(&self.input, spare_capacity(&mut buffer)) {
                Ok(0) => break,
                Ok(_) => self.push(&buffer)?,
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let (stream, output) = (&mut self.stream, &self.output);
        let mut done = Ok(());
        stream.finish(|masked| write(output, &masked, &mut done));
        done
    }

    /// Waits until there is something to read; `false` when there is nothing and the bell has rung.
    fn wait(&self) -> io::Result<bool> {
        loop {
            let mut both = [PollFd::new(&self.input, PollFlags::IN), PollFd::new(&self.wake, PollFlags::IN)];
            match poll(&mut both, None) {
                Ok(_) if !both[0].revents().is_empty() => return Ok(true),
                Ok(_) if !both[1].revents().is_empty() => return self.ready(),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether there is something to read now.
    fn ready(&self) -> io::Result<bool> {
        let mut input = [PollFd::new(&self.input, PollFlags::IN)];
        Ok(poll(&mut input, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? > 0)
    }

    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (stream, output) = (&mut self.stream, &self.output);
        let mut done = Ok(());
        stream.push(bytes, |masked| write(output, &masked, &mut done));
        done
    }
}

fn write(output: &Output, masked: &Masked, done: &mut io::Result<()>) {
    if done.is_ok() {
        *done = output.write(masked.as_bytes());
    }
}

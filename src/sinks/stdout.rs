//! Standard output, written by a thread of its own: it may be a pipe, a file or a terminal, and writing it may wait.

use std::fs::File;
use std::io::{self, Write as _};
use std::thread;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Ended;
use super::encode::{Chunks, Encoder};
use super::queue::Queue;
use crate::framing::Framing;
use crate::message::Ack;
use crate::metrics::{SinkError, SinkMetrics};

/// Batches taken at once.
const TAKE: usize = 256;

pub(super) fn start(framing: Framing, queue: Queue, metrics: SinkMetrics) -> io::Result<JoinHandle<Ended>> {
    let out = File::from(rustix::stdio::stdout().try_clone_to_owned()?);
    let (sender, ended) = oneshot::channel();
    let work = move || drop(sender.send(write(out, framing, queue, &metrics)));
    thread::Builder::new().name("stdout".to_owned()).spawn(work)?;
    Ok(tokio::spawn(async { ended.await.unwrap_or_else(|_| Ended::Failed("its thread failed".to_owned())) }))
}

fn write(mut out: File, framing: Framing, mut queue: Queue, metrics: &SinkMetrics) -> Ended {
    let (mut encoder, mut chunks, mut batches) = (Encoder::new(framing), Chunks::default(), Vec::new());
    while queue.take_blocking(&mut batches, TAKE) > 0 {
        batches.iter().for_each(|batch| encoder.encode(&batch.batch, &mut chunks));
        if let Err(error) = chunks.take().iter().try_for_each(|chunk| write_all(&mut out, chunk)) {
            metrics.error(SinkError::Write);
            return Ended::Failed(error.to_string());
        }
        batches.drain(..).for_each(|mut batch| batch.settle(Ack::Delivered, metrics));
    }
    Ended::Done
}

/// Whoever shares the descriptor may have made it one that does not wait.
fn write_all(out: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut wait = [rustix::event::PollFd::new(out, rustix::event::PollFlags::OUT)];
                rustix::event::poll(&mut wait, None)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

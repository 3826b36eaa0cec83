//! Files, appended to by a thread of their own. A batch is in its file whole or not at all, so that a full disk tears no
//! record; it is written again until there is room.

mod options;
mod rotating;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use options::{FileOptions, FilePath, FilePathError};

use super::Ended;
use super::encode::{Chunks, Encoder};
use super::queue::{Queue, Queued};
use crate::framing::Framing;
use crate::message::{Ack, Batch, End};
use crate::metrics::{SinkError, SinkMetrics};
use rotating::Rotating;

/// Batches taken at once.
const TAKE: usize = 256;
/// Files open at a time. The one that was not written for the longest is closed.
const MAX_OPEN: usize = 256;
/// How often it is looked whether somebody else rotated a file.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);
/// The pause before a write is tried again; it doubles until `MAX_PAUSE`.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Asks file sinks to open their files anew: what a SIGHUP means. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Reopen(Arc<AtomicU64>);

impl Reopen {
    /// All of them, before they write next.
    pub fn ask(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Starts a sink.
///
/// # Errors
/// When there is no thread to be had.
pub fn start(
    options: FileOptions,
    framing: Framing,
    reopen: Reopen,
    queue: Queue,
    metrics: SinkMetrics,
) -> io::Result<JoinHandle<Ended>> {
    let files = Files { options, framing, reopen, asked: 0, open: HashMap::new() };
    let (sender, ended) = oneshot::channel();
    let work = move || drop(sender.send(write(files, queue, &metrics)));
    thread::Builder::new().name("files".to_owned()).spawn(work)?;
    Ok(tokio::spawn(async { ended.await.unwrap_or_else(|_| Ended::Failed("its thread failed".to_owned())) }))
}

fn write(mut files: Files, mut queue: Queue, metrics: &SinkMetrics) -> Ended {
    let mut batches = Vec::new();
    while queue.take_blocking(&mut batches, TAKE) > 0 {
        let mut written = Vec::new();
        for batch in batches.drain(..) {
            if !files.has_place(&batch.batch) {
                metrics.error(SinkError::Write);
                settle(batch, Ack::Rejected, metrics);
                continue;
            }
            files.write_in_the_end(&batch.batch, metrics);
            written.push(batch);
        }
        // The system may have dropped what it could not write, so that a second sync would lie: nothing is delivered then.
        if let Err(error) = files.sync() {
            metrics.error(SinkError::Write);
            return Ended::Failed(error.to_string());
        }
        written.into_iter().for_each(|batch| settle(batch, Ack::Delivered, metrics));
    }
    Ended::Done
}

fn settle(mut batch: Queued, ack: Ack, metrics: &SinkMetrics) {
    batch.settle(ack, metrics);
}

/// The files of one sink.
struct Files {
    options: FileOptions,
    framing: Framing,
    reopen: Reopen,
    /// How often `reopen` was asked when it was last looked at.
    asked: u64,
    /// By path in the folder.
    open: HashMap<PathBuf, OpenFile>,
}

struct OpenFile {
    file: Rotating,
    encoder: Encoder,
    followed: Instant,
    used: Instant,
}

impl Files {
    fn has_place(&self, batch: &Batch) -> bool {
        self.options.path.place(batch.origin.as_deref()).is_some()
    }

    /// Writes `batch`, however often that has to be tried: a disk that is full now has room later.
    fn write_in_the_end(&mut self, batch: &Batch, metrics: &SinkMetrics) {
        let mut pause = FIRST_PAUSE;
        while let Err(error) = self.write(batch) {
            metrics.error(SinkError::Write);
            if pause == FIRST_PAUSE {
                tracing::warn!(reason = %error, "a file cannot be written; trying again");
            }
            thread::sleep(pause);
            pause = (pause * 2).min(MAX_PAUSE);
            metrics.retry();
        }
    }

    fn write(&mut self, batch: &Batch) -> io::Result<()> {
        let (options, framing) = (&self.options, self.framing);
        let asked = self.reopen.0.load(Ordering::Relaxed);
        let ask = std::mem::replace(&mut self.asked, asked) != asked;
        let now = Instant::now();
        if ask {
            // A file whose record is unfinished stays: it is looked at again when the record has ended.
            self.open.values_mut().for_each(|open| open.followed = now - FOLLOW_EVERY);
        }
        let (folder, inner) = options.path.place(batch.origin.as_deref()).ok_or(io::ErrorKind::InvalidInput)?;
        if !self.open.contains_key(inner) {
            make_room(&mut self.open, options.sync)?;
            let file = Rotating::open(folder, inner, options)?;
            let open = OpenFile { file, encoder: Encoder::new(framing), followed: now, used: now };
            self.open.insert(inner.to_owned(), open);
        }
        let open = self.open.get_mut(inner).expect("it was opened");
        if now.duration_since(open.followed) >= FOLLOW_EVERY {
            open.file.follow(options)?;
            open.followed = now;
        }
        open.file.rotate_if_due(options, SystemTime::now())?;
        // The encoder remembers a record that is open; it must not remember what was not written.
        let (mut encoder, mut chunks) = (open.encoder.clone(), Chunks::default());
        encoder.encode(batch, &mut chunks);
        open.file.append(&chunks.take(), batch.end != End::Open)?;
        (open.encoder, open.used) = (encoder, now);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.options.sync {
            self.open.values_mut().try_for_each(|open| open.file.sync())?;
        }
        Ok(())
    }
}

/// Closes the file that was not written for the longest, if there are too many.
fn make_room(open: &mut HashMap<PathBuf, OpenFile>, sync: bool) -> io::Result<()> {
    if open.len() < MAX_OPEN {
        return Ok(());
    }
    let oldest = open.iter().min_by_key(|(_, open)| open.used).map(|(path, _)| path.clone());
    let Some(mut closed) = oldest.and_then(|path: PathBuf| open.remove(Path::new(&path))) else { return Ok(()) };
    if sync { closed.file.sync() } else { Ok(()) }
}

#[cfg(test)]
mod tests;

//! Files, appended to by a thread of their own. A batch is in its file whole or not at all, so that a full disk tears no
//! record; it is written again until there is room.

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

use super::Ended;
use super::encode::{Chunks, Encoder};
use super::queue::{Queue, Queued};
use crate::config::daemon::{FileOptions, FilePath};
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
/// How often it is said that a file cannot be written.
const REMIND: Duration = Duration::from_secs(60);

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
/// When there is no thread to be had, or its file or folder can never be written. A full disk is no error: it has room later.
pub(super) fn start(
    options: FileOptions,
    framing: Framing,
    reopen: Reopen,
    queue: Queue,
    metrics: SinkMetrics,
) -> io::Result<JoinHandle<Ended>> {
    let mut files = Files { options, framing, reopen, asked: 0, open: HashMap::new() };
    files.probe()?;
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
                metrics.error(SinkError::Rejected);
                tracing::error!(sink = metrics.name(), "records without a file name have no place in mirrored files");
                settle(batch, Ack::Rejected, metrics);
                continue;
            }
            if let Err(error) = files.write_in_the_end(&batch.batch, metrics) {
                return failed(&error, metrics);
            }
            written.push(batch);
        }
        if let Err(error) = files.sync() {
            return failed(&error, metrics);
        }
        written.into_iter().for_each(|batch| settle(batch, Ack::Delivered, metrics));
    }
    Ended::Done
}

/// The system may have dropped what it could not write, so that a second sync would lie: nothing is delivered then.
fn failed(error: &io::Error, metrics: &SinkMetrics) -> Ended {
    metrics.error(SinkError::Disk);
    Ended::Failed(error.to_string())
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
    /// Opens the file, or makes the folder of mirrored ones: what is wrong with a path is said at the start.
    fn probe(&mut self) -> io::Result<()> {
        let probed = match &self.options.path {
            FilePath::Single(_) => self.open(None).map(drop),
            FilePath::Mirrored(folder) => rotating::make_folder(folder, self.options.mode),
        };
        let later = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge];
        probed.or_else(|error| if later.contains(&error.kind()) { Ok(()) } else { Err(error) })
    }

    /// The file for records of `origin`, opened if it is not.
    fn open(&mut self, origin: Option<&Path>) -> io::Result<&mut OpenFile> {
        let (options, framing) = (&self.options, self.framing);
        let (folder, inner) = options.path.place(origin).ok_or(io::ErrorKind::InvalidInput)?;
        if !self.open.contains_key(inner) {
            make_room(&mut self.open, options.sync)?;
            let file = Rotating::open(folder, inner, options, framing)?;
            let now = Instant::now();
            let open = OpenFile { file, encoder: Encoder::new(framing), followed: now, used: now };
            self.open.insert(inner.to_owned(), open);
        }
        Ok(self.open.get_mut(inner).expect("it was opened"))
    }

    fn has_place(&self, batch: &Batch) -> bool {
        self.options.path.place(batch.origin.as_deref()).is_some()
    }

    /// Writes `batch`, however often that has to be tried: a disk that is full now has room later. An error of a sync is one
    /// for ever.
    fn write_in_the_end(&mut self, batch: &Batch, metrics: &SinkMetrics) -> io::Result<()> {
        let (mut pause, mut said) = (FIRST_PAUSE, None::<Instant>);
        while let Err(error) = self.write(batch) {
            if self.open.values().any(|open| open.file.is_broken()) {
                return Err(error);
            }
            metrics.error(SinkError::Disk);
            if said.is_none_or(|said| said.elapsed() >= REMIND) {
                tracing::warn!(sink = metrics.name(), reason = %error, "a file cannot be written; trying again");
                said = Some(Instant::now());
            }
            thread::sleep(pause);
            pause = (pause * 2).min(MAX_PAUSE);
            metrics.retry();
        }
        if said.is_some() {
            tracing::info!(sink = metrics.name(), "files are written again");
        }
        Ok(())
    }

    fn write(&mut self, batch: &Batch) -> io::Result<()> {
        let asked = self.reopen.0.load(Ordering::Relaxed);
        let ask = std::mem::replace(&mut self.asked, asked) != asked;
        let now = Instant::now();
        if ask {
            // A file whose record is unfinished stays: it is looked at again when the record has ended.
            self.open.values_mut().for_each(|open| open.followed = now - FOLLOW_EVERY);
        }
        let options = self.options.clone();
        let open = self.open(batch.origin.as_deref())?;
        if now.duration_since(open.followed) >= FOLLOW_EVERY {
            open.file.follow(&options)?;
            open.followed = now;
        }
        open.file.rotate_if_due(&options, SystemTime::now())?;
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
    let Some(oldest) = oldest else { return Ok(()) };
    if let Some(closed) = open.get_mut(&oldest).filter(|_| sync) {
        closed.file.sync()?;
    }
    open.remove(&oldest);
    Ok(())
}

#[cfg(test)]
mod tests;

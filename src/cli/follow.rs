//! `inkout -F FILE…`: masks what is in files and what is added to them, through rotation, until it is stopped.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, Receiver, error::TrySendError};

use super::print::{OutputError, complain};
use crate::engine::{Carry, Cutter, Engine, Piece, Scratch, Tally, is_wide};
use crate::pipe::{Output, Summary, WIDE};
use crate::tail::{Checkpoints, Driver, Event, FileId, Globs, Handle, Offer, TailOptions, Tailer};

/// Events that wait for the engine, each of up to 256 KiB.
const QUEUE: usize = 8;

/// Follows `files` and writes to `output`.
pub(super) fn run(
    engine: &Arc<Engine>,
    files: &[PathBuf],
    checkpoint: Option<&Path>,
    output: Output,
) -> anyhow::Result<Summary> {
    let tailer = tailer(files, checkpoint, engine.learn_records())?;
    for file in files.iter().filter(|file| !file.exists()) {
        complain(&format!("{}: it is not there yet; waiting for it", file.display()));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot wait for signals")?;
    runtime.block_on(follow(tailer, Streams::new(engine, output), checkpoint.is_some()))
}

fn tailer(files: &[PathBuf], checkpoint: Option<&Path>, lines_before: usize) -> anyhow::Result<Tailer> {
    if files.is_empty() || files.iter().any(|file| file == Path::new("-")) {
        anyhow::bail!("--follow needs files; standard input is followed by itself");
    }
    let checkpoints = match checkpoint {
        Some(path) => Checkpoints::at(path)?,
        None => Checkpoints::in_memory()?,
    };
    let paths = files.iter().map(|file| Globs::literal(file)).collect();
    let options = TailOptions { lines_before, ..TailOptions::new(paths) };
    Ok(Tailer::new(options, checkpoints, Instant::now())?)
}

async fn follow(tailer: Tailer, mut streams: Streams, keeps: bool) -> anyhow::Result<Summary> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (sender, mut events) = mpsc::channel(QUEUE);
    let driver = Driver::start(tailer, move |event| match sender.try_send(event) {
        Ok(()) => Offer::Taken,
        Err(TrySendError::Full(event)) => Offer::Full(event),
        Err(TrySendError::Closed(_)) => Offer::Closed,
    })?;
    let handle = driver.handle();
    loop {
        tokio::select! {
            biased;
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            event = events.recv() => match event {
                Some(event) => streams.take(event, &handle)?,
                None => break,
            },
        }
        handle.nudge();
    }
    finish(driver, &mut streams, &mut events, keeps)?;
    Ok(streams.into_summary())
}

/// What was read already is written. A line that is not whole is left to the next run, if there will be one that knows.
fn finish(driver: Driver, streams: &mut Streams, events: &mut Receiver<Event>, keeps: bool) -> anyhow::Result<()> {
    let handle = driver.handle();
    while let Ok(event) = events.try_recv() {
        streams.take(event, &handle)?;
    }
    if !keeps {
        let open: Vec<FileId> = streams.open.keys().copied().collect();
        open.into_iter().try_for_each(|file| streams.end(file, &handle))?;
    }
    if !driver.join().map_err(|_| anyhow::anyhow!("an internal error ended the following"))? && keeps {
        streams.problem("the last checkpoint could not be written; some lines will come again");
    }
    Ok(())
}

/// Files on their way through the engine, to one output.
struct Streams {
    engine: Arc<Engine>,
    scratch: Scratch,
    output: Output,
    open: HashMap<FileId, Stream>,
    /// Whose bytes were written last, if their line is unfinished.
    unfinished: Option<FileId>,
    tally: Tally,
    failed: bool,
}

struct Stream {
    path: PathBuf,
    cutter: Cutter,
    carry: Carry,
    /// Everything before was written.
    position: u64,
}

impl Streams {
    fn new(engine: &Arc<Engine>, output: Output) -> Streams {
        let (scratch, tally) = (engine.scratch(), Tally::default());
        let (open, unfinished) = (HashMap::new(), None);
        Streams { engine: Arc::clone(engine), scratch, output, open, unfinished, tally, failed: false }
    }

    fn take(&mut self, event: Event, handle: &Handle) -> Result<(), OutputError> {
        match event {
            Event::Opened { file, path, offset, before, .. } => {
                let cutter = Cutter::new(self.engine.limits().max_record_bytes);
                self.scratch.read_from(&path.to_string_lossy());
                let carry = self.engine.redact(&mut self.scratch, &Carry::default(), before).1.only_learned();
                self.open.insert(file, Stream { path, cutter, carry, position: offset });
            }
            Event::Data { file, bytes, .. } => {
                let Some(stream) = self.open.get_mut(&file) else { return Ok(()) };
                stream.cutter.buffer().extend_from_slice(&bytes);
                if stream.position == 0 && is_wide(stream.cutter.buffer()) {
                    // Nothing of it is acknowledged: another run does not take it for read.
                    let name = stream.path.display().to_string();
                    self.open.remove(&file);
                    self.problem(&format!("{name}: {WIDE}"));
                    return Ok(());
                }
                while let Some(piece) = self.open.get_mut(&file).and_then(|stream| stream.cutter.next_piece()) {
                    self.pass(file, &piece, handle)?;
                }
            }
            Event::Ended { file } => self.end(file, handle)?,
            Event::Cut { file, lost } if lost > 0 => {
                let name = self.open.get(&file).map(|stream| stream.path.display().to_string()).unwrap_or_default();
                self.problem(&format!("{name}: at least {lost} bytes were cut off before they could be read"));
            }
            Event::Refused { path, why } => self.problem(&format!("{}: {why}", path.display())),
            Event::Distrusted { path, why } => {
                complain(&format!("{}: {why}; everything is read from its beginning", path.display()));
            }
            Event::Unsaved { why } => complain(&format!("the checkpoint cannot be written: {why}; going on without")),
            Event::Saved => complain(&"the checkpoint is written again"),
            _ => {}
        }
        Ok(())
    }

    /// Nothing more comes of `file`.
    fn end(&mut self, file: FileId, handle: &Handle) -> Result<(), OutputError> {
        while let Some(piece) = self.open.get_mut(&file).and_then(|stream| stream.cutter.finish()) {
            self.pass(file, &piece, handle)?;
        }
        self.open.remove(&file);
        Ok(())
    }

    fn pass(&mut self, file: FileId, piece: &Piece, handle: &Handle) -> Result<(), OutputError> {
        let Some(stream) = self.open.get_mut(&file) else { return Ok(()) };
        let carry = std::mem::take(&mut stream.carry);
        self.scratch.read_from(&stream.path.to_string_lossy());
        let (masked, carry, tally) = self.engine.redact_piece(&mut self.scratch, &carry, piece);
        // Lines of two files are never one.
        if self.unfinished.is_some_and(|other| other != file) {
            self.output.write(b"\n").map_err(OutputError)?;
        }
        self.output.write(masked.as_bytes()).map_err(OutputError)?;
        self.unfinished = (!piece.body().ends_with(b"\n")).then_some(file);
        self.tally.add(&tally);
        stream.position += piece.len() as u64;
        // Only where a new reader needs to know nothing of what was before.
        if !piece.goes_on() && !carry.is_open() {
            handle.acked(file, stream.position);
        }
        stream.carry = carry;
        Ok(())
    }

    fn problem(&mut self, what: &str) {
        complain(&what);
        self.failed = true;
    }

    fn into_summary(self) -> Summary {
        Summary {
            tally: self.tally,
            costs: self.engine.costs(&self.scratch).to_vec(),
            incomplete: self.failed,
            ..Summary::default()
        }
    }
}

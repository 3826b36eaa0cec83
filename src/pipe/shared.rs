//! Several threads on one feed and one output. What each of them does is `worker`'s.

use std::io;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::Summary;
use super::descriptor::Output;
use super::error::PipeError;
use super::feed::{Feed, Job};
use super::worker::{Redacted, State, Worker};
use crate::engine::{Carry, Engine};

/// What the threads share.
struct Shared {
    feed: Mutex<Feed>,
    turn: Mutex<Turn>,
    /// The thread that waits to write piece `n` waits at `n` modulo their number, so that a turn wakes one thread.
    next: Vec<Condvar>,
    output: Output,
}

/// Whose turn it is to write.
struct Turn {
    /// The number of the piece to be written next.
    number: u64,
    state: State,
    /// Why nothing more is written.
    failed: Option<io::Error>,
    /// Whether a write failed: every thread is to end.
    stopped: bool,
}

/// Goes on with `feed` on `threads` threads.
///
/// The threads are left behind when the output fails: one of them may be waiting for input that never comes.
pub(super) fn run(
    engine: &Arc<Engine>,
    feed: Feed,
    output: Output,
    state: State,
    threads: usize,
) -> Result<Summary, PipeError> {
    let turn = Turn { number: feed.issued(), state, failed: None, stopped: false };
    let next = std::iter::repeat_with(Condvar::new).take(threads).collect();
    let shared = Arc::new(Shared { feed: Mutex::new(feed), turn: Mutex::new(turn), next, output });
    let (sender, ended) = mpsc::channel();
    let mut handles = Vec::new();
    for _ in 0..threads {
        let (shared, engine, sender) = (Arc::clone(&shared), Arc::clone(engine), sender.clone());
        let thread = thread::Builder::new().name("redact".to_owned());
        handles.push(thread.spawn(move || work(&shared, engine, &sender)).map_err(PipeError::Thread)?);
    }
    drop(sender);
    let well = ended.iter().take_while(|end| *end == End::Done).count();
    if let Some(reason) = shared.turn().failed.take() {
        return Err(PipeError::Output(reason));
    }
    if well < threads || handles.into_iter().any(|handle| handle.join().is_err()) {
        return Err(PipeError::Panicked);
    }
    Ok(Arc::into_inner(shared).expect("every thread has let go of it").into_summary())
}

/// How a thread ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Done,
    Stopped,
}

fn work(shared: &Shared, engine: Arc<Engine>, sender: &Sender<End>) {
    let _alarm = Alarm(shared);
    let mut worker = Worker::new(engine);
    let mut buffer = None;
    let end = loop {
        let Some(job) = shared.take(buffer.take()) else { break End::Done };
        let guess = worker.redact(&job, &Carry::default());
        match shared.write(&mut worker, &job, guess) {
            Some(redacted) => buffer = redacted.into_buffer(job),
            None => break End::Stopped,
        }
    };
    shared.turn().state.add_costs(&worker.costs());
    let _ = sender.send(end);
}

/// Stops the others when a thread panics: they would wait for its turn for ever.
struct Alarm<'s>(&'s Shared);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.turn().stopped = true;
            self.0.next.iter().for_each(Condvar::notify_all);
        }
    }
}

impl Shared {
    fn take(&self, buffer: Option<Vec<u8>>) -> Option<Job> {
        let mut feed = self.feed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(buffer) = buffer {
            feed.recycle(buffer);
        }
        feed.next()
    }

    /// Writes `guess` when it is its turn, or what is right instead; `None` when the output has failed.
    fn write(&self, worker: &mut Worker, job: &Job, guess: Redacted) -> Option<Redacted> {
        let mut turn = self.turn();
        let waiting = &self.next[self.slot(job.number)];
        while turn.number != job.number && !turn.stopped {
            turn = waiting.wait(turn).unwrap_or_else(PoisonError::into_inner);
        }
        if turn.stopped {
            return None;
        }
        let carry = turn.state.carry_before(job);
        let redacted = worker.correct(job, guess, &carry);
        if let Err(reason) = self.output.write(redacted.bytes()) {
            turn.failed = Some(reason);
            turn.stopped = true;
            self.next.iter().for_each(Condvar::notify_all);
            return None;
        }
        turn.state.advance(&redacted);
        turn.number += 1;
        self.next[self.slot(turn.number)].notify_one();
        Some(redacted)
    }

    fn into_summary(self) -> Summary {
        let turn = self.turn.into_inner().unwrap_or_else(PoisonError::into_inner);
        let feed = self.feed.into_inner().unwrap_or_else(PoisonError::into_inner);
        turn.state.into_summary(feed.into_failed())
    }

    fn slot(&self, number: u64) -> usize {
        (number % self.next.len() as u64) as usize
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The threads, their queue, and the memory each keeps for the engines it has met. Who awaits the results is not its
//! business.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

use crate::engine::{Engine, Scratch};

/// Engines that a thread keeps memory for: some pipelines with their own policy, and each one's engine before a reload.
const MAX_SCRATCHES: usize = 16;

/// What is done with an engine and a thread's memory for it.
pub(super) type Work = dyn FnOnce(&Engine, &mut Scratch) + Send;

/// A piece of work and the engine it is done with.
pub(super) struct Job {
    pub(super) engine: Arc<Engine>,
    pub(super) work: Box<Work>,
}

/// The threads' end of the queue lives as long as they do, the other one as long as there is a handle.
pub(super) struct Pool(Arc<Queue>);

/// Jobs in the order they came. Not bounded here: whoever hands a job over awaits its result, so there are at most as many
/// as there are streams.
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// No handle is left.
    closed: bool,
}

impl Pool {
    pub(super) fn start(threads: usize) -> io::Result<Arc<Pool>> {
        let pool = Pool(Arc::new(Queue { waiting: Mutex::default(), changed: Condvar::new() }));
        for number in 0..threads {
            let queue = Arc::clone(&pool.0);
            thread::Builder::new().name(format!("redact-{number}")).spawn(move || work(&queue))?;
        }
        Ok(Arc::new(pool))
    }

    pub(super) fn hand_over(&self, job: Job) {
        self.0.lock().jobs.push_back(job);
        self.0.changed.notify_one();
    }
}

impl Drop for Pool {
    /// The threads end by themselves; nobody waits for them here, for the last handle may be dropped by one of them.
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.changed.notify_all();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job; `None` when no handle is left and nothing waits.
    fn next(&self) -> Option<Job> {
        let mut waiting = self.lock();
        loop {
            if let Some(job) = waiting.jobs.pop_front() {
                return Some(job);
            }
            if waiting.closed {
                return None;
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn work(queue: &Queue) {
    let mut scratches = Scratches::default();
    while let Some(Job { engine, work }) = queue.next() {
        let mut scratch = scratches.take(&engine);
        // A panic drops the result's sender, which tells who waits; and the scratch, which may be half written.
        if catch_unwind(AssertUnwindSafe(|| work(&engine, &mut scratch))).is_ok() {
            scratches.keep(&engine, scratch);
        }
    }
}

/// A thread's memory by engine, the last used at the end. Engines are not kept alive by it.
#[derive(Default)]
struct Scratches(Vec<(Weak<Engine>, Scratch)>);

impl Scratches {
    fn take(&mut self, engine: &Arc<Engine>) -> Scratch {
        self.0.retain(|(known, _)| known.strong_count() > 0);
        let found = self.0.iter().position(|(known, _)| std::ptr::eq(known.as_ptr(), Arc::as_ptr(engine)));
        found.map_or_else(|| engine.scratch(), |at| self.0.remove(at).1)
    }

    fn keep(&mut self, engine: &Arc<Engine>, scratch: Scratch) {
        if self.0.len() == MAX_SCRATCHES {
            self.0.remove(0);
        }
        self.0.push((Arc::downgrade(engine), scratch));
    }
}

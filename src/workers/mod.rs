//! Threads that redact: each has memory of its own around engines that can be exchanged while they work. It knows nothing
//! of sources, sinks or configurations.
//!
//! Redacting is work for a processor, and a runtime's threads are for waiting. So the tasks that wait hand a job over and
//! await its result:
//!
//! ```
//! # use std::sync::Arc;
//! # use inkout::engine::{Carry, Engine, Limits, Piece, Policy};
//! # use inkout::{rules::Catalog, workers::Workers};
//! # let engine = Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default())?;
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! let workers = Workers::start(Arc::new(engine), 2)?;
//! let piece = Piece::records("password=hunter2\n".into());
//! let job = move |engine: &Engine, scratch: &mut _| engine.redact_piece(scratch, &Carry::default(), &piece);
//! let (masked, _carry, _tally) = workers.run(job).await?;
//! assert_eq!(masked.as_bytes(), b"password=REDACTED.password\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # One record, one whole engine
//!
//! A job sees one engine from its beginning to its end: the one that was current when it was handed over. What leaves
//! something open for the next job (a [`Carry`](crate::engine::Carry) that is not empty, a window of a long record) holds
//! on to its engine and goes on with [`Workers::run_with`], so that half a private key is not forgotten by a reload.

mod pool;

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::oneshot;

use crate::engine::{Engine, Scratch};
use pool::{Job, Pool};

/// Why a job has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// It panicked. The thread goes on with new memory.
    #[error("a job failed on a worker")]
    Panicked,
    /// There is no engine yet, so nothing can be redacted.
    #[error("there are no rules to redact with")]
    NoEngine,
}

/// A handle on the threads and on one engine. Clones share both; the threads end with the last handle.
#[derive(Clone)]
pub struct Workers {
    pool: Arc<Pool>,
    /// `None` until there is a whole set of rules: nothing can go around it then.
    current: Arc<RwLock<Option<Arc<Engine>>>>,
}

impl Workers {
    /// Starts `threads` threads, one at least. Without an engine every job is refused until there is one.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub fn start(engine: impl Into<Option<Arc<Engine>>>, threads: usize) -> io::Result<Workers> {
        Ok(Workers { pool: Pool::start(threads.max(1))?, current: Arc::new(RwLock::new(engine.into())) })
    }

    /// Another handle on the same threads, with an engine of its own: for a pipeline that has its own policy.
    pub fn beside(&self, engine: impl Into<Option<Arc<Engine>>>) -> Workers {
        Workers { pool: Arc::clone(&self.pool), current: Arc::new(RwLock::new(engine.into())) }
    }

    /// Exchanges the engine. Jobs that were handed over before still end with the one they began with.
    pub fn swap(&self, engine: Arc<Engine>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(engine);
    }

    /// The engine that the next job gets, if there is one.
    pub fn engine(&self) -> Option<Arc<Engine>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs `job` with the current engine and the memory of a thread. A future that is dropped gives up the result; the job
    /// may still run.
    ///
    /// # Errors
    /// When the job panicked, or there is no engine.
    pub async fn run<T, J>(&self, job: J) -> Result<T, Stopped>
    where
        T: Send + 'static,
        J: FnOnce(&Engine, &mut Scratch) -> T + Send + 'static,
    {
        self.run_with(self.engine().ok_or(Stopped::NoEngine)?, job).await
    }

    /// Runs `job` with `engine`: for what was begun with it and is still open.
    ///
    /// # Errors
    /// When the job panicked.
    pub async fn run_with<T, J>(&self, engine: Arc<Engine>, job: J) -> Result<T, Stopped>
    where
        T: Send + 'static,
        J: FnOnce(&Engine, &mut Scratch) -> T + Send + 'static,
    {
        let (sender, result) = oneshot::channel();
        let work = move |engine: &Engine, scratch: &mut Scratch| drop(sender.send(job(engine, scratch)));
        self.pool.hand_over(Job { engine, work: Box::new(work) });
        // The sender is dropped without a result only while the thread unwinds.
        result.await.map_err(|_| Stopped::Panicked)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::engine::{Carry, Limits, Piece, Policy};
    use crate::rules::Catalog;

    /// An engine that writes `mark` in place of what it finds.
    fn engine(mark: &str) -> Arc<Engine> {
        let rules = "[[rule]]\nid='door'\nsummary='D'\ncategory='credential'\nkeys=['door_code']\n";
        let policy = Policy { placeholder: Some(mark.to_owned()), ..Policy::default() };
        let set = Catalog::parse("r", rules).unwrap().set;
        Arc::new(Engine::compile(set, policy, &Limits::default()).unwrap())
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
    }

    async fn redact(workers: &Workers, text: String) -> String {
        let piece = Piece::records(text.into());
        let job = move |engine: &Engine, scratch: &mut Scratch| {
            engine.redact_piece(scratch, &Carry::default(), &piece).0.into_bytes()
        };
        String::from_utf8(workers.run(job).await.unwrap().to_vec()).unwrap()
    }

    #[test]
    fn every_job_is_redacted_by_one_whole_engine_however_often_it_is_exchanged() {
        block_on(async {
            let marks = ["ONE", "TWO"].map(|mark| (mark, engine(mark)));
            let workers = Workers::start(Arc::clone(&marks[0].1), 3).unwrap();
            let done = Arc::new(AtomicBool::new(false));
            let swapper = tokio::spawn({
                let (workers, done, marks) = (workers.clone(), Arc::clone(&done), marks.clone());
                async move {
                    for round in 0.. {
                        workers.swap(Arc::clone(&marks[round % 2].1));
                        tokio::task::yield_now().await;
                        if done.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                }
            });
            let mut jobs = tokio::task::JoinSet::new();
            for _ in 0..8 {
                let workers = workers.clone();
                jobs.spawn(async move {
                    for _ in 0..200 {
                        let text = redact(&workers, "door_code=4711abc\n".repeat(50)).await;
                        let marks = [text.matches("ONE").count(), text.matches("TWO").count()];
                        assert!(marks == [50, 0] || marks == [0, 50], "{marks:?}");
                    }
                });
            }
            while let Some(job) = jobs.join_next().await {
                job.unwrap();
            }
            done.store(true, Ordering::Relaxed);
            swapper.await.unwrap();
        });
    }

    #[test]
    fn the_next_job_gets_the_exchanged_engine_and_an_old_one_is_let_go() {
        block_on(async {
            let old = engine("OLD");
            let watch = Arc::downgrade(&old);
            let workers = Workers::start(old, 1).unwrap();
            assert_eq!(redact(&workers, "door_code=x1y2z3\n".to_owned()).await, "door_code=OLD\n");
            workers.swap(engine("NEW"));
            assert_eq!(redact(&workers, "door_code=x1y2z3\n".to_owned()).await, "door_code=NEW\n");
            assert!(watch.upgrade().is_none());
        });
    }

    #[test]
    fn handles_beside_each_other_have_engines_of_their_own() {
        block_on(async {
            let one = Workers::start(engine("ONE"), 1).unwrap();
            let two = one.beside(engine("TWO"));
            for _ in 0..3 {
                assert_eq!(redact(&one, "door_code=x1y2z3".to_owned()).await, "door_code=ONE");
                assert_eq!(redact(&two, "door_code=x1y2z3".to_owned()).await, "door_code=TWO");
            }
        });
    }

    #[test]
    fn without_an_engine_no_job_runs() {
        block_on(async {
            let workers = Workers::start(None, 1).unwrap();
            assert_eq!(workers.run(|_, _| ()).await, Err(Stopped::NoEngine));
            workers.swap(engine("X"));
            assert_eq!(redact(&workers, "door_code=x1y2z3".to_owned()).await, "door_code=X");
        });
    }

    #[test]
    fn a_job_that_panics_costs_its_result_and_no_thread() {
        block_on(async {
            let workers = Workers::start(engine("X"), 1).unwrap();
            for _ in 0..3 {
                let failed: Result<(), Stopped> = workers.run(|_, _| panic!("on purpose")).await;
                assert_eq!(failed, Err(Stopped::Panicked));
            }
            assert_eq!(redact(&workers, "door_code=x1y2z3".to_owned()).await, "door_code=X");
        });
    }
}

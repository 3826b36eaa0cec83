//! Exchanges rules, policy, known values and certificates while records flow. What they are is the loader's business; that
//! a bad set never replaces a good one is decided here.
//!
//! Three things make it look: a word (SIGHUP), an event in one of the folders (with `notify`), and the clock, for file
//! systems that tell no events. It loads only when a file has changed, or when told to.

mod watch;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch as channel};

use super::Gate;
use crate::engine::Engine;
use crate::log::Guard;
use crate::metrics::Metrics;
use crate::sources::Listener;
use crate::workers::Workers;
use watch::Files;

/// Events come in bursts: editors and mounts change several things one after the other.
const DEBOUNCE: Duration = Duration::from_millis(200);
/// How often the files are looked at where nobody tells that they changed.
const POLL: Duration = Duration::from_secs(5);
/// How often it is said that the set in use is an old one.
const REMIND: Duration = Duration::from_secs(60);
/// How often something that is missing is asked for again.
const RETRY: Duration = Duration::from_secs(5);

/// A whole set, compiled.
pub struct Loaded {
    /// By pipeline.
    pub engines: Vec<Arc<Engine>>,
    /// For what we say ourselves: they mask what any of the pipelines masks or counts.
    pub guard: Vec<Arc<Engine>>,
    /// Of the rules.
    pub hash: String,
}

/// Makes sets. It is asked on a thread that may wait.
pub trait Loader: Send + 'static {
    /// Reads and compiles everything anew.
    ///
    /// # Errors
    /// In words for people, without a byte of what was read.
    fn load(&mut self) -> Result<Loaded, String>;

    /// Files and folders that the next set would be made of.
    fn files(&self) -> Vec<PathBuf>;

    /// Changes when a new set is due without a file that changed: with the day, on which an audit may end, and when old
    /// known values need not be looked for any more.
    fn time(&self) -> u64;
}

/// Why to look at the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Somebody says so; load in any case.
    Told,
    /// Something happened in a folder.
    Event,
}

/// What is exchanged.
pub struct Reload {
    /// By pipeline.
    pub workers: Vec<Workers>,
    /// Opened by the first whole set.
    pub gate: channel::Sender<Gate>,
    /// Their certificates are read anew too.
    pub listeners: Vec<Arc<Listener>>,
    /// What masks our own words.
    pub guard: Guard,
    /// Told how it went.
    pub metrics: Metrics,
    /// Told before and after: `systemd` wants to know.
    pub tell: fn(bool),
}

/// Exchanges sets for as long as the process lives. `last` is what the set in use was made of; `None` if there is none.
pub async fn reload(
    loader: Box<dyn Loader>,
    reload: Reload,
    mut triggers: mpsc::Receiver<Trigger>,
    events: mpsc::Sender<Trigger>,
) {
    let mut files = Files::new(events);
    // A load that panics must not take the loader with it: the next one may succeed.
    let loader = Arc::new(Mutex::new(loader));
    let look = |files: &mut Files| {
        let loader = lock(&loader);
        files.look(&loader.files(), loader.time())
    };
    let mut seen = look(&mut files);
    let mut trouble: Option<Trouble> = None;
    loop {
        let waiting = *reload.gate.borrow() != Gate::Open;
        let trigger = tokio::select! {
            trigger = triggers.recv() => trigger,
            () = tokio::time::sleep(if waiting { RETRY } else { POLL }) => None,
        };
        if trigger == Some(Trigger::Event) {
            tokio::time::sleep(DEBOUNCE).await;
        }
        let mut told = trigger == Some(Trigger::Told);
        while let Ok(more) = triggers.try_recv() {
            told |= more == Trigger::Told;
        }
        let now = look(&mut files);
        if told || waiting || now != seen {
            seen = now;
            let loader = Arc::clone(&loader);
            let outcome = tokio::task::spawn_blocking(move || lock(&loader).load()).await;
            let outcome = outcome.unwrap_or_else(|_| Err("internal error while loading".to_owned()));
            trouble = reload.exchange(outcome, trouble.take());
        }
        if let Some(trouble) = &mut trouble {
            trouble.remind();
        }
    }
}

fn lock(loader: &Mutex<Box<dyn Loader>>) -> MutexGuard<'_, Box<dyn Loader>> {
    loader.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reload {
    /// Puts a set into use, or says why it is not.
    fn exchange(&self, outcome: Result<Loaded, String>, trouble: Option<Trouble>) -> Option<Trouble> {
        (self.tell)(true);
        let trouble = match outcome {
            Ok(loaded) => {
                self.put_into_use(&loaded);
                tracing::info!(rules = loaded.hash, "loaded rules and settings");
                None
            }
            Err(reason) => {
                self.metrics.reload(Err::<&str, _>(()));
                Some(Trouble::new(reason, trouble))
            }
        };
        (self.tell)(false);
        trouble
    }

    fn put_into_use(&self, loaded: &Loaded) {
        // First: what is said of a record must know what the record is redacted with.
        self.guard.swap(loaded.guard.clone());
        for (workers, engine) in self.workers.iter().zip(&loaded.engines) {
            self.metrics.declare(engine);
            workers.swap(Arc::clone(engine));
        }
        for listener in &self.listeners {
            if let Err(error) = listener.reload() {
                tracing::error!(%error, "the old certificate stays in use");
            }
        }
        self.metrics.reload(Ok::<_, ()>(loaded.hash.as_str()));
        self.gate.send_replace(Gate::Open);
        self.metrics.ready(true);
    }
}

/// A set that could not be loaded.
struct Trouble {
    reason: String,
    said: Instant,
}

impl Trouble {
    /// Says what is wrong, unless it was just said.
    fn new(reason: String, before: Option<Trouble>) -> Trouble {
        match before {
            Some(before) if before.reason == reason => before,
            _ => {
                tracing::error!(reason, "cannot load rules and settings; those in use stay");
                Trouble { reason, said: Instant::now() }
            }
        }
    }

    fn remind(&mut self) {
        if self.said.elapsed() >= REMIND {
            tracing::error!(reason = self.reason, "still cannot load rules and settings; those in use stay");
            self.said = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Limits, Policy, RuleSet};

    /// Loads what each of these makes, one after the other.
    struct Loads(Vec<fn() -> Result<Loaded, String>>);

    impl Loader for Loads {
        fn load(&mut self) -> Result<Loaded, String> {
            let next = self.0.remove(0);
            next()
        }

        fn files(&self) -> Vec<PathBuf> {
            Vec::new()
        }

        fn time(&self) -> u64 {
            0
        }
    }

    fn engine() -> Arc<Engine> {
        Arc::new(Engine::compile(RuleSet::default(), Policy::default(), &Limits::default()).unwrap())
    }

    fn good() -> Result<Loaded, String> {
        Ok(Loaded { engines: vec![engine()], guard: vec![engine()], hash: "0123456789ab".to_owned() })
    }

    /// Starts a reload of one pipeline that waits for its rules.
    fn start(loads: Vec<fn() -> Result<Loaded, String>>) -> (mpsc::Sender<Trigger>, channel::Receiver<Gate>, Metrics) {
        let (gate, state) = channel::channel(Gate::Waiting);
        let metrics = Metrics::default();
        let workers = vec![Workers::start(None, 1).unwrap()];
        let (guard, listeners) = (engine().into(), Vec::new());
        let exchange = Reload { workers, gate, listeners, guard, metrics: metrics.clone(), tell: |_| () };
        let (triggers, told) = mpsc::channel(8);
        tokio::spawn(reload(Box::new(Loads(loads)), exchange, told, triggers.clone()));
        (triggers, state, metrics)
    }

    #[tokio::test]
    async fn a_load_that_panics_is_one_that_failed() {
        let (triggers, mut gate, metrics) = start(vec![|| panic!("on purpose"), good]);
        triggers.send(Trigger::Told).await.unwrap();
        triggers.send(Trigger::Told).await.unwrap();
        gate.wait_for(|state| *state == Gate::Open).await.unwrap();
        assert!(metrics.is_ready());
    }
}

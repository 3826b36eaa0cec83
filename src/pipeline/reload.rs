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
/// And at most, when it could not be had again and again.
const MAX_RETRY: Duration = Duration::from_secs(60);

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

/// Reads certificates and tokens anew, or says which of them stay the old ones.
pub type Renew = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What is exchanged.
pub struct Reload {
    /// By pipeline.
    pub workers: Vec<Workers>,
    /// Opened by the first whole set.
    pub gate: channel::Sender<Gate>,
    /// Their certificates are read anew too.
    pub listeners: Vec<Arc<Listener>>,
    /// So are the files of whoever has servers and clients of its own.
    pub others: Vec<Renew>,
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
        if told || waiting || now != seen || trouble.as_ref().is_some_and(Trouble::is_due) {
            seen = now;
            (reload.tell)(true);
            let loader = Arc::clone(&loader);
            let outcome = tokio::task::spawn_blocking(move || lock(&loader).load()).await;
            let outcome = outcome.unwrap_or_else(|_| Err("internal error while loading".to_owned()));
            trouble = reload.exchange(outcome, trouble.take());
            (reload.tell)(false);
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
        let (what, reason) = match outcome {
            Ok(loaded) => match self.put_into_use(&loaded) {
                Ok(()) => {
                    tracing::info!(rules = loaded.hash, "loaded rules and settings");
                    return None;
                }
                Err(reason) => ("the old certificate or token stays in use: the new one cannot be loaded", reason),
            },
            Err(reason) => ("cannot load rules and settings; those in use stay", reason),
        };
        self.metrics.reload(Err::<&str, _>(()));
        Some(Trouble::new(what, reason, trouble))
    }

    /// Fails when a certificate or a token is wrong; everything else is exchanged then.
    fn put_into_use(&self, loaded: &Loaded) -> Result<(), String> {
        // First: what is said of a record must know what the record is redacted with.
        self.guard.swap(loaded.guard.clone());
        for (workers, engine) in self.workers.iter().zip(&loaded.engines) {
            workers.swap(Arc::clone(engine));
        }
        self.metrics.declare_all(loaded.engines.iter().map(Arc::as_ref));
        self.metrics.reload(Ok::<_, ()>(loaded.hash.as_str()));
        self.gate.send_replace(Gate::Open);
        self.metrics.ready(true);
        let listeners = self.listeners.iter().map(|listener| listener.reload().map_err(|error| error.to_string()));
        let others = self.others.iter().map(|renew| renew());
        let wrong: Vec<String> = listeners.chain(others).filter_map(Result::err).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }
}

/// A set that could not be loaded, or not all of it. It is tried again by itself: what was missing need not be a file.
struct Trouble {
    what: &'static str,
    reason: String,
    said: Instant,
    /// When it is tried again, and how long was waited for that.
    again: Instant,
    pause: Duration,
}

impl Trouble {
    /// Says what is wrong, unless it was just said.
    fn new(what: &'static str, reason: String, before: Option<Trouble>) -> Trouble {
        let now = Instant::now();
        let pause = before.as_ref().map_or(RETRY, |before| (before.pause * 2).min(MAX_RETRY));
        let said = before.filter(|before| (before.what, &before.reason) == (what, &reason)).map(|before| before.said);
        if said.is_none() {
            tracing::error!(reason, "{what}");
        }
        Trouble { what, reason, said: said.unwrap_or(now), again: now + pause, pause }
    }

    fn is_due(&self) -> bool {
        Instant::now() >= self.again
    }

    fn remind(&mut self) {
        if self.said.elapsed() >= REMIND {
            tracing::error!(reason = self.reason, "still: {}", self.what);
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
        start_with(loads, Vec::new())
    }

    fn start_with(
        loads: Vec<fn() -> Result<Loaded, String>>,
        others: Vec<Renew>,
    ) -> (mpsc::Sender<Trigger>, channel::Receiver<Gate>, Metrics) {
        let (gate, state) = channel::channel(Gate::Waiting);
        let metrics = Metrics::default();
        let workers = vec![Workers::start(None, 1).unwrap()];
        let (guard, listeners) = (engine().into(), Vec::new());
        let exchange = Reload { workers, gate, listeners, others, guard, metrics: metrics.clone(), tell: |_| () };
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

    /// Nobody says anything and no file changes: what a command had to say, say, is there again.
    #[tokio::test]
    async fn a_load_that_failed_is_tried_again_by_itself() {
        let (triggers, mut gate, metrics) = start(vec![good, || Err("not now".to_owned()), good]);
        gate.wait_for(|state| *state == Gate::Open).await.unwrap();
        triggers.send(Trigger::Told).await.unwrap();
        for succeeds in [0, 1] {
            let line = format!("inkout_config_last_reload_successful {succeeds}\n");
            while !metrics.prometheus().contains(&line) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    #[tokio::test]
    async fn a_token_that_cannot_be_read_is_a_reload_that_failed() {
        let wrong: Renew = Box::new(|| Err("token: holds no token".to_owned()));
        let (_triggers, mut gate, metrics) = start_with(vec![good, good, good], vec![wrong]);
        gate.wait_for(|state| *state == Gate::Open).await.unwrap();
        while !metrics.prometheus().contains("inkout_config_last_reload_successful 0\n") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(metrics.is_ready(), "everything else is in use");
    }
}

//! Exchanges rules, policy, known values and certificates while records flow. What they are is the loader's business; that
//! a bad set never replaces a good one is decided here.
//!
//! Three things make it look: a word (SIGHUP), an event in one of the folders (with `notify`), and the clock, for file
//! systems that tell no events. It loads only when a file has changed, or when told to.

mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch as channel};

use super::Gate;
use crate::engine::Engine;
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
    /// Told how it went.
    pub metrics: Metrics,
    /// Told before and after: `systemd` wants to know.
    pub tell: fn(bool),
}

/// Exchanges sets for as long as the process lives. `last` is what the set in use was made of; `None` if there is none.
pub async fn reload(
    mut loader: Box<dyn Loader>,
    reload: Reload,
    mut triggers: mpsc::Receiver<Trigger>,
    events: mpsc::Sender<Trigger>,
) {
    let mut files = Files::new(events);
    let mut seen = files.look(&loader.files(), loader.time());
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
        let now = files.look(&loader.files(), loader.time());
        if told || waiting || now != seen {
            seen = now;
            let outcome = tokio::task::spawn_blocking(move || {
                let outcome = loader.load();
                (loader, outcome)
            });
            let Ok((back, outcome)) = outcome.await else { return };
            loader = back;
            trouble = reload.exchange(outcome, trouble.take());
        }
        if let Some(trouble) = &mut trouble {
            trouble.remind();
        }
    }
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

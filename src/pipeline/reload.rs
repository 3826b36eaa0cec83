//! Exchanges rules, policy, known values and certificates while records flow. What they are is the loader's business; that
//! a bad set never replaces a good one is decided here.
//!
//! Three things make it look: a word (SIGHUP), an event in one of the folders (with `notify`), and the clock, for file
//! systems that tell no events. It loads only when a file has changed, or when told to.

mod watch;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch as channel};
use tokio::task::JoinHandle;

use super::Gate;
use crate::engine::Engine;
use crate::log::Guard;
use crate::metrics::Metrics;
use crate::sources::Listener;
use crate::workers::Workers;
use watch::Files;
pub use watch::Seen;

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

/// How long a look at the files may take, or reading certificates and tokens anew, before it counts as failed: a mount that is
/// dead must not keep everything else from being exchanged.
const LIMIT: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });

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

/// Who holds certificates and tokens.
#[derive(Default)]
pub struct Holders {
    /// Sources.
    pub listeners: Vec<Arc<Listener>>,
    /// Whoever has servers and clients of its own.
    pub others: Vec<Renew>,
}

/// What is exchanged.
pub struct Reload {
    /// By pipeline.
    pub workers: Vec<Workers>,
    /// Opened by the first whole set.
    pub gate: channel::Sender<Gate>,
    /// Whose files are read anew too.
    pub holders: Arc<Holders>,
    /// What masks our own words.
    pub guard: Guard,
    /// Told how it went.
    pub metrics: Metrics,
    /// Told before and after: `systemd` wants to know.
    pub tell: fn(bool),
}

/// Work on a thread that may wait: for a file system that does not answer, say. What takes longer than [`LIMIT`] is left to
/// itself, and nothing else is begun before it has come to its end: else threads would pile up.
struct Aside<T> {
    lingering: Option<JoinHandle<T>>,
}

/// Why work gave nothing.
#[derive(Debug, PartialEq, Eq)]
enum Left {
    /// It panicked.
    Broken,
    /// It takes too long.
    Slow,
}

impl<T: Send + 'static> Aside<T> {
    const fn new() -> Aside<T> {
        Aside { lingering: None }
    }

    async fn work(&mut self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Left> {
        if self.lingering.as_ref().is_some_and(|before| !before.is_finished()) {
            return Err(Left::Slow);
        }
        // What it saw is old by now.
        let working = self.lingering.insert(tokio::task::spawn_blocking(work));
        let done = tokio::time::timeout(LIMIT, working).await.map_err(|_| Left::Slow)?;
        self.lingering = None;
        done.map_err(|_| Left::Broken)
    }
}

/// Exchanges sets for as long as the process lives. `seen` is what the files looked like before the set in use was made.
pub async fn reload(
    loader: Box<dyn Loader>,
    reload: Reload,
    mut seen: Seen,
    mut triggers: mpsc::Receiver<Trigger>,
    events: mpsc::Sender<Trigger>,
) {
    // A load that panics must not take the loader with it: the next one may succeed.
    let (loader, files) = (Arc::new(Mutex::new(loader)), Arc::new(Mutex::new(Files::new(events))));
    let (mut looking, mut renewing) = (Aside::new(), Aside::new());
    let mut trouble: Option<Trouble> = None;
    // Before the first look nothing is due: a set was tried for a moment ago.
    let (mut trigger, mut waiting) = (None, false);
    loop {
        if trigger == Some(Trigger::Event) {
            tokio::time::sleep(DEBOUNCE).await;
        }
        let mut told = trigger == Some(Trigger::Told);
        while let Ok(more) = triggers.try_recv() {
            told |= more == Trigger::Told;
        }
        let (watched, time) = with(&loader, |loader| (loader.files(), loader.time()));
        let watching = Arc::clone(&files);
        let now = looking.work(move || with(&watching, |files| files.look(&watched, time))).await;
        let is_slow = now == Err(Left::Slow);
        let changed = now.as_ref().is_ok_and(|now| *now != seen);
        if told || waiting || changed || trouble.as_ref().is_some_and(Trouble::is_due) {
            seen = now.unwrap_or(seen);
            (reload.tell)(true);
            let loading = Arc::clone(&loader);
            let outcome = tokio::task::spawn_blocking(move || with(&loading, |loader| loader.load())).await;
            let outcome = outcome.unwrap_or_else(|_| Err("internal error while loading".to_owned()));
            trouble = reload.exchange(outcome, &mut renewing, trouble.take()).await;
            (reload.tell)(false);
        } else if is_slow && trouble.is_none() {
            reload.metrics.reload(Err::<&str, _>(()));
            trouble = Some(Trouble::new("cannot see whether rules and settings have changed", slow(), None));
        }
        if let Some(trouble) = &mut trouble {
            trouble.remind();
        }
        waiting = *reload.gate.borrow() != Gate::Open;
        trigger = tokio::select! {
            trigger = triggers.recv() => trigger,
            () = tokio::time::sleep(if waiting { RETRY } else { POLL }) => None,
        };
    }
}

/// Asks what a thread that panicked may have held, too.
fn with<T, A>(shared: &Mutex<T>, ask: impl FnOnce(&mut T) -> A) -> A {
    ask(&mut shared.lock().unwrap_or_else(PoisonError::into_inner))
}

fn slow() -> String {
    format!("reading takes longer than {} s: does a file system not answer?", LIMIT.as_secs())
}

impl Reload {
    /// Puts a set into use, or says why it is not.
    async fn exchange(
        &self,
        outcome: Result<Loaded, String>,
        renewing: &mut Aside<Result<(), String>>,
        trouble: Option<Trouble>,
    ) -> Option<Trouble> {
        let (what, reason) = match outcome {
            Ok(loaded) => match self.put_into_use(&loaded, renewing).await {
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
    async fn put_into_use(&self, loaded: &Loaded, renewing: &mut Aside<Result<(), String>>) -> Result<(), String> {
        // First: what is said of a record must know what the record is redacted with.
        self.guard.swap(loaded.guard.clone());
        for (workers, engine) in self.workers.iter().zip(&loaded.engines) {
            workers.swap(Arc::clone(engine));
        }
        self.metrics.declare_all(loaded.engines.iter().map(Arc::as_ref));
        self.metrics.reload(Ok::<_, ()>(loaded.hash.as_str()));
        self.gate.send_replace(Gate::Open);
        self.metrics.ready(true);
        let holders = Arc::clone(&self.holders);
        renewing.work(move || holders.renew()).await.unwrap_or_else(|left| match left {
            Left::Broken => Err("internal error while reading it".to_owned()),
            Left::Slow => Err(slow()),
        })
    }
}

impl Holders {
    /// Has everyone read theirs, and says who could not.
    fn renew(&self) -> Result<(), String> {
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::engine::{Limits, Policy, RuleSet};

    /// Loads what each of these makes, one after the other.
    struct Loads {
        loads: Vec<Load>,
        time: u64,
    }

    type Load = fn() -> Result<Loaded, String>;

    impl Loader for Loads {
        fn load(&mut self) -> Result<Loaded, String> {
            let next = self.loads.remove(0);
            next()
        }

        fn files(&self) -> Vec<PathBuf> {
            Vec::new()
        }

        fn time(&self) -> u64 {
            self.time
        }
    }

    fn engine() -> Arc<Engine> {
        Arc::new(Engine::compile(RuleSet::default(), Policy::default(), &Limits::default()).unwrap())
    }

    fn good() -> Result<Loaded, String> {
        Ok(Loaded { engines: vec![engine()], guard: vec![engine()], hash: "0123456789ab".to_owned() })
    }

    /// A reload of one pipeline that waits for its rules.
    struct Rig {
        triggers: mpsc::Sender<Trigger>,
        gate: channel::Receiver<Gate>,
        metrics: Metrics,
    }

    impl Rig {
        fn new(loads: Vec<Load>) -> Rig {
            Rig::with(loads, Gate::Waiting, 0, Vec::new())
        }

        /// Where `time` has passed since the set in use was made.
        fn with(loads: Vec<Load>, gate: Gate, time: u64, others: Vec<Renew>) -> Rig {
            let (gate, state) = channel::channel(gate);
            let metrics = Metrics::default();
            let workers = vec![Workers::start(None, 1).unwrap()];
            let holders = Arc::new(Holders { others, ..Holders::default() });
            let guard = engine().into();
            let exchange = Reload { workers, gate, holders, guard, metrics: metrics.clone(), tell: |_| () };
            let (triggers, told) = mpsc::channel(8);
            let loads = Box::new(Loads { loads, time });
            tokio::spawn(reload(loads, exchange, Seen::of(&[], 0), told, triggers.clone()));
            Rig { triggers, gate: state, metrics }
        }

        async fn told(&self) {
            self.triggers.send(Trigger::Told).await.unwrap();
        }

        async fn opened(&mut self) {
            let opened = self.gate.wait_for(|state| *state == Gate::Open);
            tokio::time::timeout(PATIENCE, opened).await.expect("it opens").unwrap();
        }

        /// Waits until the last load went so.
        async fn went(&self, succeeds: u8) {
            self.says(&format!("inkout_config_last_reload_successful {succeeds}\n")).await;
        }

        /// Waits until this is among the metrics.
        async fn says(&self, line: &str) {
            let told = async {
                while !self.metrics.prometheus().contains(line) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::time::timeout(PATIENCE, told).await.expect(line);
        }
    }

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_load_that_panics_is_one_that_failed() {
        let mut rig = Rig::new(vec![|| panic!("on purpose"), good]);
        rig.told().await;
        rig.opened().await;
        assert!(rig.metrics.is_ready());
    }

    /// Nobody says anything and no file changes: what a command had to say, say, is there again.
    #[tokio::test]
    async fn a_load_that_failed_is_tried_again_by_itself() {
        let mut rig = Rig::new(vec![good, || Err("not now".to_owned()), good]);
        rig.told().await;
        rig.opened().await;
        rig.told().await;
        rig.went(0).await;
        rig.went(1).await;
    }

    #[tokio::test]
    async fn a_token_that_cannot_be_read_is_a_reload_that_failed() {
        let wrong: Renew = Box::new(|| Err("token: holds no token".to_owned()));
        let mut rig = Rig::with(vec![good, good, good], Gate::Waiting, 0, vec![wrong]);
        rig.told().await;
        rig.opened().await;
        rig.went(0).await;
        assert!(rig.metrics.is_ready(), "everything else is in use");
    }

    /// A certificate on a mount that is dead, and then is not.
    #[tokio::test]
    async fn a_certificate_that_is_read_for_ever_is_a_reload_that_failed_and_is_not_read_twice() {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (released, reads) = (Mutex::new(released), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&reads);
        let stuck: Renew = Box::new(move || {
            // Who holds the other end lets go of it at last; then nothing is waited for.
            counted.fetch_add(1, Ordering::Relaxed);
            let _ = with(&released, |released| released.recv());
            Ok(())
        });
        let mut rig = Rig::with(vec![good; 9999], Gate::Waiting, 0, vec![stuck]);
        for generation in 1..4 {
            rig.told().await;
            rig.opened().await;
            rig.says(&format!("inkout_config_generation {generation}\n")).await;
            rig.went(0).await;
        }
        assert_eq!(reads.load(Ordering::Relaxed), 1, "while one waits");
        drop(release);
        // What the first one read is old.
        let again = async {
            while reads.load(Ordering::Relaxed) == 1 {
                rig.told().await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, again).await.expect("it is read again");
        rig.went(1).await;
    }

    /// A folder of a dead mount, which is watched.
    #[tokio::test]
    async fn work_that_takes_too_long_is_left_and_done_anew_once_it_has_ended() {
        let mut aside = Aside::new();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let slow = aside.work(move || released.recv().map_or(1, |()| 0));
        assert_eq!(tokio::time::timeout(PATIENCE, slow).await, Ok(Err(Left::Slow)));
        assert_eq!(aside.work(|| 2).await, Err(Left::Slow), "the first one still waits");
        drop(release);
        let ended = async {
            loop {
                match aside.work(|| 3).await {
                    Err(Left::Slow) => tokio::task::yield_now().await,
                    done => return done,
                }
            }
        };
        assert_eq!(tokio::time::timeout(PATIENCE, ended).await.expect("it ends"), Ok(3));
        assert_eq!(aside.work(|| panic!("on purpose")).await, Err(Left::Broken));
        assert_eq!(aside.work(|| 4).await, Ok(4));
    }

    /// An exemption that expires, or a value that is replaced, while the first set is made.
    #[tokio::test]
    async fn what_became_due_since_the_set_in_use_was_made_is_loaded_at_once() {
        let rig = Rig::with(vec![good], Gate::Open, 1, Vec::new());
        rig.went(1).await;
    }
}

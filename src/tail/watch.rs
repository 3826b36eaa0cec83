//! Wakes the thread that follows files: when the system tells of a change, when something was acknowledged, and when it is
//! to stop. It decides nothing.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::event::ModifyKind;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::event::FileId;
use super::identity::{FileKey, Stamp};

/// With more changed paths than this, everything is looked at.
const MAX_TOUCHED: usize = 4096;
/// Folders that are watched. The system's own limit is usually higher; what is above is looked at in turn.
const MAX_FOLDERS: usize = 8192;

/// What woke the thread.
#[derive(Debug, Default)]
pub(super) struct Wakings {
    pub(super) touched: HashSet<PathBuf>,
    /// Names came or went, or too much happened to tell.
    pub(super) scan: bool,
    pub(super) acked: Vec<(FileId, u64)>,
    pub(super) stop: bool,
    /// Somebody has room again.
    nudged: bool,
}

impl Wakings {
    fn is_empty(&self) -> bool {
        self.touched.is_empty() && !self.scan && self.acked.is_empty() && !self.stop && !self.nudged
    }
}

/// Where wakings are left.
#[derive(Debug, Default)]
pub(super) struct Bell {
    wakings: Mutex<Wakings>,
    rung: Condvar,
}

impl Bell {
    pub(super) fn ring(&self, leave: impl FnOnce(&mut Wakings)) {
        let mut wakings = self.lock();
        let quiet = wakings.is_empty();
        leave(&mut wakings);
        drop(wakings);
        if quiet {
            self.rung.notify_one();
        }
    }

    pub(super) fn nudge(&self) {
        self.ring(|wakings| wakings.nudged = true);
    }

    /// What was left, after waiting until `due` for something to be.
    pub(super) fn wait(&self, due: Instant) -> Wakings {
        let mut wakings = self.lock();
        while wakings.is_empty() {
            let left = due.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                break;
            }
            wakings = self.rung.wait_timeout(wakings, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let stop = wakings.stop;
        let taken = std::mem::take(&mut *wakings);
        wakings.stop = stop;
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Wakings> {
        self.wakings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches folders, as far as the system lets it.
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    /// What was asked for.
    folders: BTreeSet<PathBuf>,
    /// What is watched: a folder that was deleted and made anew is another one.
    watched: HashMap<PathBuf, FileKey>,
}

impl Watch {
    pub(super) fn new(bell: Arc<Bell>) -> Watch {
        let watcher = notify::recommended_watcher(move |event| leave(&bell, event)).ok();
        Watch { watcher, folders: BTreeSet::new(), watched: HashMap::new() }
    }

    /// Whether this is what was asked for last.
    pub(super) fn knows(&self, folders: &BTreeSet<PathBuf>) -> bool {
        *folders == self.folders
    }

    /// Watches these folders and no others.
    pub(super) fn set(&mut self, folders: &BTreeSet<PathBuf>) -> Watched {
        self.folders.clone_from(folders);
        let Some(watcher) = &mut self.watcher else { return Watched { all: false, more: false } };
        let here = |folder: &PathBuf| fs::metadata(folder).ok().map(|metadata| Stamp::of(&metadata).key);
        let stays = |folder: &PathBuf, key: &FileKey| folders.contains(folder) && here(folder) == Some(*key);
        let gone: Vec<PathBuf> =
            self.watched.iter().filter(|(folder, key)| !stays(folder, key)).map(|(folder, _)| folder.clone()).collect();
        for folder in gone {
            // It is usually gone from the system, too.
            let _ = watcher.unwatch(&folder);
            self.watched.remove(&folder);
        }
        let mut more = false;
        for folder in folders {
            if self.watched.len() < MAX_FOLDERS
                && !self.watched.contains_key(folder)
                && let Some(key) = here(folder)
                && watcher.watch(folder, RecursiveMode::NonRecursive).is_ok()
            {
                self.watched.insert(folder.clone(), key);
                more = true;
            }
        }
        Watched { all: !folders.is_empty() && self.watched.len() == folders.len(), more }
    }
}

/// What came of watching.
pub(super) struct Watched {
    /// Whether every folder is watched.
    pub(super) all: bool,
    /// Whether one is watched that was not before: what happened in it until now was told by nobody.
    pub(super) more: bool,
}

fn leave(bell: &Bell, event: notify::Result<notify::Event>) {
    let event = match event {
        Ok(event) if event.need_rescan() => return bell.ring(|wakings| wakings.scan = true),
        Ok(event) => event,
        Err(_) => return bell.ring(|wakings| wakings.scan = true),
    };
    match event.kind {
        // Our own opening and reading is told, too.
        EventKind::Access(_) => {}
        EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) => bell.ring(|wakings| {
            if wakings.touched.len() < MAX_TOUCHED {
                wakings.touched.extend(event.paths);
            } else {
                wakings.scan = true;
            }
        }),
        _ => bell.ring(|wakings| wakings.scan = true),
    }
}

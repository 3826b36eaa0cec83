//! Whether files have changed. Folders are watched, not files: a file is replaced, and a mounted ConfigMap is swapped by a
//! link in its folder.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::Trigger;

/// What the system says of a file: device, inode, size and time of change. Links are followed.
type Stat = (u64, u64, u64, i64, i64);

/// What the files looked like.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    stats: Vec<(PathBuf, Option<Stat>)>,
    time: u64,
}

impl Seen {
    /// What `files` look like, and at which of the loader's times.
    pub fn of(files: &[PathBuf], time: u64) -> Seen {
        let mut stats = Vec::new();
        for file in files {
            if file.is_dir() {
                let entries = fs::read_dir(file).into_iter().flatten().flatten().map(|entry| entry.path());
                stats.extend(entries.map(|path| (path.clone(), stat(&path))));
            }
            stats.push((file.clone(), stat(file)));
        }
        stats.sort();
        Seen { stats, time }
    }
}

/// Watches the folders of files.
pub(super) struct Files {
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
}

impl Files {
    /// Tells `events` when something happens.
    pub(super) fn new(events: mpsc::Sender<Trigger>) -> Files {
        let tell = move |event: notify::Result<Event>| {
            // Our own looking into a folder is told, too.
            if event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_)) && !event.need_rescan()) {
                return;
            }
            // One that waits to be heard is enough. The last place is for a word: a folder may be busy.
            if events.capacity() > 1 {
                let _ = events.try_send(Trigger::Event);
            }
        };
        // Where there are no events (or no descriptors for them) the clock remains.
        Files { watcher: notify::recommended_watcher(tell).ok(), folders: BTreeSet::new() }
    }

    /// Looks at `files`, and watches their folders from now on.
    pub(super) fn look(&mut self, files: &[PathBuf], time: u64) -> Seen {
        for file in files {
            if file.is_dir() {
                self.watch(file);
            }
            self.watch(file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")));
        }
        Seen::of(files, time)
    }

    fn watch(&mut self, folder: &Path) {
        if let Some(watcher) = &mut self.watcher
            && !self.folders.contains(folder)
            && watcher.watch(folder, RecursiveMode::NonRecursive).is_ok()
        {
            self.folders.insert(folder.to_owned());
        }
    }
}

fn stat(path: &Path) -> Option<Stat> {
    let of = |found: fs::Metadata| (found.dev(), found.ino(), found.size(), found.ctime(), found.ctime_nsec());
    fs::metadata(path).ok().map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_content_name_or_link_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (events, _kept) = mpsc::channel(1);
        let mut files = Files::new(events);
        let watched = [path("rules"), path("link")];
        fs::create_dir(path("rules")).unwrap();
        let mut before = files.look(&watched, 1);
        assert_eq!(files.look(&watched, 1), before);
        let mut changed = |what: &str, change: &dyn Fn()| {
            change();
            let now = files.look(&watched, 1);
            assert_ne!(now, before, "{what}");
            before = now;
        };
        changed("a new file", &|| fs::write(path("rules/a.toml"), "1").unwrap());
        changed("its content", &|| fs::write(path("rules/a.toml"), "22").unwrap());
        changed("a link", &|| std::os::unix::fs::symlink(path("rules/a.toml"), path("link")).unwrap());
        changed("what it links to", &|| fs::write(path("rules/a.toml"), "333").unwrap());
        changed("a name", &|| fs::rename(path("rules/a.toml"), path("rules/b.toml")).unwrap());
        assert_ne!(files.look(&watched, 2), before, "the time");
    }

    /// Looking at a folder is an event of its own: it must not be a reason to look again.
    #[test]
    fn looking_rings_no_bell_and_writing_does() {
        let folder = tempfile::tempdir().unwrap();
        // Not the temporary folder itself: its parent is everybody's.
        let rules = folder.path().join("rules");
        fs::create_dir(&rules).unwrap();
        fs::write(rules.join("a.toml"), "1").unwrap();
        let (events, mut told) = mpsc::channel(8);
        let mut files = Files::new(events);
        let watched = [rules.clone()];
        for _ in 0..20 {
            files.look(&watched, 1);
            fs::read(rules.join("a.toml")).unwrap();
        }
        fs::write(rules.join("a.toml"), "22").unwrap();
        assert_eq!(told.blocking_recv(), Some(Trigger::Event));
        // The bells of one write, one behind the other, and none of the forty looks before it.
        std::thread::sleep(std::time::Duration::from_millis(200));
        let mut rung = 1;
        while told.try_recv().is_ok() {
            rung += 1;
        }
        assert!(rung <= 3, "{rung} bells");
    }
}

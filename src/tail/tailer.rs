//! The state machine: when to look, in which order to read, what to remember. Which file took whose place is
//! `generations`' to find out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::checkpoint::{Checkpoints, Loaded};
use super::event::{Event, FileId};
use super::followed::{Followed, State, Step};
use super::glob::{GlobError, Globs, Refusal};
use super::identity::{FileKey, Stamp};
use super::options::{StartAt, TailOptions};

/// Folders are not looked at more often than this, whatever is told.
const MIN_SCAN_GAP: Duration = Duration::from_millis(10);
/// Nor for more than a tenth of the time.
const SCAN_SHARE: u32 = 10;
/// Without anybody who tells of changes, files and folders are looked at this often.
const UNWATCHED_CHECK: Duration = Duration::from_millis(100);
const UNWATCHED_SCAN: Duration = Duration::from_secs(1);
/// A file that was read to its end and quiet for so long is closed when too many are open.
const CLOSE_AFTER: Duration = Duration::from_secs(5);
/// With this many files more the pause between two checkpoints is twice as long.
const FILES_PER_INTERVAL: usize = 2_000;

/// Follows files.
pub struct Tailer {
    pub(super) options: TailOptions,
    pub(super) globs: Globs,
    pub(super) checkpoints: Checkpoints,
    /// In the order they were first seen.
    pub(super) files: BTreeMap<FileId, Followed>,
    /// Which file has these bytes: `Followed::key` of each, and copies of them.
    pub(super) keys: HashMap<FileKey, FileId>,
    /// By the path they are followed under, oldest first.
    pub(super) paths: BTreeMap<PathBuf, Vec<FileId>>,
    /// By where they are found, and behind links.
    pub(super) places: HashMap<PathBuf, FileId>,
    /// To be read, in turn.
    pub(super) ready: VecDeque<FileId>,
    /// By path, since when rotated files beside it are of interest: when the file was last written that was last seen to be
    /// rotated away from there, or the first one that was seen there.
    pub(super) rotated: HashMap<PathBuf, (i64, i64)>,
    /// Rotated files that were there before their path was followed.
    pub(super) ignored: HashSet<FileKey>,
    /// Files that may be copies in the making, as they were seen and when.
    pub(super) settling: HashMap<FileKey, (Stamp, Instant)>,
    pub(super) refused: HashMap<PathBuf, Refusal>,
    pub(super) folders: BTreeSet<PathBuf>,
    /// Folders that links lead to.
    pub(super) linked: HashMap<FileId, PathBuf>,
    pub(super) events: VecDeque<Event>,
    /// Where files begin that are seen now for the first time.
    pub(super) start: StartAt,
    /// Whether files were found that no checkpoint knows of yet.
    pub(super) unsaved: bool,
    pub(super) next_scan: Instant,
    next_number: u64,
    /// How often folders were looked at.
    looks: u64,
    next_check: Instant,
    next_save: Instant,
    earliest_scan: Instant,
    /// Whether a checkpoint would say something new.
    dirty: bool,
    saving_fails: bool,
    watched: bool,
}

impl Tailer {
    /// Follows what `options` names, from where `checkpoints` left off.
    ///
    /// # Errors
    /// When a pattern cannot be understood.
    pub fn new(options: TailOptions, checkpoints: Checkpoints, now: Instant) -> Result<Tailer, GlobError> {
        let globs = Globs::new(&options.paths, &options.exclude)?;
        let mut tailer = Tailer {
            globs,
            checkpoints,
            files: BTreeMap::new(),
            keys: HashMap::new(),
            paths: BTreeMap::new(),
            places: HashMap::new(),
            ready: VecDeque::new(),
            rotated: HashMap::new(),
            ignored: HashSet::new(),
            settling: HashMap::new(),
            refused: HashMap::new(),
            folders: BTreeSet::new(),
            linked: HashMap::new(),
            events: VecDeque::new(),
            start: StartAt::Beginning,
            unsaved: false,
            next_scan: now,
            next_number: 0,
            looks: 0,
            next_check: now,
            next_save: now,
            earliest_scan: now,
            dirty: false,
            saving_fails: false,
            watched: false,
            options,
        };
        tailer.restore(now);
        Ok(tailer)
    }

    /// What happened since the last call, bounded by `max_poll_bytes`. Files are read in turn.
    pub fn poll(&mut self, now: Instant) -> Vec<Event> {
        if now >= self.next_scan {
            self.look_around(now);
        }
        if now >= self.next_check {
            self.check_open(now);
        }
        self.save_if_due(now);
        self.read_in_turn(now);
        self.events.drain(..).collect()
    }

    /// Everything of `file` before `offset` was delivered for good. See [the room](super) for which offsets may be given.
    pub fn acked(&mut self, file: FileId, offset: u64) {
        let Some(followed) = self.files.get_mut(&file) else { return };
        if offset > followed.acked && offset <= followed.offset {
            followed.acked = offset;
            self.dirty = true;
        }
    }

    /// Something at `path` changed.
    pub fn touched(&mut self, path: &Path) {
        match self.places.get(path).copied() {
            Some(file) => self.enqueue(file),
            None if self.globs.covers(path) => self.scan_soon(),
            None => {}
        }
    }

    /// Names were added or went away somewhere.
    pub fn scan_soon(&mut self) {
        self.next_scan = self.next_scan.min(self.earliest_scan);
    }

    /// Changes may have gone unnoticed.
    pub(super) fn check_soon(&mut self) {
        self.next_check = self.next_check.min(self.earliest_scan);
    }

    /// Whether somebody will tell of every change in [`Tailer::folders`]. Until then, everything is looked at often.
    pub fn set_watched(&mut self, watched: bool) {
        self.watched = watched;
    }

    /// The folders in which followed files are, or may appear.
    pub fn folders(&self) -> &BTreeSet<PathBuf> {
        &self.folders
    }

    /// When to poll next, if nobody tells of a change.
    pub fn next_poll(&self, now: Instant) -> Instant {
        if !self.ready.is_empty() {
            return now;
        }
        let due = self.next_scan.min(self.next_check);
        if self.dirty { due.min(self.next_save) } else { due }
    }

    /// How many files are held open.
    pub fn open_files(&self) -> usize {
        self.files.values().filter(|followed| followed.handle.is_some()).count()
    }

    /// Writes the checkpoints now. True when they are on disk.
    pub fn save(&mut self, now: Instant) -> bool {
        let oldest_first = self.paths.values().flatten().filter_map(|file| self.files.get(file));
        let saved = self.checkpoints.save(oldest_first.filter_map(Followed::known));
        let pauses = 1 + self.files.len() / FILES_PER_INTERVAL;
        self.next_save = now + self.options.save_interval * u32::try_from(pauses).unwrap_or(u32::MAX);
        self.unsaved = false;
        self.dirty = saved.is_err();
        let failed = std::mem::replace(&mut self.saving_fails, saved.is_err());
        match saved {
            Err(reason) if !failed => self.events.push_back(Event::Unsaved { why: reason.to_string() }),
            Ok(()) if failed => self.events.push_back(Event::Saved),
            _ => {}
        }
        !self.saving_fails
    }

    pub(super) fn save_if_due(&mut self, now: Instant) {
        if self.unsaved || (self.dirty && now >= self.next_save) {
            self.save(now);
        }
    }

    /// Takes up what an earlier run left.
    fn restore(&mut self, now: Instant) {
        let known = match self.checkpoints.take_loaded() {
            Loaded::Nothing => {
                self.start = self.options.start_at;
                return;
            }
            Loaded::Files(known) => known,
            Loaded::Broken(why) => {
                let path = self.checkpoints.path().unwrap_or(Path::new("")).to_owned();
                self.events.push_back(Event::Distrusted { path, why });
                self.unsaved = true;
                return;
            }
        };
        for known in known {
            let file = self.new_file();
            self.insert(Followed::restored(file, known, now));
        }
        // All but the newest of a path were rotated.
        for (path, files) in &self.paths {
            let oldest = files.iter().map(|file| self.files[file].modified).min();
            self.rotated.extend(oldest.map(|oldest| (path.clone(), oldest)));
            let current: Vec<FileId> =
                files.iter().copied().filter(|file| self.files[file].state == State::Live).collect();
            for pair in current.windows(2) {
                self.files.get_mut(&pair[0]).expect("it was inserted").retire(now);
                self.files.get_mut(&pair[1]).expect("it was inserted").behind = Some(pair[0]);
            }
        }
    }

    pub(super) fn new_file(&mut self) -> FileId {
        self.next_number += 1;
        FileId(self.next_number)
    }

    pub(super) fn insert(&mut self, followed: Followed) {
        let file = followed.file;
        self.keys.extend(followed.key.map(|key| (key, file)));
        self.paths.entry(followed.path.clone()).or_default().push(file);
        self.files.insert(file, followed);
        self.enqueue(file);
    }

    /// Lets `file` be read in its turn.
    pub(super) fn enqueue(&mut self, file: FileId) {
        let Some(followed) = self.files.get_mut(&file) else { return };
        if !followed.queued && followed.behind.is_none() && followed.state != State::Done {
            followed.queued = true;
            self.ready.push_back(file);
        }
    }

    fn look_around(&mut self, now: Instant) {
        let started = Instant::now();
        self.looks += 1;
        self.scan(now);
        self.start = StartAt::Beginning;
        let interval = if self.watched { self.options.scan_interval } else { UNWATCHED_SCAN };
        self.next_scan = now + interval.min(self.options.scan_interval);
        self.earliest_scan = now + MIN_SCAN_GAP.max(started.elapsed() * SCAN_SHARE);
        if !self.settling.is_empty() {
            self.next_scan = self.next_scan.min(now + super::generations::SETTLE);
        }
    }

    /// Looks at every open file, and ends those that have been quiet for long enough.
    fn check_open(&mut self, now: Instant) {
        let interval = if self.watched { self.options.check_interval } else { UNWATCHED_CHECK };
        self.next_check = now + interval.min(self.options.check_interval);
        let mut quiet = Vec::new();
        for (file, followed) in &self.files {
            if let State::Retiring { quiet_since } = followed.state
                && followed.caught_up
                && followed.behind.is_none()
                && now.saturating_duration_since(quiet_since) >= self.options.rotate_wait
            {
                quiet.push(*file);
            }
        }
        quiet.into_iter().for_each(|file| self.end(file));
        let open: Vec<FileId> =
            self.files.iter().filter(|(_, followed)| followed.handle.is_some()).map(|(file, _)| *file).collect();
        if open.len() >= self.options.max_open_files {
            self.close_quiet(now);
        }
        open.into_iter().for_each(|file| self.enqueue(file));
    }

    fn close_quiet(&mut self, now: Instant) {
        for followed in self.files.values_mut() {
            let quiet = now.saturating_duration_since(followed.last_active) >= CLOSE_AFTER;
            if followed.state == State::Live && followed.caught_up && quiet {
                followed.handle = None;
            }
        }
    }

    fn read_in_turn(&mut self, now: Instant) {
        let mut left = self.options.max_poll_bytes;
        let mut open = self.open_files();
        // What is checked again and again in one poll waits for the next one.
        let mut looks = 2 * self.ready.len() + 16;
        while left > 0 && looks > 0 {
            let Some(file) = self.ready.pop_front() else { break };
            looks -= 1;
            let Some(followed) = self.files.get_mut(&file) else { continue };
            followed.queued = false;
            let unread = followed.offset == 0 && !followed.looked_beside;
            if followed.behind.is_some() || (unread && followed.has_grown() && self.wait_for_copies(file, now)) {
                continue;
            }
            let Some(followed) = self.files.get_mut(&file) else { continue };
            let was_open = followed.handle.is_some();
            let step = followed.step(self.checkpoints.prints(), self.options.max_read_bytes.min(left), now);
            if !was_open && followed.handle.is_some() {
                open += 1;
            }
            if open > self.options.max_open_files && followed.state == State::Live && followed.handle.take().is_some() {
                open -= 1;
            }
            left -= self.take(file, step, now).min(left);
        }
    }

    /// What a step means. Returns how many bytes it brought.
    fn take(&mut self, file: FileId, step: Step, now: Instant) -> usize {
        match step {
            Step::Data { offset, bytes } => {
                self.announce(file, offset);
                if let Some(Followed { state: State::Retiring { quiet_since }, .. }) = self.files.get_mut(&file) {
                    *quiet_since = now;
                }
                let len = bytes.len();
                self.events.push_back(Event::Data { file, offset, bytes });
                self.enqueue(file);
                return len;
            }
            Step::Idle => {
                self.forgive(file);
                self.finish_silently(file);
                self.release(file);
            }
            Step::Failed(reason) => {
                self.refuse_file(file, reason);
                self.release(file);
            }
            Step::Cut => self.cut(file, now),
            Step::Moved => self.scan_soon(),
        }
        0
    }

    pub(super) fn announce(&mut self, file: FileId, offset: u64) {
        let Some(followed) = self.files.get_mut(&file).filter(|followed| !followed.announced) else { return };
        followed.announced = true;
        let (path, fingerprint) = (followed.path.clone(), followed.id);
        let relative = self.globs.relative(&path).to_owned();
        let before = followed.lines_before(offset, self.options.lines_before);
        self.events.push_back(Event::Opened { file, path, relative, offset, fingerprint, before });
    }

    /// A rotated file of which nothing was left when this run began is nobody's business.
    fn finish_silently(&mut self, file: FileId) {
        let Some(followed) = self.files.get(&file).filter(|_| self.looks == 1) else { return };
        if !followed.announced && followed.handle.is_some() && matches!(followed.state, State::Retiring { .. }) {
            self.end(file);
        }
    }

    /// Nothing more comes of `file`.
    pub(super) fn end(&mut self, file: FileId) {
        let Some(followed) = self.files.get_mut(&file).filter(|followed| followed.state != State::Done) else { return };
        let lost = followed.size.saturating_sub(followed.offset);
        (followed.state, followed.handle) = (State::Done, None);
        let announced = followed.announced;
        if lost > 0 {
            let offset = followed.offset;
            self.announce(file, offset);
            self.events.push_back(Event::Cut { file, lost });
        }
        if announced || lost > 0 {
            self.events.push_back(Event::Ended { file });
        }
        self.dirty = true;
        self.release(file);
    }

    /// Lets the files be read that waited for the end of `file`, if it has come.
    pub(super) fn release(&mut self, file: FileId) {
        if self.files.get(&file).is_some_and(|followed| !followed.lets_next()) {
            return;
        }
        // Only its successors are behind a file, and those are followed under the same path.
        let path = self.files.get(&file).map(|followed| followed.path.clone());
        let next: Vec<FileId> = path.and_then(|path| self.paths.get(&path).cloned()).unwrap_or_default();
        for next in next {
            if let Some(followed) = self.files.get_mut(&next).filter(|followed| followed.behind == Some(file)) {
                followed.behind = None;
                self.enqueue(next);
            }
        }
    }

    fn refuse_file(&mut self, file: FileId, reason: std::io::ErrorKind) {
        if let Some(place) = self.files.get(&file).map(|followed| followed.place.clone()) {
            self.refuse(&place, Refusal::Unreadable(reason));
        }
    }

    fn forgive(&mut self, file: FileId) {
        if !self.refused.is_empty()
            && let Some(followed) = self.files.get(&file)
        {
            self.refused.remove(&followed.place);
        }
    }

    pub(super) fn refuse(&mut self, path: &Path, why: Refusal) {
        if self.refused.get(path) != Some(&why) {
            self.refused.insert(path.to_owned(), why.clone());
            self.events.push_back(Event::Refused { path: path.to_owned(), why });
        }
    }
}

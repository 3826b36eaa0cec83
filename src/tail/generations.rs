//! Which file took whose place. It compares what stands in the folders with what is known, and keeps the order: what was
//! written first is read first.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Tailer;
use super::event::FileId;
use super::followed::{Followed, Found, State, open};
use super::glob::{Refusal, Scan, Seen, see};
use super::identity::{FileKey, Stamp};
use super::options::StartAt;
use super::rotation;

/// A file with a rotated name that nobody knows may be a copy that is being written. It is begun when it has not changed
/// for so long, unless it turns out to be one.
pub(super) const SETTLE: Duration = Duration::from_secs(1);

/// Two files that are alike in fewer bytes than this may have the same first line by chance.
const MIN_LIKENESS: u64 = 64;
/// How often a folder is listed in which names change all the time.
const MAX_LISTINGS: usize = 5;

type Sights = HashMap<FileKey, (PathBuf, Stamp)>;

impl Tailer {
    /// Looks at the folders.
    pub(super) fn scan(&mut self, now: Instant) {
        let scan = self.globs.scan();
        self.note_refused(&scan);
        let sights = sights(&scan);
        self.place_known(&sights, now);
        self.find_missing(&sights, &scan, now);
        for path in self.paths.keys().cloned().collect::<Vec<_>>() {
            self.follow_rotation(&path, &scan, now);
        }
        for (path, seen) in &scan.matches {
            if let Seen::File(stamp) = seen
                && !self.keys.contains_key(&stamp.key)
            {
                self.appear(path, *stamp, now);
            }
        }
        self.begin_paths(&scan);
        if scan.unlisted.is_empty() {
            self.forget_gone(&sights);
        }
        self.folders = scan.folders.iter().chain(self.linked.values()).cloned().collect();
    }

    /// For paths that are followed from now on: what was rotated before is not read.
    fn begin_paths(&mut self, scan: &Scan) {
        let mut fresh = Vec::new();
        for (path, files) in self.paths.iter().filter(|(path, _)| !self.rotated.contains_key(*path)) {
            let Some(first) = files.first().and_then(|file| self.files.get(file)) else { continue };
            fresh.push((path.clone(), first.modified));
            let beside = scan.siblings.get(path).into_iter().flatten();
            self.ignored.extend(beside.map(|(_, stamp)| stamp.key).filter(|key| !self.keys.contains_key(key)));
        }
        self.rotated.extend(fresh);
    }

    fn note_refused(&mut self, scan: &Scan) {
        let open: HashSet<&Path> = self.files.values().map(|followed| followed.place.as_path()).collect();
        self.refused.retain(|path, _| open.contains(path.as_path()) || scan.matches.contains_key(path));
        for (path, seen) in &scan.matches {
            if let Seen::Refused(why) = seen {
                self.refuse(path, why.clone());
            }
        }
    }

    /// Where the known files are now, and which of them that are not open have grown.
    fn place_known(&mut self, sights: &Sights, now: Instant) {
        let mut moved = Vec::new();
        let mut grown = Vec::new();
        for (key, (place, stamp)) in sights {
            let Some(followed) = self.keys.get(key).and_then(|file| self.files.get_mut(file)) else { continue };
            if followed.key != Some(*key) {
                continue;
            }
            if followed.place != *place || !self.places.contains_key(place) {
                followed.place.clone_from(place);
                moved.push((place.clone(), followed.file));
            }
            let waits = followed.behind.is_some();
            let changed = (stamp.size, stamp.modified) != (followed.size, followed.modified);
            match followed.state {
                State::Done if stamp.size > followed.offset => grown.push(followed.file),
                State::Live | State::Retiring { .. } if followed.handle.is_none() && changed && !waits => {
                    self.ready.extend((!std::mem::replace(&mut followed.queued, true)).then_some(followed.file));
                }
                _ => {}
            }
        }
        moved.into_iter().for_each(|(place, file)| self.remember_place(place, file));
        grown.into_iter().for_each(|file| self.revive(file, now));
    }

    /// Changes are told by the path behind links.
    fn remember_place(&mut self, place: PathBuf, file: FileId) {
        if let Ok(target) = fs::canonicalize(&place)
            && target != place
        {
            self.linked.extend(target.parent().map(|folder| (file, folder.to_owned())));
            self.places.insert(target, file);
        }
        self.places.insert(place, file);
    }

    /// An ended file was written to after all.
    fn revive(&mut self, file: FileId, now: Instant) {
        let number = self.new_file();
        let Some(ended) = self.files.remove(&file) else { return };
        self.keys.retain(|_, holder| *holder != file);
        self.drop_from_path(&ended.path, file);
        self.linked.remove(&file);
        let revived = ended.revived(number, now);
        self.remember_place(revived.place.clone(), number);
        self.keys.extend(revived.key.map(|key| (key, number)));
        // Not as the newest of its path: that would make the current file its predecessor.
        self.paths.entry(revived.path.clone()).or_default().insert(0, number);
        self.files.insert(number, revived);
        self.enqueue(number);
    }

    /// Files that are neither open nor found: their bytes may stand in a copy, or under another device number.
    fn find_missing(&mut self, sights: &Sights, scan: &Scan, now: Instant) {
        let missing: Vec<FileId> = self
            .files
            .values()
            .filter(|followed| followed.state != State::Done && followed.handle.is_none())
            .filter(|followed| followed.key.is_none_or(|key| !sights.contains_key(&key)))
            .map(|followed| followed.file)
            .collect();
        for file in missing {
            let path = self.files[&file].path.clone();
            if path.parent().is_some_and(|folder| scan.unlisted.contains(folder)) {
                continue;
            }
            if !self.move_home(file, &path) && !self.move_to_copy(file, now) {
                self.end(file);
            }
        }
    }

    /// Whether the file at `path`, known to nobody, is `file`: after a reboot a device may have another number.
    fn move_home(&mut self, file: FileId, path: &Path) -> bool {
        let Ok((handle, stamp)) = open(path) else { return false };
        let Some(followed) = self.files.get_mut(&file).filter(|_| !self.keys.contains_key(&stamp.key)) else {
            return false;
        };
        // An unread file has nothing but its beginning to be known by.
        let same = followed.offset > 0
            && followed.continues_in(&handle, stamp.size, self.checkpoints.prints()).unwrap_or(false);
        if same {
            self.keys.extend([(stamp.key, file)]);
            drop(handle);
            (followed.key, followed.place) = (Some(stamp.key), path.to_owned());
            self.remember_place(path.to_owned(), file);
            self.enqueue(file);
        }
        same
    }

    /// The file holds other bytes than it did.
    pub(super) fn cut(&mut self, file: FileId, now: Instant) {
        let Some(followed) = self.files.get_mut(&file) else { return };
        if let Some(key) = followed.key.take()
            && self.keys.get(&key) == Some(&file)
        {
            self.keys.remove(&key);
        }
        followed.handle = None;
        followed.retire(now);
        let (seen, offset, announced) = (followed.size, followed.offset, followed.announced);
        if !self.move_to_copy(file, now) {
            if announced && seen <= offset {
                self.events.push_back(super::Event::Cut { file, lost: 0 });
            }
            self.end(file);
        }
        self.unsaved = true;
        self.scan_soon();
    }

    /// Reads on in a copy that was made of `file` before it was cut or deleted.
    fn move_to_copy(&mut self, file: FileId, now: Instant) -> bool {
        let Some(path) = self.files.get(&file).map(|followed| followed.path.clone()) else { return false };
        let Some((place, handle, stamp)) = self.copy_of(file, &path) else { return false };
        let Some(followed) = self.files.get_mut(&file) else { return false };
        let cut = followed.size.saturating_sub(stamp.size.max(followed.offset));
        let rest = stamp.size > followed.offset;
        followed.retire(now);
        followed.size = followed.size.min(stamp.size);
        followed.move_to(place.clone(), handle, stamp);
        self.keys.insert(stamp.key, file);
        self.remember_place(place, file);
        let (offset, announced) = (self.files[&file].offset, self.files[&file].announced);
        if announced || rest || cut > 0 {
            self.announce(file, offset);
            self.events.push_back(super::Event::Cut { file, lost: cut });
        }
        if rest {
            self.enqueue(file);
        } else {
            self.end(file);
        }
        true
    }

    /// The largest copy of `file` beside `path`.
    fn copy_of(&self, file: FileId, path: &Path) -> Option<(PathBuf, fs::File, Stamp)> {
        let followed = self.files.get(&file)?;
        let copies = beside(path).into_iter().filter_map(|(place, stamp)| {
            let free = self.keys.get(&stamp.key).is_none_or(|holder| *holder == file);
            let (handle, stamp) = free.then(|| open(&place).ok()).flatten()?;
            let likeness = followed.likeness(&handle, stamp.size, self.checkpoints.prints()).unwrap_or(0);
            (likeness > 0).then_some((place, handle, stamp))
        });
        copies.max_by_key(|(_, _, stamp)| stamp.size)
    }

    /// Another file, or none, is where the newest file of `path` was.
    fn follow_rotation(&mut self, path: &Path, scan: &Scan, now: Instant) {
        let Some(newest) = self.paths.get(path).and_then(|files| files.last()).copied() else { return };
        let here = match scan.matches.get(path) {
            Some(Seen::File(stamp)) => Some(*stamp),
            // It is there and cannot be looked at: wait.
            Some(Seen::Refused(_)) => return,
            None => None,
        };
        let Some(followed) = self.files.get_mut(&newest) else { return };
        if here.is_some_and(|stamp| Some(stamp.key) == followed.key) {
            if matches!(followed.state, State::Retiring { .. }) {
                followed.state = State::Live;
            }
            return self.find_overlooked(path, scan, now);
        }
        followed.retire(now);
        let since = followed.modified;
        self.rotated.insert(path.to_owned(), since);
        self.enqueue(newest);
        self.succeed(path, newest, since, here, now);
    }

    /// What came to `path` after `newest`, in the order of their times: files that were rotated away before anybody saw them,
    /// and the one that is there now.
    ///
    /// That one is opened first. Whatever was there before it bears another name by then, so the listing that follows misses
    /// nothing.
    fn succeed(&mut self, path: &Path, newest: FileId, since: (i64, i64), here: Option<Stamp>, now: Instant) {
        let unknown = here.is_some_and(|stamp| !self.keys.contains_key(&stamp.key));
        let current = unknown.then(|| self.find(path)).flatten();
        let mut next: Vec<(PathBuf, Found)> = Vec::new();
        for (place, stamp) in beside(path) {
            let new = self.may_be_overlooked(stamp, since);
            let current = current.as_ref().is_some_and(|found| found.stamp.key == stamp.key);
            if new && !current && self.original(path, &place).is_none() {
                next.extend(self.find(&place).map(|found| (place, found)));
            }
        }
        if let Some(current) = &current {
            // A copy of it that is being made, or was just made. If it is cut now, the copy will be looked for.
            next.retain(|(_, found)| !found.begins(&current.handle, self.checkpoints.prints()).unwrap_or(false));
        }
        if let Some(mut current) = current {
            if let Ok(metadata) = current.handle.metadata() {
                current.stamp = Stamp::of(&metadata);
            }
            next.push((path.to_owned(), current));
        }
        next.sort_by_key(|(_, found)| found.stamp.age());
        let mut last = newest;
        for (place, found) in next {
            last = self.add(path, &place, found, Some(last), now).unwrap_or(last);
        }
    }

    /// Files that were rotated away from `path` and yet not seen: listing a folder while names change in it may miss one.
    /// They come late rather than never.
    fn find_overlooked(&mut self, path: &Path, scan: &Scan, now: Instant) {
        let Some(since) = self.rotated.get(path).copied() else { return };
        for (place, stamp) in scan.siblings.get(path).map_or(&[][..], Vec::as_slice) {
            if self.may_be_overlooked(*stamp, since)
                && self.is_original(path, place, *stamp, now)
                && let Some(found) = self.find(place)
            {
                self.add_before_newest(path, place, found, None, now);
            }
        }
    }

    /// The newest of the path is still the one that is there.
    fn add_before_newest(
        &mut self,
        path: &Path,
        place: &Path,
        found: Found,
        behind: Option<FileId>,
        now: Instant,
    ) -> Option<FileId> {
        let newest = self.paths.get(path).and_then(|files| files.last()).copied();
        let added = self.add(path, place, found, behind, now);
        if let (Some(newest), Some(files)) = (newest, self.paths.get_mut(path)) {
            files.retain(|file| *file != newest);
            files.push(newest);
        }
        added
    }

    /// A file that was empty when it took its place may have been written, copied and cut since. Called before its first
    /// byte is read. True: it has to wait for copies of what it was.
    pub(super) fn wait_for_copies(&mut self, file: FileId, now: Instant) -> bool {
        let Some(followed) = self.files.get_mut(&file).filter(|followed| !followed.looked_beside) else { return false };
        followed.looked_beside = true;
        let path = followed.path.clone();
        let turned = self.paths.get(&path).is_some_and(|files| files.len() > 1 && files.last() == Some(&file));
        let Some(since) = self.rotated.get(&path).copied().filter(|_| turned) else { return false };
        let siblings = beside(&path);
        // What was written later than it came after it: it was rotated away itself, and so were others behind it.
        let modified = self.files.get(&file).map(Followed::last_modified);
        let mut before: Vec<(PathBuf, Found)> = Vec::new();
        for (place, stamp) in siblings {
            let older = modified.is_some_and(|modified| stamp.modified <= modified);
            if older && self.may_be_overlooked(stamp, since) && self.original(&path, &place).is_none() {
                before.extend(self.find(&place).map(|found| (place, found)));
            }
        }
        if let Some(handle) = self.files.get(&file).and_then(|followed| followed.handle.as_ref()) {
            before.retain(|(_, found)| !found.begins(handle, self.checkpoints.prints()).unwrap_or(false));
        }
        before.sort_by_key(|(_, found)| found.stamp.age());
        let mut last = None;
        for (place, found) in before {
            last = self.add_before_newest(&path, &place, found, last, now).or(last);
        }
        let waits = last.is_some();
        if let Some(followed) = self.files.get_mut(&file).filter(|_| waits) {
            followed.behind = last;
        }
        waits
    }

    fn may_be_overlooked(&self, stamp: Stamp, since: (i64, i64)) -> bool {
        let unknown = !self.keys.contains_key(&stamp.key) && !self.ignored.contains(&stamp.key);
        unknown && stamp.size > 0 && stamp.modified >= since
    }

    /// Whether the file at `place`, which may have been rotated from `path`, is no copy of a known one. Not before it is
    /// known to be whole.
    fn is_original(&mut self, path: &Path, place: &Path, stamp: Stamp, now: Instant) -> bool {
        if let Some(original) = self.original(path, place) {
            self.remember_copy(stamp.key, original);
            return false;
        }
        let since = self.settling.get(&stamp.key).filter(|(seen, _)| *seen == stamp).map_or(now, |(_, since)| *since);
        let settled = now.saturating_duration_since(since) >= SETTLE;
        if settled {
            self.settling.remove(&stamp.key);
        } else {
            self.settling.insert(stamp.key, (stamp, since));
        }
        settled
    }

    /// The file followed under `path` that `place` is a copy of. In doubt it is none: lines come twice then, and none is lost.
    fn original(&self, path: &Path, place: &Path) -> Option<FileId> {
        let files = self.paths.get(path)?;
        let (handle, stamp) = open(place).ok()?;
        let copied = |file: &&FileId| {
            let followed = self.files.get(file)?;
            // What is longer than its original is none of it, unless that was cut.
            let fits = followed.key.is_none() || stamp.size <= followed.full_size();
            let alike = followed.likeness(&handle, stamp.size, self.checkpoints.prints()).unwrap_or(0);
            (fits && alike >= MIN_LIKENESS).then_some(())
        };
        files.iter().rev().find(|file| copied(file).is_some()).copied()
    }

    /// Remembers a copy of `original`. If that was cut before all was read, it is read on in the copy.
    fn remember_copy(&mut self, key: FileKey, original: FileId) {
        self.settling.remove(&key);
        self.keys.insert(key, original);
        if let Some(followed) = self.files.get_mut(&original).filter(|followed| followed.key.is_none()) {
            followed.key = Some(key);
            self.scan_soon();
        }
    }

    /// A file that is named by a pattern and known to nobody.
    fn appear(&mut self, path: &Path, stamp: Stamp, now: Instant) {
        let bases = path.file_name().map(rotation::bases).unwrap_or_default();
        for base in bases.into_iter().map(|base| path.with_file_name(base)) {
            if self.paths.contains_key(&base) && !self.is_original(&base, path, stamp, now) {
                return;
            }
        }
        if let Some(found) = self.find(path) {
            self.add(path, path, found, None, now);
        }
    }

    /// Opens what is at `place`.
    fn find(&mut self, place: &Path) -> Option<Found> {
        match Found::at(place, self.checkpoints.prints()) {
            Ok(found) => {
                self.refused.remove(place);
                Some(found)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.scan_soon();
                None
            }
            Err(error) => {
                self.refuse(place, Refusal::Unreadable(error.kind()));
                None
            }
        }
    }

    /// Follows what was found at `place` under `path`, once `behind` is read to its end.
    fn add(&mut self, path: &Path, place: &Path, found: Found, behind: Option<FileId>, now: Instant) -> Option<FileId> {
        // Another one than was listed: the next look sorts it out.
        if self.keys.contains_key(&found.stamp.key) {
            self.scan_soon();
            return None;
        }
        let number = self.new_file();
        let mut followed = Followed::new(number, path, found, now);
        place.clone_into(&mut followed.place);
        if self.start == StartAt::End && followed.skip_to_last_line(self.checkpoints.prints()).is_err() {
            return None;
        }
        if place != path {
            followed.retire(now);
        }
        // What was added to it until now comes first, however often it was looked at before.
        if let Some(before) = behind {
            if let Some(before) = self.files.get_mut(&before) {
                before.caught_up = false;
            }
            self.enqueue(before);
        }
        followed.behind = behind.filter(|file| self.files.get(file).is_some_and(|before| !before.lets_next()));
        // What waits keeps its handle: it may be rotated and deleted before its turn.
        if followed.behind.is_none() && self.open_files() >= self.options.max_open_files {
            followed.handle = None;
        }
        self.remember_place(place.to_owned(), number);
        self.insert(followed);
        self.unsaved = true;
        Some(number)
    }

    /// What is over, delivered and gone need not be remembered. What is still there must be: it would be taken for new.
    fn forget_gone(&mut self, sights: &Sights) {
        self.settling.retain(|key, _| sights.contains_key(key));
        self.ignored.retain(|key| sights.contains_key(key));
        self.rotated.retain(|path, _| self.paths.contains_key(path));
        let files = &self.files;
        self.keys.retain(|key, file| {
            sights.contains_key(key) || files.get(file).is_some_and(|followed| followed.key == Some(*key))
        });
        let held: HashSet<FileId> =
            self.keys.iter().filter(|(key, _)| sights.contains_key(key)).map(|(_, file)| *file).collect();
        let over = |followed: &&Followed| {
            let delivered = followed.acked >= followed.offset || followed.key.is_none();
            followed.state == State::Done && delivered && !held.contains(&followed.file)
        };
        for file in self.files.values().filter(over).map(|followed| followed.file).collect::<Vec<_>>() {
            let Some(gone) = self.files.remove(&file) else { continue };
            self.keys.retain(|_, holder| *holder != file);
            self.places.retain(|_, holder| *holder != file);
            self.linked.remove(&file);
            self.drop_from_path(&gone.path, file);
        }
    }

    fn drop_from_path(&mut self, path: &Path, file: FileId) {
        if let Some(files) = self.paths.get_mut(path) {
            files.retain(|other| *other != file);
            if files.is_empty() {
                self.paths.remove(path);
            }
        }
    }
}

fn sights(scan: &Scan) -> Sights {
    let beside = scan.siblings.values().flatten().map(|(place, stamp)| (stamp.key, (place.clone(), *stamp)));
    let matched = scan.matches.iter().filter_map(|(place, seen)| match seen {
        Seen::File(stamp) => Some((stamp.key, (place.clone(), *stamp))),
        Seen::Refused(_) => None,
    });
    // The first path of a file with several wins, and one that a pattern names over one beside it.
    let mut sights = Sights::new();
    for (key, sight) in matched.chain(beside) {
        sights.entry(key).or_insert(sight);
    }
    sights
}

/// Files beside `path` that may have been rotated from there and are not compressed. It is listed again until nothing new
/// is found: names may change while a folder is listed.
fn beside(path: &Path) -> Vec<(PathBuf, Stamp)> {
    let mut found: HashMap<FileKey, (PathBuf, Stamp)> = HashMap::new();
    for _ in 0..MAX_LISTINGS {
        let before = found.len();
        let Some(entries) = path.parent().and_then(|folder| fs::read_dir(folder).ok()) else { break };
        for place in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if rotation::is_rotation(path, &place)
                && !place.file_name().is_some_and(rotation::is_compressed)
                && let Ok(Seen::File(stamp)) = see(&place)
            {
                found.insert(stamp.key, (place, stamp));
            }
        }
        if found.len() == before {
            break;
        }
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::thread;
    use std::time::{Duration, SystemTime};

    use super::super::tests::Rig;

    /// A busy writer fills and rotates several files in one step of the clock that they are modified by.
    #[test]
    fn files_that_were_modified_at_one_moment_are_read_as_they_were_made() {
        let mut rig = Rig::that_read("app.log", "app.log", "0\n");
        let (moment, mut expected) = (SystemTime::now(), "0\n".to_owned());
        for generation in 1..8 {
            // What a file was made at has steps, too.
            thread::sleep(Duration::from_millis(20));
            let text = format!("{generation}\n");
            rig.rotate(&format!("app.log.{generation}"), &text);
            expected.push_str(&text);
            File::open(rig.at("app.log")).unwrap().set_modified(moment).unwrap();
        }
        rig.run();
        rig.check("app.log", &expected);
    }
}

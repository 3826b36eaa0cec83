//! The spool itself: appending, reading, removing. One thread at a time; only [`SyncJob`] may run beside it.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::error::SpoolError;
use super::ledger::Ledger;
use super::record::{Body, HEAD_BYTES, Head};
use super::segment::{Found, PREFIX_BYTES, Segment, last_end, read_record, write_all_at};
use super::{Counts, Entry, MIN_SEGMENT_BYTES, Pushed, SpoolOptions, Stored, WhenFull};
use crate::durable::private;
use crate::engine::Masked;

/// The ledger is written after so many deliveries; a crash repeats at most these.
const LEDGER_EVERY: u64 = 256;

/// Masked records on disk.
pub struct Spool {
    options: SpoolOptions,
    ledger: Ledger,
    _lock: File,
    /// All segments, the one that is written to last.
    segments: VecDeque<Segment>,
    /// The last segment. `None`: the next push makes one.
    active: Option<File>,
    /// Bytes of all segments.
    usage: u64,
    /// The number of the next push.
    pub(super) next: u64,
    /// Everything below survives a crash.
    synced: u64,
    /// Written and not yet synced: they are written again where a sync fails.
    unsynced: VecDeque<(u64, Entry)>,
    /// Where in the last segment the synced records end.
    synced_len: u64,
    reader: Reader,
    /// Everything below was delivered.
    pub(super) delivered: u64,
    /// What the ledger on disk says.
    noted: u64,
    counts: Counts,
}

/// Where is read next.
#[derive(Default)]
struct Reader {
    /// The first number of the segment, and the segment.
    open: Option<(u64, File)>,
    at: u64,
    /// The lowest number that may stand there.
    lowest: u64,
    /// The number that is expected next.
    number: u64,
}

/// A sync that may run while the spool is used. Give its outcome to [`Spool::finish_sync`].
#[derive(Debug)]
#[must_use = "nothing is durable before it ran"]
pub struct SyncJob {
    file: File,
    /// Everything below is covered.
    upto: u64,
    len: u64,
    segment: u64,
}

impl SyncJob {
    /// Waits for the disk.
    ///
    /// # Errors
    /// When the disk fails; the system may have dropped what was written.
    pub fn run(&self) -> io::Result<()> {
        loop {
            match self.file.sync_data() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}

impl Spool {
    /// Opens or makes the spool, and repairs what a crash left.
    ///
    /// # Errors
    /// When the quota makes no sense, another process uses it, a later version wrote it, or the disk fails.
    pub fn open(options: SpoolOptions) -> Result<Spool, SpoolError> {
        let SpoolOptions { max_bytes, segment_bytes, .. } = options;
        if max_bytes < segment_bytes || max_bytes < MIN_SEGMENT_BYTES {
            return Err(SpoolError::TooSmall { max_bytes, segment_bytes: segment_bytes.max(MIN_SEGMENT_BYTES) });
        }
        if segment_bytes < MIN_SEGMENT_BYTES {
            return Err(SpoolError::SmallSegments { segment_bytes });
        }
        let folder = options.folder.clone();
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(SpoolError::disk(&folder))?;
        let lock = lock(&folder)?;
        let ledger = Ledger::in_folder(&folder);
        let segments = Segment::list(&folder).map_err(SpoolError::disk(&folder))?;
        let delivered = ledger.read().or(segments.first().map(|segment| segment.first)).unwrap_or(0);
        let mut spool = Spool {
            usage: segments.iter().map(|segment| segment.len).sum(),
            segments: segments.into(),
            options,
            ledger,
            _lock: lock,
            active: None,
            next: delivered,
            synced: delivered,
            unsynced: VecDeque::new(),
            synced_len: 0,
            reader: Reader { number: delivered, ..Reader::default() },
            delivered,
            noted: delivered,
            counts: Counts::default(),
        };
        spool.repair()?;
        Ok(spool)
    }

    /// Appends `entry`.
    ///
    /// # Errors
    /// When it is larger than the whole spool, or a sync failed and its records cannot be written again.
    pub fn push(&mut self, entry: Entry) -> Result<Pushed, SpoolError> {
        let mut bytes = Vec::with_capacity(
            HEAD_BYTES + entry.payload.as_bytes().len() + 4 * entry.lines.len() + entry.origin.len(),
        );
        Head::write(&entry, self.next, &mut bytes);
        let len = bytes.len() as u64;
        let max_bytes = self.options.max_bytes;
        if len + PREFIX_BYTES > max_bytes {
            return Err(SpoolError::TooLarge { len, max_bytes });
        }
        self.roll_if_full(len)?;
        if !self.fits(len) {
            self.reclaim();
        }
        if !self.fits(len) {
            return Ok(self.full());
        }
        if !self.try_append(&bytes) {
            self.counts.failed_writes += 1;
            // What was delivered need not fill a disk that is full.
            self.reclaim();
            if self.active.is_some() || !self.try_append(&bytes) {
                return Ok(self.full());
            }
        }
        let number = self.next;
        self.next += 1;
        self.unsynced.push_back((number, entry));
        Ok(Pushed::Stored { number })
    }

    /// Makes everything durable that was pushed. Returns the number of the first record that is not.
    ///
    /// # Errors
    /// When the disk fails twice: on the segment, and on a new one with the same records. They are kept in memory and written
    /// again at the next push or sync; until then nothing more can be promised.
    pub fn sync(&mut self) -> Result<u64, SpoolError> {
        self.rewrite().map_err(SpoolError::disk(&self.options.folder))?;
        while let Some(job) = self.begin_sync().map_err(SpoolError::disk(&self.options.folder))? {
            let done = job.run();
            self.finish_sync(&job, done)?;
        }
        Ok(self.synced)
    }

    /// The first half of [`Spool::sync`]: what waits for the disk may run elsewhere. `None`: nothing is to be done.
    ///
    /// # Errors
    /// When the segment's descriptor cannot be shared.
    pub fn begin_sync(&self) -> io::Result<Option<SyncJob>> {
        let (Some(file), Some(segment)) = (&self.active, self.segments.back()) else { return Ok(None) };
        if self.synced == self.next {
            return Ok(None);
        }
        Ok(Some(SyncJob { file: file.try_clone()?, upto: self.next, len: segment.len, segment: segment.first }))
    }

    /// The second half. Returns as [`Spool::sync`] does.
    ///
    /// # Errors
    /// As [`Spool::sync`].
    pub fn finish_sync(&mut self, job: &SyncJob, done: io::Result<()>) -> Result<u64, SpoolError> {
        match done {
            Ok(()) => {
                self.synced = self.synced.max(job.upto);
                while self.unsynced.front().is_some_and(|(number, _)| *number < self.synced) {
                    self.unsynced.pop_front();
                }
                if self.segments.back().is_some_and(|segment| segment.first == job.segment) {
                    self.synced_len = job.len;
                }
            }
            Err(reason) => self.give_up_segment(reason)?,
        }
        Ok(self.synced)
    }

    /// The next record, in order; `None` when all was read.
    ///
    /// # Errors
    /// When the disk fails. A damaged record is no error: it is skipped and counted.
    pub fn read(&mut self) -> Result<Option<Stored>, SpoolError> {
        loop {
            let Some((file, segment, at, lowest)) = self.open_reader()? else { return Ok(None) };
            match read_record(file, at, segment.len, lowest).map_err(SpoolError::disk(&segment.path))? {
                Found::Record { head, body, next } => {
                    (self.reader.at, self.reader.lowest) = (next, head.number + 1);
                    // Written again after a failed sync, or delivered before a crash.
                    if head.number < self.reader.number {
                        continue;
                    }
                    self.counts.skipped += head.number - self.reader.number;
                    self.reader.number = head.number + 1;
                    return Ok(Some(stored(&head, body)));
                }
                Found::Damaged { next, expected } => (self.reader.at, self.reader.lowest) = (next, expected),
                Found::End if !self.next_segment() => {
                    self.skip_rest();
                    return Ok(None);
                }
                Found::End => {}
            }
        }
    }

    /// Everything up to the record `number` was delivered.
    ///
    /// # Errors
    /// When the ledger cannot be written or a segment not removed. It is tried again the next time; after a crash, records
    /// come twice.
    pub fn delivered(&mut self, number: u64) -> Result<(), SpoolError> {
        self.delivered = self.delivered.max((number + 1).min(self.next));
        if self.is_first_over() || self.delivered >= self.noted + LEDGER_EVERY {
            self.note()?;
        }
        self.remove_delivered()
    }

    /// Writes the ledger now.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note(&mut self) -> Result<(), SpoolError> {
        if self.noted != self.delivered {
            self.ledger.write(self.delivered).map_err(SpoolError::disk(self.options.folder.join("ledger")))?;
            self.noted = self.delivered;
        }
        Ok(())
    }

    /// Bytes on disk.
    pub fn usage_bytes(&self) -> u64 {
        self.usage
    }

    /// Bytes it may have on disk.
    pub fn max_bytes(&self) -> u64 {
        self.options.max_bytes
    }

    /// Records that were pushed, or found at the start, and not delivered.
    pub fn waiting(&self) -> u64 {
        self.next - self.delivered
    }

    /// Everything below this number survives a crash.
    #[cfg(test)]
    pub(super) fn synced(&self) -> u64 {
        self.synced
    }

    /// What it went through.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Finds where the last segment really ends, and drops what is over.
    fn repair(&mut self) -> Result<(), SpoolError> {
        let mut empty = Vec::new();
        for segment in &self.segments {
            let file = segment.open().map_err(SpoolError::disk(&segment.path))?;
            if !segment.check(&file)? {
                empty.push(segment.first);
            }
        }
        for first in empty {
            self.counts.torn_bytes += self.remove(first)?;
        }
        if let Some(last) = self.segments.back().cloned() {
            let file = last.open().map_err(SpoolError::disk(&last.path))?;
            let (end, number) = last_end(&file, &last).map_err(SpoolError::disk(&last.path))?;
            self.next = self.next.max(number);
            if end <= PREFIX_BYTES {
                // Its name is the next one's.
                self.counts.torn_bytes += last.len - end;
                self.remove(last.first)?;
            } else if end < last.len {
                file.set_len(end).and_then(|()| file.sync_all()).map_err(SpoolError::disk(&last.path))?;
                self.counts.torn_bytes += last.len - end;
                self.usage -= last.len - end;
                self.segments.back_mut().expect("it is the last one").len = end;
            }
        }
        // Writing goes on in a new segment, so that no name is used twice.
        self.synced = self.next;
        self.remove_delivered()
    }

    fn full(&mut self) -> Pushed {
        match self.options.when_full {
            WhenFull::Block => Pushed::Full,
            WhenFull::DropNewest => {
                self.counts.dropped += 1;
                Pushed::Dropped
            }
        }
    }

    /// Closes the last segment if `len` more bytes are too many for it. What is in it is synced first: only the last segment
    /// is in reach of a sync.
    fn roll_if_full(&mut self, len: u64) -> Result<(), SpoolError> {
        let Some(last) = self.segments.back().filter(|_| self.active.is_some()) else { return Ok(()) };
        if last.len > PREFIX_BYTES && last.len + len > self.options.segment_bytes {
            self.sync()?;
            self.active = None;
        }
        Ok(())
    }

    fn fits(&self, len: u64) -> bool {
        // A new segment begins with its prefix.
        let prefix = if self.active.is_some() { 0 } else { PREFIX_BYTES };
        self.usage + prefix + len <= self.options.max_bytes
    }

    /// Frees the last segment where all was delivered.
    fn reclaim(&mut self) {
        if self.delivered == self.next && self.sync().is_ok() && self.active.take().is_some() {
            let _ = self.note().and_then(|()| self.remove_delivered());
        }
    }

    fn try_append(&mut self, bytes: &[u8]) -> bool {
        self.rewrite().is_ok() && self.append(bytes).is_ok()
    }

    /// Writes a record behind the last one, or nothing.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.active.is_none() {
            let (segment, file) = Segment::create(&self.options.folder, self.next)?;
            self.usage += segment.len;
            self.synced_len = segment.len;
            self.segments.push_back(segment);
            self.active = Some(file);
        }
        let (Some(file), Some(segment)) = (&self.active, self.segments.back_mut()) else {
            return Err(io::Error::other("no segment"));
        };
        if let Err(error) = write_all_at(file, bytes, segment.len) {
            // A torn record must not stay: the next one would come behind it. If it cannot be cut off, it is overwritten.
            let _ = file.set_len(segment.len);
            return Err(error);
        }
        segment.len += bytes.len() as u64;
        self.usage += bytes.len() as u64;
        Ok(())
    }

    /// The segment cannot be trusted behind its last synced record. The others go to a new one, with their numbers.
    fn give_up_segment(&mut self, reason: io::Error) -> Result<(), SpoolError> {
        self.counts.given_up += 1;
        let path = self.segments.back().map_or_else(|| self.options.folder.clone(), |segment| segment.path.clone());
        self.cut_active(self.synced_len);
        if self.unsynced.is_empty() {
            return Err(SpoolError::Disk { path, reason });
        }
        self.rewrite().map_err(SpoolError::disk(path))
    }

    /// Ends the last segment after `len` bytes.
    fn cut_active(&mut self, len: u64) {
        let (Some(file), Some(segment)) = (self.active.take(), self.segments.back_mut()) else { return };
        self.usage -= segment.len - len;
        segment.len = len;
        self.reader.open = None;
        // If that fails, what is behind is not read all the same while this process runs; afterwards it comes twice.
        let _ = file.set_len(len);
        if len <= PREFIX_BYTES {
            let first = segment.first;
            let _ = self.remove(first);
        }
    }

    /// Writes what could not be synced to a new segment.
    fn rewrite(&mut self) -> io::Result<()> {
        if self.active.is_some() || self.unsynced.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        self.unsynced.iter().for_each(|(number, entry)| Head::write(entry, *number, &mut bytes));
        let first = self.unsynced[0].0;
        let next = std::mem::replace(&mut self.next, first);
        let written = self.append(&bytes).and_then(|()| match &self.active {
            Some(file) => file.sync_all(),
            None => Ok(()),
        });
        self.next = next;
        if written.is_err() {
            self.cut_active(PREFIX_BYTES);
            return written;
        }
        self.synced = self.next;
        self.synced_len = self.segments.back().map_or(0, |segment| segment.len);
        self.unsynced.clear();
        Ok(())
    }

    /// The segment that is read, opened, and the place in it.
    fn open_reader(&mut self) -> Result<Option<(&File, &Segment, u64, u64)>, SpoolError> {
        let open = self.reader.open.as_ref().map(|(first, _)| *first);
        let segment = match open.and_then(|first| self.segments.iter().find(|segment| segment.first == first)) {
            Some(segment) => segment,
            None => {
                // The last one that begins at or before the number, or the first of all.
                let number = self.reader.number;
                let before = self.segments.iter().rev().find(|segment| segment.first <= number);
                let Some(segment) = before.or(self.segments.front()) else { return Ok(None) };
                let file = segment.open().map_err(SpoolError::disk(&segment.path))?;
                self.reader.open = Some((segment.first, file));
                (self.reader.at, self.reader.lowest) = (PREFIX_BYTES, segment.first);
                segment
            }
        };
        Ok(self.reader.open.as_ref().map(|(_, file)| (file, segment, self.reader.at, self.reader.lowest)))
    }

    /// Goes on to the segment after the one that is read. False when there is none.
    fn next_segment(&mut self) -> bool {
        let Some((first, _)) = self.reader.open else { return false };
        let Some(next) = self.segments.iter().find(|segment| segment.first > first) else { return false };
        let Ok(file) = next.open() else { return false };
        self.reader.open = Some((next.first, file));
        (self.reader.at, self.reader.lowest) = (PREFIX_BYTES, next.first);
        // What is missing before it will never come.
        self.counts.skipped += next.first.saturating_sub(self.reader.number);
        self.reader.number = self.reader.number.max(next.first);
        true
    }

    /// All segments were read to their ends: what is missing then was damaged.
    fn skip_rest(&mut self) {
        let written = self.unsynced.front().filter(|_| self.active.is_none()).map_or(self.next, |(number, _)| *number);
        if self.reader.number < written {
            self.counts.skipped += written - self.reader.number;
            if self.delivered == self.reader.number {
                self.delivered = written;
            }
            self.reader.number = written;
        }
    }

    /// Whether everything in the first segment was delivered.
    fn is_first_over(&self) -> bool {
        let end = self.segments.get(1).map(|next| next.first);
        match (end, &self.active) {
            (Some(end), _) => self.delivered >= end,
            (None, None) => self.delivered >= self.next && !self.segments.is_empty(),
            (None, Some(_)) => false,
        }
    }

    /// Removes the segments that the ledger says are over.
    fn remove_delivered(&mut self) -> Result<(), SpoolError> {
        while self.is_first_over() {
            let over = self.segments.get(1).map_or(self.next, |next| next.first);
            if self.noted < over {
                self.note()?;
            }
            let first = self.segments[0].first;
            self.remove(first)?;
        }
        Ok(())
    }

    /// Removes a segment. Returns how many bytes it had.
    fn remove(&mut self, first: u64) -> Result<u64, SpoolError> {
        let Some(place) = self.segments.iter().position(|segment| segment.first == first) else { return Ok(0) };
        let segment = &self.segments[place];
        match fs::remove_file(&segment.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(SpoolError::Disk { path: segment.path.clone(), reason: error });
            }
            _ => {}
        }
        let len = segment.len;
        if self.reader.open.as_ref().is_some_and(|(open, _)| *open == first) {
            self.reader.open = None;
        }
        self.segments.remove(place);
        self.usage -= len;
        Ok(len)
    }
}

#[cfg(test)]
impl Spool {
    pub(super) fn synced_bytes_of_last(&self) -> Option<u64> {
        self.active.is_some().then_some(self.synced_len)
    }
}

fn stored(head: &Head, body: Body) -> Stored {
    let Body { lines, origin, payload } = body;
    let payload = Masked::from_spool(payload);
    let Head { end, number, stream, position, records, .. } = *head;
    Stored { number, entry: Entry { stream, position, records, end, lines, origin, payload } }
}

fn lock(folder: &Path) -> Result<File, SpoolError> {
    let path = folder.join("lock");
    let file = private().create(true).truncate(false).open(&path).map_err(SpoolError::disk(&path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(SpoolError::InUse { path: folder.to_owned() }),
        Err(error) => Err(SpoolError::Disk { path, reason: error.into() }),
    }
}

//! One file that is followed: from where, and whether it is still the same. It reads; which file comes next and where it
//! is found is the [`Tailer`](super::Tailer)'s.
//!
//! Every read is checked, because a writer may cut its file and fill it again between two looks, to the same size or more.
//! A read begins a little before the place that is wanted. If the bytes there are the ones that were read last time, and
//! the file's beginning is as it was, what follows is its continuation; otherwise nothing of it is used.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::fs::OFlags;

use crate::durable::read_at;

use super::checkpoint::Known;
use super::event::FileId;
use super::identity::{FileKey, Fingerprint, HEAD_BYTES, Print, PrintKey, Stamp, TAIL_BYTES, Trail};
use super::options::MAX_BEFORE_BYTES;

/// Times of files are coarse: a change within this time of another may not be seen in them, so the file is checked though
/// its times are as they were.
const COARSE: Duration = Duration::from_millis(100);
/// How much is read at once when the end of the last line is sought.
const BACKWARD_BYTES: u64 = 64 << 10;

/// What is expected of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is where it is followed, and grows.
    Live,
    /// It was rotated or deleted. Whoever has it open may still write.
    Retiring {
        /// When something was last added to it.
        quiet_since: Instant,
    },
    /// Nothing more.
    Done,
}

/// What a look at a file brought.
pub(super) enum Step {
    /// The next bytes, from `offset`.
    Data { offset: u64, bytes: Bytes },
    /// Nothing new.
    Idle,
    /// It holds other bytes than it did: it was cut.
    Cut,
    /// At its place is another file, or none.
    Moved,
    /// It cannot be read.
    Failed(io::ErrorKind),
}

/// A file.
pub(super) struct Followed {
    pub(super) file: FileId,
    pub(super) id: Fingerprint,
    /// The path it is followed under, whatever it is called by now.
    pub(super) path: PathBuf,
    /// Where it was last found.
    pub(super) place: PathBuf,
    /// `None` when its bytes are nowhere any more.
    pub(super) key: Option<FileKey>,
    pub(super) state: State,
    /// The file that must be read to its end first: the one that this one took the place of.
    pub(super) behind: Option<FileId>,
    /// Whether the last look, since it became what it is, found nothing new.
    pub(super) caught_up: bool,
    /// Whether anybody was told of it.
    pub(super) announced: bool,
    /// Whether it was looked for what was at its place before it, and not seen there.
    pub(super) looked_beside: bool,
    /// Whether it is in the queue of files to be read.
    pub(super) queued: bool,
    pub(super) handle: Option<File>,
    /// Everything before was read. The last place of `trail`, once the file was opened.
    pub(super) offset: u64,
    /// Everything before was delivered.
    pub(super) acked: u64,
    /// How large it was when it was last known to be itself.
    pub(super) size: u64,
    pub(super) modified: (i64, i64),
    /// As it was when it was last checked.
    checked: Option<Stamp>,
    /// A check after this time would have seen every change that left the times as they are.
    check_until: Instant,
    /// Whether there was such a check.
    settled: bool,
    pub(super) last_active: Instant,
    pub(super) head: Print,
    pub(super) trail: Trail,
}

impl Followed {
    /// A file that is seen for the first time.
    pub(super) fn new(file: FileId, path: &Path, found: Found, now: Instant) -> Followed {
        Followed {
            file,
            id: found.id,
            path: path.to_owned(),
            place: path.to_owned(),
            key: Some(found.stamp.key),
            state: State::Live,
            behind: None,
            caught_up: false,
            announced: false,
            looked_beside: false,
            queued: false,
            handle: Some(found.handle),
            offset: 0,
            acked: 0,
            size: found.stamp.size,
            modified: found.stamp.modified,
            checked: None,
            check_until: now,
            settled: false,
            last_active: now,
            head: found.head,
            trail: Trail::default(),
        }
    }

    /// A file that is known from an earlier run.
    pub(super) fn restored(file: FileId, known: Known, now: Instant) -> Followed {
        Followed {
            file,
            id: known.id,
            place: known.path.clone(),
            path: known.path,
            key: Some(known.key),
            state: if known.done { State::Done } else { State::Live },
            behind: None,
            caught_up: false,
            announced: false,
            looked_beside: false,
            queued: false,
            handle: None,
            offset: known.offset,
            acked: known.offset,
            size: known.size,
            modified: known.modified,
            checked: None,
            check_until: now,
            settled: false,
            last_active: now,
            head: known.head,
            trail: known.trail,
        }
    }

    /// The same file under a new number, to be read on: its end was told already.
    pub(super) fn revived(&self, file: FileId, now: Instant) -> Followed {
        let known = Known { done: false, ..self.known().expect("a file that is found has a key") };
        let state = State::Retiring { quiet_since: now };
        Followed {
            place: self.place.clone(),
            offset: self.offset,
            acked: self.acked,
            state,
            ..Followed::restored(file, known, now)
        }
    }

    /// What is to be remembered of it, if it can be found again.
    pub(super) fn known(&self) -> Option<Known> {
        Some(Known {
            id: self.id,
            path: self.path.clone(),
            key: self.key?,
            offset: self.acked,
            size: self.size,
            modified: self.modified,
            done: self.state == State::Done,
            head: self.head,
            trail: self.trail.clone(),
        })
    }

    /// When it was written last, as the system says now.
    pub(super) fn last_modified(&self) -> (i64, i64) {
        let metadata = self.handle.as_ref().and_then(|handle| handle.metadata().ok());
        metadata.map_or(self.modified, |metadata| Stamp::of(&metadata).modified)
    }

    /// Begins behind the last whole line instead of at the start.
    pub(super) fn skip_to_last_line(&mut self, prints: &PrintKey) -> io::Result<()> {
        let Some(file) = &self.handle else { return Ok(()) };
        let mut end = self.size;
        let mut buffer = vec![0; BACKWARD_BYTES as usize];
        while end > 0 {
            let start = end.saturating_sub(BACKWARD_BYTES);
            let read = read_at(file, &mut buffer[..(end - start) as usize], start)?;
            if let Some(newline) = memchr::memrchr(b'\n', &buffer[..read]) {
                end = start + newline as u64 + 1;
                break;
            }
            end = start;
        }
        if let Some(print) = Print::before(prints, file, end)? {
            (self.offset, self.acked) = (end, end);
            self.trail.push(print);
        }
        Ok(())
    }

    /// The last `lines` whole lines before `offset`, or as many as have room. None where they cannot be read any more.
    pub(super) fn lines_before(&self, offset: u64, lines: usize) -> Bytes {
        if lines == 0 || offset == 0 {
            return Bytes::new();
        }
        let read = |file: &File| lines_before(file, offset, lines);
        let reopened = || open(&self.place).ok().filter(|(_, stamp)| Some(stamp.key) == self.key);
        let before = match &self.handle {
            Some(file) => read(file),
            None => reopened().map_or(Ok(Vec::new()), |(file, _)| read(&file)),
        };
        before.unwrap_or_default().into()
    }

    /// Whether the file that follows may be read now.
    pub(super) fn lets_next(&self) -> bool {
        match self.state {
            State::Live => false,
            State::Retiring { .. } => self.caught_up,
            State::Done => true,
        }
    }

    /// From now on it is read to its end only.
    pub(super) fn retire(&mut self, now: Instant) {
        if self.state == State::Live {
            self.state = State::Retiring { quiet_since: now };
            self.caught_up = false;
            self.checked = None;
        }
    }

    /// Reads what comes next, at most `max` bytes.
    pub(super) fn step(&mut self, prints: &PrintKey, max: usize, now: Instant) -> Step {
        let step = self.try_step(prints, max, now).unwrap_or_else(|error| Step::Failed(error.kind()));
        match &step {
            Step::Data { .. } => self.last_active = now,
            // A file that cannot be read does not keep its successor from being read.
            Step::Idle | Step::Failed(_) => self.caught_up = true,
            Step::Cut | Step::Moved => {}
        }
        step
    }

    fn try_step(&mut self, prints: &PrintKey, max: usize, now: Instant) -> io::Result<Step> {
        if self.handle.is_none()
            && let Some(step) = self.reopen(prints)?
        {
            return Ok(step);
        }
        let file = self.handle.as_ref().expect("it was opened");
        let stamp = Stamp::of(&file.metadata()?);
        if stamp.size < self.offset {
            return Ok(Step::Cut);
        }
        if stamp.size == self.offset && self.checked == Some(stamp) && self.settled {
            return Ok(Step::Idle);
        }
        // It was written and cut again since: what was in it may be in a copy.
        if stamp.size == 0 && self.checked.is_some_and(|checked| checked.modified != stamp.modified) {
            return Ok(Step::Cut);
        }
        let overlap = self.offset.min(TAIL_BYTES);
        let wanted = usize::try_from(stamp.size - self.offset).unwrap_or(max).min(max);
        let mut buffer = vec![0; overlap as usize + wanted];
        let read = read_at(file, &mut buffer, self.offset - overlap)?;
        let (Some(before), Some(head)) = (buffer[..read].get(..overlap as usize), self.head.grown(prints, file)?)
        else {
            return Ok(Step::Cut);
        };
        let same = self.trail.last().is_none_or(|last| *last == Print::of(prints, self.offset - overlap, before));
        if !same {
            return Ok(Step::Cut);
        }
        self.head = head;
        (self.size, self.modified) = (stamp.size, stamp.modified);
        if self.checked != Some(stamp) {
            self.check_until = now + COARSE;
        }
        self.checked = Some(stamp);
        self.settled = now >= self.check_until;
        Ok(self.advance(prints, buffer, read, overlap))
    }

    fn advance(&mut self, prints: &PrintKey, mut buffer: Vec<u8>, read: usize, overlap: u64) -> Step {
        let offset = self.offset;
        self.offset = offset - overlap + read as u64;
        if self.offset == offset {
            return Step::Idle;
        }
        buffer.truncate(read);
        let tail = read - read.min(TAIL_BYTES as usize);
        self.trail.push(Print::of(prints, self.offset - (read - tail) as u64, &buffer[tail..]));
        Step::Data { offset, bytes: Bytes::from(buffer).slice(overlap as usize..) }
    }

    /// Opens it where it was last found.
    fn reopen(&mut self, prints: &PrintKey) -> io::Result<Option<Step>> {
        let (file, stamp) = match open(&self.place) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(Step::Moved)),
            Err(error) => return Err(error),
        };
        if Some(stamp.key) != self.key {
            return Ok(Some(Step::Moved));
        }
        if !self.continues_in(&file, stamp.size, prints)? {
            return Ok(Some(Step::Cut));
        }
        if self.offset > 0 && self.trail.last().is_none_or(|last| last.to != self.offset) {
            let Some(print) = Print::before(prints, &file, self.offset)? else { return Ok(Some(Step::Cut)) };
            self.trail.push(print);
        }
        self.handle = Some(file);
        Ok(None)
    }

    /// Whether `file` is this one as far as it was read.
    pub(super) fn continues_in(&self, file: &File, size: u64, prints: &PrintKey) -> io::Result<bool> {
        Ok(size >= self.offset
            && self.head.fits(prints, file)?
            && self.trail.last().map_or(Ok(true), |last| last.fits(prints, file))?)
    }

    /// By how many bytes `file` is known to be a copy that was made of it, perhaps before all was read that was read by now.
    /// 0: it is none, or nothing tells.
    pub(super) fn likeness(&self, file: &File, size: u64, prints: &PrintKey) -> io::Result<u64> {
        let long = size >= self.head.to;
        let head = long && self.head.fits(prints, file)?;
        match self.trail.up_to(size) {
            Some(place) if (head || !long) && place.fits(prints, file)? => Ok(place.to - place.from),
            None if head && (self.offset == 0 || self.head.to == HEAD_BYTES) => Ok(self.head.to),
            _ => Ok(0),
        }
    }

    /// Whether there is something to be read.
    pub(super) fn has_grown(&self) -> bool {
        self.full_size() > self.offset
    }

    /// How large it is, or was before it was cut.
    pub(super) fn full_size(&self) -> u64 {
        let now = self.handle.as_ref().and_then(|handle| handle.metadata().ok()).map_or(0, |metadata| metadata.len());
        now.max(self.size)
    }

    /// Reads on in a copy.
    pub(super) fn move_to(&mut self, place: PathBuf, file: File, stamp: Stamp) {
        (self.place, self.key, self.handle) = (place, Some(stamp.key), Some(file));
        (self.checked, self.caught_up) = (None, false);
    }
}

fn lines_before(file: &File, offset: u64, lines: usize) -> io::Result<Vec<u8>> {
    let mut tail = Vec::new();
    loop {
        let start = offset - tail.len() as u64;
        // The line feed before the first of them tells where it begins.
        let newlines: Vec<usize> = memchr::memrchr_iter(b'\n', &tail).take(lines + 1).collect();
        if newlines.len() > lines {
            tail.drain(..=newlines[lines]);
            return Ok(tail);
        }
        let room = (MAX_BEFORE_BYTES - tail.len()) as u64;
        if start == 0 || room == 0 {
            let from = if start == 0 { 0 } else { newlines.last().map_or(tail.len(), |newline| newline + 1) };
            tail.drain(..from);
            return Ok(tail);
        }
        let len = start.min(BACKWARD_BYTES).min(room);
        let mut more = vec![0; len as usize];
        if read_at(file, &mut more, start - len)? < more.len() {
            return Ok(Vec::new());
        }
        more.append(&mut tail);
        tail = more;
    }
}

/// A file that was opened to be followed.
pub(super) struct Found {
    pub(super) handle: File,
    pub(super) stamp: Stamp,
    id: Fingerprint,
    head: Print,
}

impl Found {
    pub(super) fn at(path: &Path, prints: &PrintKey) -> io::Result<Found> {
        let (handle, stamp) = open(path)?;
        let head = Print::head(prints, &handle)?;
        Ok(Found { handle, stamp, id: Fingerprint::random()?, head })
    }

    /// Whether `other` begins with all that is in this file.
    pub(super) fn begins(&self, other: &File, prints: &PrintKey) -> io::Result<bool> {
        let end = Print::before(prints, &self.handle, self.stamp.size)?;
        let size = HEAD_BYTES.min(self.stamp.size);
        let head = if self.head.to == size { self.head } else { Print::head(prints, &self.handle)? };
        Ok(head.fits(prints, other)? && end.map_or(Ok(false), |end| end.fits(prints, other))?)
    }
}

/// Opens a regular file. It never waits, whatever takes the file's place meanwhile.
pub(super) fn open(path: &Path) -> io::Result<(File, Stamp)> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("no regular file"));
    }
    Ok((file, Stamp::of(&metadata)))
}

//! Reads one file to its end, whatever it is made of, and shows every piece of it. What is done with the result is the
//! caller's.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use rustix::fs::{CWD, FileType, Mode, OFlags};

use super::beside::Beside;
use super::budget::Budget;
use super::error::{Reason, Skip};
use super::format::{Codec, Format};
use super::stream::{Redacted, Sink, Stream, read_block, redact};
use super::threads::{Progress, Worker};
use super::walk::FileEntry;
use super::{tarball, zipped};
use crate::engine::{Carry, Masked, Piece, Span, Tally};

/// How files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// Whether binary files are looked at as bytes.
    pub binary: bool,
    /// How many bytes may come out of one packed file.
    pub max_inflated: u64,
    /// How many times its own size may come out of it, beyond the first 32 MiB.
    pub max_ratio: u64,
}

impl Default for ReadOptions {
    fn default() -> ReadOptions {
        ReadOptions { binary: false, max_inflated: 64 << 30, max_ratio: 250 }
    }
}

/// A piece of a file and what was found in it.
pub struct Seen<'s> {
    /// The member of an archive it is in.
    pub member: Option<&'s [u8]>,
    /// Where it begins in the file or member, after unpacking.
    pub offset: u64,
    /// The number of its first line, from 1; always 1 where the observer does not count lines.
    pub line: u64,
    /// The bytes as they came: [`Piece::body`].
    pub piece: &'s Piece,
    /// What is masked in it, in order, by offset in the body.
    pub found: &'s [Span],
    /// What it became.
    pub masked: &'s Masked,
    /// What was counted.
    pub tally: &'s Tally,
}

/// Is shown what is seen. The pieces of one file come in order, but not all on one thread.
pub trait Observer: Send {
    /// Another stream begins: the file, or a member of it.
    fn begin(&mut self, _member: Option<&[u8]>) {}

    /// The next piece of it, in order.
    fn piece(&mut self, seen: &Seen<'_>);

    /// A member that is not looked at.
    fn skipped(&mut self, _member: &[u8], _skip: Skip) {}

    /// Whether [`Seen::line`] is of use.
    fn counts_lines(&self) -> bool {
        true
    }
}

/// Looks away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn piece(&mut self, _: &Seen<'_>) {}

    fn counts_lines(&self) -> bool {
        false
    }
}

/// What a whole file held.
#[derive(Debug, Default)]
pub struct Scanned {
    /// Counts over all of it.
    pub tally: Tally,
    /// Why nothing of it was looked at.
    pub skip: Option<Skip>,
    /// The members that were not looked at.
    pub skipped: Vec<(Vec<u8>, Skip)>,
    /// Whether any byte of it would change.
    pub changed: bool,
    pub(super) shape: Shape,
    /// How long one stream is then, before compression.
    pub(super) masked_bytes: u64,
    /// The members that change, by index, and how long each is then, before compression.
    pub(super) members: Vec<(u64, u64)>,
}

impl Scanned {
    /// Whether something was left out that somebody would expect to be inspected, or a record had to be masked whole.
    pub fn has_gaps(&self) -> bool {
        let skips = self.skipped.iter().map(|(_, skip)| *skip).chain(self.skip);
        self.tally.records_masked_whole > 0 || skips.into_iter().any(Skip::is_gap)
    }

    fn of_skip(skip: Skip) -> Scanned {
        Scanned { skip: Some(skip), ..Scanned::default() }
    }

    /// Adds what was seen of the member `name`.
    pub(super) fn add(&mut self, index: u64, name: &[u8], member: &Scanned) {
        self.tally.add(&member.tally);
        self.skipped.extend(member.skip.map(|skip| (name.to_vec(), skip)));
        if member.changed {
            self.changed = true;
            self.members.push((index, member.masked_bytes));
        }
    }
}

/// How a file is put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shape {
    /// One stream, perhaps compressed.
    #[default]
    Stream,
    Tar(Option<Codec>),
    Zip,
}

/// Reads `file` to its end and shows every piece of it to `observer`.
///
/// # Errors
/// When it cannot be opened, read or unpacked to the end. What was shown before is right all the same.
pub fn scan_file(worker: &mut Worker, file: &FileEntry, observer: &mut dyn Observer) -> Result<Scanned, Reason> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
    let fd = rustix::fs::openat(CWD, &file.real, flags, Mode::empty()).map_err(opening)?;
    let stat = rustix::fs::fstat(&fd).map_err(|error| Reason::Read(error.into()))?;
    regular(FileType::from_raw_mode(stat.st_mode))?;
    worker.scratch.read_from(&file.path.to_string_lossy());
    let source = Source { file: &File::from(fd), name: file.real.as_os_str().as_bytes(), metered: true };
    scan(worker, &source, observer, None)
}

/// What the system says when a name is none of a regular file.
pub(super) fn opening(error: rustix::io::Errno) -> Reason {
    match error {
        rustix::io::Errno::LOOP => Reason::Symlink,
        rustix::io::Errno::NXIO => Reason::NotRegular("a socket or a device"),
        error => Reason::Read(error.into()),
    }
}

/// Refuses what is no regular file.
pub(super) fn regular(kind: FileType) -> Result<(), Reason> {
    match kind {
        FileType::RegularFile => Ok(()),
        other => Err(Reason::NotRegular(special(other))),
    }
}

/// What something is that is no regular file.
pub(super) fn special(kind: FileType) -> &'static str {
    match kind {
        FileType::Directory => "a folder",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Symlink => "a symbolic link",
        _ => "something else",
    }
}

/// An open file that stands at its beginning.
pub(super) struct Source<'f> {
    pub(super) file: &'f File,
    pub(super) name: &'f [u8],
    /// Whether its bytes count as progress.
    pub(super) metered: bool,
}

/// Tells how far a file is read.
struct Metered<'f> {
    file: &'f File,
    progress: Option<&'f Progress>,
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        if let Some(progress) = self.progress {
            progress.bytes.fetch_add(count as u64, Ordering::Relaxed);
        }
        Ok(count)
    }
}

/// Reads `source` to its end. `sink` takes what becomes of it where it is one stream; an archive goes past it.
pub(super) fn scan(
    worker: &mut Worker,
    source: &Source<'_>,
    observer: &mut dyn Observer,
    sink: Option<&mut dyn Sink>,
) -> Result<Scanned, Reason> {
    let shared = Arc::clone(&worker.shared);
    let mut file = Metered { file: source.file, progress: source.metered.then_some(&shared.progress) };
    let mut block = std::mem::take(&mut worker.block);
    block.clear();
    read_block(&mut file, &mut block).map_err(Reason::Read)?;
    let size = source.file.metadata().map_err(Reason::Read)?.len();
    let budget = Budget::new(size, shared.read.max_inflated, shared.read.max_ratio);
    worker.metered = source.metered;
    let mut look = Look { worker, observer, budget: &budget };
    let done = match Format::of(&block, source.name) {
        Format::Zip => zipped::scan(&mut look, source.file),
        Format::Tar => tarball::scan(&mut look, &mut block.chain(file)).map(|done| done.shaped(Shape::Tar(None))),
        Format::Packed(codec) => {
            let name = source.name;
            look.packed(Packed { codec, head: &block, rest: &mut file, name, member: None }, sink)
        }
        Format::Unsupported(name) => Ok(Scanned::of_skip(Skip::Unsupported(name))),
        Format::Wide => Ok(Scanned::of_skip(Skip::Wide)),
        Format::Binary if !shared.read.binary => Ok(Scanned::of_skip(Skip::Binary)),
        Format::Text | Format::Binary => {
            let stream = Stream { format: "", member: None, head: &mut block, rest: &mut file };
            look.stream(stream, sink).map(Scanned::of_stream)
        }
    };
    worker.block = block;
    done
}

/// What it takes to look at something.
pub(super) struct Look<'l> {
    pub(super) worker: &'l mut Worker,
    pub(super) observer: &'l mut dyn Observer,
    pub(super) budget: &'l Budget,
}

impl Look<'_> {
    fn stream(&mut self, stream: Stream<'_>, sink: Option<&mut dyn Sink>) -> Result<Redacted, Reason> {
        self.observer.begin(stream.member);
        redact(self.worker, stream, self.observer, sink)
    }

    /// Why a stream of this format is not looked at inside of something that was unpacked already.
    fn passed_over(&self, format: Format) -> Option<Skip> {
        match format {
            Format::Text => None,
            Format::Binary if self.worker.shared.read.binary => None,
            Format::Binary => Some(Skip::Binary),
            Format::Wide => Some(Skip::Wide),
            Format::Unsupported(name) => Some(Skip::Unsupported(name)),
            nested => Some(Skip::Nested(nested.name())),
        }
    }

    /// What a text that stands beside data becomes, where something in it is masked.
    pub(super) fn masked(&mut self, text: &[u8]) -> Option<Bytes> {
        let engine = &self.worker.shared.engine;
        let block = Bytes::copy_from_slice(text);
        let (masked, _, _) = engine.redact(&mut self.worker.scratch, &Carry::default(), block);
        (masked.as_bytes() != text).then(|| masked.into_bytes())
    }

    /// Looks at the comment of an archive or of one of its members, and shows it as a text of its own where something in it is
    /// masked: `true` then.
    pub(super) fn comment(&mut self, of: &[u8], text: &[u8], tally: &mut Tally) -> bool {
        let piece = Piece::records(Bytes::copy_from_slice(text));
        let Worker { shared, scratch, .. } = &mut *self.worker;
        let (masked, _, its) = shared.engine.redact_piece(scratch, &Carry::default(), &piece);
        if masked.as_bytes() == text {
            return false;
        }
        let name = [of, b"(comment)"].concat();
        let (member, found) = (Some(&*name), scratch.found());
        self.observer.begin(member);
        self.observer.piece(&Seen { member, offset: 0, line: 1, piece: &piece, found, masked: &masked, tally: &its });
        tally.add(&its);
        true
    }

    /// Refuses a file with something to mask beside its data: `what` is that.
    pub(super) fn nothing_in(&mut self, text: &[u8], what: &str) -> Result<(), Reason> {
        match self.masked(text) {
            Some(_) => Err(Reason::Refused(format!("{what} holds something to mask; unpack it to have it masked"))),
            None => Ok(()),
        }
    }

    /// A compressed file: a tar archive, or one stream.
    fn packed(&mut self, packed: Packed<'_>, sink: Option<&mut dyn Sink>) -> Result<Scanned, Reason> {
        let (beside, codec) = (Beside::default(), packed.codec);
        let scanned = self.unpacked(packed, sink, &beside)?;
        self.nothing_in(
            &beside.take(),
            match codec {
                Codec::Gzip => "a gzip header",
                Codec::Zstd => "a skippable frame",
            },
        )?;
        Ok(scanned)
    }

    fn unpacked(
        &mut self,
        packed: Packed<'_>,
        sink: Option<&mut dyn Sink>,
        beside: &Beside,
    ) -> Result<Scanned, Reason> {
        let Packed { codec, head, rest, name, .. } = packed;
        let broken = |error| Reason::reading(codec.name(), error);
        let mut plain = codec.watched(head.chain(rest), self.budget, beside).map_err(broken)?;
        let mut block = Vec::new();
        read_block(&mut plain, &mut block).map_err(broken)?;
        let format = Format::of(&block, name);
        if format == Format::Tar && packed.member.is_none() {
            return tarball::scan(self, &mut block.chain(plain)).map(|done| done.shaped(Shape::Tar(Some(codec))));
        }
        if let Some(skip) = self.passed_over(format) {
            return Ok(Scanned::of_skip(skip));
        }
        let stream = Stream { format: codec.name(), member: packed.member, head: &mut block, rest: &mut plain };
        let mut sink = sink;
        if let Some(sink) = &mut sink {
            sink.wrapped(codec, head)?;
        }
        self.stream(stream, sink).map(Scanned::of_stream)
    }

    /// A member of an archive of this format, perhaps compressed by itself.
    pub(super) fn member(
        &mut self,
        name: &[u8],
        archive: &'static str,
        input: &mut (dyn Read + Send),
        sink: Option<&mut dyn Sink>,
    ) -> Result<Scanned, Reason> {
        let mut head = Vec::new();
        read_block(input, &mut head).map_err(|error| Reason::reading(archive, error))?;
        let format = Format::of(&head, name);
        if let Format::Packed(codec) = format {
            return self.packed(Packed { codec, head: &head, rest: input, name, member: Some(name) }, sink);
        }
        if let Some(skip) = self.passed_over(format) {
            return Ok(Scanned::of_skip(skip));
        }
        let stream = Stream { format: archive, member: Some(name), head: &mut head, rest: input };
        self.stream(stream, sink).map(Scanned::of_stream)
    }
}

/// A compressed stream whose first bytes were read.
struct Packed<'p> {
    codec: Codec,
    head: &'p [u8],
    rest: &'p mut (dyn Read + Send),
    name: &'p [u8],
    member: Option<&'p [u8]>,
}

impl Scanned {
    fn of_stream(done: Redacted) -> Scanned {
        let Redacted { tally, changed, masked_bytes } = done;
        Scanned { tally, changed, masked_bytes, ..Scanned::default() }
    }

    fn shaped(self, shape: Shape) -> Scanned {
        Scanned { shape, ..self }
    }
}

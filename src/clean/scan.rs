//! Reads one file to its end, whatever it is made of, and shows every piece of it. What is done with the result is the
//! caller's.

use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::{CWD, FileType, Mode, OFlags};

use super::beside::Beside;
use super::budget::Budget;
use super::error::{Reason, Skip};
use super::format::{Codec, Format};
use super::input::{Input, Metered, Plain, beside};
use super::stream::{Redacted, Sink, Stream, redact};
use super::threads::Worker;
use super::walk::FileEntry;
use super::{tarball, zipped};
use crate::engine::{Carry, Masked, Piece, Span, Tally};

/// A compressed file of this size is worth threads that unpack it and pack it again.
pub(super) const LONG_PACKED_BYTES: u64 = 1 << 20;

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
    let shared = Arc::clone(&worker.shared);
    let opened = File::from(fd);
    let mut input = Metered { file: &opened, progress: Some(&shared.progress) };
    let name = file.real.as_os_str().as_bytes();
    let source = Source { input: &mut input, file: &opened, size: stat.st_size as u64, name, metered: true };
    scan(worker, source, observer, None)
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

/// A file to be read from its beginning.
pub(super) struct Source<'f> {
    pub(super) input: &'f mut dyn Input,
    /// The same, for what is read from its end.
    pub(super) file: &'f File,
    /// What of it may come out is measured by.
    pub(super) size: u64,
    pub(super) name: &'f [u8],
    /// Whether what is found in it counts as progress.
    pub(super) metered: bool,
}

/// Reads `source` to its end. `sink` takes what becomes of it where it is one stream; an archive goes past it.
pub(super) fn scan(
    worker: &mut Worker,
    source: Source<'_>,
    observer: &mut dyn Observer,
    sink: Option<&mut dyn Sink>,
) -> Result<Scanned, Reason> {
    let Source { input, file, size, name, metered } = source;
    let read = worker.shared.read;
    let mut block = std::mem::take(&mut worker.block);
    block.clear();
    let more = input.append(&mut block).map_err(Reason::Read)?;
    let budget = Budget::new(size, read.max_inflated, read.max_ratio);
    worker.metered = metered;
    let mut look = Look { worker, observer, budget: &budget };
    let done = match Format::of(&block, name) {
        Format::Zip => zipped::scan(&mut look, file),
        Format::Tar => tarball::scan(&mut look, &mut block.chain(input)).map(|done| done.shaped(Shape::Tar(None))),
        Format::Packed(codec) => {
            let is_long = size >= LONG_PACKED_BYTES;
            look.packed(Packed { codec, head: &block, rest: input, is_long, name, member: None }, sink)
        }
        Format::Unsupported(name) => Ok(Scanned::of_skip(Skip::Unsupported(name))),
        Format::Wide => Ok(Scanned::of_skip(Skip::Wide)),
        Format::Binary if !read.binary => Ok(Scanned::of_skip(Skip::Binary)),
        Format::Text | Format::Binary => {
            let stream = Stream { format: "", member: None, head: &mut block, more, rest: input, is_light: true };
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
        self.observer.piece(&Seen { member, offset: 0, line: 1, piece: &piece, found, masked: &masked });
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
        let Packed { codec, head, rest, is_long, name, member } = packed;
        let aside = Beside::default();
        let decoder = codec.watched(head.chain(rest), self.budget, &aside);
        let mut plain = Plain(decoder.map_err(|error| Reason::reading(codec.name(), error))?);
        let unpacked = Unpacked { codec, head, name, member };
        let scanned = if is_long && self.worker.may_share() {
            beside(&mut plain, |plain| self.unpacked(unpacked, plain, sink))?
        } else {
            self.unpacked(unpacked, &mut plain, sink)?
        };
        let what = match codec {
            Codec::Gzip => "a gzip header",
            Codec::Zstd => "a skippable frame",
        };
        self.nothing_in(&aside.take(), what)?;
        Ok(scanned)
    }

    fn unpacked(
        &mut self,
        packed: Unpacked<'_>,
        plain: &mut dyn Input,
        mut sink: Option<&mut dyn Sink>,
    ) -> Result<Scanned, Reason> {
        let Unpacked { codec, head, name, member } = packed;
        let mut block = Vec::new();
        let more = plain.append(&mut block).map_err(|error| Reason::reading(codec.name(), error))?;
        let format = Format::of(&block, name);
        if format == Format::Tar && member.is_none() {
            return tarball::scan(self, &mut block.chain(plain)).map(|done| done.shaped(Shape::Tar(Some(codec))));
        }
        if let Some(skip) = self.passed_over(format) {
            return Ok(Scanned::of_skip(skip));
        }
        if let Some(sink) = &mut sink {
            sink.wrapped(codec, head)?;
        }
        let stream = Stream { format: codec.name(), member, head: &mut block, more, rest: plain, is_light: false };
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
        let (mut head, mut rest) = (Vec::new(), Plain(input));
        let more = rest.append(&mut head).map_err(|error| Reason::reading(archive, error))?;
        let format = Format::of(&head, name);
        if let Format::Packed(codec) = format {
            let packed = Packed { codec, head: &head, rest: &mut rest, is_long: false, name, member: Some(name) };
            return self.packed(packed, sink);
        }
        if let Some(skip) = self.passed_over(format) {
            return Ok(Scanned::of_skip(skip));
        }
        let member = Some(name);
        let stream = Stream { format: archive, member, head: &mut head, more, rest: &mut rest, is_light: true };
        self.stream(stream, sink).map(Scanned::of_stream)
    }
}

/// A compressed stream whose first bytes were read.
struct Packed<'p> {
    codec: Codec,
    head: &'p [u8],
    rest: &'p mut dyn Input,
    /// Whether unpacking it is worth a thread.
    is_long: bool,
    name: &'p [u8],
    member: Option<&'p [u8]>,
}

/// What is known of a compressed stream beside what comes out of it.
#[derive(Clone, Copy)]
struct Unpacked<'p> {
    codec: Codec,
    head: &'p [u8],
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

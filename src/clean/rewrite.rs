//! One file cleaned: in its place, into another folder, or only to say what would be done.
//!
//! A file is read once. Up to its first finding nothing is written; then what was read is copied, and the rest follows as
//! it is masked. What is written is scanned again; that of a long file already while more of it comes. An archive is read twice where it holds something, because a member's header tells its length before it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::Stat;

use super::budget::Budget;
use super::error::{Outcome, Reason, Skip};
use super::follow::{Following, Writer};
use super::format::{Codec, Encoder};
use super::input::{BLOCK_BYTES, Metered};
use super::place::{self, Folder, Temp};
use super::scan::{LONG_PACKED_BYTES, Look, Observer, Scanned, Shape, Silent, Source, scan};
use super::stream::Sink;
use super::threads::{Shared, Worker};
use super::walk::FileEntry;
use super::{tarball, zipped};
use crate::engine::{Masked, Tally};

/// A file of this size is worth threads that scan its result and have it written to the disk meanwhile.
const LONG_BYTES: u64 = 4 << 20;

/// Where the result goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nowhere: only what would be done is told.
    Nowhere,
    /// Into the place of the original, of which a copy is kept under its name and this suffix, if there is one.
    InPlace {
        /// Begins with no `/`.
        suffix: Option<OsString>,
    },
    /// Into this folder, as it lay in the one that was named.
    Folder(PathBuf),
}

/// How files are cleaned.
#[derive(Clone, Debug)]
pub struct CleanOptions {
    /// Where the result goes.
    pub target: Target,
    /// Whether the result is scanned before it is kept.
    pub verify: bool,
    /// Whether a file with other names gets a life of its own.
    pub break_hardlinks: bool,
    /// Whether the time of the last change is kept.
    pub preserve_mtime: bool,
}

/// What became of a file, and what was seen of it.
#[derive(Debug)]
pub struct Done {
    /// What became of it.
    pub outcome: Outcome,
    /// What was counted in it.
    pub tally: Tally,
    /// The members that were not looked at.
    pub skipped: Vec<(Vec<u8>, Skip)>,
}

/// Cleans one file, and shows every piece of it to `observer`.
pub fn clean_file(worker: &mut Worker, file: &FileEntry, options: &CleanOptions, observer: &mut dyn Observer) -> Done {
    worker.scratch.read_from(&file.path.to_string_lossy());
    match (Cleaning { worker, file, options }).run(observer) {
        Ok((scanned, outcome)) => Done { outcome, tally: scanned.tally, skipped: scanned.skipped },
        Err(reason) => Done { outcome: Outcome::Failed(reason), tally: Tally::default(), skipped: Vec::new() },
    }
}

struct Cleaning<'c> {
    worker: &'c mut Worker,
    file: &'c FileEntry,
    options: &'c CleanOptions,
}

/// The file that is cleaned, held open.
struct Original<'o> {
    folder: &'o Folder,
    name: &'o OsStr,
    file: File,
    stat: Stat,
}

impl Cleaning<'_> {
    fn run(&mut self, observer: &mut dyn Observer) -> Result<(Scanned, Outcome), Reason> {
        if self.worker.shared.stopped() {
            return Err(Reason::Interrupted);
        }
        let (parent, name) = split(&self.file.real)?;
        let writes_here = matches!(self.options.target, Target::InPlace { .. });
        let folder = self.worker.folder(parent, writes_here)?;
        let (file, stat) = folder.file(name)?;
        let original = Original { folder: &folder, name, file, stat };
        match &self.options.target {
            Target::Nowhere => self.look(&original, observer),
            Target::InPlace { suffix } => self.in_place(&original, suffix.as_deref(), observer),
            Target::Folder(out) => self.mirrored(&original, out, observer),
        }
    }

    fn look(&mut self, original: &Original<'_>, observer: &mut dyn Observer) -> Result<(Scanned, Outcome), Reason> {
        let scanned = self.scan(original, observer, None)?;
        let outcome = outcome(&scanned);
        Ok((scanned, outcome))
    }

    fn scan(
        &mut self,
        original: &Original<'_>,
        observer: &mut dyn Observer,
        sink: Option<&mut dyn Sink>,
    ) -> Result<Scanned, Reason> {
        let shared = Arc::clone(&self.worker.shared);
        let mut input = Metered { file: &original.file, progress: Some(&shared.progress) };
        let (name, size) = (original.name.as_bytes(), original.stat.st_size as u64);
        let source = Source { input: &mut input, file: &original.file, size, name, metered: true };
        scan(self.worker, source, observer, sink)
    }

    fn in_place(
        &mut self,
        original: &Original<'_>,
        suffix: Option<&OsStr>,
        observer: &mut dyn Observer,
    ) -> Result<(Scanned, Outcome), Reason> {
        self.may_be_replaced(original)?;
        let (scanned, written) = self.rewritten(original, original.folder, observer)?;
        let Some(written) = written else {
            original.unchanged()?;
            let outcome = outcome(&scanned);
            return Ok((scanned, outcome));
        };
        let temp = self.verified(written)?;
        place::keep_owner_and_rights(&original.file, &original.stat, &temp.file)?;
        if self.options.preserve_mtime {
            place::keep_time(&original.stat, &temp.file)?;
        }
        temp.sync().map_err(Reason::Write)?;
        if let Some(suffix) = suffix {
            original.back_up(suffix)?;
        }
        self.not_stopped()?;
        original.unchanged()?;
        temp.replace(original.name).map_err(Reason::Write)?;
        original.folder.sync().map_err(Reason::Write)?;
        if place::was_written(&original.file, &original.stat) {
            return Err(Reason::Overtaken);
        }
        let outcome = outcome(&scanned);
        Ok((scanned, outcome))
    }

    fn may_be_replaced(&self, original: &Original<'_>) -> Result<(), Reason> {
        let links = original.stat.st_nlink;
        if links > 1 && !self.options.break_hardlinks {
            return Err(Reason::HardLinks(links));
        }
        // Root may write to anything; somebody has said that this is not to be written to.
        if original.stat.st_mode & 0o222 == 0 || !original.folder.is_writable(original.name) {
            return Err(Reason::Refused("is read-only".to_owned()));
        }
        Ok(())
    }

    fn mirrored(
        &mut self,
        original: &Original<'_>,
        out: &Path,
        observer: &mut dyn Observer,
    ) -> Result<(Scanned, Outcome), Reason> {
        let (parent, name) = split(&self.file.relative)?;
        let folder = self.worker.out_folder(out, parent)?;
        if folder.look(name).map_err(Reason::Write)?.is_some_and(|there| is_one_file(&there, &original.stat)) {
            return Err(Reason::Refused("would be written over itself; use --in-place for that".to_owned()));
        }
        let (scanned, written) = self.rewritten(original, &folder, observer)?;
        let temp = match written {
            Some(written) => self.verified(written)?,
            None if scanned.skip.is_some() => {
                let outcome = outcome(&scanned);
                return Ok((scanned, outcome));
            }
            None => {
                let temp = Temp::new(&folder).map_err(Reason::Write)?;
                copy_start(&original.file, &temp.file, original.stat.st_size as u64)?;
                temp
            }
        };
        place::keep_rights(&original.stat, &temp.file)?;
        if self.options.preserve_mtime {
            place::keep_time(&original.stat, &temp.file)?;
        }
        self.not_stopped()?;
        original.unchanged()?;
        temp.replace(name).map_err(Reason::Write)?;
        let outcome = outcome(&scanned);
        Ok((scanned, outcome))
    }

    /// Reads the original, and writes into `folder` what it becomes if that is anything else.
    fn rewritten<'f>(
        &mut self,
        original: &Original<'_>,
        folder: &'f Folder,
        observer: &mut dyn Observer,
    ) -> Result<(Scanned, Option<Written<'f>>), Reason> {
        let read = self.worker.shared.read;
        let budget = Budget::new(original.stat.st_size as u64, read.max_inflated, read.max_ratio);
        // A file of /proc has no length: what was read is what there is, and reading it again might give something else.
        let eager = original.stat.st_size == 0 && matches!(self.options.target, Target::Folder(_));
        let behind = self.behind(original);
        let original_file = &original.file;
        let mut lazy = Lazy {
            original: original_file,
            folder,
            budget: &budget,
            behind: &behind,
            wrapping: None,
            same: 0,
            eager,
            open: None,
        };
        let scanned = self.scan(original, observer, Some(&mut lazy))?;
        let written = match (scanned.changed, scanned.shape) {
            (true, Shape::Stream) => lazy.finish()?,
            (false, _) if eager => lazy.finish()?,
            (false, _) => None,
            (true, shape) => {
                let temp = self.archive(original, folder, &scanned, shape, &budget)?;
                Some(Written { following: behind.whole(&temp.file).map_err(Reason::Write)?, temp })
            }
        };
        Ok((scanned, written))
    }

    fn behind<'a>(&self, original: &'a Original<'_>) -> Behind<'a> {
        Behind {
            shared: Arc::clone(&self.worker.shared),
            name: original.name.as_bytes(),
            size: original.stat.st_size as u64,
            verify: self.options.verify,
            in_place: matches!(self.options.target, Target::InPlace { .. }),
        }
    }

    /// Writes an archive of which it is known what changes in it.
    fn archive<'f>(
        &mut self,
        original: &Original<'_>,
        folder: &'f Folder,
        scanned: &Scanned,
        shape: Shape,
        budget: &Budget,
    ) -> Result<Temp<'f>, Reason> {
        let temp = Temp::new(folder).map_err(Reason::Write)?;
        // What is found in this pass was told of before.
        self.worker.metered = false;
        let mut look = Look { worker: self.worker, observer: &mut Silent, budget };
        let spool = || folder.anonymous();
        match shape {
            Shape::Zip => zipped::rewrite(&mut look, &original.file, &scanned.members, &temp.file)?,
            Shape::Tar(None) => {
                let mut out = BufWriter::with_capacity(BLOCK_BYTES, &temp.file);
                let mut input = PositionedReader { file: &original.file, offset: 0 };
                tarball::rewrite(&mut look, &mut input, &scanned.members, &mut out, &spool)?;
                out.flush().map_err(Reason::Write)?;
            }
            Shape::Tar(Some(codec)) => {
                let mut head = Vec::new();
                let packed = PositionedReader { file: &original.file, offset: 0 };
                packed.take(BLOCK_BYTES as u64).read_to_end(&mut head).map_err(Reason::Read)?;
                let input = PositionedReader { file: &original.file, offset: 0 };
                let mut input = codec.decoder(input, budget).map_err(Reason::Read)?;
                let out = BufWriter::with_capacity(BLOCK_BYTES, &temp.file);
                let mut out = codec.encoder(&head, out, original.stat.st_size as u64).map_err(Reason::Write)?;
                tarball::rewrite(&mut look, &mut *input, &scanned.members, &mut out, &spool)?;
                out.finish().map_err(Reason::Write)?;
            }
            Shape::Stream => unreachable!("a stream is written while it is read"),
        }
        Ok(temp)
    }

    /// What was written, scanned: nothing may be left to mask.
    fn verified<'f>(&mut self, written: Written<'f>) -> Result<Temp<'f>, Reason> {
        let Written { temp, mut following } = written;
        let found = match following.scanned() {
            None if self.options.verify => Some(self.scanned_again(&temp)),
            found => found,
        };
        following.synced().map_err(Reason::Write)?;
        match found.transpose()? {
            Some(found) if found.changed || found.skip.is_some() => Err(Reason::StillFound(found.tally.total().max(1))),
            _ => Ok(temp),
        }
    }

    fn scanned_again(&mut self, temp: &Temp<'_>) -> Result<Scanned, Reason> {
        (&temp.file).rewind().map_err(Reason::Write)?;
        let mut input = Metered { file: &temp.file, progress: None };
        let name = self.file.real.as_os_str().as_bytes();
        // What is too much was told of by the first pass.
        let source = Source { input: &mut input, file: &temp.file, size: u64::MAX, name, metered: false };
        scan(self.worker, source, &mut Silent, None)
    }

    fn not_stopped(&self) -> Result<(), Reason> {
        if self.worker.shared.stopped() { Err(Reason::Interrupted) } else { Ok(()) }
    }
}

impl Original<'_> {
    /// Refuses what somebody wrote to, or put in its place, since it was opened.
    fn unchanged(&self) -> Result<(), Reason> {
        let now = self.folder.look(self.name).map_err(Reason::Read)?;
        let same = now.is_some_and(|now| place::is_same(&self.stat, &now));
        if same { Ok(()) } else { Err(Reason::Changed) }
    }

    /// Keeps a copy that nobody else may read: it holds what is masked.
    fn back_up(&self, suffix: &OsStr) -> Result<(), Reason> {
        let temp = Temp::new(self.folder).map_err(Reason::Write)?;
        copy_start(&self.file, &temp.file, self.stat.st_size as u64)?;
        place::keep_time(&self.stat, &temp.file)?;
        temp.sync().map_err(Reason::Write)?;
        let name = OsString::from_iter([self.name, suffix]);
        temp.add(&name).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                Reason::Refused(format!("the backup {} exists already", super::shown(Path::new(&name))))
            }
            _ => Reason::Write(error),
        })
    }
}

fn outcome(scanned: &Scanned) -> Outcome {
    match scanned.skip {
        Some(skip) => Outcome::Skipped(skip),
        None if scanned.changed => {
            let findings = scanned.tally.total() + scanned.tally.records_masked_whole;
            Outcome::Cleaned { findings }
        }
        None => Outcome::Unchanged,
    }
}

fn is_one_file(a: &Stat, b: &Stat) -> bool {
    (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)
}

fn split(path: &Path) -> Result<(&Path, &OsStr), Reason> {
    let name = path.file_name().ok_or(Reason::NotRegular("a folder"))?;
    Ok((path.parent().unwrap_or(Path::new("")), name))
}

/// Folders are opened once for all the files in them that come one after the other.
#[derive(Default)]
pub(super) struct OpenFolders {
    source: Option<(PathBuf, Arc<Folder>)>,
    out: Option<(PathBuf, Arc<Folder>)>,
}

impl Worker {
    /// The folder at `path`; where it is written to, with what killed runs left in it removed.
    fn folder(&mut self, path: &Path, writes_here: bool) -> Result<Arc<Folder>, Reason> {
        if let Some((known, folder)) = &self.folders.source
            && known == path
        {
            return Ok(Arc::clone(folder));
        }
        let folder = Arc::new(Folder::open(path).map_err(Reason::Read)?);
        if writes_here {
            folder.sweep().map_err(Reason::Read)?;
        }
        self.folders.source = Some((path.to_owned(), Arc::clone(&folder)));
        Ok(folder)
    }

    fn out_folder(&mut self, out: &Path, relative: &Path) -> Result<Arc<Folder>, Reason> {
        if let Some((known, folder)) = &self.folders.out
            && known == relative
        {
            return Ok(Arc::clone(folder));
        }
        let folder = Folder::open(out).and_then(|root| root.below(relative)).map_err(Reason::Write)?;
        folder.sweep().map_err(Reason::Write)?;
        let folder = Arc::new(folder);
        self.folders.out = Some((relative.to_owned(), Arc::clone(&folder)));
        Ok(folder)
    }
}

/// A result that is whole, and what still goes on behind it.
struct Written<'f> {
    temp: Temp<'f>,
    following: Following,
}

/// What is to be done behind a file while it is written.
struct Behind<'b> {
    shared: Arc<Shared>,
    name: &'b [u8],
    /// That of the original.
    size: u64,
    verify: bool,
    in_place: bool,
}

impl Behind<'_> {
    /// Begins it for `file`, into which something is packed or not.
    fn begin(&self, file: &File, is_packed: bool) -> io::Result<Following> {
        let mut following = Following::default();
        let worth = if is_packed { LONG_PACKED_BYTES } else { LONG_BYTES };
        if self.verify && self.size >= worth && self.shared.has_idle_threads() {
            following.scan(file, &self.shared, self.name)?;
        }
        if self.in_place && self.size >= LONG_BYTES {
            following.sync(file)?;
        }
        Ok(following)
    }

    /// Has a file that is whole brought to the disk while it is scanned.
    fn whole(&self, file: &File) -> io::Result<Following> {
        let mut following = Following::default();
        if self.in_place && self.size >= LONG_BYTES {
            following.sync(file)?;
        }
        following.end();
        Ok(following)
    }
}

/// Begins to write with the first byte that differs.
struct Lazy<'l, 'f> {
    original: &'l File,
    folder: &'f Folder,
    budget: &'l Budget,
    behind: &'l Behind<'l>,
    /// The compression around the stream, and the first bytes of the file.
    wrapping: Option<(Codec, Vec<u8>)>,
    /// How many bytes of the stream are as they were.
    same: u64,
    /// Whether it is written although nothing differs.
    eager: bool,
    open: Option<Out<'f>>,
}

/// What is being written.
struct Out<'f> {
    temp: Temp<'f>,
    following: Following,
    writer: Packer,
}

enum Packer {
    Plain(Writer),
    Packed(Encoder<'static>),
}

impl Sink for Lazy<'_, '_> {
    fn wrapped(&mut self, codec: Codec, head: &[u8]) -> Result<(), Reason> {
        self.wrapping = Some((codec, head.to_vec()));
        Ok(())
    }

    fn take(&mut self, original: usize, masked: &Masked, changed: bool) -> Result<(), Reason> {
        if self.open.is_none() && !changed && !self.eager {
            self.same += original as u64;
            return Ok(());
        }
        if self.open.is_none() {
            self.open = Some(self.begin()?);
        }
        let bytes = masked.as_bytes();
        let written = self.open.as_mut().map_or(Ok(()), |out| match &mut out.writer {
            Packer::Plain(writer) => writer.write_all(bytes),
            Packer::Packed(encoder) => encoder.write_all(bytes),
        });
        written.map_err(Reason::Write)
    }
}

impl<'f> Lazy<'_, 'f> {
    fn begin(&self) -> Result<Out<'f>, Reason> {
        let temp = Temp::new(self.folder).map_err(Reason::Write)?;
        let following = self.behind.begin(&temp.file, self.wrapping.is_some()).map_err(Reason::Write)?;
        let written = temp.file.try_clone().map_err(Reason::Write)?;
        let Some((codec, head)) = &self.wrapping else {
            copy_start(self.original, &temp.file, self.same)?;
            let writer = Packer::Plain(following.writer(written, self.same));
            return Ok(Out { temp, following, writer });
        };
        let out = BufWriter::with_capacity(BLOCK_BYTES, following.writer(written, 0));
        let mut encoder = codec.encoder(head, out, self.behind.size).map_err(Reason::Write)?;
        if self.same > 0 {
            self.budget.again();
            let packed = PositionedReader { file: self.original, offset: 0 };
            let broken = |error| Reason::reading(codec.name(), error);
            let mut plain = codec.decoder(packed, self.budget).map_err(broken)?.take(self.same);
            copy(&mut plain, &mut encoder, broken)?;
        }
        Ok(Out { temp, following, writer: Packer::Packed(encoder) })
    }

    /// The whole result, if there is one.
    fn finish(self) -> Result<Option<Written<'f>>, Reason> {
        let Some(Out { temp, following, writer }) = self.open else { return Ok(None) };
        if let Packer::Packed(encoder) = writer {
            encoder.finish().map_err(Reason::Write)?;
        }
        following.end();
        Ok(Some(Written { temp, following }))
    }
}

/// Reads a file from a place of its own, whoever else reads it.
pub(super) struct PositionedReader<'f> {
    pub(super) file: &'f File,
    pub(super) offset: u64,
}

impl Read for PositionedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

/// Copies the first `count` bytes of a file to the end of another, in the kernel where it can do that.
fn copy_start(from: &File, mut to: &File, count: u64) -> Result<(), Reason> {
    let mut offset = 0;
    while offset < count {
        let wanted = usize::try_from(count - offset).unwrap_or(usize::MAX).min(1 << 30);
        match rustix::fs::copy_file_range(from, Some(&mut offset), to, None, wanted) {
            Ok(0) => return Err(Reason::Changed),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) if offset == 0 && is_unable(error) => {
                let mut input = PositionedReader { file: from, offset: 0 }.take(count);
                let copied = copy(&mut input, &mut to, Reason::Read)?;
                return if copied == count { Ok(()) } else { Err(Reason::Changed) };
            }
            Err(error) => return Err(Reason::Write(error.into())),
        }
    }
    Ok(())
}

/// Whether the kernel only says that it cannot copy between these files by itself.
fn is_unable(error: rustix::io::Errno) -> bool {
    use rustix::io::Errno;
    matches!(error, Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM | Errno::BADF)
}

/// Copies, and tells whose fault it is when that fails.
pub(super) fn copy(
    input: &mut dyn Read,
    out: &mut dyn Write,
    broken: impl Fn(io::Error) -> Reason,
) -> Result<u64, Reason> {
    let mut buffer = vec![0; BLOCK_BYTES];
    let mut copied = 0;
    loop {
        let count = match input.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(&broken)?,
        };
        if count == 0 {
            return Ok(copied);
        }
        out.write_all(&buffer[..count]).map_err(Reason::Write)?;
        copied += count as u64;
    }
}

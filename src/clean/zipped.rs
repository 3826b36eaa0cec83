//! Zip archives, member by member.

use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, SeekFrom, Write};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::budget::Counted;
use super::error::{Reason, shown_bytes};
use super::format::{Codec, Drain, Encoder};
use super::scan::{Look, Scanned, Shape};
use super::stream::Sink;
use super::zipmap;
use crate::engine::Masked;

const FORMAT: &str = "zip archive";
/// A cleaned copy is sent once: as fast as the other formats are written.
const DEFLATE_LEVEL: i64 = 1;

type Archive<'f> = ZipArchive<BufReader<&'f File>>;

/// Opens the archive in `file`.
fn open(mut file: &File) -> Result<Archive<'_>, Reason> {
    file.seek(SeekFrom::Start(0)).map_err(Reason::Read)?;
    let archive = ZipArchive::new(BufReader::new(file)).map_err(broken)?;
    if archive.offset() != 0 {
        return Err(Reason::Refused("something stands before the archive".to_owned()));
    }
    Ok(archive)
}

/// Looks at every member.
pub(super) fn scan(look: &mut Look<'_>, file: &File) -> Result<Scanned, Reason> {
    let mut archive = open(file)?;
    is_all_members(look, file, &archive)?;
    let mut done = Scanned { shape: Shape::Zip, ..Scanned::default() };
    for index in 0..archive.len() {
        let raw = archive.by_index_raw(index).map_err(broken)?;
        let (name, encrypted) = (raw.name_raw().to_vec(), raw.encrypted());
        drop(raw);
        if encrypted {
            return Err(Reason::Encrypted(shown_bytes(&name)));
        }
        let mut data = archive.by_index(index).map_err(|error| of_member(&name, error))?;
        let comment_changes = look.comment(&name, data.comment().as_bytes(), &mut done.tally);
        if data.is_dir() && comment_changes {
            return Err(refused_comment(&name));
        }
        if !data.is_dir() {
            let mut data = Counted { inner: &mut data, budget: look.budget };
            let mut member = look.member(&name, FORMAT, &mut data, None)?;
            if let Some(skip) = member.skip {
                look.observer.skipped(&name, skip);
            }
            if member.skip.is_some() && comment_changes {
                return Err(refused_comment(&name));
            }
            member.changed |= comment_changes;
            done.add(index as u64, &name, &member);
        }
    }
    done.changed |= look.comment(b"", archive.comment(), &mut done.tally);
    Ok(done)
}

/// Refuses an archive of which not every byte belongs to a member that is looked at, or whose extra fields hold something.
fn is_all_members(look: &mut Look<'_>, file: &File, archive: &Archive<'_>) -> Result<(), Reason> {
    let directory = zipmap::read(file, &mut |extra| look.nothing_in(extra, "an extra field of a member"))?;
    if (directory.members, directory.start) != (archive.len() as u64, archive.central_directory_start()) {
        return Err(Reason::Refused("members have the same name; unpack it to have them inspected".to_owned()));
    }
    Ok(())
}

/// Its content is copied as it stands, and its comment with it.
fn refused_comment(name: &[u8]) -> Reason {
    Reason::Refused(format!("the comment of member {} holds something to mask", shown_bytes(name)))
}

fn of_member(name: &[u8], error: ZipError) -> Reason {
    match error {
        ZipError::UnsupportedArchive(detail) => {
            Reason::Refused(format!("member {} cannot be unpacked: {detail}", shown_bytes(name)))
        }
        error => broken(error),
    }
}

fn broken(error: ZipError) -> Reason {
    match error {
        ZipError::Io(error) => Reason::reading(FORMAT, error),
        error => Reason::Broken { format: FORMAT, detail: error.to_string() },
    }
}

/// Writes the archive in `file` to `out`, with the members that change redacted and the others as they stand.
pub(super) fn rewrite(look: &mut Look<'_>, file: &File, changes: &[(u64, u64)], out: &File) -> Result<(), Reason> {
    let mut archive = open(file)?;
    let comment = archive.comment().to_vec();
    let comment = look.masked(&comment).map_or(comment, |masked| masked.to_vec());
    let mut writer = ZipWriter::new(BufWriter::new(out)).set_auto_large_file();
    for index in 0..archive.len() {
        if changes.binary_search_by_key(&(index as u64), |(index, _)| *index).is_ok() {
            member(look, &mut archive, index, &mut writer)?;
        } else {
            let raw = archive.by_index_raw(index).map_err(broken)?;
            writer.raw_copy_file(raw).map_err(writing)?;
        }
    }
    writer.set_raw_comment(comment.into_boxed_slice()).map_err(writing)?;
    writer.finish().map_err(writing)?.flush().map_err(Reason::Write)
}

type Writer<'o> = ZipWriter<BufWriter<&'o File>>;

/// Writes a member that changes, with everything its header says beside lengths and checksum.
fn member(look: &mut Look<'_>, archive: &mut Archive<'_>, index: usize, writer: &mut Writer<'_>) -> Result<(), Reason> {
    let mut data = archive.by_index(index).map_err(broken)?;
    let name = data.name_raw().to_vec();
    let mut options = data.options().into_full_options();
    if data.compression() == CompressionMethod::Deflated {
        options = options.compression_level(Some(DEFLATE_LEVEL));
    }
    if !data.comment().is_empty() {
        let masked = look.masked(data.comment().as_bytes());
        let comment = masked.map_or(data.comment().into(), |masked| String::from_utf8_lossy(&masked).into_owned());
        options = options.with_file_comment(comment);
    }
    for (id, field) in zipmap::kept_fields(&data.extra_data().unwrap_or_default()) {
        options.add_extra_field(id, field, false).map_err(writing)?;
    }
    writer.start_file_with_options(options.name(&name)).map_err(writing)?;
    let mut data = Counted { inner: &mut data, budget: look.budget };
    let mut sink = Member { out: writer, wrapping: None };
    look.member(&name, FORMAT, &mut data, Some(&mut sink))?;
    sink.finish()
}

/// What becomes of one member, compressed by itself as it was.
struct Member<'m, 'o> {
    out: &'m mut Writer<'o>,
    /// The compression of its own, and what came out of it that was not written.
    wrapping: Option<(Encoder<'static>, Drain)>,
}

impl Sink for Member<'_, '_> {
    fn wrapped(&mut self, codec: Codec, head: &[u8]) -> Result<(), Reason> {
        let drain = Drain::default();
        self.wrapping = Some((codec.encoder(head, drain.clone(), 0).map_err(Reason::Write)?, drain));
        Ok(())
    }

    fn take(&mut self, _: usize, masked: &Masked, _: bool) -> Result<(), Reason> {
        let written = match &mut self.wrapping {
            Some((encoder, drain)) => {
                encoder.write_all(masked.as_bytes()).and_then(|()| self.out.write_all(&drain.take()))
            }
            None => self.out.write_all(masked.as_bytes()),
        };
        written.map_err(Reason::Write)
    }
}

impl Member<'_, '_> {
    fn finish(self) -> Result<(), Reason> {
        let Some((encoder, drain)) = self.wrapping else { return Ok(()) };
        encoder.finish().and_then(|()| self.out.write_all(&drain.take())).map_err(Reason::Write)
    }
}

fn writing(error: ZipError) -> Reason {
    match error {
        ZipError::Io(error) => Reason::Write(error),
        error => Reason::Refused(format!("the archive cannot be written: {error}")),
    }
}

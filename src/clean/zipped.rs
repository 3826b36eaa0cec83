//! Zip archives, member by member.

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};

use bytes::Bytes;
use zip::ZipArchive;
use zip::result::ZipError;

use super::budget::Counted;
use super::error::{Reason, shown_bytes};
use super::scan::{Look, Scanned, Shape};
use crate::engine::Carry;

pub(super) const FORMAT: &str = "zip archive";

pub(super) type Archive<'f> = ZipArchive<BufReader<&'f File>>;

/// Opens the archive in `file`.
pub(super) fn open(mut file: &File) -> Result<Archive<'_>, Reason> {
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
    let mut done = Scanned { shape: Shape::Zip, ..Scanned::default() };
    for index in 0..archive.len() {
        let raw = archive.by_index_raw(index).map_err(broken)?;
        let (name, encrypted) = (raw.name_raw().to_vec(), raw.encrypted());
        drop(raw);
        if encrypted {
            return Err(Reason::Encrypted(shown_bytes(&name)));
        }
        let mut data = archive.by_index(index).map_err(|error| of_member(&name, error))?;
        if !data.is_dir() {
            let mut data = Counted { inner: &mut data, budget: look.budget };
            let member = look.member(&name, FORMAT, &mut data, None)?;
            if let Some(skip) = member.skip {
                look.observer.skipped(&name, skip);
            }
            done.add(index as u64, &name, &member);
        }
    }
    done.changed |= masked_comment(look, archive.comment()).is_some();
    Ok(done)
}

/// The archive's comment, where something in it is masked.
pub(super) fn masked_comment(look: &mut Look<'_>, comment: &[u8]) -> Option<Bytes> {
    let engine = &look.worker.shared.engine;
    let block = Bytes::copy_from_slice(comment);
    let (masked, _, _) = engine.redact(&mut look.worker.scratch, &Carry::default(), block);
    (masked.as_bytes() != comment).then(|| masked.into_bytes())
}

pub(super) fn of_member(name: &[u8], error: ZipError) -> Reason {
    match error {
        ZipError::UnsupportedArchive(detail) => {
            Reason::Refused(format!("member {} cannot be unpacked: {detail}", shown_bytes(name)))
        }
        error => broken(error),
    }
}

pub(super) fn broken(error: ZipError) -> Reason {
    match error {
        ZipError::Io(error) => Reason::reading(FORMAT, error),
        error => Reason::Broken { format: FORMAT, detail: error.to_string() },
    }
}

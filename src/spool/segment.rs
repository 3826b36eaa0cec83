//! One segment: a file that begins with the mark and the version of its format, named by the number of its first record.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::durable::{private, read_at, sync_folder_of};

use super::SpoolError;
use super::record::{Body, HEAD_BYTES, Head, find_head};

const MARK: &[u8; 8] = b"inkspool";
const VERSION: u32 = 1;
/// What stands before the first record.
pub(super) const PREFIX_BYTES: u64 = 16;
/// How much is read at once where a head is sought.
const SEEK_BYTES: u64 = 1 << 20;

/// A segment on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// The number of its first record.
    pub(super) first: u64,
    pub(super) len: u64,
}

/// What stands at a place of a segment.
pub(super) enum Found {
    /// A record, and where the next one begins.
    Record { head: Head, body: Body, next: u64 },
    /// Damaged bytes; what is next begins there.
    Damaged { next: u64 },
    /// Nothing more.
    End,
}

impl Segment {
    /// The segments of `folder`, in order.
    pub(super) fn list(folder: &Path) -> io::Result<Vec<Segment>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".seg")).filter(|digits| digits.len() == 20);
            if let Some(first) = number.and_then(|digits| digits.parse().ok())
                && entry.file_type()?.is_file()
            {
                found.push(Segment { path: entry.path(), first, len: entry.metadata()?.len() });
            }
        }
        found.sort_by_key(|segment| segment.first);
        Ok(found)
    }

    /// A new one, with its name on disk.
    pub(super) fn create(folder: &Path, first: u64) -> io::Result<(Segment, File)> {
        let path = folder.join(format!("{first:020}.seg"));
        let file = private().create(true).truncate(true).open(&path)?;
        let made = write_all_at(&file, &prefix(VERSION), 0).and_then(|()| sync_folder_of(&path));
        if made.is_err() {
            let _ = fs::remove_file(&path);
        }
        made.map(|()| (Segment { path, first, len: PREFIX_BYTES }, file))
    }

    pub(super) fn open(&self) -> io::Result<File> {
        private().open(&self.path)
    }

    /// Whether it can hold records. Its version counts only if its prefix is whole: a damaged one hides no record.
    pub(super) fn check(&self, file: &File) -> Result<bool, SpoolError> {
        let mut bytes = [0; PREFIX_BYTES as usize];
        let read = read_at(file, &mut bytes, 0).map_err(SpoolError::disk(&self.path))?;
        let found = u32::from_le_bytes(bytes[8..12].try_into().expect("four bytes"));
        if bytes == prefix(found) && found != VERSION {
            return Err(SpoolError::Version { path: self.path.clone(), found, known: VERSION });
        }
        Ok(read == bytes.len() && self.len > PREFIX_BYTES)
    }
}

/// What stands at `at` in a segment of `len` bytes.
pub(super) fn read_record(file: &File, at: u64, len: u64) -> io::Result<Found> {
    if at >= len {
        return Ok(Found::End);
    }
    let mut bytes = [0; HEAD_BYTES];
    let read = read_at(file, &mut bytes, at)?;
    let head = Head::parse(&bytes[..read]).filter(|head| at + HEAD_BYTES as u64 + head.body_len() <= len);
    let Some(head) = head else { return seek(file, at + 1, len) };
    let mut body = vec![0; usize::try_from(head.body_len()).map_err(io::Error::other)?];
    let next = at + HEAD_BYTES as u64 + head.body_len();
    if read_at(file, &mut body, at + HEAD_BYTES as u64)? < body.len() {
        return Ok(Found::Damaged { next });
    }
    Ok(match head.body(&Bytes::from(body)) {
        Some(body) => Found::Record { head, body, next },
        None => Found::Damaged { next },
    })
}

/// The next place from `from` on where a head stands.
fn seek(file: &File, from: u64, len: u64) -> io::Result<Found> {
    let mut at = from;
    while at < len {
        let mut bytes = vec![0; (len - at).min(SEEK_BYTES) as usize];
        let read = read_at(file, &mut bytes, at)?;
        bytes.truncate(read);
        if let Some(found) = find_head(&bytes, 0) {
            return Ok(Found::Damaged { next: at + found as u64 });
        }
        if read <= HEAD_BYTES {
            break;
        }
        // A head may stand over the end of what was read.
        at += (read - HEAD_BYTES + 1) as u64;
    }
    Ok(Found::Damaged { next: len })
}

/// Where the last whole record of a segment ends, and the number that comes after it.
pub(super) fn last_end(file: &File, segment: &Segment) -> io::Result<(u64, u64)> {
    let (mut at, mut end, mut number) = (PREFIX_BYTES, PREFIX_BYTES, segment.first);
    loop {
        match read_record(file, at, segment.len)? {
            Found::Record { head, next, .. } => {
                (at, end) = (next, next);
                number = number.max(head.number + 1);
            }
            Found::Damaged { next } => at = next,
            Found::End => return Ok((end, number)),
        }
    }
}

/// Mark, version, and the checksum of both.
fn prefix(version: u32) -> [u8; PREFIX_BYTES as usize] {
    let mut bytes = [0; PREFIX_BYTES as usize];
    bytes[..8].copy_from_slice(MARK);
    bytes[8..12].copy_from_slice(&version.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..12]);
    bytes[12..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

pub(super) fn write_all_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => (bytes, at) = (&bytes[count..], at + count as u64),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

//! Tar archives, record by record: what does not change goes on byte by byte, with all its headers.
//!
//! The records are walked here and not by the `tar` crate, whose writer would make every header anew. Its types read and
//! write the fields.

use std::io::{self, Read};

use tar::{EntryType, Header};

use super::error::{Reason, shown_bytes};
use super::scan::{Look, Scanned};

pub(super) const BLOCK: usize = 512;
pub(super) const FORMAT: &str = "tar archive";
/// Long names and attributes of one member; more is no archive that people made.
const MAX_EXTENSION_BYTES: u64 = 1 << 20;

/// One member and everything that stands before its data.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// Its place among the members.
    pub(super) index: u64,
    /// Its name, as an extension gives it or the header.
    pub(super) name: Vec<u8>,
    /// The blocks of extensions before its header, as they stand.
    pub(super) extensions: Vec<u8>,
    /// Where in `extensions` the extended header that names a size begins.
    pub(super) sized_by: Option<usize>,
    /// Its own header, and those that go on with it where it is sparse.
    pub(super) header: Vec<u8>,
    /// How many bytes of data follow.
    pub(super) size: u64,
    /// Whether its data is a map of holes and what is between them.
    sparse: bool,
}

/// Looks at every member.
pub(super) fn scan(look: &mut Look<'_>, input: &mut (dyn Read + Send)) -> Result<Scanned, Reason> {
    let mut done = Scanned::default();
    walk(input, |entry, data| {
        if entry.size == 0 {
            return Ok(());
        }
        let member = look.member(&entry.name, FORMAT, data, None)?;
        if let Some(skip) = member.skip {
            look.observer.skipped(&entry.name, skip);
        }
        if member.changed && entry.sparse {
            return Err(entry.refused("is sparse and cannot be given another content"));
        }
        done.add(entry.index, &entry.name, &member);
        Ok(())
    })?;
    Ok(done)
}

impl Entry {
    fn refused(&self, why: &str) -> Reason {
        Reason::Refused(format!("member {} {why}", shown_bytes(&self.name)))
    }
}

/// Hands every member to `take`, which may read its data; returns how many zero bytes end the archive.
pub(super) fn walk(
    input: &mut (dyn Read + Send),
    mut take: impl FnMut(&Entry, &mut (dyn Read + Send)) -> Result<(), Reason>,
) -> Result<u64, Reason> {
    let mut index = 0;
    loop {
        let entry = match next_entry(input, index)? {
            Next::Entry(entry) => entry,
            Next::End(read) => return Ok(read + trailing(input)?),
        };
        let mut data = input.take(entry.size);
        take(&entry, &mut data)?;
        io::copy(&mut data, &mut io::sink()).map_err(reading)?;
        if data.limit() > 0 {
            return Err(cut());
        }
        exactly(input, padding(entry.size))?;
        index += 1;
    }
}

enum Next {
    Entry(Entry),
    /// The end, after so many bytes of its mark.
    End(u64),
}

/// How many bytes fill the last block of `size` bytes of data.
pub(super) fn padding(size: u64) -> usize {
    (BLOCK - (size % BLOCK as u64) as usize) % BLOCK
}

/// Reads up to the data of the next member.
fn next_entry(input: &mut (dyn Read + Send), index: u64) -> Result<Next, Reason> {
    let mut entry = Entry { index, ..Entry::default() };
    let mut told_size = None;
    loop {
        let block = match exactly_or_end(input)? {
            Some(block) if block.iter().any(|byte| *byte != 0) => block,
            // In the middle of a member's headers there is no end.
            _ if !entry.extensions.is_empty() => return Err(cut()),
            Some(_) => return Ok(Next::End(BLOCK as u64)),
            None => return Ok(Next::End(0)),
        };
        let header = header(&block)?;
        let size = header.entry_size().map_err(reading)?;
        match header.entry_type() {
            EntryType::XHeader | EntryType::XGlobalHeader | EntryType::GNULongName | EntryType::GNULongLink => {
                let data = extension(input, size)?;
                let start = entry.extensions.len();
                entry.extensions.extend_from_slice(&block);
                entry.extensions.extend_from_slice(&data);
                entry.extensions.resize(entry.extensions.len() + padding(size), 0);
                match header.entry_type() {
                    EntryType::GNULongName => entry.name = data.strip_suffix(b"\0").unwrap_or(&data).to_vec(),
                    EntryType::XHeader => {
                        told_size = entry.read_records(&data, start)?;
                    }
                    _ => {}
                }
            }
            kind => {
                if entry.name.is_empty() {
                    entry.name = header.path_bytes().into_owned();
                }
                // A hard link has no data of its own, whatever its header says.
                entry.size = if kind == EntryType::Link { 0 } else { told_size.unwrap_or(size) };
                entry.header = block.to_vec();
                if kind == EntryType::GNUSparse {
                    entry.sparse = true;
                    entry.read_sparse_map(input)?;
                }
                return Ok(Next::Entry(entry));
            }
        }
    }
}

impl Entry {
    /// Takes from an extended header what is needed of it; the size, where it tells one.
    fn read_records(&mut self, data: &[u8], start: usize) -> Result<Option<u64>, Reason> {
        let mut size = None;
        for (key, value) in records(data)? {
            match key {
                b"path" => self.name = value.to_vec(),
                b"size" => {
                    let told = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                    size = Some(told.ok_or_else(|| broken("a size that is no number"))?);
                    self.sized_by = Some(start);
                }
                key if key.starts_with(b"GNU.sparse.") => self.sparse = true,
                _ => {}
            }
        }
        Ok(size)
    }

    /// The headers that go on with the map of holes.
    fn read_sparse_map(&mut self, input: &mut (dyn Read + Send)) -> Result<(), Reason> {
        let mut more = self.header[482] == 1;
        while more {
            let block = exactly_or_end(input)?.ok_or_else(cut)?;
            more = block[504] == 1;
            self.header.extend_from_slice(&block);
            if self.header.len() as u64 > MAX_EXTENSION_BYTES {
                return Err(broken("a member with too many headers"));
            }
        }
        Ok(())
    }
}

/// The records of an extended header: `length key=value` and a line end, the length counting all of it (POSIX pax).
pub(super) fn records(mut data: &[u8]) -> Result<Vec<(&[u8], &[u8])>, Reason> {
    let mut found = Vec::new();
    while data.first().is_some_and(|byte| *byte != 0) {
        let record = record(data).ok_or_else(|| broken("an extended header that is none"))?;
        found.push((record.1, record.2));
        data = &data[record.0..];
    }
    Ok(found)
}

fn record(data: &[u8]) -> Option<(usize, &[u8], &[u8])> {
    let blank = memchr::memchr(b' ', data)?;
    let length: usize = std::str::from_utf8(&data[..blank]).ok()?.parse().ok()?;
    let text = data.get(blank + 1..length)?.strip_suffix(b"\n")?;
    let equals = memchr::memchr(b'=', text)?;
    Some((length, &text[..equals], &text[equals + 1..]))
}

fn header(block: &[u8; BLOCK]) -> Result<&Header, Reason> {
    let sum = block[..148].iter().chain(&block[156..]).map(|byte| u32::from(*byte)).sum::<u32>() + 8 * u32::from(b' ');
    let header = Header::from_byte_slice(block);
    let right = header.cksum().is_ok_and(|told| told == sum);
    if right { Ok(header) } else { Err(broken("a header with a wrong checksum")) }
}

fn extension(input: &mut (dyn Read + Send), size: u64) -> Result<Vec<u8>, Reason> {
    if size > MAX_EXTENSION_BYTES {
        return Err(broken("a member with too long headers"));
    }
    let data = exactly(input, size as usize)?;
    exactly(input, padding(size))?;
    Ok(data)
}

/// What is behind the mark of the end must be nothing: another archive there would not be looked at.
fn trailing(input: &mut (dyn Read + Send)) -> Result<u64, Reason> {
    let (mut count, mut buffer) = (0, [0; 16 * BLOCK]);
    loop {
        let read = input.read(&mut buffer).map_err(reading)?;
        if buffer[..read].iter().any(|byte| *byte != 0) {
            return Err(Reason::Refused("more stands behind the end of the archive".to_owned()));
        }
        count += read as u64;
        if read == 0 {
            return Ok(count);
        }
    }
}

fn exactly(input: &mut (dyn Read + Send), size: usize) -> Result<Vec<u8>, Reason> {
    let mut data = vec![0; size];
    input.read_exact(&mut data).map_err(reading)?;
    Ok(data)
}

/// The next block, or `None` at the end of the input.
fn exactly_or_end(input: &mut (dyn Read + Send)) -> Result<Option<[u8; BLOCK]>, Reason> {
    let mut block = [0; BLOCK];
    let mut filled = 0;
    while filled < BLOCK {
        match input.read(&mut block[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(cut()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(reading(error)),
        }
    }
    Ok(Some(block))
}

fn reading(error: io::Error) -> Reason {
    Reason::reading(FORMAT, error)
}

fn cut() -> Reason {
    broken("it ends in the middle")
}

fn broken(detail: &str) -> Reason {
    Reason::Broken { format: FORMAT, detail: detail.to_owned() }
}

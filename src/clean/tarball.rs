//! Tar archives, record by record: what does not change goes on byte by byte, with all its headers.
//!
//! The records are walked here and not by the `tar` crate, whose writer would make every header anew. Its types read and
//! write the fields.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};

use tar::{EntryType, Header};

use super::error::{Reason, shown_bytes};
use super::format::{Codec, Encoder};
use super::input::BLOCK_BYTES;
use super::rewrite::copy;
use super::scan::{Look, Scanned};
use super::stream::Sink;
use crate::engine::Masked;

const BLOCK: usize = 512;
const FORMAT: &str = "tar archive";
/// Long names and attributes of one member; more is no archive that people made.
const MAX_EXTENSION_BYTES: u64 = 1 << 20;

/// One member and everything that stands before its data.
#[derive(Debug, Default)]
struct Entry {
    /// Its place among the members.
    index: u64,
    /// Its name, as an extension gives it or the header.
    name: Vec<u8>,
    /// The blocks of extensions before its header, as they stand.
    extensions: Vec<u8>,
    /// What extended headers say beside names: comments, attributes.
    said: Vec<u8>,
    /// Where in `extensions` the extended header that names a size begins.
    sized_by: Option<usize>,
    /// Its own header, and those that go on with it where it is sparse.
    header: Vec<u8>,
    /// How many bytes of data follow.
    size: u64,
    /// Whether its data is a map of holes and what is between them.
    sparse: bool,
}

/// Looks at every member.
pub(super) fn scan(look: &mut Look<'_>, input: &mut (dyn Read + Send)) -> Result<Scanned, Reason> {
    let mut done = Scanned::default();
    walk(input, |entry, data| {
        look.nothing_in(&entry.said, "an extended header")?;
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

/// Writes the archive to `out` with the members that change redacted; `changes` are their places and lengths.
pub(super) fn rewrite(
    look: &mut Look<'_>,
    input: &mut (dyn Read + Send),
    changes: &[(u64, u64)],
    out: &mut (dyn Write + Send),
    spool: &(dyn Fn() -> io::Result<File> + Sync),
) -> Result<(), Reason> {
    let end = walk(input, |entry, data| {
        let Ok(at) = changes.binary_search_by_key(&entry.index, |(index, _)| *index) else {
            out.write_all(&entry.extensions).and_then(|()| out.write_all(&entry.header)).map_err(Reason::Write)?;
            copy(data, out, reading)?;
            return zeros(out, padding(entry.size) as u64);
        };
        let mut member = Member { entry, length: changes[at].1, out: &mut *out, spool, begun: None };
        look.member(&entry.name, FORMAT, data, Some(&mut member))?;
        member.finish()
    })?;
    zeros(out, end)
}

/// What becomes of one member.
struct Member<'m> {
    entry: &'m Entry,
    /// How long it was when it was looked at, before compression of its own.
    length: u64,
    out: &'m mut (dyn Write + Send),
    spool: &'m (dyn Fn() -> io::Result<File> + Sync),
    begun: Option<Begun>,
}

enum Begun {
    /// The header is written, and so many bytes of data.
    Plain(u64),
    /// How long it is will be known at the end: it is compressed into a file of its own first.
    Packed(Encoder<'static>, File),
}

impl Sink for Member<'_> {
    fn wrapped(&mut self, codec: Codec, head: &[u8]) -> Result<(), Reason> {
        let spool = (self.spool)().map_err(Reason::Write)?;
        let out = BufWriter::with_capacity(BLOCK_BYTES, spool.try_clone().map_err(Reason::Write)?);
        self.begun = Some(Begun::Packed(codec.encoder(head, out, 0).map_err(Reason::Write)?, spool));
        Ok(())
    }

    fn take(&mut self, _: usize, masked: &Masked, _: bool) -> Result<(), Reason> {
        let bytes = masked.as_bytes();
        if self.begun.is_none() {
            self.out.write_all(&self.entry.head_for(self.length)?).map_err(Reason::Write)?;
            self.begun = Some(Begun::Plain(0));
        }
        let written = match &mut self.begun {
            Some(Begun::Packed(encoder, _)) => encoder.write_all(bytes),
            Some(Begun::Plain(written)) => {
                *written += bytes.len() as u64;
                self.out.write_all(bytes)
            }
            None => Ok(()),
        };
        written.map_err(Reason::Write)
    }
}

impl Member<'_> {
    fn finish(self) -> Result<(), Reason> {
        match self.begun {
            Some(Begun::Plain(written)) if written == self.length => zeros(self.out, padding(written) as u64),
            Some(Begun::Packed(encoder, mut spool)) => {
                encoder.finish().map_err(Reason::Write)?;
                let length = spool.stream_position().map_err(Reason::Write)?;
                spool.rewind().map_err(Reason::Write)?;
                self.out.write_all(&self.entry.head_for(length)?).map_err(Reason::Write)?;
                copy(&mut spool, self.out, Reason::Read)?;
                zeros(self.out, padding(length) as u64)
            }
            // It is not what it was when it was looked at.
            _ => Err(Reason::Changed),
        }
    }
}

impl Entry {
    /// All of its headers for data of `length` bytes.
    fn head_for(&self, length: u64) -> Result<Vec<u8>, Reason> {
        let mut head = match self.sized_by {
            Some(start) => self.with_size_record(start, length)?,
            None => self.extensions.clone(),
        };
        let mut header = Header::from_byte_slice(&self.header[..BLOCK]).clone();
        // Where an extended header tells the size, this field may be too small for it and is not looked at.
        header.set_size(length);
        header.set_cksum();
        head.extend_from_slice(header.as_bytes());
        Ok(head)
    }

    /// The extensions, with the extended header at `start` telling another size.
    fn with_size_record(&self, start: usize, length: u64) -> Result<Vec<u8>, Reason> {
        let block = &self.extensions[start..start + BLOCK];
        let mut header = Header::from_byte_slice(block).clone();
        let size = header.entry_size().map_err(|_| broken("a size that is no number"))?;
        let data = &self.extensions[start + BLOCK..start + BLOCK + size as usize];
        let mut changed = Vec::with_capacity(data.len() + 8);
        for (key, value) in records(data)? {
            let told = length.to_string();
            push_record(&mut changed, key, if key == b"size" { told.as_bytes() } else { value });
        }
        header.set_size(changed.len() as u64);
        header.set_cksum();
        let mut extensions = self.extensions[..start].to_vec();
        extensions.extend_from_slice(header.as_bytes());
        extensions.extend_from_slice(&changed);
        extensions.resize(extensions.len() + padding(changed.len() as u64), 0);
        let rest = start + BLOCK + size as usize + padding(size);
        extensions.extend_from_slice(&self.extensions[rest..]);
        Ok(extensions)
    }
}

/// Appends a record that begins with its own length.
fn push_record(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    out.extend_from_slice(format!("{length} ").as_bytes());
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

fn zeros(out: &mut dyn Write, count: u64) -> Result<(), Reason> {
    io::copy(&mut io::repeat(0).take(count), out).map(drop).map_err(Reason::Write)
}

/// Hands every member to `take`, which may read its data; returns how many zero bytes end the archive.
fn walk(
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
        fill(input, entry.size)?;
        index += 1;
    }
}

enum Next {
    Entry(Entry),
    /// The end, after so many bytes of its mark.
    End(u64),
}

/// How many bytes fill the last block of `size` bytes of data.
fn padding(size: u64) -> usize {
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
        let size = header.entry_size().map_err(|_| broken("a size that is no number"))?;
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
                    EntryType::XGlobalHeader => entry.said.extend_from_slice(&data),
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
                b"linkpath" => {}
                b"size" => {
                    let told = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                    size = Some(told.ok_or_else(|| broken("a size that is no number"))?);
                    self.sized_by = Some(start);
                }
                key if key.starts_with(b"GNU.sparse.") => self.sparse = true,
                _ => self.said.extend([key, b"=", value, b"\n"].concat()),
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

/// A key and its value.
type Record<'d> = (&'d [u8], &'d [u8]);

/// The records of an extended header: `length key=value` and a line end, the length counting all of it (POSIX pax).
fn records(mut data: &[u8]) -> Result<Vec<Record<'_>>, Reason> {
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
    fill(input, size)?;
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

/// What fills the last block of `size` bytes of data must be nothing, too.
fn fill(input: &mut (dyn Read + Send), size: u64) -> Result<(), Reason> {
    let filling = exactly(input, padding(size))?;
    let empty = filling.iter().all(|byte| *byte == 0);
    if empty { Ok(()) } else { Err(Reason::Refused("something stands between its members".to_owned())) }
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

//! Which bytes of a zip archive its members cover: all of them, or it is refused. What stands between members or behind
//! them would go on unseen, and of two members with one name a reader shows one. It unpacks nothing.
//!
//! The format is PKWARE's APPNOTE.TXT, sections 4.3 and 4.5.3.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;

use super::error::{Reason, shown_bytes};
use super::rewrite::PositionedReader;

const END_BYTES: u64 = 22;
const END64_BYTES: u64 = 56;
const LOCATOR_BYTES: u64 = 20;
const MAX_COMMENT_BYTES: u64 = 0xffff;
/// What a short field says when the long one of [`ZIP64`] tells.
const ELSEWHERE: u64 = 0xffff_ffff;
/// The extra field with long lengths and offsets.
const ZIP64: u16 = 1;
/// Lengths and checksum follow the data.
const HAS_DESCRIPTOR: u16 = 1 << 3;

/// What the end of an archive says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Directory {
    /// How many members it lists.
    pub(super) members: u64,
    /// Where it begins.
    pub(super) start: u64,
    /// Where it ends.
    end: u64,
}

/// One line of the directory.
struct Listed {
    offset: u64,
    name: Vec<u8>,
    flags: u16,
    crc: u32,
    packed: u64,
    plain: u64,
}

/// Reads the directory of the archive in `file` and holds every byte of it against that. `look` is shown the extra fields.
///
/// # Errors
/// When a byte belongs to nothing, or twice to something; and what `look` says.
pub(super) fn read(file: &File, look: &mut dyn FnMut(&[u8]) -> Result<(), Reason>) -> Result<Directory, Reason> {
    let directory = Directory::find(file)?;
    let mut members = directory.list(file, look)?;
    members.sort_by_key(|member| member.offset);
    let starts = members.iter().map(|member| member.offset).skip(1).chain([directory.start]);
    let mut covered = 0;
    for (member, next) in members.iter().zip(starts) {
        if member.offset != covered {
            return Err(uncovered());
        }
        covered = member.end(file, next, look)?;
    }
    if covered == directory.start { Ok(directory) } else { Err(uncovered()) }
}

impl Directory {
    fn find(file: &File) -> Result<Directory, Reason> {
        let length = file.metadata().map_err(Reason::Read)?.len();
        let tail_bytes = length.min(END_BYTES + MAX_COMMENT_BYTES);
        let tail = bytes(file, length - tail_bytes, tail_bytes)?;
        let is_end = |at: &usize| {
            let end = &tail[*at..];
            end.starts_with(b"PK\x05\x06") && short(end, 20) as usize == end.len() - END_BYTES as usize
        };
        let last = tail.len().checked_sub(END_BYTES as usize).ok_or_else(uncovered)?;
        let at = (0..=last).rev().find(is_end).ok_or_else(uncovered)?;
        let end = &tail[at..];
        let at = length - tail_bytes + at as u64;
        if let Some(start) = at.checked_sub(LOCATOR_BYTES) {
            let locator = bytes(file, start, LOCATOR_BYTES)?;
            if locator.starts_with(b"PK\x06\x07") {
                return Directory::find_long(file, quad(&locator, 8), start);
            }
        }
        Ok(Directory { members: u64::from(short(end, 10)), start: u64::from(long(end, 16)), end: at })
    }

    /// The end record of Zip64, which stands right before its locator.
    fn find_long(file: &File, at: u64, locator: u64) -> Result<Directory, Reason> {
        if at.checked_add(END64_BYTES) != Some(locator) {
            return Err(uncovered());
        }
        let end = bytes(file, at, END64_BYTES)?;
        if !end.starts_with(b"PK\x06\x06") || quad(&end, 4) != END64_BYTES - 12 {
            return Err(uncovered());
        }
        Ok(Directory { members: quad(&end, 32), start: quad(&end, 48), end: at })
    }

    /// Its lines; nothing may stand between them or behind.
    fn list(self, file: &File, look: &mut dyn FnMut(&[u8]) -> Result<(), Reason>) -> Result<Vec<Listed>, Reason> {
        let length = self.end.checked_sub(self.start).ok_or_else(uncovered)?;
        let mut input = BufReader::new(PositionedReader { file, offset: self.start }.take(length));
        let mut members = Vec::new();
        for _ in 0..self.members {
            let head = next(&mut input, 46)?;
            if !head.starts_with(b"PK\x01\x02") {
                return Err(uncovered());
            }
            let name = next(&mut input, short(&head, 28).into())?;
            let extra = next(&mut input, short(&head, 30).into())?;
            next(&mut input, short(&head, 32).into())?;
            look(&extra)?;
            let [plain, packed, offset] = lengths(&head, &extra)?;
            members.push(Listed { offset, name, flags: short(&head, 8), crc: long(&head, 16), packed, plain });
        }
        let ended = input.read(&mut [0]).map_err(Reason::Read)? == 0;
        if ended { Ok(members) } else { Err(uncovered()) }
    }
}

/// The length of the member, packed or not, and its place: the long ones of Zip64 stand for those that do not fit.
fn lengths(head: &[u8], extra: &[u8]) -> Result<[u64; 3], Reason> {
    let mut told = [24, 20, 42].map(|at| u64::from(long(head, at)));
    let mut longer = extra_fields(extra).into_iter().find(|(id, _)| *id == ZIP64).map_or(&[][..], |(_, field)| field);
    for length in told.iter_mut().filter(|length| **length == ELSEWHERE) {
        let (first, rest) = longer.split_first_chunk::<8>().ok_or_else(uncovered)?;
        (*length, longer) = (u64::from_le_bytes(*first), rest);
    }
    Ok(told)
}

/// The extra fields of a member, and their numbers.
pub(super) fn extra_fields(mut data: &[u8]) -> Vec<(u16, &[u8])> {
    let mut fields = Vec::new();
    while let Some((head, rest)) = data.split_first_chunk::<4>() {
        let (id, length) = (short(head, 0), short(head, 2));
        let Some((field, rest)) = rest.split_at_checked(usize::from(length)) else { break };
        fields.push((id, field));
        data = rest;
    }
    fields
}

/// The extra fields but those a writer makes by itself: the lengths of Zip64.
pub(super) fn kept_fields(data: &[u8]) -> Vec<(u16, &[u8])> {
    let mut fields = extra_fields(data);
    fields.retain(|(id, _)| *id != ZIP64);
    fields
}

impl Listed {
    /// Where it ends, with what follows its data up to `next`.
    fn end(&self, file: &File, next: u64, look: &mut dyn FnMut(&[u8]) -> Result<(), Reason>) -> Result<u64, Reason> {
        let head = bytes(file, self.offset, 30)?;
        if !head.starts_with(b"PK\x03\x04") {
            return Err(uncovered());
        }
        let (name_bytes, extra_bytes) = (u64::from(short(&head, 26)), u64::from(short(&head, 28)));
        let rest = bytes(file, self.offset + 30, name_bytes + extra_bytes)?;
        let (name, extra) = rest.split_at(name_bytes as usize);
        if name != self.name {
            return Err(Reason::Refused(format!("member {} has two names", shown_bytes(&self.name))));
        }
        look(extra)?;
        let data = self.offset + 30 + name_bytes + extra_bytes;
        let end = data.checked_add(self.packed).ok_or_else(uncovered)?;
        let behind = next.checked_sub(end).ok_or_else(uncovered)?;
        let described = behind > 0 && self.flags & HAS_DESCRIPTOR != 0 && behind <= 24;
        if described && self.is_descriptor(&bytes(file, end, behind)?) { Ok(next) } else { Ok(end) }
    }

    /// Whether these bytes say nothing but what the directory says: checksum and lengths, perhaps behind a signature.
    fn is_descriptor(&self, told: &[u8]) -> bool {
        let crc = self.crc.to_le_bytes();
        let long = [&crc[..], &self.packed.to_le_bytes(), &self.plain.to_le_bytes()].concat();
        let short = [&crc[..], &(self.packed as u32).to_le_bytes(), &(self.plain as u32).to_le_bytes()].concat();
        [told, told.strip_prefix(b"PK\x07\x08").unwrap_or_default()]
            .iter()
            .any(|told| **told == long || **told == short)
    }
}

fn next(input: &mut impl Read, count: usize) -> Result<Vec<u8>, Reason> {
    let mut data = vec![0; count];
    input.read_exact(&mut data).map_err(reading)?;
    Ok(data)
}

fn bytes(file: &File, at: u64, count: u64) -> Result<Vec<u8>, Reason> {
    let mut data = vec![0; count as usize];
    file.read_exact_at(&mut data, at).map_err(reading)?;
    Ok(data)
}

fn reading(error: io::Error) -> Reason {
    if error.kind() == io::ErrorKind::UnexpectedEof { uncovered() } else { Reason::Read(error) }
}

fn short(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn long(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([0, 1, 2, 3].map(|next| bytes[at + next]))
}

fn quad(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|next| bytes[at + next]))
}

fn uncovered() -> Reason {
    Reason::Refused("holds bytes that belong to none of its members; unpack it to have it inspected".to_owned())
}

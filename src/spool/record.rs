//! How a record stands in a segment: a head with its own checksum, then lines, origin and payload with theirs. Bytes only.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | the mark `IOr1` |
//! | 4 | CRC-32 of the rest of the head |
//! | 4 | CRC-32 of what follows the head |
//! | 4 | how many numbers of lines follow, 4 bytes each |
//! | 4 | how many bytes of payload follow those and the origin |
//! | 1 + 1 | what the payload ends with; zero |
//! | 2 | how many bytes of origin stand before the payload |
//! | 8 | number: one more than the record before |
//! | 8, 8, 8 | stream, position in it, records that end in the payload |
//!
//! All little-endian. The head has a checksum of its own, so that a damaged payload does not hide where the next record
//! begins; where a head is damaged, the next one is found by its mark and checksum.

use bytes::Bytes;

use super::Entry;

/// Bytes of a head.
pub(super) const HEAD_BYTES: usize = 56;
const MARK: &[u8; 4] = b"IOr1";

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    body_crc: u32,
    lines: u32,
    payload: u32,
    origin: u16,
    pub(super) end: u8,
    pub(super) number: u64,
    pub(super) stream: u64,
    pub(super) position: u64,
    pub(super) records: u64,
}

/// What stands behind a head.
pub(super) struct Body {
    pub(super) lines: Vec<u32>,
    pub(super) origin: Vec<u8>,
    pub(super) payload: Bytes,
}

impl Head {
    /// The head at the beginning of `bytes`, if a whole one stands there.
    pub(super) fn parse(bytes: &[u8]) -> Option<Head> {
        let bytes = bytes.get(..HEAD_BYTES)?;
        let whole = bytes.starts_with(MARK) && crc32fast::hash(&bytes[8..]) == u32_at(bytes, 4);
        whole.then(|| Head {
            body_crc: u32_at(bytes, 8),
            lines: u32_at(bytes, 12),
            payload: u32_at(bytes, 16),
            end: bytes[20],
            origin: u16::from_le_bytes([bytes[22], bytes[23]]),
            number: u64_at(bytes, 24),
            stream: u64_at(bytes, 32),
            position: u64_at(bytes, 40),
            records: u64_at(bytes, 48),
        })
    }

    /// Appends a record to `out`.
    pub(super) fn write(entry: &Entry, number: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + HEAD_BYTES, 0);
        entry.lines.iter().for_each(|line| out.extend_from_slice(&line.to_le_bytes()));
        let origin = &entry.origin[..entry.origin.len().min(usize::from(u16::MAX))];
        out.extend_from_slice(origin);
        out.extend_from_slice(entry.payload.as_bytes());
        let (head, body) = out[start..].split_at_mut(HEAD_BYTES);
        let numbers = [number, entry.stream, entry.position, entry.records];
        head[8..12].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
        head[12..16].copy_from_slice(&(entry.lines.len() as u32).to_le_bytes());
        head[16..20].copy_from_slice(&(entry.payload.as_bytes().len() as u32).to_le_bytes());
        head[20] = entry.end;
        head[22..24].copy_from_slice(&(origin.len() as u16).to_le_bytes());
        for (place, number) in numbers.iter().enumerate() {
            head[24 + 8 * place..32 + 8 * place].copy_from_slice(&number.to_le_bytes());
        }
        let crc = crc32fast::hash(&head[8..]).to_le_bytes();
        head[..4].copy_from_slice(MARK);
        head[4..8].copy_from_slice(&crc);
    }

    /// Bytes that follow the head.
    pub(super) fn body_len(&self) -> u64 {
        u64::from(self.lines) * 4 + u64::from(self.origin) + u64::from(self.payload)
    }

    /// What follows the head, taken apart; `None` when it is damaged.
    pub(super) fn body(&self, body: &Bytes) -> Option<Body> {
        if body.len() as u64 != self.body_len() || crc32fast::hash(body) != self.body_crc {
            return None;
        }
        let (lines, _) = body.as_chunks::<4>();
        let lines = lines.iter().take(self.lines as usize).map(|line| u32::from_le_bytes(*line)).collect();
        let origin = self.lines as usize * 4;
        let payload = origin + usize::from(self.origin);
        Some(Body { lines, origin: body[origin..payload].to_vec(), payload: body.slice(payload..) })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Where the next head stands in `bytes`, from `from` on.
pub(super) fn find_head(bytes: &[u8], from: usize) -> Option<usize> {
    memchr::memmem::find_iter(bytes.get(from..)?, MARK)
        .map(|at| from + at)
        .find(|at| Head::parse(&bytes[*at..]).is_some())
}

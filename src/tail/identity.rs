//! Which file is which: device and inode, and keyed hashes of what a file begins with and of what stood before the place it
//! was read to. Not where the file is found.
//!
//! A name says nothing (rotation renames), an inode says little (a deleted file's number is given to the next one), and
//! the first bytes are often the same banner. Together with the bytes before the place that was read to they say whether
//! reading on there is reading on in the same file. The hashes are keyed, because they are stored: the key stays in the
//! state folder, and without it a short line cannot be guessed from its hash.

use std::fmt;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::durable::read_at;

/// How much of a file's beginning is hashed.
pub(super) const HEAD_BYTES: u64 = 1024;
/// How much before a place that was read to is hashed.
pub(super) const TAIL_BYTES: u64 = 256;
/// How many places of a file are remembered. Thinned towards the beginning, so that they reach back far.
const MAX_PLACES: usize = 32;

/// The name of one file for as long as it exists: random, given when it is first seen, kept in the checkpoint.
///
/// It is no hash of the content. Two logs that begin alike would have the same one, and a receiver that drops duplicates
/// by it would drop lines it never had.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub(super) [u8; 16]);

impl Fingerprint {
    /// A new one.
    pub(super) fn random() -> io::Result<Fingerprint> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Fingerprint(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

pub(super) fn hex(bytes: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*bytes))
}

pub(super) fn unhex(text: &str) -> Option<[u8; 16]> {
    let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)).flatten()
}

/// Device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct FileKey {
    pub(super) device: u64,
    pub(super) inode: u64,
}

/// What `stat` tells of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) key: FileKey,
    pub(super) size: u64,
    /// Seconds and nanoseconds.
    pub(super) modified: (i64, i64),
    changed: (i64, i64),
    /// Where the file system says so.
    created: Option<SystemTime>,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            key: FileKey { device: metadata.dev(), inode: metadata.ino() },
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            created: metadata.created().ok(),
        }
    }

    /// What files of one writer are sorted by, the first one first. The clock of a file system goes by steps of some
    /// milliseconds, in which a busy writer fills a file: then the one that was made first is the first.
    pub(super) fn age(&self) -> impl Ord + use<> {
        (self.modified, self.created)
    }
}

/// The key of the hashes.
#[derive(Clone)]
pub(super) struct PrintKey(Hmac<Sha256>);

impl PrintKey {
    pub(super) fn new(key: &[u8; 32]) -> PrintKey {
        PrintKey(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }
}

/// A keyed hash of the bytes `from..to` of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Print {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) hash: [u8; 16],
}

impl Print {
    /// Of bytes that were read at `from`.
    pub(super) fn of(key: &PrintKey, from: u64, bytes: &[u8]) -> Print {
        let mut mac = key.0.clone();
        mac.update(&from.to_le_bytes());
        mac.update(bytes);
        let mut hash = [0; 16];
        hash.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        Print { from, to: from + bytes.len() as u64, hash }
    }

    /// Of what `file` begins with: all of it while it is short.
    pub(super) fn head(key: &PrintKey, file: &File) -> io::Result<Print> {
        let mut buffer = [0; HEAD_BYTES as usize];
        let read = read_at(file, &mut buffer, 0)?;
        Ok(Print::of(key, 0, &buffer[..read]))
    }

    /// The same beginning, as far as it is hashed now; `None` when `file` begins otherwise.
    pub(super) fn grown(&self, key: &PrintKey, file: &File) -> io::Result<Option<Print>> {
        let mut buffer = [0; HEAD_BYTES as usize];
        let read = read_at(file, &mut buffer, 0)?;
        let Some(before) = buffer[..read].get(..self.to as usize) else { return Ok(None) };
        let same = Print::of(key, 0, before) == *self;
        let grown = if read as u64 == self.to { *self } else { Print::of(key, 0, &buffer[..read]) };
        Ok(same.then_some(grown))
    }

    /// Of what stands before `to`; `None` when the file is shorter.
    pub(super) fn before(key: &PrintKey, file: &File, to: u64) -> io::Result<Option<Print>> {
        let from = to.saturating_sub(TAIL_BYTES);
        Print::between(key, file, from, to)
    }

    /// Whether the same bytes stand at the same place of `file`.
    pub(super) fn fits(&self, key: &PrintKey, file: &File) -> io::Result<bool> {
        Ok(Print::between(key, file, self.from, self.to)?.as_ref() == Some(self))
    }

    fn between(key: &PrintKey, file: &File, from: u64, to: u64) -> io::Result<Option<Print>> {
        let mut buffer = [0; HEAD_BYTES as usize];
        let len = usize::try_from(to - from).unwrap_or(usize::MAX);
        let Some(wanted) = buffer.get_mut(..len) else { return Ok(None) };
        let whole = read_at(file, wanted, from)? == len;
        Ok(whole.then(|| Print::of(key, from, wanted)))
    }
}

/// Places a file was read to, with the hash of what stood before each. A copy of the file ends somewhere; the last place
/// before its end tells whether it is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Trail {
    /// By place, growing.
    prints: Vec<Print>,
}

impl Trail {
    pub(super) fn push(&mut self, print: Print) {
        if self.last().is_none_or(|last| last.to < print.to) {
            self.prints.push(print);
        }
        if self.prints.len() > MAX_PLACES {
            self.thin();
        }
    }

    pub(super) fn last(&self) -> Option<&Print> {
        self.prints.last()
    }

    /// The last place that is not behind `offset`.
    pub(super) fn up_to(&self, offset: u64) -> Option<&Print> {
        self.prints.iter().rev().find(|print| print.to <= offset)
    }

    /// At most `count` places not behind `offset`, the last among them.
    pub(super) fn extract(&self, offset: u64, count: usize) -> Vec<Print> {
        let mut trail = Trail { prints: self.prints.iter().filter(|print| print.to <= offset).copied().collect() };
        while trail.prints.len() > count {
            trail.thin();
        }
        trail.prints
    }

    /// Drops every second place of the older half.
    fn thin(&mut self) {
        let half = self.prints.len().div_ceil(2);
        let mut place = 0;
        self.prints.retain(|_| {
            place += 1;
            place > half || place % 2 == 1
        });
        if half < 2 {
            self.prints.remove(0);
        }
    }
}

impl FromIterator<Print> for Trail {
    fn from_iter<I: IntoIterator<Item = Print>>(prints: I) -> Trail {
        let mut trail = Trail::default();
        prints.into_iter().for_each(|print| trail.push(print));
        trail
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn key() -> PrintKey {
        PrintKey::new(&[7; 32])
    }

    #[test]
    fn a_print_fits_the_same_bytes_at_the_same_place_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "first line\nsecond line\n").unwrap();
        let file = File::open(&path).unwrap();
        let head = Print::head(&key(), &file).unwrap();
        let tail = Print::before(&key(), &file, 11).unwrap().unwrap();
        assert_eq!((head.from, head.to, tail.from, tail.to), (0, 23, 0, 11));
        assert!(head.fits(&key(), &file).unwrap() && tail.fits(&key(), &file).unwrap());
        assert!(!head.fits(&PrintKey::new(&[8; 32]), &file).unwrap());
        fs::write(&path, "First line\nsecond line\n").unwrap();
        assert!(!tail.fits(&key(), &File::open(&path).unwrap()).unwrap());
        fs::write(&path, "first").unwrap();
        assert!(!tail.fits(&key(), &File::open(&path).unwrap()).unwrap());
        assert_eq!(Print::before(&key(), &file, 100).unwrap(), None);
    }

    #[test]
    fn a_trail_reaches_back_far_and_keeps_its_end() {
        let print = |to| Print { from: 0, to, hash: [0; 16] };
        let trail: Trail = (1..=10_000).map(print).collect();
        assert!(trail.prints.len() <= MAX_PLACES);
        assert_eq!(trail.last().unwrap().to, 10_000);
        assert_eq!(trail.prints[0].to, 1);
        assert!(trail.up_to(5_000).is_some_and(|print| print.to <= 5_000));
        for count in 1..=8 {
            let few = trail.extract(9_999, count);
            assert!(few.len() <= count && few.last().unwrap() == trail.up_to(9_999).unwrap(), "{count}: {few:?}");
        }
    }

    #[test]
    fn hex_is_read_as_it_is_written() {
        let bytes = *b"0123456789abcdef";
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        for text in ["", "00", "+0000000000000000000000000000000", &"g".repeat(32)] {
            assert_eq!(unhex(text), None, "{text}");
        }
    }
}

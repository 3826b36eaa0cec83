//! The number of the first record that was not delivered: written beside, synced, renamed. If it is lost, records come
//! twice.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::durable;

const LEN: usize = 12;

pub(super) struct Ledger {
    path: PathBuf,
}

impl Ledger {
    pub(super) fn in_folder(folder: &Path) -> Ledger {
        Ledger { path: folder.join("ledger") }
    }

    /// What was written last; `None` when there is nothing to be trusted.
    pub(super) fn read(&self) -> Option<u64> {
        let bytes = fs::read(&self.path).ok()?;
        let (number, crc) = (bytes.get(..8)?, bytes.get(8..LEN)?);
        let whole = bytes.len() == LEN && crc32fast::hash(number).to_le_bytes() == *crc;
        whole.then(|| u64::from_le_bytes(number.try_into().expect("eight bytes")))
    }

    pub(super) fn write(&self, number: u64) -> io::Result<()> {
        let number = number.to_le_bytes();
        let crc = crc32fast::hash(&number).to_le_bytes();
        durable::replace(&self.path, &[&number[..], &crc].concat())
    }
}

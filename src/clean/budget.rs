//! How much may come out of what is packed: a bound on the bytes and on their ratio to the file's size.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};

/// So much may come out of any file, however small: the ratio of a few lines says nothing.
const FREE_BYTES: u64 = 32 << 20;

/// It unpacks to more than is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
    /// More bytes than allowed.
    #[error("unpacks to more than {0} bytes (--max-inflated)")]
    Bytes(u64),
    /// Many times its own size.
    #[error("unpacks to more than {0} times its size (--max-ratio)")]
    Ratio(u64),
}

/// What may still come out of one file, all layers and members together.
#[derive(Debug)]
pub(super) struct Budget {
    inflated: AtomicU64,
    limit: u64,
    over: TooMuch,
}

impl Budget {
    /// For a file of `size` bytes.
    pub(super) fn new(size: u64, max_inflated: u64, max_ratio: u64) -> Budget {
        let by_ratio = size.saturating_mul(max_ratio).max(FREE_BYTES);
        let (limit, over) = if by_ratio < max_inflated {
            (by_ratio, TooMuch::Ratio(max_ratio))
        } else {
            (max_inflated, TooMuch::Bytes(max_inflated))
        };
        Budget { inflated: AtomicU64::new(0), limit, over }
    }

    /// Starts counting anew, for another pass over the same file.
    pub(super) fn again(&self) {
        self.inflated.store(0, Ordering::Relaxed);
    }

    fn spend(&self, bytes: usize) -> io::Result<()> {
        let spent = self.inflated.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if spent > self.limit { Err(io::Error::other(self.over)) } else { Ok(()) }
    }
}

/// A reader whose bytes count.
pub(super) struct Counted<'b, R> {
    pub(super) inner: R,
    pub(super) budget: &'b Budget,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.budget.spend(count)?;
        Ok(count)
    }
}

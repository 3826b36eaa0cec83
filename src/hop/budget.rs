//! Bytes of requests that are held at once, over all connections. Who asks for more than there is is refused, not queued.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes that all requests together may hold.
#[derive(Clone)]
pub(super) struct Budget(Arc<Shared>);

struct Shared {
    used: AtomicUsize,
    max_bytes: usize,
}

/// Nothing is left of the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// What one request holds; given back when dropped.
pub(super) struct Held {
    shared: Arc<Shared>,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(max_bytes: usize) -> Budget {
        Budget(Arc::new(Shared { used: AtomicUsize::new(0), max_bytes }))
    }

    /// A request that holds nothing yet.
    pub(super) fn open(&self) -> Held {
        Held { shared: Arc::clone(&self.0), bytes: 0 }
    }
}

impl Held {
    /// Takes `bytes` more.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.shared.max_bytes);
        self.shared.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).map_err(|_| Full)?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shared.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_the_budget_is_refused_until_something_is_given_back() {
        let budget = Budget::new(10);
        let (mut one, mut two) = (budget.open(), budget.open());
        assert_eq!(one.grow(6), Ok(()));
        assert_eq!(two.grow(5), Err(Full));
        assert_eq!(two.grow(4), Ok(()));
        drop(one);
        assert_eq!(two.grow(6), Ok(()));
        assert_eq!(two.grow(1), Err(Full));
    }
}

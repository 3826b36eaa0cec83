//! What all streams together may hold of records that are not finished. Each has a little of its own; what goes beyond is
//! shared, and when that is used up, those who hold most are not read on.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// What each stream may hold without asking.
pub(super) const FREE_BYTES: usize = 16 << 10;

/// Bytes of unfinished records above `FREE_BYTES`, over all streams.
pub(super) struct Budget {
    /// Half of the limit: streams below their share of it may go on, so that all together stay below the limit.
    soft_limit: usize,
    held: AtomicUsize,
    /// Streams that hold more than `FREE_BYTES`.
    holders: AtomicUsize,
    /// Somebody let go of something.
    released: Notify,
}

/// What one stream holds.
pub(super) struct Lease<'b> {
    budget: &'b Budget,
    held: usize,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Budget {
        let (held, holders) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Budget { soft_limit: limit / 2, held, holders, released: Notify::new() }
    }

    pub(super) fn lease(&self) -> Lease<'_> {
        Lease { budget: self, held: 0 }
    }
}

impl Lease<'_> {
    /// The stream holds so many bytes now.
    pub(super) fn set(&mut self, bytes: usize) {
        let bytes = bytes.saturating_sub(FREE_BYTES);
        let before = std::mem::replace(&mut self.held, bytes);
        if bytes >= before {
            self.budget.held.fetch_add(bytes - before, Ordering::Relaxed);
        } else {
            self.budget.held.fetch_sub(before - bytes, Ordering::Relaxed);
            self.budget.released.notify_waiters();
        }
        match (before, bytes) {
            (0, 1..) => drop(self.budget.holders.fetch_add(1, Ordering::Relaxed)),
            (1.., 0) => drop(self.budget.holders.fetch_sub(1, Ordering::Relaxed)),
            _ => {}
        }
    }

    /// Whether the stream may take more than `FREE_BYTES` at once: little is held in all.
    pub(super) fn may_take_much(&self) -> bool {
        self.budget.held.load(Ordering::Relaxed) <= self.budget.soft_limit
    }

    /// Whether the stream may read on: little is held in all, or less by this one than its share.
    pub(super) fn may_read(&self) -> bool {
        let budget = self.budget;
        let share = budget.soft_limit / budget.holders.load(Ordering::Relaxed).max(1);
        self.held == 0 || budget.held.load(Ordering::Relaxed) <= budget.soft_limit || self.held < share
    }

    /// Resolves when the stream may read on.
    pub(super) async fn readable(&self) {
        loop {
            let released = self.budget.released.notified();
            if self.may_read() {
                return;
            }
            released.await;
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_hold_most_are_not_read_on_and_the_others_are() {
        let budget = Budget::new(400_000);
        let mut leases: Vec<Lease<'_>> = (0..3).map(|_| budget.lease()).collect();
        leases[0].set(FREE_BYTES + 150_000);
        assert!(leases[0].may_read());
        leases[1].set(FREE_BYTES + 60_000);
        assert_eq!([leases[0].may_read(), leases[1].may_read(), leases[2].may_read()], [false, true, true]);
        leases[0].set(0);
        assert!(leases[0].may_read());
        leases[1].set(FREE_BYTES + 200_001);
        assert_eq!([leases[0].may_take_much(), leases[2].may_take_much()], [false, false], "whoever holds it");
        drop(leases);
        assert_eq!((budget.held.load(Ordering::Relaxed), budget.holders.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn all_together_stay_below_the_limit() {
        let (limit, step) = (1 << 20, 16 << 10);
        let budget = Budget::new(limit);
        let mut streams: Vec<(Lease<'_>, usize)> = (0..100).map(|_| (budget.lease(), 0)).collect();
        for round in 0..10_000 {
            let count = streams.len();
            let (lease, held) = &mut streams[round * 7 % count];
            if lease.may_read() {
                *held += step;
                lease.set(*held);
            }
        }
        // One read may pass the line in each stream.
        assert!(budget.held.load(Ordering::Relaxed) <= limit + 100 * step);
    }
}

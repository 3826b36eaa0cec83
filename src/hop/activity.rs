//! What happens on connections: which are idle, and which have not even begun. Those are cheap to open and cost memory, so only
//! so many are kept: the oldest makes room.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::daemon::OtlpSource;

/// Connections without a request that are kept: one of HTTP/2 costs about 20 KiB before its first request (2026-11).
const MAX_YOUNG: usize = 1024;

/// The connections that have not begun a request, the oldest first.
#[derive(Clone, Default)]
pub(super) struct Young(Arc<Mutex<VecDeque<Weak<Activity>>>>);

/// What happens on one connection.
pub(super) struct Activity {
    started: Instant,
    requests: AtomicUsize,
    begun: AtomicBool,
    /// Milliseconds after `started`.
    last: AtomicU64,
    displaced: Notify,
}

/// A request that is being answered.
pub(super) struct Busy(Arc<Activity>);

impl Young {
    /// Another connection. Where there are too many that have not begun, the oldest of them is told to go.
    pub(super) fn enter(&self) -> Arc<Activity> {
        let activity = Arc::new(Activity::new());
        let mut young = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if young.len() >= MAX_YOUNG {
            young.retain(|known| known.upgrade().is_some_and(|known| !known.has_begun()));
        }
        if young.len() >= MAX_YOUNG
            && let Some(oldest) = young.pop_front().and_then(|oldest| oldest.upgrade())
        {
            oldest.displaced.notify_one();
        }
        young.push_back(Arc::downgrade(&activity));
        activity
    }
}

impl Activity {
    fn new() -> Activity {
        Activity {
            started: Instant::now(),
            requests: AtomicUsize::new(0),
            begun: AtomicBool::new(false),
            last: AtomicU64::new(0),
            displaced: Notify::new(),
        }
    }

    /// A request begins; it ends when this is dropped.
    pub(super) fn request(self: &Arc<Activity>) -> Busy {
        self.begun.store(true, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }

    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// Waits until the place is needed for another connection; for ever once a request has begun.
    pub(super) async fn displaced(&self) {
        loop {
            self.displaced.notified().await;
            if !self.has_begun() {
                return;
            }
        }
    }

    /// When to look again: a connection must begin soon, and may then rest for a while.
    pub(super) fn deadline(&self, options: &OtlpSource) -> Instant {
        let patience = if self.has_begun() { options.idle_timeout } else { options.header_timeout };
        self.last() + patience
    }

    fn last(&self) -> Instant {
        if self.requests.load(Ordering::Relaxed) > 0 {
            return Instant::now();
        }
        self.started + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }

    pub(super) fn is_over(&self, options: &OtlpSource) -> bool {
        self.deadline(options) <= Instant::now()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let since = u64::try_from(self.0.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last.store(since, Ordering::Relaxed);
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_connection_without_a_request_makes_room() {
        let young = Young::default();
        let open: Vec<_> = (0..MAX_YOUNG).map(|_| young.enter()).collect();
        let busy = open[0].request();
        let gone = |index: usize| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let mut displaced = std::pin::pin!(open[index].displaced());
            runtime.block_on(async { futures_now(displaced.as_mut()).await })
        };
        let more: Vec<_> = (0..3).map(|_| young.enter()).collect();
        assert_eq!([0, 1, 2, 3].map(gone), [false, true, true, false]);
        drop((busy, more));
        let again: Vec<_> = (0..2).map(|_| young.enter()).collect();
        assert_eq!([3, 4].map(gone), [false, false], "those that went left their places");
        drop(again);
    }

    /// Whether `future` is ready.
    async fn futures_now(mut future: std::pin::Pin<&mut impl Future<Output = ()>>) -> bool {
        std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_ready())).await
    }
}

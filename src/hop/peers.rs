//! How many connections there are, in all and by address. It refuses, it does not queue.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The connections that are open.
#[derive(Clone)]
pub(super) struct Peers(Arc<Shared>);

struct Shared {
    open: Mutex<Open>,
    max: usize,
    max_per_peer: usize,
}

#[derive(Default)]
struct Open {
    all: usize,
    by_peer: HashMap<IpAddr, usize>,
}

/// A place for one connection; given back when dropped.
pub(super) struct Place {
    shared: Arc<Shared>,
    peer: IpAddr,
}

impl Peers {
    pub(super) fn new(max: usize, max_per_peer: usize) -> Peers {
        Peers(Arc::new(Shared { open: Mutex::default(), max, max_per_peer }))
    }

    /// A place for a connection from `peer`, if there is one left.
    pub(super) fn enter(&self, peer: IpAddr) -> Option<Place> {
        let mut open = self.0.lock();
        if open.all >= self.0.max || open.by_peer.get(&peer).is_some_and(|count| *count >= self.0.max_per_peer) {
            return None;
        }
        open.all += 1;
        *open.by_peer.entry(peer).or_default() += 1;
        Some(Place { shared: Arc::clone(&self.0), peer })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.shared.lock();
        open.all -= 1;
        if let Some(count) = open.by_peer.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                open.by_peer.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_all_and_by_address_and_given_back() {
        let peers = Peers::new(3, 2);
        let [one, two] = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse::<IpAddr>().unwrap());
        let first = peers.enter(one).unwrap();
        let _second = peers.enter(one).unwrap();
        assert!(peers.enter(one).is_none());
        let _third = peers.enter(two).unwrap();
        assert!(peers.enter(two).is_none());
        drop(first);
        assert!(peers.enter(one).is_some());
    }
}

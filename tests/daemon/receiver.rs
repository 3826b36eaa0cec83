//! A TCP receiver that reads records as well or as badly as it is told to.

use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt;

use crate::support::eventually;

/// What it does wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Habits {
    /// Bytes per second.
    pub(crate) slow: Option<usize>,
    /// Resets each connection after so many bytes.
    pub(crate) resets_after: Option<usize>,
    /// Closes each connection properly after so many bytes.
    pub(crate) closes_after: Option<usize>,
}

/// A receiver on a port of its own. Records count once they were read.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Of each connection, in order.
    read: Mutex<Vec<Vec<u8>>>,
    habits: Mutex<Habits>,
    /// Lets nobody in and throws out who is in.
    dead: AtomicBool,
    /// Reads nothing.
    stopped: AtomicBool,
    connections: AtomicUsize,
    bytes: AtomicU64,
}

impl Receiver {
    pub(crate) fn start(habits: Habits) -> Receiver {
        Receiver::listen("127.0.0.1:0".parse().expect("an address"), habits)
    }

    fn listen(address: SocketAddr, habits: Habits) -> Receiver {
        let listener = TcpListener::bind(address).expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { habits: Mutex::new(habits), ..Shared::default() });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for peer in listener.incoming().map_while(Result::ok) {
                if accepting.dead.load(Ordering::Relaxed) {
                    reset(peer);
                    continue;
                }
                let shared = Arc::clone(&accepting);
                thread::spawn(move || shared.serve(peer));
            }
        });
        Receiver { address, shared }
    }

    pub(crate) fn set(&self, habits: Habits) {
        *self.shared.habits.lock().unwrap() = habits;
    }

    /// From now on nobody is let in, and who is in is thrown out.
    pub(crate) fn die(&self) {
        self.shared.dead.store(true, Ordering::Relaxed);
    }

    pub(crate) fn revive(&self) {
        self.shared.dead.store(false, Ordering::Relaxed);
    }

    /// From now on nothing is read.
    pub(crate) fn stop_reading(&self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn go_on(&self) {
        self.shared.stopped.store(false, Ordering::Relaxed);
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// Everything that was read, whole lines of each connection by themselves: what a connection ended in the middle of is
    /// no record for a receiver.
    pub(crate) fn lines(&self) -> Vec<String> {
        let read = self.shared.read.lock().unwrap();
        let whole = |bytes: &Vec<u8>| {
            let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            String::from_utf8_lossy(&bytes[..end]).lines().map(str::to_owned).collect::<Vec<_>>()
        };
        read.iter().flat_map(whole).collect()
    }

    /// Everything that was read, as it came.
    pub(crate) fn raw(&self) -> Vec<u8> {
        self.shared.read.lock().unwrap().concat()
    }

    /// Waits until nothing has come for a while. For records that may come twice.
    pub(crate) fn until_lines(&self, count: usize) {
        eventually("all lines", || self.lines().len() >= count);
    }
}

impl Shared {
    fn serve(&self, mut peer: TcpStream) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        let index = {
            let mut read = self.read.lock().unwrap();
            read.push(Vec::new());
            read.len() - 1
        };
        peer.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
        let (mut taken, mut buffer) = (0, vec![0; 64 << 10]);
        loop {
            let habits = *self.habits.lock().unwrap();
            if self.dead.load(Ordering::Relaxed) || habits.resets_after.is_some_and(|limit| taken >= limit) {
                return reset(peer);
            }
            if habits.closes_after.is_some_and(|limit| taken >= limit) {
                return;
            }
            if self.stopped.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(5));
                continue;
            }
            let room = habits.slow.map_or(buffer.len(), |rate| (rate / 100).clamp(1, buffer.len()));
            let started = Instant::now();
            match peer.read(&mut buffer[..room]) {
                Ok(0) => return,
                Ok(count) => {
                    taken += count;
                    self.bytes.fetch_add(count as u64, Ordering::Relaxed);
                    self.read.lock().unwrap()[index].extend_from_slice(&buffer[..count]);
                }
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                }
                Err(_) => return,
            }
            if habits.slow.is_some() {
                thread::sleep(Duration::from_millis(10).saturating_sub(started.elapsed()));
            }
        }
    }
}

/// Closes so that the other side gets a reset, and loses what it had in its buffers.
fn reset(peer: TcpStream) {
    let _ = sockopt::set_socket_linger(&peer, Some(Duration::ZERO));
    drop(peer);
}

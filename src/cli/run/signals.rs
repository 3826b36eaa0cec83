//! What the world tells a running process, and what the process tells `systemd`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::workers::Workers;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
}

/// Signals to this process.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }

    pub(super) async fn asked_to_stop(&mut self) {
        while self.next().await != Asked::Stop {}
    }
}

/// Sources are open and are read.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// A reload begins, or has ended.
pub(super) fn reloading(begins: bool) {
    match NotifyState::monotonic_usec_now() {
        Ok(now) if begins => tell(&[NotifyState::Reloading, now]),
        _ => tell(&[NotifyState::Ready]),
    }
}

/// The drain begins.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Without `systemd` there is nobody to tell.
fn tell(state: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(state);
}

/// Tells `systemd` that the runtime and the workers answer, as often as it wants to know. A receiver that does not is no
/// reason to be killed: what waits for it would be lost.
pub(super) struct Watchdog {
    every: Option<Duration>,
    asked: Instant,
    workers: Workers,
    /// Whether the workers have been asked and have not answered.
    waits: Arc<AtomicBool>,
}

impl Watchdog {
    pub(super) fn new(workers: Workers) -> Watchdog {
        let every = sd_notify::watchdog_enabled().map(|limit| limit / 2);
        Watchdog { every, asked: Instant::now(), workers, waits: Arc::default() }
    }

    /// Asks the workers if it is time to, and tells when they answer.
    pub(super) fn pet(&mut self) {
        let due = self.every.is_some_and(|every| self.asked.elapsed() >= every);
        if !due || self.waits.swap(true, Ordering::Relaxed) {
            return;
        }
        self.asked = Instant::now();
        let (workers, waits) = (self.workers.clone(), Arc::clone(&self.waits));
        tokio::spawn(async move {
            // Without an engine there is nothing they could be stuck in.
            let _ = workers.run(|_, _| ()).await;
            waits.store(false, Ordering::Relaxed);
            tell(&[NotifyState::Watchdog]);
        });
    }
}

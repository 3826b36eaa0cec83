//! What the world tells a running process, and what the process tells `systemd`.

use std::io;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::metrics::Metrics;

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

/// Tells `systemd` that work is moving, as often as it wants to know.
pub(super) struct Watchdog {
    every: Option<Duration>,
    told: Instant,
}

impl Watchdog {
    pub(super) fn new() -> Watchdog {
        Watchdog { every: sd_notify::watchdog_enabled().map(|limit| limit / 2), told: Instant::now() }
    }

    /// A pipeline that does not move is not told about: `systemd` starts the process anew.
    pub(super) fn pet(&mut self, metrics: &Metrics) {
        if self.every.is_some_and(|every| self.told.elapsed() >= every) && metrics.stuck().is_empty() {
            tell(&[NotifyState::Watchdog]);
            self.told = Instant::now();
        }
    }
}

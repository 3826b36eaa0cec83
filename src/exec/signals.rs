//! Signals that come to us and are meant for the program. What they mean is the program's business.

use std::fs::File;
use std::io;
use std::thread;

use rustix::process::{Pid, Signal, getpgrp, kill_process};
use signal_hook::consts::{SIGINT, SIGQUIT};
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::iterator::{Handle, SignalsInfo};
use signal_hook::low_level::siginfo::{Cause, Origin};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// What a signal asks of us once the program has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urge {
    /// Nothing.
    None,
    /// To end at once.
    End,
}

/// Every signal we hand on, and the one that tells of an ended process.
pub(super) struct Signals {
    term: Stream,
    hup: Stream,
    user1: Stream,
    user2: Stream,
    winch: Stream,
    child: Stream,
    keyed: Keyed,
}

impl Signals {
    pub(super) fn new() -> io::Result<Signals> {
        Ok(Signals {
            term: signal(SignalKind::terminate())?,
            hup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
            winch: signal(SignalKind::window_change())?,
            child: signal(SignalKind::child())?,
            keyed: Keyed::new()?,
        })
    }

    /// Waits for the next signal and hands it on to `child`.
    pub(super) async fn next(&mut self, child: Pid) -> Urge {
        let (signal, urge, has_it) = tokio::select! {
            _ = self.term.recv() => (Signal::TERM, Urge::End, false),
            Some((signal, typed)) = self.keyed.received.recv() => (signal, Urge::End, typed),
            _ = self.hup.recv() => (Signal::HUP, Urge::End, false),
            _ = self.user1.recv() => (Signal::USR1, Urge::None, false),
            _ = self.user2.recv() => (Signal::USR2, Urge::None, false),
            _ = self.winch.recv() => (Signal::WINCH, Urge::None, in_foreground()),
            _ = self.child.recv() => return Urge::None,
        };
        if !has_it {
            // It may have ended a moment ago.
            let _ = kill_process(child, signal);
        }
        urge
    }
}

/// The signals that a terminal sends for its keys, to all of our process group: the program included, which would take a
/// second one for an order to hurry. One that a process sends is for us alone, and is handed on.
struct Keyed {
    /// Which, and whether it came from a terminal.
    received: UnboundedReceiver<(Signal, bool)>,
    handle: Handle,
}

impl Keyed {
    fn new() -> io::Result<Keyed> {
        let mut signals = SignalsInfo::<WithOrigin>::new([SIGINT, SIGQUIT])?;
        let (handle, (sender, received)) = (signals.handle(), unbounded_channel());
        let wait = move || {
            for origin in &mut signals {
                let signal = if origin.signal == SIGINT { Signal::INT } else { Signal::QUIT };
                if sender.send((signal, is_typed(&origin))).is_err() {
                    break;
                }
            }
        };
        thread::Builder::new().name("signals".to_owned()).spawn(wait)?;
        Ok(Keyed { received, handle })
    }
}

impl Drop for Keyed {
    fn drop(&mut self) {
        self.handle.close();
    }
}

/// Linux says who sent it; where a system does not, a terminal that talks to us is taken for the sender.
fn is_typed(origin: &Origin) -> bool {
    match origin.cause {
        Cause::Kernel => true,
        Cause::Unknown => in_foreground(),
        _ => false,
    }
}

/// Whether our process group is the one the terminal talks to.
fn in_foreground() -> bool {
    File::open("/dev/tty").is_ok_and(|tty| rustix::termios::tcgetpgrp(&tty).is_ok_and(|group| group == getpgrp()))
}

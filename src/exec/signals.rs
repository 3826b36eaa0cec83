//! Signals that come to us and are meant for the program. What they mean is the program's business.

use std::fs::File;
use std::io;

use rustix::process::{Pid, Signal, getpgrp, kill_process};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

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
    int: Stream,
    hup: Stream,
    quit: Stream,
    user1: Stream,
    user2: Stream,
    winch: Stream,
    child: Stream,
}

impl Signals {
    pub(super) fn new() -> io::Result<Signals> {
        Ok(Signals {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
            winch: signal(SignalKind::window_change())?,
            child: signal(SignalKind::child())?,
        })
    }

    /// Waits for the next signal and hands it on to `child`.
    pub(super) async fn next(&mut self, child: Pid) -> Urge {
        let (signal, urge) = tokio::select! {
            _ = self.term.recv() => (Signal::TERM, Urge::End),
            _ = self.int.recv() => (Signal::INT, Urge::End),
            _ = self.hup.recv() => (Signal::HUP, Urge::End),
            _ = self.quit.recv() => (Signal::QUIT, Urge::End),
            _ = self.user1.recv() => (Signal::USR1, Urge::None),
            _ = self.user2.recv() => (Signal::USR2, Urge::None),
            _ = self.winch.recv() => (Signal::WINCH, Urge::None),
            _ = self.child.recv() => return Urge::None,
        };
        let typed = [Signal::INT, Signal::QUIT, Signal::WINCH].contains(&signal) && in_foreground();
        if !typed {
            // It may have ended a moment ago.
            let _ = kill_process(child, signal);
        }
        urge
    }
}

/// Whether our process group is the one the terminal talks to. It sends its signals to all of the group, the program
/// included, which would take a second one for an order to hurry.
fn in_foreground() -> bool {
    File::open("/dev/tty").is_ok_and(|tty| rustix::termios::tcgetpgrp(&tty).is_ok_and(|group| group == getpgrp()))
}

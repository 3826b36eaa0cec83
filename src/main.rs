//! The `inkout` program: remembers which standard descriptors were closed, and hands over to `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(inkout::cli::run(before_main::closed()))
}

/// Looks at the standard descriptors before Rust's runtime does.
///
/// The runtime opens `/dev/null` in place of a standard descriptor that is closed. Afterwards a closed output cannot be
/// told from one that was sent to `/dev/null` on purpose (Python's `DEVNULL` is opened for reading and writing too), and a
/// redactor whose output goes nowhere must not report success. So the loader is asked to call a function first. There is
/// no unsafe code in it: only the attribute that places its address is called so. Elsewhere than on Linux nothing is
/// known, and a closed descriptor behaves as `/dev/null`.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the address of a safe function is placed where the loader looks for constructors")]
mod before_main {
    use std::sync::atomic::{AtomicBool, Ordering};

    use inkout::cli::Closed;
    use rustix::fd::BorrowedFd;

    static STDIN: AtomicBool = AtomicBool::new(false);
    static STDOUT: AtomicBool = AtomicBool::new(false);

    #[used]
    #[unsafe(link_section = ".init_array")]
    static LOOK: extern "C" fn() = look;

    /// System calls and stores only: the standard library is not ready yet.
    extern "C" fn look() {
        let is_closed = |fd: BorrowedFd<'_>| rustix::io::fcntl_getfd(fd).is_err();
        STDIN.store(is_closed(rustix::stdio::stdin()), Ordering::Relaxed);
        STDOUT.store(is_closed(rustix::stdio::stdout()), Ordering::Relaxed);
    }

    pub(super) fn closed() -> Closed {
        Closed { stdin: STDIN.load(Ordering::Relaxed), stdout: STDOUT.load(Ordering::Relaxed) }
    }
}

#[cfg(not(target_os = "linux"))]
mod before_main {
    pub(super) fn closed() -> inkout::cli::Closed {
        inkout::cli::Closed::default()
    }
}

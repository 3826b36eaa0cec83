//! Keeps what is in memory from being written to a disk by others: input that is not masked yet, keys, known values.

use std::sync::OnceLock;

#[cfg(feature = "daemon")]
use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How large a core dump might become before we forbade it; `None` is without a limit.
static BEFORE: OnceLock<Option<u64>> = OnceLock::new();

/// No core dump, neither as a file nor into a pipe of the system's, and no other process of the same user looks into our
/// memory. Where the system refuses, it goes on as it would without us. The hard limit stays: what we run may have its own.
pub(super) fn memory() {
    let before = getrlimit(Resource::Core);
    let _ = BEFORE.set(before.current);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), ..before });
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// The limit that [`memory`] found, for a program that we run.
#[cfg(feature = "exec")]
pub(super) fn core_limit_before() -> Option<u64> {
    BEFORE.get().copied().unwrap_or(Some(0))
}

/// What a daemon creates is its owner's alone.
#[cfg(feature = "daemon")]
pub(super) fn files() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

//! Keeps what is in memory from being written to a disk by others: input that is not masked yet, keys, known values.

#[cfg(feature = "daemon")]
use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, setrlimit};

/// No core dump, neither as a file nor into a pipe of the system's, and no other process of the same user looks into our
/// memory. Where the system refuses, it goes on as it would without us.
pub(super) fn memory() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = setrlimit(Resource::Core, none);
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// What a daemon creates is its owner's alone.
#[cfg(feature = "daemon")]
pub(super) fn files() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

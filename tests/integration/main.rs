//! The program as users run it: real processes, real pipes, exit codes. What the engine finds is not its subject.

mod commands;
mod configuration;
mod exits;
#[cfg(feature = "daemon")]
mod follow;
mod stream;
mod support;

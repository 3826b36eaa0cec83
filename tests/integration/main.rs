//! The program as users run it: real processes, real pipes, exit codes. What the engine finds is not its subject.

mod allow;
mod commands;
mod configuration;
#[cfg(feature = "exec")]
mod exec;
mod exits;
mod known;
mod profiles;
mod rulesets;
#[cfg(feature = "daemon")]
mod follow;
mod stream;
mod support;

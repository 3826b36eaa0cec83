//! The program as users run it: real processes, real pipes, exit codes. What the engine finds is not its subject.

mod allow;
mod commands;
mod configuration;
#[cfg(feature = "exec")]
mod exec;
mod exits;
#[cfg(feature = "daemon")]
mod follow;
mod known;
mod learn;
mod profiles;
mod rulesets;
mod stream;
mod support;

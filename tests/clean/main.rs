//! `inkout clean` as users run it: real files, archives, signals and crashes. What the engine finds is not its subject.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::type_complexity,
    reason = "a test that cannot go on fails where it stands"
)]
mod archives;
mod crash;
mod folders;
mod in_place;
mod support;
mod trouble;

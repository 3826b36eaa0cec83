//! `inkout clean` as users run it: real files, archives, signals and crashes. What the engine finds is not its subject.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::type_complexity,
    clippy::needless_pass_by_value,
    clippy::redundant_clone,
    clippy::semicolon_if_nothing_returned,
    reason = "a test that cannot go on fails where it stands, and says what it skipped"
)]

mod archives;
mod crash;
mod folders;
mod in_place;
mod support;
mod trouble;

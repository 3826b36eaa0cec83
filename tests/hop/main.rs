//! The OTLP hop with real sockets on both sides: a client, the hop with the engine's own workers, and an upstream that
//! answers what a test wants.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::type_complexity,
    reason = "a test that cannot go on fails where it stands"
)]
#![cfg(feature = "otlp")]

mod codes;
mod faults;
mod limits;
mod queue;
mod real;
mod relay;
mod secure;
mod support;

//! The OTLP hop with real sockets on both sides: a client, the hop with the engine's own workers, and an upstream that
//! answers what a test wants.
#![cfg(feature = "otlp")]

mod codes;
mod faults;
mod limits;
mod real;
mod relay;
mod secure;
mod support;

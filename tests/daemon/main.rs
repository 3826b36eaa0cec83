//! `inkout run` as a process, with faults on both sides of it. What is lost, torn or leaked is found by an oracle that
//! derives every record from its number. `INKOUT_FAULTS=N` makes the runs N times as long.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]
#![cfg(feature = "daemon")]
mod configuration;
mod connections;
mod delivery;
mod file_sink;
mod files;
mod framing;
mod held;
#[cfg(feature = "otlp")]
#[path = "../hop/support.rs"]
#[allow(dead_code, reason = "these tests need a part of it")]
mod hop_support;
mod lifecycle;
mod oracle;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(feature = "otlp")]
mod otlp_memory;
mod own_words;
mod receiver;
mod records;
mod reload;
mod spool;
mod support;
mod tls;

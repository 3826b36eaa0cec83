//! `inkout run` as a process, with faults on both sides of it. What is lost, torn or leaked is found by an oracle that
//! derives every record from its number. `INKOUT_FAULTS=N` makes the runs N times as long.
#![cfg(feature = "daemon")]

mod configuration;
mod connections;
mod delivery;
mod files;
mod framing;
mod lifecycle;
mod oracle;
mod receiver;
mod reload;
mod support;
mod tls;

//! inkout masks secrets in everything that flows through it and changes nothing else.
//!
//! This page is the architecture: the rooms, who may import whom, the way of a byte, and the invariants.
//! `tests/tidy.rs` holds the table of rooms as a constant and fails on an edge that is not in it.
//!
//! # The way of a byte
//!
//! ```text
//! fd ─ pipe (reader) ─ Cutter ─ Piece ─ worker: Engine::redact_piece ─ Masked ─ pipe (writer) ─ fd
//!                                         │ one Scratch each
//!                                         └ Carry: what one piece must tell the next
//! ```
//!
//! A stream is cut into pieces: blocks of whole records (about 256 KiB, there is no loop per line), or windows of a record
//! that is too long to be held. In the engine, a block goes through
//!
//! 1. **prefilter**: one SIMD pass finds where a required literal of some rule begins. No literal: the block itself goes on.
//! 2. **confirm**: around each literal, in growing cost: the byte sets that must follow it, the word's start, the rule's
//!    anchored regex on a bounded window, its validator.
//! 3. **carrier**: for a secret known by its key, the grammar around the key says where the value begins and ends: JSON at
//!    any escape level, logfmt, headers, query strings, cookies, DSNs, XML, YAML, source code, reprs, argv.
//! 4. **span**: all spans are found on the *original* bytes, overlaps are united, and the block is written once. No rule
//!    sees another's output, and no text is ever replaced by searching for it.
//! 5. **action**: replace, mask, hash or remove, in a form that is legal where it stands.
//!
//! A record whose letters are hidden (colours, `\u0061`, `%61`, zero-width characters) is looked at a second time in a
//! decoded *view* with a map back to the original offsets.
//!
//! # The rooms
//!
//! | room | what it is | may import |
//! |---|---|---|
//! | [`engine`] | PURE. rules in, `Engine`; bytes in, [`engine::Masked`] and a [`engine::Tally`] out | nothing of ours |
//! | [`rules`] | PURE. parses the built-in rule files and the user's into what the engine compiles | `engine` |
//! | [`otlp`] | PURE. walks an OTLP message, protobuf or JSON, and redacts its fields on the wire | `engine` |
//! | `config` | a TOML file and flags become one configuration; parsed once, never validated later | `engine`, `rules` |
//! | `secrets` | loads what must never be printed: keys for hashing, known values | `engine`, `config` |
//! | `pipe` | files and standard input to standard output: each thread takes a piece, redacts it, and writes it in its turn | `engine` |
//! | `clean` | files, folders and archives read to their end, and rewritten in place or into another folder | `engine`, `rules`, `config`, `secrets` |
//! | `markup` | text within HTML and XML | nothing of ours |
//! | `report` | what was found as tables, JSON, SARIF, HTML and a diff; baselines; what is only a template. It holds no secret | `engine`, `rules`, `config`, `secrets`, `clean`, `markup` |
//! | `exec` | a program with its output masked: child process, signals, one thread for each stream | `engine`, `pipe` |
//! | `framing` | PURE. records in a stream of bytes: lines, NUL-ended, octet-counted; to lines and back | nothing of ours |
//! | `message` | what travels between the daemon's tasks: masked batches, and receipts for them | `engine` |
//! | `durable` | files that survive a crash: replaced whole, readable by their owner alone | nothing of ours |
//! | `tls` | certificates and keys from files, and what rustls makes of them, for every server and client | nothing of ours |
//! | `unix` | sockets with a name in the file system, to listen on | nothing of ours |
//! | `sinks` | standard output, files and sockets, with a spool or without; each batch is settled once its receiver has it | `message`, `framing`, `config`, `metrics`, `spool`, `tls`, `engine` |
//! | `sources` | standard input and listeners: bytes of streams, within limits | `config`, `metrics`, `tail`, `tls`, `unix` |
//! | `pipeline` | source to workers to sinks: the tasks, what they may hold, reload and drain | all but `cli`, `pipe` |
//! | `workers` | threads that redact for the daemon's tasks, around an engine that can be exchanged | `engine` |
//! | `metrics` | counters of what flows through, as Prometheus text and as an OTLP push; labels from closed sets only | `engine` |
//! | `findings` | the findings stream: which secret was found, since when and how often, without a byte of it | `engine`, `metrics`, `log` |
//! | `admin` | the admin port: health, metrics, and a status page | `metrics`, `config`, `unix`, `markup` |
//! | `log` | the daemon's own log: masked, limited, never waited for | `engine`, `metrics` |
//! | `tail` | follows files through rotation and restarts; hands out bytes with their place, keeps checkpoints | `durable` |
//! | `spool` | masked records on disk until a sink has them: segments, checksums, a quota | `engine`, `durable` |
//! | `hop` | servers and client for OTLP: batches are redacted between the one who sends and the one who is to get them | `engine`, `otlp`, `workers`, `metrics`, `findings`, `config`, `tls` |
//! | `cli` | one file per subcommand; the only room that prints to people | everything |
//!
//! PURE rooms hold no files, sockets, environment, threads, clocks or logging. Cargo features follow the rooms:
//! `default-features = false` is engine, rules and otlp alone.
//!
//! # When text is final
//!
//! Time decides *when* bytes are written, never *which*. A line is final once its line end has come; what an earlier line
//! left open (an armoured key, a block scalar) is in the [`engine::Carry`]. A record of up to 1 MiB is seen whole. A longer
//! one is cut at fixed offsets from its start into windows of 1 MiB that see 64 KiB to both sides; a span that reaches a
//! window's end goes on in the next. So the output does not depend on how the input was read, nor on the number of threads:
//! a thread assumes an empty carry, and does its piece again when, in its turn to write, the real one is not empty and changes
//! something. With `learn_records` the carry holds values, too: what is known behind a record depends on nothing but what the
//! last so many records taught, so a guess in which no value from before stands is right, and a restart reads those records again.
//!
//! # Invariants
//!
//! 1. **Pure core.** [`engine::Engine::compile`] may fail, redacting may not. (`tests/tidy.rs`)
//! 2. **Chunking is invisible.** (`engine::cut` tests, `tests/chunks.rs`, `tests/integration`)
//! 3. **Clean bytes are untouched**, whatever the encoding, and the number of lines is kept. What parsed still parses.
//!    (`tests/golden.rs`, `engine::properties`)
//! 4. **A secret leaves no trace** in output, errors or `Debug`; [`engine::Masked`] is the only thing a writer takes.
//! 5. **Idempotent.** Redacting twice changes nothing. (`engine::properties`)
//! 6. **Bounded.** Every buffer and channel has a bound; time is linear in the input. (`benches/adversarial.py`)
//! 7. **Fail closed.** A wrong rule stops the start with file and line; a record on which a rule panics is masked whole.
//! 8. **Nothing lost silently.** Each has a counter in [`engine::Tally`] and an exit code.
//! 9. **Rules are data.** A new format is one TOML entry with examples, and no Rust. (`tests/rules.rs` runs the examples)
//! 10. **Identifiers survive**: UUIDs, trace and span ids, digests, commit hashes, key *ids*. (`tests/prefilter.rs`)
//! 11. **Our own repository is clean under our own formats.** (`tests/tidy.rs`)

#[cfg(feature = "daemon")]
pub mod admin;
#[cfg(feature = "archives")]
pub mod clean;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod config;
#[cfg(feature = "daemon")]
mod durable;
pub mod engine;
#[cfg(feature = "exec")]
pub mod exec;
#[cfg(feature = "daemon")]
pub mod findings;
#[cfg(feature = "daemon")]
pub mod framing;
#[cfg(feature = "otlp")]
pub mod hop;
#[cfg(feature = "daemon")]
pub mod log;
#[cfg(any(feature = "archives", feature = "daemon"))]
mod markup;
#[cfg(feature = "daemon")]
pub mod message;
#[cfg(feature = "daemon")]
pub mod metrics;
pub mod otlp;
#[cfg(feature = "cli")]
pub mod pipe;
#[cfg(feature = "daemon")]
pub mod pipeline;
#[cfg(feature = "archives")]
pub mod report;
pub mod rules;
#[cfg(feature = "cli")]
pub mod secrets;
#[cfg(feature = "daemon")]
pub mod sinks;
#[cfg(feature = "daemon")]
pub mod sources;
#[cfg(feature = "daemon")]
pub mod spool;
#[cfg(feature = "daemon")]
pub mod tail;
#[cfg(feature = "daemon")]
pub mod tls;
#[cfg(feature = "daemon")]
mod unix;
#[cfg(feature = "daemon")]
pub mod workers;

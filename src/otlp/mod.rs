//! PURE. Redacts OTLP messages on the wire: bytes in, [`Masked`] out. No message is built; what is no finding is copied as it
//! came: unknown fields, the order of attributes, duplicates, numbers, ids, spelling. Receiving and sending is not its work.
//!
//! A message goes through in one walk. A single pass of the prefilter over its bytes ([`Survey`]) tells which strings can hold
//! anything at all; the others are stepped over. Every string and bytes field is a record of its own for the rules, and an
//! attribute's key is beside its value: see `scope`. In protobuf ([`proto`]) only the lengths around a finding are written
//! anew; JSON (`json`) is spliced in place.
//!
//! ```
//! use bytes::Bytes;
//! use inkout::engine::{Engine, Policy};
//! use inkout::otlp::{self, Encoding, Limits, Signal};
//! use inkout::rules::Catalog;
//!
//! let engine = Engine::compile(Catalog::builtin().set, Policy::default(), &inkout::engine::Limits::default())?;
//! let mut scratch = engine.scratch();
//! // A log record whose body is "password=hunter2", in its scope, in its resource.
//! let body = Bytes::from_static(b"\x0a\x18\x12\x16\x12\x14\x2a\x12\x0a\x10password=hunter2");
//! let limits = Limits::default();
//! let (masked, tally) = otlp::redact(&engine, &mut scratch, Signal::Logs, Encoding::Protobuf, &limits, &body)?;
//! assert_eq!(tally.total(), 1);
//! assert!(masked.as_bytes().ends_with(b"password=REDACTED.password"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod glance;
mod json;
mod lex;
mod proto;
mod schema;
mod scope;
mod wire;

use bytes::Bytes;

use crate::engine::{Engine, KeyPaths, Masked, Scratch, Span, Splice, Survey, Tally};

/// What a message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// `ExportLogsServiceRequest`.
    Logs,
    /// `ExportTraceServiceRequest`.
    Traces,
    /// `ExportMetricsServiceRequest`.
    Metrics,
}

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Binary protobuf.
    Protobuf,
    /// OTLP's JSON: lowerCamelCase names, hex ids.
    Json,
}

/// Depth is walked on the stack: about a kilobyte for each value in a value.
const MAX_DEPTH: usize = 64;

/// Bounds of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Values within values that are looked into; what is nested deeper is masked whole and counted. The decoders of most
    /// receivers refuse less. 64 at most.
    pub max_depth: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { max_depth: 64 }
    }
}

/// A message that is none: where, and what was expected there. It holds no byte of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no OTLP {}: byte {offset}: expected {expected}", .encoding.name())]
pub struct Malformed {
    /// How the message should have been written.
    pub encoding: Encoding,
    /// The first byte that cannot be read.
    pub offset: usize,
    /// What could have stood there.
    pub expected: &'static str,
}

impl Encoding {
    /// The name people know it by.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Protobuf => "protobuf",
            Encoding::Json => "JSON",
        }
    }
}

/// Redacts an export request. A message without findings comes back as the same memory. Afterwards `scratch.found()` tells
/// what was found, by offset in `body`, and `scratch.take_key_paths()` under which keys of attributes.
///
/// # Errors
/// When `body` is no message of this encoding. Nothing of it may be passed on then.
pub fn redact(
    engine: &Engine,
    scratch: &mut Scratch,
    signal: Signal,
    encoding: Encoding,
    limits: &Limits,
    body: &Bytes,
) -> Result<(Masked, Tally), Malformed> {
    let mut walk = Walk {
        engine,
        scratch,
        body,
        survey: Survey::blind(),
        read_ahead: 0,
        max_depth: limits.max_depth.min(MAX_DEPTH),
        path: Vec::new(),
        splice: Splice::new(body.clone()),
        tally: Tally::default(),
        found: Vec::new(),
        found_keys: KeyPaths::default(),
    };
    match encoding {
        Encoding::Protobuf => proto::walk(&mut walk, signal)?,
        Encoding::Json => json::walk(&mut walk)?,
    }
    let Walk { splice, mut tally, found, found_keys, scratch, .. } = walk;
    scratch.set_found(found, found_keys);
    let masked = splice.finish();
    tally.bytes_in = body.len() as u64;
    tally.bytes_out = masked.as_bytes().len() as u64;
    Ok((masked, tally))
}

/// One message on its way through.
struct Walk<'w> {
    engine: &'w Engine,
    scratch: &'w mut Scratch,
    body: &'w [u8],
    survey: Survey,
    max_depth: usize,
    /// Bytes of JSON that were looked at before their turn.
    read_ahead: usize,
    /// The keys around the last attribute that was met: see [`scope::Keys`].
    path: Vec<u8>,
    splice: Splice,
    tally: Tally,
    /// What was found, by offset in the body.
    found: Vec<Span>,
    /// Under which keys.
    found_keys: KeyPaths,
}

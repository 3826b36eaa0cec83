//! What travels between the daemon's tasks: masked batches one way, receipts the other. A leaf: it reads and writes nothing.
//!
//! A [`Batch`] goes to every sink of its pipeline. Each of them settles the batch's [`Receipt`] once, and the last of them
//! brings the [`Settled`] back to the source, which only then moves its checkpoint or answers its client. A receipt that is
//! dropped unsettled says nothing: the batch counts as not delivered.

mod receipt;

pub use receipt::{Ack, Receipt, Receipts, Settled};

use std::path::Path;
use std::sync::Arc;

use crate::engine::Masked;

/// A connection or a file: something with an order of its own. Numbers are not used twice in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// What the last byte of a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A record's end, as its framing marks it.
    Record,
    /// The middle of a record; the rest of it comes with the stream's next batch.
    Open,
    /// The end of the stream, which broke off without marking the record's end.
    BrokenOff,
}

/// Records of one stream that went through the engine, in order.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Whose records these are.
    pub stream: StreamId,
    /// Their bytes. With line framing they are written as they are.
    pub payload: Masked,
    /// For the other framings: how many lines of the payload are one record, in order. Empty: one each.
    pub lines: Vec<u32>,
    /// What the payload ends with.
    pub end: End,
    /// How many records end in it.
    pub records: u64,
    /// The file they came from, as it is called in the source's folder: the name of its mirrored file.
    pub origin: Option<Arc<Path>>,
    /// To be settled by the sink.
    pub receipt: Receipt,
}

impl Batch {
    /// The end of a record before this batch, of which no more will come.
    pub(crate) fn end_of_torn(&self, receipt: Receipt) -> Batch {
        let (payload, lines, origin) = (Masked::nothing(), Vec::new(), self.origin.clone());
        Batch { stream: self.stream, payload, lines, end: End::BrokenOff, records: 0, origin, receipt }
    }
}

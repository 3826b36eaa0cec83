//! Batches become bytes on a wire that many streams share: no record is torn by another stream's.

use bytes::{Bytes, BytesMut};

use crate::framing::{Framing, frame};
use crate::message::{Batch, End, StreamId};

/// Payloads up to this size are copied together, so that a thousand small batches are one write.
const SMALL_BYTES: usize = 16 << 10;

/// Remembers across batches whose record is unfinished.
#[derive(Clone)]
pub(super) struct Encoder {
    framing: Framing,
    /// The stream that wrote last, if its record is unfinished.
    open: Option<StreamId>,
}

impl Encoder {
    pub(super) fn new(framing: Framing) -> Encoder {
        Encoder { framing, open: None }
    }

    /// A new connection begins: nothing is unfinished on it.
    pub(super) fn restart(&mut self) {
        self.open = None;
    }

    /// Appends the bytes of `batch` to `out`.
    pub(super) fn encode(&mut self, batch: &Batch, out: &mut Chunks) {
        let payload = batch.payload.as_bytes();
        if payload.is_empty() && self.open != Some(batch.stream) {
            // The end of a record of which nothing came here.
            return;
        }
        if self.open.is_some_and(|stream| stream != batch.stream) {
            out.copy(self.delimiter());
        }
        match self.framing {
            Framing::Newline if payload.len() > SMALL_BYTES => out.share(batch.payload.clone().into_bytes()),
            Framing::Newline => out.copy(payload),
            framing => {
                let mut framed = Vec::with_capacity(payload.len() + 16);
                frame(framing, payload, &batch.lines, &mut framed);
                out.copy(&framed);
            }
        }
        let closes_itself = self.framing != Framing::Newline;
        if batch.end == End::BrokenOff && !closes_itself {
            out.copy(self.delimiter());
        }
        self.open = (batch.end == End::Open && !closes_itself).then_some(batch.stream);
    }

    fn delimiter(&self) -> &'static [u8] {
        match self.framing {
            Framing::Newline => b"\n",
            Framing::Nul => b"\0",
            Framing::OctetCounted => b"",
        }
    }
}

/// Bytes to be written, small ones together.
#[derive(Default)]
pub(super) struct Chunks {
    whole: Vec<Bytes>,
    last: BytesMut,
    len: usize,
}

impl Chunks {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// What was collected, in order.
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        self.seal();
        self.len = 0;
        std::mem::take(&mut self.whole)
    }

    fn copy(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
        self.last.extend_from_slice(bytes);
    }

    fn share(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        self.seal();
        self.whole.push(bytes);
    }

    fn seal(&mut self) {
        if !self.last.is_empty() {
            self.whole.push(self.last.split().freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::{Carry, Engine, Limits, Policy};
    use crate::message::Receipts;
    use crate::rules::Catalog;

    /// Streams, payloads and ends, and the bytes they become.
    #[track_caller]
    fn check(framing: Framing, batches: &[(u64, &str, End)], expected: &str) {
        let rules = "[[rule]]\nid='a'\nsummary='A'\ncategory='credential'\nkeys=['never_there']\n";
        let set = Catalog::parse("r", rules).unwrap().set;
        let engine = Arc::new(Engine::compile(set, Policy::default(), &Limits::default()).unwrap());
        let (receipts, _back) = Receipts::channel();
        let (mut encoder, mut out) = (Encoder::new(framing), Chunks::default());
        for (stream, text, end) in batches {
            let stream = StreamId(*stream);
            let payload = engine.redact(&mut engine.scratch(), &Carry::default(), text.to_string().into()).0;
            let receipt = receipts.receipt(stream, 0, 0, 1);
            encoder.encode(
                &Batch { stream, payload, lines: Vec::new(), end: *end, records: 0, origin: None, receipt },
                &mut out,
            );
        }
        assert_eq!(out.len(), expected.len());
        assert_eq!(String::from_utf8(out.take().concat()).unwrap(), expected);
    }

    #[test]
    fn no_record_is_torn_by_another_streams() {
        use End::{BrokenOff, Open, Record};
        check(Framing::Newline, &[(1, "a\n", Record), (2, "b\n", Record)], "a\nb\n");
        check(Framing::Newline, &[(1, "a", Open), (1, "b\n", Record)], "ab\n");
        check(Framing::Newline, &[(1, "a", Open), (2, "b\n", Record), (1, "c\n", Record)], "a\nb\nc\n");
        check(Framing::Newline, &[(1, "a", BrokenOff), (2, "b\n", Record)], "a\nb\n");
        check(Framing::Newline, &[(1, "a", Record)], "a");
        check(Framing::Newline, &[(1, "a", Open), (1, "", BrokenOff), (1, "b\n", Record)], "a\nb\n");
        check(Framing::Newline, &[(1, "a", Open), (2, "b\n", Record), (1, "", BrokenOff)], "a\nb\n");
        check(Framing::Nul, &[(1, "a\nb\n", Record), (2, "c", BrokenOff)], "a\0b\0c\0");
        check(Framing::OctetCounted, &[(1, "a\nbc\n", Record), (2, "c", Open), (1, "d\n", Record)], "1 a2 bc1 c1 d");
    }

    #[test]
    fn large_payloads_are_shared_and_small_ones_written_together() {
        let large = "x".repeat(SMALL_BYTES) + "\n";
        let text = format!("a\nb\n{large}c\n");
        let batches =
            [(1, "a\n", End::Record), (2, "b\n", End::Record), (1, &large, End::Record), (1, "c\n", End::Record)];
        check(Framing::Newline, &batches, &text);
    }
}

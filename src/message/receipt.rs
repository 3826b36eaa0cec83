//! How a source learns what became of a batch. Waiting and resending are the sinks'.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::StreamId;

/// What a sink says of a batch. Ordered: of several sinks' words the greatest is the batch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ack {
    /// The receiver has it, as strongly as its protocol can say so.
    Delivered,
    /// It will never be delivered: the operator chose to drop it. Who dropped it has counted it.
    Dropped,
    /// It will never be delivered: the receiver refuses it.
    Rejected,
}

/// What became of a batch, for its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Whose batch it was.
    pub stream: StreamId,
    /// How many bytes of the stream are done with it.
    pub position: u64,
    /// How many records ended in it.
    pub records: u64,
    /// What the sinks said.
    pub ack: Ack,
}

/// Where the receipts of a source come back to.
#[derive(Clone, Debug)]
pub struct Receipts(UnboundedSender<Settled>);

impl Receipts {
    /// The two ends. It has no bound of its own: there is one message for each batch that is in flight, and those are
    /// bounded by the sinks' buffers.
    pub fn channel() -> (Receipts, UnboundedReceiver<Settled>) {
        let (sender, receiver) = unbounded_channel();
        (Receipts(sender), receiver)
    }

    /// A receipt that `sinks` sinks have to settle.
    pub fn receipt(&self, stream: StreamId, position: u64, records: u64, sinks: usize) -> Receipt {
        let settled = Settled { stream, position, records, ack: Ack::Delivered };
        let (open, worst) = (AtomicUsize::new(sinks), Mutex::new(settled));
        Receipt(Arc::new(Shared { open, worst, back: self.0.clone() }))
    }
}

/// A batch's receipt. Each sink has a clone of it.
#[derive(Clone)]
pub struct Receipt(Arc<Shared>);

struct Shared {
    /// Sinks that have not settled.
    open: AtomicUsize,
    worst: Mutex<Settled>,
    back: UnboundedSender<Settled>,
}

impl Receipt {
    /// One sink is done with the batch.
    pub fn settle(self, ack: Ack) {
        let mut worst = self.0.worst.lock().unwrap_or_else(PoisonError::into_inner);
        worst.ack = worst.ack.max(ack);
        if self.0.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            // A source that has gone has no use for it.
            let _ = self.0.back.send(*worst);
        }
    }
}

impl std::fmt::Debug for Receipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Receipt({} open)", self.0.open.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(acks: &[Ack], sinks: usize, expected: Option<Ack>) {
        let (receipts, mut back) = Receipts::channel();
        let receipt = receipts.receipt(StreamId(7), 11, 3, sinks);
        acks.iter().for_each(|ack| receipt.clone().settle(*ack));
        let settled = back.try_recv().ok();
        assert_eq!(settled, expected.map(|ack| Settled { stream: StreamId(7), position: 11, records: 3, ack }));
    }

    #[test]
    fn the_last_sink_settles_and_the_worst_word_counts() {
        check(&[Ack::Delivered], 1, Some(Ack::Delivered));
        check(&[Ack::Delivered], 2, None);
        check(&[], 1, None);
        check(&[Ack::Rejected, Ack::Delivered], 2, Some(Ack::Rejected));
        check(&[Ack::Dropped, Ack::Rejected], 2, Some(Ack::Rejected));
    }
}

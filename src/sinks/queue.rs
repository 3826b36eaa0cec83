//! The bounded way to a sink. Its bound is bytes: who offers more than there is room for waits, or is told to drop.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::daemon::WhenFull;
use crate::message::{Ack, Batch};
use crate::metrics::{PipelineMetrics, SinkMetrics};

/// What a batch costs beside its payload.
const OVERHEAD_BYTES: usize = 512;

/// The pipeline's end.
#[derive(Clone)]
pub struct Inlet {
    sender: UnboundedSender<Queued>,
    room: Arc<Semaphore>,
    /// Of `room`, when it is empty.
    capacity: usize,
    when_full: WhenFull,
    pipeline: PipelineMetrics,
}

/// The sink's end.
pub struct Queue(UnboundedReceiver<Queued>);

/// What became of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// The sink will deliver it.
    Taken,
    /// There was no room; the batch is settled as dropped.
    Full,
    /// The sink has ended; the batch stays unsettled.
    Closed,
}

/// A batch that waits for its sink, or for its receiver's word.
#[derive(Debug)]
pub struct Queued {
    /// The batch.
    pub batch: Batch,
    /// Its room in the queue, until it is settled.
    room: Option<Room>,
}

#[derive(Debug)]
struct Room {
    _permit: OwnedSemaphorePermit,
    bytes: u64,
    pipeline: PipelineMetrics,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.pipeline.queue_sub(self.bytes);
    }
}

impl Queue {
    /// The two ends of a queue with room for `capacity` bytes.
    pub fn channel(capacity: usize, when_full: WhenFull, pipeline: PipelineMetrics) -> (Inlet, Queue) {
        let (sender, receiver) = unbounded_channel();
        let room = Arc::new(Semaphore::new(capacity));
        (Inlet { sender, room, capacity, when_full, pipeline }, Queue(receiver))
    }

    /// Takes up to `max` batches, waiting for the first of them. 0: nothing will come any more.
    pub async fn take(&mut self, into: &mut Vec<Queued>, max: usize) -> usize {
        self.0.recv_many(into, max).await
    }

    /// The same on a thread of its own.
    pub fn take_blocking(&mut self, into: &mut Vec<Queued>, max: usize) -> usize {
        self.0.blocking_recv_many(into, max)
    }
}

impl Inlet {
    /// Hands `batch` over, once there is room for it; after waiting for `patience` it is dropped.
    pub async fn offer(&self, batch: Batch, patience: Option<Duration>) -> Offered {
        let bytes = (batch.payload.as_bytes().len() + OVERHEAD_BYTES).min(self.capacity);
        let permits = u32::try_from(bytes).expect("a buffer has less than 4 GiB");
        let room = Arc::clone(&self.room);
        let permit = match (room.try_acquire_many_owned(permits), self.when_full, patience) {
            (Ok(permit), ..) => Some(permit),
            (Err(_), WhenFull::DropNewest, _) => None,
            (Err(_), WhenFull::Block, None) => Arc::clone(&self.room).acquire_many_owned(permits).await.ok(),
            (Err(_), WhenFull::Block, Some(patience)) => {
                let waiting = Arc::clone(&self.room).acquire_many_owned(permits);
                tokio::time::timeout(patience, waiting).await.ok().and_then(Result::ok)
            }
        };
        let Some(permit) = permit else {
            batch.receipt.settle(Ack::Dropped);
            return Offered::Full;
        };
        let bytes = bytes as u64;
        self.pipeline.queue_add(bytes);
        let room = Some(Room { _permit: permit, bytes, pipeline: self.pipeline.clone() });
        self.sender.send(Queued { batch, room }).map_or(Offered::Closed, |()| Offered::Taken)
    }

    /// Whether an offer waits for room.
    pub fn waits(&self) -> bool {
        self.when_full == WhenFull::Block
    }

    /// Whether it takes nothing any more.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

impl Queued {
    /// The sink is done with it. Its room is free, whoever may still hold the bytes.
    pub fn settle(&mut self, ack: Ack, metrics: &SinkMetrics) {
        if ack == Ack::Delivered && !self.is_settled() {
            metrics.sent(self.batch.records, self.batch.payload.as_bytes().len() as u64);
        }
        self.let_go(ack);
    }

    /// The same without counting it as sent: somebody else answers for it now.
    pub fn let_go(&mut self, ack: Ack) {
        if self.room.take().is_some() {
            self.batch.receipt.clone().settle(ack);
        }
    }

    /// What it holds of memory.
    pub fn bytes(&self) -> usize {
        self.batch.payload.as_bytes().len() + OVERHEAD_BYTES
    }

    /// Whether it is settled.
    pub fn is_settled(&self) -> bool {
        self.room.is_none()
    }
}

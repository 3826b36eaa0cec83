//! A sink behind a spool: what comes is written to disk and settled there, and what is on the disk is handed to the sink, the
//! oldest first. How records stand on the disk is the spool's business, and how they are delivered is the sink's.
//!
//! 1. What the queue brings is pushed, many batches at once, and made durable with one sync. Only then it is settled: a
//!    source's checkpoint moves.
//! 2. What was pushed is read again and offered to the sink. Its receipts come back in any order; the spool is told of those
//!    that nothing older is missing before.
//! 3. When the queue has ended, the disk is emptied. Whoever cannot wait for that halts the task: what is left stays for the
//!    next run.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::future::{Future, pending};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::queue::{Inlet, Offered, Queue, Queued};
use super::{Around, Ended};
use crate::message::{Ack, Batch, End, Receipts, Settled, StreamId};
use crate::metrics::{DropReason, SinkError, SpoolState};
use crate::spool::{Entry, Pushed, Spool, SpoolError, Stored};

/// Batches taken at once: they share a sync.
const TAKE: usize = 256;
/// The pause before a disk that fails is tried again; it doubles until `MAX_PAUSE`.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const MAX_PAUSE: Duration = Duration::from_secs(2);
/// How often it is said that the disk fails, or the spool is full.
const REMIND: Duration = Duration::from_secs(60);

/// Starts the task on a thread of its own, because the disk makes it wait. `inner` is the sink behind it, fed by `inlet`.
pub(super) fn start(
    spool: Spool,
    queue: Queue,
    inlet: Inlet,
    inner: JoinHandle<Ended>,
    around: Around,
) -> io::Result<JoinHandle<Ended>> {
    let spooled = Spooled::new(spool, queue, inlet, inner, around)?;
    let (sender, ended) = oneshot::channel();
    let runtime = Handle::current();
    let work = move || drop(sender.send(runtime.block_on(spooled.run())));
    thread::Builder::new().name("spool".to_owned()).spawn(work)?;
    Ok(tokio::spawn(async { ended.await.unwrap_or_else(|_| Ended::Failed("its thread failed".to_owned())) }))
}

type Offering = Pin<Box<dyn Future<Output = Offered> + Send>>;

struct Spooled {
    spool: Spool,
    queue: Queue,
    /// `None` once everything was offered.
    inlet: Option<Inlet>,
    inner: JoinHandle<Ended>,
    around: Around,
    receipts: Receipts,
    back: UnboundedReceiver<Settled>,
    /// Added to the numbers of streams: those of an earlier run are other streams.
    epoch: u64,
    /// Taken from the queue; there was no room on the disk yet.
    unstored: VecDeque<Queued>,
    /// Pushed under these numbers, and not durable yet.
    unsynced: VecDeque<(u64, Queued)>,
    /// What is being offered to the sink.
    offering: Option<Offering>,
    /// Numbers that were offered, and whether the sink is done with them. The first one is not.
    outstanding: VecDeque<(u64, bool)>,
    /// Everything that was pushed has been read.
    read_all: bool,
    /// Nothing more will come from the queue.
    closed: bool,
    trouble: Trouble,
    /// Damaged batches that were told of.
    skipped: u64,
}

/// A disk that fails or is full.
#[derive(Default)]
struct Trouble {
    /// Until then it is left alone, unless the spool became smaller than this.
    until: Option<(Instant, u64)>,
    pause: Duration,
    said: Option<Instant>,
}

impl Spooled {
    fn new(spool: Spool, queue: Queue, inlet: Inlet, inner: JoinHandle<Ended>, around: Around) -> io::Result<Spooled> {
        let epoch = getrandom::u64().map_err(io::Error::other)?;
        let (receipts, back) = Receipts::channel();
        let counts = spool.counts();
        let name = around.sink.name();
        if counts.torn_bytes > 0 {
            tracing::warn!(sink = name, bytes = counts.torn_bytes, "a torn end of the spool was cut off");
        }
        if spool.waiting() > 0 {
            tracing::info!(sink = name, batches = spool.waiting(), "an earlier run left records; they go first");
        }
        let mut spooled = Spooled {
            spool,
            queue,
            inlet: Some(inlet),
            inner,
            around,
            receipts,
            back,
            epoch,
            unstored: VecDeque::new(),
            unsynced: VecDeque::new(),
            offering: None,
            outstanding: VecDeque::new(),
            read_all: false,
            closed: false,
            trouble: Trouble::default(),
            skipped: 0,
        };
        spooled.tell();
        Ok(spooled)
    }

    async fn run(mut self) -> Ended {
        loop {
            self.store();
            self.read();
            self.tell();
            if self.is_over() {
                return self.end().await;
            }
            let mut taken = Vec::new();
            let retry = self.trouble.until.map(|(until, _)| until);
            // Not in this order: what is new must not wait until what is old has gone, nor the other way round.
            tokio::select! {
                () = self.around.halt.cancelled() => return self.leave(),
                ended = &mut self.inner => return early(ended),
                Some(settled) = self.back.recv() => self.settle(settled),
                offered = offered(&mut self.offering) => {
                    self.offering = None;
                    if offered == Offered::Closed {
                        return early(self.inner.await);
                    }
                }
                count = self.queue.take(&mut taken, TAKE), if !self.closed && self.unstored.is_empty() => {
                    self.closed = count == 0;
                    self.unstored.extend(taken);
                }
                () = sleep_until(retry) => self.trouble.until = None,
            }
        }
    }

    /// Pushes what was taken and makes it durable, as far as the disk goes along.
    fn store(&mut self) {
        if self.trouble.waits(self.spool.usage_bytes()) && self.spool.waiting() > 0 {
            return;
        }
        while let Some(queued) = self.unstored.front() {
            match self.spool.push(entry(&queued.batch, self.epoch)) {
                Ok(Pushed::Stored { number }) => {
                    let queued = self.unstored.pop_front().expect("there is a first one");
                    self.unsynced.push_back((number, queued));
                    self.read_all = false;
                }
                Ok(Pushed::Full) => {
                    self.trouble("the spool or its disk is full");
                    break;
                }
                Ok(Pushed::Dropped) => self.drop_first(DropReason::QueueFull),
                Err(SpoolError::TooLarge { len, max_bytes }) => {
                    tracing::error!(sink = self.around.sink.name(), len, max_bytes, "a batch is larger than the spool");
                    self.around.sink.error(SinkError::Rejected);
                    self.drop_first(DropReason::Rejected);
                }
                Err(error) => {
                    self.around.sink.error(SinkError::Disk);
                    self.trouble(&error);
                    break;
                }
            }
        }
        self.sync();
    }

    fn sync(&mut self) {
        if self.unsynced.is_empty() {
            return;
        }
        match self.spool.sync() {
            Ok(synced) => {
                while let Some((_, mut queued)) = self.unsynced.pop_front_if(|(number, _)| *number < synced) {
                    queued.let_go(Ack::Delivered);
                }
                if self.unstored.is_empty() {
                    self.trouble.over(self.around.sink.name());
                }
            }
            Err(error) => {
                self.around.sink.error(SinkError::Disk);
                self.trouble(&error);
            }
        }
    }

    fn drop_first(&mut self, reason: DropReason) {
        let mut dropped = self.unstored.pop_front().expect("there is a first one");
        self.around.source.dropped(reason, dropped.batch.records);
        dropped.let_go(Ack::Rejected);
    }

    fn trouble(&mut self, reason: &(impl std::fmt::Display + ?Sized)) {
        self.around.sink.retry();
        self.trouble.again(reason, self.around.sink.name(), self.spool.usage_bytes());
    }

    /// Begins to offer the next one.
    fn read(&mut self) {
        let Some(inlet) = self.inlet.as_ref().filter(|_| self.offering.is_none() && !self.read_all) else { return };
        match self.spool.read() {
            Ok(Some(stored)) => {
                self.outstanding.push_back((stored.number, false));
                let (inlet, batch) = (inlet.clone(), batch(stored, &self.receipts));
                self.offering = Some(Box::pin(async move { inlet.offer(batch, None).await }));
            }
            Ok(None) => self.read_all = true,
            Err(error) => {
                self.around.sink.error(SinkError::Disk);
                self.trouble(&error);
            }
        }
    }

    /// The sink is done with a batch, and perhaps with more of them.
    fn settle(&mut self, settled: Settled) {
        let mut next = Some(settled);
        while let Some(settled) = next {
            if let Ok(at) = self.outstanding.binary_search_by_key(&settled.position, |(number, _)| *number) {
                self.outstanding[at].1 = true;
            }
            if settled.ack == Ack::Rejected {
                self.around.source.dropped(DropReason::Rejected, settled.records);
            }
            next = self.back.try_recv().ok();
        }
        let mut done = None;
        while let Some((number, _)) = self.outstanding.pop_front_if(|(_, done)| *done) {
            done = Some(number);
        }
        if let Some(number) = done
            && let Err(error) = self.spool.delivered(number)
        {
            // It is tried again with the next one; after a crash, batches come twice.
            self.around.sink.error(SinkError::Disk);
            self.trouble.say(&error, self.around.sink.name());
        }
    }

    fn tell(&mut self) {
        let counts = self.spool.counts();
        if counts.skipped > self.skipped {
            let batches = counts.skipped - self.skipped;
            tracing::error!(sink = self.around.sink.name(), batches, "damaged batches of the spool were skipped");
            self.skipped = counts.skipped;
        }
        self.around.sink.spool(&SpoolState {
            bytes: self.spool.usage_bytes(),
            waiting: self.spool.waiting(),
            skipped: counts.skipped,
            torn_bytes: counts.torn_bytes,
            failed_writes: counts.failed_writes + counts.given_up,
        });
    }

    fn is_over(&self) -> bool {
        let stored = self.closed && self.unstored.is_empty() && self.unsynced.is_empty();
        stored && self.read_all && self.offering.is_none()
    }

    /// Everything was offered: the sink behind it may end, and says how it parted from its receiver.
    async fn end(mut self) -> Ended {
        self.inlet = None;
        let ended = loop {
            tokio::select! {
                () = self.around.halt.cancelled() => return self.leave(),
                ended = &mut self.inner => break early(ended),
                Some(settled) = self.back.recv() => self.settle(settled),
            }
        };
        while let Ok(settled) = self.back.try_recv() {
            self.settle(settled);
        }
        if self.outstanding.is_empty() {
            // What was never read is damaged, and no later run could read it.
            self.note(u64::MAX - 1);
        }
        match ended {
            Ended::Done => self.leave(),
            failed => failed,
        }
    }

    fn note(&mut self, delivered: u64) {
        if let Err(error) = self.spool.delivered(delivered).and_then(|()| self.spool.note()) {
            tracing::warn!(sink = self.around.sink.name(), %error, "delivered records will come again");
        }
    }

    /// There is no more time: what is on the disk stays there.
    fn leave(mut self) -> Ended {
        while let Ok(settled) = self.back.try_recv() {
            self.settle(settled);
        }
        self.inner.abort();
        self.sync();
        if let Err(error) = self.spool.note() {
            tracing::warn!(sink = self.around.sink.name(), %error, "delivered records will come again");
        }
        self.tell();
        match self.spool.waiting() {
            0 => Ended::Done,
            batches => Ended::Left { batches },
        }
    }
}

impl Trouble {
    /// Whether the disk is left alone for now.
    fn waits(&self, usage: u64) -> bool {
        self.until.is_some_and(|(until, then)| usage >= then && Instant::now() < until)
    }

    fn again(&mut self, reason: &(impl std::fmt::Display + ?Sized), sink: &str, usage: u64) {
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, MAX_PAUSE);
        self.until = Some((Instant::now() + self.pause, usage));
        self.say(reason, sink);
    }

    fn say(&mut self, reason: &(impl std::fmt::Display + ?Sized), sink: &str) {
        if self.said.is_none_or(|said| said.elapsed() >= REMIND) {
            self.said = Some(Instant::now());
            tracing::warn!(sink, %reason, "the spool cannot go on; trying again");
        }
    }

    fn over(&mut self, sink: &str) {
        if self.said.is_some() {
            tracing::info!(sink, "the spool goes on");
        }
        *self = Trouble::default();
    }
}

/// How a sink ended that should have gone on.
fn early(ended: Result<Ended, tokio::task::JoinError>) -> Ended {
    ended.unwrap_or_else(|_| Ended::Failed("internal error".to_owned()))
}

async fn offered(offering: &mut Option<Offering>) -> Offered {
    match offering {
        Some(offering) => offering.await,
        None => pending().await,
    }
}

async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => pending().await,
    }
}

const RECORD: u8 = 0;
const OPEN: u8 = 1;
const BROKEN_OFF: u8 = 2;

fn entry(batch: &Batch, epoch: u64) -> Entry {
    Entry {
        stream: batch.stream.0.wrapping_add(epoch),
        position: 0,
        records: batch.records,
        end: match batch.end {
            End::Record => RECORD,
            End::Open => OPEN,
            End::BrokenOff => BROKEN_OFF,
        },
        lines: batch.lines.clone(),
        origin: batch.origin.as_deref().map(|origin| origin.as_os_str().as_bytes().to_vec()).unwrap_or_default(),
        payload: batch.payload.clone(),
    }
}

/// What the sink gets. Its receipt bears the number in the spool.
fn batch(Stored { number, entry }: Stored, receipts: &Receipts) -> Batch {
    let Entry { stream, records, end, lines, origin, payload, .. } = entry;
    let stream = StreamId(stream);
    let origin = (!origin.is_empty()).then(|| Arc::from(Path::new(OsStr::from_bytes(&origin))));
    let end = match end {
        OPEN => End::Open,
        BROKEN_OFF => End::BrokenOff,
        _ => End::Record,
    };
    let receipt = receipts.receipt(stream, number, records, 1);
    Batch { stream, payload, lines, end, records, origin, receipt }
}

//! Writes batches to a connection, and makes a new one when it breaks. Nothing is settled before the receiver's system has
//! confirmed it, and nothing that is not settled is forgotten.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;

use super::Ended;
use super::connect::{Broken, Link, Target};
use super::encode::{Chunks, Encoder};
use super::queue::{Queue, Queued};
use super::sent::Sent;
use crate::framing::Framing;
use crate::metrics::{SinkError, SinkMetrics};

/// The pause before the second attempt; it doubles until it is `MAX_PAUSE`.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// A receiver that is back is found after so long at most.
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// Batches taken at once.
const TAKE: usize = 256;
/// Bytes written at once.
const WRITE_BYTES: usize = 256 << 10;
/// How often the send queue is asked for while something waits in it: soon, then less and less often.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const MAX_LOOK: Duration = Duration::from_millis(50);
/// A receiver that has not closed by then has no hurry; what was confirmed for so long counts as read.
const PARTING: Duration = Duration::from_secs(1);
/// When nothing has arrived for so long, the system is asked whether the receiver still answers.
const SUSPICIOUS: Duration = Duration::from_secs(10);
/// Where it does not tell, a receiver that takes nothing for so long is taken for gone.
const HOPELESS: Duration = Duration::from_secs(120);

/// A sink behind a connection.
pub(super) struct Socket {
    name: String,
    target: Target,
    encoder: Encoder,
    queue: Queue,
    metrics: SinkMetrics,
    /// Taken from the queue and not written on this connection, in order.
    unwritten: VecDeque<Queued>,
    sent: Sent,
    /// Nothing more will come from the queue.
    closed: bool,
    /// A goodbye was answered with a reset. What may have been lost is written again once.
    parted: bool,
}

impl Socket {
    pub(super) fn new(name: String, target: Target, framing: Framing, queue: Queue, metrics: SinkMetrics) -> Socket {
        let (encoder, unwritten, sent) = (Encoder::new(framing), VecDeque::new(), Sent::default());
        Socket { name, target, encoder, queue, metrics, unwritten, sent, closed: false, parted: false }
    }

    /// Runs until the queue is closed and everything is delivered.
    pub(super) async fn run(mut self) -> Ended {
        let mut pause = Pause::default();
        loop {
            let broken = match self.target.connect().await {
                Ok(mut link) => match self.serve(&mut link, &mut pause).await {
                    Ok(()) => return Ended::Done,
                    Err(broken) => broken,
                },
                Err(broken) => broken,
            };
            self.recover(&broken);
            tokio::time::sleep(pause.next()).await;
            self.metrics.retry();
        }
    }

    /// Puts back what has to be written again, and says once what happened.
    fn recover(&mut self, broken: &Broken) {
        self.metrics.error(broken.kind);
        let mut again = self.sent.take_back(broken.reset, Instant::now());
        tracing::warn!(sink = self.name, reason = broken.reason, again = again.len(), "connection lost or refused");
        again.append(&mut self.unwritten);
        self.unwritten = again;
        self.encoder.restart();
    }

    /// Writes until the connection breaks, or until everything is delivered and nothing more will come.
    async fn serve(&mut self, link: &mut Link, pause: &mut Pause) -> Result<(), Broken> {
        tracing::info!(sink = self.name, "connected");
        let mut watch = Watch::new();
        self.sent.connected(Instant::now());
        loop {
            self.confirm(link, &mut watch, pause)?;
            let room = self.sent.room(Instant::now());
            // A batch that is larger than the room goes alone: a receiver that resets may never take two large ones.
            let fits = |next: &Queued| next.bytes() <= room || !self.sent.holds_any();
            if self.unwritten.front().is_some_and(fits) {
                self.write(link, &mut watch, pause, room.min(WRITE_BYTES)).await?;
                continue;
            }
            if self.closed && self.unwritten.is_empty() && !self.sent.is_waiting() {
                return self.part(link).await;
            }
            self.wait(link, &watch).await?;
        }
    }

    /// Says goodbye after everything was confirmed. A receiver that closes in order has read it all; one that resets has not.
    /// One that does neither is not waited for.
    async fn part(&mut self, link: &mut Link) -> Result<(), Broken> {
        let goodbye = async {
            link.io().shutdown().await.map_err(|error| Broken::failed(&error))?;
            match link.closed().await {
                broken if broken.reset => Err(broken),
                _ => Ok(()),
            }
        };
        match tokio::time::timeout(PARTING, goodbye).await {
            Ok(Err(broken)) if self.sent.is_unsettled() || !self.parted => {
                self.parted = true;
                Err(broken)
            }
            _ => {
                self.sent.settle_all(&self.metrics);
                Ok(())
            }
        }
    }

    /// Waits for something to do.
    async fn wait(&mut self, link: &mut Link, watch: &Watch) -> Result<(), Broken> {
        let release = self.sent.next_release();
        let look = watch.next_look(self.sent.is_waiting(), release);
        let mut taken = Vec::new();
        tokio::select! {
            biased;
            count = self.queue.take(&mut taken, TAKE), if !self.closed && self.unwritten.is_empty() => {
                self.closed = count == 0;
                self.unwritten.extend(taken);
            }
            broken = link.closed() => return Err(broken),
            () = sleep_until(look), if look.is_some() => {}
        }
        Ok(())
    }

    /// Settles what has arrived.
    fn confirm(&mut self, link: &Link, watch: &mut Watch, pause: &mut Pause) -> Result<(), Broken> {
        let now = Instant::now();
        self.sent.release(now, &self.metrics);
        if !self.sent.is_waiting() {
            watch.nothing_waits(now);
            return Ok(());
        }
        self.look(link, watch, pause, now)
    }

    /// Looks how much has arrived while something is on its way, and whether the receiver still answers.
    fn look(&mut self, link: &Link, watch: &mut Watch, pause: &mut Pause, now: Instant) -> Result<(), Broken> {
        let arrived = link.arrived().map_err(|error| Broken::failed(&error))?;
        if self.sent.confirm(arrived, now, &self.metrics) {
            pause.reset();
        }
        watch.arrived(arrived, now);
        watch.check(link, now)
    }

    /// Writes some batches, watching the connection meanwhile.
    async fn write(&mut self, link: &mut Link, watch: &mut Watch, pause: &mut Pause, max: usize) -> Result<(), Broken> {
        let (mut chunks, mut written) = (Chunks::default(), Vec::new());
        let fits = |len: usize, next: &mut Queued| len == 0 || len + next.bytes() <= max;
        while let Some(batch) = self.unwritten.pop_front_if(|next| fits(chunks.len(), next)) {
            self.encoder.encode(&batch.batch, &mut chunks);
            written.push(batch);
        }
        let outcome = self.write_all(link, chunks.take(), watch, pause).await;
        let end = if outcome.is_ok() { link.taken() } else { u64::MAX };
        written.into_iter().for_each(|batch| self.sent.push(end, batch));
        outcome
    }

    async fn write_all(
        &mut self,
        link: &mut Link,
        chunks: Vec<Bytes>,
        watch: &mut Watch,
        pause: &mut Pause,
    ) -> Result<(), Broken> {
        for mut chunk in chunks {
            while !chunk.is_empty() {
                let look = watch.next_look(true, None);
                let written = tokio::select! {
                    biased;
                    written = link.io().write_buf(&mut chunk) => Some(written),
                    () = sleep_until(look) => None,
                };
                match written {
                    Some(Ok(0)) => return Err(Broken::new(SinkError::Write, "the connection takes nothing")),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(Broken::failed(&error)),
                    None => self.look(link, watch, pause, Instant::now())?,
                }
            }
        }
        // TLS has bytes of its own that wait for the receiver.
        loop {
            let look = watch.next_look(true, None);
            let flushed = tokio::select! {
                biased;
                flushed = link.io().flush() => Some(flushed),
                () = sleep_until(look) => None,
            };
            match flushed {
                Some(flushed) => return flushed.map_err(|error| Broken::failed(&error)),
                None => self.look(link, watch, pause, Instant::now())?,
            }
        }
    }
}

async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

/// Watches whether what was written arrives.
struct Watch {
    arrived: u64,
    /// When something last arrived, or began to wait.
    moved: Instant,
    look: Duration,
}

impl Watch {
    fn new() -> Watch {
        Watch { arrived: 0, moved: Instant::now(), look: FIRST_LOOK }
    }

    fn nothing_waits(&mut self, now: Instant) {
        (self.moved, self.look) = (now, FIRST_LOOK);
    }

    fn arrived(&mut self, arrived: u64, now: Instant) {
        if arrived > self.arrived {
            (self.arrived, self.moved, self.look) = (arrived, now, FIRST_LOOK);
        } else {
            self.look = (self.look * 2).min(MAX_LOOK);
        }
    }

    /// When to look at the connection again.
    fn next_look(&self, waiting: bool, release: Option<Instant>) -> Option<Instant> {
        let look = waiting.then(|| Instant::now() + self.look);
        look.into_iter().chain(release).min()
    }

    /// A receiver that is slow is waited for as long as it answers; one that has vanished is given up.
    fn check(&self, link: &Link, now: Instant) -> Result<(), Broken> {
        let idle = now.duration_since(self.moved);
        let dead = idle >= SUSPICIOUS && link.is_dead().unwrap_or(idle >= HOPELESS);
        let broken =
            || Broken { reset: true, ..Broken::new(SinkError::Timeout, "the receiver does not answer any more") };
        if dead { Err(broken()) } else { Ok(()) }
    }
}

/// The pause between attempts: twice as long each time, and not the same for everybody.
struct Pause(Duration);

impl Default for Pause {
    fn default() -> Pause {
        Pause(FIRST_PAUSE)
    }
}

impl Pause {
    fn reset(&mut self) {
        self.0 = FIRST_PAUSE;
    }

    fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(MAX_PAUSE);
        // Without randomness all wait alike; that is no reason to fail.
        let share = getrandom::u32().map_or(1.0, |random| 0.5 + f64::from(random) / f64::from(u32::MAX) / 2.0);
        pause.mul_f64(share)
    }
}

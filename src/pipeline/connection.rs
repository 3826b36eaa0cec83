//! Peers of a listener, each a stream. One that is slow, endless or silent costs its own place and nothing more.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::BufMut as _;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::io::poll_read_buf;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::budget::{Budget, FREE_BYTES, Lease};
use super::flow::{Flow, Tail};
use super::lane::{Closed, Lane};
use crate::config::daemon::Source;
use crate::framing::FrameError;
use crate::metrics::RefuseReason;
use crate::sources::{Connection, Listener};

/// Bytes taken from the system at once, into memory that all connections of a thread share.
const READ_BYTES: usize = 64 << 10;
/// Bytes taken before they are looked at, while little is held.
const BLOCK_BYTES: usize = 256 << 10;
/// When a stop was asked for: a peer that has sent nothing for so long has sent all that was on its way.
const LAST_CALL: Duration = Duration::from_millis(50);
/// And one that goes on sending is read for so long.
const LAST_CALL_MAX: Duration = Duration::from_secs(2);

/// As many as a system keeps waiting.
const BACKLOG: usize = 4096;

/// Lets peers in until `stop`, then waits for those that are in.
pub(super) async fn accept(
    listener: Arc<Listener>,
    source: Source,
    lane: Arc<Lane>,
    budget: Arc<Budget>,
    stop: CancellationToken,
) {
    let (peers, source) = (TaskTracker::new(), Arc::new(source));
    let let_in = |connection: Connection| {
        let (source, lane, budget, stop) = (Arc::clone(&source), Arc::clone(&lane), Arc::clone(&budget), stop.clone());
        peers.spawn(async move { serve(connection, &source, lane, &budget, stop).await });
    };
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            connection = listener.accept() => let_in(connection),
        }
    }
    // Whom the system had let in before the stop has been let in; who comes on and on does not hold it up.
    for _ in 0..BACKLOG {
        let Ok(connection) = tokio::time::timeout(Duration::ZERO, listener.accept()).await else { break };
        let_in(connection);
    }
    drop(listener);
    peers.close();
    peers.wait().await;
}

async fn serve(connection: Connection, source: &Source, lane: Arc<Lane>, budget: &Budget, stop: CancellationToken) {
    let Some(mut peer) = connection.open(&lane.source).await else { return };
    let mut stream = Stream { flow: Flow::new(&lane, Tail::Ended), lease: budget.lease(), clock: Clock::new(source) };
    let end = stream.read(&mut peer.stream, &stop).await;
    // What was received is passed on, however the connection ended.
    drop(peer);
    match end {
        End::TooSlow => lane.source.refused(RefuseReason::Timeout),
        End::OverBudget => lane.source.refused(RefuseReason::Overloaded),
        End::Framing(FrameError::TooLong(_)) => lane.source.refused(RefuseReason::TooLarge),
        End::Framing(_) => lane.source.refused(RefuseReason::Malformed),
        End::Closed => return,
        End::Peer => {}
    }
    let _ = stream.flow.finish().await;
}

/// Why a peer is not read any more.
enum End {
    /// It closed the connection, or it broke, or a stop was asked for.
    Peer,
    /// Its record took too long, or it was silent for too long.
    TooSlow,
    /// It held too much while too much was held.
    OverBudget,
    /// It does not speak the framing.
    Framing(FrameError),
    /// No sink takes anything any more.
    Closed,
}

struct Stream<'b> {
    flow: Flow,
    lease: Lease<'b>,
    clock: Clock,
}

impl Stream<'_> {
    async fn read<R: AsyncRead + Unpin>(&mut self, peer: &mut R, stop: &CancellationToken) -> End {
        let mut last_call = None;
        loop {
            let deadline = self.clock.deadline();
            let paused = !self.lease.may_read();
            let read = tokio::select! {
                biased;
                () = stop.cancelled(), if last_call.is_none() => {
                    last_call = Some(Instant::now() + LAST_CALL_MAX);
                    continue;
                }
                read = take(peer, &mut self.flow, &self.lease), if !paused => read,
                () = self.lease.readable(), if paused => continue,
                () = until(deadline) => return if paused { End::OverBudget } else { End::TooSlow },
                () = tokio::time::sleep(LAST_CALL), if last_call.is_some() => return End::Peer,
            };
            match read {
                Ok(Taken::Bytes) => {}
                // A peer that vanished has sent what it has sent.
                Ok(Taken::End) | Err(_) => return End::Peer,
                Ok(Taken::NoFrame(error)) => return End::Framing(error),
            }
            self.lease.set(self.flow.held());
            if self.flow.advance().await == Err(Closed) {
                return End::Closed;
            }
            self.lease.set(self.flow.held());
            self.clock.moved(self.flow.is_unfinished(), self.flow.position());
            if last_call.is_some_and(|end| Instant::now() >= end) {
                return End::Peer;
            }
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// When a peer has been silent or slow for too long.
struct Clock {
    partial_timeout: Duration,
    idle_timeout: Option<Duration>,
    /// When the record that is unfinished began.
    partial_since: Option<Instant>,
    last: Instant,
    /// Bytes of the stream that were passed on.
    position: u64,
}

impl Clock {
    fn new(source: &Source) -> Clock {
        let (partial_timeout, idle_timeout) = (source.partial_timeout, source.idle_timeout);
        Clock { partial_timeout, idle_timeout, partial_since: None, last: Instant::now(), position: 0 }
    }

    /// Something came. `unfinished`: a record has begun and not ended. A part of it that could be passed on counts as one.
    fn moved(&mut self, unfinished: bool, position: u64) {
        self.last = Instant::now();
        let same = std::mem::replace(&mut self.position, position) == position;
        self.partial_since = unfinished.then(|| self.partial_since.filter(|_| same).unwrap_or(self.last));
    }

    fn deadline(&self) -> Option<Instant> {
        let partial = self.partial_since.map(|since| since + self.partial_timeout);
        let idle = self.idle_timeout.map(|timeout| self.last + timeout);
        partial.into_iter().chain(idle).min()
    }
}

/// What came of reading.
enum Taken {
    Bytes,
    End,
    NoFrame(FrameError),
}

thread_local! {
    /// Where the system puts what was received. A connection that waits has no memory for reading.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// Waits for bytes and takes what is there: much only while little is held in all when they come.
async fn take<R: AsyncRead + Unpin>(peer: &mut R, flow: &mut Flow, lease: &Lease<'_>) -> io::Result<Taken> {
    poll_fn(|cx| {
        // What is taken is held until it is redacted and a sink has room for it.
        let much = lease.may_take_much() && flow.held() < FREE_BYTES;
        let max = if much { BLOCK_BYTES } else { FREE_BYTES };
        BUFFER.with_borrow_mut(|buffer| poll_take(peer, flow, max, buffer, cx))
    })
    .await
}

fn poll_take<R: AsyncRead + Unpin>(
    peer: &mut R,
    flow: &mut Flow,
    max: usize,
    buffer: &mut [u8],
    cx: &mut Context<'_>,
) -> Poll<io::Result<Taken>> {
    let mut taken = 0;
    while taken < max {
        let read = match flow.lines() {
            // There is more than a little: the rest is not copied.
            Some(lines) if taken >= buffer.len() => {
                lines.reserve_exact(max - taken);
                poll_read_buf(Pin::new(&mut *peer), cx, &mut lines.limit(max - taken)).map_ok(|count| (count, Ok(())))
            }
            _ => {
                let room = buffer.len().min(max - taken);
                let mut read = ReadBuf::new(&mut buffer[..room]);
                let done = Pin::new(&mut *peer).poll_read(cx, &mut read);
                done.map_ok(|()| (read.filled().len(), flow.push(read.filled())))
            }
        };
        match read {
            Poll::Pending if taken == 0 => return Poll::Pending,
            Poll::Ready(Err(error)) if taken == 0 => return Poll::Ready(Err(error)),
            Poll::Ready(Ok((0, _))) if taken == 0 => return Poll::Ready(Ok(Taken::End)),
            Poll::Pending | Poll::Ready(Err(_) | Ok((0, _))) => break,
            Poll::Ready(Ok((_, Err(error)))) => return Poll::Ready(Ok(Taken::NoFrame(error))),
            Poll::Ready(Ok((count, Ok(())))) => taken += count,
        }
    }
    Poll::Ready(Ok(Taken::Bytes))
}

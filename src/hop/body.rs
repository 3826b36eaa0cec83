//! Bodies: gathered under a cap and a budget, and sent. What is in them is not its business.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};

use super::budget::Held;

/// Flag and length before a message of gRPC.
pub(super) const PREFIX: usize = 5;

/// Why a body could not be gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GatherError {
    /// It is over the cap.
    TooLarge,
    /// The budget is used up.
    Overloaded,
    /// The other side went away.
    Gone,
}

/// A body that came, and the trailers behind it.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) body: Bytes,
    pub(super) trailers: HeaderMap,
}

/// How long the message that begins with these bytes says it is, if that is known; or that it is not worth waiting for.
pub(super) type Peek<'a> = &'a (dyn Fn(&[u8]) -> Result<Option<usize>, GatherError> + Sync);
/// How much room is made ahead of a message that says it is longer, by what has come of it.
const AHEAD: usize = 16;

/// Reads `body` to its end. `held` pays for it; `peek` sees its beginning, so that a lie about its length costs nothing.
pub(super) async fn gather<B: Body<Data = Bytes> + Unpin>(
    mut body: B,
    max_bytes: usize,
    mut held: Option<&mut Held>,
    peek: Peek<'_>,
) -> Result<Gathered, GatherError> {
    if body.size_hint().lower() > max_bytes as u64 {
        return Err(GatherError::TooLarge);
    }
    let mut told = usize::try_from(body.size_hint().lower()).ok().filter(|length| *length > 0);
    let mut gathered = Gathered::default();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        match frame.map_err(|_| GatherError::Gone)?.into_data() {
            Ok(data) => {
                let length = gathered.body.len() + joined.len() + data.len();
                held.as_mut().map_or(Ok(()), |held| held.grow(data.len())).map_err(|_| GatherError::Overloaded)?;
                push(&mut gathered.body, &mut joined, data, told.unwrap_or_default());
                told = peek(if joined.is_empty() { &gathered.body } else { &joined })?.or(told);
                if length > max_bytes {
                    return Err(GatherError::TooLarge);
                }
            }
            Err(other) => gathered.trailers.extend(other.into_trailers().unwrap_or_default()),
        }
    }
    if !joined.is_empty() {
        gathered.body = joined.freeze();
    }
    Ok(gathered)
}

/// The first piece is kept as it came: most answers and small batches are one. From the second on they are copied together,
/// with room for the `told` bytes that it is said to be, unless little of them has come.
fn push(first: &mut Bytes, joined: &mut BytesMut, data: Bytes, told: usize) {
    if joined.is_empty() && first.is_empty() {
        *first = data;
        return;
    }
    if joined.is_empty() {
        joined.reserve(told.min(AHEAD * first.len()).max(first.len() + data.len()));
        joined.extend_from_slice(&std::mem::take(first));
    }
    joined.extend_from_slice(&data);
}

/// A body of at most two pieces, and trailers.
#[derive(Default)]
pub(super) struct Outgoing {
    pieces: [Bytes; 2],
    trailers: Option<HeaderMap>,
}

impl Outgoing {
    pub(super) fn new(body: Bytes) -> Outgoing {
        Outgoing { pieces: [Bytes::new(), body], trailers: None }
    }

    /// A message of gRPC: small ones as one piece, so that they are one write.
    pub(super) fn message(message: Bytes, compressed: bool) -> Outgoing {
        let mut prefix = BytesMut::with_capacity(PREFIX);
        prefix.extend_from_slice(&[u8::from(compressed)]);
        let length = u32::try_from(message.len()).expect("the largest message is smaller than 4 GiB");
        prefix.extend_from_slice(&length.to_be_bytes());
        if message.len() > 16 << 10 {
            return Outgoing { pieces: [prefix.freeze(), message], trailers: None };
        }
        prefix.extend_from_slice(&message);
        Outgoing::new(prefix.freeze())
    }

    pub(super) fn with_trailers(self, trailers: HeaderMap) -> Outgoing {
        Outgoing { trailers: Some(trailers), ..self }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.pieces.iter_mut().find(|piece| !piece.is_empty()).map(std::mem::take);
        let frame = piece.map(Frame::data).or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.trailers.is_none() && self.pieces.iter().all(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.pieces.iter().map(|piece| piece.len() as u64).sum())
    }
}

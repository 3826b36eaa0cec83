//! The gRPC server's side of a request: the message comes out of its frame as bytes and is never decoded here.
//!
//! The framing is our own, not tonic's codec: that one answers a message over the limit with `OUT_OF_RANGE`, which clients
//! repeat, makes room for whatever length five bytes claim, and inflates on the threads that wait for sockets.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tonic::body::Body;
use tonic::{Code, Status};

use super::answer::{Answer, Failure};
use super::body::{GatherError, Gathered, Outgoing, PREFIX, gather};
use super::coding::Coding;
use super::paths;
use super::relay::{Batch, Relay};
use super::server::Answering;
use crate::metrics::RefuseReason;
use crate::otlp::{Encoding, Signal};

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const ACCEPTED: HeaderValue = HeaderValue::from_static("identity,gzip,zstd");
/// Answers below this are not worth compressing; almost all are empty.
const COMPRESS_FROM_BYTES: usize = 1 << 10;

/// Answers one request. While its body is waited for it takes little memory: no more of its head than is asked for later, and
/// nothing yet of what is done with a whole batch.
pub(super) fn serve(relay: Arc<Relay>, request: Request<Incoming>) -> Answering {
    let (head, body) = request.into_parts();
    if head.method != Method::POST || !is_grpc(&head.headers) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Box::pin(ready(response));
    }
    let asked = match Asked::read(&relay, head.uri.path(), &head.headers) {
        Ok(asked) => asked,
        Err(failure) => return Box::pin(ready(failure.grpc().into_http())),
    };
    Box::pin(async move {
        let accepted = asked.accepted;
        let answer = match asked.batch(&relay, body).await {
            Ok(batch) => Box::pin(relay.relay(batch)).await,
            Err(failure) => Answer::Failed(failure),
        };
        match answer {
            Answer::Delivered(message) => delivered(message, accepted),
            Answer::Failed(failure) => failure.grpc().into_http(),
        }
    })
}

/// What the head of a request says.
struct Asked {
    signal: Signal,
    coding: Coding,
    /// How an answer may be compressed.
    accepted: Coding,
    forwarded: HeaderMap,
    patience: Option<Duration>,
}

impl Asked {
    #[expect(clippy::result_large_err, reason = "refusing is rare, and the failure is the answer")]
    fn read(relay: &Relay, path: &str, headers: &HeaderMap) -> Result<Asked, Failure> {
        relay.admit(headers)?;
        let signal: Signal = paths::signal(path, paths::grpc).ok_or_else(|| {
            relay.refuse(RefuseReason::Malformed, Failure::new(Code::Unimplemented, paths::unknown(path)))
        })?;
        let coding = headers.get(GRPC_ENCODING).map_or(Some(Coding::Identity), |name| Coding::named(name.as_bytes()));
        let coding = coding.ok_or_else(|| {
            let message = "unknown grpc-encoding; accepted: identity, gzip, zstd";
            relay.refuse(RefuseReason::Malformed, Failure::new(Code::Unimplemented, message))
        })?;
        let (forwarded, patience) = (relay.forwarded(headers), headers.get("grpc-timeout").and_then(timeout));
        Ok(Asked { signal, coding, accepted: accepted(headers), forwarded, patience })
    }

    async fn batch(self, relay: &Relay, body: Incoming) -> Result<Batch, Failure> {
        let mut held = relay.budget.open();
        let max_bytes = relay.options.max_message_bytes;
        let peek = |begin: &[u8]| match announced(begin) {
            Some(length) if length > max_bytes => Err(GatherError::TooLarge),
            length => Ok(length.map(|length| length + PREFIX)),
        };
        let reading = gather(body, max_bytes.saturating_add(PREFIX), Some(&mut held), &peek);
        let gathered = tokio::time::timeout(relay.options.body_timeout, reading).await.map_err(|_| relay.too_slow())?;
        let gathered = gathered.map_err(|error| relay.ungathered(error))?;
        let (body, coding) = message(&gathered, self.coding)
            .map_err(|why| relay.refuse(RefuseReason::Malformed, Failure::new(Code::InvalidArgument, why)))?;
        let Asked { signal, forwarded, patience, .. } = self;
        Ok(Batch { signal, encoding: Encoding::Protobuf, coding, body, held, forwarded, patience })
    }
}

/// The length that a message's frame claims, once it is there.
fn announced(begin: &[u8]) -> Option<usize> {
    let (prefix, _) = begin.split_first_chunk::<PREFIX>()?;
    usize::try_from(u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]])).ok()
}

/// The only message of a request, and how it is compressed.
fn message(gathered: &Gathered, coding: Coding) -> Result<(bytes::Bytes, Coding), &'static str> {
    let body = &gathered.body;
    let length = announced(body).ok_or("the request has no message")?;
    if body.len() != PREFIX + length {
        return Err("the request is not one whole message");
    }
    let coding = match body[0] {
        0 => Coding::Identity,
        1 if coding != Coding::Identity => coding,
        _ => return Err("the message is compressed, but no grpc-encoding says how"),
    };
    Ok((body.slice(PREFIX..), coding))
}

fn delivered(message: bytes::Bytes, accepted: Coding) -> Response<Body> {
    let coding = if message.len() < COMPRESS_FROM_BYTES { Coding::Identity } else { accepted };
    let (packed, coding) =
        coding.deflate(message.clone()).map_or((message, Coding::Identity), |packed| (packed, coding));
    let mut trailers = HeaderMap::new();
    trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
    let body = Outgoing::message(packed, coding != Coding::Identity).with_trailers(trailers);
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response.headers_mut().insert(GRPC_ACCEPT_ENCODING, ACCEPTED);
    if let Some(name) = coding.header() {
        response.headers_mut().insert(GRPC_ENCODING, HeaderValue::from_static(name));
    }
    response
}

/// The first coding that a client takes and we know.
fn accepted(asked: &HeaderMap) -> Coding {
    let names = asked.get(GRPC_ACCEPT_ENCODING).or_else(|| asked.get(ACCEPT_ENCODING));
    let names = names.map(HeaderValue::as_bytes).unwrap_or_default();
    let known = names.split(|byte| *byte == b',').filter_map(Coding::named);
    known.into_iter().find(|coding| *coding != Coding::Identity).unwrap_or_default()
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind == b"application/grpc" || kind.starts_with(b"application/grpc+proto") || kind.starts_with(b"application/grpc;")
}

/// A `grpc-timeout`: up to eight digits and a unit.
fn timeout(header: &HeaderValue) -> Option<Duration> {
    let (digits, unit) = header.to_str().ok()?.split_at_checked(header.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_read_in_every_unit() {
        for (text, wanted) in [
            ("2S", Some(Duration::from_secs(2))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("1M", Some(Duration::from_secs(60))),
            ("500m", Some(Duration::from_millis(500))),
            ("70u", Some(Duration::from_micros(70))),
            ("8n", Some(Duration::from_nanos(8))),
            ("100000000S", None),
            ("-1S", None),
            ("S", None),
            ("", None),
            ("5", None),
        ] {
            assert_eq!(timeout(&HeaderValue::from_static(text)), wanted, "{text}");
        }
    }

    #[test]
    fn a_request_is_one_whole_message() {
        let read = |bytes: &'static [u8], coding| {
            let body = bytes::Bytes::from_static(bytes);
            message(&Gathered { body, ..Gathered::default() }, coding).map(|(body, coding)| (body.to_vec(), coding))
        };
        assert_eq!(read(b"\0\0\0\0\x02ab", Coding::Gzip), Ok((b"ab".to_vec(), Coding::Identity)));
        assert_eq!(read(b"\x01\0\0\0\x02ab", Coding::Gzip), Ok((b"ab".to_vec(), Coding::Gzip)));
        assert_eq!(read(b"\0\0\0\0\0", Coding::Identity), Ok((Vec::new(), Coding::Identity)));
        for bad in [&b""[..], b"\0\0\0", b"\0\0\0\0\x02a", b"\0\0\0\0\x01ab", b"\x02\0\0\0\x01a", b"\x01\0\0\0\x01a"] {
            assert!(read(bad, Coding::Identity).is_err(), "{bad:?}");
        }
    }
}

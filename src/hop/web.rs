//! The HTTP server's side of a request: OTLP/HTTP, protobuf and JSON by content type, answered in kind.

use std::future::ready;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tonic::Code;
use tonic::body::Body;

use super::answer::{Answer, Failure};
use super::body::{Outgoing, gather};
use super::coding::Coding;
use super::paths;
use super::relay::{Batch, Relay};
use super::server::Answering;
use crate::metrics::RefuseReason;
use crate::otlp::{Encoding, Signal};

/// Answers one request. While its body is waited for it takes little memory, as in `grpc`.
pub(super) fn serve(relay: Arc<Relay>, request: Request<Incoming>) -> Answering {
    let (head, body) = request.into_parts();
    let kind = head.headers.get(CONTENT_TYPE).and_then(paths::encoding);
    let asked = match Asked::read(&relay, &head, kind) {
        Ok(asked) => asked,
        // What is wrong with a request of an unknown type is told in the type that people can read.
        Err(failure) => return Box::pin(ready(failed(&failure, kind.unwrap_or(Encoding::Json)))),
    };
    Box::pin(async move {
        let encoding = asked.encoding;
        let answer = match asked.batch(&relay, body).await {
            Ok(batch) => Box::pin(relay.relay(batch)).await,
            Err(failure) => Answer::Failed(failure),
        };
        match answer {
            Answer::Delivered(message) => delivered(message, encoding),
            Answer::Failed(failure) => failed(&failure, encoding),
        }
    })
}

/// What the head of a request says.
struct Asked {
    signal: Signal,
    encoding: Encoding,
    coding: Coding,
    forwarded: HeaderMap,
}

impl Asked {
    #[expect(clippy::result_large_err, reason = "refusing is rare, and the failure is the answer")]
    fn read(relay: &Relay, head: &http::request::Parts, kind: Option<Encoding>) -> Result<Asked, Failure> {
        relay.admit(&head.headers)?;
        let refuse = |code, status, message: &str| {
            relay.refuse(RefuseReason::Malformed, Failure::new(code, message).with_status(status))
        };
        let path = head.uri.path();
        let signal = paths::signal(path, paths::http)
            .ok_or_else(|| refuse(Code::Unimplemented, StatusCode::NOT_FOUND, paths::unknown(path)))?;
        if head.method != Method::POST {
            return Err(refuse(Code::Unimplemented, StatusCode::METHOD_NOT_ALLOWED, "only POST is served here"));
        }
        let encoding = kind.ok_or_else(|| {
            let message = "unknown content-type; accepted: application/x-protobuf, application/json";
            refuse(Code::InvalidArgument, StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
        })?;
        let coding = coding(&head.headers).ok_or_else(|| {
            let message = "unknown content-encoding; accepted, one of: identity, gzip, zstd";
            refuse(Code::InvalidArgument, StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
        })?;
        Ok(Asked { signal, encoding, coding, forwarded: relay.forwarded(&head.headers) })
    }

    async fn batch(self, relay: &Relay, body: Incoming) -> Result<Batch, Failure> {
        let mut held = relay.budget.open();
        let reading = gather(body, relay.options.max_message_bytes, Some(&mut held), &|_| Ok(None));
        let gathered = tokio::time::timeout(relay.options.body_timeout, reading).await.map_err(|_| relay.too_slow())?;
        let body = gathered.map_err(|error| relay.ungathered(error))?.body;
        let Asked { signal, encoding, coding, forwarded } = self;
        Ok(Batch { signal, encoding, coding, body, held, forwarded, patience: None })
    }
}

fn coding(headers: &HeaderMap) -> Option<Coding> {
    let mut names = headers.get_all(CONTENT_ENCODING).iter();
    let first = names.next().map_or(Some(Coding::Identity), |name| Coding::named(name.as_bytes()));
    first.filter(|_| names.next().is_none())
}

fn delivered(message: Bytes, encoding: Encoding) -> Response<Body> {
    // An empty message is empty in protobuf and an object without fields in JSON.
    let empty = encoding == Encoding::Json && message.is_empty();
    let message = if empty { Bytes::from_static(b"{}") } else { message };
    response(StatusCode::OK, paths::content_type(encoding), message)
}

fn failed(failure: &Failure, encoding: Encoding) -> Response<Body> {
    let (kind, body) = failure.body(encoding);
    let mut response = response(failure.status, kind, body);
    let headers = response.headers_mut();
    if let Some(after) = &failure.retry_after {
        headers.insert(RETRY_AFTER, after.clone());
    }
    match failure.status {
        StatusCode::METHOD_NOT_ALLOWED => drop(headers.insert(ALLOW, HeaderValue::from_static("POST"))),
        StatusCode::UNAUTHORIZED => drop(headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
        _ => {}
    }
    response
}

fn response(status: StatusCode, kind: HeaderValue, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::new(Outgoing::new(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

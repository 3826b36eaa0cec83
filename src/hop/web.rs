//! The HTTP server's side of a request: OTLP/HTTP, protobuf and JSON by content type, answered in kind.

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
use crate::metrics::RefuseReason;
use crate::otlp::Encoding;

/// Answers one request.
pub(super) async fn serve(relay: &Relay, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let kind = head.headers.get(CONTENT_TYPE).and_then(paths::encoding);
    // What is wrong with a request of an unknown type is told in the type that people can read.
    let encoding = kind.unwrap_or(Encoding::Json);
    let answer = match batch(relay, &head, kind, body).await {
        Ok(batch) => relay.relay(batch).await,
        Err(failure) => Answer::Failed(failure),
    };
    match answer {
        Answer::Delivered(message) => delivered(message, encoding),
        Answer::Failed(failure) => failed(&failure, encoding),
    }
}

async fn batch(
    relay: &Relay,
    head: &http::request::Parts,
    kind: Option<Encoding>,
    body: Incoming,
) -> Result<Batch, Failure> {
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
    let mut held = relay.budget.open();
    let reading = gather(body, relay.options.max_message_bytes, Some(&mut held), &|_| Ok(None));
    let gathered = tokio::time::timeout(relay.options.body_timeout, reading).await.map_err(|_| relay.too_slow())?;
    let body = gathered.map_err(|error| relay.ungathered(error))?.body;
    let forwarded = relay.forwarded(&head.headers);
    Ok(Batch { signal, encoding, coding, body, held, forwarded, patience: None })
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

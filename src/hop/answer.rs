//! What a client is told, and how the codes of gRPC and HTTP become one another. It speaks to no one itself.
//!
//! The tables follow the OTLP specification's lists of what may be retried, so that a client behind another protocol than
//! the upstream's repeats exactly what it would have repeated there.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use tonic::Code;

use super::{paths, status};
use crate::otlp::Encoding;

/// How long a client should wait when it was us who could not reach upstream.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What a request came to.
#[derive(Debug)]
pub(super) enum Answer {
    /// Upstream took it; its response message, in the request's encoding (perhaps with a partial success).
    Delivered(Bytes),
    /// It was not taken.
    Failed(Failure),
}

/// Why a request was not taken, in both protocols' words.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) code: Code,
    pub(super) status: StatusCode,
    pub(super) message: String,
    /// What upstream's `Retry-After` said, or ours; to be relayed as it stands.
    pub(super) retry_after: Option<HeaderValue>,
    /// A `google.rpc.Status` in protobuf; empty if there is none.
    pub(super) details: Bytes,
    /// Content type and body of an HTTP upstream's answer, for HTTP clients.
    pub(super) verbatim: Option<(HeaderValue, Bytes)>,
}

impl Failure {
    /// A refusal of our own.
    pub(super) fn new(code: Code, message: impl Into<String>) -> Failure {
        Failure {
            code,
            status: to_http(code, false),
            message: message.into(),
            retry_after: None,
            details: Bytes::new(),
            verbatim: None,
        }
    }

    /// A refusal of our own that is worth another try.
    pub(super) fn again(message: impl Into<String>) -> Failure {
        let message = message.into();
        let details = status::encode(Code::Unavailable, &message, Some(RETRY_AFTER));
        let retry_after = Some(seconds(RETRY_AFTER));
        Failure { retry_after, details, ..Failure::new(Code::Unavailable, message) }
    }

    /// A refusal of our own because too much is here already.
    pub(super) fn throttled(message: impl Into<String>) -> Failure {
        let message = message.into();
        let details = status::encode(Code::ResourceExhausted, &message, Some(RETRY_AFTER));
        let retry_after = Some(seconds(RETRY_AFTER));
        let status = StatusCode::TOO_MANY_REQUESTS;
        Failure { retry_after, details, status, ..Failure::new(Code::ResourceExhausted, message) }
    }

    /// Whether the specification lets a client send the batch again
    /// (<https://opentelemetry.io/docs/specs/otlp/#failures>).
    pub(super) fn may_be_repeated(&self) -> bool {
        match self.code {
            Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss => true,
            Code::ResourceExhausted => self.delay().is_some(),
            _ => false,
        }
    }

    /// How long upstream asks to be left alone.
    pub(super) fn delay(&self) -> Option<Duration> {
        status::retry_after(&self.details)
    }

    /// The same with another HTTP status: where HTTP has a finer word for it.
    pub(super) fn with_status(self, status: StatusCode) -> Failure {
        Failure { status, ..self }
    }

    /// What a gRPC upstream answered.
    pub(super) fn from_grpc(status: &tonic::Status) -> Failure {
        let details = Bytes::copy_from_slice(status.details());
        let delay = status::retry_after(&details);
        Failure {
            code: status.code(),
            status: to_http(status.code(), delay.is_some()),
            message: status.message().to_owned(),
            retry_after: delay.map(seconds),
            details,
            verbatim: None,
        }
    }

    /// What an HTTP upstream answered. A redirect is not handed on: it would lead the client around us.
    pub(super) fn from_http(
        status: StatusCode,
        retry_after: Option<HeaderValue>,
        body: Option<(HeaderValue, Bytes)>,
    ) -> Failure {
        if status.is_redirection() || status.is_informational() {
            return Failure::again(format!("upstream answered {status}, which is not followed"))
                .with_status(StatusCode::BAD_GATEWAY);
        }
        let protobuf = body.as_ref().filter(|(kind, _)| paths::encoding(kind) == Some(Encoding::Protobuf));
        let told = protobuf.and_then(|(_, body)| status::message(body));
        let message = told.unwrap_or_else(|| format!("upstream answered {status}"));
        let delay = retry_after.as_ref().and_then(delay).or(to_grpc(status).1);
        let details = delay.map(|delay| status::encode(to_grpc(status).0, &message, Some(delay))).unwrap_or_default();
        Failure { code: to_grpc(status).0, status, message, retry_after, details, verbatim: body }
    }

    /// The body that an HTTP client gets, and its type.
    pub(super) fn body(&self, encoding: Encoding) -> (HeaderValue, Bytes) {
        if let Some((kind, body)) = &self.verbatim {
            return (kind.clone(), body.clone());
        }
        let delay = status::retry_after(&self.details);
        let body = match encoding {
            Encoding::Protobuf if !self.details.is_empty() => self.details.clone(),
            Encoding::Protobuf => status::encode(self.code, &self.message, delay),
            Encoding::Json => status::encode_json(self.code, &self.message, delay),
        };
        (paths::content_type(encoding), body)
    }

    /// What a gRPC client gets.
    pub(super) fn grpc(self) -> tonic::Status {
        tonic::Status::with_details(self.code, self.message, self.details)
    }
}

/// The HTTP status for a code: retryable statuses for retryable codes, and for no others.
fn to_http(code: Code, retry_info: bool) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::Cancelled | Code::Aborted | Code::OutOfRange | Code::Unavailable | Code::DataLoss => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        // Without RetryInfo the specification forbids to send it again.
        Code::ResourceExhausted if retry_info => StatusCode::TOO_MANY_REQUESTS,
        Code::ResourceExhausted => StatusCode::PAYLOAD_TOO_LARGE,
        Code::InvalidArgument | Code::FailedPrecondition | Code::AlreadyExists => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound | Code::Unimplemented => StatusCode::NOT_FOUND,
        Code::Unknown | Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The code for an HTTP status, and the delay that makes it retryable where upstream named none.
fn to_grpc(status: StatusCode) -> (Code, Option<Duration>) {
    match status.as_u16() {
        401 => (Code::Unauthenticated, None),
        403 => (Code::PermissionDenied, None),
        404 | 405 => (Code::Unimplemented, None),
        413 => (Code::ResourceExhausted, None),
        429 => (Code::ResourceExhausted, Some(RETRY_AFTER)),
        502 | 503 => (Code::Unavailable, None),
        504 => (Code::DeadlineExceeded, None),
        400..=499 => (Code::InvalidArgument, None),
        _ => (Code::Internal, None),
    }
}

/// A delay as `Retry-After`, in whole seconds and never less than was asked.
fn seconds(delay: Duration) -> HeaderValue {
    HeaderValue::from(delay.as_secs() + u64::from(delay.subsec_nanos() > 0))
}

/// What a `Retry-After` asks for: seconds, or a date (RFC 9110, 10.2.3).
fn delay(header: &HeaderValue) -> Option<Duration> {
    let text = header.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(jiff::Timestamp::now())).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_retried_in_one_protocol_may_be_retried_in_the_other() {
        // The specification's lists: opentelemetry.io/docs/specs/otlp, «Failures» of both protocols.
        let http_retryable = [429, 502, 503, 504];
        for status in 400..600 {
            let (code, delay) = to_grpc(StatusCode::from_u16(status).unwrap());
            let retryable = grpc_retryable(code, delay.is_some());
            assert_eq!(retryable, http_retryable.contains(&status), "{status} became {code:?}");
            let failure = Failure::from_http(StatusCode::from_u16(status).unwrap(), None, None);
            assert_eq!(failure.may_be_repeated(), retryable, "{status}");
        }
        for code in (1..=16).map(Code::from) {
            for info in [false, true] {
                let status = to_http(code, info).as_u16();
                assert_eq!(http_retryable.contains(&status), grpc_retryable(code, info), "{code:?} became {status}");
                let details = status::encode(code, "", info.then_some(RETRY_AFTER));
                let told = Failure::from_grpc(&tonic::Status::with_details(code, "", details));
                assert_eq!(told.may_be_repeated(), grpc_retryable(code, info), "{code:?}");
            }
        }
    }

    fn grpc_retryable(code: Code, info: bool) -> bool {
        use Code::*;
        matches!(code, Cancelled | DeadlineExceeded | Aborted | OutOfRange | Unavailable | DataLoss)
            || (code == ResourceExhausted && info)
    }

    #[test]
    fn a_retry_after_is_read_as_seconds_and_as_a_date() {
        assert_eq!(delay(&HeaderValue::from_static("120")), Some(Duration::from_secs(120)));
        assert_eq!(delay(&HeaderValue::from_static("Fri, 31 Dec 1999 23:59:59 GMT")), Some(Duration::ZERO));
        assert!(delay(&HeaderValue::from_static("Wed, 31 Dec 2098 23:59:59 GMT")).unwrap().as_secs() > 1 << 30);
        assert_eq!(delay(&HeaderValue::from_static("soon")), None);
    }

    #[test]
    fn a_redirect_is_an_outage_and_its_target_stays_here() {
        let failure = Failure::from_http(StatusCode::TEMPORARY_REDIRECT, None, None);
        assert_eq!((failure.code, failure.status), (Code::Unavailable, StatusCode::BAD_GATEWAY));
    }

    #[test]
    fn a_status_of_upstream_reaches_the_other_protocol_with_its_words() {
        let body = status::encode(Code::InvalidArgument, "no such tenant", None);
        let kind = paths::content_type(Encoding::Protobuf);
        let failure = Failure::from_http(StatusCode::BAD_REQUEST, None, Some((kind, body.clone())));
        assert_eq!((failure.code, failure.message.as_str()), (Code::InvalidArgument, "no such tenant"));
        assert_eq!(failure.body(Encoding::Json).1, body, "an HTTP upstream's body is relayed as it is");
        let throttled = Failure::from_http(StatusCode::TOO_MANY_REQUESTS, Some(HeaderValue::from_static("7")), None);
        assert_eq!(status::retry_after(throttled.grpc().details()), Some(Duration::from_secs(7)));
    }
}

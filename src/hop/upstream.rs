//! The client: one batch goes up, what upstream says comes back. It keeps nothing and repeats nothing: who sent the batch
//! still has it, and is told what happened.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, TE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::Renewable;
use super::answer::{Answer, Failure};
use super::body::{GatherError, Gathered, Outgoing, PREFIX, gather};
use super::coding::{Caps, Coding};
use super::connect::Connector;
use super::redactor::Parcel;
use super::{HopError, paths, tls};
use crate::config::daemon::{Endpoint, OtlpSink, Protocol, header_name, header_value};
use crate::metrics::SinkError;
use crate::otlp::{Encoding, Signal};

const AGENT: HeaderValue = HeaderValue::from_static(concat!("inkout/", env!("CARGO_PKG_VERSION")));
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// How much of a batch may be on its way before upstream has taken it.
const WINDOW_BYTES: u32 = 1 << 20;
/// For how long a connection without requests is kept.
const IDLE: Duration = Duration::from_secs(90);

/// Where batches go.
pub(super) struct Upstream {
    main: Way,
    /// The way for JSON, where it is another.
    json: Option<Way>,
    headers: Renewable<HeaderMap>,
    timeout: Duration,
    pub(super) compression: Coding,
    max_response_bytes: usize,
}

/// One upstream and what it speaks.
struct Way {
    client: Client<Connector, Outgoing>,
    /// That of its connections to come.
    tls: Option<Arc<Renewable<ClientConfig>>>,
    endpoint: Endpoint,
    protocol: Protocol,
}

/// When an answer must be there, and whether it was the client who said so.
#[derive(Clone, Copy)]
pub(super) struct Deadline {
    at: Instant,
    clients: bool,
}

/// An error, and its place in the counters.
type Failed = (Failure, Option<SinkError>);

impl Upstream {
    pub(super) fn new(options: &OtlpSink) -> Result<Upstream, HopError> {
        if options.protocol == Protocol::Grpc && options.endpoint.has_path() {
            return Err(HopError::PathInGrpc(options.endpoint.to_string()));
        }
        let json = options.json_endpoint.clone().filter(|_| options.protocol == Protocol::Grpc);
        Ok(Upstream {
            main: Way::new(options, options.endpoint.clone(), options.protocol)?,
            json: json.map(|endpoint| Way::new(options, endpoint, Protocol::Http)).transpose()?,
            headers: header_files(options)?,
            timeout: options.timeout,
            compression: options.compression,
            max_response_bytes: options.max_response_bytes,
        })
    }

    /// Reads certificates and headers anew.
    pub(super) fn renew(&self) -> impl Iterator<Item = Result<(), HopError>> {
        let ways = [Some(&self.main), self.json.as_ref()].into_iter().flatten();
        let tls = ways.filter_map(|way| way.tls.as_ref()).map(|tls| tls.renew());
        tls.chain(std::iter::once_with(|| self.headers.renew()))
    }

    /// When upstream must have answered a client that waits for `client` from now on.
    pub(super) fn deadline(&self, client: Option<Duration>) -> Deadline {
        let clients = client.is_some_and(|client| client < self.timeout);
        let time = client.filter(|_| clients).unwrap_or(self.timeout);
        Deadline { at: Instant::now() + time, clients }
    }

    /// Whether there is a way for batches of this encoding.
    pub(super) fn takes(&self, encoding: Encoding) -> bool {
        self.way(encoding).is_some()
    }

    fn way(&self, encoding: Encoding) -> Option<&Way> {
        match (self.main.protocol, encoding) {
            (Protocol::Grpc, Encoding::Json) => self.json.as_ref(),
            _ => Some(&self.main),
        }
    }

    /// Sends a batch with the client's `forwarded` headers and waits for the answer.
    pub(super) async fn send(
        &self,
        (signal, encoding): (Signal, Encoding),
        parcel: &Parcel,
        forwarded: HeaderMap,
        deadline: Deadline,
    ) -> (Answer, Option<SinkError>) {
        let Some(way) = self.way(encoding) else { return (Answer::Failed(no_way()), Some(SinkError::Rejected)) };
        let sending = async {
            match way.protocol {
                Protocol::Grpc => self.grpc(way, signal, parcel, forwarded, deadline).await,
                Protocol::Http => self.http(way, (signal, encoding), parcel, forwarded).await,
            }
        };
        match tokio::time::timeout_at(deadline.at, sending).await {
            Ok(Ok(message)) => (Answer::Delivered(message), None),
            Ok(Err((failure, error))) => (Answer::Failed(failure), error),
            Err(_) => (Answer::Failed(deadline.failure()), Some(SinkError::Timeout)),
        }
    }

    async fn grpc(
        &self,
        way: &Way,
        signal: Signal,
        parcel: &Parcel,
        forwarded: HeaderMap,
        deadline: Deadline,
    ) -> Result<Bytes, Failed> {
        let message = Outgoing::message(parcel.body.clone(), parcel.coding != Coding::Identity);
        let mut request = self.request(way.endpoint.join(paths::grpc(signal)), message, forwarded);
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, GRPC);
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(GRPC_TIMEOUT, grpc_timeout(deadline.at.saturating_duration_since(Instant::now())));
        if let Some(coding) = parcel.coding.header() {
            headers.insert(GRPC_ENCODING, HeaderValue::from_static(coding));
        }
        let response = way.client.request(request).await.map_err(|error| lost(&error))?;
        grpc_answer(response, self.max_response_bytes).await
    }

    async fn http(
        &self,
        way: &Way,
        (signal, encoding): (Signal, Encoding),
        parcel: &Parcel,
        forwarded: HeaderMap,
    ) -> Result<Bytes, Failed> {
        let body = Outgoing::new(parcel.body.clone());
        let mut request = self.request(way.endpoint.join(paths::http(signal)), body, forwarded);
        request.headers_mut().insert(CONTENT_TYPE, paths::content_type(encoding));
        if let Some(coding) = parcel.coding.header() {
            request.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        let response = way.client.request(request).await.map_err(|error| lost(&error))?;
        http_answer(response, encoding, self.max_response_bytes).await
    }

    fn request(&self, uri: http::Uri, body: Outgoing, mut forwarded: HeaderMap) -> Request<Outgoing> {
        // What is configured wins over what a client sent.
        let headers = self.headers.current();
        for name in headers.keys() {
            forwarded.remove(name);
        }
        forwarded.extend(HeaderMap::clone(&headers));
        forwarded.insert(USER_AGENT, AGENT);
        let mut request = Request::post(uri).body(body).expect("a method and a URI make a request");
        *request.headers_mut() = forwarded;
        request
    }
}

impl Way {
    fn new(options: &OtlpSink, endpoint: Endpoint, protocol: Protocol) -> Result<Way, HopError> {
        let alpn = if protocol == Protocol::Grpc { tls::GRPC } else { tls::HTTP };
        let secure = if endpoint.is_tls() {
            let name = tls::server_name(&options.tls, endpoint.host())?;
            let files = options.tls.clone();
            let tls = Renewable::new(move || tls::client(&files, alpn))?;
            Some((Arc::new(tls), name))
        } else {
            None
        };
        let tls = secure.as_ref().map(|(tls, _)| Arc::clone(tls));
        let client = Client::builder(TokioExecutor::new())
            .http2_only(protocol == Protocol::Grpc)
            .http2_initial_stream_window_size(WINDOW_BYTES)
            .http2_initial_connection_window_size(WINDOW_BYTES)
            .http2_max_header_list_size(16 << 10)
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .build(Connector::new(secure, options.connect_timeout));
        Ok(Way { client, tls, endpoint, protocol })
    }
}

impl Deadline {
    /// What a client is told whose answer is not there in time.
    fn failure(self) -> Failure {
        let message = if self.clients { "the client's deadline passed" } else { "upstream did not answer in time" };
        Failure::new(Code::DeadlineExceeded, message)
    }
}

/// What a batch in JSON is told when upstream speaks gRPC alone.
pub(super) fn no_way() -> Failure {
    let message = "upstream speaks gRPC, which knows no JSON: send application/x-protobuf, or set `json_endpoint`";
    Failure::new(Code::InvalidArgument, message).with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
}

fn header_files(options: &OtlpSink) -> Result<Renewable<HeaderMap>, HopError> {
    let (plain, files) = (options.headers.iter().cloned().collect::<HeaderMap>(), options.header_files.clone());
    Renewable::new(move || headers(plain.clone(), &files).map(Arc::new))
}

fn headers(mut headers: HeaderMap, files: &BTreeMap<String, PathBuf>) -> Result<HeaderMap, HopError> {
    for (name, path) in files {
        let bad = |reason: String| HopError::HeaderFile { path: path.clone(), reason };
        let value = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
        let known = header_name(name).map_err(bad)?;
        headers.insert(known, header_value(name, value.trim()).map_err(bad)?);
    }
    Ok(headers)
}

async fn grpc_answer(response: Response<Incoming>, max_bytes: usize) -> Result<Bytes, Failed> {
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        return Err(rejected(Failure::from_http(head.status, head.headers.get(RETRY_AFTER).cloned(), None)));
    }
    let gathered = answer_body(body, max_bytes).await?;
    // An answer without a message has its status among the headers.
    let status = Status::from_header_map(&gathered.trailers).or_else(|| Status::from_header_map(&head.headers));
    let status = status.ok_or_else(|| broken("upstream's answer ended without a status"))?;
    if status.code() != Code::Ok {
        return Err(rejected(Failure::from_grpc(&status)));
    }
    let coding = head.headers.get(GRPC_ENCODING).map_or(Some(Coding::Identity), |name| Coding::named(name.as_bytes()));
    message(&gathered.body, coding, max_bytes).ok_or_else(|| broken("upstream's answer is no message"))
}

/// The only message of a body; an empty one where there is none.
fn message(body: &Bytes, coding: Option<Coding>, max_bytes: usize) -> Option<Bytes> {
    let Some((prefix, _)) = body.split_first_chunk::<PREFIX>() else { return body.is_empty().then(Bytes::new) };
    let coding = if prefix[0] == 0 { Coding::Identity } else { coding? };
    coding.inflate(body.slice(PREFIX..), Caps { max_message_bytes: max_bytes, max_ratio: usize::MAX }).ok()
}

async fn http_answer(response: Response<Incoming>, encoding: Encoding, max_bytes: usize) -> Result<Bytes, Failed> {
    let (head, body) = response.into_parts();
    let gathered = answer_body(body, max_bytes).await?;
    let kind = head.headers.get(CONTENT_TYPE).cloned();
    if !head.status.is_success() {
        let retry_after = head.headers.get(RETRY_AFTER).cloned();
        return Err(rejected(Failure::from_http(head.status, retry_after, kind.map(|kind| (kind, gathered.body)))));
    }
    // Any 2xx is success; only a body of the right type can be a response message (some answer 201 and nothing).
    let same = kind.as_ref().and_then(paths::encoding) == Some(encoding);
    Ok(if same { gathered.body } else { Bytes::new() })
}

async fn answer_body(body: Incoming, max_bytes: usize) -> Result<Gathered, Failed> {
    gather(body, max_bytes, None, &|_| Ok(None)).await.map_err(|error| match error {
        GatherError::TooLarge => {
            rejected(Failure::new(Code::Internal, format!("upstream's answer is over {max_bytes} bytes")))
        }
        GatherError::Gone | GatherError::Overloaded => broken("the connection to upstream broke during its answer"),
    })
}

fn rejected(failure: Failure) -> Failed {
    (failure, Some(SinkError::Rejected))
}

fn broken(message: &str) -> Failed {
    (Failure::again(message), Some(SinkError::Write))
}

fn lost(error: &hyper_util::client::legacy::Error) -> Failed {
    if error.is_connect() {
        (Failure::again("upstream cannot be reached"), Some(SinkError::Connect))
    } else {
        broken("the connection to upstream broke")
    }
}

/// A duration in the eight digits that gRPC has for it.
fn grpc_timeout(time: Duration) -> HeaderValue {
    let micros = time.as_micros();
    let text = if micros < 100_000_000 { format!("{micros}u") } else { format!("{}m", time.as_millis()) };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("99999999S"))
}

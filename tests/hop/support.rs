//! What the tests stand on: an upstream that is told what to answer, a running hop, and plain clients for both protocols.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use inkout::config::daemon::{OtlpSink, OtlpSource};
use inkout::engine::{Engine, Limits, Policy};
use inkout::findings::Findings;
use inkout::hop::{Hop, HopOptions, HopSummary, Renewal, WorkersRedactor};
use inkout::metrics::Metrics;
use inkout::otlp;
use inkout::rules::Catalog;
use inkout::workers::Workers;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;

pub(crate) const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// Runs a test with two threads, so that a hop that blocks one of them shows.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), test).await.expect("the test hangs") });
    runtime.shutdown_timeout(Duration::from_secs(1));
}

/// A batch of logs with this text in its body and in an attribute.
pub(crate) fn batch(text: &str) -> ExportLogsServiceRequest {
    let value = |text: &str| Some(AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) });
    let attribute = KeyValue { key: "note".to_owned(), value: value(text), ..KeyValue::default() };
    let record =
        LogRecord { time_unix_nano: 7, body: value(text), attributes: vec![attribute], ..LogRecord::default() };
    let scope = ScopeLogs { log_records: vec![record], ..ScopeLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs: vec![scope], ..Default::default() }] }
}

/// The same in protobuf.
pub(crate) fn logs(text: &str) -> Bytes {
    batch(text).encode_to_vec().into()
}

/// The texts of a batch: bodies and attributes.
pub(crate) fn texts(body: &[u8]) -> Vec<String> {
    let batch = ExportLogsServiceRequest::decode(body).expect("a batch of logs");
    let records = batch.resource_logs.into_iter().flat_map(|logs| logs.scope_logs).flat_map(|logs| logs.log_records);
    let values = records.flat_map(|record| {
        record.attributes.into_iter().map(|attribute| attribute.value).chain([record.body]).flatten()
    });
    values
        .filter_map(|value| match value.value {
            Some(any_value::Value::StringValue(text)) => Some(text),
            _ => None,
        })
        .collect()
}

/// A request that came to the upstream.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// Without the frame of gRPC.
    pub(crate) body: Bytes,
}

type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;
type Answer = dyn Fn(Seen) -> Answering + Send + Sync;

/// An upstream that answers what it was told.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    /// Requests whose answer was given up by their client.
    pub(crate) given_up: Arc<Mutex<usize>>,
    task: JoinHandle<()>,
}

impl Upstream {
    pub(crate) async fn start(answer: impl Fn(Seen) -> Answering + Send + Sync + 'static) -> Upstream {
        Upstream::start_at("127.0.0.1:0".parse().unwrap(), answer).await
    }

    pub(crate) async fn start_at(
        address: SocketAddr,
        answer: impl Fn(Seen) -> Answering + Send + Sync + 'static,
    ) -> Upstream {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, given_up) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::<Mutex<usize>>::default());
        let answer: Arc<Answer> = Arc::new(answer);
        let (noted, lost) = (Arc::clone(&seen), Arc::clone(&given_up));
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (answer, noted, lost) = (Arc::clone(&answer), Arc::clone(&noted), Arc::clone(&lost));
                connections.spawn(async move {
                    let service = service_fn(move |request| {
                        respond(Arc::clone(&answer), Arc::clone(&noted), Arc::clone(&lost), request)
                    });
                    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Upstream { address, seen, given_up, task }
    }

    /// An upstream that takes everything.
    pub(crate) async fn taking() -> Upstream {
        Upstream::start(|seen| Box::pin(async move { accepted(&seen, Bytes::new()) })).await
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Ends it, with its connections.
    pub(crate) fn stop(self) {
        self.task.abort();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Counts what was dropped before it was done.
struct Unfinished(Arc<Mutex<usize>>, bool);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.1 {
            *self.0.lock().unwrap() += 1;
        }
    }
}

async fn respond(
    answer: Arc<Answer>,
    seen: Arc<Mutex<Vec<Seen>>>,
    given_up: Arc<Mutex<usize>>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let mut unfinished = Unfinished(given_up, false);
    let Ok(body) = body.collect().await else { return Ok(Response::new(Body::empty())) };
    let body = body.to_bytes();
    let framed = head.headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    let body = if framed { body.slice(5..) } else { body };
    let request = Seen { path: head.uri.path().to_owned(), headers: head.headers, body };
    seen.lock().unwrap().push(request.clone());
    let response = answer(request).await;
    unfinished.1 = true;
    Ok(response)
}

/// «Taken», with a response message, in the protocol of the request.
pub(crate) fn accepted(seen: &Seen, message: Bytes) -> Response<Body> {
    let kind = seen.headers["content-type"].clone();
    if !kind.as_bytes().starts_with(b"application/grpc") {
        return Response::builder().header("content-type", kind).body(Body::new(Full::new(message))).unwrap();
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    let body = Full::new(frame(&message)).with_trailers(async move { Some(Ok(trailers)) });
    Response::builder().header("content-type", "application/grpc").body(Body::new(body)).unwrap()
}

/// A message in the frame of gRPC.
pub(crate) fn frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0][..], &length, message].concat().into()
}

/// What a file says in the `otlp` tables of a source and of a sink.
pub(crate) fn options(settings: &str) -> Result<HopOptions, String> {
    #[derive(serde::Deserialize)]
    struct Both {
        #[serde(default)]
        source: OtlpSource,
        sink: OtlpSink,
    }
    let Both { source, sink } = toml::from_str(settings).map_err(|error| error.message().to_owned())?;
    Ok(HopOptions { name: "otlp".to_owned(), sink_name: "otlp".to_owned(), source, sink })
}

/// The program's own redactor, with one thread and the built-in rules.
pub(crate) fn redactor(metrics: &Metrics) -> Arc<WorkersRedactor> {
    redactor_under(metrics, Policy::default())
}

fn redactor_under(metrics: &Metrics, policy: Policy) -> Arc<WorkersRedactor> {
    let engine = Engine::compile(Catalog::builtin().set, policy, &Limits::default()).unwrap();
    Arc::new(WorkersRedactor {
        workers: Workers::start(Arc::new(engine), 1).unwrap(),
        limits: otlp::Limits::default(),
        metrics: metrics.clone(),
        source: metrics.source("otlp"),
        findings: Findings::off(),
        gate: Box::new(|| true),
    })
}

/// A hop that runs.
pub(crate) struct Running {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) metrics: Metrics,
    pub(crate) renewal: Renewal,
    pub(crate) cancel: CancellationToken,
    task: JoinHandle<HopSummary>,
}

impl Running {
    /// A hop to `upstream`, with ports of its own and `settings` besides.
    pub(crate) async fn start(upstream: SocketAddr, settings: &str) -> Running {
        Running::with(&format!("sink.endpoint = 'http://{upstream}'\n{settings}")).await
    }

    pub(crate) async fn with(settings: &str) -> Running {
        Running::under(settings, Policy::default()).await
    }

    /// The same with another policy.
    pub(crate) async fn under(settings: &str, policy: Policy) -> Running {
        let mut options = options(settings).expect("settings");
        options.source.grpc = "127.0.0.1:0".parse().unwrap();
        options.source.http = "127.0.0.1:0".parse().unwrap();
        let metrics = Metrics::default();
        let redactor = redactor_under(&metrics, policy);
        let cancel = CancellationToken::new();
        let hop = Hop::open(options, redactor, &metrics, cancel.clone()).await.expect("a hop");
        let (grpc, http) = (hop.grpc().unwrap(), hop.http().unwrap());
        let renewal = hop.renewal();
        Running { grpc, http, metrics, renewal, cancel, task: tokio::spawn(hop.run()) }
    }

    pub(crate) async fn stop(self) -> HopSummary {
        self.cancel.cancel();
        self.task.await.unwrap()
    }

    /// The value of a counter, by its line in the Prometheus text.
    pub(crate) fn counter(&self, series: &str) -> u64 {
        let text = self.metrics.prometheus();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{series} is not in\n{text}")).parse().unwrap()
    }
}

/// What a gRPC client was told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: i32,
    pub(crate) message: String,
    pub(crate) details: Bytes,
    pub(crate) body: Bytes,
}

/// What an HTTP client was told.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Exports a message by gRPC.
pub(crate) async fn export(address: SocketAddr, message: &[u8]) -> Told {
    call(address, LOGS, &[], frame(message)).await.expect("an answer")
}

/// Calls a method with a body that is already framed.
pub(crate) async fn call(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    framed: Bytes,
) -> Result<Told, hyper_util::client::legacy::Error> {
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let mut request = Request::post(format!("http://{address}{path}")).header("content-type", "application/grpc");
    for (name, value) in [("te", "trailers")].iter().chain(headers) {
        request = request.header(*name, *value);
    }
    let response = client.request(request.body(Full::new(framed)).unwrap()).await?;
    let (code, headers) = (response.status(), response.headers().clone());
    let collected = response.into_body().collect().await.expect("an answer's body");
    let trailers = collected.trailers().cloned().unwrap_or_default();
    let status = tonic::Status::from_header_map(&trailers).or_else(|| tonic::Status::from_header_map(&headers));
    // Where the answer is none of gRPC, its HTTP status stands negated.
    let status = status.ok_or(-i32::from(code.as_u16()));
    let body = collected.to_bytes();
    Ok(Told {
        code: status.as_ref().map_or_else(|code| *code, |status| status.code() as i32),
        message: status.as_ref().map_or_else(|_| String::new(), |status| status.message().to_owned()),
        details: status.map_or_else(|_| Bytes::new(), |status| Bytes::copy_from_slice(status.details())),
        body: if body.is_empty() { body } else { body.slice(5..) },
    })
}

/// Posts to a path of the HTTP server.
pub(crate) async fn post(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: Bytes) -> Page {
    let mut request = Request::post(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body)).unwrap();
    let response = Client::builder(TokioExecutor::new()).build_http().request(request).await.expect("an answer");
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("an answer's body").to_bytes();
    Page { status: head.status, headers: head.headers, body }
}

/// Posts protobuf.
pub(crate) async fn post_protobuf(address: SocketAddr, message: Bytes) -> Page {
    post(address, "/v1/logs", &[("content-type", "application/x-protobuf")], message).await
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never happened: {what}"));
}

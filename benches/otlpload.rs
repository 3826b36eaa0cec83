//! The other ends of a measurement with OTLP: a client that sends batches of logs, an upstream that takes them, and a relay
//! of plain TCP to compare with. `benches/hop.py` runs them.
//!
//! ```text
//! otlpload sink 127.0.0.1:4317
//! otlpload relay 127.0.0.1:5317 127.0.0.1:4317
//! otlpload send 127.0.0.1:5317 --batches 2000 --records 512 --in-flight 8 [--every-micros 5000] [--secrets 10]
//! ```
#![expect(clippy::print_stdout, reason = "a tool that tells what it measured")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tonic::body::Body;

type Error = Box<dyn std::error::Error + Send + Sync>;

const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let address = |at: usize| -> Result<SocketAddr, Error> { Ok(arguments.get(at).ok_or("an address")?.parse()?) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match arguments.first().map(String::as_str) {
        Some("sink") => runtime.block_on(sink(address(1)?)),
        Some("relay") => runtime.block_on(relay(address(1)?, address(2)?)),
        Some("send") => runtime.block_on(send(address(1)?, &Plan::read(&arguments[2..])?)),
        _ => Err("sink, relay or send".into()),
    }
}

/// What is sent.
struct Plan {
    batches: u64,
    records: u64,
    in_flight: usize,
    /// Time between the beginnings of requests; without it, as fast as answers come.
    every: Option<Duration>,
    /// Records of a thousand that hold a secret.
    secrets: u64,
}

impl Plan {
    fn read(arguments: &[String]) -> Result<Plan, Error> {
        let value = |name: &str| -> Result<Option<u64>, Error> {
            let at = arguments.iter().position(|argument| argument == name);
            Ok(at.and_then(|at| arguments.get(at + 1)).map(|value| value.parse()).transpose()?)
        };
        Ok(Plan {
            batches: value("--batches")?.unwrap_or(1000),
            records: value("--records")?.unwrap_or(512),
            in_flight: usize::try_from(value("--in-flight")?.unwrap_or(8))?,
            every: value("--every-micros")?.map(Duration::from_micros),
            secrets: value("--secrets")?.unwrap_or(10),
        })
    }
}

async fn send(address: SocketAddr, plan: &Plan) -> Result<(), Error> {
    let batches: Vec<Bytes> = (0..16).map(|seed| frame(&batch(plan, seed))).collect();
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let handshake = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_connection_window_size(1 << 20)
        .handshake(TokioIo::new(stream));
    let (client, connection) = handshake.await?;
    tokio::spawn(connection);
    for body in &batches {
        one(client.clone(), address, body.clone()).await?;
    }
    let (started, mut times, mut running) = (Instant::now(), Vec::new(), JoinSet::new());
    for number in 0..plan.batches {
        if let Some(every) = plan.every {
            tokio::time::sleep_until((started + every * u32::try_from(number)?).into()).await;
        }
        while running.len() >= plan.in_flight {
            times.push(running.join_next().await.ok_or("a request")???);
        }
        running.spawn(one(client.clone(), address, batches[usize::try_from(number)? % batches.len()].clone()));
    }
    while let Some(time) = running.join_next().await {
        times.push(time??);
    }
    let seconds = started.elapsed().as_secs_f64();
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
    let bytes: usize = batches.iter().map(Bytes::len).sum::<usize>() / batches.len();
    println!(
        "{{\"records_per_second\": {:.0}, \"batch_bytes\": {bytes}, \"seconds\": {seconds:.3}, \"p50_micros\": {:.0}, \
         \"p90_micros\": {:.0}, \"p99_micros\": {:.0}}}",
        (plan.batches * plan.records) as f64 / seconds,
        at(0.5),
        at(0.9),
        at(0.99)
    );
    Ok(())
}

async fn one(mut client: SendRequest<Full<Bytes>>, address: SocketAddr, body: Bytes) -> Result<Duration, Error> {
    let request = Request::post(format!("http://{address}{LOGS}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(body))?;
    let started = Instant::now();
    let response = client.send_request(request).await?;
    let head = response.headers().clone();
    let collected = response.into_body().collect().await?;
    let time = started.elapsed();
    let status = collected.trailers().and_then(|trailers| trailers.get("grpc-status")).or(head.get("grpc-status"));
    if status.is_none_or(|status| status != "0") {
        return Err(format!("refused: {status:?} {:?}", head.get("grpc-message")).into());
    }
    Ok(time)
}

async fn sink(address: SocketAddr) -> Result<(), Error> {
    let (listener, taken) = (TcpListener::bind(address).await?, Arc::new(AtomicU64::new(0)));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let taken = Arc::clone(&taken);
        let service = service_fn(move |request| take(Arc::clone(&taken), request));
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(4 << 20)
            .initial_connection_window_size(16 << 20)
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

/// Takes a batch without looking at it; a GET tells how many bytes came.
async fn take(taken: Arc<AtomicU64>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let mut body = request.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        taken.fetch_add(frame.data_ref().map_or(0, Bytes::len) as u64, Ordering::Relaxed);
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    let answer = Full::new(frame(b"")).with_trailers(async move { Some(Ok(trailers)) });
    let mut response = Response::new(Body::new(answer));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc"));
    Ok(response)
}

async fn relay(listen: SocketAddr, to: SocketAddr) -> Result<(), Error> {
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (mut client, _) = listener.accept().await?;
        tokio::spawn(async move {
            let mut server = TcpStream::connect(to).await?;
            client.set_nodelay(true)?;
            server.set_nodelay(true)?;
            tokio::io::copy_bidirectional_with_sizes(&mut client, &mut server, 64 << 10, 64 << 10).await
        });
    }
}

fn frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[0][..], &length, message].concat().into()
}

fn batch(plan: &Plan, seed: u64) -> Vec<u8> {
    let mut random = seed * 7919 + 1;
    let log_records = (0..plan.records).map(|number| record(plan, number, &mut random)).collect();
    let scope = InstrumentationScope { name: "shop.checkout".to_owned(), ..InstrumentationScope::default() };
    let attributes = vec![
        attribute("service.name", "checkout"),
        attribute("k8s.pod.name", "checkout-7d9f8b6c4-x2x7k"),
        attribute("deployment.environment.name", "production"),
    ];
    let resource = Resource { attributes, ..Resource::default() };
    let scope_logs = vec![ScopeLogs { scope: Some(scope), log_records, ..ScopeLogs::default() }];
    let logs = ResourceLogs { resource: Some(resource), scope_logs, ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![logs] }.encode_to_vec()
}

fn record(plan: &Plan, number: u64, random: &mut u64) -> LogRecord {
    let mut next = |bound: u64| {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        *random % bound
    };
    let (user, order, micros, path) = (next(100_000), next(10_000_000), next(90_000), next(50));
    let mut body = format!("order {order} of user {user} accepted in {micros} us by worker {}", next(16));
    if next(1000) < plan.secrets {
        body += &format!(", password=sEcret{order}x{user}");
    }
    LogRecord {
        time_unix_nano: 1_790_000_000_000_000_000 + number * 1_000_003,
        observed_time_unix_nano: 1_790_000_000_000_000_000 + number * 1_000_003 + 517,
        severity_number: 9,
        severity_text: "INFO".to_owned(),
        body: value(&body),
        attributes: vec![
            attribute("http.request.method", "POST"),
            attribute("url.path", &format!("/shop/{path}/orders/{order}")),
            attribute("client.address", &format!("10.{}.{}.{}", next(256), next(256), next(256))),
            attribute("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"),
            attribute("thread.name", "worker-pool-3"),
        ],
        trace_id: (0..16).map(|_| next(256) as u8).collect(),
        span_id: (0..8).map(|_| next(256) as u8).collect(),
        ..LogRecord::default()
    }
}

fn attribute(key: &str, text: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: value(text), ..KeyValue::default() }
}

fn value(text: &str) -> Option<AnyValue> {
    Some(AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) })
}

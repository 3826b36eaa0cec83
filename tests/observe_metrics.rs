//! Metrics as their readers see them: `promtool` on the text, and an OTLP receiver on the push.

#![cfg(feature = "daemon")]

use std::convert::Infallible;
use std::future::ready;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use inkout::engine::{Engine, Limits, Mode, Policy};
use inkout::metrics::{
    BypassReason, DropReason, Metrics, OtlpOptions, Push, RefuseReason, RuleSeries, SinkError, UninspectedReason,
};
use inkout::rules::Catalog;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Every counter above 0, every label in use.
fn busy(rules: RuleSeries) -> Metrics {
    let engine = Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default()).expect("rules compile");
    let metrics = Metrics::new(rules);
    metrics.declare_all([&engine]);
    metrics.reload(Ok("0123456789ab"));
    let (source, sink, pipeline) = (metrics.source("a \"b\"\\c"), metrics.sink("out"), metrics.pipeline("main"));
    source.received(3, 300);
    source.mode(Mode::Audit);
    DropReason::ALL.iter().for_each(|reason| source.dropped(*reason, 1));
    UninspectedReason::ALL.iter().for_each(|reason| source.uninspected(*reason, 1));
    BypassReason::ALL.iter().for_each(|reason| source.bypassed(*reason, 1));
    RefuseReason::ALL.iter().for_each(|reason| source.refused(*reason));
    SinkError::ALL.iter().for_each(|kind| sink.error(*kind));
    sink.sent(2, 200);
    pipeline.in_flight_add(1);
    pipeline.queue_add(100);
    metrics.process_seconds(Duration::from_millis(2));
    metrics.stalled(Duration::from_millis(1500));
    metrics.ready(true);
    metrics
}

#[test]
fn promtool_has_nothing_to_say() {
    for rules in [RuleSeries::Fired, RuleSeries::All] {
        let promtool = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut promtool) = promtool else {
            eprintln!("skipped: promtool is not installed");
            return;
        };
        let text = busy(rules).prometheus();
        promtool.stdin.take().expect("piped").write_all(text.as_bytes()).expect("promtool reads");
        let said = promtool.wait_with_output().expect("promtool ends");
        assert!(said.status.success(), "{}{text}", String::from_utf8_lossy(&said.stderr));
        assert_eq!(String::from_utf8_lossy(&said.stderr), "");
    }
}

#[test]
fn label_values_are_escaped() {
    let text = busy(RuleSeries::Fired).prometheus();
    assert!(text.contains(r#"inkout_received_records_total{source="a \"b\"\\c"} 3"#), "{text}");
    assert!(text.contains("# TYPE inkout_received_records_total counter\n"), "{text}");
    assert!(text.contains("inkout_process_duration_seconds_bucket{le=\"0.005\"} 1\n"), "{text}");
    assert!(text.contains("inkout_stalled_seconds 1.5\n"), "{text}");
    assert!(!text.contains("EOF"));
}

type Answer = Response<BoxBody<Bytes, Infallible>>;

/// Takes one export, hands it to the test, and says that all is well.
async fn export(request: Request<Incoming>, to: mpsc::Sender<Bytes>) -> Result<Answer, Infallible> {
    assert_eq!(request.uri().path(), "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export");
    let body = request.into_body().collect().await.expect("a whole request").to_bytes();
    // gRPC puts a flag and a length before each message.
    let _ = to.send(body.slice(5..)).await;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().expect("a number"));
    let body = Full::from(Bytes::from_static(&[0; 5])).with_trailers(ready(Some(Ok(trailers)))).boxed();
    Ok(Response::builder().header("content-type", "application/grpc").body(body).expect("a response"))
}

/// A receiver of OTLP metrics on a port of its own.
async fn receiver() -> (String, mpsc::Receiver<Bytes>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
    let (to, from) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let to = to.clone();
            let service = service_fn(move |request| export(request, to.clone()));
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    (endpoint, from)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_push_tells_what_the_page_tells() {
    let (endpoint, mut received) = receiver().await;
    let metrics = busy(RuleSeries::Fired);
    let push =
        Push::start(&metrics, &OtlpOptions { endpoint, interval: Duration::from_secs(1) }).expect("a receiver's URL");
    let message = received.recv().await.expect("an export within the interval");
    let export = ExportMetricsServiceRequest::decode(message).expect("a message of the protocol");
    let resource = &export.resource_metrics[0];
    let attributes = &resource.resource.as_ref().expect("a resource").attributes;
    assert!(attributes.iter().any(|attribute| attribute.key == "service.name"));
    let pushed = &resource.scope_metrics[0].metrics;
    for family in metrics.families() {
        let histogram = family.name == "process_duration_seconds";
        let name = format!("inkout.{}{}", family.name, if histogram { ".count" } else { "" });
        let metric = pushed.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name} is not pushed"));
        let points = match metric.data.as_ref().expect("numbers") {
            Data::Sum(sum) => sum.data_points.len(),
            Data::Gauge(gauge) => gauge.data_points.len(),
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(points, family.series.len(), "{name}");
    }
    push.stop().await;
    assert!(received.recv().await.is_some(), "the last numbers are pushed when it stops");
}

#[tokio::test]
async fn an_endpoint_that_is_none_is_refused() {
    for endpoint in ["127.0.0.1:4317", "https://collector:4317", "http://"] {
        let options = OtlpOptions { endpoint: endpoint.to_owned(), interval: Duration::from_secs(1) };
        let error = Push::start(&Metrics::default(), &options).expect_err(endpoint).to_string();
        assert!(error.starts_with(&format!("metrics.otlp: endpoint `{endpoint}`: ")), "{error}");
    }
}

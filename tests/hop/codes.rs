//! What upstream refuses, and in which words the client of either protocol hears it.

use bytes::Bytes;
use http_body_util::Full;
use inkout::engine::{Mode, Policy};
use tonic::body::Body;
use tonic::{Code, Status};

use super::support::*;

/// `google.rpc.Status` of code 14 with a `RetryInfo` of 30 seconds, as a Collector sends it.
fn retry_info(code: u8, seconds: u8) -> Bytes {
    let name = b"type.googleapis.com/google.rpc.RetryInfo";
    let any = [&[0x0a, name.len() as u8][..], name, &[0x12, 4, 0x0a, 2, 0x08, seconds]].concat();
    [&[0x08, code, 0x12, 4][..], b"busy", &[0x1a, any.len() as u8], &any].concat().into()
}

async fn refusing_grpc(code: Code, details: Bytes) -> Upstream {
    Upstream::start(move |_| {
        let status = Status::with_details(code, "busy", details.clone());
        Box::pin(async move { status.into_http() })
    })
    .await
}

async fn refusing_http(status: u16, retry_after: Option<&'static str>, body: &'static str) -> Upstream {
    Upstream::start(move |_| {
        let mut response = http::Response::builder().status(status).header("content-type", "text/plain");
        if let Some(after) = retry_after {
            response = response.header("retry-after", after);
        }
        let response = response.body(Body::new(Full::new(Bytes::from_static(body.as_bytes())))).unwrap();
        Box::pin(async move { response })
    })
    .await
}

#[test]
fn a_grpc_upstreams_refusal_is_relayed_with_its_details() {
    run(async {
        for (code, details, status, retry_after) in [
            (Code::Unavailable, retry_info(14, 30), 503, Some("30")),
            (Code::Unavailable, Bytes::new(), 503, None),
            (Code::ResourceExhausted, retry_info(8, 7), 429, Some("7")),
            (Code::ResourceExhausted, Bytes::new(), 413, None),
            (Code::InvalidArgument, Bytes::new(), 400, None),
            (Code::Unauthenticated, Bytes::new(), 401, None),
            (Code::PermissionDenied, Bytes::new(), 403, None),
            (Code::Unimplemented, Bytes::new(), 404, None),
            (Code::DeadlineExceeded, Bytes::new(), 504, None),
            (Code::Internal, Bytes::new(), 500, None),
        ] {
            let upstream = refusing_grpc(code, details.clone()).await;
            let hop = Running::start(upstream.address, "").await;
            let told = export(hop.grpc, &logs("hello")).await;
            assert_eq!((told.code, told.message.as_str(), &told.details), (code as i32, "busy", &details));
            let page = post_protobuf(hop.http, logs("hello")).await;
            let after = page.headers.get("retry-after").map(|after| after.to_str().unwrap());
            assert_eq!((page.status.as_u16(), after), (status, retry_after), "{code:?}");
            let first = [0x08, code as u8, 0x12, 4];
            assert!(page.body.starts_with(&first) && page.body[4..].starts_with(b"busy"), "{:?}", page.body);
            let summary = hop.stop().await;
            assert_eq!((summary.received, summary.failed), (2, 2));
        }
    });
}

#[test]
fn an_http_upstreams_refusal_is_relayed_as_it_stands_and_told_to_grpc() {
    run(async {
        for (status, retry_after, code, delay) in [
            (429, Some("9"), Code::ResourceExhausted, Some(9)),
            (429, None, Code::ResourceExhausted, Some(1)),
            (503, Some("120"), Code::Unavailable, Some(120)),
            (503, Some("Fri, 31 Dec 1999 23:59:59 GMT"), Code::Unavailable, Some(0)),
            (502, None, Code::Unavailable, None),
            (504, None, Code::DeadlineExceeded, None),
            (400, None, Code::InvalidArgument, None),
            (401, None, Code::Unauthenticated, None),
            (403, None, Code::PermissionDenied, None),
            (404, None, Code::Unimplemented, None),
            (413, None, Code::ResourceExhausted, None),
            (422, None, Code::InvalidArgument, None),
            (500, None, Code::Internal, None),
        ] {
            let upstream = refusing_http(status, retry_after, "words of upstream").await;
            let hop = Running::start(upstream.address, "sink.protocol = 'http'").await;
            let page = post_protobuf(hop.http, logs("hello")).await;
            let after = page.headers.get("retry-after").map(|after| after.to_str().unwrap());
            assert_eq!((page.status.as_u16(), after), (status, retry_after));
            assert_eq!(page.headers["content-type"], "text/plain");
            assert_eq!(page.body, "words of upstream");
            let told = export(hop.grpc, &logs("hello")).await;
            assert_eq!(told.code, code as i32, "{status}");
            let seconds = delay.map(|seconds: u8| [&[0x0a][..], &delay_bytes(seconds)].concat());
            match seconds {
                Some(seconds) => assert!(told.details.ends_with(&seconds), "{status}: {:?}", told.details),
                None => assert!(told.details.is_empty(), "{status}: {:?}", told.details),
            }
        }
    });
}

/// A duration of whole seconds with its length before it; zero is not written.
fn delay_bytes(seconds: u8) -> Vec<u8> {
    if seconds == 0 { vec![0] } else { vec![2, 0x08, seconds] }
}

#[test]
fn a_redirect_is_not_followed_and_not_handed_on() {
    run(async {
        let elsewhere = Upstream::taking().await;
        let target = format!("http://{}/v1/logs", elsewhere.address);
        let upstream = Upstream::start(move |_| {
            let response = http::Response::builder().status(307).header("location", target.clone());
            let response = response.body(Body::empty()).unwrap();
            Box::pin(async move { response })
        })
        .await;
        let hop = Running::start(upstream.address, "sink.protocol = 'http'").await;
        let page = post_protobuf(hop.http, logs("hello")).await;
        assert_eq!(page.status, 502);
        assert!(!page.headers.contains_key("location"));
        assert!(elsewhere.seen().is_empty());
    });
}

#[test]
fn json_for_an_upstream_that_speaks_grpc_is_refused_or_sent_where_it_is_known() {
    run(async {
        let upstream = Upstream::taking().await;
        let hop = Running::start(upstream.address, "").await;
        let json = [("content-type", "application/json")];
        let page = post(hop.http, "/v1/logs", &json, Bytes::from_static(b"{}")).await;
        assert_eq!(page.status, 415);
        assert!(String::from_utf8_lossy(&page.body).contains("json_endpoint"), "{:?}", page.body);
        assert!(upstream.seen().is_empty());
    });
}

#[test]
fn what_is_not_served_is_told_so_in_the_clients_encoding() {
    run(async {
        let upstream = Upstream::taking().await;
        let hop = Running::start(upstream.address, "").await;
        let protobuf = ("content-type", "application/x-protobuf");
        for (path, headers, status, words) in [
            ("/v1/lags", vec![protobuf], 404, "not served here"),
            ("/v1development/profiles", vec![protobuf], 404, "profiles are refused"),
            ("/v1/logs", vec![("content-type", "text/plain")], 415, "application/x-protobuf"),
            ("/v1/logs", vec![], 415, "application/x-protobuf"),
            ("/v1/logs", vec![protobuf, ("content-encoding", "br")], 415, "gzip, zstd"),
            ("/v1/logs", vec![protobuf, ("content-encoding", "gzip, gzip")], 415, "gzip, zstd"),
            ("/v1/logs", vec![protobuf, ("content-encoding", "gzip")], 400, "not compressed as its header says"),
        ] {
            let page = post(hop.http, path, &headers, logs("hello")).await;
            assert_eq!(page.status.as_u16(), status, "{path} {headers:?}");
            assert!(String::from_utf8_lossy(&page.body).contains(words), "{path} {headers:?}: {:?}", page.body);
            let kind = if headers.contains(&protobuf) { "application/x-protobuf" } else { "application/json" };
            assert_eq!(page.headers["content-type"], kind);
        }
        let profiles = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export";
        let told = call(hop.grpc, profiles, &[], frame(b"")).await.unwrap();
        assert_eq!((told.code, told.message.contains("profiles are refused")), (Code::Unimplemented as i32, true));
        let told = call(hop.grpc, LOGS, &[("grpc-encoding", "snappy")], frame(b"")).await.unwrap();
        assert_eq!(told.code, Code::Unimplemented as i32);
        assert!(upstream.seen().is_empty());
    });
}

#[test]
fn an_audit_is_told_and_counted() {
    run(async {
        let upstream = Upstream::taking().await;
        let policy = Policy { mode: Mode::Audit, ..Policy::default() };
        let hop = Running::under(&format!("sink.endpoint = 'http://{}'", upstream.address), policy).await;
        for text in ["nothing", "password=hunter2hunter2"] {
            assert_eq!(export(hop.grpc, &logs(text)).await.code, Code::Ok as i32);
        }
        assert_eq!(texts(&upstream.seen()[1].body)[1], "password=hunter2hunter2");
        assert_eq!(hop.counter(r#"inkout_audit{source="otlp"}"#), 1);
        assert_eq!(hop.counter(r#"inkout_bypassed_records_total{reason="audit",source="otlp"}"#), 1);
    });
}

#[test]
fn a_malformed_batch_is_refused_and_nothing_of_it_goes_on() {
    run(async {
        let upstream = Upstream::taking().await;
        let hop = Running::start(upstream.address, "").await;
        let whole = logs("password=hunter2hunter2");
        let cut = whole.slice(..whole.len() - 3);
        let told = export(hop.grpc, &cut).await;
        assert_eq!(told.code, Code::InvalidArgument as i32, "{}", told.message);
        assert!(!told.message.contains("hunter2"));
        let page = post_protobuf(hop.http, cut).await;
        assert_eq!(page.status, 400);
        assert!(page.body.starts_with(&[0x08, 3, 0x12]), "a Status in protobuf: {:?}", page.body);
        assert!(upstream.seen().is_empty());
        assert_eq!(hop.counter(r#"inkout_refused_requests_total{reason="malformed",source="otlp"}"#), 2);
        let summary = hop.stop().await;
        assert_eq!((summary.refused, summary.forwarded), (2, 0));
    });
}

#[test]
fn the_health_service_says_that_it_serves() {
    run(async {
        let upstream = Upstream::taking().await;
        let hop = Running::start(upstream.address, "").await;
        let told = call(hop.grpc, "/grpc.health.v1.Health/Check", &[], frame(b"")).await.unwrap();
        // HealthCheckResponse { status: SERVING }
        assert_eq!((told.code, &told.body[..]), (0, &b"\x08\x01"[..]));
    });
}

//! What a hop bears: sizes, slow and many connections. In all of it another client is served. Bombs and floods of frames are in
//! `tests/daemon/otlp_memory.rs`: what they cost is seen in a process of its own.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tonic::Code;

use super::relay::gzip;
use super::support::*;

#[track_caller]
fn is_too_large(told: &Told) {
    assert_eq!(told.code, Code::ResourceExhausted as i32, "{}", told.message);
    assert!(told.details.is_empty(), "RetryInfo would have it sent again: {:?}", told.details);
}

#[test]
fn a_batch_over_the_limit_is_refused_for_good_whatever_it_says_of_itself() {
    run(async {
        let upstream = Upstream::taking().await;
        let hop = Running::start(upstream.address, "source.max_message = 2000").await;
        let large = logs(&"x".repeat(1000));
        let small = logs(&"x".repeat(900));
        assert_eq!(export(hop.grpc, &small).await.code, 0);
        assert_eq!(post_protobuf(hop.http, small).await.status, 200);
        is_too_large(&export(hop.grpc, &large).await);
        assert_eq!(post_protobuf(hop.http, large.clone()).await.status, 413);
        // A length of 4 GiB in front of nothing.
        is_too_large(&call(hop.grpc, LOGS, &[], Bytes::from_static(b"\0\xff\xff\xff\xff12345")).await.unwrap());
        let mut packed = frame(&gzip(&large)).to_vec();
        packed[0] = 1;
        is_too_large(&call(hop.grpc, LOGS, &[("grpc-encoding", "gzip")], packed.into()).await.unwrap());
        assert_eq!(hop.counter(r#"inkout_refused_requests_total{reason="too_large",source="otlp"}"#), 4);
        assert_eq!(upstream.seen().len(), 2);
    });
}

#[test]
fn more_bytes_in_flight_than_allowed_are_an_outage_worth_another_try() {
    run(async {
        let upstream = Upstream::start(|_| Box::pin(std::future::pending())).await;
        let hop = Running::start(upstream.address, "source.max_in_flight = 3000").await;
        let large = logs(&"x".repeat(1000));
        let held = tokio::spawn({
            let (address, large) = (hop.grpc, large.clone());
            async move { export(address, &large).await }
        });
        until("one batch is in flight", || upstream.seen().len() == 1).await;
        let told = export(hop.grpc, &large).await;
        assert_eq!((told.code, told.details.is_empty()), (Code::Unavailable as i32, false));
        let page = post_protobuf(hop.http, large).await;
        assert_eq!((page.status.as_u16(), page.headers.contains_key("retry-after")), (503, true));
        held.abort();
        until("its bytes are given back", || hop.counter(r#"inkout_in_flight_records{pipeline="otlp"}"#) == 0).await;
        assert_eq!(hop.counter(r#"inkout_refused_requests_total{reason="overloaded",source="otlp"}"#), 2);
    });
}

#[test]
fn connections_over_the_caps_are_closed_and_others_are_served() {
    run(async {
        let upstream = Upstream::taking().await;
        let hop = Running::start(upstream.address, "source.max_connections_per_peer = 3").await;
        let mut open = Vec::new();
        for _ in 0..10 {
            open.push(TcpStream::connect(hop.grpc).await.unwrap());
        }
        let mut closed = 0;
        for stream in &mut open {
            // The server of HTTP/2 greets who may stay; who may not is at the end at once.
            let mut byte = [0];
            stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.ok();
            let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut byte)).await.unwrap();
            closed += usize::from(!matches!(read, Ok(1)));
        }
        assert_eq!(closed, 7);
        assert_eq!(hop.counter(r#"inkout_refused_requests_total{reason="connections",source="otlp"}"#), 7);
        let other = TcpSocket::new_v4().unwrap();
        other.bind("127.0.0.9:0".parse().unwrap()).unwrap();
        let mut other = other.connect(hop.http).await.unwrap();
        other.write_all(b"GET /v1/logs HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        other.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
        assert!(answer.contains("allow: POST"), "{answer}");
    });
}

#[test]
fn who_does_not_begin_or_does_not_go_on_is_let_go() {
    run(async {
        let upstream = Upstream::taking().await;
        let settings = "source.header_timeout = '200ms'\nsource.body_timeout = '200ms'\nsource.idle_timeout = '300ms'";
        let hop = Running::start(upstream.address, settings).await;
        let begun = b"POST /v1/logs HTTP/1.1\r\nhost: a\r\n";
        let body = b"POST /v1/logs HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\ncontent-length: 9\r\n\r\nabc";
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        for (address, sent) in [
            (hop.http, &b""[..]),
            (hop.http, begun),
            (hop.http, b"PRI * HT"),
            (hop.http, body),
            (hop.http, preface),
            (hop.grpc, b""),
            (hop.grpc, preface),
        ] {
            let started = Instant::now();
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(sent).await.unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            assert!(started.elapsed() >= Duration::from_millis(190), "{:?}", String::from_utf8_lossy(sent));
            if sent == body {
                assert!(answer.starts_with(b"HTTP/1.1 503"), "{:?}", String::from_utf8_lossy(&answer));
            }
        }
        // A connection that worked may rest a while, and is then closed too.
        let mut stream = TcpStream::connect(hop.http).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 404"));
        assert!(upstream.seen().is_empty());
    });
}

#[test]
fn headers_over_the_limit_are_refused() {
    run(async {
        let upstream = Upstream::taking().await;
        let hop = Running::start(upstream.address, "").await;
        let huge = "x".repeat(20 << 10);
        let page = post(hop.http, "/v1/logs", &[("x-huge", &huge)], Bytes::new()).await;
        assert_eq!(page.status, 431);
        assert_eq!(call(hop.grpc, LOGS, &[("x-huge", &huge)], frame(b"")).await.unwrap().code, -431);
        let told = export(hop.grpc, &logs("the next one")).await;
        assert_eq!(told.code, 0);
    });
}

#[test]
fn requests_that_two_readers_would_understand_differently_are_refused() {
    run(async {
        let upstream = Upstream::taking().await;
        let hop = Running::start(upstream.address, "").await;
        for headers in [
            "content-length: 3\r\ncontent-length: 4\r\n",
            "content-length: -1\r\n",
            "content-length: 99999999999999999999999\r\n",
            "transfer-encoding: chunked\r\ncontent-length: 3\r\n",
            "transfer-encoding: gzip\r\n",
            "content-length : 3\r\n",
        ] {
            let mut stream = TcpStream::connect(hop.http).await.unwrap();
            let head =
                format!("POST /v1/logs HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\n{headers}\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(b"0\r\n\r\nPOST /v1/logs HTTP/1.1\r\n\r\n").await.unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            let text = String::from_utf8_lossy(&answer);
            assert!(text.matches("HTTP/1.1").count() <= 1, "{headers:?}: {text}");
            // With both lengths the chunks count, and nothing that follows is read (RFC 9112, 6.3).
            assert!(!text.contains(" 200 ") || text.contains("connection: close"), "{headers:?}: {text}");
        }
    });
}

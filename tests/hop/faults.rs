//! What can go wrong on either side: an upstream that is away, slow, or breaks off; a client that goes.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;

use super::support::*;

/// An address where nobody listens.
async fn nobody() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// An upstream that breaks its connections after it has read or written so many bytes.
async fn breaking(read: usize, answer: &'static [u8]) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut buffer = vec![0; read];
                let _ = stream.read_exact(&mut buffer).await;
                let _ = stream.write_all(answer).await;
            });
        }
    });
    address
}

#[test]
fn an_upstream_that_is_away_is_an_outage_worth_another_try() {
    run(async {
        for protocol in ["grpc", "http"] {
            let hop = Running::start(nobody().await, &format!("sink.protocol = '{protocol}'")).await;
            let told = export(hop.grpc, &logs("hello")).await;
            assert_eq!(told.code, Code::Unavailable as i32, "{protocol}");
            assert!(told.details.ends_with(&[0x0a, 2, 0x08, 1]), "a RetryInfo of a second: {:?}", told.details);
            let page = post_protobuf(hop.http, logs("hello")).await;
            assert_eq!((page.status.as_u16(), &page.headers["retry-after"]), (503, &"1".parse().unwrap()));
            assert_eq!(hop.counter(r#"inkout_sink_errors_total{kind="connect",sink="otlp"}"#), 2);
        }
    });
}

#[test]
fn an_upstream_that_comes_back_is_used_again() {
    run(async {
        let address = nobody().await;
        let hop = Running::start(address, "").await;
        assert_eq!(export(hop.grpc, &logs("hello")).await.code, Code::Unavailable as i32);
        let take = |seen: Seen| -> std::pin::Pin<Box<dyn Future<Output = _> + Send>> {
            Box::pin(async move { accepted(&seen, Bytes::new()) })
        };
        let upstream = Upstream::start_at(address, take).await;
        assert_eq!(export(hop.grpc, &logs("hello")).await.code, 0);
        upstream.stop();
        until("the outage shows", || std::net::TcpStream::connect(address).is_err()).await;
        assert_eq!(export(hop.grpc, &logs("hello")).await.code, Code::Unavailable as i32);
    });
}

#[test]
fn a_connection_that_breaks_is_an_outage_and_never_a_success() {
    run(async {
        let half = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 100\r\n\r\n\x0a";
        for (protocol, read, answer) in
            [("grpc", 0, &b""[..]), ("grpc", 100, b""), ("http", 0, b""), ("http", 60, b""), ("http", 100, half)]
        {
            let hop = Running::start(breaking(read, answer).await, &format!("sink.protocol = '{protocol}'")).await;
            let told = export(hop.grpc, &logs("hello")).await;
            assert_eq!(told.code, Code::Unavailable as i32, "{protocol} {read}: {}", told.message);
            assert_eq!(post_protobuf(hop.http, logs("hello")).await.status, 503, "{protocol} {read}");
        }
    });
}

#[test]
fn an_upstream_without_an_answer_costs_the_timeout_and_a_clients_deadline_may_be_shorter() {
    run(async {
        let upstream = Upstream::start(|_| Box::pin(std::future::pending())).await;
        let hop = Running::start(upstream.address, "sink.timeout = '400ms'").await;
        let started = Instant::now();
        let told = export(hop.grpc, &logs("hello")).await;
        assert_eq!(told.code, Code::DeadlineExceeded as i32);
        assert!(started.elapsed() >= Duration::from_millis(400));
        assert_eq!(post_protobuf(hop.http, logs("hello")).await.status, 504);
        let headers = [("grpc-timeout", "50m")];
        let told = call(hop.grpc, LOGS, &headers, frame(&logs("hello"))).await.unwrap();
        assert_eq!((told.code, told.message.as_str()), (4, "the client's deadline passed"));
        let passed_on = &upstream.seen()[2].headers["grpc-timeout"];
        let micros: u64 = passed_on.to_str().unwrap().trim_end_matches('u').parse().unwrap();
        assert!(micros <= 50_000, "{passed_on:?}");
        assert_eq!(hop.counter(r#"inkout_sink_errors_total{kind="timeout",sink="otlp"}"#), 3);
    });
}

#[test]
fn a_client_that_goes_takes_its_request_along() {
    run(async {
        let upstream = Upstream::start(|_| Box::pin(std::future::pending())).await;
        let hop = Running::start(upstream.address, "").await;
        for client in ["grpc", "http"] {
            let before = *upstream.given_up.lock().unwrap();
            let arrived = upstream.seen().len();
            let address = if client == "grpc" { hop.grpc } else { hop.http };
            let asking = tokio::spawn(async move {
                if client == "grpc" {
                    drop(export(address, &logs("hello")).await);
                } else {
                    drop(post_protobuf(address, logs("hello")).await);
                }
            });
            until("upstream is asked", || upstream.seen().len() > arrived).await;
            asking.abort();
            until("upstream's call is given up", || *upstream.given_up.lock().unwrap() > before).await;
        }
        assert_eq!(hop.counter(r#"inkout_in_flight_records{pipeline="otlp"}"#), 0);
    });
}

#[test]
fn nothing_that_is_acknowledged_is_lost_while_upstream_comes_and_goes() {
    run(async {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let turn = Arc::new(AtomicUsize::new(0));
        let (book, count) = (Arc::clone(&taken), Arc::clone(&turn));
        let upstream = Upstream::start(move |seen| {
            let (book, count) = (Arc::clone(&book), Arc::clone(&count));
            Box::pin(async move {
                match count.fetch_add(1, Ordering::Relaxed) % 4 {
                    0 => tonic::Status::unavailable("not now").into_http(),
                    1 => std::future::pending().await,
                    _ => {
                        book.lock().unwrap().extend(texts(&seen.body));
                        accepted(&seen, Bytes::new())
                    }
                }
            })
        })
        .await;
        let hop = Running::start(upstream.address, "sink.timeout = '30ms'").await;
        for number in 0..60 {
            let text = format!("record {number}");
            while export(hop.grpc, &logs(&text)).await.code != 0 {}
            assert!(taken.lock().unwrap().contains(&text), "{text} was acknowledged and is not there");
        }
    });
}

#[test]
fn requests_in_flight_end_before_the_hop_does() {
    run(async {
        let upstream = Upstream::start(|seen| {
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(300)).await;
                accepted(&seen, Bytes::new())
            })
        })
        .await;
        let hop = Running::start(upstream.address, "").await;
        let (grpc, http) = (hop.grpc, hop.http);
        let waiting = [
            tokio::spawn(async move { export(grpc, &logs("hello")).await.code }),
            tokio::spawn(async move { i32::from(post_protobuf(http, logs("hello")).await.status.as_u16()) }),
        ];
        until("both are upstream", || upstream.seen().len() == 2).await;
        let summary = hop.stop().await;
        assert_eq!((summary.forwarded, summary.cut), (2, 0));
        let [one, two] = waiting;
        assert_eq!((one.await.unwrap(), two.await.unwrap()), (0, 200));
        let refused = TcpStream::connect(grpc).await.map_err(|error| error.kind());
        assert_eq!(refused.err(), Some(io::ErrorKind::ConnectionRefused));
    });
}

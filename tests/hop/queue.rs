//! The queue: what is acknowledged before upstream has it reaches upstream, or is counted. Times are lower bounds only.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Response, StatusCode};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::{Code, Status};

use super::support::*;

/// A queue that does not wait long between two tries.
const QUICK: &str = "sink.queue = { first_backoff = '5ms', max_backoff = '20ms' }\n";

/// What an upstream answers to its tries, the last for ever.
type Script = Vec<fn() -> Option<Response<Body>>>;

/// An upstream that answers as it is written, and takes a batch where nothing is.
async fn scripted(script: Script) -> (Upstream, Arc<Mutex<Vec<Instant>>>) {
    let (turn, times) = (AtomicUsize::new(0), Arc::<Mutex<Vec<Instant>>>::default());
    let noted = Arc::clone(&times);
    let upstream = Upstream::start(move |seen| {
        noted.lock().unwrap().push(Instant::now());
        let answer = script[turn.fetch_add(1, Ordering::Relaxed).min(script.len() - 1)];
        Box::pin(async move { answer().unwrap_or_else(|| accepted(&seen, Bytes::new())) })
    })
    .await;
    (upstream, times)
}

fn taken() -> Option<Response<Body>> {
    None
}

fn http(status: u16, retry_after: Option<&str>) -> Option<Response<Body>> {
    let response = Response::builder().status(status);
    let response = retry_after.into_iter().fold(response, |response, delay| response.header("retry-after", delay));
    Some(response.body(Body::empty()).unwrap())
}

/// A `google.rpc.Status` that holds a `RetryInfo` of a second.
fn throttled() -> Status {
    let info = [&b"\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x04\x0a\x02\x08\x01"[..]].concat();
    let details = [&b"\x08\x08\x1a"[..], &[info.len() as u8], &info].concat();
    Status::with_details(Code::ResourceExhausted, "later", details.into())
}

fn dropped(hop: &Running, reason: &str) -> u64 {
    hop.counter(&format!(r#"inkout_dropped_records_total{{reason="{reason}",source="otlp"}}"#))
}

#[track_caller]
fn is_empty(hop: &Running) {
    assert_eq!(hop.counter(r#"inkout_in_flight_records{pipeline="otlp"}"#), 0);
    assert_eq!(hop.counter(r#"inkout_queue_bytes{pipeline="otlp"}"#), 0);
}

#[test]
fn what_was_taken_during_an_outage_is_delivered_after_it() {
    run(async {
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let hop = Running::start(address, QUICK).await;
        for number in 0..20 {
            assert_eq!(export(hop.grpc, &logs(&format!("record {number} password=hunter2"))).await.code, 0);
            let page = post_protobuf(hop.http, logs(&format!("page {number} password=hunter2"))).await;
            assert_eq!((page.status, page.body.len()), (StatusCode::OK, 0));
        }
        assert_eq!(hop.counter(r#"inkout_in_flight_records{pipeline="otlp"}"#), 40);
        let upstream = Upstream::start_at(address, |seen| Box::pin(async move { accepted(&seen, Bytes::new()) })).await;
        until("all is there", || upstream.seen().len() == 40).await;
        let mut arrived: Vec<String> = upstream.seen().iter().map(|seen| texts(&seen.body)[1].clone()).collect();
        arrived.sort();
        let wanted = |name: &str| (0..20).map(|n| format!("{name} {n} password=REDACTED.password")).collect::<Vec<_>>();
        let mut wanted = [wanted("record"), wanted("page")].concat();
        wanted.sort();
        assert_eq!(arrived, wanted);
        until("all is counted", || hop.counter(r#"inkout_in_flight_records{pipeline="otlp"}"#) == 0).await;
        is_empty(&hop);
        let summary = hop.stop().await;
        assert_eq!((summary.received, summary.forwarded, summary.lost), (40, 40, 0));
    });
}

#[test]
fn a_batch_is_sent_again_for_the_codes_of_the_specification_and_for_no_others() {
    let grpc: [(fn() -> Option<Response<Body>>, bool); 10] = [
        (|| Some(Status::cancelled("").into_http()), true),
        (|| Some(Status::deadline_exceeded("").into_http()), true),
        (|| Some(Status::aborted("").into_http()), true),
        (|| Some(Status::out_of_range("").into_http()), true),
        (|| Some(Status::unavailable("").into_http()), true),
        (|| Some(Status::data_loss("").into_http()), true),
        (|| Some(Status::resource_exhausted("").into_http()), false),
        (|| Some(Status::invalid_argument("").into_http()), false),
        (|| Some(Status::unauthenticated("").into_http()), false),
        (|| Some(Status::internal("").into_http()), false),
    ];
    let pages: [(fn() -> Option<Response<Body>>, bool); 7] = [
        (|| http(429, Some("0")), true),
        (|| http(502, None), true),
        (|| http(503, None), true),
        (|| http(504, None), true),
        (|| http(400, None), false),
        (|| http(413, None), false),
        (|| http(500, None), false),
    ];
    run(async {
        for (protocol, cases) in [("grpc", &grpc[..]), ("http", &pages)] {
            for (index, (answer, again)) in cases.iter().enumerate() {
                let (upstream, _) = scripted(vec![*answer, taken]).await;
                let hop = Running::start(upstream.address, &format!("sink.protocol = '{protocol}'\n{QUICK}")).await;
                assert_eq!(export(hop.grpc, &logs("hello")).await.code, 0);
                let summary = hop.stop().await;
                let counted = (upstream.seen().len(), summary.forwarded, summary.failed, summary.lost);
                assert_eq!(counted, if *again { (2, 1, 0, 0) } else { (1, 0, 1, 1) }, "{protocol}, case {index}");
            }
        }
    });
}

#[test]
fn upstream_is_left_alone_for_as_long_as_it_asks() {
    let grpc: fn() -> Option<Response<Body>> = || Some(throttled().into_http());
    let page: fn() -> Option<Response<Body>> = || http(429, Some("1"));
    run(async {
        for (protocol, answer) in [("grpc", grpc), ("http", page)] {
            let (upstream, times) = scripted(vec![answer, taken]).await;
            let hop = Running::start(upstream.address, &format!("sink.protocol = '{protocol}'\n{QUICK}")).await;
            assert_eq!(export(hop.grpc, &logs("hello")).await.code, 0);
            assert_eq!(hop.stop().await.forwarded, 1);
            let times = times.lock().unwrap().clone();
            assert!(times[1] - times[0] >= Duration::from_secs(1), "{protocol}: {:?}", times[1] - times[0]);
        }
    });
}

#[test]
fn a_full_queue_says_come_back_and_takes_more_once_there_is_room() {
    run(async {
        let (open, opened) = tokio::sync::watch::channel(false);
        let upstream = Upstream::start(move |seen| {
            let mut opened = opened.clone();
            Box::pin(async move {
                opened.wait_for(|open| *open).await.unwrap();
                accepted(&seen, Bytes::new())
            })
        })
        .await;
        let hop = Running::start(upstream.address, "sink.queue = { max = '20KiB', senders = 1 }").await;
        let batch = logs(&"a long line ".repeat(300));
        assert_eq!(export(hop.grpc, &batch).await.code, 0);
        assert_eq!(export(hop.grpc, &batch).await.code, 0);
        let told = export(hop.grpc, &batch).await;
        assert_eq!(told.code, Code::ResourceExhausted as i32);
        assert!(told.details.ends_with(&[0x0a, 2, 0x08, 1]), "a RetryInfo of a second: {:?}", told.details);
        let page = post_protobuf(hop.http, batch.clone()).await;
        assert_eq!((page.status.as_u16(), &page.headers["retry-after"]), (429, &"1".parse().unwrap()));
        assert_eq!(hop.counter(r#"inkout_refused_requests_total{reason="overloaded",source="otlp"}"#), 2);
        open.send(true).unwrap();
        until("there is room", || hop.counter(r#"inkout_queue_bytes{pipeline="otlp"}"#) == 0).await;
        assert_eq!(export(hop.grpc, &batch).await.code, 0);
        assert_eq!(hop.stop().await.lost, 0);
        assert_eq!(upstream.seen().len(), 3);
    });
}

#[test]
fn a_batch_whose_time_is_over_is_dropped_and_counted() {
    run(async {
        let (upstream, times) = scripted(vec![|| Some(Status::unavailable("").into_http())]).await;
        let settings = "sink.queue = { first_backoff = '5ms', max_backoff = '10ms', retry_for = '100ms' }";
        let hop = Running::start(upstream.address, settings).await;
        assert_eq!(export(hop.grpc, &logs("hello")).await.code, 0);
        until("it is dropped", || dropped(&hop, "expired") == 1).await;
        until("it is gone", || hop.counter(r#"inkout_in_flight_records{pipeline="otlp"}"#) == 0).await;
        is_empty(&hop);
        assert!(times.lock().unwrap().len() > 1, "it was tried more than once");
        assert_eq!(hop.stop().await.lost, 1);
    });
}

#[test]
fn what_waits_when_the_hop_is_told_to_end_is_sent_within_its_deadline_and_counted_after_it() {
    run(async {
        for (recovers, deadline, lost) in [(true, "20s", 0), (false, "300ms", 5)] {
            let down = Arc::new(Mutex::new(true));
            let state = Arc::clone(&down);
            let upstream = Upstream::start(move |seen| {
                let down = *state.lock().unwrap();
                Box::pin(async move {
                    if down { Status::unavailable("").into_http() } else { accepted(&seen, Bytes::new()) }
                })
            })
            .await;
            let hop = Running::start(upstream.address, &format!("source.drain_deadline = '{deadline}'\n{QUICK}")).await;
            for number in 0..5 {
                assert_eq!(export(hop.grpc, &logs(&format!("record {number}"))).await.code, 0);
            }
            until("upstream was asked", || !upstream.seen().is_empty()).await;
            let (metrics, grpc) = (hop.metrics.clone(), hop.grpc);
            hop.cancel.cancel();
            until("nobody listens", || std::net::TcpStream::connect(grpc).is_err()).await;
            *down.lock().unwrap() = !recovers;
            let summary = hop.stop().await;
            assert_eq!((summary.forwarded, summary.lost), (5 - lost, lost));
            let told = format!(r#"inkout_dropped_records_total{{reason="shutdown",source="otlp"}} {lost}"#);
            assert!(metrics.prometheus().lines().any(|line| line == told), "{told}");
        }
    });
}

#[test]
fn records_that_upstream_rejects_of_a_batch_it_takes_are_counted() {
    run(async {
        let partial = Bytes::from_static(b"\x0a\x02\x08\x01");
        let upstream = Upstream::start(move |seen| {
            let partial = partial.clone();
            Box::pin(async move { accepted(&seen, partial) })
        })
        .await;
        let hop = Running::start(upstream.address, QUICK).await;
        assert_eq!(export(hop.grpc, &logs("hello")).await.code, 0);
        until("it is counted", || dropped(&hop, "rejected") == 1).await;
        assert_eq!(hop.stop().await.lost, 1);
    });
}

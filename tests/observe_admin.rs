//! The admin port as probes, scrapers, browsers and attackers meet it.

#![cfg(feature = "daemon")]

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use inkout::admin::{Admin, AdminOptions, Listen};
use inkout::metrics::{DropReason, Metrics};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::sync::CancellationToken;

/// A served port and the metrics behind it.
struct Served {
    address: String,
    metrics: Metrics,
    cancel: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

async fn served() -> Served {
    let options = AdminOptions { listen: Listen::parse("127.0.0.1:0").expect("an address") };
    let admin = Admin::bind(&options).await.expect("a free port").expect("not off");
    let address = admin.place().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let (metrics, cancel) = (Metrics::default(), CancellationToken::new());
    let task = tokio::spawn(admin.serve(metrics.clone(), cancel.clone()));
    Served { address, metrics, cancel, task }
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    let mut answer = Vec::new();
    // It may answer and close before all is sent.
    let _ = stream.write_all(request.as_bytes()).await;
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).expect("UTF-8")
}

impl Served {
    async fn ask(&self, request: &str) -> String {
        exchange(TcpStream::connect(&self.address).await.expect("it listens"), request).await
    }

    async fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await
    }

    async fn status(&self, path: &str) -> String {
        self.get(path).await.split(' ').nth(1).unwrap_or_default().to_owned()
    }
}

#[tokio::test]
async fn probes_are_told_what_is_true() {
    let served = served().await;
    assert_eq!(served.status("/livez").await, "200");
    assert_eq!(served.status("/healthz").await, "200");
    assert_eq!(served.status("/readyz").await, "503");
    served.metrics.ready(true);
    assert_eq!(served.status("/readyz").await, "200");
    served.metrics.source("app").dropped(DropReason::QueueFull, 3);
    let metrics = served.get("/metrics").await;
    assert!(metrics.contains("content-type: text/plain; version=0.0.4"), "{metrics}");
    assert!(metrics.contains("inkout_dropped_records_total{reason=\"queue_full\",source=\"app\"} 3\n"), "{metrics}");
}

#[tokio::test]
async fn the_page_tells_the_state_and_loads_nothing_from_elsewhere() {
    let served = served().await;
    served.metrics.ready(true);
    served.metrics.source("<script>alert(1)</script>").received(1234, 5_000_000);
    served.metrics.source("a&b").dropped(DropReason::Truncated, 7);
    let page = served.get("/").await;
    assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script>alert"), "{page}");
    assert!(page.contains("class=\"pill \">working<"), "{page}");
    assert!(page.contains("<td>dropped<td>truncated<td>a&amp;b<td class=\"n\">7"), "{page}");
    assert!(page.to_lowercase().contains("content-security-policy: default-src 'none'; style-src 'self'"), "{page}");
    for text in [&page, &served.get("/status.css").await, &served.get("/status.js").await] {
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        assert!(!text.contains("//") || !text.contains("http:") && !text.contains("https:"), "{text}");
    }
    assert!(page.contains("<noscript><meta http-equiv=\"refresh\""), "it must be live without scripts");
    let json = served.get("/status.json").await;
    let json: serde_json::Value = serde_json::from_str(json.split("\r\n\r\n").nth(1).expect("a body")).expect("JSON");
    assert_eq!(json["sources"][0]["bytes"], 5_000_000);
}

#[tokio::test]
async fn nothing_else_is_served_and_nothing_can_be_changed() {
    let served = served().await;
    for path in ["/debug", "/debug/pprof", "/config", "/rules", "/metrics/", "/../etc/passwd", "/status.html", "//"] {
        assert_eq!(served.status(path).await, "404", "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"] {
        let answer = served.ask(&format!("{method} / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")).await;
        assert!(answer.starts_with("HTTP/1.1 405"), "{method}: {answer}");
    }
    let head = served.ask("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let served = served().await;
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(20_000));
    let wide = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(20_000));
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(100));
    for request in
        [&long, &wide, &many, "\0\0\0\0\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    {
        let answer = served.ask(request).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert_eq!(served.status("/livez").await, "200");
}

#[tokio::test]
async fn slow_peers_hold_the_port_for_no_longer_than_their_time() {
    let served = served().await;
    let mut slow = Vec::new();
    for _ in 0..16 {
        let mut stream = TcpStream::connect(&served.address).await.expect("it listens");
        stream.write_all(b"GET / HT").await.expect("taken");
        slow.push(stream);
    }
    let begun = Instant::now();
    // Answered once the first of them has been turned away; without a limit, never.
    assert_eq!(served.status("/livez").await, "200");
    assert!(begun.elapsed() > Duration::from_secs(1), "more than sixteen were let in");
    drop(slow);
}

#[tokio::test]
async fn a_socket_is_its_owners_alone_and_goes_with_the_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("admin.sock");
    // One that was left behind.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
    let options = AdminOptions { listen: Listen::Unix(path.clone()) };
    let admin = Admin::bind(&options).await.expect("bound").expect("not off");
    assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    let cancel = CancellationToken::new();
    let task = tokio::spawn(admin.serve(Metrics::default(), cancel.clone()));
    let stream = UnixStream::connect(&path).await.expect("it listens");
    assert!(exchange(stream, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.starts_with("HTTP/1.1 200"));
    let error = Admin::bind(&options).await.expect_err("taken").to_string();
    assert!(error.starts_with(&format!("admin: cannot listen on unix:{}: ", path.display())), "{error}");
    cancel.cancel();
    task.await.expect("it ends");
    assert!(!path.exists());
}

#[tokio::test]
async fn a_taken_port_is_named_and_off_is_off() {
    let served = served().await;
    let options = AdminOptions { listen: Listen::parse(&served.address).expect("an address") };
    let error = Admin::bind(&options).await.expect_err("taken").to_string();
    assert!(error.starts_with(&format!("admin: cannot listen on {}: ", served.address)), "{error}");
    assert!(Admin::bind(&AdminOptions { listen: Listen::Off }).await.expect("nothing to do").is_none());
    served.cancel.cancel();
    served.task.await.expect("it ends");
}

//! The admin port: health, metrics and a status page for people. It reads counters and nothing else: no input, no rule text,
//! no configuration can be asked for, and nothing can be changed.
//!
//! | path | says |
//! |---|---|
//! | `/healthz` | 503 while a pipeline holds records and has delivered none for a minute |
//! | `/readyz` | 503 until rules, known values and listeners are there |
//! | `/livez` | 200: the process answers |
//! | `/metrics` | Prometheus' text |
//! | `/` | the status page |
//! | `/status.json` | the same as JSON |
//!
//! A peer may ask with `GET` or `HEAD`, in at most 8 KiB, and has five seconds for all of it; sixteen may at once.

mod history;
mod page;

pub(crate) use page::duration;
mod status;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

pub use crate::config::daemon::{AdminOptions, Listen};
use crate::metrics::Metrics;
use crate::unix::{self, Refused};
use history::History;
use status::Status;

const MAX_CONNECTIONS: usize = 16;
/// The least that hyper takes.
const MAX_REQUEST_BYTES: usize = 8192;
/// For a whole exchange, so that a slow peer holds its place for no longer.
const MAX_TIME: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Nothing is fetched from elsewhere, run inline, or shown in a frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                                       img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Nobody can listen there; the operator is to blame.
#[derive(Debug, thiserror::Error)]
#[error("admin: cannot listen on {place}: {reason}")]
pub struct AdminError {
    place: String,
    reason: Refused,
}

/// A port that is open already, and not served yet.
#[derive(Debug)]
pub struct Admin {
    listener: Listener,
    /// Where it listens, as it can be asked.
    place: String,
}

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    Unix(unix::Socket),
}

impl Admin {
    /// Opens the port, if there is to be one. Must be called within tokio.
    ///
    /// # Errors
    /// When the address is taken or not ours.
    pub async fn bind(options: &AdminOptions) -> Result<Option<Admin>, AdminError> {
        let (place, bound) = match &options.listen {
            Listen::Off => return Ok(None),
            Listen::Tcp(address) => {
                (address.to_string(), TcpListener::bind(address).await.map(Listener::Tcp).map_err(Refused::from))
            }
            Listen::Unix(path) => {
                // For its owner alone.
                (format!("unix:{}", path.display()), unix::Socket::bind(path, 0o600).map(Listener::Unix))
            }
        };
        let listener = bound.map_err(|reason| AdminError { place: place.clone(), reason })?;
        // Of port 0, the one that was given.
        let place = match &listener {
            Listener::Tcp(tcp) => tcp.local_addr().map_or(place, |address| format!("http://{address}/")),
            Listener::Unix(..) => place,
        };
        Ok(Some(Admin { listener, place }))
    }

    /// Where it listens.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Answers until `cancel`.
    pub async fn serve(self, metrics: Metrics, cancel: CancellationToken) {
        let served = Served { metrics, history: Arc::default() };
        tokio::select! {
            () = cancel.cancelled() => {}
            () = served.remember() => {}
            () = self.accept(&served) => {}
        }
    }

    async fn accept(&self, served: &Served) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            // The others wait in the system's queue, for five seconds at most.
            let place = Arc::clone(&places).acquire_owned().await.expect("never closed");
            let served = served.clone();
            let accepted = match &self.listener {
                Listener::Tcp(tcp) => tcp.accept().await.map(|(stream, _)| {
                    tokio::spawn(async move { (served.answer(stream).await, drop(place)) });
                }),
                Listener::Unix(unix) => unix.accept().await.map(|stream| {
                    tokio::spawn(async move { (served.answer(stream).await, drop(place)) });
                }),
            };
            if accepted.is_err() {
                // Out of descriptors: trying again at once would keep the processor busy.
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// What answers are made of.
#[derive(Clone)]
struct Served {
    metrics: Metrics,
    history: Arc<Mutex<History>>,
}

type Answer = Response<Full<Bytes>>;

impl Served {
    async fn remember(&self) {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let families = self.metrics.families();
            self.history.lock().unwrap_or_else(PoisonError::into_inner).add(Instant::now(), &families);
        }
    }

    /// One request, one answer.
    async fn answer<S: AsyncRead + AsyncWrite + Unpin>(self, stream: S) {
        let service = service_fn(move |request| {
            let answer = self.route(&request);
            async move { Ok::<_, Infallible>(answer) }
        });
        let mut http = http1::Builder::new();
        http.keep_alive(false).max_buf_size(MAX_REQUEST_BYTES).max_headers(64).timer(TokioTimer::new());
        http.header_read_timeout(MAX_TIME);
        // A peer that broke off is its own affair.
        let _ = timeout(MAX_TIME, http.serve_connection(TokioIo::new(stream), service)).await;
    }

    fn route(&self, request: &Request<Incoming>) -> Answer {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".to_owned());
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match request.uri().path() {
            "/" => with(StatusCode::OK, "text/html; charset=utf-8", page::html(&self.status())),
            "/status.css" => with(StatusCode::OK, "text/css; charset=utf-8", page::STYLE.to_owned()),
            "/status.js" => with(StatusCode::OK, "text/javascript; charset=utf-8", page::SCRIPT.to_owned()),
            "/status.json" => {
                let json = serde_json::to_string(&self.status()).expect("a status is strings and numbers");
                with(StatusCode::OK, "application/json", json + "\n")
            }
            "/metrics" => with(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", self.metrics.prometheus()),
            "/healthz" => self.healthz(),
            "/readyz" if self.metrics.is_ready() => plain(StatusCode::OK, "ready\n".to_owned()),
            "/readyz" => plain(StatusCode::SERVICE_UNAVAILABLE, "not ready\n".to_owned()),
            "/livez" => plain(StatusCode::OK, "alive\n".to_owned()),
            _ => plain(StatusCode::NOT_FOUND, "not found\n".to_owned()),
        }
    }

    fn status(&self) -> Status {
        Status::look(&self.metrics, &self.history.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn healthz(&self) -> Answer {
        let stuck = self.metrics.stuck();
        if stuck.is_empty() {
            return plain(StatusCode::OK, "moving\n".to_owned());
        }
        let line = |(name, time): &(String, Duration)| {
            format!("pipeline {name} holds records and has delivered none for {} s\n", time.as_secs())
        };
        plain(StatusCode::SERVICE_UNAVAILABLE, stuck.iter().map(line).collect())
    }
}

fn plain(status: StatusCode, text: String) -> Answer {
    with(status, "text/plain; charset=utf-8", text)
}

fn with(status: StatusCode, kind: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = status;
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    headers.into_iter().for_each(|(name, value)| {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    });
    answer
}

//! Listening: connections are accepted up to a cap, must begin in time, may not be idle for ever, and are let finish when
//! the hop ends. What is said on them is handed to `grpc` or `web`.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::codegen::Service;

use super::Renewable;
use super::activity::{Activity, Young};
use super::peers::{Peers, Place};
use super::relay::Relay;
use super::{HopError, grpc, web};
use crate::config::daemon::OtlpSource;
use crate::metrics::RefuseReason;

/// How long accepting pauses when the system has no more descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// How often a connection is asked whether it is still there, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(60);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes that a client may send ahead, on a stream and on a connection.
const WINDOW_BYTES: u32 = 1 << 20;
/// Answers are small; this bounds those that a client does not fetch.
const MAX_SEND_BYTES: usize = 64 << 10;
/// Streams that a client opened and reset before we saw them (CVE-2023-44487), and such as we had to reset.
const MAX_PENDING_RESETS: usize = 20;
const MAX_LOCAL_RESETS: usize = 256;
const MAX_HEADER_BYTES: usize = 16 << 10;
const MAX_HEADERS: usize = 100;

/// The health service, as a tower service.
pub(super) type Health = tonic_health::pb::health_server::HealthServer<tonic_health::server::HealthService>;

/// What a listener speaks.
#[derive(Clone)]
pub(super) enum Speaks {
    Grpc(Health),
    Web,
}

/// One listener.
pub(super) struct Server {
    pub(super) listener: TcpListener,
    pub(super) speaks: Speaks,
    pub(super) tls: Option<Arc<Renewable<ServerConfig>>>,
    pub(super) relay: Arc<Relay>,
    pub(super) peers: Peers,
    pub(super) young: Young,
    pub(super) tasks: TaskTracker,
    pub(super) cancel: CancellationToken,
}

/// Opens a listener, unless the address is other people's and the talk would be in the clear.
pub(super) async fn listen(address: SocketAddr, options: &OtlpSource) -> Result<TcpListener, HopError> {
    if !address.ip().is_loopback() && options.tls.is_none() && !options.insecure {
        return Err(HopError::Insecure(address));
    }
    TcpListener::bind(address).await.map_err(|error| HopError::Listen { address, error })
}

impl Server {
    /// Accepts connections until it is cancelled.
    pub(super) async fn run(self) {
        let shared = Arc::new(self);
        loop {
            let accepted = tokio::select! {
                () = shared.cancel.cancelled() => return,
                accepted = shared.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => shared.enter(stream, peer),
                Err(error) if is_one_connections(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "no connection can be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn enter(self: &Arc<Server>, stream: TcpStream, peer: SocketAddr) {
        let Some(place) = self.peers.enter(peer.ip().to_canonical()) else {
            self.relay.counters.source.refused(RefuseReason::Connections);
            return;
        };
        let server = Arc::clone(self);
        self.tasks.spawn(async move { server.connection(stream, place).await });
    }

    /// A connection, until it ends or one that begins needs its place.
    async fn connection(&self, stream: TcpStream, _place: Place) {
        // An answer is small and is waited for.
        let _ = stream.set_nodelay(true);
        let activity = self.young.enter();
        // Each in memory of its own: a connection in the clear does not pay for what TLS would need.
        let serving: Pin<Box<dyn Future<Output = ()> + Send + '_>> = match &self.tls {
            None => Box::pin(self.talk(stream, &activity)),
            Some(tls) => Box::pin(self.secure(tls.current().into(), stream, &activity)),
        };
        tokio::select! {
            () = serving => {}
            () = activity.displaced() => self.relay.counters.source.refused(RefuseReason::Connections),
        }
    }

    async fn secure(&self, tls: TlsAcceptor, stream: TcpStream, activity: &Arc<Activity>) {
        match tokio::time::timeout(self.relay.options.header_timeout, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.talk(stream, activity).await,
            _ => self.relay.counters.source.refused(RefuseReason::Tls),
        }
    }

    async fn talk(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, activity: &Arc<Activity>) {
        let service = service_fn(|request| {
            let busy = activity.request();
            let answering = answer(Arc::clone(&self.relay), self.speaks.clone(), request);
            async move {
                let _busy = busy;
                Ok::<_, Infallible>(answering.await)
            }
        });
        let builder = self.builder();
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut ending = false;
        loop {
            let deadline = activity.deadline(&self.relay.options);
            tokio::select! {
                // How a connection ends is the peer's affair: the requests on it have their own counters.
                _ = connection.as_mut() => return,
                () = self.cancel.cancelled(), if !ending => {
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = tokio::time::sleep_until(deadline) => {
                    if activity.is_over(&self.relay.options) {
                        if !activity.has_begun() {
                            self.relay.counters.source.refused(RefuseReason::Timeout);
                        }
                        return;
                    }
                }
            }
        }
    }

    fn builder(&self) -> Builder<TokioExecutor> {
        let options = &self.relay.options;
        let mut builder = Builder::new(TokioExecutor::new());
        if matches!(self.speaks, Speaks::Grpc(_)) {
            builder = builder.http2_only();
        }
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(options.header_timeout)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEADER_BYTES);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_TIMEOUT)
            .max_concurrent_streams(options.max_streams)
            .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
            .max_local_error_reset_streams(MAX_LOCAL_RESETS)
            .max_header_list_size(MAX_HEADER_BYTES as u32)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_send_buf_size(MAX_SEND_BYTES);
        builder
    }
}

/// A request that is being answered. Many may be waiting for their bodies, so each is as large as it must be and no larger.
pub(super) type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

fn answer(relay: Arc<Relay>, speaks: Speaks, request: Request<Incoming>) -> Answering {
    match speaks {
        Speaks::Grpc(mut health) if request.uri().path().starts_with("/grpc.health.v1.Health/") => {
            let answering = health.call(request);
            Box::pin(async { answering.await.unwrap_or_else(|never| match never {}) })
        }
        Speaks::Grpc(_) => grpc::serve(relay, request),
        Speaks::Web => web::serve(relay, request),
    }
}

/// Errors of accepting that concern one connection, which is already gone.
fn is_one_connections(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

//! The hop for OpenTelemetry: a gRPC and an HTTP server take batches, each is redacted, and a client sends it upstream. It
//! knows nothing of what stands in a batch (`otlp` does), and it keeps nothing unless it is told to.
//!
//! ```text
//! client ─ server ─ grpc | web ─ Batch ─ relay ─ Redactor (a worker: inflate, redact, compress) ─ Parcel ─ upstream
//!    └──────────────────────── answer: upstream's code, delay, partial success ─────────────────────────────┘
//! ```
//!
//! # A hop that keeps nothing
//!
//! A client is answered when upstream has answered, with what upstream said. So what is acknowledged is delivered, a full
//! or broken upstream pushes back on its own senders, and there is nothing here that could be lost. A client that goes away
//! takes its request along: what upstream was asked is cancelled.
//!
//! Only where the sink has a `queue` is a client answered before: `queue` keeps what it sent, in memory and within bounds,
//! and repeats it by the specification's table.
//!
//! # What bounds it
//!
//! Connections in all, by address, and before their first request; requests by connection, bytes of a batch after decompression, the ratio of that, and
//! the bytes of all batches at once. Over a bound is refused with the code that tells a client whether to try again.

mod activity;
mod answer;
mod body;
mod budget;
mod coding;
mod connect;
mod count;
mod grpc;
mod memory;
mod paths;
mod peers;
mod queue;
mod redactor;
mod relay;
mod server;
mod status;
mod tls;
mod upstream;
mod web;
mod wire;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustls::ServerConfig;
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

pub use redactor::{Load, Parcel, Redactor, Unfit, WorkersRedactor};

use crate::config::daemon::{OtlpListen, OtlpServerTls, OtlpSink, OtlpSource};
use crate::metrics::Metrics;
use crate::tls::TlsError;
use queue::Queue;
use relay::{Batches, Counters, Relay};
use server::{Server, Speaks};
use upstream::Upstream;

/// What the hop reads from files and may read anew.
type Renewable<T> = crate::tls::Renewable<T, HopError>;

/// What a hop is told.
#[derive(Clone, Debug)]
pub struct HopOptions {
    /// Its name in the metrics: that of its pipeline and source.
    pub name: String,
    /// That of its sink.
    pub sink_name: String,
    /// Where batches come from.
    pub source: OtlpSource,
    /// Where they go.
    pub sink: OtlpSink,
}

/// Why there is no hop.
#[derive(Debug, thiserror::Error)]
pub enum HopError {
    /// Neither server is on.
    #[error("the hop listens nowhere: `grpc` and `http` are both off")]
    Nowhere,
    /// An address in the clear that others can reach.
    #[error("{0} is not loopback and has no TLS; set `tls`, or `insecure = true` if the network is trusted")]
    Insecure(SocketAddr),
    /// An address that cannot be had.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// What the system says.
        error: std::io::Error,
    },
    /// gRPC has paths of its own.
    #[error("the endpoint `{0}` has a path, which gRPC has no use for; set `protocol = \"http\"`, or leave it out")]
    PathInGrpc(String),
    /// A header's value could not be read.
    #[error("{}: {reason}", path.display())]
    HeaderFile {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// One of two options that belong together.
    #[error("`tls.cert_file` and `tls.key_file` go together")]
    HalfIdentity,
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Batches by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HopSummary {
    /// Came in full and were taken on.
    pub received: u64,
    /// Upstream has them.
    pub forwarded: u64,
    /// Were turned away here.
    pub refused: u64,
    /// Upstream refused them or did not answer; their senders were told.
    pub failed: u64,
    /// Connections that were cut because they did not end in time.
    pub cut: usize,
    /// Records that the queue had taken and upstream has not.
    pub lost: u64,
}

/// A hop whose listeners are open.
pub struct Hop {
    servers: Vec<Server>,
    relay: Arc<Relay>,
    tasks: TaskTracker,
    cancel: CancellationToken,
    health: HealthReporter,
    grpc: Option<SocketAddr>,
    http: Option<SocketAddr>,
}

/// Certificates, tokens and headers of a hop, which can be read anew while it runs.
pub struct Renewal {
    servers: Vec<Arc<Renewable<ServerConfig>>>,
    relay: Arc<Relay>,
}

impl Hop {
    /// Opens the listeners. Connections wait in the system's queue until [`Hop::run`].
    ///
    /// # Errors
    /// An address, a file or a name that is not what the options say.
    pub async fn open(
        options: HopOptions,
        redactor: Arc<dyn Redactor>,
        metrics: &Metrics,
        cancel: CancellationToken,
    ) -> Result<Hop, HopError> {
        memory::keep_blocks();
        let relay = Arc::new(relay(&options, redactor, metrics)?);
        let health = HealthReporter::new();
        let service = HealthServer::new(HealthService::from_health_reporter(health.clone()));
        let (mut servers, tasks) = (Vec::new(), TaskTracker::new());
        let peers = peers::Peers::new(options.source.max_connections, options.source.max_connections_per_peer);
        let young = activity::Young::default();
        let mut hop = Hop {
            servers: Vec::new(),
            relay: Arc::clone(&relay),
            tasks: tasks.clone(),
            cancel: cancel.clone(),
            health,
            grpc: None,
            http: None,
        };
        let wanted =
            [(options.source.grpc, Speaks::Grpc(service), tls::GRPC), (options.source.http, Speaks::Web, tls::HTTP)];
        for (listen, speaks, alpn) in wanted {
            let OtlpListen::On(address) = listen else { continue };
            let listener = server::listen(address, &options.source).await?;
            let bound = listener.local_addr().map_err(|error| HopError::Listen { address, error })?;
            let place = if matches!(speaks, Speaks::Web) { &mut hop.http } else { &mut hop.grpc };
            *place = Some(bound);
            servers.push(Server {
                listener,
                speaks,
                tls: options.source.tls.clone().map(|tls| server_tls(tls, alpn)).transpose()?,
                relay: Arc::clone(&relay),
                peers: peers.clone(),
                young: young.clone(),
                tasks: tasks.clone(),
                cancel: cancel.clone(),
            });
        }
        hop.servers = servers;
        if hop.servers.is_empty() { Err(HopError::Nowhere) } else { Ok(hop) }
    }

    /// Where gRPC is served.
    pub fn grpc(&self) -> Option<SocketAddr> {
        self.grpc
    }

    /// Where HTTP is served.
    pub fn http(&self) -> Option<SocketAddr> {
        self.http
    }

    /// What can be read anew of it, also when it runs.
    pub fn renewal(&self) -> Renewal {
        let servers = self.servers.iter().filter_map(|server| server.tls.clone()).collect();
        Renewal { servers, relay: Arc::clone(&self.relay) }
    }

    /// Serves until it is cancelled; lets requests in flight end, and the queue.
    pub async fn run(self) -> HopSummary {
        let Hop { servers, relay, tasks, cancel, health, .. } = self;
        for server in servers {
            tasks.spawn(server.run());
        }
        let mut senders = JoinSet::new();
        for _ in 0..relay.queue.as_ref().map_or(0, Queue::senders) {
            let relay = Arc::clone(&relay);
            senders.spawn(async move {
                if let Some(queue) = &relay.queue {
                    queue.send(&relay.upstream, &relay.counters).await;
                }
            });
        }
        cancel.cancelled().await;
        health.set_service_status("", ServingStatus::NotServing).await;
        tasks.close();
        let ending = async {
            tasks.wait().await;
            if let Some(queue) = &relay.queue {
                queue.close();
            }
            while senders.join_next().await.is_some() {}
        };
        let _ = tokio::time::timeout(relay.options.drain_deadline, ending).await;
        senders.shutdown().await;
        let batches = &relay.counters.batches;
        let value = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        HopSummary {
            received: value(&batches.received),
            forwarded: value(&batches.forwarded),
            refused: value(&batches.refused),
            failed: value(&batches.failed),
            cut: tasks.len(),
            lost: relay.queue.as_ref().map_or(0, |queue| queue.abandon(&relay.counters)),
        }
    }
}

impl Renewal {
    /// Reads everything anew, for the connections and requests to come.
    ///
    /// # Errors
    /// What is wrong with each file that cannot be used; what it held before stays in use.
    pub fn renew(&self) -> Result<(), Vec<HopError>> {
        let servers = self.servers.iter().map(|tls| tls.renew());
        let token = self.relay.token.iter().map(Renewable::renew);
        let wrong: Vec<_> = servers.chain(token).chain(self.relay.upstream.renew()).filter_map(Result::err).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

fn server_tls(tls: OtlpServerTls, alpn: &'static [&[u8]]) -> Result<Arc<Renewable<ServerConfig>>, HopError> {
    Renewable::new(move || Ok(tls::server(&tls, alpn)?)).map(Arc::new)
}

fn relay(options: &HopOptions, redactor: Arc<dyn Redactor>, metrics: &Metrics) -> Result<Relay, HopError> {
    let token = options.source.bearer_token_file.clone();
    let token = token.map(|path| Renewable::new(move || token_hash(&path).map(Arc::new)));
    Ok(Relay {
        redactor,
        upstream: Upstream::new(&options.sink)?,
        queue: options.sink.queue.clone().map(Queue::new),
        budget: budget::Budget::new(options.source.max_in_flight_bytes),
        token: token.transpose()?,
        counters: Counters {
            source: metrics.source(&options.name),
            sink: metrics.sink(&options.sink_name),
            pipeline: metrics.pipeline(&options.name),
            batches: Batches::default(),
        },
        options: options.source.clone(),
    })
}

fn token_hash(path: &Path) -> Result<[u8; 32], HopError> {
    let bad = |reason: String| HopError::HeaderFile { path: path.to_owned(), reason };
    let token = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    if token.trim().is_empty() {
        return Err(bad("holds no token".to_owned()));
    }
    Ok(Sha256::digest(token.trim()).into())
}

//! Sockets that are listened to, with the limits every listener needs: so many connections, so much time for a handshake.
//! No error of a peer or of the system ends the listening.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::io::AsyncRead;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use super::SourceError;
use super::tls::{Acceptor, acceptor};
use crate::config::daemon::{Source, SourceKind};
use crate::metrics::{RefuseReason, SourceMetrics};
use crate::unix::{self, Refused};

/// Without descriptors (EMFILE) accepting fails at once and again; so it pauses.
const PAUSE: Duration = Duration::from_millis(100);
/// A peer that has not finished its handshake by then is turned away.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection on which nothing comes is asked after so long whether it is still there, and closed after three asks.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// A source of connections.
pub struct Listener {
    socket: Socket,
    room: Arc<Semaphore>,
    metrics: SourceMetrics,
    tls: Option<Acceptor>,
}

enum Socket {
    Tcp(TcpListener),
    Unix(unix::Socket),
}

/// A peer that was let in. It counts as a connection until it is dropped.
pub struct Connection {
    stream: Box<dyn Reader>,
    tls: Option<TlsAcceptor>,
    permit: OwnedSemaphorePermit,
}

/// A peer's bytes, and its place among the connections.
pub struct Peer {
    /// What it sends.
    pub stream: Box<dyn AsyncRead + Send + Unpin>,
    _permit: OwnedSemaphorePermit,
}

trait Reader: AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Reader for T {}

impl Listener {
    /// Listens as `source` says; `None` for a source that is no listener.
    ///
    /// # Errors
    /// When the address cannot be had or a certificate cannot be read.
    pub async fn bind(source: &Source, metrics: SourceMetrics) -> Result<Option<Listener>, SourceError> {
        let (socket, tls) = match &source.kind {
            // Files need no listener, and OTLP has servers of its own.
            SourceKind::Stdin | SourceKind::Files(_) | SourceKind::Otlp(_) => return Ok(None),
            SourceKind::Tcp { listen } => (tcp(listen).await?, None),
            SourceKind::Tls { listen, tls } => (tcp(listen).await?, Some(acceptor(tls)?)),
            SourceKind::Unix { path, mode } => (unix(path, *mode)?, None),
        };
        let room = Arc::new(Semaphore::new(source.max_connections.min(Semaphore::MAX_PERMITS)));
        Ok(Some(Listener { socket, room, metrics, tls }))
    }

    /// Where it listens: the port that was given to it, where it asked for any.
    pub fn address(&self) -> String {
        match &self.socket {
            Socket::Tcp(listener) => listener.local_addr().map_or_else(|error| error.to_string(), |at| at.to_string()),
            Socket::Unix(socket) => socket.path().display().to_string(),
        }
    }

    /// The next peer there is room for. Others are turned away, and errors are waited out.
    pub async fn accept(&self) -> Connection {
        loop {
            match self.accept_any().await {
                Ok(stream) => match Arc::clone(&self.room).try_acquire_owned() {
                    Ok(permit) => {
                        return Connection { stream, tls: self.tls.as_ref().map(|tls| tls.current().into()), permit };
                    }
                    Err(_) => self.metrics.refused(RefuseReason::Connections),
                },
                Err(error) => {
                    self.metrics.refused(RefuseReason::Overloaded);
                    tracing::warn!(source = self.metrics.name(), %error, "cannot accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Reads the files of its TLS anew.
    ///
    /// # Errors
    /// When one of them is wrong; the old ones stay in use.
    pub fn reload(&self) -> Result<(), SourceError> {
        Ok(self.tls.as_ref().map_or(Ok(()), Acceptor::renew)?)
    }

    async fn accept_any(&self) -> io::Result<Box<dyn Reader>> {
        Ok(match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // A peer that has gone already has no options to set; reading will say so.
                let _ = keep_alive(&stream);
                Box::new(stream)
            }
            Socket::Unix(socket) => Box::new(socket.accept().await?),
        })
    }
}

impl Connection {
    /// The peer's bytes, after the handshake if there is one. `None`: it was turned away.
    pub async fn open(self, metrics: &SourceMetrics) -> Option<Peer> {
        let Some(tls) = self.tls else { return Some(Peer { stream: Box::new(self.stream), _permit: self.permit }) };
        match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(self.stream)).await {
            Ok(Ok(stream)) => return Some(Peer { stream: Box::new(stream), _permit: self.permit }),
            Ok(Err(_)) => metrics.refused(RefuseReason::Tls),
            Err(_) => metrics.refused(RefuseReason::Timeout),
        }
        None
    }
}

async fn tcp(listen: &str) -> Result<Socket, SourceError> {
    let refused = |reason| SourceError::Listen { address: listen.to_owned(), reason };
    Ok(Socket::Tcp(TcpListener::bind(listen).await.map_err(refused)?))
}

fn keep_alive(stream: &TcpStream) -> rustix::io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(stream, 3)
}

fn unix(path: &Path, mode: u32) -> Result<Socket, SourceError> {
    let refused = |refused| match refused {
        Refused::Taken(reason) => SourceError::Taken { path: path.to_owned(), reason },
        Refused::System(reason) => SourceError::Listen { address: path.display().to_string(), reason },
    };
    unix::Socket::bind(path, mode).map(Socket::Unix).map_err(refused)
}

//! Connections to receivers: TCP, TLS over it, and Unix sockets. When to connect is `socket`'s decision.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::fd::{AsFd, OwnedFd};
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::tls::Connector;
use super::unsent;
use crate::metrics::SinkError;

/// A receiver that has not answered by then is tried again later.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection on which nothing comes is asked after so long whether it is still there, and given up after three asks.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// Where to connect to.
pub(super) enum Target {
    Tcp(String),
    Tls(String, Arc<Connector>),
    Unix(PathBuf),
}

/// Why there is no connection, or none any more.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) kind: SinkError,
    pub(super) reason: String,
    /// Whether the receiver may have lost what its system had confirmed.
    pub(super) reset: bool,
}

impl Broken {
    #[expect(clippy::needless_pass_by_value, reason = "a text or an error, of which only what it says is kept")]
    pub(super) fn new(kind: SinkError, reason: impl ToString) -> Broken {
        Broken { kind, reason: reason.to_string(), reset: false }
    }

    /// A connection that worked and failed.
    pub(super) fn failed(error: &io::Error) -> Broken {
        let kind = if error.kind() == io::ErrorKind::TimedOut { SinkError::Timeout } else { SinkError::Write };
        Broken { kind, reason: error.to_string(), reset: true }
    }
}

/// A connection that counts what the system took.
pub(super) struct Link {
    io: Box<dyn Duplex>,
    /// Bytes that the system took, as they stand on the wire.
    taken: Arc<AtomicU64>,
    /// The socket once more, to ask about its send queue.
    socket: OwnedFd,
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

impl Target {
    pub(super) async fn connect(&self) -> Result<Link, Broken> {
        let connecting = self.connect_without_end();
        let timeout = || Broken::new(SinkError::Connect, "it did not answer in time");
        tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.unwrap_or_else(|_| Err(timeout()))
    }

    async fn connect_without_end(&self) -> Result<Link, Broken> {
        let unreachable = |error: io::Error| Broken::new(SinkError::Connect, error);
        match self {
            Target::Tcp(address) => Link::over(tcp(address).await.map_err(unreachable)?).map_err(unreachable),
            Target::Unix(path) => {
                Link::over(UnixStream::connect(path).await.map_err(unreachable)?).map_err(unreachable)
            }
            Target::Tls(address, connector) => {
                let Link { io, taken, socket } =
                    Link::over(tcp(address).await.map_err(unreachable)?).map_err(unreachable)?;
                let io = connector.secure(io).await.map_err(|reason| Broken::new(SinkError::Tls, reason))?;
                Ok(Link { io: Box::new(io), taken, socket })
            }
        }
    }
}

/// The address is looked up anew each time.
async fn tcp(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(&stream, true)?;
    sockopt::set_tcp_keepidle(&stream, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(&stream, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(&stream, 3)?;
    Ok(stream)
}

impl Link {
    fn over<S: AsyncRead + AsyncWrite + AsFd + Send + Unpin + 'static>(stream: S) -> io::Result<Link> {
        let (taken, socket) = (Arc::default(), stream.as_fd().try_clone_to_owned()?);
        Ok(Link { io: Box::new(Counted { stream, taken: Arc::clone(&taken) }), taken, socket })
    }

    pub(super) fn io(&mut self) -> &mut (impl AsyncWrite + Unpin + use<>) {
        &mut self.io
    }

    /// Bytes that the system took so far, as they stand on the wire.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Of those, the bytes that have arrived.
    pub(super) fn arrived(&self) -> io::Result<u64> {
        Ok(self.taken().saturating_sub(unsent::bytes(self.socket.as_fd())?))
    }

    /// Whether the receiver's system has stopped answering, though bytes are waiting. `None`: the system does not tell.
    pub(super) fn is_dead(&self) -> Option<bool> {
        unsent::is_dead(self.socket.as_fd())
    }

    /// Resolves when the receiver has closed the connection. What it says is not for us.
    pub(super) async fn closed(&mut self) -> Broken {
        let mut scrap = [0; 1024];
        loop {
            match tokio::io::AsyncReadExt::read(&mut self.io, &mut scrap).await {
                Ok(0) => return Broken::new(SinkError::Write, "the receiver closed the connection"),
                Ok(_) => {}
                // TLS without a goodbye of its own: the connection below was closed in order all the same.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Broken::new(SinkError::Write, "the receiver closed the connection");
                }
                Err(error) => return Broken::failed(&error),
            }
        }
    }
}

/// Counts the bytes that the system takes.
struct Counted<S> {
    stream: S,
    taken: Arc<AtomicU64>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.taken.fetch_add(count as u64, Ordering::Relaxed);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

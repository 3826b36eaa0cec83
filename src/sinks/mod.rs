//! Where masked records go. A sink takes batches from its [`Queue`] in order, writes them, and settles each once its
//! receiver has it. Which batches it gets and what is in them is not its business.
//!
//! What *delivered* means:
//!
//! | sink | a batch is delivered when |
//! |---|---|
//! | stdout | the system took all of it |
//! | tcp, tls | the receiver's system has confirmed all of it: nothing of it is left in the socket's send queue |
//! | unix | the receiver's program has read it |
//! | file | the system has all of it; with `sync`, the disk |
//!
//! Plain TCP cannot say that a program read what its system confirmed. So what was delivered a moment ago is sent again
//! when a connection is reset: a receiver may get records twice, at most those of the last five seconds.

mod connect;
mod encode;
mod file;
mod queue;
mod sent;
mod socket;
mod stdout;
mod tls;
mod unsent;

use std::sync::Arc;

use tokio::task::JoinHandle;

pub use file::Reopen;
pub use queue::{Inlet, Offered, Queue, Queued};
pub use tls::TlsError;

use crate::config::daemon::{Sink, SinkKind};
use crate::metrics::SinkMetrics;

/// How a sink ended, once its queue was closed.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything it took was delivered.
    Done,
    /// It can deliver nothing more; the reason is for people.
    Failed(String),
}

/// Why a sink cannot be started; the operator is to blame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// Something about its certificates.
    #[error("sink `{sink}`: {reason}")]
    Tls {
        /// Its name.
        sink: String,
        /// What is wrong.
        reason: TlsError,
    },
    /// A file that cannot be written.
    #[error("sink `{sink}`: {path}: {reason}")]
    File {
        /// Its name.
        sink: String,
        /// The path, as it was configured.
        path: String,
        /// Why.
        reason: std::io::Error,
    },
    /// A descriptor or a thread cannot be had.
    #[error("sink `{sink}`: {reason}")]
    System {
        /// Its name.
        sink: String,
        /// Why.
        reason: std::io::Error,
    },
}

/// Starts `sink`, whose batches come from `queue`. One that writes files opens them anew when `reopen` is asked.
///
/// # Errors
/// When its files or descriptors cannot be had. A receiver that does not answer is no error: it is tried again.
pub fn start(sink: &Sink, queue: Queue, reopen: &Reopen, metrics: SinkMetrics) -> Result<JoinHandle<Ended>, SinkError> {
    let name = || sink.name.clone();
    let target = match &sink.kind {
        SinkKind::Stdout => {
            return stdout::start(sink.framing, queue, metrics)
                .map_err(|reason| SinkError::System { sink: name(), reason });
        }
        SinkKind::Tcp { address } => connect::Target::Tcp(address.clone()),
        SinkKind::Unix { path } => connect::Target::Unix(path.clone()),
        SinkKind::Tls { address, tls } => {
            let connector =
                tls::Connector::new(address, tls).map_err(|reason| SinkError::Tls { sink: name(), reason })?;
            connect::Target::Tls(address.clone(), Arc::new(connector))
        }
        SinkKind::File(options) => {
            let failed = |reason| SinkError::File { sink: name(), path: options.path.to_string(), reason };
            return file::start(options.clone(), sink.framing, reopen.clone(), queue, metrics).map_err(failed);
        }
        // The configuration puts it behind an OTLP source alone, and the hop is its own client.
        SinkKind::Otlp(_) => {
            let reason = std::io::Error::other("only an otlp source can feed it");
            return Err(SinkError::System { sink: name(), reason });
        }
    };
    let socket = socket::Socket::new(name(), target, sink.framing, queue, metrics);
    Ok(tokio::spawn(socket.run()))
}

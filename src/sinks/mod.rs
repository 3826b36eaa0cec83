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
//! | file | the disk has it; without `sync`, the system |
//! | any of them behind a spool | for the source: the spool's disk has it |
//!
//! Plain TCP cannot say that a program read what its system confirmed. So what was delivered a moment ago is sent again
//! when a connection is reset: a receiver may get records twice, at most those of the last five seconds.

mod connect;
mod encode;
mod file;
mod queue;
mod sent;
mod socket;
mod spooled;
mod stdout;
mod tls;
mod unsent;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use file::Reopen;
pub use queue::{Inlet, Offered, Queue, Queued};

use crate::config::daemon::{Sink, SinkKind, WhenFull};
use crate::metrics::{PipelineMetrics, SinkMetrics, SourceMetrics};
use crate::spool::{self, Spool, SpoolError, SpoolOptions};
use crate::tls::TlsError;

/// How a sink ended, once its queue was closed.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything it took was delivered.
    Done,
    /// It can deliver nothing more; the reason is for people.
    Failed(String),
    /// It was halted, and its spool keeps what it did not deliver.
    Left {
        /// Pieces of streams.
        batches: u64,
    },
}

/// What a sink has around it.
#[derive(Clone)]
pub struct Around {
    /// Its own counters.
    pub sink: SinkMetrics,
    /// Told of what waits in memory.
    pub pipeline: PipelineMetrics,
    /// Told of records that a spool has no room for.
    pub source: SourceMetrics,
    /// One that writes files opens them anew when this is asked.
    pub reopen: Reopen,
    /// Where its spool is, if it has one.
    pub spool: Option<PathBuf>,
    /// One with a spool ends when this is cancelled.
    pub halt: CancellationToken,
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
    /// Its spool.
    #[error("sink `{sink}`: spool: {reason}")]
    Spool {
        /// Its name.
        sink: String,
        /// What is wrong.
        reason: SpoolError,
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

/// Starts `sink`. What is to be delivered is offered to the inlet.
///
/// # Errors
/// When its files or descriptors cannot be had. A receiver that does not answer is no error: it is tried again.
pub fn start(sink: &Sink, around: &Around) -> Result<(Inlet, JoinHandle<Ended>), SinkError> {
    let channel = |bytes, when_full| Queue::channel(bytes, when_full, around.pipeline.clone());
    let (Some(options), Some(folder)) = (&sink.spool, &around.spool) else {
        let (inlet, queue) = channel(sink.buffer_bytes, sink.when_full);
        return Ok((inlet, start_plain(sink, queue, around)?));
    };
    let when_full = match sink.when_full {
        WhenFull::Block => spool::WhenFull::Block,
        WhenFull::DropNewest => spool::WhenFull::DropNewest,
    };
    let options = SpoolOptions { when_full, ..SpoolOptions::new(folder.clone(), options.max_bytes) };
    let spool = Spool::open(options).map_err(|reason| SinkError::Spool { sink: sink.name.clone(), reason })?;
    around.sink.spool_limit(spool.max_bytes());
    // Half of the buffer stands before the disk, and half behind it. Who waits for the disk is not who drops.
    let (inlet, queue) = channel(sink.buffer_bytes / 2, WhenFull::Block);
    let (inner_inlet, inner_queue) = channel(sink.buffer_bytes / 2, WhenFull::Block);
    let inner = start_plain(sink, inner_queue, around)?;
    let task = spooled::start(spool, queue, inner_inlet, inner, around.clone());
    let task = task.map_err(|reason| SinkError::System { sink: sink.name.clone(), reason })?;
    Ok((inlet, task))
}

fn start_plain(sink: &Sink, queue: Queue, around: &Around) -> Result<JoinHandle<Ended>, SinkError> {
    let (metrics, reopen) = (around.sink.clone(), &around.reopen);
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

//! What `inkout run` is asked to do: a file of pipelines, or two words on the command line. Parsed once, checked here, and
//! never looked at as text again. Nothing is opened; environment variables are asked for by a function that the caller
//! brings.

mod endpoint;
mod file;
mod file_sink;
mod observe;
mod otlp;
mod schema;
mod tables;
mod units;
mod yaml;

use std::path::PathBuf;
use std::time::Duration;

pub use endpoint::EndpointError;
pub use file_sink::{FileOptions, FilePath, FilePathError};
pub use observe::{
    AdminOptions, Contact, FindingsOptions, Listen, LogFormat, LogLevel, LogOptions, MetricsOptions, Observe,
    OtlpOptions, RuleSeries,
};
pub use otlp::{
    Coding, Endpoint, OptionError, OtlpClientTls, OtlpListen, OtlpQueue, OtlpServerTls, OtlpSink, OtlpSource, Protocol,
    header_name, header_value,
};
pub use schema::schema;

use super::{Config, ConfigError};
use crate::framing::Framing;
use tables::Word as _;

/// A file to begin with. It is valid as it stands.
pub const TEMPLATE: &str = include_str!("template.toml");

/// Everything `inkout run` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// Settings of redaction; each pipeline begins with them.
    pub redact: Config,
    /// For how long records in flight may be delivered after a stop was asked for.
    pub drain_deadline: Duration,
    /// What to do without rules.
    pub on_fatal: OnFatal,
    /// Bytes of unfinished records that all connections may hold together.
    pub partial_records_bytes: usize,
    /// The folder for what a later run has to know.
    pub state_dir: Option<PathBuf>,
    /// What it tells about itself.
    pub observe: Observe,
    /// In the order of the file, one at least. No two have one name.
    pub pipelines: Vec<Pipeline>,
}

/// Records from one source to its sinks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// Its name in metrics and messages.
    pub name: String,
    /// The settings it redacts with.
    pub redact: Config,
    /// Where its own key for hashing comes from.
    pub hash_key: Option<HashKeyFrom>,
    /// Where records come from.
    pub source: Source,
    /// Where they go, all of them to each.
    pub sinks: Vec<Sink>,
    /// Whether each record says where it came from.
    pub record_id: bool,
}

/// Where the key of the `hash` action and of fingerprints is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashKeyFrom {
    /// In a file.
    File(PathBuf),
    /// In an environment variable that was set when the configuration was read.
    Environment(String),
}

/// Without a set of rules nothing can be let through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnFatal {
    /// End, with an exit code.
    #[default]
    Exit,
    /// Keep reading and pass nothing on, counted, until there are rules.
    Withhold,
}

/// Where records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What it is.
    pub kind: SourceKind,
    /// How its records are told apart.
    pub framing: Framing,
    /// Connections at a time.
    pub max_connections: usize,
    /// A connection whose record is unfinished for so long is closed.
    pub partial_timeout: Duration,
    /// A connection that has sent nothing for so long is closed.
    pub idle_timeout: Option<Duration>,
    /// After waiting so long for a sink, the newest records are dropped.
    pub max_stall: Option<Duration>,
}

/// Kinds of sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// Standard input.
    Stdin,
    /// Connections to a TCP address.
    Tcp {
        /// Host and port.
        listen: String,
    },
    /// The same with TLS.
    Tls {
        /// Host and port.
        listen: String,
        /// Who we are and whom we let in.
        tls: ServerTls,
    },
    /// Files that are followed.
    Files(FilesFrom),
    /// Connections to a Unix socket.
    Unix {
        /// The socket.
        path: PathBuf,
        /// Permission bits of the socket.
        mode: u32,
    },
    /// Batches of logs, traces and metrics; they go to an OTLP sink and nowhere else.
    Otlp(Box<OtlpSource>),
}

/// What is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesFrom {
    /// Patterns of paths.
    pub paths: Vec<String>,
    /// Patterns of paths that are left out.
    pub exclude: Vec<String>,
    /// Where a file that is there at the first start is begun.
    pub start_at: StartAt,
    /// What becomes of lines that a container runtime cut.
    pub cri_output: CriOutput,
}

/// How the fragments of a container runtime's line are written. They are looked at as one in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CriOutput {
    /// Each as it came.
    #[default]
    Keep,
    /// As one line.
    Join,
}

/// Where a file is begun of which nothing is known from an earlier run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StartAt {
    /// At its first byte.
    #[default]
    Beginning,
    /// Behind its last whole line.
    End,
}

/// Files of a TLS server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// Certificate chain, PEM.
    pub cert: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
    /// Clients must show a certificate of one of these authorities.
    pub client_ca: Option<PathBuf>,
}

/// Where records go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sink {
    /// Its name in metrics and messages.
    pub name: String,
    /// What it is.
    pub kind: SinkKind,
    /// How its records are told apart.
    pub framing: Framing,
    /// Bytes that may wait for it in memory.
    pub buffer_bytes: usize,
    /// What to do when they do, or when its spool is full.
    pub when_full: WhenFull,
    /// What waits for it longer than memory allows, or over a restart, waits on disk.
    pub spool: Option<SpoolTo>,
}

/// A spool on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolTo {
    /// A folder of its own. `None`: one in the folder of state.
    pub folder: Option<PathBuf>,
    /// How large it may become.
    pub max_bytes: u64,
}

impl Source {
    /// Files and sockets that it names, which may be relative.
    fn paths(&mut self) -> Vec<&mut PathBuf> {
        match &mut self.kind {
            SourceKind::Tls { tls: ServerTls { cert, key, client_ca }, .. } => {
                [cert, key].into_iter().chain(client_ca).collect()
            }
            SourceKind::Unix { path, .. } => vec![path],
            SourceKind::Otlp(otlp) => otlp.paths(),
            SourceKind::Stdin | SourceKind::Tcp { .. } | SourceKind::Files(_) => Vec::new(),
        }
    }
}

impl Sink {
    /// Files and sockets that it names, which may be relative.
    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let own: Vec<&mut PathBuf> = match &mut self.kind {
            SinkKind::Tls { tls: ClientTls { ca, identity, .. }, .. } => {
                ca.iter_mut().chain(identity.iter_mut().flat_map(|(cert, key)| [cert, key])).collect()
            }
            SinkKind::Unix { path } => vec![path],
            SinkKind::Otlp(otlp) => otlp.paths(),
            SinkKind::Stdout | SinkKind::Tcp { .. } | SinkKind::File(_) => Vec::new(),
        };
        own.into_iter().chain(self.spool.iter_mut().filter_map(|spool| spool.folder.as_mut())).collect()
    }
}

/// Kinds of sinks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkKind {
    /// Standard output.
    Stdout,
    /// A TCP receiver.
    Tcp {
        /// Host and port.
        address: String,
    },
    /// The same with TLS.
    Tls {
        /// Host and port.
        address: String,
        /// Who we are and whom we trust.
        tls: ClientTls,
    },
    /// A Unix socket.
    Unix {
        /// The socket.
        path: PathBuf,
    },
    /// A file, or one for each file that is followed.
    File(FileOptions),
    /// A receiver of what an OTLP source takes.
    Otlp(Box<OtlpSink>),
}

/// Files of a TLS client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// Authorities to trust instead of the system's, PEM.
    pub ca: Option<PathBuf>,
    /// The name the server's certificate must have, if it is not the address's.
    pub server_name: Option<String>,
    /// Our certificate chain and private key, PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// What to do when a sink's buffer is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// Let the source wait.
    #[default]
    Block,
    /// Drop what comes, counted.
    DropNewest,
}

impl Daemon {
    /// The configuration that `text`, the content of the file named `file_name`, spells. A name that ends in `.yaml` or
    /// `.yml` says YAML. `variable` tells whether an environment variable is set.
    ///
    /// # Errors
    /// When the text is neither, holds an unknown key or a value that is not allowed, or names a variable that is not set.
    pub fn parse(file_name: &str, text: &str, variable: &dyn Fn(&str) -> bool) -> Result<Daemon, ConfigError> {
        file::parse(file_name, text, variable)
    }

    /// One pipeline as `--from` and `--to` spell it.
    ///
    /// # Errors
    /// When a word is no source or no sink.
    pub fn from_words(from: &str, to: &[String], insecure: bool, redact: Config) -> Result<Daemon, EndpointError> {
        let source = endpoint::source(&tables::SourceTable { insecure, ..tables::SourceTable::from_word(from)? })?;
        let sinks = to.iter().map(|word| endpoint::sink(&tables::SinkTable::from_word(word)?, source.framing));
        let mut sinks = sinks.collect::<Result<Vec<_>, _>>()?;
        endpoint::fit(&source, &sinks)?;
        file::name_sinks(&mut sinks);
        let name = "main".to_owned();
        let pipeline = Pipeline { name, redact: redact.clone(), hash_key: None, source, sinks, record_id: false };
        Ok(Daemon {
            redact,
            drain_deadline: tables::drain_deadline().0,
            on_fatal: OnFatal::default(),
            state_dir: None,
            partial_records_bytes: tables::partial_records().0,
            // Two words are a pipe between programs: a port is opened if it is asked for.
            observe: Observe { admin: Some(AdminOptions { listen: Listen::Off }), ..Observe::default() },
            pipelines: vec![pipeline],
        })
    }
}

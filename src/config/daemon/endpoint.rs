//! A source's or sink's table becomes the thing itself: what is missing, does not belong there, or is not allowed is said.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::tables::{FramingName, SinkTable, SinkType, SourceTable, SourceType, SpoolTable};
use super::{
    ClientTls, FileOptions, FilePath, FilePathError, FilesFrom, ServerTls, Sink, SinkKind, Source, SourceKind, SpoolTo,
};
use crate::framing::Framing;

/// Connections at a time, unless the file says otherwise.
const MAX_CONNECTIONS: usize = 1024;
const PARTIAL_TIMEOUT: Duration = Duration::from_secs(60);
/// Less than a block would let every block wait for the one before.
const MIN_BUFFER_BYTES: usize = 64 << 10;
const BUFFER_BYTES: usize = 8 << 20;
/// Every batch must fit into a segment or two.
const MIN_SPOOL_BYTES: u64 = 4 << 20;
/// Smaller or younger files would be nothing but rotation.
const MIN_ROTATED_BYTES: u64 = 64 << 10;
const MIN_ROTATED_AGE: Duration = Duration::from_secs(1);
/// Each rotation renames all of them.
const MAX_KEPT: u32 = 1000;

/// What is wrong with a source or a sink; the operator is to blame.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// A word that means nothing.
    #[error("unknown {what} `{word}`; did you mean `{meant}`? known: {known}")]
    Unknown {
        /// Source or sink.
        what: &'static str,
        /// The word.
        word: String,
        /// The nearest known one.
        meant: String,
        /// All of them.
        known: String,
    },
    /// One word cannot say it.
    #[error("`{word}` needs {keys}: write it as a table in a configuration file")]
    NeedsTable {
        /// The word.
        word: String,
        /// What a table says beside.
        keys: &'static str,
    },
    /// A key is missing.
    #[error("a {kind} {what} needs `{key}`, such as {key} = {example}")]
    Missing {
        /// Source or sink.
        what: &'static str,
        /// Its type.
        kind: &'static str,
        /// The key.
        key: &'static str,
        /// A value it may have.
        example: &'static str,
    },
    /// A key of another type.
    #[error("`{key}` is no key of a {kind} {what}; it has: {known}")]
    Foreign {
        /// Source or sink.
        what: &'static str,
        /// Its type.
        kind: &'static str,
        /// The key.
        key: &'static str,
        /// The keys of the type.
        known: String,
    },
    /// A value that is not allowed.
    #[error("`{key}`: {reason}")]
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong and what is allowed.
        reason: String,
    },
    /// Batches cannot become lines, nor lines batches.
    #[error("an otlp source goes with one otlp sink, and with no other: it hands on what that one answers")]
    Otlp,
    /// What is wrong with the path of a file sink.
    #[error("`path`: {0}")]
    Path(#[from] FilePathError),
    /// There is no file that could be mirrored.
    #[error(
        "`{0}`: {{relative}} is the path of a followed file, and the source is none; name one file, or use a file source"
    )]
    Mirror(String),
    /// Two would write it, each at its own pace.
    #[error("`{0}`: two sinks write this file")]
    Twice(String),
    /// What is written would be read again for ever.
    #[error("`{0}`: the source reads this very file; write elsewhere")]
    Circle(String),
    /// What is wrong with an address or an endpoint of OTLP.
    #[error(transparent)]
    Option(#[from] super::OptionError),
    /// Anybody could read along and write.
    #[error(
        "`{address}` can be reached from other machines without TLS; use type `tls`, listen on 127.0.0.1, or say {how}"
    )]
    Exposed {
        /// The address.
        address: String,
        /// How to insist.
        how: &'static str,
    },
}

impl From<FramingName> for Framing {
    fn from(name: FramingName) -> Framing {
        match name {
            FramingName::Newline => Framing::Newline,
            FramingName::Nul => Framing::Nul,
            FramingName::OctetCounted => Framing::OctetCounted,
        }
    }
}

/// The keys that are set, and the ones a type has.
struct Keys<'k> {
    what: &'static str,
    kind: &'static str,
    known: &'k [&'static str],
}

impl Keys<'_> {
    fn check(&self, set: &[(&'static str, bool)]) -> Result<(), EndpointError> {
        let foreign = set.iter().find(|(key, set)| *set && !self.known.contains(key));
        let known = || self.known.join(", ");
        foreign.map_or(Ok(()), |(key, _)| {
            Err(EndpointError::Foreign { what: self.what, kind: self.kind, key, known: known() })
        })
    }

    fn need<T: Clone>(&self, key: &'static str, value: &Option<T>, example: &'static str) -> Result<T, EndpointError> {
        value.clone().ok_or(EndpointError::Missing { what: self.what, kind: self.kind, key, example })
    }
}

pub(super) fn source(table: &SourceTable) -> Result<Source, EndpointError> {
    let (kind, known): (_, &[&'static str]) = match table.kind {
        SourceType::Stdin => ("stdin", &["framing", "max_stall"]),
        SourceType::Tcp => {
            ("tcp", &["listen", "insecure", "framing", "max_connections", "partial_timeout", "idle_timeout"])
        }
        SourceType::Tls => (
            "tls",
            &["listen", "cert", "key", "client_ca", "framing", "max_connections", "partial_timeout", "idle_timeout"],
        ),
        SourceType::File => ("file", &["paths", "exclude", "start_at", "cri_output"]),
        SourceType::Unix => {
            ("unix", &["path", "mode", "framing", "max_connections", "partial_timeout", "idle_timeout"])
        }
        // `--insecure` sets the one beside it.
        SourceType::Otlp => ("otlp", &["otlp", "insecure"]),
    };
    let keys = Keys { what: "source", kind, known };
    keys.check(&[
        ("paths", table.paths.is_some()),
        ("exclude", table.exclude.is_some()),
        ("start_at", table.start_at.is_some()),
        ("cri_output", table.cri_output.is_some()),
        ("listen", table.listen.is_some()),
        ("path", table.path.is_some()),
        ("mode", table.mode.is_some()),
        ("framing", table.framing.is_some()),
        ("max_connections", table.max_connections.is_some()),
        ("partial_timeout", table.partial_timeout.is_some()),
        ("idle_timeout", table.idle_timeout.is_some()),
        ("insecure", table.insecure),
        ("cert", table.cert.is_some()),
        ("key", table.key.is_some()),
        ("client_ca", table.client_ca.is_some()),
        ("max_stall", table.max_stall.is_some()),
        ("otlp", table.otlp.is_some()),
    ])?;
    let max_connections = table.max_connections.unwrap_or(MAX_CONNECTIONS);
    positive("max_connections", max_connections)?;
    let partial_timeout = table.partial_timeout.map_or(PARTIAL_TIMEOUT, |time| time.0);
    positive("partial_timeout", partial_timeout.as_millis() as usize)?;
    Ok(Source {
        kind: source_kind(table, &keys)?,
        framing: table.framing.unwrap_or_default().into(),
        max_connections,
        partial_timeout,
        idle_timeout: table.idle_timeout.map(|time| time.0).filter(|time| !time.is_zero()),
        max_stall: table.max_stall.map(|time| time.0),
    })
}

fn source_kind(table: &SourceTable, keys: &Keys<'_>) -> Result<SourceKind, EndpointError> {
    let listen = || {
        let listen = keys.need("listen", &table.listen, "\"127.0.0.1:6000\"")?;
        address("listen", &listen).map(|()| listen)
    };
    Ok(match table.kind {
        SourceType::Stdin => SourceKind::Stdin,
        SourceType::Tcp => {
            let listen = listen()?;
            if !table.insecure && !is_loopback(&listen) {
                return Err(EndpointError::Exposed { address: listen, how: "`insecure = true` (or --insecure)" });
            }
            SourceKind::Tcp { listen }
        }
        SourceType::Tls => {
            let cert = keys.need("cert", &table.cert, "\"/etc/inkout/tls.crt\"")?;
            let key = keys.need("key", &table.key, "\"/etc/inkout/tls.key\"")?;
            SourceKind::Tls { listen: listen()?, tls: ServerTls { cert, key, client_ca: table.client_ca.clone() } }
        }
        SourceType::File => {
            let paths = keys.need("paths", &table.paths, "[\"/var/log/app/*.log\"]")?;
            if paths.is_empty() || paths.iter().any(String::is_empty) {
                return Err(EndpointError::Value { key: "paths", reason: "is empty".to_owned() });
            }
            let exclude = table.exclude.clone().unwrap_or_default();
            SourceKind::Files(FilesFrom {
                paths,
                exclude,
                start_at: table.start_at.unwrap_or_default(),
                cri_output: table.cri_output.unwrap_or_default(),
            })
        }
        SourceType::Unix => {
            let path = path(keys.need("path", &table.path, "\"/run/inkout/in.sock\"")?)?;
            SourceKind::Unix { path, mode: table.mode.as_deref().map_or(Ok(0o660), permission_bits)? }
        }
        SourceType::Otlp => {
            let mut otlp = table.otlp.clone().unwrap_or_default();
            otlp.insecure |= table.insecure;
            SourceKind::Otlp(Box::new(otlp))
        }
    })
}

pub(super) fn sink(table: &SinkTable, framing: Framing) -> Result<Sink, EndpointError> {
    let (kind, known): (_, &[&'static str]) = match table.kind {
        SinkType::Stdout => ("stdout", &["name", "framing", "buffer", "when_full", "spool"]),
        SinkType::Tcp => ("tcp", &["name", "address", "framing", "buffer", "when_full", "spool"]),
        SinkType::Tls => {
            ("tls", &["name", "address", "ca", "server_name", "cert", "key", "framing", "buffer", "when_full", "spool"])
        }
        SinkType::Unix => ("unix", &["name", "path", "framing", "buffer", "when_full", "spool"]),
        SinkType::File => (
            "file",
            &["name", "path", "max_size", "max_age", "keep", "mode", "sync", "framing", "buffer", "when_full", "spool"],
        ),
        SinkType::Otlp => ("otlp", &["name", "otlp"]),
    };
    let keys = Keys { what: "sink", kind, known };
    keys.check(&[
        ("address", table.address.is_some()),
        ("path", table.path.is_some()),
        ("max_size", table.max_size.is_some()),
        ("max_age", table.max_age.is_some()),
        ("keep", table.keep.is_some()),
        ("mode", table.mode.is_some()),
        ("sync", table.sync.is_some()),
        ("ca", table.ca.is_some()),
        ("server_name", table.server_name.is_some()),
        ("cert", table.cert.is_some()),
        ("key", table.key.is_some()),
        ("otlp", table.otlp.is_some()),
        ("spool", table.spool.is_some()),
    ])?;
    let buffer_bytes = table.buffer.map_or(BUFFER_BYTES, |size| size.0);
    if !(MIN_BUFFER_BYTES..=u32::MAX as usize).contains(&buffer_bytes) {
        return Err(EndpointError::Value { key: "buffer", reason: "allowed are 64KiB to 4GiB".to_owned() });
    }
    Ok(Sink {
        name: table.name.clone().unwrap_or_default(),
        kind: sink_kind(table, &keys)?,
        framing: table.framing.map_or(framing, Framing::from),
        buffer_bytes,
        when_full: table.when_full,
        spool: table.spool.as_ref().map(spool).transpose()?,
    })
}

fn spool(table: &SpoolTable) -> Result<SpoolTo, EndpointError> {
    let max_bytes = table.max_size.0 as u64;
    if max_bytes < MIN_SPOOL_BYTES {
        return Err(EndpointError::Value { key: "spool.max_size", reason: "must be 4MiB or more".to_owned() });
    }
    if let Some(path) = table.path.as_deref().filter(|path| !path.is_absolute()) {
        let reason = format!("`{}` does not begin with /", path.display());
        return Err(EndpointError::Value { key: "spool.path", reason });
    }
    Ok(SpoolTo { folder: table.path.clone(), max_bytes })
}

fn sink_kind(table: &SinkTable, keys: &Keys<'_>) -> Result<SinkKind, EndpointError> {
    let receiver = || {
        let receiver = keys.need("address", &table.address, "\"127.0.0.1:6514\"")?;
        address("address", &receiver).map(|()| receiver)
    };
    Ok(match table.kind {
        SinkType::Stdout => SinkKind::Stdout,
        SinkType::Tcp => SinkKind::Tcp { address: receiver()? },
        SinkType::Tls => SinkKind::Tls { address: receiver()?, tls: client_tls(table, keys)? },
        SinkType::Unix => SinkKind::Unix { path: path(keys.need("path", &table.path, "\"/run/receiver.sock\"")?)? },
        SinkType::File => SinkKind::File(file(table, keys)?),
        SinkType::Otlp => {
            SinkKind::Otlp(Box::new(keys.need("otlp", &table.otlp, "{ endpoint = \"http://127.0.0.1:4317\" }")?))
        }
    })
}

fn file(table: &SinkTable, keys: &Keys<'_>) -> Result<FileOptions, EndpointError> {
    let path = keys.need("path", &table.path, "\"/var/log/inkout/{relative}\"")?;
    let defaults = FileOptions::new(FilePath::parse(&path.to_string_lossy())?);
    let max_bytes = table.max_size.map(|size| size.0 as u64);
    if max_bytes.is_some_and(|size| size < MIN_ROTATED_BYTES) {
        return Err(EndpointError::Value { key: "max_size", reason: "must be 64KiB or more".to_owned() });
    }
    let max_age = table.max_age.map(|time| time.0);
    if max_age.is_some_and(|age| age < MIN_ROTATED_AGE) {
        return Err(EndpointError::Value { key: "max_age", reason: "must be 1s or more".to_owned() });
    }
    let keep = table.keep.unwrap_or(defaults.keep);
    if !(1..=MAX_KEPT).contains(&keep) {
        return Err(EndpointError::Value { key: "keep", reason: format!("allowed are 1 to {MAX_KEPT}") });
    }
    let mode = table.mode.as_deref().map_or(Ok(defaults.mode), permission_bits)?;
    if mode & 0o200 == 0 {
        return Err(EndpointError::Value { key: "mode", reason: "its owner must be able to write".to_owned() });
    }
    Ok(FileOptions { max_bytes, max_age, keep, mode, sync: table.sync.unwrap_or(defaults.sync), ..defaults })
}

/// Whether source and sinks go together.
pub(super) fn fit(source: &Source, sinks: &[Sink]) -> Result<(), EndpointError> {
    let files = sinks.iter().filter_map(|sink| match &sink.kind {
        SinkKind::File(options) => Some(&options.path),
        _ => None,
    });
    let mut paths = BTreeSet::new();
    for path in files {
        if !paths.insert(path.to_string()) {
            return Err(EndpointError::Twice(path.to_string()));
        }
        match (&source.kind, path) {
            (SourceKind::Files(from), FilePath::Single(file))
                if from.paths.iter().any(|pattern| file.as_path() == Path::new(pattern)) =>
            {
                return Err(EndpointError::Circle(path.to_string()));
            }
            (SourceKind::Files(_), _) | (_, FilePath::Single(_)) => {}
            (_, FilePath::Mirrored(_)) => return Err(EndpointError::Mirror(path.to_string())),
        }
    }
    fit_otlp(source, sinks)
}

/// An OTLP source answers its clients with what its one upstream says, so it goes with one OTLP sink and nothing else.
fn fit_otlp(source: &Source, sinks: &[Sink]) -> Result<(), EndpointError> {
    let otlp = sinks.iter().filter(|sink| matches!(sink.kind, SinkKind::Otlp(_))).count();
    let wanted = usize::from(matches!(source.kind, SourceKind::Otlp(_)));
    if otlp == wanted && (wanted == 0 || sinks.len() == 1) { Ok(()) } else { Err(EndpointError::Otlp) }
}

fn client_tls(table: &SinkTable, keys: &Keys<'_>) -> Result<ClientTls, EndpointError> {
    let identity = match (&table.cert, &table.key) {
        (None, None) => None,
        (cert, key) => Some((
            keys.need("cert", cert, "\"/etc/inkout/tls.crt\"")?,
            keys.need("key", key, "\"/etc/inkout/tls.key\"")?,
        )),
    };
    Ok(ClientTls { ca: table.ca.clone(), server_name: table.server_name.clone(), identity })
}

fn positive(key: &'static str, value: usize) -> Result<(), EndpointError> {
    let zero = || EndpointError::Value { key, reason: "must be more than 0".to_owned() };
    if value == 0 { Err(zero()) } else { Ok(()) }
}

/// A host and a port; whether the host exists is a question for later.
fn address(key: &'static str, text: &str) -> Result<(), EndpointError> {
    let port =
        text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).and_then(|(_, port)| port.parse::<u16>().ok());
    let reason = || format!("`{text}` is no address; write host:port, such as 127.0.0.1:6000");
    port.map(drop).ok_or_else(|| EndpointError::Value { key, reason: reason() })
}

fn path(path: PathBuf) -> Result<PathBuf, EndpointError> {
    let empty = || EndpointError::Value { key: "path", reason: "is empty".to_owned() };
    if path.as_os_str().is_empty() { Err(empty()) } else { Ok(path) }
}

fn permission_bits(text: &str) -> Result<u32, EndpointError> {
    let bits = u32::from_str_radix(text, 8).ok().filter(|bits| *bits <= 0o777);
    let reason = || format!("`{text}` is no mode; write octal digits, such as \"0660\"");
    bits.ok_or_else(|| EndpointError::Value { key: "mode", reason: reason() })
}

fn is_loopback(listen: &str) -> bool {
    let host = listen.rsplit_once(':').map_or(listen, |(host, _)| host);
    let address = listen.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| host.parse::<IpAddr>());
    address.map_or(host == "localhost", |ip| ip.is_loopback())
}

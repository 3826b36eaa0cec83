//! The tables of the file as they are written. What they mean together is `endpoint`'s and `file`'s.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use toml::Spanned;

use super::endpoint::EndpointError;
use super::otlp::{OtlpSink, OtlpSource};
use super::units::{Size, Time};
use super::{AdminOptions, CriOutput, FindingsOptions, LogOptions, MetricsOptions, OnFatal, StartAt, WhenFull};
use crate::config::nearest;

/// The file of `inkout run`, but for the settings of redaction.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTable {
    /// For how long records in flight may be delivered after SIGTERM.
    #[serde(default = "drain_deadline")]
    pub(super) drain_deadline: Time,
    /// The folder for what a later run has to know: how far files were read.
    pub(super) state_dir: Option<PathBuf>,
    /// What to do when there are no rules at the start: exit, or withhold everything until there are.
    #[serde(default)]
    pub(super) on_fatal: OnFatal,
    /// Bytes of unfinished records that all connections may hold together.
    #[serde(default = "partial_records")]
    pub(super) partial_records: Size,
    /// A file with the key of the `hash` action.
    pub(super) hash_key_file: Option<PathBuf>,
    /// An environment variable with the key of the `hash` action.
    #[schemars(with = "Option<String>")]
    pub(super) hash_key_env: Option<Spanned<String>>,
    /// Health, metrics and the status page.
    pub(super) admin: Option<AdminOptions>,
    /// What is counted, and where it is pushed.
    #[serde(default)]
    pub(super) metrics: MetricsOptions,
    /// A stream of which secrets were found.
    pub(super) findings: Option<FindingsOptions>,
    /// The log of the process itself.
    #[serde(default)]
    pub(super) log: LogOptions,
    /// Records from one source to its sinks.
    #[schemars(with = "Vec<PipelineTable>")]
    #[serde(default)]
    pub(super) pipeline: Vec<Spanned<PipelineTable>>,
}

/// `[[pipeline]]`, but for the settings of redaction.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PipelineTable {
    /// Its name in metrics and messages: letters, digits, `-` and `_`.
    #[schemars(with = "Option<String>")]
    pub(super) name: Option<Spanned<String>>,
    /// Where records come from.
    #[schemars(with = "Entry<SourceTable>")]
    pub(super) source: Spanned<Entry<SourceTable>>,
    /// Where they go, all of them to each.
    #[schemars(with = "Vec<Entry<SinkTable>>")]
    pub(super) sinks: Spanned<Vec<Spanned<Entry<SinkTable>>>>,
    /// Add to each record where it came from, so that a receiver can drop what comes twice.
    #[serde(default)]
    pub(super) record_id: bool,
    /// A file with the key of the `hash` action.
    pub(super) hash_key_file: Option<PathBuf>,
    /// An environment variable with the key of the `hash` action.
    #[schemars(with = "Option<String>")]
    pub(super) hash_key_env: Option<Spanned<String>>,
}

/// What a source is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum SourceType {
    #[default]
    Stdin,
    Tcp,
    Tls,
    Unix,
    File,
    Otlp,
}

/// What a sink is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum SinkType {
    #[default]
    Stdout,
    Tcp,
    Tls,
    Unix,
    File,
    Otlp,
}

/// How records are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FramingName {
    /// Each ends with a line feed.
    #[default]
    Newline,
    /// Each ends with a NUL.
    Nul,
    /// Each begins with its length (RFC 6587).
    OctetCounted,
}

/// A source in full. Which keys go with which type is checked where it is read.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceTable {
    /// What it is.
    #[serde(rename = "type")]
    pub(super) kind: SourceType,
    /// file: patterns of paths, `/var/log/app/*.log`.
    pub(super) paths: Option<Vec<String>>,
    /// file: patterns of paths that are left out.
    pub(super) exclude: Option<Vec<String>>,
    /// file: where a file is begun of which nothing is known from an earlier run.
    pub(super) start_at: Option<StartAt>,
    /// file: lines that a container runtime cut are written as they came, or as one.
    pub(super) cri_output: Option<CriOutput>,
    /// tcp, tls: the address to listen on, `127.0.0.1:6000`.
    pub(super) listen: Option<String>,
    /// unix: the socket.
    pub(super) path: Option<PathBuf>,
    /// unix: permission bits of the socket, `"0660"`.
    pub(super) mode: Option<String>,
    /// How records are told apart.
    pub(super) framing: Option<FramingName>,
    /// tcp, tls, unix: connections at a time.
    pub(super) max_connections: Option<usize>,
    /// tcp, tls, unix: a connection whose record is unfinished for so long is closed.
    pub(super) partial_timeout: Option<Time>,
    /// tcp, tls, unix: a connection that has sent nothing for so long is closed.
    pub(super) idle_timeout: Option<Time>,
    /// tcp: listen beyond this machine without TLS.
    #[serde(default)]
    pub(super) insecure: bool,
    /// tls: certificate chain, PEM.
    pub(super) cert: Option<PathBuf>,
    /// tls: private key, PEM.
    pub(super) key: Option<PathBuf>,
    /// tls: clients must show a certificate of one of these authorities, PEM.
    pub(super) client_ca: Option<PathBuf>,
    /// stdin: after waiting so long for a sink, the newest records are dropped, counted.
    pub(super) max_stall: Option<Time>,
    /// otlp: the servers.
    pub(super) otlp: Option<OtlpSource>,
}

/// A sink in full. Which keys go with which type is checked where it is read.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SinkTable {
    /// What it is.
    #[serde(rename = "type")]
    pub(super) kind: SinkType,
    /// Its name in metrics and messages.
    pub(super) name: Option<String>,
    /// tcp, tls: the receiver's address, `logs.example:6514`.
    pub(super) address: Option<String>,
    /// unix: the receiver's socket. file: the file, `/var/log/all.log`, or one for each followed file,
    /// `/var/log/inkout/{relative}`.
    pub(super) path: Option<PathBuf>,
    /// file: a file that is larger is rotated.
    pub(super) max_size: Option<Size>,
    /// file: a file that is older is rotated.
    pub(super) max_age: Option<Time>,
    /// file: how many rotated files are kept.
    pub(super) keep: Option<u32>,
    /// file: permission bits of new files, `"0640"`.
    pub(super) mode: Option<String>,
    /// file: whether a record counts as delivered only when the disk has it.
    pub(super) sync: Option<bool>,
    /// How records are told apart; as in the source unless said here.
    pub(super) framing: Option<FramingName>,
    /// Bytes that may wait in memory.
    pub(super) buffer: Option<Size>,
    /// What to do when they do.
    #[serde(default)]
    pub(super) when_full: WhenFull,
    /// What waits for the receiver waits on disk, masked, also over a restart.
    pub(super) spool: Option<SpoolTable>,
    /// tls: authorities to trust instead of the system's, PEM.
    pub(super) ca: Option<PathBuf>,
    /// tls: the name the receiver's certificate must have, if it is not the address's.
    pub(super) server_name: Option<String>,
    /// tls: our certificate chain, PEM.
    pub(super) cert: Option<PathBuf>,
    /// tls: our private key, PEM.
    pub(super) key: Option<PathBuf>,
    /// otlp: the client.
    pub(super) otlp: Option<OtlpSink>,
}

/// A spool on disk.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SpoolTable {
    /// How large it may become, `"1GiB"`.
    pub(super) max_size: Size,
    /// A folder of its own; by default one in `state_dir`.
    pub(super) path: Option<PathBuf>,
}

pub(super) fn drain_deadline() -> Time {
    Time(Duration::from_secs(25))
}

pub(super) fn partial_records() -> Size {
    Size(32 << 20)
}

/// What one word can say: `tcp:127.0.0.1:6000`.
pub(super) trait Word: Sized {
    fn from_word(word: &str) -> Result<Self, EndpointError>;
}

/// A table, or the word for one.
#[derive(Clone, Debug)]
pub(super) struct Entry<T>(pub(super) T);

impl<'de, T: Word + Deserialize<'de>> Deserialize<'de> for Entry<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entry<T>, D::Error> {
        struct Either<T>(std::marker::PhantomData<T>);
        impl<'de, T: Word + Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = Entry<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a word such as \"tcp:127.0.0.1:6000\", or a table with `type`")
            }
            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Entry<T>, E> {
                T::from_word(word).map(Entry).map_err(E::custom)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Entry)
            }
        }
        deserializer.deserialize_any(Either(std::marker::PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Entry<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("{}OrWord", T::schema_name()).into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let table = generator.subschema_for::<T>();
        schemars::json_schema!({ "anyOf": [{ "type": "string", "examples": ["tcp:127.0.0.1:6000"] }, table] })
    }
}

impl Word for SourceTable {
    fn from_word(word: &str) -> Result<SourceTable, EndpointError> {
        let table = |kind| SourceTable { kind, ..SourceTable::default() };
        Ok(match split(word) {
            ("stdin", "") => table(SourceType::Stdin),
            ("tcp", address) => SourceTable { listen: Some(address.to_owned()), ..table(SourceType::Tcp) },
            ("unix", path) => SourceTable { path: Some(path.into()), ..table(SourceType::Unix) },
            ("file", path) => SourceTable { paths: Some(vec![path.to_owned()]), ..table(SourceType::File) },
            ("otlp", listen) => SourceTable { otlp: Some(OtlpSource::from_word(listen)?), ..table(SourceType::Otlp) },
            ("tls", _) => {
                return Err(EndpointError::NeedsTable { word: word.to_owned(), keys: "listen, cert and key" });
            }
            _ => return Err(unknown("source", word, &["stdin", "file:PATTERN", "tcp:ADDRESS", "unix:PATH", "otlp"])),
        })
    }
}

impl Word for SinkTable {
    fn from_word(word: &str) -> Result<SinkTable, EndpointError> {
        let table = |kind| SinkTable { kind, ..SinkTable::default() };
        Ok(match split(word) {
            ("stdout", "") => table(SinkType::Stdout),
            ("tcp", address) => SinkTable { address: Some(address.to_owned()), ..table(SinkType::Tcp) },
            ("tls", address) => SinkTable { address: Some(address.to_owned()), ..table(SinkType::Tls) },
            ("unix", path) => SinkTable { path: Some(path.into()), ..table(SinkType::Unix) },
            ("file", path) => SinkTable { path: Some(path.into()), ..table(SinkType::File) },
            ("otlp" | "otlp+http" | "otlp+https", _) => {
                SinkTable { otlp: Some(OtlpSink::from_url(word)?), ..table(SinkType::Otlp) }
            }
            _ => {
                let known = [
                    "stdout",
                    "file:PATH",
                    "tcp:ADDRESS",
                    "tls:ADDRESS",
                    "unix:PATH",
                    "otlp:URL",
                    "otlp+http://HOST:PORT",
                ];
                return Err(unknown("sink", word, &known));
            }
        })
    }
}

fn split(word: &str) -> (&str, &str) {
    word.split_once(':').unwrap_or((word, ""))
}

fn unknown(what: &'static str, word: &str, known: &[&str]) -> EndpointError {
    let meant = nearest(split(word).0, known.iter().map(|known| split(known).0)).unwrap_or_default();
    EndpointError::Unknown { what, word: word.to_owned(), meant: meant.to_owned(), known: known.join(", ") }
}

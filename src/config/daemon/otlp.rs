//! What can be set for OTLP: the `otlp` tables of a source and of a sink. Values are read once and are right from then on;
//! files and addresses are opened in their own places.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use super::units::{Size, Time};

/// `otlp` in a source: the servers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(!default)]
pub struct OtlpSource {
    /// Address for gRPC, or `"off"`. Default: `"127.0.0.1:14317"`, beside a Collector on 4317.
    #[schemars(with = "String")]
    pub grpc: OtlpListen,
    /// Address for HTTP, or `"off"`. Default: `"127.0.0.1:14318"`.
    #[schemars(with = "String")]
    pub http: OtlpListen,
    /// Allows an address that is not loopback without TLS. Default: `false`.
    pub insecure: bool,
    /// Certificate and key of the servers, and whose clients they take.
    pub tls: Option<OtlpServerTls>,
    /// A file that holds the token which clients must send as `authorization: Bearer`. That header is then not forwarded.
    pub bearer_token_file: Option<PathBuf>,
    /// Headers and metadata that are handed to upstream, and never logged. Default: `authorization`, `x-scope-orgid`,
    /// `traceparent`, `tracestate`.
    #[serde(deserialize_with = "header_names")]
    #[schemars(with = "Vec<String>")]
    pub forward_headers: Vec<HeaderName>,
    /// Connections in all. Default: 1024.
    pub max_connections: usize,
    /// Connections from one address. Default: 256.
    pub max_connections_per_peer: usize,
    /// Requests at once on one connection. Default: 100.
    pub max_streams: u32,
    /// Size of a batch after decompression. Default: 64 MiB.
    #[serde(rename = "max_message", deserialize_with = "size")]
    #[schemars(with = "Size")]
    pub max_message_bytes: usize,
    /// By how much a compressed batch may grow, beyond 8 MiB. Default: 100.
    pub max_ratio: usize,
    /// Bytes of all batches that are held at once. Default: 256 MiB.
    #[serde(rename = "max_in_flight", deserialize_with = "size")]
    #[schemars(with = "Size")]
    pub max_in_flight_bytes: usize,
    /// Time for a connection to begin, and for the head of a request. Default: `"10s"`.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Time")]
    pub header_timeout: Duration,
    /// Time for the body of a request. Default: `"30s"`.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Time")]
    pub body_timeout: Duration,
    /// How long a connection without requests is kept. Default: `"5m"`.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Time")]
    pub idle_timeout: Duration,
    /// Time for requests in flight when the hop is told to end. Default: `"15s"`.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Time")]
    pub drain_deadline: Duration,
}

/// `otlp` in a sink: the client.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OtlpSink {
    /// `http://HOST:PORT` or `https://HOST:PORT`; for HTTP, a path before `/v1/logs` may follow.
    #[schemars(with = "String")]
    pub endpoint: Endpoint,
    /// `"grpc"` or `"http"`. Default: `"grpc"`.
    #[serde(default)]
    pub protocol: Protocol,
    /// Where batches in JSON go, by HTTP, when the protocol is gRPC, which knows no JSON. Without it they are refused.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub json_endpoint: Option<Endpoint>,
    /// `"none"`, `"gzip"` or `"zstd"`. Default: `"none"`.
    #[serde(default)]
    pub compression: Coding,
    /// Time for upstream's answer; a client's own deadline may be shorter. Default: `"10s"`.
    #[serde(default = "ten_seconds", deserialize_with = "time")]
    #[schemars(with = "Option<Time>")]
    pub timeout: Duration,
    /// Time for a connection. Default: `"5s"`.
    #[serde(default = "five_seconds", deserialize_with = "time")]
    #[schemars(with = "Option<Time>")]
    pub connect_timeout: Duration,
    /// Headers that each request gets.
    #[serde(default, deserialize_with = "headers")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Headers whose values are in files, for those that are secret.
    #[serde(default)]
    pub header_files: BTreeMap<String, PathBuf>,
    /// Whom to trust and who we are, for `https`.
    #[serde(default)]
    pub tls: OtlpClientTls,
    /// Size of upstream's answer. Default: 4 MiB.
    #[serde(rename = "max_response", default = "four_mebibytes", deserialize_with = "size")]
    #[schemars(with = "Option<Size>")]
    pub max_response_bytes: usize,
    /// Answers clients at once and keeps their batches in memory until upstream has them. Without it, a client is answered
    /// when upstream has answered, and nothing can be lost here.
    #[serde(default)]
    pub queue: Option<OtlpQueue>,
}

/// `queue` in `otlp` in a sink: batches that wait in memory. They are lost with the process.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(!default)]
pub struct OtlpQueue {
    /// Size of all batches in it; over it, clients are told to come back. Default: 64 MiB.
    #[serde(rename = "max", deserialize_with = "size")]
    #[schemars(with = "Size")]
    pub max_bytes: usize,
    /// For how long a batch is tried; then it is dropped and counted. Default: `"5m"`.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Time")]
    pub retry_for: Duration,
    /// Time before the second try. It doubles with each, give or take a half, and upstream may ask for more. Default: `"1s"`.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Time")]
    pub first_backoff: Duration,
    /// The longest time between two tries, unless upstream asks for more. Default: `"30s"`.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Time")]
    pub max_backoff: Duration,
    /// Batches that are sent at once, 1 to 64. With more than one, batches may change their order. Default: 4.
    #[serde(deserialize_with = "senders")]
    pub senders: usize,
}

impl Default for OtlpQueue {
    fn default() -> OtlpQueue {
        OtlpQueue {
            max_bytes: 64 << 20,
            retry_for: Duration::from_secs(300),
            first_backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(30),
            senders: 4,
        }
    }
}

impl OtlpSource {
    /// Files that it names, which may be relative.
    pub(super) fn paths(&mut self) -> Vec<&mut PathBuf> {
        let tls = self.tls.iter_mut().flat_map(|OtlpServerTls { cert_file, key_file, client_ca_file }| {
            [cert_file, key_file].into_iter().chain(client_ca_file)
        });
        tls.chain(&mut self.bearer_token_file).collect()
    }

    /// Files that it names.
    pub fn files(&self) -> Vec<PathBuf> {
        self.clone().paths().into_iter().map(std::mem::take).collect()
    }
}

impl OtlpSink {
    /// Files that it names, which may be relative.
    pub(super) fn paths(&mut self) -> Vec<&mut PathBuf> {
        let OtlpClientTls { ca_file, cert_file, key_file, .. } = &mut self.tls;
        let tls = [ca_file, cert_file, key_file].into_iter().flatten();
        tls.chain(self.header_files.values_mut()).collect()
    }

    /// Files that it names.
    pub fn files(&self) -> Vec<PathBuf> {
        self.clone().paths().into_iter().map(std::mem::take).collect()
    }
}

/// Certificate and key of a server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OtlpServerTls {
    /// Our certificate and its chain, PEM.
    pub cert_file: PathBuf,
    /// Its key, PEM.
    pub key_file: PathBuf,
    /// Certificates that clients' ones must come from (mTLS).
    pub client_ca_file: Option<PathBuf>,
}

/// Whom a client trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OtlpClientTls {
    /// Certificates that upstream's must come from. Default: the system's.
    pub ca_file: Option<PathBuf>,
    /// Our certificate (mTLS), PEM.
    pub cert_file: Option<PathBuf>,
    /// Its key, PEM.
    pub key_file: Option<PathBuf>,
    /// The name in upstream's certificate, where it is not the host of the endpoint.
    pub server_name: Option<String>,
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Coding {
    /// Not at all.
    #[default]
    #[serde(rename = "none")]
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

/// An address to listen on, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpListen {
    /// Here. Port 0 takes any that is free.
    On(SocketAddr),
    /// Not at all.
    Off,
}

/// What upstream speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// gRPC, by convention on port 4317.
    #[default]
    Grpc,
    /// Protobuf or JSON in HTTP, by convention on port 4318.
    Http,
}

/// Where upstream is: scheme, host, port, and a path to put before the signal's.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Uri);

/// Why an option's text is not one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// Neither an address nor `off`.
    #[error("`{0}` is no address to listen on; wanted: `127.0.0.1:4317`, `[::1]:4317`, `off`")]
    Listen(String),
    /// Not what we can connect to. The text is not repeated: it may hold a password.
    #[error("the endpoint {0}; wanted: `http://HOST:PORT` or `https://HOST:PORT`")]
    Endpoint(&'static str),
}

impl Default for OtlpSource {
    fn default() -> OtlpSource {
        OtlpSource {
            grpc: OtlpListen::On(SocketAddr::from(([127, 0, 0, 1], 14317))),
            http: OtlpListen::On(SocketAddr::from(([127, 0, 0, 1], 14318))),
            insecure: false,
            tls: None,
            bearer_token_file: None,
            forward_headers: ["authorization", "x-scope-orgid", "traceparent", "tracestate"]
                .map(HeaderName::from_static)
                .into(),
            max_connections: 1024,
            max_connections_per_peer: 256,
            max_streams: 100,
            max_message_bytes: 64 << 20,
            max_ratio: 100,
            max_in_flight_bytes: 256 << 20,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(300),
            drain_deadline: Duration::from_secs(15),
        }
    }
}

impl OtlpSource {
    /// What stands behind `otlp:` in `--from`: nothing for the defaults, an address for gRPC, or one for gRPC and one for
    /// HTTP with a comma between them.
    pub(super) fn from_word(listen: &str) -> Result<OtlpSource, OptionError> {
        let defaults = OtlpSource::default();
        Ok(match listen.split_once(',') {
            _ if listen.is_empty() => defaults,
            None => OtlpSource { grpc: listen.parse()?, http: OtlpListen::Off, ..defaults },
            Some((grpc, http)) => OtlpSource { grpc: grpc.parse()?, http: http.parse()?, ..defaults },
        })
    }
}

impl OtlpSink {
    /// The defaults, for `endpoint`.
    pub fn new(endpoint: Endpoint, protocol: Protocol) -> OtlpSink {
        OtlpSink {
            endpoint,
            protocol,
            json_endpoint: None,
            compression: Coding::Identity,
            timeout: ten_seconds(),
            connect_timeout: five_seconds(),
            headers: Vec::new(),
            header_files: BTreeMap::new(),
            tls: OtlpClientTls::default(),
            max_response_bytes: four_mebibytes(),
            queue: None,
        }
    }

    /// What `--to` names: `otlp:http://HOST:4317` is gRPC, `otlp+http://HOST:4318` and `otlp+https://HOST:4318` are HTTP.
    ///
    /// # Errors
    /// When it is neither.
    pub fn from_url(url: &str) -> Result<OtlpSink, OptionError> {
        let (protocol, endpoint) = match url.split_once(':') {
            Some(("otlp", rest)) => (Protocol::Grpc, rest),
            Some(("otlp+http" | "otlp+https", _)) => (Protocol::Http, &url["otlp+".len()..]),
            _ => return Err(OptionError::Endpoint("begins with neither `otlp:` nor `otlp+http`")),
        };
        Ok(OtlpSink::new(endpoint.parse()?, protocol))
    }
}

impl FromStr for OtlpListen {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<OtlpListen, OptionError> {
        match text.replace("localhost:", "127.0.0.1:").parse() {
            _ if text == "off" => Ok(OtlpListen::Off),
            Ok(address) => Ok(OtlpListen::On(address)),
            Err(_) => Err(OptionError::Listen(text.to_owned())),
        }
    }
}

impl FromStr for Endpoint {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Endpoint, OptionError> {
        let uri: Uri = text.parse().map_err(|_| OptionError::Endpoint("is no URL"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(OptionError::Endpoint("has no `http` or `https`"));
        }
        let authority = uri.authority().ok_or(OptionError::Endpoint("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(OptionError::Endpoint("has a user or password: set `headers` or `header_files` instead"));
        }
        if uri.query().is_some() {
            return Err(OptionError::Endpoint("has a query"));
        }
        Ok(Endpoint(uri))
    }
}

impl Endpoint {
    /// The endpoint with `path` after its own.
    pub fn join(&self, path: &str) -> Uri {
        let path = format!("{}{path}", self.0.path().trim_end_matches('/'));
        let mut parts = self.0.clone().into_parts();
        parts.path_and_query = Some(path.parse().expect("a path after a path is a path"));
        Uri::from_parts(parts).expect("an endpoint has scheme and host")
    }

    /// Whether it is reached by TLS.
    pub fn is_tls(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// The host, without port.
    pub fn host(&self) -> &str {
        self.0.host().unwrap_or_default()
    }

    /// Whether it has a path of its own.
    pub fn has_path(&self) -> bool {
        !matches!(self.0.path(), "" | "/")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for OtlpListen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OtlpListen, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Endpoint, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let Time(time) = Time::deserialize(deserializer)?;
    if time.is_zero() { Err(de::Error::custom("must be more than 0")) } else { Ok(time) }
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let Size(size) = Size::deserialize(deserializer)?;
    // What one frame of gRPC can hold.
    let fits = (1..=u32::MAX as usize).contains(&size);
    fits.then_some(size).ok_or_else(|| de::Error::custom("allowed are 1B to 4GiB"))
}

fn senders<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let senders = usize::deserialize(deserializer)?;
    let fits = (1..=64).contains(&senders);
    fits.then_some(senders).ok_or_else(|| de::Error::custom("allowed are 1 to 64"))
}

fn header_names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<HeaderName>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    names.iter().map(|name| header_name(name).map_err(de::Error::custom)).collect()
}

fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(HeaderName, HeaderValue)>, D::Error> {
    let headers = BTreeMap::<String, String>::deserialize(deserializer)?;
    let header = |(name, value): (&String, &String)| Ok((header_name(name)?, header_value(name, value)?));
    headers.iter().map(|pair| header(pair).map_err(|error: String| de::Error::custom(error))).collect()
}

/// A name that may be forwarded or set: not one that says how the message itself is sent.
///
/// # Errors
/// In words, when it is neither.
pub fn header_name(name: &str) -> Result<HeaderName, String> {
    const OURS: [&str; 10] = [
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    ];
    let known: HeaderName = name.to_ascii_lowercase().parse().map_err(|_| format!("`{name}` is no header's name"))?;
    if OURS.contains(&known.as_str()) || known.as_str().starts_with("grpc-") {
        return Err(format!("the header `{name}` is set by the hop itself"));
    }
    Ok(known)
}

/// A value that is never printed.
///
/// # Errors
/// In words, without the value, when it is none.
pub fn header_value(name: &str, value: &str) -> Result<HeaderValue, String> {
    let mut value: HeaderValue =
        value.parse().map_err(|_| format!("the value of header `{name}` is no header value"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

fn four_mebibytes() -> usize {
    4 << 20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Both {
        #[serde(default)]
        source: OtlpSource,
        sink: OtlpSink,
    }

    fn read(text: &str) -> Result<Both, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn the_defaults_are_loopback_beside_a_collector() {
        let options = read("sink.endpoint = 'http://127.0.0.1:4317'").unwrap();
        assert_eq!(options.source.grpc, "127.0.0.1:14317".parse().unwrap());
        assert_eq!(options.source.http, "127.0.0.1:14318".parse().unwrap());
        assert_eq!((options.sink.protocol, options.sink.compression), (Protocol::Grpc, Coding::Identity));
        assert_eq!(options.sink.timeout, Duration::from_secs(10));
    }

    #[test]
    fn what_is_wrong_is_named_with_what_was_wanted() {
        for (text, wanted) in [
            ("sink.endpoint = 'collector:4317'", "wanted: `http://HOST:PORT`"),
            ("sink.endpoint = 'http://user:word@collector'", "set `headers`"),
            ("sink.endpoint = 'http://c'\nsource.grpc = '4317'", "`4317` is no address to listen on"),
            ("sink.endpoint = 'http://c'\nsource.port = 4317", "unknown field `port`"),
            ("sink.endpoint = 'http://c'\nsink.retry = true", "unknown field `retry`"),
            ("sink.endpoint = 'http://c'\nsink.timeout = '10x'", "`10x` is not"),
            ("sink.endpoint = 'http://c'\nsink.timeout = '0s'", "must be more than 0"),
            ("sink.endpoint = 'http://c'\nsource.max_message = '5GiB'", "1B to 4GiB"),
            ("sink.endpoint = 'http://c'\nsink.compression = 'br'", "expected one of `none`, `gzip`, `zstd`"),
            ("sink.endpoint = 'http://c'\nsource.forward_headers = ['host']", "set by the hop itself"),
            ("sink.endpoint = 'http://c'\nsink.queue.senders = 0", "allowed are 1 to 64"),
            ("sink.endpoint = 'http://c'\nsink.queue.spool = 'x'", "unknown field `spool`"),
            ("source.insecure = true", "missing field `sink`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }

    #[test]
    fn a_url_of_the_command_line_says_what_upstream_speaks() {
        for (url, protocol, logs) in [
            ("otlp:http://collector:4317", Protocol::Grpc, "http://collector:4317/v1/logs"),
            ("otlp+http://collector:4318", Protocol::Http, "http://collector:4318/v1/logs"),
            ("otlp+https://gateway/otlp/", Protocol::Http, "https://gateway/otlp/v1/logs"),
        ] {
            let options = OtlpSink::from_url(url).unwrap();
            assert_eq!((options.protocol, options.endpoint.join("/v1/logs").to_string().as_str()), (protocol, logs));
        }
        assert!(OtlpSink::from_url("tcp:collector:4317").is_err());
    }

    #[test]
    fn a_headers_value_is_not_printed() {
        let options = read("sink.endpoint = 'http://c'\nsink.headers.x-api-key = 'abc-123'").unwrap();
        assert_eq!(options.sink.headers.len(), 1);
        assert!(!format!("{options:?}").contains("abc-123"));
    }
}

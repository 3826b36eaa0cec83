//! What `inkout run` tells about itself: the tables `[admin]`, `[metrics]`, `[findings]` and `[log]`. How it is told is the work
//! of the rooms of those names.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::units::{Size, Time};

/// The four tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observe {
    /// Without one, the port is opened if nobody else has it.
    pub admin: Option<AdminOptions>,
    /// Always counted.
    pub metrics: MetricsOptions,
    /// Off unless there is one.
    pub findings: Option<FindingsOptions>,
    /// Always there.
    pub log: LogOptions,
}

/// Where nothing else listens by default, on the machine itself alone.
const DEFAULT_LISTEN: &str = "127.0.0.1:9611";

/// `[admin]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdminOptions {
    /// `ADDRESS:PORT`, `unix:PATH` or `off`. Nobody is asked who they are: listen on the machine itself alone, or let the
    /// network keep strangers out.
    #[schemars(with = "String")]
    pub listen: Listen,
}

impl Default for AdminOptions {
    fn default() -> AdminOptions {
        AdminOptions { listen: Listen::parse(DEFAULT_LISTEN).expect("an address and a port") }
    }
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    Off,
    /// On a port.
    Tcp(SocketAddr),
    /// On a socket that only its owner may open.
    Unix(PathBuf),
}

impl Listen {
    /// What `text` says.
    ///
    /// # Errors
    /// Says what is allowed.
    pub fn parse(text: &str) -> Result<Listen, String> {
        match (text, text.strip_prefix("unix:")) {
            ("off", _) => Ok(Listen::Off),
            (_, Some(path)) if path.starts_with('/') => Ok(Listen::Unix(path.into())),
            (_, Some(_)) => Err(format!("`{text}`: the path of a socket is absolute: unix:/run/inkout/admin.sock")),
            _ => text.parse().map(Listen::Tcp).map_err(|_| {
                format!("`{text}` is no address to listen on: {DEFAULT_LISTEN}, [::1]:9611, unix:/run/inkout/admin.sock or off")
            }),
        }
    }

    /// Whether other machines may reach it.
    pub fn is_exposed(&self) -> bool {
        matches!(self, Listen::Tcp(address) if !address.ip().is_loopback())
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Listen, D::Error> {
        Listen::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Which rules have series of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RuleSeries {
    /// Those that found something.
    #[default]
    Fired,
    /// All, from 0.
    All,
    /// None.
    Off,
}

/// `[metrics]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsOptions {
    /// Which rules have series of their own: fired, all or off.
    pub rules: RuleSeries,
    /// Pushes the metrics too.
    pub otlp: Option<OtlpOptions>,
}

/// `[metrics.otlp]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OtlpOptions {
    /// Where an OTLP receiver listens for gRPC: `http://127.0.0.1:4317`. Only `http`: put a Collector beside inkout for TLS.
    pub endpoint: String,
    /// Time between two pushes.
    #[serde(default = "push_interval", deserialize_with = "time")]
    #[schemars(with = "Time")]
    pub interval: Duration,
}

/// `[findings]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindingsOptions {
    /// Where the JSON lines go: a path, or `-` for standard output.
    pub path: PathBuf,
    /// Time between two lines about a secret that goes on being logged.
    #[serde(default = "update_interval", deserialize_with = "time")]
    #[schemars(with = "Time")]
    pub update_interval: Duration,
    /// How many secrets are remembered; beyond that, the one not seen for longest is forgotten.
    #[serde(default = "remember")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub remember: usize,
    /// A file that has grown to this is renamed to `PATH.1`, in place of an older one.
    #[serde(default = "max_size", deserialize_with = "size")]
    #[schemars(with = "Size")]
    pub max_size: u64,
    /// By name of a known value: whose it is and where it is revoked.
    #[serde(default)]
    pub known: BTreeMap<String, Contact>,
    /// Those that the known values of pipelines name, in their order.
    #[serde(skip)]
    contacts: Vec<(String, Contact)>,
}

/// `[findings.known.NAME]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Contact {
    /// Who must be told.
    pub owner: Option<String>,
    /// Where it is revoked.
    pub revoke: Option<String>,
}

impl FindingsOptions {
    /// Who is told of the known value `name`: its own entry, else the first whose `*` and `?` fit.
    pub fn contact(&self, name: &str) -> Option<&Contact> {
        let mut entries = self.known.iter().chain(self.contacts.iter().map(|(names, contact)| (names, contact)));
        let fits = |entry: &(&String, &Contact)| crate::engine::glob(entry.0, name.as_bytes());
        self.known.get(name).or_else(|| entries.find(fits).map(|(_, contact)| contact))
    }

    /// Adds the contacts that the known values of a pipeline name, behind those that are here.
    pub fn add_contacts(&mut self, sources: &crate::config::KnownSources) {
        let own =
            |contact: &crate::config::Contact| Contact { owner: contact.owner.clone(), revoke: contact.revoke.clone() };
        self.contacts.extend(sources.contacts.iter().map(|contact| (contact.names.clone(), own(contact))));
    }

    /// A stream to `path`, with the defaults.
    pub fn to(path: impl Into<PathBuf>) -> FindingsOptions {
        FindingsOptions {
            path: path.into(),
            update_interval: update_interval(),
            remember: remember(),
            max_size: max_size(),
            known: BTreeMap::new(),
            contacts: Vec::new(),
        }
    }

    /// Whether the lines go to standard output, where no pipeline may write then.
    pub fn is_stdout(&self) -> bool {
        self.path.as_os_str() == "-"
    }
}

/// `[log]`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogOptions {
    /// How a message is written: text or json.
    pub format: LogFormat,
    /// The least important messages that are written: off, error, warn, info, debug or trace.
    pub level: LogLevel,
}

/// How a message is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// One object per line.
    Json,
}

/// How much is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Something is lost or cannot be done.
    Error,
    /// Something will be, if nobody looks.
    Warn,
    /// What changed.
    #[default]
    Info,
    /// What was decided.
    Debug,
    /// Each step.
    Trace,
}

fn push_interval() -> Duration {
    Duration::from_secs(60)
}

fn update_interval() -> Duration {
    Duration::from_secs(3600)
}

fn remember() -> usize {
    10_000
}

fn max_size() -> u64 {
    64 << 20
}

/// Not none: what happens every 0 s never ends.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let time = Time::deserialize(deserializer)?.0;
    if time < Duration::from_secs(1) { Err(serde::de::Error::custom("must be 1s or more")) } else { Ok(time) }
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let size = Size::deserialize(deserializer)?.0 as u64;
    if size < 4096 { Err(serde::de::Error::custom("must be 4KiB or more")) } else { Ok(size) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_on_the_machine_itself_unless_an_address_is_named() {
        assert!(!AdminOptions::default().listen.is_exposed());
        let cases = [
            ("127.0.0.1:1", false),
            ("[::1]:1", false),
            ("0.0.0.0:1", true),
            ("10.0.0.1:1", true),
            ("unix:/a", false),
            ("off", false),
        ];
        for (text, exposed) in cases {
            assert_eq!(Listen::parse(text).map(|listen| listen.is_exposed()), Ok(exposed), "{text}");
        }
        for text in ["", "9611", "localhost:9611", ":9611", "unix:a", "unix:", "127.0.0.1"] {
            assert!(Listen::parse(text).is_err(), "{text}");
        }
    }
}

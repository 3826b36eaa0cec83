//! `[findings]` of the configuration file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// `[findings]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindingsOptions {
    /// Where the JSON lines go: a path, or `-` for standard output.
    pub path: PathBuf,
    /// Seconds between two lines about a secret that goes on being logged.
    #[serde(default = "update_seconds")]
    #[schemars(range(min = 1))]
    pub update_seconds: u32,
    /// How many secrets are remembered; beyond that, the one not seen for longest is forgotten.
    #[serde(default = "remember")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub remember: usize,
    /// A file that has grown to this is renamed to `PATH.1`, in place of an older one.
    #[serde(default = "max_bytes")]
    #[schemars(range(min = 4096))]
    pub max_bytes: u64,
    /// By name of a known value: whose it is and where it is revoked.
    #[serde(default)]
    pub known: BTreeMap<String, Contact>,
}

/// `[findings.known.NAME]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Contact {
    /// Who must be told.
    pub owner: Option<String>,
    /// Where it is revoked.
    pub revoke: Option<String>,
}

impl FindingsOptions {
    /// A stream to `path`, with the defaults.
    pub fn to(path: impl Into<PathBuf>) -> FindingsOptions {
        FindingsOptions {
            path: path.into(),
            update_seconds: update_seconds(),
            remember: remember(),
            max_bytes: max_bytes(),
            known: BTreeMap::new(),
        }
    }

    /// Whether the lines go to standard output, where no pipeline may write then.
    pub fn is_stdout(&self) -> bool {
        self.path.as_os_str() == "-"
    }

    pub(super) fn update_every(&self) -> Duration {
        Duration::from_secs(u64::from(self.update_seconds.max(1)))
    }
}

fn update_seconds() -> u32 {
    3600
}

fn remember() -> usize {
    10_000
}

fn max_bytes() -> u64 {
    64 << 20
}

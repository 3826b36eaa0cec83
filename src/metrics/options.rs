//! `[metrics]` of the configuration file.

use std::time::Duration;

use serde::Deserialize;

/// Which rules have series of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsOptions {
    /// Which rules have series of their own: fired, all or off.
    pub rules: RuleSeries,
    /// Pushes the metrics too.
    pub otlp: Option<OtlpOptions>,
}

/// `[metrics.otlp]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OtlpOptions {
    /// Where an OTLP receiver listens for gRPC: `http://127.0.0.1:4317`. Only `http`: put a Collector beside inkout for TLS.
    pub endpoint: String,
    /// Seconds between two pushes.
    #[serde(default = "interval", rename = "interval_seconds")]
    #[schemars(range(min = 1, max = 86_400))]
    pub interval: u32,
}

impl OtlpOptions {
    /// Time between two pushes.
    pub fn interval(&self) -> Duration {
        Duration::from_secs(u64::from(self.interval.max(1)))
    }
}

fn interval() -> u32 {
    60
}

//! What stands in for the pipelines of OTLP in a program that was built without them: a refusal.

use crate::config::daemon::SourceKind;
use crate::metrics::Metrics;
use crate::pipeline::{Planned, Renew};

/// None.
pub(super) struct Hops;

impl Hops {
    #[expect(clippy::unused_async, reason = "the same face as with them")]
    pub(super) async fn start(planned: Vec<Planned>, _: &Metrics) -> anyhow::Result<(Hops, Vec<Planned>)> {
        let otlp = planned.iter().find(|planned| matches!(planned.config.source.kind, SourceKind::Otlp(_)));
        match otlp {
            Some(planned) => anyhow::bail!("pipeline `{}`: this program was built without OTLP", planned.config.name),
            None => Ok((Hops, planned)),
        }
    }

    pub(super) fn renewals(&mut self) -> Vec<Renew> {
        Vec::new()
    }

    pub(super) fn is_empty(&self) -> bool {
        true
    }

    #[expect(clippy::unused_async, reason = "the same face as with them")]
    pub(super) async fn drain(self) -> bool {
        true
    }
}

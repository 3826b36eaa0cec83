//! What tells of the pipelines: the log, the counters, the findings stream, the admin port, the push. Opened before anything
//! is read, closed after everything was delivered.

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::print::complain;
use super::load::FirstLoad;
use crate::admin::{Admin, AdminOptions};
use crate::config::daemon::{Daemon, Observe, SinkKind};
use crate::findings::{Findings, FindingsWriter};
use crate::log::Log;
use crate::metrics::{Metrics, Push};

/// Those that have threads of their own.
pub(super) struct Observers {
    pub(super) metrics: Metrics,
    pub(super) findings: Findings,
    writer: Option<FindingsWriter>,
    log: Log,
}

/// Those that live in the runtime.
pub(super) struct Open {
    cancel: CancellationToken,
    admin: Option<JoinHandle<()>>,
    push: Option<Push>,
}

impl Observers {
    pub(super) fn start(daemon: &Daemon, first: &FirstLoad) -> anyhow::Result<Observers> {
        let Observe { metrics, findings, log, .. } = &daemon.observe;
        let metrics = Metrics::new(metrics.rules);
        let guard = &first.guard;
        let mut sinks = daemon.pipelines.iter().flat_map(|pipeline| &pipeline.sinks);
        let stdout_is_data = sinks.any(|sink| sink.kind == SinkKind::Stdout);
        let (findings, writer) = match findings {
            None => (Findings::off(), None),
            Some(options) => {
                anyhow::ensure!(
                    !(options.is_stdout() && stdout_is_data),
                    "findings: standard output is a sink of a pipeline already; write them to a file"
                );
                let mut options = options.clone();
                daemon.pipelines.iter().for_each(|pipeline| options.add_contacts(&pipeline.redact.known));
                let (findings, writer) = Findings::start(options, guard.clone(), &metrics)?;
                (findings, Some(writer))
            }
        };
        let log = Log::start(log, guard, &metrics)?;
        Ok(Observers { metrics, findings, writer, log })
    }

    pub(super) async fn open(&self, observe: &Observe) -> anyhow::Result<Open> {
        let cancel = CancellationToken::new();
        let push = observe.metrics.otlp.as_ref().map(|options| Push::start(&self.metrics, options)).transpose()?;
        let admin = admin(observe.admin.as_ref()).await?;
        let admin = admin.map(|admin| tokio::spawn(admin.serve(self.metrics.clone(), cancel.clone())));
        Ok(Open { cancel, admin, push })
    }

    /// Writes the last lines of each.
    pub(super) fn stop(self) {
        if let Some(writer) = self.writer {
            let left = writer.stop();
            if left > 0 {
                complain(&format!("{left} lines of the findings stream were not written"));
            }
        }
        self.log.stop();
    }
}

impl Open {
    pub(super) async fn close(self) {
        if let Some(push) = self.push {
            push.stop().await;
        }
        self.cancel.cancel();
        if let Some(admin) = self.admin {
            let _ = admin.await;
        }
    }
}

/// The port. One that nobody asked for by name is no reason not to mask.
async fn admin(asked: Option<&AdminOptions>) -> anyhow::Result<Option<Admin>> {
    let options = asked.cloned().unwrap_or_default();
    let admin = match (Admin::bind(&options).await, asked) {
        (Err(error), None) => {
            tracing::warn!("{error}; there is neither health nor metrics. Choose another address: [admin] listen");
            return Ok(None);
        }
        (admin, _) => admin?,
    };
    if let Some(admin) = &admin {
        tracing::info!(address = admin.place(), "serving health, metrics and the status page");
        if options.listen.is_exposed() {
            tracing::warn!(
                address = admin.place(),
                "other machines can read the status page; let a network policy keep strangers out"
            );
        }
    }
    Ok(admin)
}

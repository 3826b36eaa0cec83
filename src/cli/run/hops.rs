//! The pipelines of OTLP in `inkout run`: they have servers and a client of their own, and share everything else.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::print::complain;
use crate::config::daemon::{Pipeline, SinkKind, SourceKind};
use crate::hop::{Hop, HopOptions, HopSummary, Renewal, WorkersRedactor};
use crate::metrics::Metrics;
use crate::otlp::Limits;
use crate::pipeline::{Gate, Planned, Renew};

/// Hops at work.
#[derive(Default)]
pub(super) struct Hops {
    running: Vec<(String, JoinHandle<HopSummary>)>,
    renewals: Vec<Renew>,
    stop: CancellationToken,
}

impl Hops {
    /// Opens the hops among `planned`, and gives the other pipelines back.
    pub(super) async fn start(planned: Vec<Planned>, metrics: &Metrics) -> anyhow::Result<(Hops, Vec<Planned>)> {
        let (mut hops, mut others) = (Hops::default(), Vec::new());
        for planned in planned {
            let Some(options) = options(&planned.config) else {
                others.push(planned);
                continue;
            };
            hops.open(options, planned, metrics).await?;
        }
        Ok((hops, others))
    }

    async fn open(&mut self, options: HopOptions, planned: Planned, metrics: &Metrics) -> anyhow::Result<()> {
        let name = options.name.clone();
        let gate: watch::Receiver<Gate> = planned.gate;
        let open = move || *gate.borrow() == Gate::Open;
        planned.workers.engine().into_iter().for_each(|engine| metrics.source(&name).mode(engine.mode()));
        let redactor = WorkersRedactor {
            workers: planned.workers,
            limits: Limits::default(),
            metrics: metrics.clone(),
            source: metrics.source(&name),
            findings: planned.findings,
            gate: Box::new(open),
        };
        let hop = Hop::open(options, Arc::new(redactor), metrics, self.stop.child_token()).await;
        let hop = hop.map_err(|error| anyhow::Error::new(error).context(format!("pipeline `{name}`")))?;
        for (protocol, address) in [("grpc", hop.grpc()), ("http", hop.http())] {
            if let Some(address) = address {
                tracing::info!(pipeline = name, %address, protocol, "listening");
            }
        }
        self.renewals.push(renew(&name, hop.renewal()));
        self.running.push((name, tokio::spawn(hop.run())));
        Ok(())
    }

    /// What reads their certificates and tokens anew. They are given away once.
    pub(super) fn renewals(&mut self) -> Vec<Renew> {
        std::mem::take(&mut self.renewals)
    }

    /// Whether there is none. A process with one lives until it is told to end.
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Lets requests in flight end. Tells whether all did.
    pub(super) async fn drain(self) -> bool {
        self.stop.cancel();
        let mut whole = true;
        for (name, task) in self.running {
            match task.await {
                Ok(HopSummary { cut, lost, .. }) => {
                    if cut > 0 {
                        complain(&format!("pipeline `{name}`: {cut} connections were cut"));
                    }
                    if lost > 0 {
                        complain(&format!("pipeline `{name}`: {lost} records were not delivered"));
                    }
                    whole &= cut == 0 && lost == 0;
                }
                Err(_) => {
                    complain(&format!("pipeline `{name}`: internal error"));
                    whole = false;
                }
            }
        }
        whole
    }
}

fn renew(pipeline: &str, renewal: Renewal) -> Renew {
    let pipeline = pipeline.to_owned();
    Box::new(move || {
        renewal.renew().map_err(|wrong| {
            // Both servers read the same files.
            let mut wrong: Vec<String> = wrong.iter().map(|error| format!("pipeline `{pipeline}`: {error}")).collect();
            wrong.dedup();
            wrong.join("; ")
        })
    })
}

/// What a pipeline says of its hop, if it is one.
fn options(pipeline: &Pipeline) -> Option<HopOptions> {
    let (SourceKind::Otlp(source), [sink]) = (&pipeline.source.kind, &pipeline.sinks[..]) else { return None };
    let SinkKind::Otlp(to) = &sink.kind else { return None };
    let name = pipeline.name.clone();
    let sink_name = if name == "main" { sink.name.clone() } else { format!("{name}/{}", sink.name) };
    Some(HopOptions { name, sink_name, source: (**source).clone(), sink: (**to).clone() })
}

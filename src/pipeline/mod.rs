//! From a source through the workers to the sinks: the tasks, what they may hold, and how they end. What is wrong with a
//! configuration has been said before.
//!
//! Each stream (a connection, a file, standard input) is one task: it reads, cuts, has a piece redacted, and offers it to
//! every sink, one piece at a time. So order is kept by itself, and a sink that is slow stops the reading of exactly the
//! streams that feed it. Nothing is read that there is no bound for:
//!
//! | memory | bound |
//! |---|---|
//! | what a sink was offered | its `buffer` |
//! | a piece on its way through the workers | what was read at once: 16 KiB, or 256 KiB while all connections hold little; it counts as unfinished |
//! | unfinished records | 16 KiB for each connection, and `partial_records` for all of them together |
//!
//! A stop goes the way of a byte: listeners close, streams read what is there, queues are closed, sinks deliver.

mod budget;
mod connection;
mod files;
mod flow;
mod gate;
mod lane;
mod reload;
mod stdin;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use gate::Gate;
pub use reload::{Holders, Loaded, Loader, Reload, Renew, Seen, Trigger, reload};

use crate::config::daemon::{Pipeline, SourceKind};
use crate::findings::Findings;
use crate::metrics::Metrics;
use crate::sinks::{self, Around, Ended, Reopen, SinkError};
use crate::sources::{FileLane, Files, Listener, SourceError, Stdin};
use crate::tail::State;
use crate::workers::Workers;
use budget::Budget;
use lane::Lane;

/// Files are read in so many lanes at most, each with a piece of its own on the way.
const MAX_FILE_LANES: usize = 4;
/// What a spool writes down last takes no longer, unless its disk hangs.
const LAST_NOTE: Duration = Duration::from_secs(2);

/// A pipeline and the engine it redacts with.
pub struct Planned {
    /// What it is.
    pub config: Pipeline,
    /// Its handle on the threads, with an engine of its own.
    pub workers: Workers,
    /// Whether it may pass anything on.
    pub gate: watch::Receiver<Gate>,
    /// Told what was found.
    pub findings: Findings,
}

/// Why a pipeline cannot be started; the operator is to blame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Its source.
    #[error("pipeline `{pipeline}`: {reason}")]
    Source {
        /// Its name.
        pipeline: String,
        /// What is wrong.
        reason: SourceError,
    },
    /// One of its sinks.
    #[error("pipeline `{pipeline}`: {reason}")]
    Sink {
        /// Its name.
        pipeline: String,
        /// What is wrong.
        reason: SinkError,
    },
}

/// What was left when everything had ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Pipelines with records that were taken and not delivered, and how many.
    pub undelivered: Vec<(String, u64)>,
    /// Sinks whose spools keep batches for the next run, and how many.
    pub spooled: Vec<(String, u64)>,
    /// Sinks that can deliver nothing more and sources that broke, in words.
    pub failed: Vec<String>,
}

/// Pipelines at work.
pub struct Running {
    lanes: Vec<Arc<Lane>>,
    sinks: VecDeque<Delivery>,
    listeners: Vec<Arc<Listener>>,
    reopen: Reopen,
    /// Cancelled when the time to deliver is over.
    halt: CancellationToken,
    /// Files that are followed; their checkpoints are written last.
    files: Vec<(String, Files)>,
    streams: TaskTracker,
    stop: CancellationToken,
}

impl Running {
    /// Opens every source and sink, and begins to read when all are open.
    ///
    /// # Errors
    /// When one cannot be opened. Nothing was read then.
    pub async fn start(
        planned: Vec<Planned>,
        metrics: &Metrics,
        partial_records_bytes: usize,
        state: Option<&State>,
        stop: CancellationToken,
    ) -> Result<Running, StartError> {
        let budget = Arc::new(Budget::new(partial_records_bytes));
        let (lanes, sinks, listeners, files) = (Vec::new(), VecDeque::new(), Vec::new(), Vec::new());
        let (reopen, halt, streams) = (Reopen::default(), CancellationToken::new(), TaskTracker::new());
        let mut running = Running { lanes, sinks, listeners, reopen, halt, files, streams, stop };
        let written = files::written_by(planned.iter().map(|pipeline| &pipeline.config));
        let mut opened = Vec::new();
        for pipeline in planned {
            let config = pipeline.config.clone();
            let failed = |reason| StartError::Source { pipeline: config.name.clone(), reason };
            let source = running.open(&config, &written, metrics, state).await.map_err(failed)?;
            let lane = running.lane(pipeline, metrics, state)?;
            opened.push((config, lane, source));
        }
        for (config, lane, source) in opened {
            running.read(config, lane, source, &budget);
        }
        running.streams.close();
        Ok(running)
    }

    /// Opens the source of a pipeline. What it reads already goes nowhere before there is a lane for it.
    async fn open(
        &mut self,
        config: &Pipeline,
        written: &[String],
        metrics: &Metrics,
        state: Option<&State>,
    ) -> Result<Open, SourceError> {
        if let Some(listener) = Listener::bind(&config.source, metrics.source(&config.name)).await? {
            tracing::info!(pipeline = config.name, address = listener.address(), "listening");
            let listener = Arc::new(listener);
            self.listeners.push(Arc::clone(&listener));
            return Ok(Open::Listener(listener));
        }
        let SourceKind::Files(from) = &config.source.kind else { return Ok(Open::Stdin(Stdin::start()?)) };
        let lanes = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MAX_FILE_LANES);
        let mut from = from.clone();
        from.exclude.extend_from_slice(written);
        let mut files = Files::start(&from, &config.name, state, lanes, config.redact.learn_records)?;
        let lanes = std::mem::take(&mut files.lanes);
        self.files.push((config.name.clone(), files));
        Ok(Open::Files(lanes))
    }

    /// Starts the sinks of a pipeline.
    fn lane(&mut self, planned: Planned, metrics: &Metrics, state: Option<&State>) -> Result<Arc<Lane>, StartError> {
        let config = &planned.config;
        let mut inlets = Vec::new();
        for sink in &config.sinks {
            let label =
                if config.name == "main" { sink.name.clone() } else { format!("{}/{}", config.name, sink.name) };
            let in_state = || state.map(|state| state.folder().join("spool").join(&config.name).join(&sink.name));
            let around = Around {
                sink: metrics.sink(&label),
                pipeline: metrics.pipeline(&config.name),
                source: metrics.source(&config.name),
                reopen: self.reopen.clone(),
                spool: sink.spool.as_ref().and_then(|spool| spool.folder.clone().or_else(in_state)),
                halt: self.halt.clone(),
            };
            let (inlet, task) = sinks::start(sink, &around)
                .map_err(|reason| StartError::Sink { pipeline: config.name.clone(), reason })?;
            inlets.push(inlet);
            self.sinks.push_back(Delivery { name: label, task, spooled: around.spool.is_some() });
        }
        let files = self.files.iter().find(|(name, _)| *name == config.name).map(|(_, files)| files.handle());
        let lane = Lane::start(planned, inlets, metrics, files);
        self.lanes.push(Arc::clone(&lane));
        Ok(lane)
    }

    /// Starts the reading of a pipeline's source.
    fn read(&self, config: Pipeline, lane: Arc<Lane>, source: Open, budget: &Arc<Budget>) {
        let stop = self.stop.clone();
        match source {
            Open::Stdin(stdin) => drop(self.streams.spawn(stdin::run(stdin, lane, stop))),
            Open::Listener(listener) => {
                let accept = connection::accept(listener, config.source, lane, Arc::clone(budget), stop);
                self.streams.spawn(accept);
            }
            Open::Files(events) => {
                events.into_iter().for_each(|events| drop(self.streams.spawn(files::run(events, Arc::clone(&lane)))));
            }
        }
    }

    /// Resolves when every source has come to its end by itself. True: a sink can deliver nothing more.
    pub async fn ended(&self) -> bool {
        let failed = async {
            while self.lanes.iter().all(|lane| !lane.is_stuck()) {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::select! {
            () = self.streams.wait() => self.lanes.iter().any(|lane| lane.is_stuck()),
            () = failed => true,
        }
    }

    /// How long the source that must not wait has waited.
    pub fn stalled(&self) -> Duration {
        self.lanes.iter().map(|lane| lane.stalled()).max().unwrap_or_default()
    }

    /// Asks sinks that write files to open them anew: somebody may have rotated them.
    pub fn reopen(&self) {
        self.reopen.ask();
    }

    /// The listeners, whose certificates can be read anew.
    pub fn listeners(&self) -> &[Arc<Listener>] {
        &self.listeners
    }

    /// Stops reading and delivers what was read, within `deadline`.
    pub async fn drain(mut self, deadline: Duration) -> Outcome {
        self.stop.cancel();
        self.files.iter().for_each(|(_, files)| files.handle().stop());
        let mut outcome = Outcome::default();
        let lanes = std::mem::take(&mut self.lanes);
        self.listeners.clear();
        let all = async {
            self.streams.wait().await;
            lanes.iter().for_each(|lane| lane.close());
            while let Some(sink) = self.sinks.front_mut() {
                outcome.ended(&sink.name, (&mut sink.task).await);
                self.sinks.pop_front();
            }
        };
        let _ = tokio::time::timeout(deadline, all).await;
        self.halt.cancel();
        for mut sink in self.sinks {
            if sink.spooled
                && let Ok(ended) = tokio::time::timeout(LAST_NOTE, &mut sink.task).await
            {
                outcome.ended(&sink.name, ended);
            }
            sink.task.abort();
        }
        for lane in lanes {
            lane.settle_rest().await;
            outcome.failed.extend(lane.failures());
            if let left @ 1.. = lane.undelivered() {
                lane.count_undelivered();
                outcome.undelivered.push((lane.name().to_owned(), left));
            }
        }
        for (name, files) in self.files {
            // The disk may make it wait; nothing else is left to do.
            if !tokio::task::spawn_blocking(|| files.end()).await.unwrap_or(false) {
                outcome.failed.push(format!("pipeline `{name}`: the last checkpoints could not be written"));
            }
        }
        outcome
    }
}

impl Outcome {
    fn ended(&mut self, sink: &str, ended: Result<Ended, JoinError>) {
        match ended {
            Ok(Ended::Done) => {}
            Ok(Ended::Failed(reason)) => self.failed.push(format!("sink `{sink}`: {reason}")),
            Ok(Ended::Left { batches }) => self.spooled.push((sink.to_owned(), batches)),
            Err(_) => self.failed.push(format!("sink `{sink}`: internal error")),
        }
    }
}

/// A sink at work.
struct Delivery {
    name: String,
    task: JoinHandle<Ended>,
    /// It has something to write down before it ends.
    spooled: bool,
}

/// A source that is open.
enum Open {
    Stdin(Stdin),
    Listener(Arc<Listener>),
    Files(Vec<FileLane>),
}

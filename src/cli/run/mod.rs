//! `inkout run`: sets pipelines up, and lives until they end or a signal comes.

#[cfg(feature = "otlp")]
mod hops;
#[cfg(not(feature = "otlp"))]
#[path = "no_hops.rs"]
mod hops;
mod load;
mod observe;
mod signals;
mod state;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::args::RunArgs;
use super::print::complain;
use super::{Closed, Exit, protect};
use crate::config::daemon::{Daemon, OnFatal, SinkKind, SourceKind};
use crate::metrics::Metrics;
use crate::pipeline::{Gate, Holders, Outcome, Planned, Reload, Running, Trigger, reload};
use crate::workers::Workers;
use hops::Hops;
use load::{FirstLoad, Load};
use observe::Observers;
use signals::{Asked, Signals};

/// Everything a start would read and compile.
pub(super) fn check(file: &Path) -> anyhow::Result<Daemon> {
    let args = RunArgs::of_file(file);
    let daemon = load::read(&args)?;
    let (_, first) = Load::first(args, &daemon)?;
    anyhow::ensure!(first.hash.is_some(), "it could start, but not pass anything on");
    Ok(daemon)
}

/// How often it is looked whether something waits.
const TICK: Duration = Duration::from_secs(1);

pub(super) fn run(args: &RunArgs, closed: Closed) -> anyhow::Result<Exit> {
    protect::files();
    let daemon = load::read(args)?;
    refuse_closed(&daemon, closed)?;
    let (load, first) = Load::first(args.clone(), &daemon)?;
    let observers = Observers::start(&daemon, &first)?;
    // Two threads wait for everything; the work is done by the workers.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.context("cannot start the runtime")?;
    let exit = runtime.block_on(async {
        let open = observers.open(&daemon.observe).await?;
        let exit = live(args, daemon, load, first, &observers).await;
        open.close().await;
        exit
    });
    // A thread may be waiting for input that never comes.
    runtime.shutdown_background();
    observers.stop();
    exit
}

/// The runtime puts `/dev/null` in place of what was closed: nothing would arrive, and nobody would be told.
fn refuse_closed(daemon: &Daemon, closed: Closed) -> anyhow::Result<()> {
    let reads = daemon.pipelines.iter().any(|pipeline| pipeline.source.kind == SourceKind::Stdin);
    let writes = daemon.pipelines.iter().flat_map(|pipeline| &pipeline.sinks).any(|sink| sink.kind == SinkKind::Stdout);
    anyhow::ensure!(!(closed.stdin && reads), "standard input: it is closed");
    anyhow::ensure!(!(closed.stdout && writes), "standard output: it is closed");
    Ok(())
}

async fn live(
    args: &RunArgs,
    daemon: Daemon,
    load: Load,
    first: FirstLoad,
    observers: &Observers,
) -> anyhow::Result<Exit> {
    let metrics = observers.metrics.clone();
    let mut signals = Signals::new().context("cannot receive signals")?;
    let (gate, passes) = watch::channel(first.gate(daemon.on_fatal));
    let workers = workers(args, &daemon, &first, &metrics)?;
    let planned = daemon.pipelines.iter().zip(&workers).map(|(config, workers)| Planned {
        config: config.clone(),
        workers: workers.clone(),
        gate: passes.clone(),
        findings: observers.findings.clone(),
    });
    let stop = CancellationToken::new();
    let (mut hops, planned) = Hops::start(planned.collect(), &metrics).await?;
    let state = state::open(&daemon)?;
    let running = Running::start(planned, &metrics, daemon.partial_records_bytes, state.as_ref(), stop).await?;
    let (triggers, told) = mpsc::channel(8);
    let holders = Arc::new(Holders { listeners: running.listeners().to_vec(), others: hops.renewals() });
    let watchdog = signals::Watchdog::new(workers[0].clone());
    let (guard, metrics_of) = (first.guard.clone(), metrics.clone());
    let exchange = Reload { workers, gate, holders, guard, metrics: metrics_of, tell: signals::reloading };
    let reloading = tokio::spawn(reload(Box::new(load), exchange, first.seen, told, triggers.clone()));
    metrics.ready(*passes.borrow() == Gate::Open);
    signals::ready();
    let mut exit = Exit::Done;
    if wait((&running, &hops), &mut signals, watchdog, &triggers, &metrics).await == Over::Broken {
        exit = Exit::Incomplete;
    }
    signals::stopping();
    // With it goes the only one who opens the gate: what waits there stays where it is.
    reloading.abort();
    let _ = reloading.await;
    let outcome = tokio::select! {
        // A hop has a deadline of its own; both drain at once.
        (outcome, whole) = async { tokio::join!(running.drain(daemon.drain_deadline), hops.drain()) } => {
            if !whole {
                exit = Exit::Incomplete;
            }
            outcome
        }
        () = signals.asked_to_stop() => {
            complain(&"stopped by a second signal; what was not delivered is lost or will come again");
            return Ok(Exit::Incomplete);
        }
    };
    Ok(if report(&outcome) { exit } else { Exit::Incomplete })
}

/// One handle for each pipeline, on the same threads.
fn workers(args: &RunArgs, daemon: &Daemon, first: &FirstLoad, metrics: &Metrics) -> anyhow::Result<Vec<Workers>> {
    let all = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = match args.threads.or(daemon.redact.threads) {
        None | Some(0) => all(),
        Some(count) => count,
    };
    let engines = &first.engines;
    let pool = Workers::start(None, threads).context("cannot start threads")?;
    metrics.declare_all(engines.iter().flatten().map(AsRef::as_ref));
    match &first.hash {
        Some(hash) => metrics.reload(Ok::<_, ()>(hash.as_str())),
        None => metrics.reload(Err::<&str, _>(())),
    }
    Ok(engines.iter().map(|engine| pool.beside(engine.clone())).collect())
}

/// Why the work is over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    /// All input has ended, or somebody asked for it.
    Asked,
    /// A sink can deliver nothing more.
    Broken,
}

async fn wait(
    (running, hops): (&Running, &Hops),
    signals: &mut Signals,
    mut watchdog: signals::Watchdog,
    triggers: &mpsc::Sender<Trigger>,
    metrics: &Metrics,
) -> Over {
    let ended = async {
        let broken = running.ended().await;
        // Servers have no end of their own.
        if broken || hops.is_empty() { broken } else { std::future::pending().await }
    };
    let mut ended = std::pin::pin!(ended);
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            broken = ended.as_mut() => return if broken { Over::Broken } else { Over::Asked },
            asked = signals.next() => match asked {
                Asked::Stop => return Over::Asked,
                Asked::Reload => {
                    running.reopen();
                    // One that waits to be heard is enough.
                    let _ = triggers.try_send(Trigger::Told);
                }
            },
            _ = tick.tick() => {
                metrics.stalled(running.stalled());
                watchdog.pet();
            }
        }
    }
}

/// Says what is missing. Tells whether nothing is.
fn report(outcome: &Outcome) -> bool {
    for (pipeline, records) in &outcome.undelivered {
        complain(&format!("pipeline `{pipeline}`: {records} records were not delivered"));
    }
    for (sink, batches) in &outcome.spooled {
        complain(&format!("sink `{sink}`: records stay in its spool for the next run (batches: {batches})"));
    }
    outcome.failed.iter().for_each(|failed| complain(failed));
    outcome.undelivered.is_empty() && outcome.spooled.is_empty() && outcome.failed.is_empty()
}

impl FirstLoad {
    /// What to do until there is a whole set.
    fn gate(&self, on_fatal: OnFatal) -> Gate {
        match (&self.hash, self.waits, on_fatal) {
            (Some(_), ..) => Gate::Open,
            (None, true, _) => Gate::Waiting,
            (None, false, _) => Gate::Withholding,
        }
    }
}

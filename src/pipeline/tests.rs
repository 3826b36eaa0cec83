//! What streams send their sinks when something is in the way: a full queue, no rules, a record too long to be held.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::budget::Budget;
use super::connection::accept;
use super::flow::{Flow, Tail};
use super::gate::Gate;
use super::lane::Lane;
use super::{Findings, Planned, files};
use crate::config::Config;
use crate::config::daemon::{Daemon, WhenFull};
use crate::engine::{Engine, Limits, Policy};
use crate::framing::{Framing, frame};
use crate::message::End;
use crate::metrics::Metrics;
use crate::rules::Catalog;
use crate::sinks::Queue;
use crate::sources::Listener;
use crate::tail::{Event, FileId};
use crate::workers::Workers;

/// A pipeline whose sink is the test.
struct Rig {
    lane: Arc<Lane>,
    queue: Queue,
    gate: watch::Sender<Gate>,
    workers: Workers,
    metrics: Metrics,
}

impl Rig {
    fn new(framing: Framing, buffer_bytes: usize, gate: Gate) -> Rig {
        Rig::stalling(framing, buffer_bytes, gate, None)
    }

    /// Waits for so long, or drops at once what there is no room for.
    fn stalling(framing: Framing, buffer_bytes: usize, gate: Gate, max_stall: Option<Duration>) -> Rig {
        let daemon = Daemon::from_words("stdin", &["tcp:127.0.0.1:1".to_owned()], false, Config::default());
        let mut config = daemon.unwrap().pipelines.remove(0);
        (config.source.framing, config.source.max_stall) = (framing, max_stall);
        let when_full = if max_stall.is_some() { WhenFull::Block } else { WhenFull::DropNewest };
        let metrics = Metrics::default();
        let (inlet, queue) = Queue::channel(buffer_bytes, when_full, metrics.pipeline("main"));
        let workers = Workers::start((gate == Gate::Open).then(engine), 1).unwrap();
        let (gate, passes) = watch::channel(gate);
        let planned = Planned { config, workers: workers.clone(), gate: passes, findings: Findings::off() };
        let lane = Lane::start(planned, vec![inlet], &metrics, None);
        Rig { lane, queue, gate, workers, metrics }
    }

    /// What came for the sink, which has room again.
    async fn taken(&mut self) -> Vec<(String, Vec<u32>, End)> {
        let mut batches = Vec::new();
        self.queue.take(&mut batches, usize::MAX).await;
        let shown = |batch: &crate::message::Batch| {
            (String::from_utf8_lossy(batch.payload.as_bytes()).into_owned(), batch.lines.clone(), batch.end)
        };
        batches.iter().map(|queued| shown(&queued.batch)).collect()
    }

    #[track_caller]
    fn assert_dropped(&self, reason: &str, records: u64) {
        let line = format!("inkout_dropped_records_total{{reason=\"{reason}\",source=\"main\"}} {records}\n");
        let text = self.metrics.prometheus();
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
}

fn engine() -> Arc<Engine> {
    Arc::new(Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default()).unwrap())
}

async fn push(flow: &mut Flow, text: &str) {
    flow.push(text.as_bytes()).unwrap();
    flow.advance().await.unwrap();
}

#[tokio::test]
async fn a_record_that_lost_a_part_is_ended_before_the_next_one() {
    let mut rig = Rig::new(Framing::Newline, (1 << 20) + 600, Gate::Open);
    let mut flow = Flow::new(&rig.lane, Tail::Ended);
    push(&mut flow, &("z".repeat(3 << 20) + "\n")).await;
    push(&mut flow, "lost with it\n").await;
    assert_eq!(rig.taken().await.len(), 1, "there was room for one window");
    push(&mut flow, "next\n").await;
    let shown = |(text, _, end): &(String, Vec<u32>, End)| (text.clone(), *end);
    let taken: Vec<_> = rig.taken().await.iter().map(shown).collect();
    assert_eq!(taken, [(String::new(), End::BrokenOff), ("next\n".to_owned(), End::Record)]);
}

#[tokio::test]
async fn a_long_record_of_many_lines_leaves_those_behind_it_whole() {
    let mut rig = Rig::new(Framing::Nul, 64 << 20, Gate::Open);
    let mut flow = Flow::new(&rig.lane, Tail::Ended);
    let long = "a line\n".repeat(200_000);
    push(&mut flow, &format!("one\nand a half\0{long}")).await;
    push(&mut flow, "its end\0two\nlines\0three\0").await;
    let mut framed = Vec::new();
    for (text, counts, _) in rig.taken().await {
        frame(Framing::Nul, text.as_bytes(), &counts, &mut framed);
    }
    let framed = String::from_utf8(framed).unwrap();
    assert!(framed.starts_with("one\nand a half\0a line\na line\n"), "{:?}", &framed[..40]);
    assert!(framed.ends_with("a line\0its end\0two\nlines\0three\0"), "{:?}", &framed[framed.len() - 60..]);
}

/// The announcement of a private key was dropped for want of rules; its body is masked when there are some.
#[tokio::test]
async fn what_was_lost_has_a_say_in_what_follows() {
    for prefix in ["", "2026-11-22T10:00:01Z stdout F "] {
        let mut rig = Rig::new(Framing::Newline, 64 << 20, Gate::Withholding);
        let mut flow = Flow::new(&rig.lane, Tail::Ended);
        let body = |n: usize| format!("{prefix}MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ{n:02}Zq\n");
        push(&mut flow, &format!("{prefix}a line\n{prefix}-----BEGIN {} KEY-----\n{}", "PRIVATE", body(0))).await;
        rig.assert_dropped("no_rules", 3);
        rig.workers.swap(engine());
        rig.gate.send_replace(Gate::Open);
        push(&mut flow, &(body(1) + &body(2))).await;
        push(&mut flow, &format!("{prefix}-----END {} KEY-----\n{prefix}a line\n", "PRIVATE")).await;
        let text: String = rig.taken().await.into_iter().map(|(text, ..)| text).collect();
        assert!(!text.contains("MII") && text.ends_with(&format!("{prefix}a line\n")), "{text}");
    }
}

#[tokio::test]
async fn the_rest_of_a_record_whose_beginning_was_withheld_is_withheld_too() {
    let mut rig = Rig::new(Framing::Newline, 64 << 20, Gate::Withholding);
    let mut flow = Flow::new(&rig.lane, Tail::Ended);
    push(&mut flow, &"z".repeat(3 << 19)).await;
    rig.workers.swap(engine());
    rig.gate.send_replace(Gate::Open);
    push(&mut flow, "zzz\nnext\n").await;
    let text: String = rig.taken().await.into_iter().map(|(text, ..)| text).collect();
    assert_eq!(text, "next\n");
    rig.assert_dropped("no_rules", 1);
}

const MAX_STALL: Duration = Duration::from_millis(50);

/// The clock goes on from one piece to the next, and stops when something was taken.
#[tokio::test]
async fn a_stall_lasts_until_something_is_taken() {
    let mut rig = Rig::stalling(Framing::Newline, 600, Gate::Open, Some(MAX_STALL));
    let mut flow = Flow::new(&rig.lane, Tail::Kept);
    push(&mut flow, "taken\n").await;
    assert_eq!(rig.lane.stalled(), Duration::ZERO);
    for dropped in 1..4 {
        push(&mut flow, "dropped\n").await;
        rig.assert_dropped("stalled", dropped);
        assert!(rig.lane.stalled() >= MAX_STALL, "{dropped}");
    }
    rig.taken().await;
    push(&mut flow, "taken\n").await;
    assert_eq!(rig.lane.stalled(), Duration::ZERO);
    assert_eq!(rig.taken().await.len(), 1);
}

#[tokio::test]
async fn to_wait_for_known_values_is_a_stall_too() {
    let mut rig = Rig::stalling(Framing::Newline, 1 << 20, Gate::Waiting, Some(MAX_STALL));
    let mut flow = Flow::new(&rig.lane, Tail::Kept);
    push(&mut flow, "dropped\n").await;
    rig.assert_dropped("stalled", 1);
    assert!(rig.lane.stalled() >= MAX_STALL);
    rig.workers.swap(engine());
    rig.gate.send_replace(Gate::Open);
    push(&mut flow, "taken\n").await;
    assert_eq!((rig.lane.stalled(), rig.taken().await.len()), (Duration::ZERO, 1));
}

#[tokio::test]
async fn a_file_that_was_cut_counts_as_lost_only_where_something_was() {
    let rig = Rig::new(Framing::Newline, 1 << 20, Gate::Open);
    let mut flows = std::collections::HashMap::new();
    for (lost, records, bytes) in [(0, 0, 0), (7, 1, 7), (0, 1, 7), (5, 2, 12)] {
        files::serve(Event::Cut { file: FileId::of(1), lost }, &mut flows, &rig.lane).await.unwrap();
        rig.assert_dropped("truncated", records);
        let line = format!("inkout_truncated_bytes_total{{source=\"main\"}} {bytes}\n");
        assert!(rig.metrics.prometheus().contains(&line), "{line}");
    }
}

/// The system let them in before the stop; for them the process did.
#[tokio::test]
async fn who_waits_to_be_let_in_when_the_stop_comes_is_heard() {
    let mut rig = Rig::new(Framing::Newline, 1 << 20, Gate::Open);
    let daemon = Daemon::from_words("tcp:127.0.0.1:0", &["tcp:127.0.0.1:1".to_owned()], false, Config::default());
    let source = daemon.unwrap().pipelines.remove(0).source;
    let listener = Listener::bind(&source, rig.lane.source.clone()).await.unwrap().expect("a listener");
    let mut peer = std::net::TcpStream::connect(listener.address()).unwrap();
    std::io::Write::write_all(&mut peer, b"waited\n").unwrap();
    drop(peer);
    let stop = CancellationToken::new();
    stop.cancel();
    accept(Arc::new(listener), source, Arc::clone(&rig.lane), Arc::new(Budget::new(1 << 20)), stop).await;
    let taken = tokio::time::timeout(Duration::from_secs(5), rig.taken()).await.expect("it is heard");
    assert_eq!(taken, [("waited\n".to_owned(), Vec::new(), End::Record)]);
}

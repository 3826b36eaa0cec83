//! Counters of what flows through, told as Prometheus text and pushed by OTLP. It looks at no input and opens no port: `admin`
//! serves what [`Metrics::prometheus`] writes.
//!
//! Tasks hold handles ([`SourceMetrics`], [`SinkMetrics`], [`PipelineMetrics`]) and add to atomics, once per batch. Reading
//! them costs nobody else anything. Labels are configured names, rule ids and the words of closed sets, never input.

mod cells;
mod families;
mod labels;
mod otlp;
mod prometheus;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use cells::{PipelineMetrics, SinkMetrics, SourceMetrics, SpoolState};
pub use families::{Family, Kind, Labels, Value};
pub use labels::{BypassReason, DropReason, RefuseReason, SinkError, UninspectedReason};
pub use otlp::{Push, PushError};

pub use crate::config::daemon::{OtlpOptions, RuleSeries};
use crate::engine::Engine;
use cells::{Counter, Pipeline, Sink, Source, Times};

/// All counters of the process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    rules: RuleSeries,
    /// Monotonic: a clock that is set back must not make a pipeline look stuck.
    started: Instant,
    /// Seconds since 1970.
    started_at: f64,
    ready: AtomicBool,
    reload: Mutex<Reload>,
    rule_count: Counter,
    declared: RwLock<Declared>,
    /// Milliseconds.
    stalled: AtomicU64,
    times: Times,
    log_suppressed: Counter,
    evicted: Counter,
    unwritten: Counter,
    sources: RwLock<Vec<Arc<Source>>>,
    sinks: RwLock<Vec<Arc<Sink>>>,
    pipelines: RwLock<Vec<Arc<Pipeline>>>,
}

/// How the last loading of rules and settings went.
#[derive(Debug, Default)]
struct Reload {
    ok: bool,
    /// Of the set in use.
    hash: String,
    /// Seconds since 1970.
    at: f64,
    generation: u64,
}

/// What the rule set in use can find.
#[derive(Debug, Default)]
struct Declared {
    /// Categories and actions.
    classes: BTreeSet<(usize, usize)>,
    /// Rules and their actions, where all have series.
    rules: Vec<(Box<str>, usize)>,
}

impl Metrics {
    /// Counters at 0. Everything is not ready yet.
    pub fn new(rules: RuleSeries) -> Metrics {
        Metrics(Arc::new(Shared {
            rules,
            started: Instant::now(),
            started_at: unix_seconds(),
            ready: AtomicBool::new(false),
            reload: Mutex::default(),
            rule_count: Counter::default(),
            declared: RwLock::default(),
            stalled: AtomicU64::new(0),
            times: Times::default(),
            log_suppressed: Counter::default(),
            evicted: Counter::default(),
            unwritten: Counter::default(),
            sources: RwLock::default(),
            sinks: RwLock::default(),
            pipelines: RwLock::default(),
        }))
    }

    /// The counters of the source of that configured name.
    pub fn source(&self, name: &str) -> SourceMetrics {
        let rules = self.0.rules;
        let fresh = || {
            let source = Source { name: name.to_owned(), rules, ..Source::default() };
            source.declare(&self.0.declared.read().unwrap_or_else(PoisonError::into_inner).rules);
            source
        };
        SourceMetrics(named(&self.0.sources, |source| source.name == name, fresh))
    }

    /// The counters of the sink of that configured name.
    pub fn sink(&self, name: &str) -> SinkMetrics {
        let fresh = || Sink { name: name.to_owned(), ..Sink::default() };
        SinkMetrics(named(&self.0.sinks, |sink| sink.name == name, fresh))
    }

    /// The gauges of the pipeline of that configured name.
    pub fn pipeline(&self, name: &str) -> PipelineMetrics {
        let fresh = || Pipeline::new(name, self.0.started);
        PipelineMetrics(named(&self.0.pipelines, |pipeline| pipeline.name == name, fresh))
    }

    /// The hash of the rule set in use.
    pub fn rules_hash(&self) -> String {
        self.0.reload.lock().unwrap_or_else(PoisonError::into_inner).hash.clone()
    }

    /// Rules and settings were loaded, or could not be. On success: the hash of the rule set.
    pub fn reload(&self, outcome: Result<&str, ()>) {
        let mut reload = self.0.reload.lock().unwrap_or_else(PoisonError::into_inner);
        reload.ok = outcome.is_ok();
        if let Ok(hash) = outcome {
            hash.clone_into(&mut reload.hash);
            reload.at = unix_seconds();
            reload.generation += 1;
        }
    }

    /// Shows from 0 what the engines of all pipelines can find, in place of those that were declared before.
    pub fn declare_all<'e>(&self, engines: impl IntoIterator<Item = &'e Engine>) {
        let of = |rule: &crate::engine::Rule, action| (cells::category_index(rule.category), action);
        let rules = engines.into_iter().flat_map(|engine| engine.rules().iter().zip(engine.actions()));
        let on: Vec<_> =
            rules.filter_map(|(rule, action)| cells::action_index(*action).map(|action| (rule, action))).collect();
        let ids: BTreeSet<&str> = on.iter().map(|(rule, _)| rule.id.as_str()).collect();
        self.0.rule_count.set(ids.len() as u64);
        let mut declared = self.0.declared.write().unwrap_or_else(PoisonError::into_inner);
        declared.classes = on.iter().map(|(rule, action)| of(rule, *action)).collect();
        if self.0.rules == RuleSeries::All {
            declared.rules = on.iter().map(|(rule, action)| (rule.id.as_str().into(), *action)).collect();
        }
        let rules = declared.rules.clone();
        drop(declared);
        let sources = self.0.sources.read().unwrap_or_else(PoisonError::into_inner);
        sources.iter().for_each(|source| source.declare(&rules));
    }

    /// For how long a source that must not wait has waited; 0 when it goes on.
    pub fn stalled(&self, time: Duration) {
        self.0.stalled.store(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How long it took to redact a block.
    pub fn process_seconds(&self, time: Duration) {
        self.0.times.add(time);
    }

    /// Whether everything that is needed is there: rules, known values, listeners.
    pub fn ready(&self, ready: bool) {
        self.0.ready.store(ready, Ordering::Relaxed);
    }

    /// What [`Metrics::ready`] was told.
    pub fn is_ready(&self) -> bool {
        self.0.ready.load(Ordering::Relaxed)
    }

    /// Pipelines that hold work of which nothing was delivered for a minute, and for how long.
    pub fn stuck(&self) -> Vec<(String, Duration)> {
        let pipelines = self.0.pipelines.read().unwrap_or_else(PoisonError::into_inner);
        let stuck = pipelines.iter().filter(|pipeline| pipeline.is_stuck());
        stuck.map(|pipeline| (pipeline.name.clone(), pipeline.waiting())).collect()
    }

    /// Messages of the own log that were left out.
    pub fn log_suppressed(&self, messages: u64) {
        self.0.log_suppressed.add(messages);
    }

    /// Secrets that are no longer remembered, for want of room.
    pub fn fingerprints_evicted(&self, count: u64) {
        self.0.evicted.add(count);
    }

    /// Lines of the findings stream that could not be written.
    pub fn findings_unwritten(&self, lines: u64) {
        self.0.unwritten.add(lines);
    }

    /// Everything that has a series, as it is now.
    pub fn families(&self) -> Vec<Family> {
        let mut families = families::all(&self.0);
        families.retain(|family| !family.series.is_empty());
        families
    }

    /// Everything, in Prometheus' text format 0.0.4.
    pub fn prometheus(&self) -> String {
        prometheus::text(self)
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new(RuleSeries::default())
    }
}

impl Shared {
    fn stalled(&self) -> f64 {
        self.stalled.load(Ordering::Relaxed) as f64 / 1e3
    }
}

/// The one of that name, made if there is none.
fn named<T>(all: &RwLock<Vec<Arc<T>>>, is_it: impl Fn(&T) -> bool, fresh: impl Fn() -> T) -> Arc<T> {
    let mut all = all.write().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = all.iter().find(|known| is_it(known)) {
        return Arc::clone(known);
    }
    let fresh = Arc::new(fresh());
    all.push(Arc::clone(&fresh));
    fresh
}

fn unix_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Carry, Limits, Policy};
    use crate::rules::Catalog;

    fn engine() -> Engine {
        Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default()).unwrap()
    }

    fn loaded(rules: RuleSeries) -> (Metrics, Engine, SourceMetrics) {
        let (metrics, engine) = (Metrics::new(rules), engine());
        metrics.declare_all([&engine]);
        metrics.reload(Ok("0123456789ab"));
        let source = metrics.source("app");
        metrics.pipeline("main");
        metrics.sink("out");
        (metrics, engine, source)
    }

    fn redact(engine: &Engine, source: &SourceMetrics, text: &'static str) {
        let (_, _, tally) = engine.redact(&mut engine.scratch(), &Carry::default(), text.into());
        source.tally(engine, &tally);
    }

    fn series(text: &str) -> usize {
        text.lines().filter(|line| !line.starts_with('#')).count()
    }

    #[track_caller]
    fn holds(metrics: &Metrics, line: &str) {
        let text = metrics.prometheus();
        assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
    }

    #[test]
    fn an_idle_process_has_few_series() {
        let (metrics, ..) = loaded(RuleSeries::Fired);
        let text = metrics.prometheus();
        assert!(series(&text) <= 60, "{} series\n{text}", series(&text));
    }

    #[test]
    fn what_any_pipeline_can_find_is_shown() {
        let (metrics, engine, _) = loaded(RuleSeries::Fired);
        let text = "[[rule]]\nid = 'door'\nsummary = 'D'\ncategory = 'credential'\nkeys = ['door_code']\n";
        let own = Engine::compile(Catalog::parse("r", text).unwrap().set, Policy::default(), &Limits::default());
        metrics.declare_all([&engine, &own.unwrap()]);
        holds(&metrics, r#"inkout_findings_total{category="credential",action="replace",source="app"} 0"#);
        let rules = engine.actions().iter().filter(|action| cells::action_index(**action).is_some()).count();
        holds(&metrics, &format!("inkout_rules {}", rules + 1));
    }

    #[test]
    fn what_went_on_unmasked_or_was_masked_whole_is_counted_once_by_its_reason() {
        let (metrics, engine, source) = loaded(RuleSeries::Fired);
        let tally = |masked_whole, over_limit, allowed| crate::engine::Tally {
            records_masked_whole: masked_whole,
            records_over_limit: over_limit,
            allowed,
            ..crate::engine::Tally::default()
        };
        source.redacted(&engine, &tally(3, 2, vec![(0, 4)]), 9);
        holds(&metrics, r#"inkout_uninspected_records_total{reason="over_limit",source="app"} 2"#);
        holds(&metrics, r#"inkout_uninspected_records_total{reason="rule_failed",source="app"} 1"#);
        holds(&metrics, r#"inkout_bypassed_records_total{reason="excepted",source="app"} 4"#);
        holds(&metrics, r#"inkout_bypassed_records_total{reason="audit",source="app"} 0"#);
    }

    #[test]
    fn findings_are_told_by_class_from_0_and_by_rule_once_there_are_any() {
        let (metrics, engine, source) = loaded(RuleSeries::Fired);
        holds(&metrics, r#"inkout_findings_total{category="credential",action="replace",source="app"} 0"#);
        assert!(!metrics.prometheus().contains("rule="));
        redact(&engine, &source, "password=hunter2 x\npassword=hunter3\n");
        holds(&metrics, r#"inkout_findings_total{category="credential",action="replace",source="app"} 2"#);
        holds(&metrics, r#"inkout_rule_findings_total{rule="password",action="replace",source="app"} 2"#);
    }

    #[test]
    fn rules_are_shown_from_0_or_never_if_asked_for() {
        let line = r#"inkout_rule_findings_total{rule="password",action="replace",source="app"} "#;
        let (metrics, engine, source) = loaded(RuleSeries::All);
        holds(&metrics, &format!("{line}0"));
        redact(&engine, &source, "password=hunter2\n");
        holds(&metrics, &format!("{line}1"));
        let (metrics, engine, source) = loaded(RuleSeries::Off);
        redact(&engine, &source, "password=hunter2\n");
        assert!(!metrics.prometheus().contains("rule="));
    }

    #[test]
    fn handles_of_one_name_count_together() {
        let (metrics, _, source) = loaded(RuleSeries::Fired);
        source.received(2, 20);
        metrics.source("app").received(1, 10);
        holds(&metrics, r#"inkout_received_records_total{source="app"} 3"#);
        metrics.sink("out").sent(3, 33);
        metrics.sink("out").error(SinkError::Connect);
        holds(&metrics, r#"inkout_sent_bytes_total{sink="out"} 33"#);
        holds(&metrics, r#"inkout_sink_errors_total{kind="connect",sink="out"} 1"#);
        source.dropped(DropReason::Truncated, 4);
        holds(&metrics, r#"inkout_dropped_records_total{reason="truncated",source="app"} 4"#);
        holds(&metrics, r#"inkout_dropped_records_total{reason="queue_full",source="app"} 0"#);
    }

    #[test]
    fn a_failed_reload_keeps_what_is_said_of_the_set_in_use() {
        let (metrics, ..) = loaded(RuleSeries::Fired);
        holds(&metrics, "inkout_config_last_reload_successful 1");
        metrics.reload(Err(()));
        holds(&metrics, "inkout_config_last_reload_successful 0");
        holds(&metrics, r#"inkout_rules_info{hash="0123456789ab"} 1"#);
        holds(&metrics, "inkout_config_generation 1");
    }

    #[test]
    fn what_waits_for_a_minute_is_stuck_until_it_moves() {
        let metrics = Metrics::default();
        let idle = Pipeline::started_earlier("main", Duration::from_secs(61));
        metrics.0.pipelines.write().unwrap().push(Arc::new(idle));
        let pipeline = metrics.pipeline("main");
        assert_eq!(metrics.stuck(), [], "idle for a minute");
        pipeline.in_flight_add(2);
        assert_eq!(metrics.stuck(), [], "work has only just come");
        pipeline.0.forget_progress();
        assert_eq!(metrics.stuck()[0].0, "main");
        metrics.pipeline("other").progress();
        assert_eq!(metrics.stuck().len(), 1, "another pipeline's progress is not this one's");
        pipeline.progress();
        assert_eq!(metrics.stuck(), []);
        pipeline.0.forget_progress();
        pipeline.in_flight_sub(2);
        assert_eq!(metrics.stuck(), [], "nothing waits");
    }

    #[test]
    fn rules_beyond_the_bound_are_counted_together() {
        let source = Source { name: "app".to_owned(), ..Source::default() };
        (0..1100).for_each(|rule| source.by_rule(&format!("rule-{rule}"), |counts| counts.by_action[0].add(1)));
        let rules = source.by_rule.read().unwrap();
        assert_eq!((rules.len(), rules["other"].by_action[0].value()), (1001, 100));
    }
}

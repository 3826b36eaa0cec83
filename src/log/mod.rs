//! The daemon's own log. Every line goes through our own engine, none holds input, and nobody waits for the one who reads it:
//! standard error may be closed or full, and the data still flows.
//!
//! Rooms log with `tracing`'s macros. Messages of libraries are written from `warn` on only: below, they show what they carry.

mod guard;
mod limit;
mod line;

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

pub use crate::config::daemon::{LogFormat, LogLevel, LogOptions};
use crate::metrics::Metrics;
pub use guard::Guard;
pub(crate) use guard::Masker;
use limit::{Limit, Verdict};

/// Lines that wait for the writer.
const CHANNEL: usize = 256;
/// How long the last lines may take when the process ends.
const LAST_LINES: Duration = Duration::from_secs(1);

/// There is no log.
#[derive(Debug, thiserror::Error)]
#[error("log: {0}")]
pub struct LogError(String);

enum Order {
    Write(Vec<u8>),
    Stop,
}

/// The writer of the log; to be stopped last.
pub struct Log {
    orders: SyncSender<Order>,
    done: Receiver<()>,
}

impl Log {
    /// Writes messages to standard error from now on. `guard` masks the lines.
    ///
    /// # Errors
    /// When there is a log already, or the system has no more threads.
    pub fn start(options: &LogOptions, guard: &Guard, metrics: &Metrics) -> Result<Log, LogError> {
        // Not Rust's own handle: its lock would be held by a writer that waits for a full pipe, and a panic message with it.
        let stderr = rustix::stdio::stderr().try_clone_to_owned().map(File::from);
        let (layer, log) = layer(options, guard, metrics, stderr.unwrap_or_else(|_| nowhere()))?;
        let installed = tracing_subscriber::registry().with(layer).try_init();
        installed.map_err(|error| LogError(error.to_string()))?;
        Ok(log)
    }

    /// Writes what is left, for a second at most.
    pub fn stop(self) {
        if self.orders.try_send(Order::Stop).is_ok() {
            let _ = self.done.recv_timeout(LAST_LINES);
        }
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// In place of a standard error that is closed.
fn nowhere() -> File {
    File::options().write(true).open("/dev/null").expect("every system has a /dev/null")
}

fn layer(
    options: &LogOptions,
    guard: &Guard,
    metrics: &Metrics,
    to: impl Write + Send + 'static,
) -> Result<(Lines, Log), LogError> {
    let (orders, received) = sync_channel(CHANNEL);
    let (finished, done) = channel();
    let mut masker = guard.masker();
    let spawned = thread::Builder::new().name("log".to_owned()).spawn(move || {
        write_all(&mut masker, &received, to);
        // Whoever waited may have given up.
        let _ = finished.send(());
    });
    spawned.map_err(|error| LogError(error.to_string()))?;
    let lines = Lines {
        format: options.format,
        level: filter(options.level),
        limit: Mutex::default(),
        orders: orders.clone(),
        metrics: metrics.clone(),
    };
    Ok((lines, Log { orders, done }))
}

/// Takes messages, and hands their lines over.
struct Lines {
    format: LogFormat,
    level: LevelFilter,
    limit: Mutex<Limit>,
    orders: SyncSender<Order>,
    metrics: Metrics,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let ours = metadata.target().split("::").next() == Some("inkout");
        let level = if ours { self.level } else { self.level.min(LevelFilter::WARN) };
        *metadata.level() <= level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let message = event.metadata().callsite();
        let verdict = self.limit.lock().unwrap_or_else(PoisonError::into_inner).judge(message, Instant::now());
        let Verdict::Write { left_out } = verdict else { return self.metrics.log_suppressed(1) };
        let line = line::format(event, left_out, self.format, Timestamp::now());
        match self.orders.try_send(Order::Write(line)) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => self.metrics.log_suppressed(1),
        }
    }
}

/// Masks lines and writes them. What cannot be written is lost: there is nobody to tell.
fn write_all(masker: &mut Masker, orders: &Receiver<Order>, mut to: impl Write) {
    while let Ok(Order::Write(line)) = orders.recv() {
        let _ = to.write_all(masker.mask(line).as_bytes());
    }
    let _: io::Result<()> = to.flush();
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::{Engine, Limits, Policy};
    use crate::rules::Catalog;

    /// Bytes that the test reads.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A pipe that nobody reads.
    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            loop {
                thread::park();
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn guard() -> Guard {
        Arc::new(Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default()).unwrap()).into()
    }

    fn logged(format: LogFormat, level: LogLevel, say: impl FnOnce()) -> (String, Metrics) {
        let (page, metrics) = (Page::default(), Metrics::default());
        let (layer, log) = layer(&LogOptions { format, level }, &guard(), &metrics, page.clone()).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), say);
        log.orders.send(Order::Stop).unwrap();
        log.done.recv().unwrap();
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        (text, metrics)
    }

    /// Behind the time.
    fn rest(line: &str) -> &str {
        line.split_once(' ').unwrap().1
    }

    #[test]
    fn a_line_is_masked_escaped_and_says_who_speaks() {
        let (text, _) = logged(LogFormat::Text, LogLevel::Info, || {
            tracing::info!(target: "inkout::pipeline::reload", count = 3, file = "a b", path = "/x", "loaded\nFORGED \x1b[2J");
            tracing::warn!(target: "inkout::sinks", "connecting to postgres://svc:{}@db/app", "hunter2");
            tracing::debug!(target: "inkout::sinks", "not this");
            tracing::info!(target: "h2::codec", "nor what a library says");
            tracing::error!(target: "h2::codec", "but what fails");
        });
        let lines: Vec<_> = text.lines().map(rest).collect();
        assert_eq!(
            lines,
            [
                r#"INFO  pipeline: loaded\nFORGED \u{1b}[2J count=3 file="a b" path=/x"#,
                "WARN  sinks: connecting to postgres://svc:REDACTED.url-password@db/app",
                "ERROR h2::codec: but what fails",
            ]
        );
    }

    #[test]
    fn json_is_one_object_per_line() {
        let (text, _) = logged(LogFormat::Json, LogLevel::Trace, || {
            tracing::trace!(target: "inkout::tail", password = "hunter2", ok = true, "a\n\u{7f}\u{85}b");
        });
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(text.lines().count(), 1);
        assert_eq!((value["level"].as_str(), value["room"].as_str()), (Some("trace"), Some("tail")));
        assert_eq!((&value["message"], &value["ok"]), (&"a\n\u{7f}\u{85}b".into(), &true.into()));
        assert_eq!(value["password"], "[REDACTED:password]");
        assert!(!text.contains('\u{7f}') && !text.contains('\u{85}'));
    }

    #[test]
    fn a_flood_is_ten_lines_a_second_and_a_number() {
        let flood = || (0..100_000).for_each(|number| tracing::error!(target: "inkout::sources", number, "refused"));
        let begun = Instant::now();
        let (text, metrics) = logged(LogFormat::Text, LogLevel::Info, flood);
        let windows = begun.elapsed().as_secs() as usize + 1;
        let lines = text.lines().count();
        assert!((10..=10 * windows).contains(&lines), "{lines} lines in {windows} s");
        let suppressed = format!("inkout_log_suppressed_total {}\n", 100_000 - lines);
        assert!(metrics.prometheus().contains(&suppressed), "{suppressed}");
    }

    #[test]
    fn a_reader_that_does_not_read_is_not_waited_for() {
        let metrics = Metrics::default();
        let (layer, log) = layer(&LogOptions::default(), &guard(), &metrics, Full).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            // More than the channel holds, from places of their own.
            macro_rules! say {
                ($($place:literal)*) => { $((0..10).for_each(|_| tracing::error!(target: "inkout::x", $place));)* };
            }
            say!("0" "1" "2" "3" "4" "5" "6" "7" "8" "9" "10" "11" "12" "13" "14" "15" "16" "17" "18" "19" "20" "21" "22");
            say!("0" "1" "2" "3" "4" "5" "6" "7" "8" "9" "10" "11" "12" "13" "14" "15" "16" "17" "18" "19" "20" "21" "22");
        });
        log.stop();
        assert!(!metrics.prometheus().contains("inkout_log_suppressed_total 0\n"));
    }

    #[test]
    fn a_message_has_a_length() {
        let (text, _) = logged(LogFormat::Text, LogLevel::Info, || {
            tracing::info!(target: "inkout::x", long = ?vec!["é"; 100_000], "{}", "é".repeat(100_000));
        });
        assert!((8000..12_500).contains(&text.len()), "{}", text.len());
    }
}

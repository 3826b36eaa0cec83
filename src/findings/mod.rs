//! The findings stream: which secret was found where, since when and how often, told without a byte of it. Somebody must
//! rotate it, and learns here which one. It decides nothing: what is found is the engine's answer.
//!
//! A worker calls [`Findings::inspect`] after `redact_piece`. Without findings that is one comparison. Otherwise each secret's
//! fingerprint is looked up in a bounded book, and a secret that is new is handed to the writer's thread without waiting.

mod book;
mod line;
mod summary;
mod writer;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

pub use crate::config::daemon::{Contact, FindingsOptions};
use crate::engine::{
    Engine, Fingerprint, Form, Grammar, HashKey, KeyPaths, Limits, Matcher, Mode, Policy, Purpose, RuleSet, Scratch,
    Span, Why,
};
use crate::log::Guard;
use crate::metrics::{Metrics, SourceMetrics};
use book::{Book, Key, Noted, Now};
pub use line::{Event, FingerprintKey, Generation, KnownLine, Line};
pub use summary::{Exposure, Summary, SummaryError};
use writer::{Order, Writer};

/// Lines that wait for the writer.
const CHANNEL: usize = 1024;
/// How long the last lines may take when the process ends.
const LAST_LINES: Duration = Duration::from_secs(1);
/// A longer key is not told: it is rather text than a name.
const MAX_KEY_BYTES: usize = 64;
/// The same for all keys that a finding is nested in.
const MAX_PATH_BYTES: usize = 256;
/// Lines of an armoured key stand closer together than this.
const MAX_KEY_GAP: usize = 64;

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindingsError {
    /// The file cannot be opened.
    #[error("findings: cannot write {path}: {reason}", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// The system has no randomness or no threads.
    #[error("findings: {0}")]
    System(io::Error),
}

/// Where a piece stands in its stream.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Whose counters to use.
    pub source: &'a SourceMetrics,
    /// The file or the peer.
    pub stream: Option<&'a str>,
    /// Where in it the piece begins.
    pub offset: u64,
    /// The keys around each finding, where the piece is a message and not a text.
    pub keys: Option<&'a KeyPaths>,
}

/// One secret, as it was found.
#[derive(Clone, Copy)]
pub struct Finding<'a> {
    /// The engine that found it.
    pub engine: &'a Engine,
    /// Where in its piece, and by which rule.
    pub span: Span,
    /// Its bytes: they leave this room as a fingerprint only.
    pub secret: &'a [u8],
    /// The key beside it, or the keys above it.
    pub key: Option<&'a str>,
    /// Where its piece stands.
    pub place: Place<'a>,
}

/// The handle of the stream. Cheap to clone, and to use when it is off.
#[derive(Clone)]
pub struct Findings(Option<Arc<Shared>>);

struct Shared {
    book: Mutex<Book>,
    orders: SyncSender<Order>,
    /// Makes fingerprints for engines that have no key.
    fallback: Engine,
    fallback_told: AtomicBool,
    /// The writer is to end.
    stopping: AtomicBool,
    /// Lines that were handed to the writer and are not written.
    queued: AtomicU64,
    options: FindingsOptions,
    metrics: Metrics,
}

/// The writer's thread; to be stopped last, so that the last counts are written.
pub struct FindingsWriter {
    shared: Arc<Shared>,
    done: Receiver<()>,
}

impl FindingsWriter {
    /// Writes what is left, for a second at most: whoever should read it may not. Returns how many lines are left.
    pub fn stop(self) -> u64 {
        self.shared.stopping.store(true, Ordering::Relaxed);
        // Where there is no room for the word, the flag is seen behind the last line.
        let _ = self.shared.orders.try_send(Order::Stop);
        if self.done.recv_timeout(LAST_LINES) != Err(RecvTimeoutError::Timeout) {
            return 0;
        }
        let untold = self.shared.book().close(Now::read()).len() as u64;
        let left = untold + self.shared.queued.load(Ordering::Relaxed);
        self.shared.metrics.findings_unwritten(left);
        left
    }
}

impl Findings {
    /// No stream; only the counters that need a look at each finding.
    pub fn off() -> Findings {
        Findings(None)
    }

    /// Opens the stream. `guard` masks the lines themselves.
    ///
    /// # Errors
    /// When the file cannot be opened, or the system is out of threads or randomness.
    pub fn start(
        options: FindingsOptions,
        guard: impl Into<Guard>,
        metrics: &Metrics,
    ) -> Result<(Findings, FindingsWriter), FindingsError> {
        let unopened = |reason| FindingsError::Open { path: options.path.clone(), reason };
        let writer = Writer::open(&options, &guard.into()).map_err(unopened)?;
        let (orders, received) = sync_channel(CHANNEL);
        let shared = Arc::new(Shared {
            book: Mutex::new(Book::new(options.remember, options.update_interval)),
            orders,
            fallback: fallback()?,
            fallback_told: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            queued: AtomicU64::new(0),
            options,
            metrics: metrics.clone(),
        });
        let of_thread = Arc::clone(&shared);
        let spawned = thread::Builder::new().name("findings".to_owned());
        let (finished, done) = channel();
        let work = move || {
            writer.run(&of_thread, &received);
            // Whoever waited may have given up.
            let _ = finished.send(());
        };
        spawned.spawn(work).map_err(FindingsError::System)?;
        Ok((Findings(Some(Arc::clone(&shared))), FindingsWriter { shared, done }))
    }

    /// Notes what was found in the last piece. To be called after `redact_piece`, with the same scratch, on the bytes of
    /// [`Piece::body`](crate::engine::Piece::body).
    pub fn inspect(&self, engine: &Engine, scratch: &Scratch, body: &[u8], place: Place<'_>) {
        let spans = scratch.found();
        if spans.is_empty() {
            return;
        }
        place.source.spans(engine, spans);
        let Some(shared) = &self.0 else { return };
        // The piece is redacted already: what goes wrong in telling of it must not cost the piece.
        let told = catch_unwind(AssertUnwindSafe(|| self.tell(engine, spans, body, place)));
        if told.is_err() {
            shared.metrics.findings_unwritten(1);
            tracing::error!(source = place.source.name(), "findings were not told: internal error");
        }
    }

    fn tell(&self, engine: &Engine, spans: &[Span], body: &[u8], place: Place<'_>) {
        let mut rest = spans;
        while let [first, ..] = rest {
            let parts = parts(engine, rest, body);
            let secret = secret(engine, &rest[..parts], body);
            let above = place.keys.and_then(|keys| keys.of(spans.len() - rest.len()));
            let key = above.and_then(|path| name(path, MAX_PATH_BYTES)).or_else(|| key(*first, body));
            self.record(&Finding { engine, span: *first, secret: &secret, key, place });
            rest = &rest[parts..];
        }
    }

    /// Notes one secret.
    pub fn record(&self, finding: &Finding<'_>) {
        let Some(shared) = &self.0 else { return };
        let (fingerprint, fingerprint_key) = shared.fingerprint(finding);
        let now = Now::read();
        let key = Key { fingerprint, source: finding.place.source.name().to_owned() };
        let line = shared.line(finding, fingerprint, fingerprint_key, now);
        let Noted { is_new, lines, evicted } = shared.book().note(key.clone(), line, now);
        if is_new {
            finding.place.source.new_fingerprints(1);
        }
        shared.metrics.fingerprints_evicted(evicted);
        for line in lines {
            let first = line.event == Event::First;
            shared.queued.fetch_add(1, Ordering::Relaxed);
            let told = shared.orders.try_send(Order::Write(Box::new(line))).is_ok();
            if !told {
                shared.queued.fetch_sub(1, Ordering::Relaxed);
            }
            match (told, first) {
                (true, _) => {}
                (false, true) => shared.book().untold(&key),
                // The last word about what was forgotten: nothing remembers it.
                (false, false) => shared.metrics.findings_unwritten(1),
            }
        }
    }
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fingerprint(&self, finding: &Finding<'_>) -> (Fingerprint, FingerprintKey) {
        if let Some(fingerprint) = finding.engine.fingerprint(Purpose::Finding, finding.secret) {
            return (fingerprint, FingerprintKey::Configured);
        }
        if !self.fallback_told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "no hash key is configured: fingerprints of findings are made with a random key and change with each start"
            );
        }
        let fingerprint = self.fallback.fingerprint(Purpose::Finding, finding.secret);
        (fingerprint.expect("it has a key"), FingerprintKey::Random)
    }

    fn line(&self, finding: &Finding<'_>, fingerprint: Fingerprint, fingerprint_key: FingerprintKey, now: Now) -> Line {
        let Finding { engine, span, place, key, .. } = *finding;
        let rule = &engine.rules()[span.rule.index()];
        Line {
            time: now.wall,
            event: Event::Update,
            fingerprint: String::from_utf8_lossy(&fingerprint).into_owned(),
            fingerprint_key,
            rule: rule.id.clone(),
            category: rule.category.name().to_owned(),
            action: engine.action(span.rule).name().to_owned(),
            masked: engine.mode() == Mode::Enforce,
            rules_hash: self.metrics.rules_hash(),
            source: place.source.name().to_owned(),
            stream: place.stream.map(str::to_owned),
            offset: place.offset + span.start as u64,
            key_path: key.map(str::to_owned),
            first_seen: now.wall,
            last_seen: now.wall,
            count: 1,
            known: self.known(engine, span),
        }
    }

    fn known(&self, engine: &Engine, span: Span) -> Option<KnownLine> {
        let Why::Known { value } = span.why else { return None };
        let name = engine.known_name(value)?.to_owned();
        let current = engine.known_age(value) == Some(0);
        let generation = if current { Generation::Current } else { Generation::Previous };
        let number = engine.known_generation(value).unwrap_or_default();
        let Contact { owner, revoke } = self.options.contact(&name).cloned().unwrap_or_default();
        Some(KnownLine { name, generation, number, owner, revoke })
    }
}

/// An engine that finds nothing and has a key of its own.
fn fallback() -> Result<Engine, FindingsError> {
    let mut key = vec![0; 32];
    getrandom::fill(&mut key).map_err(|error| FindingsError::System(io::Error::other(error)))?;
    let hash_key = HashKey::new(key).expect("32 bytes are enough");
    let policy = Policy { hash_key: Some(hash_key), ..Policy::default() };
    Ok(Engine::compile(RuleSet::default(), policy, &Limits::default()).expect("no rule can be wrong"))
}

/// How many of `spans`, from the first on, are parts of one secret: the fragments of a cut record, the lines of a key.
fn parts(engine: &Engine, spans: &[Span], body: &[u8]) -> usize {
    let lines = is_private_key(engine, &spans[0]);
    let goes_on = |pair: &&[Span]| {
        let (last, next) = (pair[0], pair[1]);
        if next.form == Form::Silent {
            return true;
        }
        let gap = body.get(last.end..next.start).unwrap_or_default();
        lines
            && is_private_key(engine, &next)
            && gap.len() <= MAX_KEY_GAP
            && memchr::memmem::find(gap, b"---").is_none()
    };
    1 + spans.windows(2).take_while(goes_on).count()
}

fn is_private_key(engine: &Engine, span: &Span) -> bool {
    engine.rules()[span.rule.index()].matcher == Matcher::Grammar(Grammar::PrivateKey)
}

/// The bytes of one secret. Of an armoured key only the letters count, so that it is the same one however it was wrapped.
fn secret(engine: &Engine, parts: &[Span], body: &[u8]) -> zeroize::Zeroizing<Vec<u8>> {
    let of = |span: &Span| body.get(span.start..span.end).unwrap_or_default();
    let mut secret = zeroize::Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| of(part).len()).sum()));
    parts.iter().for_each(|part| secret.extend_from_slice(of(part)));
    if is_private_key(engine, &parts[0]) {
        let mut escaped = false;
        secret.retain(|byte| {
            let after_backslash = std::mem::replace(&mut escaped, *byte == b'\\');
            !after_backslash && (byte.is_ascii_alphanumeric() || b"+/=".contains(byte))
        });
    }
    secret
}

/// The key beside a secret, if it is a name.
fn key(span: Span, body: &[u8]) -> Option<&str> {
    let Why::Key { start, end } = span.why else { return None };
    name(body.get(start..end)?, MAX_KEY_BYTES)
}

/// The text of a key or of a path of keys, if it is a name of at most so many bytes.
fn name(key: &[u8], max_bytes: usize) -> Option<&str> {
    let key = Some(key).filter(|key| (1..=max_bytes).contains(&key.len()))?;
    let is_name = key.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte));
    if is_name { std::str::from_utf8(key).ok() } else { None }
}

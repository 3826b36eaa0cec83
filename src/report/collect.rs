//! Collects findings over many files and threads in bounded memory: counts are exact, of findings themselves only the first
//! so many are kept, in the order of places, whatever the order of the threads.

use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::baseline::{Baseline, Entry};
use super::lines::{Line, Lines, Look};
use super::occurrence::{Identity, LineHash, Occurrence};
use super::place::Place;
use super::template::{FileKind, is_template};
use crate::engine::{Engine, Form, Grammar, Matcher, RuleId, Span};

/// Places with findings that are told apart; those of more are counted together.
const MAX_PLACES: usize = 20_000;

/// Whether stand-ins for secrets are findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Templates {
    /// They are counted and left alone.
    Leave,
    /// They are findings as any other.
    Report,
}

/// How the lines of an armoured key are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocks {
    /// Lines one below the other are one finding: whoever reads them has one thing to mend.
    Join,
    /// As the engine masks them: each by itself.
    ByLine,
}

/// What is kept of what is found.
#[derive(Clone, Debug)]
pub struct Keep {
    /// Findings at most, over all.
    pub total: usize,
    /// Findings of one rule in one file at most.
    pub per_rule: usize,
    /// Stand-ins.
    pub templates: Templates,
    /// How the lines of an armoured key are counted.
    pub blocks: Blocks,
    /// What was found before and is not told again.
    pub baseline: Option<Arc<Baseline>>,
    /// Whether a baseline is to be written.
    pub entries: bool,
}

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The first findings, by place.
    pub occurrences: Vec<Occurrence>,
    /// Findings by rule.
    pub by_rule: BTreeMap<RuleId, u64>,
    /// Findings by place and rule.
    pub by_place: BTreeMap<Arc<Place>, BTreeMap<RuleId, u64>>,
    /// Places with findings, those that are not told apart included.
    pub places: u64,
    /// Stand-ins that were left alone.
    pub templates: u64,
    /// Findings that the baseline knows.
    pub known: u64,
    /// What a baseline of this run holds.
    pub entries: Vec<Entry>,
}

impl Found {
    /// All findings, those that are not kept included.
    pub fn total(&self) -> u64 {
        self.by_rule.values().sum()
    }
}

/// Collects what threads find.
pub struct Collector {
    engine: Arc<Engine>,
    keep: Keep,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    found: Found,
    /// The last one on top, to make room.
    heap: BinaryHeap<ByPlace>,
}

/// An occurrence in the order of places.
struct ByPlace(Occurrence);

impl PartialEq for ByPlace {
    fn eq(&self, other: &ByPlace) -> bool {
        self.0.key() == other.0.key()
    }
}

impl Eq for ByPlace {}

impl PartialOrd for ByPlace {
    fn partial_cmp(&self, other: &ByPlace) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByPlace {
    fn cmp(&self, other: &ByPlace) -> std::cmp::Ordering {
        self.0.key().cmp(&other.0.key())
    }
}

impl Collector {
    /// A collector of what `engine` finds.
    pub fn new(engine: Arc<Engine>, keep: Keep) -> Collector {
        Collector { engine, keep, inner: Mutex::default() }
    }

    /// What collects the findings of the file at `path`, on one thread.
    pub fn file(&self, path: &Path) -> FileCollector<'_> {
        FileCollector { collector: self, path: path.to_owned(), kind: FileKind::of(path), at: None, done: Vec::new() }
    }

    /// What was found.
    pub fn finish(self) -> Found {
        let Inner { mut found, heap } = self.inner.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.occurrences = heap.into_sorted_vec().into_iter().map(|ByPlace(occurrence)| occurrence).collect();
        found.entries.sort();
        found
    }

    fn add(&self, at: Stream) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { found, heap } = &mut *inner;
        found.templates += at.templates;
        found.known += at.known;
        found.entries.extend(at.entries);
        if at.counts.is_empty() {
            return;
        }
        found.places += 1;
        for (rule, count) in &at.counts {
            *found.by_rule.entry(*rule).or_default() += count;
        }
        for occurrence in at.occurrences {
            heap.push(ByPlace(occurrence));
            if heap.len() > self.keep.total {
                heap.pop();
            }
        }
        found.by_place.insert(at.place, at.counts);
        if found.by_place.len() > MAX_PLACES {
            found.by_place.pop_last();
        }
    }
}

/// Collects the findings of one file.
pub struct FileCollector<'c> {
    collector: &'c Collector,
    path: PathBuf,
    kind: FileKind,
    at: Option<Stream>,
    done: Vec<Stream>,
}

/// A file or a member of it.
struct Stream {
    place: Arc<Place>,
    counts: BTreeMap<RuleId, u64>,
    occurrences: Vec<Occurrence>,
    /// By identity: how often it was seen, and its place in `entries`.
    seen: HashMap<Identity, (u32, usize)>,
    entries: Vec<Entry>,
    templates: u64,
    known: u64,
    /// Characters of the line that the next piece goes on with.
    column: u64,
    /// A key that may go on: its rule, its last line, and whether its finding is the last one that was kept.
    block: Option<(RuleId, u64, bool)>,
}

impl Stream {
    fn new(place: Arc<Place>) -> Stream {
        let (counts, occurrences, seen, entries) = Default::default();
        Stream { place, counts, occurrences, seen, entries, templates: 0, known: 0, column: 0, block: None }
    }
}

impl FileCollector<'_> {
    /// Begins the file, or its next member.
    pub fn begin(&mut self, member: Option<&[u8]>) {
        self.end();
        let place = Place::new(&self.collector.engine, &self.path, member);
        // What a member is called says what it is.
        if let Some(member) = member {
            self.kind = FileKind::of(Path::new(&*String::from_utf8_lossy(member)));
        }
        self.at = Some(Stream::new(Arc::new(place)));
    }

    /// Takes the next piece, in order.
    pub fn take(&mut self, look: Look<'_>) {
        if self.at.is_none() {
            self.begin(look.member);
        }
        let Some(mut at) = self.at.take() else { return };
        let engine = &*self.collector.engine;
        for line in Lines::new(engine, look) {
            self.line(&mut at, &look, &line);
        }
        if look.is_window {
            let last = memchr::memrchr(b'\n', look.body).map_or(0, |newline| newline + 1);
            at.column = characters(&look.body[last..]) + if last == 0 { at.column } else { 0 };
        } else {
            at.column = 0;
        }
        self.at = Some(at);
    }

    /// Ends the file. Without it, nothing of it is told: it was not cleaned.
    pub fn finish(mut self) {
        self.end();
        self.done.drain(..).for_each(|stream| self.collector.add(stream));
    }

    fn end(&mut self) {
        self.done.extend(
            self.at.take().filter(|at| at.templates + at.known > 0 || !at.counts.is_empty() || !at.seen.is_empty()),
        );
    }

    fn line(&self, at: &mut Stream, look: &Look<'_>, line: &Line<'_>) {
        let bytes = &look.body[line.range.clone()];
        let mut hash = None;
        let mut told = Told { at: 0, columns: if line.range.start == 0 { at.column } else { 0 }, lines: 0 };
        for (index, span) in line.spans.iter().enumerate().filter(|(_, span)| span.form != Form::Silent) {
            let within = span.start - line.range.start..span.end.min(line.range.end) - line.range.start;
            let (why, rule) = (span.why, &self.collector.engine.rules()[span.rule.index()].id);
            if self.collector.keep.templates == Templates::Leave
                && is_template(bytes, within.clone(), why, rule, self.kind)
            {
                at.templates += 1;
                continue;
            }
            let number = look.line + line.number;
            if self.goes_on(at, span, number, || told.clone().to(bytes, within.end)) {
                continue;
            }
            let hash =
                *hash.get_or_insert_with(|| if look.is_window { around(line, index) } else { line.hash(look.body) });
            let repetition = self.is_new(at, span, hash);
            if self.is_block(span) {
                at.block = Some((span.rule, number, false));
            }
            let Some(repetition) = repetition else { continue };
            let count = at.counts.entry(span.rule).or_default();
            *count += 1;
            if *count <= self.collector.keep.per_rule as u64 && at.occurrences.len() < self.collector.keep.total {
                let (start, end) = (told.to(bytes, within.start), told.clone().to(bytes, within.end));
                if let Some((_, _, kept)) = &mut at.block {
                    *kept = self.is_block(span);
                }
                at.occurrences.push(Occurrence {
                    place: Arc::clone(&at.place),
                    line: number + start.0,
                    column: start.1 + 1,
                    end_line: number + end.0,
                    end_column: end.1 + 1,
                    offset: look.offset + span.start as u64,
                    rule: span.rule,
                    why: why_of(look, line, span),
                    excerpt: line.excerpt(index),
                    line_hash: hash,
                    repetition,
                });
            }
        }
    }

    fn is_block(&self, span: &Span) -> bool {
        let matcher = &self.collector.engine.rules()[span.rule.index()].matcher;
        self.collector.keep.blocks == Blocks::Join && *matcher == Matcher::Grammar(Grammar::PrivateKey)
    }

    /// Whether `span`, on line `number`, is a further line of the key before it; `end` is lines and characters before its end.
    fn goes_on(&self, at: &mut Stream, span: &Span, number: u64, end: impl FnOnce() -> (u64, u64)) -> bool {
        let Some((rule, last, kept)) = &mut at.block else { return false };
        if *rule != span.rule || number != *last + 1 || !self.is_block(span) {
            return false;
        }
        *last = number;
        if let Some(occurrence) = at.occurrences.last_mut().filter(|_| *kept) {
            let (lines, columns) = end();
            (occurrence.end_line, occurrence.end_column) = (number + lines, columns + 1);
        }
        true
    }

    /// How many of the same identity stand before it; `None` if the baseline knows as many.
    fn is_new(&self, at: &mut Stream, span: &Span, line: LineHash) -> Option<u32> {
        let keep = &self.collector.keep;
        if keep.baseline.is_none() && !keep.entries && at.occurrences.len() >= keep.total {
            // Nothing of it is kept, so nobody asks which one of its like it is: one entry for each line could be many.
            return Some(0);
        }
        let (place, rule) = (&at.place, &self.collector.engine.rules()[span.rule.index()].id);
        let identity = Identity::new(place.path_text(), place.member_text(), rule, line);
        let (seen, entry) = at.seen.entry(identity).or_insert((0, at.entries.len()));
        *seen += 1;
        if self.collector.keep.entries {
            match at.entries.get_mut(*entry) {
                Some(entry) => entry.count += 1,
                None => at.entries.push(Entry::new(place, rule, line)),
            }
        }
        let known = self.collector.keep.baseline.as_ref().map_or(0, |baseline| baseline.count(identity));
        at.known += u64::from(*seen <= known);
        (*seen > known).then_some(*seen - 1)
    }
}

/// Line and column of a byte that was told before.
#[derive(Clone)]
struct Told {
    at: usize,
    lines: u64,
    columns: u64,
}

impl Told {
    /// Lines begun before `to`, and characters before it on its line.
    fn to(&mut self, bytes: &[u8], to: usize) -> (u64, u64) {
        let between = &bytes[self.at.min(to)..to];
        self.lines += memchr::memchr_iter(b'\n', between).count() as u64;
        match memchr::memrchr(b'\n', between) {
            Some(newline) => self.columns = characters(&between[newline + 1..]),
            None => self.columns += characters(between),
        }
        self.at = to;
        (self.lines, self.columns)
    }
}

/// Characters of UTF-8: bytes that do not continue one.
fn characters(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| !(0x80..0xc0).contains(*byte)).count() as u64
}

/// What identifies a finding in a line that is too long to be seen whole: the masked text around it.
fn around(line: &Line<'_>, index: usize) -> LineHash {
    let excerpt = line.excerpt(index);
    let (before, behind) = (&excerpt.text[..excerpt.own.start], &excerpt.text[excerpt.own.end..]);
    LineHash::of([before.as_bytes(), behind.as_bytes()].into_iter())
}

/// The reason, where the key stands on the same line and is no part of a secret itself.
fn why_of(look: &Look<'_>, line: &Line<'_>, span: &Span) -> String {
    use crate::engine::Why;
    if let Why::Key { start, end } = span.why {
        let here = line.range.start <= start && end <= line.range.end;
        let secret = look.found.iter().any(|other| other.start < end && start < other.end);
        if !here || secret {
            return "key".to_owned();
        }
    }
    span.reason(look.body)
}

//! What is remembered of the secrets that were seen: when, how often, and what has been said. It reads no clock and writes
//! nothing: times come in, lines go out.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::line::{Event, Line};
use crate::engine::Fingerprint;

/// One secret in one source.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) fingerprint: Fingerprint,
    pub(super) source: String,
}

/// Now, twice: to tell people, and to measure time by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) wall: Timestamp,
    pub(super) monotonic: Instant,
}

impl Now {
    pub(super) fn read() -> Now {
        Now { wall: Timestamp::now(), monotonic: Instant::now() }
    }
}

struct Entry {
    /// As it would be written now.
    line: Line,
    /// When a line was last written; never, while the writer was behind.
    told: Option<Instant>,
    /// Seen since then.
    is_news: bool,
    /// Its place in `Book::ages`.
    age: u64,
}

/// Entries of the secrets seen last.
pub(super) struct Book {
    entries: HashMap<Key, Entry>,
    /// Keys by when they were last seen, the oldest first.
    ages: BTreeMap<u64, Key>,
    next_age: u64,
    capacity: usize,
    update_every: Duration,
}

/// What became of a finding.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Noted {
    /// Whether the secret was not known before.
    pub(super) is_new: bool,
    /// What is to be written at once.
    pub(super) lines: Vec<Line>,
    /// How many secrets were forgotten.
    pub(super) evicted: u64,
}

impl Book {
    pub(super) fn new(capacity: usize, update_every: Duration) -> Book {
        let (entries, ages) = (HashMap::new(), BTreeMap::new());
        Book { entries, ages, next_age: 0, capacity: capacity.max(1), update_every }
    }

    /// Notes that `key` was seen. `line` is what to tell of it; its times and its count are put right here.
    pub(super) fn note(&mut self, key: Key, line: Line, now: Now) -> Noted {
        let age = self.next_age;
        self.next_age += 1;
        if let Some(entry) = self.entries.get_mut(&key) {
            let first_seen = entry.line.first_seen;
            entry.line = Line { first_seen, count: entry.line.count + 1, last_seen: now.wall, ..line };
            entry.is_news = true;
            self.ages.remove(&std::mem::replace(&mut entry.age, age));
            self.ages.insert(age, key);
            return Noted::default();
        }
        let line =
            Line { event: Event::First, count: 1, time: now.wall, first_seen: now.wall, last_seen: now.wall, ..line };
        let mut noted = Noted { is_new: true, lines: vec![line.clone()], evicted: 0 };
        self.ages.insert(age, key.clone());
        self.entries.insert(key, Entry { line, told: Some(now.monotonic), is_news: false, age });
        if self.entries.len() > self.capacity {
            noted.evicted = 1;
            noted.lines.extend(self.forget_oldest(now));
        }
        noted
    }

    /// The last word about the secret that was not seen for longest.
    fn forget_oldest(&mut self, now: Now) -> Option<Line> {
        let (_, key) = self.ages.pop_first()?;
        let mut entry = self.entries.remove(&key)?;
        entry.is_news.then(|| entry.tell(now))
    }

    /// The writer could not take the first line of `key`: it is told with the next sweep.
    pub(super) fn untold(&mut self, key: &Key) {
        if let Some(entry) = self.entries.get_mut(key) {
            (entry.told, entry.is_news) = (None, true);
        }
    }

    /// What is to be said now: what was never told, and what was seen again and not told for `update_every`. At most
    /// `room` lines.
    pub(super) fn sweep(&mut self, now: Now, room: usize) -> Vec<Line> {
        let every = self.update_every;
        let due =
            |told: Option<Instant>| told.is_none_or(|told| now.monotonic.saturating_duration_since(told) >= every);
        let due = self.entries.values_mut().filter(|entry| entry.is_news && due(entry.told));
        due.take(room).map(|entry| entry.tell(now)).collect()
    }

    /// Everything that was not told yet: the last words.
    pub(super) fn close(&mut self, now: Now) -> Vec<Line> {
        self.entries.values_mut().filter(|entry| entry.is_news).map(|entry| entry.tell(now)).collect()
    }
}

impl Entry {
    fn tell(&mut self, now: Now) -> Line {
        let event = if self.told.is_none() { Event::First } else { Event::Update };
        (self.told, self.is_news) = (Some(now.monotonic), false);
        Line { event, time: now.wall, ..self.line.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::line::FingerprintKey;

    const HOUR: Duration = Duration::from_secs(3600);

    fn key(number: u8) -> Key {
        Key { fingerprint: [number; 16], source: "app".to_owned() }
    }

    fn at(start: Now, seconds: u64) -> Now {
        let (wall, monotonic) = (Duration::from_secs(seconds), Duration::from_secs(seconds));
        Now { wall: start.wall + wall, monotonic: start.monotonic + monotonic }
    }

    fn line(now: Now, offset: u64) -> Line {
        Line {
            time: now.wall,
            event: Event::Update,
            fingerprint: "00".to_owned(),
            fingerprint_key: FingerprintKey::Random,
            rule: "password".to_owned(),
            category: "credential".to_owned(),
            action: "replace".to_owned(),
            masked: true,
            rules_hash: "0".to_owned(),
            source: "app".to_owned(),
            stream: None,
            offset,
            key_path: None,
            first_seen: now.wall,
            last_seen: now.wall,
            count: 0,
            known: None,
        }
    }

    fn note(book: &mut Book, number: u8, now: Now) -> Noted {
        book.note(key(number), line(now, u64::from(number)), now)
    }

    #[test]
    fn the_first_is_told_at_once_and_the_rest_once_an_hour() {
        let (mut book, start) = (Book::new(10, HOUR), Now::read());
        let first = note(&mut book, 1, start);
        assert!(first.is_new);
        assert_eq!((first.lines[0].event, first.lines[0].count), (Event::First, 1));
        for second in 1..=10 {
            assert_eq!(note(&mut book, 1, at(start, second)), Noted::default());
        }
        assert_eq!(book.sweep(at(start, 3599), 9), []);
        let update = book.sweep(at(start, 3600), 9).remove(0);
        assert_eq!((update.event, update.count), (Event::Update, 11));
        assert_eq!((update.first_seen, update.last_seen), (start.wall, at(start, 10).wall));
        assert_eq!(book.sweep(at(start, 9000), 9), [], "nothing new was seen");
        note(&mut book, 1, at(start, 9001));
        assert_eq!(book.close(at(start, 9002))[0].count, 12);
        assert_eq!(book.close(at(start, 9003)), []);
    }

    #[test]
    fn the_one_not_seen_for_longest_is_forgotten_with_a_last_word() {
        let (mut book, start) = (Book::new(2, HOUR), Now::read());
        note(&mut book, 1, start);
        note(&mut book, 2, start);
        note(&mut book, 2, start);
        note(&mut book, 1, start);
        let noted = note(&mut book, 3, start);
        assert_eq!((noted.evicted, noted.lines.len()), (1, 2));
        assert_eq!((noted.lines[1].event, noted.lines[1].offset, noted.lines[1].count), (Event::Update, 2, 2));
        assert!(note(&mut book, 2, start).is_new);
        assert_eq!((book.entries.len(), book.ages.len()), (2, 2));
    }

    #[test]
    fn what_the_writer_could_not_take_is_told_later() {
        let (mut book, start) = (Book::new(10, HOUR), Now::read());
        (1..=3).for_each(|number| drop(note(&mut book, number, start)));
        (1..=3).for_each(|number| book.untold(&key(number)));
        assert_eq!(book.sweep(at(start, 1), 2).len(), 2, "no more than there is room for");
        let last = book.sweep(at(start, 1), 9);
        assert_eq!((last.len(), last[0].event), (1, Event::First));
    }
}

//! The spool against a model, torn and damaged at every byte.

use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn entry(number: u64, len: usize) -> Entry {
    let text = format!("record {number} {}\n", "x".repeat(len));
    let payload = Masked::of_a_test(text);
    Entry {
        stream: number % 3,
        position: number * 7,
        records: 1,
        end: (number % 3) as u8,
        lines: vec![1; (number % 4) as usize],
        origin: vec![b'o'; (number % 5) as usize],
        payload,
    }
}

impl Masked {
    fn of_a_test(text: String) -> Masked {
        Masked::from_test_bytes(text.into_bytes())
    }

    /// Through an engine without rules.
    fn from_test_bytes(bytes: Vec<u8>) -> Masked {
        use crate::engine::{Carry, Engine, Limits, Policy};
        thread_local! {
            static ENGINE: Engine = {
                let rules = "[[rule]]\nid='a'\nsummary='A'\ncategory='credential'\nkeys=['never_there']\n";
                let set = crate::rules::Catalog::parse("r", rules).unwrap().set;
                Engine::compile(set, Policy::default(), &Limits::default()).unwrap()
            };
        }
        ENGINE.with(|engine| engine.redact(&mut engine.scratch(), &Carry::default(), Bytes::from(bytes)).0)
    }
}

fn options(folder: &Path, max_bytes: u64) -> SpoolOptions {
    SpoolOptions { segment_bytes: MIN_SEGMENT_BYTES, ..SpoolOptions::new(folder.to_owned(), max_bytes) }
}

fn open(folder: &Path) -> Spool {
    // A child that another test has just forked holds every open file, and so the lock of a spool that was closed.
    for _ in 0..1000 {
        match Spool::open(options(folder, 1 << 20)) {
            Err(SpoolError::InUse { .. }) => std::thread::sleep(std::time::Duration::from_millis(5)),
            opened => return opened.unwrap(),
        }
    }
    panic!("{} stays locked", folder.display());
}

fn push(spool: &mut Spool, number: u64, len: usize) {
    assert_eq!(spool.push(entry(number, len)).unwrap(), Pushed::Stored { number });
}

fn read_all(spool: &mut Spool) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(stored) = spool.read().unwrap() {
        let len = stored.entry.payload.as_bytes().len() - format!("record {} \n", stored.number).len();
        assert_eq!(stored.entry, entry(stored.number, len), "what was stored is not what was pushed");
        numbers.push(stored.number);
    }
    numbers
}

fn on_disk(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let segments = files.filter(|entry| entry.path().extension().is_some_and(|end| end == "seg"));
    segments.map(|entry| entry.metadata().unwrap().len()).sum()
}

#[test]
fn records_come_back_in_order_over_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    (0..500).for_each(|number| push(&mut spool, number, 1000));
    assert_eq!(spool.sync().unwrap(), 500);
    assert_eq!(read_all(&mut spool), (0..500).collect::<Vec<_>>());
    spool.delivered(199).unwrap();
    spool.note().unwrap();
    assert_eq!(spool.usage_bytes(), on_disk(folder.path()));
    drop(spool);
    let mut spool = open(folder.path());
    assert_eq!(spool.usage_bytes(), on_disk(folder.path()));
    assert_eq!(spool.waiting(), 300);
    push(&mut spool, 500, 10);
    assert_eq!(read_all(&mut spool), (200..=500).collect::<Vec<_>>());
    spool.delivered(500).unwrap();
    assert_eq!((spool.waiting(), spool.counts()), (0, Counts::default()));
    drop(spool);
    let mut spool = open(folder.path());
    assert_eq!(read_all(&mut spool).len() as u64, spool.waiting());
    spool.sync().unwrap();
    assert!(spool.usage_bytes() <= MIN_SEGMENT_BYTES);
}

#[test]
fn files_are_private_and_a_second_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("spool");
    let mut spool = open(&folder);
    push(&mut spool, 0, 10);
    spool.delivered(0).unwrap();
    spool.note().unwrap();
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    for entry in fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
    }
    assert!(matches!(Spool::open(options(&folder, 1 << 20)), Err(SpoolError::InUse { .. })));
}

#[test]
fn a_full_spool_blocks_or_drops_and_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    for when_full in [WhenFull::Block, WhenFull::DropNewest] {
        let at = folder.path().join(format!("{when_full:?}"));
        let mut spool = Spool::open(SpoolOptions { when_full, ..options(&at, 2 * MIN_SEGMENT_BYTES) }).unwrap();
        let mut number = 0;
        let refused = loop {
            match spool.push(entry(number, 1000)).unwrap() {
                Pushed::Stored { .. } => number += 1,
                refused => break refused,
            }
        };
        let expected = if when_full == WhenFull::Block { Pushed::Full } else { Pushed::Dropped };
        assert_eq!((refused, spool.counts().dropped), (expected, u64::from(expected == Pushed::Dropped)));
        assert!(spool.usage_bytes() <= 2 * MIN_SEGMENT_BYTES && spool.usage_bytes() > 2 * MIN_SEGMENT_BYTES - 2000);
        spool.sync().unwrap();
        let read = read_all(&mut spool);
        assert_eq!(read.len() as u64, number);
        spool.delivered(number - 1).unwrap();
        push(&mut spool, number, 1000);
        assert_eq!(read_all(&mut spool), [number]);
    }
}

#[test]
fn quotas_that_make_no_sense_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let check = |max_bytes, segment_bytes, expected: &str| {
        let options = SpoolOptions { segment_bytes, ..options(folder.path(), max_bytes) };
        assert_eq!(Spool::open(options).err().unwrap().to_string(), expected);
    };
    check(100_000, 200_000, "a spool of 100000 bytes is smaller than one segment of 200000 bytes");
    check(1000, 500, "a spool of 1000 bytes is smaller than one segment of 65536 bytes");
    check(1 << 20, 500, "a segment of 500 bytes is too small; at least 65536");
    let mut spool = open(folder.path());
    assert!(matches!(spool.push(entry(0, 2 << 20)), Err(SpoolError::TooLarge { .. })));
    push(&mut spool, 0, 1);
}

#[test]
fn a_later_version_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    push(&mut open(folder.path()), 0, 10);
    let segment = segment::Segment::list(folder.path()).unwrap().remove(0);
    let prefix = *b"inkspool\x09\0\0\0";
    let crc = crc32fast::hash(&prefix).to_le_bytes();
    let file = segment.open().unwrap();
    file.write_all_at(&prefix, 0).unwrap();
    file.write_all_at(&crc, 12).unwrap();
    assert!(matches!(
        Spool::open(options(folder.path(), 1 << 20)),
        Err(SpoolError::Version { found: 9, known: 1, .. })
    ));
    assert!(segment.path.exists());
}

#[test]
fn a_segment_torn_at_any_byte_gives_what_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    let mut ends = vec![segment::PREFIX_BYTES];
    for number in 0..4 {
        push(&mut spool, number, 20);
        ends.push(spool.usage_bytes());
    }
    drop(spool);
    let path = segment::Segment::list(folder.path()).unwrap().remove(0).path;
    let whole = fs::read(&path).unwrap();
    for len in 0..=whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        let mut spool = open(folder.path());
        let expected = ends.iter().filter(|end| **end <= len as u64).count().saturating_sub(1) as u64;
        assert_eq!(read_all(&mut spool), (0..expected).collect::<Vec<_>>(), "{len}");
        assert_eq!(spool.usage_bytes(), on_disk(folder.path()), "{len}");
        push(&mut spool, expected, 5);
        spool.sync().unwrap();
        drop(spool);
        let mut spool = open(folder.path());
        assert_eq!(read_all(&mut spool), (0..=expected).collect::<Vec<_>>(), "{len}");
        drop(spool);
        for segment in segment::Segment::list(folder.path()).unwrap() {
            fs::remove_file(segment.path).unwrap();
        }
    }
}

#[test]
fn a_bit_flipped_anywhere_costs_one_record() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    (0..4).for_each(|number| push(&mut spool, number, 20));
    drop(spool);
    let path = segment::Segment::list(folder.path()).unwrap().remove(0).path;
    let whole = fs::read(&path).unwrap();
    for place in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[place] ^= 0x10;
        fs::write(&path, &flipped).unwrap();
        let mut spool = open(folder.path());
        let came = read_all(&mut spool);
        let counts = spool.counts();
        if place < segment::PREFIX_BYTES as usize {
            assert_eq!((came.len(), counts), (4, Counts::default()), "{place}");
            continue;
        }
        // What is damaged at the very end looks torn.
        assert!(
            came.len() == 3 && (counts.skipped == 1 || (counts.torn_bytes > 0 && came == [0, 1, 2])),
            "{place}: {came:?} {counts:?}"
        );
        drop(spool);
        let _ = fs::remove_file(folder.path().join("ledger"));
    }
}

/// A log line may hold what looks like the head of a record. Where the record it stands in was torn or damaged, it is none.
#[test]
fn what_looks_like_a_head_in_a_payload_is_none() {
    for number in [0, 3, 1000, u64::MAX - 1, u64::MAX] {
        let mut forged = Vec::new();
        record::Head::write(&entry(0, 8), number, &mut forged);
        // A head and nothing behind it, or what a whole record has.
        for forged in [&forged[..record::HEAD_BYTES], &forged[..]] {
            let folder = tempfile::tempdir().unwrap();
            let mut spool = open(folder.path());
            (0..2).for_each(|number| push(&mut spool, number, 10));
            let text = [b"begin ", forged, &b"x".repeat(500)].concat();
            spool.push(Entry { payload: Masked::from_test_bytes(text), ..entry(2, 0) }).unwrap();
            spool.sync().unwrap();
            drop(spool);
            let path = segment::Segment::list(folder.path()).unwrap().remove(0).path;
            let len = fs::metadata(&path).unwrap().len();
            fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(len - 100).unwrap();
            let mut spool = open(folder.path());
            assert_eq!(read_all(&mut spool), [0, 1], "{number}");
            let Pushed::Stored { number: next } = spool.push(entry(2, 10)).unwrap() else { panic!("no room") };
            assert!(next <= 2, "{next} after a forged {number}");
        }
    }
}

#[test]
fn missing_empty_and_foreign_files_are_survived() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    (0..200).for_each(|number| push(&mut spool, number, 1000));
    drop(spool);
    let segments = segment::Segment::list(folder.path()).unwrap();
    let (lost, after) = (segments[1].first, segments[2].first);
    fs::remove_file(&segments[1].path).unwrap();
    fs::write(folder.path().join("00000000000000000150.seg"), "").unwrap();
    fs::write(folder.path().join("readme.seg"), "x").unwrap();
    fs::create_dir(folder.path().join("00000000000000000009.seg")).unwrap();
    let mut spool = open(folder.path());
    let came = read_all(&mut spool);
    assert_eq!(came, (0..lost).chain(after..200).collect::<Vec<_>>());
    assert_eq!(spool.counts().skipped, after - lost);
    spool.delivered(199).unwrap();
    assert_eq!(spool.waiting(), 0);
}

#[test]
fn a_lost_ledger_means_records_twice_and_none_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    (0..200).for_each(|number| push(&mut spool, number, 1000));
    read_all(&mut spool);
    spool.delivered(150).unwrap();
    spool.note().unwrap();
    drop(spool);
    for spoil in [&b""[..], b"123456789012", b"too long for a ledger"] {
        fs::write(folder.path().join("ledger"), spoil).unwrap();
        let mut spool = open(folder.path());
        let came = read_all(&mut spool);
        assert!(came[0] <= 151 && came.ends_with(&[199]) && spool.counts().skipped == 0);
    }
}

#[derive(Clone, Debug)]
enum Act {
    Push(usize),
    Sync,
    Read,
    /// Delivers so many of what was read.
    Deliver(usize),
    /// Everything synced survives; of the rest, so many bytes of the last segment are lost.
    Crash(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0usize..9000).prop_map(Act::Push),
        1 => Just(Act::Sync),
        3 => Just(Act::Read),
        2 => (1usize..20).prop_map(Act::Deliver),
        1 => (0u64..20_000).prop_map(Act::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 200, ..ProptestConfig::default() })]

    /// The model is a queue: what was synced and not delivered comes, in order, whatever happens.
    #[test]
    fn it_is_a_queue(acts in proptest::collection::vec(act(), 1..120)) {
        let folder = tempfile::tempdir().unwrap();
        let options = options(folder.path(), 4 * MIN_SEGMENT_BYTES);
        let mut spool = Spool::open(options.clone()).unwrap();
        // Number, payload length, synced.
        let mut model: VecDeque<(u64, Entry, bool)> = VecDeque::new();
        let mut read: VecDeque<u64> = VecDeque::new();
        let mut unread = 0;
        for act in acts {
            match act {
                Act::Push(len) => {
                    let entry = entry(len as u64, len);
                    if let Pushed::Stored { number } = spool.push(entry.clone()).unwrap() {
                        model.push_back((number, entry, false));
                    }
                    let synced = spool.synced();
                    model.iter_mut().for_each(|(number, _, durable)| *durable |= *number < synced);
                }
                Act::Sync => {
                    let synced = spool.sync().unwrap();
                    model.iter_mut().for_each(|(number, _, durable)| *durable |= *number < synced);
                    prop_assert!(model.iter().all(|(.., durable)| *durable));
                }
                Act::Read => {
                    let expected = model.iter().find(|(number, ..)| *number >= unread);
                    let stored = spool.read().unwrap();
                    prop_assert_eq!(stored.as_ref().map(|stored| (stored.number, &stored.entry)), expected.map(|(number, entry, _)| (*number, entry)));
                    if let Some(stored) = stored {
                        unread = stored.number + 1;
                        read.push_back(stored.number);
                    }
                }
                Act::Deliver(count) => {
                    for number in read.drain(..count.min(read.len())) {
                        spool.delivered(number).unwrap();
                        while model.front().is_some_and(|(first, ..)| *first <= number) {
                            model.pop_front();
                        }
                    }
                }
                Act::Crash(lost) => {
                    let durable = spool.synced_bytes_of_last();
                    drop(spool);
                    if let (Some(last), Some(durable)) = (segment::Segment::list(folder.path()).unwrap().last(), durable) {
                        let len = last.len.saturating_sub(lost).max(durable.min(last.len));
                        last.open().unwrap().set_len(len).unwrap();
                    }
                    spool = Spool::open(options.clone()).unwrap();
                    // At least what was durable is there, and perhaps more; what was delivered may come again.
                    let first = spool.delivered;
                    prop_assert!(model.front().is_none_or(|(number, ..)| first <= *number));
                    let mut came = Vec::new();
                    while let Some(stored) = spool.read().unwrap() {
                        came.push((stored.number, stored.entry));
                    }
                    for (number, entry, durable) in &model {
                        let there = came.iter().find(|(other, _)| other == number);
                        prop_assert!(!durable || there.is_some(), "{number} was durable");
                        prop_assert!(there.is_none_or(|(_, other)| other == entry));
                    }
                    prop_assert_eq!(spool.counts().skipped, 0);
                    model = came.into_iter().map(|(number, entry)| (number, entry, true)).collect();
                    unread = spool.next;
                    read = model.iter().map(|(number, ..)| *number).collect();
                }
            }
            prop_assert_eq!(spool.usage_bytes(), on_disk(folder.path()));
            prop_assert!(spool.usage_bytes() <= 4 * MIN_SEGMENT_BYTES);
        }
    }
}

//! The thread that follows files, as a user's log has it: a writer that does not wait, rotation under load, restarts.

#![cfg(feature = "daemon")]

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, TryRecvError, TrySendError};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use inkout::tail::{Checkpoints, Driver, Event, FileId, Handle, Offer, TailOptions, Tailer};

/// How much larger the long run is than the one that each change must pass.
fn scale() -> usize {
    static SCALE: OnceLock<usize> = OnceLock::new();
    *SCALE.get_or_init(|| std::env::var("INKOUT_TEST_SCALE").ok().and_then(|text| text.parse().ok()).unwrap_or(1))
}

/// A follower, and what came of it.
struct Follower {
    driver: Driver,
    handle: Handle,
    events: Receiver<Event>,
}

impl Follower {
    fn start(options: TailOptions, checkpoints: Checkpoints) -> Follower {
        let tailer = Tailer::new(options, checkpoints, Instant::now()).expect("a good pattern");
        let (sender, events) = mpsc::sync_channel(16);
        let driver = Driver::start(tailer, move |event| match sender.try_send(event) {
            Ok(()) => Offer::Taken,
            Err(TrySendError::Full(event)) => Offer::Full(event),
            Err(TrySendError::Disconnected(_)) => Offer::Closed,
        })
        .expect("a thread");
        let handle = driver.handle();
        Follower { driver, handle, events }
    }
}

/// What was read, as a receiver has it that acknowledges whole lines.
#[derive(Default)]
struct Reader {
    paths: HashMap<FileId, PathBuf>,
    partial: HashMap<FileId, (u64, Vec<u8>)>,
    lines: Vec<String>,
    lost: u64,
    cuts: u64,
}

impl Reader {
    fn take(&mut self, event: Event, handle: &Handle) {
        match event {
            Event::Opened { file, path, .. } => {
                self.paths.insert(file, path);
            }
            Event::Data { file, offset, bytes } => {
                let (start, partial) = self.partial.entry(file).or_insert((offset, Vec::new()));
                assert_eq!(*start + partial.len() as u64, offset);
                partial.extend_from_slice(&bytes);
                let Some(newline) = partial.iter().rposition(|byte| *byte == b'\n') else { return };
                let rest = partial.split_off(newline + 1);
                self.lines.extend(String::from_utf8_lossy(partial).lines().map(str::to_owned));
                *start += partial.len() as u64;
                *partial = rest;
                handle.acked(file, *start);
            }
            Event::Cut { lost, .. } => {
                self.cuts += 1;
                self.lost += lost;
            }
            Event::Ended { file } => {
                if let Some((_, partial)) = self.partial.remove(&file).filter(|(_, partial)| !partial.is_empty()) {
                    self.lines.push(String::from_utf8_lossy(&partial).into_owned());
                }
            }
            _ => {}
        }
    }

    /// Until `line` came, or for too long.
    fn until(&mut self, follower: &Follower, line: &str) {
        let started = Instant::now();
        while self.lines.last().is_none_or(|last| last != line) {
            match follower.events.try_recv() {
                Ok(event) => self.take(event, &follower.handle),
                Err(TryRecvError::Empty) => thread::yield_now(),
                Err(TryRecvError::Disconnected) => panic!("it stopped"),
            }
            assert!(started.elapsed() < Duration::from_secs(120), "{line} did not come: {:?}", self.lines.last());
        }
    }
}

fn append(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("the log")
}

fn options(path: &Path) -> TailOptions {
    TailOptions::new(vec![path.to_str().expect("UTF-8").to_owned()])
}

#[test]
fn rotation_by_renaming_under_load_loses_nothing_and_keeps_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let follower = Follower::start(options(&path), Checkpoints::at(&folder.path().join("state")).unwrap());
    // What was rotated away before anybody looked is not read.
    writeln!(append(&path), "the beginning").unwrap();
    let mut reader = Reader::default();
    reader.until(&follower, "the beginning");
    let rotations = 50 * scale();
    let writer = thread::spawn({
        move || {
            let mut number = 0;
            for rotation in 0..rotations {
                let mut file = append(&path);
                for _ in 0..2_000 {
                    writeln!(file, "line {number} {}", "x".repeat(number % 90)).unwrap();
                    number += 1;
                }
                fs::rename(&path, path.with_extension(format!("log.{rotation}"))).unwrap();
                // A line that its writer sends after the file was renamed.
                writeln!(file, "line {number}").unwrap();
                number += 1;
            }
            writeln!(append(&path), "the end").unwrap();
            number
        }
    });
    reader.until(&follower, "the end");
    let written = writer.join().unwrap();
    let numbers: Vec<usize> = reader.lines.iter().filter_map(|line| line.split(' ').nth(1)?.parse().ok()).collect();
    assert_eq!(numbers.len(), written, "lost {}", reader.lost);
    let astray = numbers.windows(2).find(|pair| pair[1] != pair[0] + 1);
    assert_eq!(astray, None, "the order was not kept");
    assert!(follower.driver.join().unwrap());
}

#[test]
fn rotation_by_copying_and_cutting_loses_nothing_while_the_writer_is_quiet() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let follower = Follower::start(options(&path), Checkpoints::in_memory().unwrap());
    let rotations = 50 * scale();
    let writer = thread::spawn({
        move || {
            let mut number = 0;
            let mut file = append(&path);
            for rotation in 0..rotations {
                for _ in 0..2_000 {
                    writeln!(file, "line {number} {}", "x".repeat(number % 90)).unwrap();
                    number += 1;
                }
                fs::copy(&path, path.with_extension(format!("log.{rotation}"))).unwrap();
                file.set_len(0).unwrap();
                // Times of files tick every few milliseconds; two rotations within one have no order.
                thread::sleep(Duration::from_millis(10));
            }
            writeln!(file, "the end").unwrap();
            number
        }
    });
    let mut reader = Reader::default();
    reader.until(&follower, "the end");
    let written = writer.join().unwrap();
    let numbers: Vec<usize> = reader.lines.iter().filter_map(|line| line.split(' ').nth(1)?.parse().ok()).collect();
    println!("{} of {written} lines, {} cuts seen", numbers.len(), reader.cuts);
    assert!(numbers.iter().copied().eq(0..written), "lost {}, or the order was not kept", written - numbers.len());
}

#[test]
fn a_line_comes_within_milliseconds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let mut file = append(&path);
    let follower = Follower::start(options(&path), Checkpoints::in_memory().unwrap());
    let mut reader = Reader::default();
    writeln!(file, "ready").unwrap();
    reader.until(&follower, "ready");
    let mut times = Vec::new();
    for number in 0..200 {
        thread::sleep(Duration::from_millis(3));
        let line = format!("line {number}");
        let started = Instant::now();
        writeln!(file, "{line}").unwrap();
        reader.until(&follower, &line);
        times.push(started.elapsed());
    }
    times.sort_unstable();
    println!("a followed line: median {:?}, p99 {:?}, worst {:?}", times[100], times[197], times[199]);
}

/// The first, the last, and how many.
fn summary(numbers: &[usize]) -> Option<(usize, usize, usize)> {
    Some((*numbers.first()?, *numbers.last()?, numbers.len()))
}

/// Crashes are sudden here: the follower's thread is left behind with nothing saved, as `kill -9` would have it.
#[test]
fn crashes_under_rotation_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    // What is rotated before anybody looked for the first time is not read.
    let state = folder.path().join("state");
    let first = Follower::start(options(&path), Checkpoints::at(&state).unwrap());
    writeln!(append(&path), "ready").unwrap();
    Reader::default().until(&first, "ready");
    drop(first);
    let stop = Arc::new(AtomicBool::new(false));
    let writer = thread::spawn({
        let (path, stop) = (path.clone(), Arc::clone(&stop));
        move || {
            let mut number = 0;
            let mut rotation = 0;
            while !stop.load(Ordering::Relaxed) {
                let mut file = append(&path);
                for _ in 0..300 {
                    writeln!(file, "line {number}").unwrap();
                    number += 1;
                }
                thread::sleep(Duration::from_millis(5));
                rotation += 1;
                fs::rename(&path, path.with_extension(format!("log.{rotation}"))).unwrap();
            }
            writeln!(append(&path), "the end").unwrap();
            number
        }
    });
    let mut all = Reader::default();
    let crashes = 30 * scale();
    for round in 0..=crashes {
        let mut options = options(&path);
        options.save_interval = Duration::from_millis(10);
        let checkpoints = loop {
            // The lock goes with the thread that was left behind.
            match Checkpoints::at(&state) {
                Ok(checkpoints) => break checkpoints,
                Err(_) => thread::yield_now(),
            }
        };
        let follower = Follower::start(options, checkpoints);
        let mut reader = Reader::default();
        if round == crashes {
            stop.store(true, Ordering::Relaxed);
            reader.until(&follower, "the end");
        } else {
            let until = Instant::now() + Duration::from_millis(7 * (round as u64 % 13));
            while Instant::now() < until {
                if let Ok(event) = follower.events.recv_timeout(Duration::from_millis(1)) {
                    reader.take(event, &follower.handle);
                }
            }
        }
        all.lines.append(&mut reader.lines);
        all.lost += reader.lost;
    }
    let written = writer.join().unwrap();
    let mut numbers: Vec<usize> = all.lines.iter().filter_map(|line| line.split(' ').nth(1)?.parse().ok()).collect();
    let came = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    let missing: Vec<usize> = (0..written).filter(|number| numbers.binary_search(number).is_err()).collect();
    assert!(missing.is_empty(), "{} of {written} lines, {} lost: {:?}", numbers.len(), all.lost, summary(&missing));
    println!("{crashes} crashes, {written} lines, {} of them twice", came - written);
}

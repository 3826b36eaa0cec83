//! Followed files into a TCP receiver, with kills at random moments (C-01, C-02, C-12, F-01).

use std::fs::{self, File};
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::oracle::{Judgement, record};
use crate::receiver::{Habits, Receiver};
use crate::support::{Daemon, Folder, eventually, scale};

fn daemon(folder: &Folder, receiver: &Receiver) -> Daemon {
    let source = format!("file:{}", folder.path("logs/*.log").display());
    let sink = format!("tcp:{}", receiver.address);
    Daemon::run(["--from", &source, "--to", &sink, "--state-dir", folder.path("state").to_str().unwrap()])
}

fn judge(receiver: &Receiver) -> Judgement {
    let lines = receiver.lines();
    Judgement::of(lines.iter().map(String::as_str))
}

/// Everything of some files is there.
fn until_whole(receiver: &Receiver, files: u64, count: u64) {
    eventually("every record", || {
        let judgement = judge(receiver);
        (0..files).all(|file| judgement.lost(file, count).is_empty())
    });
}

#[test]
fn a_followed_file_arrives_once_and_goes_on_after_a_stop() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    fs::create_dir(folder.path("logs")).unwrap();
    let mut file = File::create(folder.path("logs/0.log")).unwrap();
    let mut sent = 0;
    for _ in 0..3 {
        let mut running = daemon(&folder, &receiver);
        for _ in 0..2 {
            let text: String = (sent..sent + 500).map(|number| record(0, number) + "\n").collect();
            file.write_all(text.as_bytes()).unwrap();
            sent += 500;
            receiver.until_lines(sent as usize);
        }
        // Half a record is no record: a later run reads all of it.
        let next = record(0, sent);
        file.write_all(&next.as_bytes()[..20]).unwrap();
        assert_eq!(running.stop().0, 0, "{}", running.said());
        file.write_all(&next.as_bytes()[20..]).unwrap();
        file.write_all(b"\n").unwrap();
        sent += 1;
    }
    let _running = daemon(&folder, &receiver);
    receiver.until_lines(sent as usize);
    judge(&receiver).assert_exact(1, sent);
}

/// What a file taught is known behind a stop, and no line comes twice for it.
#[test]
fn a_value_that_was_learned_is_known_behind_a_stop() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    fs::create_dir(folder.path("logs")).unwrap();
    let config = format!(
        "learn_records = 3\nstate_dir = '{}'\n[[pipeline]]\nsource = 'file:{}'\nsinks = ['tcp:{}']\n",
        folder.path("state").display(),
        folder.path("logs/*.log").display(),
        receiver.address
    );
    let config = folder.file("inkout.toml", &config);
    let mut file = File::create(folder.path("logs/0.log")).unwrap();
    let mut sent = 0;
    for text in [
        "use hunter2xyz\npassword=hunter2xyz\nuse hunter2xyz\n",
        "use hunter2xyz\n",
        "use hunter2xyz\nuse hunter2xyz\n",
    ] {
        let mut running = Daemon::run(["--config".as_ref(), config.as_os_str()]);
        file.write_all(text.as_bytes()).unwrap();
        sent += text.lines().count();
        receiver.until_lines(sent);
        assert_eq!(running.stop().0, 0, "{}", running.said());
    }
    let masked = "use [REDACTED:password]";
    let expected = ["use hunter2xyz", "password=REDACTED.password", masked, masked, masked, "use hunter2xyz"];
    assert_eq!(receiver.lines(), expected);
}

/// C-01: killed at random moments while four files grow and rotate. Nothing is lost, and what comes twice is little.
#[test]
fn kills_lose_nothing() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    fs::create_dir(folder.path("logs")).unwrap();
    let (files, kills) = (4, 12 * scale());
    let writers = Writers::default();
    thread::scope(|scope| {
        for stream in 0..files {
            let (folder, writers) = (&folder, &writers);
            scope.spawn(move || write(folder, stream, writers));
        }
        let mut running = daemon(&folder, &receiver);
        eventually("each file", || judge(&receiver).arrived.len() as u64 == files);
        running.child().kill().unwrap();
        running.ended();
        writers.seen.store(true, Ordering::Relaxed);
        let mut random = 0x9E37_79B9_7F4A_7C15_u64;
        for _ in 0..kills {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let mut running = daemon(&folder, &receiver);
            thread::sleep(Duration::from_millis(20 + random % 480));
            running.child().kill().unwrap();
            running.ended();
        }
        writers.done.store(true, Ordering::Relaxed);
    });
    let counts = writers.counts();
    let mut running = daemon(&folder, &receiver);
    for (file, count) in counts.iter().enumerate() {
        eventually("every record", || judge(&receiver).lost(file as u64, *count).is_empty());
    }
    assert_eq!(running.stop().0, 0, "{}", running.said());
    let judgement = judge(&receiver);
    assert_eq!(judgement.wrong, Vec::<String>::new(), "torn, leaked or made up");
    let total: u64 = counts.iter().sum();
    let twice = judgement.duplicates() as u64;
    assert!(twice / kills <= total / kills * 3, "{twice} of {total} came again in {kills} kills");
}

/// What the threads know that write.
#[derive(Default)]
pub(crate) struct Writers {
    pub(crate) done: AtomicBool,
    /// Each file was followed once: what is rotated away before anybody saw it is not followed.
    pub(crate) seen: AtomicBool,
    /// Records in each file.
    written: [AtomicU64; 4],
}

impl Writers {
    pub(crate) fn counts(&self) -> Vec<u64> {
        self.written.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }
}

/// Appends records, a few at a time, and renames the file now and then.
pub(crate) fn write(folder: &Folder, stream: u64, writers: &Writers) {
    let written = &writers.written[stream as usize];
    let path = folder.path(format!("logs/{stream}.log"));
    let (mut rotation, mut number) = (0, 0);
    let mut file = File::options().create(true).append(true).open(&path).unwrap();
    while !writers.done.load(Ordering::Relaxed) {
        let text: String = (number..number + 20).map(|number| record(stream, number) + "\n").collect();
        file.write_all(text.as_bytes()).unwrap();
        number += 20;
        written.store(number, Ordering::Relaxed);
        if number % 4_000 == 0 && writers.seen.load(Ordering::Relaxed) {
            rotation += 1;
            fs::rename(&path, folder.path(format!("logs/{stream}.log.{rotation}"))).unwrap();
            file = File::options().create(true).append(true).open(&path).unwrap();
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// F-01 and N-02 together: files rotate while the receiver is dead.
#[test]
fn rotations_while_the_receiver_is_dead_lose_nothing() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    fs::create_dir(folder.path("logs")).unwrap();
    let running = daemon(&folder, &receiver);
    let path = folder.path("logs/0.log");
    let mut file = File::create(&path).unwrap();
    let count = 10 * 500;
    for number in 0..count {
        writeln!(file, "{}", record(0, number)).unwrap();
        if number == 0 {
            // What is rotated away before anybody saw it is not followed.
            eventually("the first record", || receiver.bytes() > 0);
        }
        if number == 1_200 {
            receiver.die();
        }
        if number % 500 == 499 {
            fs::rename(&path, folder.path(format!("logs/0.log.{}", 1 + number / 500))).unwrap();
            file = File::create(&path).unwrap();
            // A rotation is not noticed sooner than files are looked at.
            thread::sleep(Duration::from_millis(100));
        }
    }
    receiver.revive();
    until_whole(&receiver, 1, count);
    judge(&receiver).assert_whole(1, count);
    drop(running);
}

/// C-12: two processes would overwrite each other's checkpoints.
#[test]
fn two_processes_do_not_share_their_state() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    fs::create_dir(folder.path("logs")).unwrap();
    let first = daemon(&folder, &receiver);
    eventually("the lock", || folder.path("state/lock").exists());
    first.until_said("connected");
    let mut second = daemon(&folder, &receiver);
    assert_eq!(second.ended().code(), Some(2));
    assert!(second.said().contains("another process is using it"), "{}", second.said());
}

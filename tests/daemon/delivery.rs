//! Nothing is lost, torn or leaked, whatever the receiver does (B.5: N-01 to N-03, S-12).

use std::io::Write as _;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::oracle::{Judgement, masked, record};
use crate::receiver::{Habits, Receiver};
use crate::support::{Daemon, eventually, inkout, scale, send};

const STREAMS: u64 = 4;

fn daemon(receiver: &Receiver) -> Daemon {
    Daemon::run(["--from", "tcp:127.0.0.1:0", "--to", &format!("tcp:{}", receiver.address)])
}

/// Sends `count` records on each of four connections at once.
fn send_all(daemon: &Daemon, count: u64) {
    thread::scope(|scope| {
        for stream in 0..STREAMS {
            scope.spawn(move || send(&mut daemon.connect(), stream, 0..count));
        }
    });
}

fn judge(receiver: &Receiver) -> Judgement {
    let lines = receiver.lines();
    Judgement::of(lines.iter().map(String::as_str))
}

/// Everything has arrived once or more.
fn until_whole(receiver: &Receiver, count: u64) {
    eventually("every record", || {
        let judgement = judge(receiver);
        (0..STREAMS).all(|stream| judgement.lost(stream, count).is_empty())
    });
}

#[test]
fn every_record_of_every_connection_arrives_once_and_in_order() {
    let receiver = Receiver::start(Habits::default());
    let mut daemon = daemon(&receiver);
    let count = 5_000 * scale();
    send_all(&daemon, count);
    receiver.until_lines((STREAMS * count) as usize);
    assert_eq!(daemon.stop().0, 0, "{}", daemon.said());
    judge(&receiver).assert_exact(STREAMS, count);
}

/// N-03: a reset loses what the receiver's system had and its program had not read; all of it comes again.
#[test]
fn a_receiver_that_resets_gets_everything() {
    let receiver = Receiver::start(Habits { resets_after: Some(300_000), ..Habits::default() });
    let mut daemon = daemon(&receiver);
    // Enough for three connections and more, each of which delivers little and takes seconds: a receiver that resets is treated
    // with care. A long run resets twice as often and no more.
    let count = 1_200 * scale().min(2);
    send_all(&daemon, count);
    until_whole(&receiver, count);
    assert!(receiver.connections() > 3, "it was reset {} times", receiver.connections());
    receiver.set(Habits::default());
    assert_eq!(daemon.stop().0, 0, "{}", daemon.said());
    judge(&receiver).assert_whole(STREAMS, count);
}

#[test]
fn a_receiver_that_closes_gets_everything() {
    let receiver = Receiver::start(Habits { closes_after: Some(300_000), ..Habits::default() });
    let daemon = daemon(&receiver);
    let count = 1_200 * scale().min(2);
    send_all(&daemon, count);
    until_whole(&receiver, count);
    judge(&receiver).assert_whole(STREAMS, count);
}

/// N-02: the source waits, memory stays bounded, and everything comes when the receiver is back.
#[test]
fn a_receiver_that_is_dead_for_a_while_gets_everything_when_it_is_back() {
    let receiver = Receiver::start(Habits::default());
    let daemon = daemon(&receiver);
    let count = 20_000 * scale();
    let mut back = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| send_all(&daemon, count));
        eventually("the first records", || receiver.bytes() > 0);
        receiver.die();
        daemon.until_said("lost or refused");
        thread::sleep(Duration::from_secs(2 * scale()));
        receiver.revive();
        back = Instant::now();
    });
    until_whole(&receiver, count);
    assert!(back.elapsed() < Duration::from_secs(30), "it took {:?} to recover", back.elapsed());
    judge(&receiver).assert_whole(STREAMS, count);
    let peak = daemon.peak_memory() >> 20;
    assert!(peak < 96, "{peak} MiB");
}

/// N-01: a slow receiver slows the sender, and nothing piles up.
#[test]
fn a_receiver_that_hardly_reads_is_waited_for() {
    let receiver = Receiver::start(Habits { slow: Some(50 << 10), ..Habits::default() });
    let daemon = daemon(&receiver);
    let count = 60_000;
    thread::scope(|scope| {
        let sender = scope.spawn(|| send_all(&daemon, count));
        eventually("a full buffer", || daemon.memory() > 12 << 20);
        thread::sleep(Duration::from_secs(2));
        assert!(!sender.is_finished(), "the sender was never held up");
        let peak = daemon.peak_memory() >> 20;
        assert!(peak < 96, "{peak} MiB");
        receiver.set(Habits::default());
    });
    until_whole(&receiver, count);
    judge(&receiver).assert_exact(STREAMS, count);
}

#[test]
fn every_sink_gets_every_record_and_one_that_is_dead_may_be_left_behind() {
    let (alive, dead) = (Receiver::start(Habits::default()), Receiver::start(Habits::default()));
    dead.die();
    let folder = crate::support::Folder::new();
    let config = folder.file(
        "inkout.toml",
        format!(
            "[[pipeline]]\nsource = 'tcp:127.0.0.1:0'\nsinks = ['tcp:{}', {{ type = 'tcp', address = '{}', buffer = '64KiB', \
             when_full = 'drop_newest', name = 'other' }}]\n",
            alive.address, dead.address
        ),
    );
    let daemon = Daemon::run(["--config".as_ref(), config.as_os_str()]);
    let count = 5_000;
    send_all(&daemon, count);
    alive.until_lines((STREAMS * count) as usize);
    judge(&alive).assert_exact(STREAMS, count);
    dead.revive();
    // How much of 64 KiB is full when the next block does not fit depends on how the blocks came.
    let mut before = 0;
    eventually("what the other sink had kept", || {
        thread::sleep(Duration::from_millis(200));
        let now = dead.bytes();
        std::mem::replace(&mut before, now) == now && now > 0
    });
    let arrived = judge(&dead);
    assert_eq!(arrived.wrong, Vec::<String>::new());
    assert!(arrived.lost(0, count).len() > 1000, "nothing was dropped");
}

/// C-03 for `run`: standard input to standard output, byte for byte, the last line without an end included.
#[test]
fn standard_input_comes_out_masked_and_otherwise_untouched() {
    let mut child = inkout()
        .args(["run", "--from", "stdin", "--to", "stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let count = 20_000 * scale();
    let mut stdin = child.stdin.take().expect("a pipe");
    let writer = thread::spawn(move || {
        for number in 0..count {
            let end = if number + 1 == count {
                ""
            } else if number % 3 == 0 {
                "\r\n"
            } else {
                "\n"
            };
            stdin.write_all((record(0, number) + end).as_bytes()).expect("it reads");
        }
    });
    let output = child.wait_with_output().expect("it ends");
    writer.join().unwrap();
    let mut expected = String::new();
    for number in 0..count {
        expected += &masked(0, number);
        expected += if number + 1 == count {
            ""
        } else if number % 3 == 0 {
            "\r\n"
        } else {
            "\n"
        };
    }
    assert!(output.status.success());
    assert!(output.stdout == expected.as_bytes(), "{} bytes, {} expected", output.stdout.len(), expected.len());
}

/// P-01: a reader that leaves ends the work; that is not success, for records were not delivered.
#[test]
fn a_reader_that_leaves_standard_output_ends_the_work() {
    let mut daemon = Daemon::spawn(
        inkout().args(["run", "--from", "stdin", "--to", "stdout"]).stdin(Stdio::piped()).stdout(Stdio::piped()),
    );
    drop(daemon.child().stdout.take());
    let mut stdin = daemon.child().stdin.take().expect("a pipe");
    // It may end while this is written.
    let _ = stdin.write_all((record(0, 0) + "\n").as_bytes());
    assert_eq!(daemon.ended().code(), Some(3));
    assert!(daemon.said().contains("stdout"), "{}", daemon.said());
    assert!(!daemon.said().contains("panic"), "{}", daemon.said());
}

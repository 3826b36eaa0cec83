//! Starting, stopping and what is said about it (C-08, C-12, P-04).

use std::io::Write as _;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::oracle::Judgement;
use crate::receiver::{Habits, Receiver};
use crate::support::{Daemon, Folder, eventually, inkout, send};

fn config(folder: &Folder, receiver: &Receiver, deadline: &str) -> std::path::PathBuf {
    let text = format!(
        "drain_deadline = '{deadline}'\n[[pipeline]]\nsource = 'tcp:127.0.0.1:0'\nsinks = ['tcp:{}']\n",
        receiver.address
    );
    folder.file("inkout.toml", text)
}

/// The connection is still open when the signal comes, and what was sent before it is delivered.
#[test]
fn a_stop_delivers_what_was_sent_before_it() {
    for signal in [Signal::TERM, Signal::INT] {
        let receiver = Receiver::start(Habits::default());
        let mut daemon = Daemon::run(["--from", "tcp:127.0.0.1:0", "--to", &format!("tcp:{}", receiver.address)]);
        let mut peer = daemon.connect();
        send(&mut peer, 0, 0..2_000);
        peer.write_all(b"unfinished").unwrap();
        daemon.signal(signal);
        assert_eq!(daemon.ended().code(), Some(0), "{}", daemon.said());
        let lines = receiver.lines();
        assert_eq!(lines.last().map(String::as_str), Some("unfinished"));
        Judgement::of(lines.iter().rev().skip(1).rev().map(String::as_str)).assert_exact(1, 2_000);
    }
}

#[test]
fn a_stop_does_not_wait_for_ever_for_a_receiver_and_says_what_is_missing() {
    type Fault = fn(&Receiver);
    let faults: [(&str, Fault); 2] = [("dead", Receiver::die), ("stopped", Receiver::stop_reading)];
    for (name, fault) in faults {
        let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
        let config = config(&folder, &receiver, "1s");
        let mut daemon = Daemon::run(["--config".as_ref(), config.as_os_str()]);
        fault(&receiver);
        let mut peer = daemon.connect();
        peer.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
        // It is held up sooner or later.
        while peer.write_all(&[b'x'; 10_000]).and_then(|()| peer.write_all(b"\n")).is_ok() {}
        let (code, took) = daemon.stop();
        assert_eq!(code, 3, "{name}: {}", daemon.said());
        assert!(took < Duration::from_secs(8), "{name}: {took:?}");
        assert!(daemon.said().contains("records were not delivered"), "{name}: {}", daemon.said());
    }
}

#[test]
fn a_receiver_that_is_back_in_time_gets_everything_during_the_stop() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    receiver.die();
    let mut daemon = Daemon::run(["--config".as_ref(), config(&folder, &receiver, "20s").as_os_str()]);
    send(&mut daemon.connect(), 0, 0..1_000);
    daemon.until_said("lost or refused");
    daemon.signal(Signal::TERM);
    thread::sleep(Duration::from_millis(500));
    receiver.revive();
    assert_eq!(daemon.ended().code(), Some(0), "{}", daemon.said());
    let lines = receiver.lines();
    Judgement::of(lines.iter().map(String::as_str)).assert_whole(1, 1_000);
}

#[test]
fn a_second_signal_ends_at_once() {
    let receiver = Receiver::start(Habits::default());
    receiver.die();
    let mut daemon = Daemon::run(["--from", "tcp:127.0.0.1:0", "--to", &format!("tcp:{}", receiver.address)]);
    send(&mut daemon.connect(), 0, 0..100);
    daemon.until_said("lost or refused");
    daemon.signal(Signal::TERM);
    thread::sleep(Duration::from_millis(300));
    let (code, took) = daemon.stop();
    assert_eq!(code, 3);
    assert!(took < Duration::from_millis(500), "{took:?}");
    assert!(daemon.said().contains("second signal"), "{}", daemon.said());
}

/// What the application has written before the signal is in the pipe, and comes out.
#[test]
fn a_stop_reads_what_is_in_the_pipe_of_standard_input() {
    let receiver = Receiver::start(Habits::default());
    let sink = format!("tcp:{}", receiver.address);
    let mut daemon = Daemon::spawn(
        inkout().args(["run", "--from", "stdin", "--to", &sink]).stdin(Stdio::piped()).stdout(Stdio::null()),
    );
    let mut stdin = daemon.child().stdin.take().expect("a pipe");
    daemon.until_said("connected");
    let text: String = (0..100).map(|number| crate::oracle::record(0, number) + "\n").collect();
    stdin.write_all(text.as_bytes()).unwrap();
    let (code, took) = daemon.stop();
    assert_eq!(code, 0, "{}", daemon.said());
    assert!(took < Duration::from_secs(3), "{took:?}");
    let lines = receiver.lines();
    Judgement::of(lines.iter().map(String::as_str)).assert_exact(1, 100);
}

#[test]
fn the_end_of_the_input_ends_the_process() {
    let receiver = Receiver::start(Habits::default());
    let sink = format!("tcp:{}", receiver.address);
    let mut daemon = Daemon::spawn(
        inkout().args(["run", "--from", "stdin", "--to", &sink]).stdin(Stdio::piped()).stdout(Stdio::null()),
    );
    let mut stdin = daemon.child().stdin.take().expect("a pipe");
    stdin.write_all(b"token=abc123def\nlast").unwrap();
    drop(stdin);
    assert_eq!(daemon.ended().code(), Some(0), "{}", daemon.said());
    assert_eq!(receiver.raw(), b"token=REDACTED.token\nlast");
}

#[test]
fn two_processes_do_not_share_an_address() {
    let receiver = Receiver::start(Habits::default());
    let sink = format!("tcp:{}", receiver.address);
    let first = Daemon::run(["--from", "tcp:127.0.0.1:0", "--to", &sink]);
    let source = format!("tcp:{}", first.address());
    let mut second = Daemon::run(["--from", &source, "--to", &sink]);
    assert_eq!(second.ended().code(), Some(2));
    assert!(second.said().contains(&format!("cannot listen on {}", first.address())), "{}", second.said());
}

/// An application must not stand still because a receiver does, if the operator says so: then the newest is dropped.
#[test]
fn standard_input_waits_no_longer_than_it_may() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    receiver.stop_reading();
    let text = format!(
        "drain_deadline = '20s'\n[[pipeline]]\nsource = {{ type = 'stdin', max_stall = '200ms' }}\n\
         sinks = [{{ type = 'tcp', address = '{}', buffer = '64KiB' }}]\n",
        receiver.address
    );
    let config = folder.file("inkout.toml", text);
    let mut daemon = Daemon::spawn(
        inkout().args(["run", "--admin", "off", "--config"]).arg(config).stdin(Stdio::piped()).stdout(Stdio::null()),
    );
    let mut stdin = daemon.child().stdin.take().expect("a pipe");
    let count = 60_000;
    let writer = thread::spawn(move || {
        for number in 0..count {
            stdin.write_all((crate::oracle::record(0, number) + "\n").as_bytes()).unwrap();
        }
    });
    eventually("the application goes on", || writer.is_finished());
    receiver.go_on();
    assert_eq!(daemon.ended().code(), Some(0), "{}", daemon.said());
    let lines = receiver.lines();
    let judgement = Judgement::of(lines.iter().map(String::as_str));
    assert_eq!((judgement.wrong.len(), judgement.duplicates(), judgement.late), (0, 0, 0));
    assert!(!judgement.lost(0, count).is_empty(), "nothing had to be dropped");
}

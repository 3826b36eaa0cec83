//! Many, slow, silent and endless peers (B.6: S-01 to S-04, S-11, S-13).

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::receiver::{Habits, Receiver};
use crate::support::{Daemon, Folder, eventually, inkout, scale};

fn daemon(folder: &Folder, receiver: &Receiver, source: &str) -> Daemon {
    let text = format!(
        "[[pipeline]]\nsource = {{ type = 'tcp', listen = '127.0.0.1:0', {source} }}\nsinks = ['tcp:{}']\n",
        receiver.address
    );
    let config = folder.file("inkout.toml", text);
    Daemon::run(["--config".as_ref(), config.as_os_str()])
}

/// A good peer gets its record through.
#[track_caller]
fn assert_serves(daemon: &Daemon, receiver: &Receiver, word: &str) -> Duration {
    let started = Instant::now();
    daemon.connect().write_all(format!("{word}\n").as_bytes()).unwrap();
    eventually(word, || receiver.lines().iter().any(|line| line == word));
    started.elapsed()
}

/// Whether the other side has closed.
fn is_closed(mut peer: &TcpStream) -> bool {
    peer.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    match peer.read(&mut [0; 1]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
    }
}

/// S-01: those above the limit are turned away, the others are served, and a place becomes free again.
#[test]
fn only_so_many_connections_are_let_in() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let daemon = daemon(&folder, &receiver, "max_connections = 50");
    let mut peers: Vec<TcpStream> = (0..50).map(|_| daemon.connect()).collect();
    peers.iter_mut().enumerate().for_each(|(n, peer)| peer.write_all(format!("hello {n}\n").as_bytes()).unwrap());
    receiver.until_lines(50);
    let turned_away = daemon.connect();
    eventually("one too many is turned away", || is_closed(&turned_away));
    peers.pop();
    eventually("a free place", || {
        let peer = daemon.connect();
        thread::sleep(Duration::from_millis(20));
        !is_closed(&peer)
    });
    peers[0].write_all(b"still there\n").unwrap();
    eventually("the others go on", || receiver.lines().iter().any(|line| line == "still there"));
}

/// A thousand idle connections cost little, and a good one is served meanwhile.
#[test]
fn idle_connections_cost_little() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let daemon = daemon(&folder, &receiver, "max_connections = 6000");
    assert_serves(&daemon, &receiver, "before");
    let before = daemon.memory();
    let count = 400 * scale().min(12) as usize;
    let peers: Vec<TcpStream> = (0..count).map(|_| daemon.connect()).collect();
    assert_serves(&daemon, &receiver, "meanwhile");
    let grown = daemon.memory().saturating_sub(before);
    assert!(grown <= (2 << 20) + count * (32 << 10), "{count} connections cost {} KiB", grown >> 10);
    drop(peers);
}

/// S-11 and the endless partial record on each: bounded by 32 KiB each and a shared budget; the others go on.
#[test]
fn endless_records_on_every_connection_are_bounded() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let daemon = daemon(&folder, &receiver, "max_connections = 6000, partial_timeout = '4s'");
    assert_serves(&daemon, &receiver, "before");
    let count = 200 * scale().min(25) as usize;
    let mut peers: Vec<TcpStream> = (0..count).map(|_| daemon.connect()).collect();
    let chunk = vec![b'x'; 32 << 10];
    for peer in &mut peers {
        peer.set_nonblocking(true).unwrap();
    }
    // Each would send 800 KiB without a line end: 160 MiB in all.
    for _ in 0..25 {
        for peer in &mut peers {
            // It is not read any more, or was closed: that is the point.
            let _ = peer.write(&chunk);
        }
    }
    assert_serves(&daemon, &receiver, "meanwhile");
    let (peak, bound) = (daemon.peak_memory(), (64 << 20) + count * (32 << 10) + (32 << 20));
    assert!(peak <= bound, "{count} endless records: {} of {} MiB", peak >> 20, bound >> 20);
    eventually("they are closed", || peers.iter().all(is_closed));
    assert_serves(&daemon, &receiver, "after");
}

/// H-03: one line without an end, constant memory, and no record of others waits for it.
#[test]
fn a_line_of_many_megabytes_is_passed_on_as_it_comes() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let daemon = daemon(&folder, &receiver, "max_connections = 10");
    let megabytes = 64 * scale().min(16);
    let mut peer = daemon.connect();
    let chunk = vec![b'y'; 1 << 20];
    for _ in 0..megabytes {
        peer.write_all(&chunk).unwrap();
    }
    assert_serves(&daemon, &receiver, "meanwhile");
    peer.write_all(b" password=x1y2z3\n").unwrap();
    let text = b" password=REDACTED.password\n";
    eventually("its end", || receiver.raw().windows(text.len()).any(|window| window == text));
    let peak = daemon.peak_memory() >> 20;
    assert!(peak <= 64, "{peak} MiB");
    let passed = receiver.raw().iter().filter(|byte| **byte == b'y').count();
    assert_eq!(passed, (megabytes as usize) << 20);
}

/// S-03: who is slow loses its place, who is merely quiet between records does not.
#[test]
fn slow_records_lose_their_place_and_quiet_peers_do_not() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let daemon = daemon(&folder, &receiver, "partial_timeout = '500ms'");
    let mut quiet = daemon.connect();
    quiet.write_all(b"a whole record\n").unwrap();
    let mut slow: Vec<TcpStream> = (0..100).map(|_| daemon.connect()).collect();
    let started = Instant::now();
    eventually("the slow ones are closed", || {
        for peer in &mut slow {
            // Each byte comes in time; the record does not.
            let _ = peer.write(b"z");
        }
        thread::sleep(Duration::from_millis(50));
        slow.iter().all(is_closed)
    });
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert!(!is_closed(&quiet));
    quiet.write_all(b"another one\n").unwrap();
    eventually("the quiet one goes on", || receiver.lines().iter().any(|line| line == "another one"));
    let kept = receiver.lines().iter().filter(|line| line.starts_with('z')).count();
    assert_eq!(kept, 100, "what the slow ones had sent is kept");
}

#[test]
fn silent_peers_lose_their_place_where_that_is_asked_for() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let daemon = daemon(&folder, &receiver, "idle_timeout = '300ms'");
    let peer = daemon.connect();
    eventually("it is closed", || is_closed(&peer));
}

/// S-02: without descriptors nobody is let in for a moment, and then everybody again.
#[test]
fn a_lack_of_descriptors_does_not_end_the_listening() {
    let receiver = Receiver::start(Habits::default());
    let sink = format!("tcp:{}", receiver.address);
    let mut command = std::process::Command::new("prlimit");
    let program = inkout();
    command.arg("--nofile=40").arg(program.get_program()).args(["run", "--from", "tcp:127.0.0.1:0", "--to", &sink]);
    let daemon = Daemon::spawn(command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null()));
    let peers: Vec<TcpStream> = (0..100).map(|_| daemon.connect()).collect();
    daemon.until_said("cannot accept a connection");
    drop(peers);
    let took = assert_serves(&daemon, &receiver, "after");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// S-13: other protocols are lines like any others, or nothing at all.
#[test]
fn nonsense_passes_as_what_it_is() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let mut daemon = daemon(&folder, &receiver, "max_connections = 10");
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    daemon.connect().write_all(&bytes).unwrap();
    eventually("all of it", || receiver.bytes() as usize >= bytes.len());
    assert_eq!(daemon.stop().0, 0);
    let mut expected = bytes;
    expected.push(b'\n');
    assert!(receiver.raw() == expected);
}

/// Whole records that no sink takes: each connection holds little, once all of them hold much.
#[test]
fn what_no_sink_takes_is_bounded_over_all_connections() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    receiver.stop_reading();
    let text = format!(
        "partial_records = '1MiB'\n[[pipeline]]\nsource = 'tcp:127.0.0.1:0'\n\
         sinks = [{{ type = 'tcp', address = '{}', buffer = '64KiB' }}]\n",
        receiver.address
    );
    let config = folder.file("inkout.toml", text);
    let daemon = Daemon::run(["--config".as_ref(), config.as_os_str()]);
    let mut first = daemon.connect();
    first.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    while first.write_all(&b"an ordinary line of a log\n".repeat(1000)).is_ok() {}
    let (before, count) = (daemon.memory(), 300);
    let block = b"an ordinary line of a log, nothing to see here\n".repeat(8_000);
    let peers: Vec<TcpStream> = (0..count)
        .map(|_| {
            let mut peer = daemon.connect();
            peer.set_nonblocking(true).unwrap();
            let _ = peer.write(&block);
            peer
        })
        .collect();
    for _ in 0..10 {
        thread::sleep(Duration::from_millis(100));
        peers.iter().for_each(|mut peer| drop(peer.write(&block)));
    }
    let grown = daemon.memory().saturating_sub(before);
    assert!(grown <= (8 << 20) + count * (64 << 10), "{count} connections hold {} KiB", grown >> 10);
}

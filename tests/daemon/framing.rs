//! Records told apart by lines, NULs and octet counts, and what happens to a peer that does not keep to it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use crate::receiver::{Habits, Receiver};
use crate::support::{Daemon, Folder, eventually};

/// What a receiver with framing `to` gets for `input` in framing `from`.
#[track_caller]
fn check(from: &str, to: &str, input: &[u8], expected: &str) {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let text = format!(
        "pipeline:\n  - source: {{ type: tcp, listen: '127.0.0.1:0', framing: {from} }}\n    sinks:\n      - type: tcp\n        \
         address: '{}'\n        framing: {to}\n",
        receiver.address
    );
    let config = folder.file("inkout.yaml", text);
    let mut daemon = Daemon::run(["--config".as_ref(), config.as_os_str()]);
    daemon.connect().write_all(input).unwrap();
    eventually("all bytes", || receiver.bytes() as usize >= expected.len());
    assert_eq!(daemon.stop().0, 0, "{}", daemon.said());
    assert_eq!(String::from_utf8(receiver.raw()).unwrap(), expected, "{from} to {to}");
}

#[test]
fn each_framing_is_read_and_written() {
    check("newline", "nul", b"a token=abc123def\nb\n", "a token=REDACTED.token\0b\0");
    check("newline", "octet-counted", b"a\nbc", "1 a2 bc");
    check("nul", "newline", b"a\0password=x1y2z3\0", "a\npassword=REDACTED.password\n");
    check("nul", "nul", b"two\nlines\0one\0", "two\nlines\0one\0");
    check(
        "octet-counted",
        "octet-counted",
        b"9 two\nlines15 password=x1y2z3",
        "9 two\nlines26 password=REDACTED.password",
    );
    check("octet-counted", "newline", b"5 hello2 hi", "hello\nhi\n");
}

/// A record that a stream broke off in does not grow together with another stream's.
#[test]
fn streams_do_not_tear_each_others_records() {
    let receiver = Receiver::start(Habits::default());
    let daemon = Daemon::run(["--from", "tcp:127.0.0.1:0", "--to", &format!("tcp:{}", receiver.address)]);
    daemon.connect().write_all(b"broken off").unwrap();
    eventually("the first", || receiver.bytes() > 0);
    daemon.connect().write_all(b"whole\n").unwrap();
    eventually("the second", || receiver.lines().len() == 2);
    assert_eq!(receiver.lines(), ["broken off", "whole"]);
}

#[test]
fn a_peer_that_does_not_keep_to_the_framing_is_turned_away_and_what_it_sent_before_is_kept() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let text = format!(
        "[[pipeline]]\nsource = {{ type = 'tcp', listen = '127.0.0.1:0', framing = 'octet-counted' }}\nsinks = ['tcp:{}']\n",
        receiver.address
    );
    let config = folder.file("inkout.toml", text);
    let daemon = Daemon::run(["--config".as_ref(), config.as_os_str()]);
    for wrong in ["<34>no count", "99999999 too long", "12x3 no blank"] {
        let mut peer = daemon.connect();
        peer.write_all(format!("4 good{wrong}").as_bytes()).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        // It is closed; with what was not read, that is a reset.
        assert!(matches!(peer.read(&mut [0; 1]), Ok(0) | Err(_)), "{wrong}");
    }
    eventually("what came before", || receiver.bytes() >= 18);
    assert_eq!(receiver.raw(), b"4 good4 good4 good");
    assert!(TcpStream::connect(daemon.address()).is_ok());
}

#[test]
fn unix_sockets_are_read_and_written() {
    let folder = Folder::new();
    let (source, sink) = (folder.path("in.sock"), folder.path("out.sock"));
    let listener = UnixListener::bind(&sink).unwrap();
    // What a process before us left behind is no obstacle.
    drop(UnixListener::bind(&source).unwrap());
    let words = [format!("unix:{}", source.display()), format!("unix:{}", sink.display())];
    let mut daemon = Daemon::run(["--from", &words[0], "--to", &words[1]]);
    daemon.until_said("listening");
    let (mut receiver, _) = listener.accept().unwrap();
    let text = "password=x1y2z3\n".repeat(10_000);
    std::thread::scope(|scope| {
        scope.spawn(|| UnixStream::connect(&source).unwrap().write_all(text.as_bytes()).unwrap());
        let expected = "password=REDACTED.password\n".repeat(10_000);
        let mut got = vec![0; expected.len()];
        receiver.read_exact(&mut got).unwrap();
        assert!(got == expected.as_bytes());
    });
    assert_eq!(daemon.stop().0, 0, "{}", daemon.said());
    assert!(!source.exists(), "the socket is removed");
}

#[test]
fn something_else_in_the_sockets_place_is_not_removed() {
    let folder = Folder::new();
    let file = folder.file("notes.txt", "mine");
    let mut daemon = Daemon::run(["--from", &format!("unix:{}", file.display()), "--to", "stdout"]);
    assert_eq!(daemon.ended().code(), Some(2));
    assert!(daemon.said().contains("is there already, and is no socket"), "{}", daemon.said());
    assert_eq!(std::fs::read(file).unwrap(), b"mine");
}

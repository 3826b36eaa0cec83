//! TLS on both sides: who is not who it must be gets no byte, and there is no way back to plain text (N-10, N-11, S-14).

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustix::process::Signal;

use crate::receiver::{Habits, Receiver};
use crate::support::{Daemon, Folder, eventually};

/// An authority whose certificate is in a file.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
}

/// A certificate and its key, in files.
struct Identity {
    cert: PathBuf,
    key: PathBuf,
}

impl Authority {
    fn new(folder: &Folder, name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let file = folder.file(format!("{name}.crt"), certificate.pem());
        Authority { issuer: Issuer::new(params, key), file }
    }

    fn sign(&self, folder: &Folder, name: &str, host: &str, change: impl Fn(&mut CertificateParams)) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let cert = folder.file(format!("{name}.crt"), certificate.pem());
        Identity { cert, key: folder.file(format!("{name}.key"), key.serialize_pem()) }
    }
}

/// A process that takes TLS and passes on to `receiver`.
fn server(folder: &Folder, identity: &Identity, client_ca: Option<&Authority>, receiver: &Receiver) -> Daemon {
    let client_ca = client_ca.map_or(String::new(), |ca| format!("client_ca = '{}', ", ca.file.display()));
    let text = format!(
        "[[pipeline]]\nsource = {{ type = 'tls', listen = '127.0.0.1:0', {client_ca}cert = '{}', key = '{}' }}\n\
         sinks = ['tcp:{}']\n",
        identity.cert.display(),
        identity.key.display(),
        receiver.address
    );
    let config = folder.file("server.toml", text);
    Daemon::run(["--config".as_ref(), config.as_os_str()])
}

/// A process that passes on by TLS to `address`.
fn client(folder: &Folder, address: impl std::fmt::Display, ca: &Authority, identity: Option<&Identity>) -> Daemon {
    let identity = identity.map_or(String::new(), |identity| {
        format!(", cert = '{}', key = '{}'", identity.cert.display(), identity.key.display())
    });
    let text = format!(
        "[[pipeline]]\nsource = 'tcp:127.0.0.1:0'\nsinks = [{{ type = 'tls', address = '{address}', ca = '{}'{identity} }}]\n",
        ca.file.display()
    );
    let config = folder.file("client.toml", text);
    Daemon::run(["--config".as_ref(), config.as_os_str()])
}

#[test]
fn records_go_through_tls_with_certificates_on_both_sides() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let ca = Authority::new(&folder, "ca");
    let here = ca.sign(&folder, "here", "127.0.0.1", |_| {});
    let there = ca.sign(&folder, "there", "sender", |_| {});
    let server = server(&folder, &here, Some(&ca), &receiver);
    let mut client = client(&folder, server.address(), &ca, Some(&there));
    let count = 10_000;
    crate::support::send(&mut client.connect(), 0, 0..count);
    receiver.until_lines(count as usize);
    let lines = receiver.lines();
    crate::oracle::Judgement::of(lines.iter().map(String::as_str)).assert_exact(1, count);
    assert_eq!(client.stop().0, 0, "{}", client.said());
}

#[test]
fn who_is_not_who_it_must_be_gets_nothing() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let (ca, other) = (Authority::new(&folder, "ca"), Authority::new(&folder, "other"));
    let good = ca.sign(&folder, "good", "127.0.0.1", |_| {});
    let wrong_name = ca.sign(&folder, "wrong-name", "elsewhere.example", |_| {});
    let expired = ca.sign(&folder, "expired", "127.0.0.1", |params| {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    });
    let early = ca.sign(&folder, "early", "127.0.0.1", |params| params.not_before = rcgen::date_time_ymd(4000, 1, 1));
    let foreign = other.sign(&folder, "foreign", "127.0.0.1", |_| {});
    let cases: [(&str, &Identity, Option<&Identity>); 7] = [
        ("the server's name is another", &wrong_name, Some(&good)),
        ("the server's certificate has expired", &expired, Some(&good)),
        ("the server's certificate is not valid yet", &early, Some(&good)),
        ("the server is certified by a stranger", &foreign, Some(&good)),
        ("the client has no certificate", &good, None),
        ("the client is certified by a stranger", &good, Some(&foreign)),
        ("the client's certificate has expired", &good, Some(&expired)),
    ];
    for (name, server_identity, client_identity) in cases {
        let server = server(&folder, server_identity, Some(&ca), &receiver);
        let client = client(&folder, server.address(), &ca, client_identity);
        client.connect().write_all(b"not for everybody\n").unwrap();
        client.until_said("lost or refused");
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(receiver.bytes(), 0, "{name}");
        assert!(!client.said().contains("not for everybody") && !server.said().contains("not for everybody"));
    }
}

#[test]
fn there_is_no_way_back_to_plain_text() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let ca = Authority::new(&folder, "ca");
    let good = ca.sign(&folder, "good", "127.0.0.1", |_| {});
    let server = server(&folder, &good, None, &receiver);
    let mut plain = server.connect();
    plain.write_all(b"plain text\n").unwrap();
    plain.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut said = Vec::new();
    let _ = plain.read_to_end(&mut said);
    assert_eq!(receiver.bytes(), 0);
    // And a receiver that speaks none gets nothing that could be read.
    let client = client(&folder, receiver.address, &ca, None);
    client.connect().write_all(b"plain text\n").unwrap();
    client.until_said("lost or refused");
    assert!(!String::from_utf8_lossy(&receiver.raw()).contains("plain"));
}

/// A certificate is renewed without a break; one that is half written leaves the old one in use.
#[test]
fn a_renewed_certificate_is_used_for_new_connections() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let (ca, next) = (Authority::new(&folder, "ca"), Authority::new(&folder, "next"));
    let first = ca.sign(&folder, "server", "127.0.0.1", |_| {});
    let server = server(&folder, &first, None, &receiver);
    let address = server.address();
    let old = client(&folder, address, &ca, None);
    old.connect().write_all(b"one\n").unwrap();
    receiver.until_lines(1);
    fs::write(&first.cert, "half a cert").unwrap();
    server.signal(Signal::HUP);
    server.until_said("the old certificate or token stays in use");
    assert!(!server.said().contains("loaded rules and settings"), "{}", server.said());
    let again = client(&folder, address, &ca, None);
    again.connect().write_all(b"two\n").unwrap();
    receiver.until_lines(2);
    let renewed = next.sign(&folder, "renewed", "127.0.0.1", |_| {});
    fs::copy(&renewed.cert, &first.cert).unwrap();
    fs::copy(&renewed.key, &first.key).unwrap();
    server.signal(Signal::HUP);
    let new = client(&folder, address, &next, None);
    new.connect().write_all(b"three\n").unwrap();
    receiver.until_lines(3);
    old.connect().write_all(b"four\n").unwrap();
    receiver.until_lines(4);
    eventually("the listener lives", || TcpStream::connect(address).is_ok());
}

#[test]
fn wrong_files_stop_the_start() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let ca = Authority::new(&folder, "ca");
    let good = ca.sign(&folder, "good", "127.0.0.1", |_| {});
    let missing = Identity { cert: folder.path("nowhere.crt"), key: good.key.clone() };
    let swapped = Identity { cert: good.cert.clone(), key: good.cert };
    for (identity, message) in [(&missing, "nowhere.crt"), (&swapped, "no PEM private key")] {
        let mut server = server(&folder, identity, None, &receiver);
        assert_eq!(server.ended().code(), Some(2));
        assert!(server.said().contains(message), "{}", server.said());
    }
}

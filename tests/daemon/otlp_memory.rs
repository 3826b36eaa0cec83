//! What bombs and floods of frames cost a hop in memory: the highest that a process of its own has ever taken, in which nothing
//! else runs. In all of it another client is served.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tonic::Code;

use crate::hop_support::{LOGS, Upstream, call, export, frame, logs, post, run, texts};
use crate::support::{Daemon, Folder};

/// What may be added to what a hop takes that has seen one batch.
const LITTLE: usize = 32 << 20;

/// A hop that listens for one protocol.
fn hop(protocol: &str, upstream: &Upstream) -> (Folder, Daemon) {
    let other = if protocol == "grpc" { "http" } else { "grpc" };
    let folder = Folder::new();
    let file = folder.file(
        "inkout.toml",
        format!(
            "[[pipeline]]\nsource = {{ type = 'otlp', otlp = {{ {protocol} = '127.0.0.1:0', {other} = 'off' }} }}\n\
             sinks = [{{ type = 'otlp', otlp = {{ endpoint = 'http://{}' }} }}]\n",
            upstream.address
        ),
    );
    let daemon = Daemon::run(["--config".as_ref(), file.as_os_str()]);
    (folder, daemon)
}

#[track_caller]
fn is_little(what: &str, before: usize, after: usize) {
    let more = after.saturating_sub(before);
    assert!(more < LITTLE, "{what}: {} KiB more than {} KiB", more >> 10, before >> 10);
}

/// A GiB of zeros.
fn bomb(mut encoder: impl std::io::Write) {
    let zeros = vec![0; 1 << 20];
    (0..1 << 10).for_each(|_| encoder.write_all(&zeros).unwrap());
    encoder.flush().unwrap();
}

#[test]
fn a_bomb_is_refused_in_little_memory() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    bomb(&mut gzip);
    let mut zstd = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    bomb(&mut zstd);
    let bombs = [("gzip", gzip.finish().unwrap()), ("zstd", zstd.finish().unwrap())];
    run(async {
        let upstream = Upstream::taking().await;
        for (name, bomb) in &bombs {
            let (_folder, grpc) = hop("grpc", &upstream);
            assert_eq!(export(grpc.address(), &logs("warm")).await.code, 0);
            let before = grpc.peak_memory();
            let mut framed = frame(bomb).to_vec();
            framed[0] = 1;
            let told = call(grpc.address(), LOGS, &[("grpc-encoding", name)], framed.into()).await.unwrap();
            assert_eq!(told.code, Code::ResourceExhausted as i32, "{}", told.message);
            is_little(name, before, grpc.peak_memory());
            let (_folder, http) = hop("http", &upstream);
            let headers = [("content-type", "application/x-protobuf"), ("content-encoding", name)];
            assert_eq!(post(http.address(), "/v1/logs", &headers[..1], logs("warm")).await.status, 200);
            let before = http.peak_memory();
            let refused = post(http.address(), "/v1/logs", &headers, Bytes::copy_from_slice(bomb)).await;
            assert_eq!(refused.status, 413, "{name}");
            is_little(name, before, http.peak_memory());
        }
        assert!(upstream.seen().iter().all(|seen| texts(&seen.body)[0] == "warm"));
    });
}

/// A frame of HTTP/2.
fn h2(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The pseudo-headers of an export, without Huffman and without the dynamic table.
fn head() -> Vec<u8> {
    let literal = |name: &str, value: &str| {
        [&[0, name.len() as u8][..], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
    };
    [literal(":method", "POST"), literal(":scheme", "http"), literal(":path", LOGS), literal(":authority", "a")]
        .concat()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Sends frames until the hop has had enough, at most `most`; how many it took.
async fn flood(address: std::net::SocketAddr, most: usize, frames: impl Fn(usize) -> Vec<u8>) -> usize {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let drain = tokio::spawn(async move { tokio::io::copy(&mut read, &mut tokio::io::sink()).await });
    write.write_all(&[PREFACE, &h2(4, 0, 0, b"")].concat()).await.unwrap();
    for number in 0..most {
        if write.write_all(&frames(number)).await.is_err() {
            drain.abort();
            return number;
        }
    }
    drain.abort();
    most
}

#[test]
fn floods_of_frames_end_the_connection_and_no_other() {
    run(async {
        let upstream = Upstream::taking().await;
        let (_folder, hop) = hop("grpc", &upstream);
        let grpc = hop.address();
        assert_eq!(export(grpc, &logs("others")).await.code, 0);
        let id = |number: usize| u32::try_from(2 * number + 1).unwrap();
        // Headers and their reset at once (CVE-2023-44487).
        let resets = |number| [h2(1, 4, id(number), &head()), h2(3, 0, id(number), &[0, 0, 0, 8])].concat();
        // Headers that never end (CVE-2024-27316).
        let continuations = |number| match number {
            0 => h2(1, 0, 1, &head()),
            _ => h2(9, 0, 1, &[[0, 1, b'a', 1, b'b']; 200].concat()),
        };
        // Data frames with nothing in them, on an open request.
        let empties = |number| match number {
            0 => h2(1, 4, 1, &head()),
            _ => h2(0, 0, 1, b"").repeat(50),
        };
        let pings = |_| h2(6, 0, 0, &[0; 8]).repeat(50);
        let settings = |_| h2(4, 0, 0, b"").repeat(50);
        let before = hop.peak_memory();
        for (name, ended, frames) in [
            ("rapid reset", true, &resets as &(dyn Fn(usize) -> Vec<u8> + Sync)),
            ("continuation", true, &continuations),
            ("empty data", true, &empties),
            ("ping", false, &pings),
            ("settings", false, &settings),
        ] {
            let most = 20_000;
            let took = tokio::time::timeout(Duration::from_secs(20), flood(grpc, most, frames)).await.unwrap_or(0);
            assert!(!ended || took < most, "{name}: {took} were taken");
            assert_eq!(export(grpc, &logs("others")).await.code, 0, "during {name}");
        }
        is_little("floods", before, hop.peak_memory());
        assert!(upstream.seen().iter().all(|seen| texts(&seen.body)[0] == "others"));
    });
}

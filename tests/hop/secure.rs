//! TLS and mTLS on both sides, the token, and what is refused before it is opened.

use std::path::Path;

use inkout::hop::Hop;
use inkout::metrics::Metrics;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::support::*;

/// An authority, and a certificate and key of it for a name, as files in `folder`.
fn certificates(folder: &Path, name: &str) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), leaf.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
}

async fn open(settings: &str) -> Result<(), String> {
    let options = options(settings)?;
    let metrics = Metrics::default();
    let redactor = redactor(&metrics);
    let hop = Hop::open(options, redactor, &metrics, CancellationToken::new()).await;
    hop.map(drop).map_err(|error| error.to_string())
}

#[test]
fn two_hops_speak_tls_with_certificates_on_both_sides_and_refuse_others() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        certificates(&one, "localhost");
        certificates(&other, "localhost");
        let collector = Upstream::taking().await;
        let tls = |side: &str, folder: &Path| {
            let at = |file: &str| folder.join(file).display().to_string();
            format!("{side}.tls.cert_file = '{}'\n{side}.tls.key_file = '{}'\n", at("cert.pem"), at("key.pem"))
        };
        let server = format!("{}source.tls.client_ca_file = '{}'", tls("source", &one), one.join("ca.pem").display());
        let inner = Running::start(collector.address, &server).await;
        for (protocol, port, ours, trusted, works) in [
            ("grpc", inner.grpc.port(), Some(&one), &one, true),
            ("http", inner.http.port(), Some(&one), &one, true),
            ("grpc", inner.grpc.port(), None, &one, false),
            ("grpc", inner.grpc.port(), Some(&other), &one, false),
            ("http", inner.http.port(), Some(&other), &one, false),
            ("grpc", inner.grpc.port(), Some(&one), &other, false),
        ] {
            let mut settings = format!("sink.endpoint = 'https://localhost:{port}'\nsink.protocol = '{protocol}'\n");
            settings += &format!("sink.tls.ca_file = '{}'\n", trusted.join("ca.pem").display());
            settings += &ours.map(|ours| tls("sink", ours)).unwrap_or_default();
            let outer = Running::with(&settings).await;
            let code = export(outer.grpc, &logs("hello")).await.code;
            assert_eq!(code, if works { 0 } else { 14 }, "{settings}");
        }
        assert_eq!(collector.seen().len(), 2, "only what was allowed came through");
        // The name in the certificate is checked, and plain text is no way in.
        let wrong = format!(
            "sink.endpoint = 'https://127.0.0.1:{}'\nsink.tls.ca_file = '{}'\n{}",
            inner.grpc.port(),
            one.join("ca.pem").display(),
            tls("sink", &one)
        );
        assert_eq!(export(Running::with(&wrong).await.grpc, &logs("hello")).await.code, 14);
        let named = format!("{wrong}sink.tls.server_name = 'localhost'");
        assert_eq!(export(Running::with(&named).await.grpc, &logs("hello")).await.code, 0);
        let mut plain = TcpStream::connect(inner.http).await.unwrap();
        plain.write_all(b"POST /v1/logs HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        let _ = plain.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP"));
        assert!(inner.counter(r#"inkout_refused_requests_total{reason="tls",source="otlp"}"#) >= 4);
    });
}

#[test]
fn a_token_opens_the_door_and_goes_no_further() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "for-the-door\n").unwrap();
        let upstream = Upstream::taking().await;
        let hop = Running::start(upstream.address, &format!("source.bearer_token_file = '{}'", file.display())).await;
        for (shown, code) in [
            ("Bearer for-the-door", 0),
            ("Bearer for-the-doo", 16),
            ("Bearer for-the-doors", 16),
            ("Basic for-the-door", 16),
            ("", 16),
        ] {
            let told = call(hop.grpc, LOGS, &[("authorization", shown)], frame(&logs("hello"))).await.unwrap();
            assert_eq!(told.code, code, "{shown}");
            let headers = [("content-type", "application/x-protobuf"), ("authorization", shown)];
            let page = post(hop.http, "/v1/logs", &headers, logs("hello")).await;
            assert_eq!(page.status.as_u16(), if code == 0 { 200 } else { 401 });
        }
        assert_eq!(upstream.seen().len(), 2);
        assert!(upstream.seen().iter().all(|seen| !seen.headers.contains_key("authorization")));
        assert_eq!(hop.counter(r#"inkout_refused_requests_total{reason="unauthorized",source="otlp"}"#), 8);
    });
}

/// A hop to `port` of a server whose authority is in `trusted`, and what it tells a client.
async fn outer(protocol: &str, port: u16, trusted: &Path) -> (Running, i32) {
    let endpoint = format!("sink.endpoint = 'https://localhost:{port}'\nsink.protocol = '{protocol}'\n");
    let ca = format!("sink.tls.ca_file = '{}'", trusted.join("ca.pem").display());
    let hop = Running::with(&(endpoint + &ca)).await;
    let code = export(hop.grpc, &logs("hello")).await.code;
    (hop, code)
}

#[test]
fn certificates_are_read_anew_for_the_connections_to_come() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let (served, next, trusted) = (folder.path().join("a"), folder.path().join("b"), folder.path().join("c"));
        certificates(&served, "localhost");
        certificates(&next, "localhost");
        std::fs::create_dir(&trusted).unwrap();
        let copy = |from: &Path, to: &Path, file: &str| std::fs::copy(from.join(file), to.join(file)).unwrap();
        copy(&served, &trusted, "ca.pem");
        let collector = Upstream::taking().await;
        let at = |file: &str| served.join(file).display().to_string();
        let tls = format!("source.tls.cert_file = '{}'\nsource.tls.key_file = '{}'", at("cert.pem"), at("key.pem"));
        let inner = Running::start(collector.address, &tls).await;
        let ways = [("grpc", inner.grpc.port()), ("http", inner.http.port())];
        let (open, code) = outer("grpc", inner.grpc.port(), &trusted).await;
        assert_eq!(code, 0);
        std::fs::write(served.join("cert.pem"), "half a cert").unwrap();
        let wrong = inner.renewal.renew().unwrap_err();
        assert!(wrong.iter().all(|error| error.to_string().contains("cert.pem")), "{wrong:?}");
        for (protocol, port) in ways {
            assert_eq!(outer(protocol, port, &trusted).await.1, 0, "the old one stays in use");
        }
        copy(&next, &served, "cert.pem");
        inner.renewal.renew().expect_err("the key is still that of the other certificate");
        copy(&next, &served, "key.pem");
        inner.renewal.renew().unwrap();
        for (protocol, port) in ways {
            copy(&next, &trusted, "ca.pem");
            let (_, code) = outer(protocol, port, &trusted).await;
            assert_eq!(code, 0, "the new one is in use");
            copy(&served, &trusted, "ca.pem");
            let (late, code) = outer(protocol, port, &trusted).await;
            assert_eq!(code, 14, "whom to trust was read before");
            std::fs::write(trusted.join("ca.pem"), "no certificate").unwrap();
            assert!(late.renewal.renew().unwrap_err()[0].to_string().contains("ca.pem"));
            assert_eq!(export(late.grpc, &logs("hello")).await.code, 14);
            copy(&next, &trusted, "ca.pem");
            late.renewal.renew().unwrap();
            assert_eq!(export(late.grpc, &logs("hello")).await.code, 0);
        }
        assert_eq!(export(open.grpc, &logs("hello")).await.code, 0, "what was open stays open");
    });
}

#[test]
fn tokens_and_headers_are_read_anew_and_wrong_ones_leave_the_old_ones_in_use() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let (token, key) = (folder.path().join("token"), folder.path().join("key"));
        std::fs::write(&token, "first\n").unwrap();
        std::fs::write(&key, "k1\n").unwrap();
        let upstream = Upstream::taking().await;
        let settings = format!(
            "source.bearer_token_file = '{}'\nsink.header_files.x-api-key = '{}'",
            token.display(),
            key.display()
        );
        let hop = Running::start(upstream.address, &settings).await;
        let check = async |shown: &str, expected: Option<&str>| {
            let before = upstream.seen().len();
            let told = call(hop.grpc, LOGS, &[("authorization", shown)], frame(&logs("hello"))).await.unwrap();
            assert_eq!(told.code, if expected.is_some() { 0 } else { 16 }, "{shown}");
            let seen = upstream.seen();
            let key = seen.get(before).map(|seen| seen.headers["x-api-key"].to_str().unwrap());
            assert_eq!(key, expected, "{shown}");
        };
        check("Bearer first", Some("k1")).await;
        std::fs::write(&token, " \n").unwrap();
        std::fs::write(&key, "k2\n").unwrap();
        let wrong = hop.renewal.renew().unwrap_err();
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].to_string().ends_with("token: holds no token"), "{}", wrong[0]);
        check("Bearer first", Some("k2")).await;
        check("Bearer ", None).await;
        std::fs::write(&token, "second\n").unwrap();
        std::fs::write(&key, "two\nlines\n").unwrap();
        assert!(hop.renewal.renew().unwrap_err()[0].to_string().contains("key: "));
        check("Bearer first", None).await;
        check("Bearer second", Some("k2")).await;
        std::fs::remove_file(&token).unwrap();
        assert_eq!(hop.renewal.renew().unwrap_err().len(), 2);
        check("Bearer second", Some("k2")).await;
    });
}

#[test]
fn what_cannot_be_served_is_refused_with_its_reason_before_anything_is() {
    run(async {
        let to = "sink.endpoint = 'http://127.0.0.1:4317'\n";
        for (settings, reason) in [
            ("source.grpc = '0.0.0.0:0'\nsource.http = 'off'", "0.0.0.0:0 is not loopback and has no TLS"),
            ("source.grpc = 'off'\nsource.http = 'off'", "listens nowhere"),
            ("source.grpc = '192.0.2.1:4317'\nsource.insecure = true", "cannot listen on 192.0.2.1:4317"),
            ("source.tls.cert_file = '/nowhere/c'\nsource.tls.key_file = '/nowhere/k'", "/nowhere/c: "),
            ("source.bearer_token_file = '/nowhere/token'", "/nowhere/token: "),
            ("sink.header_files.x-api-key = '/nowhere/key'", "/nowhere/key: "),
        ] {
            let ports = if settings.contains("source.grpc") {
                ""
            } else {
                "source.grpc = '127.0.0.1:0'\nsource.http = 'off'\n"
            };
            let error = open(&format!("{to}{ports}{settings}")).await.unwrap_err();
            assert!(error.contains(reason), "{settings}: {error}");
        }
        let grpc = "source.grpc = '127.0.0.1:0'\nsource.http = 'off'\n";
        let error = open(&format!("{grpc}sink.endpoint = 'http://collector:4317/otlp'")).await.unwrap_err();
        assert!(error.contains("has a path, which gRPC has no use for"), "{error}");
        let half = "sink.endpoint = 'https://collector:4317'\nsink.tls.cert_file = '/nowhere/c'";
        assert!(open(&format!("{grpc}{half}")).await.unwrap_err().contains("go together"));
    });
}

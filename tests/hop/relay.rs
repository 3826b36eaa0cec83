//! Batches on their way: redacted, otherwise the same bytes, and what upstream says comes back.

use bytes::Bytes;
use http_body_util::Full;
use tonic::body::Body;

use super::support::*;

/// An `ExportLogsPartialSuccess` of 3 rejected records with a message, in its response.
fn partial_success() -> Bytes {
    Bytes::from_static(b"\x0a\x0c\x08\x03\x12\x08too old!")
}

#[test]
fn a_batch_is_redacted_and_its_answer_relayed_by_every_pair_of_protocols() {
    run(async {
        for protocol in ["grpc", "http"] {
            let upstream = Upstream::start(|seen| Box::pin(async move { accepted(&seen, partial_success()) })).await;
            let hop = Running::start(upstream.address, &format!("sink.protocol = '{protocol}'")).await;
            let batch = logs("user=ada password=hunter2hunter2");
            let told = export(hop.grpc, &batch).await;
            assert_eq!((told.code, told.body), (0, partial_success()), "{protocol}");
            let page = post_protobuf(hop.http, batch).await;
            assert_eq!((page.status.as_u16(), page.body), (200, partial_success()), "{protocol}");
            assert_eq!(page.headers["content-type"], "application/x-protobuf");
            for seen in upstream.seen() {
                assert_eq!(texts(&seen.body), vec!["user=ada password=REDACTED.password"; 2], "{protocol}");
            }
            let path = if protocol == "grpc" { LOGS } else { "/v1/logs" };
            assert!(upstream.seen().iter().all(|seen| seen.path == path));
            let summary = hop.stop().await;
            assert_eq!((summary.received, summary.forwarded, summary.failed), (2, 2, 0));
        }
    });
}

#[test]
fn a_clean_batch_arrives_as_the_bytes_it_was() {
    run(async {
        let upstream = Upstream::taking().await;
        let hop = Running::start(upstream.address, "").await;
        // Large enough for many frames, with a field that no schema has behind the last record.
        let mut batch = logs(&"a line that says nothing ".repeat(20_000)).to_vec();
        batch.extend_from_slice(b"\xfa\x3e\x04kept");
        assert_eq!(export(hop.grpc, &batch).await.code, 0);
        assert_eq!(upstream.seen()[0].body, batch);
    });
}

#[test]
fn every_signal_goes_to_its_own_service() {
    run(async {
        for protocol in ["grpc", "http"] {
            let upstream = Upstream::taking().await;
            let hop = Running::start(upstream.address, &format!("sink.protocol = '{protocol}'")).await;
            for (service, path) in [
                ("logs.v1.LogsService", "/v1/logs"),
                ("trace.v1.TraceService", "/v1/traces"),
                ("metrics.v1.MetricsService", "/v1/metrics"),
            ] {
                let method = format!("/opentelemetry.proto.collector.{service}/Export");
                assert_eq!(call(hop.grpc, &method, &[], frame(b"")).await.unwrap().code, 0);
                let page = post(hop.http, path, &[("content-type", "application/x-protobuf")], Bytes::new()).await;
                assert_eq!(page.status, 200);
                let wanted = if protocol == "grpc" { &method } else { path };
                assert!(upstream.seen().iter().rev().take(2).all(|seen| seen.path == wanted), "{wanted}");
            }
        }
    });
}

#[test]
fn bodies_are_taken_compressed_and_sent_as_configured() {
    run(async {
        for coding in ["none", "gzip", "zstd"] {
            let upstream = Upstream::taking().await;
            let hop = Running::start(upstream.address, &format!("sink.compression = '{coding}'")).await;
            let batch = logs(&"password=hunter2hunter2 ".repeat(50));
            let (gzip, zstd) = (gzip(&batch), zstd::bulk::compress(&batch, 1).unwrap());
            for (name, body) in [("gzip", &gzip), ("zstd", &zstd)] {
                let mut framed = frame(body).to_vec();
                framed[0] = 1;
                let told = call(hop.grpc, LOGS, &[("grpc-encoding", name)], framed.into()).await.unwrap();
                assert_eq!(told.code, 0, "{name} to {coding}: {}", told.message);
                let headers = [("content-type", "application/x-protobuf"), ("content-encoding", name)];
                assert_eq!(post(hop.http, "/v1/logs", &headers, body.clone().into()).await.status, 200);
            }
            for seen in upstream.seen() {
                let body = match seen.headers.get("grpc-encoding").map(|name| name.to_str().unwrap()) {
                    None => seen.body.to_vec(),
                    Some("gzip") => gunzip(&seen.body),
                    Some("zstd") => zstd::stream::decode_all(&seen.body[..]).unwrap(),
                    Some(other) => panic!("{other}"),
                };
                assert_eq!(seen.headers.contains_key("grpc-encoding"), coding != "none");
                assert_eq!(texts(&body)[0], "password=REDACTED.password ".repeat(50));
            }
            assert_eq!(upstream.seen().len(), 4);
        }
    });
}

#[test]
fn headers_are_forwarded_by_list_and_set_by_configuration() {
    run(async {
        let upstream = Upstream::taking().await;
        let hop = Running::start(upstream.address, "sink.headers.x-team = 'ours'").await;
        let sent = [
            ("authorization", "Bearer for-upstream"),
            ("x-scope-orgid", "tenant-7"),
            ("x-internal", "not listed"),
            ("x-team", "theirs"),
        ];
        assert_eq!(call(hop.grpc, LOGS, &sent, frame(&logs("hello"))).await.unwrap().code, 0);
        let headers = &upstream.seen()[0].headers;
        assert_eq!(headers["authorization"], "Bearer for-upstream");
        assert_eq!(headers["x-scope-orgid"], "tenant-7");
        assert_eq!(headers["x-team"], "ours");
        assert!(!headers.contains_key("x-internal"));
    });
}

#[test]
fn success_is_any_2xx_and_nothing_but_a_response_message_is_handed_on() {
    run(async {
        let upstream = Upstream::start(|_| {
            Box::pin(async {
                let body = Body::new(Full::new(Bytes::from_static(b"created")));
                http::Response::builder().status(201).header("content-type", "text/plain").body(body).unwrap()
            })
        })
        .await;
        let hop = Running::start(upstream.address, "sink.protocol = 'http'").await;
        let told = export(hop.grpc, &logs("hello")).await;
        assert_eq!((told.code, told.body.len()), (0, 0));
        let page = post_protobuf(hop.http, logs("hello")).await;
        assert_eq!((page.status.as_u16(), page.body.len()), (200, 0));
    });
}

#[test]
fn what_flowed_through_is_counted() {
    run(async {
        let upstream = Upstream::taking().await;
        let hop = Running::start(upstream.address, "").await;
        export(hop.grpc, &logs("password=hunter2hunter2")).await;
        export(hop.grpc, &logs("nothing here")).await;
        assert_eq!(hop.counter(r#"inkout_received_records_total{source="otlp"}"#), 2);
        assert_eq!(hop.counter(r#"inkout_sent_records_total{sink="otlp"}"#), 2);
        assert_eq!(hop.counter(r#"inkout_rule_findings_total{rule="password",action="replace",source="otlp"}"#), 2);
    });
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Read as _;
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut text).unwrap();
    text
}

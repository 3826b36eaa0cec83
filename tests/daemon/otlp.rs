//! OTLP through the program itself: its arguments, its file, its exit code. What a hop does is tested in `tests/hop`.

use std::net::SocketAddr;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;

use crate::hop_support::{LOGS, Upstream, call, export, frame, logs, post, run, texts};
use crate::support::{Daemon, Folder};

#[test]
fn a_batch_goes_through_the_program_redacted_and_its_client_hears_of_it() {
    run(async {
        let upstream = Upstream::taking().await;
        let to = format!("otlp:http://{}", upstream.address);
        let mut daemon = Daemon::run(["--from", "otlp:127.0.0.1:0", "--to", &to]);
        let told = export(daemon.address(), &logs("user=ada password=hunter2hunter2")).await;
        assert_eq!((told.code, told.message.as_str()), (0, ""));
        assert_eq!(texts(&upstream.seen()[0].body), ["user=ada password=REDACTED.password"; 2]);
        let grpc = daemon.address();
        upstream.stop();
        let away = export(grpc, &logs("hello")).await;
        assert_eq!(away.code, tonic::Code::Unavailable as i32, "{}", away.message);
        assert_eq!(daemon.stop().0, 0, "{}", daemon.said());
    });
}

#[test]
fn records_that_a_queue_took_and_could_not_deliver_are_told_with_the_exit_code() {
    run(async {
        let nobody: SocketAddr = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let folder = Folder::new();
        let file = folder.file(
            "inkout.toml",
            format!(
                r#"
                [[pipeline]]
                source = {{ type = "otlp", otlp = {{ grpc = "127.0.0.1:0", http = "off", drain_deadline = "200ms" }} }}
                sinks = [{{ type = "otlp", otlp = {{ endpoint = "http://{nobody}", queue = {{ max = "1MiB" }} }} }}]
                "#
            ),
        );
        let mut daemon = Daemon::run(["--config".as_ref(), file.as_os_str()]);
        for number in 0..3 {
            assert_eq!(export(daemon.address(), &logs(&format!("record {number}"))).await.code, 0);
        }
        assert_eq!(daemon.stop().0, 3);
        assert!(daemon.said().contains("3 records were not delivered"), "{}", daemon.said());
    });
}

#[test]
fn a_finding_is_told_with_the_keys_of_its_attributes() {
    let text = |text: &str| Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) });
    let pair = |key: &str, value| KeyValue { key: key.to_owned(), value, ..KeyValue::default() };
    let nested = KeyValueList { values: vec![pair("client.secret", text("hunter2hunter2"))] };
    let nested = Some(AnyValue { value: Some(Value::KvlistValue(nested)) });
    let attributes = vec![pair("db.password", text("correcthorse")), pair("oauth", nested)];
    let record = LogRecord { attributes, body: text("token=batterystaple"), ..LogRecord::default() };
    let scope = ScopeLogs { log_records: vec![record], ..ScopeLogs::default() };
    let logs = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    let batch = ExportLogsServiceRequest { resource_logs: vec![logs] };
    run(async {
        let upstream = Upstream::taking().await;
        for (protocol, other) in [("grpc", "http"), ("http", "grpc")] {
            let folder = Folder::new();
            let file = folder.file(
                "inkout.toml",
                format!(
                    "[findings]\npath = '{}'\n[[pipeline]]\nsource = {{ type = 'otlp', otlp = {{ {protocol} = \
                     '127.0.0.1:0', {other} = 'off' }} }}\nsinks = [{{ type = 'otlp', otlp = {{ endpoint = 'http://{}', \
                     protocol = 'http' }} }}]\n",
                    folder.path("findings").display(),
                    upstream.address
                ),
            );
            let mut daemon = Daemon::run(["--config".as_ref(), file.as_os_str()]);
            if protocol == "grpc" {
                assert_eq!(export(daemon.address(), &batch.encode_to_vec()).await.code, 0);
            } else {
                let body = serde_json::to_vec(&batch).unwrap();
                let json = [("content-type", "application/json")];
                assert_eq!(post(daemon.address(), "/v1/logs", &json, body.into()).await.status, 200);
            }
            assert_eq!(daemon.stop().0, 0, "{}", daemon.said());
            let findings = std::fs::read_to_string(folder.path("findings")).unwrap();
            let path = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["key_path"].clone();
            let mut paths: Vec<_> = findings.lines().map(path).collect();
            paths.sort_by_key(ToString::to_string);
            assert_eq!(paths, ["db.password", "oauth.client.secret", "token"], "{findings}");
        }
    });
}

#[test]
fn a_token_that_changes_is_read_anew() {
    run(async {
        let upstream = Upstream::taking().await;
        let folder = Folder::new();
        let token = folder.file("token", "first");
        let file = folder.file(
            "inkout.toml",
            format!(
                "[[pipeline]]\nsource = {{ type = 'otlp', otlp = {{ grpc = '127.0.0.1:0', http = 'off', \
                 bearer_token_file = '{}' }} }}\nsinks = [{{ type = 'otlp', otlp = {{ endpoint = 'http://{}' }} }}]\n",
                token.display(),
                upstream.address
            ),
        );
        let daemon = Daemon::run(["--config".as_ref(), file.as_os_str()]);
        let grpc = daemon.address();
        let code = async |token: &str| {
            let shown = format!("Bearer {token}");
            call(grpc, LOGS, &[("authorization", &shown)], frame(&logs("hello"))).await.unwrap().code
        };
        assert_eq!((code("first").await, code("second").await), (0, 16));
        // Nobody says anything: the file is watched.
        std::fs::write(&token, "second").unwrap();
        while code("second").await != 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(code("first").await, 16);
        std::fs::write(&token, "").unwrap();
        daemon.signal(rustix::process::Signal::HUP);
        daemon.until_said("the old certificate or token stays in use");
        daemon.until_said("token: holds no token");
        assert_eq!((code("second").await, code("").await), (0, 16));
    });
}

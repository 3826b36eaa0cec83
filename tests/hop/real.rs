//! The hop between real programs: SDKs in front of it, a Collector behind it, whose file exporter writes what arrived.
//!
//! What cannot be had here is named and skipped. `INKOUT_REAL_PARTS=required` makes that a failure, for machines that have
//! everything.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::support::*;

/// A part from `tests/otel/build.sh`.
fn part(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let built = Command::new(root.join("tests/otel/build.sh")).arg(name).output().expect("a shell");
    if built.status.success() {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        return Some(target.join("otel"));
    }
    let why = String::from_utf8_lossy(&built.stderr);
    let required = std::env::var_os("INKOUT_REAL_PARTS").is_some_and(|value| value == "required");
    assert!(!required, "{name} cannot be had: {why}");
    eprintln!("skipped: {name} cannot be had here: {}", why.lines().last().unwrap_or("no reason told"));
    None
}

/// A Collector that writes what it gets into a file.
struct Collector {
    grpc: u16,
    http: u16,
    file: PathBuf,
    process: Child,
    _folder: tempfile::TempDir,
}

impl Collector {
    async fn start(parts: &Path) -> Collector {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("arrived.json");
        let (grpc, http) = (free_port(), free_port());
        let text = format!(
            "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{grpc}'}}, http: {{endpoint: '127.0.0.1:{http}'}}}}}}}}\n\
             exporters: {{file: {{path: '{}', flush_interval: 100ms}}}}\n\
             service:\n  telemetry: {{metrics: {{level: none}}}}\n  pipelines:\n    logs: &all {{receivers: [otlp], exporters: [file]}}\n    \
             traces: *all\n    metrics: *all\n",
            file.display()
        );
        let config = folder.path().join("collector.yaml");
        std::fs::write(&config, text).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(parts.join("otelcol"));
        command.arg("--config").arg(&config).stdout(Stdio::null()).stderr(log);
        let collector = Collector { grpc, http, file, process: command.spawn().unwrap(), _folder: folder };
        until("the collector listens", || {
            [grpc, http].iter().all(|port| std::net::TcpStream::connect(("127.0.0.1", *port)).is_ok())
        })
        .await;
        collector
    }

    /// What arrived, as soon as `enough` of it is there.
    async fn arrived(&self, enough: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        loop {
            let text = std::fs::read_to_string(&self.file).unwrap_or_default();
            if enough(&text) {
                return text;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "arrived so far:\n{text}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A secret that stands in no file, and in no rule's examples.
fn secret() -> String {
    format!("Zx9{}Qw7{}", "kR4m", "vT2p")
}

async fn finish(command: &mut Command) {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_pythons_sdk_sends_arrives_at_a_collector_without_its_secrets() {
    let (Some(parts), Some(_)) = (part("collector"), part("python")) else { return };
    run(async {
        for (client, upstream) in [("grpc", "grpc"), ("http", "http"), ("http", "grpc"), ("grpc", "http")] {
            let collector = Collector::start(&parts).await;
            let port = if upstream == "grpc" { collector.grpc } else { collector.http };
            let settings = format!("sink.protocol = '{upstream}'\nsink.compression = 'gzip'");
            let hop = Running::start(([127, 0, 0, 1], port).into(), &settings).await;
            let endpoint = if client == "grpc" { hop.grpc } else { hop.http };
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/otel/client.py");
            let arguments = [client, &format!("http://{endpoint}"), "apples", &secret()];
            finish(Command::new(parts.join("python/bin/python")).arg(script).args(arguments)).await;
            let all = ["apples password=", "GET apples", "orders.apples", "db.connection_string"];
            let text = collector.arrived(|text| all.iter().all(|part| text.contains(part))).await;
            assert!(!text.contains(&secret()), "{client} to {upstream}:\n{text}");
            assert!(text.matches("REDACTED").count() >= 6, "{client} to {upstream}:\n{text}");
            let summary = hop.stop().await;
            assert_eq!((summary.failed, summary.refused), (0, 0));
        }
    });
}

#[test]
fn what_telemetrygen_sends_arrives_whole() {
    let (Some(parts), Some(_)) = (part("collector"), part("telemetrygen")) else { return };
    run(async {
        let collector = Collector::start(&parts).await;
        let hop = Running::start(([127, 0, 0, 1], collector.grpc).into(), "").await;
        for (signal, count) in [("logs", "--logs=20"), ("traces", "--traces=20"), ("metrics", "--metrics=20")] {
            for http in [false, true] {
                let endpoint = if http { hop.http } else { hop.grpc }.to_string();
                let mut command = Command::new(parts.join("telemetrygen"));
                command.args([
                    signal,
                    "--otlp-insecure",
                    "--otlp-endpoint",
                    &endpoint,
                    count,
                    "--workers=1",
                    "--rate=0",
                ]);
                command.args(if http { &["--otlp-http"][..] } else { &[] });
                finish(&mut command).await;
            }
        }
        let times = |text: &str, part: &str| text.matches(part).count();
        let whole = |text: &str| {
            // A trace of telemetrygen is a span and its child.
            times(text, "\"body\":") == 40
                && times(text, "\"spanId\":\"") >= 80
                && times(text, "\"asDouble\"") + times(text, "\"asInt\"") >= 40
        };
        collector.arrived(whole).await;
        assert_eq!(hop.stop().await.failed, 0);
    });
}

#[test]
fn what_nodes_sdk_sends_as_json_and_by_grpc_arrives_without_its_secrets() {
    let (Some(parts), Some(_)) = (part("collector"), part("node")) else { return };
    run(async {
        let collector = Collector::start(&parts).await;
        let json = format!("sink.json_endpoint = 'http://127.0.0.1:{}'", collector.http);
        let hop = Running::start(([127, 0, 0, 1], collector.grpc).into(), &json).await;
        let (grpc, http) = (format!("http://{}", hop.grpc), format!("http://{}", hop.http));
        let mut command = Command::new("node");
        command.arg(parts.join("node/client.mjs")).args([&grpc, &http, "pears", &secret()]);
        finish(&mut command).await;
        let enough = |text: &str| text.contains("pears password=") && text.matches("GET pears").count() == 2;
        let text = collector.arrived(enough).await;
        assert!(!text.contains(&secret()), "{text}");
        assert!(text.matches("REDACTED").count() >= 4, "{text}");
        assert_eq!(hop.stop().await.failed, 0);
    });
}

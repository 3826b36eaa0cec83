//! What is in `deploy/` fits the program: its configurations are accepted, the metrics it names exist, and ports, probes and
//! listeners agree. Tools that are not installed are named as skipped.

#![allow(clippy::print_stdout, reason = "a test says what it skipped")]
#![cfg(feature = "daemon")]

#[path = "shared/program.rs"]
mod program;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use inkout::metrics::{DropReason, Metrics, RefuseReason, SinkError};

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(deploy(path)).unwrap_or_else(|error| panic!("deploy/{path}: {error}"))
}

/// The output of a tool, or `None` where it is not installed.
fn tool(name: &str, arguments: &[&str], folder: &str) -> Option<(bool, String)> {
    match Command::new(name).args(arguments).current_dir(deploy(folder)).output() {
        Ok(out) => {
            let text = [out.stdout, out.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
            Some((out.status.success(), text))
        }
        Err(_) => {
            println!("skipped: {name} is not installed");
            None
        }
    }
}

#[track_caller]
fn passes(name: &str, arguments: &[&str], folder: &str) {
    if let Some((passed, text)) = tool(name, arguments, folder) {
        assert!(passed, "{name} {arguments:?}: {text}");
    }
}

/// What a manifest's ConfigMap holds under `inkout.toml`.
fn embedded(manifest: &str) -> String {
    let mut lines = manifest.lines().skip_while(|line| line.trim() != "inkout.toml: |").skip(1).peekable();
    let depth = lines.peek().map_or(0, |line| line.len() - line.trim_start().len());
    assert!(depth > 2, "no inkout.toml in the manifest");
    let inside = lines.take_while(|line| line.trim().is_empty() || line.starts_with(&" ".repeat(depth)));
    inside.map(|line| line.get(depth..).unwrap_or_default().to_owned() + "\n").collect()
}

#[track_caller]
fn is_accepted(name: &str, configuration: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("inkout.toml");
    // Secrets are mounted where it runs, not here.
    let text = configuration.replace("/etc/inkout-hash-key/hash-key", &folder.path().join("key").display().to_string());
    fs::write(folder.path().join("key"), "0123456789abcdef0123456789abcdef").expect("written");
    fs::write(&file, text).expect("written");
    let mut check = program::inkout();
    let out = check.args(["config", "check"]).arg(&file).output().expect("runs");
    assert!(out.status.success(), "{name}: {}\n{configuration}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn every_configuration_is_accepted() {
    for name in [
        "systemd/inkout.toml",
        "rsyslog/inkout.toml",
        "rsyslog/files.toml",
        "fluent-bit/inkout.toml",
        "vector/inkout.toml",
    ] {
        is_accepted(name, &read(name));
    }
    for name in ["kubernetes/sidecar.yaml", "kubernetes/daemonset.yaml"] {
        is_accepted(name, &embedded(&read(name)));
    }
}

/// The numbers behind `key` in a manifest.
fn ports<'t>(manifest: &'t str, key: &str) -> BTreeSet<&'t str> {
    let found = manifest.match_indices(key).map(|(at, _)| manifest[at + key.len()..].trim_start());
    found.map(|rest| &rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())]).collect()
}

/// Probes ask where the program listens, beyond loopback, and a policy says who else may.
#[track_caller]
fn ports_agree(name: &str, manifest: &str) {
    let listen = ports(manifest, "[admin]").len();
    assert_eq!(listen, 1, "{name}: one [admin]");
    let configuration = embedded(manifest);
    let admin = configuration.split("[admin]").nth(1).expect("an admin table");
    let address = admin.split("listen = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("an address");
    let (host, port) = address.rsplit_once(':').expect("a port");
    assert_eq!(host, "0.0.0.0", "{name}: the kubelet cannot ask at loopback");
    for (probe, path) in [("startupProbe", "/readyz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/livez")] {
        let probe = manifest.split(&format!("{probe}:")).nth(1).expect(probe);
        assert!(
            probe.trim_start().starts_with(&format!("httpGet: {{ path: {path}, port: {port} }}")),
            "{name}: {probe}"
        );
    }
    assert!(manifest.contains(&format!("name: admin\n              containerPort: {port}\n")), "{name}");
    let policy =
        manifest.split("kind: NetworkPolicy").nth(1).expect("a policy").split("\n---").next().unwrap_or_default();
    assert!(ports(policy, "- port: ").contains(port), "{name}: the policy does not name {port}");
}

#[test]
fn probes_listeners_and_policies_agree() {
    for name in ["kubernetes/sidecar.yaml", "kubernetes/daemonset.yaml"] {
        ports_agree(name, &read(name));
    }
}

/// Once as it is, once with everything changed that can be.
const CHART_VALUES: [&[&str]; 2] = [
    &[],
    &[
        "--set",
        "kind=Deployment,listen.tlsSecret=tls,listen.port=7000,hashKey.existingSecret=h,knownValues.existingSecret=k",
        "--set",
        "admin.port=9700,podMonitor.enabled=true,sink.type=tls,log.format=text,drainDeadlineSeconds=60",
    ],
];

#[test]
fn the_chart_renders_to_manifests_that_agree() {
    for values in CHART_VALUES {
        let arguments = [&["template", "release", "."], values].concat();
        let Some((rendered, manifest)) = tool("helm", &arguments, "helm/inkout") else { return };
        assert!(rendered, "{manifest}");
        ports_agree("helm", &manifest);
        // Files that are mounted where it runs are not here.
        if values.is_empty() {
            is_accepted("helm", &embedded(&manifest));
        }
    }
    passes("helm", &["lint", "."], "helm/inkout");
    let (accepted, said) =
        tool("helm", &["template", "release", ".", "--set", "admin.prot=1"], "helm/inkout").expect("helm");
    assert!(!accepted && said.contains("prot"), "a value that is none was accepted: {said}");
}

/// Also without helm: the templates take each port from one value.
#[test]
fn the_chart_takes_each_port_from_one_value() {
    let (config, workload) = (read("helm/inkout/templates/config.yaml"), read("helm/inkout/templates/workload.yaml"));
    assert!(config.contains("listen = \"0.0.0.0:{{ .Values.admin.port }}\""));
    assert_eq!(workload.matches("port: {{ .Values.admin.port }} }").count(), 3, "three probes");
    assert!(workload.contains("containerPort: {{ .Values.admin.port }}"));
    assert!(read("helm/inkout/templates/network.yaml").contains("- port: {{ .Values.admin.port }}"));
}

#[test]
fn kubernetes_knows_every_key() {
    passes("kubernetes-validate", &["--quiet", "--strict", "kubernetes/sidecar.yaml", "kubernetes/daemonset.yaml"], "");
}

/// Every name that a scrape may tell.
fn metric_names() -> BTreeSet<String> {
    let metrics = Metrics::default();
    let (source, sink) = (metrics.source("app"), metrics.sink("out"));
    metrics.pipeline("main");
    metrics.process_seconds(Duration::from_millis(1));
    source.dropped(DropReason::Failed, 1);
    source.refused(RefuseReason::Tls);
    sink.error(SinkError::Connect);
    let families = metrics.families();
    let text = metrics.prometheus();
    assert!(families.len() > 20);
    let named = text.lines().filter(|line| !line.starts_with('#'));
    let mut names: BTreeSet<String> =
        named.map(|line| line.split(['{', ' ']).next().unwrap_or_default().to_owned()).collect();
    // Series that need a finding.
    names.extend(["inkout_findings_total", "inkout_rule_findings_total"].map(str::to_owned));
    names
}

fn named_metrics(text: &str) -> BTreeSet<String> {
    let starts = text.match_indices("inkout_").map(|(at, _)| &text[at..]);
    let names =
        starts.map(|rest| &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())]);
    names.map(str::to_owned).collect()
}

#[test]
fn dashboard_and_alerts_name_metrics_that_exist() {
    let known = metric_names();
    for name in ["grafana/dashboard.json", "prometheus/alerts.yaml", "prometheus/alerts_test.yaml", "README.md"] {
        let unknown: Vec<_> = named_metrics(&read(name)).into_iter().filter(|metric| !known.contains(metric)).collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
    }
    serde_json::from_str::<serde_json::Value>(&read("grafana/dashboard.json")).expect("the dashboard is JSON");
    assert!(named_metrics(&read("grafana/dashboard.json")).len() > 15);
}

#[test]
fn alert_rules_fire_when_they_should_and_not_before() {
    passes("promtool", &["check", "rules", "alerts.yaml"], "prometheus");
    passes("promtool", &["test", "rules", "alerts_test.yaml"], "prometheus");
    passes("promtool", &["check", "config", "scrape.yaml"], "prometheus");
    let (alerts, tests) = (read("prometheus/alerts.yaml"), read("prometheus/alerts_test.yaml"));
    for alert in alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(tests.contains(&format!("alertname: {alert}\n")), "{alert} has no test");
    }
}

#[test]
fn the_unit_is_hardened() {
    // The threshold is ten times the score that is shown.
    passes("systemd-analyze", &["security", "--offline=yes", "--threshold=15", "./inkout.service"], "systemd");
}

#[test]
fn rsyslog_accepts_its_configuration() {
    // What a distribution's own file says before it includes ours.
    let folder = tempfile::tempdir().expect("a folder");
    let main = folder.path().join("rsyslog.conf");
    let (work, ours) = (folder.path().display(), deploy("rsyslog/60-inkout.conf"));
    let text = format!("global(workDirectory=\"{work}\")\ninclude(file=\"{}\")\n", ours.display());
    fs::write(&main, text).expect("written");
    passes("rsyslogd", &["-N1", "-f", main.to_str().expect("UTF-8")], "rsyslog");
}

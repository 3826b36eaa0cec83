//! Where each signal is exported to, in both protocols, and how encodings are named.

use http::HeaderValue;

use crate::otlp::{Encoding, Signal};

const PROFILES_GRPC: &str = "/opentelemetry.proto.collector.profiles.";

/// The method of a signal's service.
pub(super) fn grpc(signal: Signal) -> &'static str {
    match signal {
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    }
}

/// The path of a signal.
pub(super) fn http(signal: Signal) -> &'static str {
    match signal {
        Signal::Logs => "/v1/logs",
        Signal::Traces => "/v1/traces",
        Signal::Metrics => "/v1/metrics",
    }
}

/// The signal whose path this is, by `of`.
pub(super) fn signal(path: &str, of: fn(Signal) -> &'static str) -> Option<Signal> {
    [Signal::Logs, Signal::Traces, Signal::Metrics].into_iter().find(|signal| of(*signal) == path)
}

/// Why a path is not served.
pub(super) fn unknown(path: &str) -> &'static str {
    if path.starts_with(PROFILES_GRPC) || path.ends_with("/profiles") {
        "profiles are refused, because inkout does not redact them yet"
    } else {
        "not served here: inkout takes logs, traces and metrics by OTLP"
    }
}

/// The content type of an encoding.
pub(super) fn content_type(encoding: Encoding) -> HeaderValue {
    HeaderValue::from_static(match encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    })
}

/// The encoding that a content type names.
pub(super) fn encoding(kind: &HeaderValue) -> Option<Encoding> {
    let kind = kind.to_str().ok()?.split(';').next()?.trim();
    let is = |name: &str| kind.eq_ignore_ascii_case(name);
    if is("application/x-protobuf") || is("application/protobuf") {
        Some(Encoding::Protobuf)
    } else {
        is("application/json").then_some(Encoding::Json)
    }
}

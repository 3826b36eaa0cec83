//! The Collector's file exporter writes OTLP/JSON, a request a line: the engine cleans it as the text it is.

use inkout::engine::Policy;
use serde_json::json;

use crate::support::Worker;

#[track_caller]
fn check(key: &str, before: &serde_json::Value, after: &serde_json::Value) {
    let worker = Worker::new(Policy::default());
    let line = |value: &serde_json::Value| {
        let record = json!({
            "timeUnixNano": "1544712660300000000",
            "severityNumber": 9,
            "body": {"stringValue": "done"},
            "attributes": [{"key": "a", "value": {"intValue": "5"}}, {"key": key, "value": value}],
            "traceId": "5b8efff798038103d269b633813fc60c",
            "spanId": "eee19b7ec3c1b174",
        });
        json!({"resourceLogs": [{"scopeLogs": [{"scope": {"name": "x"}, "logRecords": [record]}]}]}).to_string() + "\n"
    };
    let out = worker.text(line(before).repeat(2).as_bytes());
    assert_eq!(String::from_utf8_lossy(&out), line(after).repeat(2));
}

#[test]
fn attributes_in_lines_of_the_file_exporter_are_cleaned() {
    let token = "a1b2c3";
    let text = |value: &str| json!({ "stringValue": value });
    let list = |values: &[&str]| json!({"arrayValue": {"values": values.iter().map(|v| text(v)).collect::<Vec<_>>()}});
    check(
        "http.request.header.authorization",
        &list(&[&format!("Bearer {token}")]),
        &list(&["Bearer [REDACTED:authorization]"]),
    );
    check(
        "http.request.header.authorization",
        &list(&[&format!("Bearer {token}"), &format!("Basic {token}")]),
        &list(&["Bearer [REDACTED:authorization]", "Basic [REDACTED:authorization]"]),
    );
    check("http.response.header.set-cookie", &list(&["sid=a1b2c3; Path=/"]), &list(&["sid=REDACTED.cookie; Path=/"]));
    check("db.password", &text("hunter2"), &text("[REDACTED:password]"));
    check("pin", &text("1234"), &text("[REDACTED:pin]"));
    check("note", &text("password=ab1"), &text("password=REDACTED.password"));
    let inner = |value: &str| text(&json!({ "password": value }).to_string());
    check("gen_ai.input.messages", &inner("x1y2"), &inner("[REDACTED:password]"));
    let object = |value: &str| json!({"kvlistValue": {"values": [{"key": "password", "value": text(value)}]}});
    check("x", &object("x1y2"), &object("[REDACTED:password]"));
    check(
        "process.command_args",
        &list(&["a", "--password", "x1y2z3"]),
        &list(&["a", "--password", "[REDACTED:password]"]),
    );
}

//! What stands beside a value: the semantic conventions' own places for secrets, in both encodings. Sources:
//! <https://opentelemetry.io/docs/specs/semconv/> (registry: http, url, db, process, exception, rpc, gen_ai).

use inkout::engine::Policy;
use inkout::otlp::{Encoding, Signal};
use serde_json::{Value, json};

use crate::support::{Worker, attribute, field, log_record, made};

/// A value in short: text, list, object.
pub(crate) fn any(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => field(1, text.as_bytes()),
        Value::Array(values) => field(5, &values.iter().flat_map(|value| field(1, &any(value))).collect::<Vec<_>>()),
        Value::Object(fields) => {
            let pair =
                |(key, value): (&String, &Value)| field(1, &[field(1, key.as_bytes()), field(2, &any(value))].concat());
            field(6, &fields.iter().flat_map(pair).collect::<Vec<_>>())
        }
        Value::Number(number) => vec![0x18, number.as_u64().expect("a small number") as u8],
        other => panic!("no {other} here"),
    }
}

/// The same in OTLP/JSON.
pub(crate) fn any_json(value: &Value) -> Value {
    match value {
        Value::String(text) => json!({ "stringValue": text }),
        Value::Array(values) => json!({"arrayValue": {"values": values.iter().map(any_json).collect::<Vec<_>>()}}),
        Value::Object(fields) => {
            let pairs = fields.iter().map(|(key, value)| json!({"key": key, "value": any_json(value)}));
            json!({"kvlistValue": {"values": pairs.collect::<Vec<_>>()}})
        }
        Value::Number(number) => json!({ "intValue": number.to_string() }),
        other => panic!("no {other} here"),
    }
}

/// Checks the attribute `key`: before, after.
#[track_caller]
fn check(key: &str, before: &Value, after: &Value) {
    let worker = Worker::new(Policy::default());
    let record = |value: &Value| {
        let pair = [field(1, key.as_bytes()), field(2, &any(value))].concat();
        log_record(&[field(6, &attribute("a", "b")), field(6, &pair)].concat())
    };
    let (out, _) = worker.redact(Signal::Logs, Encoding::Protobuf, &record(before)).expect("a message");
    assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&record(after)), "{key}");
    let (again, _) = worker.redact(Signal::Logs, Encoding::Protobuf, &out).expect("a message");
    assert_eq!(again, out, "{key}");
    let record = |value: &Value| {
        let record = json!({"attributes": [{"key": "a"}, {"key": key, "value": any_json(value)}]});
        crate::support::log_record_json(&record.to_string())
    };
    let (out, _) = worker.redact(Signal::Logs, Encoding::Json, &record(before)).expect("a message");
    assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&record(after)), "{key}");
}

#[test]
fn headers_are_lists_of_texts() {
    let token = "a1b2c3";
    for key in ["http.request.header.authorization", "rpc.request.metadata.authorization"] {
        let masked = json!(["Bearer [REDACTED:authorization]", "Basic [REDACTED:authorization]"]);
        check(key, &json!([format!("Bearer {token}"), format!("Basic {token}")]), &masked);
    }
    let cookie = |value: &str| json!([format!("sid={value}; Path=/; HttpOnly"), format!("lang={value}")]);
    check("http.response.header.set-cookie", &cookie("a1b2c3"), &cookie("REDACTED.cookie"));
    check("http.request.header.x-api-key", &json!(["k9"]), &json!(["[REDACTED:api-key]"]));
    check("rpc.response.metadata.x-auth-token", &json!(["z9y8x7"]), &json!(["[REDACTED:auth-token]"]));
    check("http.request.header.content-type", &json!(["text/html"]), &json!(["text/html"]));
}

#[test]
fn urls_lose_their_signatures_and_their_passwords() {
    let signed = |value: &str| {
        json!(format!(
            "https://h/a?X-Amz-Credential={value}&X-Amz-Date=1&X-Amz-Security-Token={value}&X-Amz-Signature={value}#f"
        ))
    };
    for key in ["url.full", "url.original", "http.url", "http.target", "browser.document.url.full"] {
        check(key, &signed("ab/cd%2Fef1"), &signed("REDACTED.request-signature"));
    }
    let query = |value: &str| json!(format!("sig={value}&se=2026&AWSAccessKeyId={value}&Signature={value}&Sig=x"));
    check("url.query", &query("k1"), &query("REDACTED.request-signature"));
    let google = |value: &str| json!(format!("?X-Goog-Algorithm=a&X-Goog-Signature={value}"));
    check("url.query", &google("0f9e"), &google("REDACTED.request-signature"));
    check("other", &json!("?se=1&sig=k1"), &json!("?se=1&sig=k1"));
    let userinfo = |value: &str| json!(format!("https://ada:{value}@h/x"));
    check("url.original", &userinfo("pw"), &userinfo("REDACTED.url-password"));
    let token = |value: &str| json!(format!("/x?access_token={value}&y=1"));
    check("http.target", &token("q7w8e9"), &token("REDACTED.access-token"));
}

#[test]
fn databases_keep_their_queries_and_lose_their_passwords() {
    let query = |value: &str| json!(format!("ALTER USER ada WITH PASSWORD '{value}'"));
    check("db.query.text", &query("p4ss-word!"), &query("[REDACTED:sql-password-literal]"));
    check("db.statement", &query("p4ss-word!"), &query("[REDACTED:sql-password-literal]"));
    check("db.query.parameter.password", &json!("q"), &json!("[REDACTED:password]"));
    check("db.connection_string", &json!("Server=h;Pwd=x1y2"), &json!("[REDACTED:connection-string]"));
}

#[test]
fn an_argument_behind_a_secret_flag_is_masked() {
    check(
        "process.command_args",
        &json!(["mysql", "--user", "ada", "--password", "q", "--host", "h"]),
        &json!(["mysql", "--user", "ada", "--password", "[REDACTED:password]", "--host", "h"]),
    );
    check("process.command_args", &json!(["a", "--token", "--verbose"]), &json!(["a", "--token", "--verbose"]));
    check("process.command_args", &json!(["a", "--pwd=b1c2"]), &json!(["a", "--pwd=REDACTED.password"]));
    check("process.command_args", &json!(["a", "-pin", "1234"]), &json!(["a", "-pin", "[REDACTED:pin]"]));
    check("process.command_line", &json!("a --password b1c2d3 c"), &json!("a --password [REDACTED:password] c"));
    check("container.command_args", &json!(["token", "expired"]), &json!(["token", "expired"]));
    check(
        "list",
        &json!(["Authorization", "Bearer a1b2c3"]),
        &json!(["Authorization", "Bearer [REDACTED:authorization]"]),
    );
}

#[test]
fn a_pair_object_is_a_key_and_its_value() {
    let pair = |value: &str| json!({"name": "authorization", "value": value});
    check("headers", &json!([pair("Bearer a1b2c3")]), &json!([pair("Bearer [REDACTED:authorization]")]));
    let pair = |value: Value| json!({"key": "pin", "note": "n", "value": value});
    check("fields", &pair(json!("1234")), &pair(json!("[REDACTED:pin]")));
    check("fields", &pair(json!(["1234"])), &pair(json!(["[REDACTED:pin]"])));
    let pair = |value: &str| json!({"credentials": [{"key": "user", "value": value}]});
    check("x", &pair("ada7"), &pair("[REDACTED:credential]"));
}

#[test]
fn text_that_is_json_or_an_environment_is_read_as_such() {
    let token = made("{alnum:24}", 2);
    let message = |value: &str| json!(json!([{"role": "user", "parts": [{"password": value}]}]).to_string());
    check("gen_ai.input.messages", &message(&token), &message("[REDACTED:password]"));
    let call = |value: &str| json!({"name": "login", "arguments": {"api_key": value, "max_tokens": 5}});
    check("gen_ai.tool.call.arguments", &call(&token), &call("[REDACTED:api-key]"));
    let content = |value: &str| json!(format!("user=ada&password={value}&next=/"));
    check("http.request.body.content", &content("x1"), &content("REDACTED.password"));
    let env = |value: &str| json!({"PATH": "/bin", "PWD": "/home/ada", "DB_PASSWORD": value});
    check("process.environment", &env("x1"), &env("[REDACTED:password]"));
    check("process.environment_variable.PWD", &json!("/home/ada"), &json!("/home/ada"));
    let stack = |value: &str| json!(format!("E: bad\n  at connect(postgres://ada:{value}@db)\n  at main"));
    check("exception.stacktrace", &stack("x1"), &stack("REDACTED.url-password"));
}

#[test]
fn harmless_keys_and_values_are_left() {
    for (key, value) in [
        ("gen_ai.usage.input_tokens", json!(17)),
        ("gen_ai.usage.output_tokens", json!("17")),
        ("token.type", json!("bearer")),
        ("password.policy", json!("strong")),
        ("password policy", json!("strong")),
        ("password", json!("${DB_PASSWORD}")),
        ("password", json!("********")),
        ("password", json!("true")),
        ("token", json!("4096")),
        ("compass", json!("north")),
        ("session.id", json!("abc")),
    ] {
        check(key, &value, &value);
    }
    check("password", &json!("4096"), &json!("[REDACTED:password]"));
}

#[test]
fn bytes_are_read_as_text_and_stay_bytes() {
    let worker = Worker::new(Policy::default());
    let value = |text: &[u8]| {
        log_record(&field(6, &[field(1, b"http.request.body.content"), field(2, &field(7, text))].concat()))
    };
    let (out, _) =
        worker.redact(Signal::Logs, Encoding::Protobuf, &value(b"\xff\0 password=ab1 \xfe")).expect("a message");
    assert_eq!(out, value(b"\xff\0 password=REDACTED.password \xfe"));
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let (dirty, masked) = (b"\xff\xef\xbf password=ab1 \xfe", b"\xff\xef\xbf password=REDACTED.password \xfe");
    for encode in [|text: &[u8]| STANDARD.encode(text), |text: &[u8]| URL_SAFE_NO_PAD.encode(text)] {
        let body =
            |text: &[u8]| crate::support::log_record_json(&json!({"body": {"bytesValue": encode(text)}}).to_string());
        let (out, _) = worker.redact(Signal::Logs, Encoding::Json, &body(dirty)).expect("a message");
        let text = String::from_utf8_lossy(&out).into_owned();
        let value: Value = serde_json::from_str(&text).expect("JSON");
        let coded = value.pointer("/resourceLogs/0/scopeLogs/0/logRecords/0/body/bytesValue").and_then(Value::as_str);
        let coded = coded.expect("bytes").trim_end_matches('=').replace('-', "+").replace('_', "/");
        assert_eq!(base64::engine::general_purpose::STANDARD_NO_PAD.decode(coded).expect("base64"), masked);
    }
}

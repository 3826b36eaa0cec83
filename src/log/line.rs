//! How one message is written: text or JSON, one line, without control characters.

use std::fmt::{self, Write as _};

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use super::LogFormat;

/// A longer message is cut: whatever it is, it is no message.
const MAX_VALUE_BYTES: usize = 4096;

/// A message and its fields.
#[derive(Default)]
struct Parts {
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl Parts {
    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => self.fields.push((name, value)),
        }
    }
}

impl Visit for Parts {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = Cut(String::new());
        // Cutting it short is reported as an error.
        let _ = write!(text, "{value:?}");
        self.add(field, Value::String(text.0));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let mut text = Cut(String::new());
        let _ = text.write_str(value);
        self.add(field, Value::String(text.0));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }
}

/// A text that takes no more than it may hold.
struct Cut(String);

impl fmt::Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX_VALUE_BYTES - self.0.len();
        let end = (0..=room.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        self.0.push_str(&text[..end]);
        if end < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// The line of `event`, its end included.
pub(super) fn format(event: &Event<'_>, left_out: u64, format: LogFormat, now: Timestamp) -> Vec<u8> {
    let mut parts = Parts::default();
    event.record(&mut parts);
    if left_out > 0 {
        parts.fields.push(("suppressed", left_out.into()));
    }
    let metadata = event.metadata();
    let line = match format {
        LogFormat::Text => text(*metadata.level(), room(metadata.target()), &parts, now),
        LogFormat::Json => json(*metadata.level(), room(metadata.target()), parts, now),
    };
    line.into_bytes()
}

/// The part of the program that speaks: `inkout::pipeline::reload` is `pipeline`.
fn room(target: &str) -> &str {
    let mut words = target.split("::");
    match words.next() {
        Some("inkout") => words.next().unwrap_or("inkout"),
        _ => target,
    }
}

fn text(level: Level, room: &str, parts: &Parts, now: Timestamp) -> String {
    let mut line = format!("{now:.3} {level:5} {room}: ");
    escape(&parts.message, &mut line);
    for (name, value) in &parts.fields {
        let _ = write!(line, " {name}=");
        match value {
            Value::String(text) if is_word(text) => line.push_str(text),
            // JSON's quotes escape what would break the line.
            value => escape(&value.to_string(), &mut line),
        }
    }
    line.push('\n');
    line
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "-_./:".contains(c))
}

/// Control characters could forge lines, or move a terminal's cursor.
fn escape(text: &str, line: &mut String) {
    text.chars().for_each(|c| if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) });
}

fn json(level: Level, room: &str, parts: Parts, now: Timestamp) -> String {
    let mut object = Map::new();
    let mut add = |name: &str, value: Value| object.insert(name.to_owned(), value);
    add("time", format!("{now:.3}").into());
    add("level", level.as_str().to_lowercase().into());
    add("room", room.into());
    add("message", parts.message.into());
    parts.fields.into_iter().for_each(|(name, value)| drop(add(name, value)));
    let mut line = String::new();
    // serde_json leaves DEL and C1 controls as they are.
    for c in Value::Object(object).to_string().chars() {
        if c.is_control() {
            let _ = write!(line, "\\u{:04x}", u32::from(c));
        } else {
            line.push(c);
        }
    }
    line.push('\n');
    line
}

//! `google.rpc.Status` and its `RetryInfo`, in protobuf and in JSON: what OTLP answers when a request fails. It is three
//! small messages, read and written here so that what upstream put into them goes through untouched.
//!
//! Definitions: <https://github.com/googleapis/googleapis/blob/master/google/rpc/status.proto>, `error_details.proto`.

use std::time::Duration;

use bytes::Bytes;
use tonic::Code;

use super::wire::{Fields, varint};

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// Field numbers and wire types, as one tag byte each.
mod tag {
    pub(super) const STATUS_CODE: u8 = 0x08;
    pub(super) const STATUS_MESSAGE: u8 = 0x12;
    pub(super) const STATUS_DETAILS: u8 = 0x1a;
    pub(super) const ANY_TYPE: u8 = 0x0a;
    pub(super) const ANY_VALUE: u8 = 0x12;
    pub(super) const RETRY_DELAY: u8 = 0x0a;
    pub(super) const SECONDS: u8 = 0x08;
    pub(super) const NANOS: u8 = 0x10;
}

/// A status in protobuf.
pub(super) fn encode(code: Code, message: &str, retry_after: Option<Duration>) -> Bytes {
    let mut status = Vec::with_capacity(message.len() + 96);
    number(&mut status, tag::STATUS_CODE, u64::from(code as u8));
    bytes(&mut status, tag::STATUS_MESSAGE, message.as_bytes());
    if let Some(delay) = retry_after {
        let (mut duration, mut info, mut any) = (Vec::new(), Vec::new(), Vec::new());
        number(&mut duration, tag::SECONDS, delay.as_secs());
        number(&mut duration, tag::NANOS, u64::from(delay.subsec_nanos()));
        bytes(&mut info, tag::RETRY_DELAY, &duration);
        bytes(&mut any, tag::ANY_TYPE, RETRY_INFO.as_bytes());
        bytes(&mut any, tag::ANY_VALUE, &info);
        bytes(&mut status, tag::STATUS_DETAILS, &any);
    }
    status.into()
}

/// A status in protobuf's JSON.
pub(super) fn encode_json(code: Code, message: &str, retry_after: Option<Duration>) -> Bytes {
    let mut status = serde_json::json!({ "code": code as i32, "message": message });
    if let Some(delay) = retry_after {
        let delay = format!("{}.{:09}s", delay.as_secs(), delay.subsec_nanos());
        status["details"] = serde_json::json!([{ "@type": RETRY_INFO, "retryDelay": delay }]);
    }
    status.to_string().into()
}

/// The message of a status in protobuf; `None` if it is not one.
pub(super) fn message(status: &[u8]) -> Option<String> {
    let mut found = None;
    for field in Fields(status) {
        let (tag, value) = field?;
        if tag == u64::from(tag::STATUS_MESSAGE) {
            found = Some(std::str::from_utf8(value).ok()?.to_owned());
        }
    }
    found
}

/// What the `RetryInfo` of a status in protobuf asks for.
pub(super) fn retry_after(status: &[u8]) -> Option<Duration> {
    let any = Fields(status).flatten().filter(|(tag, _)| *tag == u64::from(tag::STATUS_DETAILS));
    any.filter(|(_, any)| field(any, tag::ANY_TYPE) == Some(RETRY_INFO.as_bytes())).find_map(|(_, any)| {
        // A RetryInfo without a delay is a legal way to say «at once».
        let info = field(any, tag::ANY_VALUE).unwrap_or_default();
        duration(field(info, tag::RETRY_DELAY).unwrap_or_default())
    })
}

fn duration(mut duration: &[u8]) -> Option<Duration> {
    let (mut seconds, mut nanos) = (0, 0);
    while !duration.is_empty() {
        match varint(&mut duration)? {
            tag if tag == u64::from(tag::SECONDS) => seconds = varint(&mut duration)?,
            tag if tag == u64::from(tag::NANOS) => nanos = varint(&mut duration)?,
            _ => return None,
        }
    }
    Some(Duration::new(seconds, u32::try_from(nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?))
}

fn field(message: &[u8], tag: u8) -> Option<&[u8]> {
    Fields(message).flatten().find(|(found, _)| *found == u64::from(tag)).map(|(_, value)| value)
}

fn number(message: &mut Vec<u8>, tag: u8, value: u64) {
    // Zero is the default, which is not written.
    if value > 0 {
        message.push(tag);
        put_varint(message, value);
    }
}

fn bytes(message: &mut Vec<u8>, tag: u8, value: &[u8]) {
    message.push(tag);
    put_varint(message, value.len() as u64);
    message.extend_from_slice(value);
}

fn put_varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let delay = Duration::new(300, 5);
        let status = encode(Code::Unavailable, "come back", Some(delay));
        assert_eq!(message(&status).as_deref(), Some("come back"));
        assert_eq!(retry_after(&status), Some(delay));
        assert_eq!(retry_after(&encode(Code::Unavailable, "", None)), None);
    }

    #[test]
    fn json_names_the_same_three_things() {
        let status = encode_json(Code::ResourceExhausted, "too \"many\"", Some(Duration::from_millis(1500)));
        let read: serde_json::Value = serde_json::from_slice(&status).unwrap();
        assert_eq!(read["code"], 8);
        assert_eq!(read["message"], "too \"many\"");
        assert_eq!(read["details"][0]["retryDelay"], "1.500000000s");
    }

    #[test]
    fn other_bytes_are_no_status() {
        let status = encode(Code::Unavailable, "come back", Some(Duration::from_secs(1)));
        for cut in 1..status.len() {
            let _ = (message(&status[..cut]), retry_after(&status[..cut]));
        }
        assert_eq!(message(b"upstream connect error"), None);
        assert_eq!(message(&[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]), None);
        assert_eq!(retry_after(b"<html>"), None);
    }
}

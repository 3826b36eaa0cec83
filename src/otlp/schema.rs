//! The messages of OTLP 1.x (<https://github.com/open-telemetry/opentelemetry-proto>): which field is what. A field that is not
//! here is unknown: kept as it is, and looked at as text.

use super::Signal;

/// Tags of the messages that hold a value.
pub(super) mod tags {
    use super::super::wire::{kind, tag};

    /// `KeyValue`.
    pub(in super::super) const KEY: u32 = tag(1, kind::BYTES);
    pub(in super::super) const VALUE: u32 = tag(2, kind::BYTES);
    /// `AnyValue`.
    pub(in super::super) const STRING: u32 = tag(1, kind::BYTES);
    pub(in super::super) const BOOL: u32 = tag(2, kind::VARINT);
    pub(in super::super) const INT: u32 = tag(3, kind::VARINT);
    pub(in super::super) const DOUBLE: u32 = tag(4, kind::FIXED64);
    pub(in super::super) const ARRAY: u32 = tag(5, kind::BYTES);
    pub(in super::super) const OBJECT: u32 = tag(6, kind::BYTES);
    pub(in super::super) const BYTES: u32 = tag(7, kind::BYTES);
    /// `ArrayValue` and `KeyValueList`.
    pub(in super::super) const VALUES: u32 = tag(1, kind::BYTES);
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// No field of ours.
    Unknown,
    /// Text or bytes.
    Text,
    /// An id of this many bytes, which stays.
    Id(usize),
    /// A number.
    Number,
    /// Number behind one tag.
    Packed,
    /// A message.
    Message(&'static Message),
    /// A key and its value.
    KeyValue,
    /// A value of any type.
    AnyValue,
}

/// One more than the highest field number of ours.
const NUMBERS: usize = 17;

/// What the fields of a message hold, by number.
#[derive(Debug)]
pub(super) struct Message([Kind; NUMBERS]);

impl Message {
    /// What the field of this number holds.
    #[inline]
    pub(super) fn kind(&self, number: u32) -> Kind {
        self.0.get(number as usize).copied().unwrap_or(Kind::Unknown)
    }

    const fn of(fields: &[(usize, Kind)]) -> Message {
        let mut kinds = [Kind::Unknown; NUMBERS];
        let mut at = 0;
        while at < fields.len() {
            kinds[fields[at].0] = fields[at].1;
            at += 1;
        }
        Message(kinds)
    }
}

/// The request that carries `signal`.
pub(super) fn request(signal: Signal) -> &'static Message {
    match signal {
        Signal::Logs => &LOGS,
        Signal::Traces => &TRACES,
        Signal::Metrics => &METRICS,
    }
}

use Kind::{AnyValue, Id, KeyValue, Message as In, Number, Packed, Text};

static LOGS: Message = Message::of(&[(1, In(&RESOURCE_LOGS))]);
static RESOURCE_LOGS: Message = Message::of(&[(2, In(&SCOPE_LOGS)), (1, In(&RESOURCE)), (3, Text)]);
static SCOPE_LOGS: Message = Message::of(&[(2, In(&LOG_RECORD)), (1, In(&SCOPE)), (3, Text)]);
static LOG_RECORD: Message = Message::of(&[
    (6, KeyValue),
    (1, Number),
    (11, Number),
    (2, Number),
    (3, Text),
    (5, AnyValue),
    (7, Number),
    (8, Number),
    (9, Id(16)),
    (10, Id(8)),
    (12, Text),
]);

static TRACES: Message = Message::of(&[(1, In(&RESOURCE_SPANS))]);
static RESOURCE_SPANS: Message = Message::of(&[(2, In(&SCOPE_SPANS)), (1, In(&RESOURCE)), (3, Text)]);
static SCOPE_SPANS: Message = Message::of(&[(2, In(&SPAN)), (1, In(&SCOPE)), (3, Text)]);
static SPAN: Message = Message::of(&[
    (9, KeyValue),
    (1, Id(16)),
    (2, Id(8)),
    (3, Text),
    (4, Id(8)),
    (5, Text),
    (6, Number),
    (7, Number),
    (8, Number),
    (10, Number),
    (11, In(&EVENT)),
    (12, Number),
    (13, In(&LINK)),
    (14, Number),
    (15, In(&STATUS)),
    (16, Number),
]);
static EVENT: Message = Message::of(&[(3, KeyValue), (1, Number), (2, Text), (4, Number)]);
static LINK: Message = Message::of(&[(4, KeyValue), (1, Id(16)), (2, Id(8)), (3, Text), (5, Number), (6, Number)]);
static STATUS: Message = Message::of(&[(2, Text), (3, Number)]);

static METRICS: Message = Message::of(&[(1, In(&RESOURCE_METRICS))]);
static RESOURCE_METRICS: Message = Message::of(&[(2, In(&SCOPE_METRICS)), (1, In(&RESOURCE)), (3, Text)]);
static SCOPE_METRICS: Message = Message::of(&[(2, In(&METRIC)), (1, In(&SCOPE)), (3, Text)]);
static METRIC: Message = Message::of(&[
    (1, Text),
    (2, Text),
    (3, Text),
    (5, In(&POINTS)),
    (7, In(&POINTS)),
    (9, In(&HISTOGRAM)),
    (10, In(&EXPONENTIAL_HISTOGRAM)),
    (11, In(&SUMMARY)),
    (12, KeyValue),
]);
/// `Gauge` and `Sum`.
static POINTS: Message = Message::of(&[(1, In(&NUMBER_POINT)), (2, Number), (3, Number)]);
static HISTOGRAM: Message = Message::of(&[(1, In(&HISTOGRAM_POINT)), (2, Number)]);
static EXPONENTIAL_HISTOGRAM: Message = Message::of(&[(1, In(&EXPONENTIAL_POINT)), (2, Number)]);
static SUMMARY: Message = Message::of(&[(1, In(&SUMMARY_POINT))]);
static NUMBER_POINT: Message =
    Message::of(&[(7, KeyValue), (2, Number), (3, Number), (4, Number), (6, Number), (5, In(&EXEMPLAR)), (8, Number)]);
static HISTOGRAM_POINT: Message = Message::of(&[
    (9, KeyValue),
    (2, Number),
    (3, Number),
    (4, Number),
    (5, Number),
    (6, Packed),
    (7, Packed),
    (8, In(&EXEMPLAR)),
    (10, Number),
    (11, Number),
    (12, Number),
]);
static EXPONENTIAL_POINT: Message = Message::of(&[
    (1, KeyValue),
    (2, Number),
    (3, Number),
    (4, Number),
    (5, Number),
    (6, Number),
    (7, Number),
    (8, In(&BUCKETS)),
    (9, In(&BUCKETS)),
    (10, Number),
    (11, In(&EXEMPLAR)),
    (12, Number),
    (13, Number),
    (14, Number),
]);
static BUCKETS: Message = Message::of(&[(1, Number), (2, Packed)]);
static SUMMARY_POINT: Message =
    Message::of(&[(7, KeyValue), (2, Number), (3, Number), (4, Number), (5, Number), (6, In(&QUANTILE)), (8, Number)]);
static QUANTILE: Message = Message::of(&[(1, Number), (2, Number)]);
static EXEMPLAR: Message =
    Message::of(&[(7, KeyValue), (2, Number), (3, Number), (6, Number), (4, Id(8)), (5, Id(16))]);

static RESOURCE: Message = Message::of(&[(1, KeyValue), (2, Number), (3, In(&ENTITY))]);
static ENTITY: Message = Message::of(&[(1, Text), (2, Text), (3, Text), (4, Text)]);
static SCOPE: Message = Message::of(&[(1, Text), (2, Text), (3, KeyValue), (4, Number)]);

//! Walks a protobuf message and writes the lengths around each finding anew. What a field is, `schema` says; what is secret,
//! the engine.

use std::ops::Range;

use super::schema::{self, Kind, Message};
use super::scope::{Around, Names, is_flag, is_value_name};
use super::wire::{Field, Reader, Value, malformed, put_varint, varint};
use super::{Malformed, Signal, Walk};
use crate::engine::{Found, Number, SecretKey, Span, UNINSPECTED, Why};

/// Groups within groups; nobody has written them since 2008.
const MAX_GROUPS: usize = 64;
/// Messages within an unknown field whose lengths are kept true.
const MAX_UNKNOWN: usize = 16;
/// The tags of `AnyValue`'s string and integer.
const STRING_VALUE: u8 = 0x0a;
const INT_VALUE: u8 = 0x18;

/// Walks the request in `walk.body`.
pub(super) fn walk(walk: &mut Walk<'_>, signal: Signal) -> Result<(), Malformed> {
    let whole = 0..walk.body.len();
    walk.message(schema::request(signal), whole)
}

impl<'w> Walk<'w> {
    fn message(&mut self, message: &'static Message, range: Range<usize>) -> Result<(), Malformed> {
        let mut reader = Reader::new(self.body, range);
        while let Some(field) = reader.next()? {
            match (message.kind(field.number), &field.value) {
                (Kind::Message(inner), Value::Bytes { len_at, content }) => {
                    self.within(*len_at, content.clone(), |walk, content| walk.message(inner, content))?;
                }
                (Kind::KeyValue, Value::Bytes { len_at, content }) => {
                    self.within(*len_at, content.clone(), |walk, content| {
                        walk.key_value(content, None, Around::default()).map(|_| ())
                    })?;
                }
                (Kind::AnyValue, Value::Bytes { len_at, content }) => {
                    self.within(*len_at, content.clone(), |walk, content| walk.any_value(content, Around::default()))?;
                }
                (Kind::Text, Value::Bytes { len_at, content }) => {
                    self.text(*len_at, content.clone(), Around::default())
                }
                (Kind::Id(len), Value::Bytes { content, .. }) if content.len() == len => {}
                (Kind::Packed, Value::Bytes { .. }) => {}
                _ => self.unknown(&mut reader, &field, 0)?,
            }
        }
        Ok(())
    }

    /// A `KeyValue`. Returns the last of its keys.
    fn key_value(
        &mut self,
        range: Range<usize>,
        paired: Option<SecretKey>,
        outer: Around,
    ) -> Result<Range<usize>, Malformed> {
        let (around, key) = self.keys_of(range.clone(), paired, outer)?;
        let mut reader = Reader::new(self.body, range);
        while let Some(field) = reader.next()? {
            match (field.number, &field.value) {
                (1, Value::Bytes { len_at, content }) => self.text(*len_at, content.clone(), Around::default()),
                (2, Value::Bytes { len_at, content }) => {
                    self.within(*len_at, content.clone(), |walk, content| walk.any_value(content, around))?;
                }
                _ => self.unknown(&mut reader, &field, 0)?,
            }
        }
        Ok(key)
    }

    /// What the keys of a `KeyValue` put around its value, wherever they stand. Of several the last one counts, and before
    /// it any that is secret.
    fn keys_of(
        &mut self,
        range: Range<usize>,
        paired: Option<SecretKey>,
        outer: Around,
    ) -> Result<(Around, Range<usize>), Malformed> {
        let mut reader = Reader::new(self.body, range.start..range.end);
        let (mut around, mut key) = (None::<Around>, range.start..range.start);
        while let Some(field) = reader.next()? {
            if let (1, Value::Bytes { content, .. }) = (field.number, field.value) {
                let next = self.around_field(&self.body[content.clone()], Some(&content), paired, outer);
                let secret = around.is_some_and(|around| around.scope.key.is_some()) && next.scope.key.is_none();
                around = if secret { around } else { Some(next) };
                key = content;
            }
        }
        let around = around.unwrap_or_else(|| self.around_field(b"", Some(&key), paired, outer));
        Ok((around, key))
    }

    fn any_value(&mut self, range: Range<usize>, around: Around) -> Result<(), Malformed> {
        if around.depth >= self.max_depth {
            return Ok(self.withhold(range));
        }
        let mut reader = Reader::new(self.body, range);
        while let Some(field) = reader.next()? {
            match (field.number, &field.value) {
                (1 | 7, Value::Bytes { len_at, content }) => self.text(*len_at, content.clone(), around),
                (2, Value::Varint) => {}
                (3, Value::Varint) | (4, Value::Fixed) => {
                    if let Some(key) = around.scope.key.filter(|_| !around.scope.listed) {
                        self.number(key, field.start..reader.at);
                    }
                }
                (5, Value::Bytes { len_at, content }) => {
                    self.within(*len_at, content.clone(), |walk, content| walk.array(content, around))?;
                }
                (6, Value::Bytes { len_at, content }) => {
                    self.within(*len_at, content.clone(), |walk, content| walk.object(content, around))?;
                }
                _ => self.unknown(&mut reader, &field, 0)?,
            }
        }
        Ok(())
    }

    /// An `ArrayValue`.
    fn array(&mut self, range: Range<usize>, around: Around) -> Result<(), Malformed> {
        let mut names = Names::default();
        let mut reader = Reader::new(self.body, range);
        while let Some(field) = reader.next()? {
            let (1, Value::Bytes { len_at, content }) = (field.number, &field.value) else {
                self.unknown(&mut reader, &field, 0)?;
                continue;
            };
            let text = self.string_of(content.clone());
            let flag = text.clone().is_some_and(|text| is_flag(&self.body[text]));
            let inner = names.for_element(around, flag).deeper();
            self.within(*len_at, content.clone(), |walk, content| walk.any_value(content, inner))?;
            let text = text.unwrap_or(content.start..content.start);
            let key = self.key_named(&self.body[text.clone()], Some(&text));
            names.element(key, &self.body[text]);
        }
        Ok(())
    }

    /// A `KeyValueList`.
    fn object(&mut self, range: Range<usize>, around: Around) -> Result<(), Malformed> {
        let mut names = Names::default();
        let mut reader = Reader::new(self.body, range.clone());
        while let Some(field) = reader.next()? {
            let (1, Value::Bytes { len_at, content }) = (field.number, &field.value) else {
                self.unknown(&mut reader, &field, 0)?;
                continue;
            };
            let (key, value) = self.pair_of(content.clone());
            let paired = names.for_field(&self.body[key.clone()]);
            // `{"key": "user", "value": …}` in a secret object: what names the pair is no secret.
            let names_next = around.inherited.is_some() && self.names_a_pair(reader.at..range.end);
            let outer = if names_next { Around { inherited: None, ..around } } else { around }.deeper();
            let key = self.within(*len_at, content.clone(), |walk, content| walk.key_value(content, paired, outer))?;
            let named = value.and_then(|value| self.key_named(&self.body[value.clone()], Some(&value)));
            names.field(&self.body[key], named);
        }
        Ok(())
    }

    /// Whether the first field in `range` is the value of a pair object.
    fn names_a_pair(&self, range: Range<usize>) -> bool {
        let Ok(Some(Field { number: 1, value: Value::Bytes { content, .. }, .. })) =
            Reader::new(self.body, range).next()
        else {
            return false;
        };
        is_value_name(&self.body[self.pair_of(content).0])
    }

    /// The key and the string of a `KeyValue`, as they are usually written.
    fn pair_of(&self, range: Range<usize>) -> (Range<usize>, Option<Range<usize>>) {
        let (mut key, mut value) = (range.start..range.start, None);
        let mut reader = Reader::new(self.body, range);
        while let Ok(Some(field)) = reader.next() {
            match (field.number, field.value) {
                (1, Value::Bytes { content, .. }) => key = content,
                (2, Value::Bytes { content, .. }) => value = self.string_of(content),
                _ => {}
            }
        }
        (key, value)
    }

    /// The string that an `AnyValue` is.
    fn string_of(&self, range: Range<usize>) -> Option<Range<usize>> {
        match Reader::new(self.body, range).next() {
            Ok(Some(Field { number: 1, value: Value::Bytes { content, .. }, .. })) => Some(content),
            _ => None,
        }
    }

    /// Walks what stands behind a length, and writes the length anew where something of it was exchanged.
    fn within<T>(
        &mut self,
        len_at: usize,
        content: Range<usize>,
        inside: impl FnOnce(&mut Self, Range<usize>) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        let before = self.splice.mark();
        let place = self.splice.place_of(len_at);
        let done = inside(self, content.clone())?;
        if self.splice.mark() != before {
            self.splice.copy_to(content.end);
            let spelt = content.start - len_at;
            let len = self.splice.written() - place - spelt;
            if len != content.len() {
                let (bytes, count) = varint(len as u64);
                self.splice.patch(place, spelt, &bytes[..count]);
            }
        }
        Ok(done)
    }

    /// A text or bytes field.
    #[inline]
    fn text(&mut self, len_at: usize, content: Range<usize>, around: Around) {
        let may_hold = self.survey.may_hold(&content);
        if may_hold || around.scope.key.is_some() || around.scope.url {
            self.examine(len_at, content, around, may_hold);
        }
    }

    fn examine(&mut self, len_at: usize, content: Range<usize>, around: Around, may_hold: bool) {
        let value = &self.body[content.clone()];
        let found = self.engine.find_field(self.scratch, around.scope, value, may_hold, &mut self.tally);
        self.note(&content);
        if found != Found::Nothing {
            self.rewrite(len_at, content, &found);
        }
    }

    /// Writes a field that is a text, with its length.
    fn rewrite(&mut self, len_at: usize, content: Range<usize>, found: &Found) {
        let value = &self.body[content.clone()];
        let mut text = Vec::with_capacity(value.len() + 32);
        match found {
            Found::Nothing => return,
            Found::Text(whole) => text.extend_from_slice(whole),
            Found::Spans => self.engine.write_field(self.scratch, value, &mut text),
        }
        let from = if text.len() == value.len() { content.start } else { len_at };
        self.splice.replace(from..content.end, |out| {
            if from == len_at {
                put_varint(text.len() as u64, out);
            }
            out.extend_from_slice(&text);
        });
    }

    /// Remembers what was found in the field at `content`.
    pub(super) fn note(&mut self, content: &Range<usize>) {
        let by = content.start;
        self.found.extend(self.scratch.found().iter().map(|span| {
            let why = match span.why {
                Why::Key { start, end } => Why::Key { start: start + by, end: end + by },
                other => other,
            };
            Span { start: span.start + by, end: span.end + by, why, ..*span }
        }));
    }

    /// An integer or a double under a secret key, with its tag at `field`.
    fn number(&mut self, key: SecretKey, field: Range<usize>) {
        match self.engine.redact_number(key, &mut self.tally) {
            Number::Keep => {}
            Number::Null => self.splice.replace(field, |_| {}),
            Number::Zero => self.splice.replace(field, |out| out.extend_from_slice(&[INT_VALUE, 0])),
            Number::Text(text) => self.splice.replace(field, |out| {
                out.push(STRING_VALUE);
                put_varint(text.len() as u64, out);
                out.extend_from_slice(&text);
            }),
        }
    }

    /// Masks the content of an `AnyValue` that is nested too deeply to be looked at.
    fn withhold(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        self.tally.records_masked_whole += 1;
        self.splice.replace(range, |out| {
            out.push(STRING_VALUE);
            put_varint(UNINSPECTED.len() as u64, out);
            out.extend_from_slice(UNINSPECTED);
        });
    }

    /// A field that is not ours: kept, and what has a length looked at as text.
    fn unknown(&mut self, reader: &mut Reader<'_>, field: &Field, groups: usize) -> Result<(), Malformed> {
        match &field.value {
            Value::Varint | Value::Fixed => Ok(()),
            Value::Close => Err(malformed(field.start, "a field, not the end of a group that did not begin")),
            Value::Open if groups == MAX_GROUPS => Err(malformed(field.start, "at most 64 groups within each other")),
            Value::Open => loop {
                let Some(inner) = reader.next()? else {
                    return Err(malformed(reader.at, "the end of a group"));
                };
                if inner.value == Value::Close && inner.number == field.number {
                    return Ok(());
                }
                self.unknown(reader, &inner, groups + 1)?;
            },
            Value::Bytes { len_at, content } => {
                self.unknown_bytes(*len_at, content.clone());
                Ok(())
            }
        }
    }

    /// What has a length in an unknown field may be a message: then the lengths within are kept true.
    fn unknown_bytes(&mut self, len_at: usize, content: Range<usize>) {
        if !self.survey.may_hold(&content) {
            return;
        }
        let value = &self.body[content.clone()];
        let found = self.engine.find_field(self.scratch, Around::default().scope, value, true, &mut self.tally);
        self.note(&content);
        match found {
            Found::Nothing => {}
            Found::Spans if is_message(value) => {
                let spans: Vec<Span> = self.scratch.found().iter().map(|span| span.moved(content.start)).collect();
                let done = self.within(len_at, content.clone(), |walk, inner| {
                    walk.masked_within(inner, &spans, 0);
                    Ok(())
                });
                debug_assert!(done.is_ok(), "nothing in there fails");
            }
            _ => self.rewrite(len_at, content, &found),
        }
    }

    /// Masks `spans` in a message of unknown fields: each in the innermost field that holds it whole.
    fn masked_within(&mut self, range: Range<usize>, spans: &[Span], depth: usize) {
        let mut spans = spans;
        let mut reader = Reader::new(self.body, range.clone());
        while depth < MAX_UNKNOWN && !spans.is_empty() {
            let Ok(Some(field)) = reader.next() else { break };
            let Value::Bytes { len_at, content } = field.value else { continue };
            let first = spans.partition_point(|span| span.start < content.start);
            // A finding that reaches into the field's tag is none of its own.
            if first > 0 && spans[first - 1].end > field.start {
                continue;
            }
            let behind = spans.partition_point(|span| span.start < content.end);
            let holds = |span: &Span| content.start <= span.start && span.end <= content.end;
            if first == behind || !spans[first..behind].iter().all(holds) {
                continue;
            }
            let inner = &spans[first..behind];
            spans[..first].iter().for_each(|span| self.mask(span));
            spans = &spans[behind..];
            let deeper = if is_message(&self.body[content.clone()]) { depth + 1 } else { MAX_UNKNOWN };
            let done = self.within(len_at, content.clone(), |walk, content| {
                walk.masked_within(content, inner, deeper);
                Ok(())
            });
            debug_assert!(done.is_ok(), "nothing in there fails");
        }
        spans.iter().for_each(|span| self.mask(span));
    }

    fn mask(&mut self, span: &Span) {
        let (engine, secret) = (self.engine, &self.body[span.start..span.end]);
        self.splice.replace(span.start..span.end, |out| engine.write_span(span, secret, out));
    }
}

/// Whether `value` reads as a message from its first byte to its last, and not as a text.
fn is_message(value: &[u8]) -> bool {
    let control = |byte: &u8| *byte < 0x20 && !b"\t\r\n".contains(byte);
    if value.is_empty() || value[0] != b'\n' && !value.iter().any(control) {
        return false;
    }
    let mut reader = Reader::new(value, 0..value.len());
    loop {
        match reader.next() {
            Ok(None) => return true,
            Ok(Some(field)) if !matches!(field.value, Value::Open | Value::Close) => {}
            _ => return false,
        }
    }
}

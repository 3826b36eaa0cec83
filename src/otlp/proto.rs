//! Walks a protobuf message and writes the lengths around each finding anew. What a field is, `schema` says; what is secret,
//! the engine.

use std::ops::Range;

use super::schema::tags::{ARRAY, BOOL, BYTES, DOUBLE, INT, KEY, OBJECT, STRING, VALUE, VALUES};
use super::schema::{self, Kind, Message};
use super::scope::{Around, Keys, Names, is_flag, is_value_name};
use super::wire::{Reader, Refusal, Sized, kind, put_varint, refusal, unsigned, varint};
use super::{Malformed, Signal, Walk, glance};
use crate::engine::{Found, Look, Mark, Number, SecretKey, Span, UNINSPECTED, query};

/// Groups within groups; nobody has written them since 2008.
const MAX_GROUPS: usize = 64;
/// Messages within an unknown field whose lengths are kept true.
const MAX_UNKNOWN: usize = 16;

/// Walks the request in `walk.body`.
pub(super) fn walk(walk: &mut Walk<'_>, signal: Signal) -> Result<(), Malformed> {
    let whole = 0..walk.body.len();
    walk.survey = match glance::survey(walk.engine, walk.scratch, walk.max_depth, signal, walk.body) {
        Some((survey, tally)) => {
            walk.tally = tally;
            survey
        }
        None => walk.engine.survey(walk.scratch, walk.body),
    };
    if walk.survey.clears(&whole) {
        return Ok(());
    }
    walk.message(schema::request(signal), whole).map_err(|refusal| *refusal)
}

impl<'w> Walk<'w> {
    fn message(&mut self, message: &'static Message, range: Range<usize>) -> Result<(), Refusal> {
        let mut reader = Reader::new(self.body, range);
        loop {
            let tag = reader.next()?;
            if tag == 0 {
                return Ok(());
            }
            if tag & 7 != kind::BYTES {
                self.unsized_field(&mut reader, tag, 0)?;
                continue;
            }
            let field = reader.sized;
            if self.survey.clears(&field.content()) {
                continue;
            }
            match message.kind(tag >> 3) {
                Kind::KeyValue => {
                    self.within(field, |walk, content| walk.key_value(content, None, Around::default()).map(drop))?;
                }
                Kind::Text => self.text(field, Around::default()),
                Kind::Id(len) if field.end - field.start == len => {}
                Kind::Packed => {}
                Kind::AnyValue => self.within(field, |walk, content| walk.any_value(content, Around::default()))?,
                Kind::Message(inner) => self.within(field, |walk, content| walk.message(inner, content))?,
                Kind::Id(_) | Kind::Number | Kind::Unknown => self.unknown_bytes(field),
            }
        }
    }

    /// A `KeyValue`. Returns the last of its keys.
    fn key_value(
        &mut self,
        range: Range<usize>,
        paired: Option<SecretKey>,
        outer: Around,
    ) -> Result<Range<usize>, Refusal> {
        let mut reader = Reader::new(self.body, range.start..range.end);
        let is_key = reader.next()? == KEY;
        let key = reader.sized;
        // As everybody writes it: a key, a value, nothing else.
        if is_key && reader.next()? == VALUE && reader.at == range.end {
            let value = reader.sized;
            let around = self.around_attribute(&self.body[key.content()], paired, outer);
            self.text(key, Around::default());
            self.within(value, |walk, content| walk.any_value(content, around))?;
            return Ok(key.content());
        }
        self.odd_key_value(range, paired, outer)
    }

    /// A `KeyValue` of any fields in any order.
    #[inline(never)]
    fn odd_key_value(
        &mut self,
        range: Range<usize>,
        paired: Option<SecretKey>,
        outer: Around,
    ) -> Result<Range<usize>, Refusal> {
        let (around, key) = self.keys_of(range.clone(), paired, outer)?;
        let mut reader = Reader::new(self.body, range);
        loop {
            match reader.next()? {
                0 => return Ok(key),
                KEY => self.text(reader.sized, Around::default()),
                VALUE => self.within(reader.sized, |walk, content| walk.any_value(content, around))?,
                tag => self.unknown(&mut reader, tag, 0)?,
            }
        }
    }

    /// What the keys of a `KeyValue` put around its value, wherever they stand. Of several the last one counts, and before
    /// it any that is secret.
    fn keys_of(
        &mut self,
        range: Range<usize>,
        paired: Option<SecretKey>,
        outer: Around,
    ) -> Result<(Around, Range<usize>), Refusal> {
        let mut reader = Reader::new(self.body, range.start..range.end);
        let (mut around, mut key, mut keys) = (None::<Around>, range.start..range.start, 0);
        loop {
            match reader.next()? {
                0 => break,
                KEY => {
                    key = reader.sized.content();
                    keys += 1;
                    let next = self.around_field(&self.body[key.clone()], paired, outer);
                    let secret = around.is_some_and(|around| around.scope.key.is_some()) && next.scope.key.is_none();
                    around = if secret { around } else { Some(next) };
                }
                _ => {}
            }
        }
        let around = around.unwrap_or_else(|| self.around_field(b"", paired, outer));
        let keys = if keys > 1 { Keys::Unknown } else { self.keys_below(outer.keys, &self.body[key.clone()]) };
        Ok((Around { keys, ..around }, key))
    }

    fn any_value(&mut self, range: Range<usize>, around: Around) -> Result<(), Refusal> {
        if around.depth >= self.max_depth {
            self.withhold(range);
            return Ok(());
        }
        let mut reader = Reader::new(self.body, range);
        loop {
            match reader.next()? {
                0 => return Ok(()),
                STRING | BYTES => self.text(reader.sized, around),
                BOOL => {}
                INT | DOUBLE => {
                    if around.scope.key.is_some() {
                        self.number(reader.start..reader.at, around);
                    }
                }
                ARRAY => self.within(reader.sized, |walk, content| walk.array(content, around))?,
                OBJECT => self.within(reader.sized, |walk, content| walk.object(content, around))?,
                tag => self.unknown(&mut reader, tag, 0)?,
            }
        }
    }

    /// An `ArrayValue`.
    fn array(&mut self, range: Range<usize>, around: Around) -> Result<(), Refusal> {
        let mut names = Names::default();
        let mut reader = Reader::new(self.body, range);
        loop {
            match reader.next()? {
                0 => return Ok(()),
                VALUES => self.element(reader.sized, around, &mut names)?,
                tag => self.unknown(&mut reader, tag, 0)?,
            }
        }
    }

    fn element(&mut self, field: Sized, around: Around, names: &mut Names) -> Result<(), Refusal> {
        let text = self.string_of(field.content()).unwrap_or(field.start..field.start);
        let said = &self.body[text.clone()];
        let inner = names.for_element(around, is_flag(said)).deeper();
        self.within(field, |walk, content| walk.any_value(content, inner))?;
        let key = self.key_named(said, Some(&text));
        names.element(key, said);
        Ok(())
    }

    /// A `KeyValueList`.
    fn object(&mut self, range: Range<usize>, around: Around) -> Result<(), Refusal> {
        let mut names = Names::default();
        let mut reader = Reader::new(self.body, range.clone());
        loop {
            match reader.next()? {
                0 => return Ok(()),
                VALUES => self.pair(reader.sized, range.end, around, &mut names)?,
                tag => self.unknown(&mut reader, tag, 0)?,
            }
        }
    }

    /// A pair in a list of pairs that ends at `end`.
    fn pair(&mut self, field: Sized, end: usize, around: Around, names: &mut Names) -> Result<(), Refusal> {
        let (key, value) = self.pair_of(field.content());
        let paired = names.for_field(&self.body[key]);
        // `{"key": "user", "value": …}` in a secret object: what names the pair is no secret.
        let names_next = around.inherited.is_some() && self.names_a_pair(field.end..end);
        let outer = if names_next { Around { inherited: None, ..around } } else { around }.deeper();
        let key = self.within(field, |walk, content| walk.key_value(content, paired, outer))?;
        let named = value.and_then(|value| self.key_named(&self.body[value.clone()], Some(&value)));
        names.field(&self.body[key], named);
        Ok(())
    }

    /// Whether the first field in `range` is the value of a pair object.
    fn names_a_pair(&self, range: Range<usize>) -> bool {
        let mut reader = Reader::new(self.body, range);
        let is_pair = matches!(reader.next(), Ok(VALUES));
        is_pair && is_value_name(&self.body[self.pair_of(reader.sized.content()).0])
    }

    /// The key and the string of a `KeyValue`, as they are usually written.
    fn pair_of(&self, range: Range<usize>) -> (Range<usize>, Option<Range<usize>>) {
        let (mut key, mut value) = (range.start..range.start, None);
        let mut reader = Reader::new(self.body, range);
        loop {
            match reader.next() {
                Ok(KEY) => key = reader.sized.content(),
                Ok(VALUE) => value = self.string_of(reader.sized.content()),
                Ok(0) | Err(_) => return (key, value),
                Ok(_) => {}
            }
        }
    }

    /// The string that an `AnyValue` is.
    fn string_of(&self, range: Range<usize>) -> Option<Range<usize>> {
        let mut reader = Reader::new(self.body, range);
        matches!(reader.next(), Ok(STRING)).then(|| reader.sized.content())
    }

    /// Walks what stands behind a length, and writes the length anew where something of it was exchanged.
    #[inline]
    fn within<T>(
        &mut self,
        field: Sized,
        inside: impl FnOnce(&mut Self, Range<usize>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let before = self.splice.mark();
        let done = inside(self, field.content())?;
        if self.splice.mark() != before {
            self.fit(field, before);
        }
        Ok(done)
    }

    /// Writes the length of a field whose content was exchanged since `before`.
    #[cold]
    fn fit(&mut self, field: Sized, before: Mark) {
        self.splice.copy_to(field.end);
        let spelt = field.start - field.len_at;
        let place = before.place_of(field.len_at);
        let len = self.splice.written() - place - spelt;
        if len != field.end - field.start {
            let (bytes, count) = varint(len as u64);
            self.splice.patch(place, spelt, &bytes[..count]);
        }
    }

    /// A text or bytes field.
    #[inline]
    fn text(&mut self, field: Sized, around: Around) {
        let Around { scope, .. } = around;
        let signed = || scope.url && query::is_signed(&self.body[field.content()]);
        if scope.key.is_some() || self.survey.may_hold(&field.content()) || signed() {
            self.examine(field, around);
        }
    }

    fn examine(&mut self, field: Sized, around: Around) {
        let content = field.content();
        let value = &self.body[content.clone()];
        let look = Look::At(&self.survey, content.start);
        let found = self.engine.find_field(self.scratch, around.field(&self.path, look), value, &mut self.tally);
        self.note(&content, around.keys);
        if found != Found::Nothing {
            self.rewrite(field, &found);
        }
    }

    /// Writes a field that is a text, with its length.
    fn rewrite(&mut self, field: Sized, found: &Found) {
        let value = &self.body[field.content()];
        let mut text = Vec::with_capacity(value.len() + 32);
        match found {
            Found::Nothing => return,
            Found::Text(whole) => text.extend_from_slice(whole),
            Found::Spans => self.engine.write_field(self.scratch, value, &mut text),
        }
        let from = if text.len() == value.len() { field.start } else { field.len_at };
        self.splice.replace(from..field.end, |out| {
            if from == field.len_at {
                put_varint(text.len() as u64, out);
            }
            out.extend_from_slice(&text);
        });
    }

    /// Remembers what was found in the field at `content`, which stands under `keys`.
    fn note(&mut self, content: &Range<usize>, keys: Keys) {
        let by = content.start;
        self.found.extend(self.scratch.found().iter().map(|span| span.moved(by)));
        self.tell_keys(keys);
    }

    /// An integer or a double under a secret key, with its tag at `field`.
    fn number(&mut self, field: Range<usize>, around: Around) {
        let digits = spelt(&self.body[field.clone()]);
        let field_around = around.field(&self.path, Look::Blind);
        match self.engine.find_number(self.scratch, field_around, digits.as_bytes(), &mut self.tally) {
            Number::Keep => {}
            Number::Null => self.splice.replace(field, |_| {}),
            Number::Zero => {
                let double = self.body[field.start] == DOUBLE as u8;
                let zero: &[u8] = if double { &[DOUBLE as u8, 0, 0, 0, 0, 0, 0, 0, 0] } else { &[INT as u8, 0] };
                self.splice.replace(field, |out| out.extend_from_slice(zero));
            }
            Number::Text(text) => self.splice.replace(field, |out| {
                out.push(STRING as u8);
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
        self.tally.records_over_limit += 1;
        self.splice.replace(range, |out| {
            out.push(STRING as u8);
            put_varint(UNINSPECTED.len() as u64, out);
            out.extend_from_slice(UNINSPECTED);
        });
    }

    /// A field that is not ours: kept, and what has a length looked at as text.
    fn unknown(&mut self, reader: &mut Reader<'_>, tag: u32, groups: usize) -> Result<(), Refusal> {
        if tag & 7 == kind::BYTES {
            self.unknown_bytes(reader.sized);
            return Ok(());
        }
        self.unsized_field(reader, tag, groups)
    }

    /// A number, or a group.
    fn unsized_field(&mut self, reader: &mut Reader<'_>, tag: u32, groups: usize) -> Result<(), Refusal> {
        match tag & 7 {
            kind::CLOSE => Err(refusal(reader.start, "a field, not the end of a group that did not begin")),
            kind::OPEN if groups == MAX_GROUPS => Err(refusal(reader.start, "at most 64 groups within each other")),
            kind::OPEN => loop {
                match reader.next()? {
                    0 => return Err(refusal(reader.at, "the end of a group")),
                    inner if inner & 7 == kind::CLOSE && inner >> 3 == tag >> 3 => return Ok(()),
                    inner => self.unknown(reader, inner, groups + 1)?,
                }
            },
            _ => Ok(()),
        }
    }

    /// What has a length in an unknown field may be a message: then the lengths within are kept true.
    fn unknown_bytes(&mut self, field: Sized) {
        let content = field.content();
        if !self.survey.may_hold(&content) {
            return;
        }
        let value = &self.body[content.clone()];
        let look = Look::At(&self.survey, content.start);
        let around = Around::default();
        let found = self.engine.find_field(self.scratch, around.field(&self.path, look), value, &mut self.tally);
        self.note(&content, around.keys);
        match found {
            Found::Nothing => {}
            Found::Spans if is_message(value) => {
                let spans: Vec<Span> = self.scratch.found().iter().map(|span| span.moved(content.start)).collect();
                self.masked_field(field, &spans, 0);
            }
            _ => self.rewrite(field, &found),
        }
    }

    fn masked_field(&mut self, field: Sized, spans: &[Span], depth: usize) {
        let before = self.splice.mark();
        self.masked_within(field.content(), spans, depth);
        self.fit(field, before);
    }

    /// Masks `spans` in a message of unknown fields: each in the innermost field that holds it whole.
    fn masked_within(&mut self, range: Range<usize>, spans: &[Span], depth: usize) {
        let mut spans = spans;
        let mut reader = Reader::new(self.body, range);
        while depth < MAX_UNKNOWN && !spans.is_empty() {
            let Ok(tag @ 1..) = reader.next() else { break };
            let field = reader.sized;
            let first = spans.partition_point(|span| span.start < field.start);
            let behind = spans.partition_point(|span| span.start < field.end);
            let holds = |span: &Span| field.start <= span.start && span.end <= field.end;
            // A finding that reaches into the field's tag is none of its own.
            let apart = first == 0 || spans[first - 1].end <= reader.start;
            if tag & 7 != kind::BYTES || first == behind || !apart || !spans[first..behind].iter().all(holds) {
                continue;
            }
            spans[..first].iter().for_each(|span| self.mask(span));
            let deeper = if is_message(&self.body[field.content()]) { depth + 1 } else { MAX_UNKNOWN };
            self.masked_field(field, &spans[first..behind], deeper);
            spans = &spans[behind..];
        }
        spans.iter().for_each(|span| self.mask(span));
    }

    fn mask(&mut self, span: &Span) {
        let (engine, secret) = (self.engine, &self.body[span.start..span.end]);
        self.splice.replace(span.start..span.end, |out| engine.write_span(span, secret, out));
    }
}

/// An integer or a double behind its tag, as people write it.
fn spelt(field: &[u8]) -> String {
    let tag = field.iter().take_while(|byte| **byte >= 0x80).count() + 1;
    let (tag, value) = field.split_at(tag.min(field.len()));
    match value.first_chunk() {
        Some(bytes) if unsigned(tag) == u64::from(DOUBLE) => f64::from_le_bytes(*bytes).to_string(),
        _ => (unsigned(value) as i64).to_string(),
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
            Ok(0) => return true,
            Ok(tag) if !matches!(tag & 7, kind::OPEN | kind::CLOSE) => {}
            _ => return false,
        }
    }
}

//! A first walk over a protobuf message, before anything is judged: it tells a survey where the texts are, and which fields must be
//! looked at whatever their bytes are. It changes nothing, and gives up on what nobody writes: then every byte is surveyed
//! and everything is walked.

use std::ops::Range;

use super::Signal;
use super::schema::tags::{ARRAY, BOOL, BYTES, DOUBLE, INT, KEY, OBJECT, STRING, VALUE, VALUES};
use super::schema::{self, Kind, Message};
use super::wire::{Reader, Refusal, Sized, kind};
use crate::engine::{Engine, Gatherer, Scratch, Survey, Tally, query};

/// Values within values.
const MAX_DEPTH: usize = 8;

/// Something that is left to the walk: malformed, or written as nobody does.
struct Odd;

impl From<Refusal> for Odd {
    fn from(_: Refusal) -> Odd {
        Odd
    }
}

/// A survey of the texts in `body`, and the work it was; `None` where all of it must be surveyed.
pub(super) fn survey(
    engine: &Engine,
    scratch: &mut Scratch,
    max_depth: usize,
    signal: Signal,
    body: &[u8],
) -> Option<(Survey, Tally)> {
    let gatherer = engine.gather(scratch, body)?;
    let mut glance = Glance { gatherer, max_depth: max_depth.min(MAX_DEPTH) };
    let done = glance.message(schema::request(signal), 0..body.len());
    let finished = glance.gatherer.finish();
    done.is_ok().then_some(finished)
}

struct Glance<'g> {
    gatherer: Gatherer<'g>,
    max_depth: usize,
}

impl<'g> Glance<'g> {
    fn reader(&self, range: Range<usize>) -> Reader<'g> {
        Reader::new(self.gatherer.body(), range)
    }

    fn message(&mut self, message: &'static Message, range: Range<usize>) -> Result<(), Odd> {
        let mut reader = self.reader(range);
        loop {
            let tag = reader.next()?;
            if tag & 7 != kind::BYTES {
                match tag & 7 {
                    _ if tag == 0 => return Ok(()),
                    kind::OPEN | kind::CLOSE => return Err(Odd),
                    _ => continue,
                }
            }
            let field = reader.sized;
            match message.kind(tag >> 3) {
                Kind::KeyValue => self.key_value(field.content(), 0)?,
                Kind::Id(len) if field.end - field.start == len => {}
                Kind::Packed => {}
                Kind::AnyValue => {
                    self.any_value(field.content(), 0)?;
                }
                Kind::Message(inner) => self.message(inner, field.content())?,
                Kind::Text | Kind::Id(_) | Kind::Number | Kind::Unknown => {
                    self.gatherer.text(field.content(), false);
                }
            }
        }
    }

    /// A `KeyValue` as everybody writes it: a key, perhaps a value, nothing else.
    fn key_value(&mut self, range: Range<usize>, depth: usize) -> Result<(), Odd> {
        let mut reader = self.reader(range);
        let key = match reader.next()? {
            0 => return Ok(()),
            KEY => reader.sized.content(),
            _ => return Err(Odd),
        };
        let value = match reader.next()? {
            0 => None,
            VALUE => Some(reader.sized.content()),
            _ => return Err(Odd),
        };
        if reader.next()? != 0 {
            return Err(Odd);
        }
        let name = self.gatherer.name(&key);
        if name.secret.is_some() {
            self.gatherer.flag(key.start);
        }
        if !name.clean {
            self.gatherer.text(key.clone(), true);
        }
        let Some(value) = value else { return Ok(()) };
        let text = self.any_value(value, depth)?;
        // A URL's signature has no literal of its own.
        let signed = |text: &Range<usize>| query::is_signed(&self.gatherer.body()[text.clone()]);
        if name.url && text.as_ref().is_none_or(signed) {
            self.gatherer.flag(key.start);
        }
        if depth > 0 {
            self.flag_name(text);
        }
        Ok(())
    }

    /// An `AnyValue`. Returns the text that it is, if it is one and nothing else.
    #[inline]
    fn any_value(&mut self, range: Range<usize>, depth: usize) -> Result<Option<Range<usize>>, Odd> {
        // As most are written: a short text, and nothing else.
        if let [tag, len, text @ ..] = &self.gatherer.body()[range.clone()]
            && u32::from(*tag) == STRING
            && *len < 0x80
            && usize::from(*len) == text.len()
            && depth < self.max_depth
        {
            let text = range.start + 2..range.end;
            self.gatherer.text(text.clone(), depth > 0);
            return Ok(Some(text));
        }
        self.other_value(range, depth)
    }

    #[inline(never)]
    fn other_value(&mut self, range: Range<usize>, depth: usize) -> Result<Option<Range<usize>>, Odd> {
        if depth >= self.max_depth {
            return Err(Odd);
        }
        let mut reader = self.reader(range);
        let mut text = None;
        loop {
            let first = text.is_none();
            match reader.next()? {
                0 => return Ok(text),
                _ if !first => return Err(Odd),
                STRING | BYTES => {
                    self.gatherer.text(reader.sized.content(), depth > 0);
                    text = Some(reader.sized.content());
                }
                BOOL | INT | DOUBLE => {}
                ARRAY => self.array(reader.sized, depth + 1)?,
                OBJECT => self.object(reader.sized, depth + 1)?,
                _ => return Err(Odd),
            }
        }
    }

    /// An `ArrayValue`.
    fn array(&mut self, list: Sized, depth: usize) -> Result<(), Odd> {
        let mut reader = self.reader(list.content());
        loop {
            match reader.next()? {
                0 => return Ok(()),
                VALUES => {
                    let text = self.any_value(reader.sized.content(), depth)?;
                    self.flag_name(text);
                }
                _ => return Err(Odd),
            }
        }
    }

    /// A `KeyValueList`.
    fn object(&mut self, list: Sized, depth: usize) -> Result<(), Odd> {
        let mut reader = self.reader(list.content());
        loop {
            match reader.next()? {
                0 => return Ok(()),
                VALUES => self.key_value(reader.sized.content(), depth)?,
                _ => return Err(Odd),
            }
        }
    }

    /// A text in a list or an object may name what stands behind it, and the end of a short word is no literal.
    fn flag_name(&mut self, text: Option<Range<usize>>) {
        if let Some(text) = text.filter(|text| self.gatherer.may_name(text)) {
            self.gatherer.flag(text.start);
        }
    }
}

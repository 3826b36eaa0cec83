//! A first walk over a protobuf message, before anything is judged: it tells a survey where the texts are, and which fields must be
//! looked at whatever their bytes are. It changes nothing, and gives up on what nobody writes: then every byte is surveyed
//! and everything is walked.

use std::ops::Range;

use super::Signal;
use super::schema::tags::{ARRAY, BOOL, BYTES, DOUBLE, INT, KEY, OBJECT, STRING, VALUE, VALUES};
use super::schema::{self, Kind, Message};
use super::wire::{Reader, Refusal, Sized, kind};
use crate::engine::{Engine, Gatherer, Scratch, Survey, Tally, query, same};

/// Values within values.
const MAX_DEPTH: usize = 8;
/// Messages within messages that columns are told apart for, a power of two.
const LEVELS: usize = 8;
/// Attributes of a message that have a column each, a power of two.
const COLUMNS: usize = 32;

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
    let columns = [[Column::default(); COLUMNS]; LEVELS];
    let mut glance = Glance { gatherer, max_depth: max_depth.min(MAX_DEPTH), columns };
    let done = glance.message(schema::request(signal), 0..body.len(), 0);
    let finished = glance.gatherer.finish();
    done.is_ok().then_some(finished)
}

struct Glance<'g> {
    gatherer: Gatherer<'g>,
    max_depth: usize,
    /// By how deep in messages, and as the how manieth, an attribute stands.
    columns: [[Column; COLUMNS]; LEVELS],
}

/// The last attribute that stood in a place: most records have the same keys in the same order, and many values again. Only
/// such a one is kept whose key is no secret's and has no finding; then nothing but its text is to be looked at.
#[derive(Clone, Copy, Default)]
struct Column {
    start: u32,
    len: u32,
    /// Bytes of its key, with what is before them; 0 where there is no attribute.
    key: u16,
    /// Whether its value is a URL.
    url: bool,
    /// What another one of the same bytes is.
    again: Again,
}

/// What a value is.
struct Said {
    /// The text that it is, if it is one.
    text: Option<Range<usize>>,
    /// What another one of the same bytes is.
    again: Again,
}

/// What an attribute of known bytes is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Again {
    /// It is looked at as if it were the first.
    #[default]
    New,
    /// It has nothing to search.
    Nothing,
    /// What was found in the text of the first is in it too.
    Text,
}

impl<'g> Glance<'g> {
    fn reader(&self, range: Range<usize>) -> Reader<'g> {
        Reader::new(self.gatherer.body(), range)
    }

    fn message(&mut self, message: &'static Message, range: Range<usize>, level: usize) -> Result<(), Odd> {
        let mut reader = self.reader(range);
        let mut attributes = 0;
        let mut tag = reader.next()?;
        loop {
            if tag & 7 != kind::BYTES {
                match tag & 7 {
                    _ if tag == 0 => return Ok(()),
                    kind::OPEN | kind::CLOSE => return Err(Odd),
                    _ => tag = reader.next()?,
                }
                continue;
            }
            let field = reader.sized;
            match message.kind(tag >> 3) {
                Kind::KeyValue => {
                    tag = self.attributes(&mut reader, tag, level % LEVELS, &mut attributes)?;
                    continue;
                }
                Kind::Id(len) if field.end - field.start == len => {}
                Kind::Packed => {}
                Kind::AnyValue => {
                    self.any_value(field.content(), 0)?;
                }
                Kind::Message(inner) => self.message(inner, field.content(), level + 1)?,
                Kind::Text | Kind::Id(_) | Kind::Number | Kind::Unknown => {
                    self.gatherer.text(field.content(), false);
                }
            }
            tag = reader.next()?;
        }
    }

    /// The attribute that `reader` has read, and those right behind it. Returns the next tag.
    #[inline]
    fn attributes(&mut self, reader: &mut Reader<'g>, tag: u32, level: usize, count: &mut usize) -> Result<u32, Odd> {
        loop {
            self.attribute(reader.sized, level, *count % COLUMNS)?;
            *count += 1;
            let expected = self.columns[level][*count % COLUMNS].len;
            if reader.next_as(tag, expected as usize) {
                continue;
            }
            let next = reader.next()?;
            if next != tag {
                return Ok(next);
            }
        }
    }

    /// An attribute: `level` and `place` say which column it stands in.
    #[inline]
    fn attribute(&mut self, field: Sized, level: usize, place: usize) -> Result<(), Odd> {
        let body = self.gatherer.body();
        let column = self.columns[level][place];
        let pair = &body[field.content()];
        let last = &body[column.start as usize..(column.start + column.len) as usize];
        let is_again = column.again != Again::New && same(pair, last);
        if is_again && (column.again == Again::Nothing || self.gatherer.again(field.start, column.start, column.len)) {
            return Ok(());
        }
        let key = usize::from(column.key);
        if let (Some((head, [tag, len, value @ ..])), Some(known)) = (pair.split_at_checked(key), last.get(..key))
            && u32::from(*tag) == VALUE
            && *len < 0x80
            && usize::from(*len) == value.len()
            && key != 0
            && same(head, known)
        {
            return self.known_key(field, level, place, column);
        }
        self.new_key(field, level, place)
    }

    /// An attribute whose key is that of its column.
    #[inline]
    fn known_key(&mut self, field: Sized, level: usize, place: usize, column: Column) -> Result<(), Odd> {
        let value = field.start + usize::from(column.key) + 2..field.end;
        let said = self.any_value(value, 0)?;
        let flagged = column.url && self.flag_signed(field.start + 2, said.text.as_ref());
        let again = if flagged { Again::New } else { said.again };
        self.columns[level][place] =
            Column { start: field.start as u32, len: (field.end - field.start) as u32, again, ..column };
        Ok(())
    }

    /// An attribute whose key is another one than that of its column.
    #[inline(never)]
    fn new_key(&mut self, field: Sized, level: usize, place: usize) -> Result<(), Odd> {
        self.key_value(field.content(), 0)?;
        let key = match &self.gatherer.body()[field.content()] {
            [tag, len, ..] if u32::from(*tag) == KEY && *len < 0x80 => 2 + usize::from(*len),
            _ => return Ok(()),
        };
        let name = self.gatherer.name(&(field.start + 2..field.start + key));
        if name.secret.is_none() && name.clean {
            let (start, len) = (field.start as u32, (field.end - field.start) as u32);
            let again = Again::New;
            self.columns[level][place] = Column { start, len, key: key as u16, url: name.url, again };
        }
        Ok(())
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
        let Said { text, .. } = self.any_value(value, depth)?;
        if name.url {
            self.flag_signed(key.start, text.as_ref());
        }
        if depth > 0 {
            self.flag_name(text);
        }
        Ok(())
    }

    /// A URL's signature has no literal of its own: where there may be one, what stands at `key` is to be looked at.
    fn flag_signed(&mut self, key: usize, text: Option<&Range<usize>>) -> bool {
        let signed = |text: &Range<usize>| query::is_signed(&self.gatherer.body()[text.clone()]);
        let flagged = text.is_none_or(signed);
        if flagged {
            self.gatherer.flag(key);
        }
        flagged
    }

    /// An `AnyValue`.
    #[inline]
    fn any_value(&mut self, range: Range<usize>, depth: usize) -> Result<Said, Odd> {
        // As most are written: a short text or a small number, and nothing else.
        match &self.gatherer.body()[range.clone()] {
            [tag, len, text @ ..]
                if u32::from(*tag) == STRING
                    && *len < 0x80
                    && usize::from(*len) == text.len()
                    && depth < self.max_depth =>
            {
                Ok(self.text(range.start + 2..range.end, depth))
            }
            [tag, 0..0x80] | [tag, 0x80..=0xff, 0..0x80] if u32::from(*tag) == INT && depth < self.max_depth => {
                Ok(Said { text: None, again: Again::Nothing })
            }
            _ => self.other_value(range, depth),
        }
    }

    #[inline(never)]
    fn other_value(&mut self, range: Range<usize>, depth: usize) -> Result<Said, Odd> {
        if depth >= self.max_depth {
            return Err(Odd);
        }
        let mut reader = self.reader(range);
        let mut said = Said { text: None, again: Again::New };
        match reader.next()? {
            0 => return Ok(said),
            STRING | BYTES => said = self.text(reader.sized.content(), depth),
            BOOL | INT | DOUBLE => said.again = Again::Nothing,
            ARRAY => self.array(reader.sized, depth + 1)?,
            OBJECT => self.object(reader.sized, depth + 1)?,
            _ => return Err(Odd),
        }
        // One value has one field.
        if reader.next()? == 0 { Ok(said) } else { Err(Odd) }
    }

    /// A value that is a text.
    #[inline]
    fn text(&mut self, text: Range<usize>, depth: usize) -> Said {
        let first = self.gatherer.text(text.clone(), depth > 0);
        Said { text: Some(text), again: if first { Again::Text } else { Again::New } }
    }

    /// An `ArrayValue`.
    fn array(&mut self, list: Sized, depth: usize) -> Result<(), Odd> {
        let mut reader = self.reader(list.content());
        loop {
            match reader.next()? {
                0 => return Ok(()),
                VALUES => {
                    let said = self.any_value(reader.sized.content(), depth)?;
                    self.flag_name(said.text);
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

//! Walks an OTLP/JSON message and masks in place: what stands between two findings is copied with its blanks, its order, its
//! spelling of numbers and of names. The names of OTLP's own fields are known wherever they stand, so that a field that is new
//! is walked like the others.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::lex::{Lexer, Plain, Start, Text, decoded, put_escaped};
use super::scope::{Around, Names, is_flag, is_value_name};
use super::{Malformed, Walk};
use crate::engine::{Found, Look, Number, SecretKey, Span, UNINSPECTED, query};

/// Objects and lists that a value in a value takes at most: the value, `kvlistValue`, `values`, and the pair.
const PER_VALUE: usize = 4;
/// Objects and lists around the first value.
const ENVELOPE: usize = 24;
/// How often the bytes of a message are read ahead at most, all in all.
const READ_AHEAD: usize = 4;
/// Fields that are numbers, also as strings: what looks like one is left.
const NUMBERS: [&[u8]; 29] = [
    b"timeUnixNano",
    b"startTimeUnixNano",
    b"endTimeUnixNano",
    b"observedTimeUnixNano",
    b"asInt",
    b"asDouble",
    b"intValue",
    b"doubleValue",
    b"count",
    b"sum",
    b"min",
    b"max",
    b"bucketCounts",
    b"explicitBounds",
    b"zeroCount",
    b"zeroThreshold",
    b"quantile",
    b"scale",
    b"offset",
    b"flags",
    b"kind",
    b"code",
    b"severityNumber",
    b"droppedAttributesCount",
    b"droppedEventsCount",
    b"droppedLinksCount",
    b"aggregationTemporality",
    b"keyStrindex",
    b"stringValueStrindex",
];

/// Reads base64 of either alphabet, padded or not.
const STANDARD: GeneralPurpose = reader(&alphabet::STANDARD);
const URL_SAFE: GeneralPurpose = reader(&alphabet::URL_SAFE);

const fn reader(alphabet: &alphabet::Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, config)
}

/// What an object or a list is to the one around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Anything.
    Plain,
    /// The object behind `arrayValue`, then its list.
    Array,
    /// The object behind `kvlistValue`, then its list.
    Pairs,
    /// A value: it may be nested too deeply.
    Value,
}

/// Where a value stands.
#[derive(Clone, Copy)]
struct Place {
    around: Around,
    role: Role,
    nesting: usize,
}

impl Place {
    fn within(self, role: Role, around: Around) -> Place {
        Place { around, role, nesting: self.nesting + 1 }
    }
}

/// Walks the request in `walk.body`.
pub(super) fn walk(walk: &mut Walk<'_>) -> Result<(), Malformed> {
    walk.survey = walk.engine.survey(walk.scratch, walk.body);
    let mut lexer = Lexer::new(walk.body, 0);
    if lexer.peek() != Some(b'{') {
        return Err(lexer.malformed("an object"));
    }
    walk.value(&mut lexer, Place { around: Around::default(), role: Role::Plain, nesting: 0 })?;
    match lexer.peek() {
        None => Ok(()),
        Some(_) => Err(lexer.malformed("the end of the message")),
    }
}

impl<'w> Walk<'w> {
    fn value(&mut self, lexer: &mut Lexer<'w>, place: Place) -> Result<(), Malformed> {
        let around = place.around;
        match lexer.start()? {
            Start::Object | Start::Array if place.nesting > PER_VALUE * self.max_depth + ENVELOPE => {
                self.withhold_json(lexer, &[b"\"", UNINSPECTED, b"\""].concat())
            }
            Start::Object if place.role == Role::Value && place.around.depth >= self.max_depth => {
                self.withhold_json(lexer, &[b"{\"stringValue\":\"", UNINSPECTED, b"\"}"].concat())
            }
            Start::Object => self.members(lexer, place, None),
            Start::Array => self.elements(lexer, place),
            Start::String => {
                let text = lexer.string()?;
                self.string(&text, around);
                Ok(())
            }
            Start::Number => {
                let number = lexer.scalar()?;
                self.plain_number(number, around);
                Ok(())
            }
            Start::Word => lexer.scalar().map(|_| ()),
        }
    }

    /// Masks a value that is nested too deeply to be looked at.
    fn withhold_json(&mut self, lexer: &mut Lexer<'w>, with: &[u8]) -> Result<(), Malformed> {
        let start = lexer.at;
        lexer.skip()?;
        if !self.body[start + 1..lexer.at - 1].trim_ascii().is_empty() {
            self.tally.records_masked_whole += 1;
            self.tally.records_over_limit += 1;
            self.splice.replace(start..lexer.at, |out| out.extend_from_slice(with));
        }
        Ok(())
    }

    fn elements(&mut self, lexer: &mut Lexer<'w>, place: Place) -> Result<(), Malformed> {
        let role = if place.role == Role::Array { Role::Value } else { Role::Plain };
        let inner = place.within(role, place.around);
        let mut names = Names::default();
        let mut first = true;
        lexer.at += 1;
        while lexer.element(first)? {
            first = false;
            if place.role == Role::Pairs {
                self.pair_element(lexer, inner, &mut names)?;
            } else {
                self.listed(lexer, inner, &mut names)?;
            }
        }
        Ok(())
    }

    /// An element of a list of values: the one before it may have named it.
    fn listed(&mut self, lexer: &mut Lexer<'w>, place: Place, names: &mut Names) -> Result<(), Malformed> {
        let text = string_at(lexer.clone());
        let said = self.said(text.as_ref());
        let around = names.for_element(place.around, is_flag(&said));
        self.value(lexer, Place { around, ..place })?;
        let key = text.and_then(|text| self.key_spelt(&text, &said));
        names.element(key, &said);
        Ok(())
    }

    /// An element of `kvlistValue`.
    fn pair_element(&mut self, lexer: &mut Lexer<'w>, place: Place, names: &mut Names) -> Result<(), Malformed> {
        if lexer.start()? != Start::Object {
            return self.value(lexer, place);
        }
        let (key, value) = self.pair_at(lexer.clone())?;
        let key = self.said(key.as_ref());
        let paired = names.for_field(&key);
        let mut around = place.around;
        // `{"key": "user", "value": …}` in a secret object: what names the pair is no secret.
        if around.inherited.is_some() && self.names_a_pair_behind(lexer.clone())? {
            around.inherited = None;
            around.scope.key = None;
        }
        self.members(lexer, Place { around, ..place }, paired)?;
        let named = value.and_then(|value| self.key_spelt(&value, &self.said(Some(&value))));
        names.field(&key, named);
        Ok(())
    }

    /// The members of an object; one with `key` and `value` is an attribute. `paired` is the secret key that another pair of
    /// its list named.
    fn members(&mut self, lexer: &mut Lexer<'w>, place: Place, paired: Option<SecretKey>) -> Result<(), Malformed> {
        lexer.at += 1;
        let (names, name) = (Names::default(), Cow::Borrowed(&b""[..]));
        let mut members = Members { comma: None, names, key: None, name, attribute: None, paired };
        let mut first = true;
        loop {
            members.comma = (lexer.peek() == Some(b',')).then_some(lexer.at);
            let Some(name) = lexer.member(first)? else { return Ok(()) };
            first = false;
            self.member(lexer, place, &name, &mut members)?;
        }
    }

    fn member(
        &mut self,
        lexer: &mut Lexer<'w>,
        place: Place,
        name: &Text,
        members: &mut Members<'w>,
    ) -> Result<(), Malformed> {
        let Place { around, role, .. } = place;
        let said = self.said(Some(name));
        match (&*camel_case(&said), lexer.start()?) {
            (b"stringValue", Start::String) => self.value(lexer, place),
            (b"bytesValue", Start::String) => {
                let text = lexer.string()?;
                self.bytes(&text, around);
                Ok(())
            }
            (b"intValue" | b"doubleValue", Start::String | Start::Number) => {
                self.typed_number(lexer, around, name, members.comma)
            }
            (b"arrayValue", Start::Object) => self.value(lexer, place.within(Role::Array, around.deeper())),
            (b"kvlistValue", Start::Object) => self.value(lexer, place.within(Role::Pairs, around.deeper())),
            (b"values", Start::Array) if matches!(role, Role::Array | Role::Pairs) => {
                self.value(lexer, place.within(role, around))
            }
            (b"key", Start::String) => self.key_member(lexer, place, members),
            (b"value", _) => self.value_member(lexer, place, members),
            (id @ (b"traceId" | b"spanId" | b"parentSpanId"), Start::String) => {
                let len = if id == b"traceId" { 32 } else { 16 };
                self.unless(lexer, |text| text.len() == len && text.iter().all(u8::is_ascii_hexdigit))
            }
            (number, Start::Number) if NUMBERS.contains(&number) => lexer.scalar().map(|_| ()),
            (number, Start::String) if NUMBERS.contains(&number) => self.unless(lexer, is_number),
            (_, start) => self.other_member(lexer, place, name, start, members),
        }
    }

    /// A string that stays where `stays` says so, and is a text otherwise.
    fn unless(&mut self, lexer: &mut Lexer<'w>, stays: impl Fn(&[u8]) -> bool) -> Result<(), Malformed> {
        let text = lexer.string()?;
        if !stays(&self.body[text.content.clone()]) {
            self.string(&text, Around::default());
        }
        Ok(())
    }

    /// The key of an attribute; in a secret object without a value beside it, a leaf like any other.
    fn key_member(&mut self, lexer: &mut Lexer<'w>, place: Place, members: &mut Members<'w>) -> Result<(), Malformed> {
        let at = lexer.at;
        let text = lexer.string()?;
        if members.key.replace(at).is_some_and(|known| known != at) {
            return Err(Lexer::new(self.body, at).malformed("one key for each attribute"));
        }
        if members.attribute.is_none() {
            self.name_attribute(&text, place, members);
        }
        let leaf = place.around.scope.key.is_some() && self.member_ahead(lexer.clone(), b"value")?.is_none();
        self.string(&text, if leaf { place.around } else { Around::default() });
        Ok(())
    }

    fn value_member(
        &mut self,
        lexer: &mut Lexer<'w>,
        place: Place,
        members: &mut Members<'w>,
    ) -> Result<(), Malformed> {
        if members.attribute.is_none() && lexer.start()? != Start::Word {
            let mut behind = lexer.clone();
            behind.skip()?;
            self.spend(lexer.at, behind.at)?;
            if let Some(key) = self.member_ahead(behind, b"key")? {
                members.key = Some(key.content.start - 1);
                self.name_attribute(&key, place, members);
            }
        }
        let around = members.attribute.unwrap_or_else(|| {
            let paired = members.names.for_field(b"value").or(members.paired);
            self.around_field(b"value", paired, place.around)
        });
        // Only now: what stood between the key and the value may have had keys of its own.
        let keys = self.keys_below(place.around.keys, &members.name);
        self.value(lexer, place.within(Role::Value, Around { keys, ..around }))
    }

    fn name_attribute(&mut self, key: &Text, place: Place, members: &mut Members<'w>) {
        members.name = self.said(Some(key));
        members.attribute = Some(self.around_field(&members.name, members.paired, place.around));
    }

    /// A member that is none of a value's and no attribute's: its name is its key.
    fn other_member(
        &mut self,
        lexer: &mut Lexer<'w>,
        place: Place,
        name: &Text,
        start: Start,
        members: &mut Members<'w>,
    ) -> Result<(), Malformed> {
        let said = self.said(Some(name));
        let paired = members.names.for_field(&said).filter(|_| !said.ends_with(b"metadata"));
        // Its name is none of the keys above: protobuf knows no such member.
        let around = Around { beside: false, ..self.around_field(&said, paired, place.around) };
        let text = if start == Start::String { string_at(lexer.clone()) } else { None };
        let role = if &said[..] == b"body" { Role::Value } else { Role::Plain };
        self.value(lexer, place.within(role, around))?;
        let named = text.and_then(|text| self.key_spelt(&text, &self.said(Some(&text))));
        members.names.field(&said, named);
        Ok(())
    }

    /// What `text` spells.
    fn said(&self, text: Option<&Text>) -> Cow<'w, [u8]> {
        text.map_or(Cow::Borrowed(b""), |text| decoded(self.body, text))
    }

    /// The secret key that `text`, which spells `said`, names.
    fn key_spelt(&mut self, text: &Text, said: &[u8]) -> Option<SecretKey> {
        self.key_named(said, spelt_plainly(text))
    }

    /// The string of a member of this name among those that follow, the last member's value having been read.
    fn member_ahead(&mut self, lexer: Lexer<'w>, name: &[u8]) -> Result<Option<Text>, Malformed> {
        let mut lexer = lexer;
        let from = lexer.at;
        while let Some(next) = lexer.member(false)? {
            if *self.said(Some(&next)) == *name {
                self.spend(from, lexer.at)?;
                let text = string_at(lexer.clone());
                return Ok(Some(text.unwrap_or(Text { content: lexer.at..lexer.at, escaped: false })));
            }
            lexer.skip()?;
        }
        self.spend(from, lexer.at)?;
        Ok(None)
    }

    /// The key and the string of the attribute that begins here.
    fn pair_at(&mut self, lexer: Lexer<'w>) -> Result<(Option<Text>, Option<Text>), Malformed> {
        let (mut lexer, mut key, mut value) = (lexer, None, None);
        let from = lexer.at;
        let mut first = true;
        lexer.at += 1;
        while let Some(name) = lexer.member(first)? {
            first = false;
            match &self.said(Some(&name))[..] {
                b"key" => key = string_at(lexer.clone()),
                b"value" => value = string_at(lexer.clone()),
                _ => {}
            }
            if key.is_some() && &self.said(Some(&name))[..] == b"value" {
                break;
            }
            lexer.skip()?;
        }
        self.spend(from, lexer.at)?;
        Ok((key, value))
    }

    /// Whether the element behind the one that begins here is the value of a pair object.
    fn names_a_pair_behind(&mut self, lexer: Lexer<'w>) -> Result<bool, Malformed> {
        let mut lexer = lexer;
        let from = lexer.at;
        lexer.skip()?;
        self.spend(from, lexer.at)?;
        if !lexer.element(false)? || lexer.peek() != Some(b'{') {
            return Ok(false);
        }
        let (key, _) = self.pair_at(lexer)?;
        Ok(key.is_some_and(|key| is_value_name(&self.said(Some(&key)))))
    }

    /// Counts what was read ahead: attributes are written key first, and a message that is not costs no more than its length
    /// a few times over.
    fn spend(&mut self, from: usize, to: usize) -> Result<(), Malformed> {
        self.read_ahead += to - from;
        if self.read_ahead <= READ_AHEAD * self.body.len() {
            return Ok(());
        }
        Err(Lexer::new(self.body, from).malformed("the key of each attribute before its value"))
    }

    /// A string that is a text.
    fn string(&mut self, text: &Text, around: Around) {
        let scope = around.scope;
        let raw = &self.body[text.content.clone()];
        let may_hold = text.escaped || self.survey.may_hold(&text.content);
        if !may_hold && scope.key.is_none() && !(scope.url && query::is_signed(raw)) {
            return;
        }
        let mut plain = Plain::default();
        if text.escaped {
            plain.build(raw);
        }
        let value = if text.escaped { &plain.bytes[..] } else { raw };
        let look = if text.escaped { Look::Blind } else { Look::At(&self.survey, text.content.start) };
        let found = self.engine.find_field(self.scratch, around.field(&self.path, look), value, &mut self.tally);
        let spans: Vec<Span> = self.scratch.found().to_vec();
        let start = text.content.start;
        let spelt = |plain_at: Range<usize>| {
            let Range { start: from, end: to } = plain.spelt(plain_at);
            start + from..start + to
        };
        let place = |span: &Span| spelt(span.start..span.end);
        self.found.extend(spans.iter().map(|span| span.placed(spelt)));
        self.tell_keys(around.keys);
        match found {
            Found::Nothing => {}
            Found::Text(whole) => self.splice.replace(text.content.clone(), |out| put_escaped(&whole, out)),
            Found::Spans => {
                for span in &spans {
                    let mut with = Vec::new();
                    self.engine.write_span(span, &value[span.start..span.end], &mut with);
                    self.splice.replace(place(span), |out| put_escaped(&with, out));
                }
            }
        }
    }

    /// A string that is base64; where it is none, a text.
    fn bytes(&mut self, text: &Text, around: Around) {
        let said = self.said(Some(text));
        let url_safe = said.iter().any(|byte| b"-_".contains(byte));
        let coder = if url_safe { &URL_SAFE } else { &STANDARD };
        let Ok(value) = coder.decode(&said) else { return self.string(text, around) };
        let field = around.field(&self.path, Look::Blind);
        let found = self.engine.find_field(self.scratch, field, &value, &mut self.tally);
        let Range { start, end } = text.content.clone();
        self.found.extend(self.scratch.found().iter().map(|span| span.placed(|_| start..end)));
        self.tell_keys(around.keys);
        let masked = match found {
            Found::Nothing => return,
            Found::Text(whole) => whole,
            Found::Spans => {
                let mut out = Vec::with_capacity(value.len() + 32);
                self.engine.write_field(self.scratch, &value, &mut out);
                out
            }
        };
        self.splice.replace(start..end, |out| out.extend_from_slice(coder.encode(masked).as_bytes()));
    }

    /// `intValue` or `doubleValue`, which a text may replace by becoming `stringValue`.
    fn typed_number(
        &mut self,
        lexer: &mut Lexer<'w>,
        around: Around,
        name: &Text,
        comma: Option<usize>,
    ) -> Result<(), Malformed> {
        let start = name.content.start - 1;
        let digits = match lexer.start()? {
            Start::String => lexer.string()?.content,
            _ => lexer.scalar()?,
        };
        if !is_number(&self.body[digits.clone()]) {
            let text = Text { escaped: self.body[digits.clone()].contains(&b'\\'), content: digits };
            self.string(&text, around);
            return Ok(());
        }
        match self.number_spelt(digits.clone(), around) {
            Number::Keep => {}
            Number::Zero => self.splice.replace(digits, |out| out.push(b'0')),
            Number::Text(text) => self.splice.replace(start..lexer.at, |out| {
                out.extend_from_slice(b"\"stringValue\":\"");
                put_escaped(&text, out);
                out.push(b'"');
            }),
            Number::Null => self.take_out(start, lexer, comma),
        }
        Ok(())
    }

    fn number_spelt(&mut self, digits: Range<usize>, around: Around) -> Number {
        if around.scope.key.is_none() {
            return Number::Keep;
        }
        let spelt = spelt(&self.body[digits]);
        let field = around.field(&self.path, Look::Blind);
        self.engine.find_number(self.scratch, field, spelt.as_bytes(), &mut self.tally)
    }

    /// Takes a member out that begins at `start` and ends where `lexer` is, with a comma beside it.
    fn take_out(&mut self, start: usize, lexer: &Lexer<'w>, comma: Option<usize>) {
        let mut behind = lexer.clone();
        let range = match comma.filter(|comma| self.splice.is_ahead(*comma)) {
            Some(comma) => comma..lexer.at,
            None if behind.take(b',') => start..behind.at,
            None => start..lexer.at,
        };
        self.splice.replace(range, |_| {});
    }

    /// A number under an unknown member.
    fn plain_number(&mut self, number: Range<usize>, around: Around) {
        match self.number_spelt(number.clone(), around) {
            Number::Keep => {}
            Number::Null => self.splice.replace(number, |out| out.extend_from_slice(b"null")),
            Number::Zero => self.splice.replace(number, |out| out.push(b'0')),
            Number::Text(text) => self.splice.replace(number, |out| {
                out.push(b'"');
                put_escaped(&text, out);
                out.push(b'"');
            }),
        }
    }
}

/// An object whose members are being read.
struct Members<'w> {
    /// The comma before the member.
    comma: Option<usize>,
    names: Names,
    /// Where the key of the attribute stands.
    key: Option<usize>,
    /// What it spells; nothing where there is none.
    name: Cow<'w, [u8]>,
    /// What that key puts around `value`.
    attribute: Option<Around>,
    /// The key that another pair of the same list named.
    paired: Option<SecretKey>,
}

/// Where a string stands that has no escapes: what a survey saw of it is true.
fn spelt_plainly(text: &Text) -> Option<&Range<usize>> {
    (!text.escaped).then_some(&text.content)
}

/// The string that begins here, also as an `AnyValue`.
fn string_at(lexer: Lexer<'_>) -> Option<Text> {
    let mut lexer = lexer;
    if lexer.peek() == Some(b'"') {
        return lexer.string().ok();
    }
    if !lexer.take(b'{') {
        return None;
    }
    let name = lexer.member(true).ok()??;
    lexer.spells(&name, b"stringValue").then(|| lexer.string().ok()).flatten()
}

/// Whether `text` is a number as JSON spells one, or as OTLP does in a string.
fn is_number(text: &[u8]) -> bool {
    let digits = text.iter().any(u8::is_ascii_digit) && text.iter().all(|b| b.is_ascii_digit() || b"+-.eE".contains(b));
    digits || matches!(text, b"NaN" | b"Infinity" | b"-Infinity")
}

/// A number as protobuf would have it: one value is spelt in one way, however a client writes it.
fn spelt(digits: &[u8]) -> String {
    let text = String::from_utf8_lossy(digits);
    // A double has not enough digits for every whole number: two of them must not be spelt alike.
    let whole = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-".contains(&byte));
    let spelt = if whole {
        text.parse::<i128>().map(|whole| whole.to_string()).ok()
    } else {
        // Nor for every other one: what is too large must not be spelt as infinity is, what is too small as zero.
        let is_named = !text.contains(|c: char| c.is_ascii_digit());
        let number = text.parse::<f64>().map(|number| number.to_string()).ok();
        number.filter(|number| is_named || decimal(number) == decimal(&text))
    };
    spelt.unwrap_or_else(|| text.into_owned())
}

/// A number's digits from the first to the last that is not 0, its sign before them, and the power of ten of the last.
fn decimal(text: &str) -> Option<(String, i64)> {
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let sign = if number.starts_with('-') { "-" } else { "" };
    let digits = whole.trim_start_matches(['+', '-']).to_owned() + fraction;
    let kept = digits.trim_end_matches('0');
    let power = (digits.len() - kept.len()) as i64 - fraction.len() as i64;
    let power = exponent.parse::<i64>().ok()?.checked_add(power)?;
    let kept = kept.trim_start_matches('0');
    Some(if kept.is_empty() { (String::new(), 0) } else { (format!("{sign}{kept}"), power) })
}

/// A field's name as OTLP's JSON writes it: readers take protobuf's own `bytes_value` for `bytesValue` too.
fn camel_case(name: &[u8]) -> Cow<'_, [u8]> {
    if !name.contains(&b'_') {
        return Cow::Borrowed(name);
    }
    let mut parts = name.split(|byte| *byte == b'_');
    let mut camel = parts.next().unwrap_or_default().to_vec();
    for part in parts {
        camel.extend(part.first().map(u8::to_ascii_uppercase));
        camel.extend(part.iter().skip(1));
    }
    Cow::Owned(camel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_whole_numbers_are_spelt_differently_and_the_same_one_alike() {
        for (text, expected) in [
            ("7", "7"),
            ("-0", "0"),
            ("+7", "7"),
            ("007", "7"),
            ("7.0", "7"),
            ("70e-1", "7"),
            ("0.50", "0.5"),
            ("-12.50e+2", "-1250"),
            ("0.000", "0"),
            ("0e5", "0"),
            ("0.1", "0.1"),
            ("123456.789e-3", "123.456789"),
            ("9007199254740992.0", "9007199254740992"),
            ("9007199254740993.0", "9007199254740993.0"),
            ("900719925474099.3e1", "900719925474099.3e1"),
            ("0.1000000000000000000001", "0.1000000000000000000001"),
            ("1e-400", "1e-400"),
            ("-1e-400", "-1e-400"),
            ("1e99999999999999999999", "1e99999999999999999999"),
            ("9223372036854775807", "9223372036854775807"),
            ("9223372036854775808", "9223372036854775808"),
            ("9223372036854775809", "9223372036854775809"),
            ("18446744073709551615", "18446744073709551615"),
            ("-9223372036854775809", "-9223372036854775809"),
            ("1000000000000000000000000000000000000000001", "1000000000000000000000000000000000000000001"),
            ("1e400", "1e400"),
            ("Infinity", "inf"),
            ("-Infinity", "-inf"),
            ("NaN", "NaN"),
        ] {
            assert_eq!(spelt(text.as_bytes()), expected, "{text}");
        }
    }
}

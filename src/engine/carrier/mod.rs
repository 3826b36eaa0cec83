//! From a key to its secret: the grammar of everything a value can stand in. Each part knows one thing; none of them knows
//! rules, actions or how the haystack was cut.

pub(crate) mod armour;
mod authorization;
mod bridge;
mod columns;
mod cookie;
mod lines;
mod object;
mod quote;
mod sentence;
pub(crate) mod table;
mod tag;
mod userinfo;
mod value;
mod walked;
mod wrapper;

use std::ops::Range;

pub(crate) use bridge::may_bridge;
pub(crate) use lines::{LineState, Pending, prefix};
pub(crate) use quote::{Opening, opening};
pub(crate) use userinfo::{may_hold_password, password};
pub(crate) use value::{glued_end, goes_on, needs_bare};
pub(crate) use walked::{LongStructure, Walked};

use bridge::{Bridge, Joint};
use columns::Column;
use quote::{Quote, Spelling};
use value::Kind;

use super::action::Forms;
use super::byteset::ByteSet;
use super::keys::{Key, Keys};
use super::rule::KeyValue;
use super::span::{Form, Span, Why};

/// A key in its record, and where to put what is found beside it.
pub(crate) struct Site<'s> {
    pub(crate) haystack: &'s [u8],
    /// The end of the record, its line end not included.
    pub(crate) end: usize,
    pub(crate) key: Key,
    pub(crate) keys: &'s Keys,
    /// What we write ourselves and therefore leave.
    pub(crate) forms: &'s Forms,
    pub(crate) spans: &'s mut Vec<Span>,
    /// What was walked of the record for keys before this one.
    pub(crate) walked: &'s mut Walked,
    /// The end of the last value that was masked, now or before: what stands in it needs no look of its own.
    pub(crate) reached: usize,
}

/// An object printed as a value is looked into up to this length: each key in it walks to the end again. A longer one is
/// masked whole.
const MAX_OBJECT: usize = 1024;

/// A pair whose value is further before its name is not looked for.
const MAX_PAIR: usize = 768;

/// Lines are indented no further.
const MAX_INDENT: usize = 256;

/// A longer tag or anchor is none.
const MAX_PROPERTY: usize = 128;

/// What was beside a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    /// Nothing that could be a value.
    Nothing,
    /// A value, masked or left, that ends here: no key within it needs another look.
    Value(usize),
    /// The value stands on the lines that follow.
    NextLines(Pending),
}

impl Site<'_> {
    /// Finds the value of the key and adds its spans. A weak key hides nothing of what it did not mask: another word of the
    /// same key, or one within its value, may be a stronger one.
    pub(crate) fn search(&mut self) -> Beside {
        let found = self.spans.len();
        let beside = self.search_beside();
        let nothing = self.key.value == KeyValue::Random && self.spans.len() == found;
        if nothing { Beside::Nothing } else { beside }
    }

    fn search_beside(&mut self) -> Beside {
        let Key { start, end, .. } = self.key;
        if self.column() {
            return Beside::Nothing;
        }
        if let Some((open, close)) = self.value_before() {
            self.text(open.end, close, Joint::Pair, Some(Form::Bracket));
        }
        let Some(bridge) = bridge::cross(self.haystack, start, end, self.end) else { return self.form_field() };
        // Without any mark between them only a plain secret is believed; and a placeholder is no index of a key.
        let one_secret = !matches!(self.key.value, KeyValue::Authorization | KeyValue::Cookie);
        let scheme_alone = matches!(bridge.joint, Joint::Nothing | Joint::Cell) && !one_secret;
        let behind = bridge.key_quote.map_or(end, |quote| quote.end);
        if scheme_alone || [end, behind].iter().any(|&at| self.forms.end_at(self.haystack, at, self.end).is_some()) {
            return Beside::Nothing;
        }
        let at = self.skip_wrapper(bridge.at);
        let at = bridge::skip_dump_type(self.haystack, at, self.end).unwrap_or(at);
        let at = if bridge.joint == Joint::Colon { self.skip_properties(at) } else { at };
        let stands = |at| self.ours_at(at, bridge.joint);
        if let Some(end) = bridge.annotation.and_then(stands).or_else(|| stands(at)) {
            return Beside::Value(end);
        }
        if bridge.joint == Joint::Tag && self.haystack[..self.end].get(at) != Some(&b'<') {
            if at >= self.end && self.begins_line(1) {
                return Beside::NextLines(Pending::Element);
            }
            return self.element_text(&bridge);
        }
        if value::is_remark(&self.haystack[at..self.end]) || self.is_lookup(at) || self.closes_label(&bridge, at) {
            return Beside::Nothing;
        }
        if let Some(open) = quote::at(self.haystack, at, self.end) {
            if bridge.key_quote.is_none() && quote::closes_string(self.haystack, &open, self.end) {
                return Beside::Nothing;
            }
            return self.quoted(&bridge, &open);
        }
        match self.haystack[..self.end].get(at) {
            None if self.haystack[..self.end].trim_ascii_end().ends_with(b"]=>") => Beside::NextLines(Pending::Dump),
            None if bridge.key_quote.is_some() && bridge.joint == Joint::Colon => {
                Beside::NextLines(Pending::Items { one: true })
            }
            None => Beside::Nothing,
            Some(b'[' | b'S' | b'O')
                if matches!(self.haystack[at..self.end].trim_ascii_end(), b"[" | b"Some(" | b"Ok(") =>
            {
                Beside::NextLines(Pending::Items { one: self.haystack[at] != b'[' })
            }
            Some(b'[' | b'{') if self.key.value == KeyValue::Random => Beside::Nothing,
            Some(b'<' | b'{')
                if self.key.value == KeyValue::Secret
                    && let Some(inner) = self.enclosed(&bridge, at) =>
            {
                self.text(inner.start, inner.end, bridge.joint, None);
                Beside::Value(self.reached.max(inner.end))
            }
            Some(b'[' | b'{') => self.structured(&bridge, at),
            Some(b'<') => self.element(&bridge, at),
            Some(b'|' | b'>') if bridge.joint == Joint::Colon && self.is_block_mark(at) => self.block(),
            Some(_) => self.bare(&bridge, at),
        }
    }

    /// The haystack is the value, and its key is known from elsewhere: in a list it merely stood before it.
    pub(crate) fn whole(&mut self, listed: bool) {
        let joint = if listed { Joint::List } else { Joint::Pair };
        self.text(0, self.end, joint, Some(Form::Bracket));
    }

    /// The value of a pair that is named behind it: `{"value":"…","name":"key"}`, `<input value="…" name="key">`.
    fn value_before(&self) -> Option<(Quote, usize)> {
        let begin = self.key.start.saturating_sub(MAX_PAIR);
        let field = without_quote(&self.haystack[begin..self.key.start])?.trim_ascii_end();
        let name = field.strip_suffix(b":").or_else(|| field.strip_suffix(b"="))?.trim_ascii_end();
        let name = without_quote(name).unwrap_or(name);
        if ![&b"name"[..], b"key", b"Name", b"Key"].iter().any(|word| name.ends_with(word)) {
            return None;
        }
        let object = memchr::memrchr2(b'{', b'<', name)? + 1;
        let word = object + memchr::memmem::rfind(&name[object..], b"alue")?;
        let operator = word + b"alue".len();
        let operator =
            quote::at(self.haystack, begin + operator, self.key.start).map_or(begin + operator, |mark| mark.end);
        let operator = bridge::skip_blanks(self.haystack, operator, self.key.start);
        if !matches!(self.haystack[operator], b':' | b'=') {
            return None;
        }
        let open =
            quote::at(self.haystack, bridge::skip_blanks(self.haystack, operator + 1, self.key.start), self.key.start)?;
        let close = quote::close(self.haystack, &open, begin + name.len())?;
        Some((open, close))
    }

    /// `name="key"` of a multipart part: the value comes behind an empty line.
    fn form_field(&self) -> Beside {
        let rest = self.haystack[self.key.end..self.end].trim_ascii_end();
        let head = &self.haystack[self.key.start.saturating_sub(64)..self.key.start];
        let named = head.ends_with(b"name=\"") && memchr::memmem::find(head, b"form-data").is_some();
        if rest == b"\"" && named {
            return Beside::NextLines(Pending::Multipart { in_body: false });
        }
        // An argument, and the next one on the next line.
        if self.haystack[self.key.start] == b'-' && matches!(rest, b"\"," | b"',") && self.begins_line(1) {
            return Beside::NextLines(Pending::Items { one: true });
        }
        let ends = matches!(rest, b"" | b"\"" | b"'" | b"\"," | b"'," | b",");
        let element = rest.starts_with(b"</") && rest.ends_with(b">") && head.ends_with(b">");
        if ends && names_a_name(head) || element && names_in_element(head) {
            return Beside::NextLines(Pending::PairValue);
        }
        Beside::Nothing
    }

    /// Whether nothing but blanks, and `mark` more bytes, stands before the key in its line.
    fn begins_line(&self, mark: usize) -> bool {
        let head = &self.haystack[..self.key.start.saturating_sub(mark)];
        let blanks = head.iter().rev().take(MAX_INDENT).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        head[..head.len() - blanks].last().is_none_or(|byte| *byte == b'\n')
    }

    /// Masks the values of a column whose name the key is.
    fn column(&mut self) -> bool {
        let rows = &mut self.walked.rows;
        let Some(column) = columns::column(self.haystack, self.key.start..self.key.end, self.end, rows) else {
            return false;
        };
        let (rows, closed) = (rows.rows.clone(), rows.closed);
        self.walked.own(rows, closed);
        match column {
            Column::Values(values) => values.into_iter().for_each(|value| {
                let quoted = quote::at(self.haystack, value.end, self.end).map(|_| Form::Bracket);
                self.text(value.start, value.end, Joint::Assign, quoted);
            }),
            Column::Whole(rows) => self.add(rows.start, rows.end, Form::Bare),
        }
        true
    }

    fn quoted(&mut self, bridge: &Bridge, open: &Quote) -> Beside {
        let limit = self.limit(open.end);
        if let Some(text) = quote::tripled(self.haystack, open, limit) {
            self.text(text.start, text.end, bridge.joint, Some(Form::Bracket));
            return Beside::Value(self.reached);
        }
        let close = quote::close(self.haystack, open, limit).unwrap_or(limit);
        let form = if open.spelling == Spelling::Encoded && self.haystack[open.start] == b'%' {
            Form::Bare
        } else {
            Form::Bracket
        };
        self.text(open.end, close, bridge.joint, Some(form));
        if let Some(next) = self.changed_to(open, close) {
            let close = quote::close(self.haystack, &next, limit).unwrap_or(limit);
            self.text(next.end, close, bridge.joint, Some(form));
        }
        Beside::Value(self.reached)
    }

    /// The new value of a sentence that has both: `changed from … to …`.
    fn bare_change(&mut self, bridge: &Bridge, start: usize, end: usize) {
        let is_change = bridge.joint == Joint::Prose && self.haystack[..start].ends_with(b" from ");
        if is_change && self.haystack[end..self.end].starts_with(b" to ") {
            let at = end + b" to ".len();
            self.text(at, value::bare_end(self.haystack, at, self.end, bridge.joint, false), bridge.joint, None);
        }
    }

    /// What is taken where there is no value: `process.env.KEY || "…"`.
    fn fallback(&mut self, bridge: &Bridge, end: usize) {
        let or = bridge::skip_blanks(self.haystack, end, self.end);
        let rest = &self.haystack[or..self.end];
        if bridge.joint != Joint::Assign || !(rest.starts_with(b"||") || rest.starts_with(b"??")) {
            return;
        }
        if let Some(open) = quote::at(self.haystack, bridge::skip_blanks(self.haystack, or + 2, self.end), self.end) {
            let limit = self.limit(open.end);
            let close = quote::close(self.haystack, &open, limit).unwrap_or(limit);
            self.text(open.end, close, bridge.joint, Some(Form::Bracket));
        }
    }

    /// The quote that opens the new value where a difference is printed: `"old" -> "new"`.
    fn changed_to(&self, open: &Quote, close: usize) -> Option<Quote> {
        let behind = quote::at(self.haystack, close, self.end)?.end;
        let arrow = bridge::skip_blanks(self.haystack, behind, self.end);
        const ARROWS: [&[u8]; 4] = [b"->", b"-\\u003e", b"=>", b"to "];
        let arrow = arrow + ARROWS.iter().find(|mark| self.haystack[arrow..self.end].starts_with(mark))?.len();
        let next = quote::at(self.haystack, bridge::skip_blanks(self.haystack, arrow, self.end), self.end)?;
        (next.spelling == open.spelling && next.level == open.level).then_some(next)
    }

    /// A value whose bounds are known: left, masked whole, or handed to the grammar of its key.
    fn text(&mut self, start: usize, end: usize, joint: Joint, quoted: Option<Form>) {
        if start >= end || self.is_ours(start, end) {
            return;
        }
        if let Some(credential) = authorization::put_behind(self.haystack, start, end, self.end) {
            self.reached = self.reached.max(credential.end);
            return self.add(credential.start, credential.end, Form::Bracket);
        }
        if authorization::is_scheme_alone(&self.haystack[start..end]) {
            return;
        }
        if self.key.value == KeyValue::Authorization {
            return authorization::mask(self, start, end, joint, quoted);
        }
        let is_cookies = self.key.value == KeyValue::Cookie && cookie::mask(self, start, end);
        if !is_cookies {
            self.plain(start, end, joint, quoted);
        }
    }

    /// One secret, perhaps behind a scheme.
    fn plain(&mut self, start: usize, end: usize, joint: Joint, quoted: Option<Form>) {
        if let Some(behind) = self.behind_scheme(start, end) {
            return authorization::mask_credential(self, behind, end, joint, quoted);
        }
        let value = &self.haystack[start..end];
        if quoted.is_some() && userinfo::is_credential_url(value) || self.is_working_directory(value) {
            return;
        }
        let masked = match value::kind_of(value) {
            _ if self.key.value == KeyValue::Random => self.is_random(value, joint),
            Kind::Blank => quoted.is_some() && value::is_object(value),
            // Four digits behind a bare colon are a code; fewer are as likely a count.
            Kind::Number => self.key.numbers && (joint.is_sure(quoted.is_some()) || end - start >= 4),
            Kind::Word => joint.is_sure(quoted.is_some()) && (joint != Joint::Flag || end - start >= 8),
            Kind::Opaque => {
                !matches!(joint, Joint::Nothing | Joint::Cell)
                    || value::is_bare_token(value) && !self.forms.stand_in(value)
            }
        };
        if masked {
            let form = quoted.unwrap_or_else(|| self.bare_form(start));
            self.add(start, end, form);
        }
    }

    /// Where the credential begins when a scheme stands at `start`. Under a weak key a word is no scheme: `auth=basic user=ada`.
    fn behind_scheme(&self, start: usize, end: usize) -> Option<usize> {
        let weak = self.key.value == KeyValue::Random;
        authorization::known_scheme(self.haystack, start, end).filter(|_| !weak)
    }

    /// Whether a weak key's value is its secret. Right behind a name, without any mark, a digest is what happened there; a UUID
    /// is a secret only of a service, under a key that says so.
    fn is_random(&self, value: &[u8], joint: Joint) -> bool {
        let key = &self.haystack[self.key.start..self.key.end];
        let says_key = key.len() >= 3 && key[key.len() - 3..].eq_ignore_ascii_case(b"key");
        match joint {
            Joint::Nothing | Joint::Cell | Joint::Prose => value::looks_random(value) && !value::is_digest(value),
            _ => value::looks_random(value) || self.key.numbers && says_key && value::is_uuid(value),
        }
    }

    /// `PWD=/home/ada`: what sudo and every environment print under the key that elsewhere is a password's.
    fn is_working_directory(&self, value: &[u8]) -> bool {
        let key = &self.haystack[self.key.start..self.key.end];
        matches!(key, b"PWD" | b"OLDPWD" | b"pwd") && value.starts_with(b"/")
    }

    fn bare_form(&self, start: usize) -> Form {
        if needs_bare(self.haystack, start) { Form::Bare } else { Form::Bracket }
    }

    /// Whether what we write ourselves stands at `start`; then it is done with.
    fn is_ours(&mut self, start: usize, end: usize) -> bool {
        let ours = self.forms.end_at(self.haystack, start, end).filter(|&ours| !goes_on(self.haystack, ours, end));
        self.reached = self.reached.max(ours.unwrap_or(0));
        ours.is_some()
    }

    /// Where what we wrote at `at` ends, if no more of a bare value follows.
    fn ours_at(&self, at: usize, joint: Joint) -> Option<usize> {
        let end = self.forms.end_at(self.haystack, at, self.end)?;
        let value_end = value::bare_end(self.haystack, end, self.end, joint, self.is_query());
        (!goes_on(self.haystack, end, value_end)).then_some(end)
    }

    /// Adds a span of the key's rule.
    fn add(&mut self, start: usize, end: usize, form: Form) {
        if start < end && !self.is_ours(start, end) {
            self.reached = self.reached.max(end);
            let Key { start: key_start, end: key_end, rule, .. } = self.key;
            self.spans.push(Span { start, end, rule, form, why: Why::Key { start: key_start, end: key_end } });
        }
    }

    /// How far a value at `at` is looked for. A weak key's is not long, and hides no key behind it: each would walk to the end
    /// of the record again.
    fn limit(&self, at: usize) -> usize {
        let weak = self.key.value == KeyValue::Random;
        if weak { self.end.min(at + 2 * value::MAX_RANDOM) } else { self.end }
    }

    fn bare(&mut self, bridge: &Bridge, at: usize) -> Beside {
        // A value without quotes behind a quoted key is a number or a word of JSON, and no header.
        let json = self.is_json(bridge);
        if !json && matches!(self.key.value, KeyValue::Authorization | KeyValue::Cookie) {
            let end = self.header_end(at);
            self.text(at, end, bridge.joint, None);
            return Beside::Value(self.reached);
        }
        let (query, found) = (self.is_query(), self.spans.len());
        let end = value::bare_end(self.haystack, at, self.limit(at), bridge.joint, query);
        let end = if bridge.key_quote.is_none() { self.reach_string(bridge, self.reach_word(end)) } else { end };
        let end = match self.key.value {
            KeyValue::Connection if end > at => value::fields_end(self.haystack, at, end, self.end, bridge.joint),
            _ => end,
        };
        if json && value::kind_of(&self.haystack[at..end]) == Kind::Number {
            self.number(bridge, at, end);
        } else if let Some(behind) = self.behind_scheme(at, self.end) {
            authorization::mask_credential(self, behind, self.end, bridge.joint, None);
        } else {
            self.text(at, end, bridge.joint, None);
            self.bare_change(bridge, at, end);
            self.fallback(bridge, end);
        }
        // `Token{password=…}` is no value, but what stands in it may be one.
        let opened = self.spans.len() == found && self.haystack[at..end].contains(&b'{');
        if opened && end > at + MAX_OBJECT {
            self.add(at, end, self.bare_form(at));
            return Beside::Value(end);
        }
        // Nor is a run behind a key of prose, when it was left: a URL with a key of its own may stand in it.
        let unsure = matches!(bridge.joint, Joint::Nothing | Joint::Cell | Joint::Prose | Joint::Flag);
        let prose = self.spans.len() == found && unsure;
        if opened || prose { Beside::Nothing } else { Beside::Value(end) }
    }

    /// What stands in `<…>` or `{…}` where it is no name of something to be filled in.
    fn enclosed(&self, bridge: &Bridge, at: usize) -> Option<Range<usize>> {
        let close = if self.haystack[at] == b'<' { b'>' } else { b'}' };
        let rest = &self.haystack[at + 1..self.end.min(at + 1 + value::MAX_RANDOM)];
        let inner = &rest[..memchr::memchr(close, rest)?];
        let random = matches!(bridge.joint, Joint::Assign | Joint::Colon) && value::looks_random(inner);
        (random && !self.forms.stand_in(inner)).then_some(at + 1..at + 1 + inner.len())
    }

    /// Whether the key is a quoted one before a colon, so that what follows without quotes is a number or a word of JSON.
    fn is_json(&self, bridge: &Bridge) -> bool {
        bridge.joint == Joint::Colon && bridge.key_quote.is_some_and(|quote| quote.spelling == Spelling::Double)
    }

    /// Where a bare value ends that was cut by an escaped quote of the string it stands in, when that string began with the
    /// key (`"password=ab\"c d"`): at the end of the string.
    fn reach_word(&self, end: usize) -> usize {
        let Some(mark) = self.key.start.checked_sub(1) else { return end };
        let slashes = self.haystack[..mark].iter().rev().take_while(|&&byte| byte == b'\\').count();
        let cut = quote::at(self.haystack, end, self.end);
        match (quote::at(self.haystack, mark - slashes, self.key.start), cut) {
            (Some(open), Some(cut)) if open.spelling == cut.spelling && cut.level > open.level => {
                quote::close(self.haystack, &open, self.end).unwrap_or(end).max(end)
            }
            _ => end,
        }
    }

    /// Where the value of a variable ends that is one string with its name: `"DB_PASSWORD=two words"`. Other keys stand at the
    /// beginning of a text too.
    fn reach_string(&self, bridge: &Bridge, end: usize) -> usize {
        let name = &self.haystack[self.key.start..self.key.end];
        let constant = name.contains(&b'_') && name.iter().all(|byte| !byte.is_ascii_lowercase());
        let Some(mark) = self.key.start.checked_sub(1).filter(|_| constant && bridge.at == self.key.end + 1) else {
            return end;
        };
        let opened = mark.checked_sub(1).is_none_or(|before| b" [,(=\n\t".contains(&self.haystack[before]));
        let open = quote::at(self.haystack, mark, self.key.start)
            .filter(|_| opened && self.haystack[end..self.end].starts_with(b" "));
        open.and_then(|open| quote::close(self.haystack, &open, self.limit(end))).unwrap_or(end).max(end)
    }

    fn header_end(&mut self, at: usize) -> usize {
        self.walked.header.of(at, || header_end(self.haystack, at, self.end))
    }

    /// Text between tags. A quote in it is the text's own, unless it closes a JSON string around the element.
    fn element_text(&mut self, bridge: &Bridge) -> Beside {
        let text = &self.haystack[bridge.at..self.limit(bridge.at)];
        let close = memchr::memmem::find(text, bridge.tag_open).unwrap_or(text.len());
        let closes = |at: &usize| {
            let behind = text.get(at + 1);
            text[*at] == b'"' && behind.is_none_or(|byte| b",}]".contains(byte))
        };
        let quote = memchr::memchr_iter(b'"', &text[..close]).find(closes);
        let end = bridge.at + quote.map_or(close, |quote| quote - usize::from(text[..quote].ends_with(b"\\")));
        self.text(bridge.at, end, Joint::Tag, Some(Form::Bracket));
        Beside::Value(end)
    }

    /// Whether the key stands in a query string or a form.
    fn is_query(&self) -> bool {
        let head = &self.haystack[..self.key.start];
        head.ends_with(b"?") || head.ends_with(b"&") || head.ends_with(b"&amp;") || head.ends_with(b"\\u0026")
    }

    fn number(&mut self, bridge: &Bridge, at: usize, end: usize) {
        if self.key.numbers {
            let level = bridge.key_quote.map_or(0, |quote| quote.level);
            self.add(at, end, Form::Number { level });
        }
    }

    /// `[…]` or `{…}`: the leaves of JSON and its kin, or a bare value in brackets.
    fn structured(&mut self, bridge: &Bridge, at: usize) -> Beside {
        if self.is_json(bridge) || object::is_structure(self.haystack, at, self.end) {
            return object::mask_leaves(self, at, bridge);
        }
        if self.haystack[at] == b'[' && at + 1 < self.end {
            return self.bare_list(bridge, at + 1);
        }
        Beside::Nothing
    }

    /// `[a, b]` and `[a b]` without quotes: each item is a value.
    fn bare_list(&mut self, bridge: &Bridge, start: usize) -> Beside {
        let first = self.bare(&Bridge { at: start, ..*bridge }, start);
        let Beside::Value(mut at) = first else { return first };
        if self.key.value != KeyValue::Secret {
            return first;
        }
        const PLAIN: ByteSet = ByteSet::from_bytes(b"_.+/~@#$%^*!-, ")
            .with_range(b'a', b'z')
            .with_range(b'A', b'Z')
            .with_range(b'0', b'9');
        let list_end = at + PLAIN.run(&self.haystack[at..self.end]);
        if self.haystack[..self.end].get(list_end) != Some(&b']') {
            return first;
        }
        loop {
            let item = at + self.haystack[at..list_end].iter().take_while(|b| matches!(b, b',' | b' ')).count();
            if item == at || item >= list_end || !self.haystack[item].is_ascii_alphanumeric() {
                break;
            }
            at = match self.bare(&Bridge { at: item, ..*bridge }, item) {
                Beside::Value(end) if end > item => end,
                _ => break,
            };
        }
        Beside::Value(at)
    }

    /// `<`: a CDATA section, an element without text, a placeholder.
    fn element(&mut self, bridge: &Bridge, at: usize) -> Beside {
        const CDATA: &[u8] = b"<![CDATA[";
        if bridge.joint == Joint::Tag && self.haystack[at..self.end].starts_with(CDATA) {
            let start = at + CDATA.len();
            let end = memchr::memmem::find(&self.haystack[start..self.end], b"]]>").map_or(self.end, |len| start + len);
            self.text(start, end, bridge.joint, Some(Form::Bracket));
            return Beside::Value(end);
        }
        Beside::Nothing
    }

    /// `|`, `>`, with an indentation or chomping mark, and nothing behind but a comment (YAML 1.2, section 8.1.1).
    fn is_block_mark(&self, at: usize) -> bool {
        let Some((b'|' | b'>', rest)) = self.haystack[at..self.end].split_first() else { return false };
        let marks = rest.iter().take_while(|byte| b"-+0123456789".contains(byte)).count();
        let behind = rest[marks..].trim_ascii_start();
        marks <= 2 && (behind.is_empty() || behind[0] == b'#' && behind.len() < rest.len() - marks)
    }

    /// Behind a tag and an anchor (YAML 1.2, section 6.9): `!!binary |`, `&name value`. A password may begin so, too: before
    /// anything but a block mark they are nothing but letters, and the line's one value follows.
    fn skip_properties(&self, at: usize) -> usize {
        let (mut next, mut plain) = (at, true);
        while let Some(b'!' | b'&') = self.haystack[..self.end].get(next) {
            let word = self.haystack[next..self.end]
                .iter()
                .take(MAX_PROPERTY)
                .take_while(|byte| !byte.is_ascii_whitespace())
                .count();
            let name = &self.haystack[next + 1..next + word];
            let name = name.strip_prefix(b"!").unwrap_or(name);
            plain &= !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphabetic() || b"_-".contains(byte));
            next = bridge::skip_blanks(self.haystack, next + word, self.end);
            if next < self.end && self.is_block_mark(next) {
                return next;
            }
        }
        if plain && next > at && value::is_last_scalar(&self.haystack[..self.end], next) { next } else { at }
    }

    /// A block scalar, on the lines that follow.
    fn block(&self) -> Beside {
        let line = memchr::memrchr(b'\n', &self.haystack[..self.key.start]).map_or(0, |newline| newline + 1);
        let (_, indent) = lines::yaml_prefix(self.haystack, line, self.key.start);
        let outer = self.haystack[line..self.key.start].iter().take_while(|&&byte| byte == b' ').count();
        Beside::NextLines(Pending::YamlBlock { indent, outer, strangers: 0 })
    }
}

/// What stands before a quote, with its backslashes, that ends `head`.
fn without_quote(head: &[u8]) -> Option<&[u8]> {
    let head = head.strip_suffix(b"\"").or_else(|| head.strip_suffix(b"'"))?;
    Some(&head[..head.len() - head.iter().rev().take_while(|byte| **byte == b'\\').count()])
}

/// Whether `head` ends in `name:` or `"key": "`: what follows is the name of a pair whose value stands on the next line.
fn names_a_name(head: &[u8]) -> bool {
    let line = memchr::memrchr(b'\n', head).map_or(head, |newline| &head[newline + 1..]);
    let field = line.strip_suffix(b"\"").or_else(|| line.strip_suffix(b"'")).unwrap_or(line).trim_ascii_end();
    let Some(name) = field.strip_suffix(b":").or_else(|| field.strip_suffix(b"=")) else { return false };
    let name = name.trim_ascii_end();
    let name = name.strip_suffix(b"\"").unwrap_or(name);
    [&b"name"[..], b"key", b"Name", b"Key"]
        .iter()
        .any(|word| name.strip_suffix(*word).is_some_and(|before| before.iter().all(|byte| b" \t-+~\"".contains(byte))))
}

/// Whether `head` ends in `<name>` or `<key>`, the name of a pair whose value stands in the element on the next line.
fn names_in_element(head: &[u8]) -> bool {
    let line = memchr::memrchr(b'\n', head).map_or(head, |newline| &head[newline + 1..]).trim_ascii_start();
    [&b"<name>"[..], b"<key>", b"<Name>", b"<Key>", b"<param-name>"].contains(&line)
}

/// Where the value that begins at `start` ends, behind whatever stands before it: at its closing quote, or as a bare value.
pub(crate) fn value_end(haystack: &[u8], start: usize, end: usize) -> usize {
    match opening(haystack, start) {
        Opening::Quote(open) => quote::close(haystack, &open, end).unwrap_or(end),
        _ => value::bare_end(haystack, start, end, Joint::Flag, false),
    }
}

/// Where a bare header's value ends: the record, a quote around it, an escaped line end. A quote that opens behind `=` is a
/// parameter's and closes again.
fn header_end(haystack: &[u8], start: usize, end: usize) -> usize {
    let mut at = start;
    let mut in_parameter = false;
    while at < end {
        let slashes = haystack[at..end].iter().take_while(|&&byte| byte == b'\\').count();
        let next = haystack[..end].get(at + slashes).copied();
        match next {
            Some(b'"') if in_parameter => in_parameter = false,
            Some(b'"') if at > start && haystack[at - 1] == b'=' => in_parameter = true,
            Some(b'"') | None => return at,
            Some(b'n' | b'r') if slashes > 0 => {
                // Wire logs show a line's end so: `[\r][\n]`.
                let control = haystack[at + slashes + 1..end].starts_with(b"]") && haystack[..at].ends_with(b"[");
                return at - usize::from(control && at > start);
            }
            Some(b'\'') if haystack[..end].get(at + slashes + 1).is_none_or(|b| !b.is_ascii_alphanumeric()) => {
                return at;
            }
            Some(b'\r' | b'\n' | 0 | 0x1b) => return at,
            Some(_) => {}
        }
        at += slashes + 1;
    }
    end
}

/// The value behind its carrier: escapes decoded, scheme stripped. One leaked key has one canonical form everywhere.
pub(crate) fn canonical(secret: &[u8]) -> Vec<u8> {
    let behind = authorization::known_scheme(secret, 0, secret.len()).unwrap_or(0);
    let mut value = secret[behind..].to_vec();
    for _ in 0..quote::MAX_LEVEL {
        let decoded = unescape(&value);
        if decoded.len() == value.len() {
            break;
        }
        value = decoded;
    }
    value
}

/// One layer of backslash and percent escapes undone.
fn unescape(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut at = 0;
    while at < value.len() {
        let (byte, len) = unescape_one(&value[at..]);
        out.push(byte);
        at += len;
    }
    out
}

fn unescape_one(rest: &[u8]) -> (u8, usize) {
    let hex = |digits: &[u8]| std::str::from_utf8(digits).ok().and_then(|text| u8::from_str_radix(text, 16).ok());
    match rest {
        [b'%', a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => (hex(&[*a, *b]).unwrap_or(b'%'), 3),
        [b'\\', b'u', b'0', b'0', a, b, ..] => hex(&[*a, *b]).map_or((b'\\', 1), |byte| (byte, 6)),
        [b'\\', b'x', a, b, ..] => hex(&[*a, *b]).map_or((b'\\', 1), |byte| (byte, 4)),
        [b'\\', escaped @ (b'"' | b'\'' | b'\\' | b'/'), ..] => (*escaped, 2),
        _ => (rest[0], 1),
    }
}

//! Values whose key is known from elsewhere: attributes of a wire format, fields of a parsed message. Whoever walks the message
//! says what stands around a value; what of it is secret is decided here as it is in text.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::carrier::{Site, Walked, needs_bare};
use super::compile::{Target, is_audit};
use super::keys::{Key, Keys};
use super::policy::{Action, NumberAs};
use super::prefilter::Hit;
use super::rule::{KeyValue, RuleId};
use super::scan::{Carry, Counts, Scratch};
use super::span::{Form, Span, Why};
use super::survey::Look;
use super::tally::Tally;
use super::{Cutter, Engine, query};

/// Stands in place of a field that could not be looked at.
pub(crate) const UNINSPECTED: &[u8] = b"[REDACTED:uninspected]";
/// How much of a key's end is looked at.
const MAX_NAME: usize = 512;
/// Bytes of the keys above all findings of a message: a hostile one must not cost many times its length.
const MAX_KEYS_BYTES: usize = 1 << 20;

/// A key whose value is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretKey {
    rule: RuleId,
    value: KeyValue,
    /// Whether a number is secret under it too.
    numbers: bool,
    /// `PWD`, under which a path is the working directory.
    directory: bool,
}

impl SecretKey {
    /// The rule that names the key.
    pub fn rule(&self) -> RuleId {
        self.rule
    }
}

/// What stands around a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The secret key it stands under.
    pub key: Option<SecretKey>,
    /// Whether the key merely stood before it in a list: then only what looks like a secret is one.
    pub listed: bool,
    /// Whether the value is a URL or a part of one, whose signatures are secret.
    pub url: bool,
}

/// The keys that a value stands under.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KeyPath<'k> {
    /// From the outside in, joined by dots; empty where there are none, or where nobody knows them.
    pub(crate) path: &'k [u8],
    /// The last of them, right beside the value.
    pub(crate) last: &'k [u8],
}

/// The keys that the findings of a message stand under, in the order of [`Scratch::found`].
#[derive(Default)]
pub struct KeyPaths {
    text: Vec<u8>,
    /// Where each one ends.
    ends: Vec<usize>,
}

/// What is known of a value before it is looked at.
#[derive(Clone, Copy)]
pub(crate) struct Field<'f> {
    pub(crate) scope: Scope,
    pub(crate) keys: KeyPath<'f>,
    pub(crate) look: Look<'f>,
}

/// What became of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Number {
    /// It stays.
    Keep,
    /// A text stands in its place.
    Text(Vec<u8>),
    /// Nothing does.
    Null,
    /// It is 0.
    Zero,
}

/// What was found in a field.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing that is written otherwise.
    Nothing,
    /// The findings in `scratch`, to be written with [`Engine::write_field`] or one by one.
    Spans,
    /// This stands in place of the whole.
    Text(Vec<u8>),
}

impl KeyPaths {
    /// The keys above a finding, from the outside in, joined by dots. `None` where there are none or they are not known.
    pub fn of(&self, finding: usize) -> Option<&[u8]> {
        let end = *self.ends.get(finding)?;
        let start = finding.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.text[start..end]).filter(|path| !path.is_empty())
    }

    /// Adds the same path for each finding up to `findings`, as many as there are now. When there are too many bytes of them
    /// the rest is not known.
    pub(crate) fn fill(&mut self, findings: usize, path: &[u8]) {
        while self.ends.len() < findings {
            if self.text.len() + path.len() <= MAX_KEYS_BYTES {
                self.text.extend_from_slice(path);
            }
            self.ends.push(self.text.len());
        }
    }
}

impl std::fmt::Debug for KeyPaths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyPaths({})", self.ends.len())
    }
}

impl SecretKey {
    /// Whether only a value that looks random is secret under it, and nothing of an object below it by that alone.
    pub fn is_weak(&self) -> bool {
        self.value == KeyValue::Random
    }
}

impl From<Scope> for Field<'_> {
    fn from(scope: Scope) -> Self {
        Field { scope, keys: KeyPath::default(), look: Look::Blind }
    }
}

impl Engine {
    /// What a field of this name is, if its value is secret: the table of keys decides as it does in text.
    pub fn secret_key(&self, scratch: &mut Scratch, name: &[u8]) -> Option<SecretKey> {
        let name = name[name.len().saturating_sub(MAX_NAME)..].trim_ascii_end();
        let name = name.strip_suffix(b"=").or(name.strip_suffix(b":")).unwrap_or(name);
        // `a=b` and `a: "b"` are no names but texts of their own, and what we wrote into one is none either.
        if name.contains(&b'=') || name.contains(&b'"') || self.forms.stand_in(name) || self.has_placeholder(name) {
            return None;
        }
        let text = [name, b"="].concat();
        let mut hidden = false;
        let key = self.key_of(scratch, &text, &mut hidden);
        let key = key.or_else(|| {
            let mut view = std::mem::take(&mut scratch.view);
            view.build(&text, 0..if hidden { text.len() } else { 0 });
            let key = self.key_of(scratch, &view.bytes, &mut hidden);
            scratch.view = view;
            key
        })?;
        let directory = name.ends_with(b"PWD");
        Some(SecretKey { rule: key.rule, value: key.value, numbers: key.numbers, directory })
    }

    fn has_placeholder(&self, name: &[u8]) -> bool {
        memchr::memchr_iter(b'[', name).any(|at| self.forms.end_at(name, at, name.len()).is_some())
    }

    /// The secret key that `text`, a name and an equals sign, is. Says in `hidden` whether letters of it may be hidden.
    fn key_of(&self, scratch: &mut Scratch, text: &[u8], hidden: &mut bool) -> Option<Key> {
        let line = 0..text.len().checked_sub(1)?;
        let mut hits = std::mem::take(&mut scratch.view_hits);
        self.prefilter.find(&mut scratch.prefilter, text, &mut hits);
        let joined = if hits.is_empty() {
            Vec::new()
        } else {
            text.iter().map(|b| if *b == b' ' { b'_' } else { *b }).collect()
        };
        let mut found = None;
        for (hit, target) in
            hits.iter().flat_map(|hit| self.targets[usize::from(hit.literal)].iter().map(move |target| (hit, target)))
        {
            match *target {
                Target::Key { group, len } if found.is_none_or(|key: Key| key.value == KeyValue::Random) => {
                    let word = hit.start as usize..hit.start as usize + usize::from(len);
                    // What we wrote in a name's place names nothing.
                    if self.forms.end_around(text, word.clone()).is_none() {
                        found = self.keys.examine(&mut scratch.keys, group, &joined, word, line.clone()).or(found);
                    }
                }
                Target::View => *hidden = true,
                _ => {}
            }
        }
        scratch.view_hits = hits;
        found.filter(|key| !self.forms.stand_in(&text[key.start..key.end]))
    }

    /// Whether a prefilter pass over more than the name may have missed that it is a key: see [`Keys::ends_in_short_word`].
    #[inline]
    pub(crate) fn may_be_key(&self, name: &[u8], behind: Option<u8>) -> bool {
        self.keys.ends_in_short_word(name) || !behind.is_some_and(Keys::may_follow)
    }

    /// Whether a field of this name is left where the object around it is secret: names, ids, types.
    pub fn is_neutral_leaf(&self, name: &[u8]) -> bool {
        !name.contains(&b'=') && self.keys.is_neutral_leaf(name)
    }

    /// Redacts one value; `None` where it stays as it is. Counts findings and work in `tally`, not bytes.
    pub fn redact_field(
        &self,
        scratch: &mut Scratch,
        scope: Scope,
        value: &[u8],
        tally: &mut Tally,
    ) -> Option<Vec<u8>> {
        match self.find_field(scratch, scope.into(), value, tally) {
            Found::Nothing => None,
            Found::Text(text) => Some(text),
            Found::Spans => {
                let mut out = Vec::with_capacity(value.len() + 32);
                self.write_field(scratch, value, &mut out);
                Some(out)
            }
        }
    }

    /// What becomes of a number that is spelt as `digits`. Counts findings in `tally`.
    pub fn redact_number(&self, scratch: &mut Scratch, scope: Scope, digits: &[u8], tally: &mut Tally) -> Number {
        self.find_number(scratch, scope.into(), digits, tally)
    }

    /// As [`Engine::redact_number`], with the keys above the number.
    pub(crate) fn find_number(
        &self,
        scratch: &mut Scratch,
        field: Field<'_>,
        digits: &[u8],
        tally: &mut Tally,
    ) -> Number {
        let Scope { key: Some(key), listed: false, .. } = field.scope else { return Number::Keep };
        let action = self.action(key.rule);
        if !key.numbers || action == Action::Keep || self.is_exempt(scratch, key.rule, field.keys, digits, tally) {
            return Number::Keep;
        }
        let rule = &self.set.rules[key.rule.index()];
        if rule.shadow {
            tally.count_shadow(key.rule);
            return Number::Keep;
        }
        tally.count(key.rule);
        match (is_audit(&self.policy), action, self.policy.number) {
            (true, ..) => Number::Keep,
            (_, Action::Remove, _) | (_, _, NumberAs::Null) => Number::Null,
            (_, _, NumberAs::Zero) => Number::Zero,
            (_, _, NumberAs::String) => {
                let mut text = Vec::new();
                let span = Span { start: 0, end: 0, rule: key.rule, form: Form::Bracket, why: Why::Grammar };
                self.forms.write(Action::Replace, &rule.id, &span, b"", &self.policy, &mut text);
                Number::Text(text)
            }
        }
    }

    /// Whether the operator exempts the number that is the value of a key of `rule`.
    fn is_exempt(
        &self,
        scratch: &mut Scratch,
        rule: RuleId,
        keys: KeyPath<'_>,
        digits: &[u8],
        tally: &mut Tally,
    ) -> bool {
        let why = Why::Key { start: 0, end: 0 };
        scratch.spans.clear();
        scratch.spans.push(Span { start: 0, end: digits.len(), rule, form: Form::Bracket, why });
        self.stand_under(scratch, keys);
        self.exempt(scratch, digits);
        self.stand_under(scratch, KeyPath::default());
        scratch.exempted.iter().for_each(|(_, entry)| tally.count_allowed(*entry));
        scratch.spans.clear();
        !scratch.exempted.is_empty()
    }

    /// Finds what of `value` is to be written otherwise; the findings are in `scratch.found()`. A value on which a rule panics is masked whole.
    pub(crate) fn find_field(&self, scratch: &mut Scratch, field: Field<'_>, value: &[u8], tally: &mut Tally) -> Found {
        self.stand_under(scratch, field.keys);
        let found = self.find_standing(scratch, field, value, tally);
        self.stand_under(scratch, KeyPath::default());
        found
    }

    /// As [`Engine::find_field`], where `scratch` knows the keys.
    fn find_standing(&self, scratch: &mut Scratch, field: Field<'_>, value: &[u8], tally: &mut Tally) -> Found {
        scratch.spans.clear();
        scratch.exempted.clear();
        if value.is_empty() {
            return Found::Nothing;
        }
        if value.len() > self.limits.max_record_bytes && field.scope == Scope::default() {
            // No window but the first begins beside the key.
            self.stand_under(scratch, KeyPath { last: b"", ..field.keys });
            return self.find_in_windows(scratch, value, tally);
        }
        let searched = catch_unwind(AssertUnwindSafe(|| self.search_field(scratch, field, value)));
        if searched.is_err() {
            self.renew(scratch);
            tally.records_masked_whole += 1;
            return Found::Text(UNINSPECTED.to_vec());
        }
        self.count_work(scratch, tally);
        self.settle(scratch, value, tally);
        if scratch.spans.is_empty() || is_audit(&self.policy) { Found::Nothing } else { Found::Spans }
    }

    /// Whether nothing in `text`, a text by itself, is written otherwise or counted. Then the work is added to `tally`.
    pub(super) fn is_nothing(&self, scratch: &mut Scratch, text: &[u8], look: Look<'_>, tally: &mut Tally) -> bool {
        let mut own = Tally::default();
        self.find_field(scratch, Field { look, ..Scope::default().into() }, text, &mut own);
        let nothing = scratch.spans.is_empty() && scratch.exempted.is_empty() && own.tells_nothing();
        if nothing {
            tally.add(&own);
        }
        nothing
    }

    /// A value that is too long to be seen whole.
    fn find_in_windows(&self, scratch: &mut Scratch, value: &[u8], tally: &mut Tally) -> Found {
        let mut cutter = Cutter::new(self.limits.max_record_bytes);
        cutter.buffer().extend_from_slice(value);
        let (mut carry, mut out, mut found, mut at) = (Carry::default(), Vec::new(), Vec::new(), 0);
        while let Some(piece) = cutter.finish() {
            let (masked, next, counted) = self.redact_piece(scratch, &carry, &piece);
            out.extend_from_slice(masked.as_bytes());
            found.extend(scratch.spans.iter().map(|span| span.moved(at)));
            tally.add(&Tally { bytes_in: 0, bytes_out: 0, lines: 0, ..counted });
            at += piece.len();
            carry = next;
        }
        scratch.spans = found;
        if out == value { Found::Nothing } else { Found::Text(out) }
    }

    fn search_field(&self, scratch: &mut Scratch, field: Field<'_>, value: &[u8]) {
        let Field { scope, look, .. } = field;
        self.search_text(scratch, value, look);
        let exempted = std::mem::take(&mut scratch.exempted);
        let found = std::mem::take(&mut scratch.spans);
        if let Some(secret) = scope.key {
            self.search_value(scratch, secret, scope.listed, value);
        }
        if scope.url {
            self.search_query(scratch, value);
        }
        self.exempt(scratch, value);
        scratch.exempted.extend(exempted);
        scratch.spans.extend(found);
    }

    /// The value as a text by itself.
    fn search_text(&self, scratch: &mut Scratch, value: &[u8], look: Look<'_>) {
        scratch.counts = Counts::default();
        let mut hits = std::mem::take(&mut scratch.hits);
        let known = match look {
            Look::Blind => false,
            Look::At(survey, start) => survey.hits_in(&(start..start + value.len()), &self.literal_lens, &mut hits),
            Look::Hits(begun) => {
                let end = |hit: &Hit| hit.start as usize + usize::from(self.literal_lens[usize::from(hit.literal)]);
                hits.clear();
                hits.extend(begun.iter().filter(|hit| end(hit) <= value.len()));
                true
            }
        };
        if known && !hits.is_empty() {
            self.scan_hits(scratch, &Carry::default(), value, &hits);
        }
        scratch.hits = hits;
        if !known {
            self.scan(scratch, &Carry::default(), value);
        }
    }

    /// The value as that of its key.
    fn search_value(&self, scratch: &mut Scratch, secret: SecretKey, listed: bool, value: &[u8]) {
        if secret.directory && value.starts_with(b"/") {
            return;
        }
        let key = Key { start: 0, end: 0, rule: secret.rule, value: secret.value, numbers: secret.numbers };
        let (keys, forms, spans) = (&self.keys, &self.forms, &mut scratch.spans);
        let walked = &mut Walked::default();
        let mut site = Site { haystack: value, end: value.len(), key, keys, forms, spans, walked, reached: 0 };
        site.whole(listed);
    }

    /// The signatures of a URL.
    fn search_query(&self, scratch: &mut Scratch, value: &[u8]) {
        let mut signatures = query::signatures(value).peekable();
        // Hardly any URL has one: the rule is looked up for those that do.
        if signatures.peek().is_none() {
            return;
        }
        let Some(rule) = self.set.rules.iter().position(|rule| rule.id == query::RULE) else { return };
        for span in signatures {
            if !self.forms.stands_at(value, span.start, span.end) {
                let Range { start, end } = span;
                let form = if needs_bare(value, start) { Form::Bare } else { Form::Bracket };
                scratch.spans.push(Span { start, end, rule: RuleId(rule as u16), form, why: Why::Grammar });
            }
        }
    }

    fn count_work(&self, scratch: &Scratch, tally: &mut Tally) {
        tally.candidates += scratch.counts.candidates;
        tally.literals += scratch.counts.literals;
        tally.survivors += scratch.counts.survivors;
        tally.regex_calls += scratch.counts.regex_calls;
    }

    /// Writes `value` with its findings, which [`Engine::find_field`] left in `scratch`, masked.
    pub(crate) fn write_field(&self, scratch: &Scratch, value: &[u8], out: &mut Vec<u8>) {
        let mut from = 0;
        for span in &scratch.spans {
            out.extend_from_slice(&value[from..span.start]);
            self.write_span(span, &value[span.start..span.end], out);
            from = span.end;
        }
        out.extend_from_slice(&value[from..]);
    }
}

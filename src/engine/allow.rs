//! Findings that the operator exempts: by rule, value, key path and source. Rules have exemptions of their own, see `gate`;
//! these belong to a policy, hold for every rule, and are counted.
//!
//! An exemption takes away findings of its rule alone, before union: what another rule found in the same place stays. A known
//! value and a passed checksum stay too, unless an entry says `force`. Whether an entry has expired is the caller's question.

use std::fmt;
use std::ops::Range;

use memchr::{memchr, memrchr};
use regex_automata::meta::Regex;

use super::action::Fingerprint;
use super::carrier::canonical;
use super::error::CompileError;
use super::field::KeyPath;
use super::keys::KEY_BYTES;
use super::rule::{RuleId, RuleSet};
use super::scan::Scratch;
use super::span::{Span, Why};
use super::{Engine, Purpose, gate, glob, pattern};

/// Bytes between a key and its value at most.
const MAX_BRIDGE: usize = 16;
/// JSON nested deeper has no longer paths.
const MAX_DEPTH: usize = 64;

/// One exemption. What is not given does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowEntry {
    /// The rule's id.
    pub rule: Option<String>,
    /// The whole value, as it is behind its carrier: escapes decoded, scheme stripped.
    pub value: Option<AllowValue>,
    /// The key beside the value, or in JSON and in the attributes of a message also the keys from the outside in, joined by
    /// dots. `*` is any text.
    pub path: Option<String>,
    /// The input's name. `*` is any text.
    pub source: Option<String>,
    /// Holds for known values and passed checksums, too.
    pub force: bool,
    /// Where it was written, for messages.
    pub place: String,
}

/// The value of an [`AllowEntry`].
#[derive(Clone, PartialEq, Eq)]
pub enum AllowValue {
    /// These bytes.
    Literal(Vec<u8>),
    /// All of it matches this regex (bytes, ASCII).
    Regex(String),
    /// What [`Engine::fingerprint`] says of it for [`Purpose::Allow`]: a list of these holds no secret.
    Fingerprint(Fingerprint),
}

impl fmt::Debug for AllowValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AllowValue::Literal(_) => "Literal(..)",
            AllowValue::Regex(_) => "Regex(..)",
            AllowValue::Fingerprint(_) => "Fingerprint(..)",
        })
    }
}

/// Exemptions, checked.
#[derive(Default)]
pub(super) struct Allows {
    entries: Vec<Entry>,
    /// Whether one of them asks for a path.
    paths: bool,
}

struct Entry {
    rule: Option<RuleId>,
    value: Option<Value>,
    path: Option<String>,
    source: Option<String>,
    force: bool,
}

enum Value {
    Literal(Vec<u8>),
    Regex(Box<Regex>),
    Fingerprint(Fingerprint),
}

impl Allows {
    /// Checks `entries`.
    ///
    /// # Errors
    /// When an entry names nothing or an unknown rule, a regex is none, or a fingerprint has no key to be compared with.
    pub(super) fn new(set: &RuleSet, entries: &[AllowEntry], keyed: bool) -> Result<Allows, CompileError> {
        let checked = entries.iter().map(|entry| {
            Entry::new(set, entry, keyed).map_err(|reason| CompileError::Allow { place: entry.place.clone(), reason })
        });
        let entries = checked.collect::<Result<Vec<_>, _>>()?;
        let paths = entries.iter().any(|entry| entry.path.is_some());
        Ok(Allows { entries, paths })
    }
}

impl Entry {
    fn new(set: &RuleSet, entry: &AllowEntry, keyed: bool) -> Result<Entry, String> {
        let AllowEntry { rule, value, path, source, force, .. } = entry;
        if rule.is_none() && value.is_none() && path.is_none() && source.is_none() {
            return Err("an allow entry names a rule, a value, a path or a source".to_owned());
        }
        let rule = rule.as_ref().map(|id| {
            let at = set.rules.iter().position(|rule| rule.id == *id);
            at.map(|at| RuleId(at as u16))
                .ok_or_else(|| format!("unknown rule `{id}`; `inkout rules list` shows the known ones"))
        });
        let value = value.as_ref().map(|value| Value::new(value, keyed)).transpose()?;
        Ok(Entry { rule: rule.transpose()?, value, path: path.clone(), source: source.clone(), force: *force })
    }

    fn covers(&self, engine: &Engine, haystack: &[u8], span: &Span, source: Option<&str>, at: &Spot<'_>) -> bool {
        let certain = matches!(span.why, Why::Known { .. } | Why::Pattern { valid: Some(true) });
        let fits = |pattern: &str, text: Option<&[u8]>| text.is_some_and(|text| glob(pattern, text));
        self.rule.is_none_or(|rule| rule == span.rule)
            && (self.force || !certain)
            && self.source.as_ref().is_none_or(|pattern| fits(pattern, source.map(str::as_bytes)))
            && self.path.as_ref().is_none_or(|pattern| at.names().any(|name| fits(pattern, name)))
            && self.value.as_ref().is_none_or(|value| value.is(engine, &haystack[span.start..span.end]))
    }
}

impl Value {
    fn new(value: &AllowValue, keyed: bool) -> Result<Value, String> {
        match value {
            AllowValue::Literal(bytes) => Ok(Value::Literal(bytes.clone())),
            AllowValue::Fingerprint(_) if !keyed => {
                Err("a fingerprint needs the key it was made with: --hash-key-file or INKOUT_HASH_KEY".to_owned())
            }
            AllowValue::Fingerprint(fingerprint) => Ok(Value::Fingerprint(*fingerprint)),
            AllowValue::Regex(text) => {
                let whole =
                    pattern::parse(&format!(r"\A(?:{text})\z")).map_err(|reason| format!("`{text}`: {reason}"))?;
                gate::build(&whole).map(|regex| Value::Regex(Box::new(regex)))
            }
        }
    }

    fn is(&self, engine: &Engine, secret: &[u8]) -> bool {
        match self {
            Value::Literal(bytes) => secret == &bytes[..] || canonical(secret) == *bytes,
            Value::Regex(regex) => regex.is_match(&canonical(secret)),
            Value::Fingerprint(own) => engine.fingerprint(Purpose::Allow, secret).as_ref() == Some(own),
        }
    }
}

/// The keys above a field of a message, which the text of the field does not show: see [`KeyPath`].
#[derive(Default)]
pub(super) struct Above {
    path: Vec<u8>,
    last: Vec<u8>,
}

/// Where a value stands.
#[derive(Default)]
struct Spot<'s> {
    /// The key right beside it.
    key: Option<Vec<u8>>,
    /// In JSON the keys from the outside in, joined by dots; elsewhere the key beside it. `None` where only a message has keys.
    path: Option<Vec<u8>>,
    /// The keys of the message around the text.
    above: Option<&'s [u8]>,
}

impl Spot<'_> {
    /// What an entry's path may name it by.
    fn names(&self) -> impl Iterator<Item = Option<&[u8]>> {
        [self.above, self.path.as_deref(), self.key.as_deref()].into_iter()
    }

    /// The same in a field that stands under keys: they are around whatever its text says of itself.
    fn under<'s>(self, above: &'s Above, haystack: &[u8], span: &Span) -> Spot<'s> {
        if above.path.is_empty() {
            return Spot { key: self.key, path: self.path, above: None };
        }
        let beside = || (is_beside(haystack, span) && !above.last.is_empty()).then(|| above.last.clone());
        let path = self.path.filter(|path| !path.is_empty());
        Spot { key: self.key.or_else(beside), path, above: Some(&above.path) }
    }
}

impl Engine {
    /// The exemptions of the policy, by the index that a [`Tally`](super::Tally) counts them under.
    pub fn allows(&self) -> &[AllowEntry] {
        &self.policy.allow
    }

    /// Says which keys what is searched from now on stands under.
    pub(super) fn stand_under(&self, scratch: &mut Scratch, keys: KeyPath<'_>) {
        if self.allows.paths {
            let Above { path, last } = &mut scratch.above;
            path.clear();
            path.extend_from_slice(keys.path);
            last.clear();
            last.extend_from_slice(keys.last);
        }
    }

    /// Takes exempt findings out of `scratch.spans`.
    pub(super) fn exempt(&self, scratch: &mut Scratch, haystack: &[u8]) {
        scratch.exempted.clear();
        if self.allows.entries.is_empty() || scratch.spans.is_empty() {
            return;
        }
        let mut spans = std::mem::take(&mut scratch.spans);
        spans.sort_unstable_by_key(|span| span.start);
        let mut walk = Walk::default();
        spans.retain(|span| {
            let spot = if self.allows.paths {
                walk.spot(haystack, span).under(&scratch.above, haystack, span)
            } else {
                Spot::default()
            };
            let source = scratch.source.as_deref();
            let covers = |entry: &Entry| entry.covers(self, haystack, span, source, &spot);
            let entry = self.allows.entries.iter().position(covers);
            scratch.exempted.extend(entry.map(|entry| (*span, entry)));
            entry.is_none()
        });
        scratch.spans = spans;
    }
}

/// A walk through the JSON of one record after the other, from value to value: each byte is looked at once.
#[derive(Default)]
struct Walk {
    record: Range<usize>,
    at: usize,
    /// The keys around `at`; an array has none.
    keys: Vec<Range<usize>>,
    /// Whether each object or array around `at` is an object whose key is to come.
    open: Vec<Open>,
    /// How many more there are, beyond [`MAX_DEPTH`]: their keys are not known.
    deeper: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// An array.
    Array,
    /// An object, before a key.
    Key,
    /// An object, behind a key.
    Value,
}

impl Walk {
    fn spot(&mut self, haystack: &[u8], span: &Span) -> Spot<'static> {
        let key = key_beside(haystack, span).map(|key| haystack[key].to_vec());
        if !self.record.contains(&span.start) {
            let start = memrchr(b'\n', &haystack[..span.start]).map_or(0, |newline| newline + 1);
            let end = memchr(b'\n', &haystack[span.start..]).map_or(haystack.len(), |len| span.start + len);
            *self = Walk { record: start..end, at: start, ..Walk::default() };
        }
        self.go_to(haystack, span.start);
        let keys: Vec<&[u8]> =
            self.keys.iter().filter(|key| !key.is_empty()).map(|key| &haystack[key.clone()]).collect();
        let path = if keys.is_empty() { key.clone().unwrap_or_default() } else { keys.join(&b'.') };
        Spot { key, path: Some(path), above: None }
    }

    /// Up to the token that `to` stands in.
    fn go_to(&mut self, haystack: &[u8], to: usize) {
        while self.at < to {
            let byte = haystack[self.at];
            let next = match byte {
                b'"' => end_of_string(haystack, self.at, self.record.end),
                _ => self.at + 1,
            };
            if next > to {
                return;
            }
            self.step(byte, self.at + 1..next.saturating_sub(1).max(self.at + 1));
            self.at = next;
        }
    }

    /// Goes behind a byte or a string, whose text stands at `text`.
    fn step(&mut self, byte: u8, text: Range<usize>) {
        let full = self.open.len() == MAX_DEPTH;
        match (byte, self.open.last_mut()) {
            (b'{' | b'[', _) if full => self.deeper += 1,
            (b'{' | b'[', _) => {
                self.open.push(if byte == b'{' { Open::Key } else { Open::Array });
                self.keys.push(0..0);
            }
            (b'}' | b']', Some(_)) if self.deeper > 0 => self.deeper -= 1,
            (_, Some(_)) if self.deeper > 0 => {}
            (b'}' | b']', Some(_)) => {
                self.open.pop();
                self.keys.pop();
            }
            (b'"', Some(Open::Key)) => {
                if let Some(key) = self.keys.last_mut() {
                    *key = text;
                }
            }
            (b':', Some(open @ Open::Key)) => *open = Open::Value,
            (b',', Some(open @ Open::Value)) => *open = Open::Key,
            _ => {}
        }
    }
}

/// Behind the quote that closes the string which opens at `at`.
fn end_of_string(haystack: &[u8], at: usize, end: usize) -> usize {
    let mut next = at + 1;
    while next < end {
        match haystack[next] {
            b'\\' => next += 2,
            b'"' => return next + 1,
            _ => next += 1,
        }
    }
    end
}

/// Whether a finding is the value of the key that its field stands under: the whole of it, or what it begins with.
fn is_beside(haystack: &[u8], span: &Span) -> bool {
    matches!(span.why, Why::Key { start, end } if start == end)
        || span.start <= MAX_BRIDGE && haystack[..span.start].iter().all(|byte| b" \t\"'`\\".contains(byte))
}

/// The key right beside a finding: the one it was found by, or what stands before `=`, `:` or `=>`.
pub(super) fn key_beside(haystack: &[u8], span: &Span) -> Option<Range<usize>> {
    if let Why::Key { start, end } = span.why
        && start < end
    {
        return Some(start..end);
    }
    let floor = span.start.saturating_sub(MAX_BRIDGE);
    let mut end = span.start;
    while end > floor && b" \t\"'`\\=:>".contains(&haystack[end - 1]) {
        end -= 1;
    }
    let bridge = &haystack[end..span.start];
    let len = haystack[..end].iter().rev().take_while(|byte| KEY_BYTES.contains(**byte)).count();
    (len > 0 && bridge.iter().any(|byte| b"=:".contains(byte))).then(|| end - len..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{HashKey, Known, KnownValue, Limits, Policy};
    use crate::rules::{Catalog, generator};

    fn engine(entries: Vec<AllowEntry>) -> Result<Engine, CompileError> {
        let policy = Policy { allow: entries, hash_key: HashKey::new(vec![7; 16]).ok(), ..Policy::default() };
        Engine::compile(Catalog::builtin().set, policy, &Limits::default())
    }

    /// What `entry` leaves of `text`, of which it left `left` findings in the clear.
    #[track_caller]
    fn check(entry: AllowEntry, text: &str, expected: &str, left: u64) {
        let engine = engine(vec![entry]).unwrap();
        let mut scratch = engine.scratch();
        scratch.read_from("logs/pay.log");
        let (masked, _, tally) =
            engine.redact(&mut scratch, &crate::engine::Carry::default(), text.as_bytes().to_vec().into());
        assert_eq!(String::from_utf8_lossy(masked.as_bytes()), expected);
        assert_eq!(tally.allowed.iter().map(|(_, count)| count).sum::<u64>(), left, "{text}");
    }

    fn rule(id: &str) -> AllowEntry {
        AllowEntry { rule: Some(id.to_owned()), ..AllowEntry::default() }
    }

    #[test]
    fn an_entry_takes_away_the_findings_it_names_and_no_others() {
        let text = "password=hunter2 token=abcdef123456";
        check(rule("token"), text, "password=REDACTED.password token=abcdef123456", 1);
        let masked = "password=REDACTED.password token=REDACTED.token";
        for (source, left) in [("*/pay.log", true), ("pay.log", false), ("logs/*", true)] {
            let entry = AllowEntry { source: Some(source.to_owned()), ..rule("password") };
            let expected = if left { "password=hunter2 token=REDACTED.token" } else { masked };
            check(entry, text, expected, left.into());
        }
        let value = |value| AllowEntry { value: Some(value), ..AllowEntry::default() };
        check(value(AllowValue::Literal(b"hunter2".to_vec())), text, "password=hunter2 token=REDACTED.token", 1);
        check(value(AllowValue::Literal(b"hunter".to_vec())), text, masked, 0);
        check(value(AllowValue::Regex("hunt[a-z0-9]+".to_owned())), text, "password=hunter2 token=REDACTED.token", 1);
        check(value(AllowValue::Regex("hunt".to_owned())), text, masked, 0);
        let own = engine(Vec::new()).unwrap().fingerprint(Purpose::Allow, b"hunter2").unwrap();
        check(value(AllowValue::Fingerprint(own)), text, "password=hunter2 token=REDACTED.token", 1);
    }

    #[test]
    fn a_path_is_the_key_beside_the_value_or_all_keys_of_json() {
        let path = |path: &str| AllowEntry { path: Some(path.to_owned()), ..AllowEntry::default() };
        let json = r#"x {"a":[{"b":{"token":"hunter2a"}}],"token":"hunter2b","s":"{\"token\":\"hunter2c\"}"}"#;
        let masked = |left: &[u8]| {
            let mut text = json.to_owned();
            for letter in *b"abc" {
                if !left.contains(&letter) {
                    text = text.replace(&format!("hunter2{}", char::from(letter)), "[REDACTED:token]");
                }
            }
            text
        };
        check(path("a.b.token"), json, &masked(b"a"), 1);
        check(path("token"), json, &masked(b"abc"), 3);
        check(path("s"), json, &masked(b"c"), 1);
        check(path("a.*"), json, &masked(b"a"), 1);
        check(path("b.token"), json, &masked(b""), 0);
        let shaped = generator::expand("see debug=ghp_{alnum:36} and x: ghp_{alnum:36}", 4).unwrap();
        let second = shaped.split_once("x: ").unwrap().1;
        check(path("debug"), &shaped, &shaped.replace(second, "[REDACTED:github-token]"), 1);
    }

    #[test]
    fn a_known_value_and_a_passed_checksum_stay_masked_unless_forced() {
        let valid = generator::expand("use ghp_{crc32_base62:30} now", 4).unwrap();
        check(rule("github-token"), &valid, "use [REDACTED:github-token] now", 0);
        check(AllowEntry { force: true, ..rule("github-token") }, &valid, &valid, 1);
        let (known, _) = Known::new(vec![KnownValue { name: "K".to_owned(), value: b"kfjqmxzw".to_vec() }]);
        let engine = engine(vec![rule("known-value")]).unwrap().with_known(known.into(), None).unwrap();
        assert_eq!(engine.find(&mut engine.scratch(), b"x kfjqmxzw").len(), 1);
    }

    #[test]
    fn what_is_wrong_with_an_entry_is_said_with_its_place() {
        let cases = [
            (AllowEntry::default(), "an allow entry names a rule, a value, a path or a source"),
            (rule("no-rule"), "unknown rule `no-rule`"),
            (AllowEntry { value: Some(AllowValue::Regex("(".to_owned())), ..AllowEntry::default() }, "`(`: "),
        ];
        for (entry, said) in cases {
            let error = engine(vec![AllowEntry { place: "a.toml:3".to_owned(), ..entry }]).err().unwrap().to_string();
            assert!(error.starts_with(&format!("a.toml:3: {said}")), "{error}");
        }
    }
}

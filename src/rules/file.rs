//! Reads the text of one rule file. Not the reading of files from a disk, nor the compiling of what they say: a wrong
//! pattern is found by the engine.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error, ValueDeserializer};

use super::error::RuleError;
use super::{Catalog, Notes};
use crate::engine::{Allow, AllowTarget, KEYWORD_BYTES};
use crate::engine::{Category, Grammar, KeyRule, KeyValue, KeyWords, Matcher, Origin, Rule, Validator, ValidatorRole};

const MATCHERS: &str = "exactly one of pattern, keys, grammar";
pub(super) const MAX_ID_LEN: usize = 64;

pub(super) const KEY_VALUES: &[(&str, KeyValue)] = &[
    ("secret", KeyValue::Secret),
    ("authorization", KeyValue::Authorization),
    ("cookie", KeyValue::Cookie),
    ("connection", KeyValue::Connection),
    ("random", KeyValue::Random),
];
pub(super) const GRAMMARS: &[(&str, Grammar)] =
    &[("userinfo", Grammar::Userinfo), ("private-key", Grammar::PrivateKey), ("known-value", Grammar::Known)];
pub(super) const TARGETS: &[(&str, AllowTarget)] =
    &[("secret", AllowTarget::Secret), ("match", AllowTarget::Match), ("line", AllowTarget::Line)];
pub(super) const CONDITIONS: &[(&str, bool)] = &[("any", false), ("all", true)];
pub(super) const ROLES: &[(&str, ValidatorRole)] =
    &[("label", ValidatorRole::Label), ("required", ValidatorRole::Required)];

/// A `[[rule]]` table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleTable {
    id: Spanned<String>,
    summary: Spanned<String>,
    category: Spanned<String>,
    pattern: Option<Spanned<String>>,
    keys: Option<Spanned<Vec<Spanned<String>>>>,
    grammar: Option<Spanned<String>>,
    value: Option<Spanned<String>>,
    numbers: Option<Spanned<bool>>,
    neutral_after: Option<Spanned<Vec<Spanned<String>>>>,
    neutral_before: Option<Spanned<Vec<Spanned<String>>>>,
    validator: Option<Spanned<String>>,
    validator_role: Option<Spanned<String>>,
    always_scan: Option<Spanned<bool>>,
    keywords: Option<Spanned<Vec<Spanned<String>>>>,
    min_entropy: Option<Spanned<f32>>,
    allow: Option<Spanned<Vec<AllowTable>>>,
    whole_value: Option<Spanned<bool>>,
    #[serde(default)]
    shadow: bool,
    #[serde(default)]
    examples: Vec<String>,
    #[serde(default)]
    counter_examples: Vec<String>,
    #[serde(default)]
    known_misses: Vec<String>,
    #[serde(default)]
    references: Vec<String>,
}

/// A `[[rule.allow]]` table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowTable {
    target: Option<Spanned<String>>,
    #[serde(default)]
    regexes: Vec<String>,
    #[serde(default)]
    stopwords: Vec<String>,
    condition: Option<Spanned<String>>,
}

/// The `[key_words]` table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyWordsTable {
    #[serde(default)]
    neutral_after: Vec<Spanned<String>>,
    #[serde(default)]
    neutral_before: Vec<Spanned<String>>,
    #[serde(default)]
    neutral_leaf: Vec<Spanned<String>>,
}

/// What is wrong, and the bytes of the file that say it.
pub(super) struct Fault {
    pub(super) at: Range<usize>,
    pub(super) reason: String,
}

impl Fault {
    pub(super) fn new<T>(at: Range<usize>, reason: impl Into<String>) -> Result<T, Fault> {
        Err(Fault { at, reason: reason.into() })
    }
}

/// The rules, notes and key words that `text` spells.
pub(super) fn parse(name: &str, text: &str) -> Result<Catalog, RuleError> {
    let source = Source::new(name, text);
    let root = DeTable::parse(text).map_err(|error| source.file_error(&explained(&error)))?;
    let mut catalog = Catalog::default();
    let mut shared = Vec::new();
    for (key, value) in root.into_inner() {
        match key.get_ref().as_ref() {
            "rule" => source.rules(value, &mut catalog)?,
            "key_words" => catalog.set.key_words = source.key_words(value)?,
            "allow" => shared = source.shared_allows(value)?,
            other => {
                let reason = format!("unknown table `{other}`; known: rule, key_words, allow");
                return Err(source.file_error(&Fault { at: key.span(), reason }));
            }
        }
    }
    for rule in catalog.set.rules.iter_mut().filter(|rule| matches!(rule.matcher, Matcher::Pattern(_))) {
        rule.allow.extend_from_slice(&shared);
    }
    Ok(catalog)
}

/// A file's name and where its lines begin.
pub(super) struct Source<'a> {
    name: &'a str,
    text: &'a str,
    /// Offsets of all newlines, ascending.
    newlines: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(super) fn new(name: &'a str, text: &'a str) -> Source<'a> {
        Source { name, text, newlines: memchr::memchr_iter(b'\n', text.as_bytes()).collect() }
    }

    pub(super) fn origin(&self, offset: usize) -> Origin {
        let line = self.newlines.partition_point(|&newline| newline < offset) + 1;
        Origin { file: self.name.to_owned(), line }
    }

    pub(super) fn file_error(&self, fault: &Fault) -> RuleError {
        RuleError::File { origin: self.origin(fault.at.start), reason: fault.reason.clone() }
    }

    fn rules(&self, value: Spanned<DeValue<'a>>, catalog: &mut Catalog) -> Result<(), RuleError> {
        let at = value.span();
        let DeValue::Array(tables) = value.into_inner() else {
            return Err(self.file_error(&Fault { at, reason: "a rule is a table: [[rule]]".to_owned() }));
        };
        for table in tables {
            let (rule, notes) = self.rule(table)?;
            catalog.push(rule, notes)?;
        }
        Ok(())
    }

    fn rule(&self, table: Spanned<DeValue<'a>>) -> Result<(Rule, Notes), RuleError> {
        let at = table.span();
        let id = table.get_ref().get("id").and_then(|id| id.get_ref().as_str().map(str::to_owned));
        let origin = self.origin(at.start);
        let parsed = RuleTable::deserialize(ValueDeserializer::from(table));
        let built = parsed.map_err(|error| self.field_fault(&error)).and_then(|table| table.build(&at, origin));
        built.map_err(|fault| match id {
            Some(rule) => RuleError::Rule { origin: self.origin(fault.at.start), rule, reason: fault.reason },
            None => self.file_error(&fault),
        })
    }

    /// The `[[allow]]` tables of the file, which hold for every pattern in it.
    fn shared_allows(&self, value: Spanned<DeValue<'a>>) -> Result<Vec<Allow>, RuleError> {
        let at = value.span();
        let parsed = Vec::<AllowTable>::deserialize(ValueDeserializer::from(value));
        let built = parsed.map_err(|error| explained(&error)).and_then(|tables| allows(Spanned::new(at, tables)));
        built.map_err(|fault| self.file_error(&fault))
    }

    fn key_words(&self, value: Spanned<DeValue<'a>>) -> Result<KeyWords, RuleError> {
        let parsed = KeyWordsTable::deserialize(ValueDeserializer::from(value));
        let built = parsed.map_err(|error| explained(&error)).and_then(|table| {
            Ok(KeyWords {
                neutral_after: words(table.neutral_after)?,
                neutral_before: words(table.neutral_before)?,
                neutral_leaf: words(table.neutral_leaf)?,
            })
        });
        built.map_err(|Fault { at, reason }| self.file_error(&Fault { at, reason: format!("key_words: {reason}") }))
    }

    /// As [`explained`], naming the field a value of the wrong type belongs to. The text is parsed once more to find it:
    /// this is the way of an error, and the way of a good file should not pay for it.
    fn field_fault(&self, error: &Error) -> Fault {
        let mut fault = explained(error);
        let root = DeTable::parse(self.text).map(Spanned::into_inner).unwrap_or_default();
        let tables = root.get("rule").and_then(|rules| rules.get_ref().as_array());
        let mut fields = tables.into_iter().flatten().filter_map(|table| table.get_ref().as_table()).flatten();
        if let Some((name, _)) = fields.find(|(_, value)| value.span().contains(&fault.at.start)) {
            fault.reason = format!("field `{}`: {}", name.get_ref(), fault.reason);
        }
        fault
    }
}

impl RuleTable {
    fn build(mut self, table: &Range<usize>, origin: Origin) -> Result<(Rule, Notes), Fault> {
        self.check_company()?;
        let rule = Rule {
            matcher: self.matcher(table)?,
            id: kebab_case(self.id)?,
            summary: one_line("summary", self.summary)?,
            category: category(&self.category)?,
            validator: self.validator.as_ref().map(validator).transpose()?,
            validator_role: choice("validator_role", self.validator_role.as_ref(), ROLES)?.unwrap_or_default(),
            always_scan: self.always_scan.is_some_and(Spanned::into_inner),
            keywords: self.keywords.map(keywords).transpose()?.unwrap_or_default(),
            min_entropy: self.min_entropy.map(entropy).transpose()?,
            allow: self.allow.map(allows).transpose()?.unwrap_or_default(),
            whole_value: self.whole_value.is_some_and(Spanned::into_inner),
            shadow: self.shadow,
            origin,
        };
        let notes = Notes {
            examples: self.examples,
            counter_examples: self.counter_examples,
            known_misses: self.known_misses,
            references: self.references,
        };
        Ok((rule, notes))
    }

    /// Refuses a field that means nothing without another: what is ignored silently is believed to work.
    fn check_company(&self) -> Result<(), Fault> {
        let (keys, pattern, validator) = (self.keys.is_some(), self.pattern.is_some(), self.validator.is_some());
        let companions = [
            ("value", self.value.as_ref().map(Spanned::span), "keys", keys),
            ("numbers", self.numbers.as_ref().map(Spanned::span), "keys", keys),
            ("neutral_after", self.neutral_after.as_ref().map(Spanned::span), "keys", keys),
            ("neutral_before", self.neutral_before.as_ref().map(Spanned::span), "keys", keys),
            ("validator", self.validator.as_ref().map(Spanned::span), "pattern", pattern),
            ("validator_role", self.validator_role.as_ref().map(Spanned::span), "validator", validator),
            ("always_scan", self.always_scan.as_ref().map(Spanned::span), "pattern", pattern),
            ("keywords", self.keywords.as_ref().map(Spanned::span), "pattern", pattern),
            ("min_entropy", self.min_entropy.as_ref().map(Spanned::span), "pattern", pattern),
            ("allow", self.allow.as_ref().map(Spanned::span), "pattern", pattern),
            ("whole_value", self.whole_value.as_ref().map(Spanned::span), "pattern", pattern),
        ];
        let lonely = companions.into_iter().find(|(_, span, _, present)| span.is_some() && !present);
        let Some((field, Some(span), other, _)) = lonely else { return self.check_lookup() };
        Fault::new(span, format!("field `{field}` goes only with `{other}`"))
    }

    fn check_lookup(&self) -> Result<(), Fault> {
        let always = self.always_scan.as_ref().is_some_and(|always| *always.get_ref());
        match &self.keywords {
            Some(words) if always => Fault::new(
                words.span(),
                "field `keywords` names some records and `always_scan` means all; a rule has one of them",
            ),
            _ => Ok(()),
        }
    }

    /// The one matcher of the rule; its parts are taken out of the table.
    fn matcher(&mut self, table: &Range<usize>) -> Result<Matcher, Fault> {
        let key_value = choice("value", self.value.as_ref(), KEY_VALUES)?.unwrap_or_default();
        match (self.pattern.take(), self.keys.take(), self.grammar.take()) {
            (Some(pattern), None, None) => pattern_text(pattern).map(Matcher::Pattern),
            (None, Some(keys), None) => Ok(Matcher::Keys(KeyRule {
                keys: key_names(keys)?,
                value: key_value,
                numbers: self.numbers.take().is_some_and(Spanned::into_inner),
                neutral_after: words(self.neutral_after.take().map(Spanned::into_inner).unwrap_or_default())?,
                neutral_before: words(self.neutral_before.take().map(Spanned::into_inner).unwrap_or_default())?,
            })),
            (None, None, Some(grammar)) => one_of("grammar", &grammar, GRAMMARS).map(Matcher::Grammar),
            (None, None, None) => Fault::new(table.clone(), format!("no matcher; a rule has {MATCHERS}")),
            (pattern, keys, grammar) => {
                let spans = [pattern.map(|it| it.span()), keys.map(|it| it.span()), grammar.map(|it| it.span())];
                let last = spans.into_iter().flatten().max_by_key(|span| span.start).unwrap_or_else(|| table.clone());
                Fault::new(last, format!("two matchers; a rule has {MATCHERS}"))
            }
        }
    }
}

fn pattern_text(pattern: Spanned<String>) -> Result<String, Fault> {
    if pattern.get_ref().is_empty() {
        Fault::new(pattern.span(), "field `pattern` is empty")
    } else {
        Ok(pattern.into_inner())
    }
}

fn key_names(keys: Spanned<Vec<Spanned<String>>>) -> Result<Vec<String>, Fault> {
    let at = keys.span();
    let names = keys.into_inner();
    if names.is_empty() {
        return Fault::new(at, "field `keys` is empty");
    }
    let has_letter = |name: &str| name.bytes().any(|byte| byte.is_ascii_alphabetic());
    match names.iter().find(|name| !has_letter(name.get_ref()) || !name.get_ref().is_ascii()) {
        Some(name) => Fault::new(name.span(), format!("key `{}`: a key is ASCII and has a letter", name.get_ref())),
        None => Ok(names.into_iter().map(Spanned::into_inner).collect()),
    }
}

/// Texts by which the prefilter finds the records of a rule.
fn keywords(words: Spanned<Vec<Spanned<String>>>) -> Result<Vec<String>, Fault> {
    let (at, (min, max)) = (words.span(), KEYWORD_BYTES.into_inner());
    let words = words.into_inner();
    if words.is_empty() {
        return Fault::new(at, "field `keywords` is empty");
    }
    let fits = |word: &str| KEYWORD_BYTES.contains(&word.len()) && !word.contains(['\n', '\r']);
    match words.iter().find(|word| !fits(word.get_ref())) {
        Some(word) => Fault::new(word.span(), format!("a keyword has {min} to {max} bytes and no line end")),
        None => Ok(words.into_iter().map(Spanned::into_inner).collect()),
    }
}

fn entropy(floor: Spanned<f32>) -> Result<f32, Fault> {
    if (0.0..=8.0).contains(floor.get_ref()) {
        return Ok(floor.into_inner());
    }
    Fault::new(floor.span(), "field `min_entropy` is a number of bits per byte, from 0 to 8")
}

fn allows(tables: Spanned<Vec<AllowTable>>) -> Result<Vec<Allow>, Fault> {
    let at = tables.span();
    let build = |table: AllowTable| {
        if table.regexes.is_empty() && table.stopwords.is_empty() || table.stopwords.iter().any(String::is_empty) {
            return Fault::new(
                at.clone(),
                "field `allow`: an entry has regexes, stopwords or both, and none of them is empty",
            );
        }
        let target = choice("target", table.target.as_ref(), TARGETS)?.unwrap_or_default();
        let both = choice("condition", table.condition.as_ref(), CONDITIONS)?.unwrap_or_default();
        Ok(Allow { target, regexes: table.regexes, stopwords: table.stopwords, both })
    };
    tables.into_inner().into_iter().map(build).collect()
}

/// Single words as the engine splits keys: lower-case letters only.
fn words(list: Vec<Spanned<String>>) -> Result<Vec<String>, Fault> {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    match list.iter().find(|word| !is_word(word.get_ref())) {
        Some(word) => Fault::new(word.span(), format!("`{}` is no single lower-case word", word.get_ref())),
        None => Ok(list.into_iter().map(Spanned::into_inner).collect()),
    }
}

pub(super) fn kebab_case(id: Spanned<String>) -> Result<String, Fault> {
    let part =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let text = id.get_ref();
    if text.len() <= MAX_ID_LEN && text.split('-').all(part) && text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Ok(id.into_inner());
    }
    Fault::new(id.span(), format!("an id is kebab-case, begins with a letter and has at most {MAX_ID_LEN} characters"))
}

fn one_line(field: &str, text: Spanned<String>) -> Result<String, Fault> {
    if text.get_ref().trim().is_empty() || text.get_ref().contains('\n') {
        return Fault::new(text.span(), format!("field `{field}` is one line of text"));
    }
    Ok(text.into_inner())
}

fn category(name: &Spanned<String>) -> Result<Category, Fault> {
    Category::named(name.get_ref()).map_or_else(|| unknown("category", name, Category::ALL.map(Category::name)), Ok)
}

fn validator(name: &Spanned<String>) -> Result<Validator, Fault> {
    Validator::named(name.get_ref()).map_or_else(|| unknown("validator", name, Validator::names()), Ok)
}

fn choice<T: Copy>(field: &str, name: Option<&Spanned<String>>, known: &[(&str, T)]) -> Result<Option<T>, Fault> {
    name.map(|name| one_of(field, name, known)).transpose()
}

fn one_of<T: Copy>(field: &str, name: &Spanned<String>, known: &[(&str, T)]) -> Result<T, Fault> {
    match known.iter().find(|(known, _)| known == name.get_ref()) {
        Some((_, value)) => Ok(*value),
        None => unknown(field, name, known.iter().map(|(name, _)| *name)),
    }
}

fn unknown<'n, T>(what: &str, name: &Spanned<String>, known: impl IntoIterator<Item = &'n str>) -> Result<T, Fault> {
    let known: Vec<&str> = known.into_iter().collect();
    Fault::new(name.span(), format!("unknown {what} `{}`; known: {}", name.get_ref(), known.join(", ")))
}

/// A parser's message in the words of ours: one line, and the known fields as a plain list.
pub(super) fn explained(error: &Error) -> Fault {
    let message = error.message().trim().replace('\n', ", ");
    let reason = match message.split_once(", expected one of ") {
        Some((unknown, known)) if unknown.starts_with("unknown field") => {
            format!("{unknown}; known: {}", known.replace('`', ""))
        }
        _ => message,
    };
    Fault { at: error.span().unwrap_or_default(), reason }
}

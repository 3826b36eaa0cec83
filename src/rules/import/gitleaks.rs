//! Reads the rule files of gitleaks. Field names are read whatever their case, as gitleaks reads them. Fields it does not know
//! become notes, because a file for a newer gitleaks is no error; a rule that cannot work here is one.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::regex::{self, Wanted};
use super::{ImportNote, Imported, shortened};
use crate::engine::{Allow, AllowTarget, Category, KEYWORD_BYTES, Matcher, Rule, ValidatorRole};
use crate::engine::{check_allow, is_rare, study};
use crate::rules::file::{Fault, Source, explained, kebab_case};
use crate::rules::{Notes, RuleError};

/// What a search without a literal costs; measured on one core of a current server, on service logs.
const PRICE: &str = "a regex alone reads 15 to 35 MB/s on one core, where literals read more than 1,000";

/// The rules that `text`, a gitleaks file named `file_name`, spells.
///
/// # Errors
/// When the text is no TOML, a field has the wrong type, two rules have one id, or a regex cannot be used.
pub fn gitleaks(file_name: &str, text: &str) -> Result<Imported, RuleError> {
    let source = Source::new(file_name, text);
    let root = DeTable::parse(text).map_err(|error| source.file_error(&explained(&error)))?;
    let mut reader = Reader::default();
    reader.file(&source, &mut Fields { table: root.into_inner(), at: 0..text.len() })?;
    Ok(reader.imported)
}

/// Whether `text` is a rule file of gitleaks and not one of ours: `[[rules]]`, not `[[rule]]`.
pub fn looks_like_gitleaks(text: &str) -> bool {
    let is_table = |line: &str| {
        let name = line.trim().trim_start_matches('[').split([']', '.']).next().unwrap_or_default().trim();
        line.trim_start().starts_with('[') && ["rules", "allowlist", "allowlists", "extend"].contains(&name)
    };
    match DeTable::parse(text) {
        Ok(root) => {
            let has = |name: &str| root.get_ref().keys().any(|key| key.get_ref().eq_ignore_ascii_case(name));
            !has("rule") && !has("key_words") && ["rules", "allowlist", "allowlists", "extend"].into_iter().any(has)
        }
        Err(_) => text.lines().any(is_table),
    }
}

/// A file half read.
#[derive(Default)]
struct Reader {
    imported: Imported,
    /// Whether the file builds on another set.
    extends: bool,
    /// The file's own allowlists, and the ids (as they are imported) they are for; none means all.
    shared: Vec<(Vec<String>, Allow)>,
    /// The lines of rules whose regex speaks of the ends of a file.
    edges: Vec<usize>,
    /// The lines of rules whose keywords their patterns imply.
    spared: Vec<usize>,
}

/// A rule half read.
struct Draft {
    id: String,
    line: usize,
    notes: Vec<ImportNote>,
    /// Whether its regex speaks of the ends of a file.
    edges: bool,
    /// Whether its keywords say nothing that its pattern does not say.
    spared: bool,
}

impl Draft {
    fn new(id: String, line: usize) -> Draft {
        Draft { id, line, notes: Vec::new(), edges: false, spared: false }
    }

    fn note(&mut self, what: impl Into<String>) {
        self.notes.push(ImportNote { rule: self.id.clone(), line: self.line, what: what.into() });
    }
}

impl Reader {
    fn file(&mut self, source: &Source<'_>, fields: &mut Fields<'_>) -> Result<(), RuleError> {
        let at_file = |fault: Fault| source.file_error(&fault);
        self.extend(source, fields).map_err(at_file)?;
        self.allowlists(source, fields).map_err(at_file)?;
        let rules = fields.tables("rules").map_err(at_file)?;
        for rule in rules {
            self.rule(source, rule)?;
        }
        for known in ["title", "description", "version", "minversion"] {
            fields.take(known);
        }
        for (name, at) in fields.rest() {
            self.note_file(source, &at, format!("`{name}` is unknown and not kept"));
        }
        self.note_crowds();
        self.imported.notes.sort_by_key(|note| note.line);
        Ok(())
    }

    fn note_file(&mut self, source: &Source<'_>, at: &Range<usize>, what: String) {
        self.imported.notes.push(ImportNote { rule: String::new(), line: source.origin(at.start).line, what });
    }

    fn extend(&mut self, source: &Source<'_>, fields: &mut Fields<'_>) -> Result<(), Fault> {
        let Some(mut extend) = fields.table("extend")? else { return Ok(()) };
        self.extends = true;
        let at = extend.at.clone();
        if extend.boolean("usedefault")? {
            self.note_file(
                source,
                &at,
                "extend.useDefault: the rules built in here stand in for the default ones".to_owned(),
            );
        }
        for field in ["path", "url"] {
            if let Some(other) = extend.string(field)? {
                let what = format!("extend.{field}: `{}` is not read; import it by itself", other.get_ref());
                self.note_file(source, &other.span(), what);
            }
        }
        for id in extend.strings("disabledrules")? {
            let what = format!(
                "extend.disabledRules: `{}` is switched off only if a rule of that id is built in",
                id.get_ref()
            );
            self.note_file(source, &id.span(), what);
            self.imported.disabled.push(id.into_inner());
        }
        for (name, at) in extend.rest() {
            self.note_file(source, &at, format!("extend.{name} is unknown and not kept"));
        }
        Ok(())
    }

    /// The file's own allowlists.
    fn allowlists(&mut self, source: &Source<'_>, fields: &mut Fields<'_>) -> Result<(), Fault> {
        for mut list in fields.lists()? {
            let line = source.origin(list.at.start).line;
            let mut draft = Draft::new(String::new(), line);
            let targets = list.strings("targetrules")?.into_iter().map(|id| kebab(id.get_ref())).collect();
            if let Some(allow) = allow(list, &mut draft)? {
                self.shared.push((targets, allow));
            }
            self.imported.notes.append(&mut draft.notes);
        }
        Ok(())
    }

    fn rule(&mut self, source: &Source<'_>, mut fields: Fields<'_>) -> Result<(), RuleError> {
        let at = fields.at.clone();
        let id = fields.string("id").map_err(|fault| source.file_error(&fault))?;
        let Some(id) = id else {
            return Err(source.file_error(&Fault { at, reason: "a rule has no id".to_owned() }));
        };
        let (written, origin) = (id.get_ref().clone(), source.origin(at.start));
        let refused = |fault: Fault| RuleError::Rule {
            origin: source.origin(fault.at.start),
            rule: written.clone(),
            reason: fault.reason,
        };
        let mut draft = named(&id, origin.line).map_err(refused)?;
        let rule = self.built(fields, &mut draft, &at).map_err(refused)?;
        if let Some(mut rule) = rule {
            rule.origin = origin;
            self.imported.catalog.push(rule, Notes::default())?;
        }
        self.edges.extend(draft.edges.then_some(draft.line));
        self.spared.extend(draft.spared.then_some(draft.line));
        self.imported.notes.append(&mut draft.notes);
        Ok(())
    }

    /// What holds for so many rules that it is said once.
    fn note_crowds(&mut self) {
        let edges = "`^`, `$`, `\\A` and `\\z` are the ends of a record here and not of a file, so that they stand in more places";
        let spared = "keywords are not kept, because every match holds one of them anyway";
        for (lines, what) in [(&self.edges, edges), (&self.spared, spared)] {
            let Some(line) = lines.first().copied() else { continue };
            let what = format!("in {} of the rules: {what}", lines.len());
            self.imported.notes.push(ImportNote { rule: String::new(), line, what });
        }
    }

    /// The rule, or nothing but a note where nothing of it can work here.
    fn built(&self, mut fields: Fields<'_>, draft: &mut Draft, at: &Range<usize>) -> Result<Option<Rule>, Fault> {
        let path = fields.string("path")?;
        let Some(regex) = fields.string("regex")?.filter(|regex| !regex.get_ref().is_empty()) else {
            return self.without_regex(path.is_some(), draft, at);
        };
        if path.is_some() {
            draft.note("`path` is not kept: the rule holds for every record, not for some files");
        }
        let matcher = matcher(&mut fields, &regex, draft)?;
        let words = keywords(&mut fields, draft)?;
        let mut rule = Rule {
            id: draft.id.clone(),
            summary: summary(&mut fields, draft)?,
            category: Category::Credential,
            matcher: Matcher::Pattern(matcher),
            validator: None,
            validator_role: ValidatorRole::Label,
            always_scan: false,
            whole_value: false,
            keywords: Vec::new(),
            min_entropy: floor(&mut fields)?,
            allow: self.exemptions(&mut fields, draft)?,
            shadow: false,
            origin: crate::engine::Origin::default(),
        };
        lookup(&mut rule, words, draft, regex.span())?;
        leftovers(&mut fields, &mut rule, draft)?;
        Ok(Some(rule))
    }

    fn without_regex(&self, has_path: bool, draft: &mut Draft, at: &Range<usize>) -> Result<Option<Rule>, Fault> {
        match (has_path, self.extends) {
            (true, _) => draft.note("not imported: it finds files by their path and has no regex"),
            (false, true) => {
                draft.note("not imported: it changes a rule of the set it extends and has no regex of its own");
            }
            (false, false) => {
                return Fault::new(at.clone(), "field `regex` is missing; a rule has a regex, a path or both");
            }
        }
        Ok(None)
    }

    /// The rule's own allowlists, then the file's.
    fn exemptions(&self, fields: &mut Fields<'_>, draft: &mut Draft) -> Result<Vec<Allow>, Fault> {
        let mut allows = Vec::new();
        for list in fields.lists()? {
            allows.extend(allow(list, draft)?);
        }
        let here = self.shared.iter().filter(|(ids, _)| ids.is_empty() || ids.contains(&draft.id));
        allows.extend(here.map(|(_, allow)| allow.clone()));
        Ok(allows)
    }
}

/// The draft of a rule, under an id of our form.
fn named(id: &Spanned<String>, line: usize) -> Result<Draft, Fault> {
    let ours = kebab(id.get_ref());
    let mut draft = Draft::new(kebab_case(Spanned::new(id.span(), ours))?, line);
    if draft.id != *id.get_ref() {
        draft.note(format!("its id was `{}`", id.get_ref()));
    }
    Ok(draft)
}

/// `id` in lower case, with `-` for other joints, and a letter in front.
fn kebab(id: &str) -> String {
    let joint = |c: char| if matches!(c, '_' | '.' | ' ' | '/' | ':') { '-' } else { c.to_ascii_lowercase() };
    let joined: String = id.trim().chars().map(joint).collect();
    let parts: Vec<&str> = joined.split('-').filter(|part| !part.is_empty()).collect();
    let digit = joined.starts_with(|c: char| c.is_ascii_digit());
    shortened(&format!("{}{}", if digit { "rule-" } else { "" }, parts.join("-")))
}

/// The regex as a pattern of ours.
fn matcher(fields: &mut Fields<'_>, regex: &Spanned<String>, draft: &mut Draft) -> Result<String, Fault> {
    let group = fields.integer("secretgroup")?;
    let at = group.as_ref().map_or_else(|| regex.span(), Spanned::span);
    let wanted = match group.map(Spanned::into_inner) {
        None => Wanted::Default,
        Some(0) => Wanted::Whole,
        Some(number @ 1..=999) => Wanted::Group(number as usize),
        Some(_) => return Fault::new(at, "field `secretGroup` is the number of a group, or 0 for the whole match"),
    };
    let converted = match regex::pattern(regex.get_ref(), wanted) {
        Ok(converted) => converted,
        Err(reason) => return Fault::new(if reason.starts_with("secretGroup") { at } else { regex.span() }, reason),
    };
    draft.edges = converted.edges;
    if converted.widened {
        draft.note("its first group is not in every match, so that the whole match is masked");
    }
    Ok(converted.pattern)
}

/// The keywords that can be sought.
fn keywords(fields: &mut Fields<'_>, draft: &mut Draft) -> Result<Vec<String>, Fault> {
    let (min, max) = KEYWORD_BYTES.into_inner();
    let mut words: Vec<String> = Vec::new();
    let listed = fields.strings("keywords")?;
    if let Some(short) = listed.iter().find(|word| word.get_ref().len() < min || word.get_ref().contains('\n')) {
        draft.note(format!(
            "keywords are not kept: `{}` stands in every record or in none",
            short.get_ref().escape_debug()
        ));
        return Ok(words);
    }
    for word in listed {
        let mut word = word.into_inner().to_ascii_lowercase();
        if word.len() > max {
            draft.note(format!("of keyword `{word}` only the first {max} bytes are sought"));
        }
        while word.len() > max {
            word.pop();
        }
        if !words.contains(&word) {
            words.push(word);
        }
    }
    Ok(words)
}

/// How the rule is brought to its records; what that costs, where it costs much.
fn lookup(rule: &mut Rule, words: Vec<String>, draft: &mut Draft, at: Range<usize>) -> Result<(), Fault> {
    let Matcher::Pattern(pattern) = &rule.matcher else { return Ok(()) };
    let study = match study(pattern, &words) {
        Ok(study) => study,
        Err(reason) => return Fault::new(at, reason),
    };
    if study.spans_records {
        draft.note("every match holds a line end, and a record does not: it finds nothing but in escaped text");
    }
    match (study.anchored, words.is_empty()) {
        (true, true) => {}
        (true, false) if study.implied => draft.spared = true,
        (false, true) => {
            rule.always_scan = true;
            draft.note(format!(
                "always_scan: no literal and no keyword says where it may match, so that it reads every record; {PRICE}"
            ));
        }
        (anchored, false) => {
            rule.keywords = words;
            if !study.implied {
                draft.note("keywords must stand in the record of the secret, not anywhere in the file");
            }
            if let Some(word) = rule.keywords.iter().find(|word| !anchored && !is_rare(word)) {
                draft.note(format!("keyword `{word}` stands in many records, and the whole of each is read; {PRICE}"));
            }
        }
    }
    Ok(())
}

fn summary(fields: &mut Fields<'_>, draft: &Draft) -> Result<String, Fault> {
    let text = fields.string("description")?.map(Spanned::into_inner).unwrap_or_default();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(if line.is_empty() { draft.id.replace('-', " ") } else { line })
}

fn floor(fields: &mut Fields<'_>) -> Result<Option<f32>, Fault> {
    match fields.number("entropy")? {
        Some(floor) if !(0.0..=8.0).contains(floor.get_ref()) => {
            Fault::new(floor.span(), "field `entropy` is a number of bits per byte, from 0 to 8")
        }
        floor => Ok(floor.map(|floor| floor.into_inner() as f32).filter(|floor| *floor > 0.0)),
    }
}

/// Fields that mean nothing here, or something else.
fn leftovers(fields: &mut Fields<'_>, rule: &mut Rule, draft: &mut Draft) -> Result<(), Fault> {
    if fields.boolean("skipreport")? {
        rule.shadow = true;
        draft.note("skipReport: it is counted and does not mask (`shadow = true`)");
    }
    if fields.take("required").is_some() {
        draft.note("`required` is not kept: it finds its secrets also where the other rules it requires find nothing");
    }
    if fields.take("tags").is_some() {
        draft.note("`tags` are not kept");
    }
    for (name, _) in fields.rest() {
        draft.note(format!("`{name}` is unknown and not kept"));
    }
    Ok(())
}

/// One allowlist, as far as it can be kept. What is left out of it exempts less, never more.
fn allow(mut list: Fields<'_>, draft: &mut Draft) -> Result<Option<Allow>, Fault> {
    let at = list.at.clone();
    let both = condition(&mut list)?;
    let target = target(&mut list)?;
    list.take("description");
    let mut elsewhere = Vec::new();
    for field in ["paths", "commits"] {
        if !list.strings(field)?.is_empty() {
            elsewhere.push(field);
        }
    }
    let mut regexes = Vec::new();
    for regex in list.strings("regexes")? {
        match regex::exemption(regex.get_ref()) {
            Ok(text) => regexes.push(text),
            Err(reason) => return Fault::new(regex.span(), format!("allowlist: {reason}")),
        }
    }
    let stopwords: Vec<String> = list.strings("stopwords")?.into_iter().map(Spanned::into_inner).collect();
    for (name, _) in list.rest() {
        draft.note(format!("allowlist: `{name}` is unknown and not kept"));
    }
    let names = elsewhere.join(" and ");
    if both && !elsewhere.is_empty() {
        draft.note(format!("an allowlist is not kept: it needs {names}, which a log does not have"));
        return Ok(None);
    }
    if !elsewhere.is_empty() {
        draft.note(format!("allowlist: {names} are not kept; a log has none"));
    }
    if stopwords.iter().any(String::is_empty) {
        return Fault::new(at, "allowlist: a stopword is empty and would exempt everything");
    }
    if regexes.is_empty() && stopwords.is_empty() {
        return Ok(None);
    }
    let allow = Allow { target, regexes, stopwords, both };
    match check_allow(&allow) {
        Ok(()) => Ok(Some(allow)),
        Err(reason) => Fault::new(at, format!("allowlist: {reason}")),
    }
}

fn condition(list: &mut Fields<'_>) -> Result<bool, Fault> {
    let Some(word) = list.string("condition")? else { return Ok(false) };
    match word.get_ref().to_ascii_uppercase().as_str() {
        "AND" | "&&" => Ok(true),
        "OR" | "||" | "" => Ok(false),
        _ => Fault::new(word.span(), format!("unknown condition `{}`; known: AND, OR", word.get_ref())),
    }
}

fn target(list: &mut Fields<'_>) -> Result<AllowTarget, Fault> {
    let Some(word) = list.string("regextarget")? else { return Ok(AllowTarget::Secret) };
    match word.get_ref().to_ascii_lowercase().as_str() {
        "secret" | "" => Ok(AllowTarget::Secret),
        "match" => Ok(AllowTarget::Match),
        "line" => Ok(AllowTarget::Line),
        _ => Fault::new(word.span(), format!("unknown regexTarget `{}`; known: match, line, secret", word.get_ref())),
    }
}

/// The fields of a table that were not taken yet.
struct Fields<'a> {
    table: DeTable<'a>,
    at: Range<usize>,
}

impl<'a> Fields<'a> {
    /// Takes the field of this name, written in lower case here and in any case there.
    fn take(&mut self, name: &str) -> Option<Spanned<DeValue<'a>>> {
        let key = self.table.keys().find(|key| key.get_ref().eq_ignore_ascii_case(name)).cloned()?;
        self.table.remove(&key)
    }

    /// Names and places of what was not taken.
    fn rest(&self) -> Vec<(String, Range<usize>)> {
        self.table.keys().map(|key| (key.get_ref().to_string(), key.span())).collect()
    }

    fn string(&mut self, name: &str) -> Result<Option<Spanned<String>>, Fault> {
        self.take(name).map(|value| text(name, value)).transpose()
    }

    fn strings(&mut self, name: &str) -> Result<Vec<Spanned<String>>, Fault> {
        let Some(value) = self.take(name) else { return Ok(Vec::new()) };
        let at = value.span();
        match value.into_inner() {
            DeValue::Array(items) => items.into_iter().map(|item| text(name, item)).collect(),
            _ => Fault::new(at, format!("field `{name}` is a list of strings")),
        }
    }

    fn boolean(&mut self, name: &str) -> Result<bool, Fault> {
        let Some(value) = self.take(name) else { return Ok(false) };
        match value.get_ref() {
            DeValue::Boolean(value) => Ok(*value),
            _ => Fault::new(value.span(), format!("field `{name}` is true or false")),
        }
    }

    fn integer(&mut self, name: &str) -> Result<Option<Spanned<i64>>, Fault> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = match value.get_ref() {
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        match number {
            Some(number) => Ok(Some(Spanned::new(value.span(), number))),
            None => Fault::new(value.span(), format!("field `{name}` is a whole number")),
        }
    }

    fn number(&mut self, name: &str) -> Result<Option<Spanned<f64>>, Fault> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = match value.get_ref() {
            DeValue::Integer(number) => number.as_str().parse().ok(),
            DeValue::Float(number) => number.as_str().parse().ok(),
            _ => None,
        };
        match number {
            Some(number) => Ok(Some(Spanned::new(value.span(), number))),
            None => Fault::new(value.span(), format!("field `{name}` is a number")),
        }
    }

    fn table(&mut self, name: &str) -> Result<Option<Fields<'a>>, Fault> {
        self.take(name).map(|value| table(name, value)).transpose()
    }

    fn tables(&mut self, name: &str) -> Result<Vec<Fields<'a>>, Fault> {
        let Some(value) = self.take(name) else { return Ok(Vec::new()) };
        let at = value.span();
        match value.into_inner() {
            DeValue::Array(items) => items.into_iter().map(|item| table(name, item)).collect(),
            _ => Fault::new(at, format!("`{name}` is a list of tables: [[{name}]]")),
        }
    }

    /// The allowlists, in the older form of one table and in the newer one of several.
    fn lists(&mut self) -> Result<Vec<Fields<'a>>, Fault> {
        let mut lists = Vec::new();
        for name in ["allowlist", "allowlists"] {
            let is_table = self
                .table
                .iter()
                .any(|(key, value)| key.get_ref().eq_ignore_ascii_case(name) && value.get_ref().is_table());
            if is_table {
                lists.extend(self.table(name)?);
            } else {
                lists.extend(self.tables(name)?);
            }
        }
        Ok(lists)
    }
}

fn text(name: &str, value: Spanned<DeValue<'_>>) -> Result<Spanned<String>, Fault> {
    let at = value.span();
    match value.into_inner() {
        DeValue::String(text) => Ok(Spanned::new(at, text.into_owned())),
        _ => Fault::new(at, format!("field `{name}` is a string, or a list of strings")),
    }
}

fn table<'a>(name: &str, value: Spanned<DeValue<'a>>) -> Result<Fields<'a>, Fault> {
    let at = value.span();
    match value.into_inner() {
        DeValue::Table(table) => Ok(Fields { table, at }),
        _ => Fault::new(at, format!("`{name}` is a table")),
    }
}

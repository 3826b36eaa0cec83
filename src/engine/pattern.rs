//! A rule's regex: parsed and checked when the engine is compiled, built at its first candidate. It does no searching of
//! its own and knows nothing of spans but the group named `secret`.

use std::ops::Range;
use std::sync::OnceLock;

use regex_automata::meta::{self, Regex};
use regex_automata::util::captures::Captures;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::byteset::ByteSet;
use super::ends::Ends;
use super::literal::{self, Anchor};
use super::prepared::{self, Prepared};
use super::rule::Rule;

/// Bytes of haystack a regex may look at from the start of a match: two hundred and fifty times the length of a common key. A secret that
/// reaches this far is followed to its end by its alphabet, so that the cost of a near miss is bounded.
pub(crate) const MAX_WINDOW: usize = 2048;
/// The alphabet by which a secret that fills its whole window is followed to its end.
pub(crate) const TOKEN_BYTES: ByteSet =
    ByteSet::from_bytes(b"+/=_.-~").with_range(b'a', b'z').with_range(b'A', b'Z').with_range(b'0', b'9');
/// Patterns of at most this length are searched by backtracking.
const MAX_BACKTRACKED: usize = 512;
/// Above this a pattern's program is refused: it would cost more than all built-in ones together.
const MAX_PROGRAM_BYTES: usize = 4 << 20;

/// A checked pattern.
pub(crate) struct Pattern {
    /// Kept to be parsed when the regex is built: few of the built-in ones ever are, and those were never parsed before.
    text: Box<str>,
    /// Whether the pattern began with `\b`, which the engine checks itself: see [`starts_word`].
    pub(crate) word_start: bool,
    /// What the pattern began with and need not: see [`strip_lead`].
    lead: Option<Lead>,
    regex: OnceLock<Regex>,
    /// What finds a match and its secret without groups, where the pattern allows it; and how far a match may reach.
    ends: OnceLock<(Option<Ends>, usize)>,
}

/// What is known of a pattern before it is a rule; for importers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Study {
    /// Whether it requires a literal by which the prefilter finds its places.
    pub(crate) anchored: bool,
    /// Whether every match holds one of the words it was asked about.
    pub(crate) implied: bool,
    /// Whether every match holds a line end, which no record does.
    pub(crate) spans_records: bool,
}

/// Checks `pattern`, its program's size included, and says what it requires.
///
/// # Errors
/// A sentence that says what is wrong and what is allowed.
pub(crate) fn study(pattern: &str, words: &[String]) -> Result<Study, String> {
    let (checked, anchors) = Pattern::new(pattern, Lookup::Always)?;
    checked.warm()?;
    let hir = dissect(pattern)?.hir;
    let implied = literal::implies(&hir, words);
    Ok(Study { anchored: anchors.is_some(), implied, spans_records: holds_line_end(&hir) })
}

fn holds_line_end(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.contains(&b'\n'),
        HirKind::Class(Class::Bytes(class)) => {
            class.ranges().iter().all(|range| (range.start(), range.end()) == (b'\n', b'\n'))
        }
        HirKind::Capture(capture) => holds_line_end(&capture.sub),
        HirKind::Repetition(repetition) => repetition.min > 0 && holds_line_end(&repetition.sub),
        HirKind::Concat(parts) => parts.iter().any(holds_line_end),
        HirKind::Alternation(branches) => branches.iter().all(holds_line_end),
        _ => false,
    }
}

/// A run of bytes before a match, of which it takes as many as there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lead {
    bytes: ByteSet,
    max: usize,
}

/// What a pattern says of itself before its regex is built.
pub(crate) struct Derived {
    /// What it begins with and need not: see [`strip_lead`].
    pub(crate) lead: Option<Lead>,
    /// Whether it begins with `\b`.
    pub(crate) word_start: bool,
    /// What must stand where it matches.
    pub(crate) anchors: Option<Vec<Anchor>>,
}

/// A pattern in its parts.
pub(super) struct Parts {
    lead: Option<Lead>,
    word_start: bool,
    /// What stands behind those.
    pub(super) hir: Hir,
}

pub(super) fn dissect(pattern: &str) -> Result<Parts, String> {
    let (lead, hir) = strip_lead(parse(pattern)?);
    let (word_start, hir) = strip_word_start(hir);
    Ok(Parts { lead, word_start, hir })
}

/// Checks `pattern` and derives what its search needs.
///
/// # Errors
/// A sentence that says what is wrong and what is allowed.
pub(crate) fn derive(pattern: &str) -> Result<Derived, String> {
    let Parts { lead, word_start, hir } = dissect(pattern)?;
    check_secret_group(&hir)?;
    Ok(Derived { lead, word_start, anchors: literal::anchors(&hir) })
}

/// How a pattern is brought to the places where it may match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// By the literals it requires.
    Anchors,
    /// By those, or else by keywords that stand in the same record.
    Keywords,
    /// It is run over everything.
    Always,
}

impl Lookup {
    /// How `rule` is brought to its places.
    pub(crate) fn of(rule: &Rule) -> Lookup {
        match rule.always_scan {
            true => Lookup::Always,
            false if rule.keywords.is_empty() => Lookup::Anchors,
            false => Lookup::Keywords,
        }
    }
}

/// Where the whole of a match stands, and where its secret.
pub(crate) type Match = (Range<usize>, Range<usize>);

/// The mutable memory a search by regex needs. Made when one is needed: few patterns need any.
#[derive(Default)]
pub(crate) struct Cache(Option<Box<(meta::Cache, Captures)>>);

/// Parses a pattern the way rules mean it: bytes, ASCII classes, no Unicode; `^` and `$` are the ends of a record, because
/// a haystack is a block of them.
pub(crate) fn parse(pattern: &str) -> Result<Hir, String> {
    let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).multi_line(true).crlf(true).build();
    parser.parse(pattern).map_err(|error| explain(&error.to_string()))
}

/// The parser's message is several lines with the pattern in them; the last line says what is wrong.
fn explain(message: &str) -> String {
    let last = message.lines().last().unwrap_or(message).trim_start_matches("error: ");
    if last.contains("look-around") {
        return "look-around (`(?=`, `(?!`, `(?<=`, `(?<!`) is not supported; allowed: `\\b` and classes".to_owned();
    }
    if last.contains("backreference") {
        return "back-references are not supported; allowed: groups without references".to_owned();
    }
    format!("pattern is no valid regex: {last}")
}

impl Pattern {
    /// Checks `pattern` and derives its anchors.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what is allowed.
    pub(crate) fn new(pattern: &str, lookup: Lookup) -> Result<(Pattern, Option<Vec<Anchor>>), String> {
        let Derived { lead, word_start, anchors } = match prepared::find(pattern) {
            Some(Prepared { word_start, anchors }) => Derived { lead: None, word_start, anchors },
            None => derive(pattern)?,
        };
        if anchors.is_none() && lookup == Lookup::Anchors {
            return Err(
                "pattern requires no literal of 3 or more bytes near its start; add one, name `keywords` that stand \
                        in the same record, or set `always_scan = true` and pay for a regex on every line"
                    .to_owned(),
            );
        }
        Ok((Pattern { text: pattern.into(), word_start, lead, regex: OnceLock::new(), ends: OnceLock::new() }, anchors))
    }

    /// Builds the regex now; a program that is too large is refused.
    pub(crate) fn warm(&self) -> Result<(), String> {
        if self.regex.get().is_none() {
            let regex = self.build()?;
            let _ = self.regex.set(regex);
        }
        self.ends();
        Ok(())
    }

    fn build(&self) -> Result<Regex, String> {
        let hir = dissect(&self.text)?.hir;
        // One-pass where the pattern allows it. Else the backtracker for short patterns, which clears a bit for each state and
        // byte it may look at, and the PikeVM for the others, which would clear 100 KiB first. No lazy DFA, whose states
        // explode on bounded repeats.
        let config = meta::Config::new()
            .hybrid(false)
            .dfa(false)
            .backtrack(reach_of(&hir) <= MAX_BACKTRACKED)
            .onepass_size_limit(Some(256 << 10))
            .nfa_size_limit(Some(MAX_PROGRAM_BYTES))
            .utf8_empty(false)
            .auto_prefilter(false);
        meta::Builder::new()
            .configure(config)
            .build_from_hir(&hir)
            .map_err(|_| format!("pattern compiles to more than {MAX_PROGRAM_BYTES} bytes; use smaller repeats"))
    }

    fn regex(&self) -> &Regex {
        self.regex.get_or_init(|| self.build().expect("user patterns were built at the start, built-in ones by a test"))
    }

    fn ends(&self) -> &(Option<Ends>, usize) {
        self.ends.get_or_init(|| {
            let hir = dissect(&self.text).expect("the pattern was parsed at the start, or by a test").hir;
            (Ends::new(&hir), reach_of(&hir).min(MAX_WINDOW))
        })
    }

    /// Where a match that was found at `start` begins, no further back than `floor` and its record.
    pub(crate) fn led_from(&self, haystack: &[u8], start: usize, floor: usize) -> usize {
        let Some(Lead { bytes, max }) = self.lead else { return start };
        let before = haystack[floor.min(start)..start].iter().rev().take(max);
        start - before.take_while(|byte| bytes.contains(**byte) && **byte != b'\n').count()
    }

    /// The match that begins exactly at `start`, looking no further than `end`: where the whole of it and its secret stand.
    pub(crate) fn match_at(&self, cache: &mut Cache, haystack: &[u8], start: usize, end: usize) -> Option<Match> {
        let (ends, reach) = self.ends();
        let end = end.min(start + reach);
        if let Some(Ok(found)) = ends.as_ref().map(|ends| ends.match_at(haystack, start, end)) {
            return found;
        }
        self.match_by_regex(cache, haystack, start, end)
    }

    /// The same by the regex alone, which defines it.
    pub(crate) fn match_by_regex(&self, cache: &mut Cache, haystack: &[u8], start: usize, end: usize) -> Option<Match> {
        let input = Input::new(haystack).span(start..end).anchored(Anchored::Yes);
        self.search(cache, &input)
    }

    /// The first match anywhere in `span`; only for rules that are always scanned, or wherever a keyword stands.
    pub(crate) fn find_in(&self, cache: &mut Cache, haystack: &[u8], span: Range<usize>) -> Option<Match> {
        self.search(cache, &Input::new(haystack).span(span))
    }

    fn search(&self, cache: &mut Cache, input: &Input<'_>) -> Option<Match> {
        let regex = self.regex();
        let memory = cache.0.get_or_insert_with(|| Box::new((regex.create_cache(), regex.create_captures())));
        let (cache, captures) = &mut **memory;
        regex.search_captures_with(cache, input, captures);
        let whole = captures.get_match()?.range();
        let secret = captures.get_group_by_name("secret")?.range();
        Some((whole, secret))
    }
}

/// Takes a leading `[\w.-]{0,50}?` off, with which many rules of scanners begin. A lazy run that may be empty decides
/// nothing but where the match begins: what stands behind it is found at the same place without it. With it, each of the
/// fifty bytes before a literal would be tried as a start.
fn strip_lead(hir: Hir) -> (Option<Lead>, Hir) {
    let lead = match first(&hir).map(Hir::kind) {
        Some(HirKind::Repetition(run)) if run.min == 0 && !run.greedy => {
            literal::one_of(&run.sub).map(|bytes| Lead { bytes, max: run.max.map_or(usize::MAX, |max| max as usize) })
        }
        _ => None,
    };
    match lead {
        Some(_) => (lead, without_first(hir)),
        None => (None, hir),
    }
}

/// How far a match reaches at most.
fn reach_of(hir: &Hir) -> usize {
    hir.properties().maximum_len().unwrap_or(usize::MAX)
}

/// Takes a leading `\b` off: its work is done by [`starts_word`], which also knows escapes.
fn strip_word_start(hir: Hir) -> (bool, Hir) {
    match first(&hir).map(Hir::kind) {
        Some(HirKind::Look(Look::WordAscii)) => (true, without_first(hir)),
        _ => (false, hir),
    }
}

/// The first part of a concatenation.
fn first(hir: &Hir) -> Option<&Hir> {
    match hir.kind() {
        HirKind::Concat(parts) => parts.first(),
        _ => None,
    }
}

/// A concatenation without its first part. The parts are moved: some hold classes by the hundred.
fn without_first(hir: Hir) -> Hir {
    match hir.into_kind() {
        HirKind::Concat(mut parts) => Hir::concat(parts.split_off(1)),
        kind => unreachable!("only a concatenation has a first part, not {kind:?}"),
    }
}

/// Exactly one group named `secret`, which is in every match and never empty.
fn check_secret_group(hir: &Hir) -> Result<(), String> {
    let groups = secret_groups(hir);
    match groups.len() {
        0 => {
            return Err(
                "pattern has no group named `secret`; write `(?<secret>…)` around what is to be masked".to_owned()
            );
        }
        1 => {}
        many => return Err(format!("pattern has {many} groups named `secret`; exactly one is allowed")),
    }
    if groups[0].properties().minimum_len() == Some(0) {
        return Err("group `secret` can match the empty string; it must match at least one byte".to_owned());
    }
    if groups[0].properties().maximum_len() == Some(0) {
        return Err("group `secret` matches only the empty string; it must match at least one byte".to_owned());
    }
    Ok(())
}

fn secret_groups(hir: &Hir) -> Vec<&Hir> {
    match hir.kind() {
        HirKind::Capture(capture) if capture.name.as_deref() == Some("secret") => vec![&capture.sub],
        HirKind::Capture(capture) => secret_groups(&capture.sub),
        HirKind::Repetition(repetition) => secret_groups(&repetition.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().flat_map(secret_groups).collect(),
        _ => Vec::new(),
    }
}

/// Whether a word may begin at `at`: no word byte stands before it, or that byte is the end of an escape
/// (`\n`, `\x3d`, `\u003d`, `%3D`, a colour), behind which a secret begins as well as behind the character it stands for.
pub(crate) fn starts_word(haystack: &[u8], at: usize) -> bool {
    let Some(&last) = at.checked_sub(1).and_then(|i| haystack.get(i)) else { return true };
    if !is_word(last) {
        return true;
    }
    ends_escape(haystack, at)
}

/// Whether an escape ends right before `at`.
pub(crate) fn ends_escape(haystack: &[u8], at: usize) -> bool {
    let head = &haystack[at.saturating_sub(24)..at];
    let hex_behind = |mark: &[u8], digits: usize| {
        let Some(cut) = head.len().checked_sub(digits) else { return false };
        head[..cut].ends_with(mark) && head[cut..].iter().all(u8::is_ascii_hexdigit)
    };
    match head {
        [.., b'\\', b'n' | b't' | b'r' | b'b' | b'f' | b'v' | b'a' | b'0'] => true,
        [.., b'm'] => ends_colour(head),
        _ => hex_behind(b"%", 2) || hex_behind(b"%25", 2) || hex_behind(b"\\x", 2) || hex_behind(b"\\u", 4),
    }
}

/// Whether `head` ends in `ESC [ … m`, also where the escape byte was written out (`^[[1m`, `#033[1m`, `\x1b[1m`).
fn ends_colour(head: &[u8]) -> bool {
    let Some(open) = memchr::memrchr(b'[', head) else { return false };
    let codes = head[open + 1..head.len() - 1].iter().all(|b| b.is_ascii_digit() || *b == b';');
    codes
        && [&b"\x1b"[..], b"^[", b"#033", b"\\x1b", b"\\x1B", b"\\u001b", b"\\u001B", b"\\033", b"\\e"]
            .iter()
            .any(|mark| head[..open].ends_with(mark))
}

/// A byte of `\w` in ASCII.
#[inline]
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_begins_behind_an_escape_as_behind_the_character_it_stands_for() {
        let cases: &[(&str, bool)] = &[
            ("", true),
            (" ", true),
            ("x", false),
            (r"a\n", true),
            ("%3D", true),
            (r"\u003d", true),
            ("\x1b[1;33m", true),
            ("^[[33m", true),
            ("[33m", false),
            ("a%zz", false),
        ];
        for (head, expected) in cases {
            assert_eq!(starts_word(format!("{head}ghp_").as_bytes(), head.len()), *expected, "{head:?}");
        }
    }

    #[test]
    fn a_lazy_lead_changes_the_start_of_a_match_and_nothing_else() {
        let haystack = b"x my.acme=abc, my.acme=abc\nmy.acme=abc";
        let found = |pattern: &str| {
            let (pattern, anchors) = Pattern::new(pattern, Lookup::Anchors).expect("a valid pattern");
            let mut cache = Cache::default();
            let (mut at, mut found) = (0, Vec::new());
            while let Some((whole, secret)) = pattern.find_in(&mut cache, haystack, at..haystack.len()) {
                found.push((pattern.led_from(haystack, whole.start, at), whole.end, secret));
                at = whole.end;
            }
            (found, anchors.expect("a literal")[0].far)
        };
        let plain = |pattern: &str| {
            let regex = Regex::new(pattern).expect("a valid regex");
            let wholes: Vec<_> = regex.find_iter(haystack).map(|found| found.range()).collect();
            wholes.into_iter().map(|whole| (whole.start, whole.end, whole.end - 3..whole.end)).collect::<Vec<_>>()
        };
        for lead in ["[a-z.]{0,50}?", "[a-z.]{0,2}?", "[a-z.]*?", ".*?"] {
            let pattern = format!("{lead}acme=(?<secret>[a-z]{{3}})");
            assert_eq!(found(&pattern), (plain(&pattern), 0), "{lead}");
        }
    }

    #[test]
    fn what_a_pattern_may_not_do_is_said() {
        let cases: &[(&str, &str)] = &[
            ("token[a-z]+", "no group named `secret`"),
            ("(?<secret>[a-z]*)tokenize", "can match the empty string"),
            ("(?=token)(?<secret>x)", "look-around"),
            (r"(token)(?<secret>x)\1", "back-references"),
            ("(?<secret>[a-z]+)", "always_scan"),
            ("(?<secret>token", "unclosed group"),
        ];
        for (pattern, expected) in cases {
            let message = Pattern::new(pattern, Lookup::Anchors).err().expect(pattern);
            assert!(message.contains(expected), "{pattern}: {message}");
        }
    }
}

//! What is written in place of a span, and how what we wrote is known again. Finding spans is not its work.

use std::collections::HashSet;
use std::ops::Range;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::carrier;
use super::error::CompileError;
use super::policy::{Action, NumberAs, Policy};
use super::rule::RuleSet;
use super::span::{Form, Span};

/// The regex that finds both forms of the default placeholder.
pub const PLACEHOLDER_REGEX: &str = r"\[REDACTED:[a-z0-9-]+\]|REDACTED\.[a-z0-9-]+";

/// Hex digits of a fingerprint that are written: 64 bits, so that a million different secrets collide once in 37 million runs.
const FINGERPRINT_DIGITS: usize = 16;

/// A fingerprint, as it is written.
pub type Fingerprint = [u8; FINGERPRINT_DIGITS];
/// The `mask` action hides at least this many bytes, whatever may be kept.
const MIN_HIDDEN: usize = 8;
const STARS: &[u8] = b"****";
/// A longer word before a fingerprint's digits is not looked for among the rules: what is looked at must not grow with it.
const MAX_ID: usize = 64;

/// What a fingerprint is for. Fingerprints of different purposes cannot be compared with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The text that the `hash` action writes.
    Placeholder,
    /// A findings report.
    Finding,
    /// An entry of an allow list.
    Allow,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Purpose::Placeholder => b"inkout placeholder\0",
            Purpose::Finding => b"inkout finding\0",
            Purpose::Allow => b"inkout allow\0",
        }
    }
}

/// A template around the rule's id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Template {
    before: Vec<u8>,
    /// Whether the rule's id stands between.
    named: bool,
    after: Vec<u8>,
}

/// Everything we write: how to write it, and how to know it again.
#[derive(Debug, Default)]
pub(crate) struct Forms {
    bracket: Template,
    bare: Template,
    number: NumberAs,
    /// Bytes that a `mask` action may keep; 0 when no rule is masked.
    max_kept: usize,
    /// Bytes that a `prefix12` action may keep; 0 when there is none.
    max_prefix: usize,
    /// The ids of all rules: any other word before a fingerprint's digits is not ours.
    ids: HashSet<Box<[u8]>>,
}

impl Template {
    fn new(before: &str, named: bool, after: &str) -> Template {
        Template { before: before.into(), named, after: after.into() }
    }

    fn parse(text: &str) -> Template {
        match text.split_once("{rule}") {
            Some((before, after)) => Template::new(before, true, after),
            None => Template::new(text, false, ""),
        }
    }

    fn write(&self, rule: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before);
        if self.named {
            out.extend_from_slice(rule.as_bytes());
        }
        out.extend_from_slice(&self.after);
    }

    /// The length of this template's text at the start of `text`, whatever the rule.
    fn len_at(&self, text: &[u8]) -> Option<usize> {
        let rest = text.strip_prefix(&self.before[..]).filter(|_| !self.before.is_empty() || self.named)?;
        let id = if self.named { id_len(rest) } else { 0 };
        let named = !self.named || id > 0;
        (named && rest[id..].starts_with(&self.after)).then_some(self.before.len() + id + self.after.len())
    }
}

fn id_len(text: &[u8]) -> usize {
    text.iter().take_while(|byte| is_id_byte(**byte)).count()
}

fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

impl Forms {
    /// The forms of `policy`.
    ///
    /// # Errors
    /// When the template would break a carrier.
    pub(crate) fn new(set: &RuleSet, policy: &Policy) -> Result<Forms, CompileError> {
        let (bracket, bare) = match &policy.placeholder {
            None => (Template::new("[REDACTED:", true, "]"), Template::new("REDACTED.", true, "")),
            Some(template) => {
                check_template(template)?;
                (Template::parse(template), Template::parse(&bare_of(template)))
            }
        };
        let actions: Vec<Action> = set.rules.iter().map(|rule| policy.action_of(rule)).collect();
        let kept =
            |action: &Action| if let Action::Mask { keep_last } = action { usize::from(*keep_last) + 1 } else { 0 };
        let begun =
            |action: &Action| if let Action::Prefix { keep_first } = action { usize::from(*keep_first) } else { 0 };
        if actions.contains(&Action::Hash) && policy.hash_key.is_none() {
            return Err(CompileError::NoHashKey);
        }
        Ok(Forms {
            bracket,
            bare,
            number: policy.number,
            max_kept: actions.iter().map(kept).max().unwrap_or(0),
            max_prefix: actions.iter().map(begun).max().unwrap_or(0),
            ids: set.rules.iter().map(|rule| rule.id.as_bytes().into()).collect(),
        })
    }

    /// Whether what stands from `start` to `end` is exactly what we write, and ends there.
    pub(crate) fn stands_at(&self, haystack: &[u8], start: usize, end: usize) -> bool {
        self.end_at(haystack, start, end) == Some(end)
    }

    /// Where what we wrote at `start` ends, if we did.
    pub(crate) fn end_at(&self, haystack: &[u8], start: usize, end: usize) -> Option<usize> {
        let text = &haystack[start..];
        let lens = [
            self.bracket.len_at(text),
            self.bare.len_at(text),
            self.hash_len(text),
            self.mask_len(text),
            self.prefix_len(text),
        ];
        let ends = |len: &usize| {
            *len > 0 && (start + len == end || haystack.get(start + len).is_none_or(|byte| delimits(*byte)))
        };
        lens.into_iter().flatten().filter(ends).max().map(|len| start + len)
    }

    /// What the placeholder begins with where no brackets may be.
    pub(crate) fn bare_head(&self) -> &[u8] {
        &self.bare.before
    }

    /// Whether `text`, a key or what a pattern matched, holds something that we wrote: it is not what it was.
    pub(crate) fn stand_in(&self, text: &[u8]) -> bool {
        let head = &self.bare.before[..];
        let placeholder = head.len() >= 4 && memchr::memmem::find(text, head).is_some();
        let hash = |mark: usize| self.hash_at(text, mark).is_some();
        placeholder || memchr::memchr2_iter(b':', b'.', text).any(hash)
    }

    /// Where the placeholder ends that `word` stands in, if it does: `password` is no key in `[REDACTED:password]`.
    pub(crate) fn end_around(&self, haystack: &[u8], word: Range<usize>) -> Option<usize> {
        const MAX_HEAD: usize = 96;
        let floor = word.start.saturating_sub(MAX_HEAD);
        let template = |start: usize| {
            let text = &haystack[start..];
            let len = self.bracket.len_at(text).or_else(|| self.bare.len_at(text));
            len.map(|len| start + len).filter(|end| *end >= word.end)
        };
        let (bracket, bare) = (self.bracket.before.first()?, self.bare.before.first()?);
        let window = &haystack[floor..haystack.len().min(word.start + 1)];
        let mut heads = memchr::memchr2_iter(*bracket, *bare, window);
        heads.find_map(|at| template(floor + at)).or_else(|| self.hash_around(haystack, &word, floor))
    }

    /// Where the hash ends that `word` stands in: in its rule's id or among its digits.
    fn hash_around(&self, haystack: &[u8], word: &Range<usize>, floor: usize) -> Option<usize> {
        let before = haystack[floor..word.start].iter().rev().take_while(|byte| is_id_byte(**byte)).count();
        let behind = id_len(&haystack[word.start..haystack.len().min(word.start + MAX_ID)]);
        let marks = [Some(word.start + behind), (word.start - before).checked_sub(1)];
        marks.into_iter().flatten().find_map(|mark| {
            let hash = self.hash_at(haystack, mark)?;
            (hash.start <= word.start && hash.end >= word.end).then_some(hash.end)
        })
    }

    /// The hash whose `:` or `.` is at `mark`: the digits behind it, and before it the id of a rule, which may be glued to
    /// what it stands behind.
    fn hash_at(&self, haystack: &[u8], mark: usize) -> Option<Range<usize>> {
        let digits = haystack.get(mark + 1..mark + 1 + FINGERPRINT_DIGITS)?;
        if !digits.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b)) {
            return None;
        }
        let run = haystack[..mark].iter().rev().take(MAX_ID).take_while(|byte| is_id_byte(**byte)).count();
        let starts = (mark - run..mark).flat_map(|id| [id.checked_sub(1).filter(|at| haystack[*at] == b'['), Some(id)]);
        starts.flatten().find_map(|start| self.hash_len(&haystack[start..]).map(|len| start..start + len))
    }

    /// `[rule:0123456789abcdef]` or `rule.0123456789abcdef`, whatever the key: what another inkout wrote is known too.
    fn hash_len(&self, text: &[u8]) -> Option<usize> {
        let (open, inner) = text.strip_prefix(b"[").map_or((false, text), |inner| (true, inner));
        let id = id_len(&inner[..inner.len().min(MAX_ID)]);
        let mark = if open { b':' } else { b'.' };
        let digits = inner.get(id + 1..id + 1 + FINGERPRINT_DIGITS)?;
        let hex = digits.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b));
        let closed = !open || inner.get(id + 1 + FINGERPRINT_DIGITS) == Some(&b']');
        let len = id + 1 + FINGERPRINT_DIGITS + 2 * usize::from(open);
        (inner[id] == mark && hex && closed && self.ids.contains(&inner[..id])).then_some(len)
    }

    /// `****` and at most what a mask may keep.
    fn mask_len(&self, text: &[u8]) -> Option<usize> {
        let rest = text.strip_prefix(STARS).filter(|_| self.max_kept > 0)?;
        let kept = rest.iter().take_while(|byte| !delimits(**byte)).count();
        (kept < self.max_kept).then_some(STARS.len() + kept)
    }

    /// What a `prefix12` action kept, and `****`.
    fn prefix_len(&self, text: &[u8]) -> Option<usize> {
        let kept = text.iter().take(self.max_prefix).take_while(|byte| may_begin(**byte)).count();
        (kept > 0 && text[kept..].starts_with(STARS)).then_some(kept + STARS.len())
    }

    /// Writes what stands in place of `span`, whose bytes are `secret`.
    pub(crate) fn write(
        &self,
        action: Action,
        rule: &str,
        span: &Span,
        secret: &[u8],
        policy: &Policy,
        out: &mut Vec<u8>,
    ) {
        match (action, span.form) {
            // What only goes on was masked where it began, whatever rule is named here.
            (_, Form::Silent) => {}
            (Action::Keep, _) => out.extend_from_slice(secret),
            (Action::Remove, Form::Number { .. }) => out.extend_from_slice(b"null"),
            (Action::Remove, _) => {}
            (_, Form::Number { level }) => self.write_number(level, rule, out),
            (Action::Mask { keep_last }, _) => write_mask(secret, keep_last.into(), out),
            (Action::Prefix { keep_first }, _) => write_prefix(secret, keep_first.into(), out),
            (Action::Hash, form) => write_hash(rule, form, secret, policy, out),
            (Action::Replace, Form::Bare) => self.bare.write(rule, out),
            (Action::Replace, Form::Bracket) => self.bracket.write(rule, out),
        }
    }

    fn write_number(&self, level: u8, rule: &str, out: &mut Vec<u8>) {
        let quote = |out: &mut Vec<u8>| {
            out.extend(std::iter::repeat_n(b'\\', (1 << level.min(6)) - 1));
            out.push(b'"');
        };
        match self.number {
            NumberAs::Null => out.extend_from_slice(b"null"),
            NumberAs::Zero => out.push(b'0'),
            NumberAs::String => {
                quote(out);
                self.bracket.write(rule, out);
                quote(out);
            }
        }
    }
}

/// What may stand behind a placeholder.
fn delimits(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() && byte != b'_'
}

/// Refuses a template that would break a quote, a line or a tag.
fn check_template(template: &str) -> Result<(), CompileError> {
    let refuse =
        |reason: &str| Err(CompileError::Placeholder { template: template.to_owned(), reason: reason.to_owned() });
    if template.is_empty() {
        return refuse("it is empty; use action `remove` to write nothing");
    }
    if template.contains(|c: char| c.is_control() || c.is_whitespace() || "\"'\\`<>&".contains(c)) {
        return refuse("it may not hold quotes, backslashes, blanks, line ends, `<`, `>` or `&`");
    }
    if template.replace("{rule}", "").contains(['{', '}']) {
        return refuse("the only field is {rule}");
    }
    let behind = template.split_once("{rule}").map(|(before, after)| (before.is_empty(), after.chars().next()));
    match behind {
        Some((true, _)) => {
            refuse("text must stand before {rule}, so that it is known again; [REDACTED:{rule}] is the default")
        }
        Some((_, Some(next))) if next.is_ascii_alphanumeric() || next == '-' => {
            refuse("what follows {rule} may not begin with a letter, a digit or `-`")
        }
        _ => Ok(()),
    }
}

/// The template for places where only unreserved characters are legal.
fn bare_of(template: &str) -> String {
    const RULE: char = '\u{1}';
    let marked = template.replace("{rule}", &RULE.to_string());
    let legal = |c: char| c == RULE || c.is_ascii_alphanumeric() || "._~*-".contains(c);
    let replaced: String = marked.trim_matches(|c| !legal(c)).chars().map(|c| if legal(c) { c } else { '.' }).collect();
    let bare = if replaced.is_empty() { "REDACTED".to_owned() } else { replaced };
    // A rule's name alone could not be told from a secret.
    let bare = if bare.starts_with(RULE) { format!("REDACTED.{bare}") } else { bare };
    bare.replace(RULE, "{rule}")
}

/// Four stars and the end of the secret.
fn write_mask(secret: &[u8], keep_last: usize, out: &mut Vec<u8>) {
    let kept = keep_last.min(secret.len() / 4).min(secret.len().saturating_sub(MIN_HIDDEN));
    let tail = &secret[secret.len() - kept..];
    // A kept byte that could end the value, or a cut character, is not kept.
    let whole = tail.iter().rposition(|b| !b.is_ascii_alphanumeric()).map_or(tail, |at| &tail[at + 1..]);
    out.extend_from_slice(STARS);
    out.extend_from_slice(whole);
}

/// Whether a kept beginning may hold this byte.
fn may_begin(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// The beginning of the secret and four stars.
fn write_prefix(secret: &[u8], keep_first: usize, out: &mut Vec<u8>) {
    let kept = secret.iter().take(keep_first.min(secret.len() / 3)).take_while(|byte| may_begin(**byte)).count();
    out.extend_from_slice(&secret[..kept]);
    out.extend_from_slice(STARS);
}

fn write_hash(rule: &str, form: Form, secret: &[u8], policy: &Policy, out: &mut Vec<u8>) {
    let key = policy.hash_key.as_ref().expect("compile refuses the hash action without a key");
    let digest = fingerprint(key.bytes(), Purpose::Placeholder, secret);
    let (open, mark, close) =
        if form == Form::Bare { (&b""[..], b'.', &b""[..]) } else { (&b"["[..], b':', &b"]"[..]) };
    out.extend_from_slice(open);
    out.extend_from_slice(rule.as_bytes());
    out.push(mark);
    out.extend_from_slice(&digest);
    out.extend_from_slice(close);
}

/// The first sixteen hex digits of HMAC-SHA-256(key, purpose ‖ canonical value): the same secret has the same fingerprint
/// in every carrier and under every rule.
pub(crate) fn fingerprint(key: &[u8], purpose: Purpose, secret: &[u8]) -> Fingerprint {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(purpose.label());
    mac.update(&carrier::canonical(secret));
    let digest = mac.finalize().into_bytes();
    let mut digits = [0; FINGERPRINT_DIGITS];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(digest) {
        pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
        pair[1] = b"0123456789abcdef"[usize::from(byte & 15)];
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rule::RuleId;
    use crate::engine::span::Why;

    fn forms() -> Forms {
        let policy = Policy { action: Action::Mask { keep_last: 4 }, ..Policy::default() };
        let mut forms = Forms::new(&RuleSet::default(), &policy).expect("default forms");
        forms.max_kept = 5;
        forms.ids.insert(Box::from(&b"api-key"[..]));
        forms
    }

    #[test]
    fn what_we_wrote_is_known_again_only_where_it_ends() {
        let cases = [
            ("[REDACTED:api-key]", true),
            ("[REDACTED:api-key] x", true),
            ("[REDACTED:api-key]x", false),
            ("REDACTED.api-key&a=1", true),
            ("REDACTED.api-keyX", false),
            ("[api-key:0123456789abcdef]", true),
            ("[api-key:0123456789abcdeg]", false),
            ("api-key.0123456789abcdef;", true),
            // Whatever stands before sixteen digits is not ours: these may be a token.
            ("svc-payments.0123456789abcdef", false),
            ("****abcd", true),
            ("****abcdefghij", false),
            ("plain", false),
        ];
        for (text, expected) in cases {
            assert_eq!(forms().end_at(text.as_bytes(), 0, text.len()).is_some(), expected, "{text}");
        }
    }

    #[test]
    fn a_word_inside_what_we_wrote_is_no_key() {
        for text in [
            "x [REDACTED:api-key] y",
            "x=REDACTED.api-key&",
            "[api-key:0123456789abcdef]",
            "x=api-key.0123456789abcdef",
        ] {
            for word in
                ["key", "api", "0123"].into_iter().filter_map(|word| text.find(word).map(|at| at..at + word.len()))
            {
                let end = forms().end_around(text.as_bytes(), word.clone());
                assert!(end.is_some_and(|end| end >= word.end), "{text}: {word:?}: {end:?}");
            }
        }
        assert_eq!(forms().end_around(b"the-key.0123456789abcdef", 4..7), None);
    }

    #[test]
    fn a_mask_keeps_a_quarter_at_most_and_hides_eight_bytes() {
        let mask = |secret: &str| {
            let mut out = Vec::new();
            write_mask(secret.as_bytes(), 4, &mut out);
            String::from_utf8(out).expect("ASCII")
        };
        assert_eq!(mask("abcdefghijklmnop"), "****mnop");
        assert_eq!(mask("abcdefghij"), "****ij");
        assert_eq!(mask("abcdefgh"), "****");
        assert_eq!(mask("abc"), "****");
    }

    #[test]
    fn a_prefix_is_a_third_at_most_and_known_again() {
        let prefix = |secret: &str| {
            let mut out = Vec::new();
            write_prefix(secret.as_bytes(), 12, &mut out);
            String::from_utf8(out).expect("ASCII")
        };
        assert_eq!(prefix("ab-cdefghijklmnopqrstuvwxyzabcdefghijk"), "ab-cdefghijk****");
        assert_eq!(prefix("abcdefghi"), "abc****");
        assert_eq!(prefix("a\"bcdefghijkl"), "a****");
        assert_eq!(prefix("ab"), "****");
        let forms = Forms { max_prefix: 12, max_kept: 1, ..forms() };
        for text in ["ab-cdefghijk****", "abc**** x", "****"] {
            assert!(forms.end_at(text.as_bytes(), 0, text.len()).is_some(), "{text}");
        }
        assert!(!forms.stands_at(b"abc****def", 0, 10));
    }

    #[test]
    fn a_number_becomes_a_string_of_its_level() {
        let span = Span { start: 0, end: 1, rule: RuleId(0), form: Form::Number { level: 1 }, why: Why::Grammar };
        let mut out = Vec::new();
        forms().write(Action::Replace, "pin", &span, b"1", &Policy::default(), &mut out);
        assert_eq!(out, br#"\"[REDACTED:pin]\""#);
    }

    #[test]
    fn a_template_that_breaks_a_carrier_is_refused() {
        for template in ["", "a b", "<x>", "\"", "a\\", "{name}", "{rule}", "{rule}]", "x-{rule}-x"] {
            assert!(check_template(template).is_err(), "{template}");
        }
        assert_eq!(bare_of("[{rule}]"), "REDACTED.{rule}");
        assert_eq!(bare_of("***"), "***");
        assert_eq!(bare_of("[x:{rule}]"), "x.{rule}");
    }
}

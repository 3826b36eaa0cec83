//! Secrets whose value stands on the lines behind the one that announced it: armoured keys, YAML block scalars, form
//! parts. A state is fed one line at a time, small enough to be carried from block to block.

use std::ops::Range;

use super::armour::{self, BASE64, MIN_BODY};
use super::{bridge, quote, table, value};
use crate::engine::action::Forms;
use crate::engine::rule::RuleId;
use crate::engine::span::{Form, Span, Why};

/// Lines of one body at most, where nothing ends it: a ring of keys or a file in a form of a mebibyte.
const MAX_LINES: u16 = 16 << 10;
/// Lines in a row that are none of the body's.
const MAX_STRANGERS: u8 = 8;
/// The same for a block scalar: what is printed beside it is another program's.
const MAX_BESIDE: u8 = 200;
/// Bytes of prefix remembered.
const MAX_PREFIX: usize = 512;

/// What the next lines hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pending {
    /// The body of an armoured key.
    Armour {
        /// Whether the next line is the first one, which is masked whatever it holds.
        first: bool,
        /// Whether the last body line was of full length, so that a short one may follow.
        full: bool,
        /// Lines that were none of the body's, in a row.
        strangers: u8,
    },
    /// Lines indented deeper than their key (YAML 1.2, section 8.1).
    YamlBlock {
        /// The key's indentation, behind its prefix.
        indent: usize,
        /// How far the key's line is indented: a logger may write its prefix before the first line only.
        outer: usize,
        /// Lines in a row that have not the prefix.
        strangers: u8,
    },
    /// The value of a pair object, on the line behind its name.
    PairValue,
    /// The text of an element whose tag stood alone on its line: tokens, one to a line.
    Element,
    /// The value of an array's item as PHP's `var_dump` prints it, on the line behind its key: `string(12) "…"`.
    Dump,
    /// Strings, each on a line of its own.
    Items {
        /// Whether there is but one: its key announced it.
        one: bool,
    },
    /// The values of a table's column.
    Column(table::Column),
    /// The body of a form part (RFC 7578), behind an empty line.
    Multipart {
        /// Whether the empty line has been seen.
        in_body: bool,
    },
}

/// A secret that goes on line by line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LineState {
    pub(crate) pending: Pending,
    pub(crate) rule: RuleId,
    /// What stood before the first line, with runs of digits as `0` and of blanks as one: a timestamp and a line number
    /// change from line to line, a pod's name does not.
    prefix: Box<[u8]>,
    lines: u16,
}

impl LineState {
    /// The state behind a line that began with `prefix`.
    pub(crate) fn new(pending: Pending, rule: RuleId, prefix: &[u8]) -> LineState {
        LineState {
            pending,
            rule,
            prefix: shape_of(&prefix[prefix.len().saturating_sub(MAX_PREFIX)..]).into(),
            lines: 0,
        }
    }

    /// Whether another secret behind the same prefix takes this one's place.
    pub(crate) fn same_place(&self, other: &LineState) -> bool {
        let same = match (self.pending, other.pending) {
            (Pending::Column(one), Pending::Column(other)) => one.is_same(other),
            (one, other) => std::mem::discriminant(&one) == std::mem::discriminant(&other),
        };
        same && self.prefix == other.prefix
    }

    /// Takes one line (its line end not included), adds its span, and says whether more may come.
    pub(crate) fn step(&mut self, haystack: &[u8], line: Range<usize>, forms: &Forms, spans: &mut Vec<Span>) -> bool {
        // Indentation ends a block scalar and another number of cells a table, however long they are.
        self.lines += u16::from(!matches!(self.pending, Pending::YamlBlock { .. } | Pending::Column(_)));
        let mut line = line;
        if haystack[line.clone()].ends_with(b"\r") {
            line.end -= 1;
        }
        let text = line.start;
        let masked = match &mut self.pending {
            Pending::Armour { .. } => self.armour(haystack, line),
            Pending::YamlBlock { .. } => self.yaml_block(haystack, line),
            Pending::Element => element(haystack, line),
            Pending::PairValue => pair_value(haystack, line),
            Pending::Dump => dump(haystack, line),
            Pending::Items { .. } => item(haystack, line),
            Pending::Column(column) => column.value(haystack, line),
            Pending::Multipart { .. } => self.multipart(haystack, line),
        };
        let Some(masked) = masked else { return false };
        let ours = |start| forms.stands_at(haystack, start, masked.end);
        if !masked.is_empty() && !ours(masked.start) && !ours(text) {
            let quoted = haystack[..masked.start].last().is_some_and(|mark| b"\"'>".contains(mark));
            let bare = match self.pending {
                Pending::YamlBlock { .. } => true,
                Pending::PairValue => !quoted,
                _ => false,
            };
            let form = if bare { Form::Bare } else { Form::Bracket };
            spans.push(Span { start: masked.start, end: masked.end, rule: self.rule, form, why: Why::Grammar });
        }
        self.lines < MAX_LINES
            && !matches!(self.pending, Pending::PairValue | Pending::Dump | Pending::Items { one: true })
    }

    /// What of the line belongs to an armoured body: an empty range for a line that passes, `None` at the end.
    fn armour(&mut self, haystack: &[u8], line: Range<usize>) -> Option<Range<usize>> {
        let Pending::Armour { first, full, strangers } = self.pending else { return None };
        let mut prefix = prefix_len(&self.prefix, &haystack[line.clone()]);
        // What stands before BEGIN may be a name: `web-1 | KEY=-----BEGIN`. Then the first line of the body says the prefix.
        if first && prefix.is_none() {
            let text = &haystack[line.clone()];
            let end = memchr::memmem::find(&text[..text.len().min(MAX_PREFIX)], b"-----END");
            let body = end.or_else(|| long_run(text)).filter(|&at| self.prefix.starts_with(&shape_of(&text[..at])));
            if let Some(body) = body {
                self.prefix = shape_of(&text[..body]).into();
                prefix = Some(body);
            }
        }
        let start = line.start + prefix.unwrap_or(0);
        let rest = &haystack[start..line.end];
        // Another writer's END closes another writer's key.
        if prefix.is_some() && memchr::memmem::find(&rest[..rest.len().min(64)], b"-----END").is_some() {
            return None;
        }
        let body = body_of(rest, full && prefix.is_some()).map(|body| start + body.start..start + body.end);
        let announced =
            (first && prefix.is_some() && body.is_none()).then(|| start..first_line_end(haystack, start, line.end));
        let announced =
            announced.filter(|all| !haystack[all.clone()].trim_ascii().is_empty() && !is_armour_header(rest));
        let found = body.or(announced);
        let passes = found.is_none() && !is_armour_header(rest) && !rest.trim_ascii().is_empty();
        let strangers = if passes { strangers + 1 } else { 0 };
        let full = found.as_ref().is_some_and(|body| body.len() >= 48) || passes && full;
        // A stranger may stand between BEGIN and the first line when two writers share a stream.
        let first = first && (passes || found.is_none());
        self.pending = Pending::Armour { first, full, strangers };
        (strangers < MAX_STRANGERS).then(|| found.unwrap_or(line.start..line.start))
    }

    /// A line of a block scalar: deeper than its key. Blank lines belong to it too, and another writer's do not end it.
    fn yaml_block(&mut self, haystack: &[u8], line: Range<usize>) -> Option<Range<usize>> {
        let Pending::YamlBlock { indent, outer, strangers } = self.pending else { return None };
        let prefix = prefix_len(&self.prefix, &haystack[line.clone()]);
        let start = line.start + prefix.unwrap_or(0);
        let text = &haystack[start..line.end];
        if text.trim_ascii().is_empty() {
            return Some(line.start..line.start);
        }
        let own = text.iter().take_while(|&&byte| byte == b' ').count();
        let deeper = match prefix {
            Some(_) => own > indent,
            None => own > outer && strangers == 0,
        };
        let strangers = if prefix.is_some() || deeper { 0 } else { strangers + 1 };
        self.pending = Pending::YamlBlock { indent, outer, strangers };
        if deeper {
            return Some(start + own..line.end);
        }
        (prefix.is_none() && strangers < MAX_BESIDE).then_some(line.start..line.start)
    }

    fn multipart(&mut self, haystack: &[u8], line: Range<usize>) -> Option<Range<usize>> {
        let Pending::Multipart { in_body } = self.pending else { return None };
        let text = &haystack[line.clone()];
        if text.starts_with(b"--") {
            return None;
        }
        if in_body {
            return Some(line);
        }
        let header = text.is_empty() || text.starts_with(b"Content-") || text.starts_with(b"content-");
        self.pending = Pending::Multipart { in_body: text.is_empty() };
        header.then_some(line.start..line.start)
    }
}

/// The text on the line, if it is one word that no tag follows.
fn element(haystack: &[u8], line: Range<usize>) -> Option<Range<usize>> {
    let text = &haystack[line.clone()];
    let value = text.trim_ascii();
    let start = line.start + text.len() - text.trim_ascii_start().len();
    let word = !value.iter().any(|byte| b" \t<>".contains(byte)) && value::kind_of(value) == value::Kind::Opaque;
    word.then(|| start..start + value.len())
}

/// The string that is all of a line but for what stands between items: `"…",`.
fn item(haystack: &[u8], line: Range<usize>) -> Option<Range<usize>> {
    let start = line.end - haystack[line.clone()].trim_ascii_start().len();
    let open = quote::at(haystack, start, line.end)?;
    let close = quote::close(haystack, &open, line.end)?;
    let behind = haystack[quote::at(haystack, close, line.end)?.end..line.end].trim_ascii();
    (behind.len() <= 2 && behind.iter().all(|byte| b",);".contains(byte))).then_some(open.end..close)
}

/// The value in `value: …`, `"value": "…"`, `<value>…</value>`; `None` when the line is another field's.
fn pair_value(haystack: &[u8], line: Range<usize>) -> Option<Range<usize>> {
    let text = &haystack[line.clone()];
    if text.trim_ascii_start().starts_with(b"<") {
        return element_value(haystack, line);
    }
    let lead = text.iter().take_while(|byte| b" \t+~-\"'".contains(byte)).count();
    let name = text[lead..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let colon = lead + name + text[lead + name..].iter().take_while(|byte| b"\"' ".contains(byte)).count();
    if !bridge::names_value(&text[lead..lead + name]) || !matches!(text.get(colon), Some(b':' | b'=')) {
        return None;
    }
    let start = bridge::skip_blanks(haystack, line.start + colon + 1, line.end);
    let value = match quote::at(haystack, start, line.end) {
        Some(open) => open.end..quote::close(haystack, &open, line.end).unwrap_or(line.end),
        None => start..start + haystack[start..line.end].trim_ascii_end().len(),
    };
    (value::kind_of(&haystack[value.clone()]) != value::Kind::Blank).then_some(value)
}

/// The text in `<value>…</value>` or a property list's `<string>…</string>`.
fn element_value(haystack: &[u8], line: Range<usize>) -> Option<Range<usize>> {
    let text = &haystack[line.clone()];
    let open = text.iter().position(|byte| *byte == b'<')? + 1;
    let close = open + memchr::memchr(b'>', &text[open..])?;
    let len = memchr::memchr(b'<', &text[close + 1..])?;
    let name = &text[open..close];
    let value = line.start + close + 1..line.start + close + 1 + len;
    let named = bridge::names_value(name) || name == b"string";
    (named && value::kind_of(&haystack[value.clone()]) != value::Kind::Blank).then_some(value)
}

/// The text in `string(12) "…"`.
fn dump(haystack: &[u8], line: Range<usize>) -> Option<Range<usize>> {
    let open = bridge::skip_dump_type(haystack, line.start, line.end)?;
    let open = quote::at(haystack, open, line.end)?;
    let value = open.end..quote::close(haystack, &open, line.end).unwrap_or(line.end);
    (value::kind_of(&haystack[value.clone()]) != value::Kind::Blank).then_some(value)
}

/// What stands before the key at `key` in every line of its value, in the line that begins at `line`.
pub(crate) fn prefix(haystack: &[u8], pending: Pending, line: usize, key: usize) -> &[u8] {
    match pending {
        Pending::YamlBlock { .. } => &haystack[line..yaml_prefix(haystack, line, key).0],
        _ => b"",
    }
}

/// Where the prefix of a line ends, in which a key of YAML stands at `key`, and how far the key is indented behind it:
/// `web-1  |   password: |`.
pub(super) fn yaml_prefix(haystack: &[u8], line: usize, key: usize) -> (usize, usize) {
    let before = |from: usize, bytes: &[u8]| {
        from - haystack[line..from].iter().rev().take_while(|byte| bytes.contains(byte)).count()
    };
    // An item's dash is a part of the indentation, what stands before is a prefix.
    let end = before(key, b" -?\"'");
    (end, haystack[end..key].iter().take_while(|&&byte| byte == b' ').count())
}

/// The run of base64 that makes `text` a body line: alone on it but for indentation, quotes, and marks of source code.
fn body_of(text: &[u8], full: bool) -> Option<Range<usize>> {
    let lead = text.iter().take_while(|b| b" \t\"'>|*#;".contains(b)).count();
    let len = BASE64.run(&text[lead..]);
    let body = &text[lead..lead + len];
    let ends = match text.get(lead + len) {
        None => true,
        Some(b'"' | b'\'' | b'\\' | b'<') => true,
        Some(b' ' | b'\t') => text[lead + len..].trim_ascii().iter().all(|b| b"+\\\"',;".contains(b)),
        _ => false,
    };
    let short = full && len > 0 && armour::looks_like_tail(body);
    (ends && (len >= MIN_BODY || short)).then_some(lead..lead + len)
}

/// Where in a line the run of base64 begins that is as long as the lines of a body are.
fn long_run(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        let len = BASE64.run(&text[at..]);
        if len >= MIN_LONG_RUN && body_of(&text[at..], false).is_some() {
            return Some(at);
        }
        at += len + 1;
    }
    None
}

/// The lines of a body are 64 or 76 long, and of the shortest key its only one.
const MIN_LONG_RUN: usize = 60;

/// `Proc-Type: 4,ENCRYPTED` and its kin.
fn is_armour_header(text: &[u8]) -> bool {
    const NAMES: [&[u8]; 7] =
        [b"Proc-Type:", b"DEK-Info:", b"Version:", b"Comment:", b"Hash:", b"Charset:", b"Subject:"];
    NAMES.iter().any(|name| text.trim_ascii_start().starts_with(name))
}

/// The first word of the line behind BEGIN goes whatever it is, without the dots of a visible cut.
fn first_line_end(haystack: &[u8], start: usize, end: usize) -> usize {
    let ends = haystack[start..end].iter().position(|b| b" \t\"\\".contains(b));
    let mut end = ends.map_or(end, |len| start + len);
    while end > start && haystack[end - 1] == b'.' {
        end -= 1;
    }
    end
}

/// `text` with each run of digits as one `0` and each run of blanks as one blank.
fn shape_of(text: &[u8]) -> Vec<u8> {
    let mut shape = Vec::with_capacity(text.len());
    for &byte in text {
        let folded = fold(byte);
        if !(matches!(folded, b'0' | b' ') && shape.last() == Some(&folded)) {
            shape.push(folded);
        }
    }
    shape
}

fn fold(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => b'0',
        b' ' | b'\t' => b' ',
        other => other,
    }
}

/// How much of `line` is a prefix of the shape `prefix`.
fn prefix_len(prefix: &[u8], line: &[u8]) -> Option<usize> {
    let mut at = 0;
    for &expected in prefix {
        if line.get(at).map(|byte| fold(*byte)) != Some(expected) {
            return None;
        }
        at += 1;
        if matches!(expected, b'0' | b' ') {
            at += line[at..].iter().take_while(|byte| fold(**byte) == expected).count();
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of `text` that a key begun behind `prefix` masks.
    fn masked(prefix: &str, text: &str) -> Vec<String> {
        let pending = Pending::Armour { first: true, full: false, strangers: 0 };
        let mut state = LineState::new(pending, RuleId(0), prefix.as_bytes());
        let mut spans = Vec::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let end = start + line.trim_end_matches('\n').len();
            if !state.step(text.as_bytes(), start..end, &Forms::default(), &mut spans) {
                break;
            }
            start += line.len();
        }
        spans.iter().map(|span| text[span.start..span.end].to_owned()).collect()
    }

    #[test]
    fn the_body_of_a_key_ends_at_what_is_none() {
        let full = "A1b2".repeat(16);
        assert_eq!(masked("", &format!("{full}\n{full}\nQ9==\n-----END x\nnext\n")), [&full[..], &full, "Q9=="]);
        assert_eq!(masked("", &format!("{full}\ndone\n{full}\n")), [&full[..], &full]);
        assert_eq!(masked("", "short0... [12 more lines]\nnext line\n"), ["short0"]);
        assert_eq!(masked("a 10: ", &format!("a 11: {full}\nb 11: {full}x y\na 12: {full}\n")), [&full[..], &full]);
        let two = format!("a: {full}\nb: -----END x\na: {full}\na: -----END x\na: {full}\n");
        assert_eq!(masked("a: ", &two), [&full[..], &full]);
        let record = format!("{{\"log\":\"{full}\\n\",\"stream\":\"stdout\"}}\n");
        assert_eq!(masked("{\"log\":\"", &record.repeat(2)), [&full[..], &full]);
    }
}

//! The grammar between a key and its value: closing marks, blanks, an operator. It says where a value begins and how sure
//! it is that one does; where the value ends is `value`'s work.

use super::quote::{self, Quote};
use super::sentence::{COPULAS, label, said_of_quoted, set_to, told};
use super::tag::{is_tag_name, tag, tag_open_before};
use super::value;
use std::ops::Range;

use crate::engine::byteset::ByteSet;
use crate::engine::pattern::TOKEN_BYTES;

/// Where a value begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bridge {
    /// First byte of the value, its opening quote included.
    pub(crate) at: usize,
    /// What joins key and value.
    pub(crate) joint: Joint,
    /// The quote that closed the key, if one did.
    pub(crate) key_quote: Option<Quote>,
    /// For [`Joint::Tag`]: how the `<` that ends the element's text is spelt, as the `>` before it was.
    pub(crate) tag_open: &'static [u8],
    /// Where a type stands between key and value: `api_key: &str = "…"`.
    pub(crate) annotation: Option<usize>,
}

/// What joins a key and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joint {
    /// `=`, `=>`, `:=` and their kin: the value is masked whatever it is.
    Assign,
    /// The same, percent-encoded this many times: the value ends at an `&` encoded as often.
    EncodedAssign(u8),
    /// `:`: a bare value must look like a secret.
    Colon,
    /// `<key>value`: ends at the next tag.
    Tag,
    /// `"name":"key","value":"…"`: as sure as an assignment.
    Pair,
    /// `["key","value"]`: must look like a secret.
    List,
    /// `--key value`.
    Flag,
    /// `key|value`, `key,value`, `the key (value)`, `Key{value=…}`: only what cannot be a word.
    Cell,
    /// `the key is value`, `key "value"`.
    Prose,
    /// `key value`: only what cannot be a word.
    Nothing,
}

impl Joint {
    /// Whether any value is masked, or only one that looks like a secret.
    pub(crate) fn is_sure(self, quoted: bool) -> bool {
        match self {
            Joint::Assign | Joint::EncodedAssign(_) | Joint::Tag | Joint::Pair | Joint::Flag => true,
            Joint::Colon => quoted,
            Joint::List | Joint::Cell | Joint::Prose | Joint::Nothing => false,
        }
    }
}

/// Whether what follows a key word could be the rest of its key and a bridge. Almost every key word of a log is prose and is
/// dismissed here.
#[inline]
pub(crate) fn may_bridge(haystack: &[u8], word: Range<usize>) -> bool {
    const MARKS: ByteSet = ByteSet::from_bytes(b"\"'`=:;\\])}*?![{<>,&%(|+-\xc2\xe2\xef");
    let window = &haystack[word.end..haystack.len().min(word.end + 64)];
    let key = KEY_TAIL.run(window);
    match window.get(key) {
        // The record ends with the key: its value may stand on the next line.
        None | Some(b'\n') => true,
        // A column of a table may be named so.
        Some(b'\t') => true,
        Some(b' ') => behind_blank(&window[key..]) || takes_any(&haystack[..word.start]),
        Some(byte) => MARKS.contains(*byte),
    }
}

const KEY_TAIL: ByteSet =
    ByteSet::from_bytes(b"_.-").with_range(b'a', b'z').with_range(b'A', b'Z').with_range(b'0', b'9');

/// Whether the key that `head` begins is a command-line option, the name of a tag or what a command sets: anything may follow
/// its blank.
fn takes_any(head: &[u8]) -> bool {
    let key = head.iter().rev().take(64).take_while(|byte| KEY_TAIL.contains(**byte)).count();
    let (before, key) = head.split_at(head.len() - key);
    key.starts_with(b"-") || before.ends_with(b"<") || before.ends_with(b":") || ends_in_command(before)
}

/// Whether a command that sets variables stands before a key: `ENV NAME value`, `setenv NAME value`.
fn ends_in_command(head: &[u8]) -> bool {
    const COMMANDS: [&[u8]; 6] = [b"set", b"setenv", b"setx", b"env", b"arg", b"export"];
    let Some(head) = head.strip_suffix(b" ") else { return false };
    let word = &head[head.len() - head.iter().rev().take(8).take_while(|byte| KEY_TAIL.contains(**byte)).count()..];
    COMMANDS.iter().any(|command| word.eq_ignore_ascii_case(command))
}

/// What makes a bridge behind a blank: an operator, a quote, a copula, or a long run of what tokens are made of.
fn behind_blank(window: &[u8]) -> bool {
    let rest = &window[BLANK.run(window)..];
    const MARKS: ByteSet = ByteSet::from_bytes(b"\"'`=:\\<>|?+-%&~.([{\xc2\xe2\xef");
    match rest.first() {
        None => false,
        Some(byte) if MARKS.contains(*byte) => true,
        Some(b'v' | b'V') if behind_name(rest) => true,
        Some(byte) if may_be_type(*byte) && behind_type(rest).is_some() => true,
        Some(_) => {
            COPULAS.iter().any(|word| rest.starts_with(word))
                || TOKEN_BYTES.run(rest) >= MIN_BARE_TOKEN
                || label(rest).is_some()
                || told(rest).is_some()
                || rest.starts_with(b"to ")
        }
    }
}

/// Whether `value=` or its like stands first in `rest`: the key before it is the name of a pair.
fn behind_name(rest: &[u8]) -> bool {
    let len = rest.iter().take(16).take_while(|byte| byte.is_ascii_alphabetic()).count();
    names_value(&rest[..len]) && matches!(rest.get(len), Some(b'=' | b':'))
}

/// The length of a type with the operator behind it: `var token string = "…"`, `Dim token As String = "…"`,
/// `DECLARE @token NVARCHAR(50) = N'…'`, `token REG_SZ …`.
fn behind_type(rest: &[u8]) -> Option<usize> {
    const TYPE: ByteSet =
        ByteSet::from_bytes(b"_*&[]()<>. ").with_range(b'a', b'z').with_range(b'A', b'Z').with_range(b'0', b'9');
    if let Some(of_registry) = rest.strip_prefix(b"REG_") {
        let len =
            4 + of_registry.iter().take(12).take_while(|byte| byte.is_ascii_uppercase() || **byte == b'_').count();
        return BLANK.contains(*rest.get(len)?).then_some(len);
    }
    let window = &rest[..rest.len().min(MAX_TYPE)];
    let equals = memchr::memchr(b'=', window)?;
    let name = window[..equals].trim_ascii_end();
    let is_type = name.len() < equals && TYPE.run(name) == name.len() && name.split(|byte| *byte == b' ').count() <= 2;
    let known = [&b"string"[..], b"*string", b"[]byte"].contains(&name);
    let of_text =
        |word: &[u8]| TEXTS.iter().any(|text| memchr::memmem::find(&word.to_ascii_lowercase(), text).is_some());
    let value = rest[equals + 1..].trim_ascii_start();
    let value = value.strip_prefix(b"N").unwrap_or(value);
    let quoted = matches!(value.first(), Some(b'"' | b'\'' | b'`' | b'\\'));
    (is_type && (known || quoted && of_text(name))).then_some(equals + 1)
}

/// What the types of texts are called.
const TEXTS: [&[u8]; 4] = [b"str", b"char", b"text", b"byte"];

fn may_be_type(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'*' || byte == b'['
}

/// A longer type is none.
const MAX_TYPE: usize = 32;

/// What a token that stands behind its name without any mark is at least as long as: `using the deploy token 3f9c…`.
pub(super) const MIN_BARE_TOKEN: usize = 20;
const BLANK: ByteSet = ByteSet::from_bytes(b" \t");
/// Blanks skipped between a key and its value: aligned columns, no more.
const MAX_BLANKS: usize = 64;

/// The end of the blanks that begin at `at`.
pub(crate) fn skip_blanks(haystack: &[u8], at: usize, end: usize) -> usize {
    at + haystack.get(at..end.min(at + MAX_BLANKS)).map_or(0, |rest| BLANK.run(rest))
}

/// Behind marks that make a label bold, or its value: `**key:** v`, `<b>key:</b> v`, `key: <code>v</code>`.
fn skip_markup(haystack: &[u8], at: usize, end: usize) -> usize {
    let mut at = at;
    let stars = haystack[at.min(end)..end].iter().take(2).take_while(|byte| **byte == b'*').count();
    if stars > 0 && BLANK.contains(haystack[..end].get(at + stars).copied().unwrap_or(0)) {
        at = skip_blanks(haystack, at + stars, end);
    }
    for _ in 0..3 {
        let rest = &haystack[at.min(end)..end];
        let slash = usize::from(rest.get(1) == Some(&b'/'));
        let letters = rest.iter().skip(1 + slash).take(8).take_while(|byte| byte.is_ascii_lowercase()).count();
        let is_tag = rest.first() == Some(&b'<') && letters > 0 && rest.get(1 + slash + letters) == Some(&b'>');
        if !is_tag || !MARKUP.contains(&&rest[1 + slash..1 + slash + letters]) {
            break;
        }
        at = skip_blanks(haystack, at + letters + slash + 2, end);
    }
    at
}

/// Tags that change how a text looks.
const MARKUP: [&[u8]; 12] =
    [b"b", b"i", b"em", b"strong", b"code", b"kbd", b"pre", b"tt", b"span", b"samp", b"td", b"dd"];

fn starts(haystack: &[u8], at: usize, end: usize, text: &[u8]) -> bool {
    haystack[at.min(end)..end].starts_with(text)
}

/// The bridge behind the key `start..key_end`, within a record that ends at `end`.
pub(crate) fn cross(haystack: &[u8], start: usize, key_end: usize, end: usize) -> Option<Bridge> {
    let (behind, key_quote) = skip_closers(haystack, key_end, end);
    let at = skip_blanks(haystack, behind, end);
    let found =
        |at, joint| Some(Bridge { at, joint, key_quote, tag_open: tag_open_before(haystack, at), annotation: None });
    if let Some((len, joint)) = operator(haystack, start, at, end, key_quote) {
        let value = skip_markup(haystack, skip_blanks(haystack, at + len, end), end);
        // `""key"": ""value""`: JSON in a cell of CSV.
        if starts(haystack, key_end, end, b"\"\"") && starts(haystack, value, end, b"\"\"") {
            return found(value + 1, joint);
        }
        // `token= user=ada`: the value is empty, and what follows is another field's.
        let glued = at == key_end && haystack[at..].starts_with(b"=") && len == 1;
        if glued && value > at + len && value::is_param(&haystack[value..end]) {
            return None;
        }
        return match annotation(haystack, value, end).filter(|_| joint == Joint::Colon && key_quote.is_none()) {
            Some(assigned) => {
                Some(Bridge { at: assigned, joint: Joint::Assign, key_quote, tag_open: b"<", annotation: Some(value) })
            }
            None => found(value, joint),
        };
    }
    match haystack[..end].get(at)? {
        _ if key_quote.is_none()
            && let Some(value) = pair(haystack, start, at, end) =>
        {
            found(value, Joint::Pair)
        }
        byte if may_be_type(*byte)
            && at > behind
            && key_quote.is_none()
            && let Some(len) = behind_type(&haystack[at..end]) =>
        {
            found(skip_blanks(haystack, at + len, end), Joint::Assign)
        }
        b'|' | b',' | b';' if at == key_end && token_ends(haystack, at + 1, end, b"|,;") => found(at + 1, Joint::Cell),
        b'(' if at > behind && token_ends(haystack, at + 1, end, b")") => found(at + 1, Joint::Cell),
        b'[' if at > behind && token_ends(haystack, at + 1, end, b"]") => found(at + 1, Joint::Cell),
        // A pair of C#: `[key, value]`.
        b',' if key_quote.is_none()
            && haystack[..start].ends_with(b"[")
            && token_ends(haystack, skip_blanks(haystack, at + 1, end), end, b"]") =>
        {
            found(skip_blanks(haystack, at + 1, end), Joint::Cell)
        }
        b'{' | b'('
            if key_quote.is_none()
                && let Some(value) = field(haystack, at, end) =>
        {
            found(value, Joint::Cell)
        }
        b',' if key_quote.is_none() && (haystack[..start].ends_with(b"{") || haystack[..start].ends_with(b"{:")) => {
            term(haystack, at, end).and_then(|at| found(at, Joint::List))
        }
        // A cell of a table, and the next one.
        b'|' if at > behind && matches!(haystack[..end].get(at + 1), Some(b' ' | b'\t')) => {
            let cell = skip_blanks(haystack, at + 1, end);
            (cell < end && haystack[cell] != b'|').then_some(()).and_then(|()| found(cell, Joint::List))
        }
        0xe2 if at > behind
            && [&b"\xe2\x94\x82 "[..], b"\xe2\x94\x83 ", b"\xe2\x95\x91 "]
                .iter()
                .any(|bar| starts(haystack, at, end, bar)) =>
        {
            found(skip_blanks(haystack, at + 4, end), Joint::List)
        }
        b';' if key_quote.is_some() => serialized(haystack, at, end).and_then(|at| found(at, Joint::Pair)),
        b',' if key_quote.is_some() => list(haystack, start, at, end).and_then(|(at, joint)| found(at, joint)),
        b'>' | b'<' | b'\\' | b'&' => match tag(haystack, start, at, end, key_quote) {
            Some(text) => found(text, Joint::Tag),
            // An escaped quote: the text is a string of its own.
            None if at > behind && key_quote.is_none() && quote::at(haystack, at, end).is_some() => {
                prose(haystack, start, at, end).and_then(|(at, joint)| found(at, joint))
            }
            None => None,
        },
        b'(' if at == behind && key_quote.is_none() => match quote::at(haystack, at + 1, end) {
            Some(_) => found(at + 1, Joint::Prose),
            None if token_ends(haystack, at + 1, end, b")") && value::looks_random(token(haystack, at + 1, end)) => {
                found(at + 1, Joint::Cell)
            }
            None => None,
        },
        _ if at > behind
            && key_quote.is_none()
            && haystack[..start].ends_with(b"<") | haystack[..start].ends_with(b":") =>
        {
            match tag(haystack, start, behind, end, key_quote).filter(|_| is_tag_name(haystack, start)) {
                Some(text) => found(text, Joint::Tag),
                None => prose(haystack, start, at, end).and_then(|(at, joint)| found(at, joint)),
            }
        }
        _ if key_quote.is_some() && at > behind => attribute(haystack, start, at, end)
            .and_then(|at| found(at, Joint::Pair))
            .or_else(|| quote::at(haystack, at, end).and_then(|_| found(at, Joint::Prose)))
            .or_else(|| said_of_quoted(haystack, at, end).and_then(|at| found(at, Joint::Prose))),
        _ if at > behind => prose(haystack, start, at, end).and_then(|(at, joint)| found(at, joint)),
        _ => None,
    }
}

/// Marks that close a key: quotes, brackets, an index, `?` of an optional field, `**` of Markdown.
fn skip_closers(haystack: &[u8], key_end: usize, end: usize) -> (usize, Option<Quote>) {
    let mut at = key_end;
    let mut key_quote = None;
    for _ in 0..6 {
        if let Some(found) = quote::at(haystack, at, end) {
            // An opening quote glued to a key (`token"x"`) is no closing one unless the key was opened by one.
            key_quote.get_or_insert(found);
            at = found.end;
            continue;
        }
        match haystack[..end].get(at) {
            Some(b']' | b')' | b'}' | b'*') => at += 1,
            Some(b'?' | b'!') if starts(haystack, at + 1, end, b":") => at += 1,
            Some(b'%') if starts(haystack, at, end, b"%5D") || starts(haystack, at, end, b"%5d") => at += 3,
            // `<<"key">>` of Erlang.
            Some(b'>') if key_quote.is_some() && starts(haystack, at, end, b">>") => at += 2,
            Some(b':') => match visibility(haystack, at, end) {
                Some(behind) => at = behind,
                None => break,
            },
            Some(b'[') => match index(haystack, at, end) {
                Some(behind) => at = behind,
                None => break,
            },
            _ => break,
        }
    }
    (at, key_quote)
}

/// `:protected]`, `:Class:private]`, `:"Class":private]` behind a key: how PHP prints whose a field is.
fn visibility(haystack: &[u8], at: usize, end: usize) -> Option<usize> {
    let window = &haystack[at..end.min(at + 96)];
    let close = memchr::memchr(b']', window)?;
    let says = window[..close].ends_with(b":protected") || window[..close].ends_with(b":private");
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_:\\\"".contains(byte);
    (says && window[..close].iter().all(plain)).then_some(at + close + 1)
}

/// `[]`, `[0]`, `[name]` behind a key.
fn index(haystack: &[u8], at: usize, end: usize) -> Option<usize> {
    let window = &haystack[at + 1..end.min(at + 18)];
    let close = memchr::memchr(b']', window)?;
    window[..close].iter().all(|&b| b.is_ascii_alphanumeric() || b == b'_').then_some(at + close + 2)
}

/// Operators, longest first.
const OPERATORS: [(&[u8], Joint); 34] = [
    (b":::=", Joint::Assign),
    (b"::=", Joint::Assign),
    (b"??=", Joint::Assign),
    (b".=", Joint::Assign),
    (b"===", Joint::Assign),
    (b"||=", Joint::Assign),
    (b"==", Joint::Assign),
    (b"=>", Joint::Assign),
    (b"=~", Joint::Assign),
    (b"=", Joint::Assign),
    (b":=", Joint::Assign),
    (b"::", Joint::Assign),
    (b":", Joint::Colon),
    (b"->", Joint::Assign),
    (b"<-", Joint::Assign),
    (b"+=", Joint::Assign),
    (b"?=", Joint::Assign),
    (b"!=", Joint::Assign),
    (b"%3D", Joint::EncodedAssign(1)),
    (b"%3d", Joint::EncodedAssign(1)),
    (b"%253D", Joint::EncodedAssign(2)),
    (b"%253d", Joint::EncodedAssign(2)),
    (b"%3A", Joint::EncodedAssign(1)),
    (b"%3a", Joint::EncodedAssign(1)),
    (b"\\u003d", Joint::Assign),
    (b"\\u003D", Joint::Assign),
    (b"\\u003a", Joint::Colon),
    (b"\\u003A", Joint::Colon),
    (b"&#61;", Joint::Assign),
    (b"&#58;", Joint::Colon),
    (b"\\x3d", Joint::Assign),
    (b"\\x3D", Joint::Assign),
    ("\u{ff1a}".as_bytes(), Joint::Assign),
    ("\u{ff1d}".as_bytes(), Joint::Assign),
];

fn operator(
    haystack: &[u8],
    key_start: usize,
    at: usize,
    end: usize,
    key_quote: Option<Quote>,
) -> Option<(usize, Joint)> {
    let first = *haystack[..end].get(at)?;
    if !b"=:-<+?!|%\\&.\xef".contains(&first) {
        return None;
    }
    // What stands in for a missing value: `process.env.KEY || "…"`, `?? "…"`.
    if let Some(len) = [&b"||"[..], b"??"].into_iter().find(|or| starts(haystack, at, end, or)).map(<[u8]>::len)
        && quote::at(haystack, skip_blanks(haystack, at + len, end), end).is_some()
    {
        return Some((len, Joint::Colon));
    }
    let (text, joint) = OPERATORS.iter().find(|(text, _)| text[0] == first && starts(haystack, at, end, text))?;
    let mut len = text.len();
    // `::` between identifiers is a path, not LDIF's base64 mark; `://` is a URL's.
    if *text == b"::" && !matches!(haystack[..end].get(at + 2), Some(b' ' | b'\t')) {
        return None;
    }
    if *text == b":" && starts(haystack, at + 1, end, b"//") {
        return None;
    }
    // `token->hash($x)` is a member, and what a call is made of.
    if *text == b"->" && at + 2 < end {
        let name =
            haystack[at + 2..end].iter().take(64).take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
        let digits = haystack[at + 2..at + 2 + name].iter().any(u8::is_ascii_digit);
        let behind = haystack[..end].get(at + 2 + name);
        if name > 0 && !digits && behind.is_none_or(|byte| b" (;,).-\n\r\t[".contains(byte)) {
            return None;
        }
    }
    // `(token: &mut Token) -> bool` returns something.
    if *text == b"->" && haystack[key_start..at].trim_ascii_end().ends_with(b")") {
        return None;
    }
    // Glued behind a path or inside a resource name (`registry/token-broker:v1`, `arn:…:secret:name`), `:` is no operator.
    if *text == b":"
        && !matches!(haystack[..end].get(at + 1), Some(b' ' | b'\t'))
        && names_resource(haystack, key_start)
        && key_quote.is_none()
    {
        return None;
    }
    // JavaScript's and Python's source print `\u003d\u003e` for `=>`.
    if *joint == Joint::Assign && starts(haystack, at + len, end, b"\\u003e") {
        len += 6;
    }
    // `%3A+` and `%3A%20` are a colon and a blank.
    if matches!(joint, Joint::EncodedAssign(_)) {
        let rest = &haystack[at + len..end];
        len += if rest.starts_with(b"%20") { 3 } else { rest.starts_with(b"+") as usize };
    }
    Some((len, *joint))
}

/// Colons before a key that make it a part of a resource's name: `arn:aws:secretsmanager:…:secret:`.
const MIN_COLONS: usize = 3;

/// Whether the key is a part of a path, an image or a resource name.
fn names_resource(haystack: &[u8], key_start: usize) -> bool {
    let head = &haystack[key_start.saturating_sub(96)..key_start];
    match head.last() {
        // A switch of Windows is none: `app.exe /password:…`.
        Some(b'/') => !matches!(head.len().checked_sub(2).map(|at| head[at]), Some(b' ' | b'"')),
        Some(b':') => {
            let name = head.iter().rev().take_while(|byte| !byte.is_ascii_whitespace() && !b"\"'=".contains(byte));
            name.filter(|byte| **byte == b':').count() >= MIN_COLONS
        }
        _ => false,
    }
}

/// A type between the colon and `=`: `api_key: &str = "…"`. Returns where the value begins.
fn annotation(haystack: &[u8], at: usize, end: usize) -> Option<usize> {
    const TYPE: ByteSet =
        ByteSet::from_bytes(b"_&'<>[]|. ?:").with_range(b'a', b'z').with_range(b'A', b'Z').with_range(b'0', b'9');
    let window = &haystack[at..end.min(at + 48)];
    let len = TYPE.run(window);
    let assigned = len > 1 && window.get(len) == Some(&b'=') && window[len - 1] == b' ';
    let plain = window.get(len + 1).is_some_and(|next| matches!(next, b' ' | b'"' | b'\''));
    (assigned && plain).then(|| skip_blanks(haystack, at + len + 1, end))
}

/// Behind `"key",`: a value-named field, a list's next string, an argument.
fn list(haystack: &[u8], start: usize, comma: usize, end: usize) -> Option<(usize, Joint)> {
    let at = skip_space(haystack, comma + 1, end);
    let joint = if haystack[start] == b'-' { Joint::Pair } else { Joint::List };
    if let Some(value) = any_value(haystack, at, end) {
        return Some((value, joint));
    }
    let at = if starts(haystack, at, end, b"<<") { at + 2 } else { at };
    let at = at + usize::from(starts(haystack, at, end, b"b'") || starts(haystack, at, end, b"b\""));
    let open = quote::at(haystack, at, end)?;
    // A longer string is no field's name.
    let Some(close) = quote::close(haystack, &open, end.min(open.end + 4096)) else { return Some((at, joint)) };
    let behind = quote::at(haystack, close, end).map_or(close, |quote| quote.end);
    let colon = skip_blanks(haystack, behind, end);
    if let Some((len, Joint::Colon | Joint::Assign)) = operator(haystack, open.start, colon, end, Some(open)) {
        let value = skip_space(haystack, colon + len, end);
        return names_value(&haystack[open.end..close]).then_some((value, Joint::Pair));
    }
    Some((at, joint))
}

/// `s:8:"key";s:10:"value"` of PHP: where the value's quote is.
fn serialized(haystack: &[u8], at: usize, end: usize) -> Option<usize> {
    let rest = haystack[at..end].strip_prefix(b";s:")?;
    let digits = rest.iter().take(8).take_while(|byte| byte.is_ascii_digit()).count();
    let value = at + 3 + digits + 1;
    (digits > 0 && rest.get(digits) == Some(&b':') && quote::at(haystack, value, end).is_some()).then_some(value)
}

/// `{"stringValue":"…"}`: a text in OTLP's JSON. Returns where its quote is.
fn any_value(haystack: &[u8], at: usize, end: usize) -> Option<usize> {
    if haystack[..end].get(at) != Some(&b'{') {
        return None;
    }
    let open = quote::at(haystack, skip_space(haystack, at + 1, end), end)?;
    if !starts(haystack, open.end, end, b"stringValue") {
        return None;
    }
    let behind = quote::at(haystack, open.end + b"stringValue".len(), end)?;
    let colon = skip_space(haystack, behind.end, end);
    if haystack[..end].get(colon) != Some(&b':') {
        return None;
    }
    let value = skip_space(haystack, colon + 1, end);
    quote::at(haystack, value, end).map(|_| value)
}

/// Blanks and line ends that were escaped into a string.
pub(super) fn skip_space(haystack: &[u8], at: usize, end: usize) -> usize {
    let mut at = skip_blanks(haystack, at, end);
    while at < end && haystack[at] == b'\\' {
        let slashes = haystack[at..end].iter().take_while(|&&byte| byte == b'\\').count();
        if !matches!(haystack[..end].get(at + slashes), Some(b'n' | b'r' | b't')) {
            break;
        }
        at = skip_blanks(haystack, at + slashes + 1, end);
    }
    at
}

/// Whether a field is the value of a pair object: `value`, `Value`, `param.value`, `stringValue`, `values`.
pub(super) fn names_value(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 6] = [b"value", b"values", b"val", b"content", b"default", b"data"];
    let folded = name.to_ascii_lowercase();
    NAMES.iter().any(|word| folded.ends_with(word)) && name.len() <= 32
}

/// What could be a token at `at`.
fn token(haystack: &[u8], at: usize, end: usize) -> &[u8] {
    &haystack[at..at + TOKEN_BYTES.run(&haystack[at..end])]
}

/// Whether a token stands at `at` that one of `delimiters`, a blank or the record's end follows.
fn token_ends(haystack: &[u8], at: usize, end: usize, delimiters: &[u8]) -> bool {
    let at = at.min(end);
    let len = token(haystack, at, end).len();
    let behind = haystack[..end].get(at + len);
    len >= MIN_BARE_TOKEN && behind.is_none_or(|byte| delimiters.contains(byte) || b" \t\r\"\\".contains(byte))
}

/// `Key{value=…`, `Key { value: …`, `Key(value=…`: the one field of an object that is named by the key.
fn field(haystack: &[u8], at: usize, end: usize) -> Option<usize> {
    let name = skip_blanks(haystack, at + 1, end);
    let rest = &haystack[name..end];
    let len = rest.iter().take(32).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let operator = matches!(rest.get(len), Some(b'=' | b':')) && names_value(&rest[..len]);
    operator.then(|| skip_blanks(haystack, name + len + 1, end))
}

/// `{key, <<"…">>}` and `{key, "…"}`: where the quote of Erlang's value is.
fn term(haystack: &[u8], comma: usize, end: usize) -> Option<usize> {
    let at = skip_blanks(haystack, comma + 1, end);
    let at = if starts(haystack, at, end, b"<<") { at + 2 } else { at };
    quote::at(haystack, at, end).map(|_| at)
}

/// `name="key" value="…"`, `key: "key" value: "…"`: the next attribute of a tag, the next field of a message.
fn attribute(haystack: &[u8], start: usize, at: usize, end: usize) -> Option<usize> {
    const NAME: ByteSet = ByteSet::from_bytes(b"_-:").with_range(b'a', b'z').with_range(b'A', b'Z');
    let name = &haystack[at..at + NAME.run(&haystack[at..end.min(at + 32)])];
    let len = name.strip_suffix(b":").unwrap_or(name).len();
    let value = at + len + 1;
    let operator = starts(haystack, at + len, end, b"=") || starts(haystack, at + len, end, b":");
    let value = skip_blanks(haystack, value, end);
    // auditd: `a1="--token" a2="…"`.
    let numbered = name == b"a" && haystack[at + 1..end].iter().take_while(|byte| byte.is_ascii_digit()).count() == 1;
    if numbered && haystack[start] == b'-' && starts(haystack, at + 2, end, b"=") {
        return quote::at(haystack, at + 3, end).map(|_| at + 3);
    }
    let named = len > 0 && operator && names_value(&haystack[at..at + len]);
    (named && quote::at(haystack, value, end).is_some()).then_some(value)
}

/// `name=key value=…`, `field: key, value: …`: the next field, where the key is the value of one that holds names.
fn pair(haystack: &[u8], start: usize, at: usize, end: usize) -> Option<usize> {
    const NAMES: [&[u8]; 9] =
        [b"name", b"key", b"field", b"param", b"parameter", b"property", b"variable", b"setting", b"option"];
    let head = haystack[start.saturating_sub(32)..start].trim_ascii_end();
    let field = head.strip_suffix(b"=").or_else(|| head.strip_suffix(b":"))?;
    let len = field.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let name = &field[field.len() - len..];
    let next = at + haystack[at..end].iter().take(4).take_while(|byte| b" \t,;|&".contains(byte)).count();
    let rest = &haystack[next..end];
    (NAMES.iter().any(|own| name.eq_ignore_ascii_case(own)) && behind_name(rest)).then(|| {
        let operator = rest.iter().position(|byte| matches!(byte, b'=' | b':')).unwrap_or(0);
        skip_blanks(haystack, next + operator + 1, end)
    })
}

/// Behind `string(12) ` of PHP's `var_dump` and `(string) (len=12) ` of Go's dumps, where its value stands in quotes; with the
/// line end before it, if it was escaped into a string.
pub(super) fn skip_dump_type(haystack: &[u8], at: usize, end: usize) -> Option<usize> {
    let at = skip_space(haystack, at, end);
    if starts(haystack, at, end, b"(") {
        return skip_types(haystack, at, end);
    }
    let rest = haystack[at..end].strip_prefix(b"string(")?;
    let digits = rest.iter().take(8).take_while(|byte| byte.is_ascii_digit()).count();
    let quoted = at + 7 + digits + 2;
    (digits > 0 && rest[digits..].starts_with(b") ") && quote::at(haystack, quoted, end).is_some()).then_some(quoted)
}

/// Behind one or two words in brackets, where a quote is.
fn skip_types(haystack: &[u8], at: usize, end: usize) -> Option<usize> {
    let word = |at: usize| {
        let rest = haystack[at.min(end)..end].strip_prefix(b"(")?;
        let len = rest.iter().take(32).take_while(|b| b.is_ascii_alphanumeric() || b"_.*[]= ".contains(b)).count();
        (len > 0 && rest[len..].starts_with(b") ")).then_some(at + len + 3)
    };
    let first = word(at)?;
    let behind = word(first).unwrap_or(first);
    quote::at(haystack, behind, end).map(|_| behind)
}

/// `key is value`, `key "value"`, `--key value`.
fn prose(haystack: &[u8], start: usize, at: usize, end: usize) -> Option<(usize, Joint)> {
    if quote::at(haystack, at, end).is_some() {
        let flag = is_flag(haystack, start);
        return Some((at, if flag { Joint::Flag } else { Joint::Prose }));
    }
    if let Some(copula) = COPULAS.iter().find(|word| starts(haystack, at, end, word)) {
        return Some((skip_markup(haystack, skip_blanks(haystack, at + copula.len(), end), end), Joint::Prose));
    }
    if let Some(label) = label(&haystack[at..end]) {
        return Some((skip_blanks(haystack, at + label, end), Joint::Nothing));
    }
    if let Some(len) = told(&haystack[at..end]).or_else(|| set_to(&haystack[..start], &haystack[at..end])) {
        return Some((skip_markup(haystack, skip_blanks(haystack, at + len, end), end), Joint::Prose));
    }
    if is_flag(haystack, start) {
        return (haystack[at] != b'-').then_some((at, Joint::Flag));
    }
    let joined = haystack[start..at].iter().any(|byte| b"_-.".contains(byte));
    if joined && ends_in_command(&haystack[..start]) && !starts(haystack, at, end, b"-") {
        return Some((at, Joint::Prose));
    }
    (TOKEN_BYTES.run(&haystack[at..end]) >= MIN_BARE_TOKEN).then_some((at, Joint::Nothing))
}

/// Whether the key is a command-line option.
fn is_flag(haystack: &[u8], start: usize) -> bool {
    let own = start.checked_sub(1).is_none_or(|before| b" \t\r\n\"'[".contains(&haystack[before]));
    haystack[start] == b'-' && own
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands behind the bridge from `KEY`, and the joint.
    fn check(text: &str, expected: Option<(&str, Joint)>) {
        let bytes = text.as_bytes();
        let start = text.find("--KEY").or_else(|| text.find("KEY")).expect("a key");
        let key_end = text.find("KEY").expect("a key") + 3;
        let got = cross(bytes, start, key_end, bytes.len()).map(|bridge| (&text[bridge.at..], bridge.joint));
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn a_colon_in_a_resource_name_assigns_nothing() {
        for (text, expected) in [
            ("\"arn:aws:x:eu:0:KEY:n/db\"", true),
            ("registry/KEY:v1", true),
            ("arn: KEY:n", false),
            ("a:KEY:n", false),
        ] {
            let start = text.find("KEY").expect("a key");
            assert_eq!(names_resource(text.as_bytes(), start), expected, "{text}");
        }
    }

    #[test]
    fn a_bridge_leads_from_the_key_to_its_value() {
        check("KEY=v", Some(("v", Joint::Assign)));
        check("KEY => v", Some(("v", Joint::Assign)));
        check(r#""KEY": "v""#, Some((r#""v""#, Joint::Colon)));
        check(r#"\"KEY\":\"v\""#, Some((r#"\"v\""#, Joint::Colon)));
        check(r"\u0022KEY\u0022:\u0022v", Some((r"\u0022v", Joint::Colon)));
        check("cfg[KEY]:v", Some(("v", Joint::Colon)));
        check("KEY[]=v", Some(("v", Joint::Assign)));
        check("KEY%3Dv", Some(("v", Joint::EncodedAssign(1))));
        check("<KEY>v</KEY>", Some(("v</KEY>", Joint::Tag)));
        check("<k>KEY</k><v>x</v>", Some(("x</v>", Joint::Tag)));
        check(r#"{"name":"KEY","value":"v"}"#, Some((r#""v"}"#, Joint::Pair)));
        check(r#"["KEY","v"]"#, Some((r#""v"]"#, Joint::List)));
        check(r#"["--KEY","v"]"#, Some((r#""v"]"#, Joint::Pair)));
        let values = r#"[{"stringValue":"--KEY"}, {"stringValue": "v"}]"#;
        check(values, Some((r#""v"}]"#, Joint::Pair)));
        check(&values.replace("--", ""), Some((r#""v"}]"#, Joint::List)));
        // What follows may not have come, or be on the next line.
        [r#"["KEY","#, r#"["KEY", "#, r#"["KEY",{"#, r#"["KEY",{"stringValue""#, r#"["KEY",{"stringValue":"#]
            .into_iter()
            .for_each(|text| check(text, None));
        check(r#"<add key="KEY" value="v"/>"#, Some((r#""v"/>"#, Joint::Pair)));
        check("app --KEY v", Some(("v", Joint::Flag)));
        check("the KEY is v", Some(("v", Joint::Prose)));
        check("KEY: &str = \"v\"", Some(("\"v\"", Joint::Assign)));
        check("KEY：v", Some(("v", Joint::Assign)));
        check("var KEY string = \"v\"", Some(("\"v\"", Joint::Assign)));
        check("KEY string", None);
        for operator in [".=", "??=", "::=", ":::="] {
            check(&format!("KEY {operator} v"), Some(("v", Joint::Assign)));
        }
        let token = "a1B2".repeat(6);
        for mark in ["|", ",", ";"] {
            check(&format!("KEY{mark}{token}"), Some((&token, Joint::Cell)));
            check(&format!("KEY{mark}v"), None);
        }
        check(&format!("the KEY ({token}) is"), Some((&format!("{token}) is"), Joint::Cell)));
        check("the KEY (v)", None);
        check("KEY{value=v}", Some(("v}", Joint::Cell)));
        check("KEY { value: \"v\" }", Some(("\"v\" }", Joint::Cell)));
        check("{KEY, <<\"v\">>}", Some(("\"v\">>}", Joint::List)));
        check("KEY= a=1", None);
        check("KEY = a=1", Some(("a=1", Joint::Assign)));
        check("KEY refresh", None);
        check("KEY://v", None);
        check("KEY::new", None);
        check("fn f(key: &mut KEY) -> bool {", None);
        check("KEY -> v", Some(("v", Joint::Assign)));
        check("KEY", None);
    }
}

//! Where a bare value ends, and whether a value is worth masking. Quoted values end at their quote: see `quote`.

use super::bridge::{Joint, MIN_BARE_TOKEN};
use super::quote;
use crate::engine::byteset::ByteSet;
use crate::engine::pattern::{TOKEN_BYTES, ends_escape};

/// Bytes that always end a bare value: blanks, controls, `"`, `>`.
const ENDS: ByteSet = ByteSet::from_bytes(b"\"> \x7f").with_range(0, 0x1f);
/// Bytes that end it or not, depending on what follows. Everything else is the value's.
const ASKS: ByteSet = ByteSet::from_bytes(b"'`<&,;|)]}([{\\%#^\xc2\xe2\xef");

/// The end of the bare value that begins at `start`.
pub(crate) fn bare_end(haystack: &[u8], start: usize, end: usize, joint: Joint, query: bool) -> usize {
    let mut depth = 0usize;
    let mut at = start + entities_len(&haystack[start.min(end)..end]);
    while at < end {
        let byte = haystack[at];
        if ENDS.contains(byte) {
            break;
        }
        if ASKS.contains(byte) {
            match byte {
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' if depth > 0 => depth -= 1,
                b'\\' => match escape(haystack, at, end) {
                    Some(len) => {
                        at += len;
                        continue;
                    }
                    None => break,
                },
                b'<' if is_bracket(&haystack[start..at], &haystack[at + 1..end]) => break,
                b'<' => {}
                _ if stops(haystack, at, end, joint, query) => break,
                _ => {}
            }
        }
        at += 1;
    }
    trim_sentence(haystack, start, at)
}

/// A value spelt in numeric entities from its first character on is one to its last: `&#x70;&#x2f;`.
fn entities_len(text: &[u8]) -> usize {
    let mut len = 0;
    while text[len..].starts_with(b"&#") {
        let Some(end) = text[len..].iter().take(9).position(|&byte| byte == b';') else { break };
        len += end + 1;
    }
    len
}

/// A backslash inside a bare value: the length of what it escapes, or `None` where it ends the value.
fn escape(haystack: &[u8], at: usize, end: usize) -> Option<usize> {
    let slashes = haystack[at..end].iter().take_while(|&&byte| byte == b'\\').count();
    match haystack[..end].get(at + slashes) {
        Some(b'"' | b'\'' | b'n' | b'r' | b't') | None => None,
        Some(b'u' | b'x' | b'0') if slashes % 2 == 1 && decodes_to_end(&haystack[at + slashes..end]) => None,
        Some(_) => Some(slashes),
    }
}

/// `\u0022`, `\u0026`, `\u003c`, `\u001b` and their kin stand for bytes that end a value.
fn decodes_to_end(tail: &[u8]) -> bool {
    const CODES: [&[u8]; 14] = [
        b"u0022", b"u0027", b"u0026", b"u003c", b"u003C", b"u003e", b"u003E", b"u001b", b"u001B", b"x1b", b"x1B",
        b"033", b"u000a", b"u000A",
    ];
    CODES.iter().any(|code| tail.starts_with(code))
}

/// Whether the value ends at `at`, whose byte is in [`ASKS`].
fn stops(haystack: &[u8], at: usize, end: usize, joint: Joint, query: bool) -> bool {
    let rest = &haystack[at + 1..end];
    let next = rest.first().copied();
    let text = &haystack[at..end];
    match haystack[at] {
        b'\'' => next.is_none_or(|b| !b.is_ascii_alphanumeric()),
        b'&' => {
            query
                || is_param(rest)
                || [&b"&quot;"[..], b"&lt;", b"&gt;", b"&amp;", b"&#"].iter().any(|e| text.starts_with(e))
        }
        b',' | b';' | b'|' if joint == Joint::Cell => true,
        b',' | b';' | b'|' => next.is_none_or(|b| b" \t\r\n\"'{[(\\".contains(&b)) || is_param(rest),
        b')' | b']' | b'}' => next.is_none_or(|b| !b.is_ascii_alphanumeric() && !b"_-+=/~@#$%^!*".contains(&b)),
        b'%' => matches!(joint, Joint::EncodedAssign(times) if encoded_end(text, times)),
        // Controls as rsyslog writes them: tab, newline, carriage return, the beginning of a colour.
        b'#' => query || [&b"#011"[..], b"#012", b"#015", b"#033["].iter().any(|control| text.starts_with(control)),
        b'`' => !rest.first().is_some_and(u8::is_ascii_alphanumeric),
        b'^' => text.starts_with(b"^[["),
        _ => {
            quote::at(haystack, at, end).is_some()
                || ["\u{ff0c}", "\u{ff1b}"].iter().any(|mark| text.starts_with(mark.as_bytes()))
        }
    }
}

/// Whether a `<` before `rest` is a bracket and none of a password's letters: behind a word, as in `Option<T>`, or where a tag
/// begins.
fn is_bracket(value: &[u8], rest: &[u8]) -> bool {
    let opaque = value.len() >= 6 && looks_opaque(&value[..value.len().min(64)]);
    !opaque || !rest.first().is_some_and(u8::is_ascii_alphanumeric) || begins_tag(rest)
}

/// Whether a tag begins with this name: `br>`, `span class=`, `br/>`.
fn begins_tag(rest: &[u8]) -> bool {
    let name = rest.iter().take(16).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let digit = rest.get(name).is_some_and(u8::is_ascii_digit);
    name > 0 && matches!(rest.get(name + usize::from(digit)), None | Some(b'>' | b'/' | b' ' | b':'))
}

/// What stands where a value was withheld or comes from elsewhere: `(sensitive value)`, `[FILTERED]`, `$(openssl rand -hex 16)`,
/// `function(x) {…`.
pub(super) fn is_remark(text: &[u8]) -> bool {
    let word =
        text.strip_prefix(b"[").map(|inner| inner.iter().take(12).take_while(|b| b.is_ascii_uppercase()).count());
    if word.is_some_and(|len| len >= 6 && text.get(len + 1) == Some(&b']')) {
        return true;
    }
    if text.starts_with(b"$(") || text.starts_with(b"function(") || text.starts_with(b"function (") {
        return true;
    }
    let Some(inner) = text.strip_prefix(b"(") else { return false };
    let words = inner.iter().take(40).take_while(|byte| byte.is_ascii_lowercase() || **byte == b' ').count();
    inner.get(words) == Some(&b')') && inner[..words].contains(&b' ')
}

/// A delimiter encoded as often as the operator was: `&`, blank, quotes, `;`, line ends, `}`, `,`.
fn encoded_end(text: &[u8], times: u8) -> bool {
    let mark: &[u8] = if times == 1 { b"%" } else { b"%25" };
    let code = text.strip_prefix(mark).and_then(|tail| tail.get(..2));
    code.is_some_and(|code| {
        [b"26", b"20", b"22", b"27", b"3B", b"3b", b"0A", b"0a", b"0D", b"0d", b"7D", b"7d", b"2C", b"2c"]
            .iter()
            .any(|c| *c == code)
    })
}

/// Whether another `name=` or `name:` begins here: then the delimiter before it was one.
pub(super) fn is_param(rest: &[u8]) -> bool {
    const NAME: ByteSet =
        ByteSet::from_bytes(b"_.-[]").with_range(b'a', b'z').with_range(b'A', b'Z').with_range(b'0', b'9');
    let len = NAME.run(&rest[..rest.len().min(48)]);
    let named = len > 0 && rest[0].is_ascii_alphabetic() | (rest[0] == b'_');
    named && matches!(rest.get(len), Some(b'=' | b':')) && !rest[len..].starts_with(b"==")
}

/// Where the fields end of which the first ones stand in `start..at`: `Server=db;User ID=app;Pwd=…`.
pub(super) fn fields_end(haystack: &[u8], start: usize, at: usize, end: usize, joint: Joint) -> usize {
    let mut at = at;
    loop {
        let next = haystack[at..end].starts_with(b";").then_some(at);
        // A name of two words looks like a value's end.
        let Some(mark) = next.or_else(|| memchr::memrchr(b';', &haystack[start..at]).map(|len| start + len)) else {
            return at;
        };
        match field_at(&haystack[mark + 1..end]).map(|name| bare_end(haystack, mark + 1 + name, end, joint, false)) {
            Some(behind) if behind > at => at = behind,
            _ => return at,
        }
    }
}

/// The length of the name and `=` of a connection string's field, if one begins here.
fn field_at(text: &[u8]) -> Option<usize> {
    const NAME: ByteSet =
        ByteSet::from_bytes(b" _.-").with_range(b'a', b'z').with_range(b'A', b'Z').with_range(b'0', b'9');
    let name = NAME.run(&text[..text.len().min(48)]);
    (name > 0 && text.get(name) == Some(&b'=')).then_some(name + 1)
}

/// Takes a sentence's own punctuation off the end.
fn trim_sentence(haystack: &[u8], start: usize, mut end: usize) -> usize {
    if is_shown_prefix(&haystack[start..end]) {
        return end;
    }
    // Wire logs show a line's end so: `[\r][\n]`.
    let control = haystack[end..].starts_with(b"\\r]") || haystack[end..].starts_with(b"\\n]");
    end -= usize::from(control && end > start && haystack[end - 1] == b'[');
    while end > start && matches!(haystack[end - 1], b'.' | b',' | b';' | b':') {
        end -= 1;
    }
    end
}

/// A visibly cut prefix of a key whose kind it still tells, `sk-ab...`: its dots are no sentence's.
fn is_shown_prefix(value: &[u8]) -> bool {
    let kind = value.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    is_cut_prefix(value) && kind > 0 && matches!(value.get(kind), Some(b'-' | b'_'))
}

/// What a value is, apart from where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing, `null`, a template, a placeholder, stars: left.
    Blank,
    /// A number: secret only under a key that says so.
    Number,
    /// A word or words without digits or symbols.
    Word,
    /// Something that looks like a secret.
    Opaque,
}

/// What `value` is. A longer one is judged by what it begins with, so that not every key within it walks to its end.
pub(crate) fn kind_of(value: &[u8]) -> Kind {
    let value = value.trim_ascii();
    if value.len() > MAX_WORDS {
        let same = value.iter().all(|byte| *byte == value[0]);
        return if same && is_blank(&value[..MAX_WORDS]) { Kind::Blank } else { Kind::Opaque };
    }
    if is_blank(value) {
        return Kind::Blank;
    }
    if is_number(value) {
        return Kind::Number;
    }
    if value.len() >= 6 && looks_opaque(value) { Kind::Opaque } else { Kind::Word }
}

/// Longer text is no word, no number and no template, whatever it is made of.
const MAX_WORDS: usize = 4096;

fn is_number(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    digits.first().is_some_and(u8::is_ascii_digit) && digits.iter().all(|b| b.is_ascii_digit() || *b == b'.')
}

/// Text that is no secret whatever key it stands under.
fn is_blank(value: &[u8]) -> bool {
    const WORDS: [&str; 29] = [
        "true",
        "false",
        "null",
        "none",
        "nil",
        "undefined",
        "yes",
        "no",
        "on",
        "off",
        "(null)",
        "<nil>",
        "<null>",
        "n/a",
        "na",
        "-",
        "...",
        "empty",
        "unset",
        "missing",
        "<none>",
        "(none)",
        "(redacted)",
        "(hidden)",
        "(unset)",
        "[filtered]",
        "[redacted]",
        "redacted",
        "\u{2026}",
    ];
    const LONGEST: usize = 10;
    let is_word = || WORDS.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()));
    let is_mark = |byte: &u8| byte.is_ascii_punctuation();
    if value.is_empty() || (value.len() <= LONGEST && is_word()) || value.len() <= 2 && value.iter().all(is_mark) {
        return true;
    }
    let first = value[0];
    let same = value.iter().all(|&byte| byte == first);
    (same && b"*xX.-_#\xe2".contains(&first)) || is_template(value) || is_cut_prefix(value)
}

/// Whether a value that begins like what we write goes on as a secret: right behind it, `****!hunter2x`.
pub(crate) fn goes_on(haystack: &[u8], ours: usize, end: usize) -> bool {
    let rest = haystack.get(ours..end).unwrap_or_default().split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let marks = rest.iter().take_while(|byte| !byte.is_ascii_alphanumeric()).count();
    kind_of(&rest[marks..]) == Kind::Opaque
}

/// A visibly cut prefix, as providers print it: `sk-proj-ab...`.
fn is_cut_prefix(value: &[u8]) -> bool {
    value.strip_suffix(b"...").is_some_and(|shown| shown.len() <= 12)
}

/// `${…}`, `{{…}}`, `$(…)`, `$NAME`, `$1`, `%s`, `%NAME%`, `<placeholder>`, `Ident{…`, `pkg.Class@1f`.
fn is_template(value: &[u8]) -> bool {
    let within = |open: &[u8], close: &[u8]| {
        value.len() > open.len() + close.len() && value.starts_with(open) && value.ends_with(close)
    };
    let inner = &value[1.min(value.len())..];
    // A digit that no `_` stands before is a password's: `$ECRET1`.
    let constant = |name: &[u8]| {
        let letters = |part: &[u8]| part.iter().all(u8::is_ascii_uppercase);
        let part = |part: &[u8]| letters(part) || part.iter().all(u8::is_ascii_digit);
        !name.is_empty()
            && name.split(|b| *b == b'_').enumerate().all(|(at, text)| letters(text) || at > 0 && part(text))
    };
    let argument = |name: &[u8]| !name.is_empty() && name.len() <= 2 && name.iter().all(u8::is_ascii_digit);
    let words = |name: &[u8]| {
        let joined = name.iter().any(|b| b" _-".contains(b));
        name.iter().all(|b| b.is_ascii_alphabetic() || b" _-<>".contains(b) || joined && b.is_ascii_digit())
    };
    within(b"${", b"}") && !has_default(value)
        || within(b"{{", b"}}")
        || within(b"$(", b")")
        || within(b"<", b">") && words(inner)
        || within(b"%", b"%") && constant(&value[1..value.len() - 1])
        || value[0] == b'$' && (constant(inner) || argument(inner))
        || matches!(value, b"%s" | b"%d" | b"%v" | b"%q" | b"{}" | b"{0}" | b"?" | b"%w" | b"%x")
        || is_object(value)
}

/// `${NAME:-value}` and its kin: what stands there in the variable's place is as secret as the variable.
fn has_default(value: &[u8]) -> bool {
    let inner = &value[2..value.len() - 1];
    let name = inner.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    let default = inner[name..].strip_prefix(b":").unwrap_or(&inner[name..]);
    name > 0 && matches!(default.first(), Some(b'-' | b'=')) && !is_blank(default[1..].trim_ascii())
}

/// `Token{a64f992 …`, `org.app.Token@4f3a2b`, `read_password()`, `os.getenv(NAME)`: an object's name or a call, not a value.
pub(super) fn is_object(value: &[u8]) -> bool {
    const IDENT: ByteSet =
        ByteSet::from_bytes(b"_.$").with_range(b'a', b'z').with_range(b'A', b'Z').with_range(b'0', b'9');
    let name = IDENT.run(value);
    let capital = value[..name].iter().any(u8::is_ascii_uppercase) && value[0].is_ascii_alphabetic();
    let identity = |hex: &[u8]| !hex.is_empty() && hex.len() <= 8 && hex.iter().all(u8::is_ascii_hexdigit);
    let dotted = value[..name].contains(&b'.');
    match value.get(name) {
        Some(b'{') => {
            let inner = &value[name + 1..];
            let id = inner.iter().take_while(|b| b.is_ascii_hexdigit()).count();
            let field = inner.iter().take_while(|b| b.is_ascii_alphabetic() || **b == b'_').count();
            let fields = field > 0 && matches!(inner.get(field), Some(b'=' | b':'));
            capital && value[..name].iter().all(|b| !b.is_ascii_digit()) && (id >= 6 || fields)
        }
        Some(b'@') => capital && dotted && identity(&value[name + 1..]),
        Some(b'(') => {
            let called = value[..name].iter().all(|b| b.is_ascii_alphabetic() || b"_.".contains(b));
            called && value.ends_with(b")") && (dotted || value.len() == name + 2)
        }
        _ => false,
    }
}

/// A digit, a symbol that words do not have, mixed case inside a word, or sheer length.
pub(crate) fn looks_opaque(value: &[u8]) -> bool {
    /// Digits, and symbols that words do not have.
    const MARKS: ByteSet = ByteSet::from_bytes(b"!@#$%^&+=~?").with_range(b'0', b'9');
    const PATH: ByteSet = ByteSet::from_bytes(b" ./:\\");
    let has = |set: ByteSet| value.iter().any(|byte| set.contains(*byte));
    let is_hump = |pair: &&[u8]| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase();
    has(MARKS)
        || match value.windows(2).filter(is_hump).take(3).count() {
            0 => false,
            humps => humps == 3 || value.len() >= 24 && !has(PATH),
        }
}

/// Whether a value that stands behind its key without any mark can be nothing but a token: one run of its alphabet, with
/// digits among letters, in no word's shape. A UUID is an identifier there, and a short digest too.
pub(super) fn is_bare_token(value: &[u8]) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let lower = value.iter().any(u8::is_ascii_lowercase);
    let upper = value.iter().any(u8::is_ascii_uppercase);
    let joints = value.iter().filter(|byte| !byte.is_ascii_alphanumeric()).count();
    let end = value.trim_ascii_end().iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    if value[..end].contains(&b'=') {
        return false;
    }
    let long = value.len() >= if lower && upper { MIN_BARE_TOKEN } else { 32 };
    long && digits >= 2
        && (lower || upper)
        && joints * 8 <= value.len()
        && TOKEN_BYTES.run(value) == value.len()
        && !is_uuid(value)
}

/// Whether a value can be nothing but drawn at random: a long run of letters and digits that changes between them too often
/// for words and numbers. Names, paths, addresses, dates, versions and UUIDs do not.
pub(super) fn looks_random(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    let inner = &value[..value.len() - value.iter().rev().take_while(|byte| **byte == b'=').count()];
    if !(MIN_RANDOM..=MAX_RANDOM).contains(&inner.len()) {
        return false;
    }
    // A symbol in sixteen is what base64 has; more of them join words.
    let joints = inner.iter().filter(|byte| !byte.is_ascii_alphanumeric()).count();
    let is_run = |part: &[u8]| part.len() >= MIN_RUN && changes_often(part);
    inner.iter().all(|byte| TOKEN_BYTES.contains(*byte) || b"~:!".contains(byte))
        && !inner.starts_with(b"/")
        // Another field, with a key and a value of its own.
        && !inner.contains(&b'=')
        && joints * 6 <= inner.len()
        && !is_uuid(inner)
        && inner.split(|byte| !byte.is_ascii_alphanumeric()).any(is_run)
}

/// Whether a value is as long as a digest in hexadecimal, of one case: a commit, a trace, a checksum.
pub(super) fn is_digest(value: &[u8]) -> bool {
    let hex = value.iter().all(u8::is_ascii_hexdigit);
    hex && matches!(value.len(), 16 | 32 | 40 | 56 | 64 | 96 | 128)
}

/// Shorter values are too often names; the run within them that must look random may be a little shorter.
pub(super) const MIN_RANDOM: usize = 16;
const MIN_RUN: usize = 12;
/// Behind a key that was found already a short run says enough.
const MIN_GLUED: usize = 8;
/// A longer value is none of a service's keys.
pub(super) const MAX_RANDOM: usize = 512;

/// Whether letters, their cases and digits change as often as in a random run: hexadecimal does so at half of its places, base
/// 36 at four in ten. `ubuntu2004server` does at two in sixteen.
fn changes_often(run: &[u8]) -> bool {
    let kind = |byte: &u8| (byte.is_ascii_digit(), byte.is_ascii_uppercase());
    let digits = run.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = run.len() - digits;
    let changes = run.windows(2).filter(|pair| kind(&pair[0]) != kind(&pair[1])).count();
    // With one digit the humps of a name are no changes: `getUserByIdFromList2`.
    let humps = run.windows(2).filter(|pair| pair[0].is_ascii_uppercase() && pair[1].is_ascii_lowercase()).count();
    letters >= 3 && (digits >= 2 && changes * 5 >= run.len() || digits == 1 && (changes - humps) * 5 >= run.len() * 2)
}

/// Where what was drawn at random ends that is glued to a key's end, at `at`: `…+oOj37HyVaQ/XekW9Lct=`. A path, a version or a
/// file's name behind a key is none of it.
pub(crate) fn glued_end(haystack: &[u8], at: usize, end: usize) -> usize {
    let glued = &haystack[at..end.min(at + MAX_RANDOM)];
    if !glued.first().is_some_and(|byte| b"+/_-.~".contains(byte)) {
        return at;
    }
    let glued = &glued[..TOKEN_BYTES.run(glued)];
    let joints = glued.iter().filter(|byte| !byte.is_ascii_alphanumeric()).count();
    let is_run = |part: &[u8]| part.len() >= MIN_GLUED && changes_often(part);
    let random = joints * 5 <= glued.len() && glued.split(|byte| !byte.is_ascii_alphanumeric()).any(is_run);
    // Behind `=` stands another field's value, but for the padding.
    let padded = glued.iter().position(|byte| *byte == b'=').unwrap_or(glued.len());
    if random && glued[padded..].iter().all(|byte| *byte == b'=') { at + glued.len() } else { at }
}

pub(super) fn is_uuid(value: &[u8]) -> bool {
    let dashes = value.len() == 36 && [8, 13, 18, 23].iter().all(|at| value[*at] == b'-');
    dashes && value.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
}

/// Whether a placeholder in brackets would not be legal at `at`, or would change the meaning: URLs, forms, bare scalars, maps.
pub(crate) fn needs_bare(haystack: &[u8], at: usize) -> bool {
    match at.checked_sub(1).map(|before| haystack[before]) {
        None => false,
        Some(b'=' | b'/' | b'&' | b'?' | b':' | b'@' | b'%' | b'.' | b'-' | b'_' | b';' | b'[' | b'+') => true,
        Some(b' ') => is_yaml_scalar(haystack, at),
        Some(byte) if byte.is_ascii_alphanumeric() => !ends_escape(haystack, at) || ends_percent(haystack, at),
        Some(_) => false,
    }
}

fn ends_percent(haystack: &[u8], at: usize) -> bool {
    at >= 3 && haystack[at - 3] == b'%'
}

/// A key longer than this is none of YAML's.
const MAX_SCALAR_KEY: usize = 80;

/// `key: value`, `key: &anchor value` or `- value` at the start of a line.
fn is_yaml_scalar(haystack: &[u8], at: usize) -> bool {
    let head = &haystack[at.saturating_sub(MAX_SCALAR_KEY)..at];
    let line = match memchr::memrchr(b'\n', head) {
        Some(newline) => &head[newline + 1..],
        None if at <= MAX_SCALAR_KEY => head,
        None => return false,
    };
    let mut head = line.trim_ascii();
    while let Some(blank) = memchr::memrchr(b' ', head).filter(|&blank| matches!(head[blank + 1], b'!' | b'&')) {
        head = head[..blank].trim_ascii_end();
    }
    let name = head.strip_suffix(b":").unwrap_or(b" ");
    head == b"-" || !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || b"_-.\"'".contains(b))
}

/// Whether one word or one quoted text of a YAML line stands at `at`, and nothing behind it but a comment.
pub(super) fn is_last_scalar(haystack: &[u8], at: usize) -> bool {
    let line = haystack[at..].split(|&byte| byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    let len = match quote::at(haystack, at, at + line.len()) {
        Some(open) => match quote::close(haystack, &open, at + line.len()) {
            Some(close) => close + (open.end - open.start) - at,
            None => return false,
        },
        None => memchr::memchr2(b' ', b'\t', line).unwrap_or(line.len()),
    };
    let behind = line[len..].trim_ascii_start();
    !line.is_empty() && (behind.is_empty() || behind[0] == b'#') && !is_param(line) && is_yaml_scalar(haystack, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, query: bool, expected: &str) {
        let end = bare_end(text.as_bytes(), 0, text.len(), Joint::Assign, query);
        assert_eq!(&text[..end], expected, "{text}");
    }

    #[test]
    fn a_bare_value_ends_where_its_carrier_goes_on() {
        check("p/W+9Q!z%7=kX#2r$v rest", false, "p/W+9Q!z%7=kX#2r$v");
        check("ab, port=1)", false, "ab");
        check("ab,port=1", false, "ab");
        check("a,b,c", false, "a,b,c");
        check("ab&x=2 HTTP/1.1", false, "ab");
        check("ab&cd", false, "ab&cd");
        check("ab&cd", true, "ab");
        check("ab;EndpointSuffix=core", false, "ab");
        check("a(b)c) x", false, "a(b)c");
        check("ab}", false, "ab");
        check("ab)cd", false, "ab)cd");
        check("ab.", false, "ab");
        check(r#"ab\",\"n"#, false, "ab");
        check(r"ab\nnext", false, "ab");
        check(r"ab\$cd e", false, r"ab\$cd");
        check("ab'", false, "ab");
        check("ab”", false, "ab");
        check("ab\x1b[0m", false, "ab");
        check("ab\0\0", false, "ab");
    }

    #[test]
    fn only_what_is_drawn_at_random_looks_random() {
        for name in [
            "",
            "ubuntu2004server",
            "production-eu-west-1-default",
            "org.example.module2.internal.Layout17",
            "2026-11-22T10:00:00Z",
            "/srv/app/releases/20261122100000/current",
            "getUserByIdFromList2",
            "00000000-0000-4000-8000-00000000000a",
            "12345678901234567890",
            "ada_lovelace_1815_paris",
            "ssh_port=a1B2a1B2a1B2a1B2",
        ] {
            assert!(!looks_random(name.as_bytes()), "{name}");
        }
        for token in ["a1B2".repeat(6), "0f9".repeat(12), ["aB3", "dE5f", "G7hJ", "9kL1", "mN3p"].concat() + "=="] {
            assert!(looks_random(token.as_bytes()), "{token}");
        }
        assert!(is_digest("0f".repeat(20).as_bytes()) && !is_digest("0g".repeat(20).as_bytes()));
    }

    #[test]
    fn a_value_is_judged_by_what_it_is() {
        let cases: &[(&str, Kind)] = &[
            ("", Kind::Blank),
            ("null", Kind::Blank),
            ("****", Kind::Blank),
            ("${TOKEN}", Kind::Blank),
            ("{{ token }}", Kind::Blank),
            ("<your-token>", Kind::Blank),
            ("$1", Kind::Blank),
            ("<api key 2>", Kind::Blank),
            ("$DB_PASSWORD_2", Kind::Blank),
            ("%DB_PASSWORD%", Kind::Blank),
            ("${PASSWORD:-}", Kind::Blank),
            ("${PASSWORD:-null}", Kind::Blank),
            ("${PASSWORD:?it is not set}", Kind::Blank),
            ("Token{a64f992", Kind::Blank),
            ("Token{id=7", Kind::Blank),
            ("org.app.Token@4f3a2b", Kind::Blank),
            ("read_password()", Kind::Blank),
            ("os.getenv(NAME)", Kind::Blank),
            ("Summer(2024)", Kind::Opaque),
            ("Hunter(x)", Kind::Word),
            ("Winter{2024}", Kind::Opaque),
            ("Passw0rd{1", Kind::Opaque),
            ("$ECRET123", Kind::Opaque),
            ("%PASS1%", Kind::Opaque),
            ("<S3cret9x>", Kind::Opaque),
            ("${PASSWORD:-hunter2x}", Kind::Opaque),
            ("${PASSWORD-hunter2x}", Kind::Opaque),
            ("4096", Kind::Number),
            ("expired", Kind::Word),
            ("a1", Kind::Word),
            ("hunter2x", Kind::Opaque),
            ("p@ssword", Kind::Opaque),
        ];
        for (value, expected) in cases {
            assert_eq!(kind_of(value.as_bytes()), *expected, "{value}");
        }
    }
}

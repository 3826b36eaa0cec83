//! Source code: what is not quoted there is no literal, but an expression that yields the value when it runs. It is no
//! parser; it looks at one line.

use std::ops::Range;
use std::path::Path;

/// A random text of this length is a token, not the name of a variable.
const MIN_TOKEN: usize = 20;
const MIN_DIGITS: usize = 4;
/// Quotes further away are not looked for.
const MAX_LOOK: usize = 4096;

/// How the lines of a file are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Language {
    /// A programming language: text stands in quotes.
    Code,
    /// Settings, prose, a shell script, a log: text may stand without.
    Text,
}

/// File name endings of programming languages in which text stands in quotes.
const CODE: &str = "py pyi ipynb js jsx mjs cjs ts tsx vue svelte go rs java kt kts scala groovy gradle c h cc cpp cxx hpp m \
    mm cs fs vb swift dart rb erb php pl pm lua ex exs erl tf hcl jsonnet s asm pas d nim zig jl r sol v sv vhd proto thrift graphql";
/// What a line begins with that is a comment.
const COMMENTS: [&str; 7] = ["#", "//", "*", "/*", "--", ";", "<!--"];
/// What a path begins with that leads to a value.
const ROOTS: &str = "os process env environ self this super config conf cfg settings options opts args argv params props \
    request req res response ctx context session user secrets vault var local module data input system \
    environment getenv app client event body form";

impl Language {
    /// What the ending of `path` says.
    pub(in crate::report) fn of(path: &Path) -> Language {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        if CODE.split(' ').any(|known| known == ending) { Language::Code } else { Language::Text }
    }
}

/// Whether the value at `span` is an expression instead of a text.
pub(super) fn is_expression(line: &[u8], span: Range<usize>, language: Language) -> bool {
    let start = span.start + line[span.clone()].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    if start >= span.end {
        return false;
    }
    let rest = &line[start..];
    let path = path_len(rest);
    let name = &rest[..path];
    if language == Language::Code && !is_assignment_of_a_shell(line) {
        if is_in_string(line, start) {
            return false;
        }
        if is_comment(line) {
            return !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphabetic() || b"_.:<>&*".contains(byte));
        }
        // `Guid::from_u128(0x…)`, `Token { kind }`: what stands in brackets is no text either.
        let opens = matches!(rest.get(path), Some(b'(' | b'[' | b'{' | b'!'));
        let value = &line[start..span.end];
        let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
        let is_token = value.len() >= MIN_TOKEN && digits >= MIN_DIGITS && super::words::look_random(value);
        return opens && !name.is_empty() || value[0].is_ascii_digit() || !is_token;
    }
    if is_quoted(line, start) {
        return false;
    }
    if is_joined(rest) {
        return true;
    }
    if name.is_empty() || !is_name(name) {
        return false;
    }
    let root = name.split(|byte| b".:?>-".contains(byte)).next().unwrap_or_default();
    let rooted = ROOTS.split(' ').any(|known| root.eq_ignore_ascii_case(known.as_bytes()));
    let deeper = path > root.len();
    matches!(rest.get(path), Some(b'(' | b'[')) || rooted && deeper
}

/// Whether what stands at `start` is in quotes; in a program they may have been opened before it.
pub(super) fn is_literal(line: &[u8], start: usize, language: Language) -> bool {
    is_quoted(line, start) || language == Language::Code && is_in_string(line, start)
}

/// Whether the text around `start` is in quotes that open right there.
fn is_quoted(line: &[u8], start: usize) -> bool {
    b"\"'`".contains(&line[start]) || line[..start].last().is_some_and(|before| b"\"'`".contains(before))
}

/// Whether `at` stands in quotes that were opened before it on this line, or opens some.
fn is_in_string(line: &[u8], at: usize) -> bool {
    let mut open = None;
    // A line may be a megabyte long and hold thousands of findings.
    let mut here = at.saturating_sub(MAX_LOOK);
    while here < at {
        let byte = line[here];
        match open {
            Some(_) if byte == b'\\' => here += 1,
            Some(quote) if byte == quote => open = None,
            Some(_) => {}
            None if byte == b'"' || byte == b'`' => open = Some(byte),
            // `don't` opens nothing, nor does a lifetime (`&'a str`), which is not closed.
            None if byte == b'\'' && opens(line, here) => open = Some(byte),
            None => {}
        }
        here += 1;
    }
    // A quote that a carrier took for a part of the value opens one as well, unless it closes the one around it.
    open.is_some() || b"\"'`".contains(&line[at]) && line[at + 1..].iter().take(MAX_LOOK).any(|byte| *byte == line[at])
}

fn opens(line: &[u8], quote: usize) -> bool {
    let apart = quote == 0 || !line[quote - 1].is_ascii_alphanumeric() || line[..quote].ends_with(b"b");
    apart && line[quote + 1..].iter().take(MAX_LOOK).any(|byte| *byte == b'\'')
}

/// `NAME=value` and nothing else: a line for a shell, within a longer text.
fn is_assignment_of_a_shell(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let Some(equals) = memchr::memchr(b'=', line) else { return false };
    let (name, value) = (&line[..equals], &line[equals + 1..]);
    let constant = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    !name.is_empty() && name.iter().all(constant) && !value.iter().any(|byte| b" ;,(".contains(byte))
}

/// `+ token`, `. $token`, `, token)`: what goes on behind a closed quote.
fn is_joined(rest: &[u8]) -> bool {
    let after = rest.trim_ascii_start();
    let operator = after.first().is_some_and(|byte| b"+.,&|)".contains(byte));
    operator
        && after.get(1).is_some_and(|byte| byte.is_ascii_whitespace() || *byte == b'$' || byte.is_ascii_alphabetic())
}

/// The length of `a.b`, `A::b`, `a->b`, `a?.b` at the start of `rest`.
fn path_len(rest: &[u8]) -> usize {
    let mut at = 0;
    loop {
        at += rest[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"_$@&*".contains(byte)).count();
        let joint = ["?.", "::", "->", "."].map(str::as_bytes).into_iter().find(|joint| {
            rest[at..].starts_with(joint) && rest.get(at + joint.len()).is_some_and(u8::is_ascii_alphabetic)
        });
        match joint {
            Some(joint) => at += joint.len(),
            None => return at,
        }
    }
}

/// Whether a path is made of names that people give, not of a token that happens to hold dots.
fn is_name(path: &[u8]) -> bool {
    path[0].is_ascii_alphabetic() || b"_$@&*".contains(&path[0])
}

fn is_comment(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    COMMENTS.iter().any(|mark| text.starts_with(mark.as_bytes()))
}

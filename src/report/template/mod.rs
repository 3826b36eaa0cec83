//! Whether what was found only stands where a secret will stand: `your-api-key-here`, `${TOKEN}`, `os.environ["TOKEN"]`.
//! A stream masks those too; a commit hook that reports them is soon switched off. It finds nothing itself.
//!
//! Three questions, each in a file of its own: is it a **reference** to a value kept elsewhere, is it **words** that say
//! "put yours here", is it source **code** that yields the value when it runs. Whatever has a random remainder is none of
//! them: `your-key-` before forty random characters is a key.

mod code;
mod reference;
mod words;

use std::ops::Range;
use std::path::Path;

pub(super) use code::Language;

use crate::engine::Why;

/// Endings and names of files that exist to be copied and filled in.
const EXAMPLE_MARKS: [&str; 9] =
    ["example", "examples", "sample", "template", "tmpl", "tpl", "dist", "default", "defaults"];
/// What is packed is what its name says without this ending.
const PACKED: [&str; 4] = ["gz", "zst", "orig", "bak"];
/// Hosts that stand for others (RFC 2606, RFC 6761).
const RESERVED_HOSTS: [&str; 7] =
    ["example.com", "example.org", "example.net", ".example", ".test", ".invalid", "localhost"];

/// What the name of a file says about what stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileKind {
    /// How its lines are read.
    pub language: Language,
    /// Whether it is there to be copied and filled in: `.env.example`, `config.sample.yml`.
    pub example: bool,
}

impl FileKind {
    /// What the name of `path` says.
    pub(super) fn of(path: &Path) -> FileKind {
        let packed = path.extension().is_some_and(|end| PACKED.iter().any(|known| end.eq_ignore_ascii_case(known)));
        let path = if packed { &path.with_extension("") } else { path };
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let mut parts = name.split(['.', '-', '_']);
        let example = parts.any(|part| EXAMPLE_MARKS.contains(&part));
        FileKind { language: Language::of(path), example }
    }
}

/// Whether the finding of `rule` at `span` of `line` only holds the place of a secret.
pub(super) fn is_template(line: &[u8], span: Range<usize>, why: Why, rule: &str, kind: FileKind) -> bool {
    if matches!(why, Why::Known { .. }) || span.is_empty() || span.end > line.len() {
        return false;
    }
    let value = bare(&line[span.clone()]);
    if value.is_empty() || reference::is_reference(value) || words::are_instructions(value) {
        return true;
    }
    let words = is_generated(rule) && code::is_literal(line, span.start, kind.language) && words::are_plain(value);
    match why {
        Why::Key { .. } | Why::Learned if words => true,
        Why::Key { .. } => code::is_expression(line, span, kind.language) || kind.example && !words::look_random(value),
        Why::Grammar => is_reserved(&line[span.end..]) && !words::look_random(value),
        Why::Learned => kind.example && !words::look_random(value),
        Why::Pattern { .. } | Why::Known { .. } => false,
    }
}

/// Whether the secrets of `rule` are made by machines: then a text without any digit is none of them. People choose words.
fn is_generated(rule: &str) -> bool {
    !["pass", "pwd", "pin", "phrase", "recovery"].iter().any(|chosen| rule.contains(chosen))
}

/// Whether what follows a password in a URL is a host that stands for others.
fn is_reserved(rest: &[u8]) -> bool {
    let Some(rest) = rest.strip_prefix(b"@") else { return false };
    let len = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b".-".contains(byte)).count();
    let host = String::from_utf8_lossy(&rest[..len]).to_ascii_lowercase();
    RESERVED_HOSTS.iter().any(|reserved| {
        host.strip_suffix(reserved)
            .is_some_and(|head| reserved.starts_with('.') || head.is_empty() || head.ends_with('.'))
    })
}

/// The value without quotes, blanks and scheme.
fn bare(value: &[u8]) -> &[u8] {
    const EDGES: &[u8] = b" \t\r\n\"'`,;\\";
    let mut value = trimmed(value, EDGES);
    for scheme in [&b"bearer "[..], b"basic ", b"token "] {
        if value.len() > scheme.len() && value[..scheme.len()].eq_ignore_ascii_case(scheme) {
            value = trimmed(&value[scheme.len()..], EDGES);
        }
    }
    value
}

fn trimmed<'v>(value: &'v [u8], edges: &[u8]) -> &'v [u8] {
    let start = value.iter().position(|byte| !edges.contains(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !edges.contains(byte)).map_or(start, |last| last + 1);
    &value[start..end]
}

#[cfg(test)]
mod tests;

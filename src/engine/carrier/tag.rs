//! Elements of XML and HTML: where the text behind a tag begins, and whether it is an element's at all.

use super::bridge;
use super::quote::Quote;
use crate::engine::byteset::ByteSet;

/// Text behind a tag: `<key>value`, `name="key">value`, `<key>name</key><value>value`.
pub(super) fn tag(haystack: &[u8], start: usize, at: usize, end: usize, key_quote: Option<Quote>) -> Option<usize> {
    let opened =
        [&b"<"[..], b"\\u003c", b"\\u003C", b"&lt;", b"%3C", b":"].iter().any(|mark| haystack[..start].ends_with(mark));
    if opened && matches!(haystack[..end].get(at), Some(b' ' | b'\t')) {
        // Attributes: the text begins behind the tag's own end.
        let text = tag_end(haystack, at, end)?;
        return (!haystack[at..text].contains(&b'<') && haystack[text - 2] != b'/').then_some(text);
    }
    if let Some(len) = closer(haystack, at, end) {
        let head = &haystack[start.saturating_sub(16)..start];
        let quotes = head.iter().rev().take_while(|byte| b"\"'\\&;quot34x2ap".contains(byte)).count();
        let attribute = head[..head.len() - quotes].strip_suffix(b"=").filter(|_| key_quote.is_some());
        let is_attribute = attribute.is_some_and(|name| name.ends_with(b"name") || name.ends_with(b"key"));
        return (opened && is_element(haystack, start, at + len, end) || is_attribute).then_some(at + len);
    }
    // `</key>` and what follows up to the next tag's `>`.
    let name = at + opener(haystack, at, end)?;
    if haystack[..end].get(name) != Some(&b'/') {
        return None;
    }
    let behind = tag_end(haystack, name, end)?;
    let next = bridge::skip_space(haystack, behind, end);
    let next = next + opener(haystack, next, end)?;
    (haystack[..end].get(next) != Some(&b'/')).then(|| tag_end(haystack, next, end)).flatten()
}

/// Whether the text behind a tag is an element's: one word to its closing tag, a quote or the end, or else the tag is closed by
/// its name. `<token>` is also what a manual asks to be filled in, and `List<Token>` a type.
fn is_element(haystack: &[u8], start: usize, text: usize, end: usize) -> bool {
    let name = &haystack[start..start + TAG_NAME.run(&haystack[start..text])];
    let open = tag_open_before(haystack, text);
    let text = &haystack[text..end.min(text + MAX_ELEMENT)];
    let word = text.iter().position(|byte| b" \t\"'\\".contains(byte) || *byte == open[0]).unwrap_or(text.len());
    let rest = &text[word..];
    let is_word = match rest.strip_prefix(open) {
        Some(tag) => matches!(tag.first(), None | Some(b'/' | b'!')),
        None => rest.first().is_none_or(|byte| word > 0 && !b" \t".contains(byte)),
    };
    is_word || closes(text, open, name)
}

/// Whether `text` holds a closing tag of this name, perhaps behind a namespace.
fn closes(text: &[u8], open: &[u8], name: &[u8]) -> bool {
    memchr::memmem::find_iter(text, name).any(|at| {
        let head = &text
            [..at - text[..at].iter().rev().take(24).take_while(|b| TAG_NAME.contains(**b) || **b == b':').count()];
        head.strip_suffix(b"/").is_some_and(|head| head.ends_with(open))
    })
}

const TAG_NAME: ByteSet =
    ByteSet::from_bytes(b"_.-").with_range(b'a', b'z').with_range(b'A', b'Z').with_range(b'0', b'9');
/// A closing tag is looked for up to here.
const MAX_ELEMENT: usize = 4096;

/// Whether the key is the name of a tag, perhaps behind a namespace: `<soap:Password`.
pub(super) fn is_tag_name(haystack: &[u8], start: usize) -> bool {
    let head = &haystack[start.saturating_sub(24)..start];
    let prefix = head.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b':').count();
    head[..head.len() - prefix].ends_with(b"<")
}

fn opener(haystack: &[u8], at: usize, end: usize) -> Option<usize> {
    [&b"<"[..], b"\\u003c", b"\\u003C", b"&lt;"]
        .iter()
        .find(|mark| haystack[at.min(end)..end].starts_with(mark))
        .map(|mark| mark.len())
}

fn closer(haystack: &[u8], at: usize, end: usize) -> Option<usize> {
    [&b">"[..], b"\\u003e", b"\\u003E", b"&gt;"]
        .iter()
        .find(|mark| haystack[at.min(end)..end].starts_with(mark))
        .map(|mark| mark.len())
}

/// The spelling of `<` that goes with the `>` right before `at`.
pub(super) fn tag_open_before(haystack: &[u8], at: usize) -> &'static [u8] {
    let head = &haystack[..at];
    match head {
        _ if head.ends_with(b"\\u003e") => b"\\u003c",
        _ if head.ends_with(b"\\u003E") => b"\\u003C",
        _ if head.ends_with(b"&gt;") => b"&lt;",
        _ => b"<",
    }
}

/// One past the `>` of a tag whose name begins at `at`.
fn tag_end(haystack: &[u8], at: usize, end: usize) -> Option<usize> {
    (at..end.min(at + 64)).find_map(|at| closer(haystack, at, end).map(|len| at + len))
}

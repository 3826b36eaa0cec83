//! One function per way of writing bytes in a log. Which of them a value is searched in is `forms`' choice.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// Bytes that are wiped when dropped.
pub(super) type Wiped = Zeroizing<Vec<u8>>;

/// Room for `each` bytes for each of `value`: a buffer never grows, because growing leaves a copy behind.
fn buffer(value: &[u8], each: usize) -> Wiped {
    Zeroizing::new(Vec::with_capacity(value.len() * each))
}

/// `value` with each byte written by `write`, as `each` bytes at most.
fn mapped(value: &[u8], each: usize, write: impl Fn(u8, &mut Vec<u8>)) -> Wiped {
    let mut out = buffer(value, each);
    for &byte in value {
        write(byte, &mut out);
    }
    out
}

/// `value` with some bytes spelled otherwise.
pub(super) fn replaced(value: &[u8], table: &[(u8, &str)]) -> Wiped {
    let longest = table.iter().map(|(_, text)| text.len()).max().unwrap_or(1);
    mapped(value, longest.max(1), |byte, out| match table.iter().find(|(plain, _)| *plain == byte) {
        Some((_, text)) => out.extend_from_slice(text.as_bytes()),
        None => out.push(byte),
    })
}

/// What a JSON writer escapes beside what it must (RFC 8259, section 7).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Json {
    /// Nothing: serde, most others.
    Plain,
    /// `/`: PHP, some C++ libraries.
    Slash,
    /// `<`, `>` and `&`: Go.
    Html,
    /// Everything outside ASCII: Python.
    Ascii,
}

/// The inside of a JSON string.
pub(super) fn json(value: &[u8], style: Json) -> Wiped {
    if style == Json::Ascii
        && let Ok(text) = std::str::from_utf8(value)
    {
        return json_ascii(text);
    }
    mapped(value, 6, |byte, out| json_byte(byte, style, out))
}

fn json_byte(byte: u8, style: Json, out: &mut Vec<u8>) {
    match byte {
        b'"' | b'\\' => out.extend([b'\\', byte]),
        b'\n' => out.extend(b"\\n"),
        b'\r' => out.extend(b"\\r"),
        b'\t' => out.extend(b"\\t"),
        0x08 => out.extend(b"\\b"),
        0x0c => out.extend(b"\\f"),
        b'/' if style == Json::Slash => out.extend(b"\\/"),
        b'<' | b'>' | b'&' if style == Json::Html => hex_escape(b"\\u00", byte, out),
        0..0x20 => hex_escape(b"\\u00", byte, out),
        _ => out.push(byte),
    }
}

fn json_ascii(text: &str) -> Wiped {
    let mut out = buffer(text.as_bytes(), 6);
    let mut units = [0; 2];
    for c in text.chars() {
        if let Ok(byte) = u8::try_from(c)
            && byte.is_ascii()
        {
            json_byte(byte, Json::Plain, &mut out);
            continue;
        }
        for unit in c.encode_utf16(&mut units) {
            let [high, low] = unit.to_be_bytes();
            hex_escape(b"\\u", high, &mut out);
            out.extend(digits(low, LOWER));
        }
    }
    out
}

const LOWER: &[u8; 16] = b"0123456789abcdef";
const UPPER: &[u8; 16] = b"0123456789ABCDEF";

fn digits(byte: u8, alphabet: &[u8; 16]) -> [u8; 2] {
    [alphabet[usize::from(byte >> 4)], alphabet[usize::from(byte & 15)]]
}

fn hex_escape(mark: &[u8], byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(mark);
    out.extend(digits(byte, LOWER));
}

/// Whose idea of a URL it is: what is left as it is beside letters and digits, and what becomes of a blank.
#[derive(Clone, Copy)]
pub(super) struct Url {
    pub(super) plain: &'static [u8],
    pub(super) plus: bool,
    pub(super) upper: bool,
}

/// Percent-encoding (RFC 3986, section 2.1).
pub(super) fn url(value: &[u8], how: Url) -> Wiped {
    let alphabet = if how.upper { UPPER } else { LOWER };
    mapped(value, 3, |byte, out| match byte {
        b' ' if how.plus => out.push(b'+'),
        _ if byte.is_ascii_alphanumeric() || how.plain.contains(&byte) => out.push(byte),
        _ => {
            out.push(b'%');
            out.extend(digits(byte, alphabet));
        }
    })
}

/// Two hex digits per byte, with `mark` before each but, if `between`, the first.
pub(super) fn hex(value: &[u8], mark: &[u8], between: bool, upper: bool) -> Wiped {
    let alphabet = if upper { UPPER } else { LOWER };
    let mut out = mapped(value, 2 + mark.len(), |byte, out| {
        out.extend_from_slice(mark);
        out.extend(digits(byte, alphabet));
    });
    if between {
        out.drain(..mark.len().min(value.len()));
    }
    out
}

/// The characters of the base64 text of `value` that no neighbour decides, when `before` bytes (0 to 2) more than a multiple
/// of three stand before it (RFC 4648, section 4; with `url_safe`, section 5).
pub(super) fn base64_core(value: &[u8], before: usize, url_safe: bool) -> Wiped {
    let mut padded = Zeroizing::new(Vec::with_capacity(value.len() + 2));
    padded.extend(std::iter::repeat_n(0, before));
    padded.extend_from_slice(value);
    let mut text = Zeroizing::new(vec![0; value.len() * 4 / 3 + 8]);
    let written = if url_safe {
        URL_SAFE_NO_PAD.encode_slice(&*padded, &mut text)
    } else {
        STANDARD_NO_PAD.encode_slice(&*padded, &mut text)
    };
    text.truncate((padded.len() * 8 / 6).min(written.expect("four characters for three bytes, and eight to spare")));
    text.drain(..(before * 8).div_ceil(6));
    text
}

/// Two bytes per character, low byte first: what PowerShell encodes.
pub(super) fn utf16(value: &[u8]) -> Wiped {
    let mut out = buffer(value, 2);
    match std::str::from_utf8(value) {
        Ok(text) => out.extend(text.encode_utf16().flat_map(u16::to_le_bytes)),
        Err(_) => out.extend(value.iter().flat_map(|&byte| [byte, 0])),
    }
    out
}

/// The inside of a quoted string of a programming language.
#[derive(Clone, Copy)]
pub(super) struct Quoted {
    /// The quote that is escaped; 0 for none.
    pub(super) quote: u8,
    /// Whether `\a`, `\b`, `\f` and `\v` have letters (Go, C) or are hex (Python).
    pub(super) letters: bool,
    /// Whether bytes outside ASCII are hex (`bytes`, `%+q`).
    pub(super) ascii: bool,
    /// Whether bytes that need hex are written in octal (C, Git, PostgreSQL).
    pub(super) octal: bool,
}

/// As `how` quotes it.
pub(super) fn quoted(value: &[u8], how: Quoted) -> Wiped {
    mapped(value, 4, |byte, out| match byte {
        b'\\' => out.extend(b"\\\\"),
        b'\n' => out.extend(b"\\n"),
        b'\r' => out.extend(b"\\r"),
        b'\t' => out.extend(b"\\t"),
        0x07 if how.letters => out.extend(b"\\a"),
        0x08 if how.letters => out.extend(b"\\b"),
        0x0b if how.letters => out.extend(b"\\v"),
        0x0c if how.letters => out.extend(b"\\f"),
        _ if byte == how.quote && byte != 0 => out.extend([b'\\', byte]),
        0..0x20 | 0x7f => escaped(byte, how.octal, out),
        0x80.. if how.ascii => escaped(byte, how.octal, out),
        _ => out.push(byte),
    })
}

fn escaped(byte: u8, octal: bool, out: &mut Vec<u8>) {
    if octal {
        out.extend([b'\\', b'0' + (byte >> 6), b'0' + (byte >> 3 & 7), b'0' + (byte & 7)]);
    } else {
        hex_escape(b"\\x", byte, out);
    }
}

/// A backslash before everything a shell would read: `printf %q`.
pub(super) fn backslashed(value: &[u8]) -> Wiped {
    mapped(value, 2, |byte, out| {
        if !(byte.is_ascii_alphanumeric() || byte >= 0x80 || b"_-./+:@%^=".contains(&byte)) {
            out.push(b'\\');
        }
        out.push(byte);
    })
}

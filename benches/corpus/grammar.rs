//! Templates, read once into pieces: what a line is made of, not what it says (that is `templates.rs`).
//!
//! A template is text with fields between backticks. A field is one of
//!
//! | field | becomes |
//! |---|---|
//! | `name` | one of the alternatives of that symbol, or a time stamp |
//! | `name*3-7` | three to seven of them in a row |
//! | `number:500` | a number below 500 |
//! | `hex:32`, `alnum:12-19` | so many characters of an alphabet |
//! | `json:name` | the symbol as the inside of a JSON string; nests |
//! | `base64:name`, `base64url:name`, `percent:name` | the symbol, encoded |
//! | `crc:name` | the symbol and its CRC-32 in base 62 |
//! | `newline` | a line end as a string literal writes it: `\n` |
//! | `[kind`, `]` | the bounds of a planted secret |
//! | nothing | nothing: it keeps a prefix and its tail apart in the source |

use super::clock::Stamp;
use super::templates::{SYMBOLS, WORDS};

/// An index into [`Grammar::symbols`].
#[derive(Clone, Copy)]
pub(super) struct SymbolId(usize);

/// One piece of a template.
#[derive(Clone)]
pub(super) enum Piece {
    Text(&'static [u8]),
    Symbol(SymbolId),
    Repeat(SymbolId, u32, u32),
    Number(u32),
    Chars(&'static [u8], u32, u32),
    Time(Stamp),
    Json(SymbolId),
    Encoded(SymbolId, Encoding),
    Newline,
    SecretStart(&'static str),
    SecretEnd,
}

/// What is done to a symbol once it is written out.
#[derive(Clone, Copy)]
pub(super) enum Encoding {
    Base64,
    Base64Url,
    Percent,
    CrcTail,
}

/// The alternatives of a symbol, each as often as its weight says.
pub(super) struct Symbol {
    pub(super) alternatives: Vec<Vec<Piece>>,
    /// One index into `alternatives` per unit of weight, so that a choice is one draw.
    pub(super) draw: Vec<u16>,
    /// The symbol that stands in for this one on a line that carries a secret: itself, or `secret-NAME`.
    pub(super) planted: SymbolId,
}

/// All symbols, in the order of the tables.
pub(super) struct Grammar {
    symbols: Vec<Symbol>,
}

impl Grammar {
    pub(super) fn new() -> Self {
        let words = WORDS.iter().map(|(name, list)| symbol(name, list.split_whitespace().map(|word| (1, word))));
        let templates = SYMBOLS.iter().map(|(name, list)| symbol(name, list.iter().copied()));
        Self { symbols: words.chain(templates).collect() }
    }

    pub(super) fn symbol(&self, id: SymbolId) -> &Symbol {
        &self.symbols[id.0]
    }
}

/// The symbol of that name. Panics on a name the tables do not have: they are constants, and a test expands them all.
pub(super) fn find(name: &str) -> SymbolId {
    position(name).unwrap_or_else(|| panic!("the tables have no symbol `{name}`"))
}

fn position(name: &str) -> Option<SymbolId> {
    let mut names = WORDS.iter().map(|(name, _)| *name).chain(SYMBOLS.iter().map(|(name, _)| *name));
    names.position(|known| known == name).map(SymbolId)
}

fn symbol(name: &str, list: impl Iterator<Item = (u32, &'static str)>) -> Symbol {
    let (mut alternatives, mut draw) = (Vec::new(), Vec::new());
    for (weight, template) in list {
        draw.resize(draw.len() + weight as usize, alternatives.len() as u16);
        alternatives.push(parse(template));
    }
    let planted = position(&format!("secret-{name}")).unwrap_or_else(|| find(name));
    Symbol { alternatives, draw, planted }
}

/// Text and fields alternate, since a backtick opens or closes a field.
fn parse(template: &'static str) -> Vec<Piece> {
    let parts = template.split('`').enumerate().filter(|(_, part)| !part.is_empty());
    parts.map(|(i, part)| if i % 2 == 0 { Piece::Text(part.as_bytes()) } else { field(part) }).collect()
}

fn field(text: &'static str) -> Piece {
    if let Some(kind) = text.strip_prefix('[') {
        return Piece::SecretStart(kind);
    }
    if let Some((name, count)) = text.split_once('*') {
        let (low, high) = bounds(count);
        return Piece::Repeat(find(name), low, high);
    }
    if let Some((operation, argument)) = text.split_once(':') {
        return operate(operation, argument);
    }
    match text {
        "]" => Piece::SecretEnd,
        "newline" => Piece::Newline,
        "iso" => Piece::Time(Stamp::Iso),
        "log4j-time" => Piece::Time(Stamp::Log4j),
        "syslog-time" => Piece::Time(Stamp::Syslog),
        "access-time" => Piece::Time(Stamp::Access),
        "klog-time" => Piece::Time(Stamp::Klog),
        "millis" => Piece::Time(Stamp::Millis),
        name => Piece::Symbol(find(name)),
    }
}

fn operate(operation: &str, argument: &str) -> Piece {
    match operation {
        "number" => Piece::Number(bounds(argument).1),
        "json" => Piece::Json(find(argument)),
        "base64" => Piece::Encoded(find(argument), Encoding::Base64),
        "base64url" => Piece::Encoded(find(argument), Encoding::Base64Url),
        "percent" => Piece::Encoded(find(argument), Encoding::Percent),
        "crc" => Piece::Encoded(find(argument), Encoding::CrcTail),
        class => {
            let (low, high) = bounds(argument);
            Piece::Chars(alphabet(class), low, high)
        }
    }
}

/// `7` or `3-7`.
fn bounds(text: &str) -> (u32, u32) {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let number = |digits: &str| digits.parse().expect("the tables hold numbers where numbers belong");
    (number(low), number(high))
}

/// The first characters of one string serve as several alphabets.
fn alphabet(class: &str) -> &'static [u8] {
    const ALL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567abcdefghijklmnopqrstuvwxyz0189-_";
    match class {
        "upper" => &ALL[..26],
        "base32" => &ALL[..32],
        "lower" => &ALL[32..58],
        "alnum" => &ALL[..62],
        "web64" => ALL,
        "std64" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567abcdefghijklmnopqrstuvwxyz0189+/",
        "passphrase" => b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789!#%*",
        "upnum" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
        "hex" => b"0123456789abcdef",
        "digit" => b"0123456789",
        _ => panic!("the tables name an unknown alphabet `{class}`"),
    }
}

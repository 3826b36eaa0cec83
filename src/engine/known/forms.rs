//! Every form of one value: the list of encodings a log may show it in. How each is written is `encode`'s work, finding
//! them `index`'s.

use std::ops::Range;

use zeroize::Zeroizing;

use super::encode::{self, Json, Quoted, Url, Wiped};

/// Base64 and hex say too little of a shorter value: eight bytes are eleven characters.
const MIN_BLOB: usize = 9;
/// A purely alphanumeric value below this length is found at word boundaries only.
const MIN_ANYWHERE: usize = 10;

/// RFC 3986, section 2.3.
const UNRESERVED: &[u8] = b"-_.~";
/// What `encodeURIComponent` leaves (ECMA-262, 19.2.6.4).
const COMPONENT: &[u8] = b"-_.~!*'()";
/// What HTML forms leave (URL standard, 5.2).
const FORM: &[u8] = b"-_.*";
/// What `encodeURI` leaves (ECMA-262, 19.2.6.3).
const WHOLE: &[u8] = b"-_.~!*'();/?:@&=+$,#";

const XML: [&[(u8, &str)]; 5] = [
    &[(b'&', "&amp;"), (b'<', "&lt;"), (b'>', "&gt;")],
    &[(b'&', "&amp;"), (b'<', "&lt;"), (b'>', "&gt;"), (b'"', "&quot;"), (b'\'', "&apos;")],
    &[(b'&', "&amp;"), (b'<', "&lt;"), (b'>', "&gt;"), (b'"', "&#34;"), (b'\'', "&#39;")],
    &[(b'&', "&amp;"), (b'<', "&lt;"), (b'>', "&gt;"), (b'"', "&quot;"), (b'\'', "&#x27;")],
    &[(b'&', "&#38;"), (b'<', "&#60;"), (b'>', "&#62;"), (b'"', "&#34;"), (b'\'', "&#39;")],
];
const XML_MORE: [&[(u8, &str)]; 2] = [
    &[(b'&', "&amp;"), (b'<', "&lt;"), (b'>', "&gt;"), (b'"', "&quot;"), (b'\'', "&#39;")],
    &[(b'&', "&#x26;"), (b'<', "&#x3c;"), (b'>', "&#x3e;"), (b'"', "&#x22;"), (b'\'', "&#x27;")],
];
/// A shell's single quotes, left and entered again; its double quotes; a dollar sign doubled by a build tool.
const SHELL: [&[(u8, &str)]; 4] = [
    &[(b'\'', r#"'"'"'"#)],
    &[(b'\'', r"'\''")],
    &[(b'"', "\\\""), (b'$', "\\$"), (b'`', "\\`"), (b'\\', "\\\\")],
    &[(b'$', "$$")],
];
/// Go and C, with hex and octal; Python's `repr` in either quotes, of text and of bytes.
const QUOTED: [Quoted; 7] = [
    Quoted { quote: b'"', letters: true, ascii: false, octal: false },
    Quoted { quote: b'"', letters: true, ascii: true, octal: false },
    Quoted { quote: b'"', letters: true, ascii: true, octal: true },
    Quoted { quote: b'\'', letters: false, ascii: false, octal: false },
    Quoted { quote: b'\'', letters: false, ascii: true, octal: false },
    Quoted { quote: 0, letters: false, ascii: false, octal: false },
    Quoted { quote: 0, letters: false, ascii: true, octal: false },
];

/// What is special about a form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traits {
    /// Found at word boundaries only.
    pub(super) word: bool,
}

/// The forms of one value, none of them twice.
#[derive(Default)]
pub(super) struct Forms {
    bytes: Wiped,
    ranges: Vec<(Range<usize>, Traits)>,
    /// By form; few enough to be searched one by one.
    hashes: Vec<u64>,
}

impl Forms {
    /// The forms of `value`, in place of those of the last one.
    pub(super) fn of(&mut self, value: &[u8]) -> impl Iterator<Item = (&[u8], Traits)> {
        self.ranges.clear();
        self.hashes.clear();
        self.bytes.clear();
        self.add_value(value);
        if value.contains(&b'\n') {
            self.add_lines(value);
        }
        self.ranges.iter().map(|(range, traits)| (&self.bytes[range.clone()], *traits))
    }

    /// A form of several lines is none: what is found of it must not depend on how many of them come at once.
    fn push(&mut self, form: &[u8], traits: Traits) {
        if form.contains(&b'\n') {
            return;
        }
        let hash = super::index::hash_bytes(form);
        if self.hashes.contains(&hash) && self.has(form) {
            return;
        }
        self.hashes.push(hash);
        let start = self.bytes.len();
        extend_wiped(&mut self.bytes, form);
        self.ranges.push((start..start + form.len(), traits));
    }

    fn has(&self, form: &[u8]) -> bool {
        self.ranges.iter().any(|(range, _)| &self.bytes[range.clone()] == form)
    }

    fn add(&mut self, form: &[u8]) {
        self.push(form, Traits { word: false });
    }

    fn add_value(&mut self, value: &[u8]) {
        let word = value.len() < MIN_ANYWHERE && value.iter().all(u8::is_ascii_alphanumeric);
        self.push(value, Traits { word });
        // Nothing escapes these.
        if !value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte)) {
            self.add_texts(value);
        }
        if value.len() >= MIN_BLOB {
            self.add_blobs(value);
        }
    }

    fn add_texts(&mut self, value: &[u8]) {
        for style in [Json::Plain, Json::Slash, Json::Html, Json::Ascii] {
            let once = encode::json(value, style);
            let twice = encode::json(&once, Json::Plain);
            let thrice = encode::json(&twice, Json::Plain);
            [once, twice, thrice].iter().for_each(|form| self.add(form));
        }
        for how in urls() {
            let once = encode::url(value, how);
            let twice = encode::url(&once, how);
            self.add(&once);
            self.add(&twice);
        }
        for table in XML.iter().chain(&XML_MORE).chain(&SHELL) {
            self.add(&encode::replaced(value, table));
        }
        for how in QUOTED {
            self.add(&encode::quoted(value, how));
        }
        self.add(&encode::backslashed(value));
    }

    fn add_blobs(&mut self, value: &[u8]) {
        for before in 0..3 {
            let core = encode::base64_core(value, before, false);
            self.add(&core);
            self.add(&encode::base64_core(value, before, true));
            for outer in 0..3 {
                self.add(&encode::base64_core(&core, outer, false));
            }
        }
        let wide = encode::utf16(value);
        for before in 0..3 {
            self.add(&encode::base64_core(&wide, before, false));
            self.add(&encode::base64_core(&wide, before, true));
        }
        for (mark, between) in [(&b""[..], false), (b":", true), (b"\\x", false)] {
            self.add(&encode::hex(value, mark, between, false));
            self.add(&encode::hex(value, mark, between, true));
        }
    }

    /// A value of several lines: what its line ends may have become, and each line by itself.
    fn add_lines(&mut self, value: &[u8]) {
        let body = value.trim_ascii_end();
        let unix = encode::replaced(body, &[(b'\r', "")]);
        if *unix != *value {
            self.add_value(&unix);
        }
        self.add(&encode::replaced(&unix, &[(b'\n', " ")]));
        self.add(&encode::replaced(&unix, &[(b'\n', "\\n")]));
        line_values(&unix).for_each(|line| self.add_value(line));
    }
}

/// The lines of a value that are masked wherever they stand, as values of their own.
pub(super) fn line_values(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| is_line_value(line))
}

/// What opens and closes an armour is in everybody's logs, and so is `users:`.
fn is_line_value(line: &[u8]) -> bool {
    let names =
        line.strip_suffix(b":").is_some_and(|name| name.iter().all(|b| b.is_ascii_alphabetic() || b"_-".contains(b)));
    line.len() >= super::MIN_VALUE && !names && !is_armour(line) && !super::is_worthless(line)
}

/// `-----BEGIN …` and `-----END …` (RFC 7468).
fn is_armour(line: &[u8]) -> bool {
    line.starts_with(b"-----")
}

fn urls() -> impl Iterator<Item = Url> {
    let sets = [(COMPONENT, false), (UNRESERVED, false), (UNRESERVED, true), (FORM, true), (WHOLE, false)];
    let upper = [true, false];
    sets.into_iter().flat_map(move |(plain, plus)| upper.map(|upper| Url { plain, plus, upper }))
}

/// Appends without leaving a copy in memory that is given back.
pub(super) fn extend_wiped(bytes: &mut Wiped, more: &[u8]) {
    if bytes.capacity() - bytes.len() < more.len() {
        let mut larger = Zeroizing::new(Vec::with_capacity((bytes.len() + more.len()) * 2));
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
    bytes.extend_from_slice(more);
}

//! Expands the examples of rules: `ghp_{alnum:36}` becomes text of that shape. Not a source of randomness for anything else:
//! the same seed gives the same text, and nothing it writes was ever a secret.
//!
//! A generator is `{name:length}`, `{b64:text}`, `{uuid}`, `{jwt}` or `{pem}`. Every other brace stays as it is, so that
//! examples may hold JSON, `${VAR}` and `{{ templates }}`.

use std::ops::Range;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

use super::error::ExampleError;
use crate::engine::validators::crc::base62_checksum;

const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const DIGIT: &str = "0123456789";

/// The generators that take a length, and the character classes each draws from.
const RUNS: [(&str, &[&str]); 11] = [
    ("alnum", &[DIGIT, UPPER, LOWER]),
    ("lower", &[LOWER]),
    ("upper", &[UPPER]),
    ("digit", &[DIGIT]),
    ("hex", &[DIGIT, "abcdef"]),
    ("HEX", &[DIGIT, "ABCDEF"]),
    ("base32", &["234567", UPPER]),
    ("lowernum", &[DIGIT, LOWER]),
    ("uppernum", &[DIGIT, UPPER]),
    ("base64", &[DIGIT, UPPER, LOWER, "+/"]),
    ("base64url", &[DIGIT, UPPER, LOWER, "-_"]),
];
const ALNUM: &[&str] = RUNS[0].1;
const BASE64: &[&str] = RUNS[9].1;
const BASE64_URL: &[&str] = RUNS[10].1;

/// Longer runs than this are a typing error in a rule file.
const MAX_RUN_LEN: usize = 65_536;
/// From this length on a run holds a character of every class, so that it looks as opaque as a real one.
const OPAQUE_LEN: usize = 8;

/// The generators by name, for messages.
pub const KNOWN: &str = "alnum, lower, upper, digit, hex, HEX, base32, lowernum, uppernum, base64, base64url, crc32_base62, \
                         b64, uuid, jwt, pem";

/// `text` with every generator replaced by what it writes; the same for the same seed.
///
/// # Errors
/// When a generator is unknown or its length is no number from 1 to 65,536.
pub fn expand(text: &str, seed: u64) -> Result<String, ExampleError> {
    expand_with(text, &mut Random(seed))
}

/// As [`expand`], without the marks `«` and `»`, and with the byte ranges they enclosed.
///
/// # Errors
/// As [`expand`], and when marks are nested, unbalanced or empty.
pub fn marked(text: &str, seed: u64) -> Result<(String, Vec<Range<usize>>), ExampleError> {
    let expanded = expand(text, seed)?;
    let mut plain = String::with_capacity(expanded.len());
    let mut ranges = Vec::new();
    let mut start = None;
    for letter in expanded.chars() {
        match (letter, start) {
            ('«', None) => start = Some(plain.len()),
            ('»', Some(from)) if from < plain.len() => {
                ranges.push(from..plain.len());
                start = None;
            }
            ('«' | '»', _) => return Err(ExampleError::Marks { text: text.to_owned() }),
            _ => plain.push(letter),
        }
    }
    if start.is_some() { Err(ExampleError::Marks { text: text.to_owned() }) } else { Ok((plain, ranges)) }
}

fn expand_with(text: &str, random: &mut Random) -> Result<String, ExampleError> {
    let mut out = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let generated = match braced(rest) {
            Some(inner) => generate(inner, random)?.map(|written| (written, inner.len() + 2)),
            None => None,
        };
        let (written, len) = generated.unwrap_or_else(|| ("{".to_owned(), 1));
        out.push_str(&written);
        rest = &rest[len..];
    }
    out.push_str(rest);
    Ok(out)
}

/// What stands between the brace that `text` begins with and its partner.
fn braced(text: &str) -> Option<&str> {
    let mut depth = 0_usize;
    let close = text.bytes().position(|byte| {
        depth = match byte {
            b'{' => depth + 1,
            b'}' => depth.saturating_sub(1),
            _ => depth,
        };
        depth == 0
    })?;
    Some(&text[1..close])
}

/// What the generator between braces writes, or `None` when these braces are no generator's.
fn generate(inner: &str, random: &mut Random) -> Result<Option<String>, ExampleError> {
    let Some((name, argument)) = inner.split_once(':') else { return Ok(bare(inner, random)) };
    if name == "b64" {
        return Ok(Some(BASE64_STANDARD.encode(expand_with(argument, random)?)));
    }
    let classes = RUNS.iter().find(|(run, _)| *run == name).map(|(_, classes)| *classes);
    match classes {
        Some(classes) => Ok(Some(run(classes, length(name, argument)?, random))),
        None if name == "crc32_base62" => Ok(Some(with_checksum(length(name, argument)?, random))),
        None if looks_like_a_generator(name, argument) => Err(ExampleError::Unknown { name: name.to_owned() }),
        None => Ok(None),
    }
}

fn bare(name: &str, random: &mut Random) -> Option<String> {
    match name {
        "uuid" => Some(uuid(random)),
        "jwt" => Some(jwt(random)),
        "pem" => Some(run(BASE64, 64, random)),
        _ => None,
    }
}

fn length(name: &str, argument: &str) -> Result<usize, ExampleError> {
    let parsed = argument.parse().ok().filter(|len| (1..=MAX_RUN_LEN).contains(len));
    parsed.ok_or_else(|| ExampleError::Length { name: name.to_owned(), argument: argument.to_owned() })
}

/// A lower-case word and a number is a generator somebody misspelt; anything else is the example's own text.
fn looks_like_a_generator(name: &str, argument: &str) -> bool {
    let is_word = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    is_word && !name.is_empty() && !argument.is_empty() && argument.bytes().all(|byte| byte.is_ascii_digit())
}

/// `len` characters of `classes`: alphanumeric at both ends, and from [`OPAQUE_LEN`] on with every class but the symbols.
fn run(classes: &[&str], len: usize, random: &mut Random) -> String {
    let alphabet: Vec<char> = classes.iter().flat_map(|class| class.chars()).collect();
    loop {
        let text: String = (0..len).map(|_| alphabet[random.below(alphabet.len())]).collect();
        let ends_well = [text.chars().next(), text.chars().next_back()].into_iter().flatten();
        let varied = classes.iter().filter(|class| class.len() > 2).all(|class| text.contains(|c| class.contains(c)));
        if ends_well.into_iter().all(|end| end.is_ascii_alphanumeric()) && (varied || len < OPAQUE_LEN) {
            return text;
        }
    }
}

fn with_checksum(len: usize, random: &mut Random) -> String {
    let body = run(ALNUM, len, random);
    let checksum = base62_checksum(body.as_bytes());
    body + &String::from_utf8_lossy(&checksum)
}

/// A random UUID (RFC 9562, version 4).
fn uuid(random: &mut Random) -> String {
    let bits = u128::from(random.next()) << 64 | u128::from(random.next());
    let bits = bits & !(0xf << 76 | 0xc << 60) | 0x4 << 76 | 0x8 << 60;
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// A signed token (RFC 7519) of a made-up subject.
fn jwt(random: &mut Random) -> String {
    let claims = format!(r#"{{"sub":"{}","iat":1{}}}"#, run(&[DIGIT], 10, random), run(&[DIGIT], 9, random));
    let header = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    [header, BASE64_URL_SAFE_NO_PAD.encode(claims), run(BASE64_URL, 43, random)].join(".")
}

/// SplitMix64 (Steele, Lea and Flood 2014): five lines, and the same on every platform and for ever.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number under `bound`; the bias of the remainder does not matter here.
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Validator;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(expand(text, 7).unwrap(), expected);
    }

    #[track_caller]
    fn refused(text: &str, message: &str) {
        assert_eq!(expand(text, 7).unwrap_err().to_string(), message);
    }

    #[test]
    fn braces_that_begin_no_generator_stay() {
        for text in [
            r#"{"msg":"x"}"#,
            "${VAR} ${VAR:-x} {{x}} {{ x }} {} { {",
            "Token{a64f992 kind:12}",
            "{Name:bob Age:12}",
            "}{",
            "{name:bob}",
            "{ alnum:3 }",
            "{uuid }",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn every_generator_writes_its_length_and_alphabet() {
        for (name, classes) in RUNS {
            for len in [1, 2, 8, 40] {
                let text = expand(&format!("{{{name}:{len}}}"), 3).unwrap();
                assert_eq!(text.len(), len, "{name}");
                assert!(text.chars().all(|c| classes.iter().any(|class| class.contains(c))), "{name}");
            }
        }
        assert_eq!(expand("{pem}", 1).unwrap().len(), 64);
        assert_eq!(expand("{uuid}", 1).unwrap().len(), 36);
        assert_eq!(expand("{crc32_base62:30}", 1).unwrap().len(), 36);
    }

    #[test]
    fn the_same_seed_writes_the_same_text_and_another_seed_another() {
        let text = "{alnum:20} {hex:20}";
        assert_eq!(expand(text, 1).unwrap(), expand(text, 1).unwrap());
        assert_ne!(expand(text, 1).unwrap(), expand(text, 2).unwrap());
    }

    #[test]
    fn runs_of_eight_and_more_look_opaque_under_every_seed() {
        for seed in 0..200 {
            let text = expand("{alnum:8}", seed).unwrap();
            for class in [DIGIT, UPPER, LOWER] {
                assert!(text.contains(|c| class.contains(c)), "seed {seed}");
            }
            let hex = expand("{hex:8}", seed).unwrap();
            assert!(hex.contains(|c: char| c.is_ascii_digit()) && hex.contains(|c: char| c.is_ascii_lowercase()));
            let base64 = expand("{base64:9}", seed).unwrap();
            assert!(base64.starts_with(|c: char| c.is_ascii_alphanumeric()));
            assert!(base64.ends_with(|c: char| c.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn what_carries_a_check_passes_it() {
        let passes =
            |name: &str, text: &str| Validator::named(name).unwrap().passes(expand(text, 5).unwrap().as_bytes());
        assert!(passes("crc32-base62", "ghp_{crc32_base62:30}"));
        assert!(passes("jwt", "{jwt}"));
        let uuid = expand("{uuid}", 5).unwrap();
        assert_eq!(&uuid[14..15], "4");
        assert!("89ab".contains(&uuid[19..20]));
    }

    #[test]
    fn base64_encodes_text_and_the_generators_in_it() {
        check("{b64:user:pass}", "dXNlcjpwYXNz");
        check(r#"{"auth":"{b64:{"a":1}}"}"#, r#"{"auth":"eyJhIjoxfQ=="}"#);
        let encoded = expand("{b64:user:{alnum:12}}", 5).unwrap();
        assert!(BASE64_STANDARD.decode(encoded).unwrap().starts_with(b"user:"));
    }

    #[test]
    fn a_generator_nobody_knows_is_an_error() {
        refused("ghp_{alnm:36}", &format!("unknown generator `alnm`; known: {KNOWN}"));
        refused("{alnum:x}", "generator `alnum`: length `x` is no number from 1 to 65536");
        refused("{b64:{hex:0}}", "generator `hex`: length `0` is no number from 1 to 65536");
    }

    #[test]
    fn marks_are_stripped_and_their_ranges_returned() {
        assert_eq!(marked("a «bc» «d»", 1).unwrap(), ("a bc d".to_owned(), vec![2..4, 5..6]));
        assert_eq!(marked("é«{hex:4}»", 1).unwrap().1, vec![2..6]);
        assert!(marked("none", 1).unwrap().1.is_empty());
        for wrong in ["«a", "a»", "««a»»", "«»"] {
            assert!(marked(wrong, 1).is_err(), "{wrong}");
        }
    }
}

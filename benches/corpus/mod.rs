//! Logs for benchmarks and tests: seeded, the same bytes on every machine, with every planted secret known.
//!
//! It is not a sample of real traffic: no line was ever logged by anyone, and every secret is a random string in a
//! publicly documented shape. What is meant to be real are the *rates*: clean lines speak of tokens, keys, passwords
//! and URLs as often per megabyte as service logs do (`tests/corpus.rs` holds the bounds), because a scanner's speed is
//! decided by how often it has to look twice.
//!
//! A plain module without dependencies, so that benches, tests and the `corpus` example include the same file:
//!
//! ```text
//! #[path = "../benches/corpus/mod.rs"]
//! mod corpus;
//! let corpus = corpus::generate(&corpus::Spec { bytes: 8 << 20, seed: 1, secret_every: 100 });
//! ```

#![allow(dead_code, reason = "each of the targets that include this module uses a part of it")]

mod clock;
mod encode;
mod grammar;
mod rng;
mod templates;

use clock::Clock;
use grammar::{Encoding, Grammar, Piece, SymbolId};
use rng::Rng;
use std::io::Write;

/// What to generate.
pub(crate) struct Spec {
    /// The corpus ends with the first whole record at or past this size.
    pub(crate) bytes: usize,
    /// Equal seeds, equal bytes.
    pub(crate) seed: u64,
    /// One line in so many carries a secret, at irregular distances; 0 is a clean corpus.
    pub(crate) secret_every: u32,
}

/// A log and the truth about it.
pub(crate) struct Corpus {
    /// Whole lines, each ended by `\n`.
    pub(crate) bytes: Vec<u8>,
    /// Every planted secret, in the order of the lines.
    pub(crate) truth: Vec<Secret>,
}

/// One planted secret: the bytes that must not survive, without the key or header before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Secret {
    /// From the start of the corpus, in bytes.
    pub(crate) offset: usize,
    /// In bytes; a secret never spans two lines.
    pub(crate) len: usize,
    /// The name of the format in `templates.rs`, such as `github_pat`.
    pub(crate) kind: &'static str,
    /// Counted from 0.
    pub(crate) line: usize,
}

impl Corpus {
    /// The corpus with every planted secret replaced, which is what a scanner without mistakes would write.
    pub(crate) fn masked(&self, placeholder: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len());
        let mut copied = 0;
        for secret in &self.truth {
            out.extend_from_slice(&self.bytes[copied..secret.offset]);
            out.extend_from_slice(placeholder);
            copied = secret.offset + secret.len;
        }
        out.extend_from_slice(&self.bytes[copied..]);
        out
    }
}

/// FNV-1a, to hold a benchmark's output to the right answer without keeping a second copy of it.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Generates the corpus of a [`Spec`].
pub(crate) fn generate(spec: &Spec) -> Corpus {
    let grammar = Grammar::new();
    let mut writer = Writer::new(&grammar, spec);
    let record = grammar::find("record");
    let mut next_secret = writer.distance(spec.secret_every);
    while writer.out.len() < spec.bytes {
        writer.planting = spec.secret_every > 0 && writer.line >= next_secret;
        if writer.planting {
            next_secret += writer.distance(spec.secret_every);
        }
        writer.record(record);
    }
    Corpus { bytes: writer.out, truth: writer.truth }
}

/// Expands symbols into bytes.
struct Writer<'g> {
    grammar: &'g Grammar,
    rng: Rng,
    clock: Clock,
    out: Vec<u8>,
    truth: Vec<Secret>,
    /// The number of line ends in `out`.
    line: usize,
    /// Whether the record at hand is to carry a secret; only then are the `secret-` symbols reachable.
    planting: bool,
    /// In how many JSON strings, one within the other, the bytes are being written.
    depth: u32,
}

impl<'g> Writer<'g> {
    fn new(grammar: &'g Grammar, spec: &Spec) -> Self {
        let out = Vec::with_capacity(spec.bytes + 16_384);
        let (rng, clock) = (Rng::new(spec.seed), Clock::new(spec.seed));
        Self { grammar, rng, clock, out, truth: Vec::new(), line: 0, planting: false, depth: 0 }
    }

    /// Lines to the next secret: `every` on average.
    fn distance(&mut self, every: u32) -> usize {
        if every == 0 { usize::MAX } else { self.rng.below(2 * every - 1) as usize + 1 }
    }

    /// One line, or one log line with its stack trace.
    fn record(&mut self, symbol: SymbolId) {
        let (start, planted) = (self.out.len(), self.truth.len());
        let millis = self.rng.below(32);
        self.clock.advance(millis);
        self.symbol(symbol);
        self.out.push(b'\n');
        debug_assert_eq!(self.truth.len() - planted, usize::from(self.planting), "one secret where one was asked for");
        self.line += self.out[start..].iter().filter(|&&byte| byte == b'\n').count();
    }

    fn symbol(&mut self, id: SymbolId) {
        let grammar = self.grammar;
        let id = if self.planting { grammar.symbol(id).planted } else { id };
        let symbol = grammar.symbol(id);
        let choice = symbol.draw[self.rng.below(symbol.draw.len() as u32) as usize];
        for piece in &symbol.alternatives[usize::from(choice)] {
            self.piece(piece);
        }
    }

    fn piece(&mut self, piece: &Piece) {
        match *piece {
            Piece::Text(text) => self.text(text),
            Piece::Symbol(id) => self.symbol(id),
            Piece::Repeat(id, low, high) => (0..self.rng.between(low, high)).for_each(|_| self.symbol(id)),
            Piece::Number(limit) => self.number(limit),
            Piece::Chars(alphabet, low, high) => self.chars(alphabet, low, high),
            Piece::Time(stamp) => self.clock.print(&mut self.out, stamp),
            Piece::Json(id) => self.json(id),
            Piece::Encoded(id, encoding) => self.encoded(id, encoding),
            Piece::Newline => self.newline(),
            Piece::SecretStart(kind) => self.secret_start(kind),
            Piece::SecretEnd => self.secret_end(),
        }
    }

    /// Text within `d` JSON strings has `2^d - 1` backslashes before a quote and `2^d` for each of its own.
    fn text(&mut self, text: &[u8]) {
        if self.depth == 0 {
            return self.out.extend_from_slice(text);
        }
        let doubled = 1usize << self.depth;
        for &byte in text {
            let slashes = if matches!(byte, b'"' | b'\\') { doubled - 1 } else { 0 };
            self.out.resize(self.out.len() + slashes, b'\\');
            self.out.push(byte);
        }
    }

    fn newline(&mut self) {
        let slashes = 1usize << self.depth.saturating_sub(1);
        self.out.resize(self.out.len() + slashes, b'\\');
        self.out.push(b'n');
    }

    fn number(&mut self, limit: u32) {
        let number = self.rng.below(limit);
        write!(self.out, "{number}").expect("writing to a Vec cannot fail");
    }

    fn chars(&mut self, alphabet: &[u8], low: u32, high: u32) {
        for _ in 0..self.rng.between(low, high) {
            let digit = self.rng.below(alphabet.len() as u32) as usize;
            self.out.push(alphabet[digit]);
        }
    }

    fn json(&mut self, id: SymbolId) {
        self.depth += 1;
        self.symbol(id);
        self.depth -= 1;
    }

    fn encoded(&mut self, id: SymbolId, encoding: Encoding) {
        let start = self.out.len();
        let depth = std::mem::take(&mut self.depth);
        self.symbol(id);
        self.depth = depth;
        let raw = self.out.split_off(start);
        match encoding {
            Encoding::Base64 => encode::base64(&mut self.out, &raw, &encode::STANDARD),
            Encoding::Base64Url => encode::base64(&mut self.out, &raw, &encode::URL_SAFE),
            Encoding::Percent => encode::percent(&mut self.out, &raw),
            Encoding::CrcTail => {
                self.out.extend_from_slice(&raw);
                encode::crc_base62(&mut self.out, &raw);
            }
        }
    }

    fn secret_start(&mut self, kind: &'static str) {
        self.truth.push(Secret { offset: self.out.len(), len: 0, kind, line: self.line });
    }

    fn secret_end(&mut self) {
        let secret = self.truth.last_mut().expect("a template opens a secret before it closes one");
        secret.len = self.out.len() - secret.offset;
    }
}

//! Arrays and objects under a secret key: their leaves are masked, each leaf with its own neutral key left. A walk over
//! quotes and brackets, not a parser: broken and truncated JSON is walked as far as it goes.

use super::bridge::{self, Bridge, Joint};
use super::quote::{self, Quote};
use super::value::{self, Kind};
use super::{Beside, Form, Site};
use crate::engine::byteset::ByteSet;

/// Structures of secret keys within each other that are walked one by one. One that lies deeper is masked whole.
const MAX_NESTED: usize = 8;

/// Whether a bracket at `at` opens something with quoted parts or nested brackets.
pub(super) fn is_structure(haystack: &[u8], at: usize, end: usize) -> bool {
    let inner = skip(haystack, at + 1, end);
    let nested = matches!(haystack[..end].get(inner), Some(b'{' | b'['));
    let quoted = quote::at(haystack, inner, end).is_some() || literal_quote(haystack, inner, end).is_some();
    quoted
        || nested
        || matches!(haystack[..end].get(inner), Some(b']' | b'}'))
        || is_number_list(haystack, at, inner, end)
}

/// `[104, 117, …]`: a secret printed as the list of its bytes.
fn is_number_list(haystack: &[u8], at: usize, inner: usize, end: usize) -> bool {
    let list = haystack[inner..end].iter().take(64).take_while(|b| b.is_ascii_digit() || b", ".contains(b));
    haystack[at] == b'[' && list.filter(|&&b| b == b',').count() >= 5
}

/// Masks the leaves of the structure that opens at `at`.
pub(super) fn mask_leaves(site: &mut Site<'_>, at: usize, bridge: &Bridge) -> Beside {
    let end = site.end;
    let inner = skip(site.haystack, at + 1, end);
    if is_number_list(site.haystack, at, inner, end) {
        let len = site.haystack[inner..end].iter().take_while(|b| b.is_ascii_digit() || b", ".contains(b)).count();
        site.add(inner, inner + len, Form::Number { level: 0 });
        return Beside::Nothing;
    }
    let json = site.is_json(bridge);
    let level = bridge.key_quote.filter(|_| json).map(|quote| quote.level);
    let outer = &mut site.walked.structures;
    outer.retain(|end| *end > at);
    let whole = outer.len() >= MAX_NESTED;
    let walk = Walk { site, joint: bridge.joint, end, depth: 0, neutral: false, level, json, whole };
    let (behind, closed) = walk.run(at);
    site.walked.structures.push(behind);
    site.walked.own(at..behind, closed);
    if !whole {
        return Beside::Nothing;
    }
    // A text in its place, with quotes where they are JSON's.
    site.add(at, behind, level.map_or(Form::Bare, |level| Form::Number { level }));
    Beside::Value(behind)
}

struct Walk<'w, 's> {
    site: &'w mut Site<'s>,
    joint: Joint,
    end: usize,
    depth: usize,
    /// Whether the last key of this place was a neutral one.
    neutral: bool,
    /// The level of the quotes of this structure; a lower one closes the string around it.
    level: Option<u8>,
    /// Whether numbers are JSON's own.
    json: bool,
    /// Whether only its end is asked for.
    whole: bool,
}

impl Walk<'_, '_> {
    /// Walks the structure that opens at `start`. Returns where it ends, and whether that is in sight.
    fn run(mut self, start: usize) -> (usize, bool) {
        let mut at = start;
        while at < self.end {
            at = skip(self.site.haystack, at, self.end);
            let Some(&byte) = self.site.haystack[..self.end].get(at) else { break };
            if let Some(open) = literal_quote(self.site.haystack, at, self.end) {
                if self.level.is_some_and(|level| open.level < level) {
                    return (at, true);
                }
                at = self.string(&open);
                continue;
            }
            match byte {
                b'0'..=b'9' | b'-' => {
                    at += self.number(at);
                    continue;
                }
                b'[' | b'{' => self.depth += 1,
                b']' | b'}' => {
                    self.neutral = false;
                    self.depth = self.depth.saturating_sub(1);
                }
                b',' => self.neutral = false,
                b'\\' => {
                    at += self.site.haystack[at..self.end].iter().take_while(|&&byte| byte == b'\\').count();
                    continue;
                }
                _ => {}
            }
            at += 1;
            if self.depth == 0 {
                return (at, true);
            }
        }
        (self.end, false)
    }

    /// A number that is a leaf. Returns its length.
    fn number(&mut self, at: usize) -> usize {
        const NUMBER: ByteSet = ByteSet::from_bytes(b"-+.eE").with_range(b'0', b'9');
        let len = NUMBER.run(&self.site.haystack[at..self.end]).max(1);
        let opened = b"[:, ".contains(&self.site.haystack[at - 1]);
        let closed = self.site.haystack[..self.end].get(at + len).is_some_and(|b| b",]} ".contains(b));
        if opened && closed && self.json && !self.neutral && !self.whole && self.site.key.numbers {
            self.site.add(at, at + len, Form::Number { level: self.level.unwrap_or(0) });
        }
        len
    }

    /// A quoted part: a key when an operator follows, a leaf otherwise. Returns where to go on.
    fn string(&mut self, open: &Quote) -> usize {
        self.level.get_or_insert(open.level);
        let close = quote::close(self.site.haystack, open, self.site.end).unwrap_or(self.site.end);
        let behind = quote::at(self.site.haystack, close, self.site.end).map_or(close.max(open.end), |quote| quote.end);
        let next = skip(self.site.haystack, behind, self.end);
        let rest = &self.site.haystack[next.min(self.end)..self.end];
        if rest.starts_with(b":") || rest.starts_with(b"=") {
            self.neutral = self.site.keys.is_neutral_leaf(&self.site.haystack[open.end..close]);
            return next + 1;
        }
        if !self.neutral && !self.names_a_pair(next) {
            let joint = if self.joint == Joint::List { Joint::List } else { Joint::Pair };
            let masked = value::kind_of(&self.site.haystack[open.end..close]) != Kind::Number || self.site.key.numbers;
            if masked && !self.whole {
                self.site.text(open.end, close, joint, Some(Form::Bracket));
            }
        }
        behind
    }
}

impl Walk<'_, '_> {
    /// Whether the string before `at` is the name of a pair object whose value follows: `"key":"v","value":…`.
    fn names_a_pair(&self, at: usize) -> bool {
        let haystack = self.site.haystack;
        if haystack[..self.end].get(at) != Some(&b',') {
            return false;
        }
        let field = skip(haystack, at + 1, self.end);
        let Some(open) = quote::at(haystack, field, self.end) else { return false };
        let close = quote::close(haystack, &open, self.end.min(open.end + 40));
        let Some(behind) = close.and_then(|close| quote::at(haystack, close, self.end)) else { return false };
        let colon = skip(haystack, behind.end, self.end);
        bridge::names_value(&haystack[open.end..behind.start]) && haystack[..self.end].get(colon) == Some(&b':')
    }
}

/// A quote, or one behind the prefix of a byte or raw string.
fn literal_quote(haystack: &[u8], at: usize, end: usize) -> Option<Quote> {
    let prefix = haystack[at.min(end)..end].iter().take(2).take_while(|b| b"bru".contains(b)).count();
    quote::at(haystack, at, end).or_else(|| quote::at(haystack, at + prefix, end))
}

/// Blanks and escaped line ends between the parts of a structure.
fn skip(haystack: &[u8], at: usize, end: usize) -> usize {
    let mut at = at;
    while at < end {
        match haystack[at] {
            b' ' | b'\t' | b'\r' => at += 1,
            b'\\' => {
                let slashes = haystack[at..end].iter().take_while(|&&byte| byte == b'\\').count();
                match haystack[..end].get(at + slashes) {
                    Some(b'n' | b'r' | b't') => at += slashes + 1,
                    _ => return at,
                }
            }
            _ => return at,
        }
    }
    at
}

//! What is known of the names of fields: messages repeat them, so each is judged once. It decides nothing: an answer depends
//! on the name alone.

use super::Engine;
use super::field::SecretKey;
use super::gather::ends;
use super::query;
use super::scan::Scratch;
use super::survey::Look;
use super::tally::Tally;

/// A longer name is judged each time.
const MAX_NAME: usize = 64;
/// Names remembered, a power of two: some hundred are in use at a time.
const SLOTS: usize = 512;

/// What a field of a name is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Name {
    /// The secret key that it is.
    pub(crate) secret: Option<SecretKey>,
    /// Whether its value is a URL.
    pub(crate) url: bool,
    /// Whether nothing was found in the name itself, which is a text too.
    pub(crate) clean: bool,
}

/// Names and what they are, each in the one slot its hash names.
pub(crate) struct Names(Box<[Slot]>);

#[derive(Clone, Copy)]
struct Slot {
    head: u64,
    tail: u64,
    len: u8,
    name: Name,
    bytes: [u8; MAX_NAME],
}

impl Default for Names {
    fn default() -> Names {
        // No name is empty: what is not remembered has another length.
        let slot = Slot { head: 0, tail: 0, len: 0, name: Name::default(), bytes: [0; MAX_NAME] };
        Names(vec![slot; SLOTS].into())
    }
}

impl Names {
    #[inline]
    fn slot(&mut self, name: &[u8], head: u64, tail: u64) -> &mut Slot {
        let middle =
            name.get(name.len() / 2..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u64::from_le_bytes(*b));
        let mixed = (head ^ tail.rotate_left(23)).wrapping_add(middle.rotate_left(41)) ^ name.len() as u64;
        &mut self.0[(mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as usize % SLOTS]
    }
}

impl Engine {
    /// What a field called `name` is.
    #[inline]
    pub(crate) fn name(&self, scratch: &mut Scratch, name: &[u8]) -> Name {
        if name.is_empty() || name.len() > MAX_NAME {
            return self.judge(scratch, name);
        }
        let (head, tail) = ends(name);
        let slot = scratch.names.slot(name, head, tail);
        let same = slot.head == head && slot.tail == tail && usize::from(slot.len) == name.len();
        if same && (name.len() <= 16 || slot.bytes[..name.len()] == *name) {
            return slot.name;
        }
        let judged = self.judge(scratch, name);
        let mut bytes = [0; MAX_NAME];
        bytes[..name.len()].copy_from_slice(name);
        *scratch.names.slot(name, head, tail) = Slot { head, tail, len: name.len() as u8, name: judged, bytes };
        judged
    }

    #[inline(never)]
    fn judge(&self, scratch: &mut Scratch, name: &[u8]) -> Name {
        let clean = self.is_nothing(scratch, name, Look::Blind, &mut Tally::default());
        Name { secret: self.secret_key(scratch, name), url: query::names_a_url(name), clean }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Limits, Policy};
    use crate::rules::Catalog;

    #[test]
    fn a_name_is_remembered_as_it_was_judged() {
        let engine = Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default()).expect("rules");
        let mut scratch = engine.scratch();
        let long = "a.".repeat(40) + "password";
        let names =
            ["password", "http.request.method", "url.full", "x", "", "k8s.secret.name", &long, "pass\0word", "api.key"];
        let numbered = (0..2000).map(|n| format!("attribute.{n}.token"));
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).chain(numbered).collect();
        for name in names.iter().chain(&names).map(|name| name.as_bytes()) {
            let judged = engine.judge(&mut engine.scratch(), name);
            assert_eq!(engine.name(&mut scratch, name), judged, "{name:?}");
            assert_eq!(engine.name(&mut scratch, name), judged, "{name:?}");
        }
        assert!(engine.name(&mut scratch, b"password").secret.is_some() && engine.name(&mut scratch, b"url.full").url);
        let harmless = Name { secret: None, url: false, clean: true };
        assert_eq!(engine.name(&mut scratch, b"http.request.method"), harmless);
    }
}

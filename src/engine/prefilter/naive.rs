//! What the prefilter must find, written so that it is plainly right: position by position, literal by literal. Not fast.

use super::{Hit, Literal};

/// Every occurrence of every literal, sorted.
pub(super) fn find(literals: &[Literal], haystack: &[u8]) -> Vec<Hit> {
    let mut hits = Vec::new();
    for start in 0..haystack.len() {
        for (i, literal) in literals.iter().enumerate() {
            if stands(literal, &haystack[start..]) {
                hits.push(Hit { start: start as u32, literal: i as u16 });
            }
        }
    }
    hits
}

fn stands(literal: &Literal, haystack: &[u8]) -> bool {
    literal.sets.len() <= haystack.len() && literal.sets.iter().zip(haystack).all(|(set, &byte)| set.contains(byte))
}

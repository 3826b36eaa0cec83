//! The specification of `Known::find`: every form compared at every position.

use std::ops::Range;

use super::{Known, cut_len, ends_record, stands_alone};

/// As [`Known::find`].
pub(super) fn find(known: &Known, haystack: &[u8]) -> Vec<(Range<usize>, usize)> {
    let mut found = Vec::new();
    for form in &known.forms {
        let bytes = known.bytes(form);
        for start in 0..haystack.len() {
            let rest = &haystack[start..];
            let alone = || !form.traits.word || stands_alone(haystack, start, start + bytes.len());
            if rest.starts_with(bytes) && alone() {
                found.push((start..start + bytes.len(), form.value as usize));
            }
            let cut = cut_len(bytes.len())..bytes.len();
            for len in cut.filter(|len| rest.starts_with(&bytes[..*len]) && ends_record(haystack, start + len)) {
                found.push((start..start + len, form.value as usize));
            }
        }
    }
    found.sort_unstable_by_key(|(span, value)| (span.start, span.end, *value));
    found.dedup();
    found
}

//! The buckets of the built-in literals, made by `tables::build`. Not written by hand: a test makes it anew and compares.

/// Of the literals these buckets are for.
pub(crate) const HASH: u64 = 0;

/// For each literal, where its window begins and which bucket it is in.
pub(crate) const ASSIGNMENT: &[(u8, u8)] = &[];

//! What was walked of a record, so that a line of nothing but beginnings is not walked to its end again from each of them.
//! It decides nothing: what is remembered here could be asked again.

use std::ops::Range;

use super::columns::Rows;

/// Less of a structure is seen with its key in the next window of a long record too.
const LONG: usize = 32 << 10;

/// The walks of one record.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// A bare header's value.
    pub(super) header: Ahead,
    /// Up to where the cookies of a header were masked, from where on.
    pub(super) cookies: Range<usize>,
    /// A cookie's `;`.
    pub(super) cookie: Ahead,
    pub(super) url: Url,
    pub(super) rows: Rows,
    /// Where the structures end that are open where the last one began.
    pub(super) structures: Vec<usize>,
    /// Structures longer than a window of a long record sees back.
    pub(crate) long_structures: Vec<LongStructure>,
}

/// A secret key's structure, rows or cookies, which one window of a long record may not see whole.
#[derive(Clone, Debug)]
pub(crate) struct LongStructure {
    pub(crate) range: Range<usize>,
    /// Whether it was closed within its haystack.
    pub(crate) closed: bool,
}

impl Walked {
    /// Remembers what a key owns, where it is long.
    pub(super) fn own(&mut self, range: Range<usize>, closed: bool) {
        if range.len() > LONG {
            self.long_structures.push(LongStructure { range, closed });
        }
    }
}

/// What ends a URL and its parts.
#[derive(Debug, Default)]
pub(crate) struct Url {
    pub(super) end: Ahead,
    /// `,`, `;` or `&`.
    pub(super) delimiter: Ahead,
    pub(super) at_sign: Ahead,
}

/// The next place of some kind: for everything from where it was looked for up to it, the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Ahead(Range<usize>);

impl Ahead {
    /// The place ahead of `at`, looked for where it is not known.
    pub(super) fn of(&mut self, at: usize, find: impl FnOnce() -> usize) -> usize {
        if !self.0.contains(&at) {
            self.0 = at..find();
        }
        self.0.end
    }
}

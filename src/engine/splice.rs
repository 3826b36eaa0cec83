//! Writes a wire format back with some of its bytes exchanged. What is exchanged is the caller's to find, and to fit the format.

use std::ops::Range;

use bytes::Bytes;

use super::Masked;

/// A body, copied only from the first exchange on. Exchanges come in the order of the body.
pub(crate) struct Splice {
    body: Bytes,
    /// What stands for `body[..copied]`; empty until the first exchange.
    out: Vec<u8>,
    copied: usize,
}

/// How far an output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    written: usize,
    copied: usize,
}

impl Mark {
    /// Where in the output the byte at `at` of the body stands, if nothing between was exchanged when the mark was made.
    pub(crate) fn place_of(self, at: usize) -> usize {
        self.written + (at - self.copied)
    }
}

impl Splice {
    /// Begins with `body` as it is.
    pub(crate) fn new(body: Bytes) -> Splice {
        Splice { body, out: Vec::new(), copied: 0 }
    }

    /// How far the output is. Two equal marks have no exchange between them.
    pub(crate) fn mark(&self) -> Mark {
        Mark { written: self.out.len(), copied: self.copied }
    }

    /// Whether the byte at `at` can still be exchanged.
    pub(crate) fn is_ahead(&self, at: usize) -> bool {
        at >= self.copied
    }

    /// Copies the body up to `to`.
    pub(crate) fn copy_to(&mut self, to: usize) {
        if self.out.is_empty() {
            self.out.reserve(self.body.len() + self.body.len() / 16 + 64);
        }
        self.out.extend_from_slice(&self.body[self.copied..to]);
        self.copied = to;
    }

    /// Writes something else in place of `range`.
    pub(crate) fn replace(&mut self, range: Range<usize>, write: impl FnOnce(&mut Vec<u8>)) {
        self.copy_to(range.start);
        write(&mut self.out);
        self.copied = range.end;
    }

    /// Exchanges what was written before: `len` bytes at `place`.
    pub(crate) fn patch(&mut self, place: usize, len: usize, with: &[u8]) {
        if len == with.len() {
            self.out[place..place + len].copy_from_slice(with);
        } else {
            self.out.splice(place..place + len, with.iter().copied());
        }
    }

    /// Bytes written so far.
    pub(crate) fn written(&self) -> usize {
        self.out.len()
    }

    /// The body with its exchanges; the body itself where there were none.
    pub(crate) fn finish(mut self) -> Masked {
        if self.copied == 0 {
            return Masked(self.body);
        }
        self.copy_to(self.body.len());
        Masked(self.out.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_without_exchanges_is_the_same_memory() {
        let body = Bytes::from(vec![1, 2, 3]);
        let masked = Splice::new(body.clone()).finish().into_bytes();
        assert_eq!(masked.as_ptr(), body.as_ptr());
    }

    #[test]
    fn what_was_copied_can_be_patched() {
        let mut splice = Splice::new(Bytes::from_static(b"a[4]bbbb!"));
        let place = splice.mark().place_of(2);
        splice.replace(4..8, |out| out.extend_from_slice(b"0123456789"));
        splice.patch(place, 1, b"10");
        assert!(splice.is_ahead(8) && !splice.is_ahead(7));
        assert_eq!(splice.finish().as_bytes(), b"a[10]0123456789!");
    }
}

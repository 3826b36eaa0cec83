//! Cuts a stream into pieces that can be redacted by themselves: blocks of whole records, and windows of a record that is
//! too long to be held. Where a piece ends depends on the bytes alone, never on how they arrived.

use std::ops::Range;

use bytes::Bytes;
use memchr::{memchr, memrchr};

use super::fragment;

/// What a window sees before and behind its body.
pub(crate) const LOOK: usize = 64 << 10;

/// Whether a stream that begins with these bytes is marked as UTF-16 or UTF-32, which no rule can read. It takes two of them,
/// or four, to tell.
pub fn is_wide(head: &[u8]) -> bool {
    head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") || head.starts_with(b"\0\0\xfe\xff")
}

/// A piece of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub(crate) haystack: Bytes,
    /// What of the haystack this piece stands for; the rest is its surroundings.
    pub(crate) body: Range<usize>,
    pub(crate) kind: Kind,
}

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Whole records, or what stood at the end of the input.
    Records,
    /// A part of a long record.
    Window {
        /// Whether the record ends in it.
        last: bool,
    },
}

impl Piece {
    /// A block of whole records.
    pub fn records(block: Bytes) -> Piece {
        Piece { body: 0..block.len(), haystack: block, kind: Kind::Records }
    }

    /// The bytes it stands for, as they came.
    pub fn body(&self) -> &[u8] {
        &self.haystack[self.body.clone()]
    }

    /// Whether it is a part of a record that is too long to be held.
    pub fn is_window(&self) -> bool {
        self.kind != Kind::Records
    }

    /// Whether its record goes on in the stream's next piece.
    pub fn goes_on(&self) -> bool {
        matches!(self.kind, Kind::Window { last: false })
    }

    /// The memory it was read into.
    pub fn into_haystack(self) -> Bytes {
        self.haystack
    }

    /// The bytes as they came: only to measure what a pipe costs without an engine.
    #[cfg(feature = "bench-noscan")]
    pub(crate) fn unmasked(&self) -> super::Masked {
        super::Masked(self.haystack.slice(self.body.clone()))
    }

    /// How many bytes of the stream this piece stands for.
    pub fn len(&self) -> usize {
        self.body.len()
    }

    /// Whether it stands for none.
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }
}

/// Collects bytes and hands out pieces, in order.
pub struct Cutter {
    /// Look-behind of the record being cut, then what has not been handed out.
    buffer: Vec<u8>,
    /// Bytes of `buffer` that are look-behind.
    behind: usize,
    /// No line end stands in `behind..searched`.
    searched: usize,
    /// Whether a long record is being cut: its first window has been handed out.
    in_long: bool,
    window: usize,
    /// Lines of a container runtime that go on in one that has not come.
    open: fragment::Open,
    /// Buffers to go on with, so that none is allocated per block.
    spares: Vec<Vec<u8>>,
}

impl Cutter {
    /// A cutter that holds records of up to `max_record_bytes` whole.
    pub fn new(max_record_bytes: usize) -> Cutter {
        let window = max_record_bytes.max(LOOK);
        let open = fragment::Open::default();
        Cutter { buffer: Vec::new(), behind: 0, searched: 0, in_long: false, window, open, spares: Vec::new() }
    }

    /// Where to append what was read. Only appending is allowed.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Gives a buffer back whose bytes were written. No more are kept than were handed out.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        self.spares.push(buffer);
    }

    /// Gives a buffer back and has the next bytes read into it: what has come so far is moved there if it is little. Who
    /// redacts what is read next finds it in the cache of its core.
    pub fn go_on_in(&mut self, mut buffer: Vec<u8>) {
        if self.buffer.len() <= buffer.capacity() / 4 {
            buffer.clear();
            buffer.extend_from_slice(&self.buffer);
            std::mem::swap(&mut self.buffer, &mut buffer);
        }
        self.recycle(buffer);
    }

    /// The next piece of what has come so far; `None` when more is needed.
    pub fn next_piece(&mut self) -> Option<Piece> {
        if self.in_long {
            return self.cut_long(false);
        }
        match memrchr(b'\n', &self.buffer[self.searched..]) {
            Some(newline) => {
                let end = self.searched + newline + 1;
                match self.open.cut(&self.buffer, end, self.window) {
                    0 => None,
                    cut => Some(self.take_records(cut)),
                }
            }
            None => {
                self.searched = self.buffer.len();
                if self.buffer.len() < self.window + LOOK {
                    return None;
                }
                self.in_long = true;
                self.cut_long(false)
            }
        }
    }

    /// The pieces that are left when the input has ended; call until `None`. Another input may follow then.
    pub fn finish(&mut self) -> Option<Piece> {
        if let Some(piece) = self.next_piece() {
            return Some(piece);
        }
        if self.buffer.len() == self.behind {
            self.buffer.clear();
            (self.behind, self.searched, self.in_long) = (0, 0, false);
            return None;
        }
        if self.in_long { self.cut_long(true) } else { Some(self.take_records(self.buffer.len())) }
    }

    /// Whole records before `end`, unless the first of them is too long to be held.
    fn take_records(&mut self, end: usize) -> Piece {
        if let Some(first) = self.long_record(end) {
            if first > 0 {
                return self.take_records(first);
            }
            self.in_long = true;
            self.searched = 0;
            return self.cut_long(true).expect("a long record has a first window");
        }
        self.open.drain(end);
        let mut rest = self.spares.pop().unwrap_or_default();
        rest.clear();
        rest.extend_from_slice(&self.buffer[end..]);
        self.buffer.truncate(end);
        self.searched = rest.len().min(self.searched.saturating_sub(end));
        let block = std::mem::replace(&mut self.buffer, rest);
        Piece::records(block.into())
    }

    /// Where a record longer than the window begins, before `end`. Found only by size, so most blocks are not searched.
    fn long_record(&self, end: usize) -> Option<usize> {
        if end <= self.window {
            return None;
        }
        let mut start = 0;
        while start < end {
            let newline = memchr(b'\n', &self.buffer[start..end]).map_or(end, |len| start + len + 1);
            if newline - start > self.window {
                return Some(start);
            }
            start = newline;
        }
        None
    }

    /// The next window of a long record, once all it sees has come or its end is known to be in the buffer.
    fn cut_long(&mut self, complete: bool) -> Option<Piece> {
        let body_end = self.behind + self.window;
        let from = self.searched.max(self.behind);
        let seen = self.buffer.len().min(body_end + LOOK);
        let newline = memchr(b'\n', &self.buffer[from.min(seen)..seen]).map(|len| from + len);
        match newline {
            Some(newline) if newline < body_end => Some(self.take_window(newline + 1, true)),
            Some(_) => Some(self.take_window(body_end, false)),
            None if complete && self.buffer.len() <= body_end => Some(self.take_window(self.buffer.len(), true)),
            None if complete || self.buffer.len() >= body_end + LOOK => {
                self.searched = seen;
                Some(self.take_window(body_end, false))
            }
            None => {
                self.searched = seen;
                None
            }
        }
    }

    /// A window whose body ends at `end`.
    fn take_window(&mut self, end: usize, last: bool) -> Piece {
        let seen = self.buffer.len().min(end + LOOK);
        let seen = if last { end } else { memchr(b'\n', &self.buffer[end..seen]).map_or(seen, |len| end + len + 1) };
        let haystack = Bytes::copy_from_slice(&self.buffer[..seen]);
        let piece = Piece { haystack, body: self.behind..end, kind: Kind::Window { last } };
        let keep = if last { end } else { end - LOOK.min(end) };
        self.buffer.drain(..keep);
        self.open = fragment::Open::default();
        self.behind = end - keep;
        self.searched = self.behind.max(self.searched.saturating_sub(keep));
        if last {
            (self.behind, self.searched, self.in_long) = (0, 0, false);
        }
        piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: usize = LOOK;

    fn cut(text: &[u8], step: usize) -> Vec<Piece> {
        let mut cutter = Cutter::new(WINDOW);
        let mut pieces = Vec::new();
        for chunk in text.chunks(step) {
            cutter.buffer().extend_from_slice(chunk);
            while let Some(piece) = cutter.next_piece() {
                pieces.push(piece);
            }
        }
        while let Some(piece) = cutter.finish() {
            pieces.push(piece);
        }
        pieces
    }

    fn windows(pieces: &[Piece]) -> Vec<&Piece> {
        pieces.iter().filter(|piece| piece.kind != Kind::Records).collect()
    }

    #[test]
    fn pieces_together_are_the_stream_and_windows_do_not_depend_on_the_reads() {
        for len in [WINDOW - 1, WINDOW, WINDOW + 1, 2 * WINDOW, 5 * WINDOW + 3] {
            for end in [&b""[..], b"\n", b"\nnext\n", b"\nnext"] {
                let text = [b"first\n", &vec![b'a'; len][..], end].concat();
                let whole = cut(&text, text.len());
                for step in [997, 4096, 65_537] {
                    let pieces = cut(&text, step);
                    let bodies: Vec<u8> =
                        pieces.iter().flat_map(|piece| piece.haystack[piece.body.clone()].to_vec()).collect();
                    assert_eq!(bodies, text, "{len} {step}");
                    assert_eq!(windows(&pieces), windows(&whole), "{len} {step}");
                }
            }
        }
    }
}

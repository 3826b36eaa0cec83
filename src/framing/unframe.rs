//! From frames to lines, however the frames arrive. Nothing is kept but a length and a count.

use memchr::{memchr, memchr_iter};

use super::Framing;

/// An octet-counted frame may be so long: it is promised before it is sent, so a longer one is a mistake or an attack.
pub const MAX_FRAME_BYTES: usize = 1 << 20;

/// A count has so many digits at most.
const MAX_DIGITS: usize = 10;

/// The peer does not speak the framing that was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// No digits and a blank where a frame must begin.
    #[error("no octet count where a frame must begin")]
    NoCount,
    /// A frame longer than [`MAX_FRAME_BYTES`].
    #[error("a frame is announced as {0} bytes, more than {MAX_FRAME_BYTES}")]
    TooLong(u64),
}

/// Brings one framing to lines.
#[derive(Debug)]
pub struct Unframer {
    framing: Framing,
    /// Bytes of the current octet-counted frame that have not come.
    left: usize,
    /// What has come of the count of the next frame.
    count: u64,
    digits: usize,
    /// Whether a frame is being read: its end is still to be marked.
    open: bool,
    /// Line feeds within the current record so far.
    inner_lines: u32,
}

impl Unframer {
    /// Nothing has come yet.
    pub fn new(framing: Framing) -> Unframer {
        Unframer { framing, left: 0, count: 0, digits: 0, open: false, inner_lines: 0 }
    }

    /// Appends the records of `bytes` to `lines`, each ended by a line feed, and to `counts` the number of lines of each
    /// that ended. Lines themselves are passed on, and nothing is counted.
    ///
    /// # Errors
    /// When the bytes are not in this framing. What came before is in `lines`; no more can be read.
    pub fn push(&mut self, bytes: &[u8], lines: &mut Vec<u8>, counts: &mut Vec<u32>) -> Result<(), FrameError> {
        match self.framing {
            Framing::Newline => lines.extend_from_slice(bytes),
            Framing::Nul => self.until_nul(bytes, lines, counts),
            Framing::OctetCounted => return self.counted(bytes, lines, counts),
        }
        Ok(())
    }

    /// Whether the stream would break off within a record if it ended here. Says nothing of lines.
    pub fn is_open(&self) -> bool {
        self.open || self.digits > 0
    }

    /// So many lines of the record that is being read were passed on before its end: they are not counted with the rest.
    pub fn passed_on(&mut self, lines: u32) {
        self.inner_lines = self.inner_lines.saturating_sub(lines);
    }

    fn until_nul(&mut self, bytes: &[u8], lines: &mut Vec<u8>, counts: &mut Vec<u32>) {
        let mut rest = bytes;
        while let Some(nul) = memchr(0, rest) {
            self.take(&rest[..nul], lines);
            self.end_record(lines, counts);
            rest = &rest[nul + 1..];
        }
        self.take(rest, lines);
        self.open |= !rest.is_empty();
    }

    fn counted(&mut self, bytes: &[u8], lines: &mut Vec<u8>, counts: &mut Vec<u32>) -> Result<(), FrameError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if !self.open {
                rest = self.read_count(rest)?;
            } else {
                let (body, behind) = rest.split_at(rest.len().min(self.left));
                self.take(body, lines);
                self.left -= body.len();
                rest = behind;
            }
            if self.open && self.left == 0 {
                self.end_record(lines, counts);
            }
        }
        Ok(())
    }

    /// Reads a digit or the blank behind them. A line feed between frames is forgiven: some senders end each with one.
    fn read_count<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], FrameError> {
        match bytes[0] {
            digit @ b'0'..=b'9' if self.digits < MAX_DIGITS => {
                self.count = self.count * 10 + u64::from(digit - b'0');
                self.digits += 1;
            }
            b' ' if self.digits > 0 => {
                if self.count > MAX_FRAME_BYTES as u64 {
                    return Err(FrameError::TooLong(self.count));
                }
                (self.left, self.open) = (self.count as usize, true);
                (self.count, self.digits) = (0, 0);
            }
            b'\n' if self.digits == 0 => {}
            _ => return Err(FrameError::NoCount),
        }
        Ok(&bytes[1..])
    }

    fn take(&mut self, body: &[u8], lines: &mut Vec<u8>) {
        self.inner_lines = self.inner_lines.saturating_add(memchr_iter(b'\n', body).count() as u32);
        lines.extend_from_slice(body);
    }

    fn end_record(&mut self, lines: &mut Vec<u8>, counts: &mut Vec<u32>) {
        lines.push(b'\n');
        counts.push(self.inner_lines.saturating_add(1));
        (self.inner_lines, self.open) = (0, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole, byte by byte, and cut at each boundary.
    #[track_caller]
    fn check(framing: Framing, input: &str, expected: Result<(&str, &[u32]), FrameError>) {
        let run = |parts: &mut dyn Iterator<Item = &[u8]>| {
            let mut unframer = Unframer::new(framing);
            let (mut lines, mut counts) = (Vec::new(), Vec::new());
            for part in parts {
                unframer.push(part, &mut lines, &mut counts)?;
            }
            Ok((String::from_utf8(lines).unwrap(), counts))
        };
        let expected = expected.map(|(lines, counts)| (lines.to_owned(), counts.to_vec()));
        assert_eq!(run(&mut input.as_bytes().chunks(1)), expected, "byte by byte");
        for cut in 0..=input.len() {
            let (head, tail) = input.as_bytes().split_at(cut);
            assert_eq!(run(&mut [head, tail].into_iter()), expected, "cut at {cut}");
        }
    }

    #[test]
    fn frames_become_lines() {
        check(Framing::Newline, "a\nb", Ok(("a\nb", &[])));
        check(Framing::Nul, "a\0b\0", Ok(("a\nb\n", &[1, 1])));
        check(Framing::Nul, "a\nb\0\0c", Ok(("a\nb\n\nc", &[2, 1])));
        check(Framing::OctetCounted, "5 hello3 a\nb0 1 x", Ok(("hello\na\nb\n\nx\n", &[1, 2, 1, 1])));
        check(Framing::OctetCounted, "5 hello\n2 xy\n", Ok(("hello\nxy\n", &[1, 1])));
        check(Framing::OctetCounted, "9 bro", Ok(("bro", &[])));
    }

    #[test]
    fn what_is_no_count_is_refused() {
        check(Framing::OctetCounted, "<34>hello", Err(FrameError::NoCount));
        check(Framing::OctetCounted, "12x hello", Err(FrameError::NoCount));
        check(Framing::OctetCounted, " hello", Err(FrameError::NoCount));
        check(Framing::OctetCounted, "-1 hello", Err(FrameError::NoCount));
        check(Framing::OctetCounted, "12345678901 x", Err(FrameError::NoCount));
        check(Framing::OctetCounted, "1048577 x", Err(FrameError::TooLong(1_048_577)));
    }

    #[test]
    fn a_stream_that_breaks_off_is_told_from_one_that_ends() {
        let open = |framing, input: &[u8]| {
            let mut unframer = Unframer::new(framing);
            unframer.push(input, &mut Vec::new(), &mut Vec::new()).unwrap();
            unframer.is_open()
        };
        assert!(!open(Framing::Nul, b"a\0"));
        assert!(open(Framing::Nul, b"a\0b"));
        assert!(!open(Framing::OctetCounted, b"1 a"));
        assert!(open(Framing::OctetCounted, b"2 a"));
        assert!(open(Framing::OctetCounted, b"2"));
    }
}

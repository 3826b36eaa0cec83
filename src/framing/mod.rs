//! PURE. Where records begin and end in a stream: lines, NUL-ended records, octet counts (RFC 6587). It finds no secrets and
//! joins no fragments of container runtimes; the engine sees those by itself.
//!
//! The engine looks at lines, so every framing is brought to lines on the way in ([`Unframer`]) and back on the way out
//! ([`frame`]). A record of several lines is remembered by their number, which redacting never changes:
//!
//! ```
//! use inkout::framing::{Framing, Unframer, frame};
//!
//! let mut unframer = Unframer::new(Framing::OctetCounted);
//! let (mut lines, mut counts) = (Vec::new(), Vec::new());
//! unframer.push(b"5 hello9 two\nlines", &mut lines, &mut counts)?;
//! assert_eq!((lines.as_slice(), counts.as_slice()), (&b"hello\ntwo\nlines\n"[..], &[1, 2][..]));
//!
//! let mut framed = Vec::new();
//! frame(Framing::Nul, &lines, &counts, &mut framed);
//! assert_eq!(framed, b"hello\0two\nlines\0");
//! # Ok::<(), inkout::framing::FrameError>(())
//! ```

mod unframe;

pub use unframe::{FrameError, MAX_FRAME_BYTES, Unframer};

/// How records are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Framing {
    /// Each ends with a line feed.
    #[default]
    Newline,
    /// Each ends with a NUL.
    Nul,
    /// Each begins with its length in bytes, in decimal, and a blank (RFC 6587, 3.4.1).
    OctetCounted,
}

/// Appends to `framed` the records that `lines` holds: as many lines each as `counts` says, or one each if it is empty. The
/// last line may lack its line feed.
///
/// A record of several lines keeps the line feeds between them, also where a receiver takes lines: nothing is escaped.
pub fn frame(framing: Framing, lines: &[u8], counts: &[u32], framed: &mut Vec<u8>) {
    if framing == Framing::Newline {
        framed.extend_from_slice(lines);
        return;
    }
    let mut counts = counts.iter().copied();
    let mut rest = lines;
    while !rest.is_empty() {
        let count = counts.next().unwrap_or(1).max(1) as usize;
        let end = memchr::memchr_iter(b'\n', rest).nth(count - 1).map_or(rest.len(), |at| at + 1);
        let (record, behind) = rest.split_at(end);
        let record = record.strip_suffix(b"\n").unwrap_or(record);
        match framing {
            Framing::OctetCounted => {
                framed.extend_from_slice(format!("{} ", record.len()).as_bytes());
                framed.extend_from_slice(record);
            }
            _ => {
                framed.extend_from_slice(record);
                framed.push(0);
            }
        }
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(framing: Framing, lines: &str, counts: &[u32], expected: &str) {
        let mut framed = Vec::new();
        frame(framing, lines.as_bytes(), counts, &mut framed);
        assert_eq!(String::from_utf8(framed).unwrap(), expected);
    }

    #[test]
    fn lines_become_frames() {
        check(Framing::Newline, "a\nb\n", &[2], "a\nb\n");
        check(Framing::Nul, "a\nb\n", &[], "a\0b\0");
        check(Framing::Nul, "a\nb\n", &[2], "a\nb\0");
        check(Framing::OctetCounted, "a\nbc\n", &[], "1 a2 bc");
        check(Framing::OctetCounted, "a\nbc\nd", &[2], "4 a\nbc1 d");
        check(Framing::OctetCounted, "\n", &[1], "0 ");
        check(Framing::OctetCounted, "", &[], "");
    }
}

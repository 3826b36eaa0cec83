//! Protobuf's wire format: tags, varints, lengths (<https://protobuf.dev/programming-guides/encoding/>). It knows no message.

use std::ops::Range;

use super::{Encoding, Malformed};

/// A varint of 64 bits has at most ten bytes.
const MAX_VARINT: usize = 10;
/// Field numbers have 29 bits.
const MAX_NUMBER: u64 = (1 << 29) - 1;

/// What a field's tag says stands behind it.
pub(super) mod kind {
    pub(in super::super) const VARINT: u32 = 0;
    pub(in super::super) const FIXED64: u32 = 1;
    pub(in super::super) const BYTES: u32 = 2;
    pub(in super::super) const OPEN: u32 = 3;
    pub(in super::super) const CLOSE: u32 = 4;
    pub(in super::super) const FIXED32: u32 = 5;
}

/// The tag of the field `number`, whose value is of this kind.
pub(super) const fn tag(number: u32, kind: u32) -> u32 {
    number << 3 | kind
}

/// A field that has a length: where it is written, and where what it is the length of begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sized {
    pub(super) len_at: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Sized {
    pub(super) fn content(self) -> Range<usize> {
        self.start..self.end
    }
}

/// Reads fields one by one. An error is boxed: it is what never happens, and the fields fit into registers without it.
#[derive(Clone)]
pub(super) struct Reader<'b> {
    body: &'b [u8],
    /// Behind the last field.
    pub(super) at: usize,
    end: usize,
    /// First byte of the last field's tag.
    pub(super) start: usize,
    /// The last field, where it has a length.
    pub(super) sized: Sized,
}

/// Why there is no next field.
pub(super) type Refusal = Box<Malformed>;

impl<'b> Reader<'b> {
    pub(super) fn new(body: &'b [u8], range: Range<usize>) -> Reader<'b> {
        let Range { start, end } = range;
        Reader { body: &body[..end], at: start, end, start, sized: Sized { len_at: start, start, end: start } }
    }

    /// The tag of the next field, or 0 at the end.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Result<u32, Refusal> {
        // Nearly all fields are short, have a length, and a number below 16.
        if let Some(&[tag, len]) = self.body.get(self.at..).and_then(|rest| rest.first_chunk())
            && tag & 0x87 == kind::BYTES as u8
            && tag >= 8
            && len < 0x80
            && usize::from(len) + 2 <= self.end - self.at
        {
            self.start = self.at;
            let start = self.at + 2;
            self.at = start + usize::from(len);
            self.sized = Sized { len_at: start - 1, start, end: self.at };
            return Ok(tag.into());
        }
        // Most others are a time or a small number.
        match self.body.get(self.at..) {
            Some(&[tag @ 8..0x80, 0..0x80, ..]) if tag & 7 == kind::VARINT as u8 => {
                self.start = self.at;
                self.at += 2;
                Ok(tag.into())
            }
            Some(&[tag @ 8..0x80, _, _, _, _, _, _, _, _, ..]) if tag & 7 == kind::FIXED64 as u8 => {
                self.start = self.at;
                self.at += 9;
                Ok(tag.into())
            }
            _ => self.next_of_any_kind(),
        }
    }

    /// The next field, if it has this tag and its content this length: a guess from which the processor goes on before it has
    /// read the length.
    #[inline(always)]
    pub(super) fn next_as(&mut self, tag: u32, len: usize) -> bool {
        let Some(&[own, spelt]) = self.body.get(self.at..).and_then(|rest| rest.first_chunk()) else { return false };
        let fits = len < 0x80 && len + 2 <= self.end - self.at;
        if !fits || u32::from(own) != tag || tag >= 0x80 || usize::from(spelt) != len {
            return false;
        }
        let start = self.at + 2;
        (self.start, self.at) = (self.at, start + len);
        self.sized = Sized { len_at: start - 1, start, end: self.at };
        true
    }

    #[inline(never)]
    fn next_of_any_kind(&mut self) -> Result<u32, Refusal> {
        self.start = self.at;
        if self.at == self.end {
            return Ok(0);
        }
        let tag = self.varint("a field's tag")?;
        if !(8..=MAX_NUMBER << 3 | 7).contains(&tag) {
            return Err(refusal(self.start, "a field number from 1 to 536870911"));
        }
        match tag as u32 & 7 {
            kind::BYTES => self.bytes()?,
            kind::VARINT => drop(self.varint("a varint")?),
            kind::FIXED64 => self.fixed(8)?,
            kind::FIXED32 => self.fixed(4)?,
            kind::OPEN | kind::CLOSE => {}
            _ => return Err(refusal(self.start, "a wire type from 0 to 5")),
        }
        Ok(tag as u32)
    }

    #[inline(always)]
    fn varint(&mut self, expected: &'static str) -> Result<u64, Refusal> {
        match self.body.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(byte.into())
            }
            _ => self.long_varint(expected),
        }
    }

    #[inline(never)]
    fn long_varint(&mut self, expected: &'static str) -> Result<u64, Refusal> {
        let bytes = &self.body[self.at..];
        let mut value = 0u64;
        for (index, &byte) in bytes.iter().take(MAX_VARINT).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.at += index + 1;
                return Ok(value);
            }
        }
        Err(refusal(self.at, expected))
    }

    #[inline(always)]
    fn fixed(&mut self, len: usize) -> Result<(), Refusal> {
        if self.end - self.at < len {
            return Err(refusal(self.at, if len == 8 { "eight bytes" } else { "four bytes" }));
        }
        self.at += len;
        Ok(())
    }

    #[inline(always)]
    fn bytes(&mut self) -> Result<(), Refusal> {
        let len_at = self.at;
        let len = self.varint("a length")?;
        if len > (self.end - self.at) as u64 {
            return Err(refusal(len_at, "a length within its message"));
        }
        let start = self.at;
        self.at += len as usize;
        self.sized = Sized { len_at, start, end: self.at };
        Ok(())
    }
}

#[cold]
pub(super) fn refusal(offset: usize, expected: &'static str) -> Refusal {
    Box::new(Malformed { encoding: Encoding::Protobuf, offset, expected })
}

/// The value of a varint that [`Reader`] has read.
pub(super) fn unsigned(varint: &[u8]) -> u64 {
    let bits = varint.iter().take(MAX_VARINT).enumerate();
    bits.fold(0, |value, (index, &byte)| value | u64::from(byte & 0x7f) << (7 * index))
}

/// `value` as a varint, and how many bytes it takes.
pub(super) fn varint(mut value: u64) -> ([u8; MAX_VARINT], usize) {
    let mut bytes = [0; MAX_VARINT];
    let mut len = 0;
    while value >= 0x80 {
        bytes[len] = value as u8 | 0x80;
        value >>= 7;
        len += 1;
    }
    bytes[len] = value as u8;
    (bytes, len + 1)
}

/// Writes `value` as a varint.
pub(super) fn put_varint(value: u64, out: &mut Vec<u8>) {
    let (bytes, len) = varint(value);
    out.extend_from_slice(&bytes[..len]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(body: &[u8]) -> Result<Vec<u32>, Malformed> {
        let mut reader = Reader::new(body, 0..body.len());
        let mut tags = Vec::new();
        loop {
            match reader.next().map_err(|refusal| *refusal)? {
                0 => return Ok(tags),
                tag => tags.push(tag),
            }
        }
    }

    #[test]
    fn fields_are_read_as_they_are_written() {
        let body = b"\x08\x96\x01\x12\x83\x00abc\x1d\0\0\0\0\x19\0\0\0\0\0\0\0\0\x23\x24";
        let expected = [(1, 0), (2, 2), (3, 5), (3, 1), (4, 3), (4, 4)].map(|(number, kind)| tag(number, kind));
        assert_eq!(tags(body).expect("a message"), expected);
        let mut reader = Reader::new(body, 3..9);
        assert_eq!(reader.next().expect("a field"), tag(2, kind::BYTES));
        assert_eq!((reader.start, reader.at, reader.sized), (3, 9, Sized { len_at: 4, start: 6, end: 9 }));
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_place() {
        let cases: &[(&[u8], usize, &str)] = &[
            (b"\x08", 1, "a varint"),
            (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 1, "a varint"),
            (b"\x08\x01\x80", 2, "a field's tag"),
            (b"\x00\x01", 0, "a field number from 1 to 536870911"),
            (b"\x0e", 0, "a wire type from 0 to 5"),
            (b"\x0a\x02a", 1, "a length within its message"),
            (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01a", 1, "a length within its message"),
            (b"\x09\0\0", 1, "eight bytes"),
            (b"\x0d\0\0", 1, "four bytes"),
        ];
        for (body, offset, expected) in cases {
            assert_eq!(tags(body), Err(*refusal(*offset, expected)), "{body:?}");
        }
    }

    #[test]
    fn a_varint_is_written_in_as_few_bytes_as_it_needs() {
        for (value, expected) in [(0, &[0][..]), (127, &[127]), (128, &[0x80, 1]), (u64::MAX, &[0xff; 9])] {
            let mut out = Vec::new();
            put_varint(value, &mut out);
            assert_eq!(out[..expected.len()], *expected, "{value}");
            assert_eq!(tags(&[&[8], &out[..]].concat()), Ok(vec![8]));
        }
    }
}

//! Protobuf's wire format: tags, varints, lengths (<https://protobuf.dev/programming-guides/encoding/>). It knows no message.

use std::ops::Range;

use super::{Encoding, Malformed};

/// A varint of 64 bits has at most ten bytes.
const MAX_VARINT: usize = 10;
/// Field numbers have 29 bits.
const MAX_NUMBER: u64 = (1 << 29) - 1;

/// One field, its tag and where its parts stand in the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) number: u32,
    /// First byte of the tag.
    pub(super) start: usize,
    pub(super) value: Value,
}

/// What stands behind a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Varint,
    Fixed,
    /// A length at `len_at`, and as many bytes behind it.
    Bytes {
        len_at: usize,
        content: Range<usize>,
    },
    /// A group begins.
    Open,
    /// A group ends.
    Close,
}

/// Reads fields one by one.
pub(super) struct Reader<'b> {
    body: &'b [u8],
    pub(super) at: usize,
    end: usize,
}

impl<'b> Reader<'b> {
    pub(super) fn new(body: &'b [u8], range: Range<usize>) -> Reader<'b> {
        Reader { body, at: range.start, end: range.end }
    }

    /// The next field, or `None` at the end.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<Field>, Malformed> {
        if self.at == self.end {
            return Ok(None);
        }
        let start = self.at;
        let tag = self.varint("a field's tag")?;
        let number = tag >> 3;
        if number == 0 || number > MAX_NUMBER {
            return Err(malformed(start, "a field number from 1 to 536870911"));
        }
        let value = match tag & 7 {
            0 => {
                self.varint("a varint")?;
                Value::Varint
            }
            1 => self.fixed(8)?,
            2 => self.bytes()?,
            3 => Value::Open,
            4 => Value::Close,
            5 => self.fixed(4)?,
            _ => return Err(malformed(start, "a wire type from 0 to 5")),
        };
        Ok(Some(Field { number: number as u32, start, value }))
    }

    #[inline]
    fn varint(&mut self, expected: &'static str) -> Result<u64, Malformed> {
        let bytes = &self.body[self.at..self.end];
        if let Some(&byte) = bytes.first().filter(|byte| **byte < 0x80) {
            self.at += 1;
            return Ok(byte.into());
        }
        self.long_varint(expected)
    }

    fn long_varint(&mut self, expected: &'static str) -> Result<u64, Malformed> {
        let bytes = &self.body[self.at..self.end];
        let mut value = 0u64;
        for (index, &byte) in bytes.iter().take(MAX_VARINT).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.at += index + 1;
                return Ok(value);
            }
        }
        Err(malformed(self.at, expected))
    }

    #[inline]
    fn fixed(&mut self, len: usize) -> Result<Value, Malformed> {
        if self.end - self.at < len {
            return Err(malformed(self.at, if len == 8 { "eight bytes" } else { "four bytes" }));
        }
        self.at += len;
        Ok(Value::Fixed)
    }

    #[inline]
    fn bytes(&mut self) -> Result<Value, Malformed> {
        let len_at = self.at;
        let len = self.varint("a length")?;
        let left = self.end - self.at;
        let len = usize::try_from(len).ok().filter(|len| *len <= left);
        let Some(len) = len else { return Err(malformed(len_at, "a length within its message")) };
        let content = self.at..self.at + len;
        self.at = content.end;
        Ok(Value::Bytes { len_at, content })
    }
}

pub(super) fn malformed(offset: usize, expected: &'static str) -> Malformed {
    Malformed { encoding: Encoding::Protobuf, offset, expected }
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

    fn values(body: &[u8]) -> Result<Vec<Field>, Malformed> {
        let mut reader = Reader::new(body, 0..body.len());
        let mut fields = Vec::new();
        while let Some(field) = reader.next()? {
            fields.push(field);
        }
        Ok(fields)
    }

    #[test]
    fn fields_are_read_as_they_are_written() {
        let body = b"\x08\x96\x01\x12\x83\x00abc\x1d\0\0\0\0\x19\0\0\0\0\0\0\0\0\x23\x24";
        let got: Vec<_> = values(body).expect("a message").into_iter().map(|f| (f.number, f.start, f.value)).collect();
        let bytes = Value::Bytes { len_at: 4, content: 6..9 };
        let (open, close) = (Value::Open, Value::Close);
        assert_eq!(
            got,
            [
                (1, 0, Value::Varint),
                (2, 3, bytes),
                (3, 9, Value::Fixed),
                (3, 14, Value::Fixed),
                (4, 23, open),
                (4, 24, close)
            ]
        );
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
            assert_eq!(values(body), Err(malformed(*offset, expected)), "{body:?}");
        }
    }

    #[test]
    fn a_varint_is_written_in_as_few_bytes_as_it_needs() {
        for (value, expected) in [(0, &[0][..]), (127, &[127]), (128, &[0x80, 1]), (u64::MAX, &[0xff; 9])] {
            let mut out = Vec::new();
            put_varint(value, &mut out);
            assert_eq!(out[..expected.len()], *expected, "{value}");
            assert_eq!(values(&[&[8], &out[..]].concat()).map(|fields| fields.len()), Ok(1));
        }
    }
}

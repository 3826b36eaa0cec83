//! A set of bytes, 256 bits wide. It is not a regex class: it knows nothing of Unicode.

/// A set of byte values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ByteSet([u64; 4]);

impl ByteSet {
    /// The empty set.
    pub const EMPTY: ByteSet = ByteSet([0; 4]);
    /// Every byte.
    pub const ALL: ByteSet = ByteSet([u64::MAX; 4]);

    /// The set of one byte.
    pub const fn of(byte: u8) -> ByteSet {
        ByteSet::EMPTY.with(byte)
    }

    /// The set of the bytes of `bytes`.
    pub const fn from_bytes(bytes: &[u8]) -> ByteSet {
        let mut set = ByteSet::EMPTY;
        let mut i = 0;
        while i < bytes.len() {
            set = set.with(bytes[i]);
            i += 1;
        }
        set
    }

    /// Both ASCII cases of one byte.
    pub const fn fold(byte: u8) -> ByteSet {
        ByteSet::of(byte.to_ascii_lowercase()).with(byte.to_ascii_uppercase())
    }

    /// This set with `byte` added.
    pub const fn with(mut self, byte: u8) -> ByteSet {
        self.0[(byte >> 6) as usize] |= 1 << (byte & 63);
        self
    }

    /// This set with the inclusive range `low..=high` added.
    pub const fn with_range(mut self, low: u8, high: u8) -> ByteSet {
        let mut word = (low >> 6) as usize;
        while low <= high && word <= (high >> 6) as usize {
            let from = if word == (low >> 6) as usize { low & 63 } else { 0 };
            let to = if word == (high >> 6) as usize { high & 63 } else { 63 };
            self.0[word] |= u64::MAX >> (63 - (to - from)) << from;
            word += 1;
        }
        self
    }

    /// The bytes in either set.
    pub const fn union(self, other: ByteSet) -> ByteSet {
        ByteSet([self.0[0] | other.0[0], self.0[1] | other.0[1], self.0[2] | other.0[2], self.0[3] | other.0[3]])
    }

    /// The bytes that are not in this set.
    pub const fn complement(self) -> ByteSet {
        ByteSet([!self.0[0], !self.0[1], !self.0[2], !self.0[3]])
    }

    /// Whether `byte` is in the set.
    #[inline(always)]
    pub const fn contains(&self, byte: u8) -> bool {
        self.0[(byte >> 6) as usize] >> (byte & 63) & 1 == 1
    }

    /// The set as 256 bits: byte `b` is bit `b % 64` of word `b / 64`.
    #[inline(always)]
    pub const fn words(&self) -> [u64; 4] {
        self.0
    }

    /// The set of these bits, laid out as [`ByteSet::words`] has them.
    pub(crate) const fn from_words(words: [u64; 4]) -> ByteSet {
        ByteSet(words)
    }

    /// How many bytes the set holds.
    pub const fn len(&self) -> usize {
        (self.0[0].count_ones() + self.0[1].count_ones() + self.0[2].count_ones() + self.0[3].count_ones()) as usize
    }

    /// Whether the set holds no byte.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of the set, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let word = rest.iter().position(|&bits| bits != 0)?;
            let bit = rest[word].trailing_zeros();
            rest[word] &= rest[word] - 1;
            Some((64 * word as u32 + bit) as u8)
        })
    }

    /// How many leading bytes of `haystack` are in the set.
    #[inline]
    pub fn run(&self, haystack: &[u8]) -> usize {
        haystack.iter().position(|&byte| !self.contains(byte)).unwrap_or(haystack.len())
    }
}

impl std::fmt::Debug for ByteSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ByteSet(")?;
        for byte in self.iter() {
            write!(f, "{}", byte.escape_ascii())?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_ends_and_what_lies_between() {
        for low in 0..=255u8 {
            for high in 0..=255u8 {
                let expected = (low..=high).fold(ByteSet::of(7), ByteSet::with);
                assert_eq!(ByteSet::of(7).with_range(low, high), expected, "{low}..={high}");
            }
        }
    }

    #[test]
    fn the_bytes_of_a_set_come_in_order() {
        let set = ByteSet::from_bytes(b"\xff@?z\0\x80");
        assert_eq!(set.iter().collect::<Vec<_>>(), b"\0?@z\x80\xff");
    }
}

//! Where may a form stand? Windows of a few bytes, looked up at every fourth or eighth position of the haystack: a form
//! of 15 bytes holds a window of 8 at each of 8 residues, so that one of them is sampled wherever the form stands. It
//! tells candidates; comparing them with the form is the caller's work.

/// One bit in 64 is set in the first bitmap as long as that takes no more than 128 KiB, one in 16 up to 1 MiB: it has to
/// stay in the second-level cache beside the haystack.
const FIRST_BITS: [(usize, u32); 2] = [(64, 20), (16, 23)];
/// From so many keys on, text and what is no text have bitmaps of their own: asking which it is costs less than the
/// candidates it saves.
const SPLIT_KEYS: usize = 1 << 14;
/// The second bitmap is asked about survivors of the first only and may lie in the third-level cache.
const SECOND_BITS_PER_KEY: usize = 8;
/// Samples between two looks at the candidates: their bytes are still in the first-level cache.
const BATCH: usize = 1024;

/// An entry of the table: the form's number, the window's offset behind the form's anchor, and a part of the hash.
const OFFSET_BITS: u32 = 5;
const TAG_BITS: u32 = 3;
/// Forms an index can hold.
pub(super) const MAX_FORMS: usize = 1 << (32 - OFFSET_BITS - TAG_BITS);

/// Positions that passed, reused from batch to batch.
pub(super) type Positions = [u32; BATCH];

/// A window's hash as the first bitmap takes it: of the lower-case window, so that upper- and lower-case hex are one.
#[derive(Clone, Copy)]
pub(super) struct Key {
    hash: u64,
    /// Whether it looks like text: it holds a blank, a quote or another byte below `+`, as base64 and hex do not. Asking
    /// for small letters too costs more than the candidates it saves.
    text: bool,
}

impl Key {
    /// The key of up to eight bytes.
    #[inline(always)]
    pub(super) fn of(window: u64) -> Key {
        let folded = window | 0x2020_2020_2020_2020;
        let text = folded.wrapping_sub(LOWEST) & !folded & HIGH_BITS != 0;
        Key { hash: folded.wrapping_mul(0x9E37_79B9_7F4A_7C15), text }
    }

    /// Independent of the bits the first bitmap took.
    #[inline(always)]
    fn second(self) -> u64 {
        (self.hash ^ self.hash >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93)
    }
}

/// `+` in each byte.
const LOWEST: u64 = 0x2B2B_2B2B_2B2B_2B2B;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// Up to eight bytes as a number.
#[inline(always)]
pub(super) fn window(bytes: &[u8]) -> u64 {
    let mut window = [0; 8];
    window[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(window)
}

/// For telling equal forms apart from others; not keyed, and never shown.
pub(super) fn hash_bytes(bytes: &[u8]) -> u64 {
    let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let hash = bytes.chunks(8).fold(bytes.len() as u64, |hash, chunk| mix(hash, window(chunk)));
    hash ^ hash >> 29
}

/// A key to be, and what it leads to.
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) form: u32,
    pub(super) offset: u8,
}

/// Bits by hash.
struct Bits {
    words: Box<[u64]>,
    /// The share of this index, by whether the window is text: where its bits begin, and how far a hash is shifted.
    base: [usize; 2],
    shift: [u32; 2],
}

impl Bits {
    fn new(bits: [u32; 2]) -> Bits {
        let base = [0, 1 << bits[0]];
        Bits {
            words: vec![0; ((1usize << bits[0]) + (1usize << bits[1])) / 64].into(),
            base,
            shift: bits.map(|b| 64 - b),
        }
    }

    #[inline(always)]
    fn place(&self, hash: u64, text: bool) -> usize {
        // Looked up, not branched on: which it is cannot be predicted.
        let (base, shift) = (self.base[usize::from(text)], self.shift[usize::from(text)]);
        // Wrapping, because a check for overflow costs a third of the pass; both sums stay far below any limit.
        base.wrapping_add(hash.wrapping_shr(shift) as usize)
    }

    fn set(&mut self, hash: u64, text: bool) {
        let place = self.place(hash, text);
        self.words[place / 64] |= 1 << (place % 64);
    }

    #[inline(always)]
    fn has(&self, hash: u64, text: bool) -> bool {
        let place = self.place(hash, text);
        self.words[place / 64].wrapping_shr(place as u32) & 1 != 0
    }
}

/// From windows to the forms that hold them. `Q` bytes a window, one looked up every `STRIDE` bytes.
pub(super) struct Index<const Q: usize, const STRIDE: usize> {
    /// Whether windows of text have bitmaps of their own.
    split: bool,
    first: Bits,
    second: Bits,
    shift: u32,
    /// By hash: where its entries begin.
    heads: Box<[u32]>,
    entries: Box<[u32]>,
}

fn log2(keys: usize, per_key: usize, max: u32) -> u32 {
    (keys * per_key).next_power_of_two().trailing_zeros().clamp(6, max)
}

impl<const Q: usize, const STRIDE: usize> Index<Q, STRIDE> {
    /// Bytes of a form that suffice to hold a window at each residue.
    pub(super) const STRETCH: usize = Q + STRIDE - 1;

    pub(super) fn new(keys: &[Entry]) -> Self {
        let split = keys.len() >= SPLIT_KEYS;
        let text = keys.iter().filter(|entry| split && entry.key.text).count();
        let sizes = [keys.len() - text, text];
        let first_bits = |keys| FIRST_BITS.map(|(per_key, max)| log2(keys, per_key, max)).into_iter().max();
        let mut first = Bits::new(sizes.map(|keys| first_bits(keys).expect("two sizes")));
        let mut second = Bits::new(sizes.map(|keys| log2(keys, SECOND_BITS_PER_KEY, 30)));
        let shift = 64 - log2(keys.len() / 2, 1, 30);
        let mut heads = vec![0u32; (1usize << (64 - shift)) + 1];
        for entry in keys {
            first.set(entry.key.hash, split && entry.key.text);
            second.set(entry.key.second(), split && entry.key.text);
            heads[(entry.key.second().rotate_left(32) >> shift) as usize + 1] += 1;
        }
        for at in 1..heads.len() {
            heads[at] += heads[at - 1];
        }
        let mut entries = vec![0; keys.len()];
        let mut next = heads.clone();
        for entry in keys {
            let place = &mut next[(entry.key.second().rotate_left(32) >> shift) as usize];
            entries[*place as usize] = pack(entry);
            *place += 1;
        }
        Index { split, first, second, shift, heads: heads.into(), entries: entries.into() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        (self.first.words.len() + self.second.words.len()) * 8 + (self.heads.len() + self.entries.len()) * 4
    }

    /// Whether some form may hold a window of this key.
    #[inline]
    pub(super) fn may_hold(&self, key: Key) -> bool {
        self.first.has(key.hash, self.split && key.text)
    }

    /// Forms that hold a window of this key, and where behind their anchor.
    #[inline]
    pub(super) fn candidates(&self, key: Key) -> impl Iterator<Item = (u32, usize)> {
        let hash = key.second();
        let bucket = if self.second.has(hash, self.split && key.text) {
            (hash.rotate_left(32) >> self.shift) as usize
        } else {
            usize::MAX
        };
        let range = match self.heads.get(bucket..bucket.saturating_add(2)) {
            Some(ends) => ends[0] as usize..ends[1] as usize,
            None => 0..0,
        };
        let wanted = tag(hash);
        let entries = self.entries[range].iter().filter(move |entry| **entry & ((1 << TAG_BITS) - 1) == wanted);
        entries
            .map(|entry| (entry >> (OFFSET_BITS + TAG_BITS), (entry >> TAG_BITS) as usize & ((1 << OFFSET_BITS) - 1)))
    }

    /// Calls `take` with every sampled position whose window may be some form's.
    #[inline]
    pub(super) fn sample(&self, positions: &mut Positions, haystack: &[u8], mut take: impl FnMut(usize, Key)) {
        if self.is_empty() {
            return;
        }
        for (batch, bytes) in haystack.chunks(BATCH * STRIDE).enumerate() {
            let base = batch * BATCH * STRIDE;
            let count =
                if self.split { self.pass::<true>(positions, bytes) } else { self.pass::<false>(positions, bytes) };
            for &position in &positions[..count] {
                let at = position as usize * STRIDE;
                take(base + at, Key::of(window(&bytes[at..at + Q])));
            }
        }
    }

    /// The numbers of the samples of one batch that are in the first bitmap.
    #[inline]
    fn pass<const SPLIT: bool>(&self, positions: &mut Positions, bytes: &[u8]) -> usize {
        let mut count = 0usize;
        let samples = bytes.chunks_exact(STRIDE);
        let rest = samples.remainder();
        for (number, sample) in samples.enumerate() {
            let key = Key::of(window(&sample[..Q]));
            positions[count % BATCH] = number as u32;
            count = count.wrapping_add(usize::from(self.first.has(key.hash, SPLIT && key.text)));
        }
        if rest.len() >= Q {
            positions[count % BATCH] = (bytes.len() / STRIDE) as u32;
            count += 1;
        }
        count
    }
}

fn tag(hash: u64) -> u32 {
    hash as u32 & ((1 << TAG_BITS) - 1)
}

fn pack(entry: &Entry) -> u32 {
    debug_assert!((entry.form as usize) < MAX_FORMS && u32::from(entry.offset) < 1 << OFFSET_BITS);
    entry.form << (OFFSET_BITS + TAG_BITS) | u32::from(entry.offset) << TAG_BITS | tag(entry.key.second())
}

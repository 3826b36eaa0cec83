//! Values the operator told us of, found in every form they take in a log. It knows nothing of rules, carriers or actions,
//! and loads nothing: see `secrets`.
//!
//! A [`Known`] is made once and shared. `forms` lists how a value may be written, `encode` writes it, `index` finds where
//! a form may stand; comparing is done here. `naive` is the specification.
//!
//! A form is found wherever it stands. Beside whole forms, a prefix of at least 12 bytes and three fifths of a form is
//! found at the end of a record: a cut line. A value of several lines is found line by line, each line by itself, so that
//! it does not matter how many of them come at once; lines of fewer than six bytes are not looked for.

mod encode;
mod forms;
mod index;
#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use zeroize::{Zeroize, Zeroizing};

use forms::{Forms, Traits};
use index::{Entry, Index, Key, MAX_FORMS, Positions, window};

/// A shorter value would be found everywhere.
const MIN_VALUE: usize = 6;
/// A longer value is a file, not a secret; it would also reach beyond what a window of a long record sees.
const MAX_VALUE: usize = 16 << 10;
/// A cut form is this long at least, and [`CUT_SHARE`] of the form.
const MIN_CUT: usize = 12;
/// Three fifths.
const CUT_SHARE: (usize, usize) = (3, 5);
/// A shorter form's cut end may lack the windows that are sampled.
const CUT_SAMPLED: usize = 25;
/// Words that stand in values' places and in everybody's logs.
const WORTHLESS: [&str; 22] = [
    "changeme",
    "debug",
    "default",
    "development",
    "disabled",
    "enabled",
    "example",
    "false",
    "localhost",
    "none",
    "null",
    "password",
    "placeholder",
    "production",
    "redacted",
    "required",
    "secret",
    "staging",
    "true",
    "undefined",
    "unknown",
    "username",
];
/// A value in here would be found in what is written in its place.
const PLACEHOLDERS: &[u8] = b"[redacted:known-value] redacted.known-value";
/// Anchors tried for a form: enough to get past a common prefix.
const MAX_ANCHOR: usize = 64;
/// Forms that may share a window before another one is tried.
const CROWD: u8 = 16;

/// One value and the name it is reported by. Wiped when dropped; its `Debug` is the name.
#[derive(Clone)]
pub struct KnownValue {
    /// What people call it: an environment variable, a file.
    pub name: String,
    /// The bytes.
    pub value: Vec<u8>,
}

impl Drop for KnownValue {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

impl fmt::Debug for KnownValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KnownValue({:?}, ..)", self.name)
    }
}

/// Why a value is not looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// Shorter than six bytes, or each of its lines is.
    TooShort,
    /// Longer than 16 KiB.
    TooLong,
    /// One or two different characters, or a word that stands in every log.
    Worthless,
    /// The value of this index is the same.
    Duplicate {
        /// Index of the first.
        of: usize,
    },
    /// The values before it fill the memory there is for them.
    TooMany,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SkipReason::TooShort => write!(f, "shorter than {MIN_VALUE} bytes"),
            SkipReason::TooLong => write!(f, "longer than {MAX_VALUE} bytes"),
            SkipReason::Worthless => f.write_str("too common a text to be masked wherever it stands"),
            SkipReason::Duplicate { .. } => f.write_str("the same as an earlier value"),
            SkipReason::TooMany => f.write_str("the values before it have too many forms"),
        }
    }
}

/// A value that is not looked for. It holds the name, never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Index into the values that were given.
    pub index: usize,
    /// The value's name.
    pub name: String,
    /// Why.
    pub reason: SkipReason,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "known value `{}` is not looked for: {}", self.name, self.reason)
    }
}

/// Mutable memory for [`Known::find`]. It holds offsets, no bytes, and keeps nothing from one call to the next.
pub struct KnownScratch {
    positions: Box<Positions>,
}

impl Default for KnownScratch {
    fn default() -> KnownScratch {
        KnownScratch { positions: Box::new([0; 1024]) }
    }
}

/// One form of one value.
#[derive(Clone, Copy)]
struct Form {
    /// Where it stands in the arena.
    start: u32,
    len: u32,
    value: u32,
    /// Where the stretch begins whose windows are in the index.
    anchor: u16,
    traits: Traits,
}

/// Values in every form they take in a log. Immutable, to be shared between threads; wiped when dropped.
pub struct Known {
    /// By value.
    names: Vec<String>,
    /// The bytes of all forms.
    arena: Zeroizing<Vec<u8>>,
    forms: Vec<Form>,
    /// Forms of 15 bytes and more.
    long: Index<8, 8>,
    /// Forms of 7 to 14 bytes.
    middle: Index<4, 4>,
    /// Forms of 6 bytes.
    short: Index<3, 4>,
    /// The last eight bytes of the cut forms that are too short to be sampled; looked up at ends of records.
    cut: Index<8, 8>,
    /// Which of the sets of its process this is.
    generation: u64,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Known({} values, {} forms)", self.names.len(), self.forms.len())
    }
}

impl Known {
    /// Makes every form of every value, and tells which values are not looked for.
    #[expect(clippy::needless_pass_by_value, reason = "the values are wiped when their forms are made")]
    pub fn new(values: Vec<KnownValue>) -> (Known, Vec<Skipped>) {
        let mut builder = Builder::new(values.len());
        let mut skipped = Vec::new();
        for (index, value) in values.iter().enumerate() {
            if let Err(reason) = builder.add(&values, index) {
                skipped.push(Skipped { index, name: value.name.clone(), reason });
            }
        }
        (builder.build(&values), skipped)
    }

    /// The same set as the `generation`-th of its process.
    pub fn of_generation(self, generation: u64) -> Known {
        Known { generation, ..self }
    }

    /// Which of the sets of its process this is; 0 unless somebody said otherwise.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Values given, those that are skipped included.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether nothing is looked for.
    pub fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// The name of a value, by its index among those given.
    pub fn name(&self, value: usize) -> Option<&str> {
        self.names.get(value).map(String::as_str)
    }

    /// Forms that are looked for.
    pub fn forms(&self) -> usize {
        self.forms.len()
    }

    /// Bytes of memory, those of the forms themselves left out.
    pub fn overhead_bytes(&self) -> usize {
        let indexes = self.long.memory() + self.middle.memory() + self.short.memory() + self.cut.memory();
        indexes + self.forms.len() * size_of::<Form>()
    }

    /// Fills `found` with every place in `haystack` where a form of a value stands, ascending, with the value's index.
    /// Records end at line ends and at the end of the haystack.
    pub fn find(&self, scratch: &mut KnownScratch, haystack: &[u8], found: &mut Vec<(Range<usize>, usize)>) {
        found.clear();
        let positions = &mut *scratch.positions;
        self.long.sample(positions, haystack, |at, key| {
            self.long.candidates(key).for_each(|(form, offset)| self.compare(haystack, at, form, offset, found));
        });
        self.middle.sample(positions, haystack, |at, key| {
            self.middle.candidates(key).for_each(|(form, offset)| self.compare(haystack, at, form, offset, found));
        });
        self.short.sample(positions, haystack, |at, key| {
            self.short.candidates(key).for_each(|(form, offset)| self.compare(haystack, at, form, offset, found));
        });
        if !self.cut.is_empty() {
            self.find_cut(haystack, found);
        }
        if found.len() > 1 {
            found.sort_unstable_by_key(|(span, value)| (span.start, span.end, *value));
            found.dedup();
        }
    }

    fn bytes(&self, form: &Form) -> &[u8] {
        &self.arena[form.start as usize..form.start as usize + form.len as usize]
    }

    /// Compares the haystack with `form`, whose window `offset` behind its anchor may stand at `at`.
    fn compare(&self, haystack: &[u8], at: usize, form: u32, offset: usize, found: &mut Vec<(Range<usize>, usize)>) {
        let form = &self.forms[form as usize];
        let Some(start) = at.checked_sub(usize::from(form.anchor) + offset) else { return };
        let bytes = self.bytes(form);
        let same = common_prefix(bytes, &haystack[start..]);
        let cut = same >= cut_len(bytes.len()) && ends_record(haystack, start + same);
        if same == bytes.len() && (!form.traits.word || stands_alone(haystack, start, start + same)) || cut {
            found.push((start..start + same, form.value as usize));
        }
    }

    /// Looks at the last bytes of every record.
    fn find_cut(&self, haystack: &[u8], found: &mut Vec<(Range<usize>, usize)>) {
        for newline in memchr::memchr_iter(b'\n', haystack).chain([haystack.len()]) {
            let end = newline - usize::from(haystack[..newline].ends_with(b"\r"));
            self.find_cut_at(haystack, end, found);
            if end < newline {
                self.find_cut_at(haystack, newline, found);
            }
        }
    }

    fn find_cut_at(&self, haystack: &[u8], end: usize, found: &mut Vec<(Range<usize>, usize)>) {
        let Some(from) = end.checked_sub(8) else { return };
        let key = Key::of(window(&haystack[from..end]));
        if !self.cut.may_hold(key) {
            return;
        }
        for (form, len) in self.cut.candidates(key) {
            let form = &self.forms[form as usize];
            if haystack[..end].ends_with(&self.bytes(form)[..len]) {
                found.push((end - len..end, form.value as usize));
            }
        }
    }
}

/// How long a prefix of a form of `len` bytes must be to count.
fn cut_len(len: usize) -> usize {
    (len * CUT_SHARE.0).div_ceil(CUT_SHARE.1).max(MIN_CUT)
}

/// Whether a record ends at `at`: with the haystack, or before a line end.
fn ends_record(haystack: &[u8], at: usize) -> bool {
    matches!(&haystack[at..], [] | [b'\n', ..] | [b'\r'] | [b'\r', b'\n', ..])
}

fn stands_alone(haystack: &[u8], start: usize, end: usize) -> bool {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    super::pattern::starts_word(haystack, start) && !haystack.get(end).is_some_and(word)
}

fn common_prefix(form: &[u8], haystack: &[u8]) -> usize {
    let pairs = form.iter().zip(haystack);
    pairs.take_while(|(a, b)| a == b).count()
}

/// Whether masking `value` wherever it stands would hide nothing and break much.
fn is_worthless(value: &[u8]) -> bool {
    let value = value.trim_ascii().to_ascii_lowercase();
    let value = Zeroizing::new(value);
    let distinct = value.iter().collect::<HashSet<_>>().len();
    let word = WORTHLESS.iter().any(|word| word.as_bytes() == &**value);
    distinct < 3 || word || memchr::memmem::find(PLACEHOLDERS, &value).is_some()
}

/// Collects forms and the keys of their windows.
struct Builder {
    arena: Zeroizing<Vec<u8>>,
    forms: Vec<Form>,
    made: Forms,
    /// Hashes of values, with their indexes.
    seen: std::collections::HashMap<u64, usize>,
    /// How many forms use a window, by its hash.
    crowds: Vec<u8>,
    long: Vec<Entry>,
    middle: Vec<Entry>,
    short: Vec<Entry>,
    cut: Vec<Entry>,
}

impl Builder {
    fn new(values: usize) -> Builder {
        Builder {
            arena: Zeroizing::default(),
            forms: Vec::new(),
            made: Forms::default(),
            seen: std::collections::HashMap::new(),
            crowds: vec![0; (values * 64).next_power_of_two().clamp(1 << 10, 1 << 20)],
            long: Vec::new(),
            middle: Vec::new(),
            short: Vec::new(),
            cut: Vec::new(),
        }
    }

    fn add(&mut self, values: &[KnownValue], index: usize) -> Result<(), SkipReason> {
        let value = &values[index].value;
        if value.len() < MIN_VALUE {
            return Err(SkipReason::TooShort);
        }
        if value.len() > MAX_VALUE {
            return Err(SkipReason::TooLong);
        }
        if is_worthless(value) {
            return Err(SkipReason::Worthless);
        }
        if forms::line_values(value).next().is_none() {
            return Err(SkipReason::TooShort);
        }
        let first = *self.seen.entry(index::hash_bytes(value)).or_insert(index);
        if first != index && values[first].value == *value {
            return Err(SkipReason::Duplicate { of: first });
        }
        let mut made = std::mem::take(&mut self.made);
        let done = made.of(value).try_for_each(|(form, traits)| self.add_form(form, traits, index));
        self.made = made;
        done
    }

    fn add_form(&mut self, bytes: &[u8], traits: Traits, value: usize) -> Result<(), SkipReason> {
        let Some(end) = u32::try_from(self.arena.len() + bytes.len()).ok().filter(|_| self.forms.len() < MAX_FORMS)
        else {
            return Err(SkipReason::TooMany);
        };
        let (number, len) = (self.forms.len() as u32, bytes.len());
        let anchor = match len {
            0..=6 => index_windows::<3, 4>(&mut self.short, number, bytes, 0),
            7..=14 => index_windows::<4, 4>(&mut self.middle, number, bytes, rarest(bytes, Index::<4, 4>::STRETCH)),
            _ => {
                let anchor = self.anchor(bytes);
                index_windows::<8, 8>(&mut self.long, number, bytes, anchor)
            }
        };
        if len < CUT_SAMPLED {
            for cut in cut_len(len)..len {
                let key = Key::of(window(&bytes[cut - 8..cut]));
                self.cut.push(Entry { key, form: number, offset: cut as u8 });
            }
        }
        forms::extend_wiped(&mut self.arena, bytes);
        let start = end - len as u32;
        self.forms.push(Form { start, len: len as u32, value: value as u32, anchor: anchor as u16, traits });
        Ok(())
    }

    /// Where a long form's windows are taken: within what a cut form has, past what many values begin with, and where
    /// both base64 alphabets agree, so that forms of one value share them.
    fn anchor(&mut self, bytes: &[u8]) -> usize {
        const STRETCH: usize = Index::<8, 8>::STRETCH;
        let within = if bytes.len() < CUT_SAMPLED { bytes.len() } else { cut_len(bytes.len()) };
        let last = (within - STRETCH).min(MAX_ANCHOR);
        let mask = self.crowds.len() - 1;
        let crowd = |anchor: usize| index::hash_bytes(&bytes[anchor..anchor + STRETCH]) as usize & mask;
        let plain = |anchor: &usize| bytes[*anchor..anchor + STRETCH].iter().all(u8::is_ascii_alphanumeric);
        let free = |anchor: &usize| self.crowds[crowd(*anchor)] < CROWD;
        let chosen = (0..=last).find(|anchor| plain(anchor) && free(anchor));
        let chosen = chosen.or_else(|| (0..=last).find(free));
        let chosen = chosen.unwrap_or(last);
        let count = &mut self.crowds[crowd(chosen)];
        *count = count.saturating_add(1);
        chosen
    }

    fn build(self, values: &[KnownValue]) -> Known {
        Known {
            generation: 0,
            names: values.iter().map(|value| value.name.clone()).collect(),
            arena: self.arena,
            forms: self.forms,
            long: Index::new(&self.long),
            middle: Index::new(&self.middle),
            short: Index::new(&self.short),
            cut: Index::new(&self.cut),
        }
    }
}

/// Adds a window at each residue from `anchor` on.
fn index_windows<const Q: usize, const STRIDE: usize>(
    keys: &mut Vec<Entry>,
    form: u32,
    bytes: &[u8],
    anchor: usize,
) -> usize {
    keys.extend((0..STRIDE).map(|offset| {
        let at = anchor + offset;
        Entry { key: Key::of(window(&bytes[at..at + Q])), form, offset: offset as u8 }
    }));
    anchor
}

/// The stretch with the fewest small letters and blanks, which logs are made of.
fn rarest(bytes: &[u8], stretch: usize) -> usize {
    let common = |at: &usize| bytes[*at..at + stretch].iter().filter(|b| b.is_ascii_lowercase() || **b == b' ').count();
    (0..=bytes.len() - stretch).min_by_key(common).unwrap_or(0)
}

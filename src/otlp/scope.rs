//! What stands around a value: its key, the object and the list it is in. Both encodings ask here, so that a message means the
//! same in each.

use std::ops::Range;

use super::Walk;
use crate::engine::{Field, KeyPath, Look, Name, Scope, SecretKey};

/// Fields that name the pair object they are in: `{"name": "authorization", "value": …}`.
const NAMES: [&[u8]; 8] = [b"name", b"key", b"header", b"field", b"param", b"parameter", b"variable", b"attribute"];
/// A longer text is no name.
const MAX_NAME: usize = 128;
/// A longer path of keys is not known: no exemption names it, and a hostile one costs no time.
const MAX_PATH: usize = 1024;
/// A longer key is not told with what was found under it: it is rather text than a name.
const MAX_TOLD: usize = 64;

/// What stands around a value of any type.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Around {
    /// For the value itself, and the elements of a list.
    pub(super) scope: Scope,
    /// For the fields of an object whose own keys say nothing.
    pub(super) inherited: Option<SecretKey>,
    /// Values it is nested in.
    pub(super) depth: usize,
    /// The keys of the attributes it is nested in.
    pub(super) keys: Keys,
    /// Whether the last of them is what names the value: not a key further out, and not what stood before it in a list.
    pub(super) beside: bool,
}

/// The keys of the attributes around a value: where they stand in `Walk::path`, which holds them as long as the walk is within.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keys {
    /// As many bytes of it, the last key behind `last`.
    /// `clean` says that nothing was found in any of them: only then they may be told.
    Known { len: usize, last: usize, clean: bool },
    /// They are too long, or readers may take them differently.
    Unknown,
}

impl Default for Keys {
    fn default() -> Keys {
        Keys::Known { len: 0, last: 0, clean: true }
    }
}

impl Around {
    /// The same for what is nested in the value.
    pub(super) fn deeper(self) -> Around {
        Around { depth: self.depth + 1, ..self }
    }

    /// The value that stands there, of which `look` is known. `path` is the walk's.
    pub(super) fn field<'f>(self, path: &'f [u8], look: Look<'f>) -> Field<'f> {
        let keys = match self.keys {
            Keys::Known { len, last, .. } if self.beside => KeyPath { path: &path[..len], last: &path[last..len] },
            Keys::Known { len, .. } => KeyPath { path: &path[..len], last: b"" },
            Keys::Unknown => KeyPath::default(),
        };
        Field { scope: self.scope, keys, look }
    }
}

/// Names that were read, in the order of an object's fields or of a list's elements.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Names {
    /// The key that the text right before names, and whether that text is a flag.
    before: Option<(SecretKey, bool)>,
    /// The key that a name field of this object names.
    named: Option<SecretKey>,
}

impl Names {
    /// What an element of a list has before it: a name, or a flag (`--password`) whose argument it is.
    pub(super) fn for_element(&mut self, around: Around, is_flag: bool) -> Around {
        match self.before.take() {
            Some((key, flag)) if around.scope.key.is_none() && !(flag && is_flag) => {
                Around { scope: Scope { key: Some(key), listed: !flag, ..around.scope }, beside: false, ..around }
            }
            _ => Around { beside: around.beside && around.scope.key.is_some(), ..around },
        }
    }

    /// The key whose value a field of a pair object is.
    pub(super) fn for_field(&mut self, key: &[u8]) -> Option<SecretKey> {
        let before = self.before.take().map(|(key, _)| key);
        before.or(self.named).filter(|_| is_value_name(key))
    }

    /// Remembers the text that an element is.
    pub(super) fn element(&mut self, key: Option<SecretKey>, text: &[u8]) {
        self.before = key.map(|key| (key, text.starts_with(b"-")));
    }

    /// Remembers the text that a field is.
    pub(super) fn field(&mut self, key: &[u8], names: Option<SecretKey>) {
        self.before = names.map(|key| (key, false));
        if NAMES.iter().any(|name| key.eq_ignore_ascii_case(name)) {
            self.named = names.or(self.named);
        }
    }
}

/// Whether `text` is an option of a command line.
pub(super) fn is_flag(text: &[u8]) -> bool {
    text.starts_with(b"--") && text.get(2).is_some_and(u8::is_ascii_alphabetic)
}

/// Whether a field of this name is the value of a pair object: `value`, `values`, `defaultValue`, `content`, `data`.
pub(super) fn is_value_name(name: &[u8]) -> bool {
    const VALUES: [&[u8]; 6] = [b"value", b"values", b"val", b"content", b"default", b"data"];
    let ends = |word: &[u8]| name.len() >= word.len() && name[name.len() - word.len()..].eq_ignore_ascii_case(word);
    name.len() <= 32 && VALUES.iter().any(|word| ends(word))
}

impl Walk<'_> {
    /// What stands around the value of a field called `name`.
    pub(super) fn around_field(&mut self, name: &[u8], paired: Option<SecretKey>, outer: Around) -> Around {
        let known = self.engine.name(self.scratch, name);
        self.around_known(name, known, paired, outer)
    }

    fn around_known(&self, name: &[u8], known: Name, paired: Option<SecretKey>, outer: Around) -> Around {
        let own = known.secret.or(paired);
        let url = outer.scope.url || known.url;
        let neutral = own.is_none() && outer.inherited.is_some() && self.engine.is_neutral_leaf(name);
        // A weak key says something of its own value only.
        let strong = own.filter(|key| !key.is_weak()).or(outer.inherited);
        let key = if neutral { None } else { strong.or(own) };
        let inherited = strong;
        let beside = key.is_none() || key == known.secret;
        Around { scope: Scope { key, listed: false, url }, inherited, beside, ..outer }
    }

    /// What stands around the value of an attribute called `name`, whose name counts among the keys above what is in it.
    pub(super) fn around_attribute(&mut self, name: &[u8], paired: Option<SecretKey>, outer: Around) -> Around {
        let known = self.engine.name(self.scratch, name);
        let keys = self.known_below(outer.keys, name, Some(known));
        Around { keys, ..self.around_known(name, known, paired, outer) }
    }

    /// The keys around what is in an attribute called `name`.
    pub(super) fn keys_below(&mut self, outer: Keys, name: &[u8]) -> Keys {
        self.known_below(outer, name, None)
    }

    /// The same where it may be known already what the name is.
    fn known_below(&mut self, outer: Keys, name: &[u8], known: Option<Name>) -> Keys {
        let Keys::Known { len, clean, .. } = outer else { return Keys::Unknown };
        if len + 1 + name.len() > MAX_PATH {
            return Keys::Unknown;
        }
        self.path.truncate(len);
        if len > 0 && !name.is_empty() {
            self.path.push(b'.');
        }
        let last = self.path.len();
        self.path.extend_from_slice(name);
        let mut is_clean = || known.unwrap_or_else(|| self.engine.name(self.scratch, name)).clean;
        let clean = clean && name.len() <= MAX_TOLD && is_clean();
        Keys::Known { len: self.path.len(), last, clean }
    }

    /// Remembers that what was found since is under these keys.
    pub(super) fn tell_keys(&mut self, keys: Keys) {
        let told = match keys {
            Keys::Known { len, clean: true, .. } => &self.path[..len],
            _ => b"",
        };
        self.found_keys.fill(self.found.len(), told);
    }

    /// The secret key that `text`, an element of a list or a field of an object, names. `at` is where it stands in the body, if
    /// it is spelt there as it is.
    pub(super) fn key_named(&mut self, text: &[u8], at: Option<&Range<usize>>) -> Option<SecretKey> {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
        if text.len() > MAX_NAME || !text.iter().all(plain) {
            return None;
        }
        let maybe = at.is_none_or(|at| {
            let behind = self.body.get(at.end).copied();
            self.survey.may_hold(at) || self.engine.may_be_key(text, behind)
        });
        if maybe { self.engine.secret_key(self.scratch, text) } else { None }
    }
}

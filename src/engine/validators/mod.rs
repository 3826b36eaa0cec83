//! Offline checks of a candidate: checksums and structure. No network, no clock, and never a reason to unmask by itself.

use std::fmt;

/// A named pure check.
#[derive(Clone, Copy)]
pub struct Validator {
    name: &'static str,
    check: fn(&[u8]) -> bool,
}

impl Validator {
    /// A check of your own; tests use it to inject a panicking one.
    pub const fn new(name: &'static str, check: fn(&[u8]) -> bool) -> Validator {
        Validator { name, check }
    }

    /// The built-in validator of that name.
    pub fn named(name: &str) -> Option<Validator> {
        BUILTIN.iter().copied().find(|validator| validator.name == name)
    }

    /// The names of all built-in validators.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|validator| validator.name)
    }

    /// The name rule files use.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether `secret`, the bytes of a rule's `secret` group, passes.
    pub fn passes(&self, secret: &[u8]) -> bool {
        (self.check)(secret)
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Validator({})", self.name)
    }
}

const BUILTIN: &[Validator] = &[];

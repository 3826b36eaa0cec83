//! Why something was found, in a few words that hold nothing of what was found.

use super::span::{Span, Why};

/// A longer key is not shown: it may be none.
const MAX_KEY_BYTES: usize = 48;

impl Span {
    /// The key this span of `haystack` stands under, or what else found it.
    pub fn reason(&self, haystack: &[u8]) -> String {
        match self.why {
            Why::Pattern { .. } => "pattern".to_owned(),
            Why::Grammar => "grammar".to_owned(),
            Why::Known { .. } => "known value".to_owned(),
            Why::Learned => "value of a key in an earlier record".to_owned(),
            Why::Key { start, end } => match key(haystack, self, start, end) {
                Some(key) => format!("key `{key}`"),
                None => "key".to_owned(),
            },
        }
    }
}

/// The key's name, if it looks like one and no byte of it is masked.
fn key<'h>(haystack: &'h [u8], span: &Span, start: usize, end: usize) -> Option<&'h str> {
    let text = haystack.get(start..end).filter(|text| !text.is_empty() && text.len() <= MAX_KEY_BYTES)?;
    let apart = end <= span.start || span.end <= start;
    let named = text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-. /[]".contains(byte));
    std::str::from_utf8(text).ok().filter(|_| apart && named)
}

#[cfg(test)]
mod tests {
    use crate::engine::{Engine, Limits, Policy};
    use crate::rules::Catalog;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let engine = Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default()).unwrap();
        let spans = engine.find(&mut engine.scratch(), line.as_bytes());
        assert_eq!(spans[0].reason(line.as_bytes()), expected, "{line}");
    }

    #[test]
    fn the_key_is_named_and_the_value_is_not() {
        check("x password=hunter2", "key `password`");
        check("{\"db_password\":\"hunter2\"}", "key `db_password`");
        check("postgres://u:hunter2@h/d", "grammar");
    }
}

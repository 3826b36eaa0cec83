//! Names with `*` and `?` in them: of environment variables, of known values, of sources. Not paths: `*` also stands for `/`.

/// Whether `text` is as `pattern` says: `*` is any text, `?` any byte, everything else itself.
///
/// Only the last star is ever tried again, so it takes no longer than the product of both lengths.
pub fn glob(pattern: &str, text: &[u8]) -> bool {
    let pattern = pattern.as_bytes();
    let (mut at, mut read) = (0, 0);
    // Where to go on when the last star takes one byte more.
    let mut retry: Option<(usize, usize)> = None;
    while read < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at + 1, read));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[read] => (at, read) = (at + 1, read + 1),
            _ => match &mut retry {
                Some((behind, from)) => {
                    *from += 1;
                    (at, read) = (*behind, *from);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_stand_for_text() {
        let cases = [
            ("A", "A", true),
            ("A", "AB", false),
            ("*", "", true),
            ("*_TOKEN", "CI_TOKEN", true),
            ("*_TOKEN", "CI_TOKEN_2", false),
            ("A*B*C", "AxBxBxC", true),
            ("A*B*C", "AxBxBx", false),
            ("?B", "AB", true),
            ("?B", "B", false),
            ("", "", true),
            ("", "A", false),
            ("a", "A", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(glob(pattern, text.as_bytes()), expected, "{pattern} {text}");
        }
    }
}

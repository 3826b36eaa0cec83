//! `NAME=value` lines, as shells, Docker Compose and the dotenv libraries read them. Variables in a value are not replaced:
//! what they stand for is a value of its own.

use zeroize::Zeroizing;

use crate::engine::KnownValue;
use crate::secrets::SecretError;

/// The values of `text`, each named by what stands before its `=`. Empty values are none.
///
/// A line is empty, a `#` comment, or `NAME=value` with or without `export`. In single quotes and backticks a value is as it
/// stands, in double quotes `\n`, `\r`, `\t`, `\"`, `\\`, `\$` and `` \` `` are read; both may go on over lines. Without
/// quotes a value ends with its line or before ` #`.
pub(super) fn parse(text: &[u8], place: &str) -> Result<Vec<KnownValue>, SecretError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut reader = Reader { text, at: 0, line: 1 };
    let mut values = Vec::new();
    while let Some(entry) = reader.entry() {
        let (name, value) = entry.map_err(|(line, reason)| SecretError::Known {
            place: format!("{place}, line {line}"),
            reason: reason.to_owned(),
        })?;
        if !value.is_empty() {
            values.push(KnownValue { name, value: value.to_vec() });
        }
    }
    Ok(values)
}

/// Name and value.
type Entry = (String, Zeroizing<Vec<u8>>);
/// Line and reason; no byte of the file, which is all secrets.
type Wrong = (usize, &'static str);

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    /// The line that `at` is in.
    line: usize,
}

impl Reader<'_> {
    /// The next `NAME=value`; `None` at the end.
    fn entry(&mut self) -> Option<Result<Entry, Wrong>> {
        loop {
            self.skip_blanks();
            match self.peek()? {
                b'\n' => self.step(),
                b'#' => self.skip_line(),
                _ => break,
            }
        }
        let first = self.line;
        let Some(name) = self.name() else {
            return Some(Err((first, "a line is `NAME=value`, `export NAME=value` or a comment")));
        };
        self.skip_blanks();
        let value = match self.peek() {
            Some(quote @ (b'"' | b'\'' | b'`')) => self.quoted(quote),
            _ => Ok(self.bare()),
        };
        Some(value.map(|value| (name, value)))
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn step(&mut self) {
        self.line += usize::from(self.peek() == Some(b'\n'));
        self.at += 1;
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    fn skip_line(&mut self) {
        self.at += memchr::memchr(b'\n', &self.text[self.at..]).unwrap_or(self.text.len() - self.at);
    }

    /// The name before `=`, which is read too.
    fn name(&mut self) -> Option<String> {
        let rest = &self.text[self.at..];
        let len = memchr::memchr2(b'=', b'\n', rest).filter(|len| rest[*len] == b'=')?;
        let name = rest[..len].trim_ascii();
        let name = name
            .strip_prefix(b"export")
            .filter(|rest| rest.starts_with(b" ") || rest.starts_with(b"\t"))
            .unwrap_or(name)
            .trim_ascii();
        let legal = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
        self.at += len + 1;
        (!name.is_empty() && name.iter().all(legal)).then(|| String::from_utf8_lossy(name).into_owned())
    }

    fn bare(&mut self) -> Zeroizing<Vec<u8>> {
        let start = self.at;
        self.skip_line();
        let line = &self.text[start..self.at];
        let comment = memchr::memchr_iter(b'#', line).find(|at| *at == 0 || matches!(line[at - 1], b' ' | b'\t'));
        Zeroizing::new(line[..comment.unwrap_or(line.len())].trim_ascii().to_vec())
    }

    fn quoted(&mut self, quote: u8) -> Result<Zeroizing<Vec<u8>>, Wrong> {
        let first = self.line;
        // Room for all that may come, so that no copy is left behind.
        let mut value = Zeroizing::new(Vec::with_capacity(self.text.len() - self.at));
        self.step();
        loop {
            let byte = self.peek().ok_or((first, "the quote that opens here is not closed"))?;
            self.step();
            match byte {
                _ if byte == quote => break,
                b'\\' if quote == b'"' => self.escape(&mut value),
                b'\r' if self.peek() == Some(b'\n') => {}
                _ => value.push(byte),
            }
        }
        self.skip_blanks();
        match self.peek() {
            None | Some(b'\n') => Ok(value),
            Some(b'#') => {
                self.skip_line();
                Ok(value)
            }
            Some(_) => Err((self.line, "something stands behind the closing quote")),
        }
    }

    fn escape(&mut self, value: &mut Vec<u8>) {
        let Some(byte) = self.peek() else { return };
        self.step();
        match byte {
            b'n' => value.push(b'\n'),
            b'r' => value.push(b'\r'),
            b't' => value.push(b'\t'),
            b'"' | b'\\' | b'$' | b'`' => value.push(byte),
            other => value.extend([b'\\', other]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        let shown = |value: &KnownValue| format!("{}={}", value.name, String::from_utf8_lossy(&value.value));
        parse(text.as_bytes(), "f").map(|values| values.iter().map(shown).collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_read_as_the_programs_read_them() {
        let cases: [(&str, &[&str]); 13] = [
            ("A=b\nC=d", &["A=b", "C=d"]),
            ("\u{feff}A=b\r\nC=d\r\n", &["A=b", "C=d"]),
            ("# x\n\nexport A=b\n  export\tB = c \n", &["A=b", "B=c"]),
            ("A=\nB=''\nC=x", &["C=x"]),
            ("A=b#c # d", &["A=b#c"]),
            ("A=# all comment", &[]),
            ("A='b # $c \\n' # d\nB=x", &["A=b # $c \\n", "B=x"]),
            (r#"A="b\n\"c\" \$d \\ \x""#, &["A=b\n\"c\" $d \\ \\x"]),
            ("A=\"b\r\nc\"\nB=`d\"e`", &["A=b\nc", "B=d\"e"]),
            ("A=b'c'd", &["A=b'c'd"]),
            ("A=b=c==", &["A=b=c=="]),
            ("a.b-c=d", &["a.b-c=d"]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_never_shown() {
        let cases = [
            ("A=b\nhunter2\n", "f, line 2: a line is `NAME=value`"),
            ("A=b\n=hunter2", "f, line 2: a line is"),
            ("A B=hunter2", "f, line 1: a line is"),
            ("A=b\n\nC='hunter2\nx\n", "f, line 3: the quote that opens here is not closed"),
            ("A='b\nc'hunter2", "f, line 2: something stands behind"),
        ];
        for (text, said) in cases {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(said) && !error.contains("hunter2"), "{text}: {error}");
        }
    }
}

//! Why a file was not done, or not looked at. None of it holds a byte of what a file contains.

use std::fmt::Write as _;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::budget::TooMuch;

/// What became of a file.
#[derive(Debug)]
pub enum Outcome {
    /// It held something, and what was asked for was done.
    Cleaned {
        /// How many secrets it held.
        findings: u64,
    },
    /// Nothing to mask: the file was not touched.
    Unchanged,
    /// It was not looked at.
    Skipped(Skip),
    /// It could not be read or written to the end.
    Failed(Reason),
}

/// Why something was not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Skip {
    /// It holds NUL bytes.
    #[error("binary (--binary looks at it as bytes)")]
    Binary,
    /// A symbolic link in a folder.
    #[error("symbolic link (--follow goes where it leads)")]
    Symlink,
    /// A FIFO, socket or device in a folder.
    #[error("{0}")]
    Special(&'static str),
    /// What a run left behind that was killed, or is about to write.
    #[error("temporary file of a run of inkout that goes on or was killed; the next `clean -i` here removes it")]
    Leftover,
    /// The private data of a version control system.
    #[error("version control data")]
    VersionControl,
    /// An archive, or a second layer of compression, inside an archive.
    #[error("{0} inside an archive; unpack it to have it inspected")]
    Nested(&'static str),
    /// UTF-16 or UTF-32, by its byte order mark.
    #[error("UTF-16 or UTF-32, which is not inspected; `iconv -t UTF-8` first")]
    Wide,
    /// A format that cannot be unpacked.
    #[error("{0} cannot be unpacked; unpack it to have it inspected")]
    Unsupported(&'static str),
}

impl Skip {
    /// Whether text may have been missed that somebody would expect to be inspected: no success, then.
    pub fn is_gap(self) -> bool {
        matches!(self, Skip::Nested(_) | Skip::Unsupported(_) | Skip::Wide | Skip::Leftover)
    }
}

/// Why a file was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The system refused to open or read it.
    #[error("{0}")]
    Read(#[source] io::Error),
    /// The system refused to write the result.
    #[error("cannot write: {0}")]
    Write(#[source] io::Error),
    /// Not a whole file of its format.
    #[error("broken {format}: {detail}")]
    Broken {
        /// The format's name.
        format: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// A member that nothing can be said about without a password.
    #[error("member {0} is encrypted")]
    Encrypted(String),
    /// It unpacks to more than is allowed.
    #[error("{0}")]
    TooMuch(TooMuch),
    /// Not a regular file.
    #[error("is {0}, not a regular file")]
    NotRegular(&'static str),
    /// A symbolic link was named.
    #[error("is a symbolic link (--follow goes where it leads)")]
    Symlink,
    /// Its other names would keep the secret.
    #[error("has {0} names; the others would keep what is masked here (--break-hardlinks allows that)")]
    HardLinks(u64),
    /// Somebody wrote to it, or put another file in its place.
    #[error("changed while it was read; it was left as it is")]
    Changed,
    /// Somebody wrote to it in the moment it was replaced.
    #[error("was written to while it was replaced; what was written last is lost")]
    Overtaken,
    /// The result was scanned, and something was still found.
    #[error("the result still holds something to mask ({0}); it was not kept")]
    StillFound(u64),
    /// A member that cannot be given another size.
    #[error("{0}")]
    Refused(String),
    /// The program was told to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Reason {
    /// A failure to read `format`, told apart from what the system says of the file beneath it.
    pub(super) fn reading(format: &'static str, error: io::Error) -> Reason {
        if let Some(too_much) = error.get_ref().and_then(|inner| inner.downcast_ref::<TooMuch>()) {
            return Reason::TooMuch(*too_much);
        }
        if error.raw_os_error().is_some() || format.is_empty() {
            return Reason::Read(error);
        }
        let cut = error.kind() == io::ErrorKind::UnexpectedEof;
        let detail = if cut { "it ends in the middle".to_owned() } else { error.to_string() };
        Reason::Broken { format, detail }
    }
}

/// A path as it may be printed: control characters and bytes that are no UTF-8 escaped, so that a name is one line and
/// commands nothing to a terminal.
pub fn shown(path: &Path) -> String {
    shown_bytes(path.as_os_str().as_bytes())
}

/// As [`shown`], for the name of an archive's member.
pub fn shown_bytes(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter.is_control() || is_directional(letter) {
                let _ = write!(text, "{}", letter.escape_default());
            } else {
                text.push(letter);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Characters that turn the direction of text: a name could look like another.
fn is_directional(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_and_commands_nothing() {
        assert_eq!(shown_bytes(b"a b\xc3\xa9"), "a b\u{e9}");
        assert_eq!(shown_bytes(b"a\nb\x1b[31m\xff"), "a\\nb\\u{1b}[31m\\xff");
        assert_eq!(shown_bytes("x\u{202e}gol".as_bytes()), "x\\u{202e}gol");
    }
}

//! Where something was found, in words that are safe to print: a path may hold line ends, bytes that are no UTF-8, commands
//! to a terminal, and secrets.

use std::path::Path;

use bytes::Bytes;

use crate::clean::shown_bytes;
use crate::engine::{Carry, Engine};

/// A file, or a member of an archive. Ordered by the bytes of its names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    path: Vec<u8>,
    member: Option<Vec<u8>>,
    path_text: String,
    member_text: Option<String>,
}

impl Place {
    /// The place at `path`; what `engine` finds in the names is masked.
    pub fn new(engine: &Engine, path: &Path, member: Option<&[u8]>) -> Place {
        let path = path.strip_prefix(".").ok().filter(|rest| *rest != Path::new("")).unwrap_or(path);
        let masked = |name: &[u8]| {
            let block = Bytes::copy_from_slice(name);
            engine.redact(&mut engine.scratch(), &Carry::default(), block).0.as_bytes().to_vec()
        };
        let (path, member) = (masked(path.as_os_str().as_encoded_bytes()), member.map(masked));
        let (path_text, member_text) = (shown_bytes(&path), member.as_deref().map(shown_bytes));
        Place { path, member, path_text, member_text }
    }

    /// The path's bytes, masked.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// The member's bytes, masked.
    pub fn member(&self) -> Option<&[u8]> {
        self.member.as_deref()
    }

    /// The path on one line.
    pub fn path_text(&self) -> &str {
        &self.path_text
    }

    /// The member's name on one line.
    pub fn member_text(&self) -> Option<&str> {
        self.member_text.as_deref()
    }

    /// Path and member on one line: `logs.zip!app/web.log`.
    pub fn text(&self) -> String {
        match self.member_text() {
            Some(member) => format!("{}!{member}", self.path_text()),
            None => self.path_text().to_owned(),
        }
    }
}

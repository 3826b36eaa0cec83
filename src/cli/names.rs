//! Names of files and of members of archives, and reasons that hold such names, as they may be printed: on one line, and with
//! what is secret in them masked by the engine that masks the files.

use std::cell::RefCell;
use std::fmt::Display;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use bytes::Bytes;

use crate::clean::shown_bytes;
use crate::engine::{Carry, Engine, Scratch};

/// Masks one name after the other.
pub(super) struct Names<'e> {
    engine: &'e Engine,
    scratch: RefCell<Scratch>,
}

impl Names<'_> {
    /// Names under `engine`.
    pub(super) fn new(engine: &Engine) -> Names<'_> {
        Names { engine, scratch: RefCell::new(engine.scratch()) }
    }

    /// That of a file.
    pub(super) fn path(&self, path: &Path) -> String {
        self.bytes(path.as_os_str().as_bytes())
    }

    /// That of a member.
    pub(super) fn bytes(&self, name: &[u8]) -> String {
        let block = Bytes::copy_from_slice(name);
        let (masked, _, _) = self.engine.redact(&mut self.scratch.borrow_mut(), &Carry::default(), block);
        shown_bytes(masked.as_bytes())
    }

    /// A reason; some name a member, or another file.
    pub(super) fn reason(&self, reason: &dyn Display) -> String {
        self.bytes(reason.to_string().as_bytes())
    }
}

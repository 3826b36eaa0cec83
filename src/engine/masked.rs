//! Bytes that went through the engine. Only the engine makes them, and they are all that a sink accepts.

use bytes::Bytes;

/// Masked bytes: the input itself where nothing was found, or an owned copy with the secrets replaced.
///
/// The field is private, so that no path around the engine can make one:
///
/// ```compile_fail
/// let forged = inkout::engine::Masked(bytes::Bytes::from_static(b"not looked at"));
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Masked(pub(super) Bytes);

impl Masked {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// No bytes: there is nothing in them to be masked.
    #[cfg(feature = "daemon")]
    pub(crate) fn nothing() -> Masked {
        Masked(Bytes::new())
    }

    /// Bytes that were masked before they were spooled. For `spool` alone: `tests/tidy.rs` sees that nobody else calls it.
    #[cfg(feature = "daemon")]
    pub(crate) fn from_spool(bytes: Bytes) -> Masked {
        Masked(bytes)
    }

    /// The bytes, shared.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl std::fmt::Debug for Masked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Masked({} bytes)", self.0.len())
    }
}

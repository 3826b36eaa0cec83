//! What is read from files and may be read anew while the hop runs: certificates, the token, headers. It does not look for
//! changes itself; a file that is wrong leaves what was read before in use.

use std::sync::{Arc, PoisonError, RwLock};

use super::HopError;

/// Reads it.
type Read<T> = Box<dyn Fn() -> Result<Arc<T>, HopError> + Send + Sync>;

/// Something that was read from files.
pub(super) struct Renewable<T> {
    read: Read<T>,
    current: RwLock<Arc<T>>,
}

impl<T> Renewable<T> {
    /// Reads it for the first time.
    pub(super) fn new(
        read: impl Fn() -> Result<Arc<T>, HopError> + Send + Sync + 'static,
    ) -> Result<Renewable<T>, HopError> {
        let current = RwLock::new(read()?);
        Ok(Renewable { read: Box::new(read), current })
    }

    /// As it was last read without an error.
    pub(super) fn current(&self) -> Arc<T> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads it anew.
    pub(super) fn renew(&self) -> Result<(), HopError> {
        let fresh = (self.read)()?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }
}

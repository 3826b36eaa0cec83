//! What is read from files and may be read anew while it is in use: certificates, tokens, headers. It does not look for
//! changes itself; a file that is wrong leaves what was read before in use.

use std::sync::{Arc, PoisonError, RwLock};

/// Reads it.
type Read<T, E> = Box<dyn Fn() -> Result<Arc<T>, E> + Send + Sync>;

/// Something that was read from files.
pub(crate) struct Renewable<T, E> {
    read: Read<T, E>,
    current: RwLock<Arc<T>>,
}

impl<T, E> Renewable<T, E> {
    /// Reads it for the first time.
    pub(crate) fn new(read: impl Fn() -> Result<Arc<T>, E> + Send + Sync + 'static) -> Result<Renewable<T, E>, E> {
        let current = RwLock::new(read()?);
        Ok(Renewable { read: Box::new(read), current })
    }

    /// As it was last read without an error.
    pub(crate) fn current(&self) -> Arc<T> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads it anew.
    pub(crate) fn renew(&self) -> Result<(), E> {
        let fresh = (self.read)()?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn what_cannot_be_read_anew_leaves_what_was_read_before() {
        let said = Arc::new(Mutex::new(Ok(1)));
        let reader = Arc::clone(&said);
        let renewable = Renewable::new(move || reader.lock().unwrap().map(Arc::new)).unwrap();
        *said.lock().unwrap() = Err("gone");
        assert_eq!((renewable.renew(), *renewable.current()), (Err("gone"), 1));
        *said.lock().unwrap() = Ok(2);
        assert_eq!((renewable.renew(), *renewable.current()), (Ok(()), 2));
        assert!(Renewable::<u8, _>::new(|| Err("none")).is_err());
    }
}

//! What is said when there is a bug: where, and never what. The payload of a panic may hold a piece of the input.

use std::sync::atomic::{AtomicU32, Ordering};

/// After so many panics no more is said: a rule that panics does so on every record.
const MAX_MESSAGES: u32 = 3;

/// Says where a panic happened instead of Rust's own message.
pub(super) fn install() {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    std::panic::set_hook(Box::new(|panic| {
        if COUNT.fetch_add(1, Ordering::Relaxed) < MAX_MESSAGES {
            let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
            super::print::complain(&format!("internal error at {place}"));
        }
    }));
}

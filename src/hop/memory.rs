//! How the allocator is to keep the memory that batches live in. It frees nothing and allocates nothing for anybody.
#![cfg_attr(
    all(target_os = "linux", target_env = "gnu"),
    expect(unsafe_code, reason = "one call of glibc that no library wraps: how many arenas there are")
)]

/// Blocks of this size are not given back to the system when they are freed: most batches are smaller.
const KEPT_BYTES: usize = 2 << 20;

/// Lets the allocator keep what batches lived in. glibc gives a block of more than 128 KiB back at once and the system clears
/// its pages for the next batch, which was a fifth of the hop's time (2026-11); but it learns from the largest block it saw
/// freed. It keeps up to twice that in each thread's memory.
pub(super) fn keep_blocks() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(KEPT_BYTES)));
}

/// Lets all threads share one arena, to be called before there are any. A batch is read by one thread, redacted by another
/// and dropped by a third; with an arena for each, each keeps free what the others could use. It was 4 of 23 MiB, and one
/// arena was no slower (2026-11).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn share_memory() {
    use std::ffi::c_int;

    /// `M_ARENA_MAX` of `malloc.h`, see mallopt(3).
    const ARENA_MAX: c_int = -8;
    unsafe extern "C" {
        fn mallopt(what: c_int, value: c_int) -> c_int;
    }
    // SAFETY: mallopt(3) takes two integers, and refuses what it does not know.
    let _ = unsafe { mallopt(ARENA_MAX, 1) };
}

/// Other allocators have no such arenas.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn share_memory() {}

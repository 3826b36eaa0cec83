//! How the allocator is to keep the memory that batches live in. It frees nothing and allocates nothing for anybody.

/// Blocks of this size are not given back to the system when they are freed: most batches are smaller.
const KEPT_BYTES: usize = 2 << 20;

/// Lets the allocator keep what batches lived in. glibc gives a block of more than 128 KiB back at once and the system clears
/// its pages for the next batch, which was a fifth of the hop's time (2026-11); but it learns from the largest block it saw
/// freed. It keeps up to twice that in each thread's memory.
pub(super) fn keep_blocks() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(KEPT_BYTES)));
}

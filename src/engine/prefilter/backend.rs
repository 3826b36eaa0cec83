//! Which pass looks for candidates. Not what happens to them: that is the same for all.

use std::fmt;

use super::buckets::Buckets;
use super::features::Features;
use super::{BLOCK, CHUNK, portable};
#[cfg(target_arch = "x86_64")]
use super::{avx2::Avx2, avx512::Avx512, vbmi::Vbmi};

/// The instructions a prefilter uses.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// AVX-512F and AVX-512BW, and AVX-512VBMI where it is there: 64 positions at a time.
    Avx512,
    /// AVX2: 32 positions at a time.
    Avx2,
    /// Whatever the processor: one position at a time.
    Portable,
}

impl Backend {
    /// The fastest backend this processor has.
    pub fn detect() -> Backend {
        Backend::available()[0]
    }

    /// Every backend this processor has, the fastest first.
    pub fn available() -> Vec<Backend> {
        let all = [Backend::Avx512, Backend::Avx2, Backend::Portable];
        all.into_iter().filter(|&backend| Pass::of(backend).backend() == backend).collect()
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Backend::Avx512 => "AVX-512",
            Backend::Avx2 => "AVX2",
            Backend::Portable => "portable",
        })
    }
}

/// Lets a pass be called with as many groups as there are: its `candidates` is compiled for each number.
#[cfg(target_arch = "x86_64")]
macro_rules! by_groups {
    ($pass:ident) => {
        impl $pass {
            /// As [`Pass::candidates`](super::backend::Pass::candidates).
            #[inline]
            pub(super) fn candidates(self, groups: &[Group], bytes: &[u8], found: &mut Found<'_>) {
                // SAFETY: that `self` exists proves that the processor has what the function is compiled for.
                unsafe {
                    match groups {
                        [a] => candidates([a], bytes, found),
                        [a, b] => candidates([a, b], bytes, found),
                        [a, b, c] => candidates([a, b, c], bytes, found),
                        [a, b, c, d] => candidates([a, b, c, d], bytes, found),
                        _ => unreachable!("there are one to four groups"),
                    }
                }
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
pub(super) use by_groups;

/// A way to look for candidates that this processor is known to have: all but `Portable` exist only after a look at it.
#[derive(Clone, Copy)]
pub(super) enum Pass {
    #[cfg(target_arch = "x86_64")]
    Vbmi(Vbmi),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    Portable,
}

impl Pass {
    /// Every pass this processor has, the fastest first.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn all() -> impl Iterator<Item = Pass> {
        let vectors =
            [Vbmi::detect().map(Pass::Vbmi), Avx512::detect().map(Pass::Avx512), Avx2::detect().map(Pass::Avx2)];
        vectors.into_iter().flatten().chain([Pass::Portable])
    }

    /// Every pass this processor has.
    #[cfg(not(target_arch = "x86_64"))]
    pub(super) fn all() -> impl Iterator<Item = Pass> {
        [Pass::Portable].into_iter()
    }

    /// The fastest pass of `backend`, or the portable one where the processor cannot.
    pub(super) fn of(backend: Backend) -> Pass {
        Pass::all().find(|pass| pass.backend() == backend).unwrap_or(Pass::Portable)
    }

    /// Which backend this is.
    pub(super) fn backend(self) -> Backend {
        match self {
            #[cfg(target_arch = "x86_64")]
            Pass::Vbmi(_) | Pass::Avx512(_) => Backend::Avx512,
            #[cfg(target_arch = "x86_64")]
            Pass::Avx2(_) => Backend::Avx2,
            Pass::Portable => Backend::Portable,
        }
    }

    /// What this pass looks up.
    pub(super) fn features(self) -> Features {
        match self {
            #[cfg(target_arch = "x86_64")]
            Pass::Avx512(_) | Pass::Avx2(_) => Features::Nibbles,
            #[cfg(target_arch = "x86_64")]
            Pass::Vbmi(_) => Features::Hashes,
            Pass::Portable => Features::Hashes,
        }
    }

    /// Writes where a literal's window may begin in the blocks of `bytes` to the front of `positions`, ascending, the first
    /// byte of `bytes` being position `start`; returns how many. `bytes` are blocks of 64, no more than fit into a chunk,
    /// and the bytes ahead of the last.
    #[inline]
    pub(super) fn candidates(self, buckets: &Buckets, bytes: &[u8], start: u32, positions: &mut Positions) -> usize {
        let mut found = Found { positions, count: 0, start };
        match self {
            #[cfg(target_arch = "x86_64")]
            Pass::Vbmi(pass) => pass.candidates(&buckets.groups, bytes, &mut found),
            #[cfg(target_arch = "x86_64")]
            Pass::Avx512(pass) => pass.candidates(&buckets.groups, bytes, &mut found),
            #[cfg(target_arch = "x86_64")]
            Pass::Avx2(pass) => pass.candidates(&buckets.groups, bytes, &mut found),
            Pass::Portable => portable::candidates(&buckets.bits, bytes, &mut found),
        }
        found.count
    }
}

/// Room for every position of a chunk, and for what `Found::add` writes too much.
pub(super) type Positions = [u32; CHUNK + SLACK];

/// How many positions are written for each mask, needed or not.
pub(super) const SLACK: usize = 2;

/// Candidates of a chunk, as a pass finds them.
pub(super) struct Found<'a> {
    /// The first `count` are candidates.
    positions: &'a mut Positions,
    count: usize,
    /// The position of the next block's first byte.
    start: u32,
}

impl Found<'_> {
    /// Adds the positions of the set bits of the next block's mask.
    ///
    /// Half of all masks are 0 and few have more than two bits, so two positions are written whatever the mask says: to ask
    /// costs more, because the answer is mispredicted every other time. Inlined into functions compiled for newer
    /// processors, where counting bits is one instruction instead of twelve.
    #[inline(always)]
    pub(super) fn add(&mut self, mask: u64) {
        let end = self.count + mask.count_ones() as usize;
        let mut rest = mask;
        loop {
            for slot in &mut self.positions[self.count..self.count + SLACK] {
                *slot = self.start.wrapping_add(rest.trailing_zeros());
                rest &= rest.wrapping_sub(1);
            }
            self.count += SLACK;
            if self.count >= end {
                break;
            }
        }
        self.count = end;
        self.start = self.start.wrapping_add(BLOCK as u32);
    }
}

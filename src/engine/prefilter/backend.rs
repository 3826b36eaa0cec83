//! Which pass looks for candidates. Not what happens to them: that is the same for all.

use std::fmt;

use super::buckets::Group;
use super::portable;
use super::sift::Sift;
#[cfg(target_arch = "x86_64")]
use super::{avx2::Avx2, avx512::Avx512};

/// The instructions a prefilter uses.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// AVX-512F and AVX-512BW: 64 positions at a time.
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
        all.into_iter().filter(|&backend| Pass::new(backend).backend() == backend).collect()
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

/// A backend that this processor is known to have: `Avx512` and `Avx2` exist only after a look at it.
#[derive(Clone, Copy)]
pub(super) enum Pass {
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    Portable,
}

impl Pass {
    /// The pass of `backend`, or the portable one where the processor cannot.
    pub(super) fn new(backend: Backend) -> Pass {
        #[cfg(target_arch = "x86_64")]
        return match backend {
            Backend::Avx512 => Avx512::detect().map_or(Pass::Portable, Pass::Avx512),
            Backend::Avx2 => Avx2::detect().map_or(Pass::Portable, Pass::Avx2),
            Backend::Portable => Pass::Portable,
        };
        #[cfg(not(target_arch = "x86_64"))]
        return match backend {
            Backend::Avx512 | Backend::Avx2 | Backend::Portable => Pass::Portable,
        };
    }

    /// Which backend this is.
    pub(super) fn backend(self) -> Backend {
        match self {
            #[cfg(target_arch = "x86_64")]
            Pass::Avx512(_) => Backend::Avx512,
            #[cfg(target_arch = "x86_64")]
            Pass::Avx2(_) => Backend::Avx2,
            Pass::Portable => Backend::Portable,
        }
    }

    /// Sets bit `j` of `masks[i]` where a literal's window may begin at byte `64 * i + j` of `bytes`; clears the others.
    /// `bytes` are as many blocks of 64 as there are masks, and the three bytes after them.
    #[inline]
    pub(super) fn candidates(self, groups: &[Group], sift: &Sift, bytes: &[u8], masks: &mut [u64]) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Pass::Avx512(pass) => pass.candidates(groups, bytes, masks),
            #[cfg(target_arch = "x86_64")]
            Pass::Avx2(pass) => pass.candidates(groups, bytes, masks),
            Pass::Portable => portable::candidates(sift, bytes, masks),
        }
    }
}

//! `check`, `fingerprint`, the diff and the pages as users run them: formats, baselines, exit codes, and that no secret is in
//! any of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "../integration/support.rs"]
#[expect(dead_code, reason = "shared with other tests, which use other parts of it")]
mod support;

mod baseline;
mod browser;
mod deploy;
mod diff;
mod formats;
mod planted;
mod share;

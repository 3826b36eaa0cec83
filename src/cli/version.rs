//! `--version`: of the program, of the rules, and how it scans here.

use super::{Exit, print};
use crate::engine::prefilter::Backend;
use crate::rules::Catalog;

pub(super) fn run() -> anyhow::Result<Exit> {
    let scan = if cfg!(feature = "bench-noscan") {
        "NOTHING IS MASKED, bench-noscan".to_owned()
    } else {
        Backend::detect().to_string()
    };
    let (program, rules, hash) = (env!("CARGO_PKG_VERSION"), Catalog::version(), Catalog::hash());
    print::page(|out| writeln!(out, "inkout {program} (rules {rules}, {hash}; {scan})"))?;
    Ok(Exit::Done)
}

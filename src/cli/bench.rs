//! Not there yet.
pub(super) fn run(_: &super::args::BenchArgs) -> anyhow::Result<super::Exit> {
    anyhow::bail!("not there yet")
}

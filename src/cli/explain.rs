//! Not there yet.
pub(super) fn run(_: &super::args::ExplainArgs) -> anyhow::Result<super::Exit> {
    anyhow::bail!("not there yet")
}

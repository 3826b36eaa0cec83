//! Not there yet.
pub(super) fn run(_: &super::args::PreviewArgs) -> anyhow::Result<super::Exit> {
    anyhow::bail!("not there yet")
}

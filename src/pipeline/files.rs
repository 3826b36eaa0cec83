//! Followed files: each is a stream that begins where an earlier run left off, and whose checkpoint moves when its sinks have
//! what was before.

use std::collections::HashMap;
use std::sync::Arc;

use super::flow::{Flow, Tail};
use super::lane::{Closed, Lane};
use crate::config::daemon::{FilePath, Pipeline, SinkKind};
use crate::metrics::DropReason;
use crate::sources::FileLane;
use crate::tail::{Event, FileId, Globs};

/// Patterns of the files that these pipelines write. Nobody follows them: what is read there was written from what was read.
pub(super) fn written_by<'p>(pipelines: impl Iterator<Item = &'p Pipeline>) -> Vec<String> {
    let files = pipelines.flat_map(|pipeline| &pipeline.sinks).filter_map(|sink| match &sink.kind {
        SinkKind::File(options) => Some(&options.path),
        _ => None,
    });
    let patterns = |path: &FilePath| match path {
        FilePath::Single(file) => vec![Globs::literal(file), Globs::literal(file) + ".[0-9]*"],
        FilePath::Mirrored(folder) => vec![Globs::literal(&folder.join("")) + "**"],
    };
    files.flat_map(patterns).collect()
}

/// Reads the events of some of a pipeline's files, until nothing more is read.
///
/// A file that has not ended then is let go of as it is: its last line may not be whole, and a later run begins with it.
pub(super) async fn run(mut events: FileLane, lane: Arc<Lane>) {
    let mut flows: HashMap<FileId, Flow> = HashMap::new();
    while let Some(event) = events.next().await {
        if serve(event, &mut flows, &lane).await == Err(Closed) {
            return;
        }
    }
}

pub(super) async fn serve(event: Event, flows: &mut HashMap<FileId, Flow>, lane: &Arc<Lane>) -> Result<(), Closed> {
    match event {
        Event::Opened { file, path, relative, offset, fingerprint, before } => {
            tracing::info!(pipeline = lane.name(), path = %path.display(), offset, "following");
            let flow = Flow::new(lane, Tail::Ended).of_file(file, offset, fingerprint, relative.into());
            flows.insert(file, flow.behind(before));
        }
        Event::Data { file, bytes, .. } => {
            if let Some(flow) = flows.get_mut(&file) {
                // Lines are the only framing of files.
                let _ = flow.push(&bytes);
                flow.advance().await?;
            }
        }
        Event::Cut { lost: 0, .. } => {
            tracing::info!(pipeline = lane.name(), "a file was cut after all of it was read");
        }
        Event::Cut { lost, .. } => {
            lane.source.dropped(DropReason::Truncated, 1);
            lane.source.truncated(lost);
            tracing::warn!(pipeline = lane.name(), bytes = lost, "a file was cut before all of it could be read");
        }
        Event::Ended { file } => {
            if let Some(flow) = flows.remove(&file) {
                flow.finish().await?;
            }
        }
        Event::Refused { path, why } => {
            tracing::warn!(pipeline = lane.name(), path = %path.display(), %why, "not followed");
        }
        Event::Distrusted { path, why } => tracing::error!(
            pipeline = lane.name(),
            path = %path.display(),
            why,
            "the checkpoints cannot be trusted; files are read from their beginnings, and records come again"
        ),
        Event::Unsaved { why } => {
            tracing::error!(
                pipeline = lane.name(),
                why,
                "checkpoints cannot be written; after a restart records come again"
            );
        }
        Event::Saved => tracing::info!(pipeline = lane.name(), "checkpoints are written again"),
    }
    Ok(())
}

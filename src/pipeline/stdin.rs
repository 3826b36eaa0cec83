//! Standard input as a stream. It is the only one of its pipeline, so nothing is added to its last line.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::flow::{Flow, Tail};
use super::lane::{Closed, Lane};
use crate::sources::Stdin;

pub(super) async fn run(mut stdin: Stdin, lane: Arc<Lane>, stop: CancellationToken) {
    let mut flow = Flow::new(&lane, Tail::Kept);
    let mut stopping = false;
    loop {
        let chunk = tokio::select! {
            biased;
            () = stop.cancelled(), if !stopping => {
                (stopping, _) = (true, stdin.stop());
                continue;
            }
            chunk = stdin.next() => chunk,
        };
        let Some(chunk) = chunk else { break };
        let taken = match chunk {
            Ok(bytes) => flow.push(&bytes).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(reason) = taken {
            lane.fail(format!("standard input: {reason}"));
            break;
        }
        if flow.advance().await == Err(Closed) {
            return;
        }
    }
    let _ = flow.finish().await;
}

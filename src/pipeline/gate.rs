//! Whether records may pass. Without a whole set of rules none may.

use tokio::sync::watch;

/// The state of a pipeline's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// A whole set is in use.
    Open,
    /// Something that is needed cannot be had yet; sources wait.
    Waiting,
    /// There are no rules, and the operator wants the sources to go on: what comes is dropped, counted.
    Withholding,
}

/// Waits until records may pass.
pub(super) async fn opens(gate: &mut watch::Receiver<Gate>) {
    let _ = gate.wait_for(|state| *state == Gate::Open).await;
}

/// Waits while there is nothing to redact with. Tells whether records may pass now.
pub(super) async fn passes(gate: &mut watch::Receiver<Gate>) -> bool {
    // The sender lives as long as the process; without it the last word counts.
    let state = gate.wait_for(|state| *state != Gate::Waiting).await;
    state.is_ok_and(|state| *state == Gate::Open)
}

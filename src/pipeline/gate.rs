//! Whether records may pass. Without a whole set of rules none may.

use tokio::sync::watch;

use super::lane::Closed;

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
///
/// # Errors
/// When nobody can open it any more: what waits must not pass.
pub(super) async fn opens(gate: &mut watch::Receiver<Gate>) -> Result<(), Closed> {
    gate.wait_for(|state| *state == Gate::Open).await.map(drop).map_err(|_| Closed)
}

/// Waits while there is nothing to redact with. Tells whether records may pass now.
///
/// # Errors
/// When nobody can open it any more: what waits must not pass.
pub(super) async fn passes(gate: &mut watch::Receiver<Gate>) -> Result<bool, Closed> {
    gate.wait_for(|state| *state != Gate::Waiting).await.map(|state| *state == Gate::Open).map_err(|_| Closed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_does_not_pass_when_nobody_can_open_any_more() {
        for (state, may_wait, may_go_on) in [
            (Gate::Open, Ok(()), Ok(true)),
            (Gate::Withholding, Err(Closed), Ok(false)),
            (Gate::Waiting, Err(Closed), Err(Closed)),
        ] {
            let (sender, mut gate) = watch::channel(state);
            drop(sender);
            assert_eq!((opens(&mut gate.clone()).await, passes(&mut gate).await), (may_wait, may_go_on), "{state:?}");
        }
    }
}

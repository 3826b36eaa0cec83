//! Keeps one message from filling the log: so many a second of each, and how many were left out.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;

/// Of one message, in one second.
const MAX_PER_WINDOW: u32 = 10;
const WINDOW: Duration = Duration::from_secs(1);

struct Window {
    begun: Instant,
    written: u32,
    left_out: u64,
}

/// What is to be done with a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Written, with how many like it were left out before.
    Write {
        left_out: u64,
    },
    LeaveOut,
}

/// Counts by the place in the code that a message comes from: there are as many as there are lines that log.
#[derive(Default)]
pub(super) struct Limit(HashMap<Identifier, Window>);

impl Limit {
    pub(super) fn judge(&mut self, message: Identifier, now: Instant) -> Verdict {
        let fresh = Window { begun: now, written: 0, left_out: 0 };
        let window = self.0.entry(message).or_insert(fresh);
        if now.saturating_duration_since(window.begun) >= WINDOW {
            (window.begun, window.written) = (now, 0);
        }
        if window.written >= MAX_PER_WINDOW {
            window.left_out += 1;
            return Verdict::LeaveOut;
        }
        window.written += 1;
        Verdict::Write { left_out: std::mem::take(&mut window.left_out) }
    }
}

#[cfg(test)]
mod tests {
    use tracing::Callsite as _;

    use super::*;

    #[test]
    fn of_one_message_ten_a_second_are_written_and_the_rest_counted() {
        let one = || {
            tracing::callsite!(name: "one", kind: tracing::metadata::Kind::EVENT, fields: message).metadata().callsite()
        };
        let other = tracing::callsite!(name: "other", kind: tracing::metadata::Kind::EVENT, fields: message)
            .metadata()
            .callsite();
        let (mut limit, start) = (Limit::default(), Instant::now());
        let id = one();
        (0..10).for_each(|_| assert_eq!(limit.judge(id.clone(), start), Verdict::Write { left_out: 0 }));
        (0..7).for_each(|_| assert_eq!(limit.judge(id.clone(), start), Verdict::LeaveOut));
        assert_eq!(limit.judge(other, start), Verdict::Write { left_out: 0 });
        let later = start + WINDOW;
        assert_eq!(limit.judge(id.clone(), later), Verdict::Write { left_out: 7 });
        assert_eq!(limit.judge(id, later), Verdict::Write { left_out: 0 });
    }
}

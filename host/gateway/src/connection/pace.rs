//! How many frames a client sends, whatever they are.

use std::time::Duration;

use tokio::time::Instant as Deadline;

/// Frames a client may send in a while, whatever they are: beyond it they cost more than they can be worth.
const FRAMES: u32 = 500;
/// That while.
const FRAMES_IN: Duration = Duration::from_secs(10);

/// Counts frames.
#[derive(Debug, Default)]
pub(super) struct Pace {
    since: Option<Deadline>,
    frames: u32,
}

impl Pace {
    /// Counts one more; false when it is too many.
    pub(super) fn allows(&mut self, now: Deadline) -> bool {
        if self.since.is_none_or(|since| now.duration_since(since) >= FRAMES_IN) {
            *self = Self { since: Some(now), frames: 0 };
        }
        self.frames += 1;
        self.frames <= FRAMES
    }
}

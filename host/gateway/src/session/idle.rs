//! When a session may leave memory: one rule, and what it looks at. Whether the session was ended plays no part in it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// What a session is doing at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InUse {
    /// Somebody but the registry holds on to it: a connection follows it, or is about to.
    pub(crate) held: bool,
    /// Commands wait for it.
    pub(crate) waited_for: bool,
    /// A message is being stored or answered.
    pub(crate) running: bool,
    /// How long ago it was last used.
    pub(crate) quiet: Duration,
}

impl InUse {
    /// Whether it may leave memory: nobody needs it, and nobody has for all of `ttl`.
    pub(crate) fn may_leave(self, ttl: Duration) -> bool {
        let Self { held, waited_for, running, quiet } = self;
        !held && !waited_for && !running && quiet >= ttl
    }
}

/// When a session was last used, shared by its task and everybody who speaks to it. By a clock that is never set back.
#[derive(Debug)]
pub(crate) struct Activity {
    running: AtomicBool,
    born: Instant,
    /// Milliseconds after `born`.
    last: AtomicU64,
}

impl Activity {
    /// Of a session that is used at this moment.
    pub(super) fn new() -> Self {
        Self { running: AtomicBool::new(false), born: Instant::now(), last: AtomicU64::new(0) }
    }

    /// It is used at this moment.
    pub(super) fn touch(&self) {
        let since = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(since, Ordering::Relaxed);
    }

    /// Something began to run, or stopped.
    pub(super) fn set_running(&self, running: bool) {
        // What stops running was in use until now.
        self.touch();
        self.running.store(running, Ordering::Release);
    }

    /// Whether something runs.
    pub(super) fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    /// How long it was not used.
    pub(super) fn quiet(&self, now: Instant) -> Duration {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        now.saturating_duration_since(self.born).saturating_sub(last)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What is held, waited for or running stays however quiet it is; everything else leaves at its time to live, and not
        /// a moment earlier.
        #[test]
        fn only_what_nobody_needs_leaves_and_exactly_at_its_time(
            needed in any::<[bool; 3]>(),
            quiet in 0..1_000_u64,
            ttl in 0..1_000_u64,
        ) {
            let [held, waited_for, running] = needed;
            let (quiet, ttl) = (Duration::from_millis(quiet), Duration::from_millis(ttl));

            let leaves = InUse { held, waited_for, running, quiet }.may_leave(ttl);

            prop_assert_eq!(leaves, needed == [false; 3] && quiet >= ttl);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn quiet_begins_anew_with_each_use() {
        let activity = Activity::new();
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(activity.quiet(Instant::now()), Duration::from_secs(5));

        activity.touch();
        assert_eq!(activity.quiet(Instant::now()), Duration::ZERO);
        activity.set_running(true);
        tokio::time::advance(Duration::from_secs(5)).await;
        activity.set_running(false);
        assert_eq!(activity.quiet(Instant::now()), Duration::ZERO);
        assert_eq!(activity.quiet(activity.born), Duration::ZERO, "an earlier moment is no reason");
    }
}

//! Remembers that a policy failed too often, so that nobody waits for it call after call.
//!
//! One for all its hooks: a plugin that crashes in one of them is not to be trusted with the others. Failures count within a
//! window and not in a row, since a hook that works says nothing of one that does not.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many failures within [`WINDOW`] are too many.
const FAILURES: usize = 5;
/// How long a failure counts.
const WINDOW: Duration = Duration::from_secs(30);
/// How long it is then not asked, the first time. After that one call tries it.
const PAUSE: Duration = Duration::from_secs(30);
/// The longest pause; each that follows another within this time is twice as long, up to it.
const LONGEST: Duration = Duration::from_mins(10);

/// What is known of one policy.
#[derive(Debug, Default)]
pub(crate) struct Fuse(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// When it failed, the oldest first; at most [`FAILURES`].
    failures: VecDeque<Instant>,
    down: Option<Down>,
    /// The last pause, and when it ended.
    mended: Option<(Duration, Instant)>,
}

#[derive(Debug, Clone, Copy)]
struct Down {
    until: Instant,
    pause: Duration,
    /// Whether one call was let through to see.
    tried: bool,
}

impl Fuse {
    /// Whether it is asked. Of those who come after a pause one is let through, and the others wait for what becomes of it: another
    /// pause at most.
    pub(crate) fn admits(&self, now: Instant) -> bool {
        let mut known = self.known();
        match &mut known.down {
            None => true,
            Some(down) if now < down.until => false,
            Some(down) => {
                (down.until, down.tried) = (now + PAUSE, true);
                true
            }
        }
    }

    /// Whether it is down. Asking changes nothing.
    pub(crate) fn is_down(&self) -> bool {
        self.known().down.is_some()
    }

    /// A call went well. Only one that was let through to see says anything.
    pub(crate) fn worked(&self, now: Instant) {
        let mut known = self.known();
        if let Some(Down { pause, tried: true, .. }) = known.down {
            known.mended = Some((pause, now));
            known.down = None;
        }
    }

    /// A call failed. Says whether it is down because of that, and was not before.
    pub(crate) fn failed(&self, now: Instant) -> bool {
        let mut known = self.known();
        if let Some(down) = &mut known.down {
            // What had begun before is no news.
            if down.tried {
                let pause = (down.pause * 2).min(LONGEST);
                *down = Down { until: now + pause, pause, tried: false };
            }
            return false;
        }
        known.failures.push_back(now);
        known.failures.retain(|at| now.duration_since(*at) < WINDOW);
        if known.failures.len() < FAILURES {
            return false;
        }
        known.failures.clear();
        let pause = match known.mended {
            Some((pause, at)) if now.duration_since(at) < LONGEST => (pause * 2).min(LONGEST),
            Some(_) | None => PAUSE,
        };
        known.down = Some(Down { until: now + pause, pause, tried: false });
        true
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blow(fuse: &Fuse, now: Instant) {
        for n in 1..=FAILURES {
            assert!(fuse.admits(now));
            assert_eq!(fuse.failed(now), n == FAILURES);
        }
        assert!(fuse.is_down());
    }

    #[test]
    fn successes_between_failures_do_not_hide_them() {
        let (fuse, now) = (Fuse::default(), Instant::now());
        for _ in 1..FAILURES {
            assert!(!fuse.failed(now));
            fuse.worked(now);
        }
        assert!(fuse.failed(now), "of another hook, perhaps");
        assert!(!fuse.admits(now));
        fuse.worked(now);
        assert!(fuse.is_down(), "what had begun before says nothing");
    }

    #[test]
    fn failures_that_are_long_ago_do_not_count() {
        let (fuse, start) = (Fuse::default(), Instant::now());
        for n in 0..100 {
            assert!(!fuse.failed(start + n * WINDOW / 4), "{n}");
        }
    }

    #[test]
    fn after_the_pause_one_call_tries_it() {
        let (fuse, start) = (Fuse::default(), Instant::now());
        blow(&fuse, start);

        assert!(!fuse.admits(start + PAUSE / 2));
        assert!(fuse.admits(start + PAUSE));
        assert!(!fuse.admits(start + PAUSE), "one");
        fuse.worked(start + PAUSE);
        assert!(!fuse.is_down() && fuse.admits(start + PAUSE));
    }

    #[test]
    fn each_pause_that_follows_another_is_twice_as_long_up_to_a_bound() {
        let (fuse, mut now) = (Fuse::default(), Instant::now());
        blow(&fuse, now);
        let mut pause = PAUSE;
        for _ in 0..8 {
            assert!(!fuse.admits(now + pause - Duration::from_millis(1)), "{pause:?}");
            now += pause;
            assert!(fuse.admits(now), "{pause:?}");
            assert!(!fuse.failed(now), "it was down before");
            pause = (pause * 2).min(LONGEST);
        }
        assert_eq!(pause, LONGEST);
        now += pause;
        assert!(fuse.admits(now));
        fuse.worked(now);

        // Another hook fails still.
        blow(&fuse, now);
        assert!(!fuse.admits(now + LONGEST - Duration::from_millis(1)));
        assert!(fuse.admits(now + LONGEST));
        fuse.worked(now + LONGEST);

        // Much later it is as if nothing had been.
        let later = now + LONGEST * 3;
        blow(&fuse, later);
        assert!(fuse.admits(later + PAUSE));
    }
}

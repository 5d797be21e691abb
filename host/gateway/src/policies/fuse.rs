//! Remembers that a policy fails, so that nobody waits for it call after call.
//!
//! One for all its hooks: a plugin that crashes in one of them is not to be trusted with the others. It is one for all users too, so
//! no user blows it alone: what somebody writes may be what a policy fails at. Nor can anybody keep it blown, since after a pause
//! everybody is asked about again.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Users that it fails for within [`WINDOW`] until it is down.
const USERS: usize = 5;
/// How long a failure counts.
const WINDOW: Duration = Duration::from_secs(30);
/// How long it is then not asked, the first time.
const PAUSE: Duration = Duration::from_secs(30);
/// The longest pause; each that follows another within this time is twice as long, up to it.
const LONGEST: Duration = Duration::from_mins(10);

/// What is known of one policy.
#[derive(Debug, Default)]
pub(crate) struct Fuse(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// For whom it failed last and when, each once, the oldest first; fewer than [`USERS`].
    failures: VecDeque<(Instant, String)>,
    /// The last pause.
    down: Option<Down>,
}

#[derive(Debug, Clone, Copy)]
struct Down {
    until: Instant,
    pause: Duration,
}

impl Fuse {
    /// Whether it is down and not asked.
    pub(crate) fn is_down(&self, now: Instant) -> bool {
        self.known().down.is_some_and(|down| now < down.until)
    }

    /// A call about this user failed. Says whether it is down because of that, and was not before.
    pub(crate) fn failed(&self, now: Instant, user: &str) -> bool {
        let mut known = self.known();
        let before = known.down;
        // What had begun before is no news.
        if before.is_some_and(|down| now < down.until) {
            return false;
        }
        known.failures.retain(|(at, whose)| now.duration_since(*at) < WINDOW && whose != user);
        known.failures.push_back((now, user.to_owned()));
        if known.failures.len() < USERS {
            return false;
        }
        known.failures.clear();
        let pause = match before {
            Some(down) if now.duration_since(down.until) < LONGEST => (down.pause * 2).min(LONGEST),
            Some(_) | None => PAUSE,
        };
        known.down = Some(Down { until: now + pause, pause });
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
        for n in 1..=USERS {
            assert!(!fuse.is_down(now));
            assert_eq!(fuse.failed(now, &n.to_string()), n == USERS);
        }
        assert!(fuse.is_down(now));
    }

    #[test]
    fn one_user_never_blows_it() {
        let (fuse, now) = (Fuse::default(), Instant::now());
        for n in 0..1_000 {
            assert!(!fuse.failed(now + WINDOW * n / 100, "mallory"), "{n}");
        }
    }

    #[test]
    fn one_user_cannot_keep_it_blown() {
        let (fuse, now) = (Fuse::default(), Instant::now());
        blow(&fuse, now);
        for n in 0..1_000 {
            assert!(!fuse.failed(now + PAUSE + WINDOW * n / 100, "mallory"), "{n}");
        }
        assert!(!fuse.is_down(now + PAUSE));
    }

    #[test]
    fn failures_that_are_long_ago_do_not_count() {
        let (fuse, start) = (Fuse::default(), Instant::now());
        for n in 0..100 {
            assert!(!fuse.failed(start + n * WINDOW / 4, &n.to_string()), "{n}");
        }
    }

    #[test]
    fn what_had_begun_before_a_pause_says_nothing() {
        let (fuse, now) = (Fuse::default(), Instant::now());
        blow(&fuse, now);
        for n in 0..10 {
            assert!(!fuse.failed(now, &n.to_string()), "{n}");
        }
        assert!(!fuse.is_down(now + PAUSE));
    }

    #[test]
    fn each_pause_that_follows_another_is_twice_as_long_up_to_a_bound() {
        let (fuse, mut now) = (Fuse::default(), Instant::now());
        let mut pause = PAUSE;
        for _ in 0..8 {
            blow(&fuse, now);
            assert!(fuse.is_down(now + pause - Duration::from_millis(1)), "{pause:?}");
            now += pause;
            assert!(!fuse.is_down(now), "{pause:?}");
            pause = (pause * 2).min(LONGEST);
        }
        assert_eq!(pause, LONGEST);

        // Much later it is as if nothing had been.
        let later = now + LONGEST * 3;
        blow(&fuse, later);
        assert!(!fuse.is_down(later + PAUSE));
    }
}

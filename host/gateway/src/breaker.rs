//! Remembers which way to an upstream is down, so that answers do not wait for it one by one.
//!
//! It never takes away the last way: whoever has no other is let through.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row after which a way counts as down.
const FAILURES: u32 = 5;
/// How long it is then passed over. After that one answer tries it, and its success opens it to all.
const PAUSE: Duration = Duration::from_secs(30);

/// What is known of one way.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    failures: u32,
    /// Until then it is passed over.
    down_until: Option<Instant>,
}

impl Breaker {
    /// Whether this way is worth a try. Of those who ask after a pause, one is told so, and the others wait another pause for what
    /// becomes of it.
    pub(crate) fn admits(&self, now: Instant) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.down_until {
            Some(until) if now < until => false,
            Some(_) => {
                known.down_until = Some(now + PAUSE);
                true
            }
            None => true,
        }
    }

    /// Whether it is passed over now. Asking changes nothing.
    pub(crate) fn is_down(&self, now: Instant) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.down_until.is_some_and(|until| now < until)
    }

    /// The upstream answered.
    pub(crate) fn worked(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Known::default();
    }

    /// The upstream is to blame for a failure. Says whether that made it count as down.
    pub(crate) fn failed(&self, now: Instant) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.failures = known.failures.saturating_add(1);
        if known.failures < FAILURES {
            return false;
        }
        known.down_until.replace(now + PAUSE).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_that_fails_in_a_row_is_passed_over_and_then_tried_by_one() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        for _ in 1..FAILURES {
            assert!(!breaker.failed(start));
            assert!(breaker.admits(start));
        }
        assert!(breaker.failed(start), "now it is down");

        assert!(!breaker.admits(start + PAUSE / 2));
        assert!(breaker.admits(start + PAUSE), "one tries");
        assert!(!breaker.admits(start + PAUSE), "and only one");
        breaker.worked();
        assert!(breaker.admits(start + PAUSE));
    }

    #[test]
    fn a_success_in_between_forgets_what_failed() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..100 {
            assert!(!breaker.failed(now));
            breaker.worked();
        }
        assert!(breaker.admits(now));
    }
}

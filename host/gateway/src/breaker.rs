//! Remembers which way to an upstream is down, so that answers do not wait for it one by one.
//!
//! It never takes away the last way: whoever has no other is let through.

use std::sync::{Mutex, MutexGuard, PoisonError};
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
    /// How often it went down.
    outages: u64,
    failures: u32,
    /// Until then it is passed over.
    down_until: Option<Instant>,
}

/// When a try began, by the outages before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Began(u64);

impl Breaker {
    /// Whether this way is worth a try. Of those who ask after a pause, one is told so, and the others wait another pause for what
    /// becomes of it.
    pub(crate) fn admits(&self, now: Instant) -> bool {
        let mut known = self.known();
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
        self.known().down_until.is_some_and(|until| now < until)
    }

    /// A try begins.
    pub(crate) fn begin(&self) -> Began {
        Began(self.known().outages)
    }

    /// The upstream began to answer. What it was asked before it went down says nothing of it since.
    pub(crate) fn worked(&self, began: Began) {
        let mut known = self.known();
        if known.outages == began.0 {
            (known.failures, known.down_until) = (0, None);
        }
    }

    /// The upstream is to blame for a failure. Says whether that made it count as down.
    pub(crate) fn failed(&self, began: Began, now: Instant) -> bool {
        let mut known = self.known();
        if known.outages != began.0 {
            return false;
        }
        known.failures = known.failures.saturating_add(1);
        if known.failures < FAILURES {
            return false;
        }
        let went_down = known.down_until.replace(now + PAUSE).is_none();
        known.outages += u64::from(went_down);
        went_down
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A try that fails at once.
    fn fails(breaker: &Breaker, now: Instant) -> bool {
        breaker.failed(breaker.begin(), now)
    }

    #[test]
    fn a_way_that_fails_in_a_row_is_passed_over_and_then_tried_by_one() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        for _ in 1..FAILURES {
            assert!(!fails(&breaker, start));
            assert!(breaker.admits(start));
        }
        assert!(fails(&breaker, start), "now it is down");

        assert!(!breaker.admits(start + PAUSE / 2));
        assert!(breaker.admits(start + PAUSE), "one tries");
        assert!(!breaker.admits(start + PAUSE), "and only one");
        breaker.worked(breaker.begin());
        assert!(breaker.admits(start + PAUSE));
    }

    #[test]
    fn a_success_in_between_forgets_what_failed() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..100 {
            assert!(!fails(&breaker, now));
            breaker.worked(breaker.begin());
        }
        assert!(breaker.admits(now));
    }

    #[test]
    fn what_began_before_it_was_down_neither_opens_it_nor_keeps_it_down() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        let long = breaker.begin();
        while !fails(&breaker, start) {}

        breaker.worked(long);
        assert!(breaker.is_down(start));
        assert!(!breaker.failed(long, start + PAUSE / 2));
        assert!(breaker.admits(start + PAUSE), "the pause is as long as it was");
        assert!(!fails(&breaker, start + PAUSE), "it was down before");
        assert!(breaker.is_down(start + PAUSE + PAUSE / 2));
    }
}

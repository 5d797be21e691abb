//! Exact sliding windows: at most N in any window of a length, per key.
//!
//! Refused attempts do not count. Time is an argument; keys are bounded, and forgotten once nothing of theirs is in the window.

use std::collections::VecDeque;
use std::hash::Hash;
use std::time::Duration;

use dashmap::DashMap;
use tokio::time::Instant;

use crate::settings::Rate;

/// Most keys counted at a time. A key beyond that is refused until others are forgotten: memory stays bounded under a flood of names.
const MAX_KEYS: usize = 100_000;

/// Counts what each key did lately.
#[derive(Debug)]
pub(crate) struct Windows<K: Eq + Hash> {
    rate: Rate,
    taken: DashMap<K, VecDeque<Instant>>,
}

/// One too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("limit reached, retry in {retry_after:?}")]
pub(crate) struct OverLimit {
    /// When the oldest one leaves the window.
    pub(crate) retry_after: Duration,
}

impl<K: Eq + Hash> Windows<K> {
    /// Lets through what `rate` says.
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, taken: DashMap::new() }
    }

    /// Takes one of the key's places.
    pub(crate) fn take(&self, key: K, now: Instant) -> Result<(), OverLimit> {
        let full = self.taken.len() >= MAX_KEYS && !self.taken.contains_key(&key);
        if full {
            return Err(OverLimit { retry_after: self.rate.window });
        }
        let mut taken = self.taken.entry(key).or_default();
        forget(&mut taken, now, self.rate.window);
        let count = usize::try_from(self.rate.count).unwrap_or(usize::MAX);
        match taken.front() {
            Some(oldest) if taken.len() >= count => {
                Err(OverLimit { retry_after: (*oldest + self.rate.window).duration_since(now) })
            }
            _ => {
                taken.push_back(now);
                Ok(())
            }
        }
    }

    /// Forgets what left the window, and keys of which nothing is left. Returns how many keys stay.
    pub(crate) fn sweep(&self, now: Instant) -> usize {
        self.taken.retain(|_, taken| {
            forget(taken, now, self.rate.window);
            !taken.is_empty()
        });
        self.taken.len()
    }
}

/// One counts while it is younger than the window.
fn forget(taken: &mut VecDeque<Instant>, now: Instant, window: Duration) {
    while taken.front().is_some_and(|oldest| now.duration_since(*oldest) >= window) {
        taken.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn windows(count: u32) -> Windows<&'static str> {
        Windows::new(Rate { count, window: Duration::from_secs(10) })
    }

    #[test]
    fn the_wait_is_until_the_oldest_leaves_and_refusals_do_not_count() {
        let (windows, start) = (windows(2), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);

        assert!(windows.take("a", at(0)).is_ok());
        assert!(windows.take("a", at(3)).is_ok());
        let refused = windows.take("a", at(4)).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_secs(6));
        assert!(windows.take("b", at(4)).is_ok(), "another key has its own window");
        assert!(windows.take("a", at(10)).is_ok());
        assert!(windows.take("a", at(12)).is_err());
    }

    #[test]
    fn a_sweep_forgets_keys_that_were_quiet() {
        let (windows, start) = (windows(2), Instant::now());
        assert!(windows.take("a", start).is_ok());

        assert_eq!(windows.sweep(start + Duration::from_secs(9)), 1);
        assert_eq!(windows.sweep(start + Duration::from_secs(10)), 0);
    }

    proptest! {
        /// It lets through exactly what a list of all admitted times allows: never more than N in any window, and never less.
        #[test]
        fn it_agrees_with_a_plain_list(count in 1..5_u32, gaps in prop::collection::vec(0..4_000_u64, 1..60)) {
            let (windows, start) = (windows(count), Instant::now());
            let mut admitted: Vec<u64> = Vec::new();
            let mut now = 0;
            for gap in gaps {
                now += gap;
                let recent = admitted.iter().filter(|then| now - **then < 10_000).count();
                let taken = windows.take("a", start + Duration::from_millis(now)).is_ok();
                prop_assert_eq!(taken, recent < count as usize);
                if taken {
                    admitted.push(now);
                }
            }
        }
    }
}

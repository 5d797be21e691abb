//! Exact sliding windows: at most N in any window of a length, per key.
//!
//! Refused attempts do not count. Time and rate are arguments, since the rate may change while the process runs: what was let
//! through before counts under the new one. Keys are bounded, and forgotten once nothing of theirs is in the window.

use std::collections::VecDeque;
use std::hash::Hash;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::time::Instant;

use crate::settings::Rate;

/// Most keys counted at a time: memory stays bounded under a flood of names.
const MAX_KEYS: usize = 100_000;
/// How often a flood of new keys makes the windows sweep themselves, beside the regular sweep.
const FLOOD_SWEEP: Duration = Duration::from_secs(1);

/// Counts what each key did lately.
#[derive(Debug)]
pub(crate) struct Windows<K: Eq + Hash> {
    taken: DashMap<K, VecDeque<Instant>>,
    /// Of `taken`, so that counting them does not lock all of it.
    keys: AtomicUsize,
    most_keys: usize,
    flooded: Mutex<Option<Instant>>,
}

/// One too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("limit reached, retry in {retry_after:?}")]
pub(crate) struct OverLimit {
    /// When the oldest one leaves the window.
    pub(crate) retry_after: Duration,
}

impl<K: Eq + Hash> Windows<K> {
    /// Nobody did anything yet.
    pub(crate) fn new() -> Self {
        Self::of(MAX_KEYS)
    }

    fn of(most_keys: usize) -> Self {
        Self {
            taken: DashMap::new(),
            keys: AtomicUsize::new(0),
            most_keys,
            flooded: Mutex::new(None),
        }
    }

    /// Takes one of the key's places. A new key beyond the bound is refused until others are forgotten.
    pub(crate) fn take(&self, key: K, rate: Rate, now: Instant) -> Result<(), OverLimit> {
        if self.keys.load(Ordering::Relaxed) >= self.most_keys && self.may_sweep(now) {
            self.sweep(rate, now);
        }
        let mut taken = match self.taken.entry(key) {
            Entry::Occupied(entry) => entry.into_ref(),
            Entry::Vacant(entry) => {
                let room = |keys: usize| (keys < self.most_keys).then_some(keys + 1);
                self.keys
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, room)
                    .map_err(|_| OverLimit { retry_after: rate.window })?;
                entry.insert(VecDeque::new())
            }
        };
        forget(&mut taken, now, rate.window);
        let count = usize::try_from(rate.count).unwrap_or(usize::MAX);
        // After a reload to a lower rate more than one has to leave.
        if let Some(leaving) = taken.len().checked_sub(count).and_then(|over| taken.get(over)) {
            return Err(OverLimit { retry_after: (*leaving + rate.window).duration_since(now) });
        }
        taken.push_back(now);
        Ok(())
    }

    /// How many keys are remembered.
    pub(crate) fn len(&self) -> usize {
        self.keys.load(Ordering::Relaxed)
    }

    /// Forgets what left the window, and keys of which nothing is left. Returns how many keys stay.
    pub(crate) fn sweep(&self, rate: Rate, now: Instant) -> usize {
        let mut removed = 0;
        self.taken.retain(|_, taken| {
            forget(taken, now, rate.window);
            removed += usize::from(taken.is_empty());
            !taken.is_empty()
        });
        if removed > 0 {
            self.taken.shrink_to_fit();
        }
        self.keys.fetch_sub(removed, Ordering::Relaxed) - removed
    }

    /// Whether the last sweep that a flood made is long enough ago.
    fn may_sweep(&self, now: Instant) -> bool {
        // Whoever holds it is about to sweep.
        let Ok(mut flooded) = self.flooded.try_lock() else { return false };
        let due = flooded.is_none_or(|last| now.duration_since(last) >= FLOOD_SWEEP);
        if due {
            *flooded = Some(now);
        }
        due
    }

    /// How many events are remembered.
    #[cfg(test)]
    pub(crate) fn events(&self) -> usize {
        self.taken.iter().map(|taken| taken.len()).sum()
    }
}

/// One counts while it is younger than the window.
fn forget(taken: &mut VecDeque<Instant>, now: Instant, window: Duration) {
    while taken.front().is_some_and(|oldest| now.duration_since(*oldest) >= window) {
        taken.pop_front();
    }
}

#[cfg(test)]
mod tests;

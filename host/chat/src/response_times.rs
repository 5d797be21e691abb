//! How long a session's newest answers took: a window of the last hundred, so that it never grows and old days do not count.

use std::collections::VecDeque;

/// Answers that a session's window holds.
pub const RESPONSE_TIMES: usize = 100;

/// The window. Times are whole answers, from the question until the end, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResponseTimes {
    /// Oldest first.
    newest: VecDeque<u64>,
}

impl ResponseTimes {
    /// Adds the newest; beyond the window the oldest goes.
    pub fn record(&mut self, ms: u64) {
        if self.newest.len() == RESPONSE_TIMES {
            self.newest.pop_front();
        }
        self.newest.push_back(ms);
    }

    /// How many are in the window.
    pub fn len(&self) -> usize {
        self.newest.len()
    }

    /// Whether nothing was answered yet.
    pub fn is_empty(&self) -> bool {
        self.newest.is_empty()
    }

    /// Those in the window, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.newest.iter().copied()
    }

    /// Their average in milliseconds, rounded down; 0 when there is none.
    pub fn average(&self) -> u64 {
        let sum: u128 = self.newest.iter().map(|&ms| u128::from(ms)).sum();
        let count = u128::try_from(self.newest.len().max(1)).unwrap_or(1);
        u64::try_from(sum / count).unwrap_or(u64::MAX)
    }

    /// The longest in milliseconds; 0 when there is none.
    pub fn longest(&self) -> u64 {
        self.newest.iter().copied().max().unwrap_or(0)
    }
}

impl Extend<u64> for ResponseTimes {
    fn extend<T: IntoIterator<Item = u64>>(&mut self, times: T) {
        times.into_iter().for_each(|ms| self.record(ms));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn recorded(times: impl IntoIterator<Item = u64>) -> ResponseTimes {
        let mut window = ResponseTimes::default();
        window.extend(times);
        window
    }

    #[test]
    fn of_ten_thousand_the_newest_hundred_stay() {
        let window = recorded(1..=10_000);

        assert_eq!(window.len(), RESPONSE_TIMES);
        assert_eq!(window.iter().last(), Some(10_000));
        assert_eq!((window.average(), window.longest()), (9_950, 10_000));
    }

    #[test]
    fn nothing_recorded_is_zero_and_the_largest_does_not_overflow() {
        assert_eq!((recorded([]).average(), recorded([]).longest()), (0, 0));
        let huge = recorded([u64::MAX, u64::MAX]);
        assert_eq!((huge.average(), huge.longest()), (u64::MAX, u64::MAX));
    }

    proptest! {
        /// However many are recorded, exactly the newest hundred are kept, in order, and the figures are theirs.
        #[test]
        fn response_times_bounded(times in prop::collection::vec(0..10_000_000_u64, 101..=150)) {
            let window = recorded(times.clone());

            let newest = &times[times.len() - RESPONSE_TIMES..];
            prop_assert_eq!(window.len(), RESPONSE_TIMES);
            prop_assert_eq!(window.iter().collect::<Vec<_>>(), newest);
            prop_assert_eq!(window.average(), newest.iter().sum::<u64>() / 100);
            prop_assert_eq!(Some(&window.longest()), newest.iter().max());
        }

        /// A full window that takes k more has lost its k oldest and nothing else.
        #[test]
        fn rolling_window_maintains_recent(k in 1..=10_u64) {
            let window = recorded(1..=100 + k);

            prop_assert_eq!(window.len(), RESPONSE_TIMES);
            prop_assert_eq!(window.iter().next(), Some(k + 1));
            prop_assert_eq!(window.iter().last(), Some(100 + k));
            prop_assert_eq!(window.iter().collect::<Vec<_>>(), (k + 1..=100 + k).collect::<Vec<_>>());
        }
    }
}

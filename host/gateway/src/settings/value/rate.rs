//! Rates: `100/1m` is at most a hundred in any window of one minute.
//!
//! Only the words; counting is admission's work.

use std::fmt;
use std::time::Duration;

use super::duration;

/// At most `count` in any window of length `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// How many, 1 to [`Rate::MAX_COUNT`].
    pub(crate) count: u32,
    /// Length of the sliding window, 10 ms to 24 h.
    pub(crate) window: Duration,
}

impl Rate {
    /// Highest count: a window's times are kept one by one.
    pub(crate) const MAX_COUNT: u32 = 100_000;
    const WINDOWS: std::ops::RangeInclusive<Duration> =
        Duration::from_millis(10)..=Duration::from_hours(24);

    /// Reads `N/W`. `None` when a part is missing or out of bounds.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (count, window) = text.split_once('/')?;
        Some(Self { count: Self::parse_count(count)?, window: Self::parse_window(window)? })
    }

    /// Reads the number alone, as some of the old variables carry it.
    pub(crate) fn parse_count(text: &str) -> Option<u32> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let count = text.parse().ok().filter(|_| digits)?;
        (1..=Self::MAX_COUNT).contains(&count).then_some(count)
    }

    /// Reads the window alone.
    pub(crate) fn parse_window(text: &str) -> Option<Duration> {
        duration::parse(text).filter(|window| Self::WINDOWS.contains(window))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, duration::text(self.window))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn half_rates_are_refused() {
        for text in [
            "",
            "100",
            "/1m",
            "100/",
            "0/1m",
            "-1/1m",
            "+1/1m",
            "100001/1m",
            "5/0s",
            "5/25h",
            "5/1",
        ] {
            assert_eq!(Rate::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        /// What is written is read back as the same rate.
        #[test]
        fn text_and_parse_are_inverse(count in 1..=Rate::MAX_COUNT, millis in 10_u64..=86_400_000) {
            let rate = Rate { count, window: Duration::from_millis(millis) };
            prop_assert_eq!(Rate::parse(&rate.to_string()), Some(rate));
        }
    }
}

//! Reservations: what is set aside of budgets before anybody knows what will be needed.
//!
//! A budget is a **counter**: how much of something (its name) somebody (its key) took within a
//! [`Window`]. A reservation takes of several counters at once, all or nothing. It ends in one of
//! three ways: settled, when what was taken becomes what was needed; released, or lapsed because
//! nobody said anything in time, when it is given back. Limits belong to whoever asks, counters to
//! the archive.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sluice_chat::id::{Instant, ReservationId};

use crate::error::StoreError;

/// Claims of one reservation at most; with more it is [`StoreError::Rejected`].
pub const MAX_CLAIMS: usize = 64;
/// More than this of anything counts as this.
pub const MAX_AMOUNT: u64 = 1 << 53;
/// For how long after its lapse it is known what a reservation was about: settled within that time,
/// what was needed is still counted.
pub const LAPSED_KEPT_MS: u64 = 24 * 60 * 60 * 1000;
/// Parts of a rolling window. An amount leaves a counter all at once with the part it was taken in:
/// up to a part later than to the millisecond, never earlier.
pub const PARTS: u64 = 60;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The time over which a counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// Any time of this length, in seconds. Zero is one.
    Rolling(u32),
    /// A day of the calendar, UTC.
    Day,
    /// A month of the calendar, UTC.
    Month,
}

impl Window {
    /// As it is stored.
    pub(crate) fn word(self) -> String {
        match self {
            Self::Rolling(seconds) => format!("rolling:{seconds}"),
            Self::Day => "day".to_owned(),
            Self::Month => "month".to_owned(),
        }
    }

    /// The part of time that what is taken now belongs to.
    pub(crate) fn part(self, now: Instant) -> Part {
        match self {
            Self::Rolling(seconds) => {
                let length = u64::from(seconds.max(1)) * 1000;
                let part = length.div_ceil(PARTS);
                let start = now.0 - now.0 % part;
                Part { start, until: start.saturating_add(part).saturating_add(length) }
            }
            Self::Day => {
                let start = now.0 - now.0 % DAY_MS;
                Part { start, until: start.saturating_add(DAY_MS) }
            }
            Self::Month => month(now).unwrap_or(Part { start: 0, until: u64::MAX >> 1 }),
        }
    }
}

impl Window {
    /// The earliest start of a part that counts still.
    pub(crate) fn earliest(self, now: Instant) -> u64 {
        let Part { start, until } = self.part(now);
        match self {
            // As long ago as the part of now lasts, and no part is longer.
            Self::Rolling(_) => now.0.saturating_sub(until - start),
            Self::Day | Self::Month => start,
        }
    }
}

/// The month of a moment; none beyond what calendars know.
fn month(now: Instant) -> Option<Part> {
    let now = Timestamp::from_millisecond(i64::try_from(now.0).ok()?).ok()?;
    let first = now.to_zoned(TimeZone::UTC).date().first_of_month();
    let next = first.last_of_month().tomorrow().ok()?;
    let at = |date: jiff::civil::Date| {
        let zoned = date.to_zoned(TimeZone::UTC).ok()?;
        u64::try_from(zoned.timestamp().as_millisecond()).ok()
    };
    Some(Part { start: at(first)?, until: at(next)? })
}

/// A stretch of time whose amounts are one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// When it began, in milliseconds since the epoch.
    pub(crate) start: u64,
    /// From when on it no longer counts.
    pub(crate) until: u64,
}

/// Which counter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Counter {
    /// What is counted, as the policy that asks names it. Not bounded here: the caller does.
    pub name: String,
    /// Whose: a user, a role, everybody, as the caller spells it.
    pub key: String,
    /// Over which time.
    pub window: Window,
}

/// One thing that a reservation wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Of which counter.
    pub counter: Counter,
    /// How much. Nothing is something one may want of a budget that is not overdrawn.
    pub amount: u64,
    /// What the counter may reach at most.
    pub limit: u64,
}

impl Claim {
    /// How much of it fits a column.
    pub(crate) fn wanted(&self) -> u64 {
        self.amount.min(MAX_AMOUNT)
    }

    /// Whether it may have what it wants of a counter that stands there.
    pub(crate) fn fits(&self, taken: u64) -> bool {
        taken.saturating_add(self.wanted()) <= self.limit
    }
}

/// What becomes of a reservation.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    /// What was needed, by the names of the counters.
    Settled(Vec<(String, u64)>),
    /// Nothing was needed.
    Released,
}

impl Fate {
    /// What a claim of this name turned out to need.
    pub(crate) fn needed(&self, name: &str) -> u64 {
        match self {
            Self::Settled(actual) => actual
                .iter()
                .find(|(of, _)| of == name)
                .map_or(0, |(_, needed)| (*needed).min(MAX_AMOUNT)),
            Self::Released => 0,
        }
    }
}

/// What is asked for, for an engine.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) id: ReservationId,
    pub(crate) claims: Vec<Claim>,
    pub(crate) now: Instant,
    /// When it is given back if nobody says what was needed.
    pub(crate) lapses: Instant,
}

/// Why nothing was reserved.
#[derive(Debug, thiserror::Error)]
pub enum ReserveError {
    /// There is not enough for the claim at this place, the first of them. Nothing was taken for the
    /// others either.
    #[error("there is not enough left for claim {0}")]
    Refused(usize),
    /// The storage failed.
    #[error("the budgets could not be asked")]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Instant {
        let time: Timestamp = text.parse().expect("a time");
        Instant(u64::try_from(time.as_millisecond()).expect("later"))
    }

    #[test]
    fn days_and_months_are_those_of_the_calendar() {
        let day = Window::Day.part(at("2028-02-29T23:59:59.999Z"));
        assert_eq!(day.start, at("2028-02-29T00:00:00Z").0);
        assert_eq!(day.until, at("2028-03-01T00:00:00Z").0);

        let month = Window::Month.part(at("2028-02-29T23:59:59.999Z"));
        assert_eq!(month.start, at("2028-02-01T00:00:00Z").0);
        assert_eq!(month.until, at("2028-03-01T00:00:00Z").0);

        let december = Window::Month.part(at("2026-12-31T12:00:00Z"));
        assert_eq!(december.until, at("2027-01-01T00:00:00Z").0);
    }

    #[test]
    fn a_moment_beyond_all_calendars_has_a_month_too() {
        assert!(Window::Month.part(Instant(u64::MAX)).until > 0);
        assert!(Window::Day.part(Instant(u64::MAX)).until > 0);
    }

    proptest! {
        /// What is taken counts for at least as long as the window is, and at most a part longer.
        #[test]
        fn an_amount_leaves_a_rolling_window_a_part_late_at_most(
            seconds in 0..100_000_u32,
            now in 0..4_000_000_000_000_u64,
        ) {
            let length = u64::from(seconds.max(1)) * 1000;
            let part = Window::Rolling(seconds).part(Instant(now));
            prop_assert!(part.start <= now);
            prop_assert!(part.until >= now + length);
            prop_assert!(part.until <= now + length + length.div_ceil(PARTS));
        }

        /// No part that counts began before that.
        #[test]
        fn what_counts_began_at_the_earliest_or_later(
            seconds in 0..100_000_u32,
            taken in 0..4_000_000_000_000_u64,
            later in 0..200_000_000_u64,
        ) {
            let now = Instant(taken + later);
            for window in [Window::Rolling(seconds), Window::Day, Window::Month] {
                let part = window.part(Instant(taken));
                prop_assert!(part.until <= now.0 || part.start >= window.earliest(now));
            }
        }
    }
}

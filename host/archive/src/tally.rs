//! Figures over all sessions that began in a time, added up one by one: whatever keeps them hands them over in order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use sluice_chat::id::Instant;

/// What counts of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counted {
    pub(crate) created: Instant,
    pub(crate) last_activity: Instant,
    pub(crate) ended: Option<Instant>,
    pub(crate) tokens: u64,
    /// Whole answers, how long all of them took together, and the longest, in milliseconds.
    pub(crate) answers: u64,
    pub(crate) answered_ms: u64,
    pub(crate) slowest_ms: u64,
    pub(crate) assisted: bool,
}

/// Figures over the sessions that began in a time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// Sessions.
    pub sessions: u64,
    /// Of these, not ended.
    pub active: u64,
    /// Of these, an operator ever answered in.
    pub assisted: u64,
    /// Tokens of prompts and answers.
    pub tokens: u64,
    /// Average over all whole answers, in milliseconds.
    pub average_ms: u64,
    /// The longest whole answer, in milliseconds.
    pub slowest_ms: u64,
    /// Sessions at a time, averaged over the time, in thousandths.
    pub concurrent_thousandths: u64,
    /// Most sessions at a time.
    pub most_concurrent: u64,
}

/// Adds them up. A session lasts from its first message to its end, or to what was last said in it.
#[derive(Debug)]
pub(crate) struct Tally {
    from: Instant,
    to: Instant,
    totals: Totals,
    answers: u64,
    answered_ms: u128,
    lasted_ms: u128,
    /// Ends of the sessions that last at the moment: as many as there are at a time.
    open: BinaryHeap<Reverse<Instant>>,
}

impl Tally {
    /// Over the sessions that began between these two.
    pub(crate) fn new(from: Instant, to: Instant) -> Self {
        Self {
            from,
            to,
            totals: Totals::default(),
            answers: 0,
            answered_ms: 0,
            lasted_ms: 0,
            open: BinaryHeap::new(),
        }
    }

    /// Adds the next one; in the order in which they began.
    pub(crate) fn add(&mut self, session: Counted) {
        let until = session.ended.unwrap_or(session.last_activity).max(session.created);
        while self.open.peek().is_some_and(|Reverse(end)| *end < session.created) {
            self.open.pop();
        }
        self.open.push(Reverse(until));
        self.lasted_ms += u128::from(until.min(self.to).0.saturating_sub(session.created.0));
        let open = u64::try_from(self.open.len()).unwrap_or(u64::MAX);
        let totals = &mut self.totals;
        totals.most_concurrent = totals.most_concurrent.max(open);
        totals.sessions += 1;
        totals.active += u64::from(session.ended.is_none());
        totals.assisted += u64::from(session.assisted);
        totals.tokens = totals.tokens.saturating_add(session.tokens);
        totals.slowest_ms = totals.slowest_ms.max(session.slowest_ms);
        self.answers += session.answers;
        self.answered_ms += u128::from(session.answered_ms);
    }

    /// The figures.
    pub(crate) fn totals(self) -> Totals {
        let whole = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
        let time = u128::from(self.to.0.saturating_sub(self.from.0)).max(1);
        Totals {
            average_ms: whole(self.answered_ms / u128::from(self.answers.max(1))),
            concurrent_thousandths: whole(self.lasted_ms * 1_000 / time),
            ..self.totals
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lasting(from: u64, until: u64) -> Counted {
        Counted { created: Instant(from), last_activity: Instant(until), ..Counted::default() }
    }

    #[test]
    fn sessions_at_a_time_are_counted_where_they_overlap() {
        let mut tally = Tally::new(Instant(0), Instant(100));
        for session in [lasting(0, 50), lasting(10, 20), lasting(15, 18), lasting(30, 1_000)] {
            tally.add(session);
        }

        let totals = tally.totals();

        assert_eq!(totals.most_concurrent, 3);
        assert_eq!(totals.concurrent_thousandths, (50 + 10 + 3 + 70) * 1_000 / 100);
    }

    #[test]
    fn the_average_is_over_answers_and_not_over_sessions() {
        let mut tally = Tally::new(Instant(0), Instant(100));
        let one = Counted { answers: 1, answered_ms: 100, slowest_ms: 100, ..lasting(1, 2) };
        let many = Counted { answers: 9, answered_ms: 900, slowest_ms: 300, ..lasting(3, 4) };
        tally.add(one);
        tally.add(Counted { ended: Some(Instant(9)), tokens: 7, assisted: true, ..many });

        let totals = tally.totals();

        assert_eq!((totals.average_ms, totals.slowest_ms), (100, 300));
        assert_eq!((totals.sessions, totals.active, totals.assisted, totals.tokens), (2, 1, 1, 7));
        assert_eq!(Tally::new(Instant(5), Instant(5)).totals(), Totals::default());
    }
}

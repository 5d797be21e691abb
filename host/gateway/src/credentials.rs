//! A plugin's ways to its upstream: the same places, each time with another of its keys.
//!
//! The first key is used until it is refused; then it rests, and the next one is used. Nothing is known here of why a key is refused.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sluice_upstream::Endpoints;
use tokio::time::Instant;

/// Longest that a key rests, however long its upstream says: somebody may have paid meanwhile.
const LONGEST_REST: Duration = Duration::from_hours(1);
/// Shortest that it rests, so that a key without quota is not asked at every answer.
const SHORTEST_REST: Duration = Duration::from_secs(1);

/// The keys of one plugin, in the order in which they are written. Never none: a plugin without a key goes without one.
#[derive(Debug)]
pub(crate) struct Credentials(Vec<Credential>);

#[derive(Debug)]
struct Credential {
    endpoints: Arc<Endpoints>,
    rests_until: Mutex<Option<Instant>>,
}

impl Credential {
    /// The end of its rest, if it rests.
    fn rest(&self, now: Instant) -> Option<Instant> {
        let until = *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.filter(|until| now < *until)
    }
}

impl Credentials {
    /// Where the plugin may go, once for the first key and once for each of the others.
    pub(crate) fn new(first: Endpoints, others: Vec<Endpoints>) -> Self {
        let each = std::iter::once(first).chain(others).map(|endpoints| Credential {
            endpoints: Arc::new(endpoints),
            rests_until: Mutex::default(),
        });
        Self(each.collect())
    }

    /// Where the plugin may go with its first key.
    pub(crate) fn first(&self) -> &Arc<Endpoints> {
        self.endpoints(0)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// How many rest. One that has no other never does.
    pub(crate) fn resting(&self, now: Instant) -> usize {
        self.0.iter().filter(|credential| credential.rest(now).is_some()).count()
    }

    /// Whether all rest. They may be used all the same, by whoever has no other way.
    pub(crate) fn all_rest(&self, now: Instant) -> bool {
        self.resting(now) == self.count()
    }

    /// The first that does not rest, or else the one that has rested longest of what it should.
    fn pick(&self, now: Instant) -> usize {
        let by_rest = |(_, credential): &(usize, &Credential)| credential.rest(now);
        self.0.iter().enumerate().min_by_key(by_rest).map_or(0, |(number, _)| number)
    }

    /// The first that does not rest and is none of these.
    fn pick_beside(&self, tried: &[usize], now: Instant) -> Option<usize> {
        let fits = |number: &usize| !tried.contains(number) && self.0[*number].rest(now).is_none();
        (0..self.count()).find(fits)
    }

    fn endpoints(&self, number: usize) -> &Arc<Endpoints> {
        &self.0[number].endpoints
    }

    fn let_rest(&self, number: usize, time: Duration, now: Instant) {
        if self.count() > 1 {
            let until = now + time.clamp(SHORTEST_REST, LONGEST_REST);
            let known = &self.0[number].rests_until;
            *known.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        }
    }
}

/// The key that one answer uses, and those that were refused to it before. Each is tried once at most.
#[derive(Debug)]
pub(crate) struct Choice {
    number: usize,
    refused: Vec<usize>,
}

impl Choice {
    /// The key to begin with.
    pub(crate) fn of(credentials: &Credentials, now: Instant) -> Self {
        Self { number: credentials.pick(now), refused: Vec::new() }
    }

    /// Where the plugin may go with it.
    pub(crate) fn endpoints<'a>(&self, credentials: &'a Credentials) -> &'a Arc<Endpoints> {
        credentials.endpoints(self.number)
    }

    /// Which one it is, from 1, for people.
    pub(crate) fn ordinal(&self) -> usize {
        self.number + 1
    }

    /// Lets the key rest that was refused, and takes another. Says whether there was one.
    pub(crate) fn turn(&mut self, credentials: &Credentials, rest: Duration, now: Instant) -> bool {
        credentials.let_rest(self.number, rest, now);
        self.refused.push(self.number);
        let next = credentials.pick_beside(&self.refused, now);
        self.number = next.unwrap_or(self.number);
        next.is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn credentials(count: usize) -> Credentials {
        Credentials::new(Endpoints::default(), vec![Endpoints::default(); count - 1])
    }

    #[test]
    fn the_first_is_used_until_it_is_refused_and_again_after_its_rest() {
        let (credentials, now) = (credentials(2), Instant::now());
        let mut choice = Choice::of(&credentials, now);
        assert_eq!(choice.ordinal(), 1);

        assert!(choice.turn(&credentials, MINUTE, now));

        assert_eq!(choice.ordinal(), 2);
        assert_eq!(credentials.resting(now), 1);
        assert_eq!(Choice::of(&credentials, now + MINUTE / 2).ordinal(), 2);
        assert_eq!(Choice::of(&credentials, now + MINUTE).ordinal(), 1);
    }

    #[test]
    fn when_all_rest_the_one_that_comes_back_first_is_used() {
        let (credentials, now) = (credentials(2), Instant::now());
        let mut choice = Choice::of(&credentials, now);
        assert!(choice.turn(&credentials, 2 * MINUTE, now));
        assert!(!choice.turn(&credentials, MINUTE, now));

        assert!(credentials.all_rest(now));
        assert_eq!(Choice::of(&credentials, now).ordinal(), 2);
    }

    #[test]
    fn the_only_one_never_rests() {
        let (credentials, now) = (credentials(1), Instant::now());
        assert!(!Choice::of(&credentials, now).turn(&credentials, MINUTE, now));
        assert_eq!(credentials.resting(now), 0);
    }

    proptest! {
        /// Whatever rests how long, and however long a try takes, an answer tries each key once, and no rest is longer than an hour.
        #[test]
        fn turns_are_bounded(
            count in 1..6_usize,
            tries in prop::collection::vec((0..1_000_000_u64, 0..100_u64), 12),
        ) {
            let (credentials, mut now) = (credentials(count), Instant::now());
            let mut choice = Choice::of(&credentials, now);
            let mut tried = vec![choice.ordinal()];
            for (rest, took) in tries {
                now += Duration::from_secs(took);
                if !choice.turn(&credentials, Duration::from_secs(rest), now) {
                    break;
                }
                tried.push(choice.ordinal());
            }
            let expected: Vec<_> = (1..=count).collect();
            prop_assert_eq!(tried, expected);
            prop_assert_eq!(credentials.resting(now + LONGEST_REST), 0);
        }
    }
}

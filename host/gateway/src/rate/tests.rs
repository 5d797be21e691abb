use proptest::prelude::*;

use super::*;

const TEN_SECONDS: Duration = Duration::from_secs(10);

fn rate(count: u32) -> Rate {
    Rate { count, window: TEN_SECONDS }
}

#[test]
fn the_wait_is_until_the_oldest_leaves_and_refusals_do_not_count() {
    let (windows, start) = (Windows::new(), Instant::now());
    let take = |key, seconds| windows.take(key, rate(2), start + Duration::from_secs(seconds));

    assert!(take("a", 0).is_ok());
    assert!(take("a", 3).is_ok());
    assert_eq!(take("a", 4).unwrap_err().retry_after, Duration::from_secs(6));
    assert!(take("b", 4).is_ok(), "another key has its own window");
    assert!(take("a", 10).is_ok());
    assert!(take("a", 12).is_err());
}

#[test]
fn a_rate_that_was_lowered_counts_what_came_before_it() {
    let (windows, start) = (Windows::new(), Instant::now());
    for seconds in 0..4 {
        assert!(windows.take("a", rate(4), start + Duration::from_secs(seconds)).is_ok());
    }

    let refused = windows.take("a", rate(2), start + Duration::from_secs(4)).unwrap_err();

    // Three of four have to leave, and the third of them came at 2 s.
    assert_eq!(refused.retry_after, Duration::from_secs(8));
    assert!(windows.take("a", rate(5), start + Duration::from_secs(4)).is_ok());
}

#[test]
fn a_sweep_forgets_keys_that_were_quiet() {
    let (windows, start) = (Windows::new(), Instant::now());
    assert!(windows.take("a", rate(2), start).is_ok());

    assert_eq!(windows.sweep(rate(2), start + Duration::from_secs(9)), 1);
    assert_eq!(windows.sweep(rate(2), start + TEN_SECONDS), 0);
}

#[test]
fn a_hundred_thousand_keys_pass_by_and_nothing_of_them_stays() {
    let (windows, start) = (Windows::new(), Instant::now());
    for key in 0..MAX_KEYS {
        assert!(windows.take(key, rate(2), start).is_ok());
    }
    assert!(windows.take(MAX_KEYS, rate(2), start).is_err(), "there is no room for one more");
    assert!(windows.take(0, rate(2), start).is_ok(), "who is known is served");

    assert_eq!(windows.sweep(rate(2), start + TEN_SECONDS), 0);

    assert_eq!((windows.events(), windows.taken.len()), (0, 0));
    let room = windows.taken.capacity();
    assert!(room < MAX_KEYS / 10, "room for {room} keys is kept");
}

#[test]
fn a_flood_sweeps_what_is_over_by_itself() {
    let (windows, start) = (Windows::of(10), Instant::now());
    for key in 0..10 {
        assert!(windows.take(key, rate(2), start).is_ok());
    }
    assert!(windows.take(10, rate(2), start + Duration::from_secs(1)).is_err());

    assert!(windows.take(10, rate(2), start + TEN_SECONDS).is_ok());
    assert_eq!(windows.events(), 1);
}

/// The reference: all that was admitted, and nothing clever.
#[derive(Default)]
struct PlainList(Vec<(u8, u64)>);

impl PlainList {
    fn take(&mut self, key: u8, count: u32, window: u64, now: u64) -> Result<(), u64> {
        let mine = self.0.iter().filter(|(of, at)| *of == key && now - at < window);
        let mine: Vec<u64> = mine.map(|(_, at)| *at).collect();
        if mine.len() < count as usize {
            self.0.push((key, now));
            return Ok(());
        }
        Err(mine[mine.len() - count as usize] + window - now)
    }
}

proptest! {
    /// For any keys, times and sweeps it lets through exactly what a plain list of all admitted times allows, and tells the exact
    /// wait otherwise.
    #[test]
    fn it_agrees_with_a_plain_list(
        count in 1..5_u32, window in 10..12_000_u64,
        steps in prop::collection::vec((0..3_u8, 0..4_000_u64, prop::bool::weighted(0.1)), 1..80),
    ) {
        let (windows, start) = (Windows::new(), Instant::now());
        let rate = Rate { count, window: Duration::from_millis(window) };
        let mut list = PlainList::default();
        let mut now = 0;
        for (key, gap, sweeps) in steps {
            now += gap;
            let at = start + Duration::from_millis(now);
            if sweeps {
                windows.sweep(rate, at);
            }
            let taken = windows.take(key, rate, at);
            let taken = taken.map_err(|over| u64::try_from(over.retry_after.as_millis()).unwrap());
            prop_assert_eq!(taken, list.take(key, count, window, now));
        }
    }

    /// Who waits as long as told gets in, and a moment earlier does not.
    #[test]
    fn the_wait_is_exact(count in 1..20_u32, gaps in prop::collection::vec(0..900_u64, 20)) {
        let (windows, start) = (Windows::new(), Instant::now());
        let mut now = start;
        for gap in gaps {
            now += Duration::from_millis(gap);
            if let Err(over) = windows.take("a", rate(count), now) {
                let then = now + over.retry_after;
                let early = windows.take("a", rate(count), then - Duration::from_millis(1));
                prop_assert!(early.is_err());
                prop_assert!(windows.take("a", rate(count), then).is_ok());
                return Ok(());
            }
        }
    }

    /// Every event is there before the window is over, and none after it and a sweep.
    #[test]
    fn cleanup_removes_old_events(users in 1..=20_usize, each in 1..=50_usize, window in 10..1_000_u64) {
        let (windows, start) = (Windows::new(), Instant::now());
        let rate = Rate { count: 50, window: Duration::from_millis(window) };
        for user in 0..users {
            for _ in 0..each {
                prop_assert!(windows.take(user, rate, start).is_ok());
            }
        }
        prop_assert_eq!(windows.sweep(rate, start + rate.window - Duration::from_millis(1)), users);
        prop_assert_eq!(windows.events(), users * each);

        prop_assert_eq!(windows.sweep(rate, start + rate.window), 0);
        prop_assert_eq!(windows.events(), 0);
    }

    /// The first so many pass, and of those beyond none does.
    #[test]
    fn admin_rate_limit_enforcement(limit in 1..=20_u32, extra in 1..=10_u32, gap in 0..100_u64) {
        let (operators, start) = (Windows::new(), Instant::now());
        let took: Vec<bool> = (0..limit + extra)
            .map(|n| {
                let at = start + Duration::from_millis(gap) * n;
                operators.take("root", rate(limit), at).is_ok()
            })
            .collect();
        let expected: Vec<bool> = (0..limit + extra).map(|n| n < limit).collect();
        prop_assert_eq!(took, expected);
    }

    /// A refusal tells a wait within the window, and exactly the one after which there is room.
    #[test]
    fn admin_rate_limit_retry_after(limit in 1..=20_u32, window in 1..=60_000_u64, later in 0..60_000_u64) {
        let (operators, start) = (Windows::new(), Instant::now());
        let rate = Rate { count: limit, window: Duration::from_millis(window) };
        for _ in 0..limit {
            prop_assert!(operators.take("root", rate, start).is_ok());
        }
        let at = start + Duration::from_millis(later % window);

        let over = operators.take("root", rate, at).unwrap_err();

        prop_assert!(over.retry_after > Duration::ZERO && over.retry_after <= rate.window);
        prop_assert_eq!(at + over.retry_after, start + rate.window);
        prop_assert!(operators.take("root", rate, at + over.retry_after).is_ok());
    }

    /// One person's requests as an operator and messages as a user are counted apart, in whatever order they come.
    #[test]
    fn independent_rate_limits(order in prop::collection::vec(any::<bool>(), 1..40)) {
        let (operators, users, start) = (Windows::new(), Windows::new(), Instant::now());
        let (mut asked, mut said) = (0, 0);
        for as_operator in order {
            let (windows, limit, count) = if as_operator {
                (&operators, 5, &mut asked)
            } else {
                (&users, 10, &mut said)
            };
            let taken = windows.take("root", rate(limit), start).is_ok();
            prop_assert_eq!(taken, *count < limit);
            *count += u32::from(taken);
        }
    }
}

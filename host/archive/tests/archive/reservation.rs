//! Budgets are exact: whoever asks at the same time, whatever was needed in the end, and whoever died
//! meanwhile.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use proptest::prelude::*;
use sluice_archive::{
    Claim, Counter, LAPSED_KEPT_MS, MAX_CLAIMS, PARTS, ReserveError, StoreError, Window,
};
use sluice_chat::id::{Instant, ReservationId};

use crate::support::{Place, cases};

/// An hour.
const LAPSE: u64 = 3_600_000;
const DAY: u64 = 86_400_000;
/// A morning.
const NOW: Instant = Instant(1_800_000_000_000);

fn counter(name: &str, key: &str, window: Window) -> Counter {
    Counter { name: name.to_owned(), key: key.to_owned(), window }
}

fn claim(counter: &Counter, amount: u64, limit: u64) -> Claim {
    Claim { counter: counter.clone(), amount, limit }
}

fn later(ms: u64) -> Instant {
    Instant(NOW.0 + ms)
}

impl Place {
    async fn stands(&self, counter: &Counter, now: Instant) -> u64 {
        self.archive.standing(counter, now).await.expect("read")
    }

    async fn take(&self, claims: &[Claim], now: Instant) -> ReservationId {
        self.archive.reserve_claims(claims, now, LAPSE).await.expect("granted")
    }

    async fn is_refused(&self, claims: &[Claim], now: Instant) -> usize {
        match self.archive.reserve_claims(claims, now, LAPSE).await {
            Err(ReserveError::Refused(place)) => place,
            other => unreachable!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_thousand_at_once_get_exactly_the_hundred_that_there_are() {
    let place = Place::new().await;
    let requests = counter("requests", "ada", Window::Day);
    let one = [claim(&requests, 1, 100)];

    let asked = (0..1_000).map(|_| place.archive.reserve_claims(&one, NOW, LAPSE));
    let told = join_all(asked).await;

    let (mut granted, mut refused) = (Vec::new(), 0);
    for reserved in told {
        match reserved {
            Ok(id) => granted.push(id),
            Err(ReserveError::Refused(0)) => refused += 1,
            Err(other) => unreachable!("{other:?}"),
        }
    }
    assert_eq!((granted.len(), refused), (100, 900));
    assert_eq!(place.stands(&requests, NOW).await, 100);

    // Each turns out to need something else, and what is left is right to the last one.
    let settled = granted.iter().zip(0_u64..).map(|(id, needed)| {
        place.archive.settle_claims(id, vec![("requests".to_owned(), needed % 3)])
    });
    for settled in join_all(settled).await {
        settled.expect("settled");
    }
    assert_eq!(place.stands(&requests, NOW).await, (0..100).map(|needed| needed % 3).sum::<u64>());
}

#[tokio::test]
async fn all_of_it_is_granted_or_nothing() {
    let place = Place::new().await;
    let hers = counter("tokens", "ada", Window::Day);
    let everybodys = counter("tokens", "*", Window::Month);
    let full = [claim(&hers, 10, 100), claim(&everybodys, 10, 15)];

    place.take(&full, NOW).await;

    assert_eq!(place.is_refused(&full, NOW).await, 1);
    assert_eq!(place.stands(&hers, NOW).await, 10, "nothing was taken for the first claim");
    assert_eq!(place.stands(&everybodys, NOW).await, 10);
}

#[tokio::test]
async fn claims_on_one_counter_add_up() {
    let place = Place::new().await;
    let tokens = counter("tokens", "ada", Window::Day);

    let twice = [claim(&tokens, 60, 100), claim(&tokens, 60, 100)];
    assert_eq!(place.is_refused(&twice, NOW).await, 1);
    assert_eq!(place.stands(&tokens, NOW).await, 0);

    let fitting = [claim(&tokens, 60, 100), claim(&tokens, 40, 100)];
    let id = place.take(&fitting, NOW).await;
    assert_eq!(place.stands(&tokens, NOW).await, 100);
    place.archive.release_claims(&id).await.expect("released");
    assert_eq!(place.stands(&tokens, NOW).await, 0);
}

#[tokio::test]
async fn what_was_needed_counts_be_it_more_than_there_was() {
    let place = Place::new().await;
    let tokens = counter("tokens", "ada", Window::Day);
    let id = place.take(&[claim(&tokens, 10, 100)], NOW).await;

    for _ in 0..2 {
        let needed = vec![("tokens".to_owned(), 130)];
        place.archive.settle_claims(&id, needed).await.expect("settled");
    }
    place.archive.release_claims(&id).await.expect("too late");

    assert_eq!(place.stands(&tokens, NOW).await, 130);
    assert_eq!(place.is_refused(&[claim(&tokens, 0, 100)], NOW).await, 0, "it is overdrawn");
}

#[tokio::test]
async fn a_claim_that_is_not_named_is_given_back() {
    let place = Place::new().await;
    let (tokens, cents) =
        (counter("tokens", "ada", Window::Day), counter("cents", "ada", Window::Day));
    let id = place.take(&[claim(&tokens, 10, 100), claim(&cents, 5, 100)], NOW).await;

    let needed = vec![("tokens".to_owned(), 7), ("nothing of it".to_owned(), 9)];
    place.archive.settle_claims(&id, needed).await.expect("settled");

    assert_eq!(place.stands(&tokens, NOW).await, 7);
    assert_eq!(place.stands(&cents, NOW).await, 0);
}

#[tokio::test]
async fn what_nobody_settles_comes_back_in_time_and_counts_when_it_is_settled_late() {
    let place = Place::new().await;
    let tokens = counter("tokens", "ada", Window::Day);
    let id = place.take(&[claim(&tokens, 100, 100)], NOW).await;
    assert_eq!(place.is_refused(&[claim(&tokens, 1, 100)], later(LAPSE - 1)).await, 0);

    assert_eq!(place.stands(&tokens, later(LAPSE)).await, 0);
    place.take(&[claim(&tokens, 1, 100)], later(LAPSE)).await;
    assert_eq!(place.stands(&tokens, later(LAPSE)).await, 1);

    let needed = vec![("tokens".to_owned(), 80)];
    place.archive.settle_claims(&id, needed).await.expect("settled");
    assert_eq!(place.stands(&tokens, later(LAPSE)).await, 81);
}

#[tokio::test]
async fn a_dead_process_gives_back_what_it_had_set_aside() {
    let place = Place::new().await;
    let tokens = counter("tokens", "ada", Window::Day);
    let settled = place.take(&[claim(&tokens, 50, 100)], NOW).await;
    place.archive.settle_claims(&settled, vec![("tokens".to_owned(), 30)]).await.expect("settled");
    place.take(&[claim(&tokens, 70, 100)], NOW).await;
    let late = place.take(&[claim(&tokens, 0, 100)], NOW).await;

    let place = place.reopen().await.reopen().await;

    assert_eq!(place.stands(&tokens, NOW).await, 30);
    place.archive.settle_claims(&late, vec![("tokens".to_owned(), 4)]).await.expect("settled");
    assert_eq!(place.stands(&tokens, NOW).await, 34);
}

#[tokio::test]
async fn windows_end_where_they_say() {
    let place = Place::new().await;
    let minute = counter("requests", "ada", Window::Rolling(60));
    let day = counter("requests", "ada", Window::Day);
    let month = counter("requests", "ada", Window::Month);
    let all = [claim(&minute, 1, 1), claim(&day, 1, 1), claim(&month, 1, 1)];
    let id = place.take(&all, NOW).await;
    place.archive.settle_claims(&id, vec![("requests".to_owned(), 1)]).await.expect("settled");

    let (a_minute, a_part) = (60_000, 60_000 / PARTS);
    assert_eq!(place.stands(&minute, later(a_minute - 1)).await, 1);
    assert_eq!(place.stands(&minute, later(a_minute + a_part)).await, 0);
    let midnight = Instant((NOW.0 / DAY + 1) * DAY);
    assert_eq!(place.stands(&day, Instant(midnight.0 - 1)).await, 1);
    assert_eq!(place.stands(&day, midnight).await, 0);
    assert_eq!(place.stands(&month, midnight).await, 1);
    assert_eq!(place.stands(&month, later(31 * DAY)).await, 0);
}

#[tokio::test]
async fn sweeping_forgets_what_no_longer_counts_and_nothing_else() {
    let place = Place::new().await;
    let (day, month) =
        (counter("tokens", "ada", Window::Day), counter("tokens", "ada", Window::Month));
    let kept = place.take(&[claim(&day, 5, 100), claim(&month, 5, 100)], NOW).await;
    let lost = place.take(&[claim(&month, 6, 100)], NOW).await;
    let settled = place.take(&[claim(&month, 7, 100)], NOW).await;
    let of = |needed| vec![("tokens".to_owned(), needed)];
    place.archive.settle_claims(&settled, of(7)).await.expect("settled");

    let just_known = later(LAPSE + LAPSED_KEPT_MS - 1);
    place.archive.sweep_reservations(just_known).await.expect("swept");
    place.archive.settle_claims(&kept, of(8)).await.expect("settled");
    place.archive.sweep_reservations(later(LAPSE + LAPSED_KEPT_MS)).await.expect("swept");
    place.archive.settle_claims(&lost, of(9)).await.expect("of what is forgotten");

    assert_eq!(place.stands(&day, NOW).await, 0, "forgotten");
    assert_eq!(place.stands(&month, NOW).await, 15);
}

#[tokio::test]
async fn sweeping_says_whether_there_is_more_until_nothing_is_left() {
    let place = Place::new().await;
    for second in 0..300 {
        let each = counter("requests", &format!("user {second}"), Window::Rolling(1));
        let taken = place.take(&[claim(&each, 1, 1)], later(second)).await;
        let needed = vec![("requests".to_owned(), 1)];
        place.archive.settle_claims(&taken, needed).await.expect("settled");
    }
    let over = later(LAPSE + LAPSED_KEPT_MS + DAY);

    let mut sweeps = 1;
    while place.archive.sweep_reservations(over).await.expect("swept") {
        sweeps += 1;
    }

    assert!(sweeps > 1, "300 are more than one sweep takes");
    for second in 0..300 {
        let each = counter("requests", &format!("user {second}"), Window::Rolling(1));
        assert_eq!(place.stands(&each, later(second)).await, 0, "{second}");
    }
}

#[tokio::test]
async fn many_that_lapse_at_once_are_in_nobodys_way() {
    let place = Place::new().await;
    let requests = counter("requests", "ada", Window::Day);
    let one = [claim(&requests, 1, 300)];
    for told in join_all((0..300).map(|_| place.archive.reserve_claims(&one, NOW, LAPSE))).await {
        told.expect("granted");
    }

    let all = [claim(&requests, 300, 300)];
    place.take(&all, later(LAPSE)).await;

    assert_eq!(place.stands(&requests, later(LAPSE)).await, 300);
}

#[tokio::test]
async fn a_reservation_of_too_much_is_refused() {
    let place = Place::new().await;
    let tokens = counter("tokens", "ada", Window::Day);

    let many = vec![claim(&tokens, 1, u64::MAX); MAX_CLAIMS + 1];
    let refused = place.archive.reserve_claims(&many, NOW, LAPSE).await;

    assert!(matches!(refused, Err(ReserveError::Store(StoreError::Rejected { .. }))));
    assert_eq!(place.is_refused(&[claim(&tokens, u64::MAX, 1 << 40)], NOW).await, 0);
    place.take(&[claim(&tokens, u64::MAX, u64::MAX)], NOW).await;
}

/// One thing that happens. Numbers pick a counter or a reservation out of a few.
#[derive(Debug, Clone)]
enum Step {
    Reserve { claims: Vec<(usize, u64)>, lapse: u64 },
    Settle { which: usize, needed: [u64; 2] },
    Release { which: usize },
    Wait { ms: u64 },
    Sweep,
    Restart,
}

const NAMES: [&str; 2] = ["tokens", "cents"];
const LIMIT: u64 = 20;

fn counters() -> Vec<Counter> {
    let windows = [Window::Rolling(10), Window::Rolling(3_600), Window::Day, Window::Month];
    let of = |name| windows.map(|window| counter(name, "ada", window));
    NAMES.into_iter().flat_map(of).collect()
}

fn any_step() -> impl Strategy<Value = Step> {
    let claims = prop::collection::vec((0..8_usize, 0..9_u64), 0..4);
    let waits = prop_oneof![1..2_000_u64, 1..10_000_000_u64, 1..20 * DAY];
    prop_oneof![
        6 => (claims, 0..20_000_u64).prop_map(|(claims, lapse)| Step::Reserve { claims, lapse }),
        4 => (0..8_usize, [0..20_u64, 0..20_u64])
            .prop_map(|(which, needed)| Step::Settle { which, needed }),
        1 => (0..8_usize).prop_map(|which| Step::Release { which }),
        4 => waits.prop_map(|ms| Step::Wait { ms }),
        1 => Just(Step::Sweep),
        1 => Just(Step::Restart),
    ]
}

/// What was taken of a counter, when, and how much of it is settled.
struct Taken {
    counter: usize,
    at: Instant,
    amount: u64,
}

struct Reservation {
    taken: Vec<Taken>,
    lapses: u64,
    is_open: bool,
}

/// What the archive promises, in a list.
#[derive(Default)]
struct Model {
    reservations: BTreeMap<usize, Reservation>,
    settled: Vec<Taken>,
}

impl Model {
    /// Whether what is taken at one moment still counts at another, by the words of the documentation.
    fn counts(window: Window, at: Instant, now: Instant) -> bool {
        match window {
            Window::Rolling(seconds) => {
                let length = u64::from(seconds) * 1_000;
                let part = length.div_ceil(PARTS);
                at.0 / part * part + part + length > now.0
            }
            Window::Day => at.0 / DAY == now.0 / DAY,
            Window::Month => month(at) == month(now),
        }
    }

    fn standing(&self, counter: usize, now: Instant) -> u64 {
        let window = counters()[counter].window;
        let open = self.reservations.values().filter(|r| r.is_open && r.lapses > now.0);
        let open = open.flat_map(|reservation| &reservation.taken);
        open.chain(&self.settled)
            .filter(|taken| taken.counter == counter && Self::counts(window, taken.at, now))
            .map(|taken| taken.amount)
            .sum()
    }
}

/// Months since the year 0, by counting days.
fn month(at: Instant) -> u64 {
    let (mut days, mut year) = (at.0 / DAY, 1970);
    let length = |year: u64| if year.is_multiple_of(4) { 366 } else { 365 };
    while days >= length(year) {
        days -= length(year);
        year += 1;
    }
    let february = length(year) - 337;
    let mut month = 0;
    for of_month in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < of_month {
            break;
        }
        days -= of_month;
        month += 1;
    }
    year * 12 + month
}

async fn agrees(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut place = Place::new().await;
    let mut model = Model::default();
    let mut ids = Vec::new();
    let mut now = NOW;
    for step in steps {
        match step {
            Step::Reserve { claims, lapse } => {
                let wanted: Vec<Claim> = claims
                    .iter()
                    .map(|(which, amount)| claim(&counters()[*which], *amount, LIMIT))
                    .collect();
                let told = place.archive.reserve_claims(&wanted, now, lapse).await;
                let mut added = [0; 8];
                let refused = claims.iter().position(|(which, amount)| {
                    added[*which] += amount;
                    model.standing(*which, now) + added[*which] > LIMIT
                });
                match (told, refused) {
                    (Ok(id), None) => {
                        let taken = |(counter, amount)| Taken { counter, at: now, amount };
                        let taken = claims.into_iter().map(taken).collect();
                        let lapses = now.0 + lapse;
                        let reservation = Reservation { taken, lapses, is_open: true };
                        model.reservations.insert(ids.len(), reservation);
                        ids.push(id);
                    }
                    (Err(ReserveError::Refused(told)), Some(place)) => {
                        prop_assert_eq!(told, place);
                    }
                    (told, expected) => {
                        prop_assert!(false, "{:?}, expected a refusal of {:?}", told, expected);
                    }
                }
            }
            Step::Settle { which, needed } => {
                let Some(id) = ids.len().checked_sub(1 + which) else { continue };
                let named = NAMES.into_iter().zip(needed);
                let said = named.clone().map(|(name, needed)| (name.to_owned(), needed)).collect();
                place.archive.settle_claims(&ids[id], said).await.expect("settled");
                let Some(reservation) = model.reservations.remove(&id) else { continue };
                for taken in reservation.taken {
                    let amount = needed[taken.counter / 4];
                    model.settled.push(Taken { amount, ..taken });
                }
            }
            Step::Release { which } => {
                let Some(id) = ids.len().checked_sub(1 + which) else { continue };
                place.archive.release_claims(&ids[id]).await.expect("released");
                model.reservations.remove(&id);
            }
            Step::Wait { ms } => now.0 += ms,
            Step::Sweep => {
                place.archive.sweep_reservations(now).await.expect("swept");
                model.reservations.retain(|_, r| now.0 < r.lapses + LAPSED_KEPT_MS);
            }
            Step::Restart => {
                place = place.reopen().await;
                model.reservations.values_mut().for_each(|r| r.is_open = false);
            }
        }
        for (which, counter) in counters().iter().enumerate() {
            prop_assert_eq!(place.stands(counter, now).await, model.standing(which, now));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(64), ..ProptestConfig::default() })]

    /// Whatever happens, the archive grants, refuses and counts as the model does.
    #[test]
    fn budgets_agree_with_a_model(steps in prop::collection::vec(any_step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(agrees(steps))?;
    }
}

//! Pages of everybody's sessions as operators leaf through them: every order, both ways, of many filters.

use std::time::{Duration, Instant};

use sluice_archive::{Archive, ReviewRequest, SessionFilter, SessionSort};
use sluice_chat::id::{self, UserId};

use crate::population::{BUSIEST, end, owner};
use crate::{Failed, Length, percentile, print};

/// Sessions on a page.
const LIMIT: usize = 50;
/// Times that one page is asked for in a round, and how long that may take before it is enough.
const ASKED: usize = 20;
const ENOUGH: Duration = Duration::from_secs(2);
const DAY: u64 = 86_400_000;

/// Prints how long a page takes in the slowest order of each filter.
pub(crate) async fn measure(archive: &Archive, length: Length) -> Result<(), Failed> {
    for (name, filter) in filters(length.sessions).ok_or("ids are well formed")? {
        let (mut middles, mut slowest) = (Vec::new(), Vec::new());
        for _ in 0..length.rounds.min(3) {
            let (mut middle, mut slow) = (0.0_f64, 0.0_f64);
            for sort in SessionSort::ALL {
                let mut times = Vec::new();
                for descending in [true, false] {
                    times.extend(leaf(archive, length, &filter, sort, descending).await?);
                }
                let (p50, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
                eprintln!("{name}, by {}: p50 {p50:.2} ms, p99 {p99:.2} ms", sort.as_str());
                middle = middle.max(p50);
                slow = slow.max(p99);
            }
            middles.push(middle);
            slowest.push(slow);
        }
        print(&format!("a page of {name}, slowest order, p50"), "ms", &middles);
        print(&format!("a page of {name}, slowest order, p99"), "ms", &slowest);
    }
    Ok(())
}

/// Filters, from the one that keeps all to one that keeps none.
fn filters(sessions: u64) -> Option<Vec<(&'static str, SessionFilter)>> {
    let now = end(sessions);
    let since = |days: u64| Some(id::Instant(now.0 - (days * DAY).min(now.0)));
    let all = SessionFilter::default;
    let user = UserId::parse(&owner(11, sessions))?;
    let busiest = UserId::parse(BUSIEST)?;
    Some(vec![
        ("all", all()),
        ("a user's", SessionFilter { owner: Some(user.clone()), ..all() }),
        ("the busiest user's", SessionFilter { owner: Some(busiest.clone()), ..all() }),
        ("ended ones", SessionFilter { ended: Some(true), ..all() }),
        ("open ones", SessionFilter { ended: Some(false), ..all() }),
        ("assisted ones", SessionFilter { assisted: Some(true), ..all() }),
        ("unassisted ones", SessionFilter { assisted: Some(false), ..all() }),
        ("the last day", SessionFilter { from: since(1), ..all() }),
        ("the last month", SessionFilter { from: since(30), ..all() }),
        ("all but the last month", SessionFilter { to: since(30), ..all() }),
        (
            "open, assisted ones",
            SessionFilter { ended: Some(false), assisted: Some(true), ..all() },
        ),
        (
            "the busiest user's open, assisted ones of a month",
            SessionFilter {
                owner: Some(busiest),
                ended: Some(false),
                assisted: Some(true),
                from: since(60),
                to: since(30),
            },
        ),
        (
            "a user's assisted ones of a day",
            SessionFilter { owner: Some(user), assisted: Some(true), from: since(1), ..all() },
        ),
    ])
}

/// Asks for the first page and the one after it, again and again.
async fn leaf(
    archive: &Archive,
    length: Length,
    filter: &SessionFilter,
    sort: SessionSort,
    descending: bool,
) -> Result<Vec<Duration>, Failed> {
    let begun = Instant::now();
    let mut times = Vec::new();
    while times.len() < ASKED && begun.elapsed() < ENOUGH {
        let mut request = ReviewRequest {
            filter: filter.clone(),
            sort,
            descending,
            limit: LIMIT,
            offset: 0,
            after: None,
            now: end(length.sessions),
        };
        for _ in 0..2 {
            let asked = Instant::now();
            let page = archive.review(request.clone()).await?;
            times.push(asked.elapsed());
            request.after = page.next;
            if request.after.is_none() {
                break;
            }
        }
    }
    Ok(times)
}

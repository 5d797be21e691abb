//! What operators look through: pages of everybody's sessions, response times, figures, and the record of what they did.

use proptest::prelude::*;
use sluice_archive::{
    Archive, AuditEntry, AuditFilter, NewMessage, Outcome, ReviewCursor, ReviewRequest, Reviewed,
    SessionFilter, SessionSort,
};
use sluice_chat::answer::Ending;
use sluice_chat::bill::Bill;
use sluice_chat::id::{AuditId, Instant, SessionId, UserId};
use sluice_chat::turn::Mode;

use crate::support::{FREE, Place, answer, cases, ended, message, message_id, session, user};

/// A moment after everything in these stories.
const NOW: Instant = Instant(100_000);

fn all(sort: SessionSort, descending: bool) -> ReviewRequest {
    let filter = SessionFilter::default();
    ReviewRequest { filter, sort, descending, limit: 3, offset: 0, after: None, now: NOW }
}

/// Reads page after page until there is none. The cursor goes through its text, as it does with clients.
async fn pages(archive: &Archive, first: ReviewRequest) -> Vec<Reviewed> {
    let (mut request, mut found) = (first, Vec::new());
    loop {
        let page = archive.review(request.clone()).await.expect("read");
        assert!(page.sessions.len() <= request.limit);
        found.extend(page.sessions);
        let Some(next) = page.next else { return found };
        let text = next.to_string();
        request.after = ReviewCursor::parse(&text);
        assert_eq!(request.after, Some(next), "{text}");
        request.offset = 0;
    }
}

/// One session of a story.
#[derive(Debug, Clone)]
struct Told {
    owner: u8,
    created: u64,
    messages: u8,
    tokens: u64,
    ended: Option<u64>,
    assisted: bool,
    deleted: bool,
}

fn told() -> impl Strategy<Value = Told> {
    // Few values, so that ties are common. None begins or ends in the first moment of 1970, which stands for no end.
    let ended = prop::option::of(0..4_u64);
    (0..3_u8, 1..7_u64, 1..4_u8, 0..3_u64, ended, any::<bool>(), prop::bool::weighted(0.1))
        .prop_map(|(owner, created, messages, tokens, ended, assisted, deleted)| Told {
            owner,
            created,
            messages,
            tokens,
            ended,
            assisted,
            deleted,
        })
}

async fn tell(archive: &Archive, number: usize, told: &Told) {
    let id = session(&format!("s{number}"));
    for seq in 1..=u64::from(told.messages) {
        let said = NewMessage {
            session: id.clone(),
            owner: user(&format!("u.{}", told.owner)),
            id: message_id(format!("{id}-{seq}")),
            at: Instant(told.created * 1_000 + seq),
            ..message(seq)
        };
        archive.append(said).await.expect("stored");
    }
    if told.tokens > 0 {
        let said = sluice_archive::Answer {
            session: id.clone(),
            id: message_id(format!("{id}-a")),
            ..answer(10, "yes")
        };
        archive.finish(said, ended(Ending::Stop, told.tokens, 1)).await.expect("stored");
    }
    if told.assisted {
        archive.set_mode(&id, FREE, Mode::Operator).await.expect("set");
        archive.set_mode(&id, FREE, Mode::Bot).await.expect("set");
    }
    if let Some(after) = told.ended {
        let at = Instant(told.created * 1_000 + after * 500);
        archive.end_session(&id, FREE, at).await.expect("ended");
    }
    if told.deleted {
        archive.delete_session(&id, FREE, NOW).await.expect("deleted");
    }
}

/// What it is sorted by, with its id, as text of a fixed width: plain to compare.
fn rank(reviewed: &Reviewed, sort: SessionSort) -> (String, SessionId) {
    let session = &reviewed.session;
    let until = session.ended.unwrap_or(NOW).0.cast_signed() - session.created.0.cast_signed();
    let number = match sort {
        SessionSort::Owner => return (session.owner.to_string(), session.id.clone()),
        SessionSort::Start => session.created.0.cast_signed(),
        SessionSort::End => session.ended.map_or(0, |ended| ended.0.cast_signed()),
        SessionSort::Messages => session.message_count.cast_signed(),
        SessionSort::Tokens => session.tokens.total().cast_signed(),
        SessionSort::Activity => session.last_activity.0.cast_signed(),
        SessionSort::Duration => until,
    };
    (format!("{:020}", number + 1_000_000), session.id.clone())
}

fn keeps(filter: &SessionFilter, reviewed: &Reviewed) -> bool {
    let session = &reviewed.session;
    filter.owner.as_ref().is_none_or(|owner| *owner == session.owner)
        && filter.ended.is_none_or(|ended| ended == session.ended.is_some())
        && filter.assisted.is_none_or(|assisted| assisted == session.assisted)
        && filter.from.is_none_or(|from| session.created >= from)
        && filter.to.is_none_or(|to| session.created <= to)
}

fn filter() -> impl Strategy<Value = SessionFilter> {
    let at = || prop::option::weighted(0.3, (0..7_u64).prop_map(|at| Instant(at * 1_000)));
    let owner = prop::option::weighted(0.3, 0..3_u8);
    let flag = || prop::option::weighted(0.3, any::<bool>());
    (owner, flag(), flag(), at(), at()).prop_map(|(owner, ended, assisted, from, to)| {
        let owner = owner.map(|owner| user(&format!("u.{owner}")));
        SessionFilter { owner, ended, assisted, from, to }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(24), ..ProptestConfig::default() })]

    /// Page after page gives every session that the filter keeps, once, in the order that was asked for, whatever the order,
    /// the direction and the ties.
    #[test]
    fn pages_neither_repeat_nor_leave_out(
        story in prop::collection::vec(told(), 1..14),
        filters in prop::collection::vec(filter(), 3),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let place = Place::new().await;
            for (number, told) in story.iter().enumerate() {
                tell(&place.archive, number, told).await;
            }
            let there = story.iter().filter(|told| !told.deleted).count();
            let whole = ReviewRequest { limit: 100, ..all(SessionSort::Start, true) };
            let everything = pages(&place.archive, whole).await;
            assert_eq!(everything.len(), there);
            for sort in SessionSort::ALL {
                for filter in &filters {
                    for descending in [true, false] {
                        let mut expected: Vec<_> =
                            everything.iter().filter(|one| keeps(filter, one)).cloned().collect();
                        expected.sort_by_key(|one| rank(one, sort));
                        if descending {
                            expected.reverse();
                        }
                        let request = ReviewRequest { filter: filter.clone(), ..all(sort, descending) };
                        let page = place.archive.review(request.clone()).await.expect("read");
                        assert_eq!((page.total, page.total_at_least), (expected.len() as u64, false));
                        assert_eq!(pages(&place.archive, request.clone()).await, expected, "{sort:?}");
                        let rest = ReviewRequest { offset: 2, ..request };
                        let rest = pages(&place.archive, rest).await;
                        assert_eq!(rest, expected[expected.len().min(2)..], "{sort:?}");
                    }
                }
            }
        });
    }
}

#[tokio::test]
async fn of_a_sessions_answers_the_newest_hundred_whole_ones_count() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");
    let finish = async |number: u64, ending: Ending, took: u64| {
        let said = answer(10 * number, "yes");
        let at = Instant(said.started.0 + took);
        let outcome = Outcome { ending, bill: Some(Bill::default()), at };
        place.archive.finish(said, outcome).await.expect("stored");
    };
    // The slowest one is the oldest, and falls out of the window.
    finish(1, Ending::Stop, 1_000_000).await;
    for number in 2..=101 {
        finish(number, Ending::Length, number).await;
    }
    for (number, ending) in [(200, Ending::Cancelled), (201, Ending::Error)] {
        finish(number, ending, 5_000).await;
    }

    let responses = place.archive.responses(&[session("s"), session("t")]).await.expect("read");
    let responses = &responses[&session("s")];
    let totals = place.archive.totals(Instant(0), NOW).await.expect("read");

    assert_eq!(responses.iter().collect::<Vec<_>>(), (2..=101).collect::<Vec<_>>());
    assert_eq!((responses.average(), responses.longest()), (51, 101));
    // The figures over a time are over all of them.
    assert_eq!(totals.slowest_ms, 1_000_000);
    assert_eq!(totals.average_ms, (1_000_000 + (2..=101).sum::<u64>()) / 101);
}

#[tokio::test]
async fn a_session_is_assisted_for_good_once_an_operator_was_in_it() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");
    let assisted = async || {
        let found = place.archive.session(&session("s")).await.expect("read");
        found.expect("there").assisted
    };
    assert!(!assisted().await);
    place.archive.set_mode(&session("s"), FREE, Mode::Operator).await.expect("set");
    assert!(assisted().await);
    place.archive.set_mode(&session("s"), FREE, Mode::Bot).await.expect("set");
    assert!(assisted().await);
    let totals = place.archive.totals(Instant(0), NOW).await.expect("read");
    assert_eq!((totals.assisted, totals.sessions, totals.active), (1, 1, 1));
    let later = place.archive.totals(Instant(1_002), NOW).await.expect("read");
    assert_eq!(later.sessions, 0, "it began before");
}

#[tokio::test]
async fn a_cursor_of_somebody_elses_making_is_refused() {
    for text in [
        "",
        "start_time",
        "start_time.desc.1.2",
        "start_time.down.1.2.s",
        "size.desc.1.2.s",
        "start_time.desc.-1.2.s",
        "start_time.desc.1.x.s",
        "start_time.desc.99999999999999999999.2.s",
        "user_id.desc.1.6.s",
        "user_id.desc.1.ff.s",
        "user_id.desc.1.zz.s",
    ] {
        assert_eq!(ReviewCursor::parse(text), None, "{text}");
    }
    let dotted = ReviewCursor::parse("user_id.asc.1.c3a4.a.b").expect("a cursor");
    assert!(dotted.fits(SessionSort::Owner, false));
    assert!(!dotted.fits(SessionSort::Owner, true));
    assert!(!dotted.fits(SessionSort::Start, false));
}

fn line(number: u64) -> AuditEntry {
    AuditEntry {
        id: AuditId::parse(&format!("{number:04}")).expect("an id"),
        at: Instant(number),
        operator: user(if number.is_multiple_of(2) { "olga" } else { "otto" }),
        action: "GET /admin/sessions".to_owned(),
        user: Some(user("ada")).filter(|_| number.is_multiple_of(3)),
        session: Some(session("s")).filter(|_| number.is_multiple_of(5)),
        reason: None,
        status: None,
    }
}

#[tokio::test]
async fn the_record_of_operators_is_read_newest_first_and_its_outcomes_stay() {
    let place = Place::new().await;
    for number in 1..=30 {
        place.archive.note(line(number)).await.expect("stored");
    }
    let first = line(1).id;
    place.archive.settle(&first, 200).await.expect("stored");
    place.archive.settle(&first, 500).await.expect("nothing changed");
    let numbers = async |filter: AuditFilter| {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = place.archive.audit(filter.clone(), 4, after).await.expect("read");
            found.extend(page.entries.iter().map(|entry| entry.at.0));
            after = page.next;
            if after.is_none() {
                return found;
            }
        }
    };
    let of = |wanted: fn(&u64) -> bool| (1..=30).rev().filter(wanted).collect::<Vec<u64>>();

    let operator: Option<UserId> = Some(user("olga"));
    assert_eq!(numbers(AuditFilter::default()).await, of(|_| true));
    let filter = AuditFilter { operator, ..AuditFilter::default() };
    assert_eq!(numbers(filter.clone()).await, of(|n| n.is_multiple_of(2)));
    let filter = AuditFilter { user: Some(user("ada")), ..filter };
    assert_eq!(numbers(filter.clone()).await, of(|n| n.is_multiple_of(6)));
    let filter = AuditFilter { session: Some(session("s")), ..filter };
    assert_eq!(numbers(filter).await, [30]);
    let oldest = place.archive.audit(AuditFilter::default(), 30, None).await.expect("read");
    let oldest = oldest.entries.last().expect("a line");
    assert_eq!(oldest.status, Some(200));
    assert_eq!(*oldest, AuditEntry { status: Some(200), ..line(1) });
}

//! The outbox keeps what is to be told until it was, tells nothing twice, and never too often.

use futures_util::future::join_all;
use sluice_archive::{Notice, Parcel, ParcelFate, Posted, Queue, Rate, Waiting};
use sluice_chat::id::{Instant, NoticeId};

use crate::support::Place;

const NOW: Instant = Instant(1_800_000_000_000);
const RATE: Rate = Rate { most: 5, window_ms: 300_000 };

fn later(ms: u64) -> Instant {
    Instant(NOW.0 + ms)
}

fn id(name: &str) -> NoticeId {
    NoticeId::parse(name).expect("an id")
}

fn notice(name: &str, key: &str) -> Notice {
    Notice {
        id: id(name),
        kind: "help_request".to_owned(),
        key: key.to_owned(),
        at: Instant(NOW.0 - 1),
        body: "{\"title\":\"$HELP\"}".to_owned(),
    }
}

fn channels(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

impl Place {
    async fn post(&self, notice: Notice, to: &[&str], now: Instant) -> Posted {
        self.archive.post(notice, &channels(to), RATE, now).await.expect("asked")
    }

    async fn due(&self, channel: &str, now: Instant) -> Vec<Parcel> {
        self.archive.due(channel, now, 100).await.expect("read")
    }

    async fn tried(&self, name: &str, channel: &str, fate: ParcelFate) {
        self.archive.tried(&id(name), channel, fate).await.expect("noted");
    }
}

fn parcel(name: &str, key: &str, channel: &str, attempts: u32, next: Instant) -> Parcel {
    Parcel { notice: notice(name, key), channel: channel.to_owned(), attempts, next }
}

fn queue(channel: &str, notices: u64, next: Instant) -> Queue {
    Queue { channel: channel.to_owned(), notices, next }
}

#[tokio::test]
async fn each_channel_is_tried_on_its_own_until_it_took_it() {
    let place = Place::new().await;
    let posted = place.post(notice("a", "k"), &["mail", "hook", "mail"], NOW).await;
    assert_eq!(posted, Posted::Waiting);
    for channel in ["hook", "mail"] {
        assert_eq!(place.due(channel, NOW).await, [parcel("a", "k", channel, 0, NOW)]);
    }

    place.tried("a", "hook", ParcelFate::Done).await;
    place.tried("a", "hook", ParcelFate::Again(later(1))).await;
    place.tried("a", "mail", ParcelFate::Again(later(50))).await;

    let place = place.reopen().await;
    assert_eq!(place.due("hook", later(50)).await, []);
    assert_eq!(place.due("mail", later(49)).await, []);
    let waiting = place.archive.waiting().await.expect("read");
    assert_eq!(waiting, Waiting { notices: 1, queues: vec![queue("mail", 1, later(50))] });
    assert_eq!(place.due("mail", later(50)).await, [parcel("a", "k", "mail", 1, later(50))]);
    place.tried("a", "mail", ParcelFate::Done).await;
    assert_eq!(place.archive.waiting().await.expect("read"), Waiting::default());
}

#[tokio::test]
async fn the_same_notice_is_taken_once_also_when_it_was_delivered() {
    let place = Place::new().await;
    let same = (0..8).map(|_| place.post(notice("a", "k"), &["mail"], NOW));
    let told = join_all(same).await;
    assert_eq!(told.iter().filter(|posted| **posted == Posted::Waiting).count(), 1, "{told:?}");

    place.tried("a", "mail", ParcelFate::Done).await;
    let place = place.reopen().await;

    assert_eq!(place.post(notice("a", "k"), &["mail"], later(900_000)).await, Posted::Again);
    assert_eq!(place.due("mail", later(900_000)).await, []);
}

#[tokio::test]
async fn of_one_key_there_are_five_in_five_minutes_also_over_a_restart() {
    let place = Place::new().await;
    let names: Vec<String> = (0..9).map(|number| format!("n{number}")).collect();
    let all = names.iter().map(|name| place.post(notice(name, "k"), &["mail"], NOW));
    let told = join_all(all).await;
    assert_eq!(told.iter().filter(|posted| **posted == Posted::Waiting).count(), 5, "{told:?}");
    for parcel in place.due("mail", NOW).await {
        place.tried(parcel.notice.id.as_str(), "mail", ParcelFate::Done).await;
    }

    let place = place.reopen().await;

    assert_eq!(place.post(notice("x", "k"), &["mail"], later(299_999)).await, Posted::TooMany);
    assert_eq!(place.post(notice("y", "l"), &["mail"], later(299_999)).await, Posted::Waiting);
    assert_eq!(place.post(notice("x", "k"), &["mail"], later(300_000)).await, Posted::Waiting);
}

#[tokio::test]
async fn what_is_longest_overdue_comes_first_and_no_more_than_asked_for() {
    let place = Place::new().await;
    for (name, at) in [("c", 30), ("a", 10), ("b", 20)] {
        place.post(notice(name, name), &["mail"], later(at)).await;
    }

    let due = place.archive.due("mail", later(30), 2).await.expect("read");

    let names: Vec<&str> = due.iter().map(|parcel| parcel.notice.id.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
}

#[tokio::test]
async fn only_what_waits_for_nobody_is_forgotten() {
    let place = Place::new().await;
    place.post(notice("done", "k"), &["mail"], NOW).await;
    place.tried("done", "mail", ParcelFate::Done).await;
    place.post(notice("waits", "k"), &["mail"], NOW).await;
    place.post(notice("nobody's", "k"), &[], NOW).await;

    place.archive.forget_notices(NOW).await.expect("swept");
    assert_eq!(place.post(notice("done", "k"), &["mail"], NOW).await, Posted::Again);
    place.archive.forget_notices(later(1)).await.expect("swept");

    assert_eq!(place.due("mail", NOW).await, [parcel("waits", "k", "mail", 0, NOW)]);
    assert_eq!(place.post(notice("done", "k"), &["mail"], NOW).await, Posted::Waiting);
    assert_eq!(place.post(notice("nobody's", "k"), &["mail"], NOW).await, Posted::Waiting);
}

#[tokio::test]
async fn each_channel_has_a_queue_of_its_own() {
    let place = Place::new().await;
    place.post(notice("a", "a"), &["hook"], NOW).await;
    place.post(notice("b", "b"), &["mail", "hook"], later(1)).await;

    let waiting = place.archive.waiting().await.expect("read");

    let queues = vec![queue("hook", 2, NOW), queue("mail", 1, later(1))];
    assert_eq!(waiting, Waiting { notices: 2, queues });
    assert_eq!(place.due("mail", later(1)).await, [parcel("b", "b", "mail", 0, later(1))]);
    let first = place.archive.due("hook", later(1), 1).await.expect("read");
    assert_eq!(first, [parcel("a", "a", "hook", 0, NOW)]);
}

//! Sessions: taking, leaving, listing, ending, deleting.

use sluice_archive::{AppendError, ChangeError, NewMessage, SessionCursor, StoredSession};
use sluice_chat::answer::Ending;
use sluice_chat::id::{Epoch, Fence, Instant, ModelId, Seq};
use sluice_chat::turn::Mode;

use crate::support::{FREE, Place, answer, ended, message, message_id, session, user};

async fn taken(place: &Place) -> StoredSession {
    let taken = place.archive.take_session(&session("s"), Instant(9_000)).await;
    taken.expect("written").expect("a session")
}

#[tokio::test]
async fn a_session_that_was_left_in_order_goes_on_where_it_was() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");
    place.archive.leave_session(&session("s"), FREE, Seq(17)).await.expect("left");
    let place = place.reopen().await;

    let taken = taken(&place).await;

    assert_eq!((taken.epoch, taken.head, taken.reserved), (Epoch(1), Seq(17), Seq(1_024)));
}

#[tokio::test]
async fn a_session_that_was_not_left_begins_a_new_epoch_above_all_it_showed() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");
    place.archive.reserve(&session("s"), FREE, Seq(2_048)).await.expect("reserved");
    place.archive.reserve(&session("s"), FREE, Seq(5)).await.expect("never lowered");
    let place = place.reopen().await;

    let first = taken(&place).await;
    let second = taken(&place).await;

    assert_eq!((first.epoch, first.head, first.reserved), (Epoch(2), Seq(2_048), Seq(2_048)));
    assert_eq!((second.epoch, second.head), (Epoch(3), Seq(2_048)));
}

#[tokio::test]
async fn leaving_is_undone_by_the_next_message() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");
    place.archive.leave_session(&session("s"), FREE, Seq(1)).await.expect("left");
    place.archive.append(message(2)).await.expect("stored");

    assert_eq!(taken(&place).await.epoch, Epoch(2));
}

#[tokio::test]
async fn answers_left_open_end_as_interrupted_at_their_last_checkpoint() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");
    place.archive.finish(answer(2, "whole"), ended(Ending::Stop, 1, 1)).await.expect("stored");
    place.archive.checkpoint(answer(10, "Once up"));
    let place = place.reopen().await;

    let stored = place.settled(&session("s")).await;
    let endings: Vec<_> = stored.iter().map(|message| message.ending).collect();
    assert_eq!(endings, [None, Some(Ending::Stop), Some(Ending::Interrupted)]);
    assert_eq!((stored[2].text.as_str(), stored[2].ended), ("Once up", None));
}

#[tokio::test]
async fn a_session_that_is_not_there_cannot_be_taken_or_changed() {
    let place = Place::new().await;
    let (archive, s) = (&place.archive, session("s"));

    assert_eq!(archive.take_session(&s, Instant(1)).await.expect("written"), None);
    assert_eq!(archive.session(&s).await.expect("read"), None);
    for refused in [
        archive.reserve(&s, FREE, Seq(1)).await,
        archive.leave_session(&s, FREE, Seq(1)).await,
        archive.set_name(&s, FREE, "a").await,
        archive.end_session(&s, FREE, Instant(1)).await,
        archive.delete_session(&s, FREE, Instant(1)).await,
    ] {
        assert!(matches!(refused, Err(ChangeError::Gone)), "{refused:?}");
    }
}

#[tokio::test]
async fn every_change_is_behind_the_fence() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");
    let (archive, s, stale) = (&place.archive, session("s"), Fence(1));
    let before = archive.session(&s).await.expect("read");

    let model = ModelId::parse("m").expect("an id");
    for refused in [
        archive.reserve(&s, stale, Seq(9_999)).await,
        archive.leave_session(&s, stale, Seq(9)).await,
        archive.set_name(&s, stale, "a").await,
        archive.set_model(&s, stale, &model).await,
        archive.set_mode(&s, stale, Mode::Operator).await,
        archive.end_session(&s, stale, Instant(1)).await,
        archive.delete_session(&s, stale, Instant(1)).await,
    ] {
        assert!(matches!(refused, Err(ChangeError::Fenced)), "{refused:?}");
    }
    assert_eq!(archive.session(&s).await.expect("read"), before);
}

#[tokio::test]
async fn name_model_and_mode_are_replaced() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");
    let (archive, s) = (&place.archive, session("s"));
    let model = ModelId::parse("m").expect("an id");

    archive.set_name(&s, FREE, "Renamed").await.expect("changed");
    archive.set_model(&s, FREE, &model).await.expect("changed");
    archive.set_mode(&s, FREE, Mode::Waiting).await.expect("changed");

    let changed = archive.session(&s).await.expect("read").expect("a session");
    assert_eq!(changed.name.as_deref(), Some("Renamed"));
    assert_eq!(changed.model, Some(model));
    assert_eq!(changed.mode, Mode::Waiting);
}

#[tokio::test]
async fn handing_over_raises_the_fence_against_whoever_wrote_before() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");
    let (archive, s) = (&place.archive, session("s"));

    let raised = archive.hand_over(&s, FREE, Mode::Operator).await.expect("handed over");

    assert_eq!(raised, Fence(FREE.0 + 1));
    let again = archive.hand_over(&s, FREE, Mode::Bot).await;
    assert!(matches!(again, Err(ChangeError::Fenced)), "{again:?}");
    let late = archive.append(message(2)).await;
    assert!(matches!(late, Err(AppendError::Fenced)), "{late:?}");
    let found = archive.session(&s).await.expect("read").expect("a session");
    assert_eq!((found.mode, found.fence), (Mode::Operator, raised));
    let back = archive.hand_over(&s, raised, Mode::Bot).await.expect("handed over");
    assert_eq!(back, Fence(raised.0 + 1));
}

#[tokio::test]
async fn an_ended_session_is_opened_by_a_message() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");
    let s = session("s");
    place.archive.end_session(&s, FREE, Instant(50)).await.expect("ended");
    place.archive.end_session(&s, FREE, Instant(60)).await.expect("ended already");
    let ended = place.archive.session(&s).await.expect("read").expect("a session").ended;

    place.archive.append(message(2)).await.expect("stored");

    assert_eq!(ended, Some(Instant(50)));
    assert_eq!(place.archive.session(&s).await.expect("read").expect("a session").ended, None);
}

#[tokio::test]
async fn a_deleted_session_is_gone_for_good() {
    let place = Place::new().await;
    let (archive, s) = (&place.archive, session("s"));
    let named = NewMessage { name: Some("Secret".to_owned()), ..message(1) };
    archive.append(named).await.expect("stored");
    archive.checkpoint(answer(2, "Once"));
    place.settled(&s).await;

    archive.delete_session(&s, FREE, Instant(70)).await.expect("deleted");
    archive.checkpoint(answer(2, "Once upon"));

    assert_eq!(place.settled(&s).await, []);
    let left = archive.take_session(&s, Instant(80)).await.expect("written").expect("its row");
    assert_eq!((left.deleted, left.name, left.message_count), (Some(Instant(70)), None, 0));
    let refused = archive.append(message(2)).await;
    assert!(matches!(refused, Err(AppendError::Gone)), "{refused:?}");
    let foreign = archive.append(NewMessage { owner: user("bob"), ..message(2) }).await;
    assert!(matches!(foreign, Err(AppendError::NotOwner)), "{foreign:?}");
    let page = archive.sessions_of(&user("ada"), 10, None, None).await.expect("read");
    assert_eq!(page.sessions, []);
}

/// One session of Ada's, last active at `at`.
async fn begin(place: &Place, id: &str, name: &str, at: u64) {
    let first = NewMessage {
        session: session(id),
        id: message_id(format!("first-of-{id}")),
        name: Some(name.to_owned()),
        at: Instant(at),
        ..message(1)
    };
    place.archive.append(first).await.expect("stored");
}

#[tokio::test]
async fn lists_are_newest_first_and_pages_fit_together() {
    let place = Place::new().await;
    for (id, at) in [("a", 30), ("b", 10), ("c", 20), ("d", 20), ("e", 20)] {
        begin(&place, id, id, at).await;
    }
    let foreign = NewMessage {
        session: session("f"),
        owner: user("bob"),
        id: message_id("of-bob"),
        ..message(1)
    };
    place.archive.append(foreign).await.expect("stored");

    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page = place.archive.sessions_of(&user("ada"), 2, after, None).await.expect("read");
        let ids: Vec<_> = page.sessions.iter().map(|s| s.id.as_str().to_owned()).collect();
        pages.push(ids);
        let Some(next) = page.next else { break };
        // As it goes through a client.
        after = SessionCursor::parse(&next.to_string());
        assert_eq!(after, Some(next));
    }

    assert_eq!(pages, [vec!["a", "e"], vec!["d", "c"], vec!["b"]]);
}

#[tokio::test]
async fn a_search_finds_names_in_whatever_case() {
    let place = Place::new().await;
    for (id, name, at) in [
        ("a", "Über das Wetter", 1),
        ("b", "100% wool", 2),
        ("c", "weather", 3),
        ("d", "ÜBERMORGEN", 4),
    ] {
        begin(&place, id, name, at).await;
    }
    let find = async |wanted: &str, limit: usize, after: Option<SessionCursor>| {
        let page = place.archive.sessions_of(&user("ada"), limit, after, Some(wanted)).await;
        let page = page.expect("read");
        let ids: Vec<_> = page.sessions.iter().map(|s| s.id.as_str().to_owned()).collect();
        (ids, page.next)
    };

    assert_eq!(find("über", 9, None).await.0, ["d", "a"]);
    assert_eq!(find("WE", 9, None).await.0, ["c", "a"]);
    assert_eq!(find("%", 9, None).await.0, ["b"]);
    assert_eq!(find("_", 9, None).await.0, [""; 0]);
    let (first, next) = find("über", 1, None).await;
    assert_eq!((first, next.is_some()), (vec!["d".to_owned()], true));
    let (second, next) = find("über", 1, next).await;
    assert_eq!((second, next), (vec!["a".to_owned()], None));
}

#[test]
fn a_cursor_that_is_none_is_refused() {
    for text in ["", ".", "5", "5.", ".a", "-1.a", "x.a", "5.a\n"] {
        assert_eq!(SessionCursor::parse(text), None, "{text:?}");
    }
}

#[tokio::test]
async fn what_was_said_is_found_where_it_is_readable() {
    let place = Place::new().await;
    for (number, text) in ["A zebra", "Of ÄPFEL", "\u{1}p zebra crossing"].iter().enumerate() {
        let said = NewMessage {
            session: session(&format!("s{number}")),
            id: message_id(format!("m{number}")),
            name: Some("Chat".to_owned()),
            text: (*text).to_owned(),
            at: Instant(1_000 + number as u64),
            ..message(1)
        };
        place.archive.append(said).await.expect("stored");
    }
    let found = async |wanted: &str, limit, after| {
        let page = place.archive.sessions_of(&user("ada"), limit, after, Some(wanted)).await;
        let page = page.expect("read");
        let ids: Vec<_> = page.sessions.iter().map(|found| found.id.to_string()).collect();
        (ids, page.next)
    };

    assert_eq!(found("äpfel", 10, None).await.0, ["s1"]);
    assert_eq!(found("chat", 10, None).await.0, ["s2", "s1", "s0"]);
    assert_eq!(found("quagga", 10, None).await.0, [] as [&str; 0]);
    let (first, next) = found("ZEBRA", 1, None).await;
    assert_eq!(first, ["s2"]);
    assert_eq!(found("ZEBRA", 1, next).await.0, ["s0"]);
    assert_eq!(
        place
            .archive
            .sessions_of(&user("eve"), 9, None, Some("zebra"))
            .await
            .expect("read")
            .sessions,
        []
    );
}

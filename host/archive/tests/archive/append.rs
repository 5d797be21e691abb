//! Storing messages: who may, and what a retry gets.

use sluice_archive::{AppendError, Appended, IDEMPOTENCY_WINDOW_MS, Known, NewMessage, StoreError};
use sluice_chat::id::{Epoch, Fence, Instant, ModelId, Seq};

use crate::support::{FREE, Place, client, message, message_id, session, user};

#[tokio::test]
async fn a_stored_message_is_there_as_it_was_said() {
    let place = Place::new().await;
    let said = NewMessage {
        text: "naïve \0 🦀\n".to_owned(),
        model: ModelId::parse("fast"),
        client: Some(client("c1", 1)),
        metadata: [("kind".to_owned(), "\"quoted\"".to_owned())].into(),
        ..message(3)
    };

    let appended = place.archive.append(said.clone()).await.expect("stored");

    assert_eq!(appended, Appended::Stored);
    let place = place.reopen().await;
    let stored = place.settled(&session("s")).await.pop().expect("a message");
    assert_eq!(stored.id, said.id);
    assert_eq!((stored.seq, stored.last_seq), (Seq(3), Seq(3)));
    assert_eq!(stored.text, said.text);
    assert_eq!(stored.at, said.at);
    assert_eq!(stored.model, said.model);
    assert_eq!(stored.metadata, said.metadata);
    assert_eq!(stored.client_message_id, said.client.map(|client| client.id));
    assert_eq!((stored.ending, stored.tokens, stored.in_reply_to), (None, None, None));
}

#[tokio::test]
async fn the_first_message_makes_its_session() {
    let place = Place::new().await;
    let first = NewMessage { name: Some("A name".to_owned()), ..message(1) };
    let second = NewMessage {
        name: Some("Another".to_owned()),
        model: ModelId::parse("fast"),
        ..message(2)
    };

    place.archive.append(first).await.expect("stored");
    place.archive.append(second).await.expect("stored");

    let made = place.archive.session(&session("s")).await.expect("read").expect("a session");
    assert_eq!(made.owner, user("ada"));
    assert_eq!(made.name.as_deref(), Some("A name"));
    assert_eq!(made.model, ModelId::parse("fast"));
    assert_eq!((made.fence, made.epoch), (FREE, Epoch(1)));
    assert_eq!((made.head, made.reserved), (Seq(2), Seq(1_024)));
    assert_eq!((made.created, made.last_activity), (Instant(1_001), Instant(1_002)));
    assert_eq!(made.message_count, 2);
}

#[tokio::test]
async fn the_same_message_again_gets_the_first_ones_place() {
    let place = Place::new().await;
    let first = NewMessage { client: Some(client("c1", 1)), ..message(1) };
    place.archive.append(first).await.expect("stored");

    // In another session, under another id: the client may know no better.
    let again = NewMessage {
        session: session("elsewhere"),
        client: Some(client("c1", 1)),
        fence: Fence(7),
        ..message(2)
    };
    let appended = place.archive.append(again).await.expect("known");

    let known = Known {
        message_id: message_id("m1"),
        session: session("s"),
        seq: Seq(1),
        epoch: Epoch(1),
        digest: client("c1", 1).digest,
    };
    assert_eq!(appended, Appended::Already(known.clone()));
    assert_eq!(place.settled(&session("s")).await.len(), 1);
    assert_eq!(place.archive.session(&session("elsewhere")).await.expect("read"), None);
    let found =
        place.archive.find_client_message(&client("c1", 1), Instant(1_002)).await.expect("read");
    assert_eq!(found, Some(known));
}

#[tokio::test]
async fn a_used_id_with_another_body_is_a_conflict() {
    let place = Place::new().await;
    let first = NewMessage { client: Some(client("c1", 1)), ..message(1) };
    place.archive.append(first).await.expect("stored");

    let other = NewMessage { client: Some(client("c1", 2)), ..message(2) };
    let refused = place.archive.append(other).await;

    assert!(matches!(refused, Err(AppendError::Conflict)), "{refused:?}");
}

#[tokio::test]
async fn an_id_is_its_users_and_lasts_a_day() {
    let place = Place::new().await;
    let at = |at: u64, seq: u64, body: u8| NewMessage {
        at: Instant(at),
        client: Some(client("c1", body)),
        ..message(seq)
    };
    let day = IDEMPOTENCY_WINDOW_MS;
    assert_eq!(place.archive.append(at(5, 1, 1)).await.expect("stored"), Appended::Stored);

    let mut foreign = at(6, 2, 2);
    if let Some(client) = &mut foreign.client {
        client.user = user("bob");
    }
    assert_eq!(place.archive.append(foreign).await.expect("another's"), Appended::Stored);
    let last = place.archive.append(at(day + 4, 3, 1)).await.expect("known");
    assert!(matches!(last, Appended::Already(_)), "{last:?}");
    let next_day = place.archive.append(at(day + 5, 3, 2)).await.expect("stored");
    assert_eq!(next_day, Appended::Stored);
    let again = place.archive.append(at(day + 6, 4, 2)).await.expect("known");
    assert!(matches!(again, Appended::Already(known) if known.seq == Seq(3)));
}

#[tokio::test]
async fn a_refused_message_does_not_use_its_id_up() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");
    let fenced = NewMessage { fence: Fence(3), client: Some(client("c1", 1)), ..message(2) };
    assert!(place.archive.append(fenced).await.is_err());

    let found =
        place.archive.find_client_message(&client("c1", 1), Instant(2_000)).await.expect("read");
    let again = NewMessage { client: Some(client("c1", 2)), ..message(2) };

    assert_eq!(found, None);
    assert_eq!(place.archive.append(again).await.expect("stored"), Appended::Stored);
}

#[tokio::test]
async fn only_who_holds_the_fence_writes() {
    let place = Place::new().await;
    let refused = place.archive.append(NewMessage { fence: Fence(1), ..message(1) }).await;
    assert!(matches!(refused, Err(AppendError::Fenced)), "a new session's is zero: {refused:?}");
    place.archive.append(message(1)).await.expect("stored");

    let refused = place.archive.append(NewMessage { fence: Fence(1), ..message(2) }).await;

    assert!(matches!(refused, Err(AppendError::Fenced)), "{refused:?}");
    assert_eq!(place.settled(&session("s")).await.len(), 1);
}

#[tokio::test]
async fn a_session_is_its_owners() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");

    let refused = place.archive.append(NewMessage { owner: user("bob"), ..message(2) }).await;

    assert!(matches!(refused, Err(AppendError::NotOwner)), "{refused:?}");
}

#[tokio::test]
async fn a_taken_place_is_refused_and_changes_nothing() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");
    let before = place.archive.session(&session("s")).await.expect("read");

    let other = NewMessage { id: message_id("other"), client: Some(client("c", 1)), ..message(1) };
    let refused = place.archive.append(other).await;

    assert!(matches!(refused, Err(AppendError::Store(StoreError::Rejected { .. }))), "{refused:?}");
    assert_eq!(place.archive.session(&session("s")).await.expect("read"), before);
    let known = place.archive.find_client_message(&client("c", 1), Instant(2_000)).await;
    assert_eq!(known.expect("read"), None);
}

#[tokio::test]
async fn pages_go_back_from_the_newest() {
    let place = Place::new().await;
    for seq in 1..=5 {
        place.archive.append(message(seq * 10)).await.expect("stored");
    }
    let s = session("s");
    let page = async |before: Option<u64>, limit| {
        let page = place.archive.messages(&s, before.map(Seq), limit).await.expect("read");
        page.into_iter().map(|message| message.seq.0).collect::<Vec<_>>()
    };

    assert_eq!(page(None, 2).await, [40, 50]);
    assert_eq!(page(Some(40), 2).await, [20, 30]);
    assert_eq!(page(Some(20), 2).await, [10]);
    assert_eq!(page(Some(10), 2).await, [0; 0]);
    assert_eq!(page(Some(35), 100).await, [10, 20, 30]);
}

//! Conversations of another program: put in once, whatever happened to them here in between.

use proptest::prelude::*;
use sluice_archive::{Became, Conversation, Imported, Metadata, NewMessage, PastMessage};
use sluice_chat::id::{Epoch, Instant, ModelId, Seq, ShareToken};
use sluice_chat::turn::{Mode, Sender};

use crate::support::{FREE, Place, cases, message, message_id, session, user};

/// What Ada said in the session `s` of the other program, at those places.
fn conversation(places: impl IntoIterator<Item = u64>) -> Conversation {
    let said = |seq| PastMessage {
        id: message_id(format!("past{seq}")),
        seq: Seq(seq),
        sender: if seq % 2 == 0 { Sender::Ai } else { Sender::User },
        text: format!("past text {seq}"),
        at: Instant(100 + seq),
        in_reply_to: (seq % 2 == 0).then(|| message_id(format!("past{}", seq - 1))),
        metadata: Metadata::new(),
    };
    Conversation {
        id: session("s"),
        owner: user("ada"),
        name: Some("Zebras".to_owned()),
        model: None,
        mode: Mode::Bot,
        created: Instant(100),
        last_activity: Instant(200),
        ended: Some(Instant(300)),
        assisted: true,
        tokens: 40,
        average_ms: 1_500,
        slowest_ms: 2_000,
        share: None,
        messages: places.into_iter().map(said).collect(),
    }
}

async fn put(place: &Place, conversation: Conversation) -> Became {
    let Imported { became, too_large } = place.archive.import(conversation).await.expect("stored");
    assert_eq!(too_large, []);
    became
}

#[tokio::test]
async fn a_conversation_is_put_in_once_and_goes_on_behind_its_last_place() {
    let place = Place::new().await;

    assert_eq!(put(&place, conversation([1, 2, 4])).await, Became::New { added: 3 });
    assert_eq!(
        put(&place, conversation([1, 2, 4])).await,
        Became::Known { added: 0, displaced: 0 }
    );

    let place = place.reopen().await;
    let stored = place.archive.session(&session("s")).await.expect("read").expect("there");
    assert_eq!((stored.head, stored.epoch, stored.message_count), (Seq(4), Epoch(1), 3));
    assert_eq!((stored.ended, stored.assisted), (Some(Instant(300)), true));
    assert_eq!((stored.name.as_deref(), stored.tokens.output), (Some("Zebras"), 40));
    let texts: Vec<_> = place.settled(&session("s")).await.into_iter().map(|m| m.text).collect();
    assert_eq!(texts, ["past text 1", "past text 2", "past text 4"]);
    let taken = place.archive.take_session(&session("s"), Instant(9_000)).await.expect("written");
    assert_eq!(taken.map(|taken| taken.head), Some(Seq(4)), "it was left in order");
    place.archive.append(message(5)).await.expect("it goes on");
}

#[tokio::test]
async fn what_was_said_there_meanwhile_is_added_while_nothing_was_said_here() {
    let place = Place::new().await;
    put(&place, conversation([1, 2])).await;
    let longer = Conversation { ended: None, last_activity: Instant(250), ..conversation(1..=4) };

    assert_eq!(put(&place, longer).await, Became::Known { added: 2, displaced: 0 });

    let stored = place.archive.session(&session("s")).await.expect("read").expect("there");
    assert_eq!((stored.head, stored.message_count, stored.ended), (Seq(4), 4, None));
    assert_eq!(stored.last_activity, Instant(250));
}

/// As the other program has it a while later.
fn later() -> Conversation {
    Conversation {
        name: Some("Llamas".to_owned()),
        model: Some(ModelId::parse("big").expect("a model")),
        mode: Mode::Waiting,
        last_activity: Instant(270),
        ended: None,
        assisted: false,
        tokens: 50,
        average_ms: 1_000,
        slowest_ms: 3_000,
        share: Some(ShareToken::parse(&"5".repeat(32)).expect("a token")),
        ..conversation([1, 2])
    }
}

#[tokio::test]
async fn what_became_of_it_there_counts_as_long_as_nobody_was_served_here() {
    let there = later();
    for served in [false, true] {
        let place = Place::new().await;
        put(&place, conversation([1, 2])).await;
        if served {
            place.archive.serve().await.expect("written");
        }

        assert_eq!(put(&place, there.clone()).await, Became::Known { added: 0, displaced: 0 });

        let stored = place.archive.session(&session("s")).await.expect("read").expect("there");
        let here = if served { &conversation([1, 2]) } else { &there };
        assert_eq!(
            (&stored.name, &stored.model, stored.mode),
            (&here.name, &here.model, here.mode)
        );
        assert_eq!((stored.ended, stored.assisted), (here.ended, here.assisted));
        assert_eq!((stored.last_activity, stored.tokens.output), (here.last_activity, here.tokens));
        assert_eq!((stored.head, stored.message_count), (Seq(2), 2));
        let shared = there.share.as_ref().expect("shared there");
        let found = place.archive.shared_session(shared).await.expect("read");
        assert_eq!(found.is_some(), !served);
    }
}

#[tokio::test]
async fn what_was_said_here_keeps_its_place() {
    let place = Place::new().await;
    put(&place, conversation([1, 2])).await;
    place.archive.serve().await.expect("written");
    place.archive.append(message(3)).await.expect("said here");
    place.archive.set_name(&session("s"), FREE, "Of llamas").await.expect("renamed");

    assert_eq!(put(&place, conversation(1..=4)).await, Became::Known { added: 1, displaced: 1 });

    let texts: Vec<_> = place.settled(&session("s")).await.into_iter().map(|m| m.text).collect();
    assert_eq!(texts, ["past text 1", "past text 2", "text 3", "past text 4"]);
    let stored = place.archive.session(&session("s")).await.expect("read").expect("there");
    assert_eq!(stored.name.as_deref(), Some("Of llamas"), "as its owner left it");
}

#[tokio::test]
async fn what_was_deleted_here_stays_deleted_and_what_is_anothers_stays_theirs() {
    let place = Place::new().await;
    put(&place, conversation([1, 2])).await;
    place.archive.delete_session(&session("s"), FREE, Instant(400)).await.expect("deleted");
    assert_eq!(put(&place, conversation([1, 2, 3])).await, Became::Deleted);
    assert_eq!(place.settled(&session("s")).await, []);

    let theirs = NewMessage { session: session("t"), owner: user("grace"), ..message(1) };
    place.archive.append(theirs).await.expect("stored");
    let same_id = Conversation { id: session("t"), ..conversation([1, 2]) };
    assert_eq!(put(&place, same_id).await, Became::Foreign);
    assert_eq!(place.settled(&session("t")).await.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(32)))]

    /// However often and in whichever parts a conversation is put in, in the end each of its messages is there
    /// once, in order, and counted.
    #[test]
    fn parts_in_any_order_come_to_the_whole(
        parts in prop::collection::vec(prop::collection::btree_set(1_u64..12, 0..8), 1..5)
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let place = Place::new().await;
            for part in &parts {
                put(&place, conversation(part.iter().copied())).await;
            }
            let all: std::collections::BTreeSet<u64> = parts.into_iter().flatten().collect();
            let stored = place.settled(&session("s")).await;
            let places: Vec<_> = stored.iter().map(|message| message.seq.0).collect();
            prop_assert_eq!(&places, &all.iter().copied().collect::<Vec<_>>());
            let row = place.archive.session(&session("s")).await.expect("read").expect("there");
            prop_assert_eq!(row.message_count, places.len() as u64);
            prop_assert_eq!(row.head, Seq(places.last().copied().unwrap_or(0)));
            Ok(())
        })?;
    }
}

//! Answers: checkpoints, endings, totals.

use sluice_archive::{Answer, ChangeError, Outcome, StoreError};
use sluice_chat::answer::{Ending, Tokens};
use sluice_chat::id::{Fence, Instant, ModelId, Seq};

use crate::support::{Place, answer, ended, message, message_id, session};

#[tokio::test]
async fn a_checkpoint_shows_how_far_an_answer_got() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");

    place.archive.checkpoint(answer(2, "On"));
    place.archive.checkpoint(answer(2, "Once upon"));

    let stored = place.settled(&session("s")).await;
    assert_eq!(stored.len(), 2);
    assert_eq!(stored[1].text, "Once upon");
    assert_eq!((stored[1].seq, stored[1].last_seq), (Seq(2), Seq(11)));
    assert_eq!(stored[1].in_reply_to, Some(message_id("m1")));
    assert_eq!((stored[1].ending, stored[1].ended), (None, None));
}

#[tokio::test]
async fn a_finished_answer_is_whole_and_counted() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");
    place.archive.checkpoint(answer(2, "Once"));
    let whole = Answer {
        model: ModelId::parse("fast"),
        upstream_request_id: Some("r1".to_owned()),
        first_piece: Some(Instant(2_100)),
        ..answer(2, "Once upon")
    };

    place.archive.finish(whole, ended(Ending::Length, 5, 7)).await.expect("stored");
    place.archive.finish(answer(20, ""), ended(Ending::Error, 1, 0)).await.expect("stored");

    let place = place.reopen().await;
    let stored = place.settled(&session("s")).await;
    let (first, second) = (&stored[1], &stored[2]);
    assert_eq!((first.text.as_str(), first.ending), ("Once upon", Some(Ending::Length)));
    assert_eq!(first.tokens, Some(Tokens { input: 5, output: 7, estimated: false }));
    assert_eq!(first.model, ModelId::parse("fast"));
    assert_eq!(first.upstream_request_id.as_deref(), Some("r1"));
    assert_eq!(
        (first.at, first.first_piece, first.ended),
        (Instant(2_000), Some(Instant(2_100)), Some(Instant(3_000)))
    );
    assert_eq!((second.text.as_str(), second.ending), ("", Some(Ending::Error)));
    let totals = place.archive.session(&session("s")).await.expect("read").expect("a session");
    assert_eq!(totals.tokens, Tokens { input: 6, output: 7, estimated: false });
    assert_eq!(totals.message_count, 3);
    assert_eq!((totals.last_activity, totals.head), (Instant(3_000), Seq(20)));
}

#[tokio::test]
async fn a_guess_among_the_costs_marks_the_total() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");
    let guessed = Tokens { input: 1, output: 2, estimated: true };
    let outcome = Outcome { bill: Some(guessed.into()), ..ended(Ending::Stop, 0, 0) };

    place.archive.finish(answer(2, "a"), outcome).await.expect("stored");
    place.archive.finish(answer(4, "b"), ended(Ending::Stop, 1, 1)).await.expect("stored");
    let unknown = Outcome { bill: None, ..ended(Ending::Stop, 0, 0) };
    place.archive.finish(answer(6, "c"), unknown).await.expect("stored");

    let totals = place.archive.session(&session("s")).await.expect("read").expect("a session");
    assert_eq!(totals.tokens, Tokens { input: 2, output: 3, estimated: true });
    assert_eq!(place.settled(&session("s")).await[3].tokens, None);
}

#[tokio::test]
async fn an_answer_ends_once() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");
    place.archive.finish(answer(2, "whole"), ended(Ending::Stop, 1, 1)).await.expect("stored");

    place.archive.checkpoint(answer(2, "late"));
    place.archive.finish(answer(2, "again"), ended(Ending::Error, 1, 1)).await.expect("no change");

    let stored = place.settled(&session("s")).await;
    assert_eq!((stored[1].text.as_str(), stored[1].ending), ("whole", Some(Ending::Stop)));
    let totals = place.archive.session(&session("s")).await.expect("read").expect("a session");
    assert_eq!((totals.tokens.total(), totals.message_count), (2, 2));
}

#[tokio::test]
async fn only_who_holds_the_fence_answers() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");
    let stale = || Answer { fence: Fence(1), ..answer(2, "late") };

    place.archive.checkpoint(stale());
    let refused = place.archive.finish(stale(), ended(Ending::Stop, 1, 1)).await;

    assert!(matches!(refused, Err(ChangeError::Fenced)), "{refused:?}");
    place.archive.checkpoint(stale());
    assert_eq!(place.settled(&session("s")).await.len(), 1);
}

#[tokio::test]
async fn an_answer_needs_its_session() {
    let place = Place::new().await;

    let refused = place.archive.finish(answer(2, "lost"), ended(Ending::Stop, 1, 1)).await;

    assert!(matches!(refused, Err(ChangeError::Gone)), "{refused:?}");
}

#[tokio::test]
async fn an_answer_does_not_move_to_another_session() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");
    let mut elsewhere = message(9);
    elsewhere.session = session("elsewhere");
    place.archive.append(elsewhere).await.expect("stored");
    place.archive.checkpoint(answer(2, "here"));
    place.settled(&session("s")).await;

    let there = Answer { session: session("elsewhere"), ..answer(2, "there") };
    let refused = place.archive.finish(there, ended(Ending::Stop, 1, 1)).await;

    assert!(matches!(refused, Err(ChangeError::Store(StoreError::Rejected { .. }))), "{refused:?}");
}

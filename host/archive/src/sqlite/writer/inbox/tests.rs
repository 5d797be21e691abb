use futures_util::FutureExt as _;
use rusqlite::Connection;
use sluice_chat::id::{Fence, Instant, Seq, SessionId};

use super::*;
use crate::sqlite::writer::Write;

fn answer(id: usize, text: &str) -> Answer {
    let id = MessageId::parse(&format!("a{id}")).expect("an id");
    Answer {
        session: SessionId::parse("s").expect("an id"),
        fence: Fence(0),
        in_reply_to: id.clone(),
        id,
        first_seq: Seq(1),
        last_seq: Seq(1),
        model: None,
        text: text.to_owned(),
        upstream_request_id: None,
        started: Instant(0),
        first_piece: None,
    }
}

fn job() -> Box<dyn Job> {
    Box::new(Write::new(|_: &Connection| Ok::<(), StoreError>(())).0)
}

fn texts(batch: Option<Batch>) -> Vec<String> {
    batch.into_iter().flat_map(|batch| batch.checkpoints).map(|answer| answer.text).collect()
}

#[test]
fn the_newest_checkpoint_takes_the_place_of_the_older() {
    let inbox = Inbox::new();
    inbox.put_checkpoint(answer(1, "a"));
    inbox.put_checkpoint(answer(2, "b"));
    inbox.put_checkpoint(answer(1, "aa"));

    assert_eq!(texts(inbox.next()), ["aa", "b"]);
}

#[test]
fn a_forgotten_checkpoint_is_not_written() {
    let inbox = Inbox::new();
    inbox.put_checkpoint(answer(1, "a"));
    inbox.put_checkpoint(answer(2, "b"));
    inbox.forget_checkpoint(&answer(1, "").id);

    assert_eq!(texts(inbox.next()), ["b"]);
}

#[test]
fn checkpoints_get_in_however_much_else_there_is() {
    let inbox = Inbox::new();
    for id in 0..20 {
        inbox.put_checkpoint(answer(id, "a"));
        for _ in 0..5 {
            inbox.put(job()).now_or_never().expect("room").expect("open");
        }
    }

    let first = inbox.next().expect("work");
    let second = inbox.next().expect("work");

    assert_eq!((first.writes.len(), first.checkpoints.len()), (BATCH, CHECKPOINTS_AT_LEAST));
    assert_eq!((second.writes.len(), second.checkpoints.len()), (36, 12));
}

#[test]
fn who_finds_the_queue_full_waits_for_the_next_batch() {
    let inbox = Inbox::new();
    for _ in 0..QUEUE {
        inbox.put(job()).now_or_never().expect("room").expect("open");
    }
    let mut late = Box::pin(inbox.put(job()));
    assert!((&mut late).now_or_never().is_none());

    let taken = inbox.next().expect("work").writes.len();

    assert_eq!(taken, BATCH);
    assert!(late.now_or_never().is_some_and(|put| put.is_ok()));
}

#[test]
fn a_closed_inbox_gives_out_what_is_in_and_takes_nothing() {
    let inbox = Inbox::new();
    inbox.put(job()).now_or_never().expect("room").expect("open");
    inbox.put_checkpoint(answer(1, "a"));

    inbox.close();

    let refused = inbox.put(job()).now_or_never();
    assert!(matches!(refused, Some(Err(StoreError::Closed))));
    inbox.put_checkpoint(answer(2, "b"));
    let left = inbox.next().expect("what was in");
    assert_eq!((left.writes.len(), left.checkpoints.len()), (1, 1));
    assert!(inbox.next().is_none());
}

use proptest::prelude::*;
use sluice_chat::id::{Fence, Instant, Seq, SessionId};

use super::*;

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

#[test]
fn checkpoints_beyond_the_bounds_are_dropped() {
    let mut waiting = Checkpoints::default();
    for id in 0..=ANSWERS {
        waiting.put(answer(id, "a"));
    }
    waiting.put(answer(0, "known answers get through"));
    assert_eq!(waiting.newest.len(), ANSWERS);
    assert!(!waiting.newest.contains_key(&answer(ANSWERS, "").id));

    let mut waiting = Checkpoints::default();
    let half = "a".repeat(BYTES / 2);
    waiting.put(answer(1, &half));
    waiting.put(answer(2, &half));
    waiting.put(answer(3, "a"));
    assert_eq!(waiting.newest.len(), 2);
    assert_eq!(waiting.bytes, BYTES);
    waiting.put(answer(2, "shorter"));
    waiting.put(answer(3, "a"));
    assert_eq!(waiting.newest.len(), 3);
}

proptest! {
    /// Whatever comes and goes, the count of bytes and the order agree with what waits.
    #[test]
    fn the_books_balance(steps in prop::collection::vec((0..4_u8, 0..5_usize, 0..9_usize), 0..60)) {
        let mut waiting = Checkpoints::default();
        for (kind, id, length) in steps {
            match kind {
                0 | 1 => waiting.put(answer(id, &"a".repeat(length))),
                2 => waiting.forget(&answer(id, "").id),
                _ => drop(waiting.take(length % 3)),
            }
            let bytes: usize = waiting.newest.values().map(|answer| answer.text.len()).sum();
            prop_assert_eq!(waiting.bytes, bytes);
            prop_assert_eq!(waiting.order.len(), waiting.newest.len());
            prop_assert!(waiting.order.iter().all(|id| waiting.newest.contains_key(id)));
        }
    }
}

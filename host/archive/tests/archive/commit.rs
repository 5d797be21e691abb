//! Many writers at once.

use std::time::Instant as Clock;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use sluice_archive::{Appended, NewMessage};

use crate::support::{Place, message, message_id, session};

/// Ids and places of the `n`th message of one of 50 sessions.
fn spread(n: u64) -> NewMessage {
    let (of, seq) = (n % 50, n / 50 + 1);
    NewMessage {
        session: session(&format!("s{of}")),
        id: message_id(format!("m{n}")),
        ..message(seq)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_messages_at_once_are_all_stored() {
    let place = Place::new().await;
    let alone = Clock::now();
    for n in 0..100 {
        place.archive.append(spread(n)).await.expect("stored");
    }
    let alone = 100.0 / alone.elapsed().as_secs_f64();

    let together = Clock::now();
    let writes = futures_util::stream::iter((100..2_100).map(|n| place.archive.append(spread(n))));
    let appended: Vec<_> = writes.buffer_unordered(64).collect().await;
    let together = 2_000.0 / together.elapsed().as_secs_f64();

    println!("{alone:.0} messages/s one after another, {together:.0} messages/s at once");
    assert!(appended.iter().all(|stored| matches!(stored, Ok(Appended::Stored))));
    let place = place.reopen().await;
    for of in 0..50 {
        let stored = place.settled(&session(&format!("s{of}"))).await;
        let places: Vec<_> = stored.iter().map(|message| message.seq.0).collect();
        assert_eq!(places, (1..=42).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_retries_at_once_one_is_stored() {
    let place = Place::new().await;
    let retries = (1..=200).map(|seq| {
        let client = Some(crate::support::client("c1", 1));
        place.archive.append(NewMessage { client, ..message(seq) })
    });

    let appended = join_all(retries).await;

    let stored = appended.iter().filter(|retry| matches!(retry, Ok(Appended::Stored))).count();
    let known = appended.iter().filter(|retry| matches!(retry, Ok(Appended::Already(_)))).count();
    assert_eq!((stored, known), (1, 199));
    assert_eq!(place.settled(&session("s")).await.len(), 1);
}

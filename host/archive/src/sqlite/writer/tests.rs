//! Disks that fail, as far as a database can be made to believe it.

use rusqlite::Connection;
use sluice_chat::id::{Epoch, Fence, Instant, MessageId, Seq, SessionId, UserId};
use sluice_chat::turn::Sender;
use tempfile::TempDir;

use crate::sqlite::Sqlite;
use crate::{AppendError, ChangeError, Metadata, NewMessage, StoreError};

fn opened() -> (Sqlite, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    (Sqlite::open(&folder.path().join("chat.db")).expect("an archive"), folder)
}

fn session() -> SessionId {
    SessionId::parse("s").expect("an id")
}

fn message(seq: u64, bytes: usize) -> NewMessage {
    NewMessage {
        session: session(),
        owner: UserId::parse("ada").expect("an id"),
        fence: Fence(0),
        epoch: Epoch(1),
        reserve_to: Seq(1_024),
        model: None,
        name: None,
        seq: Seq(seq),
        id: MessageId::parse(&format!("m{seq}")).expect("an id"),
        sender: Sender::User,
        text: "a".repeat(bytes),
        at: Instant(1_000),
        client: None,
        metadata: Metadata::new(),
    }
}

/// Does something to the writing connection.
async fn meddle(archive: &Sqlite, sql: &'static str) {
    let meddled: Result<(), StoreError> =
        archive.write(move |connection| Ok(connection.execute_batch(sql)?)).await;
    meddled.expect("meddled");
}

async fn places(archive: &Sqlite) -> Vec<u64> {
    let stored = archive.messages(&session(), None, usize::MAX).await.expect("readable");
    stored.into_iter().map(|message| message.seq.0).collect()
}

fn is_retryable(refused: &Result<crate::Appended, AppendError>) -> bool {
    matches!(refused, Err(AppendError::Store(error)) if error.is_retryable())
}

#[tokio::test]
async fn a_full_disk_refuses_and_what_was_acknowledged_stays() {
    let (archive, _folder) = opened();
    meddle(&archive, "PRAGMA max_page_count = 60").await;

    let mut acknowledged = Vec::new();
    let refused = loop {
        let seq = acknowledged.len() as u64 + 1;
        match archive.append(message(seq, 20_000)).await {
            Ok(_) => acknowledged.push(seq),
            refused => break refused,
        }
    };

    assert!(is_retryable(&refused), "{refused:?}");
    assert!(!acknowledged.is_empty());
    assert_eq!(places(&archive).await, acknowledged);
    // The limit belongs to the connection, and that was given up with its transaction.
    meddle(&archive, "PRAGMA max_page_count = 60").await;
    let again = archive.append(message(900, 200_000)).await;
    assert!(is_retryable(&again), "{again:?}");
    archive.append(message(901, 20_000)).await.expect("there is room again");
    acknowledged.push(901);
    assert_eq!(places(&archive).await, acknowledged);
}

#[tokio::test]
async fn a_full_disk_refuses_only_what_does_not_fit() {
    let (archive, _folder) = opened();
    archive.append(message(1, 10)).await.expect("stored");
    meddle(&archive, "PRAGMA max_page_count = 40").await;

    // One commit: the second is undone alone.
    let (small, large, other) = tokio::join!(
        archive.append(message(2, 10)),
        archive.append(message(3, 1_000_000)),
        archive.append(message(4, 10)),
    );

    assert!(is_retryable(&large), "{large:?}");
    let stored: Vec<u64> = [(2, small), (4, other)]
        .into_iter()
        .filter_map(|(seq, appended)| appended.is_ok().then_some(seq))
        .collect();
    assert_eq!(places(&archive).await, [vec![1], stored].concat());
}

#[tokio::test]
async fn a_read_only_disk_refuses_and_recovers() {
    let (archive, _folder) = opened();
    archive.append(message(1, 10)).await.expect("stored");
    meddle(&archive, "PRAGMA query_only = 1").await;

    let refused = archive.append(message(2, 10)).await;
    let pinged = archive.ping().await;

    assert!(is_retryable(&refused), "{refused:?}");
    assert!(pinged.is_err_and(|error| error.is_retryable()));
    assert_eq!(places(&archive).await, [1]);
    meddle(&archive, "PRAGMA query_only = 0").await;
    archive.append(message(2, 10)).await.expect("stored");
    archive.ping().await.expect("written");
}

#[tokio::test]
async fn a_transaction_the_database_gave_up_acknowledges_nothing() {
    let (archive, _folder) = opened();
    archive.append(message(1, 10)).await.expect("stored");
    let given_up = |connection: &Connection| -> Result<(), ChangeError> {
        connection.execute_batch("ROLLBACK")?;
        Err(ChangeError::Gone)
    };

    // One commit: the first was written before it all came undone.
    let (before, failing, after) = tokio::join!(
        archive.append(message(2, 10)),
        archive.write(given_up),
        archive.append(message(3, 10)),
    );

    assert!(matches!(failing, Err(ChangeError::Store(error)) if error.is_retryable()));
    let acknowledged: Vec<u64> = [(2, before), (3, after)]
        .into_iter()
        .filter_map(|(seq, appended)| appended.is_ok().then_some(seq))
        .collect();
    assert_eq!(places(&archive).await, [vec![1], acknowledged].concat());
    archive.append(message(9, 10)).await.expect("a new connection writes on");
}

#[tokio::test]
async fn a_panic_while_writing_closes_the_archive() {
    let (archive, _folder) = opened();

    let lost: Result<(), StoreError> = archive.write(|_| panic!("a defect, for this test")).await;

    assert!(matches!(lost, Err(StoreError::Closed)), "{lost:?}");
    let refused = archive.append(message(1, 10)).await;
    assert!(matches!(refused, Err(AppendError::Store(StoreError::Closed))), "{refused:?}");
    // By this the process knows that it is of no more use.
    archive.stopped().await;
    archive.close().await;
}

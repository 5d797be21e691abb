//! Copies of an archive that is being written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use sluice_archive::{Answer, Archive, BackupError, NewMessage, backup};
use sluice_chat::answer::Ending;
use sluice_chat::id::{Epoch, Instant, Seq, SessionId};
use sluice_chat::turn::Sender;

use crate::support::{Place, answer, ended, message, message_id, session};

/// Backups of the test; ten times as many with `SLUICE_TESTS=all`.
const BACKUPS: usize = 10;
/// Sessions written at the same time.
const WRITERS: u64 = 8;

fn backups() -> usize {
    let all = std::env::var_os("SLUICE_TESTS").is_some_and(|tests| tests == "all");
    if all { BACKUPS * 10 } else { BACKUPS }
}

fn session_of(writer: u64) -> SessionId {
    session(&format!("s{writer}"))
}

/// Asks and is answered in one session until told to stop, noting the last place that was stored.
async fn write(archive: &Archive, writer: u64, stored: &Mutex<BTreeMap<u64, u64>>, stop: &Path) {
    let mut seq = 0;
    while !stop.exists() {
        let said = NewMessage {
            session: session_of(writer),
            id: message_id(format!("m{writer}-{}", seq + 1)),
            reserve_to: Seq(u64::from(u32::MAX)),
            ..message(seq + 1)
        };
        let said_id = said.id.clone();
        archive.append(said).await.expect("stored");
        let said_back = Answer {
            session: session_of(writer),
            id: message_id(format!("a{writer}-{}", seq + 2)),
            in_reply_to: said_id,
            last_seq: Seq(seq + 2),
            ..answer(seq + 2, &"word ".repeat(50))
        };
        archive.begin(said_back.clone()).await.expect("begun");
        archive.finish(said_back, ended(Ending::Stop, 1, 1)).await.expect("ended");
        seq += 2;
        stored.lock().expect("not poisoned").insert(writer, seq);
    }
}

/// Opens a copy as a gateway would, and looks whether what it holds could have been all there was.
async fn assert_prefix(copy: &Path, acknowledged: &BTreeMap<u64, u64>) {
    let archive = Archive::open(copy).expect("a copy opens");
    for writer in 0..WRITERS {
        let least = acknowledged.get(&writer).copied().unwrap_or(0);
        let Some(head) = archive.session(&session_of(writer)).await.expect("read") else {
            assert_eq!(least, 0, "session {writer} was there when the backup began");
            continue;
        };
        let mut before = None;
        let mut expected = None;
        loop {
            let page = archive.messages(&session_of(writer), before, 500).await.expect("read");
            let Some(first) = page.first() else { break };
            before = Some(first.seq);
            for message in page.iter().rev() {
                let seq = message.seq.0;
                match expected {
                    None => assert!(seq >= least, "{writer}: ends with {seq}, {least} was stored"),
                    Some(expected) => assert_eq!(seq, expected, "{writer}: a hole"),
                }
                let asks = message.sender == Sender::User;
                assert_eq!(asks, seq % 2 == 1, "{writer}: questions and answers take turns");
                expected = Some(seq - 1);
            }
        }
        assert_eq!(expected.unwrap_or(0), 0, "{writer}: begins at the beginning");
        assert!(head.message_count >= least, "{writer}: the row knows of its messages");
    }
    archive.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_backup_under_load_opens_and_is_a_causal_prefix() {
    let place = Place::in_a_file();
    let folder = tempfile::tempdir().expect("a folder");
    let stop = folder.path().join("stop");
    let stored = Mutex::new(BTreeMap::new());
    let writers = (0..WRITERS).map(|writer| write(&place.archive, writer, &stored, &stop));
    let load = futures_util::future::join_all(writers);
    let copies = async {
        for number in 0..backups() {
            let acknowledged = stored.lock().expect("not poisoned").clone();
            let (from, to) = (place.path(), folder.path().join(format!("{number}.db")));
            let copy = to.clone();
            let done = tokio::task::spawn_blocking(move || backup(&from, &copy)).await;
            let held = done.expect("no panic").expect("a copy");
            assert!(held.messages >= acknowledged.values().sum(), "{held:?} {acknowledged:?}");
            assert_prefix(&to, &acknowledged).await;
            std::fs::remove_file(&to).expect("removed");
        }
        std::fs::write(&stop, "").expect("told");
    };
    tokio::join!(load, copies);
    place.archive.close().await;
}

#[tokio::test]
async fn a_session_that_nobody_used_when_it_was_copied_goes_on_in_a_new_epoch_in_the_copy() {
    let place = Place::in_a_file();
    place.archive.append(message(1)).await.expect("stored");
    let s = message(1).session;
    let fence = message(1).fence;
    place.archive.leave_session(&s, fence, Seq(1)).await.expect("left");
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("copy.db");

    backup(&place.path(), &to).expect("a copy");

    let copy = Archive::open(&to).expect("a copy opens");
    let restored = copy.take_session(&s, Instant(9_000)).await.expect("read").expect("its row");
    let here =
        place.archive.take_session(&s, Instant(9_000)).await.expect("read").expect("its row");
    assert_eq!(here.epoch, Epoch(1), "nothing was lost here");
    assert_eq!(restored.epoch, Epoch(2), "whatever followed here is lost there");
    copy.close().await;
}

#[tokio::test]
async fn a_backup_is_for_its_owner_overwrites_nothing_and_leaves_no_rest() {
    let place = Place::in_a_file();
    place.archive.append(message(1)).await.expect("stored");
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("copy.db");
    std::fs::write(folder.path().join("copy.db.part"), "cut off").expect("a leftover");

    let held = backup(&place.path(), &to).expect("a copy");

    assert_eq!((held.sessions, held.messages), (1, 1));
    assert_eq!(held.bytes, std::fs::metadata(&to).expect("there").len());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&to).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let before = std::fs::read(&to).expect("read");
    assert!(matches!(backup(&place.path(), &to), Err(BackupError::Exists(_))));
    assert_eq!(std::fs::read(&to).expect("read"), before);
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn what_is_no_archive_is_not_backed_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("from.db"), folder.path().join("to.db"));
    assert!(matches!(backup(&from, &to), Err(BackupError::NotAnArchive(_))));
    std::fs::write(&from, "").expect("written");
    assert!(matches!(backup(&from, &to), Err(BackupError::NotAnArchive(_))));
    std::fs::write(&from, "some text that is no database".repeat(100)).expect("written");
    assert!(matches!(backup(&from, &to), Err(BackupError::Copy { .. })));
    assert!(!to.exists());
}

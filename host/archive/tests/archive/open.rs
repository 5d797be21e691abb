//! Opening, closing, and files that are not ours.

use std::fs;

use sluice_archive::{AppendError, Archive, OpenError, StoreError};
use sluice_chat::id::Instant;

use crate::support::{Place, message, session};

#[tokio::test]
async fn only_one_may_have_it_open() {
    let place = Place::in_a_file();

    let second = Archive::open(&place.path());

    assert!(matches!(second, Err(OpenError::InUse { .. })), "{second:?}");
    place.archive.append(message(1)).await.expect("the first goes on");
    place.reopen().await;
}

#[cfg(unix)]
#[tokio::test]
async fn files_and_folders_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new").join("deep").join("chat.db");
    let archive = Archive::open(&path).expect("an archive");
    archive.append(message(1)).await.expect("stored");

    let mode =
        |path: &std::path::Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    for made in [folder.path().join("new"), folder.path().join("new").join("deep")] {
        assert_eq!(mode(&made), 0o700);
    }
    let files = fs::read_dir(path.parent().expect("a folder")).expect("a folder");
    let modes: Vec<_> = files.map(|file| mode(&file.expect("a file").path())).collect();
    assert!(modes.len() >= 3 && modes.iter().all(|mode| *mode == 0o600), "{modes:?}");
}

#[tokio::test]
async fn after_closing_nothing_is_taken() {
    let place = Place::in_a_file();
    place.archive.append(message(1)).await.expect("stored");
    let other = place.archive.clone();

    place.archive.close().await;
    other.close().await;

    let refused = other.append(message(2)).await;
    assert!(matches!(refused, Err(AppendError::Store(StoreError::Closed))), "{refused:?}");
    let refused = other.session(&session("s")).await;
    assert!(matches!(refused, Err(StoreError::Closed)), "{refused:?}");
    assert!(matches!(other.ping().await, Err(StoreError::Closed)));
}

#[tokio::test]
async fn what_was_asked_for_before_closing_is_done() {
    let place = Place::in_a_file();
    let appends: Vec<_> = (1..=300).map(|seq| place.archive.append(message(seq))).collect();

    let (stored, ()) = tokio::join!(futures_util::future::join_all(appends), place.archive.close());

    let acknowledged = stored.iter().filter(|append| append.is_ok()).count();
    let archive = Archive::open(&place.path()).expect("an archive");
    let found = archive.messages(&session("s"), None, 1_000).await.expect("read").len();
    assert!(acknowledged > 0);
    assert_eq!(found, acknowledged);
}

#[tokio::test]
async fn dropping_the_last_handle_lets_go_of_the_file() {
    let place = Place::in_a_file();
    let handle = place.archive.clone();
    place.archive.append(message(1)).await.expect("stored");
    let (path, _folder) = (place.path(), place.kept);

    drop(place.archive);
    drop(handle);

    let archive = Archive::open(&path).expect("free again");
    assert!(archive.session(&session("s")).await.expect("read").is_some());
}

#[test]
fn a_file_that_is_something_else_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notes.txt");
    let text = "these are my notes, ".repeat(200);
    fs::write(&path, &text).expect("written");

    let refused = Archive::open(&path);

    assert!(matches!(refused, Err(OpenError::NotAnArchive { .. })), "{refused:?}");
    assert_eq!(fs::read_to_string(&path).expect("there"), text);
}

#[test]
fn a_folder_is_no_archive() {
    let folder = tempfile::tempdir().expect("a folder");

    let refused = Archive::open(folder.path());

    assert!(matches!(refused, Err(OpenError::Unavailable { .. })), "{refused:?}");
}

#[tokio::test]
async fn numbers_beyond_bounds_are_refused_and_not_bent() {
    let place = Place::in_a_file();
    let mut beyond = message(1);
    beyond.at = Instant(u64::MAX);

    let refused = place.archive.append(beyond).await;

    assert!(matches!(refused, Err(AppendError::Store(StoreError::Rejected { .. }))), "{refused:?}");
    place.archive.append(message(1)).await.expect("the next one is fine");
}

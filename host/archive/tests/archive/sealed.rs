//! What an archive with a key keeps, and what one without it can read.

use sluice_archive::{AppendError, Appended, Archive, Key, Keys, KeysError, Metadata, NewMessage};
use sluice_chat::answer::Ending;
use sluice_chat::id::Instant;

use crate::support::{FREE, Place, answer, client, ended, message, session, user};

const OLD: &str = "hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const NEW: &str = "another key of 32 characters, ok";

fn key(text: &str) -> Key {
    Key::parse(text).expect("a key").0
}

fn keys(current: Option<&str>, previous: &[&str]) -> Keys {
    let previous = previous.iter().map(|text| key(text)).collect();
    Keys { current: current.map(key), previous }
}

/// The archive under other keys, as after a restart.
async fn under(place: Place, keys: Keys) -> Place {
    let Place { archive, kept } = place.reopen().await;
    let archive = archive.with_keys(keys).await.expect("the right keys");
    Place { archive, kept }
}

/// A name, a text, metadata and an answer, each with a word of its own.
async fn say_all(archive: &Archive) {
    let metadata: Metadata = [("colour".to_owned(), "magenta".to_owned())].into();
    let name = Some("About alpacas".to_owned());
    let said = NewMessage { name, metadata, text: "Is it a zebra?".to_owned(), ..message(1) };
    archive.append(said).await.expect("stored");
    archive.begin(answer(2, "")).await.expect("begun");
    archive.checkpoint(answer(2, "An okapi"));
    archive.ping().await.expect("written");
    archive.finish(answer(2, "An okapi."), ended(Ending::Stop, 1, 2)).await.expect("ended");
}

const WORDS: [&str; 5] = ["alpacas", "colour", "magenta", "zebra", "okapi"];

async fn assert_all_is_there(archive: &Archive) {
    let stored = archive.session(&session("s")).await.expect("read").expect("there");
    assert_eq!(stored.name.as_deref(), Some("About alpacas"));
    let messages = archive.messages(&session("s"), None, 10).await.expect("read");
    let texts: Vec<_> = messages.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["Is it a zebra?", "An okapi."]);
    assert_eq!(messages[0].metadata["colour"], "magenta");
    let last = archive.last_user_message(&session("s")).await.expect("read").expect("there");
    assert_eq!(last.text, "Is it a zebra?");
}

/// Which of the words stand readable in the files.
fn readable(place: &Place) -> Vec<&'static str> {
    let files = std::fs::read_dir(place.path().parent().expect("a folder")).expect("a folder");
    let bytes: Vec<u8> = files
        .flat_map(|file| std::fs::read(file.expect("a file").path()).expect("readable"))
        .collect();
    let holds = |word: &&str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
    WORDS.into_iter().filter(holds).collect()
}

#[tokio::test]
async fn nothing_that_was_said_stands_readable_in_the_files() {
    let place = under(Place::in_a_file(), keys(Some(NEW), &[])).await;
    say_all(&place.archive).await;

    assert_all_is_there(&place.archive).await;
    assert_eq!(readable(&place), [] as [&str; 0]);

    let plain = Place::in_a_file();
    say_all(&plain.archive).await;
    assert_eq!(readable(&plain), WORDS, "without a key it does");
}

#[tokio::test]
async fn an_archive_is_not_opened_without_its_key() {
    let place = under(Place::new().await, keys(Some(OLD), &[])).await;
    say_all(&place.archive).await;
    let place = place.reopen().await;

    for wrong in [keys(None, &[]), keys(Some(NEW), &[])] {
        let refused = place.archive.clone().with_keys(wrong).await;
        let Err(KeysError::Missing(missing)) = refused else {
            unreachable!("opened with the wrong keys");
        };
        assert_eq!(missing, [key(OLD).id().clone()]);
    }
    assert!(place.archive.messages(&session("s"), None, 10).await.is_err(), "never ciphertext");
    let place = under(place, keys(Some(NEW), &[OLD])).await;
    assert_all_is_there(&place.archive).await;
}

#[tokio::test]
async fn an_archive_that_was_plain_gets_a_key() {
    let place = Place::in_a_file();
    say_all(&place.archive).await;
    let place = under(place, keys(Some(NEW), &[])).await;
    assert_all_is_there(&place.archive).await;

    place
        .archive
        .append(NewMessage { text: "A quagga".into(), ..message(20) })
        .await
        .expect("stored");
    place.archive.set_name(&session("s"), FREE, "Of llamas").await.expect("renamed");

    let stored = place.archive.session(&session("s")).await.expect("read").expect("there");
    assert_eq!(stored.name.as_deref(), Some("Of llamas"));
    let bytes = std::fs::read(place.path().with_extension("db-wal")).expect("a log");
    for word in ["quagga", "llamas"] {
        assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word}");
    }
}

#[tokio::test]
async fn resealing_leaves_nothing_under_the_old_key_and_nothing_readable() {
    let place = Place::in_a_file();
    say_all(&place.archive).await;
    let place = under(place, keys(Some(OLD), &[])).await;
    let mut steps = Vec::new();

    let done = place.archive.reseal(|so_far| steps.push(so_far)).await.expect("resealed");

    assert_eq!((done.total, done.looked_at, done.changed, done.unreadable), (3, 3, 3, 0));
    assert!(done.compacted);
    assert_eq!(steps.last(), Some(&done));
    assert_all_is_there(&place.archive).await;
    let place = under(place, keys(Some(NEW), &[OLD])).await;
    assert_eq!(readable(&place), [] as [&str; 0]);

    assert_eq!(place.archive.reseal(drop).await.expect("resealed").changed, 3);
    assert_eq!(place.archive.reseal(drop).await.expect("resealed").changed, 0, "all is done");

    let place = under(place, keys(Some(NEW), &[])).await;
    assert_all_is_there(&place.archive).await;

    let place = under(place, keys(None, &[NEW])).await;
    assert_eq!(place.archive.reseal(drop).await.expect("resealed").changed, 3);
    let place = under(place, keys(None, &[])).await;
    assert_all_is_there(&place.archive).await;
}

#[tokio::test]
async fn a_retry_is_known_again_when_the_key_was_changed_meanwhile() {
    let place = Place::new().await;
    let said = |seq, id, body| NewMessage { client: Some(client(id, body)), ..message(seq) };
    place.archive.append(said(1, "plain", 1)).await.expect("stored");
    let place = under(place, keys(Some(OLD), &[])).await;
    place.archive.append(said(2, "old", 2)).await.expect("stored");
    let place = under(place, keys(Some(NEW), &[OLD])).await;
    place.archive.append(said(3, "new", 3)).await.expect("stored");

    for (id, body) in [("plain", 1), ("old", 2), ("new", 3)] {
        let again = place.archive.append(said(9, id, body)).await.expect("known");
        assert!(matches!(&again, Appended::Already(known) if known.seq.0 == u64::from(body)));
        let found = place.archive.find_client_message(&client(id, body), Instant(2_000)).await;
        assert_eq!(found.expect("known").map(|known| known.seq.0), Some(body.into()));
        let other = place.archive.append(said(9, id, 7)).await;
        assert!(matches!(other, Err(AppendError::Conflict)), "{other:?}");
        let other = place.archive.find_client_message(&client(id, 7), Instant(2_000)).await;
        assert!(matches!(other, Err(AppendError::Conflict)), "{other:?}");
    }
}

#[tokio::test]
async fn names_are_searched_though_they_are_sealed() {
    let place = under(Place::new().await, keys(Some(NEW), &[])).await;
    say_all(&place.archive).await;

    for (wanted, found) in [("ALPACA", 1), ("zebra", 0)] {
        let page = place.archive.sessions_of(&user("ada"), 10, None, Some(wanted)).await;
        assert_eq!(page.expect("read").sessions.len(), found, "{wanted}");
    }
}

#[tokio::test]
async fn a_page_too_long_to_open_at_once_is_opened_too() {
    let place = under(Place::new().await, keys(Some(NEW), &[])).await;
    let long = "word ".repeat(20_000);
    place.archive.append(NewMessage { text: long.clone(), ..message(1) }).await.expect("stored");

    let messages = place.archive.messages(&session("s"), None, 10).await.expect("read");

    assert_eq!(messages[0].text, long);
    assert_eq!(messages[0].at, Instant(1_001));
}

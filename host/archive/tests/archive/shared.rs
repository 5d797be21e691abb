//! Sessions that their owner lets others read, and sessions that are too old to keep.

use futures_util::future::join_all;
use sluice_archive::{ChangeError, NewMessage};
use sluice_chat::id::{Instant, ShareToken};

use crate::support::{FREE, Place, message, message_id, session, user};

fn token(text: &str) -> ShareToken {
    ShareToken::parse(text).expect("a token")
}

#[tokio::test]
async fn shares_at_the_same_time_give_one_token() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");
    let tokens: Vec<_> = (0..16).map(|n| token(&format!("t{n}"))).collect();
    let id = session("s");

    let shares = tokens.iter().map(|token| place.archive.share_session(&id, token));
    let given: Vec<_> = join_all(shares).await;

    let first = given[0].as_ref().expect("shared").clone();
    for one in given {
        assert_eq!(one.expect("shared"), first);
    }
    let found = place.archive.shared_session(&first).await.expect("read").expect("there");
    assert_eq!(found.id, id);
    assert_eq!(found.share, Some(first));
    assert_eq!(place.archive.shared_session(&token("t99")).await.expect("read"), None);
}

#[tokio::test]
async fn a_token_is_worth_nothing_once_it_was_taken_back_or_its_session_deleted() {
    let place = Place::new().await;
    place.archive.append(message(1)).await.expect("stored");
    let id = session("s");
    place.archive.share_session(&id, &token("one")).await.expect("shared");
    place.archive.unshare_session(&id).await.expect("unshared");
    place.archive.unshare_session(&id).await.expect("again does nothing");
    assert_eq!(place.archive.shared_session(&token("one")).await.expect("read"), None);

    let given = place.archive.share_session(&id, &token("two")).await.expect("shared");
    assert_eq!(given, token("two"), "another one");
    place.archive.delete_session(&id, FREE, Instant(5_000)).await.expect("deleted");

    assert_eq!(place.archive.shared_session(&token("two")).await.expect("read"), None);
    let refused = place.archive.share_session(&id, &token("three")).await;
    assert!(matches!(refused, Err(ChangeError::Gone)), "{refused:?}");
    let refused = place.archive.unshare_session(&session("none")).await;
    assert!(matches!(refused, Err(ChangeError::Gone)), "{refused:?}");
}

#[tokio::test]
async fn a_sweep_deletes_what_was_quiet_and_nothing_else() {
    let place = Place::new().await;
    for number in 0..10 {
        let said = NewMessage {
            session: session(&format!("s{number}")),
            id: message_id(format!("m{number}")),
            at: Instant(1_000 * number),
            ..message(1)
        };
        place.archive.append(said).await.expect("stored");
    }
    let mut deleted = Vec::new();
    let mut mark = None;
    loop {
        let swept = place.archive.sweep_quiet(mark, Instant(5_000), Instant(20_000), 3).await;
        let swept = swept.expect("swept");
        assert!(swept.deleted.len() <= 3);
        deleted.extend(swept.deleted);
        mark = swept.next;
        if mark.is_none() {
            break;
        }
    }

    deleted.sort();
    let expected: Vec<_> = (0..5).map(|n| (session(&format!("s{n}")), user("ada"))).collect();
    assert_eq!(deleted, expected);
    let left = place.archive.sessions_of(&user("ada"), 100, None, None).await.expect("read");
    assert_eq!(left.sessions.len(), 5);
    assert_eq!(place.archive.messages(&session("s0"), None, 9).await.expect("read"), []);
    let again = place.archive.sweep_quiet(None, Instant(5_000), Instant(20_000), 100).await;
    assert_eq!(again.expect("swept").deleted, [], "nothing is deleted twice");
}

//! Another answer to the same message.

use serde_json::json;
use sluice_tests::{FakeProvider, Script, Setup, kind};

#[tokio::test]
async fn regenerate_adds_a_new_answer_to_the_same_message() {
    let provider = FakeProvider::playing(Script::saying(&["Heads."])).await;
    provider.then(Script::saying(&["Tails."]));
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    let first = alice.ask("Toss a coin").await;

    alice.send(&json!({ "type": "regenerate", "session_id": alice.session() })).await;
    let second = alice.answer().await;

    assert_eq!(second.text, "Tails.");
    assert_eq!(second.in_reply_to, first.in_reply_to);
    assert_ne!(second.message_id, first.message_id);
    assert_eq!(provider.request(2).await.prompt(), [("user", "Toss a coin")]);
}

#[tokio::test]
async fn regenerate_is_the_way_on_after_a_failure() {
    let provider = FakeProvider::playing(Script::cut(&["Hea"])).await;
    provider.then(Script::saying(&["Heads."]));
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.say("Toss a coin").await;
    alice.next_of("error").await;

    alice.send(&json!({ "type": "regenerate", "session_id": alice.session() })).await;
    let answer = alice.answer().await;

    assert_eq!((answer.text.as_str(), answer.finish_reason.as_str()), ("Heads.", "stop"));
    assert_eq!(provider.request(2).await.prompt(), [("user", "Toss a coin")]);
}

#[tokio::test]
async fn regenerating_where_nothing_was_said_is_refused() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;

    alice.send(&json!({ "type": "regenerate", "session_id": "nothing-here" })).await;
    let error = alice.next_frame().await;

    assert_eq!(kind(&error), "error", "{error}");
    assert!(alice.settled().await.is_empty());
    assert_eq!(provider.count(), 0);
}

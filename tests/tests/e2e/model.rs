//! Which model answers.

use serde_json::json;
use sluice_tests::{Client, FakeProvider, Gateway, Script, Setup};

async fn two_models() -> (FakeProvider, FakeProvider, Gateway) {
    let (one, two) = (FakeProvider::start().await, FakeProvider::start().await);
    one.always(Script::saying(&["I am one."]));
    two.always(Script::saying(&["I am two."]));
    let gateway = Setup::new().and("one", &one).and("two", &two).start().await;
    (one, two, gateway)
}

async fn ask_model(alice: &mut Client, model: &str) -> String {
    alice.send(&json!({ "type": "user_message", "content": "Who?", "model_id": model })).await;
    alice.answer().await.text
}

#[tokio::test]
async fn each_message_may_name_its_model_and_the_first_configured_is_the_default() {
    let (_one, _two, gateway) = two_models().await;
    let mut alice = gateway.connect("alice").await;

    assert_eq!(ask_model(&mut alice, "two").await, "I am two.");
    assert_eq!(ask_model(&mut alice, "one").await, "I am one.");
    assert_eq!(gateway.connect("bob").await.ask("Who?").await.text, "I am one.");
}

#[tokio::test]
async fn an_unknown_model_is_refused_before_anything_is_stored() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;

    alice
        .send(&json!({ "type": "user_message", "content": "Hi", "model_id": "nobody", "client_message_id": "c" }))
        .await;
    let error = alice.next_frame().await;

    assert_eq!(error["error"]["code"], "INVALID_MODEL", "{error}");
    assert_eq!(error["client_message_id"], "c");
    assert!(alice.settled().await.is_empty());
    assert_eq!(gateway.get("alice", "/sessions").await["count"], 0);
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn a_selected_model_answers_from_then_on_and_after_a_restart() {
    let (_one, _two, mut gateway) = two_models().await;
    let mut alice = gateway.connect("alice").await;
    assert_eq!(alice.ask("Who?").await.text, "I am one.");

    let session = alice.session().to_owned();
    alice.send(&json!({ "type": "model_select", "session_id": session, "model_id": "two" })).await;
    let told = alice.next_of("connection_status").await;
    let answer = alice.ask("And now?").await;

    assert_eq!(told["model_id"], "two", "{told}");
    assert_eq!(answer.text, "I am two.");
    assert_eq!(answer.pieces[0]["model_id"], "two");
    assert!(gateway.stop().await.success());
    gateway.start_again().await;
    let mut later = gateway.connect("alice").await;
    later.enter(&session);
    assert_eq!(later.ask("And after a restart?").await.text, "I am two.");
}

#[tokio::test]
async fn selecting_an_unknown_model_is_refused_and_changes_nothing() {
    let (_one, _two, gateway) = two_models().await;
    let mut alice = gateway.connect("alice").await;
    alice.ask("Who?").await;

    let select =
        json!({ "type": "model_select", "session_id": alice.session(), "model_id": "nobody" });
    alice.send(&select).await;
    let error = alice.next_of("error").await;

    assert_eq!(error["error"]["code"], "INVALID_MODEL", "{error}");
    assert_eq!(alice.ask("Who?").await.text, "I am one.");
}

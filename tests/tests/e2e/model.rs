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

/// A gateway whose model `big` is for the staff, and falls back on one for the board.
async fn for_some(provider: &FakeProvider) -> Gateway {
    let endpoint = provider.endpoint();
    let config = format!(
        r#"
[plugins.one]
source = "bundled:openai"
endpoints.api = "{endpoint}"
secrets.api_key = "env:KEY"

[[models]]
id = "big"
plugin = "one"
roles = ["staff", "board"]
fallback = ["secret"]

[[models]]
id = "small"
plugin = "one"

[[models]]
id = "secret"
plugin = "one"
roles = ["board"]
"#
    );
    Setup::new().config(&config).set("KEY", "key-of-the-test").start().await
}

#[tokio::test]
async fn a_model_for_some_is_not_there_for_all_others() {
    let provider = FakeProvider::playing(Script::saying(&["Here."])).await;
    let gateway = for_some(&provider).await;
    let offered = async |roles: &[&str]| {
        let token = gateway.token_with("alice", roles);
        let list = gateway.call("GET", "/v1/models").bearer(&token).send().await.json();
        let models = list["data"].as_array().unwrap().iter();
        models.map(|model| model["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(offered(&[]).await, ["small"]);
    assert_eq!(offered(&["staff"]).await, ["big", "small"]);
    assert_eq!(offered(&["guest", "board"]).await, ["big", "small", "secret"]);

    let mut alice = gateway.connect("alice").await;
    alice.ask("Who?").await;
    assert_eq!(provider.request(1).await.body["model"], "small", "the first that is hers");
    let session = alice.session().to_owned();
    for frame in [
        json!({ "type": "user_message", "content": "Who?", "model_id": "big" }),
        json!({ "type": "model_select", "session_id": session, "model_id": "big" }),
    ] {
        alice.send(&frame).await;
        assert_eq!(alice.next_of("error").await["error"]["code"], "INVALID_MODEL");
    }
    let call = gateway.call("POST", "/v1/chat/completions").bearer(&gateway.token("alice"));
    let call =
        call.json(&json!({ "model": "big", "messages": [{ "role": "user", "content": "Who?" }] }));
    let reply = call.send().await;
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (404, &json!("model_not_found")));
    assert_eq!(provider.count(), 1);

    let staff = gateway.dial().bearer(&gateway.token_with("sam", &["staff"]));
    let mut sam = staff.open().await.expect("a good token");
    sam.ask("Who?").await;
    assert_eq!(provider.request(2).await.body["model"], "big");
}

#[tokio::test]
async fn a_fallback_is_no_way_to_a_model_of_others() {
    let provider = FakeProvider::start().await;
    provider.always(Script::refusing(401, "application/json", "{}"));
    let gateway = for_some(&provider).await;
    let ask = async |roles: &[&str]| {
        let token = gateway.token_with("sam", roles);
        gateway.dial().bearer(&token).open().await.expect("a good token").ask("Who?").await;
        provider.count()
    };

    assert_eq!(ask(&["staff"]).await, 1, "the model that is theirs");
    assert_eq!(ask(&["board"]).await, 1 + 2, "and the one behind it");
}

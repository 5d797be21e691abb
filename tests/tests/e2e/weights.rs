//! A model with several upstreams: each has its part of the conversations, and a conversation stays where it is.

use serde_json::json;
use sluice_tests::{FakeProvider, Gateway, Script, Setup};

/// Two upstreams of one model, of equal weight, and one that only stands in.
struct Three {
    one: FakeProvider,
    two: FakeProvider,
    spare: FakeProvider,
    gateway: Gateway,
}

async fn three() -> Three {
    let [one, two, spare] =
        [FakeProvider::start().await, FakeProvider::start().await, FakeProvider::start().await];
    for (id, provider) in [("one", &one), ("two", &two), ("spare", &spare)] {
        provider.always(Script::saying(&[id]));
    }
    let [first, second, third] = [one.endpoint(), two.endpoint(), spare.endpoint()];
    let config = format!(
        r#"
[plugins.one]
source = "bundled:openai"
endpoints.api = "{first}"
secrets.api_key = "a-key"

[plugins.two]
source = "bundled:openai"
endpoints.api = "{second}"
secrets.api_key = "a-key"

[plugins.spare]
source = "bundled:openai"
endpoints.api = "{third}"
secrets.api_key = "a-key"

[[models]]
id = "model"
plugin = "one"
weight = 5
also = [{{ plugin = "two", upstream = "the-other", weight = 5 }}, {{ plugin = "spare", weight = 0 }}]
"#
    );
    let setup = Setup::new().config(&config).set("SLUICE_LIMITS__MESSAGES", "1000/1m");
    let gateway = setup.start().await;
    Three { one, two, spare, gateway }
}

#[tokio::test]
async fn conversations_are_shared_out_and_each_stays_where_it_began_over_restarts() {
    let Three { one, two, spare, mut gateway } = three().await;
    let mut began = Vec::new();
    for _ in 0..20 {
        let mut alice = gateway.connect("alice").await;
        let first = alice.ask("Who are you?").await.text;
        assert_eq!(alice.ask("And now?").await.text, first);
        began.push((alice.session().to_owned(), first));
        alice.leave().await;
    }
    // That all of them went to one happens once in half a million times.
    assert!(one.count() > 0 && two.count() > 0, "{began:?}");
    assert_eq!((one.count() + two.count(), spare.count()), (40, 0));
    assert_eq!(two.request(1).await.body["model"], "the-other");

    assert!(gateway.stop().await.success());
    gateway.start_again().await;

    for (session, first) in began {
        let mut alice = gateway.follow("alice", &session).await;
        alice.enter(&session);
        assert_eq!(alice.ask("Still you?").await.text, first);
    }
}

#[tokio::test]
async fn when_an_upstream_is_down_the_models_others_answer() {
    let Three { one, two, spare, gateway } = three().await;
    for provider in [&one, &two] {
        provider.always(Script::refusing(503, "text/html", "<h1>Down</h1>"));
    }
    let mut alice = gateway.connect("alice").await;

    let answer = alice.ask("Who are you?").await;

    assert_eq!((answer.text.as_str(), answer.finish_reason.as_str()), ("spare", "stop"));
    assert_eq!(answer.pieces[0]["model_id"], json!("model"), "{:?}", answer.pieces);
    assert!(alice.settled().await.is_empty(), "nothing is said of what failed");
    assert_eq!(spare.request(1).await.body["model"], "model");
}

#[tokio::test]
async fn a_conversation_over_v1_stays_though_it_has_no_id() {
    let Three { gateway, .. } = three().await;
    let token = gateway.token("alice");
    for conversation in 0..10 {
        let mut messages = vec![
            json!({ "role": "system", "content": "Be brief." }),
            json!({ "role": "user", "content": format!("Conversation {conversation}") }),
        ];
        let mut answers = Vec::new();
        for _ in 0..3 {
            let call = gateway.call("POST", "/v1/chat/completions").bearer(&token);
            let body = json!({ "model": "model", "messages": messages });
            let reply = call.json(&body).send().await.json();
            let said = reply["choices"][0]["message"].clone();
            answers.push(said["content"].clone());
            messages.extend([said, json!({ "role": "user", "content": "Go on" })]);
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }
}

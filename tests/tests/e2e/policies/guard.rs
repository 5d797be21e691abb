//! The guard that comes with the gateway: what it looks at, and how much of it.

use std::env;

use serde_json::{Value, json};
use sluice_tests::{FakeProvider, Gateway, Reply, Script};

use super::{bundled, calls, complete, with};

const CARD: &str = "4111 1111 1111 1111";
/// Ordinary text, in a line that is as long as it is.
const PROSE: &str = "The quick brown fox jumps over the lazy dog while 42 other animals watch. ";

async fn guarded(provider: &FakeProvider, settings: &str) -> Gateway {
    // What a hook has by itself is enough, which is held to where no database computes on the same processors. Beside one ten
    // milliseconds pass while it waits for its turn.
    let is_alone = env::var("SLUICE_TEST_ENGINE").map_or(true, |engine| engine == "sqlite");
    let limits = if is_alone { "" } else { "limits = { hook = \"200ms\" }\n" };
    let settings = format!("{limits}settings = {{ {settings} }}");
    with(provider, &[("guard", bundled("guard"), &settings)]).start().await
}

async fn converse(gateway: &Gateway, messages: &Value) -> Reply {
    let body = json!({ "model": "fake", "messages": messages });
    let call = gateway.call("POST", "/v1/chat/completions").bearer(&gateway.token("alice"));
    call.json(&body).send().await
}

/// A conversation with something at each place where a client can put it.
fn everywhere(one: &str, two: &str) -> Value {
    let text = format!("{one}{two}");
    json!([
        { "role": "system", "content": format!("System {text}.") },
        { "role": "user", "content": format!("Earlier {text}.") },
        { "role": "assistant", "content": format!("Said {text}."), "reasoning_content": format!("Thought {text}."),
            "tool_calls": [{ "id": "t", "type": "function", "function": { "name": "pay", "arguments": format!("{{\"card\":\"{text}\"}}") } }] },
        { "role": "tool", "tool_call_id": "t", "content": format!("Result {text}.") },
        { "role": "assistant", "content": "Paid." },
        { "role": "user", "content": [
            { "type": "text", "text": format!("Parts {one}") },
            { "type": "text", "text": format!("{two} end.") },
        ] },
        { "role": "assistant", "content": "So be it." },
        { "role": "user", "content": "And now?" },
    ])
}

#[tokio::test]
async fn every_message_of_a_conversation_is_looked_at() {
    let provider = FakeProvider::playing(Script::saying(&["Yes."])).await;
    let gateway = guarded(&provider, "formats = [\"card\"]").await;
    let (one, two) = CARD.split_at(7);

    assert_eq!(converse(&gateway, &everywhere(one, two)).await.status, 200);
    // As a client does that brings back what it has, and what it got.
    assert_eq!(converse(&gateway, &everywhere("[card]", "")).await.status, 200);

    let (sent, clean) = (provider.request(1).await.body, provider.request(2).await.body);
    assert!(!sent.to_string().contains(two) && !sent.to_string().contains(one), "{sent}");
    assert_eq!(sent["messages"], clean["messages"]);
}

#[tokio::test]
async fn what_may_not_be_said_is_refused_wherever_it_stands() {
    let provider = FakeProvider::playing(Script::saying(&["Yes."])).await;
    let settings =
        "formats = [], patterns = [{ name = \"bird\", regex = \"bluebird\", then = \"deny\" }]";
    let gateway = guarded(&provider, settings).await;
    let benign = everywhere("blue ", "bird");
    assert_eq!(converse(&gateway, &benign).await.status, 200);
    let all = everywhere("blue", "bird");
    for place in 0..6 {
        let mut messages = benign.clone();
        messages[place] = all[place].clone();
        if all[place] == benign[place] {
            continue;
        }
        let reply = converse(&gateway, &messages).await;
        assert_eq!(reply.status, 403, "{messages}");
    }
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn long_texts_are_looked_through_in_time() {
    let provider = FakeProvider::start().await;
    let gateway = guarded(&provider, "").await;
    let token = gateway.token("alice");
    let prose = |bytes: usize| PROSE.repeat(bytes / PROSE.len());
    let sent = format!("{}{CARD}", prose(1_000_000));
    provider.always(Script::saying(&["Yes."]));

    let reply = complete(&gateway, &token, &sent).await;

    assert_eq!(reply.status, 200, "{}", reply.body);
    let asked = provider.request(1).await;
    let (role, text) = asked.prompt().pop().expect("a message");
    assert!(role == "user" && text == format!("{}[card]", prose(1_000_000)), "{}", text.len());

    // And what a provider says at once, with a number over each border that the gateway could cut it at.
    let said = format!("{PROSE}{CARD}, ").repeat(300_000 / PROSE.len());
    provider.always(Script::saying(&[&said]));
    let reply = complete(&gateway, &token, "Go on").await.json();
    let content = reply["choices"][0]["message"]["content"].as_str().expect("a text");
    assert!(content == said.replace(CARD, "[card]"), "{} bytes", content.len());
}

#[tokio::test]
async fn texts_that_are_hard_to_look_through_cost_nobody_else_anything() {
    let provider = FakeProvider::playing(Script::saying(&["Yes."])).await;
    let settings = "patterns = [{ name = \"own\", regex = \"secret.*project\" }]";
    let gateway = guarded(&provider, settings).await;
    let token = gateway.token("mallory");
    for begun in ["eyJ-", "a.a@", "secret "] {
        for _ in 0..7 {
            let reply = complete(&gateway, &token, &begun.repeat(10_000 / begun.len())).await;
            let status = if begun == "secret " { 403 } else { 200 };
            assert_eq!(reply.status, status, "{begun}: {}", reply.body);
        }
    }
    assert_eq!(complete(&gateway, &gateway.token("alice"), "Hello").await.status, 200);
    let counted = calls(&gateway, "guard", "message").await;
    assert_eq!(counted, [("allowed".to_owned(), 15.0), ("denied".to_owned(), 7.0)]);
}

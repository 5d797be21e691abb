//! Vendors that speak unlike each other, answering the same clients.
//!
//! What they say is what was recorded for their plugins, byte for byte, from `plugins/*/cases`.

use serde_json::{Value, json};
use sluice_tests::{Events, FakeProvider, Gateway, Reply, Script, Setup};

/// A vendor, and how a plain answer of its begins: text, tokens of prompt and answer.
struct Vendor {
    kind: &'static str,
    path: &'static str,
    key: (&'static str, &'static str),
    text: &'static str,
    tokens: (u64, u64),
}

const VENDORS: [Vendor; 4] = [
    Vendor {
        kind: "anthropic",
        path: "/v1/messages",
        key: ("x-api-key", "key-of-the-test"),
        text: "Hello!",
        tokens: (25, 15),
    },
    Vendor {
        kind: "dify",
        path: "/v1/chat-messages",
        key: ("authorization", "Bearer key-of-the-test"),
        text: "Hello!",
        tokens: (1033, 128),
    },
    Vendor {
        kind: "ollama",
        path: "/v1/api/chat",
        key: ("authorization", "Bearer key-of-the-test"),
        text: "Hello!",
        tokens: (26, 282),
    },
    Vendor {
        kind: "openai",
        path: "/v1/chat/completions",
        key: ("authorization", "Bearer key-of-the-test"),
        text: "Hello!",
        tokens: (0, 0),
    },
];

/// The vendors there are a plugin for.
pub(crate) const KINDS: [&str; 4] = ["anthropic", "dify", "ollama", "openai"];

/// A gateway whose model is such a vendor's, and who plays it.
pub(crate) async fn behind(kind: &str) -> (FakeProvider, Gateway) {
    let provider = FakeProvider::start().await;
    let setup = Setup::with(&provider).set("LLM_PROVIDER_1_TYPE", kind);
    (provider, setup.start().await)
}

fn question(stream: bool) -> Value {
    json!({ "model": "fake", "stream": stream, "messages": [{ "role": "user", "content": "Hello?" }] })
}

async fn ask(gateway: &Gateway, body: &Value) -> Reply {
    let token = gateway.token("alice");
    gateway.call("POST", "/v1/chat/completions").bearer(&token).json(body).send().await
}

/// The chunks of a whole stream but its end mark, which must be the last.
async fn chunks(gateway: &Gateway, body: &Value) -> Vec<Value> {
    let token = gateway.token("alice");
    let call = gateway.call("POST", "/v1/chat/completions").bearer(&token).json(body);
    let mut events: Events = call.events().await.begun().await;
    let mut all = events.rest().await;
    assert_eq!(all.pop().as_deref(), Some("[DONE]"), "{all:?}");
    all.iter().map(|data| serde_json::from_str(data).expect("JSON")).collect()
}

#[tokio::test]
async fn every_vendor_answers_a_chat_and_a_call_in_its_own_words() {
    for Vendor { kind, path, key, text, tokens } in VENDORS {
        let (provider, gateway) = behind(kind).await;
        provider.always(Script::recorded(kind, "plain-stream"));
        let mut alice = gateway.connect("alice").await;

        let chat = alice.ask("Hello?").await;
        let whole = ask(&gateway, &question(false)).await;
        let streamed = chunks(&gateway, &question(true)).await;

        assert!(chat.text.starts_with(text), "{kind}: {}", chat.text);
        assert_eq!(chat.finish_reason, "stop", "{kind}");
        let whole = whole.json();
        assert_eq!(whole["choices"][0]["message"]["content"], chat.text.as_str(), "{whole}");
        assert_eq!(whole["choices"][0]["finish_reason"], "stop", "{whole}");
        let pieces: String =
            streamed.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str()).collect();
        assert_eq!(pieces, chat.text, "{kind}");
        if tokens != (0, 0) {
            assert_eq!(whole["usage"]["prompt_tokens"], tokens.0, "{whole}");
            assert_eq!(whole["usage"]["completion_tokens"], tokens.1, "{whole}");
        }
        for n in 1..=3 {
            let request = provider.request(n).await;
            assert_eq!(request.path, path, "{kind}");
            assert_eq!(request.header(key.0), Some(key.1), "{kind}");
        }
    }
}

#[tokio::test]
async fn tools_of_every_vendor_that_has_them_are_called_in_openais_words() {
    for (kind, case) in
        [("anthropic", "tool-use"), ("ollama", "tool-calls"), ("openai", "tool-calls")]
    {
        let (provider, gateway) = behind(kind).await;
        provider.always(Script::recorded(kind, case));

        let reply = ask(&gateway, &question(false)).await.json();

        let choice = &reply["choices"][0];
        assert_eq!(choice["finish_reason"], "tool_calls", "{kind}: {reply}");
        let calls = choice["message"]["tool_calls"].as_array().expect("calls");
        let names: Vec<_> = calls.iter().map(|call| &call["function"]["name"]).collect();
        assert_eq!(names, ["weather", "clock"], "{kind}");
        let read = |call: &Value| -> Value {
            serde_json::from_str(call["function"]["arguments"].as_str().expect("text"))
                .expect("JSON")
        };
        assert_eq!(read(&calls[0]), json!({ "city": "Bonn" }), "{kind}");
        assert_eq!(read(&calls[1]), json!({}), "{kind}");
        assert!(calls.iter().all(|call| call["id"].as_str().is_some_and(|id| !id.is_empty())));
    }
}

#[tokio::test]
async fn an_error_in_the_middle_of_any_vendors_stream_is_an_error() {
    for (kind, case, status) in [
        ("anthropic", "error-in-stream", 503),
        ("dify", "error-in-stream", 502),
        ("ollama", "error-in-stream", 502),
        ("openai", "error-event", 503),
        ("anthropic", "no-end-marker", 502),
        ("dify", "no-end", 502),
        ("ollama", "no-end", 502),
        ("anthropic", "stop-without-reason", 502),
        ("dify", "workflow-failed", 502),
    ] {
        let (provider, gateway) = behind(kind).await;
        provider.always(Script::recorded(kind, case));
        let mut alice = gateway.connect("alice").await;

        let reply = ask(&gateway, &question(false)).await;
        alice.say("Hello?").await;
        let frames = alice.frames_until("the error", |frame| frame["type"] == "error").await;

        assert!(reply.status >= 500, "{kind} {case}: {} {}", reply.status, reply.body);
        assert_eq!(reply.status == 503, status == 503, "{kind} {case}: {}", reply.body);
        assert!(frames.iter().all(|frame| frame["finish_reason"] != "stop"), "{kind} {case}");
    }
}

#[tokio::test]
async fn a_conversation_that_the_vendor_keeps_goes_on_there_also_after_a_restart() {
    let (provider, mut gateway) = behind("dify").await;
    provider.always(Script::recorded("dify", "plain-stream"));
    let handle = "45701982-8118-4bc5-8e9b-64562b4555f2";
    let mut alice = gateway.connect("alice").await;

    alice.ask("My name is Alice.").await;
    alice.ask("What is my name?").await;
    let session = alice.session().to_owned();
    gateway.stop().await;
    gateway.start_again().await;
    let mut later = gateway.follow("alice", &session).await;
    later.enter(&session);
    later.ask("And now?").await;
    let mut other = gateway.connect("alice").await;
    other.ask("Somewhere else.").await;

    let first = provider.request(1).await.body;
    assert_eq!(first["query"], "My name is Alice.");
    assert!(first.get("conversation_id").is_none(), "{first}");
    for (n, query) in [(2, "What is my name?"), (3, "And now?")] {
        let body = provider.request(n).await.body;
        assert_eq!(body["conversation_id"], handle, "{body}");
        assert_eq!(body["query"], query, "what was said before is there already");
        assert_eq!(body["user"], first["user"]);
    }
    assert!(!first["user"].as_str().expect("a pseudonym").contains("alice"), "{first}");
    let elsewhere = provider.request(4).await.body;
    assert!(elsewhere.get("conversation_id").is_none(), "another session is another conversation");
}

#[tokio::test]
async fn what_a_vendor_that_keeps_the_conversation_did_not_hear_it_is_told() {
    let (dify, other) = (FakeProvider::start().await, FakeProvider::start().await);
    dify.always(Script::recorded("dify", "plain-stream"));
    other.always(Script::saying(&["Hi Ada."]));
    let setup = Setup::with(&dify).set("LLM_PROVIDER_1_TYPE", "dify").and("other", &other);
    let gateway = setup.start().await;
    let mut ada = gateway.connect("ada").await;
    ada.ask("Hello?").await;

    for (model, content) in [("other", "I am Ada."), ("fake", "Who am I?")] {
        let session = ada.session();
        ada.send(&json!({ "type": "user_message", "session_id": session, "content": content, "model_id": model })).await;
        ada.answer().await;
    }
    ada.ask("And now?").await;

    let handle = "45701982-8118-4bc5-8e9b-64562b4555f2";
    let told = "user: I am Ada.\n\nassistant: Hi Ada.\n\nuser: Who am I?";
    for (n, query) in [(2, told), (3, "And now?")] {
        let body = dify.request(n).await.body;
        assert_eq!((&body["conversation_id"], &body["query"]), (&json!(handle), &json!(query)));
    }
}

#[tokio::test]
async fn a_vendors_own_word_for_an_end_is_that_word_to_callers_and_other_to_chats() {
    let (provider, gateway) = behind("anthropic").await;
    provider.always(Script::recorded("anthropic", "pause-turn"));
    let mut alice = gateway.connect("alice").await;

    let whole = ask(&gateway, &question(false)).await.json();
    let streamed = chunks(&gateway, &question(true)).await;

    assert_eq!(whole["choices"][0]["finish_reason"], "pause_turn", "{whole}");
    let ends = streamed.iter().map(|chunk| &chunk["choices"][0]["finish_reason"]);
    let ends: Vec<_> = ends.filter(|end| !end.is_null()).collect();
    assert_eq!(ends, ["pause_turn"]);
    assert_eq!(alice.ask("Hello?").await.finish_reason, "other");
}

#[tokio::test]
async fn the_models_of_a_vendor_are_told_to_its_operator() {
    let openai = json!({ "object": "list", "data": [
        { "id": "gpt-4o-mini", "object": "model", "created": 1_721_172_741, "owned_by": "system" },
        { "id": "upstream-fake", "object": "model", "created": 1_721_172_742, "owned_by": "us" },
    ] });
    let anthropic = json!({ "data": [
        { "type": "model", "id": "claude-sonnet-4-5-20250929", "display_name": "Claude Sonnet 4.5", "created_at": "2025-09-29T00:00:00Z" },
        { "type": "model", "id": "upstream-fake", "display_name": "\u{1b}[2J", "created_at": "2025-09-29T00:00:00Z" },
    ], "has_more": false, "first_id": "claude-sonnet-4-5-20250929", "last_id": "upstream-fake" });
    let ollama = json!({ "models": [
        { "name": "qwen3:8b", "model": "qwen3:8b", "modified_at": "2026-01-08T18:12:23Z", "size": 5_225_388_164_u64, "digest": "500a1f067a9f", "details": { "format": "gguf", "family": "qwen3", "parameter_size": "8.2B" } },
        { "name": "upstream-fake:latest", "model": "upstream-fake:latest", "modified_at": "2026-01-08T18:12:23Z", "size": 5, "digest": "500a1f067a9e", "details": {} },
    ] });
    for (kind, path, key, listed, said) in [
        ("openai", "/v1/models", "authorization", openai, "gpt-4o-mini\nupstream-fake  fake\n"),
        (
            "anthropic",
            "/v1/models?limit=1000",
            "x-api-key",
            anthropic,
            "claude-sonnet-4-5-20250929\nupstream-fake  fake\n",
        ),
        (
            "ollama",
            "/v1/api/tags",
            "authorization",
            ollama,
            "qwen3:8b\nupstream-fake  fake\nupstream-fake:latest\n",
        ),
    ] {
        let provider = FakeProvider::start().await;
        provider.then(Script::refusing(200, "application/json", &listed.to_string()));
        provider.then(Script::refusing(401, "application/json", "{}"));
        let setup = Setup::with(&provider).set("LLM_PROVIDER_1_TYPE", kind);
        let models = async || setup.clone().run(&["plugin", "models", "provider-1"]).await;

        let (told, refused) = (models().await, models().await);

        assert_eq!((told.code, told.stdout.as_str()), (Some(0), said), "{kind} {}", told.stderr);
        let asked = provider.request(1).await;
        assert_eq!((asked.method.as_str(), asked.path.as_str()), ("GET", path), "{kind}");
        let sent = asked.header(key).expect("a key");
        assert!(sent.ends_with("key-of-the-test"), "{kind}");
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(69), ""), "{kind}");
        assert!(refused.stderr.contains("Authentication"), "{kind} {}", refused.stderr);
        assert!(!refused.stderr.contains("key-of-the-test"), "{kind} {}", refused.stderr);
    }
}

#[tokio::test]
async fn who_cannot_ask_for_models_says_so() {
    let setup = Setup::new().set("LLM_PROVIDER_1_TYPE", "dify");
    for (id, says) in [("provider-1", "no way to ask"), ("other", "there are provider-1")] {
        let ended = setup.clone().run(&["plugin", "models", id]).await;

        assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{}", ended.stderr);
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
    }
    let ended = Setup::new().run(&["plugin", "models", "provider-1"]).await;

    assert_eq!(ended.code, Some(69), "nobody listens there: {}", ended.stderr);
}

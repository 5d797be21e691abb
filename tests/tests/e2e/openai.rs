//! The gateway as OpenAI's clients know one.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sluice_tests::{Call, Events, FakeProvider, Gateway, Reply, Script, Setup};

mod failure;

const CHAT: &str = "/v1/chat/completions";

/// A question to the fake model, with more fields.
fn question(more: &Value) -> Value {
    let mut body = json!({
        "model": "fake",
        "messages": [{ "role": "user", "content": "Hello?" }],
    });
    for (key, value) in more.as_object().expect("fields") {
        body[key] = value.clone();
    }
    body
}

fn call(gateway: &Gateway, body: &Value) -> Call {
    gateway.call("POST", CHAT).bearer(&gateway.token("alice")).json(body)
}

async fn ask(gateway: &Gateway, more: &Value) -> Reply {
    call(gateway, &question(more)).send().await
}

async fn stream(gateway: &Gateway, more: &Value) -> Events {
    let mut body = question(more);
    body["stream"] = json!(true);
    call(gateway, &body).events().await.begun().await
}

/// The events of a whole stream but its end mark, which must be the last.
async fn chunks(events: &mut Events) -> Vec<Value> {
    let mut all = events.rest().await;
    assert_eq!(all.pop().as_deref(), Some("[DONE]"), "{all:?}");
    all.iter().map(|data| serde_json::from_str(data).expect("JSON")).collect()
}

async fn with(script: Script) -> (FakeProvider, Gateway) {
    let provider = FakeProvider::start().await;
    provider.always(script);
    let gateway = Setup::with(&provider).start().await;
    (provider, gateway)
}

/// What the provider was sent last.
async fn sent(provider: &FakeProvider) -> Value {
    provider.request(provider.count().max(1)).await.body
}

#[tokio::test]
async fn an_answer_comes_in_one_piece() {
    let (provider, gateway) = with(Script::saying(&["Hello", " there."])).await;

    let reply = ask(&gateway, &json!({})).await;

    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(reply.header("x-request-id").is_some_and(|id| !id.is_empty()));
    let answer = reply.json();
    assert!(answer["id"].as_str().is_some_and(|id| id.starts_with("chatcmpl-")), "{answer}");
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["model"], "fake", "the model as clients know it");
    assert!(
        answer["created"]
            .as_u64()
            .is_some_and(|at| at.abs_diff(sluice_tests::now().unsigned_abs()) < 60)
    );
    let message = json!({ "role": "assistant", "content": "Hello there.", "refusal": null });
    assert_eq!(
        answer["choices"],
        json!([{ "index": 0, "message": message, "logprobs": null, "finish_reason": "stop" }])
    );
    let usage = json!({ "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18 });
    assert_eq!(answer["usage"], usage);
    let asked = provider.request(1).await;
    assert_eq!(asked.prompt(), [("user", "Hello?")], "no prompt of ours is added");
    assert_eq!(asked.body["model"], "upstream-fake");
    assert_eq!(asked.header("authorization"), Some("Bearer key-of-the-test"));
}

#[tokio::test]
async fn an_answer_comes_in_pieces_as_they_are_made() {
    let (provider, gateway) = with(Script::halting(&["Once", " upon"])).await;
    provider.release(1);

    let mut events = stream(&gateway, &json!({})).await;
    let opening = events.json().await;
    let first = events.json().await;
    provider.release(1);
    let rest = chunks(&mut events).await;

    assert_eq!(opening["choices"][0]["delta"], json!({ "role": "assistant", "content": "" }));
    assert_eq!(first["choices"][0]["delta"], json!({ "content": "Once" }));
    assert_eq!(first["choices"][0]["finish_reason"], Value::Null);
    assert_eq!(rest[0]["choices"][0]["delta"], json!({ "content": " upon" }));
    assert_eq!(rest[1]["choices"][0]["finish_reason"], "stop");
    assert_eq!(rest.len(), 2, "nobody asked for usage: {rest:#?}");
    for chunk in [&opening, &first, &rest[0], &rest[1]] {
        assert_eq!(chunk["id"], opening["id"]);
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(chunk["model"], "fake");
        assert!(chunk.get("usage").is_none());
    }
}

#[tokio::test]
async fn usage_comes_last_when_it_is_asked_for() {
    let (_provider, gateway) = with(Script::default()).await;

    let options = json!({ "stream_options": { "include_usage": true } });
    let chunks = chunks(&mut stream(&gateway, &options).await).await;

    let (last, others) = chunks.split_last().expect("chunks");
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["total_tokens"], 18);
    assert!(others.iter().all(|chunk| chunk.get("usage") == Some(&Value::Null)), "{others:#?}");
}

#[tokio::test]
async fn it_is_the_same_below_the_prefix_and_with_models_of_every_configuration() {
    let (one, two) = (FakeProvider::start().await, FakeProvider::start().await);
    two.always(Script::saying(&["I am two."]));
    let gateway = Setup::new().and("one", &one).and("maker/two", &two).start().await;
    let token = gateway.token("alice");

    for path in ["/v1", "/chatbox/v1"] {
        let get = |tail: &str| gateway.call("GET", &format!("{path}{tail}")).bearer(&token);
        let listed = get("/models").send().await.json();
        assert_eq!(listed["object"], "list");
        let ids: Vec<_> = [0, 1].map(|n| listed["data"][n]["id"].clone()).into();
        assert_eq!(ids, ["one", "maker/two"]);
        assert_eq!(listed["data"][0]["object"], "model");
        assert_eq!(get("/models/maker/two").send().await.json()["id"], "maker/two");

        let body = question(&json!({ "model": "maker/two" }));
        let asked = gateway.call("POST", &format!("{path}/chat/completions"));
        let answer = asked.bearer(&token).json(&body).send().await.json();
        assert_eq!(answer["choices"][0]["message"]["content"], "I am two.", "{path}");
    }
}

#[tokio::test]
async fn a_tool_is_called_and_its_result_goes_back() {
    let piece = |call: Value| json!({ "tool_calls": [call] });
    let calling = Script::deltas(
        &[
            piece(
                json!({ "index": 0, "id": "call_1", "type": "function", "function": { "name": "weather", "arguments": "" } }),
            ),
            piece(json!({ "index": 0, "function": { "arguments": "{\"city\":" } })),
            piece(json!({ "index": 0, "function": { "arguments": "\"Oslo\"}" } })),
        ],
        "tool_calls",
    );
    let (provider, gateway) = with(calling).await;
    let parameters = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    let tools = json!([{ "type": "function", "function": { "name": "weather", "parameters": parameters, "strict": true } }]);
    let asked = json!({ "tools": tools, "tool_choice": "required", "parallel_tool_calls": false });

    let whole = ask(&gateway, &asked).await.json();
    let chunks = chunks(&mut stream(&gateway, &asked).await).await;

    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
    let message = &whole["choices"][0]["message"];
    assert_eq!(message["content"], Value::Null);
    let function = json!({ "name": "weather", "arguments": "{\"city\":\"Oslo\"}" });
    let called = json!([{ "id": "call_1", "type": "function", "function": function }]);
    assert_eq!(message["tool_calls"], called);
    let deltas: Vec<_> =
        chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]["tool_calls"][0]).collect();
    assert_eq!(deltas[1]["id"], "call_1");
    assert_eq!(deltas[1]["function"]["name"], "weather");
    assert_eq!(deltas[2], &json!({ "index": 0, "function": { "arguments": "{\"city\":" } }));
    let upstream = sent(&provider).await;
    assert_eq!(upstream["tools"], tools, "{upstream}");
    assert_eq!(upstream["tool_choice"], "required");
    assert_eq!(upstream["parallel_tool_calls"], false);

    provider.always(Script::saying(&["It snows."]));
    let result = json!({ "role": "tool", "tool_call_id": "call_1", "content": "snow" });
    let user = json!({ "role": "user", "content": "The weather in Oslo?" });
    let more = json!({ "tools": tools, "messages": [user, message, result] });
    let answer = ask(&gateway, &more).await.json();

    assert_eq!(answer["choices"][0]["message"]["content"], "It snows.");
    let upstream = sent(&provider).await;
    assert_eq!(upstream["messages"][1]["tool_calls"], called);
    assert_eq!(upstream["messages"][2], result);
}

#[tokio::test]
async fn pictures_arrive_at_the_model_as_they_were_sent() {
    let (provider, gateway) = with(Script::default()).await;
    // More than one slice of what is encoded at a time, and no round number.
    let bytes: Vec<u8> =
        (0..100_001_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let data = format!("data:image/png;base64,{}", STANDARD.encode(bytes));
    let picture =
        |url: &str| json!({ "type": "image_url", "image_url": { "url": url, "detail": "low" } });
    let content = json!([
        { "type": "text", "text": "What is the difference?" },
        picture(&data),
        picture("https://pictures.example/cat.png"),
    ]);

    let reply =
        ask(&gateway, &json!({ "messages": [{ "role": "user", "content": content }] })).await;

    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(sent(&provider).await["messages"][0]["content"], content);
}

#[tokio::test]
async fn a_schema_and_settings_and_unknown_fields_reach_the_model() {
    let (provider, gateway) = with(Script::saying(&["{\"a\":1}"])).await;
    let schema = json!({ "type": "object", "properties": { "a": { "type": "number" } } });
    let more = json!({
        "response_format": { "type": "json_schema", "json_schema": { "name": "thing", "schema": schema, "strict": true } },
        "temperature": 0.25, "top_p": 0.5, "max_completion_tokens": 77, "seed": 7, "stop": "END",
        "user": "u-1", "reasoning_effort": "low", "vendor_thing": { "deep": [1, { "x": null }] },
        "metadata": { "k": "v" },
    });

    let reply = ask(&gateway, &more).await;

    assert_eq!(reply.json()["choices"][0]["message"]["content"], "{\"a\":1}");
    let upstream = sent(&provider).await;
    for key in [
        "response_format",
        "temperature",
        "top_p",
        "seed",
        "user",
        "reasoning_effort",
        "vendor_thing",
        "metadata",
    ] {
        assert_eq!(upstream[key], more[key], "{key}: {upstream}");
    }
    assert_eq!(upstream["max_tokens"], 77, "under the name that the plugin is told to use");
    assert_eq!(upstream["stop"], json!(["END"]));
}

#[tokio::test]
async fn reasoning_is_told_apart_and_may_come_back() {
    let thinking = [json!({ "reasoning_content": "Let me see. " }), json!({ "content": "42" })];
    let (_provider, gateway) = with(Script::deltas(&thinking, "length")).await;

    let whole = ask(&gateway, &json!({})).await.json();
    let chunks = chunks(&mut stream(&gateway, &json!({})).await).await;

    let message = &whole["choices"][0]["message"];
    assert_eq!(message["reasoning_content"], "Let me see. ");
    assert_eq!(message["content"], "42");
    assert_eq!(whole["choices"][0]["finish_reason"], "length");
    assert_eq!(chunks[1]["choices"][0]["delta"], json!({ "reasoning_content": "Let me see. " }));
    let user = json!({ "role": "user", "content": "Sure?" });
    assert_eq!(ask(&gateway, &json!({ "messages": [message, user] })).await.status, 200);
}

#[tokio::test]
async fn nothing_of_a_call_is_kept_but_a_line_of_what_it_cost() {
    let (_provider, gateway) = with(Script::default()).await;

    ask(&gateway, &json!({ "messages": [{ "role": "user", "content": "very-private" }] })).await;

    assert_eq!(gateway.get("alice", "/sessions").await["count"], 0);
    let log = gateway.log();
    let line = log.lines().find(|line| line.contains("answered a call")).expect("a line");
    for told in ["alice", "fake", "input_tokens=11", "output_tokens=7", "stop"] {
        assert!(line.contains(told), "{told}: {line}");
    }
    assert!(!log.contains("very-private"), "{log}");
}

#[tokio::test]
async fn a_long_text_that_no_message_of_a_chat_may_have_is_fine_here() {
    let (provider, gateway) = with(Script::default()).await;
    let long = "All work and no play. ".repeat(20_000);

    let reply = ask(&gateway, &json!({ "messages": [{ "role": "user", "content": long }] })).await;

    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(provider.request(1).await.prompt(), [("user", long.as_str())]);
}

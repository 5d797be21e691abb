//! What an answer cost is on record, whoever asked and however it ended.

use futures_util::future::join_all;
use serde_json::{Value, json};
use sluice_tests::{Call, Events, FakeProvider, Gateway, Script, Setup, Signal, guest};

/// The one line there is, which must say how its answer ended.
async fn line(gateway: &Gateway, kind: &str, ending: &str) -> Value {
    let mut lines = gateway.usage_of(1).await;
    assert_eq!(lines.len(), 1, "{lines:#?}");
    let line = lines.remove(0);
    for (name, value) in [("user", "alice"), ("model", "fake"), ("kind", kind), ("ending", ending)]
    {
        assert_eq!(line[name], value, "{line}");
    }
    line
}

fn tokens(line: &Value) -> [&Value; 3] {
    ["input_tokens", "output_tokens", "estimated"].map(|name| &line[name])
}

/// Tokens of the answer, which must be a guess as those of the prompt are.
fn guessed(line: &Value) -> u64 {
    assert_eq!(line["estimated"], 1, "{line}");
    assert!(line["input_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{line}");
    line["output_tokens"].as_u64().expect("a number")
}

fn call(gateway: &Gateway, streamed: bool) -> Call {
    let call = gateway.call("POST", "/v1/chat/completions").bearer(&gateway.token("alice"));
    let messages = json!([{ "role": "user", "content": "Hello, is anybody there?" }]);
    call.json(&json!({ "model": "fake", "stream": streamed, "messages": messages }))
}

async fn with(script: Script) -> (FakeProvider, Gateway) {
    let provider = FakeProvider::playing(script).await;
    let gateway = Setup::with(&provider).start().await;
    (provider, gateway)
}

/// A stream of which somebody heard the first word.
async fn first_word(gateway: &Gateway) -> Events {
    let mut events = call(gateway, true).events().await.begun().await;
    while events.json().await["choices"][0]["delta"]["content"] != "Once " {}
    events
}

#[tokio::test]
async fn a_call_is_on_record_with_what_the_provider_counted() {
    for streamed in [false, true] {
        let (_provider, gateway) = with(Script::default()).await;

        let reply = call(&gateway, streamed).send().await;

        let line = line(&gateway, "call", "stop").await;
        assert_eq!(tokens(&line), [&json!(11), &json!(7), &json!(0)]);
        assert_eq!(reply.header("x-request-id"), line["trace"].as_str());
        let answer = line["answer"].as_str().expect("an id");
        assert!(reply.body.contains(&format!("chatcmpl-{answer}")), "{}", reply.body);
        assert!(line["started"].as_u64() <= line["ended"].as_u64(), "{line}");
    }
}

#[tokio::test]
async fn who_leaves_before_the_provider_says_anything_is_on_record() {
    for (script, streamed) in [
        (Script::silent(), true),
        (Script::silent(), false),
        (Script::stalling(&[]), true),
        (Script::stalling(&[]), false),
    ] {
        let (provider, gateway) = with(script).await;
        let waiting = call(&gateway, streamed).begin().await;
        provider.request(1).await;

        drop(waiting);

        provider.hung_up(1).await;
        let line = line(&gateway, "call", "cancelled").await;
        assert_eq!(guessed(&line), 0);
    }
}

#[tokio::test]
async fn who_leaves_a_stream_in_the_middle_is_on_record() {
    let (provider, gateway) = with(Script::stalling(&["Once ", "upon"])).await;
    let mut events = first_word(&gateway).await;
    while events.json().await["choices"][0]["delta"]["content"] != "upon" {}

    drop(events);

    provider.hung_up(1).await;
    let line = line(&gateway, "call", "cancelled").await;
    assert_eq!(guessed(&line), 3);
}

#[tokio::test]
async fn who_leaves_a_whole_answer_in_the_middle_is_on_record() {
    let (provider, gateway) = with(Script::halting(&["Once ", "upon"])).await;
    let waiting = call(&gateway, false).begin().await;
    provider.request(1).await;
    provider.release(1);
    provider.said(1).await;

    drop(waiting);

    provider.hung_up(1).await;
    line(&gateway, "call", "cancelled").await;
}

#[tokio::test]
async fn a_request_that_never_came_whole_asked_nobody_and_cost_nothing() {
    let (provider, gateway) = with(Script::default()).await;
    let half = call(&gateway, true).begin_without_end().await;
    drop(half);

    call(&gateway, false).send().await;

    line(&gateway, "call", "stop").await;
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn a_call_that_failed_is_on_record() {
    let (_provider, gateway) = with(Script::cut(&["Once "])).await;

    assert_eq!(call(&gateway, false).send().await.status, 502);

    let line = line(&gateway, "call", "error").await;
    assert_eq!(guessed(&line), 2);
}

#[tokio::test]
async fn a_stop_loses_no_line() {
    let provider = FakeProvider::playing(Script::stalling(&["Once "])).await;
    let setup = Setup::with(&provider).set("SLUICE_SERVER__SHUTDOWN_TIMEOUT", "1s");
    let mut gateway = setup.start().await;
    let events = first_word(&gateway).await;

    gateway.signal(Signal::SIGTERM);
    gateway.stop_already().await;

    line(&gateway, "call", "interrupted").await;
    drop(events); // open until here
}

#[tokio::test]
async fn many_calls_at_once_are_each_on_record_after_a_stop() {
    let (_provider, mut gateway) = with(Script::default()).await;
    let users: Vec<_> = (0..100).map(|n| format!("user-{n}")).collect();
    let calls = users.iter().map(|user| {
        let call = gateway.call("POST", "/v1/chat/completions").bearer(&gateway.token(user));
        let messages = json!([{ "role": "user", "content": "Hello?" }]);
        call.json(&json!({ "model": "fake", "messages": messages })).send()
    });
    for reply in join_all(calls).await {
        assert_eq!(reply.status, 200, "{}", reply.body);
    }

    gateway.signal(Signal::SIGTERM);
    gateway.stop_already().await;

    let mut on_record: Vec<_> = gateway
        .usage()
        .await
        .iter()
        .map(|line| line["user"].as_str().unwrap().to_owned())
        .collect();
    on_record.sort();
    let mut users = users;
    users.sort();
    assert_eq!(on_record, users);
}

#[tokio::test]
async fn an_answer_of_a_session_is_on_record_when_it_is_finished_and_when_it_is_cancelled() {
    let (provider, gateway) = with(Script::default()).await;
    provider.then(Script::stalling(&["Once "]));
    let mut alice = gateway.connect("alice").await;

    let answer = alice.ask("Hello?").await;
    let whole = line(&gateway, "message", "stop").await;
    alice.say("Go on").await;
    alice.frames_saying("Once ").await;
    alice.send(&json!({ "type": "cancel", "session_id": alice.session() })).await;
    alice.answer_end().await;

    assert_eq!(tokens(&whole), [&json!(11), &json!(7), &json!(0)]);
    assert_eq!(whole["answer"], answer.message_id.as_str());
    assert_eq!(whole["session"], alice.session());
    let lines = gateway.usage_of(2).await;
    assert_eq!(lines[1]["ending"], "cancelled");
    assert_eq!(lines[1]["estimated"], 1);
}

/// These pieces of a stream, and then nothing more.
fn begun(pieces: &[Value]) -> Script {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n".to_owned();
    let events = pieces.iter().map(|piece| format!("data: {piece}\n\n"));
    Script::hanging(std::iter::once(head).chain(events).collect::<String>().as_bytes())
}

/// Asks in a session, and stops the answer once it has said that.
async fn stopped_after(gateway: &Gateway, text: &str) {
    let mut alice = gateway.connect("alice").await;
    alice.say("Hello?").await;
    alice.frames_saying(text).await;
    alice.send(&json!({ "type": "cancel", "session_id": alice.session() })).await;
    alice.answer_end().await;
}

/// Anthropic tells of one token before the first, and of all of them with the last.
#[tokio::test]
async fn what_a_vendor_counted_at_the_beginning_is_no_count_of_what_was_said_until_a_stop() {
    let provider = FakeProvider::start().await;
    let start = json!({ "type": "message_start", "message": { "id": "msg_1", "type": "message",
        "role": "assistant", "content": [], "usage": { "input_tokens": 25, "output_tokens": 1 } } });
    let block = json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } });
    let long = "x".repeat(400);
    let text = json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": long } });
    provider.always(begun(&[start, block, text]));
    let setup = Setup::with(&provider).set("LLM_PROVIDER_1_TYPE", "anthropic");
    let gateway = setup.start().await;

    stopped_after(&gateway, &long).await;
    let mut events = call(&gateway, true).events().await.begun().await;
    while events.json().await["choices"][0]["delta"]["content"] != long.as_str() {}
    drop(events);

    for line in gateway.usage_of(2).await {
        assert_eq!(tokens(&line), [&json!(25), &json!(100), &json!(1)], "{line}");
    }
}

#[tokio::test]
async fn what_was_thought_before_a_stop_counts_in_a_session_as_in_a_call() {
    let delta = |delta: Value| json!({ "choices": [{ "index": 0, "delta": delta }] });
    let thought = delta(json!({ "reasoning_content": "x".repeat(398) }));
    let (_provider, gateway) = with(begun(&[thought, delta(json!({ "content": "So" }))])).await;

    stopped_after(&gateway, "So").await;

    let line = line(&gateway, "message", "cancelled").await;
    assert_eq!(guessed(&line), 100);
}

#[tokio::test]
async fn the_guess_at_a_prompt_is_of_what_was_sent() {
    let provider = FakeProvider::start().await;
    let config = format!(
        "[policies]\nchain = [\"judge\"]\n\n[plugins.judge]\nsource = \"file:{}\"\nsettings = {{ message = \"prepend\", with = \"Be brief.\" }}\n",
        guest("judge").display()
    );
    let setup = Setup::new().config(&config).and("fake", &provider);
    let setup = setup.set("SLUICE_SESSION__HISTORY_TOKENS", "100");
    let gateway = setup.start().await;
    let mut alice = gateway.connect("alice").await;
    alice.ask(&"Long. ".repeat(100)).await;

    provider.then(Script::stalling(&["So"]));
    alice.say("Go on.").await;
    alice.frames_saying("So").await;
    alice.send(&json!({ "type": "cancel", "session_id": alice.session() })).await;
    alice.answer_end().await;

    // 9 bytes of the policy and 6 of the user; what was said before does not fit and is not sent.
    assert_eq!(provider.request(2).await.prompt().len(), 2);
    assert_eq!(tokens(&gateway.usage_of(2).await[1]), [&json!(4), &json!(1), &json!(1)]);
}

#[tokio::test]
async fn an_answer_outlives_its_session_on_record_and_a_killed_process_too() {
    let (provider, mut gateway) = with(Script::stalling(&["Once "])).await;
    provider.then(Script::stalling(&["Once "]));
    let mut alice = gateway.connect("alice").await;
    alice.say("Hello?").await;
    alice.frames_saying("Once ").await;

    let path = format!("/chatbox/sessions/{}", alice.session());
    let deleted = gateway.call("DELETE", &path).bearer(&gateway.token("alice")).send().await;
    assert!(deleted.status < 300, "{}", deleted.body);
    provider.hung_up(1).await;
    let cut = line(&gateway, "message", "cancelled").await;
    let mut again = gateway.connect("alice").await;
    again.say("Hello again?").await;
    again.frames_saying("Once ").await;
    gateway.kill().await;
    gateway.start_again().await;

    assert_eq!(cut["session"], alice.session());
    let lines = gateway.usage_of(2).await;
    assert_eq!(lines[1]["ending"], "interrupted");
    assert_eq!(tokens(&lines[1]), [&Value::Null; 3], "nobody knows");
}

//! What OpenAI's own clients, unchanged, find at the gateway: it is they who decide what is compatible.
//!
//! The stories are told once; which library lives through them is in `needs_python` and `needs_node`.

use serde_json::{Value, json};
use sluice_tests::{FakeProvider, ForeignClient, Library, Script, Setup};

pub(crate) fn calling(id: &str, city: &str) -> Script {
    let called = json!({ "index": 0, "id": id, "type": "function", "function": { "name": "weather", "arguments": "{\"city\":" } });
    let more = json!({ "index": 0, "function": { "arguments": format!("\"{city}\"}}") } });
    let deltas = [called, more].map(|call| json!({ "tool_calls": [call] }));
    Script::deltas(&deltas, "tool_calls")
}

pub(crate) async fn it_chats_streams_and_lists_models(library: Library) {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;

    let mut client =
        ForeignClient::start(library, &gateway, "alice", &["chat", "stream", "models"]);

    let whole = client.next().await;
    assert_eq!(whole["text"], "Hello there.");
    assert_eq!(whole["finish_reason"], "stop");
    assert_eq!(whole["model"], "fake");
    assert_eq!(whole["total_tokens"], 18);
    assert!(whole["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{whole}");
    let streamed =
        json!({ "pieces": ["Hello", " there", "."], "finish_reason": "stop", "total_tokens": 18 });
    assert_eq!(client.next().await, streamed);
    assert_eq!(client.next().await, json!({ "listed": ["fake"], "one": "fake" }));
}

pub(crate) async fn it_uses_tools_schemas_and_pictures(library: Library) {
    let provider = FakeProvider::playing(calling("call_1", "Oslo")).await;
    provider.then(calling("call_2", "Rome"));
    provider.then(Script::saying(&["It snows."]));
    provider.then(calling("call_1", "Oslo"));
    provider.then(Script::saying(&["{\"name\":", "\"Tom\",\"lives\":9}"]));
    provider.then(Script::saying(&["A picture."]));
    let gateway = Setup::with(&provider).start().await;

    let things = ["tools", "streamed_tools", "structured", "image"];
    let mut client = ForeignClient::start(library, &gateway, "alice", &things);

    assert_eq!(
        client.next().await,
        json!({ "reasons": ["tool_calls", "tool_calls", "stop"], "text": "It snows." })
    );
    let third = provider.request(3).await.body;
    for (n, (call, city)) in [("call_1", "Oslo"), ("call_2", "Rome")].into_iter().enumerate() {
        let [asked, told] = [1, 2].map(|of| &third["messages"][2 * n + of]);
        assert_eq!(asked["tool_calls"][0]["id"], call, "{third}");
        assert_eq!(told["tool_call_id"], call, "{third}");
        assert_eq!(told["content"], format!("snow in {city}"));
    }
    let call = json!({ "id": "call_1", "name": "weather", "arguments": "{\"city\":\"Oslo\"}" });
    assert_eq!(client.next().await, call);
    assert_eq!(client.next().await, json!({ "name": "Tom", "lives": 9 }));
    let format = provider.request(5).await.body["response_format"].clone();
    assert_eq!(format["json_schema"]["name"], "Cat", "{format}");
    assert_eq!(format["json_schema"]["strict"], true);
    assert_eq!(client.next().await, json!({ "text": "A picture." }));
    let url = &provider.request(6).await.body["messages"][0]["content"][1]["image_url"]["url"];
    let url = url.as_str().unwrap_or_default();
    assert!(url.starts_with("data:image/png;base64,AAECAwQF"), "{}", url.len());
    assert_eq!(url.len(), "data:image/png;base64,".len() + 256 * 300 / 3 * 4);
}

pub(crate) async fn it_tells_failures_apart(library: Library) {
    let provider = FakeProvider::playing(Script::refusing(401, "text/plain", "no")).await;
    provider.then(Script::refusing(
        400,
        "application/json",
        r#"{"error":{"code":"context_length_exceeded"}}"#,
    ));
    provider.then(Script::cut(&["Once "]));
    let gateway = Setup::with(&provider).set("SLUICE_LIMITS__MESSAGES", "5/1h").start().await;

    let things = [
        "foreign_token",
        "unknown_model",
        "two_answers",
        "failed_chat",
        "failed_chat",
        "failed_stream",
        "impatient_chat",
    ];
    let mut client = ForeignClient::start(library, &gateway, "alice", &things);

    let status = |kind: &str, status: u16, code: &str| json!({ "type": kind, "status": status, "code": code });
    assert_eq!(client.next().await, status("AuthenticationError", 401, "invalid_api_key"));
    assert_eq!(client.next().await, status("NotFoundError", 404, "model_not_found"));
    assert_eq!(client.next().await, status("BadRequestError", 400, "unsupported_value"));
    assert_eq!(client.next().await, status("InternalServerError", 502, "provider_unavailable"));
    assert_eq!(client.next().await, status("BadRequestError", 400, "context_length_exceeded"));
    assert_eq!(client.next().await, json!({ "type": "APIError", "code": "provider_failed" }));
    assert_eq!(client.next().await, status("RateLimitError", 429, "rate_limit_exceeded"));
    assert_eq!(provider.count(), 3, "what will not pass is not tried again");
}

pub(crate) async fn leaving_a_stream_closes_the_upstream(library: Library) {
    let provider = FakeProvider::playing(Script::halting(&["Once ", "upon"])).await;
    let gateway = Setup::with(&provider).start().await;
    provider.release(1);

    let mut client = ForeignClient::start(library, &gateway, "alice", &["cancel"]);
    let heard: Value = client.next().await;
    provider.hung_up(1).await;

    assert_eq!(heard, json!({ "heard": "Once " }));
}

pub(crate) async fn its_own_timeout_closes_the_upstream(library: Library) {
    let provider = FakeProvider::playing(Script::silent()).await;
    let gateway = Setup::with(&provider).start().await;

    let mut client = ForeignClient::start(library, &gateway, "alice", &["timed_out_chat"]);
    let told = client.next().await;
    provider.hung_up(1).await;

    let is_python = library == Library::OpenAiPython;
    let expected = if is_python { "APITimeoutError" } else { "APIConnectionTimeoutError" };
    assert_eq!(told, json!({ "type": expected, "code": null }));
    assert_eq!(provider.count(), 1);
}

//! Vectors, as OpenAI's clients ask for them: from vendors that write them unlike each other, on record and within bounds.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sluice_tests::{FakeProvider, Gateway, Reply, Script, Setup};

/// As OpenAI sends them when asked for base64.
fn openai(vectors: &[&[f32]], tokens: u64) -> Script {
    let entry = |(index, vector): (usize, &&[f32])| {
        let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
        json!({ "object": "embedding", "index": index, "embedding": STANDARD.encode(bytes) })
    };
    let data: Vec<Value> = vectors.iter().enumerate().map(entry).collect();
    let usage = json!({ "prompt_tokens": tokens, "total_tokens": tokens });
    said(&json!({ "object": "list", "data": data, "model": "upstream-fake", "usage": usage }))
}

fn said(body: &Value) -> Script {
    Script::refusing(200, "application/json", &body.to_string())
}

async fn behind(kind: &str) -> (FakeProvider, Gateway) {
    let provider = FakeProvider::start().await;
    let setup = Setup::with(&provider).set("LLM_PROVIDER_1_TYPE", kind);
    (provider, setup.start().await)
}

async fn embed(gateway: &Gateway, more: &Value) -> Reply {
    let mut body = json!({ "model": "fake", "input": "Hello?" });
    for (key, value) in more.as_object().expect("fields") {
        body[key] = value.clone();
    }
    let token = gateway.token("alice");
    gateway.call("POST", "/v1/embeddings").bearer(&token).json(&body).send().await
}

#[tokio::test]
async fn vectors_come_as_they_are_asked_for_and_are_on_record() {
    let (provider, gateway) = behind("openai").await;
    provider.always(openai(&[&[1.0, -0.5]], 3));

    let numbers = embed(&gateway, &json!({ "dimensions": 2, "task": "query" })).await;
    let base64 = embed(&gateway, &json!({ "encoding_format": "base64" })).await;
    let tokens = embed(&gateway, &json!({ "input": [[17, 4]] })).await;

    let expected = json!({
        "object": "list",
        "data": [{ "object": "embedding", "index": 0, "embedding": [1.0, -0.5] }],
        "model": "fake",
        "usage": { "prompt_tokens": 3, "total_tokens": 3 },
    });
    assert_eq!(numbers.json(), expected, "{}", numbers.body);
    assert!(numbers.header("x-request-id").is_some_and(|id| !id.is_empty()));
    assert_eq!(base64.json()["data"][0]["embedding"], "AACAPwAAAL8=", "{}", base64.body);
    assert_eq!(tokens.status, 200, "{}", tokens.body);
    let sent = provider.request(1).await;
    assert_eq!(sent.path, "/v1/embeddings");
    assert_eq!(sent.header("authorization"), Some("Bearer key-of-the-test"));
    let expected = json!({
        "model": "upstream-fake",
        "input": ["Hello?"],
        "encoding_format": "base64",
        "dimensions": 2,
        "task": "query",
    });
    assert_eq!(sent.body, expected);
    assert_eq!(provider.request(3).await.body["input"], json!([[17, 4]]));
    for line in gateway.usage_of(3).await {
        assert_eq!(
            (&line["input_tokens"], &line["output_tokens"]),
            (&json!(3), &json!(0)),
            "{line}"
        );
        assert_eq!(line["estimated"], 0, "{line}");
    }
}

#[tokio::test]
async fn ollama_embeds_texts_in_its_own_words_and_no_tokens() {
    let (provider, gateway) = behind("ollama").await;
    provider
        .always(said(&json!({ "model": "m", "embeddings": [[0.25, 2]], "prompt_eval_count": 5 })));

    let reply = embed(&gateway, &json!({})).await;
    let tokens = embed(&gateway, &json!({ "input": [1, 2] })).await;

    assert_eq!(reply.json()["data"][0]["embedding"], json!([0.25, 2.0]), "{}", reply.body);
    assert_eq!(reply.json()["usage"]["prompt_tokens"], 5);
    assert_eq!(tokens.status, 400, "{}", tokens.body);
    assert_eq!(tokens.json()["error"]["code"], "unsupported_value");
    let sent = provider.request(1).await;
    assert_eq!(sent.path, "/v1/api/embed");
    assert_eq!(sent.body, json!({ "model": "upstream-fake", "input": ["Hello?"] }));
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn many_passages_are_asked_for_in_parts_and_come_back_in_order() {
    let (provider, gateway) = behind("openai").await;
    let one: Vec<[f32; 1]> = (0..32_u8).map(|n| [f32::from(n)]).collect();
    let one: Vec<&[f32]> = one.iter().map(<[f32; 1]>::as_slice).collect();
    provider.then(openai(&one, 32));
    provider.then(openai(&[&[32.0]], 1));
    let input: Vec<String> = (0..33).map(|n| format!("passage {n}")).collect();

    let reply = embed(&gateway, &json!({ "input": input })).await.json();

    let data = reply["data"].as_array().expect("vectors");
    for (n, entry) in (0..33_u8).zip(data) {
        assert_eq!(entry["index"], n);
        assert_eq!(entry["embedding"][0], f32::from(n));
    }
    assert_eq!(data.len(), 33);
    assert_eq!(reply["usage"]["total_tokens"], 33);
    assert_eq!(provider.request(2).await.body["input"], json!(["passage 32"]));
}

#[tokio::test]
async fn what_fails_is_told_by_a_code_of_its_own() {
    let (provider, gateway) = behind("openai").await;
    let quota = r#"{"error":{"message":"x","code":"insufficient_quota"}}"#;
    for (script, status, code) in [
        (openai(&[], 1), 502, "provider_failed"),
        (said(&json!({ "data": [{ "embedding": "A*==" }] })), 502, "provider_failed"),
        (said(&json!({ "error": { "message": "x" } })), 502, "provider_failed"),
        (Script::refusing(200, "text/html", "<html>"), 502, "provider_failed"),
        (Script::refusing(429, "application/json", quota), 502, "provider_unavailable"),
        (Script::refusing(400, "application/json", "{}"), 400, "invalid_request"),
        (
            Script::raw(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{\"da"),
            502,
            "provider_failed",
        ),
    ] {
        provider.always(script);

        let reply = embed(&gateway, &json!({})).await;

        assert_eq!(reply.status, status, "{}", reply.body);
        assert_eq!(reply.json()["error"]["code"], code, "{}", reply.body);
    }
}

#[tokio::test]
async fn what_a_vendor_refused_costs_nothing() {
    let (provider, gateway) = behind("openai").await;
    for status in [401, 500] {
        provider.always(Script::refusing(status, "application/json", "{}"));
        assert!(embed(&gateway, &json!({})).await.status >= 400);
    }

    for line in gateway.usage_of(2).await {
        let billed = ["input_tokens", "output_tokens", "estimated"].map(|name| &line[name]);
        assert_eq!(billed, [0, 0, 0], "{line}");
    }
}

#[tokio::test]
async fn who_may_not_ask_or_asks_in_vain_is_told_before_anybody_is_asked() {
    let (provider, gateway) = behind("anthropic").await;
    let unsupported = embed(&gateway, &json!({})).await;
    let nothing = embed(&gateway, &json!({ "input": [] })).await;
    let nobody = embed(&gateway, &json!({ "model": "no-such" })).await;
    let stranger = gateway.call("POST", "/v1/embeddings").json(&json!({})).send().await;

    assert_eq!((unsupported.status, nothing.status), (400, 400));
    assert_eq!(unsupported.json()["error"]["code"], "unsupported_value");
    assert_eq!(nothing.json()["error"]["param"], "input");
    assert_eq!((nobody.status, stranger.status), (404, 401));
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn a_vendor_is_left_when_the_caller_leaves() {
    let (provider, gateway) = behind("openai").await;
    provider.always(Script::silent());
    let token = gateway.token("alice");
    let body = json!({ "model": "fake", "input": "Hello?" });
    let call = gateway.call("POST", "/v1/embeddings").bearer(&token).json(&body);

    // What is not waited for any more is dropped, and its connection with it.
    tokio::select! {
        reply = call.send() => panic!("nobody answers, and there is {}", reply.body),
        _ = provider.request(1) => {}
    }

    provider.hung_up(1).await;
    assert_eq!(gateway.usage_of(1).await[0]["estimated"], 1);
}

#[tokio::test]
async fn a_policy_sees_every_passage_and_what_it_changes_is_what_is_sent() {
    let provider = FakeProvider::start().await;
    provider.always(openai(&[&[1.0], &[2.0]], 3));
    let config = "[policies]\nchain = [\"guard\"]\n\n[plugins.guard]\nsource = \"bundled:guard\"\n";
    let gateway = Setup::new().config(config).and("fake", &provider).start().await;

    let card = "My card is 4111 1111 1111 1111.";
    let reply = embed(&gateway, &json!({ "input": [card, "Hello?"] })).await;

    assert_eq!(reply.status, 200, "{}", reply.body);
    let sent = provider.request(1).await.body;
    assert!(!sent.to_string().contains("4111"), "{sent}");
    assert_eq!(sent["input"][1], "Hello?");
}

//! What fails says so in OpenAI's words, and never in the provider's.

use serde_json::{Value, json};
use sluice_tests::{
    Events, FakeProvider, Gateway, Reply, Script, Setup, expiring_in, mint, patiently,
};

use super::{CHAT, ask, call, question, stream, with};

/// Status, code, and that the rest has the shape.
fn told(reply: &Reply) -> (u16, String) {
    let body = reply.json();
    let error = &body["error"];
    for field in ["message", "type"] {
        assert!(error[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {body}");
    }
    for field in ["param", "code"] {
        assert!(error[field].is_string() || error[field].is_null(), "{field}: {body}");
        assert!(error.get(field).is_some(), "{field}: {body}");
    }
    (reply.status, error["code"].as_str().unwrap_or_default().to_owned())
}

fn case(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// The failure at the end of a stream that broke: no end mark, nothing after it.
fn broken(mut events: Vec<String>) -> Value {
    assert!(events.iter().all(|data| data != "[DONE]"), "{events:?}");
    let last = events.pop().expect("the failure is told");
    let last: Value = serde_json::from_str(&last).expect("JSON");
    assert!(last["error"]["message"].is_string(), "{last}");
    last["error"].clone()
}

#[tokio::test]
async fn only_a_good_token_opens() {
    let (provider, gateway) = with(Script::default()).await;
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let foreign = mint(&header, &expiring_in("alice", 60), &"another secret".repeat(4));
    let expired = mint(&header, &expiring_in("alice", -3600), gateway.setup().secret());

    for (method, path) in [("POST", CHAT), ("GET", "/v1/models"), ("GET", "/v1/models/fake")] {
        let call = || gateway.call(method, path);
        let replies = [
            call().send().await,
            call().bearer("nonsense").send().await,
            call().bearer(&foreign).send().await,
            call().bearer(&expired).send().await,
        ];
        for reply in &replies {
            assert_eq!(told(reply), case(401, "invalid_api_key"), "{path}");
        }
    }
    let in_query = format!("{CHAT}?token={}", gateway.token("alice"));
    let reply = gateway.call("POST", &in_query).json(&question(&json!({}))).send().await;
    assert_eq!(reply.status, 401, "a token in an address ends up in logs");
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn a_request_that_is_wrong_is_told_what_and_where() {
    let (provider, gateway) = with(Script::default()).await;
    let user = |content: Value| json!({ "messages": [{ "role": "user", "content": content }] });
    let picture = |url: &str| user(json!([{ "type": "image_url", "image_url": { "url": url } }]));
    let table = [
        (json!({ "model": "nobody" }), 404, "model_not_found", "model"),
        (json!({ "model": null }), 400, "missing_required_parameter", "model"),
        (json!({ "messages": [] }), 400, "invalid_value", "messages"),
        (json!({ "messages": "Hi" }), 400, "invalid_value", "messages"),
        (
            json!({ "messages": [{ "role": "user" }] }),
            400,
            "missing_required_parameter",
            "messages[0].content",
        ),
        (
            json!({ "messages": [{ "role": "pope", "content": "" }] }),
            400,
            "invalid_value",
            "messages[0].role",
        ),
        (
            picture("http://pictures.example/a.png"),
            400,
            "invalid_value",
            "messages[0].content[0].image_url.url",
        ),
        (
            picture("data:image/png;base64,*"),
            400,
            "invalid_value",
            "messages[0].content[0].image_url.url",
        ),
        (json!({ "n": 2 }), 400, "unsupported_value", "n"),
        (json!({ "functions": [] }), 400, "unsupported_value", "functions"),
        (json!({ "temperature": "hot" }), 400, "invalid_value", "temperature"),
        (json!({ "max_tokens": 0 }), 400, "invalid_value", "max_tokens"),
        (json!({ "stop": [1] }), 400, "invalid_value", "stop"),
        (
            json!({ "tools": [{ "type": "function" }] }),
            400,
            "missing_required_parameter",
            "tools[0].function",
        ),
    ];

    for (more, status, code, param) in table {
        let reply = ask(&gateway, &more).await;
        assert_eq!(told(&reply), case(status, code), "{more}: {}", reply.body);
        assert_eq!(reply.json()["error"]["param"], param, "{more}: {}", reply.body);
    }
    for body in [json!([]), json!("text"), json!(null)] {
        assert_eq!(told(&call(&gateway, &body).send().await), case(400, "invalid_value"), "{body}");
    }
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn what_is_not_there_is_told_in_the_same_shape() {
    let (_provider, gateway) = with(Script::default()).await;
    let token = gateway.token("alice");
    let send = async |method: &str, path: &str| {
        told(&gateway.call(method, path).bearer(&token).send().await)
    };

    for prefix in ["/v1", "/chatbox/v1"] {
        assert_eq!(send("POST", &format!("{prefix}/audio/speech")).await, case(404, "unknown_url"));
        assert_eq!(
            send("GET", &format!("{prefix}/models/nobody")).await,
            case(404, "model_not_found")
        );
        let completions = format!("{prefix}/chat/completions");
        assert_eq!(send("GET", &completions).await, case(405, "method_not_supported"));
    }
}

#[tokio::test]
async fn too_many_calls_are_told_when_to_come_back_and_share_the_limit_of_chats() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).set("SLUICE_LIMITS__MESSAGES", "2/1m").start().await;
    gateway.connect("alice").await.ask("one").await;

    assert_eq!(ask(&gateway, &json!({})).await.status, 200);
    let refused = ask(&gateway, &json!({ "stream": true })).await;

    assert_eq!(told(&refused), case(429, "rate_limit_exceeded"));
    let wait: u64 =
        refused.header("retry-after").and_then(|wait| wait.parse().ok()).expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(provider.count(), 2);
}

#[tokio::test]
async fn bodies_have_a_limit() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).set("SLUICE_LIMITS__MAX_BODY", "64KiB").start().await;
    let long =
        |bytes: usize| json!({ "messages": [{ "role": "user", "content": "a".repeat(bytes) }] });

    let fits = ask(&gateway, &long(60 * 1024)).await;
    let over = ask(&gateway, &long(64 * 1024)).await;

    assert_eq!(fits.status, 200, "{}", fits.body);
    assert_eq!(told(&over), case(413, "request_too_large"));
}

#[tokio::test]
async fn text_has_a_limit_below_that_of_bodies() {
    let (provider, gateway) = with(Script::default()).await;
    let long = "a".repeat(3 * 1024 * 1024);

    let over = ask(&gateway, &json!({ "messages": [{ "role": "user", "content": long }] })).await;

    assert_eq!(told(&over), case(413, "request_too_large"));
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn what_a_provider_refuses_with_has_a_status_of_ours_and_none_of_its_words() {
    let error = |fields: &str| format!(r#"{{"error":{{"message":"sk-very-private"{fields}}}}}"#);
    let table = [
        (401, error(r#","code":"invalid_api_key""#), 502, "provider_unavailable"),
        (403, error(""), 502, "provider_unavailable"),
        (404, error(r#","code":"model_not_found""#), 502, "provider_unavailable"),
        (429, error(r#","code":"insufficient_quota""#), 502, "provider_unavailable"),
        (429, error(""), 503, "provider_rate_limited"),
        (400, error(r#","code":"context_length_exceeded""#), 400, "context_length_exceeded"),
        (400, error(r#","code":"content_filter""#), 400, "content_filter"),
        (400, error(""), 400, "invalid_request"),
        (503, error(""), 503, "provider_overloaded"),
        (200, "very-private portal".to_owned(), 502, "provider_failed"),
    ];
    let (provider, gateway) = with(Script::default()).await;

    for (status, body, ours, code) in table {
        provider.always(Script::refusing(status, "application/json", &body));
        for streamed in [false, true] {
            let reply = ask(&gateway, &json!({ "stream": streamed })).await;
            assert_eq!(told(&reply), case(ours, code), "{status} {body}");
            assert!(!reply.body.contains("private"), "{}", reply.body);
            let hint = reply.header("x-should-retry");
            let may_pass = code == "provider_rate_limited"
                || code == "provider_overloaded"
                || code == "provider_failed";
            assert_eq!(hint.is_none(), may_pass, "{status} {code}: {hint:?}");
        }
    }
}

#[tokio::test]
async fn a_provider_that_never_begins_is_a_timeout() {
    let provider = FakeProvider::start().await;
    provider.always(Script::silent());
    let setup = Setup::with(&provider).set("SLUICE_LLM__FIRST_BYTE_TIMEOUT", "300ms");
    let gateway = setup.start().await;

    for streamed in [false, true] {
        let reply = ask(&gateway, &json!({ "stream": streamed })).await;
        assert_eq!(told(&reply), case(504, "provider_timeout"));
    }
    provider.hung_up(2).await;
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_a_failure() {
    let provider = FakeProvider::start().await;
    let setup = Setup::with(&provider);
    drop(provider);
    let gateway = setup.start().await;

    assert_eq!(told(&ask(&gateway, &json!({})).await), case(502, "provider_failed"));
}

#[tokio::test]
async fn an_upstream_cut_in_mid_answer_is_told_and_the_stream_has_no_end_mark() {
    for script in [Script::cut(&["Once ", "upon"]), Script::unfinished(&["Once ", "upon"])] {
        let (_provider, gateway) = with(script).await;

        let events = stream(&gateway, &json!({})).await.rest().await;
        let whole = ask(&gateway, &json!({})).await;

        assert!(events[1].contains("Once "), "{events:?}");
        let error = broken(events);
        assert_eq!(
            (&error["type"], &error["code"]),
            (&json!("server_error"), &json!("provider_failed"))
        );
        assert_eq!(told(&whole), case(502, "provider_failed"), "half an answer is none");
        let log = gateway.log();
        assert!(
            log.lines().any(|line| line.contains("answered a call") && line.contains("error")),
            "{log}"
        );
    }
}

#[tokio::test]
async fn a_provider_that_falls_silent_in_mid_answer_is_told_as_a_timeout() {
    let provider = FakeProvider::playing(Script::stalling(&["Once "])).await;
    let setup = Setup::with(&provider).set("SLUICE_LLM__IDLE_TIMEOUT", "300ms");
    let gateway = setup.start().await;

    let error = broken(stream(&gateway, &json!({})).await.rest().await);

    assert_eq!(error["code"], "provider_timeout");
    provider.hung_up(1).await;
}

/// Waits for the line that tells how a call ended.
async fn ended(gateway: &Gateway, how: &str) -> String {
    patiently("the line of a call", async {
        loop {
            let log = gateway.log();
            let line = log.lines().find(|line| line.contains("answered a call"));
            if let Some(line) = line {
                assert!(line.contains(how), "{line}");
                return line.to_owned();
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_closes_the_upstream_and_is_accounted_for() {
    let provider = FakeProvider::playing(Script::halting(&["Once ", "upon"])).await;
    let gateway = Setup::with(&provider).start().await;
    provider.release(1);
    let mut events = stream(&gateway, &json!({})).await;
    events.json().await;
    events.json().await;

    drop(events);

    provider.hung_up(1).await;
    let line = ended(&gateway, "cancelled").await;
    assert!(line.contains("output_tokens=2") && line.contains("estimated=true"), "{line}");
}

#[tokio::test]
async fn a_client_that_leaves_before_the_first_word_closes_the_upstream_too() {
    for streamed in [false, true] {
        let provider = FakeProvider::playing(Script::silent()).await;
        let gateway = Setup::with(&provider).start().await;
        let waiting = call(&gateway, &question(&json!({ "stream": streamed }))).begin().await;
        provider.request(1).await;

        drop(waiting);

        provider.hung_up(1).await;
        ended(&gateway, "cancelled").await;
    }
}

#[tokio::test]
async fn shutdown_waits_for_a_running_answer() {
    let provider = FakeProvider::playing(Script::halting(&["Once ", "upon"])).await;
    let mut gateway = Setup::with(&provider).start().await;
    provider.release(1);
    let mut events = stream(&gateway, &json!({})).await;
    events.json().await;

    gateway.signal(sluice_tests::Signal::SIGTERM);
    patiently("the drain", async {
        while !gateway.log().contains("draining") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    provider.release(1);
    let rest = events.rest().await;

    assert_eq!(rest.last().map(String::as_str), Some("[DONE]"), "{rest:?}");
    assert!(gateway.stop_already().await.success());
}

#[tokio::test]
async fn an_answer_that_outlives_the_grace_period_is_told_that_it_was_cut() {
    let provider = FakeProvider::playing(Script::stalling(&["Once "])).await;
    let setup = Setup::with(&provider).set("SLUICE_SERVER__SHUTDOWN_TIMEOUT", "1s");
    let mut gateway = setup.start().await;
    let mut events: Events = stream(&gateway, &json!({})).await;
    events.json().await;

    gateway.signal(sluice_tests::Signal::SIGTERM);
    let error = broken(events.rest().await);

    assert_eq!(error["code"], "interrupted");
    provider.hung_up(1).await;
    gateway.stop_already().await;
}

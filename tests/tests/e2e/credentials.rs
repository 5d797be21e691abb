//! A provider with several keys: one that is refused rests, another is used, and the client notices nothing.

use serde_json::{Value, json};
use sluice_tests::{FakeProvider, Gateway, Script, Setup};

/// A gateway whose provider has two keys.
async fn with_two_keys(provider: &FakeProvider) -> Gateway {
    let address = provider.endpoint();
    let config = format!(
        r#"
[plugins.vendor]
source = "bundled:openai"
endpoints.api = "{address}"
secrets.api_key = ["env:FIRST", "env:SECOND"]

[[models]]
id = "model"
plugin = "vendor"
"#
    );
    let setup =
        Setup::new().config(&config).set("FIRST", "key-one").set("SECOND", "key-two").watched();
    setup.start().await
}

fn refusing(status: &str, headers: &str, body: &Value) -> Script {
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status} No\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    Script::raw(format!("{head}{body}").as_bytes())
}

fn spent() -> Script {
    let error =
        json!({ "error": { "code": "insufficient_quota", "message": "You exceeded your quota" } });
    refusing("429", "Content-Type: application/json\r\n", &error)
}

/// The keys of all requests so far.
async fn keys(provider: &FakeProvider) -> Vec<String> {
    let mut keys = Vec::new();
    for number in 1..=provider.count() {
        let request = provider.request(number).await;
        keys.push(request.header("authorization").unwrap_or_default().to_owned());
    }
    keys
}

async fn told(gateway: &Gateway) -> Value {
    let token = gateway.token_with("root", &["admin"]);
    let list = gateway.call("GET", "/chatbox/admin/plugins").bearer(&token).send().await.json();
    let plugins = list["plugins"].as_array().expect("a list of plugins");
    plugins.iter().find(|plugin| plugin["id"] == "vendor").expect("it is loaded")["keys"].clone()
}

const ONE: &str = "Bearer key-one";
const TWO: &str = "Bearer key-two";

#[tokio::test]
async fn a_key_without_quota_rests_and_the_next_one_answers() {
    let provider = FakeProvider::playing(spent()).await;
    let gateway = with_two_keys(&provider).await;
    let mut alice = gateway.connect("alice").await;

    let answer = alice.ask("Hello?").await;

    assert_eq!((answer.text.as_str(), answer.finish_reason.as_str()), ("Hello there.", "stop"));
    assert!(alice.settled().await.is_empty(), "nothing is said of the key that was refused");
    alice.ask("And now?").await;
    assert_eq!(keys(&provider).await, [ONE, TWO, TWO], "the first one rests");
    assert_eq!(told(&gateway).await, json!({ "count": 2, "resting": 1 }));
    let figures = gateway.call("GET", "/metrics").send().await.body;
    for line in [
        r#"sluice_credential_turns_total{provider="vendor",reason="quota_exhausted"} 1"#,
        r#"sluice_credentials_resting{provider="vendor"} 1"#,
        r#"chatbox_llm_requests_total{provider="vendor"} 2"#,
    ] {
        assert!(figures.lines().any(|found| found == line), "{line} in {figures}");
    }
    assert!(!gateway.log().contains("key-one"), "keys are in no log");
}

#[tokio::test]
async fn a_key_that_is_wrong_or_used_too_often_is_left_for_the_next_over_v1_too() {
    for refusal in [
        refusing("401", "", &json!({})),
        refusing("402", "", &json!({})),
        refusing("429", "Retry-After: 3600\r\n", &json!({})),
    ] {
        let provider = FakeProvider::playing(refusal).await;
        let gateway = with_two_keys(&provider).await;
        let body = json!({ "model": "model", "messages": [{ "role": "user", "content": "Hi" }] });
        let call = gateway.call("POST", "/v1/chat/completions").bearer(&gateway.token("alice"));

        let reply = call.json(&body).send().await;

        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(keys(&provider).await, [ONE, TWO]);
    }
}

#[tokio::test]
async fn when_every_key_is_refused_each_was_tried_once_and_the_error_is_told() {
    let provider = FakeProvider::start().await;
    provider.always(spent());
    let gateway = with_two_keys(&provider).await;

    let answer = gateway.connect("alice").await.ask("Hello?").await;

    assert_eq!(answer.finish_reason, "error");
    assert_eq!(keys(&provider).await, [ONE, TWO]);
    assert_eq!(told(&gateway).await, json!({ "count": 2, "resting": 2 }));
}

#[tokio::test]
async fn a_key_that_has_rested_is_used_again() {
    let provider = FakeProvider::playing(refusing("429", "Retry-After: 1\r\n", &json!({}))).await;
    let gateway = with_two_keys(&provider).await;
    let mut alice = gateway.connect("alice").await;

    alice.ask("Hello?").await;
    gateway.metric_becomes(r#"sluice_credentials_resting{provider="vendor"}"#, 0.0).await;
    alice.ask("And now?").await;

    assert_eq!(keys(&provider).await, [ONE, TWO, ONE]);
    assert_eq!(told(&gateway).await, json!({ "count": 2, "resting": 0 }));
}

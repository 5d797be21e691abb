//! What answers cost at their model's price: in the last piece, in `/v1`, on record and in the figures.

use serde_json::{Value, json};
use sluice_tests::{FakeProvider, Gateway, Script, Setup};

/// A gateway with one model, whose prices are these; what it is asked is answered with 11 tokens of prompt and 7 of answer.
async fn priced(price: &str) -> (FakeProvider, Gateway) {
    let provider = FakeProvider::start().await;
    let endpoint = provider.endpoint();
    let config = format!(
        r#"
[plugins.one]
source = "bundled:openai"
endpoints.api = "{endpoint}"

[[models]]
id = "fake"
plugin = "one"
{price}
"#
    );
    let gateway = Setup::new().config(&config).start().await;
    (provider, gateway)
}

const PRICE: &str = "price = { input = 2_500_000, output = 10_000_000 }";
/// 11 × 2.5 + 7 × 10, rounded up.
const COST: u64 = 98;

fn question(stream: bool) -> Value {
    let messages = json!([{ "role": "user", "content": "Hello?" }]);
    json!({ "model": "fake", "stream": stream, "stream_options": { "include_usage": true }, "messages": messages })
}

#[tokio::test]
async fn an_answer_says_what_it_cost_wherever_anybody_looks() {
    let (_provider, gateway) = priced(PRICE).await;
    let token = gateway.token("alice");
    let call = |stream| {
        gateway.call("POST", "/v1/chat/completions").bearer(&token).json(&question(stream))
    };
    let mut alice = gateway.connect("alice").await;

    let whole = call(false).send().await.json();
    let mut events = call(true).events().await.begun().await;
    let streamed = events.rest().await;
    alice.say("Hello?").await;
    let frames = alice.frames_until("the end", |frame| frame["finish_reason"] == "stop").await;

    assert_eq!(whole["usage"]["cost_micros"], COST, "{whole}");
    let usage = streamed.iter().filter(|data| data.contains("cost_micros")).count();
    assert_eq!(usage, 1, "{streamed:?}");
    let last = frames.last().expect("the last piece");
    assert_eq!(last["usage"]["cost_micros"], COST, "{last}");
    for line in gateway.usage_of(3).await {
        assert_eq!(line["cost_micros"], COST, "{line}");
    }
    let figures = gateway.call("GET", "/metrics").send().await.body;
    let line = format!(r#"sluice_cost_micros_total{{provider="one",model="fake"}} {}"#, 3 * COST);
    assert!(figures.lines().any(|found| found == line), "{line} in {figures}");
}

#[tokio::test]
async fn who_leaves_in_the_middle_is_billed_for_what_was_said() {
    let (provider, gateway) = priced(PRICE).await;
    provider.always(Script::stalling(&["Once "]));
    let token = gateway.token("alice");
    let call = gateway.call("POST", "/v1/chat/completions").bearer(&token).json(&question(true));
    let mut events = call.events().await.begun().await;
    while events.json().await["choices"][0]["delta"]["content"] != "Once " {}

    drop(events);

    let line = gateway.usage_of(1).await.remove(0);
    assert_eq!(line["estimated"], 1, "{line}");
    let tokens = |name: &str| line[name].as_u64().expect("a number");
    let cost = (tokens("input_tokens") * 25 + tokens("output_tokens") * 100).div_ceil(10);
    assert_eq!(line["cost_micros"], cost, "{line}");
}

#[tokio::test]
async fn without_a_price_nothing_is_said_of_costs() {
    let (_provider, gateway) = priced("").await;
    let token = gateway.token("alice");

    let call = gateway.call("POST", "/v1/chat/completions").bearer(&token);
    let reply = call.json(&question(false)).send().await;

    assert!(!reply.body.contains("cost_micros"), "{}", reply.body);
    assert_eq!(gateway.usage_of(1).await[0]["cost_micros"], Value::Null);
}

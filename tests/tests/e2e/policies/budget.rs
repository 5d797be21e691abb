//! Budgets: exact however many ask at once, right afterwards, and given back when nothing came of it.

use serde_json::json;
use sluice_tests::{Client, FakeProvider, Gateway, Script, Setup, kind, patiently};

use super::{bundled, complete, error, record, with};

async fn limited(provider: &FakeProvider, limits: &str) -> Gateway {
    let settings = format!("settings.limits = [{limits}]");
    let setup = with(provider, &[("budget", bundled("budget"), &settings)]);
    setup.set("SLUICE_LIMITS__MESSAGES", "100000/1m").start().await
}

/// Limits of which each has room for one message at a time, and is used up by one that counts.
const ONE_EACH: &str = r#"{ name = "messages", within = "day", at_most = { messages = 1 } },
    { name = "tokens", within = "day", at_most = { tokens = 100 }, reserve = 100 }"#;

/// How many of so many calls at once are let through.
async fn admitted(gateway: &Gateway, calls: usize) -> usize {
    let token = gateway.token("alice");
    let call = async || complete(gateway, &token, "Go").await.status;
    let statuses = futures_util::future::join_all((0..calls).map(|_| call())).await;
    for status in &statuses {
        assert!([200, 403].contains(status), "{status}");
    }
    statuses.iter().filter(|status| **status == 200).count()
}

/// Whether somebody may not say that, in the session they are in: what its last answer took is settled by then.
async fn is_denied(client: &mut Client, content: &str) -> bool {
    client.say(content).await;
    error(&client.next_of("error").await).0 == "POLICY_DENIED"
}

#[tokio::test]
async fn of_a_thousand_at_once_exactly_a_budget_for_a_hundred_is_admitted() {
    let provider = FakeProvider::start().await;
    provider.always(Script::saying(&["Yes."]));
    let gateway = limited(
        &provider,
        "{ name = \"messages\", per = \"everybody\", within = \"day\", at_most = { messages = 100 } }",
    )
    .await;

    assert_eq!(admitted(&gateway, 1_000).await, 100);
    assert_eq!(admitted(&gateway, 10).await, 0);
    let line = json!(["message: budget", "alice", "used up: messages", 403]);
    assert_eq!(record(&gateway, "budget").await.first(), Some(&line));
    assert_eq!(provider.count(), 100);
}

#[tokio::test]
async fn after_an_answer_the_budget_is_right_to_the_token() {
    let provider = FakeProvider::start().await;
    let said = json!({ "prompt_tokens": 30, "completion_tokens": 12 });
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: {}\n\ndata: {}\n\ndata: {}\n\ndata: [DONE]\n\n",
        json!({ "choices": [{ "index": 0, "delta": { "content": "Yes." } }] }),
        json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] }),
        json!({ "choices": [], "usage": said }),
    );
    provider.always(Script::raw(answer.as_bytes()));
    // Two answers of 42 tokens leave 16: as many as a third one may reserve, and not one more.
    for (reserve, fits) in [(16, true), (17, false)] {
        let limit = format!(
            "{{ name = \"tokens\", within = \"day\", at_most = {{ tokens = 100 }}, reserve = {reserve} }}"
        );
        let gateway = limited(&provider, &limit).await;
        let mut alice = gateway.connect("alice").await;

        assert_eq!(alice.ask("One").await.usage["total_tokens"], 42);
        alice.ask("Two").await;
        if fits {
            assert_eq!(alice.ask("Three").await.text, "Yes.");
        } else {
            assert!(is_denied(&mut alice, "Three").await);
        }
        assert_eq!(gateway.connect("bob").await.ask("One").await.text, "Yes.", "it is hers alone");
    }
}

#[tokio::test]
async fn what_is_reserved_is_given_back_by_a_cancel_and_by_a_crash() {
    let provider = FakeProvider::start().await;
    let mut gateway = limited(
        &provider,
        "{ name = \"tokens\", within = \"day\", at_most = { tokens = 100 }, reserve = 60 }",
    )
    .await;
    let mut alice = gateway.connect("alice").await;
    for (way, request) in [("cancel", 1), ("crash", 3)] {
        provider.then(Script::silent());
        alice.say("Go").await;
        alice.frames_until("the beginning", |frame| kind(frame) == "loading").await;
        provider.request(request).await;
        let mut second = gateway.connect("alice").await;
        second.send(&json!({ "type": "user_message", "content": "And" })).await;
        assert_eq!(
            error(&second.next_of("error").await).0,
            "POLICY_DENIED",
            "60 and 60 are too many"
        );
        if way == "cancel" {
            let session = alice.session().to_owned();
            alice.send(&json!({ "type": "cancel", "session_id": session })).await;
            alice.frames_until("the end", |frame| frame["finish_reason"] == "cancelled").await;
        } else {
            gateway.kill().await;
            gateway.start_again().await;
            alice = gateway.connect("alice").await;
        }
        provider.then(Script::saying(&["Yes."]));
        assert_eq!(alice.ask("Again").await.text, "Yes.", "{way}");
    }
}

/// Asks three times in each way, none of which a provider does anything for.
async fn ask_in_vain(gateway: &Gateway) {
    let token = gateway.token("bob");
    let mut alice = gateway.connect("alice").await;
    let long = "Go on. ".repeat(200);
    for _ in 0..3 {
        alice.say(&long).await;
        let end = alice.answer_end().await;
        assert_eq!(end["finish_reason"], "error", "{end}");

        // It is told before what was reserved for the one before is given back.
        let status = patiently("another call to be let through", async {
            loop {
                let status = complete(gateway, &token, &long).await.status;
                if status != 403 {
                    return status;
                }
            }
        });
        assert!(status.await >= 400);
    }
    for line in gateway.usage_of(6).await {
        assert_eq!(line["ending"], "error", "{line}");
        let billed = ["input_tokens", "output_tokens", "estimated"].map(|name| &line[name]);
        assert_eq!(billed, [0, 0, 0], "{line}");
    }
}

#[tokio::test]
async fn what_a_provider_refused_costs_nothing_and_keeps_nothing_reserved() {
    for status in [401, 500] {
        let provider = FakeProvider::start().await;
        provider.always(Script::refusing(status, "application/json", "{}"));
        let gateway = limited(&provider, ONE_EACH).await;

        ask_in_vain(&gateway).await;

        provider.always(Script::saying(&["Yes."]));
        assert_eq!(gateway.connect("alice").await.ask("Now?").await.text, "Yes.");
    }
}

#[tokio::test]
async fn what_reached_nobody_costs_nothing_and_keeps_nothing_reserved() {
    // The discard port of loopback, where nobody listens.
    let config = format!(
        r#"
[policies]
chain = ["budget"]

[plugins.budget]
source = "bundled:budget"
settings.limits = [{ONE_EACH}]

[plugins.one]
source = "bundled:openai"
endpoints.api = "http://127.0.0.1:9/v1"

[[models]]
id = "fake"
plugin = "one"
"#
    );
    let gateway = Setup::new().config(&config).start().await;

    ask_in_vain(&gateway).await;
}

#[tokio::test]
async fn a_budget_in_money_is_settled_by_what_was_paid() {
    let provider = FakeProvider::start().await;
    let endpoint = provider.endpoint();
    // An answer of 11 and 7 tokens costs 98 at these prices: two fit, and leave less than a third one reserves.
    let config = format!(
        r#"
[policies]
chain = ["budget"]

[plugins.budget]
source = "bundled:budget"
settings.limits = [{{ name = "money", within = "month", at_most = {{ micros = 300 }}, reserve = 105 }}]

[plugins.one]
source = "bundled:openai"
endpoints.api = "{endpoint}"

[[models]]
id = "fake"
plugin = "one"
price = {{ input = 2_500_000, output = 10_000_000 }}
"#
    );
    let gateway = Setup::new().config(&config).start().await;
    let mut alice = gateway.connect("alice").await;

    for content in ["One", "Two"] {
        assert_eq!(alice.ask(content).await.usage["cost_micros"], 98);
    }
    assert!(is_denied(&mut alice, "Three").await);
}

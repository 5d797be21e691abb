//! One provider fails, and another answers: the client sees one clean answer, the operator sees why.

use serde_json::json;
use sluice_tests::{FakeProvider, Gateway, Script, Setup, Signal};

/// A gateway whose model `first` is answered by `one`, and by `two` when that fails.
async fn chain(one: &FakeProvider, two: &FakeProvider) -> Gateway {
    let (first, second) = (one.endpoint(), two.endpoint());
    let config = format!(
        r#"
[plugins.one]
source = "bundled:openai"
endpoints.api = "{first}"
secrets.api_key = "env:KEY"

[plugins.two]
source = "bundled:openai"
endpoints.api = "{second}"
secrets.api_key = "env:KEY"

[[models]]
id = "first"
plugin = "one"
upstream = "upstream-one"
fallback = ["second"]

[[models]]
id = "second"
plugin = "two"
upstream = "upstream-two"
"#
    );
    Setup::new().config(&config).set("KEY", "key-of-the-test").start().await
}

async fn metrics(gateway: &Gateway) -> String {
    gateway.call("GET", "/metrics").send().await.body
}

#[tokio::test]
async fn when_the_first_is_down_the_second_answers_and_the_figures_say_why() {
    let (one, two) = (FakeProvider::start().await, FakeProvider::start().await);
    one.always(Script::refusing(503, "text/html", "<h1>Down</h1>"));
    two.always(Script::saying(&["I am ", "two."]));
    let gateway = chain(&one, &two).await;
    let mut alice = gateway.connect("alice").await;

    let answer = alice.ask("Who?").await;

    assert_eq!((answer.text.as_str(), answer.finish_reason.as_str()), ("I am two.", "stop"));
    assert!(alice.settled().await.is_empty(), "nothing is said of what failed");
    assert_eq!(two.request(1).await.body["model"], "upstream-two");
    let figures = metrics(&gateway).await;
    for line in [
        r#"sluice_fallbacks_total{provider="one",reason="overloaded"} 1"#,
        r#"chatbox_llm_errors_total{provider="one"} 1"#,
        r#"chatbox_llm_requests_total{provider="two"} 1"#,
    ] {
        assert!(figures.lines().any(|found| found == line), "{line} in {figures}");
    }
}

#[tokio::test]
async fn what_nobody_was_shown_does_not_keep_another_from_answering() {
    let (one, two) = (FakeProvider::start().await, FakeProvider::start().await);
    // An id, a role, and then no more.
    let begun = json!({ "id": "chatcmpl-1", "choices": [{ "index": 0, "delta": { "role": "assistant", "content": "" } }] });
    let failed = json!({ "error": { "message": "Overloaded", "type": "overloaded_error" } });
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    let answer = format!("{head}data: {begun}\n\ndata: {failed}\n\n");
    one.always(Script::raw(answer.as_bytes()));
    two.always(Script::saying(&["I am two."]));
    let gateway = chain(&one, &two).await;
    let mut alice = gateway.connect("alice").await;

    let answer = alice.ask("Who?").await;

    assert_eq!((answer.text.as_str(), answer.finish_reason.as_str()), ("I am two.", "stop"));
    assert!(one.count() >= 1 && two.count() == 1, "each was asked");
    two.always(Script::raw(format!("{head}data: {begun}\n\ndata: {failed}\n\n").as_bytes()));
    let failed = alice.ask("And now?").await;
    assert_eq!((failed.text.as_str(), failed.finish_reason.as_str()), ("", "error"));
}

#[tokio::test]
async fn one_that_fails_for_a_moment_is_asked_again_and_nobody_else_is() {
    let (one, two) = (FakeProvider::start().await, FakeProvider::start().await);
    one.then(Script::refusing(503, "text/html", "<h1>Down</h1>"));
    one.then(Script::saying(&["I am one."]));
    let gateway = chain(&one, &two).await;

    assert_eq!(gateway.connect("alice").await.ask("Who?").await.text, "I am one.");
    assert_eq!((one.count(), two.count()), (2, 0));
}

#[tokio::test]
async fn what_was_begun_by_one_is_not_continued_by_another() {
    let (one, two) = (FakeProvider::start().await, FakeProvider::start().await);
    one.always(Script::cut(&["I am "]));
    let gateway = chain(&one, &two).await;
    let mut alice = gateway.connect("alice").await;

    let answer = alice.ask("Who?").await;

    assert_eq!((answer.text.as_str(), answer.finish_reason.as_str()), ("I am ", "error"));
    assert_eq!((one.count(), two.count()), (1, 0));
}

#[tokio::test]
async fn a_question_that_is_wrong_is_asked_nobody_else() {
    let (one, two) = (FakeProvider::start().await, FakeProvider::start().await);
    let wrong = json!({ "error": { "message": "no", "type": "invalid_request_error" } });
    one.always(Script::refusing(400, "application/json", &wrong.to_string()));
    let gateway = chain(&one, &two).await;

    assert_eq!(gateway.connect("alice").await.ask("Who?").await.finish_reason, "error");
    assert_eq!((one.count(), two.count()), (1, 0));
}

#[tokio::test]
async fn one_that_is_down_is_passed_over_after_a_while() {
    let (one, two) = (FakeProvider::start().await, FakeProvider::start().await);
    one.always(Script::refusing(503, "text/html", "<h1>Down</h1>"));
    two.always(Script::saying(&["I am two."]));
    let gateway = chain(&one, &two).await;
    let mut alice = gateway.connect("alice").await;

    for _ in 0..6 {
        assert_eq!(alice.ask("Who?").await.text, "I am two.");
    }

    assert_eq!(one.count(), 5, "two tries each, until five failed in a row");
    assert_eq!(two.count(), 6);
}

/// An upstream that has too much to do refuses what is new, and goes on with what it has.
#[tokio::test]
async fn an_answer_that_still_runs_does_not_hide_that_nothing_new_is_taken() {
    let (one, two) = (FakeProvider::start().await, FakeProvider::start().await);
    let pieces = ["I ", "am ", "still ", "one", "."];
    one.then(Script::halting(&pieces));
    one.always(Script::refusing(503, "text/html", "<h1>Down</h1>"));
    two.always(Script::saying(&["I am two."]));
    let gateway = chain(&one, &two).await;
    let (mut alice, mut bob) = (gateway.connect("alice").await, gateway.connect("bob").await);
    bob.say("Who?").await;

    for piece in pieces {
        one.release(1);
        bob.frames_saying(piece).await;
        assert_eq!(alice.ask("Who?").await.text, "I am two.");
    }

    assert_eq!(one.count(), 1 + 5, "two tries each, until five failed in a row");
}

#[tokio::test]
async fn one_that_is_down_is_passed_over_after_a_reload_too() {
    let (one, two) = (FakeProvider::start().await, FakeProvider::start().await);
    one.always(Script::refusing(503, "text/html", "<h1>Down</h1>"));
    two.always(Script::saying(&["I am two."]));
    let gateway = chain(&one, &two).await;
    let mut alice = gateway.connect("alice").await;
    for _ in 0..3 {
        alice.ask("Who?").await;
    }
    let tries = one.count();

    gateway.signal(Signal::SIGHUP);
    gateway.logged("reloaded the configuration").await;

    assert_eq!(alice.ask("Who?").await.text, "I am two.");
    assert_eq!(one.count(), tries);
}

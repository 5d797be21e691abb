//! An answer that failed is never passed off as one that was given.

use serde_json::Value;
use sluice_tests::{Answer, Client, FakeProvider, Gateway, Script, Setup, kind};

/// Asks, and expects a failure: what was heard of the answer, and the error frame.
async fn failing(alice: &mut Client) -> (Answer, Value) {
    let said = alice.say("Tell me a story").await;
    let frames = alice.frames_until("an error", |frame| kind(frame) == "error").await;
    let error = frames.last().expect("the error is the last").clone();

    assert_eq!(error["client_message_id"], said, "{error}");
    assert_eq!(error["error"]["recoverable"], true, "{error}");
    let trace = error["error"]["trace_id"].as_str().unwrap_or_default();
    assert!(!trace.is_empty(), "{error}");
    let rest = alice.settled().await;
    assert!(rest.is_empty(), "one message fails once: {rest:#?}");
    let answer = Answer::of(&frames);
    assert_eq!(answer.finish_reason, "error");
    (answer, error["error"].clone())
}

async fn stored_answer(gateway: &Gateway, alice: &Client) -> Value {
    let stored = gateway.messages("alice", alice.session()).await;
    stored.into_iter().find(|message| message["sender"] == "ai").expect("the partial is kept")
}

#[tokio::test]
async fn an_upstream_cut_in_mid_answer_is_an_error_and_the_partial_is_kept() {
    let provider = FakeProvider::playing(Script::cut(&["Once ", "upon"])).await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;

    let (answer, error) = failing(&mut alice).await;

    assert_eq!(error["code"], "LLM_UNAVAILABLE");
    assert_eq!(answer.text, "Once upon");
    let stored = stored_answer(&gateway, &alice).await;
    assert_eq!(stored["content"], "Once upon");
    assert_eq!(stored["finish_reason"], "error");
}

#[tokio::test]
async fn a_body_that_ends_in_order_but_without_the_end_mark_is_an_error() {
    let provider = FakeProvider::playing(Script::unfinished(&["Once ", "upon"])).await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;

    let (answer, error) = failing(&mut alice).await;

    assert_eq!(error["code"], "LLM_UNAVAILABLE");
    assert_eq!(answer.text, "Once upon");
}

#[tokio::test]
async fn a_provider_that_falls_silent_in_mid_answer_is_a_timeout() {
    let provider = FakeProvider::playing(Script::stalling(&["Once ", "upon"])).await;
    let setup = Setup::with(&provider).set("SLUICE_LLM__IDLE_TIMEOUT", "500ms");
    let gateway = setup.start().await;
    let mut alice = gateway.connect("alice").await;

    let (answer, error) = failing(&mut alice).await;

    provider.hung_up(1).await;
    assert_eq!(error["code"], "LLM_TIMEOUT");
    assert_eq!(answer.text, "Once upon");
    assert_eq!(stored_answer(&gateway, &alice).await["finish_reason"], "error");
}

#[tokio::test]
async fn a_provider_that_never_begins_is_a_timeout() {
    let provider = FakeProvider::start().await;
    provider.always(Script::silent());
    let setup = Setup::with(&provider).set("SLUICE_LLM__FIRST_BYTE_TIMEOUT", "500ms");
    let gateway = setup.start().await;
    let mut alice = gateway.connect("alice").await;

    let (answer, error) = failing(&mut alice).await;

    provider.hung_up(1).await;
    assert_eq!(error["code"], "LLM_TIMEOUT");
    assert_eq!(answer.text, "");
}

#[tokio::test]
async fn an_answer_that_takes_longer_than_the_whole_may_is_a_timeout() {
    let provider = FakeProvider::playing(Script::halting(&["Once ", "upon"])).await;
    let setup = Setup::with(&provider).set("SLUICE_LLM__STREAM_TIMEOUT", "1s");
    let gateway = setup.start().await;
    let mut alice = gateway.connect("alice").await;
    provider.release(1);

    let (answer, error) = failing(&mut alice).await;

    assert_eq!(error["code"], "LLM_TIMEOUT");
    assert_eq!(answer.text, "Once ");
}

#[tokio::test]
async fn what_a_provider_refuses_with_is_not_what_the_user_is_told() {
    let table = [
        (401, "application/json", r#"{"error":{"message":"bad key sk-very-private"}}"#),
        (500, "text/html", "<html><body>very-private stack</body></html>"),
        (200, "text/html", "<html><body>very-private portal</body></html>"),
    ];
    for (status, content_type, body) in table {
        let provider = FakeProvider::start().await;
        provider.always(Script::refusing(status, content_type, body));
        let gateway = Setup::with(&provider).start().await;
        let mut alice = gateway.connect("alice").await;

        let (answer, error) = failing(&mut alice).await;

        assert_eq!(error["code"], "LLM_UNAVAILABLE", "{status} {error}");
        assert_eq!(answer.text, "", "{status}");
        assert!(!error.to_string().contains("private"), "{error}");
        assert!(!gateway.log().contains("key-of-the-test"), "keys are never logged");
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_unavailable() {
    let provider = FakeProvider::start().await;
    let setup = Setup::with(&provider);
    drop(provider);
    let gateway = setup.start().await;
    let mut alice = gateway.connect("alice").await;

    let (_, error) = failing(&mut alice).await;

    assert_eq!(error["code"], "LLM_UNAVAILABLE");
}

#[tokio::test]
async fn a_failure_is_told_to_nobody_but_the_one_who_asked() {
    let provider = FakeProvider::playing(Script::saying(&["Fine."])).await;
    provider.then(Script::cut(&["Once "]));
    let gateway = Setup::with(&provider).start().await;
    let mut phone = gateway.connect("alice").await;
    phone.ask("Hello?").await;
    let desk = gateway.dial().bearer(&gateway.token("alice"));
    let mut desk = desk.query("session_id", phone.session()).open().await.expect("it opens");

    failing(&mut phone).await;

    let mut heard = desk.frames_until("the end", |frame| frame["finish_reason"] == "error").await;
    heard.extend(desk.settled().await);
    assert!(heard.iter().all(|frame| kind(frame) != "error"), "{heard:#?}");
}

#[tokio::test]
async fn the_session_goes_on_after_a_failure() {
    let provider = FakeProvider::playing(Script::cut(&["Once "])).await;
    provider.then(Script::saying(&["Better."]));
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    failing(&mut alice).await;

    let answer = alice.ask("Once more").await;

    assert_eq!((answer.text.as_str(), answer.finish_reason.as_str()), ("Better.", "stop"));
}

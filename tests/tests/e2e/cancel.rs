//! Stopping an answer, and not stopping it.

use serde_json::json;
use sluice_tests::{Answer, FakeProvider, Script, Setup, kind};

#[tokio::test]
async fn a_cancelled_answer_stops_upstream_too_and_keeps_what_was_said() {
    let provider = FakeProvider::playing(Script::halting(&["Once", " upon", " a time"])).await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.say("Tell me a story").await;
    alice.next_of("loading").await;
    provider.release(2);
    let mut heard = alice.frames_saying("Once upon").await;

    alice.send(&json!({ "type": "cancel", "session_id": alice.session() })).await;
    heard.extend(alice.frames_until("the end", |frame| frame["finish_reason"].is_string()).await);

    provider.hung_up(1).await;
    let answer = Answer::of(&heard);
    assert_eq!(answer.text, "Once upon");
    assert_eq!(answer.finish_reason, "cancelled");
    let stored = gateway.messages("alice", alice.session()).await;
    assert_eq!(stored[1]["content"], "Once upon");
    assert_eq!(stored[1]["finish_reason"], "cancelled");
    assert_eq!(alice.settled().await, [] as [serde_json::Value; 0], "nobody is told of an error");
}

#[tokio::test]
async fn cancelling_before_the_first_piece_still_ends_the_answer() {
    let provider = FakeProvider::playing(Script::silent()).await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.say("Anybody there?").await;
    alice.next_of("loading").await;
    provider.request(1).await;

    alice.send(&json!({ "type": "cancel", "session_id": alice.session() })).await;
    let answer = alice.answer().await;

    provider.hung_up(1).await;
    assert_eq!((answer.text.as_str(), answer.finish_reason.as_str()), ("", "cancelled"));
}

#[tokio::test]
async fn cancel_drops_what_waits_and_says_so_for_each() {
    let provider = FakeProvider::playing(Script::halting(&["Never"])).await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.say("first").await;
    alice.next_of("loading").await;
    let second = alice.say("second").await;
    let third = alice.say("third").await;
    provider.request(1).await;
    alice.settled().await;

    alice.send(&json!({ "type": "cancel", "session_id": alice.session() })).await;
    let mut dropped = Vec::new();
    while dropped.len() < 2 {
        dropped.push(alice.next_of("error").await);
    }

    let told: Vec<_> = dropped
        .iter()
        .map(|frame| (frame["error"]["code"].as_str(), frame["client_message_id"].as_str()))
        .collect();
    let code = Some("CANCELLED");
    assert_eq!(told, [(code, Some(second.as_str())), (code, Some(third.as_str()))]);
    assert_eq!(provider.count(), 1, "what was dropped is never asked");
}

#[tokio::test]
async fn cancelling_when_nothing_runs_changes_nothing() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.ask("Hello?").await;

    alice.send(&json!({ "type": "cancel", "session_id": alice.session() })).await;

    let heard = alice.settled().await;
    assert!(heard.iter().all(|frame| kind(frame) == "error"), "{heard:#?}");
    assert_eq!(alice.ask("Still there?").await.finish_reason, "stop");
}

#[tokio::test]
async fn an_answer_goes_on_when_nobody_listens() {
    let provider = FakeProvider::playing(Script::halting(&["Once ", "upon ", "a time."])).await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.say("Tell me a story").await;
    let loading = alice.next_of("loading").await;
    let session = alice.session().to_owned();
    alice.leave().await;

    provider.release(3);
    let mut later = gateway.connect("alice").await;
    later.send(&json!({
        "type": "resume", "session_id": session, "epoch": loading["epoch"], "seq": loading["seq"],
    })).await;
    let answer = later.answer().await;

    assert_eq!(
        (answer.text.as_str(), answer.finish_reason.as_str()),
        ("Once upon a time.", "stop")
    );
}

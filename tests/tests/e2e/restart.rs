//! What was acknowledged survives, however the process ends.

use serde_json::{Value, json};
use sluice_tests::{Client, FakeProvider, Gateway, Script, Setup, patiently};

/// Reads the stored answer again and again until it begins with `text`.
async fn stored(gateway: &Gateway, session: &str, text: &str) -> Value {
    patiently("a checkpoint", async {
        loop {
            let messages = gateway.messages("alice", session).await;
            let answer = messages.into_iter().find(|message| message["sender"] == "ai");
            let holds =
                |answer: &Value| answer["content"].as_str().is_some_and(|c| c.starts_with(text));
            if let Some(answer) = answer.filter(holds) {
                return answer;
            }
        }
    })
    .await
}

async fn going_on(gateway: &Gateway, session: &str, last: u64) -> Client {
    let mut later = gateway.connect("alice").await;
    later.enter(session);
    later.say("Still there?").await;
    let ack = later.next_of("ack").await;
    assert_eq!(ack["session_id"], session, "the session goes on");
    let seq = ack["seq"].as_u64().expect("a seq");
    assert!(seq > last, "positions go on above every one that was shown: {seq} > {last}");
    later
}

#[tokio::test]
async fn a_polite_stop_ends_with_zero_and_everything_is_there_afterwards() {
    let provider = FakeProvider::start().await;
    let mut gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    let answer = alice.ask("Remember me").await;
    let session = alice.session().to_owned();
    let before = gateway.messages("alice", &session).await;

    let status = gateway.stop().await;

    assert_eq!(status.code(), Some(0));
    assert_eq!(alice.closed().await, Some(1001));
    gateway.start_again().await;
    assert_eq!(gateway.messages("alice", &session).await, before);
    let last = answer.pieces.last().expect("pieces")["seq"].as_u64().expect("a seq");
    let mut later = going_on(&gateway, &session, last).await;
    assert_eq!(later.answer().await.text, "Hello there.");
    let prompt = provider.request(2).await;
    let expected =
        [("user", "Remember me"), ("assistant", "Hello there."), ("user", "Still there?")];
    assert_eq!(prompt.prompt(), expected);
}

#[tokio::test]
async fn a_killed_gateway_has_everything_it_acknowledged() {
    let provider = FakeProvider::playing(Script::silent()).await;
    let mut gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.say("Remember me").await;
    let ack = alice.next_of("ack").await;
    let session = alice.session().to_owned();
    provider.request(1).await;

    gateway.kill().await;
    gateway.start_again().await;

    let stored = gateway.messages("alice", &session).await;
    assert_eq!(stored[0]["content"], "Remember me");
    assert_eq!(stored[0]["message_id"], ack["message_id"]);
    let mut later = going_on(&gateway, &session, ack["seq"].as_u64().expect("a seq")).await;
    assert_eq!(later.answer().await.finish_reason, "stop");
}

#[tokio::test]
async fn an_answer_that_was_under_way_when_the_process_died_is_marked_interrupted() {
    let long = "word ".repeat(1_000);
    let provider = FakeProvider::playing(Script::halting(&[&long, "never"])).await;
    let mut gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.say("Tell me a story").await;
    provider.release(1);
    let piece = alice.next_of("ai_response").await;
    let session = alice.session().to_owned();
    stored(&gateway, &session, "word ").await;

    gateway.kill().await;
    gateway.start_again().await;

    let kept = stored(&gateway, &session, "word ").await;
    assert_eq!(kept["finish_reason"], "interrupted", "{kept}");
    assert!(long.starts_with(kept["content"].as_str().expect("text")));
    let mut again = gateway.connect("alice").await;
    let resume = json!({ "type": "resume", "session_id": session, "epoch": piece["epoch"], "seq": piece["seq"] });
    again.send(&resume).await;
    let status = again.next_frame().await;
    assert_eq!(status["resumed"], false, "{status}");
    assert_ne!(status["epoch"], piece["epoch"], "what was shown may be lost: another epoch");
    going_on(&gateway, &session, piece["seq"].as_u64().expect("a seq")).await;
}

#[tokio::test]
async fn an_answer_that_had_only_begun_when_the_process_died_is_marked_interrupted() {
    let provider = FakeProvider::playing(Script::silent()).await;
    let mut gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.say("Tell me a story").await;
    let loading = alice.next_of("loading").await;
    let session = alice.session().to_owned();
    provider.request(1).await;

    gateway.kill().await;
    gateway.start_again().await;

    let kept = stored(&gateway, &session, "").await;
    assert_eq!(kept["finish_reason"], "interrupted", "{kept}");
    assert_eq!(kept["content"], "", "{kept}");
    assert_eq!(kept["message_id"], loading["message_id"]);
    assert_eq!(kept["in_reply_to"], loading["in_reply_to"]);
    let mut later = going_on(&gateway, &session, loading["seq"].as_u64().expect("a seq")).await;
    assert_eq!(later.answer().await.finish_reason, "stop");
    let prompt = provider.request(2).await;
    assert_eq!(prompt.prompt(), [("user", "Tell me a story"), ("user", "Still there?")]);
}

#[tokio::test]
async fn a_polite_stop_lets_a_running_answer_finish() {
    let provider = FakeProvider::playing(Script::halting(&["Once ", "upon."])).await;
    let mut gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.say("Tell me a story").await;
    alice.next_of("loading").await;
    let session = alice.session().to_owned();
    provider.request(1).await;

    gateway.signal(sluice_tests::Signal::SIGTERM);
    provider.release(2);
    let status = gateway.stop_already().await;

    assert_eq!(status.code(), Some(0));
    gateway.start_again().await;
    let messages = gateway.messages("alice", &session).await;
    assert_eq!(messages[1]["content"], "Once upon.");
    assert_eq!(messages[1]["finish_reason"], "stop");
}

#[tokio::test]
async fn a_drain_that_is_cut_short_says_so_and_keeps_the_partial() {
    let provider = FakeProvider::playing(Script::halting(&["Once ", "never"])).await;
    let setup = Setup::with(&provider).set("SLUICE_SERVER__SHUTDOWN_TIMEOUT", "1s");
    let mut gateway = setup.start().await;
    let mut alice = gateway.connect("alice").await;
    alice.say("Tell me a story").await;
    provider.release(1);
    alice.next_of("ai_response").await;
    let session = alice.session().to_owned();

    let status = gateway.stop().await;

    assert_eq!(status.code(), Some(75));
    gateway.start_again().await;
    let messages = gateway.messages("alice", &session).await;
    assert_eq!(messages[1]["content"], "Once ");
    assert_eq!(messages[1]["finish_reason"], "interrupted");
}

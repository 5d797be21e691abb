//! Too much of a good thing.

use serde_json::{Value, json};
use sluice_tests::{FakeProvider, Setup, kind};

#[tokio::test]
async fn messages_over_the_limit_are_told_when_to_come_back() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).set("SLUICE_LIMITS__MESSAGES", "2/1m").start().await;
    let mut alice = gateway.connect("alice").await;
    alice.ask("one").await;
    alice.ask("two").await;

    let third = alice.say("three").await;
    let error = alice.next_frame().await;

    assert_eq!(kind(&error), "error", "{error}");
    assert_eq!(error["error"]["code"], "TOO_MANY_REQUESTS");
    assert_eq!(error["client_message_id"], third);
    let wait = error["error"]["retry_after"].as_u64().expect("milliseconds");
    assert!((1..=60_000).contains(&wait), "{wait}");
    assert_eq!(gateway.connect("bob").await.ask("one").await.finish_reason, "stop");
    assert_eq!(gateway.messages("alice", alice.session()).await.len(), 4);
}

#[tokio::test]
async fn connections_over_the_limit_are_refused_and_room_is_given_back() {
    let gateway = Setup::new().set("SLUICE_LIMITS__CONNECTIONS_PER_USER", "2").start().await;
    let one = gateway.connect("alice").await;
    let mut two = gateway.connect("alice").await;
    let token = gateway.token("alice");
    // Upgrades that fail must not take room either.
    for _ in 0..5 {
        let dial = gateway.dial().bearer(&token).header("Origin", "https://evil.example");
        dial.open().await.expect_err("a foreign origin");
    }

    let refused = gateway.dial().bearer(&token).open().await.expect_err("one too many");
    one.leave().await;
    let again = sluice_tests::patiently("the room to be given back", async {
        loop {
            if let Ok(client) = gateway.dial().bearer(&token).open().await {
                return client;
            }
        }
    })
    .await;

    assert_eq!(refused.status, 429, "{}", refused.body);
    assert_eq!(again.greeting["user_id"], "alice");
    assert!(two.settled().await.iter().all(|frame| kind(frame) == "notification"));
    gateway.connect("bob").await;
}

#[tokio::test]
async fn a_hundred_kilobytes_of_answer_arrive_whole() {
    let piece = "0123456789abcdef".repeat(64);
    let pieces: Vec<&str> = std::iter::repeat_n(piece.as_str(), 100).collect();
    let provider = FakeProvider::playing(sluice_tests::Script::saying(&pieces)).await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;

    let answer = alice.ask("Everything you know").await;

    assert_eq!(answer.text.len(), 100 * 1024);
    assert_eq!(answer.finish_reason, "stop");
    let stored = gateway.messages("alice", alice.session()).await;
    assert_eq!(stored[1]["content"], answer.text);
}

#[tokio::test]
async fn answering_again_counts_as_a_message() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).set("SLUICE_LIMITS__MESSAGES", "2/1m").start().await;
    let mut alice = gateway.connect("alice").await;
    let regenerate = json!({ "type": "regenerate" });
    alice.ask("one").await;
    alice.send(&regenerate).await;
    assert_eq!(alice.answer().await.finish_reason, "stop");

    alice.send(&regenerate).await;
    let error = alice.next_frame().await;

    assert_eq!(error["error"]["code"], "TOO_MANY_REQUESTS", "{error}");
    let wait = error["error"]["retry_after"].as_u64().expect("milliseconds");
    assert!((1..=60_000).contains(&wait), "{wait}");
    assert!(alice.settled().await.is_empty());
    assert_eq!(provider.count(), 2);
}

#[tokio::test]
async fn a_flood_of_frames_closes_with_4101_and_neighbours_go_on() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    let mut tab = gateway.connect("alice").await;
    let mut bob = gateway.connect("bob").await;

    for _ in 0..=500 {
        alice.send(&json!({ "type": "ping" })).await;
    }
    let frames = alice.frames_until("the close", |frame| frame.get("closed").is_some()).await;

    assert_eq!(frames.last().expect("the close")["closed"], 4101);
    assert_eq!(frames.iter().filter(|frame| kind(frame) == "pong").count(), 500);
    assert_eq!(tab.ask("Hello?").await.finish_reason, "stop");
    assert_eq!(bob.ask("Hello?").await.finish_reason, "stop");
}

#[tokio::test]
async fn a_flood_of_pings_whose_answers_nobody_reads_closes_with_4101() {
    let gateway = Setup::new().start().await;
    let mut alice = gateway.connect("alice").await;

    for _ in 0..=500 {
        alice.send_ping().await;
    }

    assert_eq!(alice.closed().await, Some(4101));
}

#[tokio::test]
async fn a_connection_follows_sixteen_sessions_and_no_more() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut elsewhere = gateway.connect("alice").await;
    elsewhere.ask("Not followed").await;
    let mut alice = gateway.connect("alice").await;
    let begin = json!({ "type": "user_message", "content": "Hello?", "client_message_id": "" });
    for _ in 0..16 {
        alice.send(&begin).await;
        assert_eq!(alice.answer().await.finish_reason, "stop");
    }

    let mut named = begin.clone();
    named["client_message_id"] = json!("c-17");
    alice.send(&named).await;
    let begun = alice.next_frame().await;
    let resume = json!({ "type": "resume", "session_id": elsewhere.session() });
    alice.send(&resume).await;
    let resumed = alice.next_frame().await;

    assert_eq!(begun["error"]["code"], "BUSY", "{begun}");
    assert_eq!(begun["client_message_id"], "c-17");
    assert_eq!(resumed["error"]["code"], "BUSY", "{resumed}");
    assert_eq!(alice.ask("Those still go on?").await.finish_reason, "stop");
    alice.send(&json!({ "type": "detach", "session_id": alice.session() })).await;
    alice.send(&resume).await;
    assert_eq!(alice.next_frame().await["error"], Value::Null, "there is room again");
}

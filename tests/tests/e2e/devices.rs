//! Several connections of one user, several messages at once.

use serde_json::json;
use sluice_tests::{Answer, FakeProvider, Script, Setup, kind};

#[tokio::test]
async fn messages_that_wait_are_answered_in_order() {
    let provider = FakeProvider::playing(Script::halting(&["one"])).await;
    provider.then(Script::saying(&["two"]));
    provider.then(Script::saying(&["three"]));
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.say("first").await;
    alice.next_of("loading").await;
    alice.say("second").await;
    alice.say("third").await;
    alice.settled().await;

    provider.release(1);
    let mut told = Vec::new();
    while told.len() < 3 {
        told.push(alice.answer().await.text);
    }

    assert_eq!(told, ["one", "two", "three"]);
    let last = provider.request(3).await;
    let expected = [
        ("user", "first"),
        ("assistant", "one"),
        ("user", "second"),
        ("assistant", "two"),
        ("user", "third"),
    ];
    assert_eq!(last.prompt(), expected);
    assert_eq!(alice.missed(alice.session()), [] as [u64; 0]);
}

#[tokio::test]
async fn what_does_not_fit_in_the_queue_is_refused_as_busy() {
    let provider = FakeProvider::playing(Script::halting(&["one"])).await;
    let gateway = Setup::with(&provider).set("SLUICE_SESSION__QUEUE", "1").start().await;
    let mut alice = gateway.connect("alice").await;
    alice.say("first").await;
    alice.next_of("loading").await;
    alice.say("second").await;

    let third = alice.say("third").await;
    let busy = alice.next_of("error").await;
    provider.release(1);

    assert_eq!(busy["error"]["code"], "BUSY", "{busy}");
    assert_eq!(busy["client_message_id"], third);
    assert_eq!(alice.answer().await.text, "one");
    assert_eq!(alice.answer().await.text, "Hello there.");
    assert!(alice.settled().await.is_empty(), "the refused message is not answered");
}

#[tokio::test]
async fn another_device_sees_message_and_answer_live() {
    let provider = FakeProvider::playing(Script::saying(&["Hello, phone."])).await;
    provider.then(Script::halting(&["Hello ", "again."]));
    let gateway = Setup::with(&provider).start().await;
    let mut phone = gateway.connect("alice").await;
    phone.ask("First").await;
    let session = phone.session().to_owned();
    let desk = gateway.dial().bearer(&gateway.token("alice")).query("session_id", &session);
    let mut desk = desk.open().await.expect("it opens");

    phone.say("Second").await;
    let ack = phone.next_of("ack").await;
    let message = desk.next_of("user_message").await;
    desk.next_of("loading").await;
    provider.release(1);
    let first = desk.next_frame().await;
    provider.release(1);
    let on_phone = phone.answer().await;
    let mut on_desk = vec![first];
    on_desk.extend(desk.frames_until("the end", |frame| frame["finish_reason"].is_string()).await);

    assert_eq!(desk.greeting["session_id"], session);
    assert_eq!(desk.greeting["mode"], "bot");
    assert_eq!(message["content"], "Second");
    assert_eq!(message["sender"], "user");
    for field in ["message_id", "session_id", "epoch", "seq"] {
        assert_eq!(message[field], ack[field], "{field}");
    }
    assert_eq!(Answer::of(&on_desk).text, "Hello again.");
    assert_eq!(on_phone.text, "Hello again.");
    assert!(phone.settled().await.is_empty(), "one's own message is not echoed");
}

#[tokio::test]
async fn another_device_may_stop_the_answer() {
    let provider = FakeProvider::playing(Script::halting(&["Once ", "upon"])).await;
    let gateway = Setup::with(&provider).start().await;
    let mut phone = gateway.connect("alice").await;
    phone.say("Tell me a story").await;
    phone.next_of("loading").await;
    let session = phone.session().to_owned();
    let desk = gateway.dial().bearer(&gateway.token("alice")).query("session_id", &session);
    let mut desk = desk.open().await.expect("it opens");

    desk.send(&json!({ "type": "cancel", "session_id": session })).await;

    assert_eq!(phone.answer().await.finish_reason, "cancelled");
    assert_eq!(desk.answer().await.finish_reason, "cancelled");
}

#[tokio::test]
async fn two_sessions_over_one_connection_stay_apart() {
    let provider = FakeProvider::playing(Script::halting(&["to the first"])).await;
    provider.then(Script::saying(&["to the second"]));
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.say("first").await;
    let first = alice.next_of("loading").await["session_id"].clone();
    provider.request(1).await;

    alice.send(&json!({ "type": "user_message", "content": "second" })).await;
    let second = alice.next_of("ack").await["session_id"].clone();
    let overtaking = alice.answer().await;
    provider.release(1);
    let overtaken = alice.answer().await;

    assert_ne!(first, second);
    assert_eq!(overtaking.text, "to the second");
    assert_eq!(overtaking.pieces[0]["session_id"], second);
    assert_eq!(overtaken.text, "to the first");
    assert_eq!(overtaken.pieces[0]["session_id"], first);
}

#[tokio::test]
async fn a_detached_session_is_heard_no_more() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut phone = gateway.connect("alice").await;
    phone.ask("First").await;
    let session = phone.session().to_owned();
    let desk = gateway.dial().bearer(&gateway.token("alice")).query("session_id", &session);
    let mut desk = desk.open().await.expect("it opens");

    desk.send(&json!({ "type": "detach", "session_id": session })).await;
    desk.settled().await;
    phone.ask("Second").await;

    let heard = desk.settled().await;
    assert!(heard.iter().all(|frame| kind(frame) != "ai_response"), "{heard:#?}");
}

#[tokio::test]
async fn who_writes_is_shown_to_the_others_and_leaves_no_trace() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut phone = gateway.connect("alice").await;
    let head = phone.ask("Hello").await.pieces.pop().expect("a piece");
    let session = phone.session().to_owned();
    let mut desk = gateway.follow("alice", &session).await;
    desk.settled().await;

    phone.send(&json!({ "type": "typing_indicator", "session_id": session })).await;
    let writing = desk.next_frame().await;

    assert_eq!(kind(&writing), "typing_indicator", "{writing}");
    assert_eq!((&writing["session_id"], &writing["seq"]), (&json!(session), &head["seq"]));
    assert_eq!(writing["sender"], "user");
    assert!(phone.settled().await.is_empty(), "whoever writes knows");
    assert_eq!(gateway.messages("alice", &session).await.len(), 2);
}

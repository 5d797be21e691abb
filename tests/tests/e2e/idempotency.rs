//! The same message twice is one message.

use serde_json::json;
use sluice_tests::{FakeProvider, Script, Setup, kind};

#[tokio::test]
async fn the_same_message_again_gets_the_same_ack_and_no_second_answer() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    let message =
        json!({ "type": "user_message", "content": "Hello?", "client_message_id": "c-1" });
    alice.send(&message).await;
    let first = alice.next_of("ack").await;
    alice.answer().await;

    alice.send(&message).await;
    let again = alice.next_frame().await;

    assert_eq!(kind(&again), "ack");
    for field in ["client_message_id", "message_id", "session_id", "epoch", "seq"] {
        assert_eq!(again[field], first[field], "{field}");
    }
    assert!(alice.settled().await.is_empty());
    assert_eq!(provider.count(), 1);
    assert_eq!(gateway.messages("alice", alice.session()).await.len(), 2);
}

#[tokio::test]
async fn the_same_message_over_a_new_connection_is_still_the_same() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let message =
        json!({ "type": "user_message", "content": "Hello?", "client_message_id": "c-1" });
    let mut before = gateway.connect("alice").await;
    before.send(&message).await;
    let first = before.next_of("ack").await;
    before.answer().await;
    before.leave().await;

    let mut after = gateway.connect("alice").await;
    after.send(&message).await;
    let again = after.next_of("ack").await;

    assert_eq!(again["message_id"], first["message_id"]);
    assert_eq!(again["session_id"], first["session_id"]);
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn the_same_message_after_a_restart_is_still_the_same() {
    let provider = FakeProvider::start().await;
    let mut gateway = Setup::with(&provider).start().await;
    let message =
        json!({ "type": "user_message", "content": "Hello?", "client_message_id": "c-1" });
    let mut before = gateway.connect("alice").await;
    before.send(&message).await;
    let first = before.next_of("ack").await;
    before.answer().await;
    gateway.kill().await;
    gateway.start_again().await;

    let mut after = gateway.connect("alice").await;
    after.send(&message).await;
    let again = after.next_of("ack").await;

    assert_eq!(again["message_id"], first["message_id"]);
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn another_body_under_the_same_id_is_a_conflict() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice
        .send(&json!({ "type": "user_message", "content": "Hello?", "client_message_id": "c-1" }))
        .await;
    alice.answer().await;

    alice
        .send(&json!({ "type": "user_message", "content": "Other", "client_message_id": "c-1" }))
        .await;
    let error = alice.next_frame().await;

    assert_eq!(error["error"]["code"], "CONFLICT", "{error}");
    assert_eq!(error["client_message_id"], "c-1");
    assert!(alice.settled().await.is_empty());
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn an_id_belongs_to_one_user() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    let mut bob = gateway.connect("bob").await;

    for (client, content) in [(&mut alice, "I am Alice"), (&mut bob, "I am Bob")] {
        client
            .send(&json!({ "type": "user_message", "content": content, "client_message_id": "c" }))
            .await;
        assert_eq!(client.answer().await.finish_reason, "stop");
    }

    assert_ne!(alice.session(), bob.session());
    assert_eq!(provider.count(), 2);
}

#[tokio::test]
async fn a_refused_message_does_not_use_its_id_up() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    let message = |model: &str| json!({ "type": "user_message", "content": "Hello?", "client_message_id": "c-1", "model_id": model });

    alice.send(&message("no-such-model")).await;
    let refused = alice.next_of("error").await;
    alice.send(&message("fake")).await;

    assert_eq!(refused["error"]["code"], "INVALID_MODEL");
    assert_eq!(alice.answer().await.finish_reason, "stop");
}

#[tokio::test]
async fn a_stored_message_is_acknowledged_again_however_much_waits() {
    let provider = FakeProvider::playing(Script::saying(&["zero"])).await;
    provider.then(Script::halting(&["one"]));
    let gateway = Setup::with(&provider).set("SLUICE_SESSION__QUEUE", "1").start().await;
    let mut alice = gateway.connect("alice").await;
    alice.ask("Zero").await;
    let session = alice.session().to_owned();
    let message = |id: &str, content: &str| json!({ "type": "user_message", "session_id": session, "content": content, "client_message_id": id });
    alice.send(&message("c-1", "One")).await;
    let first = alice.next_of("ack").await;
    alice.next_of("loading").await;
    alice.send(&message("c-2", "Two")).await;
    alice.send(&message("c-3", "Three")).await;
    let busy = alice.next_frame().await;
    assert_eq!(busy["error"]["code"], "BUSY", "{busy}");

    let mut desk = gateway.connect("alice").await;
    for client in [&mut alice, &mut desk] {
        client.send(&message("c-1", "One")).await;
        let again = client.next_frame().await;
        assert_eq!(kind(&again), "ack", "{again}");
        for field in ["client_message_id", "message_id", "session_id", "epoch", "seq"] {
            assert_eq!(again[field], first[field], "{field}");
        }
    }
    alice.send(&message("c-1", "Other")).await;
    let conflict = alice.next_frame().await;

    assert_eq!(conflict["error"]["code"], "CONFLICT", "{conflict}");
    assert_eq!(conflict["client_message_id"], "c-1");
    provider.release(1);
    assert_eq!(alice.answer().await.text, "one");
    assert_eq!(alice.answer().await.text, "Hello there.");
    assert!(alice.settled().await.is_empty());
    assert_eq!(provider.count(), 3, "each is asked once");
}

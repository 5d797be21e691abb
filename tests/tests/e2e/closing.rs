//! How a connection ends: by its client, or because there is nothing left to follow.

use serde_json::json;
use sluice_tests::{FakeProvider, Gateway, Setup};

#[tokio::test]
async fn a_client_that_closes_is_answered_with_a_close_frame() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.ask("Hello?").await;

    alice.close(1000).await;

    assert_eq!(alice.closed().await, Some(1000));
}

#[tokio::test]
async fn a_close_code_that_may_not_be_sent_is_answered_with_1002() {
    let gateway = Setup::new().start().await;
    let mut alice = gateway.connect("alice").await;
    let mut bob = gateway.connect("bob").await;

    alice.close(999).await;

    assert_eq!(alice.closed().await, Some(1002));
    assert!(bob.settled().await.is_empty());
}

async fn delete(gateway: &Gateway, session: &str) {
    let call = gateway.call("DELETE", &format!("/chatbox/sessions/{session}"));
    assert_eq!(call.bearer(&gateway.token("alice")).send().await.status, 204);
}

#[tokio::test]
async fn a_deleted_session_ends_for_its_followers_and_the_others_go_on() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.ask("First").await;
    let first = alice.session().to_owned();
    alice.send(&json!({ "type": "user_message", "content": "Second" })).await;
    alice.answer().await;
    let second = alice.session().to_owned();
    assert_ne!(first, second);

    delete(&gateway, &first).await;
    let error = alice.next_frame().await;

    assert_eq!(error["error"]["code"], "SESSION_CLOSED", "{error}");
    assert_eq!(error["error"]["recoverable"], true, "{error}");
    assert_eq!(error["session_id"], first);
    assert_eq!(alice.ask("Still there?").await.finish_reason, "stop");
    assert_eq!(alice.session(), second);
}

#[tokio::test]
async fn deleting_the_only_session_of_a_connection_closes_it_with_4409() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.ask("First").await;
    let session = alice.session().to_owned();
    let mut desk = gateway.follow("alice", &session).await;

    delete(&gateway, &session).await;

    for client in [&mut alice, &mut desk] {
        let error = client.next_frame().await;
        assert_eq!(error["error"]["code"], "SESSION_CLOSED", "{error}");
        assert_eq!(error["error"]["recoverable"], false, "{error}");
        assert_eq!(error["session_id"], session);
        assert_eq!(client.closed().await, Some(4409));
    }
}

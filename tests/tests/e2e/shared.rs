//! What an owner shares, anybody reads who knows the token, and nobody else.

use serde_json::Value;
use sluice_tests::{FakeProvider, Gateway, Reply, Setup};

async fn share(gateway: &Gateway, user: &str, session: &str) -> Reply {
    let path = format!("/chatbox/sessions/{session}/share");
    gateway.call("POST", &path).bearer(&gateway.token(user)).send().await
}

async fn read(gateway: &Gateway, token: &str) -> Reply {
    gateway.call("GET", &format!("/chatbox/shared/{token}")).send().await
}

fn token(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()["share_token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn a_shared_conversation_is_read_without_a_token_of_a_user() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.ask("What is new?").await;
    let session = alice.session().to_owned();

    let tokens =
        tokio::join!(share(&gateway, "alice", &session), share(&gateway, "alice", &session));
    let shared = token(&tokens.0);
    assert_eq!(shared, token(&tokens.1), "shared at the same time");
    assert_eq!(shared, token(&share(&gateway, "alice", &session).await), "and again");
    assert_eq!(shared.len(), 32);

    let view = read(&gateway, &shared).await;
    assert_eq!(view.status, 200, "{}", view.body);
    let view = view.json();
    assert_eq!(view["session_id"], session);
    assert_eq!(view["name"], "What is new?");
    let said: Vec<&Value> =
        view["messages"].as_array().expect("a list").iter().map(|m| &m["content"]).collect();
    assert_eq!(said, ["What is new?", "Hello there."]);
    assert!(view["messages"][0]["client_message_id"].is_null(), "{view}");
    let page = read(&gateway, &format!("{shared}?limit=1")).await.json();
    let before = page["before"].as_u64().expect("there is more");
    let earlier = read(&gateway, &format!("{shared}?limit=1&before={before}")).await.json();
    assert_eq!(earlier["messages"][0]["content"], "What is new?", "{earlier}");
    let listed = gateway.get("alice", "/sessions").await;
    assert_eq!(listed["sessions"][0]["share_token"], shared);
}

#[tokio::test]
async fn nobody_else_shares_and_what_is_shared_no_more_is_not_there() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.ask("What is new?").await;
    let session = alice.session().to_owned();

    let (foreign, unknown) =
        (share(&gateway, "bob", &session).await, share(&gateway, "bob", "none").await);
    assert_eq!((foreign.status, &foreign.body), (404, &unknown.body), "nobody learns which");

    let first = token(&share(&gateway, "alice", &session).await);
    let path = format!("/chatbox/sessions/{session}/share");
    let bob = gateway.call("DELETE", &path).bearer(&gateway.token("bob")).send().await;
    assert_eq!(bob.status, 404);
    assert_eq!(read(&gateway, &first).await.status, 200, "bob changed nothing");
    for _ in 0..2 {
        let gone = gateway.call("DELETE", &path).bearer(&gateway.token("alice")).send().await;
        assert_eq!((gone.status, gone.body.as_str()), (204, ""));
    }
    let missing = read(&gateway, &first).await;
    assert_eq!((missing.status, missing.body), (404, read(&gateway, "none").await.body));

    let second = token(&share(&gateway, "alice", &session).await);
    assert_ne!(first, second);
    let path = format!("/chatbox/sessions/{session}");
    let deleted = gateway.call("DELETE", &path).bearer(&gateway.token("alice")).send().await;
    assert_eq!(deleted.status, 204);
    assert_eq!(read(&gateway, &second).await.status, 404);
}

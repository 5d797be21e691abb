//! What operators may do, and how often.

use serde_json::{Value, json};
use sluice_tests::{Gateway, Setup, claims, mint, now};

const REVOKE: &str = "/chatbox/admin/users/alice/revoke";

/// A token of `user` with these roles, issued so many seconds from now.
fn token(gateway: &Gateway, user: &str, roles: &[&str], issued_in: i64) -> String {
    let mut claims = claims(user);
    claims["roles"] = json!(roles);
    claims["iat"] = json!(now() + issued_in);
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    mint(&header, &claims, gateway.setup().secret())
}

#[tokio::test]
async fn revoking_a_user_closes_its_sockets_and_refuses_its_tokens() {
    let gateway = Setup::new().start().await;
    let operator = token(&gateway, "root", &["chat_admin"], 0);
    let old = token(&gateway, "alice", &[], -5);
    let undated = gateway.token("alice");
    let mut first = gateway.dial().bearer(&old).open().await.expect("a good token");
    let mut second = gateway.dial().bearer(&undated).open().await.expect("a good token");
    let mut bob = gateway.connect("bob").await;

    let reply = gateway.call("POST", REVOKE).bearer(&operator).send().await;

    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.json()["closed"], 2, "{}", reply.body);
    for client in [&mut first, &mut second] {
        let frames = client.frames_until("the close", |frame| frame.get("closed").is_some()).await;
        assert_eq!(frames.last().expect("the close")["closed"], 4401);
    }
    for token in [&old, &undated] {
        let refused = gateway.dial().bearer(token).open().await.expect_err("revoked");
        assert_eq!((refused.status, refused.body.contains("INVALID_TOKEN")), (401, true));
        let reply = gateway.call("GET", "/chatbox/sessions").bearer(token).send().await;
        assert_eq!(reply.status, 401, "{}", reply.body);
        let reply = gateway.call("GET", "/v1/models").bearer(token).send().await;
        assert_eq!(reply.status, 401, "{}", reply.body);
    }
    let fresh = token(&gateway, "alice", &[], 2);
    gateway.dial().bearer(&fresh).open().await.expect("issued after the revocation");
    bob.send(&json!({ "type": "ping" })).await;
    assert_eq!(bob.next_frame().await["type"], "pong", "others are not concerned");
}

#[tokio::test]
async fn a_revocation_outlives_the_process() {
    let mut gateway = Setup::new().start().await;
    let operator = token(&gateway, "root", &["admin"], 0);
    let old = token(&gateway, "alice", &[], -5);
    let reply = gateway.call("POST", REVOKE).bearer(&operator).send().await;
    assert_eq!(reply.status, 200, "{}", reply.body);

    gateway.kill().await;
    gateway.start_again().await;

    assert_eq!(gateway.dial().bearer(&old).open().await.expect_err("revoked").status, 401);
    let fresh = token(&gateway, "alice", &[], 5);
    gateway.dial().bearer(&fresh).open().await.expect("issued after the revocation");
    gateway.connect("bob").await;
}

#[tokio::test]
async fn nobody_but_an_operator_gets_in() {
    let gateway = Setup::new().start().await;

    for roles in [&[][..], &["user"], &["Admin"], &["administrator"]] {
        let token = token(&gateway, "mallory", roles, 0);
        let reply = gateway.call("POST", REVOKE).bearer(&token).send().await;
        assert_eq!(reply.status, 403, "{roles:?}: {}", reply.body);
        assert_eq!(reply.json()["code"], "FORBIDDEN");
    }
    let reply = gateway.call("POST", REVOKE).send().await;
    assert_eq!(reply.status, 401, "{}", reply.body);
    gateway.connect("alice").await;
}

#[tokio::test]
async fn each_operator_has_a_budget_and_is_told_when_there_is_more() {
    let setup = Setup::new().set("ADMIN_RATE_LIMIT", "2").set("ADMIN_RATE_WINDOW", "90s");
    let gateway = setup.start().await;
    let revoke = async |operator: &str| {
        let token = token(&gateway, operator, &["admin"], 0);
        gateway.call("POST", REVOKE).bearer(&token).send().await
    };
    assert_eq!(revoke("root").await.status, 200);
    assert_eq!(revoke("root").await.status, 200);

    let refused = revoke("root").await;

    assert_eq!(refused.status, 429, "{}", refused.body);
    let body: Value = refused.json();
    assert_eq!(body["error"], "rate_limit_exceeded");
    let ms = body["retry_after_ms"].as_u64().expect("milliseconds");
    assert!((1..=90_000).contains(&ms), "{ms}");
    let seconds: u64 = refused.header("retry-after").expect("a header").parse().expect("seconds");
    assert_eq!(seconds, ms.div_ceil(1_000));
    assert_eq!(revoke("other").await.status, 200, "another operator has its own budget");
    let root = token(&gateway, "root", &["admin"], 0);
    assert_eq!(gateway.call("GET", "/chatbox/sessions").bearer(&root).send().await.status, 200);
}

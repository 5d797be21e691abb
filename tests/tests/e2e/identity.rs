//! Who may connect, from where, and to whose sessions.

use serde_json::{Value, json};
use sluice_tests::{FakeProvider, Gateway, Setup, claims, expiring_in, kind, mint, now, patiently};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

fn hs256() -> Value {
    json!({ "alg": "HS256", "typ": "JWT" })
}

/// Tokens nobody should believe, each with what is wrong with it.
fn forgeries(gateway: &Gateway) -> Vec<(&'static str, String)> {
    let good = gateway.token("alice");
    let parts: Vec<_> = good.split('.').collect();
    let minted = |claims: &Value| mint(&hs256(), claims, gateway.setup().secret());
    let headed = |header: Value| mint(&header, &claims("alice"), gateway.setup().secret());
    let mut later = claims("alice");
    later["nbf"] = json!(now() + 3_600);
    let mallory = mint(&hs256(), &claims("mallory"), gateway.setup().secret());
    let swapped = mallory.split('.').nth(1).expect("three parts").to_owned();
    vec![
        ("nothing", String::new()),
        ("no token at all", "hello".to_owned()),
        ("expired", minted(&expiring_in("alice", -3_600))),
        ("without expiry", minted(&json!({ "user_id": "alice", "roles": [] }))),
        ("an expiry that is no number", minted(&json!({ "user_id": "alice", "exp": "never" }))),
        ("not yet valid", minted(&later)),
        ("without user", minted(&json!({ "roles": [], "exp": now() + 60 }))),
        ("an empty user", minted(&json!({ "user_id": "", "roles": [], "exp": now() + 60 }))),
        ("a user that is no text", minted(&json!({ "user_id": 7, "exp": now() + 60 }))),
        (
            "roles that are no list",
            minted(&json!({ "user_id": "a", "roles": "admin", "exp": now() + 60 })),
        ),
        (
            "another's secret",
            mint(&hs256(), &claims("alice"), "somebody-elses-secret-of-32-characters"),
        ),
        (
            "no algorithm",
            format!(
                "{}.{}.",
                headed(json!({ "alg": "none" })).split('.').next().expect("a head"),
                parts[1]
            ),
        ),
        ("no algorithm, but a signature", headed(json!({ "alg": "none" }))),
        ("an asymmetric algorithm", headed(json!({ "alg": "RS256" }))),
        ("another algorithm than it was signed with", headed(json!({ "alg": "HS512" }))),
        (
            "a cut signature",
            format!("{}.{}.{}", parts[0], parts[1], parts[2].chars().take(20).collect::<String>()),
        ),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        (
            "another's claims under one's own signature",
            format!("{}.{swapped}.{}", parts[0], parts[2]),
        ),
    ]
}

#[tokio::test]
async fn no_forged_token_opens_a_socket_or_reads_anything() {
    let gateway = Setup::new().set("SLUICE_LIMITS__PUBLIC", "1000/1m").start().await;

    for (what, token) in forgeries(&gateway) {
        if !token.is_empty() {
            let refused = gateway.dial().bearer(&token).open().await.expect_err(what);
            assert_eq!(refused.status, 401, "{what}: {}", refused.body);
            let refused = gateway.dial().subprotocol(&token).open().await.expect_err(what);
            assert_eq!(refused.status, 401, "{what}: {}", refused.body);
        }
        let refused = gateway.dial().query("token", &token).open().await.expect_err(what);
        assert!([401, 403].contains(&refused.status), "{what}: {}", refused.status);
        let reply = gateway.call("GET", "/chatbox/sessions").bearer(&token).send().await;
        assert_eq!(reply.status, 401, "{what}: {}", reply.body);
        assert!(reply.json()["code"].is_string(), "{what}: {}", reply.body);
    }
}

#[tokio::test]
async fn a_token_is_taken_from_header_subprotocol_and_query() {
    let gateway = Setup::new().start().await;
    let token = gateway.token("alice");
    let here = format!("http://{}", gateway.address());

    let header = gateway.dial().bearer(&token).open().await.expect("by header");
    let subprotocol = gateway.dial().subprotocol(&token).open().await.expect("by subprotocol");
    let query = gateway.dial().query("token", &token).header("Origin", &here).open().await;

    assert_eq!(header.greeting["user_id"], "alice");
    assert_eq!(subprotocol.protocol.as_deref(), Some("sluice.v1"));
    assert_eq!(query.expect("by query").greeting["user_id"], "alice");
    assert!(!gateway.log().contains(&token), "tokens are never logged");
}

#[tokio::test]
async fn the_query_token_can_be_switched_off_and_never_opens_http() {
    let gateway = Setup::new().set("SLUICE_AUTH__ALLOW_QUERY_TOKEN", "false").start().await;
    let token = gateway.token("alice");
    let here = format!("http://{}", gateway.address());

    let refused = gateway.dial().query("token", &token).header("Origin", &here).open().await;
    let reply = gateway.call("GET", &format!("/chatbox/sessions?token={token}")).send().await;

    assert_eq!(refused.expect_err("switched off").status, 401);
    assert_eq!(reply.status, 401);
}

#[tokio::test]
async fn the_user_may_be_called_sub_and_roles_may_be_absent() {
    let gateway = Setup::new().start().await;
    let claims = json!({ "sub": "alice", "exp": now() + 60 });
    let token = mint(&hs256(), &claims, gateway.setup().secret());

    let alice = gateway.dial().bearer(&token).open().await.expect("it opens");

    assert_eq!(alice.greeting["user_id"], "alice");
}

#[tokio::test]
async fn a_foreign_origin_is_refused_before_the_upgrade() {
    let gateway = Setup::new().start().await;
    let token = gateway.token("alice");
    let here = format!("http://{}", gateway.address());

    for origin in
        ["https://evil.example", "null", "http://127.0.0.1", "http://127.0.0.1.evil.example"]
    {
        let dial = gateway.dial().subprotocol(&token).header("Origin", origin);
        assert_eq!(dial.open().await.expect_err(origin).status, 403, "{origin}");
    }
    gateway.dial().subprotocol(&token).header("Origin", &here).open().await.expect("same host");
    gateway.dial().subprotocol(&token).open().await.expect("no origin");
}

#[tokio::test]
async fn allowed_origins_are_compared_exactly() {
    let setup = Setup::new().set("ALLOWED_ORIGINS", "https://chat.example,https://two.example");
    let gateway = setup.start().await;
    let token = gateway.token("alice");

    for (origin, opens) in [
        ("https://chat.example", true),
        ("https://two.example", true),
        ("http://chat.example", false),
        ("https://chat.example:8443", false),
        ("https://chat.example.evil.example", false),
        ("https://sub.chat.example", false),
    ] {
        let opened = gateway.dial().subprotocol(&token).header("Origin", origin).open().await;
        assert_eq!(opened.is_ok(), opens, "{origin}");
    }
}

#[tokio::test]
async fn a_loopback_gateway_answers_to_loopback_names_only() {
    let gateway = Setup::new().start().await;
    let token = gateway.token("alice");
    let port = gateway.address().rsplit(':').next().expect("a port").to_owned();

    for name in ["rebound.example", "rebound.example:80", "127.0.0.1.rebound.example", "10.0.0.1"] {
        let dial = gateway.dial().bearer(&token).header("Host", name);
        let refused = dial.open().await.expect_err(name);
        assert!((400..500).contains(&refused.status), "{name}: {}", refused.status);
        let reply = gateway.call("GET", "/chatbox/sessions").bearer(&token).host(name).send().await;
        assert!((400..500).contains(&reply.status), "{name}: {}", reply.status);
    }
    for name in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")]
    {
        let call = gateway.call("GET", "/chatbox/sessions").bearer(&token).host(&name);
        assert_eq!(call.send().await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn somebody_elses_session_id_begins_a_new_session() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.ask("My secret").await;
    let hers = alice.session().to_owned();
    let mut bob = gateway.connect("bob").await;

    bob.enter(&hers);
    let answer = bob.ask("What did she say?").await;

    assert_ne!(bob.session(), hers);
    assert_eq!(answer.finish_reason, "stop");
    assert_eq!(provider.request(2).await.prompt(), [("user", "What did she say?")]);
    assert!(alice.settled().await.is_empty(), "she hears nothing of it");
    assert_eq!(gateway.messages("alice", &hers).await.len(), 2);
}

#[tokio::test]
async fn somebody_elses_session_and_one_that_never_was_look_the_same() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.ask("My secret").await;
    let hers = alice.session().to_owned();
    let none = uuid_like(&hers);

    let mut told = Vec::new();
    for session in [&hers, &none] {
        let dial = gateway.dial().bearer(&gateway.token("bob")).query("session_id", session);
        let mut bob = dial.open().await.expect("it opens");
        let mut frames = vec![bob.greeting.clone()];
        for kind in ["resume", "cancel", "regenerate", "detach", "model_select"] {
            let frame = json!({ "type": kind, "session_id": session, "epoch": 1, "seq": 1, "model_id": "fake" });
            bob.send(&frame).await;
            frames.extend(bob.settled().await);
        }
        for frame in &mut frames {
            for field in ["connection_id", "timestamp", "session_id"] {
                frame[field] = Value::Null;
            }
            frame["error"]["trace_id"] = Value::Null;
        }
        told.push(frames);
    }

    assert_eq!(told[0], told[1]);
    assert!(alice.settled().await.iter().all(|frame| kind(frame) != "error"));
    assert_eq!(alice.ask("Still mine?").await.finish_reason, "stop");
}

/// An id of the same shape that was never given out: the last digits turned around.
fn uuid_like(id: &str) -> String {
    let other = |c: char| {
        if c == '0' {
            '1'
        } else if c.is_ascii_digit() {
            '0'
        } else {
            c
        }
    };
    let (head, tail) = id.split_at(id.len() - 6);
    let changed: String = tail.chars().map(other).collect();
    assert_ne!(changed, tail, "an id has digits near its end");
    format!("{head}{changed}")
}

#[tokio::test]
async fn a_new_token_for_another_user_closes_the_connection() {
    let gateway = Setup::new().start().await;
    let mut alice = gateway.connect("alice").await;

    alice.send(&json!({ "type": "authenticate", "token": gateway.token("bob") })).await;

    assert_eq!(alice.closed().await, Some(4403));
}

#[tokio::test]
async fn a_socket_does_not_outlive_its_token_unless_a_new_one_comes() {
    let setup = Setup::new().set("SLUICE_AUTH__LEEWAY", "0s");
    let gateway = setup.start().await;
    let brief = mint(&hs256(), &expiring_in("alice", 3), gateway.setup().secret());
    let mut patient = gateway.dial().bearer(&brief).open().await.expect("it opens");
    let mut renewed = gateway.dial().bearer(&brief).open().await.expect("it opens");

    let warning = renewed.next_of("notification").await;
    renewed.send(&json!({ "type": "authenticate", "token": gateway.token("alice") })).await;
    let frames = patient.frames_until("the close", |frame| frame.get("closed").is_some()).await;

    assert_eq!(warning["metadata"]["kind"], "token_expiring", "{warning}");
    let codes: Vec<_> = frames.iter().filter_map(|frame| frame["error"]["code"].as_str()).collect();
    assert_eq!(codes, ["EXPIRED_TOKEN"]);
    assert_eq!(frames.last().expect("the close")["closed"], 4401);
    let heard = renewed.settled().await;
    assert!(heard.iter().all(|frame| kind(frame) != "error"), "{heard:#?}");
}

#[tokio::test]
async fn a_token_that_is_not_taken_changes_nothing() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;

    for (what, token) in forgeries(&gateway).into_iter().filter(|(_, token)| !token.is_empty()) {
        alice.send(&json!({ "type": "authenticate", "token": token })).await;
        let error = alice.next_frame().await;

        let code = if what == "expired" { "EXPIRED_TOKEN" } else { "INVALID_TOKEN" };
        assert_eq!(error["error"]["code"], code, "{what}: {error}");
        assert_eq!(error["error"]["recoverable"], true, "{what}: {error}");
    }

    assert_eq!(alice.ask("Still me?").await.finish_reason, "stop");
}

#[tokio::test]
async fn a_stranger_is_refused_before_the_body_is_waited_for() {
    let gateway = Setup::new().start().await;
    let token = "Authorization: Bearer nonsense\r\n";

    for (method, path, header) in [
        ("PATCH", "/chatbox/sessions/x", ""),
        ("PATCH", "/chatbox/sessions/x", token),
        ("DELETE", "/chatbox/sessions/x", ""),
        ("POST", "/chatbox/sessions/x/end", ""),
    ] {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{header}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n",
            gateway.address()
        );
        let mut stream = TcpStream::connect(gateway.address()).await.expect("it listens");
        stream.write_all(head.as_bytes()).await.expect("written");
        let line = patiently("a refusal", BufReader::new(&mut stream).lines().next_line()).await;

        let line = line.expect("text").expect("an answer");
        assert_eq!(line, "HTTP/1.1 401 Unauthorized", "{method} {path}");
    }
}

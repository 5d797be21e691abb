//! The HTTP side of sessions.

use serde_json::{Value, json};
use sluice_tests::{Client, FakeProvider, Gateway, Script, Setup};

async fn with_one_session() -> (FakeProvider, Gateway, Client) {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.ask("What is new? I have been away.").await;
    (provider, gateway, alice)
}

#[tokio::test]
async fn sessions_are_listed_newest_first_with_what_their_list_needs() {
    let (_provider, gateway, alice) = with_one_session().await;
    let mut other = gateway.connect("alice").await;
    other.ask("Another chat").await;

    let listed = gateway.get("alice", "/sessions").await;

    assert_eq!(listed["user_id"], "alice");
    assert_eq!(listed["count"], 2);
    let ids: Vec<_> = [0, 1].map(|n| listed["sessions"][n]["id"].clone()).into();
    assert_eq!(ids, [json!(other.session()), json!(alice.session())]);
    let one = &listed["sessions"][1];
    assert_eq!(one["name"], "What is new?");
    assert_eq!(one["user_id"], "alice");
    assert_eq!(one["message_count"], 2);
    assert_eq!(one["is_active"], true);
    assert_eq!(one["admin_assisted"], false);
    assert_eq!(one["total_tokens"], 18);
    for field in ["start_time", "last_activity"] {
        assert!(one[field].is_string(), "{field}: {one}");
    }
    for field in ["duration", "avg_response_time", "max_response_time"] {
        assert!(one[field].is_u64(), "{field}: {one}");
    }
    assert_eq!(gateway.get("bob", "/sessions").await["count"], 0);
}

#[tokio::test]
async fn sessions_come_in_pages() {
    let (_provider, gateway, _alice) = with_one_session().await;
    for _ in 0..2 {
        gateway.connect("alice").await.ask("More").await;
    }

    let first = gateway.get("alice", "/sessions?limit=2").await;
    let cursor = first["next_cursor"].as_str().expect("there is more");
    let second = gateway.get("alice", &format!("/sessions?limit=2&cursor={cursor}")).await;

    let mut ids: Vec<_> = [&first, &second]
        .iter()
        .flat_map(|page| page["sessions"].as_array().expect("a list"))
        .map(|session| session["id"].to_string())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3, "each once");
    assert!(second["next_cursor"].is_null(), "{second}");
}

#[tokio::test]
async fn a_cursor_that_is_none_of_ours_is_refused_as_such() {
    let (_provider, gateway, alice) = with_one_session().await;
    let session = alice.session();
    let shared = gateway.call("POST", &format!("/chatbox/sessions/{session}/share"));
    let shared = shared.bearer(&gateway.token("alice")).send().await;
    let shared: Value = serde_json::from_str(&shared.body).expect("JSON");
    let shared = shared["share_token"].as_str().expect("a token");
    let too_large = u64::MAX;

    for path in [
        format!("/chatbox/sessions?cursor={too_large}.{session}"),
        format!("/chatbox/sessions/{session}/messages?before={too_large}"),
        format!("/chatbox/shared/{shared}?before={too_large}"),
    ] {
        let call = gateway.call("GET", &path).bearer(&gateway.token("alice"));
        let reply = call.send().await;
        assert_eq!(reply.status, 400, "{path}: {}", reply.body);
        assert!(reply.body.contains("not one of ours"), "{path}: {}", reply.body);
    }
    assert!(!gateway.log().contains("does not do as asked"), "{}", gateway.log());
}

#[tokio::test]
async fn a_search_finds_names_and_what_was_said_and_only_the_callers() {
    let (_provider, gateway, alice) = with_one_session().await;
    let mut other = gateway.connect("alice").await;
    other.ask("Do zebras sleep?").await;
    gateway.connect("bob").await.ask("Zebras, please").await;
    let found = async |wanted: &str| {
        let page = gateway.get("alice", &format!("/sessions?q={wanted}")).await;
        let sessions = page["sessions"].as_array().expect("a list").clone();
        sessions.into_iter().map(|session| session["id"].clone()).collect::<Vec<_>>()
    };

    assert_eq!(found("ZEBRA").await, [other.session()], "by its name");
    assert_eq!(found("been%20away").await, [alice.session()], "by what was said in it");
    assert_eq!(found("Hello%20there").await, [other.session(), alice.session()], "by answers");
    assert_eq!(found("quagga").await, [] as [&str; 0]);
}

#[tokio::test]
async fn a_name_is_counted_in_characters_and_never_cut() {
    let (_provider, gateway, alice) = with_one_session().await;
    let path = format!("/chatbox/sessions/{}", alice.session());
    let rename = async |name: String| {
        let call = gateway.call("PATCH", &path).bearer(&gateway.token("alice"));
        call.json(&json!({ "name": name })).send().await.status
    };
    let longest = "🦓".repeat(200);

    assert_eq!(rename(longest.clone()).await, 200);
    for refused in [format!("{longest}x"), String::new(), "a\u{7}b".to_owned()] {
        assert_eq!(rename(refused.clone()).await, 400, "{refused}");
    }
    assert_eq!(gateway.get("alice", "/sessions").await["sessions"][0]["name"], longest);
}

#[tokio::test]
async fn a_session_is_read_with_its_messages() {
    let (_provider, gateway, alice) = with_one_session().await;

    let session = gateway.get("alice", &format!("/sessions/{}", alice.session())).await;

    assert_eq!(session["session_id"], alice.session());
    assert_eq!(session["name"], "What is new?");
    assert_eq!(session["model_id"], "fake");
    let messages = session["messages"].as_array().expect("a list");
    assert_eq!(messages.len(), 2);
    let answer = &messages[1];
    assert_eq!(answer["content"], "Hello there.");
    assert_eq!(answer["sender"], "ai");
    assert_eq!(answer["type"], "ai_response");
    assert_eq!(answer["finish_reason"], "stop");
    assert!(answer["timestamp"].is_string() && answer["seq"].is_u64(), "{answer}");
}

#[tokio::test]
async fn messages_come_in_pages_oldest_first() {
    let (_provider, gateway, mut alice) = with_one_session().await;
    for n in 0..4 {
        alice.ask(&format!("number {n}")).await;
    }
    let path = format!("/sessions/{}/messages", alice.session());
    let all = gateway.messages("alice", alice.session()).await;

    let mut paged: Vec<Value> = Vec::new();
    let mut query = "?limit=4".to_owned();
    loop {
        let page = gateway.get("alice", &format!("{path}{query}")).await;
        let mut messages = page["messages"].as_array().expect("a list").clone();
        assert!(messages.len() <= 4);
        messages.extend(paged);
        paged = messages;
        let Some(before) = page["before"].as_str().map(ToOwned::to_owned) else {
            assert!(page["before"].is_null() || page["before"].is_u64(), "{page}");
            let Some(before) = page["before"].as_u64() else { break };
            query = format!("?limit=4&before={before}");
            continue;
        };
        query = format!("?limit=4&before={before}");
    }

    assert_eq!(all.len(), 10);
    assert_eq!(paged, all);
    let seqs: Vec<_> = all.iter().map(|message| message["seq"].as_u64()).collect();
    assert!(seqs.is_sorted(), "{seqs:?}");
}

#[tokio::test]
async fn not_there_and_not_yours_are_the_same_answer() {
    let (_provider, gateway, alice) = with_one_session().await;
    let hers = alice.session();
    let routes =
        [("GET", ""), ("GET", "/messages"), ("PATCH", ""), ("DELETE", ""), ("POST", "/end")];

    for (method, tail) in routes {
        let mut told = Vec::new();
        for session in [hers, "there-is-no-such-session"] {
            let call = gateway.call(method, &format!("/chatbox/sessions/{session}{tail}"));
            let call = call.bearer(&gateway.token("bob")).json(&json!({ "name": "Mine now" }));
            let mut reply = call.send().await;
            reply.headers.retain(|(name, _)| name != "date");
            told.push((reply.status, reply.headers, reply.body));
        }
        assert_eq!(told[0].0, 404, "{method} {tail}: {}", told[0].2);
        assert_eq!(told[0], told[1], "{method} {tail}");
    }
    assert_eq!(gateway.messages("alice", hers).await.len(), 2);
}

#[tokio::test]
async fn a_session_is_renamed_ended_reopened_and_deleted() {
    let (_provider, gateway, mut alice) = with_one_session().await;
    let session = alice.session().to_owned();
    let path = format!("/chatbox/sessions/{session}");
    let token = gateway.token("alice");

    let renamed = gateway.call("PATCH", &path).bearer(&token).json(&json!({ "name": "News" }));
    assert_eq!(renamed.send().await.status / 100, 2);
    let told = alice.next_of("connection_status").await;
    assert_eq!((&told["name"], &told["session_id"]), (&json!("News"), &json!(session)), "{told}");
    assert!(told["seq"].is_u64(), "{told}");
    assert_eq!(gateway.get("alice", "/sessions").await["sessions"][0]["name"], "News");

    let ended = gateway.call("POST", &format!("{path}/end")).bearer(&token).send().await;
    assert_eq!((ended.status, ended.json()["status"].clone()), (200, json!("ended")));
    assert_eq!(gateway.get("alice", "/sessions").await["sessions"][0]["is_active"], false);
    alice.ask("One more thing").await;
    assert_eq!(alice.session(), session, "a message to an ended session reopens it");

    let deleted = gateway.call("DELETE", &path).bearer(&token).send().await;
    assert_eq!(deleted.status / 100, 2, "{}", deleted.body);
    let gone = gateway.call("GET", &path).bearer(&token).send().await;
    assert_eq!(gone.status, 404);
    let mut later = gateway.connect("alice").await;
    later.enter(&session);
    later.say("Anybody?").await;
    let error = later.next_of("error").await;
    assert_eq!(error["error"]["code"], "SESSION_CLOSED", "{error}");
}

#[tokio::test]
async fn a_session_that_is_deleted_in_mid_answer_is_closed_and_nothing_failed() {
    let provider = FakeProvider::playing(Script::halting(&["Once ", "upon a time."])).await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.say("Tell me a story").await;
    provider.release(1);
    alice.next_of("ai_response").await;
    let path = format!("/chatbox/sessions/{}", alice.session());

    let deleted = gateway.call("DELETE", &path).bearer(&gateway.token("alice")).send().await;

    assert_eq!(deleted.status / 100, 2, "{}", deleted.body);
    assert_eq!(alice.answer_end().await["finish_reason"], "cancelled");
    let error = alice.next_of("error").await;
    assert_eq!(error["error"]["code"], "SESSION_CLOSED", "{error}");
    assert!(!gateway.log().contains("could not store"), "{}", gateway.log());
}

#[tokio::test]
async fn health_and_readiness_need_no_token() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;

    let health = gateway.call("GET", "/chatbox/healthz").send().await;
    let ready = gateway.call("GET", "/chatbox/readyz").send().await;

    assert_eq!((health.status, health.json()["status"].clone()), (200, json!("healthy")));
    assert_eq!((ready.status, ready.json()["status"].clone()), (200, json!("ready")));
    assert!(ready.json()["checks"].is_object(), "{}", ready.body);
}

#[tokio::test]
async fn refusals_are_json_and_every_answer_is_hardened() {
    let gateway = Setup::new().start().await;
    let token = gateway.token("alice");
    let replies = [
        (401, "UNAUTHORIZED", gateway.call("GET", "/chatbox/sessions").send().await),
        (401, "INVALID_TOKEN", gateway.call("GET", "/chatbox/sessions").bearer("x").send().await),
        (
            404,
            "NOT_FOUND",
            gateway.call("GET", "/chatbox/sessions/none").bearer(&token).send().await,
        ),
        (
            400,
            "BAD_REQUEST",
            gateway.call("GET", "/chatbox/sessions?limit=many").bearer(&token).send().await,
        ),
    ];

    for (status, code, reply) in replies {
        assert_eq!(reply.status, status, "{}", reply.body);
        assert_eq!(reply.json()["code"], code, "{}", reply.body);
        assert!(reply.json()["error"].is_string(), "{}", reply.body);
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("x-frame-options"), Some("DENY"));
    }
}

#[tokio::test]
async fn a_long_conversation_is_read_in_large_pages_without_a_hole() {
    const TURNS: usize = 501;
    let provider = FakeProvider::playing(Script::saying(&["."])).await;
    provider.always(Script::saying(&["."]));
    let setup = Setup::with(&provider).set("SLUICE_LIMITS__MESSAGES", "10000/1m");
    let gateway = setup.set("SLUICE_SESSION__HISTORY_MESSAGES", "1").start().await;
    let mut alice = gateway.connect("alice").await;
    for n in 0..TURNS {
        if n == TURNS / 2 {
            // One connection may not say that much in so short a time.
            let session = alice.session().to_owned();
            alice = gateway.connect("alice").await;
            alice.enter(&session);
        }
        alice.ask(&n.to_string()).await;
    }

    let mut pages: Vec<Vec<Value>> = Vec::new();
    let mut before = String::new();
    loop {
        let path = format!("/sessions/{}/messages?limit=1000{before}", alice.session());
        let page = gateway.get("alice", &path).await;
        pages.insert(0, page["messages"].as_array().expect("a list").clone());
        let Some(cursor) = page["before"].as_u64() else { break };
        before = format!("&before={cursor}");
    }

    let asked: Vec<_> =
        pages.concat().into_iter().step_by(2).map(|m| m["content"].clone()).collect();
    let expected: Vec<_> = (0..TURNS).map(|n| json!(n.to_string())).collect();
    assert_eq!(pages.len(), 2, "not more than it takes");
    assert_eq!(pages.concat().len(), 2 * TURNS);
    assert_eq!(asked, expected);
}

#[tokio::test]
async fn a_conversation_that_was_quiet_for_too_long_is_deleted() {
    let provider = FakeProvider::start().await;
    let setup = Setup::with(&provider).set("SLUICE_STORAGE__RETENTION", "1s");
    let gateway = setup.start().await;
    let mut alice = gateway.connect("alice").await;
    alice.ask("Remember me").await;
    let session = alice.session().to_owned();

    let told = alice.next_of("error").await;

    assert_eq!(told["error"]["code"], "SESSION_CLOSED", "{told}");
    assert_eq!(gateway.get("alice", "/sessions").await["count"], 0);
    let path = format!("/chatbox/sessions/{session}");
    let reply = gateway.call("GET", &path).bearer(&gateway.token("alice")).send().await;
    assert_eq!(reply.status, 404, "{}", reply.body);
}

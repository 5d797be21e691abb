//! What operators see: everybody's sessions, figures, and the record of their own doings.

use serde_json::{Value, json};
use sluice_tests::{FakeProvider, Gateway, Reply, Setup};

/// Calls an admin route as an operator.
async fn ask(gateway: &Gateway, path: &str) -> Reply {
    let token = gateway.token_with("olga", &["admin"]);
    gateway.call("GET", &format!("/chatbox/admin{path}")).bearer(&token).send().await
}

async fn read(gateway: &Gateway, path: &str) -> Value {
    let reply = ask(gateway, path).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    reply.json()
}

/// A gateway with one answered session of each of these users, and enough budget for an operator.
async fn with_sessions(provider: &FakeProvider, users: &[&str]) -> (Gateway, Vec<String>) {
    let gateway = Setup::with(provider).set("SLUICE_LIMITS__ADMIN", "1000/1m").start().await;
    let mut sessions = Vec::new();
    for user in users {
        let mut client = gateway.connect(user).await;
        client.ask("Hello?").await;
        sessions.push(client.session().to_owned());
    }
    (gateway, sessions)
}

fn ids(page: &Value) -> Vec<&str> {
    let sessions = page["sessions"].as_array().expect("sessions");
    sessions.iter().map(|session| session["id"].as_str().expect("an id")).collect()
}

#[tokio::test]
async fn operators_page_through_everybodys_sessions() {
    let provider = FakeProvider::start().await;
    let (gateway, sessions) = with_sessions(&provider, &["ada", "bob", "ada", "cy"]).await;
    let end = format!("/chatbox/sessions/{}/end", sessions[1]);
    let ended = gateway.call("POST", &end).bearer(&gateway.token("bob")).send().await;
    assert_eq!(ended.status, 200);

    let first = read(&gateway, "/sessions?limit=3").await;
    let cursor = first["next_cursor"].as_str().expect("another page");
    let second = read(&gateway, &format!("/sessions?limit=3&cursor={cursor}")).await;

    let newest: Vec<&str> = sessions.iter().rev().map(String::as_str).collect();
    assert_eq!(ids(&first), newest[..3]);
    assert_eq!((ids(&second), &second["next_cursor"]), (newest[3..].to_vec(), &Value::Null));
    assert_eq!(first["total"], 4);
    assert_eq!(first["total_at_least"], Value::Null);
    let whole = read(&gateway, "/sessions?sort_by=user_id&sort_order=asc").await;
    let owners: Vec<_> = whole["sessions"].as_array().expect("sessions").iter().collect();
    let owners: Vec<_> = owners.iter().map(|session| session["user_id"].clone()).collect();
    assert_eq!(owners, ["ada", "ada", "bob", "cy"]);
    assert_eq!(ids(&read(&gateway, "/sessions?status=ended").await), [&sessions[1]]);
    assert_eq!(read(&gateway, "/sessions?status=active").await["total"], 3);
    assert_eq!(read(&gateway, "/sessions?admin_assisted=true").await["total"], 0);
    assert_eq!(read(&gateway, "/sessions?start_time_to=2020-01-01T00:00:00Z").await["total"], 0);
    assert_eq!(ids(&read(&gateway, "/sessions?offset=3").await), [&sessions[0]]);
    let of_ada = read(&gateway, "/users/ada/sessions").await;
    assert_eq!(ids(&of_ada), [&sessions[2], &sessions[0]]);
    assert_eq!(ids(&read(&gateway, "/sessions?user_id=ada").await), ids(&of_ada));
    assert_eq!(read(&gateway, "/users/nobody/sessions").await["total"], 0);
}

#[tokio::test]
async fn what_is_not_known_is_refused_and_never_left_aside() {
    let gateway = Setup::new().set("SLUICE_LIMITS__ADMIN", "1000/1m").start().await;

    for query in [
        "sort_by=size",
        "sort_order=down",
        "status=open",
        "admin_assisted=yes",
        "start_time_from=yesterday",
        "cursor=1",
        "cursor=start_time.asc.1.2.s",
        "offset=10001",
        "offset=x",
        "usr_id=ada",
        "status=ended&status=active",
    ] {
        let reply = ask(&gateway, &format!("/sessions?{query}")).await;
        assert_eq!((reply.status, &reply.json()["code"]), (400, &json!("BAD_REQUEST")), "{query}");
    }
    for query in [
        "start_time=yesterday",
        "start_time=2026-02-01T00:00:00Z&end_time=2026-01-01T00:00:00Z",
        "start_time=2000-01-01T00:00:00Z",
        "window=1d",
    ] {
        let reply = ask(&gateway, &format!("/metrics?{query}")).await;
        assert_eq!(reply.status, 400, "{query}");
    }
    assert_eq!(ask(&gateway, "/audit?who=olga").await.status, 400);
    assert_eq!(ask(&gateway, "/sessions/nothing").await.status, 404);
}

#[tokio::test]
async fn operators_read_a_conversation_and_how_long_its_answers_took() {
    let provider = FakeProvider::start().await;
    let (gateway, sessions) = with_sessions(&provider, &["ada"]).await;

    let shown = read(&gateway, &format!("/sessions/{}", sessions[0])).await;
    let listed = read(&gateway, "/sessions").await;

    assert_eq!(shown["user_id"], "ada");
    let messages = shown["messages"].as_array().expect("messages");
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0]["content"], "Hello?");
    for field in ["avg_response_time", "max_response_time", "total_tokens", "duration"] {
        assert!(shown[field].is_u64(), "{field}: {shown}");
        assert!(listed["sessions"][0][field].is_u64(), "{field}: {listed}");
    }
    assert!(shown["total_tokens"].as_u64() > Some(0), "{shown}");
    let end = format!("/chatbox/sessions/{}", sessions[0]);
    gateway.call("DELETE", &end).bearer(&gateway.token("ada")).send().await;
    assert_eq!(ask(&gateway, &format!("/sessions/{}", sessions[0])).await.status, 404);
    assert_eq!(read(&gateway, "/sessions").await["total"], 0);
}

#[tokio::test]
async fn the_figures_come_in_both_shapes() {
    let provider = FakeProvider::start().await;
    let (gateway, _) = with_sessions(&provider, &["ada", "bob"]).await;

    let figures = read(&gateway, "/metrics").await;

    let known = &figures["metrics"];
    for (flat, pascal) in [
        ("total_sessions", "TotalSessions"),
        ("active_sessions", "ActiveSessions"),
        ("total_tokens", "TotalTokens"),
        ("avg_response_time", "AvgResponseTime"),
        ("max_response_time", "MaxResponseTime"),
        ("admin_assisted_count", "AdminAssistedCount"),
        ("avg_concurrent", "AvgConcurrent"),
        ("max_concurrent", "MaxConcurrent"),
    ] {
        assert!(figures[flat].is_number(), "{flat}: {figures}");
        assert_eq!(figures[flat], known[pascal], "{flat}");
    }
    assert_eq!((&figures["total_sessions"], &figures["active_sessions"]), (&json!(2), &json!(2)));
    assert!(figures["total_tokens"].as_u64() > Some(0), "{figures}");
    assert!(figures["time_range"]["start"].is_string());
    let past = "/metrics?start_time=2020-01-01T00:00:00Z&end_time=2020-01-02T00:00:00Z";
    assert_eq!(read(&gateway, past).await["total_sessions"], 0);
}

#[tokio::test]
async fn every_call_of_an_operator_is_on_record_with_what_came_of_it() {
    let provider = FakeProvider::start().await;
    let (gateway, sessions) = with_sessions(&provider, &["ada"]).await;
    read(&gateway, "/sessions?user_id=ada").await;
    ask(&gateway, "/sessions?sort_by=size").await;
    read(&gateway, &format!("/sessions/{}", sessions[0])).await;
    read(&gateway, "/users/ada/sessions").await;
    // Who is no operator is not let in, and leaves no line.
    let path = "/chatbox/admin/sessions";
    let refused = gateway.call("GET", path).bearer(&gateway.token("ada")).send().await;
    assert_eq!(refused.status, 403);

    let record = read(&gateway, "/audit").await;

    let lines = record["entries"].as_array().expect("entries");
    let told: Vec<_> = lines.iter().map(|line| (&line["action"], &line["status"])).collect();
    assert_eq!(
        told,
        [
            (&json!("GET /admin/audit"), &Value::Null),
            (&json!("GET /admin/users/{id}/sessions"), &json!(200)),
            (&json!("GET /admin/sessions/{id}"), &json!(200)),
            (&json!("GET /admin/sessions"), &json!(400)),
            (&json!("GET /admin/sessions"), &json!(200)),
        ]
    );
    assert!(lines.iter().all(|line| line["admin_id"] == "olga" && line["timestamp"].is_string()));
    let about_ada = read(&gateway, "/audit?user_id=ada").await;
    // Asking who looked is looking.
    assert_eq!(about_ada["count"], 3, "{about_ada}");
    let session = format!("/audit?session_id={}", sessions[0]);
    assert_eq!(read(&gateway, &session).await["count"], 1);
    let page = read(&gateway, "/audit?limit=2").await;
    let next = page["next_cursor"].as_str().expect("another page");
    assert_eq!(read(&gateway, &format!("/audit?cursor={next}")).await["count"], 6);
}

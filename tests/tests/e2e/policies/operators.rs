//! What operators may do, where policies have a say in it.

use serde_json::json;
use sluice_tests::{FakeProvider, Gateway, Reply};

use super::{bundled, complete, judge, with};

async fn list(gateway: &Gateway, user: &str, query: &str) -> Reply {
    let token = gateway.token_with(user, &["admin"]);
    gateway.call("GET", &format!("/chatbox/admin/sessions{query}")).bearer(&token).send().await
}

/// The newest lines of the record, as who, what, and with which outcome.
async fn record(gateway: &Gateway) -> Vec<(String, String, u64)> {
    let token = gateway.token_with("root", &["admin"]);
    let audit = gateway.call("GET", "/chatbox/admin/audit").bearer(&token).send().await.json();
    let lines = audit["entries"].as_array().expect("lines").iter();
    lines
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            (text("admin_id"), text("action"), line["status"].as_u64().unwrap_or_default())
        })
        .collect()
}

#[tokio::test]
async fn a_policy_can_veto_an_operator_but_never_the_one_for_emergencies() {
    let provider = FakeProvider::start().await;
    let gateway =
        with(&provider, &[("house", judge(), "settings = { admin = \"deny\" }")]).start().await;

    let reply = list(&gateway, "olga", "").await;
    assert_eq!(
        (reply.status, &reply.json()["code"]),
        (403, &json!("POLICY_DENIED")),
        "{}",
        reply.body
    );
    assert_eq!(reply.json()["detail"], "The house says no to list-sessions.");
    assert_eq!(reply.header("retry-after"), Some("7"));
    assert_eq!(list(&gateway, "root", "").await.status, 200);

    let record = record(&gateway).await;
    for line in [
        ("olga", "GET /admin/sessions", 403),
        ("policy:house", "admin: house", 403),
        ("root", "GET /admin/sessions", 200),
    ] {
        let (who, what, status) = line;
        assert!(
            record.contains(&(who.to_owned(), what.to_owned(), status)),
            "{line:?} in {record:?}"
        );
    }
}

#[tokio::test]
async fn a_policy_that_fails_locks_operators_out_and_not_the_one_for_emergencies() {
    let provider = FakeProvider::start().await;
    let gateway =
        with(&provider, &[("house", judge(), "settings = { admin = \"trap\" }")]).start().await;

    assert_eq!(list(&gateway, "olga", "").await.status, 403);
    assert_eq!(list(&gateway, "root", "").await.status, 200);
}

#[tokio::test]
async fn what_needs_a_reason_is_done_for_one_which_is_on_record() {
    let provider = FakeProvider::start().await;
    let settings =
        "[[plugins.rules.settings.rules]]\nactions = [\"list-*\"]\nthen = \"ask-reason\"\n";
    let gateway = with(&provider, &[("rules", bundled("admin-rules"), settings)]).start().await;

    let reply = list(&gateway, "olga", "").await;
    assert_eq!(reply.json()["detail"], "Please give a reason.", "{}", reply.body);
    assert_eq!(list(&gateway, "olga", "?reason=ticket%2012").await.status, 200);

    let token = gateway.token_with("root", &["admin"]);
    let audit = gateway.call("GET", "/chatbox/admin/audit").bearer(&token).send().await.json();
    let entries = audit["entries"].as_array().unwrap();
    let told =
        entries.iter().any(|line| line["admin_id"] == "olga" && line["reason"] == "ticket 12");
    assert!(told, "{audit}");
}

#[tokio::test]
async fn a_command_lists_the_plugins_that_run_and_what_they_used() {
    let provider = FakeProvider::start().await;
    let gateway = with(&provider, &[("access", bundled("access"), "")]).start().await;
    complete(&gateway, &gateway.token("alice"), "Who?").await;
    let url = format!("http://{}/chatbox", gateway.address());
    let listed =
        async |token: &str| gateway.run(&["plugin", "list", "--url", &url, "--token", token]).await;

    let told = listed(&gateway.token_with("root", &["admin"])).await;
    let refused = listed(&gateway.token("alice")).await;

    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let words: Vec<Vec<&str>> =
        told.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    let heads: Vec<&[&str]> = words.iter().map(|words| &words[..3]).collect();
    assert_eq!(heads, [["access", "policy", "asked"], ["provider-1", "provider", "asked"]]);
    for words in &words {
        assert_ne!(words[3], "0", "{}", told.stdout);
        assert_eq!((words[4], &words[5..7]), ("calls,", &["0", "failed,"][..]));
    }
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(69), ""));
    assert!(refused.stderr.contains("no operator's"), "{}", refused.stderr);
}

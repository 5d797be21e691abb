//! `sluice doctor`: what it finds at a gateway that is well, at one that is not, and where there is none.

use serde_json::Value;
use sluice_tests::{Ended, FakeProvider, Gateway, Script, Setup};

/// Lets the doctor look, with a good token of `user`.
async fn examined(gateway: &Gateway, user: &str, further: &[&str]) -> Ended {
    let url = format!("http://{}/chatbox", gateway.address());
    let setup = gateway.setup().clone().set("SLUICE_TOKEN", &gateway.token(user));
    setup.run(&[&["doctor", &url], further].concat()).await
}

/// Check and outcome of each line.
fn outcomes(ended: &Ended) -> Vec<(String, String)> {
    let word = |value: &Value| value.as_str().expect("text").to_owned();
    let lines = ended.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    lines.map(|line: Value| (word(&line["check"]), word(&line["outcome"]))).collect()
}

fn pairs(found: &[(String, String)]) -> Vec<(&str, &str)> {
    found.iter().map(|(check, outcome)| (&**check, &**outcome)).collect()
}

#[tokio::test]
async fn a_gateway_that_is_well_passes_every_check_and_keeps_nothing_of_it() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;

    let ended = examined(&gateway, "alice", &["--json"]).await;

    let all = ["health", "version", "clock", "readiness", "token", "socket", "turn"];
    let found = outcomes(&ended);
    assert_eq!(pairs(&found), all.map(|check| (check, "ok")), "{}", ended.stdout);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let kept = gateway.get("alice", "/sessions").await;
    assert_eq!(kept["sessions"].as_array().map(Vec::len), Some(0), "{kept}");
}

#[tokio::test]
async fn without_a_token_only_what_anybody_may_ask_is_asked() {
    let gateway = Setup::new().start().await;
    let url = format!("http://{}/chatbox/", gateway.address());

    let ended = gateway.run(&["doctor", &url]).await;
    let health = gateway.run(&["doctor", "--health", &url]).await;

    let skipped = ended.stdout.lines().filter(|line| line.starts_with("skipped ")).count();
    assert_eq!((skipped, ended.code), (3, Some(0)), "{}", ended.stdout);
    assert_eq!((health.stdout.lines().count(), health.code), (3, Some(0)), "{}", health.stdout);
}

#[tokio::test]
async fn a_token_of_somewhere_else_fails_and_is_not_printed() {
    let gateway = Setup::new().start().await;
    let url = format!("http://{}/chatbox", gateway.address());
    let foreign = Setup::new().token("alice");

    let ended = gateway.run(&["doctor", "--json", "--token", &foreign, &url]).await;

    let found = outcomes(&ended);
    assert_eq!(found.last().map(|(check, is)| (&**check, &**is)), Some(("token", "failed")));
    assert_eq!(ended.code, Some(69), "{}", ended.stdout);
    assert!(!(ended.stdout + &ended.stderr).contains(&foreign));
}

#[tokio::test]
async fn an_answer_that_fails_is_told_with_the_trace_that_the_log_has() {
    let provider = FakeProvider::start().await;
    provider.always(Script::refusing(500, "text/plain", "no"));
    let gateway = Setup::with(&provider).start().await;

    let ended = examined(&gateway, "alice", &[]).await;

    let turn = ended.stdout.lines().last().expect("a line");
    assert!(turn.starts_with("FAILED   turn") && turn.contains("LLM_UNAVAILABLE"), "{turn}");
    let trace = turn.split("log: ").nth(1).and_then(|rest| rest.split(' ').next());
    assert!(trace.is_some_and(|trace| gateway.log().contains(trace)), "{turn}");
    assert_eq!(ended.code, Some(69));
}

#[tokio::test]
async fn where_there_is_no_gateway_that_is_said_in_one_line() {
    let gateway = Setup::new().start().await;
    let beside = format!("http://{}/elsewhere", gateway.address());

    for (url, code, words) in [
        ("http://127.0.0.1:9/chatbox", 69, "no answer: "),
        (&*beside, 69, "server.path_prefix"),
        ("http://chat.example/chatbox", 64, "plain http"),
        ("chat.example", 64, "not an address"),
    ] {
        let ended = gateway.run(&["doctor", url]).await;

        let said = ended.stdout + &ended.stderr;
        assert_eq!((ended.code, said.lines().count()), (Some(code), 1), "{said}");
        assert!(said.contains(words), "{said}");
    }
}

#[tokio::test]
async fn a_turn_goes_to_the_model_that_is_asked_for() {
    let (one, other) = (FakeProvider::start().await, FakeProvider::start().await);
    let gateway = Setup::with(&one).and("other", &other).start().await;

    let ended = examined(&gateway, "alice", &["--model", "other"]).await;
    let unknown = examined(&gateway, "alice", &["--model", "nobody"]).await;

    assert_eq!((ended.code, unknown.code), (Some(0), Some(69)), "{}", unknown.stdout);
    assert!(unknown.stdout.contains("`nobody`"), "{}", unknown.stdout);
    assert_eq!((one.count(), other.count()), (0, 1));
}

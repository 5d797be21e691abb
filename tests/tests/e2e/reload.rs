//! SIGHUP: what changes while a gateway runs, and what does not.

use std::fs;

use sluice_tests::{FakeProvider, Gateway, Setup, Signal, kind};

/// A configuration with these origins, rate, log level and models of `provider`.
fn config(provider: &FakeProvider, origin: &str, messages: &str, models: &[&str]) -> String {
    let endpoint = provider.endpoint();
    let mut text = format!(
        "
[server]
allowed_origins = [\"{origin}\"]
cors_origins = [\"{origin}\"]
[limits]
messages = \"{messages}\"
[plugins.openai]
source = \"bundled:openai\"
endpoints.api = \"{endpoint}\"
secrets.api_key = \"env:KEY\"
"
    );
    for model in models {
        text.extend(["[[models]]\nplugin = \"openai\"\nid = \"", model, "\"\n"]);
    }
    text
}

async fn start(provider: &FakeProvider) -> Gateway {
    let first = config(provider, "https://first.example", "2/1h", &["fake"]);
    Setup::new().set("KEY", "key-of-the-test").config(&first).start().await
}

/// Writes another file, asks for a reload and waits for what is said about it.
async fn reload(gateway: &Gateway, config: &str, said: &str) {
    fs::write(gateway.home().join("sluice.toml"), config).expect("the test's folder is ours");
    gateway.signal(Signal::SIGHUP);
    gateway.logged(said).await;
}

/// Whether a page of that origin opens a socket.
async fn opens(gateway: &Gateway, origin: &str) -> bool {
    let dial = gateway.dial().bearer(&gateway.token("page")).header("Origin", origin);
    dial.open().await.is_ok()
}

#[tokio::test]
async fn origins_limits_models_and_log_level_change_without_touching_a_connection() {
    let provider = FakeProvider::start().await;
    let gateway = start(&provider).await;
    let mut alice = gateway.connect("alice").await;
    alice.ask("one").await;
    alice.ask("two").await;
    alice.say("three").await;
    assert_eq!(alice.next_frame().await["error"]["code"], "TOO_MANY_REQUESTS");
    assert!(opens(&gateway, "https://first.example").await);

    let second = config(&provider, "https://second.example", "3/1h", &["fake", "other"])
        + "[telemetry]\nlevel = \"debug\"\n";
    reload(&gateway, &second, "reloaded the configuration").await;

    assert_eq!(alice.ask("three").await.finish_reason, "stop", "the same connection goes on");
    alice.say("four").await;
    assert_eq!(alice.next_frame().await["error"]["code"], "TOO_MANY_REQUESTS");
    assert!(opens(&gateway, "https://second.example").await);
    assert!(!opens(&gateway, "https://first.example").await);
    let bob = gateway.connect("bob").await;
    let models = bob.greeting["models"].as_array().expect("models");
    assert_eq!(models.len(), 2, "{models:?}");
    let preflight = gateway
        .call("OPTIONS", "/chatbox/sessions")
        .header("Origin", "https://second.example")
        .header("Access-Control-Request-Method", "DELETE")
        .send()
        .await;
    assert_eq!(preflight.header("access-control-allow-origin"), Some("https://second.example"));
    gateway.logged("DEBUG").await;
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_tells_every_problem() {
    let provider = FakeProvider::start().await;
    let gateway = start(&provider).await;
    let mut alice = gateway.connect("alice").await;

    let bad = config(&provider, "https://second.example", "many", &["fake"])
        + "[session]\nttl = \"soon\"\n";
    reload(&gateway, &bad, "the one in force stays").await;

    let log = gateway.log();
    assert!(log.contains("limits.messages") && log.contains("session.ttl"), "{log}");
    assert!(opens(&gateway, "https://first.example").await);
    assert!(!opens(&gateway, "https://second.example").await);
    assert_eq!(alice.ask("Still there?").await.finish_reason, "stop");
}

#[tokio::test]
async fn what_needs_a_restart_says_so_and_the_rest_counts() {
    let provider = FakeProvider::start().await;
    let gateway = start(&provider).await;

    let more = config(&provider, "https://second.example", "2/1h", &["fake"])
        + "[session]\nttl = \"1h\"\n[plugins.echo]\nsource = \"bundled:echo\"\n";
    reload(&gateway, &more, "reloaded the configuration").await;

    let log = gateway.log();
    let named =
        |key: &str| log.lines().any(|line| line.contains("needs a restart") && line.contains(key));
    assert!(named("session.ttl") && named("plugins.echo"), "{log}");
    assert!(!named("server.allowed_origins") && !named("plugins.openai"), "{log}");
    assert!(opens(&gateway, "https://second.example").await);

    // A model of a plugin that is not loaded would answer nobody: all of it waits.
    let ahead = config(&provider, "https://third.example", "2/1h", &["fake"])
        + "[plugins.echo]\nsource = \"bundled:echo\"\n[[models]]\nid = \"echo\"\nplugin = \"echo\"\n";
    reload(&gateway, &ahead, "the one in force stays").await;
    assert!(!opens(&gateway, "https://third.example").await);
}

#[tokio::test]
async fn pages_that_are_listed_may_read_answers_and_others_may_not() {
    let setup = Setup::new().set("CORS_ALLOWED_ORIGINS", "https://app.example,https://b.example");
    let gateway = setup.start().await;
    let get = async |origin: &str| {
        let call = gateway.call("GET", "/chatbox/sessions").header("Origin", origin);
        call.bearer(&gateway.token("alice")).send().await
    };

    let granted = get("https://b.example").await;
    assert_eq!(granted.header("access-control-allow-origin"), Some("https://b.example"));
    assert_eq!(granted.header("access-control-allow-credentials"), Some("true"));
    assert!(
        granted.header("access-control-expose-headers").is_some_and(|h| h.contains("Retry-After"))
    );
    assert_eq!(granted.header("vary"), Some("Origin"));
    let foreign = get("https://evil.example").await;
    assert_eq!(foreign.status, 200, "it is the browser that keeps the answer from the page");
    assert_eq!(foreign.header("access-control-allow-origin"), None);
    assert_eq!(foreign.header("vary"), Some("Origin"));

    let asked = gateway
        .call("OPTIONS", "/v1/chat/completions")
        .header("Origin", "https://app.example")
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization, x-stainless-lang")
        .send()
        .await;
    assert_eq!(asked.status, 204, "{}", asked.body);
    assert!(asked.header("access-control-allow-methods").is_some_and(|m| m.contains("DELETE")));
    assert_eq!(
        asked.header("access-control-allow-headers"),
        Some("authorization, x-stainless-lang")
    );
    assert_eq!(asked.header("access-control-max-age"), Some("43200"));
    let refused = gateway.call("GET", "/chatbox/sessions").header("Origin", "https://app.example");
    let refused = refused.send().await;
    assert_eq!(refused.status, 401);
    assert!(refused.header("access-control-allow-origin").is_some(), "a page may read refusals");
}

#[tokio::test]
async fn without_a_list_no_page_of_another_host_reads_anything() {
    let gateway = Setup::new().start().await;
    let call = gateway.call("GET", "/chatbox/healthz").header("Origin", "https://app.example");

    let reply = call.send().await;

    assert_eq!((reply.header("access-control-allow-origin"), reply.header("vary")), (None, None));
    let mut alice = gateway.connect("alice").await;
    alice.send(&serde_json::json!({ "type": "ping" })).await;
    assert_eq!(kind(&alice.next_frame().await), "pong");
}

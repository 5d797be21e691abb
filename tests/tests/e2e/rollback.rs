//! The ways back of `docs/production-readiness.md`: each mechanism, made as good as absent by configuration alone.

use serde_json::json;
use sluice_tests::{FakeProvider, Script, Setup, claims, kind, mint};

#[tokio::test]
async fn an_interval_of_thirty_days_sweeps_nothing() {
    let provider = FakeProvider::start().await;
    let short = Setup::with(&provider).watched().set("SESSION_TTL", "10ms");
    let long = short
        .clone()
        .set("SESSION_CLEANUP_INTERVAL", "720h")
        .set("RATE_LIMIT_CLEANUP_INTERVAL", "720h")
        .start()
        .await;
    let short = short
        .set("SESSION_CLEANUP_INTERVAL", "10ms")
        .set("RATE_LIMIT_CLEANUP_INTERVAL", "10ms")
        .set("SLUICE_LIMITS__MESSAGES", "100/10ms")
        .start()
        .await;
    for gateway in [&long, &short] {
        let mut alice = gateway.connect("alice").await;
        alice.ask("Hello?").await;
        alice.leave().await;
        gateway.metric_becomes("sluice_connections", 0.0).await;
    }

    short.metric_becomes("sluice_sessions", 0.0).await;
    short.metric_becomes("sluice_limiter_keys{limiter=\"message\"}", 0.0).await;

    assert_eq!(long.metric("sluice_sessions").await, Some(1.0));
    assert_eq!(long.metric("sluice_sweep_removed_total").await, Some(0.0));
    assert_eq!(long.metric("sluice_limiter_keys{limiter=\"message\"}").await, Some(1.0));
    assert_eq!(short.metric("sluice_sweep_removed_total").await, Some(1.0));
}

#[tokio::test]
async fn a_huge_limit_refuses_nobody() {
    let provider = FakeProvider::start().await;
    let setup = Setup::with(&provider)
        .watched()
        .set("RATE_LIMIT", "100000")
        .set("ADMIN_RATE_LIMIT", "100000");
    let gateway = setup.start().await;
    let mut alice = gateway.connect("alice").await;
    let mut operator = claims("olga");
    operator["roles"] = json!(["admin"]);
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let token = mint(&header, &operator, gateway.setup().secret());

    // One more each than a minute allows otherwise.
    for number in 0..=100 {
        let answer = alice.ask("Hello?").await;
        assert_eq!(answer.finish_reason, "stop", "{number}");
    }
    for number in 0..=20 {
        let call = gateway.call("GET", "/chatbox/admin/metrics").bearer(&token);
        assert_eq!(call.send().await.status, 200, "{number}");
    }
}

#[tokio::test]
async fn a_timeout_of_an_hour_cuts_nothing() {
    let provider = FakeProvider::start().await;
    provider.always(Script::stalling(&["Once"]));
    let setup = Setup::with(&provider).watched();
    let long = setup
        .clone()
        .set("LLM_STREAM_TIMEOUT", "1h")
        .set("SLUICE_LLM__FIRST_BYTE_TIMEOUT", "1h")
        .set("SLUICE_LLM__IDLE_TIMEOUT", "1h")
        .start()
        .await;
    let short = setup.set("LLM_STREAM_TIMEOUT", "100ms").start().await;
    let mut patient = long.connect("alice").await;
    patient.say("Go on").await;
    patient.frames_saying("Once").await;
    let mut hasty = short.connect("alice").await;

    hasty.say("Go on").await;
    let frames = hasty.frames_until("an error", |frame| kind(frame) == "error").await;

    assert_eq!(frames.last().expect("the error")["error"]["code"], "LLM_TIMEOUT");
    assert_eq!(long.metric("sluice_running_answers").await, Some(1.0));
    assert_eq!(patient.settled().await, [] as [serde_json::Value; 0]);
}

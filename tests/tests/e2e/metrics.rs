//! What the gateway counts about itself, and who may see it.

use sluice_tests::{FakeProvider, Script, Setup};

const GAUGES: [&str; 6] = [
    "sluice_connections",
    "sluice_running_answers",
    "sluice_plugin_instances",
    "sluice_upstream_exchanges",
    "sluice_connected_users",
    "chatbox_websocket_connections_total",
];

#[tokio::test]
async fn an_answer_is_counted_and_leaves_every_gauge_at_rest() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).watched().start().await;
    let mut alice = gateway.connect("alice").await;
    alice.ask("Hello?").await;
    alice.send(&serde_json::json!({ "type": "nonsense" })).await;
    alice.next_frame().await;
    let during = gateway.metric("sluice_connections").await;
    alice.leave().await;

    for gauge in GAUGES {
        gateway.metric_becomes(gauge, 0.0).await;
    }
    assert_eq!(during, Some(1.0));
    for (series, wanted) in [
        ("chatbox_sessions_created_total", 1.0),
        ("chatbox_messages_received_total", 2.0),
        ("chatbox_message_errors_total", 1.0),
        ("sluice_refusals_total{code=\"INVALID_FORMAT\"}", 1.0),
        ("chatbox_websocket_connection_duration_seconds_count", 1.0),
        ("chatbox_active_sessions_total", 1.0),
        ("sluice_limiter_keys{limiter=\"message\"}", 1.0),
    ] {
        assert_eq!(gateway.metric(series).await, Some(wanted), "{series}");
    }
    let all = gateway.call("GET", "/chatbox/metrics/prometheus").send().await.body;
    for begin in [
        "chatbox_llm_requests_total{provider=",
        "chatbox_llm_latency_seconds_count{provider=",
        "chatbox_tokens_used_total{provider=",
        "sluice_stream_duration_seconds_count{provider=",
        "chatbox_http_request_duration_seconds_count{endpoint=\"/chatbox/ws\",method=\"GET\"}",
    ] {
        assert!(all.lines().any(|line| line.starts_with(begin)), "{begin}\n{all}");
    }
}

#[tokio::test]
async fn a_cancelled_answer_leaves_no_instance_and_no_exchange_behind() {
    let provider = FakeProvider::playing(Script::stalling(&["Once"])).await;
    let gateway = Setup::with(&provider).watched().start().await;
    let mut alice = gateway.connect("alice").await;
    alice.say("Go on").await;
    alice.frames_saying("Once").await;
    for gauge in ["sluice_running_answers", "sluice_plugin_instances", "sluice_upstream_exchanges"]
    {
        gateway.metric_becomes(gauge, 1.0).await;
    }

    alice.send(&serde_json::json!({ "type": "cancel", "session_id": alice.session() })).await;

    for gauge in ["sluice_running_answers", "sluice_plugin_instances", "sluice_upstream_exchanges"]
    {
        gateway.metric_becomes(gauge, 0.0).await;
    }
}

#[tokio::test]
async fn only_the_networks_of_the_configuration_see_the_metrics() {
    let gateway =
        Setup::new().set("SLUICE_TELEMETRY__METRICS_NETWORKS", "10.0.0.0/8").start().await;

    for path in ["/metrics", "/chatbox/metrics/prometheus"] {
        let reply = gateway.call("GET", path).send().await;
        assert_eq!(reply.status, 403, "{path}");
        assert_eq!(reply.json()["code"], "FORBIDDEN");
    }
}

use sluice_chat::answer::Tokens;
use sluice_chat::bill::Bill;

use super::*;

fn seen() -> Seen {
    Seen { sessions: 3, limiter_keys: vec![(Limiter::Message, 7)], ..Seen::default() }
}

#[test]
fn every_name_of_the_predecessor_is_there_from_the_start() {
    let text = Metrics::new().read(&seen());

    for (name, kind) in [
        ("websocket_connections_total", "gauge"),
        ("websocket_connection_duration_seconds", "histogram"),
        ("messages_received_total", "counter"),
        ("messages_sent_total", "counter"),
        ("message_errors_total", "counter"),
        ("active_sessions_total", "gauge"),
        ("sessions_created_total", "counter"),
        ("sessions_ended_total", "counter"),
        ("admin_takeovers_total", "counter"),
        ("admin_messages_dropped_total", "counter"),
        ("mongodb_operation_seconds", "histogram"),
        ("ratelimit_blocked_total", "counter"),
    ] {
        let line = format!("# TYPE chatbox_{name} {kind}\n");
        assert!(text.contains(&line), "{line}{text}");
    }
    assert!(text.contains("chatbox_active_sessions_total 3\n"), "{text}");
    assert!(text.contains("sluice_limiter_keys{limiter=\"message\"} 7\n"), "{text}");
}

#[test]
fn an_answer_is_counted_once_and_runs_until_it_is_dropped() {
    let metrics = Metrics::new();
    let source = Source { provider: "openai".to_owned(), model: "m".to_owned() };
    let mut meter = metrics.answers.begin("openai");

    meter.said();
    meter.said();
    let running = metrics.read(&seen());
    meter.ended(false);
    drop(meter);
    let tokens = Tokens { input: 3, output: 4, estimated: true };
    metrics.answers.spent(&source, &Bill { cost_micros: Some(9), ..tokens.into() });
    drop(metrics.answers.begin("openai"));

    assert!(running.contains("sluice_running_answers 1\n"), "{running}");
    let text = metrics.read(&seen());
    for line in [
        "sluice_running_answers 0",
        "chatbox_llm_requests_total{provider=\"openai\"} 2",
        "chatbox_llm_errors_total{provider=\"openai\"} 1",
        "chatbox_llm_latency_seconds_count{provider=\"openai\"} 1",
        "sluice_stream_duration_seconds_count{provider=\"openai\",outcome=\"failed\"} 1",
        "sluice_stream_duration_seconds_count{provider=\"openai\",outcome=\"dropped\"} 1",
        "sluice_cost_micros_total{provider=\"openai\",model=\"m\"} 9",
        "chatbox_tokens_used_total{provider=\"openai\"} 7",
        "sluice_tokens_total{provider=\"openai\",model=\"m\",direction=\"output\",estimated=\"true\"} 4",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn what_a_client_makes_up_is_no_label() {
    let metrics = Metrics::new();

    for path in 0..1_000 {
        let method = format!("M{path}");
        metrics.traffic.answered(None, &method, std::time::Duration::ZERO);
    }

    let text = metrics.read(&seen());
    let count = "chatbox_http_request_duration_seconds_count";
    let series: Vec<&str> = text.lines().filter(|line| line.starts_with(count)).collect();
    assert_eq!(series, [format!("{count}{{endpoint=\"other\",method=\"other\"}} 1000")]);
}

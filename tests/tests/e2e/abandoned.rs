//! Streams that nobody waits for any more leave nothing behind.

use futures_util::{StreamExt as _, stream};
use serde_json::json;
use sluice_tests::{FakeProvider, Gateway, Script, Setup, patiently};

/// Streams at the same time.
const AT_ONCE: usize = 50;
/// What the allocator may keep of memory that was used once, in bytes.
const KEPT: u64 = 24 * 1024 * 1024;

/// Calls in all.
fn calls() -> usize {
    let all = std::env::var_os("SLUICE_TESTS").is_some_and(|value| value == "all");
    if all { 10_000 } else { 2_000 }
}

/// Connections to a MongoDB that the driver may keep open.
fn to_the_database() -> usize {
    let mongodb = std::env::var_os("SLUICE_TEST_ENGINE").is_some_and(|value| value == "mongodb");
    if mongodb { 100 } else { 0 }
}

/// When somebody leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The provider has the request and says nothing.
    Queued,
    /// The provider has begun, and has said nothing that could be shown.
    BeforeFirstPiece,
    /// Somebody heard the first word.
    MidStream,
    /// The provider is in the middle, and somebody waits for all of it.
    NotStreamed,
}

impl Phase {
    const ALL: [Self; 4] =
        [Self::Queued, Self::BeforeFirstPiece, Self::MidStream, Self::NotStreamed];

    fn script(self) -> Script {
        match self {
            Self::Queued => Script::silent(),
            Self::BeforeFirstPiece => Script::stalling(&[]),
            Self::MidStream | Self::NotStreamed => Script::stalling(&["Once "]),
        }
    }
}

/// Calls, and leaves once the phase is reached. The provider says that it is, where the caller cannot see it.
async fn leave(gateway: &Gateway, provider: &FakeProvider, phase: Phase, token: &str) {
    let (earlier, question) = (provider.count(), format!("{:032x}", rand::random::<u128>()));
    let body = json!({
        "model": "fake", "stream": phase != Phase::NotStreamed,
        "messages": [{ "role": "user", "content": question }],
    });
    let call = gateway.call("POST", "/v1/chat/completions").bearer(token).json(&body);
    if phase == Phase::MidStream {
        let mut events = call.events().await.begun().await;
        while events.json().await["choices"][0]["delta"]["content"] != "Once " {}
        return;
    }
    let waiting = call.begin().await;
    provider.asked(&question, earlier).await;
    drop(waiting);
}

/// Has so many calls begun and left, an equal part of them in each phase, and waits until all is over.
async fn abandon(gateway: &Gateway, provider: &FakeProvider, calls: usize) {
    let token = gateway.token("alice");
    for phase in Phase::ALL {
        provider.always(phase.script());
        let begin = |_| leave(gateway, provider, phase, &token);
        stream::iter(0..calls / 4).for_each_concurrent(AT_ONCE, begin).await;
    }
    provider.left_alone().await;
    patiently("the calls to end", async { while level(gateway, "sluice_tasks").await != 0 {} })
        .await;
}

/// What a gauge shows.
async fn level(gateway: &Gateway, gauge: &str) -> u64 {
    let reply = gateway.call("GET", "/metrics").send().await;
    let line = reply.body.lines().find_map(|line| line.strip_prefix(&format!("{gauge} ")));
    line.and_then(|value| value.parse().ok()).expect("a gauge")
}

#[tokio::test]
async fn thousands_of_abandoned_streams_leave_no_socket_task_or_instance() {
    let provider = FakeProvider::start().await;
    let setup = Setup::with(&provider)
        .set("SLUICE_LIMITS__MESSAGES", "100000/1m")
        .set("SLUICE_LIMITS__PUBLIC", "100000/1m")
        .set("SLUICE_TELEMETRY__LEVEL", "warn");
    let gateway = setup.start().await;
    let files = gateway.open_files();
    let calls = calls();
    let first = calls / 4;
    abandon(&gateway, &provider, first).await;
    let warm = gateway.resident_bytes();

    abandon(&gateway, &provider, calls - first).await;

    for gauge in [
        "sluice_tasks",
        "sluice_running_answers",
        "sluice_plugin_instances",
        "sluice_upstream_exchanges",
    ] {
        assert_eq!(level(&gateway, gauge).await, 0, "{gauge}");
    }
    patiently("the sockets to be closed", async {
        // The one that asks may not be gone yet.
        while gateway.open_files() > files + 1 + to_the_database() {
            level(&gateway, "sluice_plain_sockets").await;
        }
    })
    .await;
    let grown = gateway.resident_bytes().saturating_sub(warm);
    assert!(grown <= KEPT, "{grown} bytes more after {calls} calls than after {first}");
    let lines = gateway.usage_of(calls).await;
    assert!(lines.iter().all(|line| line["ending"] == "cancelled"), "nobody waited for an end");
    assert_eq!(lines.len(), calls, "each is on record");
}

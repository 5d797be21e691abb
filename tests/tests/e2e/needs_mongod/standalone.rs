//! A server that is in no replica set: it works, and everybody who looks is told what it does not promise.

use serde_json::Value;
use sluice_tests::{FakeProvider, Gateway, Mongod};

use super::{server, setup};

async fn durability(gateway: &Gateway) -> Value {
    let reply = gateway.call("GET", "/chatbox/readyz").send().await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let said: Value = serde_json::from_str(&reply.body).expect("JSON");
    said["checks"]["archive"]["durability"].clone()
}

#[tokio::test]
async fn a_standalone_server_works_and_is_called_degraded_in_readiness_log_and_metric() {
    // One that is a replica set too, to see that it is not called so.
    let Some(whole) = server().await else { return };
    let alone = Mongod::standalone().await;
    let provider = FakeProvider::start().await;
    let words = "the database is a standalone server";

    let mut gateway = setup(&provider, &alone).watched().start().await;
    assert_eq!(durability(&gateway).await, "degraded");
    assert_eq!(gateway.metric("sluice_archive_degraded").await, Some(1.0));
    gateway.logged(words).await;
    let mut client = gateway.connect("alice").await;
    client.ask("Do zebras sleep?").await;
    let stored = gateway.messages("alice", client.session()).await;
    assert_eq!(stored[1]["content"], "Hello there.");
    gateway.stop().await;
    gateway.start_again().await;
    assert_eq!(gateway.messages("alice", client.session()).await, stored);

    let gateway = setup(&provider, &whole).watched().start().await;
    assert_eq!(durability(&gateway).await, "full");
    assert_eq!(gateway.metric("sluice_archive_degraded").await, Some(0.0));
    assert!(!gateway.log().contains(words), "{}", gateway.log());
}

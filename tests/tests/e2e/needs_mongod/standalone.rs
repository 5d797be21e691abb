//! A server that is in no replica set: it works, and everybody who looks is told what it does not promise.

use mongodb::{
    Client,
    bson::{Document, doc},
};
use serde_json::{Value, json};
use sluice_tests::{FakeProvider, Gateway, Mongod, kind, not_run};

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

#[tokio::test]
async fn a_message_that_broke_off_half_way_is_stored_once_when_it_comes_again() {
    if let Err(why) = Mongod::is_fetched() {
        return not_run("a MongoDB that breaks off half way", &why);
    }
    let server = Mongod::standalone().await;
    let provider = FakeProvider::start().await;
    let gateway = setup(&provider, &server).start().await;
    let mut client = gateway.connect("alice").await;
    client.ask("Do zebras sleep?").await;
    let session = client.session().to_owned();
    let database =
        Client::with_uri_str(server.address()).await.expect("an address").database("talks");
    let takes = async |collection: &str, what: Document| {
        let change = doc! { "collMod": collection, "validator": what };
        database.run_command(change).await.expect("changed");
    };

    // Whichever statement of the two it is that fails.
    for collection in ["sluice_client_messages", "sluice_messages"] {
        let mut say = async || {
            let said = json!({
                "type": "user_message",
                "content": "And okapis?",
                "client_message_id": collection,
                "session_id": session,
            });
            client.send(&said).await;
            let told = |frame: &Value| {
                frame["client_message_id"] == collection && ["ack", "error"].contains(&kind(frame))
            };
            let mut frames = client.frames_until("an ack or an error", told).await;
            frames.pop().expect("the one that was waited for")
        };
        takes(collection, doc! { "nothing": "has this" }).await;
        let told = say().await;
        assert_eq!(told["error"]["code"], "DATABASE_ERROR", "{told}");
        takes(collection, doc! {}).await;
        let told = say().await;
        assert_eq!(kind(&told), "ack", "{told}");
        client.answer_end().await;

        let stored = gateway.messages("alice", &session).await;
        let said = stored.iter().filter(|message| message["client_message_id"] == collection);
        assert_eq!(said.count(), 1, "{stored:#?}");
    }
}

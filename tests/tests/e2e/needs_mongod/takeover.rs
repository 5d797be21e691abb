//! What a gateway that died left open at the server does not hold up the one that comes after it.

use mongodb::{
    Client, ClientSession,
    bson::{Document, doc},
    options::ClientOptions,
};
use sluice_tests::{FakeProvider, Mongod, Script};

use super::{server, setup};

/// A transaction of a client that calls itself so, which wrote to one document of a collection and stays open.
async fn open_transaction(
    server: &Mongod,
    name: &str,
    of: &str,
    filter: Document,
) -> ClientSession {
    let mut options = ClientOptions::parse(server.address()).await.expect("an address");
    options.app_name = Some(name.to_owned());
    let client = Client::with_options(options).expect("options");
    let mut session = client.start_session().await.expect("a session");
    session.start_transaction().await.expect("begun");
    let documents = client.database("talks").collection::<Document>(of);
    let change = doc! { "$set": { "touched": true } };
    documents.update_one(filter, change).upsert(true).session(&mut session).await.expect("written");
    session
}

#[tokio::test]
async fn transactions_that_a_dead_gateway_left_open_do_not_hold_up_the_next() {
    let Some(server) = server().await else { return };
    let provider = FakeProvider::playing(Script::stalling(&["Once "])).await;
    let mut gateway = setup(&provider, &server).start().await;
    let mut client = gateway.connect("alice").await;
    client.say("Tell me a story").await;
    client.next_of("ai_response").await;
    gateway.kill().await;

    // As the dead one would have it open, had it died in between; and somebody else's, at a place that nobody needs.
    let running = doc! { "running": true };
    let mut left = open_transaction(&server, "sluice talks", "sluice_messages", running).await;
    let note = doc! { "_id": "note" };
    let mut other = open_transaction(&server, "sluice other", "notes", note).await;
    gateway.start_again().await;

    gateway.logged("ended transactions of a gateway that died").await;
    let messages = gateway.messages("alice", client.session()).await;
    assert_eq!(messages[1]["finish_reason"], "interrupted", "{messages:#?}");
    left.commit_transaction().await.expect_err("it was ended");
    other.commit_transaction().await.expect("it was left alone");
}

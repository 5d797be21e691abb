//! Old conversations are deleted, also where one of them cannot be.

use mongodb::{
    Client,
    bson::{Document, doc},
};
use sluice_tests::{FakeProvider, patiently};

use super::{server, setup};

#[tokio::test]
async fn a_session_that_cannot_be_read_does_not_keep_those_behind_it() {
    let Some(server) = server().await else { return };
    let provider = FakeProvider::start().await;
    let setup = setup(&provider, &server).set("SLUICE_STORAGE__RETENTION", "1h").watched();
    let mut gateway = setup.start().await;
    let mut client = gateway.connect("alice").await;
    client.ask("Do zebras sleep?").await;
    client.leave().await;
    gateway.stop().await;

    let database =
        Client::with_uri_str(server.address()).await.expect("an address").database("talks");
    let sessions = database.collection::<Document>("sluice_sessions");
    let old = doc! { "$set": { "last_activity": 1_i64 } };
    sessions.update_many(doc! {}, old).await.expect("aged");
    // The first one that a sweep comes to.
    let broken = doc! { "_id": "0", "live": true, "owner": 5 };
    sessions.insert_one(broken).await.expect("inserted");
    gateway.start_again().await;

    gateway.logged("could not delete an old session").await;
    patiently("the old conversation to be deleted", async {
        while gateway.get("alice", "/sessions").await["count"] != 0 {}
    })
    .await;
}

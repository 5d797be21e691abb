//! One gateway a database: a second one is refused, and one that lost the lease writes nothing more.

use mongodb::{
    Client,
    bson::{DateTime, Document, doc},
};
use serde_json::json;
use sluice_tests::{FakeProvider, Mongod, kind, patiently};

use super::{server, setup};

#[tokio::test]
async fn a_second_gateway_on_the_same_database_is_refused_and_says_why() {
    let Some(server) = server().await else { return };
    let provider = FakeProvider::start().await;
    let mut first = setup(&provider, &server).start().await;

    let second = setup(&provider, &server).set("SLUICE_STORAGE__MONGODB__INSTANCE", "another");
    let refused = second.clone().ended().await;
    assert_eq!(refused.code, Some(69), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("the database talks is in use by another gateway"),
        "{}",
        refused.stderr
    );
    let mut client = first.connect("alice").await;
    client.ask("Do zebras sleep?").await;

    // It gives the lease back when it goes, so the other one has not to wait for its end.
    first.stop().await;
    let second = second.start().await;
    assert!(!second.log().contains("waiting for a sign of life"), "{}", second.log());
    assert_eq!(second.messages("alice", client.session()).await.len(), 2);
}

#[tokio::test]
async fn a_gateway_whose_lease_was_taken_acknowledges_nothing_and_is_not_ready() {
    let Some(server) = server().await else { return };
    let provider = FakeProvider::start().await;
    let mut gateway = setup(&provider, &server).watched().start().await;
    let mut client = gateway.connect("alice").await;
    client.ask("Do zebras sleep?").await;

    // As another gateway does whose clock says that the term is over.
    let database =
        Client::with_uri_str(server.address()).await.expect("an address").database("talks");
    let until = DateTime::from_millis(DateTime::now().timestamp_millis() + 3_600_000);
    let theirs = doc! { "$set": { "holder": "another", "run": "another run", "until": until } };
    let lease = database.collection::<Document>("sluice_lease");
    lease.update_one(doc! { "_id": "gateway" }, theirs).await.expect("taken");
    gateway.logged("another gateway took the database over").await;
    // What it held is valid until its term is over by its own clock, which the other gateway waits for.
    patiently("readiness to fail", async {
        while gateway.call("GET", "/chatbox/readyz").send().await.status != 503 {}
    })
    .await;
    let messages = database.collection::<Document>("sluice_messages");
    let before = messages.count_documents(doc! {}).await.expect("counted");

    client.say("And okapis?").await;
    let told = client
        .frames_until("an ack or an error", |frame| ["ack", "error"].contains(&kind(frame)))
        .await;

    let told = told.last().expect("the one that was waited for");
    assert_eq!(told["error"]["code"], "DATABASE_ERROR", "{told}");
    assert_eq!(messages.count_documents(doc! {}).await.expect("counted"), before);
    assert!(gateway.is_running());
    assert_eq!(gateway.messages("alice", client.session()).await.len(), 2, "reading goes on");
}

#[tokio::test]
async fn what_was_on_its_way_when_the_lease_was_taken_is_not_stored_by_a_later_try() {
    let Some(server) = server().await else { return };
    let provider = FakeProvider::start().await;
    let database =
        Client::with_uri_str(server.address()).await.expect("an address").database("talks");
    // Waits until it takes writes, which whoever goes through the proxy does not.
    database.run_command(doc! { "ping": 1 }).await.expect("a primary");
    let proxy = server.proxy().await;
    let gateway = setup(&provider, &server)
        .set("SLUICE_STORAGE__MONGODB__URI", &Mongod::address_behind(&proxy))
        .set("SLUICE_STORAGE__MONGODB__RETRY_ATTEMPTS", "100")
        .set("SLUICE_STORAGE__MONGODB__RETRY_MAX_DELAY", "200ms")
        .watched()
        .start()
        .await;
    let mut client = gateway.connect("alice").await;
    client.ask("Do zebras sleep?").await;
    let messages = database.collection::<Document>("sluice_messages");
    let before = messages.count_documents(doc! {}).await.expect("counted");

    proxy.shut();
    // Without a name of its own, so that nothing is looked up before it is to be stored.
    let session = client.session().to_owned();
    let said = json!({ "type": "user_message", "content": "And okapis?", "session_id": session });
    client.send(&said).await;
    // One every three seconds, so after four of them a term of ten is over.
    gateway.logged_often("could not renew the lease", 4).await;
    let until = DateTime::from_millis(DateTime::now().timestamp_millis() + 3_600_000);
    let theirs = doc! { "$set": { "holder": "another", "run": "another run", "until": until } };
    let lease = database.collection::<Document>("sluice_lease");
    lease.update_one(doc! { "_id": "gateway" }, theirs).await.expect("taken");
    proxy.open();

    let told = client
        .frames_until("an ack or an error", |frame| ["ack", "error"].contains(&kind(frame)))
        .await;
    let told = told.last().expect("the one that was waited for");
    assert_eq!(told["error"]["code"], "DATABASE_ERROR", "{told}");
    assert_eq!(messages.count_documents(doc! {}).await.expect("counted"), before);
}

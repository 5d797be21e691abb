//! Two servers, of which one is out of reach: what only the other has may be lost with it, so it is not acknowledged.

use mongodb::bson::{Document, doc};
use serde_json::{Value, json};
use sluice_tests::{Client, FakeProvider, Mongod, Signal, kind, not_run, patiently};

use super::setup;

/// Says the same under the same name and hears what became of it.
async fn say(client: &mut Client) -> Value {
    let session = client.session().to_owned();
    client
        .send(&json!({
            "type": "user_message",
            "content": "And okapis?",
            "client_message_id": "okapis",
            "session_id": session,
        }))
        .await;
    let told = |frame: &Value| {
        frame["client_message_id"] == "okapis" && ["ack", "error"].contains(&kind(frame))
    };
    client.frames_until("an ack or an error", told).await.pop().expect("the one waited for")
}

#[tokio::test]
async fn a_message_that_only_one_of_two_servers_has_is_not_acknowledged_when_it_comes_again() {
    if let Err(why) = Mongod::is_fetched() {
        return not_run("a MongoDB of two servers", &why);
    }
    let (first, second) = Mongod::pair().await;
    let provider = FakeProvider::start().await;
    let gateway = setup(&provider, &first).start().await;
    let mut client = gateway.connect("alice").await;
    client.ask("Do zebras sleep?").await;

    second.signal(Signal::SIGSTOP);
    let told = say(&mut client).await;
    assert_eq!(told["error"]["code"], "DATABASE_ERROR", "{told}");
    // The first server has it, and would show it to whoever is content with that.
    let database = mongodb::Client::with_uri_str(first.address()).await.expect("an address");
    let messages = database.database("talks").collection::<Document>("sluice_messages");
    let there = messages.count_documents(doc! { "client_message_id": "okapis" }).await;
    assert_eq!(there.expect("counted"), 1);
    let told = say(&mut client).await;
    assert_eq!(told["error"]["code"], "DATABASE_ERROR", "{told}");
    second.signal(Signal::SIGCONT);

    patiently("the message to be acknowledged", async {
        while kind(&say(&mut client).await) != "ack" {}
    })
    .await;
    let stored = gateway.messages("alice", client.session()).await;
    let said = stored.iter().filter(|message| message["client_message_id"] == "okapis");
    assert_eq!(said.count(), 1, "{stored:#?}");
}

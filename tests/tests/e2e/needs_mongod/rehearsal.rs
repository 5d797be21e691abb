//! The move as one rehearsal: pre-flight, import, start, a client of the earlier gateway, back, and forth again.
//!
//! The environment is that of the earlier gateway's operators, and so is the database.

use mongodb::{
    Client as Driver, Collection,
    bson::{Document, RawDocumentBuf, doc},
};
use serde_json::{Value, json};
use sluice_tests::{Client, FakeProvider, Gateway, Mongod, Script, Setup, kind};

use super::{
    import::{KEY, at, dump, encrypted},
    server,
};

const BEGAN: i64 = 1_700_000_000_000;

/// What operators had in their environment, what was of no effect included.
fn as_it_was(provider: &FakeProvider, server: &Mongod) -> Setup {
    let mut setup = Setup::with(provider);
    // Whatever engine is under test, the names from before decide.
    for ours in ["ENGINE", "MONGODB__URI", "MONGODB__DATABASE", "MONGODB__INSTANCE", "SQLITE__PATH"]
    {
        setup = setup.set(&format!("SLUICE_STORAGE__{ours}"), "");
    }
    for (name, value) in [
        ("MONGO_URI", &*server.address()),
        ("MONGO_DATABASE", "chat"),
        ("MONGO_COLLECTION", "sessions"),
        ("MONGO_CONNECT_TIMEOUT", "10s"),
        ("MONGO_RETRY_ATTEMPTS", "3"),
        ("ENCRYPTION_KEY", KEY),
        ("CHATBOX_PATH_PREFIX", "/chatbox"),
        ("RATE_LIMIT", "100"),
        ("ADMIN_RATE_LIMIT", "20"),
        ("RECONNECT_TIMEOUT", "15m"),
        ("LLM_STREAM_TIMEOUT", "120s"),
        ("MAX_CONNECTIONS", "10000"),
        ("S3_BUCKET", "chat-files"),
        ("K8S_NAMESPACE", "default"),
    ] {
        setup = setup.set(name, value);
    }
    setup
}

/// A conversation of `ada` as the earlier gateway kept it.
fn conversation(id: &str, said: &[(&str, &str)]) -> Document {
    let messages: Vec<_> = said.iter().zip(0..).map(|(said, n)| message(*said, n)).collect();
    doc! {
        "_id": id, "uid": "ada", "nm": format!("About {id}"), "modelId": "fake", "msgs": messages,
        "ts": at(BEGAN), "adminAssisted": false, "helpRequested": false, "totalTokens": 12_i32,
        "maxRespTime": 900_i64, "avgRespTime": 700_i64, "lastActivity": at(BEGAN + 60_000),
        "_ts": at(BEGAN), "_mt": at(BEGAN + 60_000),
    }
}

fn message((sender, text): (&str, &str), n: i64) -> Document {
    doc! { "content": encrypted(text, KEY), "ts": at(BEGAN + n * 1_000), "sender": sender }
}

/// Runs a command that has to come to a good end, and returns what it said.
async fn done(gateway: &Gateway, arguments: &[&str]) -> String {
    let ended = gateway.run(arguments).await;
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}{}", ended.stdout, ended.stderr);
    ended.stdout + &ended.stderr
}

/// Says something as the earlier gateway's page does, and hears what it can make sense of.
async fn says_as_before(page: &mut Client, session: &str, text: &str) -> String {
    let frame = json!({
        "type": "user_message", "session_id": session, "content": text, "sender": "user",
        "timestamp": "2024-01-01T00:00:00Z", "metadata": {},
    });
    page.send(&frame).await;
    let is_done = |frame: &Value| frame["metadata"]["done"] == "true";
    let frames = page.frames_until("the end of an answer", is_done).await;
    assert!(frames.iter().any(|frame| kind(frame) == "loading"), "{frames:#?}");
    let mut heard = String::new();
    for chunk in frames.iter().filter(|frame| kind(frame) == "ai_response") {
        assert_eq!(chunk["session_id"], session, "the session is the one that was named: {chunk}");
        assert_eq!((&chunk["sender"], &chunk["model_id"]), (&json!("ai"), &json!("fake")));
        assert_eq!(chunk["metadata"]["streaming"], "true");
        heard += chunk["content"].as_str().unwrap_or_default();
    }
    heard
}

/// Opens a socket as that page does: the token in the address, a page of the same host.
async fn page(gateway: &Gateway) -> Client {
    let origin = format!("http://{}", gateway.address());
    let dial = gateway.dial().query("token", &gateway.token("ada")).header("Origin", &origin);
    let page = dial.open().await.expect("the page gets in");
    assert_eq!(page.greeting["models"], json!([{ "id": "fake", "name": "fake" }]));
    page
}

/// What was said in a conversation, in order.
async fn said(gateway: &Gateway, session: &str) -> Vec<String> {
    let messages = gateway.messages("ada", session).await;
    let text = |message: &Value| message["content"].as_str().unwrap_or_default().to_owned();
    messages.iter().map(text).collect()
}

#[tokio::test]
async fn a_move_from_the_earlier_gateway_can_be_made_taken_back_and_made_again() {
    let Some(server) = server().await else { return };
    let provider = FakeProvider::start().await;
    provider.always(Script::saying(&["Zebras ", "sleep."]));
    let driver = Driver::with_uri_str(server.address()).await.expect("an address");
    let chat = driver.database("chat");
    let rows: Collection<Document> = chat.collection("sessions");
    let raw: Collection<RawDocumentBuf> = chat.collection("sessions");
    let talk = [("user", "Do zebras sleep?"), ("ai", "Standing.")];
    for id in ["one", "two", "three"] {
        rows.insert_one(conversation(id, &talk)).await.expect("stored");
    }
    let before = dump(&raw).await;

    // Pre-flight: beside the earlier gateway, which goes on.
    let setup = as_it_was(&provider, &server);
    let checked = setup.clone().run(&["check"]).await;
    let tried = setup.clone().run(&["import", "--from", "env:MONGO_URI", "--dry-run"]).await;
    assert_eq!(
        (checked.code, tried.code),
        (Some(0), Some(0)),
        "{}{}",
        checked.stderr,
        tried.stderr
    );
    for name in ["S3_BUCKET", "K8S_NAMESPACE", "MONGO_COLLECTION"] {
        assert!(checked.stderr.contains(name), "{name}: {}", checked.stderr);
    }
    assert!(tried.stdout.contains("3 would be taken over"), "{}", tried.stdout);
    let found = chat.list_collection_names().await.expect("listed");
    assert_eq!(found, ["sessions"], "pre-flight leaves nothing behind");

    // The earlier gateway is stopped. Import, start, look.
    let imported = setup.clone().run(&["import", "--from", "env:MONGO_URI"]).await;
    assert_eq!(imported.code, Some(0), "{}", imported.stderr);
    assert!(imported.stdout.contains("3 read: 3 taken over"), "{}", imported.stdout);
    let mut gateway = setup.start().await;
    let url = format!("http://{}/chatbox", gateway.address());
    gateway.set("SLUICE_TOKEN", &gateway.token("doctor"));
    done(&gateway, &["doctor", &url]).await;

    // The earlier client: it sees its conversations and goes on in one of them, with what was said before.
    let listed = gateway.get("ada", "/sessions").await;
    assert_eq!(listed["sessions"].as_array().map(Vec::len), Some(3), "{listed}");
    let earlier = provider.count();
    let mut old = page(&gateway).await;
    assert_eq!(says_as_before(&mut old, "one", "And elephants?").await, "Zebras sleep.");
    let prompt = provider.request(earlier + 1).await;
    let expected =
        [("user", "Do zebras sleep?"), ("assistant", "Standing."), ("user", "And elephants?")];
    assert_eq!(prompt.prompt(), expected);
    let here = ["Do zebras sleep?", "Standing.", "And elephants?", "Zebras sleep."];
    assert_eq!(said(&gateway, "one").await, here);

    // Back: the earlier gateway finds everything as it left it, and goes on with two conversations and a new one.
    assert_eq!(gateway.stop().await.code(), Some(0));
    assert_eq!(old.closed().await, Some(1001));
    assert!(dump(&raw).await == before, "nothing was written to what is not ours");
    for id in ["one", "two"] {
        let more = [message(("user", "There?"), 2), message(("ai", "There."), 3)];
        let push = doc! { "$push": { "msgs": { "$each": more.to_vec() } } };
        rows.update_one(doc! { "_id": id }, push).await.expect("stored");
    }
    rows.insert_one(conversation("four", &talk)).await.expect("stored");

    // And forth again: what is new comes, what was said here stays.
    let again = done(&gateway, &["import", "--from", "env:MONGO_URI"]).await;
    assert!(again.contains("4 read: 1 taken over, 3 there already"), "{again}");
    gateway.start_again().await;
    let url = format!("http://{}/chatbox", gateway.address());
    done(&gateway, &["doctor", &url]).await;
    assert_eq!(said(&gateway, "one").await, here);
    assert_eq!(said(&gateway, "two").await, ["Do zebras sleep?", "Standing.", "There?", "There."]);
    assert_eq!(said(&gateway, "four").await, ["Do zebras sleep?", "Standing."]);
    let mut old = page(&gateway).await;
    assert_eq!(says_as_before(&mut old, "two", "Still there?").await, "Zebras sleep.");
    assert_eq!(said(&gateway, "two").await.len(), 6);
}

//! `sluice import`: the predecessor's conversations, plain, encrypted and spoilt, taken over into either archive.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use futures_util::TryStreamExt as _;
use mongodb::{
    Client, Collection, Database,
    bson::{Bson, DateTime, Document, RawDocumentBuf, doc, oid::ObjectId},
};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde_json::Value;
use sluice_tests::{FakeProvider, Gateway, Mongod, Setup};

use super::server;

/// As the predecessor's operators wrote it.
pub(super) const KEY: &str = "0123456789abcdef0123456789ABCDEF";
const ANOTHER: &str = "another key of 32 characters ...";

/// Conversations that are well, their messages, and what is not.
const SOUND: u64 = 12;
const SOUND_MESSAGES: u64 = SOUND * 4;

/// As the predecessor did it: a nonce in front, base64, no associated data.
pub(super) fn encrypted(text: &str, key: &str) -> String {
    let key = UnboundKey::new(&AES_256_GCM, key.as_bytes()).expect("32 bytes");
    let nonce: [u8; NONCE_LEN] = rand::random();
    let mut sealed = text.as_bytes().to_vec();
    LessSafeKey::new(key)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)
        .expect("sealed");
    BASE64.encode([&nonce[..], &sealed].concat())
}

pub(super) fn at(ms: i64) -> Bson {
    Bson::DateTime(DateTime::from_millis(ms))
}

/// A conversation as the predecessor stored it, every other one encrypted. Some tell of an operator and of a file.
fn sound(number: i64) -> Document {
    let secret = |text: String| if number % 2 == 0 { encrypted(&text, KEY) } else { text };
    let began = 1_700_000_000_000 + number * 60_000;
    let mut conversation = doc! {
        "_id": format!("sound-{number}"), "uid": if number < 8 { "ada" } else { "grace" },
        "nm": format!("Zebras, part {number}"), "modelId": "fake",
        "msgs": [
            { "content": secret(format!("question {number}")), "ts": at(began), "sender": "user" },
            { "content": secret(format!("answer {number}")), "ts": at(began + 2_000), "sender": "ai" },
            { "content": secret(String::new()), "ts": at(began + 3_000), "sender": "user",
              "fileId": "f1", "fileUrl": "https://files.example.com/f1", "meta": { "kind": "image" } },
            { "content": secret("I am a person.".to_owned()), "ts": at(began + 4_000), "sender": "admin" },
        ],
        "ts": at(began), "adminAssisted": number % 3 == 0, "helpRequested": false,
        "totalTokens": 40_i32, "maxRespTime": 2_000_i64, "avgRespTime": 1_500_i64,
        "lastActivity": at(began + 4_000), "_ts": at(began), "_mt": at(began + 5_000),
    };
    if number % 4 == 1 {
        conversation.extend(doc! { "endTs": at(began + 5_000), "dur": 5_i64 });
    }
    if number == 3 {
        conversation.insert("shareToken", "t".repeat(32));
    }
    conversation
}

/// Conversations of `eve` that can be taken over although something is odd: 5 with 124 messages.
fn odd() -> Vec<Document> {
    let now = DateTime::now().timestamp_millis();
    let many: Vec<_> = (0..120_i64)
        .map(|n| doc! { "content": "x".repeat(100_000), "ts": at(1_000 + n), "sender": "user" })
        .collect();
    vec![
        doc! { "_id": "bare", "uid": "eve" },
        doc! {
            "_id": "types", "uid": "eve", "nm": 7, "modelId": { "a": 1 }, "ts": "yesterday", "endTs": 12.5,
            "totalTokens": "many", "adminAssisted": "yes", "lastActivity": [], "shareToken": 1,
            "msgs": [{ "content": "Do okapis sleep?", "ts": 12, "sender": "user", "meta": { "size": 7 } }],
        },
        doc! {
            "_id": "times", "uid": "eve", "nm": "\u{1}Bell\u{7} and\r\nnewline\u{0} ", "ts": at(0),
            "msgs": [
                { "_id": "same", "content": "first", "ts": at(0), "sender": "user" },
                { "_id": "same", "content": "second", "ts": at(now + 86_400_000_000), "sender": "user" },
            ],
        },
        doc! {
            "_id": "surplus", "uid": "eve", "ts": at(1_000), "colour": "magenta", "nested": { "a": [1, 2] },
            "msgs": [{ "content": "third", "ts": at(1_000), "sender": "user", "mood": "fine" }],
        },
        doc! { "_id": "huge", "uid": "eve", "ts": at(1_000), "msgs": many },
    ]
}

/// Rows that are no conversation: 5. Beside them one of `eve` of which one message of six can be read.
fn spoilt() -> Vec<Document> {
    let said = doc! { "content": "canary words", "ts": at(1_000), "sender": "user" };
    vec![
        doc! { "_id": ObjectId::from_bytes([7; 12]), "uid": "eve", "msgs": [&said] },
        doc! { "_id": "nobody", "msgs": [&said] },
        doc! { "_id": "wrong-owner", "uid": 7, "msgs": [&said] },
        doc! { "_id": "no-list", "uid": "eve", "msgs": "canary words" },
        doc! { "_id": "control\u{7}", "uid": "eve", "msgs": [&said] },
        doc! {
            "_id": "holes", "uid": "eve", "ts": at(1_000),
            "msgs": [
                { "content": encrypted("canary words", ANOTHER), "ts": at(1_000), "sender": "user" },
                { "content": encrypted("canary words", KEY).replacen(char::is_alphabetic, "0", 3), "ts": at(1_000), "sender": "user" },
                "canary words",
                { "content": ["canary words"], "ts": at(1_000), "sender": "user" },
                { "content": "canary words", "ts": at(1_000), "sender": "canary" },
                { "content": "This one is well.", "ts": at(1_000), "sender": "user" },
            ],
        },
    ]
}

async fn fill(source: &Database) {
    let rows: Vec<_> = (0..SOUND.cast_signed()).map(sound).chain(odd()).chain(spoilt()).collect();
    let sessions = source.collection::<Document>("sessions");
    for row in rows {
        sessions.insert_one(row).await.expect("stored");
    }
    let index = |keys| mongodb::IndexModel::builder().keys(keys).build();
    for keys in [doc! { "uid": 1 }, doc! { "uid": 1, "ts": -1 }] {
        sessions.create_index(index(keys)).await.expect("an index");
    }
}

/// All of a collection, byte for byte, and its indexes.
pub(super) async fn dump(of: &Collection<RawDocumentBuf>) -> (Vec<Vec<u8>>, Vec<String>) {
    let rows: Vec<RawDocumentBuf> = of
        .find(doc! {})
        .sort(doc! { "_id": 1 })
        .await
        .expect("found")
        .try_collect()
        .await
        .expect("read");
    let indexes = of.list_index_names().await.expect("listed");
    (rows.into_iter().map(RawDocumentBuf::into_bytes).collect(), indexes)
}

/// Sessions of a user, with how many messages each has.
async fn counts(gateway: &Gateway, user: &str) -> BTreeMap<String, u64> {
    let list = gateway.get(user, "/sessions").await;
    let session = |row: &Value| {
        let id = row["id"].as_str().expect("an id").to_owned();
        (id, row["message_count"].as_u64().expect("a count"))
    };
    list["sessions"].as_array().expect("a list").iter().map(session).collect()
}

/// Imports into the archive that `setup` names from a server with such a database, and looks at what became of it.
async fn takes_all_over_once(setup: Setup, server: &Mongod) {
    let client = Client::with_uri_str(server.address()).await.expect("an address");
    let source = client.database("chat");
    fill(&source).await;
    let rows = source.collection::<RawDocumentBuf>("sessions");
    let before = dump(&rows).await;
    let from = server.address();
    let mut gateway = setup.set("ENCRYPTION_KEY", KEY).start().await;

    let beside = gateway.run(&["import", "--from", &from]).await;
    assert_eq!(beside.code, Some(69), "not beside a running gateway: {}", beside.stderr);
    assert!(beside.stderr.contains("in use by another"), "{}", beside.stderr);
    gateway.stop().await;

    let looked = gateway.run(&["import", "--from", &from, "--dry-run"]).await;
    assert_eq!(looked.code, Some(0), "{}", looked.stderr);
    assert!(looked.stdout.contains("18 would be taken over"), "{}", looked.stdout);

    let first = gateway.run(&["import", "--from", &from]).await;
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let messages = SOUND_MESSAGES + 124 + 1;
    for line in [
        "conversations  23 read: 18 taken over, 0 there already, 0 deleted here, 5 not taken over"
            .to_owned(),
        format!(
            "messages       {} read: {messages} taken over, 0 there already, 0 deleted here, 5 not taken over",
            messages + 5
        ),
    ] {
        assert!(first.stdout.contains(&line), "{line} expected in {}", first.stdout);
    }
    for line in [
        "conversation nobody: its uid is not the id of a user",
        "conversation wrong-owner: its uid is not the id of a user",
        "conversation no-list: its msgs is not a list",
        r"conversation control\u{7}: its _id is not the id of a session",
        "its _id is not the id of a session",
        "conversation holes, message 1: its content is encrypted under a key that is not configured",
        "conversation holes, message 2: its content is encrypted under a key that is not configured",
        "conversation holes, message 3: it is not a document",
        "conversation holes, message 4: its content is not text",
        "conversation holes, message 5: its sender is none",
    ] {
        assert!(first.stderr.contains(line), "{line} expected in {}", first.stderr);
    }
    assert!(
        !first.stderr.contains("canary words") && !first.stdout.contains("canary"),
        "{}",
        first.stderr
    );
    assert!(!first.stderr.contains('\r'), "no bar where nobody looks");

    let second = gateway.run(&["import", "--from", &from]).await;
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    for line in [
        "23 read: 0 taken over, 18 there already".to_owned(),
        format!("{} read: 0 taken over, {messages} there already", messages + 5),
    ] {
        assert!(second.stdout.contains(&line), "{line} expected in {}", second.stdout);
    }
    assert!(dump(&rows).await == before, "the source is as it was");

    gateway.start_again().await;
    look(&gateway).await;
    // A conversation goes on here, and the next import leaves it as it is.
    let mut ada = gateway.follow("ada", "sound-0").await;
    ada.enter("sound-0");
    ada.ask("And at night?").await;
    let stored = gateway.messages("ada", "sound-0").await;
    gateway.stop().await;
    let third = gateway.run(&["import", "--from", &from]).await;
    assert!(third.stdout.contains("0 taken over, 18 there already"), "{}", third.stdout);
    gateway.start_again().await;
    assert_eq!(gateway.messages("ada", "sound-0").await, stored);
    assert!(dump(&rows).await == before, "the source is as it was");
}

/// Everything is where its owner looks for it.
async fn look(gateway: &Gateway) {
    let of_ada = counts(gateway, "ada").await;
    assert_eq!(of_ada, (0..8).map(|n| (format!("sound-{n}"), 4)).collect());
    let of_eve =
        [("bare", 0), ("types", 1), ("times", 2), ("surplus", 1), ("huge", 120), ("holes", 1)];
    let of_eve = of_eve.map(|(id, messages)| (id.to_owned(), messages));
    assert_eq!(counts(gateway, "eve").await, of_eve.into());

    for number in 0..8 {
        let said = gateway.messages("ada", &format!("sound-{number}")).await;
        let said: Vec<_> =
            said.iter().map(|m| (m["sender"].as_str(), m["content"].as_str())).collect();
        let (question, answer) = (format!("question {number}"), format!("answer {number}"));
        let expected = [
            ("user", question.as_str()),
            ("ai", &answer),
            ("user", ""),
            ("admin", "I am a person."),
        ];
        assert_eq!(said, expected.map(|(who, what)| (Some(who), Some(what))));
    }
    let list = gateway.get("eve", "/sessions").await;
    let times =
        list["sessions"].as_array().expect("a list").iter().find(|row| row["id"] == "times");
    assert_eq!(times.expect("there")["name"], "Bell  and  newline", "{list}");
    let holes = gateway.messages("eve", "holes").await;
    assert_eq!(holes[0]["content"], "This one is well.");
}

#[tokio::test]
async fn an_import_into_sqlite_takes_all_over_once_and_leaves_the_source_as_it_was() {
    let Some(server) = server().await else { return };
    let provider = FakeProvider::start().await;
    let setup = Setup::with(&provider).set("SLUICE_STORAGE__ENGINE", "sqlite");

    takes_all_over_once(setup, &server).await;
}

#[tokio::test]
async fn an_import_within_one_database_takes_all_over_once_and_leaves_the_source_as_it_was() {
    let Some(server) = server().await else { return };
    let provider = FakeProvider::start().await;
    let setup = super::setup(&provider, &server).set("SLUICE_STORAGE__MONGODB__DATABASE", "chat");

    takes_all_over_once(setup, &server).await;
}

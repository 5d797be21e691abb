use mongodb::bson::{Bson, DateTime, Document, doc};
use proptest::prelude::*;

use super::*;

const NOW: Instant = Instant(1_800_000_000_000);

fn row(document: &Document) -> Row {
    Row(RawDocumentBuf::try_from(document).expect("a document"))
}

fn at(ms: i64) -> Bson {
    Bson::DateTime(DateTime::from_millis(ms))
}

fn read(document: &Document) -> Past {
    row(document).read(&Cipher::of(&crate::seal::Keys::default()), NOW).expect("readable")
}

fn whole() -> Document {
    doc! {
        "_id": "s1", "uid": "ada", "nm": "Zebras", "modelId": "gpt-4",
        "msgs": [
            { "content": "Do zebras sleep?", "ts": at(1_000_000), "sender": "user" },
            { "content": "They do.", "ts": at(1_002_000), "sender": "ai" },
            { "content": "", "ts": at(1_003_000), "sender": "user", "fileId": "f", "fileUrl": "https://files/f",
              "meta": { "size": "7", "kind": "image" } },
            { "content": "I am here.", "ts": at(1_004_000), "sender": "admin" },
        ],
        "ts": at(1_000_000), "endTs": at(1_009_000), "dur": 9_i64,
        "adminAssisted": true, "assistingAdminId": "op", "helpRequested": true,
        "totalTokens": 40_i32, "maxRespTime": 2_000_i64, "avgRespTime": 1_500.0,
        "lastActivity": at(1_004_500), "shareToken": "x".repeat(32), "_ts": at(999_999), "_mt": at(1_009_000),
    }
}

#[test]
fn a_conversation_is_read_whole() {
    let Past { conversation: read, left_out, mended, surplus } = read(&whole());

    assert_eq!((left_out.len(), mended, surplus), (0, false, false));
    assert_eq!((read.id.as_str(), read.owner.as_str()), ("s1", "ada"));
    assert_eq!(read.name.as_deref(), Some("Zebras"));
    assert_eq!((read.created, read.ended), (Instant(1_000_000), Some(Instant(1_009_000))));
    assert_eq!(read.last_activity, Instant(1_004_500));
    assert_eq!((read.assisted, read.mode), (true, Mode::Bot), "it has ended");
    assert_eq!((read.tokens, read.average_ms, read.slowest_ms), (40, 1_500, 2_000));
    assert!(read.share.is_some());
    let said: Vec<_> = read.messages.iter().map(|m| (m.seq.0, m.sender, m.text.as_str())).collect();
    let expected = [
        (1, Sender::User, "Do zebras sleep?"),
        (2, Sender::Ai, "They do."),
        (3, Sender::User, ""),
        (4, Sender::Admin, "I am here."),
    ];
    assert_eq!(said, expected);
    assert_eq!(read.messages[1].in_reply_to, Some(read.messages[0].id.clone()));
    let metadata: Vec<_> = read.messages[2].metadata.iter().collect();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = [
        pair("file_id", "f"),
        pair("file_url", "https://files/f"),
        pair("kind", "image"),
        pair("size", "7"),
    ];
    assert_eq!(metadata, expected.iter().map(|(name, value)| (name, value)).collect::<Vec<_>>());
}

#[test]
fn times_that_cannot_be_are_put_right() {
    let mut document = whole();
    document.insert("ts", at(-62_135_596_800_000));
    document.remove("_ts");
    document.insert("lastActivity", "yesterday");
    document.insert("endTs", at(10));
    document.insert(
        "msgs",
        vec![
            doc! { "content": "a", "ts": at(0) },
            doc! { "content": "b", "ts": at(5_000) },
            doc! { "content": "c" },
            doc! { "content": "d", "ts": at(i64::MAX) },
        ],
    );

    let Past { conversation: read, mended, left_out, .. } = read(&document);

    assert!(mended && left_out.is_empty());
    assert_eq!(read.created, Instant(5_000));
    let times: Vec<_> = read.messages.iter().map(|message| message.at.0).collect();
    assert_eq!(times, [5_000, 5_000, 5_000, NOW.0]);
    assert_eq!((read.last_activity, read.ended), (NOW, Some(Instant(5_000))));
}

#[test]
fn what_is_no_conversation_is_refused_with_a_reason() {
    let without = |field: &str| {
        let mut document = whole();
        document.remove(field);
        document
    };
    let with = |field: &str, value: Bson| {
        let mut document = whole();
        document.insert(field, value);
        document
    };
    for (document, reason) in [
        (without("_id"), Reason::NoId),
        (with("_id", Bson::Int32(7)), Reason::NoId),
        (with("_id", "x".repeat(129).into()), Reason::NoId),
        (without("uid"), Reason::NoOwner),
        (with("uid", "a\u{7}b".into()), Reason::NoOwner),
        (with("uid", Bson::Null), Reason::NoOwner),
        (with("msgs", "none".into()), Reason::NoList),
    ] {
        let refused = row(&document).read(&Cipher::none(), NOW).expect_err("refused");
        assert_eq!(refused, reason, "{document}");
    }
}

#[test]
fn a_message_that_is_none_is_left_out_and_its_place_with_it() {
    let mut document = whole();
    document.insert(
        "msgs",
        vec![
            Bson::from(doc! { "content": 7, "sender": "user" }),
            "text".into(),
            doc! { "content": "x", "sender": "robot" }.into(),
            doc! { "content": "kept", "sender": "user" }.into(),
        ],
    );

    let Past { conversation: read, left_out, .. } = read(&document);

    assert_eq!(left_out, [(1, Reason::NoText), (2, Reason::NoDocument), (3, Reason::NoSender)]);
    assert_eq!(read.messages.len(), 1);
    assert_eq!(read.messages[0].seq, Seq(4));
}

#[test]
fn a_name_is_made_one() {
    let named = |name: &str| {
        let mut document = whole();
        document.insert("nm", name);
        let Past { conversation, mended, .. } = read(&document);
        (conversation.name, mended)
    };
    assert_eq!(named("a\tb\u{0}c "), (Some("a b c".to_owned()), true));
    assert_eq!(named(&"ä".repeat(300)), (Some("ä".repeat(200)), true));
    assert_eq!(named(" \n"), (None, true));

    let mut bytes = RawDocumentBuf::try_from(&whole()).expect("a document").into_bytes();
    let name = bytes.windows(6).position(|part| part == b"Zebras").expect("there");
    // Cut in the middle of a character, as the predecessor did.
    bytes[name + 5] = 0xd0;
    let split = Row(RawDocumentBuf::from_bytes(bytes).expect("sound"));
    let Past { conversation, mended, .. } = split.read(&Cipher::none(), NOW).expect("readable");
    assert_eq!((conversation.name.as_deref(), mended), (Some("Zebra"), true));
}

#[test]
fn ids_of_messages_follow_from_their_places() {
    let (once, again) = (read(&whole()), read(&whole()));
    assert_eq!(once.conversation, again.conversation);

    let mut other = whole();
    other.insert("_id", "s2");
    let ids = |past: Past| past.conversation.messages.into_iter().map(|message| message.id);
    let all: std::collections::HashSet<_> = ids(once).chain(ids(read(&other))).collect();
    assert_eq!(all.len(), 8);
}

#[test]
fn an_id_is_shown_without_what_it_may_not_hold() {
    assert_eq!(row(&doc! { "_id": "a\u{1b}[31mb" }).label(), "a\\u{1b}[31mb");
    assert_eq!(row(&doc! { "_id": 7 }).label(), "7");
    assert_eq!(row(&doc! { "uid": "ada" }).label(), "without an _id");
    assert_eq!(row(&doc! { "_id": "x".repeat(500) }).label().len(), SHOWN_CHARS);
}

/// Any value that a document may hold.
fn value() -> impl Strategy<Value = Bson> {
    let leaf = prop_oneof![
        Just(Bson::Null),
        any::<bool>().prop_map(Bson::Boolean),
        any::<i32>().prop_map(Bson::Int32),
        any::<i64>().prop_map(Bson::Int64),
        any::<f64>().prop_map(Bson::Double),
        any::<i64>().prop_map(|ms| Bson::DateTime(DateTime::from_millis(ms))),
        ".{0,60}".prop_map(Bson::String),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let name = prop::sample::select(vec![
            "content", "ts", "sender", "fileId", "fileUrl", "meta", "odd",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Bson::Array),
            prop::collection::vec((name, inner), 0..6).prop_map(|pairs| Bson::Document(
                pairs.into_iter().map(|(n, v)| (n.to_owned(), v)).collect()
            )),
        ]
    })
}

proptest! {
    /// Whatever stands in whichever field, reading ends with a conversation in which nothing is later
    /// than now, places rise, and every message is there or left out; or with a reason.
    #[test]
    fn whatever_a_document_holds_it_is_read_or_refused(
        changes in prop::collection::vec((prop::sample::select(vec![
            "_id", "uid", "nm", "modelId", "msgs", "ts", "endTs", "adminAssisted", "helpRequested",
            "totalTokens", "maxRespTime", "avgRespTime", "lastActivity", "shareToken", "_ts", "odd",
        ]), value()), 0..6)
    ) {
        let mut document = whole();
        for (name, value) in changes {
            document.insert(name, value);
        }
        let Ok(Past { conversation: read, left_out, .. }) = row(&document).read(&Cipher::none(), NOW) else {
            return Ok(());
        };
        let messages = document.get_array("msgs").map_or(0, Vec::len);
        prop_assert_eq!(read.messages.len() + left_out.len(), messages);
        prop_assert!(read.messages.is_sorted_by(|one, next| one.seq < next.seq));
        prop_assert!(read.created <= NOW && read.last_activity <= NOW);
        prop_assert!(read.ended.is_none_or(|ended| read.created <= ended && ended <= NOW));
        prop_assert!(read.messages.iter().all(|message| message.at <= read.last_activity));
    }
}

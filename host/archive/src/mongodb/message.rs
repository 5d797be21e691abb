//! The collections of messages and of client message ids. What writes runs inside a unit of work.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use mongodb::Database;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, Document, doc};
use mongodb::error::Error;
use mongodb::options::{CollectionOptions, ReadConcern};
use sluice_chat::answer::Tokens;
use sluice_chat::id::{ClientMessageId, Epoch, Fence, Instant, Seq, SessionId, UserId};
use sluice_chat::turn::Sender;

use super::collection::{CLIENT_MESSAGES, MESSAGES, SESSIONS};
use super::field::{Fields, change, number};
use super::sealing::metadata;
use super::session::{self as sessions, Advance, Beginning, Finished};
use super::shared::Shared;
use super::unit::{Stop, Unit};
use crate::error::{AppendError, ChangeError, StoreError};
use crate::message::{
    Answer, Appended, ClientKey, Digest, IDEMPOTENCY_WINDOW_MS, Known, MAX_PAGE, NewMessage,
    Outcome, StoredMessage, metadata_text,
};
use crate::search::Search;
use crate::word::Worded as _;

/// A row that was to be made where another one is.
#[derive(Debug, thiserror::Error)]
#[error("the id stands for another message")]
pub(crate) struct Taken;

impl Taken {
    pub(crate) fn rejected() -> StoreError {
        StoreError::Rejected { source: Arc::new(Self) }
    }
}

/// Stores a message and whatever its session needs for it.
pub(crate) async fn append(
    unit: &mut Unit,
    message: &NewMessage,
) -> Result<Appended, Stop<AppendError>> {
    if let Some(client) = &message.client
        && let Some(found) = unit.find(CLIENT_MESSAGES, key(&client.user, &client.id)).await?
        && let Some(known) = known(&found, message.at)?
        && stands(unit, &known).await?
    {
        if known.message_id == message.id {
            // By an earlier try, whose reply was lost.
            return Ok(Appended::Stored);
        }
        // Before the fence and all else: a retry gets the ack that was lost, whatever came since.
        return Ok(Appended::Already(known));
    }
    let epoch = match sessions::claim(unit, &message.session).await? {
        None if message.fence != Fence::default() => {
            return Err(Stop::Told(AppendError::Fenced));
        }
        None => {
            begin_session(unit, message).await?;
            message.epoch
        }
        Some(found) if found.owner != message.owner => {
            return Err(Stop::Told(AppendError::NotOwner));
        }
        Some(found) if found.deleted => return Err(Stop::Told(AppendError::Gone)),
        Some(found) if found.fence != message.fence => {
            return Err(Stop::Told(AppendError::Fenced));
        }
        Some(found) => found.epoch,
    };
    if let Some(client) = &message.client {
        remember_client(unit, client, message, epoch).await?;
    }
    let by = Advance {
        name: message.name.as_deref(),
        model: message.model.as_ref(),
        reserve_to: message.reserve_to,
        seq: message.seq,
        at: message.at,
    };
    if !sessions::advance(unit, &message.session, message.fence, by).await? {
        return Err(Stop::Told(AppendError::Fenced));
    }
    // Last: without transactions, what breaks off before it is as good as nothing.
    insert(unit, message).await?;
    Ok(Appended::Stored)
}

/// Makes the document of a session whose first message this is.
async fn begin_session(unit: &mut Unit, message: &NewMessage) -> Result<(), Stop<AppendError>> {
    let beginning = Beginning {
        id: &message.session,
        owner: &message.owner,
        fence: message.fence,
        epoch: message.epoch,
        created: message.at,
    };
    sessions::begin(unit, beginning).await
}

/// Puts a message into its place. The same again changes nothing.
async fn insert(unit: &mut Unit, message: &NewMessage) -> Result<(), Stop<AppendError>> {
    let seq = number(message.seq.0)?;
    let mut document = doc! {
        "last_seq": seq,
        "sender": message.sender.word(),
        "text": message.text.as_str(),
        "at": number(message.at.0)?,
    };
    let optional = [
        ("model", message.model.as_ref().map(|model| model.word().to_owned())),
        ("client_message_id", message.client.as_ref().map(|client| client.id.word().to_owned())),
        ("metadata", metadata_text(&message.metadata)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            document.insert(name, value);
        }
    }
    let place = doc! { "_id": message.id.word(), "session": message.session.word(), "seq": seq };
    let put = unit.upsert(MESSAGES, place, doc! { "$setOnInsert": document }).await?;
    if put.upserted_id.is_none() && !unit.may_be_done {
        return Err(Stop::Store(Taken::rejected()));
    }
    Ok(())
}

/// What a client message id is stored under.
fn key(user: &UserId, id: &ClientMessageId) -> Document {
    doc! { "_id": { "user": user.word(), "id": id.word() } }
}

/// What a client message id stands for, unless it was used too long ago.
fn known(found: &Document, now: Instant) -> Result<Option<Known>, StoreError> {
    let found = Fields(found);
    if now.0 >= found.the_number("at")?.saturating_add(IDEMPOTENCY_WINDOW_MS) {
        return Ok(None);
    }
    Ok(Some(Known {
        message_id: found.the_word("message")?,
        session: found.the_word("session")?,
        seq: Seq(found.the_number("seq")?),
        epoch: Epoch(found.the_number("epoch")?),
        digest: Digest(found.bytes("digest")?),
    }))
}

/// Whether what a client message id stands for was stored. Without transactions the id is noted
/// before its message is, and stands for it once that is there, or when it went with its session.
async fn stands(unit: &mut Unit, known: &Known) -> Result<bool, Error> {
    if unit.is_whole()
        || unit.find(MESSAGES, doc! { "_id": known.message_id.word() }).await?.is_some()
    {
        return Ok(true);
    }
    let live = doc! { "_id": known.session.word(), "live": true };
    Ok(unit.find(SESSIONS, live).await?.is_none())
}

/// Finds what a client message id stands for, if it was used within the window. What is found is
/// acknowledged, so where there are several servers a majority of them must have it.
pub(crate) async fn find_client(
    shared: &Shared,
    user: &UserId,
    id: &ClientMessageId,
    now: Instant,
) -> Result<Option<Known>, Stop<StoreError>> {
    let safely = shared.transactions.then(ReadConcern::majority);
    let options = CollectionOptions::builder().read_concern(safely).build();
    let known_ids = shared.database.collection_with_options::<Document>(CLIENT_MESSAGES, options);
    let Some(found) = known_ids.find_one(key(user, id)).await? else { return Ok(None) };
    let Some(known) = known(&found, now)? else { return Ok(None) };
    let stands = shared.transactions || stands(&mut Unit::alone(&shared.database), &known).await?;
    Ok(stands.then_some(known))
}

/// Notes what a client message id stands for.
async fn remember_client(
    unit: &mut Unit,
    client: &ClientKey,
    message: &NewMessage,
    epoch: Epoch,
) -> Result<(), Stop<AppendError>> {
    let digest = Binary { subtype: BinarySubtype::Generic, bytes: client.digest.0.to_vec() };
    let stands_for = doc! { "$set": {
        "digest": digest,
        "at": number(message.at.0)?,
        "message": message.id.word(),
        "session": message.session.word(),
        "seq": number(message.seq.0)?,
        "epoch": number(epoch.0)?,
    } };
    unit.upsert(CLIENT_MESSAGES, key(&client.user, &client.id), stands_for).await?;
    Ok(())
}

/// Forgets the client message ids that stand for nothing any more.
pub(crate) async fn sweep_clients(
    database: &Database,
    now: Instant,
) -> Result<(), Stop<StoreError>> {
    let Some(last) = now.0.checked_sub(IDEMPOTENCY_WINDOW_MS) else { return Ok(()) };
    let old = doc! { "at": { "$lte": number(last)? } };
    database.collection::<Document>(CLIENT_MESSAGES).delete_many(old).await?;
    Ok(())
}

/// Stores an answer as far as it got, or how it ended. An answer that has an ending keeps it and
/// its text: what comes later changes nothing.
pub(crate) async fn put_answer(
    unit: &mut Unit,
    answer: &Answer,
    outcome: Option<&Outcome>,
) -> Result<(), Stop<ChangeError>> {
    sessions::writable(unit, &answer.session, answer.fence).await?;
    let is_new = match unit.find(MESSAGES, doc! { "_id": answer.id.word() }).await? {
        None => true,
        Some(found) => {
            let found = Fields(&found);
            if found.the_word::<SessionId>("session")? != answer.session {
                return Err(Stop::Store(Taken::rejected()));
            }
            if !found.flag("running")? {
                return Ok(());
            }
            false
        }
    };
    // The session first: without transactions a try that breaks off here is made again as a whole.
    let finished = outcome.map(|outcome| Finished {
        last_seq: answer.last_seq,
        at: outcome.at,
        tokens: outcome.bill.unwrap_or_default().tokens(),
        took_ms: took_ms(answer, outcome),
    });
    if is_new || finished.is_some() {
        let (session, fence) = (&answer.session, answer.fence);
        sessions::settle(unit, session, fence, u32::from(is_new), finished).await?;
    }
    let mut change = progress(answer, outcome)?;
    change.insert(
        "$setOnInsert",
        doc! {
            "session": answer.session.word(),
            "seq": number(answer.first_seq.0)?,
            "sender": Sender::Ai.word(),
            "at": number(answer.started.0)?,
            "in_reply_to": answer.in_reply_to.word(),
        },
    );
    unit.upsert(MESSAGES, doc! { "_id": answer.id.word() }, change).await?;
    Ok(())
}

/// Notes how far a running answer got, without waiting for any disk. Says whether it runs, and in
/// a session whose fence is this one.
pub(crate) async fn checkpoint(
    sessions: &mongodb::Collection<Document>,
    messages: &mongodb::Collection<Document>,
    answer: &Answer,
) -> Result<bool, Stop<StoreError>> {
    let session = doc! {
        "_id": answer.session.word(),
        "fence": number(answer.fence.0)?,
        "live": true,
    };
    if sessions.find_one(session).await?.is_none() {
        return Ok(false);
    }
    let running = doc! {
        "_id": answer.id.word(), "session": answer.session.word(), "running": true,
    };
    let put = messages.update_one(running, progress(answer, None)?).await?;
    Ok(put.matched_count == 1)
}

/// How long an answer took, if it is whole.
fn took_ms(answer: &Answer, outcome: &Outcome) -> Option<u64> {
    outcome.ending.is_whole().then(|| outcome.at.0.saturating_sub(answer.started.0))
}

/// What changes while an answer runs, and when it ends.
fn progress(answer: &Answer, outcome: Option<&Outcome>) -> Result<Document, StoreError> {
    let word = |text: &str| Bson::String(text.to_owned());
    let whole = |value: Option<u64>| value.map(number).transpose().map(|n| n.map(Bson::Int64));
    let tokens = outcome.and_then(|outcome| outcome.bill).map(|bill| bill.tokens());
    Ok(change([
        ("last_seq", whole(Some(answer.last_seq.0))?),
        ("text", Some(word(&answer.text))),
        ("model", answer.model.as_ref().map(|model| word(model.word()))),
        ("upstream_request_id", answer.upstream_request_id.as_deref().map(word)),
        ("first_piece", whole(answer.first_piece.map(|at| at.0))?),
        ("running", outcome.is_none().then_some(Bson::Boolean(true))),
        ("ending", outcome.map(|outcome| word(outcome.ending.word()))),
        ("ended", whole(outcome.map(|outcome| outcome.at.0))?),
        ("took", whole(outcome.and_then(|outcome| took_ms(answer, outcome)))?),
        ("input_tokens", whole(tokens.map(|tokens| tokens.input))?),
        ("output_tokens", whole(tokens.map(|tokens| tokens.output))?),
        ("tokens_estimated", tokens.map(|tokens| Bson::Boolean(tokens.estimated))),
    ]))
}

/// Reads the newest page of a session before a place, oldest first.
pub(crate) async fn page(
    database: &Database,
    session: &SessionId,
    before: Option<Seq>,
    limit: usize,
) -> Result<Vec<StoredMessage>, Stop<StoreError>> {
    let mut filter = doc! { "session": session.word() };
    if let Some(before) = before {
        filter.insert("seq", doc! { "$lt": number(before.0)? });
    }
    let limit = i64::try_from(limit.clamp(1, MAX_PAGE)).unwrap_or(i64::MAX);
    let mut messages = newest(database, filter, limit).await?;
    messages.reverse();
    Ok(messages)
}

/// Sessions whose texts are asked for together.
const SEARCHED_TOGETHER: usize = 50;

/// Finds those of some sessions in which something was said. They are searched in their order, some
/// at a time.
pub(crate) async fn saying(
    database: &Database,
    sessions: &[SessionId],
    mut search: Search,
) -> Result<HashSet<SessionId>, Stop<StoreError>> {
    let mut found = HashSet::new();
    for some in sessions.chunks(SEARCHED_TOGETHER) {
        let ids: Vec<&str> = some.iter().map(SessionId::as_str).collect();
        let mut texts = database
            .collection::<Document>(MESSAGES)
            .find(doc! { "session": { "$in": ids } })
            .projection(doc! { "_id": 0, "session": 1, "text": 1 })
            .await?;
        while !search.is_over()
            && let Some(text) = texts.try_next().await?
        {
            let text = Fields(&text);
            let session: SessionId = text.the_word("session")?;
            if !found.contains(&session) && search.finds(&text.the_text("text")?) {
                found.insert(session);
            }
        }
    }
    Ok(found)
}

/// Reads the newest message of the user, however many answers came after it.
pub(crate) async fn last_of_user(
    database: &Database,
    session: &SessionId,
) -> Result<Option<StoredMessage>, Stop<StoreError>> {
    let filter = doc! { "session": session.word(), "sender": Sender::User.word() };
    Ok(newest(database, filter, 1).await?.pop())
}

/// Reads messages, the newest first.
async fn newest(
    database: &Database,
    filter: Document,
    limit: i64,
) -> Result<Vec<StoredMessage>, Stop<StoreError>> {
    let found: Vec<Document> = database
        .collection::<Document>(MESSAGES)
        .find(filter)
        .sort(doc! { "seq": -1 })
        .limit(limit)
        .await?
        .try_collect()
        .await?;
    Ok(found.iter().map(stored).collect::<Result<_, _>>()?)
}

/// Reads a document.
fn stored(document: &Document) -> Result<StoredMessage, StoreError> {
    let fields = Fields(document);
    let tokens = match (fields.number("input_tokens")?, fields.number("output_tokens")?) {
        (Some(input), Some(output)) => {
            Some(Tokens { input, output, estimated: fields.flag("tokens_estimated")? })
        }
        _ => None,
    };
    Ok(StoredMessage {
        id: fields.the_word("_id")?,
        session: fields.the_word("session")?,
        seq: Seq(fields.the_number("seq")?),
        last_seq: Seq(fields.the_number("last_seq")?),
        sender: fields.the_word("sender")?,
        text: fields.the_text("text")?,
        at: Instant(fields.the_number("at")?),
        model: fields.word("model")?,
        in_reply_to: fields.word("in_reply_to")?,
        ending: fields.word("ending")?,
        tokens,
        client_message_id: fields.word("client_message_id")?,
        upstream_request_id: fields.text("upstream_request_id")?,
        first_piece: fields.instant("first_piece")?,
        ended: fields.instant("ended")?,
        metadata: metadata(&fields)?,
    })
}

//! Conversations of another program, put into the collections. Messages first and the session last, each
//! statement of its own: what is cut off is not seen, and is taken up where it stopped.

use std::collections::HashMap;

use futures_util::TryStreamExt as _;
use mongodb::Database;
use mongodb::bson::{Document, doc};
use sluice_chat::answer::Ending;
use sluice_chat::turn::Sender;

use super::collection::{MESSAGES, PULSE, SESSIONS};
use super::field::{Fields, number};
use super::session::stored;
use super::unit::Stop;
use crate::error::StoreError;
use crate::import::{Became, Conversation, PastMessage};
use crate::message::metadata_text;
use crate::word::Worded;

/// Puts a conversation in, or what of it is not in yet.
pub(crate) async fn put(
    database: &Database,
    conversation: &Conversation,
) -> Result<Became, Stop<StoreError>> {
    let sessions = database.collection::<Document>(SESSIONS);
    let id = doc! { "_id": conversation.id.word() };
    let found = sessions.find_one(id.clone()).await?.as_ref().map(stored).transpose()?;
    match &found {
        Some(found) if found.owner != conversation.owner => return Ok(Became::Foreign),
        Some(found) if found.deleted.is_some() => return Ok(Became::Deleted),
        Some(_) | None => {}
    }
    let places = places(database, conversation).await?;
    let (mut missing, mut displaced) = (Vec::new(), 0);
    for message in &conversation.messages {
        match places.get(&message.seq.0) {
            None => missing.push(document(conversation, message)?),
            Some(there) if *there == message.id.word() => {}
            Some(_) => displaced += 1,
        }
    }
    let messages = database.collection::<Document>(MESSAGES);
    let added = missing.len() as u64;
    if !missing.is_empty() {
        messages.insert_many(missing).await?;
    }
    let count = number(places.len() as u64 + added)?;
    let head = number(conversation.head().0)?;
    let Some(found) = found else {
        sessions.insert_one(session(conversation, count)?).await?;
        return Ok(Became::New { added });
    };
    if displaced == 0 && is_unserved(database).await? {
        let mut whole = session(conversation, count)?;
        let head = number(conversation.head().max(found.head).0)?;
        whole.extend(doc! { "head": head, "reserved": head });
        sessions.replace_one(id, whole).await?;
        return Ok(Became::Known { added, displaced });
    }
    let mut set = doc! { "message_count": count };
    let mut unset = Document::new();
    if displaced == 0 && added > 0 && found.head < conversation.head() {
        // It went on there and not here.
        if let Some((ended, lasted)) = ending(conversation)? {
            set.extend(doc! { "ended": ended, "ended_or_zero": ended, "lasted": lasted });
        } else {
            set.insert("ended_or_zero", 0_i64);
            unset.extend(doc! { "ended": "", "lasted": "" });
        }
    }
    let max = doc! {
        "head": head, "reserved": head, "last_activity": number(conversation.last_activity.0)?,
    };
    let mut change = doc! { "$set": set, "$max": max };
    if !unset.is_empty() {
        change.insert("$unset", unset);
    }
    if added > 0 || found.message_count != places.len() as u64 {
        sessions.update_one(id, change).await?;
    }
    Ok(Became::Known { added, displaced })
}

/// Whether no gateway ever had this archive: whatever is in it was imported.
async fn is_unserved(database: &Database) -> Result<bool, Stop<StoreError>> {
    Ok(database.collection::<Document>(PULSE).find_one(doc! {}).await?.is_none())
}

/// What has which place in a conversation already.
async fn places(
    database: &Database,
    conversation: &Conversation,
) -> Result<HashMap<u64, String>, Stop<StoreError>> {
    let found: Vec<Document> = database
        .collection::<Document>(MESSAGES)
        .find(doc! { "session": conversation.id.word() })
        .projection(doc! { "seq": 1 })
        .await?
        .try_collect()
        .await?;
    let place = |found: &Document| -> Result<(u64, String), StoreError> {
        let found = Fields(found);
        Ok((found.the_number("seq")?, found.the_text("_id")?))
    };
    Ok(found.iter().map(place).collect::<Result<_, _>>()?)
}

/// A message as it is stored.
fn document(conversation: &Conversation, message: &PastMessage) -> Result<Document, StoreError> {
    let seq = number(message.seq.0)?;
    let mut document = doc! {
        "_id": message.id.word(),
        "session": conversation.id.word(),
        "seq": seq,
        "last_seq": seq,
        "sender": message.sender.word(),
        "text": message.text.as_str(),
        "at": number(message.at.0)?,
    };
    if let Some(asked) = &message.in_reply_to {
        document.insert("in_reply_to", asked.word());
    }
    if message.sender == Sender::Ai {
        // How it ended, nobody noted.
        document.insert("ending", Ending::Other.word());
    }
    if let Some(metadata) = metadata_text(&message.metadata) {
        document.insert("metadata", metadata);
    }
    Ok(document)
}

/// A conversation as it is stored.
fn session(conversation: &Conversation, messages: i64) -> Result<Document, StoreError> {
    let head = number(conversation.head().0)?;
    let (answers, answered_ms) = conversation.measured();
    let tokens = number(conversation.tokens)?;
    let mut document = doc! {
        "_id": conversation.id.word(),
        "owner": conversation.owner.word(),
        "mode": conversation.mode.word(),
        "fence": 0_i64,
        "epoch": 1_i64,
        "reserved": head,
        "head": head,
        "in_use": false,
        "created": number(conversation.created.0)?,
        "last_activity": number(conversation.last_activity.0)?,
        "message_count": messages,
        "input_tokens": 0_i64,
        "output_tokens": tokens,
        "tokens_estimated": tokens > 0,
        "assisted": conversation.assisted,
        "answers": number(answers)?,
        "answered_ms": number(answered_ms)?,
        "slowest_ms": number(conversation.slowest_ms)?,
        "live": true,
        "tokens": tokens,
        "ended_or_zero": 0_i64,
    };
    let words = [
        ("name", conversation.name.as_deref()),
        ("model", conversation.model.as_ref().map(Worded::word)),
        ("share", conversation.share.as_ref().map(Worded::word)),
    ];
    for (name, word) in words {
        if let Some(word) = word {
            document.insert(name, word);
        }
    }
    if let Some((ended, lasted)) = ending(conversation)? {
        document.extend(doc! { "ended": ended, "ended_or_zero": ended, "lasted": lasted });
    }
    Ok(document)
}

/// When a conversation ended and how long it had lasted.
fn ending(conversation: &Conversation) -> Result<Option<(i64, i64)>, StoreError> {
    let Some(ended) = conversation.ended else { return Ok(None) };
    let lasted = ended.0.saturating_sub(conversation.created.0);
    Ok(Some((number(ended.0)?, number(lasted)?)))
}

//! What sealing needs of the collections: which keys were used, and a walk over everything sealed.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use mongodb::Database;
use mongodb::bson::{Document, doc};
use sluice_chat::id::{Seq, SessionId};

use super::collection::{MESSAGES, SEAL_KEYS, SESSIONS};
use super::field::{Fields, change};
use super::unit::{Stop, Unit};
use crate::error::StoreError;
use crate::mark::Mark;
use crate::message::{Metadata, metadata_from, metadata_text};
use crate::reseal::Batch;
use crate::seal::{KeyId, Keys, Place};
use crate::word::Worded as _;

/// The keys that sealed something.
pub(crate) async fn keys(database: &Database) -> Result<Vec<KeyId>, Stop<StoreError>> {
    let keys = database.collection::<Document>(SEAL_KEYS);
    let found: Vec<Document> =
        keys.find(doc! {}).sort(doc! { "_id": 1 }).await?.try_collect().await?;
    Ok(found.iter().map(|key| Fields(key).the_word("_id")).collect::<Result<_, _>>()?)
}

/// Notes that a key is about to seal something.
pub(crate) async fn note_key(unit: &mut Unit, key: &KeyId) -> Result<(), Stop<StoreError>> {
    let noted = doc! { "$setOnInsert": { "noted": true } };
    unit.upsert(SEAL_KEYS, doc! { "_id": key.word() }, noted).await?;
    Ok(())
}

/// Notes that nothing is sealed any more under any key but this one.
pub(crate) async fn keep_key(unit: &mut Unit, key: Option<&KeyId>) -> Result<(), Stop<StoreError>> {
    let others = key.map_or_else(Document::new, |key| doc! { "_id": { "$ne": key.word() } });
    Ok(unit.delete_all(SEAL_KEYS, others).await?)
}

/// How many documents there are to walk over.
pub(crate) async fn extent(database: &Database) -> Result<u64, Stop<StoreError>> {
    let mut extent = 0;
    for name in [SESSIONS, MESSAGES] {
        extent += database.collection::<Document>(name).count_documents(doc! {}).await?;
    }
    Ok(extent)
}

/// Reads the documents of one batch, in order of their ids.
pub(crate) async fn batch(
    database: &Database,
    of: &str,
    after: Option<&Mark>,
    limit: u64,
) -> Result<Vec<Document>, Stop<StoreError>> {
    let beyond =
        after.map_or_else(Document::new, |mark| doc! { "_id": { "$gt": mark.0.as_str() } });
    Ok(database
        .collection::<Document>(of)
        .find(beyond)
        .sort(doc! { "_id": 1 })
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .await?
        .try_collect()
        .await?)
}

/// A batch that ends at the last of these documents; a full one is not the last.
fn ending(limit: u64, read: &[Document]) -> Result<Batch, StoreError> {
    let looked_at = u64::try_from(read.len()).unwrap_or(u64::MAX);
    let next = match read.last().filter(|_| looked_at == limit) {
        Some(last) => Some(Mark(Fields(last).the_text("_id")?)),
        None => None,
    };
    Ok(Batch { looked_at, next, ..Batch::default() })
}

/// Seals the names of these sessions under today's key. A name that changed meanwhile stays.
pub(crate) async fn reseal_names(
    unit: &mut Unit,
    keys: &Keys,
    read: &[Document],
    limit: u64,
) -> Result<Batch, Stop<StoreError>> {
    let mut batch = ending(limit, read)?;
    for session in read {
        let session = Fields(session);
        let Some(name) = session.text("name")? else { continue };
        let id = session.the_word::<SessionId>("_id")?;
        match keys.reseal(Place::Name(&id), &name) {
            Ok(None) => {}
            Ok(Some(sealed)) => {
                let same = doc! { "_id": id.word(), "name": name };
                unit.update(SESSIONS, same, doc! { "$set": { "name": sealed } }).await?;
                batch.changed += 1;
            }
            Err(error) => batch.failed(error)?,
        }
    }
    Ok(batch)
}

/// Seals these messages under today's key. One that changed meanwhile stays.
pub(crate) async fn reseal_messages(
    unit: &mut Unit,
    keys: &Keys,
    read: &[Document],
    limit: u64,
) -> Result<Batch, Stop<StoreError>> {
    let mut batch = ending(limit, read)?;
    for message in read {
        let message = Fields(message);
        let (id, text) = (message.the_text("_id")?, message.the_text("text")?);
        let (session, seq) =
            (message.the_word::<SessionId>("session")?, message.the_number("seq")?);
        let metadata = metadata(&message)?;
        let sealed_text = keys.reseal(Place::Text(&session, Seq(seq)), &text);
        let sealed_metadata = keys.reseal_metadata(Place::Metadata(&session, Seq(seq)), &metadata);
        match (sealed_text, sealed_metadata) {
            (Ok(None), Ok(None)) => {}
            (Ok(sealed_text), Ok(sealed_metadata)) => {
                let sealed = change([
                    ("text", Some(sealed_text.unwrap_or_else(|| text.clone()).into())),
                    (
                        "metadata",
                        metadata_text(&sealed_metadata.unwrap_or(metadata)).map(Into::into),
                    ),
                ]);
                unit.update(MESSAGES, doc! { "_id": id, "text": text }, sealed).await?;
                batch.changed += 1;
            }
            (Err(error), _) | (_, Err(error)) => batch.failed(error)?,
        }
    }
    Ok(batch)
}

/// Reads metadata.
pub(crate) fn metadata(message: &Fields<'_>) -> Result<Metadata, StoreError> {
    let Some(text) = message.text("metadata")? else { return Ok(Metadata::new()) };
    metadata_from(&text).map_err(|error| StoreError::Damaged { source: Arc::new(error) })
}

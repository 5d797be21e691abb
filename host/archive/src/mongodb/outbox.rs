//! The collection of notices: one document a notice, with the channels that have still to be told in
//! it, so that each change is to one document.

use futures_util::TryStreamExt as _;
use mongodb::Database;
use mongodb::bson::{Bson, Document, doc};
use sluice_chat::id::{Instant, NoticeId};
use std::ops::ControlFlow;
use tokio::time::timeout;

use super::MongoDb;
use super::collection::NOTICES;
use super::field::{Fields, number};
use super::retry::Tries;
use super::shared::{Shared, TookTooLong, stand_in_all, unavailable};
use super::unit::{DEADLINE, Stop, Unit};
use crate::error::StoreError;
use crate::outbox::{Fate, MAX_WAITING, Notice, Parcel, Posted, Queue, Rate, Waiting};
use crate::word::Worded as _;

/// The line for everybody who posts: the bound is of all of them together.
const LINE: &str = "outbox";

impl MongoDb {
    pub(crate) async fn post(
        &self,
        notice: Notice,
        channels: &[String],
        rate: Rate,
        now: Instant,
    ) -> Result<Posted, StoreError> {
        let _line = stand_in_all(&self.shared.counters, [LINE]).await?;
        let refused = reading!(self, refused(&self.shared.database, &notice, rate, now))?;
        if let Some(refused) = refused {
            return Ok(refused);
        }
        let addressed = Notice::addressed(channels);
        let channels = self.waiting().await?.with_room(&addressed);
        let posted = match channels.len() {
            0 if !addressed.is_empty() => return Ok(Posted::Full),
            some if some < addressed.len() => Posted::InPart,
            _ => Posted::Waiting,
        };
        let document = document(&notice, &channels, now)?;
        atomically!(self, unit => async {
            let id = doc! { "_id": notice.id.word() };
            unit.upsert(NOTICES, id, doc! { "$setOnInsert": document.clone() }).await?;
            Ok::<_, Stop<StoreError>>(posted)
        })
    }

    pub(crate) async fn due(
        &self,
        channel: &str,
        now: Instant,
        limit: usize,
    ) -> Result<Vec<Parcel>, StoreError> {
        reading!(self, due(&self.shared.database, channel, now, limit))
    }

    pub(crate) async fn tried(
        &self,
        notice: &NoticeId,
        channel: &str,
        fate: Fate,
    ) -> Result<(), StoreError> {
        atomically!(self, unit => tried(unit, notice, channel, fate))
    }

    pub(crate) async fn waiting(&self) -> Result<Waiting, StoreError> {
        reading!(self, waiting(&self.shared.database))
    }

    pub(crate) async fn forget_notices(&self, before: Instant) -> Result<(), StoreError> {
        let old = doc! {
            "posted": { "$lt": number(before.0)? }, "next": { "$exists": false },
        };
        atomically!(self, unit => async {
            unit.delete_all(NOTICES, old.clone()).await?;
            Ok::<_, Stop<StoreError>>(())
        })
    }
}

/// Why a notice is not taken.
async fn refused(
    database: &Database,
    notice: &Notice,
    rate: Rate,
    now: Instant,
) -> Result<Option<Posted>, Stop<StoreError>> {
    let notices = database.collection::<Document>(NOTICES);
    if notices.find_one(doc! { "_id": notice.id.word() }).await?.is_some() {
        return Ok(Some(Posted::Again));
    }
    let since = number(now.0.saturating_sub(rate.window_ms))?;
    let alike = doc! { "key": &notice.key, "posted": { "$gt": since } };
    let too_many = notices.count_documents(alike).await? >= rate.most;
    Ok(too_many.then_some(Posted::TooMany))
}

fn document(notice: &Notice, channels: &[&str], now: Instant) -> Result<Document, StoreError> {
    let Notice { id: _, kind, key, at, body } = notice;
    let now = number(now.0)?;
    let parcel =
        |channel: &&str| Bson::from(doc! { "channel": *channel, "attempts": 0_i64, "next": now });
    let parcels: Vec<Bson> = channels.iter().map(parcel).collect();
    let mut document = doc! {
        "kind": kind, "key": key, "at": number(at.0)?, "posted": now, "body": body,
    };
    if !parcels.is_empty() {
        document.insert("next", now);
    }
    document.insert("parcels", parcels);
    Ok(document)
}

async fn due(
    database: &Database,
    channel: &str,
    now: Instant,
    limit: usize,
) -> Result<Vec<Parcel>, Stop<StoreError>> {
    let limit = usize::try_from(MAX_WAITING).map_or(limit, |most| limit.min(most));
    let now = number(now.0)?;
    let parcel = doc! { "channel": channel, "next": { "$lte": now } };
    let found: Vec<Document> = database
        .collection::<Document>(NOTICES)
        .aggregate([
            // By the index: a notice with a parcel that is due is due itself.
            doc! { "$match": { "next": { "$lte": now }, "parcels": { "$elemMatch": parcel } } },
            doc! { "$unwind": "$parcels" },
            doc! { "$match": { "parcels.channel": channel, "parcels.next": { "$lte": now } } },
            doc! { "$sort": { "parcels.next": 1, "_id": 1 } },
            doc! { "$limit": i64::try_from(limit).unwrap_or(i64::MAX) },
        ])
        .await?
        .try_collect()
        .await?;
    let mut due = Vec::with_capacity(found.len());
    for document in &found {
        let fields = Fields(document);
        let notice = Notice {
            id: fields.the_word("_id")?,
            kind: fields.the_text("kind")?,
            key: fields.the_text("key")?,
            at: Instant(fields.the_number("at")?),
            body: fields.the_text("body")?,
        };
        let parcel = Fields(fields.the_document("parcels")?);
        due.push(Parcel {
            notice,
            channel: parcel.the_text("channel")?,
            attempts: u32::try_from(parcel.the_number("attempts")?).unwrap_or(u32::MAX),
            next: Instant(parcel.the_number("next")?),
        });
    }
    Ok(due)
}

/// Changes one channel's part, and with it when the notice is next looked at.
async fn tried(
    unit: &mut Unit,
    notice: &NoticeId,
    channel: &str,
    fate: Fate,
) -> Result<(), Stop<StoreError>> {
    let changed = match fate {
        Fate::Done => doc! { "$filter": {
            "input": "$parcels",
            "cond": { "$ne": ["$$this.channel", { "$literal": channel }] },
        } },
        Fate::Again(next) => doc! { "$map": {
            "input": "$parcels",
            "in": { "$cond": [
                { "$eq": ["$$this.channel", { "$literal": channel }] },
                { "$mergeObjects": ["$$this", {
                    "attempts": { "$add": ["$$this.attempts", 1_i64] }, "next": number(next.0)?,
                }] },
                "$$this",
            ] },
        } },
    };
    let change = vec![
        doc! { "$set": { "parcels": changed } },
        doc! { "$set": { "next": { "$ifNull": [{ "$min": "$parcels.next" }, "$$REMOVE"] } } },
    ];
    unit.update(NOTICES, doc! { "_id": notice.word() }, change).await?;
    Ok(())
}

async fn waiting(database: &Database) -> Result<Waiting, Stop<StoreError>> {
    let notices = database.collection::<Document>(NOTICES);
    let waiting = doc! { "next": { "$exists": true } };
    let found: Vec<Document> = notices
        .aggregate([
            doc! { "$match": waiting.clone() },
            doc! { "$unwind": "$parcels" },
            doc! { "$group": {
                "_id": "$parcels.channel",
                "notices": { "$sum": 1_i64 },
                "next": { "$min": "$parcels.next" },
            } },
            doc! { "$sort": { "_id": 1 } },
        ])
        .await?
        .try_collect()
        .await?;
    let mut queues = Vec::with_capacity(found.len());
    for queue in &found {
        let fields = Fields(queue);
        queues.push(Queue {
            channel: fields.the_text("_id")?,
            notices: fields.the_number("notices")?,
            next: Instant(fields.the_number("next")?),
        });
    }
    Ok(Waiting { notices: notices.count_documents(waiting).await?, queues })
}

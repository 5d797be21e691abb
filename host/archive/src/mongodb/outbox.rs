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
use crate::outbox::{Fate, MAX_WAITING, Notice, Parcel, Posted, Rate, Waiting};
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
        let document = document(&notice, channels, now)?;
        atomically!(self, unit => async {
            let id = doc! { "_id": notice.id.word() };
            unit.upsert(NOTICES, id, doc! { "$setOnInsert": document.clone() }).await?;
            Ok::<_, Stop<StoreError>>(Posted::Waiting)
        })
    }

    pub(crate) async fn due(&self, now: Instant, limit: usize) -> Result<Vec<Parcel>, StoreError> {
        reading!(self, due(&self.shared.database, now, limit))
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
    if notices.count_documents(alike).await? >= rate.most {
        return Ok(Some(Posted::TooMany));
    }
    let full = waiting(database).await?.notices >= MAX_WAITING;
    Ok(full.then_some(Posted::Full))
}

fn document(notice: &Notice, channels: &[String], now: Instant) -> Result<Document, StoreError> {
    let Notice { id: _, kind, key, at, body } = notice;
    let now = number(now.0)?;
    let parcel = |channel| Bson::from(doc! { "channel": channel, "attempts": 0_i64, "next": now });
    let parcels: Vec<Bson> = Notice::addressed(channels).into_iter().map(parcel).collect();
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
    now: Instant,
    limit: usize,
) -> Result<Vec<Parcel>, Stop<StoreError>> {
    let limit = usize::try_from(MAX_WAITING).map_or(limit, |most| limit.min(most));
    let found: Vec<Document> = database
        .collection::<Document>(NOTICES)
        .find(doc! { "next": { "$lte": number(now.0)? } })
        .sort(doc! { "next": 1, "_id": 1 })
        // Each has a parcel that is due.
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .await?
        .try_collect()
        .await?;
    let mut due = Vec::new();
    for document in &found {
        let fields = Fields(document);
        let notice = Notice {
            id: fields.the_word("_id")?,
            kind: fields.the_text("kind")?,
            key: fields.the_text("key")?,
            at: Instant(fields.the_number("at")?),
            body: fields.the_text("body")?,
        };
        for parcel in fields.documents("parcels")? {
            let fields = Fields(parcel);
            due.push(Parcel {
                notice: notice.clone(),
                channel: fields.the_text("channel")?,
                attempts: u32::try_from(fields.the_number("attempts")?).unwrap_or(u32::MAX),
                next: Instant(fields.the_number("next")?),
            });
        }
    }
    due.retain(|parcel| parcel.next <= now);
    due.sort_by(|a, b| {
        let place =
            |parcel: &Parcel| (parcel.next, parcel.notice.id.clone(), parcel.channel.clone());
        place(a).cmp(&place(b))
    });
    due.truncate(limit);
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
    let first = notices.find_one(waiting.clone()).sort(doc! { "next": 1 }).await?;
    let next = first.as_ref().map(|first| Fields(first).instant("next")).transpose()?.flatten();
    Ok(Waiting { notices: notices.count_documents(waiting).await?, next })
}

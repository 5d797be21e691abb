//! The collection of what answers cost. Lines are added, once for each answer; none is ever changed or removed.

use mongodb::Database;
use mongodb::bson::{Document, doc};
use mongodb::error::Error;
use sluice_chat::answer::Tokens;
use sluice_chat::bill::{Bill, Counted};
use sluice_chat::id::{Instant, UserId};

use super::collection::{MESSAGES, SESSIONS, USAGE};
use super::field::{Fields, number};
use super::unit::{Stop, Unit};
use crate::error::{ChangeError, StoreError};
use crate::message::{Answer, Outcome};
use crate::usage::{CallUsage, Kind};
use crate::word::Worded as _;

/// Adds the lines of calls.
pub(crate) async fn record(unit: &mut Unit, calls: &[CallUsage]) -> Result<(), Stop<StoreError>> {
    for call in calls {
        let mut line = doc! {
            "kind": Kind::Call.word(),
            "user": call.user.word(),
            "trace": call.trace.as_str(),
            "model": call.model.word(),
            "started": number(call.started.0)?,
            "ended": number(call.ended.0)?,
            "ending": call.ending.word(),
        };
        line.extend(counts(&call.bill)?);
        let id = doc! { "_id": call.answer.word() };
        unit.upsert(USAGE, id, doc! { "$setOnInsert": line }).await?;
    }
    Ok(())
}

/// Adds the line of a session's answer that ended, unless it has one. The session may be deleted: its document, and so its
/// owner, stays.
pub(crate) async fn record_answer(
    unit: &mut Unit,
    answer: &Answer,
    outcome: &Outcome,
) -> Result<(), Stop<ChangeError>> {
    let session = unit.find(SESSIONS, doc! { "_id": answer.session.word() }).await?;
    let Some(session) = session else { return Ok(()) };
    let owner: UserId = Fields(&session).the_word("owner")?;
    let mut line = doc! {
        "kind": Kind::Message.word(),
        "user": owner.word(),
        "session": answer.session.word(),
        "started": number(answer.started.0)?,
        "ended": number(outcome.at.0)?,
        "ending": outcome.ending.word(),
    };
    if let Some(model) = &answer.model {
        line.insert("model", model.word());
    }
    if let Some(bill) = &outcome.bill {
        line.extend(counts(bill)?);
    }
    let id = doc! { "_id": answer.id.word() };
    unit.upsert(USAGE, id, doc! { "$setOnInsert": line }).await?;
    Ok(())
}

fn counts(bill: &Bill) -> Result<Document, StoreError> {
    let Bill { counted, cost_micros } = *bill;
    let Counted { tokens, cached_input, cache_write, reasoning } = counted;
    let Tokens { input, output, estimated } = tokens;
    let mut counts = doc! {
        "input_tokens": number(input)?,
        "output_tokens": number(output)?,
        "estimated": estimated,
        "cached_input_tokens": number(cached_input)?,
        "cache_write_tokens": number(cache_write)?,
        "reasoning_tokens": number(reasoning)?,
    };
    if let Some(cost) = cost_micros {
        counts.insert("cost_micros", number(cost)?);
    }
    Ok(counts)
}

/// Adds the line of a session's answer that is about to be marked as interrupted. What it cost nobody knows.
pub(crate) async fn record_interrupted(
    unit: &mut Unit,
    owner: &UserId,
    message: &Document,
    now: Instant,
) -> Result<(), Stop<StoreError>> {
    let mut line = doc! {
        "kind": Kind::Message.word(),
        "user": owner.word(),
        "ended": number(now.0)?,
        "ending": "interrupted",
    };
    for (name, from) in [("session", "session"), ("model", "model"), ("started", "at")] {
        if let Some(value) = message.get(from) {
            line.insert(name, value.clone());
        }
    }
    let id = doc! { "_id": Fields(message).the_text("_id")? };
    unit.upsert(USAGE, id, doc! { "$setOnInsert": line }).await?;
    Ok(())
}

/// As [`record_interrupted`], of all sessions. When each ended, nobody knows either.
pub(crate) async fn record_all_interrupted(database: &Database) -> Result<(), Error> {
    let lines = [
        doc! { "$match": { "running": true } },
        doc! { "$lookup": {
            "from": SESSIONS, "localField": "session", "foreignField": "_id", "as": "of",
        } },
        doc! { "$project": {
            "kind": { "$literal": Kind::Message.word() },
            "user": { "$arrayElemAt": ["$of.owner", 0] },
            "session": 1,
            "model": 1,
            "started": "$at",
            "ending": { "$literal": "interrupted" },
        } },
        doc! { "$merge": {
            "into": USAGE, "on": "_id", "whenMatched": "keepExisting", "whenNotMatched": "insert",
        } },
    ];
    database.collection::<Document>(MESSAGES).aggregate(lines).await?;
    Ok(())
}

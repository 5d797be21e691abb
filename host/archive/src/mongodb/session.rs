//! The collection of sessions. Every function but [`find`] and [`newest`] runs inside a unit of work.

use futures_util::TryStreamExt as _;
use mongodb::Database;
use mongodb::bson::{Bson, Document, doc};
use sluice_chat::answer::Tokens;
use sluice_chat::id::{Epoch, Fence, Instant, ModelId, Seq, SessionId, ShareToken, UserId};
use sluice_chat::turn::Mode;

use super::collection::{MESSAGES, SESSIONS};
use super::field::{Fields, number};
use super::unit::{Stop, Unit};
use super::usage;
use crate::error::{ChangeError, StoreError};
use crate::session::{SessionCursor, StoredSession};
use crate::word::Worded as _;

/// What a write has to know of a session before it may change it.
pub(crate) struct Claim {
    pub(crate) owner: UserId,
    pub(crate) fence: Fence,
    pub(crate) epoch: Epoch,
    pub(crate) deleted: bool,
}

/// Looks up what a write has to know.
pub(crate) async fn claim<E>(
    unit: &mut Unit,
    session: &SessionId,
) -> Result<Option<Claim>, Stop<E>> {
    let Some(found) = unit.find(SESSIONS, doc! { "_id": session.word() }).await? else {
        return Ok(None);
    };
    let found = Fields(&found);
    Ok(Some(Claim {
        owner: found.the_word("owner")?,
        fence: Fence(found.the_number("fence")?),
        epoch: Epoch(found.the_number("epoch")?),
        deleted: found.instant("deleted")?.is_some(),
    }))
}

/// Fails unless a session may be changed under this fence.
pub(crate) async fn writable(
    unit: &mut Unit,
    session: &SessionId,
    fence: Fence,
) -> Result<(), Stop<ChangeError>> {
    match claim(unit, session).await? {
        None => Err(Stop::Told(ChangeError::Gone)),
        Some(found) if found.deleted => Err(Stop::Told(ChangeError::Gone)),
        Some(found) if found.fence != fence => Err(Stop::Told(ChangeError::Fenced)),
        Some(_) => Ok(()),
    }
}

/// Changes a session, if that may be under this fence.
async fn alter(
    unit: &mut Unit,
    session: &SessionId,
    fence: Fence,
    change: Document,
) -> Result<(), Stop<ChangeError>> {
    writable(unit, session, fence).await?;
    // The fence again: without transactions it may have moved on meanwhile.
    let filter = doc! { "_id": session.word(), "fence": number(fence.0)? };
    let changed = unit.update(SESSIONS, filter, change).await?;
    if changed.matched_count == 0 { Err(Stop::Told(ChangeError::Fenced)) } else { Ok(()) }
}

/// Makes a session task the owner; see [`Archive::take_session`](crate::Archive::take_session).
pub(crate) async fn take(
    unit: &mut Unit,
    session: &SessionId,
    now: Instant,
) -> Result<Option<StoredSession>, Stop<StoreError>> {
    let free = doc! { "_id": session.word(), "live": true };
    let taking = vec![doc! { "$set": {
        "epoch": { "$add": ["$epoch", { "$cond": ["$in_use", 1_i64, 0_i64] }] },
        "head": { "$cond": ["$in_use", { "$max": ["$reserved", "$head"] }, "$head"] },
        "in_use": true,
    } }];
    let Some(taken) = unit.updated(SESSIONS, free, taking).await? else {
        let found = unit.find(SESSIONS, doc! { "_id": session.word() }).await?;
        return Ok(found.as_ref().map(stored).transpose()?);
    };
    let running = doc! { "session": session.word(), "running": true };
    let interrupted = doc! {
        "$set": { "ending": "interrupted", "ended": number(now.0)? },
        "$unset": { "running": "" },
    };
    let taken = stored(&taken)?;
    // One runs at a time, so there are hardly more.
    while let Some(message) = unit.find(MESSAGES, running.clone()).await? {
        usage::record_interrupted(unit, &taken.owner, &message, now).await?;
        let id = doc! { "_id": Fields(&message).the_text("_id")? };
        unit.update(MESSAGES, id, interrupted.clone()).await?;
    }
    Ok(Some(taken))
}

/// Marks a session cleanly left: nothing beyond `head` was shown.
pub(crate) async fn leave(
    unit: &mut Unit,
    session: &SessionId,
    fence: Fence,
    head: Seq,
) -> Result<(), Stop<ChangeError>> {
    let head = number(head.0)?;
    let left = doc! { "$set": { "head": head, "in_use": false }, "$max": { "reserved": head } };
    alter(unit, session, fence, left).await
}

/// Raises the high-water mark. Never lowers it.
pub(crate) async fn reserve(
    unit: &mut Unit,
    session: &SessionId,
    fence: Fence,
    up_to: Seq,
) -> Result<(), Stop<ChangeError>> {
    alter(unit, session, fence, doc! { "$max": { "reserved": number(up_to.0)? } }).await
}

/// Replaces the name.
pub(crate) async fn set_name(
    unit: &mut Unit,
    session: &SessionId,
    fence: Fence,
    name: &str,
) -> Result<(), Stop<ChangeError>> {
    alter(unit, session, fence, doc! { "$set": { "name": name } }).await
}

/// Replaces the model.
pub(crate) async fn set_model(
    unit: &mut Unit,
    session: &SessionId,
    fence: Fence,
    model: &ModelId,
) -> Result<(), Stop<ChangeError>> {
    alter(unit, session, fence, doc! { "$set": { "model": model.word() } }).await
}

/// Replaces the mode and raises the fence.
pub(crate) async fn hand_over(
    unit: &mut Unit,
    session: &SessionId,
    fence: Fence,
    mode: Mode,
) -> Result<Fence, Stop<ChangeError>> {
    let raised = Fence(fence.0 + 1);
    let mut change = doc! { "mode": mode.word(), "fence": number(raised.0)? };
    if mode == Mode::Operator {
        change.insert("assisted", true);
    }
    alter(unit, session, fence, doc! { "$set": change }).await?;
    Ok(raised)
}

/// Replaces the mode.
pub(crate) async fn set_mode(
    unit: &mut Unit,
    session: &SessionId,
    fence: Fence,
    mode: Mode,
) -> Result<(), Stop<ChangeError>> {
    let mut change = doc! { "mode": mode.word() };
    if mode == Mode::Operator {
        change.insert("assisted", true);
    }
    alter(unit, session, fence, doc! { "$set": change }).await
}

/// Marks the session ended, unless it is; the next message opens it again.
pub(crate) async fn end(
    unit: &mut Unit,
    session: &SessionId,
    fence: Fence,
    now: Instant,
) -> Result<(), Stop<ChangeError>> {
    writable(unit, session, fence).await?;
    let open = doc! {
        "_id": session.word(), "fence": number(fence.0)?, "ended": { "$exists": false },
    };
    let now = number(now.0)?;
    let ending = vec![doc! { "$set": {
        "ended": now, "ended_or_zero": now, "lasted": { "$subtract": [now, "$created"] },
    } }];
    unit.update(SESSIONS, open, ending).await?;
    Ok(())
}

/// Deletes what was said and the name. The document stays, so that the id is never given out again.
pub(crate) async fn delete(
    unit: &mut Unit,
    session: &SessionId,
    fence: Fence,
    now: Instant,
) -> Result<(), Stop<ChangeError>> {
    alter(unit, session, fence, deletion(now)?).await?;
    Ok(unit.delete_all(MESSAGES, doc! { "session": session.word() }).await?)
}

fn deletion(now: Instant) -> Result<Document, StoreError> {
    Ok(doc! {
        "$set": { "message_count": 0_i64, "in_use": false, "deleted": number(now.0)? },
        "$unset": { "name": "", "live": "", "share": "" },
    })
}

/// Deletes a session in which nothing was said since `before`. Says whether it was one.
pub(crate) async fn delete_quiet(
    unit: &mut Unit,
    session: &SessionId,
    before: Instant,
    now: Instant,
) -> Result<bool, Stop<StoreError>> {
    let quiet = doc! {
        "_id": session.word(), "live": true, "last_activity": { "$lt": number(before.0)? },
    };
    if unit.update(SESSIONS, quiet, deletion(now)?).await?.matched_count == 0 {
        return Ok(false);
    }
    unit.delete_all(MESSAGES, doc! { "session": session.word() }).await?;
    Ok(true)
}

/// Gives a session a token, unless it has one, and says which it has.
pub(crate) async fn share(
    unit: &mut Unit,
    session: &SessionId,
    token: &ShareToken,
) -> Result<ShareToken, Stop<ChangeError>> {
    let live = doc! { "_id": session.word(), "live": true };
    let token = doc! { "$literal": token.word() };
    let sharing = vec![doc! { "$set": { "share": { "$ifNull": ["$share", token] } } }];
    match unit.updated(SESSIONS, live, sharing).await? {
        Some(shared) => Ok(Fields(&shared).the_word("share")?),
        None => Err(Stop::Told(ChangeError::Gone)),
    }
}

/// Takes a session's token away.
pub(crate) async fn unshare(unit: &mut Unit, session: &SessionId) -> Result<(), Stop<ChangeError>> {
    let live = doc! { "_id": session.word(), "live": true };
    let changed = unit.update(SESSIONS, live, doc! { "$unset": { "share": "" } }).await?;
    if changed.matched_count == 0 { Err(Stop::Told(ChangeError::Gone)) } else { Ok(()) }
}

/// Reads the session of a token.
pub(crate) async fn shared(
    database: &Database,
    token: &ShareToken,
) -> Result<Option<StoredSession>, Stop<StoreError>> {
    let sessions = database.collection::<Document>(SESSIONS);
    let found = sessions.find_one(doc! { "share": token.word() }).await?;
    Ok(found.as_ref().map(stored).transpose()?)
}

/// A session as it begins, before anything was said in it.
pub(crate) struct Beginning<'m> {
    pub(crate) id: &'m SessionId,
    pub(crate) owner: &'m UserId,
    pub(crate) fence: Fence,
    pub(crate) epoch: Epoch,
    pub(crate) created: Instant,
}

/// Makes the document of a session.
pub(crate) async fn begin<E>(unit: &mut Unit, beginning: Beginning<'_>) -> Result<(), Stop<E>> {
    let at = number(beginning.created.0)?;
    let document = doc! {
        "_id": beginning.id.word(),
        "owner": beginning.owner.word(),
        "mode": Mode::default().word(),
        "fence": number(beginning.fence.0)?,
        "epoch": number(beginning.epoch.0)?,
        "reserved": 0_i64,
        "head": 0_i64,
        "in_use": true,
        "created": at,
        "last_activity": at,
        "message_count": 0_i64,
        "input_tokens": 0_i64,
        "output_tokens": 0_i64,
        "tokens_estimated": false,
        "assisted": false,
        "answers": 0_i64,
        "answered_ms": 0_i64,
        "slowest_ms": 0_i64,
        // What indexes and sorts need beside: not deleted, and what is computed elsewhere.
        "live": true,
        "tokens": 0_i64,
        "ended_or_zero": 0_i64,
    };
    Ok(unit.insert(SESSIONS, document).await?)
}

/// Reads one session.
pub(crate) async fn find(
    database: &Database,
    session: &SessionId,
) -> Result<Option<StoredSession>, Stop<StoreError>> {
    let sessions = database.collection::<Document>(SESSIONS);
    let found = sessions.find_one(doc! { "_id": session.word() }).await?;
    Ok(found.as_ref().map(stored).transpose()?)
}

/// A user's sessions from the cursor on, at most `limit`, newest activity first, ties by id.
pub(crate) async fn newest(
    database: &Database,
    owner: &UserId,
    limit: usize,
    after: Option<&SessionCursor>,
) -> Result<Vec<StoredSession>, Stop<StoreError>> {
    let mut filter = doc! { "owner": owner.word(), "live": true };
    if let Some(after) = after {
        let at = number(after.last_activity.0)?;
        filter.insert(
            "$or",
            vec![
                doc! { "last_activity": { "$lt": at } },
                doc! { "last_activity": at, "_id": { "$lt": after.id.word() } },
            ],
        );
    }
    let found: Vec<Document> = database
        .collection::<Document>(SESSIONS)
        .find(filter)
        .sort(doc! { "last_activity": -1, "_id": -1 })
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .await?
        .try_collect()
        .await?;
    Ok(found.iter().map(stored).collect::<Result<_, _>>()?)
}

/// Reads a document.
pub(crate) fn stored(document: &Document) -> Result<StoredSession, StoreError> {
    let fields = Fields(document);
    Ok(StoredSession {
        id: fields.the_word("_id")?,
        owner: fields.the_word("owner")?,
        name: fields.text("name")?,
        model: fields.word("model")?,
        mode: fields.the_word("mode")?,
        fence: Fence(fields.the_number("fence")?),
        epoch: Epoch(fields.the_number("epoch")?),
        reserved: Seq(fields.the_number("reserved")?),
        head: Seq(fields.the_number("head")?),
        created: Instant(fields.the_number("created")?),
        last_activity: Instant(fields.the_number("last_activity")?),
        ended: fields.instant("ended")?,
        deleted: fields.instant("deleted")?,
        assisted: fields.flag("assisted")?,
        message_count: fields.the_number("message_count")?,
        tokens: Tokens {
            input: fields.the_number("input_tokens")?,
            output: fields.the_number("output_tokens")?,
            estimated: fields.flag("tokens_estimated")?,
        },
        share: fields.word("share")?,
    })
}

/// What a message brings along for its session.
pub(crate) struct Advance<'m> {
    pub(crate) name: Option<&'m str>,
    pub(crate) model: Option<&'m ModelId>,
    pub(crate) reserve_to: Seq,
    pub(crate) seq: Seq,
    pub(crate) at: Instant,
}

/// Brings a session up to its newest message. Says whether its fence was still this one.
pub(crate) async fn advance<E>(
    unit: &mut Unit,
    session: &SessionId,
    fence: Fence,
    by: Advance<'_>,
) -> Result<bool, Stop<E>> {
    let seq = number(by.seq.0)?;
    let reserved = number(by.reserve_to.0)?.max(seq);
    // Literal: a name may look like the name of a field.
    let name = by.name.map_or(Bson::String("$$REMOVE".to_owned()), |name| {
        Bson::Document(doc! { "$literal": name })
    });
    let model = by.model.map_or(Bson::String("$model".to_owned()), |model| {
        Bson::Document(doc! { "$literal": model.word() })
    });
    let forward = vec![
        doc! { "$set": {
            "name": { "$ifNull": ["$name", name] },
            "model": model,
            "reserved": { "$max": ["$reserved", reserved] },
            "head": { "$max": ["$head", seq] },
            "in_use": true,
            "last_activity": { "$max": ["$last_activity", number(by.at.0)?] },
            "message_count": { "$add": ["$message_count", 1_i64] },
            "ended_or_zero": 0_i64,
        } },
        doc! { "$unset": ["ended", "lasted"] },
    ];
    let filter = doc! { "_id": session.word(), "fence": number(fence.0)? };
    Ok(unit.update(SESSIONS, filter, forward).await?.matched_count == 1)
}

/// What a finished answer adds to its session.
pub(crate) struct Finished {
    pub(crate) last_seq: Seq,
    pub(crate) at: Instant,
    pub(crate) tokens: Tokens,
    /// How long it took, if it is whole.
    pub(crate) took_ms: Option<u64>,
}

/// What a begun or finished answer adds to its session.
pub(crate) async fn settle(
    unit: &mut Unit,
    session: &SessionId,
    fence: Fence,
    messages: u32,
    finished: Option<Finished>,
) -> Result<(), Stop<ChangeError>> {
    let mut added = doc! { "message_count": i64::from(messages) };
    let mut change = Document::new();
    if let Some(Finished { last_seq, at, tokens, took_ms }) = finished {
        added.insert("input_tokens", number(tokens.input)?);
        added.insert("output_tokens", number(tokens.output)?);
        added.insert("tokens", number(tokens.total())?);
        added.insert("answers", i64::from(took_ms.is_some()));
        added.insert("answered_ms", number(took_ms.unwrap_or(0))?);
        let last_seq = number(last_seq.0)?;
        change.insert(
            "$max",
            doc! {
                "head": last_seq,
                "reserved": last_seq,
                "last_activity": number(at.0)?,
                "tokens_estimated": tokens.estimated,
                "slowest_ms": number(took_ms.unwrap_or(0))?,
            },
        );
    }
    change.insert("$inc", added);
    let filter = doc! { "_id": session.word(), "fence": number(fence.0)? };
    let changed = unit.update(SESSIONS, filter, change).await?;
    if changed.matched_count == 0 { Err(Stop::Told(ChangeError::Fenced)) } else { Ok(()) }
}

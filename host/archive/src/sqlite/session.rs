//! The table of sessions. Every function runs inside the caller's transaction.

use rusqlite::{Connection, OptionalExtension as _, Row, named_params};
use sluice_chat::answer::Tokens;
use sluice_chat::id::{Epoch, Fence, Instant, ModelId, Seq, SessionId, ShareToken, UserId};
use sluice_chat::turn::Mode;

use super::column::{Unsigned, Word};
use super::sealing::place;
use super::usage;
use crate::error::{ChangeError, StoreError};
use crate::mark::Mark;
use crate::session::{SessionCursor, StoredSession, Swept};

/// What a write has to know of a session before it may change it.
pub(crate) struct Claim {
    pub(crate) key: i64,
    pub(crate) owner: UserId,
    pub(crate) fence: Fence,
    pub(crate) deleted: bool,
}

/// Looks up what a write has to know.
pub(crate) fn claim(
    connection: &Connection,
    session: &SessionId,
) -> rusqlite::Result<Option<Claim>> {
    connection
        .prepare_cached(
            "SELECT key, owner, fence, deleted IS NOT NULL AS deleted FROM sessions WHERE id = ?1",
        )?
        .query_row([Word(session)], |row| {
            Ok(Claim {
                key: row.get("key")?,
                owner: row.get::<_, Word<UserId>>("owner")?.0,
                fence: Fence(row.get::<_, Unsigned>("fence")?.0),
                deleted: row.get("deleted")?,
            })
        })
        .optional()
}

/// The key of a session that may be changed under this fence.
pub(crate) fn writable(
    connection: &Connection,
    session: &SessionId,
    fence: Fence,
) -> Result<i64, ChangeError> {
    match claim(connection, session)? {
        None => Err(ChangeError::Gone),
        Some(found) if found.deleted => Err(ChangeError::Gone),
        Some(found) if found.fence != fence => Err(ChangeError::Fenced),
        Some(found) => Ok(found.key),
    }
}

/// Reads one session.
pub(crate) fn find(
    connection: &Connection,
    session: &SessionId,
) -> rusqlite::Result<Option<StoredSession>> {
    connection
        .prepare_cached("SELECT * FROM sessions WHERE id = ?1")?
        .query_row([Word(session)], stored)
        .optional()
}

/// Makes a session task the owner; see [`Archive::take_session`](crate::Archive::take_session).
pub(crate) fn take(
    connection: &Connection,
    session: &SessionId,
    now: Instant,
) -> Result<Option<StoredSession>, StoreError> {
    let taken = connection
        .prepare_cached(
            "UPDATE sessions SET
                 epoch = epoch + in_use,
                 head = CASE WHEN in_use THEN max(reserved, head) ELSE head END,
                 in_use = 1
             WHERE id = ?1 AND deleted IS NULL",
        )?
        .execute([Word(session)])?;
    if taken == 1 {
        usage::record_interrupted(connection, session, now)?;
        connection
            .prepare_cached(
                "UPDATE messages SET ending = 'interrupted', ended = :now
                 WHERE session = (SELECT key FROM sessions WHERE id = :session)
                   AND sender = 'ai' AND ending IS NULL",
            )?
            .execute(named_params! { ":session": Word(session), ":now": Unsigned(now.0) })?;
    }
    Ok(find(connection, session)?)
}

/// Ends every answer that an earlier process left open. When each ended, nobody knows.
pub(crate) fn interrupt_all(connection: &Connection) -> rusqlite::Result<usize> {
    usage::record_all_interrupted(connection)?;
    connection.execute(
        "UPDATE messages SET ending = 'interrupted' WHERE sender = 'ai' AND ending IS NULL",
        [],
    )
}

/// Marks a session cleanly left: nothing beyond `head` was shown.
pub(crate) fn leave(
    connection: &Connection,
    session: &SessionId,
    fence: Fence,
    head: Seq,
) -> Result<(), ChangeError> {
    let key = writable(connection, session, fence)?;
    connection
        .prepare_cached(
            "UPDATE sessions SET head = :head, reserved = max(reserved, :head), in_use = 0
             WHERE key = :key",
        )?
        .execute(named_params! { ":key": key, ":head": Unsigned(head.0) })?;
    Ok(())
}

/// Raises the high-water mark. Never lowers it.
pub(crate) fn reserve(
    connection: &Connection,
    session: &SessionId,
    fence: Fence,
    up_to: Seq,
) -> Result<(), ChangeError> {
    let key = writable(connection, session, fence)?;
    connection
        .prepare_cached("UPDATE sessions SET reserved = max(reserved, ?2) WHERE key = ?1")?
        .execute((key, Unsigned(up_to.0)))?;
    Ok(())
}

/// Replaces the name.
pub(crate) fn set_name(
    connection: &Connection,
    session: &SessionId,
    fence: Fence,
    name: &str,
) -> Result<(), ChangeError> {
    let key = writable(connection, session, fence)?;
    connection
        .prepare_cached("UPDATE sessions SET name = ?2 WHERE key = ?1")?
        .execute((key, name))?;
    Ok(())
}

/// Replaces the model.
pub(crate) fn set_model(
    connection: &Connection,
    session: &SessionId,
    fence: Fence,
    model: &ModelId,
) -> Result<(), ChangeError> {
    let key = writable(connection, session, fence)?;
    connection
        .prepare_cached("UPDATE sessions SET model = ?2 WHERE key = ?1")?
        .execute((key, Word(model)))?;
    Ok(())
}

/// Replaces the mode and raises the fence.
pub(crate) fn hand_over(
    connection: &Connection,
    session: &SessionId,
    fence: Fence,
    mode: Mode,
) -> Result<Fence, ChangeError> {
    let key = writable(connection, session, fence)?;
    let raised = Fence(fence.0 + 1);
    connection
        .prepare_cached(
            "UPDATE sessions SET mode = ?2, fence = ?3, assisted = max(assisted, ?4)
             WHERE key = ?1",
        )?
        .execute((key, Word(&mode), Unsigned(raised.0), mode == Mode::Operator))?;
    Ok(raised)
}

/// Replaces the mode.
pub(crate) fn set_mode(
    connection: &Connection,
    session: &SessionId,
    fence: Fence,
    mode: Mode,
) -> Result<(), ChangeError> {
    let key = writable(connection, session, fence)?;
    connection
        .prepare_cached(
            "UPDATE sessions SET mode = ?2, assisted = max(assisted, ?3) WHERE key = ?1",
        )?
        .execute((key, Word(&mode), mode == Mode::Operator))?;
    Ok(())
}

/// Marks the session ended; the next message opens it again.
pub(crate) fn end(
    connection: &Connection,
    session: &SessionId,
    fence: Fence,
    now: Instant,
) -> Result<(), ChangeError> {
    let key = writable(connection, session, fence)?;
    connection
        .prepare_cached("UPDATE sessions SET ended = coalesce(ended, ?2) WHERE key = ?1")?
        .execute((key, Unsigned(now.0)))?;
    Ok(())
}

/// Deletes what was said and the name. The row stays, so that the id is never given out again.
pub(crate) fn delete(
    connection: &Connection,
    session: &SessionId,
    fence: Fence,
    now: Instant,
) -> Result<(), ChangeError> {
    let key = writable(connection, session, fence)?;
    Ok(delete_now(connection, key, now)?)
}

fn delete_now(connection: &Connection, key: i64, now: Instant) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM messages WHERE session = ?1")?.execute([key])?;
    connection
        .prepare_cached(
            "UPDATE sessions SET name = NULL, share = NULL, message_count = 0, in_use = 0,
                 deleted = ?2
             WHERE key = ?1",
        )?
        .execute((key, Unsigned(now.0)))?;
    Ok(())
}

/// Gives a session a token, unless it has one, and says which it has.
pub(crate) fn share(
    connection: &Connection,
    session: &SessionId,
    token: &ShareToken,
) -> Result<ShareToken, ChangeError> {
    let shared: Option<Word<ShareToken>> = connection
        .prepare_cached(
            "UPDATE sessions SET share = coalesce(share, ?2)
             WHERE id = ?1 AND deleted IS NULL RETURNING share",
        )?
        .query_row((Word(session), Word(token)), |row| row.get(0))
        .optional()?;
    shared.map(|token| token.0).ok_or(ChangeError::Gone)
}

/// Takes a session's token away.
pub(crate) fn unshare(connection: &Connection, session: &SessionId) -> Result<(), ChangeError> {
    let changed = connection
        .prepare_cached("UPDATE sessions SET share = NULL WHERE id = ?1 AND deleted IS NULL")?
        .execute([Word(session)])?;
    if changed == 0 { Err(ChangeError::Gone) } else { Ok(()) }
}

/// Reads the session of a token.
pub(crate) fn shared(
    connection: &Connection,
    token: &ShareToken,
) -> rusqlite::Result<Option<StoredSession>> {
    connection
        .prepare_cached("SELECT * FROM sessions WHERE share = ?1")?
        .query_row([Word(token)], stored)
        .optional()
}

/// Looks at some sessions and deletes the quiet ones.
pub(crate) fn sweep_quiet(
    connection: &Connection,
    after: Option<&Mark>,
    before: Instant,
    now: Instant,
    limit: usize,
) -> Result<Swept, StoreError> {
    let most = Unsigned(u64::try_from(limit).unwrap_or(u64::MAX));
    let mut statement = connection.prepare_cached(
        "SELECT key, id, owner, deleted IS NULL AND last_activity < ?3 AS quiet FROM sessions
         WHERE key > ?1 ORDER BY key LIMIT ?2",
    )?;
    let rows: Vec<(i64, SessionId, UserId, bool)> = statement
        .query_map((place(after), most, Unsigned(before.0)), |row| {
            let id = row.get::<_, Word<SessionId>>("id")?.0;
            let owner = row.get::<_, Word<UserId>>("owner")?.0;
            Ok((row.get("key")?, id, owner, row.get("quiet")?))
        })?
        .collect::<Result<_, _>>()?;
    let next = rows.last().filter(|_| rows.len() == limit).map(|last| Mark(last.0.to_string()));
    let mut deleted = Vec::new();
    for (key, id, owner, _) in rows.into_iter().filter(|row| row.3) {
        delete_now(connection, key, now)?;
        deleted.push((id, owner));
    }
    Ok(Swept { deleted, next })
}

/// A user's sessions from the cursor on, at most `limit`.
pub(crate) fn newest(
    connection: &Connection,
    owner: &UserId,
    limit: usize,
    after: Option<&SessionCursor>,
) -> rusqlite::Result<Vec<StoredSession>> {
    let limit = Unsigned(u64::try_from(limit).unwrap_or(u64::MAX));
    let Some(after) = after else {
        return connection
            .prepare_cached(
                "SELECT * FROM sessions WHERE owner = ?1 AND deleted IS NULL
                 ORDER BY last_activity DESC, id DESC LIMIT ?2",
            )?
            .query_map((Word(owner), limit), stored)?
            .collect();
    };
    connection
        .prepare_cached(
            "SELECT * FROM sessions WHERE owner = ?1 AND deleted IS NULL
                 AND (last_activity, id) < (?3, ?4)
             ORDER BY last_activity DESC, id DESC LIMIT ?2",
        )?
        .query_map((Word(owner), limit, Unsigned(after.last_activity.0), Word(&after.id)), stored)?
        .collect()
}

/// Reads a row.
pub(super) fn stored(row: &Row<'_>) -> rusqlite::Result<StoredSession> {
    let instant = |column: &str| -> rusqlite::Result<Option<Instant>> {
        Ok(row.get::<_, Option<Unsigned>>(column)?.map(|at| Instant(at.0)))
    };
    Ok(StoredSession {
        id: row.get::<_, Word<SessionId>>("id")?.0,
        owner: row.get::<_, Word<UserId>>("owner")?.0,
        name: row.get("name")?,
        model: row.get::<_, Option<Word<ModelId>>>("model")?.map(|model| model.0),
        mode: row.get::<_, Word<Mode>>("mode")?.0,
        fence: Fence(row.get::<_, Unsigned>("fence")?.0),
        epoch: Epoch(row.get::<_, Unsigned>("epoch")?.0),
        reserved: Seq(row.get::<_, Unsigned>("reserved")?.0),
        head: Seq(row.get::<_, Unsigned>("head")?.0),
        created: Instant(row.get::<_, Unsigned>("created")?.0),
        last_activity: Instant(row.get::<_, Unsigned>("last_activity")?.0),
        ended: instant("ended")?,
        deleted: instant("deleted")?,
        assisted: row.get("assisted")?,
        message_count: row.get::<_, Unsigned>("message_count")?.0,
        tokens: Tokens {
            input: row.get::<_, Unsigned>("input_tokens")?.0,
            output: row.get::<_, Unsigned>("output_tokens")?.0,
            estimated: row.get("tokens_estimated")?,
        },
        share: row.get::<_, Option<Word<ShareToken>>>("share")?.map(|token| token.0),
    })
}

//! The tables of messages and of client message ids. Every function runs inside the caller's
//! transaction.

use std::collections::HashSet;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params};
use sluice_chat::answer::{Ending, Tokens};
use sluice_chat::id::{
    ClientMessageId, Epoch, Fence, Instant, MessageId, ModelId, Seq, SessionId, UserId,
};
use sluice_chat::turn::{Mode, Sender};

use super::column::{Unsigned, Word};
use super::session as sessions;
use crate::error::{AppendError, ChangeError, StoreError};
use crate::message::{
    Answer, Appended, ClientKey, Digest, IDEMPOTENCY_WINDOW_MS, Known, MAX_PAGE, Metadata,
    NewMessage, Outcome, StoredMessage, metadata_from, metadata_text,
};
use crate::search::Search;

/// Used-up client message ids swept out with each new one: more than come in, so they do not pile
/// up, and few enough not to be felt.
const SWEPT_AT_ONCE: u32 = 2;

/// Stores a message and whatever its session needs for it.
pub(crate) fn append(
    connection: &Connection,
    message: &NewMessage,
) -> Result<Appended, AppendError> {
    if let Some(client) = &message.client
        && let Some(known) = find_client(connection, &client.user, &client.id, message.at)?
    {
        // Before the fence and all else: a retry gets the ack that was lost, whatever came since.
        return Ok(Appended::Already(known));
    }
    let session = match sessions::claim(connection, &message.session)? {
        None if message.fence != Fence::default() => return Err(AppendError::Fenced),
        None => begin_session(connection, message)?,
        Some(found) if found.owner != message.owner => return Err(AppendError::NotOwner),
        Some(found) if found.deleted => return Err(AppendError::Gone),
        Some(found) if found.fence != message.fence => return Err(AppendError::Fenced),
        Some(found) => {
            move_session_on(connection, found.key, message)?;
            found.key
        }
    };
    connection
        .prepare_cached(
            "INSERT INTO messages
                 (session, seq, last_seq, id, sender, text, at, model, client_message_id, metadata)
             VALUES (:session, :seq, :seq, :id, :sender, :text, :at, :model, :client, :metadata)",
        )?
        .execute(named_params! {
            ":session": session,
            ":seq": Unsigned(message.seq.0),
            ":id": Word(&message.id),
            ":sender": Word(&message.sender),
            ":text": message.text,
            ":at": Unsigned(message.at.0),
            ":model": message.model.as_ref().map(Word),
            ":client": message.client.as_ref().map(|client| Word(&client.id)),
            ":metadata": metadata_text(&message.metadata),
        })?;
    if let Some(client) = &message.client {
        remember_client(connection, client, message)?;
    }
    Ok(Appended::Stored)
}

/// Makes the row of a session whose first message this is.
fn begin_session(connection: &Connection, message: &NewMessage) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "INSERT INTO sessions
                 (id, owner, name, model, mode, fence, epoch, reserved, head, in_use, created,
                  last_activity, message_count, input_tokens, output_tokens, tokens_estimated)
             VALUES (:id, :owner, :name, :model, :mode, :fence, :epoch, max(:reserved, :seq), :seq,
                     1, :at, :at, 1, 0, 0, 0)",
        )?
        .execute(named_params! {
            ":id": Word(&message.session),
            ":owner": Word(&message.owner),
            ":name": message.name,
            ":model": message.model.as_ref().map(Word),
            ":mode": Word(&Mode::default()),
            ":fence": Unsigned(message.fence.0),
            ":epoch": Unsigned(message.epoch.0),
            ":reserved": Unsigned(message.reserve_to.0),
            ":seq": Unsigned(message.seq.0),
            ":at": Unsigned(message.at.0),
        })?;
    Ok(connection.last_insert_rowid())
}

/// Brings the row of a session up to its newest message.
fn move_session_on(
    connection: &Connection,
    key: i64,
    message: &NewMessage,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE sessions SET
                 name = coalesce(name, :name),
                 model = coalesce(:model, model),
                 reserved = max(reserved, :reserved, :seq),
                 head = max(head, :seq),
                 in_use = 1,
                 last_activity = max(last_activity, :at),
                 ended = NULL,
                 message_count = message_count + 1
             WHERE key = :key",
        )?
        .execute(named_params! {
            ":key": key,
            ":name": message.name,
            ":model": message.model.as_ref().map(Word),
            ":reserved": Unsigned(message.reserve_to.0),
            ":seq": Unsigned(message.seq.0),
            ":at": Unsigned(message.at.0),
        })?;
    Ok(())
}

/// Finds what a client message id stands for, if it was used within the window.
pub(crate) fn find_client(
    connection: &Connection,
    user: &UserId,
    id: &ClientMessageId,
    now: Instant,
) -> rusqlite::Result<Option<Known>> {
    let window = Unsigned(IDEMPOTENCY_WINDOW_MS);
    connection
        .prepare_cached(
            "SELECT message, session, seq, epoch, digest FROM client_messages
             WHERE user = ?1 AND client_message_id = ?2 AND at > ?3 - ?4",
        )?
        .query_row((Word(user), Word(id), Unsigned(now.0), window), |row| {
            Ok(Known {
                message_id: row.get::<_, Word<MessageId>>("message")?.0,
                session: row.get::<_, Word<SessionId>>("session")?.0,
                seq: Seq(row.get::<_, Unsigned>("seq")?.0),
                epoch: Epoch(row.get::<_, Unsigned>("epoch")?.0),
                digest: Digest(row.get("digest")?),
            })
        })
        .optional()
}

/// Notes what a client message id stands for, and forgets a few that stand for nothing any more.
fn remember_client(
    connection: &Connection,
    client: &ClientKey,
    message: &NewMessage,
) -> Result<(), StoreError> {
    let epoch: Unsigned = connection
        .prepare_cached("SELECT epoch FROM sessions WHERE id = ?1")?
        .query_row([Word(&message.session)], |row| row.get(0))?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO client_messages
                 (user, client_message_id, digest, at, message, session, seq, epoch)
             VALUES (:user, :id, :digest, :at, :message, :session, :seq, :epoch)",
        )?
        .execute(named_params! {
            ":user": Word(&client.user),
            ":id": Word(&client.id),
            ":digest": client.digest.0,
            ":at": Unsigned(message.at.0),
            ":message": Word(&message.id),
            ":session": Word(&message.session),
            ":seq": Unsigned(message.seq.0),
            ":epoch": epoch,
        })?;
    let window = Unsigned(IDEMPOTENCY_WINDOW_MS);
    connection
        .prepare_cached(
            "DELETE FROM client_messages WHERE (user, client_message_id) IN
                 (SELECT user, client_message_id FROM client_messages WHERE at <= ?1 - ?2
                  ORDER BY at LIMIT ?3)",
        )?
        .execute((Unsigned(message.at.0), window, SWEPT_AT_ONCE))?;
    Ok(())
}

/// Stores an answer as far as it got, or how it ended. An answer that has an ending keeps it and
/// its text: what comes later changes nothing.
pub(crate) fn put_answer(
    connection: &Connection,
    answer: &Answer,
    outcome: Option<&Outcome>,
) -> Result<(), ChangeError> {
    let session = sessions::writable(connection, &answer.session, answer.fence)?;
    let running: Option<(bool, i64)> = connection
        .prepare_cached("SELECT ending IS NULL, session FROM messages WHERE id = ?1")?
        .query_row([Word(&answer.id)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match running {
        Some((_, other)) if other != session => {
            return Err(rusqlite::Error::StatementChangedRows(0).into());
        }
        Some((false, _)) => return Ok(()),
        Some((true, _)) => {}
        None => insert_answer(connection, session, answer)?,
    }
    let tokens = outcome.and_then(|outcome| outcome.bill).map(|bill| bill.tokens());
    connection
        .prepare_cached(
            "UPDATE messages SET
                 last_seq = :last_seq, text = :text, model = :model,
                 upstream_request_id = :upstream_request_id, first_piece = :first_piece,
                 ending = :ending, ended = :ended, input_tokens = :input,
                 output_tokens = :output, tokens_estimated = :estimated
             WHERE id = :id",
        )?
        .execute(named_params! {
            ":id": Word(&answer.id),
            ":last_seq": Unsigned(answer.last_seq.0),
            ":text": answer.text,
            ":model": answer.model.as_ref().map(Word),
            ":upstream_request_id": answer.upstream_request_id,
            ":first_piece": answer.first_piece.map(|at| Unsigned(at.0)),
            ":ending": outcome.map(|outcome| Word(&outcome.ending)),
            ":ended": outcome.map(|outcome| Unsigned(outcome.at.0)),
            ":input": tokens.map(|tokens| Unsigned(tokens.input)),
            ":output": tokens.map(|tokens| Unsigned(tokens.output)),
            ":estimated": tokens.map(|tokens| tokens.estimated),
        })?;
    if let Some(outcome) = outcome {
        settle_session(connection, session, answer, outcome)?;
    }
    Ok(())
}

/// Makes the row of an answer; what changes while it runs is filled in by the caller.
fn insert_answer(connection: &Connection, session: i64, answer: &Answer) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO messages (session, seq, last_seq, id, sender, text, at, in_reply_to)
             VALUES (:session, :seq, :seq, :id, :sender, '', :at, :in_reply_to)",
        )?
        .execute(named_params! {
            ":session": session,
            ":seq": Unsigned(answer.first_seq.0),
            ":id": Word(&answer.id),
            ":sender": Word(&Sender::Ai),
            ":at": Unsigned(answer.started.0),
            ":in_reply_to": Word(&answer.in_reply_to),
        })?;
    connection
        .prepare_cached("UPDATE sessions SET message_count = message_count + 1 WHERE key = ?1")?
        .execute([session])?;
    Ok(())
}

/// Adds a finished answer to its session's totals.
fn settle_session(
    connection: &Connection,
    session: i64,
    answer: &Answer,
    outcome: &Outcome,
) -> rusqlite::Result<()> {
    let tokens = outcome.bill.unwrap_or_default().tokens();
    connection
        .prepare_cached(
            "UPDATE sessions SET
                 head = max(head, :last_seq),
                 reserved = max(reserved, :last_seq),
                 last_activity = max(last_activity, :at),
                 input_tokens = input_tokens + :input,
                 output_tokens = output_tokens + :output,
                 tokens_estimated = max(tokens_estimated, :estimated),
                 answers = answers + :whole,
                 answered_ms = answered_ms + :whole * :took,
                 slowest_ms = max(slowest_ms, :whole * :took)
             WHERE key = :key",
        )?
        .execute(named_params! {
            ":key": session,
            ":last_seq": Unsigned(answer.last_seq.0),
            ":at": Unsigned(outcome.at.0),
            ":input": Unsigned(tokens.input),
            ":output": Unsigned(tokens.output),
            ":estimated": tokens.estimated,
            ":whole": outcome.ending.is_whole(),
            ":took": Unsigned(outcome.at.0.saturating_sub(answer.started.0)),
        })?;
    Ok(())
}

/// Reads the newest page of a session before a place, oldest first.
pub(crate) fn page(
    connection: &Connection,
    session: &SessionId,
    before: Option<Seq>,
    limit: usize,
) -> rusqlite::Result<Vec<StoredMessage>> {
    let limit = u64::try_from(limit.clamp(1, MAX_PAGE)).unwrap_or(u64::MAX);
    let before = before.map(|seq| Unsigned(seq.0));
    let mut messages = connection
        .prepare_cached(
            "SELECT * FROM messages
             WHERE session = (SELECT key FROM sessions WHERE id = ?1) AND seq < ifnull(?2, ?3)
             ORDER BY seq DESC LIMIT ?4",
        )?
        .query_map((Word(session), before, i64::MAX, Unsigned(limit)), |row| stored(row, session))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    messages.reverse();
    Ok(messages)
}

/// Finds those of some sessions in which something was said. They are searched in their order, each
/// from its newest message on.
pub(crate) fn saying(
    connection: &Connection,
    sessions: Vec<SessionId>,
    mut search: Search,
) -> rusqlite::Result<HashSet<SessionId>> {
    let mut texts = connection.prepare_cached(
        "SELECT text FROM messages WHERE session = (SELECT key FROM sessions WHERE id = ?1)
         ORDER BY seq DESC",
    )?;
    let mut found = HashSet::new();
    for session in sessions {
        let mut rows = texts.query([Word(&session)])?;
        let mut is_said = false;
        while !is_said
            && !search.is_over()
            && let Some(row) = rows.next()?
        {
            is_said = search.finds(row.get_ref("text")?.as_str()?);
        }
        if is_said {
            found.insert(session);
        }
    }
    Ok(found)
}

/// Reads the newest message of the user, however many answers came after it.
pub(crate) fn last_of_user(
    connection: &Connection,
    session: &SessionId,
) -> rusqlite::Result<Option<StoredMessage>> {
    connection
        .prepare_cached(
            "SELECT * FROM messages
             WHERE session = (SELECT key FROM sessions WHERE id = ?1) AND sender = 'user'
             ORDER BY seq DESC LIMIT 1",
        )?
        .query_row([Word(session)], |row| stored(row, session))
        .optional()
}

/// Reads a row.
fn stored(row: &Row<'_>, session: &SessionId) -> rusqlite::Result<StoredMessage> {
    let number = |column: &str| -> rusqlite::Result<Option<u64>> {
        Ok(row.get::<_, Option<Unsigned>>(column)?.map(|number| number.0))
    };
    let tokens = match (number("input_tokens")?, number("output_tokens")?) {
        (Some(input), Some(output)) => {
            Some(Tokens { input, output, estimated: row.get("tokens_estimated")? })
        }
        _ => None,
    };
    Ok(StoredMessage {
        id: row.get::<_, Word<MessageId>>("id")?.0,
        session: session.clone(),
        seq: Seq(row.get::<_, Unsigned>("seq")?.0),
        last_seq: Seq(row.get::<_, Unsigned>("last_seq")?.0),
        sender: row.get::<_, Word<Sender>>("sender")?.0,
        text: row.get("text")?,
        at: Instant(row.get::<_, Unsigned>("at")?.0),
        model: row.get::<_, Option<Word<ModelId>>>("model")?.map(|model| model.0),
        in_reply_to: row.get::<_, Option<Word<MessageId>>>("in_reply_to")?.map(|id| id.0),
        ending: row.get::<_, Option<Word<Ending>>>("ending")?.map(|ending| ending.0),
        tokens,
        client_message_id: row
            .get::<_, Option<Word<ClientMessageId>>>("client_message_id")?
            .map(|id| id.0),
        upstream_request_id: row.get("upstream_request_id")?,
        first_piece: number("first_piece")?.map(Instant),
        ended: number("ended")?.map(Instant),
        metadata: read(row)?,
    })
}

/// Reads metadata.
pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Metadata> {
    let Some(text) = row.get::<_, Option<String>>("metadata")? else {
        return Ok(Metadata::new());
    };
    metadata_from(&text).map_err(|error| {
        let column = row.as_ref().column_index("metadata").unwrap_or_default();
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
    })
}

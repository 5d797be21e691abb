//! Conversations of another program, put into the tables. Runs inside the caller's transaction.

use rusqlite::{Connection, OptionalExtension as _, named_params};
use sluice_chat::answer::Ending;
use sluice_chat::turn::Sender;

use super::column::{Unsigned, Word};
use super::session as sessions;
use crate::error::StoreError;
use crate::import::{Became, Conversation, PastMessage};
use crate::message::metadata_text;

/// Puts a conversation in, or what of it is not in yet.
pub(crate) fn put(
    connection: &Connection,
    conversation: &Conversation,
) -> Result<Became, StoreError> {
    let (key, known) = match sessions::claim(connection, &conversation.id)? {
        Some(found) if found.owner != conversation.owner => return Ok(Became::Foreign),
        Some(found) if found.deleted => return Ok(Became::Deleted),
        Some(found) => (found.key, true),
        None => (begin(connection, conversation)?, false),
    };
    let (mut added, mut displaced) = (0, 0);
    for message in &conversation.messages {
        if insert(connection, key, message)? {
            added += 1;
        } else if !is_there(connection, message)? {
            displaced += 1;
        }
    }
    if known && displaced == 0 && is_unserved(connection)? {
        become_as_it_is(connection, key, conversation)?;
    }
    if added > 0 {
        go_on(connection, key, conversation, known && displaced == 0)?;
    }
    Ok(if known { Became::Known { added, displaced } } else { Became::New { added } })
}

/// Makes the row of a conversation.
fn begin(connection: &Connection, conversation: &Conversation) -> rusqlite::Result<i64> {
    let (answers, answered_ms) = conversation.measured();
    connection
        .prepare_cached(
            "INSERT INTO sessions
                 (id, owner, name, model, mode, fence, epoch, reserved, head, in_use, created,
                  last_activity, ended, message_count, input_tokens, output_tokens, tokens_estimated,
                  share, assisted, answers, answered_ms, slowest_ms)
             VALUES (:id, :owner, :name, :model, :mode, 0, 1, 0, 0, 0, :created,
                     :last_activity, :ended, 0, 0, :tokens, :estimated,
                     :share, :assisted, :answers, :answered_ms, :slowest_ms)",
        )?
        .execute(named_params! {
            ":id": Word(&conversation.id),
            ":owner": Word(&conversation.owner),
            ":name": conversation.name,
            ":model": conversation.model.as_ref().map(Word),
            ":mode": Word(&conversation.mode),
            ":created": Unsigned(conversation.created.0),
            ":last_activity": Unsigned(conversation.last_activity.0),
            ":ended": conversation.ended.map(|at| Unsigned(at.0)),
            ":tokens": Unsigned(conversation.tokens),
            ":estimated": conversation.tokens > 0,
            ":share": conversation.share.as_ref().map(Word),
            ":assisted": conversation.assisted,
            ":answers": Unsigned(answers),
            ":answered_ms": Unsigned(answered_ms),
            ":slowest_ms": Unsigned(conversation.slowest_ms),
        })?;
    Ok(connection.last_insert_rowid())
}

/// Puts a message into its place, if that is free and the message nowhere. Says whether it did.
fn insert(connection: &Connection, session: i64, message: &PastMessage) -> rusqlite::Result<bool> {
    // How it ended, nobody noted.
    let ending = (message.sender == Sender::Ai).then_some(Ending::Other);
    let added = connection
        .prepare_cached(
            "INSERT INTO messages
                 (session, seq, last_seq, id, sender, text, at, in_reply_to, ending, metadata)
             VALUES (:session, :seq, :seq, :id, :sender, :text, :at, :in_reply_to, :ending, :metadata)
             ON CONFLICT DO NOTHING",
        )?
        .execute(named_params! {
            ":session": session,
            ":seq": Unsigned(message.seq.0),
            ":id": Word(&message.id),
            ":sender": Word(&message.sender),
            ":text": message.text,
            ":at": Unsigned(message.at.0),
            ":in_reply_to": message.in_reply_to.as_ref().map(Word),
            ":ending": ending.as_ref().map(Word),
            ":metadata": metadata_text(&message.metadata),
        })?;
    Ok(added == 1)
}

/// Whether no gateway ever had this archive: whatever is in it was imported.
fn is_unserved(connection: &Connection) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT beats = 0 FROM pulse")?.query_row([], |row| row.get(0))
}

/// Brings the row of a conversation to what it is by now, its place and its messages aside.
fn become_as_it_is(
    connection: &Connection,
    key: i64,
    conversation: &Conversation,
) -> rusqlite::Result<()> {
    let (answers, answered_ms) = conversation.measured();
    connection
        .prepare_cached(
            "UPDATE sessions SET
                 name = :name, model = :model, mode = :mode, ended = :ended, share = :share,
                 last_activity = :last_activity, assisted = :assisted,
                 output_tokens = :tokens, tokens_estimated = :estimated,
                 answers = :answers, answered_ms = :answered_ms, slowest_ms = :slowest_ms
             WHERE key = :key",
        )?
        .execute(named_params! {
            ":key": key,
            ":name": conversation.name,
            ":model": conversation.model.as_ref().map(Word),
            ":mode": Word(&conversation.mode),
            ":ended": conversation.ended.map(|at| Unsigned(at.0)),
            ":share": conversation.share.as_ref().map(Word),
            ":last_activity": Unsigned(conversation.last_activity.0),
            ":assisted": conversation.assisted,
            ":tokens": Unsigned(conversation.tokens),
            ":estimated": conversation.tokens > 0,
            ":answers": Unsigned(answers),
            ":answered_ms": Unsigned(answered_ms),
            ":slowest_ms": Unsigned(conversation.slowest_ms),
        })?;
    Ok(())
}

fn is_there(connection: &Connection, message: &PastMessage) -> rusqlite::Result<bool> {
    let found = connection
        .prepare_cached("SELECT 1 FROM messages WHERE id = ?1")?
        .query_row([Word(&message.id)], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

/// Brings the row of a conversation up to its messages; also to its end, if it went on there and not
/// here.
fn go_on(
    connection: &Connection,
    key: i64,
    conversation: &Conversation,
    there: bool,
) -> rusqlite::Result<()> {
    let head = Unsigned(conversation.head().0);
    connection
        .prepare_cached(
            "UPDATE sessions SET
                 ended = CASE WHEN :there AND head < :head THEN :ended ELSE ended END,
                 head = max(head, :head),
                 reserved = max(reserved, :head),
                 last_activity = max(last_activity, :last_activity),
                 message_count = (SELECT count(*) FROM messages WHERE session = :key)
             WHERE key = :key",
        )?
        .execute(named_params! {
            ":key": key,
            ":there": there,
            ":head": head,
            ":ended": conversation.ended.map(|at| Unsigned(at.0)),
            ":last_activity": Unsigned(conversation.last_activity.0),
        })?;
    Ok(())
}

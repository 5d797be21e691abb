//! What sealing needs of the tables: which keys were used, and a walk over everything sealed.
//! Every function but [`compact`] runs inside the caller's transaction.

use std::path::Path;

use rusqlite::{Connection, Row, named_params};
use sluice_chat::id::{Seq, SessionId};

use super::column::{Unsigned, Word};
use super::message::read as read_metadata;
use super::schema;
use crate::error::StoreError;
use crate::mark::Mark;
use crate::message::{Metadata, metadata_text};
use crate::reseal::Batch;
use crate::seal::{KeyId, Keys, Place, SealError};

/// The keys that sealed something.
pub(crate) fn keys(connection: &Connection) -> rusqlite::Result<Vec<KeyId>> {
    connection
        .prepare_cached("SELECT id FROM seal_keys ORDER BY id")?
        .query_map([], |row| Ok(row.get::<_, Word<KeyId>>("id")?.0))?
        .collect()
}

/// Notes that a key is about to seal something.
pub(crate) fn note_key(connection: &Connection, key: &KeyId) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO seal_keys VALUES (?1)")?
        .execute([Word(key)])?;
    Ok(())
}

/// Notes that nothing is sealed any more under any key but this one.
pub(crate) fn keep_key(connection: &Connection, key: Option<&KeyId>) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM seal_keys WHERE id IS NOT ?1")?
        .execute([key.map(Word)])?;
    Ok(())
}

/// How many rows there are to walk over.
pub(crate) fn extent(connection: &Connection) -> rusqlite::Result<u64> {
    let count = "SELECT (SELECT count(*) FROM sessions) + (SELECT count(*) FROM messages)";
    connection.query_row(count, [], |row| Ok(row.get::<_, Unsigned>(0)?.0))
}

/// Seals the names of some sessions under today's key.
pub(crate) fn reseal_names(
    connection: &Connection,
    keys: &Keys,
    after: Option<&Mark>,
    limit: u64,
) -> Result<Batch, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT key, id, name FROM sessions WHERE key > ?1 ORDER BY key LIMIT ?2",
    )?;
    let rows: Vec<(i64, SessionId, Option<String>)> = statement
        .query_map((place(after), Unsigned(limit)), |row| {
            let id = row.get::<_, Word<SessionId>>("id")?.0;
            Ok((row.get("key")?, id, row.get("name")?))
        })?
        .collect::<Result<_, _>>()?;
    let mut batch = batch(limit, rows.iter().map(|row| row.0));
    for (key, id, name) in rows {
        let Some(name) = name else { continue };
        match keys.reseal(Place::Name(&id), &name) {
            Ok(None) => {}
            Ok(Some(name)) => {
                connection
                    .prepare_cached("UPDATE sessions SET name = ?2 WHERE key = ?1")?
                    .execute((key, name))?;
                batch.changed += 1;
            }
            Err(error) => batch.failed(error)?,
        }
    }
    Ok(batch)
}

/// One message as far as it is sealed.
struct Sealed {
    key: i64,
    session: SessionId,
    seq: Seq,
    text: String,
    metadata: Metadata,
}

/// Seals some messages under today's key.
pub(crate) fn reseal_messages(
    connection: &Connection,
    keys: &Keys,
    after: Option<&Mark>,
    limit: u64,
) -> Result<Batch, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT messages.key, sessions.id, seq, text, metadata FROM messages
         JOIN sessions ON sessions.key = messages.session
         WHERE messages.key > ?1 ORDER BY messages.key LIMIT ?2",
    )?;
    let sealed = |row: &Row<'_>| {
        Ok(Sealed {
            key: row.get("key")?,
            session: row.get::<_, Word<SessionId>>("id")?.0,
            seq: Seq(row.get::<_, Unsigned>("seq")?.0),
            text: row.get("text")?,
            metadata: read_metadata(row)?,
        })
    };
    let rows: Vec<Sealed> =
        statement.query_map((place(after), Unsigned(limit)), sealed)?.collect::<Result<_, _>>()?;
    let mut batch = batch(limit, rows.iter().map(|row| row.key));
    for row in rows {
        match resealed(keys, &row) {
            Ok(None) => {}
            Ok(Some((text, metadata))) => {
                connection
                    .prepare_cached(
                        "UPDATE messages SET text = :text, metadata = :metadata WHERE key = :key",
                    )?
                    .execute(named_params! {
                        ":key": row.key,
                        ":text": text,
                        ":metadata": metadata_text(&metadata),
                    })?;
                batch.changed += 1;
            }
            Err(error) => batch.failed(error)?,
        }
    }
    Ok(batch)
}

fn resealed(keys: &Keys, row: &Sealed) -> Result<Option<(String, Metadata)>, SealError> {
    let text = keys.reseal(Place::Text(&row.session, row.seq), &row.text)?;
    let metadata = keys.reseal_metadata(Place::Metadata(&row.session, row.seq), &row.metadata)?;
    if text.is_none() && metadata.is_none() {
        return Ok(None);
    }
    let text = text.unwrap_or_else(|| row.text.clone());
    Ok(Some((text, metadata.unwrap_or_else(|| row.metadata.clone()))))
}

/// A batch that ends at the last of these rows; a full one is not the last.
fn batch(limit: u64, keys: impl ExactSizeIterator<Item = i64>) -> Batch {
    let looked_at = u64::try_from(keys.len()).unwrap_or(u64::MAX);
    let last = keys.last().filter(|_| looked_at == limit);
    Batch { looked_at, next: last.map(|key| Mark(key.to_string())), ..Batch::default() }
}

/// The key after which a walk goes on.
pub(crate) fn place(after: Option<&Mark>) -> i64 {
    after.and_then(|mark| mark.0.parse().ok()).unwrap_or(i64::MIN)
}

/// Writes the file anew, so that what was there before is not left in free pages.
pub(crate) fn compact(path: &Path) -> rusqlite::Result<()> {
    let connection = schema::connect_to_write(path)?;
    // The new file is made as a temporary one, which may be too large for memory.
    connection.pragma_update(None, "temp_store", "file")?;
    connection.execute_batch("VACUUM")?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

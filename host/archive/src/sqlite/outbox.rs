//! The tables of notices. A parcel that is done is a row that is gone.

use rusqlite::{Connection, Row, named_params};
use sluice_chat::id::{Instant, NoticeId};

use super::Sqlite;
use super::column::{Unsigned, Word};
use crate::error::StoreError;
use crate::outbox::{Fate, MAX_WAITING, Notice, Parcel, Posted, Queue, Rate, Waiting};

impl Sqlite {
    pub(crate) async fn post(
        &self,
        notice: Notice,
        channels: &[String],
        rate: Rate,
        now: Instant,
    ) -> Result<Posted, StoreError> {
        let channels = channels.to_vec();
        self.write(move |connection| Ok(post(connection, &notice, &channels, rate, now)?)).await
    }

    pub(crate) async fn due(
        &self,
        channel: &str,
        now: Instant,
        limit: usize,
    ) -> Result<Vec<Parcel>, StoreError> {
        let channel = channel.to_owned();
        self.readers.read(move |connection| due(connection, &channel, now, limit)).await
    }

    pub(crate) async fn tried(
        &self,
        notice: &NoticeId,
        channel: &str,
        fate: Fate,
    ) -> Result<(), StoreError> {
        let (notice, channel) = (notice.clone(), channel.to_owned());
        self.write(move |connection| Ok(tried(connection, &notice, &channel, fate)?)).await
    }

    pub(crate) async fn waiting(&self) -> Result<Waiting, StoreError> {
        self.readers.read(waiting).await
    }

    pub(crate) async fn forget_notices(&self, before: Instant) -> Result<(), StoreError> {
        self.write(move |connection| {
            connection
                .prepare_cached(
                    "DELETE FROM notices WHERE posted < ?1
                       AND NOT EXISTS (SELECT 1 FROM parcels WHERE notice = notices.id)",
                )?
                .execute([Unsigned(before.0)])?;
            Ok(())
        })
        .await
    }
}

fn post(
    connection: &Connection,
    notice: &Notice,
    channels: &[String],
    rate: Rate,
    now: Instant,
) -> rusqlite::Result<Posted> {
    let Notice { id, kind, key, at, body } = notice;
    let known =
        connection.prepare_cached("SELECT 1 FROM notices WHERE id = ?1")?.exists([Word(id)])?;
    if known {
        return Ok(Posted::Again);
    }
    let since = now.0.saturating_sub(rate.window_ms);
    let lately: Unsigned = connection
        .prepare_cached("SELECT count(*) FROM notices WHERE key = ?1 AND posted > ?2")?
        .query_row((key, Unsigned(since)), |row| row.get(0))?;
    if lately.0 >= rate.most {
        return Ok(Posted::TooMany);
    }
    let addressed = Notice::addressed(channels);
    let channels = waiting(connection)?.with_room(&addressed);
    if channels.is_empty() && !addressed.is_empty() {
        return Ok(Posted::Full);
    }
    connection
        .prepare_cached(
            "INSERT INTO notices (id, kind, key, at, posted, body)
             VALUES (:id, :kind, :key, :at, :posted, :body)",
        )?
        .execute(named_params! {
            ":id": Word(id),
            ":kind": kind,
            ":key": key,
            ":at": Unsigned(at.0),
            ":posted": Unsigned(now.0),
            ":body": body,
        })?;
    for channel in &channels {
        connection
            .prepare_cached("INSERT INTO parcels (notice, channel, next) VALUES (?1, ?2, ?3)")?
            .execute((Word(id), channel, Unsigned(now.0)))?;
    }
    Ok(if channels.len() < addressed.len() { Posted::InPart } else { Posted::Waiting })
}

fn due(
    connection: &Connection,
    channel: &str,
    now: Instant,
    limit: usize,
) -> rusqlite::Result<Vec<Parcel>> {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX).min(MAX_WAITING);
    connection
        .prepare_cached(
            "SELECT n.id, n.kind, n.key, n.at, n.body, p.channel, p.attempts, p.next
             FROM parcels p JOIN notices n ON n.id = p.notice
             WHERE p.channel = ?1 AND p.next <= ?2 ORDER BY p.next, n.id LIMIT ?3",
        )?
        .query_map((channel, Unsigned(now.0), Unsigned(limit)), parcel)?
        .collect()
}

fn parcel(row: &Row<'_>) -> rusqlite::Result<Parcel> {
    let notice = Notice {
        id: row.get::<_, Word<NoticeId>>("id")?.0,
        kind: row.get("kind")?,
        key: row.get("key")?,
        at: Instant(row.get::<_, Unsigned>("at")?.0),
        body: row.get("body")?,
    };
    Ok(Parcel {
        notice,
        channel: row.get("channel")?,
        attempts: row.get("attempts")?,
        next: Instant(row.get::<_, Unsigned>("next")?.0),
    })
}

fn tried(
    connection: &Connection,
    notice: &NoticeId,
    channel: &str,
    fate: Fate,
) -> rusqlite::Result<()> {
    match fate {
        Fate::Done => connection
            .prepare_cached("DELETE FROM parcels WHERE notice = ?1 AND channel = ?2")?
            .execute((Word(notice), channel))?,
        Fate::Again(next) => connection
            .prepare_cached(
                "UPDATE parcels SET attempts = attempts + 1, next = ?3
                 WHERE notice = ?1 AND channel = ?2",
            )?
            .execute((Word(notice), channel, Unsigned(next.0)))?,
    };
    Ok(())
}

fn waiting(connection: &Connection) -> rusqlite::Result<Waiting> {
    let notices: Unsigned = connection
        .prepare_cached("SELECT count(DISTINCT notice) FROM parcels")?
        .query_row([], |row| row.get(0))?;
    let queues = connection
        .prepare_cached(
            "SELECT channel, count(*) AS notices, min(next) AS next FROM parcels
             GROUP BY channel ORDER BY channel",
        )?
        .query_map([], |row| {
            Ok(Queue {
                channel: row.get("channel")?,
                notices: row.get::<_, Unsigned>("notices")?.0,
                next: Instant(row.get::<_, Unsigned>("next")?.0),
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(Waiting { notices: notices.0, queues })
}

//! The table of what operators did. Lines are added and get their outcome; none is ever changed otherwise or removed.

use rusqlite::{Connection, Row, named_params};
use sluice_chat::id::{AuditId, Instant, SessionId, UserId};

use super::column::{Unsigned, Word};
use crate::audit::{AuditEntry, AuditFilter, AuditPage};

/// Adds a line.
pub(crate) fn note(connection: &Connection, entry: &AuditEntry) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO audit (id, at, operator, action, user, session, reason, status)
             VALUES (:id, :at, :operator, :action, :user, :session, :reason, :status)",
        )?
        .execute(named_params! {
            ":id": Word(&entry.id),
            ":at": Unsigned(entry.at.0),
            ":operator": Word(&entry.operator),
            ":action": entry.action,
            ":user": entry.user.as_ref().map(Word),
            ":session": entry.session.as_ref().map(Word),
            ":reason": entry.reason,
            ":status": entry.status,
        })?;
    Ok(())
}

/// Gives a line its outcome, once.
pub(crate) fn settle(connection: &Connection, id: &AuditId, status: u16) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE audit SET status = coalesce(status, ?2) WHERE id = ?1")?
        .execute((Word(id), status))?;
    Ok(())
}

/// Reads a page.
pub(crate) fn page(
    connection: &Connection,
    filter: &AuditFilter,
    limit: usize,
    after: Option<&AuditId>,
) -> rusqlite::Result<AuditPage> {
    let AuditFilter { operator, user, session } = filter;
    let mut text = "SELECT * FROM audit WHERE TRUE".to_owned();
    for (wanted, condition) in [
        (operator.is_some(), " AND operator = :operator"),
        (user.is_some(), " AND user = :user"),
        (session.is_some(), " AND session = :session"),
        (after.is_some(), " AND id < :after"),
    ] {
        if wanted {
            text.push_str(condition);
        }
    }
    text.push_str(" ORDER BY id DESC LIMIT :limit");
    let read = Unsigned(u64::try_from(AuditPage::read(limit)).unwrap_or(u64::MAX));
    let values = [
        (":operator", operator.as_ref().map(UserId::as_str)),
        (":user", user.as_ref().map(UserId::as_str)),
        (":session", session.as_ref().map(SessionId::as_str)),
        (":after", after.map(AuditId::as_str)),
    ];
    let mut statement = connection.prepare(&text)?;
    for (name, value) in values {
        if let (Some(value), Some(place)) = (value, statement.parameter_index(name)?) {
            statement.raw_bind_parameter(place, value)?;
        }
    }
    let place = statement.parameter_index(":limit")?.unwrap_or_default();
    statement.raw_bind_parameter(place, read)?;
    let mut rows = statement.raw_query();
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(entry(row)?);
    }
    Ok(AuditPage::of(limit, entries))
}

fn entry(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    Ok(AuditEntry {
        id: row.get::<_, Word<AuditId>>("id")?.0,
        at: Instant(row.get::<_, Unsigned>("at")?.0),
        operator: row.get::<_, Word<UserId>>("operator")?.0,
        action: row.get("action")?,
        user: row.get::<_, Option<Word<UserId>>>("user")?.map(|user| user.0),
        session: row.get::<_, Option<Word<SessionId>>>("session")?.map(|session| session.0),
        reason: row.get("reason")?,
        status: row.get("status")?,
    })
}

//! The collection of what operators did. Lines are added and get their outcome; none is ever changed otherwise or removed.

use futures_util::TryStreamExt as _;
use mongodb::Database;
use mongodb::bson::{Document, doc};
use sluice_chat::id::{AuditId, Instant};

use super::collection::AUDIT;
use super::field::{Fields, number};
use super::message::Taken;
use super::unit::{Stop, Unit};
use crate::audit::{AuditEntry, AuditFilter, AuditPage};
use crate::error::StoreError;
use crate::word::Worded;

/// Adds a line.
pub(crate) async fn note(unit: &mut Unit, entry: &AuditEntry) -> Result<(), Stop<StoreError>> {
    let mut line = doc! {
        "at": number(entry.at.0)?,
        "operator": entry.operator.word(),
        "action": entry.action.as_str(),
    };
    let optional = [
        ("user", entry.user.as_ref().map(Worded::word)),
        ("session", entry.session.as_ref().map(Worded::word)),
        ("reason", entry.reason.as_deref()),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            line.insert(name, value);
        }
    }
    if let Some(status) = entry.status {
        line.insert("status", i64::from(status));
    }
    let id = doc! { "_id": entry.id.word() };
    let put = unit.upsert(AUDIT, id, doc! { "$setOnInsert": line }).await?;
    if put.upserted_id.is_none() && !unit.may_be_done {
        return Err(Stop::Store(Taken::rejected()));
    }
    Ok(())
}

/// Gives a line its outcome, once.
pub(crate) async fn settle(
    unit: &mut Unit,
    id: &AuditId,
    status: u16,
) -> Result<(), Stop<StoreError>> {
    let open = doc! { "_id": id.word(), "status": { "$exists": false } };
    unit.update(AUDIT, open, doc! { "$set": { "status": i64::from(status) } }).await?;
    Ok(())
}

/// Reads a page.
pub(crate) async fn page(
    database: &Database,
    filter: &AuditFilter,
    limit: usize,
    after: Option<&AuditId>,
) -> Result<AuditPage, Stop<StoreError>> {
    let AuditFilter { operator, user, session } = filter;
    let mut wanted = Document::new();
    for (name, value) in [
        ("operator", operator.as_ref().map(Worded::word)),
        ("user", user.as_ref().map(Worded::word)),
        ("session", session.as_ref().map(Worded::word)),
    ] {
        if let Some(value) = value {
            wanted.insert(name, value);
        }
    }
    if let Some(after) = after {
        wanted.insert("_id", doc! { "$lt": after.word() });
    }
    let found: Vec<Document> = database
        .collection::<Document>(AUDIT)
        .find(wanted)
        .sort(doc! { "_id": -1 })
        .limit(i64::try_from(AuditPage::read(limit)).unwrap_or(i64::MAX))
        .await?
        .try_collect()
        .await?;
    Ok(AuditPage::of(limit, found.iter().map(entry).collect::<Result<_, _>>()?))
}

fn entry(document: &Document) -> Result<AuditEntry, StoreError> {
    let fields = Fields(document);
    Ok(AuditEntry {
        id: fields.the_word("_id")?,
        at: Instant(fields.the_number("at")?),
        operator: fields.the_word("operator")?,
        action: fields.the_text("action")?,
        user: fields.word("user")?,
        session: fields.word("session")?,
        reason: fields.text("reason")?,
        status: fields.number("status")?.and_then(|status| u16::try_from(status).ok()),
    })
}

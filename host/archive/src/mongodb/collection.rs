//! The collections, how they are found in, and which layout they have. All names begin with
//! `sluice_`: whatever else is in the database is somebody else's.

use std::collections::BTreeMap;

use mongodb::bson::{Document, doc};
use mongodb::error::Error;
use mongodb::options::IndexOptions;
use mongodb::{Database, IndexModel};

use super::field::Fields;
use super::unit::Stop;
use crate::error::StoreError;

/// One document a session.
pub(crate) const SESSIONS: &str = "sluice_sessions";
/// One document a message or answer, by its id.
pub(crate) const MESSAGES: &str = "sluice_messages";
/// What the client message ids of the last day stand for.
pub(crate) const CLIENT_MESSAGES: &str = "sluice_client_messages";
/// What operators did.
pub(crate) const AUDIT: &str = "sluice_audit";
/// What answers cost.
pub(crate) const USAGE: &str = "sluice_usage";
/// What is taken of budgets: one document a counter.
pub(crate) const COUNTERS: &str = "sluice_counters";
/// What of it is only set aside: one document a reservation.
pub(crate) const RESERVATIONS: &str = "sluice_reservations";
/// What somebody is to be told: one document a notice.
pub(crate) const NOTICES: &str = "sluice_notices";
/// Which keys sealed something.
pub(crate) const SEAL_KEYS: &str = "sluice_seal_keys";
/// Who may write, and until when.
pub(crate) const LEASE: &str = "sluice_lease";
/// One document, written to find out whether writing works.
pub(crate) const PULSE: &str = "sluice_pulse";
/// One document that says how the others are to be read.
const LAYOUT: &str = "sluice_layout";
/// Where the gateway that Sluice follows kept its conversations. Never written.
pub(crate) const PREDECESSORS: &str = "sessions";

/// The layout that this version writes. Fields and indexes that an older version does not miss are
/// added without a new number.
pub(crate) const VERSION: u32 = 1;

/// Which documents an index is over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    All,
    /// Sessions that are not deleted.
    Live,
    /// Documents that have this field.
    Having(&'static str),
}

/// Every index: its collection, name and keys, over what, and whether it is unique.
fn indexes() -> Vec<(&'static str, &'static str, Document, Over, bool)> {
    use Over::{All, Having, Live};
    let mut indexes = vec![
        (
            SESSIONS,
            "sessions_by_owner",
            doc! { "owner": 1, "last_activity": -1, "_id": -1 },
            Live,
            false,
        ),
        (SESSIONS, "sessions_by_share", doc! { "share": 1 }, Having("share"), true),
        (MESSAGES, "messages_by_place", doc! { "session": 1, "seq": 1 }, All, true),
        (
            MESSAGES,
            "messages_running",
            doc! { "running": 1, "session": 1 },
            Having("running"),
            false,
        ),
        // Holds all that response times need, so that no text is read for them.
        (
            MESSAGES,
            "messages_whole",
            doc! { "session": 1, "seq": 1, "took": 1 },
            Having("took"),
            false,
        ),
        (CLIENT_MESSAGES, "client_messages_by_age", doc! { "at": 1 }, All, false),
        (AUDIT, "audit_by_operator", doc! { "operator": 1, "_id": 1 }, All, false),
        (AUDIT, "audit_by_user", doc! { "user": 1, "_id": 1 }, Having("user"), false),
        (AUDIT, "audit_by_session", doc! { "session": 1, "_id": 1 }, Having("session"), false),
        (USAGE, "usage_by_user", doc! { "user": 1, "started": 1 }, All, false),
        (NOTICES, "notices_by_key", doc! { "key": 1, "posted": 1 }, All, false),
        (NOTICES, "notices_by_age", doc! { "posted": 1 }, All, false),
        (NOTICES, "notices_due", doc! { "next": 1 }, Having("next"), false),
        (COUNTERS, "counters_by_end", doc! { "until": 1 }, All, false),
        (RESERVATIONS, "reservations_by_lapse", doc! { "lapses": 1 }, Having("open"), false),
        (RESERVATIONS, "reservations_lapsed", doc! { "lapsed": 1 }, Having("lapsed"), false),
    ];
    // Pages of the review: their orders, and what filters keep. Each ends with what filters ask of a session, so that no session is
    // read that is not on the page.
    for (name, mut keys) in [
        ("page_by_start", doc! { "created": 1, "_id": 1 }),
        ("page_by_end", doc! { "ended_or_zero": 1, "_id": 1 }),
        ("page_by_duration", doc! { "lasted": 1, "_id": 1 }),
        ("page_by_activity", doc! { "last_activity": 1, "_id": 1 }),
        ("page_by_messages", doc! { "message_count": 1, "_id": 1 }),
        ("page_by_tokens", doc! { "tokens": 1, "_id": 1 }),
        ("page_by_owner", doc! { "owner": 1, "_id": 1 }),
        ("page_of_user", doc! { "owner": 1, "created": 1, "_id": 1 }),
        ("page_assisted", doc! { "assisted": 1, "created": 1, "_id": 1 }),
        // Back to front: who began first has gone on for longest.
        ("page_going_on", doc! { "ended_or_zero": 1, "created": 1, "_id": -1 }),
        ("page_of_user_going_on", doc! { "owner": 1, "ended_or_zero": 1, "created": 1, "_id": -1 }),
    ] {
        for asked in ["created", "ended_or_zero", "assisted", "live"] {
            if !keys.contains_key(asked) {
                keys.insert(asked, 1);
            }
        }
        indexes.push((SESSIONS, name, keys, Live, false));
    }
    indexes
}

/// How the names of indexes of sessions begin that others took the place of.
const REPLACED: &str = "review_";

/// Makes the collections and indexes that are missing, and drops those that are needed no more.
pub(crate) async fn prepare(database: &Database) -> Result<(), Error> {
    let mut models: BTreeMap<&str, Vec<IndexModel>> = BTreeMap::new();
    for (collection, name, keys, over, unique) in indexes() {
        let only = match over {
            Over::All => None,
            Over::Live => Some(doc! { "live": true }),
            Over::Having(field) => Some(doc! { field: { "$exists": true } }),
        };
        let options = IndexOptions::builder()
            .name(name.to_owned())
            .unique(unique)
            .partial_filter_expression(only)
            .build();
        let model = IndexModel::builder().keys(keys).options(options).build();
        models.entry(collection).or_default().push(model);
    }
    for (collection, models) in models {
        database.collection::<Document>(collection).create_indexes(models).await?;
    }
    let sessions = database.collection::<Document>(SESSIONS);
    for name in sessions.list_index_names().await? {
        if name.starts_with(REPLACED) {
            sessions.drop_index(name).await?;
        }
    }
    Ok(())
}

/// The layout found, which is this version's if there was none. Does not touch a newer one.
pub(crate) async fn layout(database: &Database) -> Result<u32, Stop<StoreError>> {
    let layouts = database.collection::<Document>(LAYOUT);
    let first = doc! { "$setOnInsert": { "version": i64::from(VERSION) } };
    layouts.update_one(doc! { "_id": "layout" }, first).upsert(true).await?;
    let Some(found) = layouts.find_one(doc! { "_id": "layout" }).await? else { return Ok(VERSION) };
    Ok(u32::try_from(Fields(&found).the_number("version")?).unwrap_or(u32::MAX))
}

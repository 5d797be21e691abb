//! `/admin/audit`: what operators did. Nobody changes it, and reading it is in it.

use axum::extract::{RawQuery, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use sluice_archive::{AuditEntry, AuditFilter};
use sluice_chat::id::{AuditId, SessionId};

use super::super::sessions::{precise, unreadable};
use super::query::Query;
use super::{Operator, Refusal, Shared};

/// The route.
pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/admin/audit", get(list))
}

/// One line.
#[derive(Debug, Serialize)]
struct Line {
    id: String,
    timestamp: String,
    admin_id: String,
    action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// None while it is being done, or when the process ended meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
}

impl From<AuditEntry> for Line {
    fn from(entry: AuditEntry) -> Self {
        let AuditEntry { id, at, operator, action, user, session, reason, status } = entry;
        Self {
            id: id.to_string(),
            timestamp: precise(at),
            admin_id: operator.to_string(),
            action,
            user_id: user.map(|user| user.to_string()),
            session_id: session.map(|session| session.to_string()),
            reason,
            status,
        }
    }
}

#[derive(Debug, Serialize)]
struct Lines {
    /// Newest first.
    entries: Vec<Line>,
    count: usize,
    limit: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

async fn list(
    State(gateway): State<Shared>,
    _: Operator,
    RawQuery(query): RawQuery,
) -> Result<Json<Lines>, Refusal> {
    let mut query = Query::read(query.as_deref())?;
    let filter = AuditFilter {
        operator: query.user("admin_id")?,
        user: query.user("user_id")?,
        session: query.take(
            "session_id",
            "session_id: a session's id has 1 to 128 bytes",
            SessionId::parse,
        )?,
    };
    let after = query.take("cursor", "cursor: not one of ours", AuditId::parse)?;
    let limit = query.limit();
    query.finish()?;
    let found = gateway.means.archive.audit(filter, limit, after).await;
    let found = found.map_err(|error| unreadable(&error))?;
    let entries: Vec<Line> = found.entries.into_iter().map(Line::from).collect();
    Ok(Json(Lines {
        count: entries.len(),
        entries,
        limit,
        next_cursor: found.next.map(|next| next.to_string()),
    }))
}

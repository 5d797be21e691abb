//! `/admin/sessions` and `/admin/users/{id}/sessions`: everybody's conversations.

use axum::extract::{Path, RawQuery, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use sluice_archive::{
    MAX_OFFSET, ReviewCursor, ReviewRequest, Reviewed, SessionFilter, SessionSort,
};
use sluice_chat::id::{SessionId, UserId};

use super::super::sessions::{MAX_MESSAGES, Msg, SessionMeta, place, unreadable};
use super::query::Query;
use super::{Operator, Refusal, Shared};
use crate::clock;
use crate::gateway::Gateway;
use crate::metrics::Operation;

/// The routes of this resource.
pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/admin/sessions", get(list))
        .route("/admin/sessions/{id}", get(show))
        .route("/admin/users/{id}/sessions", get(list_of_user))
}

#[derive(Debug, Serialize)]
struct Page {
    sessions: Vec<SessionMeta>,
    count: usize,
    limit: usize,
    offset: usize,
    /// On all pages; exact up to 10,000.
    total: u64,
    /// Whether there are more than that.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    total_at_least: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

async fn list(
    State(gateway): State<Shared>,
    _: Operator,
    RawQuery(query): RawQuery,
) -> Result<Json<Page>, Refusal> {
    let mut query = Query::read(query.as_deref())?;
    let owner = query.user("user_id")?;
    page(&gateway, owner, query).await
}

async fn list_of_user(
    State(gateway): State<Shared>,
    _: Operator,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Page>, Refusal> {
    let owner = UserId::parse(&id).ok_or(Refusal::NotFound)?;
    page(&gateway, Some(owner), Query::read(query.as_deref())?).await
}

async fn page(
    gateway: &Gateway,
    owner: Option<UserId>,
    query: Query<'_>,
) -> Result<Json<Page>, Refusal> {
    let request = request(owner, query)?;
    let (limit, offset) = (request.limit, request.offset);
    let review = gateway.means.archive.review(request);
    let timed = gateway.means.metrics.archive.timed(Operation::ListAllSessions, review);
    let found = timed.await.map_err(|error| unreadable(&error))?;
    let view = |Reviewed { session, responses }| SessionMeta::new(session, &responses);
    let sessions: Vec<SessionMeta> = found.sessions.into_iter().map(view).collect();
    Ok(Json(Page {
        count: sessions.len(),
        sessions,
        limit,
        offset,
        total: found.total,
        total_at_least: found.total_at_least,
        next_cursor: found.next.map(|next| next.to_string()),
    }))
}

/// Everything that may be asked for; what may not is refused by name.
fn request(owner: Option<UserId>, mut query: Query<'_>) -> Result<ReviewRequest, Refusal> {
    let word = |yes: &'static str, no: &'static str| {
        move |value: &str| match value {
            _ if value == yes => Some(true),
            _ if value == no => Some(false),
            _ => None,
        }
    };
    let sorts = "sort_by: start_time, end_time, message_count, total_tokens, user_id, duration or last_activity";
    let sort = query.take("sort_by", sorts, SessionSort::parse)?.unwrap_or(SessionSort::Start);
    let descending =
        query.take("sort_order", "sort_order: asc or desc", word("desc", "asc"))?.unwrap_or(true);
    let after = query.take("cursor", "cursor: not one of ours", ReviewCursor::parse)?;
    if after.as_ref().is_some_and(|after| !after.fits(sort, descending)) {
        return Err(Refusal::BadRequest("cursor: of another order"));
    }
    let filter = SessionFilter {
        owner,
        ended: query.take("status", "status: active or ended", word("ended", "active"))?,
        assisted: query.take(
            "admin_assisted",
            "admin_assisted: true or false",
            word("true", "false"),
        )?,
        from: query.moment("start_time_from", "start_time_from: a time of RFC 3339")?,
        to: query.moment("start_time_to", "start_time_to: a time of RFC 3339")?,
    };
    let number = |value: &str| value.parse::<i64>().ok();
    let offset = query.take("offset", "offset: a whole number", number)?.unwrap_or(0).max(0);
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    if offset > MAX_OFFSET {
        return Err(Refusal::BadRequest("offset: 10000 at most; follow next_cursor instead"));
    }
    let limit = query.limit();
    query.finish()?;
    Ok(ReviewRequest { filter, sort, descending, limit, offset, after, now: clock::now() })
}

/// A conversation with its messages.
#[derive(Debug, Serialize)]
struct Conversation {
    session_id: String,
    #[serde(flatten)]
    session: SessionMeta,
    /// Oldest first.
    messages: Vec<Msg>,
    /// Cursor of the page before this one, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<u64>,
}

async fn show(
    State(gateway): State<Shared>,
    _: Operator,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Conversation>, Refusal> {
    let mut query = Query::read(query.as_deref())?;
    let number = |value: &str| value.parse().ok().and_then(place);
    let before = query.take("before", "before: a whole number", number)?;
    let limit = query.limit().min(MAX_MESSAGES);
    query.finish()?;
    let id = SessionId::parse(&id).ok_or(Refusal::NotFound)?;
    let archive = &gateway.means.archive;
    let stored = archive.session(&id).await.map_err(|error| unreadable(&error))?;
    let stored = stored.filter(|stored| stored.deleted.is_none()).ok_or(Refusal::NotFound)?;
    let responses = archive.responses(std::slice::from_ref(&id)).await;
    let responses = responses.map_err(|error| unreadable(&error))?.remove(&id).unwrap_or_default();
    // One more than asked for tells whether there is a page before this one.
    let read = archive.messages(&id, before, limit + 1).await;
    let mut found = read.map_err(|error| unreadable(&error))?;
    let more = found.len() > limit;
    if more {
        found.remove(0);
    }
    Ok(Json(Conversation {
        session_id: id.to_string(),
        session: SessionMeta::new(stored, &responses),
        before: found.first().filter(|_| more).map(|oldest| oldest.seq.0),
        messages: found.into_iter().map(Msg::from).collect(),
    }))
}

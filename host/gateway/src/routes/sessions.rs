//! `/sessions`: a user's own conversations.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use sluice_archive::{
    ChangeError, MAX_PAGE, SessionCursor, StoreError, StoredMessage, StoredSession,
};
use sluice_chat::id::{Instant, Seq, SessionId, ShareToken, UserId};
use sluice_chat::response_times::ResponseTimes;
use sluice_wire::server::{UsageBody, timestamp};

use super::{Caller, Refusal, Shared};
use crate::gateway::Gateway;
use crate::metrics::Operation;
use crate::{clock, fresh};

/// Sessions on a page, unless asked otherwise, and at most.
const SESSIONS: usize = 100;
/// Messages on a page, unless asked otherwise.
const MESSAGES: usize = 100;
/// Longest name of a session, in characters.
const MAX_NAME_CHARS: usize = 200;
/// Most messages on a page: one more is read to see whether there is a page before it.
pub(super) const MAX_MESSAGES: usize = MAX_PAGE - 1;

/// The routes of this resource.
pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/sessions", get(list))
        .route("/sessions/{id}", get(show).patch(rename).delete(delete))
        .route("/sessions/{id}/end", post(end))
        .route("/sessions/{id}/messages", get(messages))
        .route("/sessions/{id}/share", post(share).delete(unshare))
}

/// What wants no token.
pub(super) fn public() -> Router<Shared> {
    Router::new().route("/shared/{token}", get(shared))
}

#[derive(Debug, Deserialize)]
struct Page {
    limit: Option<usize>,
    cursor: Option<String>,
    q: Option<String>,
}

#[derive(Debug, Serialize)]
struct SessionList {
    sessions: Vec<SessionMeta>,
    user_id: String,
    count: usize,
    limit: usize,
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A session in a list.
#[derive(Debug, Serialize)]
pub(super) struct SessionMeta {
    id: String,
    user_id: String,
    name: String,
    model_id: Option<String>,
    last_activity: String,
    message_count: u64,
    admin_assisted: bool,
    start_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<String>,
    is_active: bool,
    /// Seconds; of a session that goes on, until now.
    duration: u64,
    total_tokens: u64,
    /// Milliseconds, over the newest whole answers.
    avg_response_time: u64,
    max_response_time: u64,
    /// What anybody can read it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    share_token: Option<String>,
}

impl SessionMeta {
    pub(super) fn new(stored: StoredSession, responses: &ResponseTimes) -> Self {
        let until = stored.ended.unwrap_or_else(clock::now);
        Self {
            id: stored.id.to_string(),
            user_id: stored.owner.to_string(),
            name: stored.name.unwrap_or_default(),
            model_id: stored.model.map(|model| model.to_string()),
            last_activity: precise(stored.last_activity),
            message_count: stored.message_count,
            admin_assisted: stored.assisted,
            start_time: precise(stored.created),
            end_time: stored.ended.map(precise),
            is_active: stored.ended.is_none(),
            duration: until.0.saturating_sub(stored.created.0) / 1_000,
            total_tokens: stored.tokens.total(),
            avg_response_time: responses.average(),
            max_response_time: responses.longest(),
            share_token: stored.share.map(|token| token.to_string()),
        }
    }
}

/// Sessions with how long their answers took.
async fn measured(
    gateway: &Gateway,
    stored: Vec<StoredSession>,
) -> Result<Vec<SessionMeta>, Refusal> {
    let ids: Vec<_> = stored.iter().map(|session| session.id.clone()).collect();
    let responses = gateway.means.archive.responses(&ids).await;
    let mut responses = responses.map_err(|error| unreadable(&error))?;
    let measured = |session: StoredSession| {
        let responses = responses.remove(&session.id).unwrap_or_default();
        SessionMeta::new(session, &responses)
    };
    Ok(stored.into_iter().map(measured).collect())
}

/// A message or an answer.
#[derive(Debug, Serialize)]
pub(super) struct Msg {
    message_id: String,
    seq: u64,
    r#type: &'static str,
    content: String,
    timestamp: String,
    sender: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_reply_to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_message_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageBody>,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    metadata: std::collections::BTreeMap<String, String>,
}

impl From<StoredMessage> for Msg {
    fn from(stored: StoredMessage) -> Self {
        Self {
            message_id: stored.id.to_string(),
            seq: stored.last_seq.0,
            r#type: if stored.in_reply_to.is_some() { "ai_response" } else { "user_message" },
            content: stored.text,
            timestamp: precise(stored.at),
            sender: stored.sender.as_str(),
            model_id: stored.model.map(|model| model.to_string()),
            in_reply_to: stored.in_reply_to.map(|id| id.to_string()),
            client_message_id: stored.client_message_id.map(|id| id.to_string()),
            finish_reason: stored.ending.map(sluice_chat::answer::Ending::as_str),
            usage: stored.tokens.map(UsageBody::from),
            metadata: stored.metadata,
        }
    }
}

/// RFC 3339 with milliseconds.
pub(super) fn precise(at: Instant) -> String {
    let seconds = timestamp(at);
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), at.0 % 1_000)
}

async fn list(
    State(gateway): State<Shared>,
    Caller(user): Caller,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<SessionList>, Refusal> {
    let Query(page) = page?;
    let limit = page.limit.filter(|limit| (1..=SESSIONS).contains(limit)).unwrap_or(SESSIONS);
    let cursor = match page.cursor.as_deref() {
        None => None,
        Some(text) => {
            Some(SessionCursor::parse(text).ok_or(Refusal::BadRequest("cursor: not one of ours"))?)
        }
    };
    let wanted = page.q.as_deref().map(str::trim).filter(|wanted| !wanted.is_empty());
    let found = gateway.means.archive.sessions_of(&user, limit, cursor, wanted).await;
    let found = found.map_err(|error| unreadable(&error))?;
    let sessions = measured(&gateway, found.sessions).await?;
    Ok(Json(SessionList {
        user_id: user.to_string(),
        count: sessions.len(),
        limit,
        truncated: found.next.is_some(),
        next_cursor: found.next.map(|next| next.to_string()),
        sessions,
    }))
}

#[derive(Debug, Serialize)]
struct SessionBody {
    session_id: String,
    name: String,
    model_id: Option<String>,
    messages: Vec<Msg>,
    /// Cursor of the page before them, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<u64>,
}

async fn show(
    State(gateway): State<Shared>,
    Caller(user): Caller,
    Path(id): Path<String>,
) -> Result<Json<SessionBody>, Refusal> {
    let stored = find(&gateway, &id, &user).await?;
    let newest = MessagePage { before: None, limit: Some(MAX_MESSAGES) };
    let MessageList { messages, before } = page_of(&gateway, &stored.id, newest).await?;
    Ok(Json(SessionBody {
        session_id: stored.id.to_string(),
        name: stored.name.unwrap_or_default(),
        model_id: stored.model.map(|model| model.to_string()),
        messages,
        before,
    }))
}

#[derive(Debug, Deserialize)]
struct MessagePage {
    before: Option<u64>,
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
struct MessageList {
    /// Oldest first.
    messages: Vec<Msg>,
    /// Cursor of the page before this one, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<u64>,
}

async fn messages(
    State(gateway): State<Shared>,
    Caller(user): Caller,
    Path(id): Path<String>,
    page: Result<Query<MessagePage>, QueryRejection>,
) -> Result<Json<MessageList>, Refusal> {
    let Query(page) = page?;
    let stored = find(&gateway, &id, &user).await?;
    page_of(&gateway, &stored.id, page).await.map(Json)
}

const BAD_PLACE: Refusal = Refusal::BadRequest("before: not one of ours");

/// A place that a message can have: the archive knows no larger numbers.
pub(super) fn place(before: u64) -> Option<Seq> {
    i64::try_from(before).is_ok().then_some(Seq(before))
}

async fn page_of(
    gateway: &Gateway,
    session: &SessionId,
    page: MessagePage,
) -> Result<MessageList, Refusal> {
    let limit = page.limit.unwrap_or(MESSAGES).clamp(1, MAX_MESSAGES);
    let before = page.before.map(|before| place(before).ok_or(BAD_PLACE)).transpose()?;
    // One more than asked for tells whether there is a page before this one.
    let read = gateway.means.archive.messages(session, before, limit + 1).await;
    let mut found = read.map_err(|error| unreadable(&error))?;
    let more = found.len() > limit;
    if more {
        found.remove(0);
    }
    let before = found.first().filter(|_| more).map(|oldest| oldest.seq.0);
    Ok(MessageList { messages: found.into_iter().map(Msg::from).collect(), before })
}

#[derive(Debug, Deserialize)]
struct NewName {
    name: String,
}

async fn rename(
    State(gateway): State<Shared>,
    Caller(user): Caller,
    Path(id): Path<String>,
    body: Result<Json<NewName>, JsonRejection>,
) -> Result<Json<SessionMeta>, Refusal> {
    let mut stored = find(&gateway, &id, &user).await?;
    let Ok(Json(NewName { name })) = body else {
        return Err(Refusal::BadRequest("an object with a name is expected"));
    };
    let name = name.trim();
    let fits = (1..=MAX_NAME_CHARS).contains(&name.chars().count());
    if !fits || name.chars().any(char::is_control) {
        return Err(Refusal::BadRequest("name: 1 to 200 characters are expected"));
    }
    gateway.means.archive.set_name(&stored.id, stored.fence, name).await.map_err(unchanged)?;
    gateway.tell_name(&stored.id, &user, name);
    stored.name = Some(name.to_owned());
    let renamed = measured(&gateway, vec![stored]).await?;
    renamed.into_iter().next().map(Json).ok_or(Refusal::NotFound)
}

/// Ends a conversation; a message to it opens it again. The first end counts.
async fn end(
    State(gateway): State<Shared>,
    Caller(user): Caller,
    Path(id): Path<String>,
) -> Result<Json<serde_json::Value>, Refusal> {
    let stored = find(&gateway, &id, &user).await?;
    let metrics = &gateway.means.metrics;
    let ended = gateway.means.archive.end_session(&stored.id, stored.fence, clock::now());
    metrics.archive.timed(Operation::EndSession, ended).await.map_err(unchanged)?;
    if stored.ended.is_none() {
        metrics.sessions.ended.inc();
    }
    Ok(Json(serde_json::json!({ "status": "ended" })))
}

async fn delete(
    State(gateway): State<Shared>,
    Caller(user): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let stored = find(&gateway, &id, &user).await?;
    let deleted = gateway.means.archive.delete_session(&stored.id, stored.fence, clock::now());
    deleted.await.map_err(unchanged)?;
    gateway.forget_session(&stored.id, &user);
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Serialize)]
struct Share {
    share_token: String,
}

/// Lets anybody read a session who knows its token. Shared once, it keeps its token.
async fn share(
    State(gateway): State<Shared>,
    Caller(user): Caller,
    Path(id): Path<String>,
) -> Result<Json<Share>, Refusal> {
    let stored = find(&gateway, &id, &user).await?;
    let shared = gateway.means.archive.share_session(&stored.id, &fresh::share()).await;
    Ok(Json(Share { share_token: shared.map_err(unchanged)?.to_string() }))
}

/// Makes the token worthless; the next one is another.
async fn unshare(
    State(gateway): State<Shared>,
    Caller(user): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let stored = find(&gateway, &id, &user).await?;
    gateway.means.archive.unshare_session(&stored.id).await.map_err(unchanged)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Serialize)]
struct SharedView {
    session_id: String,
    name: String,
    /// Oldest first.
    messages: Vec<Msg>,
    /// Cursor of the page before this one, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<u64>,
}

/// What a shared session says, to anybody, a page at a time. What its owner's client calls the messages stays out.
async fn shared(
    State(gateway): State<Shared>,
    Path(token): Path<String>,
    page: Result<Query<MessagePage>, QueryRejection>,
) -> Result<Json<SharedView>, Refusal> {
    let Query(page) = page?;
    let token = ShareToken::parse(&token).ok_or(Refusal::NotFound)?;
    let found = gateway.means.archive.shared_session(&token).await;
    let stored = found.map_err(|error| unreadable(&error))?.ok_or(Refusal::NotFound)?;
    let page = MessagePage { limit: Some(page.limit.unwrap_or(MAX_MESSAGES)), ..page };
    let MessageList { mut messages, before } = page_of(&gateway, &stored.id, page).await?;
    for message in &mut messages {
        message.client_message_id = None;
        message.metadata.clear();
    }
    let (session_id, name) = (stored.id.to_string(), stored.name.unwrap_or_default());
    Ok(Json(SharedView { session_id, name, messages, before }))
}

/// The caller's session of that id.
async fn find(gateway: &Gateway, id: &str, user: &UserId) -> Result<StoredSession, Refusal> {
    let id = SessionId::parse(id).ok_or(Refusal::NotFound)?;
    let stored = gateway.means.archive.session(&id).await.map_err(|error| unreadable(&error))?;
    let mine = |stored: &StoredSession| stored.owner == *user && stored.deleted.is_none();
    stored.filter(mine).ok_or(Refusal::NotFound)
}

fn unchanged(error: ChangeError) -> Refusal {
    match error {
        ChangeError::Gone => Refusal::NotFound,
        // Taken over in this very moment.
        ChangeError::Fenced => Refusal::Unavailable,
        ChangeError::Store(error) => unreadable(&error),
    }
}

pub(super) fn unreadable(error: &StoreError) -> Refusal {
    tracing::error!(error = error as &dyn std::error::Error, "the archive does not do as asked");
    match error {
        StoreError::Closed | StoreError::Unavailable { .. } | StoreError::Uncertain { .. } => {
            Refusal::Unavailable
        }
        // The same again fails again, whoever asks.
        StoreError::Damaged { .. } | StoreError::Sealed { .. } | StoreError::Rejected { .. } => {
            Refusal::Failed
        }
    }
}

//! `/admin`: what operators see and do. Whatever is asked here is written down before it is done; see [`record`].

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use sluice_archive::AuditEntry;
use sluice_chat::id::{SessionId, UserId};
use url::form_urlencoded;

use super::sessions::unreadable;
use super::{Operator, Refusal, Shared};
use crate::gateway::Gateway;
use crate::{clock, fresh};

mod audit;
mod metrics;
mod query;
mod sessions;
mod users;

/// All routes of operators.
pub(super) fn routes(gateway: &Shared) -> Router<Shared> {
    Router::new()
        .merge(sessions::routes())
        .merge(users::routes())
        .merge(metrics::routes())
        .merge(audit::routes())
        .route_layer(middleware::from_fn_with_state(Arc::clone(gateway), record))
}

/// Lets operators through, and nobody else, and none of them unseen: a line of the record is durable before the request is
/// looked at, and gets its outcome before the response goes out. Where it cannot be written nothing is done.
async fn record(State(gateway): State<Shared>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let operator = match Operator::from_request_parts(&mut parts, &gateway).await {
        Ok(operator) => operator,
        Err(refusal) => return refusal.into_response(),
    };
    let entry = entry(&gateway, &operator, &mut parts).await;
    let id = entry.id.clone();
    if let Err(error) = gateway.means.archive.note(entry).await {
        return unreadable(&error).into_response();
    }
    parts.extensions.insert(operator);
    let response = next.run(Request::from_parts(parts, body)).await;
    let status = response.status().as_u16();
    if let Err(error) = gateway.means.archive.settle(&id, status).await {
        let error = &error as &dyn std::error::Error;
        tracing::error!(error, audit = %id, "could not record the outcome of an operator's request");
    }
    response
}

/// Who asks for what, about whom.
async fn entry(gateway: &Gateway, operator: &Operator, parts: &mut Parts) -> AuditEntry {
    let path = parts.extensions.get::<MatchedPath>().cloned();
    let path = path.as_ref().map_or("", MatchedPath::as_str);
    let path = path.strip_prefix(&gateway.prefix).unwrap_or(path).to_owned();
    let named = RawPathParams::from_request_parts(parts, &()).await.ok();
    let named = named.as_ref().and_then(|named| named.iter().next().map(|(_, value)| value));
    let of_user = path.starts_with("/admin/users/");
    let asked = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let asked = asked.into_iter().find(|(name, _)| name == "user_id").map(|(_, value)| value);
    AuditEntry {
        id: fresh::audit(),
        at: clock::now(),
        operator: operator.0.user.clone(),
        action: format!("{} {path}", parts.method),
        user: named.filter(|_| of_user).or(asked.as_deref()).and_then(UserId::parse),
        session: named.filter(|_| !of_user).and_then(SessionId::parse),
        reason: None,
        status: None,
    }
}

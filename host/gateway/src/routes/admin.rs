//! `/admin`: what operators see and do. Whatever is asked here is written down before it is done; see [`record`].

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use sluice_archive::AuditEntry;
use sluice_chat::id::{SessionId, UserId};
use sluice_chat::policy::{AdminAction, Subject};
use url::form_urlencoded;

use super::remote::Remote;
use super::sessions::unreadable;
use super::{Operator, Refusal, Shared};
use crate::gateway::Gateway;
use crate::{clock, fresh, policies};

mod audit;
mod metrics;
mod plugins;
mod query;
mod sessions;
mod users;

/// Characters of a reason that are kept.
const REASON_CHARACTERS: usize = 512;
/// What policies know the actions by.
const ACTIONS: [(&str, &str); 7] = [
    ("GET /admin/sessions", "list-sessions"),
    ("GET /admin/users/{id}/sessions", "list-sessions"),
    ("GET /admin/sessions/{id}", "read-session"),
    ("GET /admin/metrics", "read-metrics"),
    ("GET /admin/audit", "read-audit"),
    ("GET /admin/plugins", "list-plugins"),
    ("POST /admin/users/{id}/revoke", "revoke-user"),
];

/// All routes of operators.
pub(super) fn routes(gateway: &Shared) -> Router<Shared> {
    Router::new()
        .merge(sessions::routes())
        .merge(users::routes())
        .merge(metrics::routes())
        .merge(audit::routes())
        .merge(plugins::routes())
        .route_layer(middleware::from_fn_with_state(Arc::clone(gateway), record))
}

/// Lets operators through, and nobody else, and none of them unseen: a line of the record is durable before the request is
/// looked at, and gets its outcome before the response goes out. Where it cannot be written nothing is done.
async fn record(
    State(gateway): State<Shared>,
    Remote(address): Remote,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let operator = match Operator::from_request_parts(&mut parts, &gateway).await {
        Ok(operator) => operator,
        Err(refusal) => return refusal.into_response(),
    };
    let entry = entry(&gateway, &operator, &mut parts).await;
    let id = entry.id.clone();
    if let Err(error) = gateway.means.archive.note(entry.clone()).await {
        return unreadable(&error).into_response();
    }
    let asked = action(&parts, &entry);
    let caller = operator.0.caller(address);
    let subject = Subject { session: session_of(&entry), ..policies::subject(&caller) };
    parts.extensions.insert(operator);
    let response = match gateway.means.policies.admin(subject, &asked).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(denied) => Refusal::Denied(denied).into_response(),
    };
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
    let asked = asked(parts);
    let asked = |name: &str| asked.get(name).and_then(Value::as_str);
    AuditEntry {
        id: fresh::audit(),
        at: clock::now(),
        operator: operator.0.user.clone(),
        action: format!("{} {path}", parts.method),
        user: named.filter(|_| of_user).or_else(|| asked("user_id")).and_then(UserId::parse),
        session: named.filter(|_| !of_user).and_then(SessionId::parse),
        reason: asked("reason").map(|reason| reason.chars().take(REASON_CHARACTERS).collect()),
        status: None,
    }
}

/// What stands behind the question mark, as a JSON object of texts. Given twice, the first counts.
fn asked(parts: &Parts) -> Map<String, Value> {
    let mut asked = Map::new();
    let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    for (name, value) in pairs {
        asked.entry(name).or_insert_with(|| Value::String(value.into_owned()));
    }
    asked
}

/// What policies are asked about.
fn action(parts: &Parts, entry: &AuditEntry) -> AdminAction {
    let known = ACTIONS.iter().find(|(route, _)| *route == entry.action);
    let target = entry.user.as_ref().map(ToString::to_string);
    AdminAction {
        name: known.map_or(entry.action.as_str(), |(_, name)| name).to_owned(),
        target: target.or_else(|| session_of(entry)),
        arguments: Value::Object(asked(parts)).to_string(),
    }
}

fn session_of(entry: &AuditEntry) -> Option<String> {
    entry.session.as_ref().map(ToString::to_string)
}

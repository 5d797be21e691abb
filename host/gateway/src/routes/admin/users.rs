//! `/admin/users/{id}/revoke`: a user's tokens count no more.

use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use serde::Serialize;
use sluice_chat::id::UserId;
use sluice_wire::server::timestamp;

use super::super::{Operator, Refusal, Shared};
use crate::clock;

/// What operators do with users.
pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/admin/users/{id}/revoke", post(revoke))
}

#[derive(Debug, Serialize)]
struct Revoked {
    user_id: String,
    /// Tokens issued up to this second are refused.
    until: String,
    /// Connections that were closed.
    closed: usize,
}

async fn revoke(
    State(gateway): State<Shared>,
    Operator(operator): Operator,
    Path(id): Path<String>,
) -> Result<Json<Revoked>, Refusal> {
    let user = UserId::parse(&id).ok_or(Refusal::NotFound)?;
    let now = clock::now();
    let closed = gateway.revoke(&user, now);
    tracing::info!(%user, operator = %operator.user, closed, "revoked a user's tokens");
    Ok(Json(Revoked { user_id: user.to_string(), until: timestamp(now), closed }))
}

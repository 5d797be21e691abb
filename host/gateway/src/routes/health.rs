//! `/healthz` and `/readyz`: is it alive, may it be sent traffic.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use sluice_archive::Durability;
use sluice_wire::server::timestamp;

use super::Shared;
use crate::clock;

/// Both probes.
pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/healthz", get(health)).route("/readyz", get(readiness))
}

async fn health() -> Response {
    let (version, timestamp) = (env!("CARGO_PKG_VERSION"), timestamp(clock::now()));
    Json(json!({ "status": "healthy", "version": version, "timestamp": timestamp })).into_response()
}

async fn readiness(State(gateway): State<Shared>) -> Response {
    let archive = gateway.means.archive.ping().await;
    let models = gateway.means.catalog.load().ids().len();
    let keys = gateway.verifier.is_ready();
    let draining = gateway.drain.is_cancelled();
    let ready = archive.is_ok() && models > 0 && keys && !draining;
    let status = |fine: bool| if fine { "ok" } else { "failed" };
    if let Err(error) = &archive {
        tracing::warn!(error = error as &dyn std::error::Error, "the archive does not answer");
    }
    let durability = match gateway.means.archive.durability() {
        Durability::Full => "full",
        Durability::Degraded => "degraded",
    };
    let body = json!({
        "status": if ready { "ready" } else { "not ready" },
        "timestamp": timestamp(clock::now()),
        "checks": {
            "archive": { "status": status(archive.is_ok()), "durability": durability },
            "llm": { "status": status(models > 0), "models": models },
            "keys": { "status": status(keys) },
            "drain": { "status": status(!draining) },
        },
    });
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(body)).into_response()
}

//! `/metrics`: what the gateway counts, for those who may see it; and the counting of requests.

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::time::Instant;

use super::remote::Remote;
use super::{Refusal, Shared};
use crate::metrics::Told;

/// The path at the root.
pub(super) const PATH: &str = "/metrics";
/// Prometheus' text format.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The path below the prefix.
pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/metrics/prometheus", get(read))
}

/// Everything that is counted, to whoever is in one of the networks.
pub(super) async fn read(
    State(gateway): State<Shared>,
    Remote(address): Remote,
) -> Result<Response, Refusal> {
    if !gateway.metrics_networks.iter().any(|network| network.contains(address)) {
        return Err(Refusal::ForeignAddress);
    }
    let text = gateway.means.metrics.read(&gateway.seen());
    Ok(([(CONTENT_TYPE, FORMAT)], text).into_response())
}

/// Counts a request under the template of its route, and its refusal under its code.
pub(super) async fn count(State(gateway): State<Shared>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let (method, path) =
        (request.method().clone(), request.extensions().get::<MatchedPath>().cloned());
    let response = next.run(request).await;
    let traffic = &Arc::as_ref(&gateway).means.metrics.traffic;
    let endpoint = path.as_ref().map(MatchedPath::as_str);
    traffic.answered(endpoint, method.as_str(), begun.elapsed());
    if let Some(Told(code)) = response.extensions().get() {
        traffic.refused(code);
    }
    response
}

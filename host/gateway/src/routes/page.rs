//! A small chat page, to try the gateway with. A real client replaces it.

use axum::Router;
use axum::response::Response;
use axum::routing::get;

use super::{Shared, document};

/// Nothing but our own script and style, and our own sockets.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the page loads. The page itself stands at the prefix with a slash, which nested routes do not match.
pub(super) fn parts() -> Router<Shared> {
    Router::new().route("/chat.js", get(script)).route("/chat.css", get(style))
}

pub(super) async fn page() -> Response {
    document("text/html; charset=utf-8", POLICY, include_str!("../../page/index.html"))
}

async fn script() -> Response {
    document("text/javascript; charset=utf-8", POLICY, include_str!("../../page/chat.js"))
}

async fn style() -> Response {
    document("text/css; charset=utf-8", POLICY, include_str!("../../page/chat.css"))
}

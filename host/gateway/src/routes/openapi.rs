//! `/openapi.json`: what all of this is, for programs. Tests hold the document to the routes and to what they answer.

use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Where it is, below the prefix and below the root.
pub(super) const PATH: &str = "/openapi.json";

/// The document, but for what depends on the gateway.
const WRITTEN: &str = include_str!("openapi.json");

/// The document of a gateway, made once.
#[derive(Debug, Clone)]
pub(super) struct Document(Bytes);

impl Document {
    /// Of one whose routes are below this prefix.
    pub(super) fn of(prefix: &str) -> Self {
        let mut document: Value = serde_json::from_str(WRITTEN).expect("a test reads it");
        document["info"]["version"] = json!(env!("CARGO_PKG_VERSION"));
        document["servers"][0]["url"] = json!(if prefix.is_empty() { "/" } else { prefix });
        Self(document.to_string().into())
    }
}

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        let json = HeaderValue::from_static("application/json");
        ([(CONTENT_TYPE, json)], self.0).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_where_the_routes_are() {
        for (prefix, url) in [("/chatbox", "/chatbox"), ("", "/")] {
            let Document(bytes) = Document::of(prefix);
            let document: Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(document["servers"], json!([{ "url": url }]));
            assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        }
    }
}

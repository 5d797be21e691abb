//! What a plugin asks to be sent, in the form that `request-N.json` holds.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A described request. Its body is shown as JSON, with `<base64 of ID>` where the host puts a blob; a form as a list of its parts, with
/// `<bytes of ID>`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// `get`, `post` …
    pub method: String,
    /// Name of the endpoint.
    pub endpoint: String,
    /// Path below the endpoint.
    pub path: String,
    /// Name and value, in order.
    pub query: Vec<(String, String)>,
    /// Name and value, in order.
    pub headers: Vec<(String, String)>,
    /// Name of the auth scheme.
    pub auth: Option<String>,
    /// How the response is to be cut.
    pub framing: FramingWish,
    /// Until the first byte.
    pub timeout_ms: Option<u32>,
    /// Whether it may be sent again.
    pub idempotent: bool,
    /// The body; text that is no JSON is shown as a string, no body as null.
    pub body: Value,
}

/// How a plugin wants a response cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FramingWish {
    /// One frame.
    Whole,
    /// Server-sent events.
    Sse,
    /// One JSON text a line.
    Ndjson,
    /// By the response's content type.
    ByContentType,
    /// Not at all.
    Discard,
}

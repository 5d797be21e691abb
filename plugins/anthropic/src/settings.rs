//! What an operator may set.

use serde::Deserialize;
use sluice_sdk::{AuthScheme, Request};

/// Versions and limits. The defaults suit Anthropic itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Most tokens of an answer for which neither the model nor the client says how many; the API wants a number.
    pub max_tokens: u32,
    /// Version of the API, as its header names it.
    pub version: String,
    /// Names of features that are not on by themselves.
    pub beta: Vec<String>,
}

impl Settings {
    /// A request with the key and the versions.
    pub(crate) fn send(&self, request: Request) -> Request {
        request
            .auth(AuthScheme::XApiKey)
            .header("anthropic-version", &self.version)
            .header_list("anthropic-beta", &self.beta)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_tokens: 4096, version: "2023-06-01".to_owned(), beta: Vec::new() }
    }
}

//! What an operator may set.

use serde::Deserialize;

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

impl Default for Settings {
    fn default() -> Self {
        Self { max_tokens: 4096, version: "2023-06-01".to_owned(), beta: Vec::new() }
    }
}

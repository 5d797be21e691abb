//! What an operator may set.

use serde::Deserialize;
use serde_json::{Map, Value};

/// What a server is told with each question.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Options of the model, such as `num_ctx`: without it a server reads 4,096 tokens and forgets the rest. A client's own count more.
    pub options: Map<String, Value>,
    /// How long the model stays loaded, as the server writes it: `"5m"`.
    pub keep_alive: Option<String>,
}
